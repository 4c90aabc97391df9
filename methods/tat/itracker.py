"""iTracker, the network that Table 1 compares with.

At its own resolution and with its own face grid.

Source: Krafka et al., "Eye Tracking for Everyone" (CVPR 2016), in the layers of the public PyTorch
definition: both eyes share their convolutions, 224-px patches, 6,286,274 parameters.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn

from benchbox.errors import DataError
from benchbox.types import Sample

SIDE_PX = 224
GRID_CELLS = 25


class AlexNetTrunk(nn.Module):
    """AlexNet's first layers on a 224-px patch → (n, 9216)."""

    def __init__(self) -> None:
        super().__init__()
        norm = {"size": 5, "alpha": 0.0001, "beta": 0.75, "k": 1.0}
        self.layers = nn.Sequential(
            nn.Conv2d(3, 96, 11, stride=4), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2),
            nn.LocalResponseNorm(**norm),
            nn.Conv2d(96, 256, 5, padding=2, groups=2), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2),
            nn.LocalResponseNorm(**norm),
            nn.Conv2d(256, 384, 3, padding=1), nn.ReLU(inplace=True),
            nn.Conv2d(384, 64, 1), nn.ReLU(inplace=True), nn.Flatten(),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        """Describe patches (n, 3, 224, 224) by (n, 9216)."""
        return self.layers(x)


def _fc_layers(*widths: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(widths):
        layers += [nn.Linear(inputs, outputs), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers)


class ITracker(nn.Module):
    """Face, left eye, right eye (n, 3, 224, 224) and face grid (n, 625) → `outputs` numbers."""

    def __init__(self, outputs: int = 2) -> None:
        super().__init__()
        self.eye, self.face = AlexNetTrunk(), AlexNetTrunk()
        self.eyes_fc = _fc_layers(2 * 9216, 128)
        self.face_fc = _fc_layers(9216, 128, 64)
        self.grid_fc = _fc_layers(GRID_CELLS * GRID_CELLS, 256, 128)
        self.head = nn.Sequential(*_fc_layers(128 + 64 + 128, 128), nn.Linear(128, outputs))

    def forward(self, face: Tensor, left: Tensor, right: Tensor, grid: Tensor) -> Tensor:
        """Return (n, outputs)."""
        eyes = self.eyes_fc(torch.cat([self.eye(left), self.eye(right)], dim=1))
        return self.head(
            torch.cat([eyes, self.face_fc(self.face(face)), self.grid_fc(grid)], dim=1)
        )


class FacePath(nn.Module):
    """The face path of iTracker alone, for data of one patch and no grid.

    (n, 3, 224, 224) → `outputs` numbers.
    """

    def __init__(self, outputs: int = 2) -> None:
        super().__init__()
        self.face, self.face_fc = AlexNetTrunk(), _fc_layers(9216, 128, 64)
        self.head = nn.Sequential(*_fc_layers(64, 128), nn.Linear(128, outputs))

    def forward(self, face: Tensor) -> Tensor:
        """Return (n, outputs)."""
        return self.head(self.face_fc(self.face(face)))


def face_grid(samples: Sequence[Sample]) -> np.ndarray:
    """Mark the cells that the face covers of a 25 x 25 grid over the picture.

    By `meta["face_grid"]`; (n, 625) float32.

    GazeCapture's four numbers are x, y, width and height in cells, the first cell is 1; rows of the
    result are y. Raises DataError for a sample without them.
    """
    cells = np.zeros((len(samples), GRID_CELLS, GRID_CELLS), np.float32)
    for place, sample in zip(cells, samples, strict=True):
        if "face_grid" not in sample.meta:
            raise DataError(
                f"{sample.id}: no face grid in meta; "
                "itracker needs where in the picture the face is"
            )
        x, y, width, height = (int(number) for number in np.rint(sample.meta["face_grid"]))
        place[max(y - 1, 0) : max(y - 1 + height, 0), max(x - 1, 0) : max(x - 1 + width, 0)] = 1
    return cells.reshape(len(samples), -1)
