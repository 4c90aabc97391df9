"""The official `bounding_boxes_*.mat` files of 300-W: the detector's and the ground-truth box.

A cell array holds structs imgName, bb_detector, bb_ground_truth. Rows are found by name, never by
position: the iBUG file carries 202 rows of AFW besides its own 135. SciPy returns whatever type
MATLAB happened to store, uint8 and int16 included, in which differences wrap: cast to float64 at
once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchbox.errors import DataError
from benchbox.file_readers import matlab_files

if TYPE_CHECKING:
    from benchbox.types import Floats

_VARIABLE = "bounding_boxes"
_LARGEST_FILE = 32 * 1024 * 1024  # bytes; the largest official file takes 1 MiB


@dataclass(frozen=True, eq=False)
class FaceBoxes:
    """The two boxes of one face, corners in the frame of the `.pts` files."""

    detector: Floats  # (4,) px
    ground_truth: Floats  # (4,) px


def box_key(name: str) -> str:
    """Return what a picture and its row share: no suffix, no blank.

    Examples
    --------
    >>> box_key("image_092 _01.jpg"), box_key("image_092_01.jpg")  # spelt both ways
    ('image_092_01', 'image_092_01')
    """
    return Path(name).stem.replace(" ", "")


def read_boxes(path: Path) -> Mapping[str, FaceBoxes]:
    """Read one file: key of the picture's name → boxes.

    Raises
    ------
    DataError
        The file is no such MATLAB file or a row is malformed; names file and row.
    """
    boxes_by_key: dict[str, FaceBoxes] = {}
    cells = matlab_files.read_v5(path, [_VARIABLE], _LARGEST_FILE)[_VARIABLE].ravel()
    for number, cell in enumerate(cells, start=1):
        try:
            row = cell[0, 0]
            name = str(row["imgName"].ravel()[0])
            boxes = FaceBoxes(_parse_box(row["bb_detector"]), _parse_box(row["bb_ground_truth"]))
        except (IndexError, KeyError, TypeError, ValueError, AttributeError) as error:
            raise DataError(
                f"{path}: row {number} is not imgName, bb_detector, bb_ground_truth ({error})"
            ) from error
        earlier = boxes_by_key.setdefault(box_key(name), boxes)
        if not np.array_equal(earlier.detector, boxes.detector):
            raise DataError(f"{path}: row {number}: {name!r} is there twice with different boxes")
    return boxes_by_key


def _parse_box(value: Any) -> Floats:
    """Return corners (4,) px as float64.

    >>> _parse_box(np.array([[10, 20, 30, 60]], np.uint8)).tolist()
    [10.0, 20.0, 30.0, 60.0]
    """
    box = np.asarray(value).astype(np.float64).ravel()
    if box.shape != (4,) or not np.isfinite(box).all() or not (box[2:] > box[:2]).all():
        raise ValueError(f"{box} are not corners x0 y0 x1 y1")
    return box
