"""Perturbations that a card's options ask for: test boxes, test pictures, training labels.

They are the same for every method. The sweeps are those of G&LSR (TPAMI 2021), whose text leaves
the details open; what was chosen is said here.

* `scale=r` (Table 4a, 0.1 … 0.5): "extend the face bounding boxes by a set of ratios": the box of
  every test face is scaled about its centre by 1 + r.
* `translation=r` (Table 4b, 0.05 … 0.25): "random ratios of face box size": every test box moves by
  r of its width and height in a direction drawn per face, uniformly on the circle: (r·w·cos a,
  r·h·sin a).
* `rotation=d` (Table 4c, 5 … 25 degrees): every test picture turns about the centre of its box by d
  degrees, to the left or to the right as drawn per face. Box and picture size stay; what leaves the
  picture is lost, what comes in is black. The true points turn along, so predictions are in the
  frame of the turned picture.
* `noise=d` (Table 1, 3, 5, 10 px): "within a radius range δ", faces resized to 256 x 256: every
  training point moves by a vector drawn uniformly from the disc of radius d, in a frame in which
  the face's box is 256 x 256. Test labels stay.

Draws depend on nothing but the face's id (blanks left out) and the option, so they are equal on
every machine.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from benchbox import geometry
from benchbox.errors import DataError
from benchbox.types import Index, Protocol

from . import select

if TYPE_CHECKING:
    from benchbox.types import Bytes, Floats

FACE_PX = 256  # side of the resized face that noise is measured on


def perturb_index(protocol: Protocol, index: Index) -> Index:
    """Apply the perturbations of a protocol's options; without any, return the index as it is.

    Raises
    ------
    DataError
        A face that is to be perturbed has no box.
    """
    if not (protocol.scale or protocol.translation or protocol.rotation or protocol.noise):
        return index
    if protocol.box not in index.boxes:
        raise DataError(f"{protocol.name}: {index.dataset} has no {protocol.box!r} boxes to go by")
    boxes = np.array(index.boxes[protocol.box])
    test = np.flatnonzero(select.select_rows(index, protocol.groups[protocol.overall]))
    train = np.flatnonzero(select.select_rows(index, protocol.train_parts))
    if protocol.rotation:
        _require_boxes(protocol, index, boxes, test)
    if protocol.noise:
        _require_boxes(protocol, index, boxes, train)
        values = index.values.copy()
        values[train] = add_label_noise(
            index.values[train], boxes[train], index.ids[train], protocol.noise
        )
        index = replace(index, values=values)
    if protocol.rotation:
        index = rotate_pictures(index, test, boxes, protocol.rotation)
    extended = extend_boxes(boxes[test], protocol.scale)
    boxes[test] = translate_boxes(extended, index.ids[test], protocol.translation)
    return replace(index, boxes={**index.boxes, protocol.box: boxes})


def _require_boxes(protocol: Protocol, index: Index, boxes: Floats, rows: np.ndarray) -> None:
    lacking = rows[~np.isfinite(boxes[rows]).all(axis=1)]
    if len(lacking):
        first = str(index.ids[lacking[0]])
        raise DataError(f"{protocol.name}: {first!r} has no {protocol.box} box to go by")


def _generator(name: str, purpose: str) -> np.random.Generator:
    """Return the random generator of one face and one purpose."""
    digest = hashlib.sha256(f"{purpose}:{name.replace(' ', '')}".encode()).digest()
    return np.random.default_rng(np.frombuffer(digest, "<u4").tolist())


# --- boxes and labels -----------------------------------------------------------------------------


def extend_boxes(boxes: Floats, ratio: float) -> Floats:
    """Scale boxes (N, 4) about their centres by 1 + ratio.

    Examples
    --------
    >>> extend_boxes(np.array([[10.0, 10.0, 30.0, 50.0]]), 0.5).tolist()
    [[5.0, 0.0, 35.0, 60.0]]
    """
    return geometry.expand_boxes(boxes, 1 + ratio)


def translate_boxes(boxes: Floats, ids: np.ndarray, ratio: float) -> Floats:
    """Move boxes (N, 4) by a share of their own width and height, each in its own direction.

    `ids` (N,) decide the directions.

    Examples
    --------
    >>> box = np.array([[10.0, 10.0, 30.0, 30.0]])
    >>> shift = translate_boxes(box, np.array(["afw/1"]), 0.1) - box
    >>> round(float(np.hypot(shift[0, 0], shift[0, 1])), 9)  # a tenth of 20 px
    2.0
    """
    angles = np.array(
        [_generator(str(name), "translation").uniform(0, 2 * math.pi) for name in ids]
    )
    directions = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    shift = ratio * (boxes[:, 2:] - boxes[:, :2]) * directions
    return np.asarray(boxes + np.concatenate([shift, shift], axis=1), np.float64)


def add_label_noise(values: Floats, boxes: Floats, ids: np.ndarray, radius_px: float) -> Floats:
    """Move points (N, K, 2) uniformly within a disc, each by its own vector.

    `radius_px` holds in a frame in which the boxes (N, 4) are 256 x 256 px; `ids` (N,) decide the
    draws.
    """
    unit = (boxes[:, 2:] - boxes[:, :2]) / FACE_PX
    result = np.array(values, np.float64)
    for row, name in enumerate(ids):
        generator = _generator(str(name), "noise")
        angles = generator.uniform(0, 2 * math.pi, values.shape[1])
        distances = radius_px * np.sqrt(generator.uniform(0, 1, values.shape[1]))
        offsets = np.stack([distances * np.cos(angles), distances * np.sin(angles)], axis=1)
        result[row] += offsets * unit[row]
    return result


# --- pictures -------------------------------------------------------------------------------------


def rotate_pictures(index: Index, rows: np.ndarray, boxes: Floats, degrees: float) -> Index:
    """Turn pictures and points of some rows about the centres of their boxes.

    Parameters
    ----------
    index
        The boxes of the index are left alone.
    rows
        (M,) row numbers.
    boxes
        (N, 4) px, of every row, in the index's frame.
    degrees
        Positive angles turn the picture's content clockwise, as y points down; each face turns to
        the left or to the right as drawn for its id.
    """
    maps = []
    for row in rows:
        centre = (boxes[row, :2] + boxes[row, 2:]) / 2
        turned = rotation_of_item(str(index.ids[row]), degrees)
        maps.append(_rotation_about(centre, math.radians(turned)))
    stacked = np.array(maps, np.float64).reshape(-1, 2, 3)
    values = index.values.copy()
    values[rows] = geometry.transform_points(stacked, index.values[rows])
    # No cache key: crops that were kept of the upright pictures must not be taken for those of the
    # turned ones.
    return replace(
        index,
        values=values,
        read=_rotating_reader(index, dict(zip(rows.tolist(), stacked, strict=True))),
        cache_key=None,
    )


def rotation_of_item(name: str, degrees: float) -> float:
    """Return by how many degrees an item's picture is turned, clockwise if positive.

    >>> sorted({rotation_of_item(f"helen/testset/{number}", 15.0) for number in range(20)})
    [-15.0, 15.0]
    """
    if _generator(name, "rotation").uniform() >= 0.5:
        return -degrees
    return degrees


def _rotation_about(centre: Floats, radians: float) -> Floats:
    """Return the map (2, 3) that turns the plane about a point."""
    cos, sin = math.cos(radians), math.sin(radians)
    linear = np.array([[cos, -sin], [sin, cos]])
    return np.concatenate([linear, (centre - linear @ centre)[:, None]], axis=1)


def _rotating_reader(index: Index, maps: dict[int, Floats]) -> Callable[[int], Bytes]:
    def read(row: int) -> Bytes:
        pixels = index.read(row)
        if row not in maps:
            return pixels
        import cv2

        # The map is of the dataset's frame; arrays count from 0.
        linear, shift = maps[row][:, :2], maps[row][:, 2]
        origin = np.full(2, index.origin)
        pixel_shift = linear @ origin + shift - origin
        pixel_map = np.concatenate([linear, pixel_shift[:, None]], axis=1)
        size = (pixels.shape[1], pixels.shape[0])
        rotated: Bytes = cv2.warpAffine(pixels, pixel_map, size, flags=cv2.INTER_LINEAR)
        return rotated

    return read
