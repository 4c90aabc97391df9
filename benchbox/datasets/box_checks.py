"""Whether boxes lie about their faces: other conventions, other pictures, other sizes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from benchbox import geometry
from benchbox.types import Index

from .label_fault import LabelFault, name_items

if TYPE_CHECKING:
    from benchbox.types import Bools, Floats

LEAST_BOX_IOU = 0.1  # below it a box is beside its face
LEAST_MEDIAN_IOU = 0.2  # of a set's boxes
MOST_BESIDE = 0.01  # share of the boxes that may be, as released sets have them
BETTER_IOU = 0.15  # by which another reading of the boxes must fit better
LEAST_SIDE_SHARE = 0.4  # of the usual share of a box's side that a face takes
MOST_SIDE_SHARE = 2.5
FEWEST_BOXES = 8  # of which a usual share is known


def find_box_faults(index: Index, sources: Sequence[str]) -> list[LabelFault]:
    """Compare the boxes of some sources with the points of their items; gaze has no points."""
    faults: list[LabelFault] = []
    if index.values.ndim != 3 or not len(index.ids):
        return faults
    tight = geometry.tight_box(index.values)
    for source in sources:
        if source in index.boxes and source != "ground_truth":
            faults += _source_faults(index, source, tight)
    return faults


def _source_faults(index: Index, source: str, tight: Floats) -> Iterator[LabelFault]:
    boxes = index.boxes[source]
    known = np.isfinite(boxes).all(axis=1)
    rows = np.flatnonzero(known & np.isfinite(tight).all(axis=1))
    if not len(rows):
        return
    iou = box_iou(boxes[rows], tight[rows])
    median = float(np.median(iou))
    for words, reading in _BOX_READINGS.items():
        read_so = float(np.median(box_iou(reading(boxes[rows]), tight[rows])))
        if read_so > median + BETTER_IOU:
            what = (
                f"{source} boxes are {words}: read so they share {read_so:.2f} of their area with "
                f"that of the points, as they are read {median:.2f} (median of {len(rows)}); "
                f"first {name_items(index, rows[:1])}"
            )
            yield LabelFault("boxes read otherwise", what)
            return
    flat = np.flatnonzero(known & ~(boxes[:, 2:] > boxes[:, :2]).all(axis=1))
    if len(flat):
        what = f"{source}: {len(flat)} boxes have no area: {name_items(index, flat)}"
        yield LabelFault("boxes beside the face", what)
        return
    beside = rows[(iou < LEAST_BOX_IOU) | _has_other_size(boxes[rows], tight[rows])]
    if len(beside) > MOST_BESIDE * len(rows) or median < LEAST_MEDIAN_IOU:
        if not len(beside):
            beside = rows[np.argsort(iou)]
        what = (
            f"{source}: {len(beside)} of {len(rows)} boxes lie beside their face (they share "
            f"{median:.2f} of their area with that of the points, the median) or are of another "
            f"size: {name_items(index, beside)}; other order, unit or picture?"
        )
        yield LabelFault("boxes beside the face", what)


def note_single_boxes(index: Index, source: str) -> str:
    """Name the few boxes beside their face that a released set may have; "" for none."""
    if source not in index.boxes or source == "ground_truth" or index.values.ndim != 3:
        return ""
    boxes, tight = index.boxes[source], geometry.tight_box(index.values)
    rows = np.flatnonzero(np.isfinite(boxes).all(axis=1) & np.isfinite(tight).all(axis=1))
    iou = box_iou(boxes[rows], tight[rows])
    beside = rows[(iou < LEAST_BOX_IOU) | _has_other_size(boxes[rows], tight[rows])]
    if not 0 < len(beside) <= MOST_BESIDE * len(rows):
        return ""
    return (
        f"{source}: {len(beside)} of {len(rows)} boxes lie beside their face or are of another "
        f"size, as a few do in released sets: {name_items(index, beside)}"
    )


def _has_other_size(boxes: Floats, tight: Floats) -> Bools:
    """Tell which faces (N,) take far more or less of their box than the set's usually do."""
    if len(boxes) < FEWEST_BOXES:
        return np.zeros(len(boxes), bool)
    share = np.sqrt(_areas(tight) / np.maximum(_areas(boxes), 1e-9))
    share = share / max(float(np.median(share)), 1e-9)
    return np.asarray((share < LEAST_SIDE_SHARE) | (share > MOST_SIDE_SHARE))


def _corners_taken_for_sizes(boxes: Floats) -> Floats:
    return np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1)


def _sizes_taken_for_corners(boxes: Floats) -> Floats:
    return np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1)


def _centres_taken_for_edges(boxes: Floats) -> Floats:
    half = (boxes[:, 2:] - boxes[:, :2]) / 2
    return np.concatenate([boxes[:, :2] - half, boxes[:, :2] + half], axis=1)


def _rows_before_columns(boxes: Floats) -> Floats:
    return boxes[:, [1, 0, 3, 2]]


def _sides_taken_for_corners(boxes: Floats) -> Floats:
    return boxes[:, [0, 2, 1, 3]]


def _sides_taken_for_sizes(boxes: Floats) -> Floats:
    return _sides_taken_for_corners(_corners_taken_for_sizes(boxes))


def _centres_and_sizes(boxes: Floats) -> Floats:
    half = boxes[:, 2:] / 2
    return np.concatenate([boxes[:, :2] - half, boxes[:, :2] + half], axis=1)


# what the numbers in the file are → boxes (N, 4) as read → corners under that reading
_BOX_READINGS: dict[str, Callable[[Floats], Floats]] = {
    "corners x0 y0 x1 y1 where x y width height were read": _corners_taken_for_sizes,
    "x y width height where corners were read": _sizes_taken_for_corners,
    "centres where the upper left corner was read": _centres_taken_for_edges,
    "y before x": _rows_before_columns,
    "left, right, top, bottom where corners were read": _sides_taken_for_corners,
    "left, right, top, bottom where x y width height were read": _sides_taken_for_sizes,
    "centre, width and height where corners were read": _centres_and_sizes,
}


def box_iou(a: Floats, b: Floats) -> Floats:
    """Return the intersection over union (N,) of boxes (N, 4); 0 for one without area.

    Examples
    --------
    >>> a = np.array([[0.0, 0.0, 2.0, 2.0]])
    >>> box_iou(a, np.array([[1.0, 0.0, 3.0, 2.0]])).round(3).tolist()
    [0.333]
    """
    low = np.maximum(a[:, :2], b[:, :2])
    high = np.minimum(a[:, 2:], b[:, 2:])
    common = np.prod(np.clip(high - low, 0, None), axis=1)
    areas = _areas(a) + _areas(b)
    return np.asarray(common / np.maximum(areas - common, 1e-9))


def _areas(boxes: Floats) -> Floats:
    return np.asarray(np.prod(np.clip(boxes[:, 2:] - boxes[:, :2], 0, None), axis=1))
