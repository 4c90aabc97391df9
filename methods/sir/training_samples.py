"""The training set as shapes drawn around the truth and around the mean face (Algorithm 1).

Without end.

All that is random about a batch comes from (seed, stage, step), so any step can be drawn again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchbox import geometry
from benchbox.training.crops import cut_crops
from benchbox.training.host_to_device import upload_array
from benchbox.training.sampler import epoch_rows
from benchbox.types import Examples, Layout, Sample

from .shape import Floats, ShapeModel


@dataclass(frozen=True, eq=False)
class Batch:
    """Box crops (n, 3, side, side) as bytes, and two shapes of each.

    The shapes to move (n, K, 2) and where they belong (n, K, 2).
    """

    images: Tensor
    theta: Tensor
    target: Tensor


def box_frames(samples: Sequence[Sample], expansion: float) -> Floats:
    """Return the maps (N, 2, 3) from picture pixels to the [-1, 1]² frame of the boxes."""
    return geometry.box_to_unit(
        geometry.square_boxes(np.stack([sample.box for sample in samples]), expansion)
    )


def box_crops(samples: Sequence[Sample], params: Mapping[str, Any], device: str) -> Tensor:
    """Return the box crops (N, 3, side, side) as bytes on a device."""
    images = torch.from_numpy(cut_crops(samples, params["side"], params["expansion"]).images)
    return images.permute(0, 3, 1, 2).contiguous().to(device)


class SampledShapes:
    """Shapes to train on.

    `model` is fitted to the labelled shapes, and to their mirror images if those are used.
    """

    def __init__(
        self, examples: Examples, layout: Layout, params: Mapping[str, Any], seed: int, device: str
    ) -> None:
        self.params, self.seed, self.device, self.order = params, seed, device, list(layout.flip)
        self.images = box_crops(examples.samples, params, device)
        self.shapes = geometry.transform_points(
            box_frames(examples.samples, params["expansion"]), examples.values
        )
        known = (
            np.concatenate([self.shapes, self._mirror(self.shapes)])
            if params["flip"]
            else self.shapes
        )
        self.model = ShapeModel.fit(known, params["variance"], params["shape_unit"])

    def __len__(self) -> int:
        return len(self.shapes)

    def start(self) -> Tensor:
        """Return θ(S_0) (K, 2)."""
        return self._tensor(self.model.mean + self.model.centre)

    def rows(self, stage: int, step: int) -> np.ndarray:
        """Return the faces (n,) of batch `step` of a stage.

        Each epoch visits all once, in an order of its own.
        """
        size = self.params["batch"]
        return epoch_rows([self.seed, stage], len(self), step * size, size, after=[1])

    def batch(self, stage: int, step: int, around_truth: float) -> Batch:
        """Draw batch `step` of a stage."""
        size = self.params["batch"]
        rows = self.rows(stage, step)
        rng = np.random.default_rng([self.seed, stage, step])
        images, target = self.images[upload_array(rows, self.device)], self.shapes[rows]
        if self.params["flip"]:
            mirrored = rng.random(size) < 0.5
            target = np.where(mirrored[:, None, None], self._mirror(target), target)
            chosen = upload_array(mirrored, self.device)[:, None, None, None]
            images = torch.where(chosen, images.flip(-1), images)
        theta = self.model.sample(target, self.params["sigma"], around_truth, rng)
        return Batch(images, self._tensor(theta), self._tensor(target))

    def _mirror(self, shapes: Floats) -> Floats:
        return (shapes * [-1, 1])[:, self.order]

    def _tensor(self, array: Floats) -> Tensor:
        return upload_array(array.astype(np.float32), self.device)
