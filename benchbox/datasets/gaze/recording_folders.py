"""Folders in the shape of GazeCapture: one per recording, json columns beside the frames.

`NNNNN/` holds `frames/00000.jpg …` and, one entry per frame, `frames.json`, `appleFace.json`,
`appleLeftEye.json`, `appleRightEye.json`, `faceGrid.json`, `dotInfo.json`, `screen.json`;
`info.json` names device and split; `motion.json` is a stream of its own and is not read. What the
files mean, and what becomes of it:

* A frame counts when face, both eyes and grid are all valid; what the others hold is meaningless
  and never computed on. `faceGrid.IsValid` alone is not the intersection of the others, whatever
  the README of the set says.
* Eye boxes are relative to the face crop: they are moved into the frame here. "Left" is the
  person's own left.
* Boxes are X, Y, W, H from the picture's edge, so a first pixel's centre lies at 0.5
  (`Index.origin`).
* `faceGrid` X and Y count from 1; `meta["face_grid"]` (x, y, w, h) counts cells from 0. Its 25 x 25
  cells cover the square about the picture, whose shorter side is padded evenly.
* XCam, YCam are cm from the camera, x right, y up: the values. Where the device is known they are
  held against the dot on the screen; a copy in millimetres, with swapped or turned axes is refused.
* A fixation dot is a sequence (`00002/3`): the frames of one `DotNum` in the order of time.

iTracker's preparation reads the same files otherwise (`+box=itracker_face`). Its boxes are further
sources, called `itracker_face`, `itracker_left_eye` and `itracker_right_eye`: everything cut to
whole numbers, the face moved by (-1, -1) and grown by (1, 1), the eyes moved by (0, -1) and then by
the moved face. It also takes the 1-based grid for 0-based, one cell off: add 1 to x and y of
`face_grid` to have that.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchbox.errors import DataError
from benchbox.file_readers.json_files import read_json, read_json_table

from . import apple_devices

if TYPE_CHECKING:
    from benchbox.types import Bools, Floats

SPLITS = ("train", "val", "test")
CLOSE_CM = 0.01  # between XCam, YCam and the dot on the screen, in the official files
_MAX_LABEL_CM = 100.0
_MAX_FILE_BYTES = 64 * 1024 * 1024  # bytes
_RECORDING_NAME = re.compile(r"\d{5}")
_FRAME_NAME = re.compile(r"\d{5}\.jpg")  # also keeps an entry from naming a file elsewhere
_BOX_KEYS = ("X", "Y", "W", "H", "IsValid")
BOXES = (
    "face",
    "left_eye",
    "right_eye",
    "itracker_face",
    "itracker_left_eye",
    "itracker_right_eye",
)
# Other ways to write the labels, each with the map (x, y) → cm, x right, y up.
_CONVENTIONS = {
    "in millimetres": np.array([[0.1, 0], [0, 0.1]]),
    "with x and y swapped": np.array([[0, 1], [1, 0]]),
    "with y counted downwards": np.array([[1, 0], [0, -1]]),
    "with x counted to the left": np.array([[-1, 0], [0, 1]]),
}
_ITRACKER_FACE = np.array([-1, -1, 1, 1])
_ITRACKER_EYE = np.array([0, -1, 0, 0])


@dataclass(frozen=True, eq=False)
class Recording:
    """The valid frames of one recording as columns."""

    name: str
    folder: Path
    split: str
    device: str
    total: int  # frames, valid or not
    frames: tuple[str, ...]  # (n,) names of picture files
    dots: np.ndarray  # (n,) number of the dot
    values: Floats  # (n, 2) cm from the camera
    orientation: np.ndarray  # (n,) 1 … 4
    face_grid: Floats  # (n, 4) x, y, w, h in cells from 0
    boxes: Mapping[str, Floats]  # source → (n, 4) corners
    # largest distance between label and dot on the screen; None: device unknown, or no frame
    gap_cm: float | None

    def only(self, keep: Bools) -> Recording:
        """Return the recording with some of its frames (n,) left out."""
        if keep.all():
            return self
        return replace(
            self,
            frames=tuple(frame for frame, here in zip(self.frames, keep, strict=True) if here),
            dots=self.dots[keep],
            values=self.values[keep],
            orientation=self.orientation[keep],
            face_grid=self.face_grid[keep],
            boxes={source: boxes[keep] for source, boxes in self.boxes.items()},
        )


def list_recordings(folder: Path) -> list[str]:
    """Name the recordings of a folder; raises DataError when they are still packed."""
    if not folder.is_dir():
        return []
    recordings, packed = [], []
    for path in sorted(folder.iterdir()):
        if _RECORDING_NAME.fullmatch(path.name) and path.is_dir():
            recordings.append(path.name)
        elif path.name.endswith(".tar.gz"):
            packed.append(path.name)
    if packed and not recordings:
        raise DataError(
            f"{folder}: {len(packed)} recordings are packed; "
            f"unpack each {packed[0]} into a folder here"
        )
    return recordings


def read_recording(folder: Path) -> Recording:
    """Read one recording.

    Raises DataError naming file and frame of what is malformed or in another convention.
    """
    frames = _read_frames(folder / "frames.json")
    info = _read_table(folder / "info.json")
    face, left, right, grid = (
        _read_columns(folder / f"{name}.json", _BOX_KEYS, frames)
        for name in ("appleFace", "appleLeftEye", "appleRightEye", "faceGrid")
    )
    dot = _read_columns(folder / "dotInfo.json", ("DotNum", "XPts", "YPts", "XCam", "YCam"), frames)
    screen = _read_columns(folder / "screen.json", ("W", "H", "Orientation"), frames)
    valid = np.all([part["IsValid"] == 1 for part in (face, left, right, grid)], axis=0)
    values = np.stack([dot["XCam"], dot["YCam"]], axis=1)[valid]
    kept = tuple(name for name, counts in zip(frames, valid, strict=True) if counts)
    _check_cm(folder / "dotInfo.json", values, kept)
    device = _read_text(info, "DeviceName", folder / "info.json")
    computed = _screen_dots_cm(device, dot, screen, valid)
    return Recording(
        name=folder.name,
        folder=folder,
        split=_read_split(info, folder / "info.json"),
        device=device,
        total=len(frames),
        frames=kept,
        dots=dot["DotNum"][valid].astype(int),
        values=values,
        orientation=_check_orientation(screen["Orientation"][valid], folder / "screen.json", kept),
        face_grid=_box_columns(grid, valid) - np.array([1, 1, 0, 0]),
        boxes=_box_sources(
            _box_columns(face, valid), _box_columns(left, valid), _box_columns(right, valid)
        ),
        gap_cm=_label_gap_cm(folder / "dotInfo.json", values, computed),
    )


# --- boxes ----------------------------------------------------------------------------------------


def _box_columns(part: Mapping[str, Floats], valid: Bools) -> Floats:
    return np.stack([part[key][valid] for key in ("X", "Y", "W", "H")], axis=1)


def _xywh_to_corners(xywh: Floats) -> Floats:
    return np.concatenate([xywh[:, :2], xywh[:, :2] + xywh[:, 2:]], axis=1)


def _box_sources(face: Floats, left: Floats, right: Floats) -> dict[str, Floats]:
    """Return every box source as corners (n, 4) in the frame, from x, y, w, h.

    The eyes' are relative to the face's.
    """
    boxes = {"face": _xywh_to_corners(face)}
    for name, eye in (("left_eye", left), ("right_eye", right)):
        boxes[name] = _xywh_to_corners(
            eye + np.concatenate([face[:, :2], np.zeros_like(face[:, :2])], axis=1)
        )
    itracker_face = np.trunc(face) + _ITRACKER_FACE
    boxes["itracker_face"] = _xywh_to_corners(itracker_face)
    for name, eye in (("itracker_left_eye", left), ("itracker_right_eye", right)):
        moved = np.trunc(eye) + _ITRACKER_EYE
        moved[:, :2] += itracker_face[:, :2]
        boxes[name] = _xywh_to_corners(moved)
    return boxes


# --- labels ---------------------------------------------------------------------------------------


def _screen_dots_cm(
    device: str, dot: Mapping[str, Floats], screen: Mapping[str, Floats], valid: Bools
) -> Floats | None:
    """Compute the valid frames' cm (n, 2) from the dot on the screen.

    None for a device that is not in the table.
    """
    if device not in apple_devices.DEVICES or not valid.any():
        return None
    points = np.stack([dot["XPts"], dot["YPts"]], axis=1)[valid]
    size = np.stack([screen["W"], screen["H"]], axis=1)[valid]
    if not (size > 0).all():
        return None
    return apple_devices.screen_to_camera_cm(
        apple_devices.DEVICES[device], points, size, screen["Orientation"][valid]
    )


def _label_gap_cm(path: Path, values: Floats, computed: Floats | None) -> float | None:
    """Return the largest distance of labels from their dots.

    Raises DataError for a known other convention.
    """
    if computed is None:
        return None
    gap = float(np.linalg.norm(values - computed, axis=1).max())
    if gap > 10 * CLOSE_CM:
        for written, to_cm in _CONVENTIONS.items():
            if np.abs(values @ to_cm - computed).max() <= CLOSE_CM:
                raise DataError(
                    f"{path}: XCam, YCam are written {written}; they must be cm, x right, y up: "
                    "mend the copy"
                )
    return gap


def _check_cm(path: Path, values: Floats, frames: Sequence[str]) -> None:
    wrong = ~(np.abs(values) <= _MAX_LABEL_CM).all(axis=1)  # also NaN
    if wrong.any():
        row = int(np.argmax(wrong))
        x, y = values[row]
        raise DataError(
            f"{path}: frame {frames[row]}: XCam {x:g}, YCam {y:g} are no cm from a hand-held camera"
        )


def _check_orientation(values: Floats, path: Path, frames: Sequence[str]) -> np.ndarray:
    wrong = ~np.isin(values, (1, 2, 3, 4))
    if wrong.any():
        row = int(np.argmax(wrong))
        raise DataError(
            f"{path}: frame {frames[row]}: Orientation {values[row]:g} is none of 1, 2, 3, 4"
        )
    return values.astype(int)


# --- files ----------------------------------------------------------------------------------------


def _read_frames(path: Path) -> list[str]:
    content = read_json(path, largest=_MAX_FILE_BYTES)
    if not isinstance(content, list):
        raise DataError(f"{path}: holds no list of frames")
    for row, name in enumerate(content):
        if not isinstance(name, str) or not _FRAME_NAME.fullmatch(name):
            raise DataError(f"{path}: entry {row}: {str(name)[:40]!r} is no name like 00000.jpg")
    if len(set(content)) < len(content):
        raise DataError(f"{path}: a frame is named twice")
    return content


def _read_columns(path: Path, keys: Sequence[str], frames: Sequence[str]) -> dict[str, Floats]:
    """Return columns (frames,) of numbers.

    Raises DataError for a key that is absent or has another length.
    """
    content = _read_table(path)
    columns = {}
    for key in keys:
        if not isinstance(content.get(key), list):
            raise DataError(f"{path}: has no list {key!r}")
        try:
            column = np.array(content[key])
        except ValueError as error:
            raise DataError(f"{path}: {key}: is no list of numbers") from error
        if column.shape != (len(frames),):
            raise DataError(
                f"{path}: {key}: {len(content[key])} entries, "
                f"frames.json names {len(frames)} frames"
            )
        if len(column) and column.dtype.kind not in "iufb":
            row = _first_text_row(content[key])
            raise DataError(
                f"{path}: {key}: frame {frames[row]}: {str(content[key][row])[:40]!r} is no number"
            )
        columns[key] = column.astype(np.float64)
    return columns


def _first_text_row(values: Sequence[Any]) -> int:
    for row, value in enumerate(values):
        if not isinstance(value, int | float):
            return row
    return 0


def _read_split(info: Mapping[str, Any], path: Path) -> str:
    split = _read_text(info, "Dataset", path)
    if split not in SPLITS:
        raise DataError(f"{path}: Dataset {split[:40]!r} is none of {', '.join(SPLITS)}")
    return split


def _read_text(table: Mapping[str, Any], key: str, path: Path) -> str:
    value = table.get(key)
    if not isinstance(value, str) or not value:
        raise DataError(f"{path}: has no text {key!r}")
    return value


def _read_table(path: Path) -> dict[str, Any]:
    return read_json_table(path, largest=_MAX_FILE_BYTES)
