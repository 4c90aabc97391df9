"""SIR as one module: a start shape and the regressors that move it, patch by patch (Algorithm 2).

Shapes are (n, K, 2) in the [-1, 1]² frame of the box crop. One regressor called again and again is
SIR; as many regressors as iterations are the cascade that the paper compares it with.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from benchbox.errors import PluginError
from benchbox.training import point_patches

from .model import AttentionNetwork, StackedNetwork

REGRESSORS: Mapping[str, type[AttentionNetwork | StackedNetwork]] = {
    "lan": AttentionNetwork,
    "stack": StackedNetwork,
}


class SirDetector(nn.Module):
    """`regressors` networks, of which the last one serves every further iteration."""

    def __init__(self, points: int, params: Mapping[str, Any]) -> None:
        super().__init__()
        self.side, self.patch, self.iterations = (
            params["side"],
            params["patch"],
            params["iterations"],
        )
        number = self.iterations if params["cascade"] else 1
        network = _choose_regressor(params["network"])
        self.regressors = nn.ModuleList(
            network(points, self.patch, params["fc_bias"]) for _ in range(number)
        )
        self.register_buffer("start", torch.zeros(points, 2))  # θ(S_0): the mean face in the box

    def increment(self, number: int, images: Tensor, theta: Tensor) -> Tensor:
        """Let one regressor propose an increment (n, K, 2) of θ from the patches around it.

        `images` (n, 3, side, side) are bytes; beyond them patches are black.
        """
        centres = (theta + 1) * (self.side / 2) - 0.5
        around = point_patches.gather_patches(images, centres, self.patch).mul_(1 / 127.5).sub_(1)
        moved: Tensor = self.regressors[number](around)
        return moved * self.unit

    @property
    def unit(self) -> float:
        """Return one patch side in the frame: the unit of what regressors answer."""
        return 2 * self.patch / self.side

    def descend(self, images: Tensor, theta: Tensor, iterations: int) -> Tensor:
        """Apply the first iterations to θ (n, K, 2)."""
        for k in range(iterations):
            theta = theta + self.increment(min(k, len(self.regressors) - 1), images, theta)
        return theta

    def forward(self, images: Tensor) -> Tensor:
        """Predict θ (n, K, 2) from the mean face."""
        return self.descend(images, self.start.expand(len(images), -1, -1), self.iterations)


def _choose_regressor(name: str) -> type[AttentionNetwork | StackedNetwork]:
    if name not in REGRESSORS:
        raise PluginError(f"network = {name!r}: must be {' or '.join(REGRESSORS)}")
    return REGRESSORS[name]


def list_regressors(
    params: Mapping[str, Any], points: int
) -> dict[str, tuple[nn.Module, tuple[Tensor, ...]]]:
    """List the regressors that a prediction runs, in order.

    SIR runs one network again and again.
    """
    system = SirDetector(points, params)
    seen = (torch.zeros(1, points, 3, params["patch"], params["patch"]),)
    last = len(system.regressors) - 1
    return {
        f"iteration {k + 1}": (system.regressors[min(k, last)], seen)
        for k in range(system.iterations)
    }
