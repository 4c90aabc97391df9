"""A contact sheet: rows of faces as the world makes them, with or without their landmarks.

`python -m benchbox.face_renderer.contact_sheet OUT.png` writes four rows of common faces above four
of challenging ones.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from benchbox.face_renderer.scenes.scene import PICTURE_PX, draw_scene

from .render import render_picture

if TYPE_CHECKING:
    from benchbox.types import Bytes, Floats

_QUALITY = {".png": [], ".jpg": [cv2.IMWRITE_JPEG_QUALITY, 88]}
_SHOWN, _HIDDEN = (60, 255, 90), (255, 70, 60)


def _draw_landmarks(pixels: Bytes, landmarks: Floats, visible: Sequence[bool]) -> None:
    scale = pixels.shape[0] / PICTURE_PX
    for (x, y), shown in zip((landmarks + 0.5) * scale - 0.5, visible, strict=True):
        place = (round(x * 16), round(y * 16))
        cv2.circle(
            pixels, place, round(1.1 * scale * 16), _SHOWN if shown else _HIDDEN, -1, cv2.LINE_AA, 4
        )


def render_sheet(
    rows: Sequence[str] = ("common",) * 4 + ("challenging",) * 4,
    columns: int = 10,
    size: int = 128,
    *,
    landmarks: bool = False,
    start: int = 0,
) -> Bytes:
    """Render a sheet (len(rows) * size, columns * size, 3) RGB; each row names its part.

    Landmarks that something hides are drawn in another colour than those that are seen.
    """
    done: dict[str, int] = {}
    lines = []
    for part in rows:
        first = done.get(part, start)
        done[part] = first + columns
        line = []
        for number in range(first, first + columns):
            scene = draw_scene(part, number)
            shot = render_picture(scene)
            fit = cv2.INTER_AREA if size < PICTURE_PX else cv2.INTER_CUBIC
            cell = np.asarray(
                cv2.resize(shot.pixels, (size, size), interpolation=fit), dtype=np.uint8
            )
            if landmarks:
                _draw_landmarks(cell, scene.landmarks, shot.visible.tolist())
            line.append(cell)
        lines.append(np.hstack(line))
    return np.vstack(lines)


def main(arguments: Sequence[str]) -> int:
    """Write the sheet to the file named on the command line; `--landmarks` draws the points."""
    names = [a for a in arguments if not a.startswith("-")]
    if len(names) != 1:
        print(
            "usage: python -m benchbox.face_renderer.contact_sheet [--landmarks] OUT.png|OUT.jpg",
            file=sys.stderr,
        )
        return 2
    sheet = render_sheet(landmarks="--landmarks" in arguments)
    path = Path(names[0])
    if path.suffix.lower() not in _QUALITY:
        print(f"{path}: name a .png or a .jpg file", file=sys.stderr)
        return 2
    packed = cv2.imencode(path.suffix, sheet[..., ::-1], _QUALITY[path.suffix.lower()])[1]
    path.write_bytes(packed.tobytes())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
