"""What a card's options disturb on purpose: test boxes, test pictures, training labels.

The same way for everybody.

The sweeps of G&LSR (TPAMI 2021), whose text leaves the details open; what was chosen is said here.

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
    """Disturb what a protocol's options say; without any, return the index as it is.

    Raises DataError without a box.
    """
    if not (protocol.scale or protocol.translation or protocol.rotation or protocol.noise):
        return index
    if protocol.box not in index.boxes:
        raise DataError(f"{protocol.name}: {index.dataset} has no {protocol.box!r} boxes to go by")
    boxes = np.array(index.boxes[protocol.box])
    test = np.flatnonzero(select.select_rows(index, protocol.groups[protocol.overall]))
    train = np.flatnonzero(select.select_rows(index, protocol.train_parts))
    for rows in ([test] if protocol.rotation else []) + ([train] if protocol.noise else []):
        lacking = rows[~np.isfinite(boxes[rows]).all(axis=1)]
        if len(lacking):
            raise DataError(
                f"{protocol.name}: {str(index.ids[lacking[0]])!r} has no {protocol.box} box to go by"
            )
    if protocol.noise:
        values = index.values.copy()
        values[train] = add_label_noise(
            index.values[train], boxes[train], index.ids[train], protocol.noise
        )
        index = replace(index, values=values)
    if protocol.rotation:
        index = rotate_pictures(index, test, boxes, protocol.rotation)
    boxes[test] = translate_boxes(
        extend_boxes(boxes[test], protocol.scale), index.ids[test], protocol.translation
    )
    return replace(index, boxes={**index.boxes, protocol.box: boxes})


def _generator(name: str, purpose: str) -> np.random.Generator:
    digest = hashlib.sha256(f"{purpose}:{name.replace(' ', '')}".encode()).digest()
    return np.random.default_rng(np.frombuffer(digest, "<u4").tolist())


def extend_boxes(boxes: Floats, ratio: float) -> Floats:
    """Scale boxes (N, 4) about their centres by 1 + ratio."""
    return geometry.expand_boxes(boxes, 1 + ratio)


def translate_boxes(boxes: Floats, ids: np.ndarray, ratio: float) -> Floats:
    """Move boxes (N, 4) by a share of their own width and height, each in its own direction."""
    angles = np.array(
        [_generator(str(name), "translation").uniform(0, 2 * math.pi) for name in ids]
    )
    shift = (
        ratio * (boxes[:, 2:] - boxes[:, :2]) * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    )
    return np.asarray(boxes + np.concatenate([shift, shift], axis=1), np.float64)


def add_label_noise(values: Floats, boxes: Floats, ids: np.ndarray, radius_px: float) -> Floats:
    """Move points (N, K, 2) uniformly within a disc, in a frame in which their boxes (N, 4) are 256 x 256 px."""
    unit = (boxes[:, 2:] - boxes[:, :2]) / FACE_PX
    result = np.array(values, np.float64)
    for row, name in enumerate(ids):
        draws = _generator(str(name), "noise")
        angles = draws.uniform(0, 2 * math.pi, values.shape[1])
        distances = radius_px * np.sqrt(draws.uniform(0, 1, values.shape[1]))
        result[row] += (
            np.stack([distances * np.cos(angles), distances * np.sin(angles)], axis=1) * unit[row]
        )
    return result


def rotate_pictures(index: Index, rows: np.ndarray, boxes: Floats, degrees: float) -> Index:
    """Turn pictures and points of some rows about the centres of `boxes` (N, 4, of every row, in the index's frame).

    Boxes of the index are left alone; positive angles turn the picture's content clockwise, as y
    points down.
    """
    signs = [
        1 if _generator(str(index.ids[row]), "rotation").uniform() < 0.5 else -1 for row in rows
    ]
    centres = (boxes[rows, :2] + boxes[rows, 2:]) / 2
    maps = np.stack(
        [_rotation_about(c, math.radians(s * degrees)) for c, s in zip(centres, signs, strict=True)]
    )
    values = index.values.copy()
    values[rows] = geometry.transform_points(maps, index.values[rows])
    # No stamp: crops that were kept of the upright pictures must not be taken for those of the
    # turned ones.
    return replace(
        index,
        values=values,
        read=_rotating_reader(index, dict(zip(rows.tolist(), maps, strict=True))),
        stamp=None,
    )


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
        offset = np.full(2, index.origin)
        own = np.concatenate([linear, (linear @ offset + shift - offset)[:, None]], axis=1)
        size = (pixels.shape[1], pixels.shape[0])
        turned_pixels: Bytes = cv2.warpAffine(pixels, own, size, flags=cv2.INTER_LINEAR)
        return turned_pixels

    return read
