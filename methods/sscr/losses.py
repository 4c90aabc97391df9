"""What pre-training minimises.

Agreement of two views, and redundancy between the dimensions of an embedding.

`ntxent_loss` is SimCLR's, `redundancy_loss` the off-diagonal term of Barlow Twins, which SSCR adds
with weight γ; `barlow_loss` is the loss of Barlow Twins whole, which it compares with. Embeddings
z1, z2 (n, D) are of the same n pictures.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def ntxent_loss(z1: Tensor, z2: Tensor, tau: float) -> Tensor:
    """NT-Xent: each of the 2n views must find the other of its picture among 2n - 1."""
    n = len(z1)
    z = F.normalize(torch.cat([z1, z2]), dim=1)
    scores = z @ z.T / tau
    scores = scores.masked_fill(torch.eye(2 * n, dtype=torch.bool, device=z.device), float("-inf"))
    partner = torch.arange(2 * n, device=z.device).roll(n)
    return F.cross_entropy(scores, partner)


def cross_correlation(z1: Tensor, z2: Tensor) -> Tensor:
    """Return the cross-correlation (D, D) of embeddings standardised over the batch."""
    return _standardise_columns(z1).T @ _standardise_columns(z2) / len(z1)


def redundancy_loss(z1: Tensor, z2: Tensor) -> Tensor:
    """Sum the squared correlations between different dimensions."""
    c = cross_correlation(z1, z2)
    return c.square().sum() - c.diagonal().square().sum()


def barlow_loss(z1: Tensor, z2: Tensor, weight: float) -> Tensor:
    """Barlow Twins: Σ (1 - C_uu)² + weight · Σ_{u≠v} C_uv²."""
    c = cross_correlation(z1, z2)
    same = c.diagonal()
    return (1 - same).square().sum() + weight * (c.square().sum() - same.square().sum())


def _standardise_columns(z: Tensor) -> Tensor:
    centred = z - z.mean(dim=0)
    return centred / (centred.square().mean(dim=0) + 1e-9).sqrt()
