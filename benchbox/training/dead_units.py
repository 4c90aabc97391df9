"""What of a network no longer learns at the end of a training: dead units, dead layers.

A unit behind a ReLU that never fires gets no gradient, nor does anything that only feeds such
units. So both are read from the gradients of the steps that are made anyway: nothing is computed
twice, no random number is drawn, and a CUDA graph stays one.

* **dead unit**: an output of a layer, a row of its weights, whose gradient was exactly 0 (or not
  finite) at every look;
* **dead layer**: weights with no other rows.

Looked at are the last steps: each one of a short stage, each eighth of a long one, the last 16 to
32 looks. Weights that got no gradient at all are no part of what is trained and count for nothing.
`TrainStep` looks, `TrainLog` writes the shares into `training.json`; a recipe does nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from weakref import WeakSet

import torch
from torch import Tensor, nn

_EVERY = 8  # steps between two looks
_LOOKS = 16  # after which what was seen before the last so many is forgotten


@dataclass(frozen=True)
class DeadShares:
    """The shares of units and of layers that got no gradient at the end of a stage."""

    units: float
    layers: float


class GradientWatch:
    """Remembers which rows of some weights got a gradient lately."""

    def __init__(self, parameters: Iterable[nn.Parameter]) -> None:
        self.weights = [weight for weight in parameters if weight.ndim > 1]
        self.clear()

    def clear(self) -> None:
        """Forget every step."""
        self.steps = self.looks = 0
        self.recent: list[Tensor | None] = [None] * len(self.weights)
        self.earlier: list[Tensor | None] = [None] * len(self.weights)

    def count_step(self, gradients: Sequence[Tensor | None] | None = None) -> None:
        """Note a step that was made; look at its gradients where it is time.

        `gradients` are those of the weights, where they do not lie at the weights themselves.
        """
        _watches.add(self)
        self.steps += 1
        if self.steps > _LOOKS and self.steps % _EVERY:
            return
        if self.looks == _LOOKS:
            self.earlier, self.recent = self.recent, [None] * len(self.weights)
            self.looks = 0
        self.looks += 1
        if gradients is None:
            gradients = self.gradients()
        for place, gradient in enumerate(gradients):
            if gradient is not None:
                self.recent[place] = _either(self.recent[place], _live_rows(gradient))

    def gradients(self) -> list[Tensor | None]:
        """Return the gradients of the weights as they stand."""
        return [weight.grad for weight in self.weights]

    def live_rows(self) -> list[Tensor]:
        """Return for each layer that was trained which of its rows (N,) got a gradient lately."""
        rows = []
        for recent, earlier in zip(self.recent, self.earlier, strict=True):
            both = _either(recent, earlier)
            if both is not None:
                rows.append(both)
        return rows


_watches: WeakSet[GradientWatch] = WeakSet()


def forget_steps() -> None:
    """Begin anew: what was seen so far belongs to another stage."""
    for watch in list(_watches):
        watch.clear()
    _watches.clear()


def collect_shares() -> DeadShares | None:
    """Return what the steps since `forget_steps` show; None where there were none."""
    layers = [rows for watch in list(_watches) for rows in watch.live_rows()]
    units = sum(len(rows) for rows in layers)
    if not units:
        return None
    # one wait for the device
    live = torch.stack([rows.sum() for rows in layers]).tolist()
    return DeadShares(
        units=round(1 - sum(live) / units, 4),
        layers=round(sum(count == 0 for count in live) / len(layers), 4),
    )


def _live_rows(gradient: Tensor) -> Tensor:
    """Return which rows (N,) of a gradient (N, …) hold a number that moves a weight."""
    flat = gradient.detach().flatten(1)
    return ((flat != 0) & flat.isfinite()).any(dim=1)


def _either(one: Tensor | None, two: Tensor | None) -> Tensor | None:
    if one is None or two is None:
        return one if two is None else two
    return one | two
