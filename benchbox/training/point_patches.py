"""Patches around points: one sub-pixel gather for a whole batch, on any device."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def gather_patches(images: Tensor, centres: Tensor, side: int) -> Tensor:
    """Cut a side x side patch about each of `centres` (n, k, 2) px out of images (n, c, h, w).

    Returns (n, k, c, side, side); raises ValueError for other shapes. Bilinear, zero outside the
    picture, in the images' own scale: pixel (x, y) of a patch shows the picture at centre + (x, y)
    - (side - 1) / 2, with pixel centres at whole numbers. Images may be bytes; patches are float32,
    or the images' own floating type. Gradients reach images and centres. A centre that is NaN gives
    a patch of NaN.

    All pixels of a patch share one fraction of a pixel, so an overlapping view of the padded
    picture is indexed once for all patches, and two blends between neighbours do the rest: 64 x 68
    patches of 57 px take three kernels.

    >>> picture = torch.arange(9.0).view(1, 1, 3, 3)
    >>> gather_patches(picture, torch.tensor([[[1.0, 1.0], [1.5, 1.0]]]), 1).flatten()
    tensor([4.0000, 4.5000])
    """
    if images.ndim != 4 or centres.ndim != 3 or centres.shape[::2] != (len(images), 2):
        raise ValueError(
            f"images {tuple(images.shape)} and centres {tuple(centres.shape)}: "
            "(n, c, h, w) and (n, k, 2)"
        )
    pad, (height, width) = side + 1, images.shape[2:]
    corner = centres - (side - 1) / 2 + pad
    whole = corner.detach().floor()
    left, top = whole.long().unbind(-1)
    left, top = left.clamp(0, width + pad), top.clamp(0, height + pad)  # beyond lies padding only
    windows = F.pad(images, (pad, pad, pad, pad)).unfold(2, side + 1, 1).unfold(3, side + 1, 1)
    patches = windows[torch.arange(len(images), device=images.device)[:, None], :, top, left]
    patches = patches if patches.is_floating_point() else patches.float()
    across, down = (corner - whole).to(patches.dtype)[..., None, None, None].unbind(2)
    patches = torch.lerp(patches[..., :-1], patches[..., 1:], across)
    return torch.lerp(patches[..., :-1, :], patches[..., 1:, :], down)
