"""The network: a residual trunk that sees the face, one that sees both eyes, two layers.

No paper: the parts are those that most networks of today share.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from benchbox.training.integral_network import Trunk, trunk_widths

_CELLS = 2  # of the coarsest level, each way, that the layers see
_LEVELS = 4  # of the trunk's widths: strides 2 to 16
_FLAT = 1e-3  # deviation of a patch, of a range of 2, below which it is one colour

Patches = tuple[Tensor, ...]  # one (n, 3, height, width) of the face, or three: face, left, right


class PlainGaze(nn.Module):
    """Answers two axes; the right eye is mirrored, so that one trunk learns what eyes look like."""

    def __init__(self, sources: int, width: int, hidden: int, dropout: float) -> None:
        super().__init__()
        widths = trunk_widths(width)[:_LEVELS]
        self.face = Trunk(widths)
        self.eye: Trunk | None = None
        if sources == 3:
            self.eye = Trunk(widths)
        self.pool = nn.Sequential(nn.AdaptiveAvgPool2d(_CELLS), nn.Flatten())
        self.layers = nn.Sequential(
            nn.Linear(sources * widths[-1] * _CELLS**2, hidden),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(hidden, 2),
        )
        self.register_buffer("mean", torch.zeros(2))  # of the training axes, cm or degrees
        self.register_buffer("deviation", torch.ones(()))

    def forward(self, *patches: Tensor) -> Tensor:
        """Answer axes (n, 2), cm or degrees, of patches (n, 3, height, width) in [-1, 1]."""
        seen = [self.pool(self.face(_standardise(patches[0]))[-1])]
        if self.eye is not None:
            left, right = _standardise(patches[1]), _standardise(patches[2]).flip(3)
            eyes = self.pool(self.eye(torch.cat([left, right]))[-1])
            seen += [*eyes.chunk(2)]
        with torch.autocast(patches[0].device.type, enabled=False):
            found: Tensor = self.layers(torch.cat(seen, dim=1).float())
            mean, deviation = self.get_buffer("mean"), self.get_buffer("deviation")
            return mean + deviation * found


def _standardise(patch: Tensor) -> Tensor:
    """Return each patch with mean 0 and deviation 1: neither light nor gain is gaze."""
    mean = patch.mean(dim=(1, 2, 3), keepdim=True)
    deviation = patch.std(dim=(1, 2, 3), keepdim=True).clamp_min(_FLAT)
    return (patch - mean) / deviation


def mirror_patches(patches: Patches, which: Tensor | None = None) -> Patches:
    """Mirror samples: every patch is flipped, and the eyes change places.

    `which` (n,) chooses the samples; None: all.
    """
    mirrored = [patch.flip(3) for patch in patches]
    if len(mirrored) == 3:
        mirrored[1], mirrored[2] = mirrored[2], mirrored[1]
    if which is None:
        return tuple(mirrored)
    here = which[:, None, None, None]
    return tuple(
        torch.where(here, other, patch) for other, patch in zip(mirrored, patches, strict=True)
    )


def mirror_axes(task: str, axes: Tensor) -> Tensor:
    """Return what axes (n, 2) are in a mirror: x of a point in cm, yaw of (pitch, yaw), turned.

    >>> mirror_axes("gaze2d", torch.tensor([[2.0, -3.0]])).tolist()
    [[-2.0, -3.0]]
    >>> mirror_axes("gaze3d", torch.tensor([[2.0, -3.0]])).tolist()
    [[2.0, 3.0]]
    """
    turned = [-1.0, 1.0] if task == "gaze2d" else [1.0, -1.0]
    return axes * axes.new_tensor(turned)


def list_networks(params: Mapping[str, Any]) -> dict[str, tuple[nn.Module, Patches]]:
    """List the network of three patches, once for each look, with inputs of batch 1."""
    network = PlainGaze(3, params["width"], params["hidden"], params["dropout"]).eval()
    patches = (torch.zeros(1, 3, params["side"], params["side"]),) * 3
    listed = {"look": (network, patches)}
    if params["mirror"]:
        listed["look, mirrored"] = (network, patches)
    return listed
