"""GSR as its authors released it in 2021 (98 points).

Their networks, and predicting in their frames.

The released networks differ from the paper's tables, and so does the path of a picture, which must
be followed to a fraction of a pixel or their weights see something else than they learned:

1. the box, already enlarged, goes to 128x128 px by the affine map of its corners, edges on pixel
   centres 0 and 127;
2. pixels in BGR order, in [-1, 1];
3. the localisation net answers a map from that crop forward to the normalised face, its shift in
   units of 128 px;
4. the normalised face of 256 px is sampled from the picture itself, not from the crop;
5. points are (out / 2 + mean) 256 px there, x and y interleaved, and return through the inverse
   map.

Outside the picture is black. Under `--set weights=scratch` the same networks are trained by this
method's own recipe, in its own frames.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from benchbox import geometry
from benchbox.errors import DataError
from benchbox.file_readers.numpy_files import read_npy
from benchbox.training.batch_norm import BatchNorm2d
from benchbox.training.pretrained import read_pretrained
from benchbox.types import Sample

from .model import SMALL_LAST_STAGE, SMALL_STAGES, STEM_CHANNELS, TRUNK_CHANNELS, start_at_identity

CROP_SIDE, FACE_SIDE = 128, 256
REINIT, REGRESSION = "{}_points_global_reinit.pth.tar", "{}_points_global_regress.pth.tar"
MEAN_FACE = "mean_{}_face.npy"


class ReleaseReinit(nn.Module):
    """The released localisation net: 128-px crop → 2x3 numbers."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        inputs = 3
        for outputs, kernel, stride, pool in (
            (8, 5, 2, True),
            (16, 3, 1, False),
            (16, 3, 1, True),
            (32, 3, 1, False),
            (32, 3, 1, True),
            (64, 3, 1, False),
        ):
            layers.append(nn.Conv2d(inputs, outputs, kernel, stride))
            layers += [nn.MaxPool2d(2), nn.PReLU()] if pool else [nn.PReLU()]
            inputs = outputs
        self.localization = nn.Sequential(*layers)
        self.fc_loc = nn.Sequential(nn.Linear(256, 32), nn.PReLU(), nn.Linear(32, 6))
        start_at_identity(self.fc_loc[-1])

    def forward(self, x: Tensor) -> Tensor:
        """Estimate a map (n, 2, 3) from (n, 3, 128, 128)."""
        return self.fc_loc(self.localization(x).flatten(1)).view(-1, 2, 3)


