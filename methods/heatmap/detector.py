"""The network: a residual trunk, a decoder that adds up its levels, and one of two heads.

No paper: the parts are those that most detectors of today share (residual blocks, a feature
pyramid, integral heat maps after Sun et al., "Integral Human Pose Regression", ECCV 2018).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from benchbox.training.integral_network import Decoder, IntegralHead, Trunk, trunk_widths
from benchbox.types import Layout

_FC_SIDE = 4  # cells, each way, that the fully connected head sees


class FullyConnectedHead(nn.Module):
    """Two fully connected layers on the coarsest level, as offsets from the mean shape.

    Leaky: with a plain ReLU and a high rate every unit died in a trial and nothing was learned.
    """

    def __init__(self, width: int, points: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.AdaptiveAvgPool2d(_FC_SIDE),
            nn.Flatten(),
            nn.Linear(width * _FC_SIDE**2, 256),
            nn.LeakyReLU(0.1),
            nn.Linear(256, 2 * points),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Transform (n, width, h, w) to offsets (n, K, 2) of the frame [-1, 1]²."""
        with torch.autocast(x.device.type, enabled=False):
            offsets: Tensor = self.layers(x.float())
            return offsets.view(len(x), -1, 2)


class HeatmapDetector(nn.Module):
    """Trunk and head; the shape and the box that a second look starts from."""

    def __init__(self, points: int, params: Mapping[str, Any]) -> None:
        super().__init__()
        width = int(params["width"])
        widths = trunk_widths(width)
        self.trunk = Trunk(widths)
        self.decoder: Decoder | None = None
        self.head: nn.Module
        if params["head"] == "integral":
            self.decoder = Decoder(widths[1:], width)
            self.head = IntegralHead(width, points)
        else:
            self.head = FullyConnectedHead(widths[-1], points)
        self.register_buffer("mean", torch.zeros(points, 2))  # of the training shapes, in a view
        self.register_buffer("box", torch.zeros(3))  # how views lie about shapes: `typical_box`

    def forward(self, view: Tensor) -> Tensor:
        """Find points (n, K, 2) of the frame [-1, 1]² in views (n, 3, side, side)."""
        levels = self.trunk(view)
        if self.decoder is None:
            mean: Tensor = self.get_buffer("mean")
            return mean + self.head(levels[-1])
        found: Tensor = self.head(self.decoder(levels))
        return found


def list_networks(
    params: Mapping[str, Any], layout: Layout
) -> Mapping[str, tuple[nn.Module, tuple[Tensor, ...]]]:
    """List the network once per run of a prediction: each look, and each mirrored one."""
    network = HeatmapDetector(layout.count, params).eval()
    view = torch.zeros(1, 3, params["side"], params["side"])
    listed = {}
    for look in range(1, params["looks"] + 1):
        listed[f"look {look}"] = (network, (view,))
        if params["mirror"]:
            listed[f"look {look}, mirrored"] = (network, (view,))
    return listed
