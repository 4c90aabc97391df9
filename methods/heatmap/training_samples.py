"""Views of the training faces, drawn so that any step can be drawn again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from benchbox import geometry
from benchbox.training.augment import Augmentation, sample_seeds
from benchbox.training.crop_cache import cached_crops
from benchbox.training.crops import CropViews
from benchbox.training.host_to_device import upload_array
from benchbox.training.sampler import epoch_rows
from benchbox.types import Examples, Layout

from .frames import STORED_EXPANSION, box_views, crop_frames, typical_box


@dataclass(frozen=True, eq=False)
class Batch:
    """A batch of n faces: how to sample their views, and what they show.

    `maps` (n, 2, 3) view → stored crop, `points` (n, K, 2) in the view's frame, 0 where absent,
    `weight` (n, K) one over the face's size, 0 where a point is absent.
    """

    sampler: Callable[[Tensor, int], Tensor]
    maps: Tensor
    points: Tensor
    weight: Tensor


class DrawnViews:
    """Turned, moved, scaled and mirrored views about the boxes of the labelled faces."""

    def __init__(
        self, examples: Examples, layout: Layout, params: Mapping[str, Any], seed: int, device: str
    ) -> None:
        self.params, self.layout, self.seed, self.device = params, layout, seed, device
        samples = examples.samples
        self.crops = CropViews(cached_crops(samples, params["crop_side"], STORED_EXPANSION), device)
        self.views = box_views(samples, params["expansion"])
        self.points = geometry.transform_points(crop_frames(samples), examples.values)
        self.changes = Augmentation(
            rotation_deg=params["rotation_deg"],
            scale=params["zoom"],
            shift=params["shift"] / 2,
            flip=0.5 if params["flip"] else 0.0,
            gain=params["colour"],
            offset=params["colour"],
        )

    def __len__(self) -> int:
        return len(self.points)

    def mean_shape(self) -> np.ndarray:
        """Return the mean (K, 2) of the shapes as drawn views show them.

        Symmetric where views are mirrored, so that a mirrored face has the mirrored second look.
        """
        mean: np.ndarray = np.nanmean(self._see(self.points, self.views), axis=0)
        if self.params["flip"]:
            mirrored = (mean * [-1, 1])[list(self.layout.flip)]
            mean = (mean + mirrored) / 2
        return mean

    def typical_box(self) -> np.ndarray:
        """Return how views lie about shapes (3,), on the middle line where views are mirrored."""
        box = typical_box(self._see(self.points, self.views))
        if self.params["flip"]:
            box[0] = 0.0
        return box

    def batch(self, step: int) -> Batch:
        """Draw batch `step`; each pass visits all faces once, in an order of its own."""
        size = self.params["batch"]
        places = np.arange(step * size, (step + 1) * size)
        rows = epoch_rows([self.seed], len(self), step * size, size)
        seeds = sample_seeds(self.seed, 0, places)
        drawn = self.changes.draw(seeds)
        shape = drawn.points(self._see(self.points[rows], self.views[rows]), self.layout.flip)
        present = np.isfinite(shape).all(axis=2)
        return Batch(
            self.crops.sampler(rows, drawn.colour(self.device)),
            self._tensor(geometry.compose_maps(self.views[rows], drawn.maps)),
            self._tensor(np.nan_to_num(shape)),
            self._tensor(present / face_sizes(shape, self.layout)[:, None]),
        )

    def _see(self, points: np.ndarray, views: np.ndarray) -> np.ndarray:
        return geometry.transform_points(geometry.invert_maps(views), points)

    def _tensor(self, array: np.ndarray) -> Tensor:
        return upload_array(array.astype(np.float32), self.device)


def face_sizes(shapes: np.ndarray, layout: Layout) -> np.ndarray:
    """Return what errors of shapes (n, K, 2) are divided by in training, (n,).

    The distance of the outer eye corners where the layout marks them and they are there; else the
    longer side of the tight box times 0.5, which is about as long on a frontal face.
    """
    sizes = geometry.longer_sides(shapes) * 0.5
    if layout.eye_corners is not None:
        left, right = layout.eye_corners
        between = np.linalg.norm(shapes[:, left] - shapes[:, right], axis=1)
        sizes = np.where(np.isfinite(between), between, sizes)
    return np.maximum(sizes, 0.05)  # a profile whose corners coincide


def weighted_l1(found: Tensor, batch: Batch) -> Tensor:
    """Return the mean distance per axis over the present points, each over its face's size."""
    distance = (found - batch.points).abs().sum(dim=2)
    return (distance * batch.weight).sum() / (batch.weight > 0).sum().clamp(min=1)
