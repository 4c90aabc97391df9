"""Views of one picture that show the same gaze: moved, recoloured, blurred, noisy.

Never mirrored or turned.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from benchbox.errors import PluginError
from benchbox.training.augment import Augmentation, sample_seeds
from benchbox.training.gaze_inputs import CROP_MARGIN, GazePatches, PatchForm
from benchbox.types import Sample

# Mirroring and rotation would change the gaze: neither strength has them.
AUGMENTATIONS = {
    "weak": (Augmentation(scale=0.03, shift=0.02, gain=0.1, offset=0.1), 0.0, 0.0),
    "strong": (
        Augmentation(scale=0.06, shift=0.04, gain=0.35, offset=0.35, blur=0.5, blur_px=1.0),
        0.2,
        0.05,
    ),
}


def whole_box_form(samples: Sequence[Sample], side: int) -> PatchForm:
    """Return the form of one patch, the card's own box.

    `side` wide, or a strip for tiny pictures.
    """
    return PatchForm.of([replace(samples[0], boxes={})], side, side)


class ViewPool:
    """Pictures without labels, from which pairs of views are drawn."""

    def __init__(
        self, samples: Sequence[Sample], shape: PatchForm, device: str, strength: str
    ) -> None:
        if strength not in AUGMENTATIONS:
            raise PluginError(f"augmentation = {strength!r}: must be {' or '.join(AUGMENTATIONS)}")
        self.patches = GazePatches(samples, shape, device, keep=True)
        self.augment, self.grey, self.noise = AUGMENTATIONS[strength]

    def __len__(self) -> int:
        return len(self.patches)

    def view(self, rows: np.ndarray, seed: int, number: int) -> Tensor:
        """Return one view (n, 3, height, width) per row.

        `number` tells the views of a picture apart.
        """
        given = sample_seeds(seed, number, rows)
        draw, shape, device = self.augment.draw(given), self.patches.form, self.patches.device
        look = self.patches.views[0].sampler(rows, draw.colour(device), draw)
        square = look(torch.from_numpy(draw.maps / CROP_MARGIN).float().to(device), shape.width)
        top = (shape.width - shape.height) // 2
        found = square[:, :, top : top + shape.height]
        if self.grey or self.noise:
            rng = np.random.default_rng([seed, number, 5])
            pale = torch.from_numpy(rng.uniform(size=len(rows)) < self.grey).to(device)[
                :, None, None, None
            ]
            found = torch.where(pale, found.mean(dim=1, keepdim=True), found)
            grain = rng.standard_normal((len(rows), *found.shape[1:]), dtype=np.float32)
            found = found + self.noise * torch.from_numpy(grain).to(device)
        return found.clamp(-1, 1).contiguous(memory_format=torch.channels_last)
