"""Encoder with dilated convolutions, projection head, gaze regressor.

Chosen, since no layer of the paper is known.

3x3/2 stem, then four residual stages of `width` x 1, 2, 4, 8 channels, the side halved between
stages. A block holds three 3x3 convolutions with dilations 1, 2 and 5: pairwise coprime, so no
pixel is skipped (gridding).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from benchbox.training.pointwise_conv import PointwiseConv2d

DILATIONS = (1, 2, 5)
EMBEDDING_SIZE = 128
_HIDDEN_SIZE = 512


class DilatedBlock(nn.Module):
    """Residual block whose convolutions look ever further.

    (n, inputs, h, w) → (n, outputs, h / stride, w / stride).
    """

    def __init__(self, inputs: int, outputs: int, stride: int, *, dilated: bool) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = inputs
        for place, dilation in enumerate(DILATIONS):
            reach = dilation if dilated else 1
            step = stride if place == 0 else 1
            layers += [
                nn.Conv2d(channels, outputs, 3, step, padding=reach, dilation=reach, bias=False),
                nn.BatchNorm2d(outputs),
                nn.ReLU(inplace=True),
            ]
            channels = outputs
        self.body = nn.Sequential(*layers[:-1])
        self.skip: nn.Module = nn.Identity()
        if stride > 1 or inputs != outputs:
            projection = PointwiseConv2d(inputs, outputs, stride)
            self.skip = nn.Sequential(projection, nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        """Transform (n, inputs, h, w)."""
        return torch.relu(self.body(x) + self.skip(x))


class Encoder(nn.Module):
    """(n, 3, height, width) → (n, features): the last map averaged, or flattened."""

    def __init__(
        self, width: int, height_px: int, width_px: int, *, dilated: bool, flatten: bool
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = [
            nn.Conv2d(3, width, 3, 2, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
        ]
        channels = width
        for stage in range(4):
            outputs = width * 2**stage
            layers.append(DilatedBlock(channels, outputs, 1 if stage == 0 else 2, dilated=dilated))
            channels = outputs
        self.trunk = nn.Sequential(*layers)
        cells = math.ceil(height_px / 16) * math.ceil(width_px / 16)
        self.flatten, self.features = flatten, channels * (cells if flatten else 1)

    def forward(self, x: Tensor) -> Tensor:
        """Describe pictures (n, 3, height, width)."""
        found = self.trunk(x)
        return found.flatten(1) if self.flatten else found.mean(dim=(2, 3))


def projection_head(features: int) -> nn.Sequential:
    """Make the head that pre-training looks at and fine-tuning throws away.

    Features → 512 → 512 → 128.
    """
    return nn.Sequential(
        nn.Linear(features, _HIDDEN_SIZE), nn.BatchNorm1d(_HIDDEN_SIZE), nn.ReLU(inplace=True),
        nn.Linear(_HIDDEN_SIZE, _HIDDEN_SIZE), nn.BatchNorm1d(_HIDDEN_SIZE), nn.ReLU(inplace=True),
        nn.Linear(_HIDDEN_SIZE, EMBEDDING_SIZE),
    )  # fmt: skip


class GazeNet(nn.Module):
    """Encoder and regressor: (n, 3, height, width) → pitch and yaw (n, 2).

    In degrees about their training mean.
    """

    def __init__(
        self, width: int, height_px: int, width_px: int, dilated: bool, flatten: bool
    ) -> None:
        super().__init__()
        self.encoder = Encoder(width, height_px, width_px, dilated=dilated, flatten=flatten)
        self.regressor = nn.Sequential(
            # encoders differ in scale, and the regressor should not care
            nn.BatchNorm1d(self.encoder.features),
            nn.Linear(self.encoder.features, 128),
            nn.ReLU(inplace=True),
            nn.Linear(128, 2),
        )
        self.register_buffer("mean", torch.zeros(2))
        self.register_buffer("deviation", torch.ones(()))

    def read(self, features: Tensor) -> Tensor:
        """Turn features (n, features) into pitch and yaw (n, 2) in degrees."""
        found: Tensor = self.regressor(features) * self.deviation + self.mean
        return found

    def forward(self, x: Tensor) -> Tensor:
        """Return pitch and yaw (n, 2) in degrees."""
        return self.read(self.encoder(x))
