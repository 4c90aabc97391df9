"""Contact sheets of the twins.

Single faces with their mark-ups, a video, frames of devices, patches with directions.

`python -m benchbox.face_renderer.twin_contact_sheets marks|gaze OUT.jpg` writes the sheet that the
README shows.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from . import image_sets
from .render import render_picture
from .scenes import multi_camera, phone_and_tablet, portraits, videos

if TYPE_CHECKING:
    from benchbox.face_renderer.scenes.scene import Scene
    from benchbox.types import Bytes, Floats

_VISIBLE_COLOUR, _HIDDEN_COLOUR = (60, 255, 90), (255, 70, 60)
_LEFT, _RIGHT, _FACE, _DOT = (60, 255, 90), (255, 70, 60), (255, 230, 60), (255, 60, 255)
_QUALITY = [cv2.IMWRITE_JPEG_QUALITY, 78]
_CELL_PX = 112  # px


def _fixed_point(place: Floats) -> tuple[int, int]:
    """Return a place in px as OpenCV's fixed-point integers with four fractional bits."""
    return int(place[0] * 16), int(place[1] * 16)


def _fit_cell(pixels: Bytes, high: int, wide: int) -> Bytes:
    """Scale a picture to fill a cell's height, or its width, the rest black."""
    scale = min(high / pixels.shape[0], wide / pixels.shape[1])
    small = cv2.resize(
        pixels,
        None,
        fx=scale,
        fy=scale,
        interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC,
    )
    cell = np.zeros((high, wide, 3), np.uint8)
    left = (wide - small.shape[1]) // 2
    cell[: small.shape[0], left : left + small.shape[1]] = small[:high, :wide]
    return cell


def portrait_cell(scene: Scene, cell: int = _CELL_PX) -> Bytes:
    """Return a scene's picture (cell, cell, 3) with its landmarks.

    Hidden ones in another colour.
    """
    shot = render_picture(scene)
    scale = cell / scene.size
    shown = _fit_cell(shot.pixels, cell, cell)
    points, visible = scene.landmarks, shot.visible
    if len(scene.further):
        points, visible = scene.camera.project(scene.further)[0], visible[len(scene.points) :]
    for point, is_visible in zip((points + 0.5) * scale - 0.5, visible.tolist(), strict=True):
        cv2.circle(
            shown,
            _fixed_point(point),
            13,
            _VISIBLE_COLOUR if is_visible else _HIDDEN_COLOUR,
            -1,
            cv2.LINE_AA,
            4,
        )
    return shown


def device_cell(shot: phone_and_tablet.Shot, cell: int = _CELL_PX) -> Bytes:
    """Return a device's frame in a square cell.

    Boxes of face and eyes, and which way the dot lies.
    """
    frame = (
        render_picture(shot.scene).pixels[phone_and_tablet.frame_slices(shot.orientation)].copy()
    )
    for box, colour in ((shot.face, _FACE), (shot.left_eye, _LEFT), (shot.right_eye, _RIGHT)):
        cv2.rectangle(
            frame, _fixed_point(box[:2]), _fixed_point(box[2:]), colour, 1, cv2.LINE_AA, 4
        )
    high, wide = frame.shape[:2]
    # The dot as a way from the frame's middle, 5 px a centimetre: what is right of the person is
    # left in the picture.
    place = np.array([wide / 2 - 5 * shot.target_cm[0], high / 2 - 5 * shot.target_cm[1]])
    cv2.circle(frame, _fixed_point(place), 56, _DOT, -1, cv2.LINE_AA, 4)
    return _fit_cell(frame, cell, cell)


def patch_cell(patch: multi_camera.Patch, high: int = _CELL_PX, wide: int = _CELL_PX) -> Bytes:
    """Return a patch in a cell with the line of sight as an arrow."""
    shown = _fit_cell(multi_camera.cut_patch(patch, render_picture(patch.scene).pixels), high, wide)
    middle = np.array([wide, high]) / 2
    tip = middle - 0.38 * wide * patch.gaze[:2]
    cv2.arrowedLine(
        shown, _fixed_point(middle), _fixed_point(tip), _VISIBLE_COLOUR, 1, cv2.LINE_AA, 4, 0.2
    )
    return shown


def _stack_rows(cells: Sequence[Any], columns: int) -> list[Any]:
    return [np.hstack(cells[k : k + columns]) for k in range(0, len(cells), columns)]


def landmark_sheet(columns: int = 10) -> Bytes:
    """Return the sheet of mark-ups: WFLW, COFW, AFLW, the challenge and a video."""
    several = (
        (image_sets.WFLW, "test", 2),
        (image_sets.COFW, "test", 1),
        (image_sets.AFLW, "test", 1),
        (image_sets.PRIVATE, "outdoor", 1),
    )
    rows: list[Any] = []
    for gallery, part, lines in several:
        cells = [
            portrait_cell(portraits.draw_portrait(gallery, part, number).scene)
            for number in range(lines * columns)
        ]
        rows += _stack_rows(cells, columns)
    rows += _stack_rows(
        [
            portrait_cell(videos.draw_frame(image_sets.VIDEOS, "c", 3 * number))
            for number in range(columns)
        ],
        columns,
    )
    return np.vstack(rows)


def gaze_sheet(columns: int = 10) -> Bytes:
    """Return the sheet of gaze.

    Phones and tablets, a rig's cameras, persons before notebooks, single eyes.
    """
    study = image_sets.GAZECAPTURE
    dots, frames = study.shown("train")
    numbers = [
        (person * dots + dot) * frames for person in (0, 2, 6, 13) for dot in (0, 3, 6, 9, 11)
    ]
    rows = _stack_rows(
        [device_cell(phone_and_tablet.draw_shot(study, "train", number)) for number in numbers],
        columns,
    )
    seen = [
        k * image_sets.ETH_XGAZE.frames + camera
        for k in (0, 3)
        for camera in (2, 5, 6, 8, 9, 11, 13, 14, 15, 17)
    ]
    rows += _stack_rows(
        [
            patch_cell(multi_camera.draw_patch(image_sets.ETH_XGAZE, "train", number))
            for number in seen
        ],
        columns,
    )
    faces = [k * image_sets.MPIIFACEGAZE.frames + 5 * k for k in range(columns)]
    rows += _stack_rows(
        [
            patch_cell(multi_camera.draw_patch(image_sets.MPIIFACEGAZE, "faces", number))
            for number in faces
        ],
        columns,
    )
    eyes = [k % 15 * image_sets.MPIIGAZE.frames + 7 * k for k in range(2 * columns)]
    rows += _stack_rows(
        [
            patch_cell(
                multi_camera.draw_patch(image_sets.MPIIGAZE, "eyes", number), _CELL_PX * 3 // 5
            )
            for number in eyes
        ],
        columns,
    )
    return np.vstack(rows)


SHEETS: dict[str, Callable[[], Bytes]] = {"marks": landmark_sheet, "gaze": gaze_sheet}


def main(arguments: Sequence[str]) -> int:
    """Write the sheet that is named to the file that is named."""
    if (
        len(arguments) != 2
        or arguments[0] not in SHEETS
        or Path(arguments[1]).suffix.lower() != ".jpg"
    ):
        print(
            "usage: python -m benchbox.face_renderer.twin_contact_sheets "
            f"{'|'.join(SHEETS)} OUT.jpg",
            file=sys.stderr,
        )
        return 2
    packed = cv2.imencode(".jpg", SHEETS[arguments[0]]()[..., ::-1], _QUALITY)[1]
    Path(arguments[1]).write_bytes(packed.tobytes())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
