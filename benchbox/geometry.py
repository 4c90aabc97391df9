"""Boxes, affine maps of the plane and directions of gaze, as arrays.

A map is a 2x3 matrix `M`: a point p goes to `M[:, :2] @ p + M[:, 2]`. Batches carry leading axes.
Boxes are corners `x0 y0 x1 y1`; width is `x1 - x0`. Pixel coordinates name pixel centres, so a
picture of width W spans -0.5 … W-0.5.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from .types import Floats


def transform_points(maps: Floats, points: Floats) -> Floats:
    """Apply affine maps (…, 2, 3) to points (…, K, 2).

    >>> doubled_and_shifted = np.array([[2.0, 0.0, 10.0], [0.0, 2.0, 20.0]])
    >>> transform_points(doubled_and_shifted, np.array([[1.0, 3.0]]))
    array([[12., 26.]])
    """
    return points @ np.swapaxes(maps[..., :2], -1, -2) + maps[..., None, :, 2]


def compose_maps(outer: Floats, inner: Floats) -> Floats:
    """Return the map that applies `inner` first, then `outer`; (…, 2, 3) each.

    >>> double = np.array([[2.0, 0.0, 0.0], [0.0, 2.0, 0.0]])
    >>> shift = np.array([[1.0, 0.0, 5.0], [0.0, 1.0, 0.0]])
    >>> compose_maps(double, shift)
    array([[ 2.,  0., 10.],
           [ 0.,  2.,  0.]])
    """
    linear = outer[..., :2] @ inner[..., :2]
    shift = (outer[..., :2] @ inner[..., 2:]) + outer[..., 2:]
    return np.concatenate([linear, shift], axis=-1)


def invert_maps(maps: Floats) -> Floats:
    """Invert affine maps (…, 2, 3); raises `numpy.linalg.LinAlgError` for a singular one."""
    linear = np.linalg.inv(maps[..., :2])
    return np.concatenate([linear, -linear @ maps[..., 2:]], axis=-1)


def fit_affine(source: Floats, target: Floats) -> Floats:
    """Fit the least-squares affine maps (…, 2, 3) from source to target points (…, K, 2)."""
    source, target = np.broadcast_arrays(source, target)
    design = np.concatenate([source, np.ones_like(source[..., :1])], axis=-1)
    gram = np.swapaxes(design, -1, -2) @ design
    return np.swapaxes(np.linalg.solve(gram, np.swapaxes(design, -1, -2) @ target), -1, -2)


def fit_similarity(source: Floats, target: Floats) -> Floats:
    """Fit least-squares similarities (…, 2, 3) from source to target points (…, K, 2).

    Rotation, scale and shift.
    """
    source_mean = source.mean(axis=-2, keepdims=True)
    target_mean = target.mean(axis=-2, keepdims=True)
    a, b = source - source_mean, target - target_mean
    power = (a**2).sum(axis=(-1, -2))
    cos = (a * b).sum(axis=(-1, -2)) / power
    sin = (a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]).sum(axis=-1) / power
    linear = np.stack([np.stack([cos, -sin], axis=-1), np.stack([sin, cos], axis=-1)], axis=-2)
    shift = target_mean - source_mean @ np.swapaxes(linear, -1, -2)
    return np.concatenate([linear, np.swapaxes(shift, -1, -2)], axis=-1)


def longer_sides(points: Floats) -> Floats:
    """Return the longer sides (N,) of the tight boxes around points (N, K, 2).

    NaN points are left out; a face without a point is NaN. One axis at a time: 20 times as fast as
    both in one reduction.

    >>> longer_sides(np.array([[[0.0, 0.0], [3.0, 4.0], [np.nan, np.nan]]]))
    array([4.])
    """
    across, down = points[..., 0], points[..., 1]
    width = across.max(axis=1) - across.min(axis=1)
    height = down.max(axis=1) - down.min(axis=1)
    sides: Floats = np.maximum(width, height)
    rows = np.flatnonzero(np.isnan(sides))
    if len(rows):
        boxes = tight_box(points[rows])
        sides[rows] = (boxes[:, 2:] - boxes[:, :2]).max(axis=1)
    return sides


def tight_box(points: Floats) -> Floats:
    """Return the smallest boxes (…, 4) around points (…, K, 2).

    Absent points (NaN) are left out; where none is there, the box is NaN.

    >>> tight_box(np.array([[3.0, 8.0], [1.0, 9.0], [2.0, 4.0]]))
    array([1., 4., 3., 9.])
    >>> tight_box(np.array([[3.0, 8.0], [np.nan, np.nan], [2.0, 4.0]]))
    array([2., 4., 3., 8.])
    """
    lowest, highest = np.fmin.reduce(points, axis=-2), np.fmax.reduce(points, axis=-2)
    return np.concatenate([lowest, highest], axis=-1)


def square_boxes(boxes: Floats, expansion: float = 1.0) -> Floats:
    """Return squares (…, 4) about the boxes' centres, side = longer side x expansion.

    >>> square_boxes(np.array([0.0, 0.0, 4.0, 2.0]))
    array([ 0., -1.,  4.,  3.])
    """
    centre = (boxes[..., :2] + boxes[..., 2:]) / 2
    half = np.max(boxes[..., 2:] - boxes[..., :2], axis=-1, keepdims=True) * expansion / 2
    return np.concatenate([centre - half, centre + half], axis=-1)


def expand_boxes(boxes: Floats, expansion: float) -> Floats:
    """Scale boxes (…, 4) about their centres.

    >>> expand_boxes(np.array([0.0, 0.0, 4.0, 2.0]), 2.0)
    array([-2., -1.,  6.,  3.])
    """
    centre = (boxes[..., :2] + boxes[..., 2:]) / 2
    half = (boxes[..., 2:] - boxes[..., :2]) * expansion / 2
    return np.concatenate([centre - half, centre + half], axis=-1)


def box_to_unit(boxes: Floats) -> Floats:
    """Return the maps (…, 2, 3) that take each box (…, 4) to [-1, 1]²."""
    size = boxes[..., 2:] - boxes[..., :2]
    scale = 2 / size
    shift = -(boxes[..., :2] + boxes[..., 2:]) / size
    zero = np.zeros_like(scale[..., 0])
    return np.stack(
        [
            np.stack([scale[..., 0], zero, shift[..., 0]], axis=-1),
            np.stack([zero, scale[..., 1], shift[..., 1]], axis=-1),
        ],
        axis=-2,
    )


def unit_to_crop(size: int) -> Floats:
    """Return the map (2, 3) from [-1, 1]² to the pixels of a size x size crop, edge to edge."""
    return np.array([[size / 2, 0, size / 2 - 0.5], [0, size / 2, size / 2 - 0.5]])


def box_to_crop(boxes: Floats, size: int) -> Floats:
    """Return the maps (…, 2, 3) from picture pixels to a size x size crop of each box (…, 4)."""
    return compose_maps(unit_to_crop(size), box_to_unit(boxes))


def angles_to_vectors(angles_rad: Floats) -> Floats:
    """Turn (pitch, yaw) in radians (…, 2) into unit vectors (…, 3).

    The vector is (cos p sin y, sin p, cos p cos y).

    >>> angles_to_vectors(np.array([0.0, np.pi / 2])).round(12)
    array([1., 0., 0.])
    """
    pitch, yaw = angles_rad[..., 0], angles_rad[..., 1]
    return np.stack(
        [np.cos(pitch) * np.sin(yaw), np.sin(pitch), np.cos(pitch) * np.cos(yaw)], axis=-1
    )


def vectors_to_angles(vectors: Floats) -> Floats:
    """Turn vectors (…, 3) of any length into (pitch, yaw) in radians (…, 2).

    The inverse of `angles_to_vectors`.

    >>> np.degrees(vectors_to_angles(np.array([0.0, 2.0, 2.0])))
    array([45.,  0.])
    """
    x, y, z = vectors[..., 0], vectors[..., 1], vectors[..., 2]
    return np.stack([np.arctan2(y, np.hypot(x, z)), np.arctan2(x, z)], axis=-1)


# The names of earlier versions: the methods of others call them.
transform, compose, invert = transform_points, compose_maps, invert_maps
square, expand = square_boxes, expand_boxes
