"""Optimisers, learning-rate schedules and weight averages, by the names that method cards use."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from benchbox.errors import PluginError


def make_optimiser(
    kind: str, parameters: Iterable[Tensor], lr: float, weight_decay: float
) -> torch.optim.Optimizer:
    """Make `sgd` (momentum 0.9), `adamw`, both fused, or `adadelta`.

    Raises PluginError for another name.
    """
    if kind == "sgd":
        return torch.optim.SGD(parameters, lr, momentum=0.9, weight_decay=weight_decay, fused=True)
    if kind == "adamw":
        return torch.optim.AdamW(parameters, lr, weight_decay=weight_decay, fused=True)
    if kind == "adadelta":
        return torch.optim.Adadelta(parameters, lr, weight_decay=weight_decay)
    raise PluginError(f"optimiser = {kind!r}: must be sgd, adamw or adadelta")


def rate_factor(schedule: str, step: int, steps: int, warmup: int = 0) -> float:
    """Return the factor on the learning rate at a step, after a linear rise over `warmup` steps.

    `schedule` is `constant`, `poly` (power 1) or `cosine`; raises PluginError for another.

    >>> [rate_factor("cosine", step, 10, warmup=2) for step in (0, 1, 2, 6)]
    [0.5, 1.0, 1.0, 0.5]
    >>> rate_factor("poly", 5, 10)
    0.5
    """
    if step < warmup:
        return (step + 1) / warmup
    done = (step - warmup) / max(1, steps - warmup)
    if schedule == "constant":
        return 1.0
    if schedule == "poly":
        return 1 - done
    if schedule == "cosine":
        return 0.5 * (1 + math.cos(math.pi * done))
    raise PluginError(f"schedule = {schedule!r}: must be constant, poly or cosine")


class WeightAverage:
    """Exponential moving average of modules' weights and buffers, on which a short training ends.

    The decay grows from 0 as (1 + t) / (10 + t) up to its limit, so early steps do not linger.
    """

    def __init__(self, modules: Iterable[nn.Module], decay: float) -> None:
        self.live = [tensor for module in modules for tensor in module.state_dict().values()]
        self.mean = [tensor.clone() for tensor in self.live]
        self.floats = [k for k, tensor in enumerate(self.live) if tensor.is_floating_point()]
        self.decay, self.count = decay, 0

    @torch.no_grad()
    def update(self) -> None:
        """Move the average towards the live weights."""
        self.count += 1
        weight = 1 - min(self.decay, self.count / (9 + self.count))
        torch._foreach_lerp_(
            [self.mean[k] for k in self.floats], [self.live[k] for k in self.floats], weight
        )

    @torch.no_grad()
    def apply(self) -> None:
        """Put the average in place of the live weights."""
        for k in self.floats:
            self.live[k].copy_(self.mean[k])

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint keeps."""
        return {"mean": self.mean, "count": self.count}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what a checkpoint kept."""
        self.count = int(state["count"])
        for mine, kept in zip(self.mean, state["mean"], strict=True):
            mine.copy_(kept)
