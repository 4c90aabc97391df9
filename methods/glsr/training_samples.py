"""The training set as perturbed boxes.

Step 0 of every stage, drawn so that any step can be drawn again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchbox import geometry
from benchbox.training.crop_cache import cached_crops
from benchbox.training.crops import CropViews
from benchbox.training.host_to_device import upload_array
from benchbox.training.sampler import epoch_rows
from benchbox.types import Examples, Layout

from .detector import ViewSampler
from .frames import BoxErrors, Floats, box_frame, mean_shape

# The stored square over the protocol's box: room for perturbed boxes x1.2, their rotation, and θ_g
# beyond them.
STORED_EXPANSION = 2.0
_NO_ERROR = 1e-6  # standard deviation of boxes that are the points' own, in sides
_BOX_ERRORS = 99  # of the seeds: drawn box errors; steps are numbered below


@dataclass(frozen=True, eq=False)
class Batch:
    """A batch of n faces.

    How to sample their views, the maps F0 → stored crop (n, 2, 3), the true shapes in F0 (n, K, 2).
    """

    sampler: ViewSampler
    frame: Tensor
    shape: Tensor


class PerturbedFaces:
    """Perturbed boxes of the labelled faces.

    All that is random about a batch comes from (seed, stage, step).
    """

    def __init__(
        self, examples: Examples, layout: Layout, params: Mapping[str, Any], seed: int, device: str
    ) -> None:
        self.params, self.seed, self.device, self.flip = params, seed, device, list(layout.flip)
        self.views = CropViews(
            cached_crops(examples.samples, params["crop_side"], STORED_EXPANSION), device
        )
        boxes = np.stack([sample.box for sample in examples.samples])
        to_crop = geometry.box_to_unit(geometry.square_boxes(boxes, STORED_EXPANSION))
        self.points = geometry.transform_points(to_crop, examples.values)
        self.boxes = geometry.transform_points(to_crop, boxes.reshape(-1, 2, 2)).reshape(-1, 4)
        self.errors = self._errors_to_draw(examples.detector_boxes, boxes, to_crop)
        self.reference = torch.from_numpy(mean_shape(self.points, layout.flip)).float().to(device)

    def __len__(self) -> int:
        return len(self.points)

    def rows(self, stage: int, step: int) -> np.ndarray:
        """Return the faces (n,) of batch `step` of a stage.

        Each epoch visits all once, in an order of its own.
        """
        size = self.params["batch"]
        return epoch_rows([self.seed, stage], len(self), step * size, size, after=[1])

    def batch(self, stage: int, step: int) -> Batch:
        """Draw batch `step` of a stage."""
        size, params = self.params["batch"], self.params
        rows = self.rows(stage, step)
        rng = np.random.default_rng([self.seed, stage, step])
        frame, mirrored = self.errors.perturb(
            self.points[rows], rng, params["rotation_deg"], params["expansion"], params["flip"]
        )
        shape = geometry.transform_points(geometry.invert_maps(frame), self.points[rows])
        shape[mirrored] = shape[mirrored][:, self.flip]
        sampler = self.views.sampler(rows, self._colour(rng, size))
        return Batch(sampler, self._tensor(frame), self._tensor(shape))

    def upright(self) -> Tensor:
        """Return the true shapes (N, K, 2) in the F0 of the protocol's own boxes."""
        frames = box_frame(self.boxes, self.params["expansion"])
        return self._tensor(geometry.transform_points(geometry.invert_maps(frames), self.points))

    def _errors_to_draw(self, detected: Floats | None, boxes: Floats, to_crop: Floats) -> BoxErrors:
        """Return how boxes err in training: a detector's errors, whatever boxes are tested on.

        Boxes (N, 4) about the true points have none of their own. The errors then come from a
        detector's boxes (N, 4) of the same faces (NaN: none), and where the set has no such boxes
        from the distribution that the card's parameters describe. They keep the mean of the
        protocol's own boxes.
        """
        own = BoxErrors.measure(self.boxes, self.points)
        mean = own.rows.mean(axis=0)
        if detected is not None and not np.array_equal(detected, boxes):
            rows = np.isfinite(detected).all(axis=1)
            corners = geometry.transform_points(to_crop[rows], detected[rows].reshape(-1, 2, 2))
            found = BoxErrors.measure(corners.reshape(-1, 4), self.points[rows])
            return found.move_to(mean)
        if own.rows.std(axis=0).max() > _NO_ERROR:
            return own
        rng = np.random.default_rng([self.seed, _BOX_ERRORS])
        params = self.params
        drawn = BoxErrors.draw(len(boxes), params["shift_sd"], params["scale_sd"], rng)
        return drawn.move_to(mean)

    def _colour(self, rng: np.random.Generator, size: int) -> Tensor | None:
        strength = self.params["colour"]
        if not strength:
            return None
        gain = 1 + strength * (rng.uniform(-1, 1, (size, 1)) + 0.5 * rng.uniform(-1, 1, (size, 3)))
        offset = strength * rng.uniform(-1, 1, (size, 1)) * np.ones((1, 3))
        return self._tensor(np.stack([gain, offset], axis=1))

    def _tensor(self, array: np.ndarray) -> Tensor:
        return upload_array(array.astype(np.float32), self.device)
