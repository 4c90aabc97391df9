"""Adversarial samples against an ordinal network.

Projected gradient steps on the bins near its prediction.

Source: DwO, section 3.2, equations 13 and 14 and Fig. 2. ε and γ are grey levels of 255; there is
no random start.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from benchbox.training.ordinal_coding import ordinal_loss

GREY_LEVEL = 2 / 255  # in inputs of [-1, 1]


def centre_bins(logits: Tensor, bins: Sequence[int], centre: int) -> Tensor:
    """Mark the `centre` = 2k bins around each axis' prediction.

    Logits (n, ΣB) → ones and zeros (n, ΣB).

    With c bins reached they are c - k + 1 … c + k, clipped to 1 … B; 0 marks every bin.
    """
    if not centre:
        return torch.ones_like(logits)
    half, marks = centre // 2, []
    for part in torch.split(logits, list(bins), dim=1):
        reached = part.ge(0).sum(dim=1, keepdim=True)
        number = torch.arange(1, part.shape[1] + 1, device=logits.device)
        marks.append((number > reached - half) & (number <= reached + half))
    return torch.cat(marks, dim=1).to(logits.dtype)


def perturb_patches(
    network: nn.Module,
    patches: tuple[Tensor, ...],
    codes: Tensor,
    bins: Sequence[int],
    *,
    centre: int,
    steps: int,
    gamma: float,
    epsilon: float,
) -> tuple[Tensor, ...]:
    """Take `steps` steps of γ grey levels up the loss of the centre bins.

    Each patch stays within ε and [-1, 1].

    The network answers in evaluation mode, so that adversarial samples do not depend on their
    batch, and is left as it was, without gradients.
    """
    start, moved = patches, tuple(patch.detach().clone() for patch in patches)
    was_training = network.training
    network.eval()
    for _ in range(steps):
        moved = tuple(patch.requires_grad_() for patch in moved)
        logits = network(*moved)
        loss = ordinal_loss(logits, codes, centre_bins(logits.detach(), bins, centre))
        slopes = torch.autograd.grad(loss, moved)
        with torch.no_grad():
            moved = tuple(
                _clip_patch(patch + gamma * GREY_LEVEL * slope.sign(), first, epsilon * GREY_LEVEL)
                for patch, slope, first in zip(moved, slopes, start, strict=True)
            )
    network.train(was_training)
    return tuple(patch.detach() for patch in moved)


def _clip_patch(patch: Tensor, start: Tensor, reach: float) -> Tensor:
    return patch.clamp(start - reach, start + reach).clamp(-1, 1)
