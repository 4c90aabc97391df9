"""The losses of G&LSR (section 3.3, equations 6-9)."""

from __future__ import annotations

import torch
from torch import Tensor


def shape_loss(
    predicted: Tensor,
    target: Tensor,
    distance: Tensor,
    kind: str,
    z_px: int = 64,
    coordinates: str = "mean",
) -> Tensor:
    """Mean over the batch of the l1, l2 or weighted error between shapes (n, k, 2).

    Divided by `distance` (n,). `coordinates` are summed, as the norms of equations 5, 6 and 8 do,
    or averaged.

    l1: |z| / d.   l2: z² / d².   weighted: w |z| / d with w = exp(-σ |z - μ|), where μ and σ are
    the mean and the standard deviation over the batch of each coordinate's signed error z; no
    gradient flows through w.

    The weighted loss is not scale-free: z is measured in pixels of a face `z_px` wide. In [-1, 1]
    units (z_px = 2) all weights are 1, at 256 px all are 0; at 64 px and the paper's errors w(1
    sigma) is 0.4.
    """
    error = predicted - target
    distance = distance[:, None, None]
    if kind == "l2":
        errors = (error / distance).square()
    else:
        weight = coordinate_weights(error.detach() * (z_px / 2)) if kind == "weighted" else 1.0
        errors = weight * error.abs() / distance
    if coordinates == "mean":
        return errors.mean()
    return errors.flatten(1).sum(dim=1).mean()


def coordinate_weights(z: Tensor) -> Tensor:
    """W = exp(-σ |z - μ|) for errors z (n, k, 2).

    Μ and σ per coordinate over the batch (equation 9).
    """
    mean = z.mean(dim=0, keepdim=True)
    spread = z.std(dim=0, keepdim=True, correction=0)
    return torch.exp(-spread * (z - mean).abs())


def theta_loss(theta: Tensor, target: Tensor) -> Tensor:
    """‖θ - θ*‖², mean over the batch."""
    return (theta - target).square().sum(dim=(1, 2)).mean()
