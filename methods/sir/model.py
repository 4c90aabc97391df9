"""The regressors of SIR: the landmarks-attention network, and a stacked one to compare it with.

Both take patches (n, K, 3, side, side) in [-1, 1] about K points and return increments (n, K, 2) in
patch sides. No convolution has a bias, and by default no other layer either: only so the printed
3.72 M are met.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

PATCH_SIDE = 57
POOLED_SIDE = 8  # 57 → 29 → 15 → 8, rounded up

LAN_CHANNELS = (16, 32, 64)
LAN_FEATURES = 10  # per landmark
LAN_HIDDEN = 256
# Fig. 5 of the paper shows no widths: these have as many weights as the LAN, to the last one.
STACK_CHANNELS = (16, 256, 384)
STACK_HIDDEN = (128, 512)


class SameConv2d(nn.Conv2d):
    """A convolution that keeps the side; even kernels pad right and below."""

    def forward(self, x: Tensor) -> Tensor:
        """Transform (n, c, h, w) to (n, out, h, w)."""
        before, after = (self.kernel_size[0] - 1) // 2, self.kernel_size[0] // 2
        return super().forward(F.pad(x, (before, after, before, after)))


def pooled_side(side: int) -> int:
    """Return the side of the last map: three poolings by 2, rounded up."""
    return -(-side // 8)


def _feature_layers(inputs: int, channels: tuple[int, ...], groups: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for outputs, kernel in zip(channels, (3, 2, 2), strict=True):
        conv = SameConv2d(inputs * groups, outputs * groups, kernel, groups=groups, bias=False)
        layers += [conv, nn.ReLU(inplace=True), nn.MaxPool2d(2, ceil_mode=True)]
        inputs = outputs
    return nn.Sequential(*layers)


class AttentionNetwork(nn.Module):
    """One small network of its own per landmark, as groups of one convolution.

    Two layers join what they saw.
    """

    def __init__(
        self,
        points: int,
        side: int = PATCH_SIDE,
        bias: bool = False,
        init: str = "he",
        fc1_relu: bool = True,
    ) -> None:
        super().__init__()
        self.fc1_relu = fc1_relu
        self.features = _feature_layers(3, LAN_CHANNELS, points)
        last = LAN_CHANNELS[-1]
        self.fc1 = nn.Conv2d(
            last * points, LAN_FEATURES * points, pooled_side(side), groups=points, bias=False
        )
        self.fc2 = nn.Linear(LAN_FEATURES * points, LAN_HIDDEN, bias)
        self.fc3 = nn.Linear(LAN_HIDDEN, 2 * points, bias)
        _init_weights(self, self.fc3, init)

    def forward(self, patches: Tensor) -> Tensor:
        """Return increments (n, K, 2) in patch sides from patches (n, K, 3, side, side)."""
        seen = self.landmark_features(patches).flatten(1)
        return self.fc3(F.relu(self.fc2(seen))).unflatten(1, (-1, 2))

    def landmark_features(self, patches: Tensor) -> Tensor:
        """Return what each landmark's network saw, (n, K, 10).

        The k-th depends on the k-th patch alone.
        """
        seen = self.fc1(self.features(_side_by_side(patches)))
        if self.fc1_relu:
            seen = F.relu(seen)
        return seen.view(len(patches), -1, LAN_FEATURES)


class StackedNetwork(nn.Module):
    """All patches as the channels of one picture.

    As many layers and weights as the LAN has for 68 points.
    """

    def __init__(
        self,
        points: int,
        side: int = PATCH_SIDE,
        bias: bool = False,
        init: str = "he",
        fc1_relu: bool = True,
    ) -> None:
        super().__init__()
        self.fc1_relu = fc1_relu
        self.features = _feature_layers(3 * points, STACK_CHANNELS, 1)
        first, second = STACK_HIDDEN
        self.fc1 = nn.Linear(STACK_CHANNELS[-1] * pooled_side(side) ** 2, first, bias)
        self.fc2 = nn.Linear(first, second, bias)
        self.fc3 = nn.Linear(second, 2 * points, bias)
        _init_weights(self, self.fc3, init)

    def forward(self, patches: Tensor) -> Tensor:
        """Return increments (n, K, 2) in patch sides from patches (n, K, 3, side, side)."""
        seen = self.fc1(self.features(_side_by_side(patches)).flatten(1))
        if self.fc1_relu:
            seen = F.relu(seen)
        return self.fc3(F.relu(self.fc2(seen))).unflatten(1, (-1, 2))


def _side_by_side(patches: Tensor) -> Tensor:
    """Lay patches (n, K, 3, side, side) out as channels (n, 3 K, side, side), channels last.

    4x faster on a CPU.
    """
    channels_last = patches.permute(0, 3, 4, 1, 2).flatten(3).contiguous()
    return channels_last.permute(0, 3, 1, 2)


def _init_weights(network: nn.Module, last: nn.Linear, init: str) -> None:
    """He initialisation; an untrained network leaves the shape where it is.

    `centred` takes its own mean from every unit's weights behind the first layer: what comes in
    there is never negative, so without biases a unit whose weights sum to less than 0 would be dead
    from the first step.
    """
    layers = [layer for layer in network.modules() if isinstance(layer, nn.Conv2d | nn.Linear)]
    for layer in layers:
        nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)
    if init == "centred":
        for layer in layers[1:]:
            over_inputs = tuple(range(1, layer.weight.dim()))
            with torch.no_grad():
                layer.weight -= layer.weight.mean(dim=over_inputs, keepdim=True)
    nn.init.zeros_(last.weight)
