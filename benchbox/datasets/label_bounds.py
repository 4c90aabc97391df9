"""Numbers that no label and no box can be, refused as soon as a dataset has been read.

A file may hold what its format allows and no picture has: infinities, 1e30 px, a box without an
area. Each would pass a reader and end in a score. Labels that a person may have got wrong are
looked at in `label_checks`, and named there.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchbox.errors import DataError
from benchbox.file_readers.bounds import LARGEST_CM, LARGEST_PX

if TYPE_CHECKING:
    from benchbox.types import Bools, Dataset, Floats, Index

_UNIT_TOLERANCE = 0.1  # of the length of a direction


def read_index(dataset: Dataset, root: Path, *, pixels: bool = True) -> Index:
    """Read a dataset under a root, and refuse numbers that are none.

    Raises
    ------
    DataError
        As the dataset's reader, or a label or box is infinite, beyond all pictures and screens, or
        without an area; names file and item.
    """
    index = dataset.index(root, pixels=pixels)
    check_numbers(index)
    return index


def check_numbers(index: Index) -> None:
    """Raise DataError for a label or box (px, cm or unit vectors) that is no measure of anything.

    NaN throughout is an item without a label, or without a box.
    """
    if not len(index.ids):
        return  # files that are not there: who counts the items says so
    values = index.values.reshape(len(index.ids), -1)
    if index.values.ndim == 3:
        _refuse(index, _beyond(values, LARGEST_PX), f"a point beyond {LARGEST_PX:g} px")
    elif values.shape[1] == 2:
        _refuse(index, _beyond(values, LARGEST_CM), f"a gaze beyond {LARGEST_CM:g} cm")
    else:
        with np.errstate(over="ignore", invalid="ignore"):
            lengths = np.linalg.norm(values, axis=1)
        off = np.abs(lengths - 1.0) > _UNIT_TOLERANCE
        _refuse(index, off, "a direction that is no vector of length 1")
    boxes = dict(index.boxes)
    if index.scale_boxes is not None:
        boxes["face size"] = index.scale_boxes
    for source, corners in boxes.items():
        if source == "ground_truth":
            continue  # made of the points: where those are in one place, the label checks say so
        _refuse(index, _unusable_boxes(corners), f"a {source} box that is none (corners in px)")


def _beyond(values: Floats, largest: float) -> Bools:
    """Tell which rows (N,) hold a number beyond a bound; NaN is not."""
    return np.asarray((np.abs(values) > largest).any(axis=1))


def _unusable_boxes(corners: Floats) -> Bools:
    """Tell which boxes (N, 4) are neither NaN throughout nor corners of an area.

    >>> boxes = np.array([[0.0, 0, 9, 9], [3.0, 3, 3, 9], [np.nan] * 4, [0.0, 0, np.nan, 9]])
    >>> _unusable_boxes(boxes).tolist()
    [False, True, False, True]
    """
    absent = np.isnan(corners).all(axis=1)
    has_area = (corners[:, 2:] > corners[:, :2]).all(axis=1)
    within = (np.abs(corners) <= LARGEST_PX).all(axis=1)
    return np.asarray(~absent & ~(has_area & within))


def _refuse(index: Index, wrong: Bools, what: str) -> None:
    if not wrong.any():
        return
    row = int(np.argmax(wrong))
    place = ""
    if index.label_place is not None:
        place = index.label_place(row)
    begin = f"{place}: " if place else f"{index.dataset}: "
    raise DataError(
        f"{begin}{index.ids[row]}: {what}, {int(wrong.sum())} such items; mend or remove them"
    )
