"""The networks of G&LSR: global reinitialisation, small regression backbone, local stage.

Source: G&LSR (TPAMI), Table 2, Fig. 2-4 and section 3; where the paper leaves a layer open the
README of this folder names the choice. All shapes are (n, 3, side, side) inputs in [-1, 1] and
outputs in the [-1, 1]² frame of the input.
"""

from __future__ import annotations

import itertools
import math

import torch
from torch import Tensor, nn

from benchbox.training.batch_norm import BatchNorm2d
from benchbox.training.pointwise_conv import PointwiseConv2d

# Table 2 with its printing slips mended: expansion, channels, repeats, stride of the first repeat.
SMALL_STAGES = (
    (1, 8, 1, 1),
    (6, 12, 2, 2),
    (6, 16, 2, 2),
    (6, 24, 3, 2),
    (6, 32, 3, 2),
    (6, 48, 3, 2),
    (6, 64, 2, 2),
)
SMALL_LAST_STAGE = (6, 80, 1, 1)
STEM_CHANNELS = 8
TRUNK_CHANNELS = 64


def _conv_bn(
    inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1
) -> list[nn.Module]:
    conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
    return [conv, BatchNorm2d(outputs)]


class Bottleneck(nn.Module):
    """Inverted residual of MobileNetV2.

    Keeps its 1x1 expansion even at t = 1, which Table 2's MACs demand.
    """

    def __init__(self, inputs: int, outputs: int, expansion: int, stride: int) -> None:
        super().__init__()
        hidden = inputs * expansion
        self.residual = stride == 1 and inputs == outputs
        self.body = nn.Sequential(
            *_conv_bn(inputs, hidden, 1),
            nn.ReLU(inplace=True),
            *_conv_bn(hidden, hidden, 3, stride, groups=hidden),
            nn.ReLU(inplace=True),
            *_conv_bn(hidden, outputs, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Transform (n, inputs, h, w) to (n, outputs, h / stride, w / stride)."""
        return x + self.body(x) if self.residual else self.body(x)


class Backbone(nn.Module):
    """Small MobileNetV2 of Table 2 with a regression head.

    The head is `table` (FC 256-256-2n) or `lite` (FC 64-2n).

    The trunk halves the side seven times, rounding up: 256 px, the paper's side, gives a 2x2 map,
    and so does any side above 128, with the same weights.
    """

    def __init__(self, points: int, side: int = 256, head: str = "table") -> None:
        super().__init__()
        layers = [*_conv_bn(3, STEM_CHANNELS, 3, 2), nn.ReLU(inplace=True)]
        channels = STEM_CHANNELS
        for expansion, outputs, repeats, stride in (*SMALL_STAGES, SMALL_LAST_STAGE):
            for repeat in range(repeats):
                layers.append(
                    Bottleneck(channels, outputs, expansion, stride if repeat == 0 else 1)
                )
                channels = outputs
        layers += [*_conv_bn(channels, TRUNK_CHANNELS, 1), nn.ReLU(inplace=True), nn.Flatten()]
        self.trunk = nn.Sequential(*layers)
        features = TRUNK_CHANNELS * math.ceil(side / 128) ** 2
        widths = {"table": (features, 256, 256, 2 * points), "lite": (features, 64, 2 * points)}[
            head
        ]
        self.head = make_mlp(widths, nn.ReLU)

    def forward(self, x: Tensor) -> Tensor:
        """Regress (n, 3, side, side) to shape offsets (n, 2 * points)."""
        return self.head(self.trunk(x))


class GlobalReinit(nn.Module):
    """Localisation net R1: 128-px box crop → θ_g (n, 2, 3).

    From the normalised face to the box crop.
    """

    def __init__(self) -> None:
        super().__init__()
        channels = (3, 8, 16, 16, 56, 96)
        layers: list[nn.Module] = []
        for inputs, outputs in itertools.pairwise(channels):
            layers += [nn.Conv2d(inputs, outputs, 3, 2, 1), nn.PReLU()]
        self.convs = nn.Sequential(*layers, nn.Flatten())
        self.fc = nn.Sequential(nn.Linear(1536, 128), nn.PReLU(), nn.Linear(128, 6))
        start_at_identity(self.fc[-1])

    def forward(self, x: Tensor) -> Tensor:
        """Estimate θ_g (n, 2, 3) from (n, 3, 128, 128)."""
        return self.fc(self.convs(x)).view(-1, 2, 3)


class BasicBlock(nn.Module):
    """Residual block of two 3x3 convolutions with a 1x1 projection where the shape changes."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *_conv_bn(inputs, outputs, 3, stride),
            nn.ReLU(inplace=True),
            *_conv_bn(outputs, outputs, 3),
        )
        self.skip: nn.Module = nn.Identity()
        if stride > 1 or inputs != outputs:
            projection = PointwiseConv2d(inputs, outputs, stride)
            self.skip = nn.Sequential(projection, BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        """Transform (n, inputs, h, w) to (n, outputs, h / stride, w / stride)."""
        return torch.relu(self.body(x) + self.skip(x))


class LocalReinit(nn.Module):
    """Three fully connected layers: the part's points from the global stage → θ_l (n, 2, 3)."""

    def __init__(self, points: int) -> None:
        super().__init__()
        self.fc = make_mlp((2 * points, 256, 256, 6), nn.PReLU)
        start_at_identity(self.fc[-1])

    def forward(self, shape: Tensor) -> Tensor:
        """Estimate θ_l (n, 2, 3) from points (n, k, 2).

        It takes places of the part's patch to the normalised face.
        """
        return self.fc(shape.flatten(1)).view(-1, 2, 3)


class LocalRegression(nn.Module):
    """Reconstruction R2: six residual blocks on a part's 64-px patch → offsets of its points."""

    def __init__(self, points: int) -> None:
        super().__init__()
        layers: list[nn.Module] = [*_conv_bn(3, 4, 3, 2), nn.ReLU(inplace=True)]
        channels = 4
        for outputs, stride in ((8, 2), (16, 2), (32, 2), (64, 2), (64, 2), (64, 1)):
            layers.append(BasicBlock(channels, outputs, stride))
            channels = outputs
        self.trunk = nn.Sequential(*layers, nn.Flatten())
        self.head = make_mlp((64, 64, 2 * points), nn.ReLU)

    def forward(self, patch: Tensor) -> Tensor:
        """Regress (n, 3, 64, 64) to shape offsets (n, 2 * points)."""
        return self.head(self.trunk(patch))


def make_mlp(widths: tuple[int, ...], activation: type[nn.Module]) -> nn.Sequential:
    """Chain fully connected layers of the given widths, an activation between them."""
    layers: list[nn.Module] = []
    for inputs, outputs in itertools.pairwise(widths):
        layers += [nn.Linear(inputs, outputs), activation()]
    return nn.Sequential(*layers[:-1])


def start_at_identity(layer: nn.Module) -> None:
    """Begin a localisation net at the identity map, whatever its input."""
    assert isinstance(layer, nn.Linear)
    nn.init.zeros_(layer.weight)
    with torch.no_grad():
        layer.bias.copy_(torch.tensor([1.0, 0, 0, 0, 1, 0]))