class _InvertedResidual(nn.Module):
    """Inverted residual; without expansion at t = 1."""

    def __init__(self, inputs: int, outputs: int, expansion: int, stride: int) -> None:
        super().__init__()
        hidden = inputs * expansion
        self.residual = stride == 1 and inputs == outputs
        layers: list[nn.Module] = []
        if expansion > 1:
            layers += [
                nn.Conv2d(inputs, hidden, 1, bias=False),
                BatchNorm2d(hidden),
                nn.ReLU(inplace=True),
            ]
        depthwise = nn.Conv2d(hidden, hidden, 3, stride, 1, groups=hidden, bias=False)
        layers += [depthwise, BatchNorm2d(hidden), nn.ReLU(inplace=True)]
        self.conv = nn.Sequential(
            *layers, nn.Conv2d(hidden, outputs, 1, bias=False), BatchNorm2d(outputs)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Transform (n, inputs, h, w) to (n, outputs, h / stride, w / stride)."""
        return x + self.conv(x) if self.residual else self.conv(x)


class ReleaseBackbone(nn.Module):
    """The released regression net: the trunk of Table 2, then FC 256-256-2n with PReLU."""

    def __init__(self, points: int, side: int = FACE_SIDE) -> None:
        super().__init__()
        layers = [_conv_bn_relu(3, STEM_CHANNELS, 3, 2)]
        channels = STEM_CHANNELS
        for expansion, outputs, repeats, stride in (*SMALL_STAGES, SMALL_LAST_STAGE):
            for repeat in range(repeats):
                layers.append(
                    _InvertedResidual(channels, outputs, expansion, stride if repeat == 0 else 1)
                )
                channels = outputs
        self.features = nn.Sequential(*layers, _conv_bn_relu(channels, TRUNK_CHANNELS, 1, 1))
        seen = TRUNK_CHANNELS * math.ceil(side / 128) ** 2
        self.pts_net = nn.Sequential(
            *[
                nn.Linear(seen, 256),
                nn.PReLU(),
                nn.Linear(256, 256),
                nn.PReLU(),
                nn.Linear(256, 2 * points),
            ]
        )

    def forward(self, x: Tensor) -> Tensor:
        """Regress (n, 3, side, side) to (n, 2 * points)."""
        return self.pts_net(self.features(x).flatten(1))


def _conv_bn_relu(inputs: int, outputs: int, kernel: int, stride: int) -> nn.Sequential:
    conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
    return nn.Sequential(conv, BatchNorm2d(outputs), nn.ReLU(inplace=True))


class ReleasedDetector(nn.Module):
    """The released system: both networks and the mean face.

    The mean face is (points, 2) in units of the normalised face.
    """

    def __init__(self, points: int) -> None:
        super().__init__()
        self.reinit, self.backbone = ReleaseReinit(), ReleaseBackbone(points)
        self.register_buffer("mean", torch.zeros(points, 2))

    def load_published(self, folder: Path) -> None:
        """Load the authors' files.

        Raises DataError naming the file that is missing or of another network.
        """
        points = len(self.mean)
        for part, name in ((self.reinit, REINIT), (self.backbone, REGRESSION)):
            path = folder / name.format(points)
            try:
                part.load_state_dict(read_pretrained(path))
            except RuntimeError as fault:
                raise DataError(
                    f"{path}: weights of another network ({str(fault).splitlines()[-1].strip()})"
                ) from None
        self.mean.copy_(_mean_face(folder / MEAN_FACE.format(points), points))

    @torch.inference_mode()
    def locate(self, samples: Sequence[Sample], device: str) -> np.ndarray:
        """Return points (n, K, 2) px of the pictures."""
        pictures = [sample.pixels()[:, :, ::-1] for sample in samples]  # BGR
        to_crop = corner_maps(np.stack([sample.box for sample in samples]))
        theta = (
            self.reinit(_warp_inputs(pictures, to_crop, CROP_SIDE, device)).double().cpu().numpy()
        )
        theta[:, :, 2] *= CROP_SIDE
        to_face = geometry.compose_maps(theta * (FACE_SIDE / CROP_SIDE), to_crop)
        out = self.backbone(_warp_inputs(pictures, to_face, FACE_SIDE, device)).view(
            len(samples), -1, 2
        )
        points = (out.double() / 2 + self.mean.double()) * FACE_SIDE
        return geometry.transform_points(geometry.invert_maps(to_face), points.cpu().numpy())


def corner_maps(boxes: np.ndarray) -> np.ndarray:
    """Return the maps (n, 2, 3) from boxes (n, 4) to the 128-px crop, by three corners.

    They go to pixels (0, 0), (0, 127) and (127, 0).
    """
    scale = (CROP_SIDE - 1) / (boxes[:, 2:] - boxes[:, :2])
    zero = np.zeros(len(boxes))
    x = np.stack([scale[:, 0], zero, -scale[:, 0] * boxes[:, 0]], axis=-1)
    y = np.stack([zero, scale[:, 1], -scale[:, 1] * boxes[:, 1]], axis=-1)
    return np.stack([x, y], axis=1)


def _warp_inputs(
    pictures: Sequence[np.ndarray], maps: np.ndarray, side: int, device: str
) -> Tensor:
    """Warp BGR pictures through maps picture → view, bilinear, black outside.

    (n, 3, side, side) in [-1, 1].
    """
    views = [
        cv2.warpAffine(picture, matrix, (side, side), flags=cv2.INTER_LINEAR)
        for picture, matrix in zip(pictures, maps, strict=True)
    ]
    batch = torch.from_numpy(np.stack(views)).to(device).permute(0, 3, 1, 2)
    return batch.float().div(255).sub(0.5).div(0.5)


def _mean_face(path: Path, points: int) -> Tensor:
    mean = read_npy(path)
    if mean.dtype.kind != "f" or mean.size != 2 * points or not np.isfinite(mean).all():
        raise DataError(f"{path}: {mean.shape} is no mean face of {points} points")
    return torch.from_numpy(mean.reshape(points, 2)).float()
