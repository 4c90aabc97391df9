"""From pictures to network inputs: decode each picture once, then warp and normalise in batches.

`crops` cuts a generous square around every face and keeps it as uint8; all later views (box crops, perturbed boxes,
normalised faces, patches of parts) are affine warps of that square, so a picture is decoded once per run. A view is
named by the map from its own pixels to the pixels of the stored crop.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from benchbox import geometry

from .runtime import cores

if TYPE_CHECKING:
    from benchbox.types import Bytes, Floats, Sample


@dataclass(frozen=True, eq=False)
class Crops:
    """Stored squares around faces: `images` (N, S, S, 3) RGB uint8 and `maps` (N, 2, 3), picture px → crop px."""

    images: Bytes
    maps: Floats

    def __len__(self) -> int:
        return len(self.images)


def crops(samples: Sequence[Sample], size: int, expansion: float) -> Crops:
    """Cut a square of `expansion` x the longer box side around each sample's box, `size` px wide; black outside."""
    boxes = np.stack([sample.box for sample in samples])
    maps = geometry.box_to_crop(geometry.square(boxes, expansion), size)
    images = np.empty((len(samples), size, size, 3), np.uint8)

    def cut(row: int) -> None:
        picture = samples[row].pixels()
        # Shrinking by more than two aliases under bilinear sampling: average first, keeping pixel centres aligned.
        matrix = maps[row]
        factor = int(1 / max(float(np.hypot(*matrix[:, 0])), 1e-6))
        if factor >= 2:
            height, width = (side // factor * factor for side in picture.shape[:2])
            picture = cv2.resize(
                picture[:height, :width], (width // factor, height // factor), interpolation=cv2.INTER_AREA
            )
            grow = np.array([[factor, 0, (factor - 1) / 2], [0, factor, (factor - 1) / 2]])
            matrix = geometry.compose(matrix, grow)
        cv2.warpAffine(picture, matrix, (size, size), dst=images[row], flags=cv2.INTER_LINEAR)

    with ThreadPoolExecutor(cores()) as pool:
        for _ in pool.map(cut, range(len(samples))):
            pass
    return Crops(images, maps)


def warp(images: Bytes, rows: Sequence[int] | np.ndarray, maps: Floats, size: int, out: Bytes | None = None) -> Bytes:
    """Sample one size x size view per row of stored crops; `maps` (n, 2, 3) take view pixels to crop pixels.

    Bilinear, black outside. Returns (n, size, size, 3) uint8, written into `out` when given.
    """
    if out is None:
        out = np.empty((len(rows), size, size, 3), np.uint8)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    for place, (row, matrix) in enumerate(zip(rows, maps, strict=True)):
        cv2.warpAffine(images[row], matrix, (size, size), dst=out[place], flags=flags)
    return out


def to_input(batch: Bytes | Tensor, device: str = "cpu") -> Tensor:
    """Turn (n, h, w, 3) uint8 into (n, 3, h, w) float32 in [-1, 1], channels last in memory."""
    tensor = torch.from_numpy(batch) if isinstance(batch, np.ndarray) else batch
    return tensor.to(device).permute(0, 3, 1, 2).to(torch.float32).mul_(1 / 127.5).sub_(1)


def sample(images: Tensor, theta: Tensor, size: int) -> Tensor:
    """Sample (n, c, h, w) bilinearly through θ (n, 2, 3), target → source in [-1, 1]² frames; differentiable."""
    grid = F.affine_grid(theta, [len(images), images.shape[1], size, size], align_corners=False)
    return F.grid_sample(images, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


class Views:
    """Views of stored crops on a device, each named by its map to the crop; frames are [-1, 1]².

    On a CPU a view that needs no gradient is warped as uint8, several times as fast as sampling floats; on a GPU, and
    where a gradient must reach the map, crops are sampled as tensors. Both are bilinear and black outside.
    """

    def __init__(self, stored: Crops, device: str) -> None:
        self.stored, self.device = stored, device
        self.side = stored.images.shape[1]
        self.images = torch.from_numpy(stored.images).to(device) if device != "cpu" else None

    def look(self, rows: np.ndarray, colour: Tensor | None = None) -> Callable[[Tensor, int], Tensor]:
        """Return a function (maps (n, 2, 3) view → crop, side) → (n, 3, side, side) in [-1, 1] for stored rows (n,).

        `colour` (n, 2, 3) is a gain and an offset per channel, applied to [-1, 1] values.
        """

        def view(maps: Tensor, side: int) -> Tensor:
            if self.images is None and not maps.requires_grad:
                batch = to_input(warp(self.stored.images, rows, self._pixel_maps(maps, side), side))
            else:
                batch = sample(self._floats(rows), maps, side).mul_(1 / 127.5).sub_(1)
            if colour is not None:
                batch = torch.addcmul(colour[:, 1, :, None, None], batch, colour[:, 0, :, None, None])
            return batch.contiguous(memory_format=torch.channels_last)

        return view

    def _pixel_maps(self, maps: Tensor, side: int) -> Floats:
        into = geometry.invert(geometry.unit_to_crop(side))
        out = geometry.unit_to_crop(self.side)
        return geometry.compose(out, geometry.compose(maps.detach().double().numpy(), into))

    def _floats(self, rows: np.ndarray) -> Tensor:
        if self.images is None:
            chosen = torch.from_numpy(self.stored.images[rows])
        else:
            chosen = self.images[torch.from_numpy(rows).to(self.device)]
        return chosen.permute(0, 3, 1, 2).to(torch.float32)
