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


def face_views(shapes: Floats, mean: Floats) -> Floats:
    """Return the maps (N, 2, 3) from views in which each shape lies on the mean one.

    `shapes` (N, K, 2) are points of the stored crop, `mean` (K, 2) those of an average view; the
    fit is a least-squares similarity, so that a second look sees the face upright and as large as
    training did on average.
    """
    return geometry.invert_maps(geometry.fit_similarity(shapes, mean))
