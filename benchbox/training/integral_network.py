"""Networks that find landmarks by integral heat maps: residual trunk, decoder, head.

The parts that most detectors of today share. A heat map has a cell for 4 x 4 px of the view; the
head reads it by its centre of mass
(Sun et al., "Integral Human Pose Regression", ECCV 2018). Methods put them together.
"""

from __future__ import annotations

import itertools

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .pointwise_conv import PointwiseConv2d

# Channels of the trunk's levels, at strides 2, 4, 8, 16 and 32, as shares of the decoder's.
_TRUNK_SHARES = (1 / 3, 2 / 3, 4 / 3, 8 / 3, 4.0)


def trunk_widths(width: int) -> tuple[int, ...]:
    """Return the channels of the trunk's five levels for a decoder of `width` channels.

    >>> trunk_widths(48)
    (16, 32, 64, 128, 192)
    """
    return tuple(round(share * width) for share in _TRUNK_SHARES)


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions of stride 2 and 1 beside a 1x1 projection."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, 2, 1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
            nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False),
            nn.BatchNorm2d(outputs),
        )
        self.skip = nn.Sequential(PointwiseConv2d(inputs, outputs, 2), nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        """Transform (n, inputs, h, w) to (n, outputs, h / 2, w / 2)."""
        return torch.relu(self.body(x) + self.skip(x))


class Trunk(nn.Module):
    """Levels of a picture: maps at strides 4, 8, 16 and 32."""

    def __init__(self, widths: tuple[int, ...]) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, widths[0], 3, 2, 1, bias=False),
            nn.BatchNorm2d(widths[0]),
            nn.ReLU(inplace=True),
        )
        pairs = itertools.pairwise(widths)
        self.levels = nn.ModuleList(ResidualBlock(before, after) for before, after in pairs)

    def forward(self, x: Tensor) -> list[Tensor]:
        """Transform (n, 3, side, side) to the maps of all levels, finest first."""
        x = self.stem(x)
        found = []
        for level in self.levels:
            x = level(x)
            found.append(x)
        return found


class Decoder(nn.Module):
    """Add the levels up from the coarsest to the finest, all of one width."""

    def __init__(self, widths: tuple[int, ...], width: int) -> None:
        super().__init__()
        self.sides = nn.ModuleList(nn.Conv2d(level, width, 1) for level in widths)
        self.smooth = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(width, width, 3, 1, 1, bias=False),
                nn.BatchNorm2d(width),
                nn.ReLU(inplace=True),
            )
            for _ in widths[:-1]
        )

    def forward(self, levels: list[Tensor]) -> Tensor:
        """Transform the levels to (n, width, side / 4, side / 4)."""
        x: Tensor = self.sides[-1](levels[-1])
        for level, side, smooth in zip(
            reversed(levels[:-1]), reversed(self.sides[:-1]), reversed(self.smooth), strict=True
        ):
            x = smooth(F.interpolate(x, size=level.shape[2:], mode="nearest") + side(level))
        return x


class IntegralHead(nn.Module):
    """One heat map per point, read by its centre of mass."""

    def __init__(self, width: int, points: int) -> None:
        super().__init__()
        self.maps = nn.Conv2d(width, points, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Transform (n, width, h, w) to points (n, K, 2) of the frame [-1, 1]²."""
        # In low precision the masses of a flat map would not add up to one.
        with torch.autocast(x.device.type, enabled=False):
            logits = self.maps(x.float())
            height, width = logits.shape[2:]
            mass = logits.flatten(2).softmax(dim=2).view_as(logits)
            across = (mass.sum(dim=2) * _cell_centres(width, mass)).sum(dim=2)
            down = (mass.sum(dim=3) * _cell_centres(height, mass)).sum(dim=2)
            return torch.stack([across, down], dim=2)


def _cell_centres(count: int, like: Tensor) -> Tensor:
    """Return the centres (count,) of cells that share [-1, 1] out.

    >>> _cell_centres(4, torch.zeros(1))
    tensor([-0.7500, -0.2500,  0.2500,  0.7500])
    """
    return (torch.arange(count, device=like.device, dtype=like.dtype) + 0.5) * (2 / count) - 1
