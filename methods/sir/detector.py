"""SIR as one module: a start shape and the regressors that move it, patch by patch (Algorithm 2).

Shapes are (n, K, 2) in the [-1, 1]² frame of the box crop. One regressor called again and again is
SIR; as many regressors as iterations are the cascade that the paper compares it with.

Algorithm 2 iterates "till converges" and a fixed number of times. Both hold here: there are
`iterations`, and from the third on a face keeps its place once its increment is not below `stop`
times the one before.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from benchbox.errors import PluginError
from benchbox.training import point_patches

from .model import AttentionNetwork, StackedNetwork

_LEAST_CONTRAST = 0.05  # of a patch in [-1, 1], twice its deviation: a flat one is not blown up
_FREE_ITERATIONS = 2  # a face near the mean begins with a small increment

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
        self.patch_input = params["patch_input"]
        self.stop = float(params["stop"])
        number = 1
        if params["cascade"]:
            number = self.iterations
            self.stop = 0.0  # each of its regressors is called once
        network = _choose_regressor(params["network"])
        self.regressors = nn.ModuleList(
            network(points, self.patch, params["fc_bias"], params["init"], params["fc1_relu"])
            for _ in range(number)
        )
        self.register_buffer("start", torch.zeros(points, 2))  # θ(S_0): the mean face in the box

    def increment(self, number: int, images: Tensor, theta: Tensor) -> Tensor:
        """Let one regressor propose an increment (n, K, 2) of θ from the patches around it.

        `images` (n, 3, side, side) are bytes; beyond them patches are black.
        """
        centres = (theta + 1) * (self.side / 2) - 0.5
        around = point_patches.gather_patches(images, centres, self.patch).mul_(1 / 127.5).sub_(1)
        if self.patch_input == "normalised":
            around = normalise_patches(around)
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
        theta = self.start.expand(len(images), -1, -1)
        if not self.stop:
            return self.descend(images, theta, self.iterations)
        return self._descend_till_convergence(images, theta)

    def _descend_till_convergence(self, images: Tensor, theta: Tensor) -> Tensor:
        moving = torch.ones(len(images), dtype=torch.bool, device=images.device)
        size_before = theta.new_zeros(len(images))
        for k in range(self.iterations):
            increment = self.increment(0, images, theta)
            size = increment.norm(dim=2).mean(dim=1)
            if k >= _FREE_ITERATIONS:
                moving = moving & (size < self.stop * size_before)
            size_before = size
            theta = torch.where(moving[:, None, None], theta + increment, theta)
        return theta


def normalise_patches(patches: Tensor) -> Tensor:
    """Bring each patch of (n, K, 3, side, side) to mean 0 and a deviation of one half.

    One mean and one deviation per patch, over its colours: light is gone, colour is not.

    >>> normalise_patches(torch.tensor([-0.2, 0.2, 0.2]).view(1, 1, 3, 1, 1)).flatten()
    tensor([-0.7071,  0.3536,  0.3536])
    """
    centred = patches - patches.mean(dim=(2, 3, 4), keepdim=True)
    deviation = centred.square().mean(dim=(2, 3, 4), keepdim=True).sqrt()
    return centred / (2 * deviation).clamp(min=_LEAST_CONTRAST)


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
