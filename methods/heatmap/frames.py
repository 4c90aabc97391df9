"""Frames of views: [-1, 1]² squares about a box or a shape, named by maps to the stored crop."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from benchbox import geometry
from benchbox.types import Sample

Floats = npt.NDArray[np.float64]

# The stored square over the protocol's box: room for the drawn views and for a second look.
STORED_EXPANSION = 2.0


def crop_frames(samples: Sequence[Sample]) -> Floats:
    """Return the maps (N, 2, 3) from picture px to the stored crops' frame [-1, 1]²."""
    boxes = np.stack([sample.box for sample in samples])
    return geometry.box_to_unit(geometry.square_boxes(boxes, STORED_EXPANSION))


def box_views(samples: Sequence[Sample], expansion: float) -> Floats:
    """Return the maps (N, 2, 3) from the view of each protocol's box to its stored crop."""
    boxes = np.stack([sample.box for sample in samples])
    view = geometry.invert_maps(geometry.box_to_unit(geometry.square_boxes(boxes, expansion)))
    return geometry.compose_maps(crop_frames(samples), view)


def typical_box(shapes: Floats) -> Floats:
    """Return how views lie about their shapes (N, K, 2) on average: (dx, dy, log ratio).

    From the centre of the tight square to that of the view, in sides of the square, and the ratio
    of their sides; the views are [-1, 1]².
    """
    tight = geometry.square_boxes(geometry.tight_box(shapes))
    side = tight[:, 2] - tight[:, 0]
    centre = (tight[:, :2] + tight[:, 2:]) / 2
    shift = np.mean(-centre / side[:, None], axis=0)
    return np.append(shift, np.mean(np.log(2 / side)))


def face_views(shapes: Floats, mean: Floats, box: Floats) -> Floats:
    """Return the maps (N, 2, 3) from a level view of each shape to the shape's frame.

    `shapes` (N, K, 2) are points of the stored crop. A view is turned as the least-squares
    similarity to the mean shape (K, 2) says, and lies about the turned shape's tight square as the
    typical box (3,) does.
    """
    fit = geometry.fit_similarity(shapes, np.broadcast_to(mean, shapes.shape))
    roll = np.arctan2(fit[:, 1, 0], fit[:, 0, 0])
    cos, sin, zero = np.cos(roll), np.sin(roll), np.zeros_like(roll)
    level = np.stack([np.stack([cos, -sin, zero], -1), np.stack([sin, cos, zero], -1)], axis=1)
    tight = geometry.square_boxes(geometry.tight_box(geometry.transform_points(level, shapes)))
    side = (tight[:, 2] - tight[:, 0])[:, None]
    centre = (tight[:, :2] + tight[:, 2:]) / 2 + box[:2] * side
    half = side / 2 * np.exp(box[2])
    view = geometry.box_to_unit(np.concatenate([centre - half, centre + half], axis=1))
    return geometry.invert_maps(geometry.compose_maps(view, level))
