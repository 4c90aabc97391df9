"""Augmentation drawn on the host from one seed per sample and applied in batches.

On bytes or on tensors.

What happens to a sample follows from its seed alone: not from its neighbours, the batch size, the
order or the device. A CPU retouches uint8 views, a GPU float ones, with the same kernels and the
same rectangles; the results differ by the rounding of bytes. The order is: affine map, blur, hole,
normalisation, colour.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from benchbox import geometry

from .host_to_device import upload_array

if TYPE_CHECKING:
    import numpy.typing as npt

    from benchbox.types import Bools, Bytes, Floats

    SampleSeeds = npt.NDArray[np.uint64]

_HOLE_SIDES = (0.1, 0.4)  # sides of a hole, as shares of the view's


def sample_seeds(seed: int, epoch: int, rows: np.ndarray) -> SampleSeeds:
    """Return one seed per sample (n,), of the run's seed, the epoch and the sample's row.

    `epoch` may be any other number that tells passes apart. A seed depends on no neighbour:

    >>> both = sample_seeds(0, 3, np.array([7, 8]))
    >>> alone = sample_seeds(0, 3, np.array([8]))
    >>> bool(both[1] == alone[0])
    True
    """
    start = np.array([seed, epoch], np.uint64)
    return _mix_bits(_mix_bits(_mix_bits(start[:1]) + start[1:]) + np.asarray(rows, np.uint64))


def draw_uniforms(given: SampleSeeds, count: int) -> Floats:
    """Return `count` numbers of [0, 1) per seed, (n, count).

    SplitMix64, each at its place in the seed's sequence.
    """
    steps = np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    return (_mix_bits(given[:, None] + steps) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def _mix_bits(z: SampleSeeds) -> SampleSeeds:
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@dataclass(frozen=True)
class Augmentation:
    """How far each change may go; 0, the default, is never.

    Uniform and symmetric unless said otherwise.
    """

    rotation_deg: float = 0.0
    scale: float = 0.0  # share of the side
    shift: float = 0.0  # share of the side, per axis
    flip: float = 0.0  # probability
    gain: float = 0.0  # share of the range; common to the channels, half as much again for each
    offset: float = 0.0  # share of half the range
    blur: float = 0.0  # probability
    blur_px: float = 1.5  # largest standard deviation
    hole: float = 0.0  # probability of a flat rectangle in a colour of its own

    def draw(self, given: SampleSeeds) -> AugmentationDraw:
        """Draw what happens to the samples of the given seeds (n,)."""
        u = draw_uniforms(given, 19)
        s = 2 * u - 1
        angle, size = np.deg2rad(self.rotation_deg * s[:, 0]), 1 + self.scale * s[:, 1]
        mirrored = u[:, 4] < self.flip
        cos, sin, sign = np.cos(angle) * size, np.sin(angle) * size, np.where(mirrored, -1.0, 1.0)
        shift = 2 * self.shift * s[:, 2:4]  # a side is 2 long
        maps = np.stack(
            [
                np.stack([cos * sign, -sin, shift[:, 0]], -1),
                np.stack([sin * sign, cos, shift[:, 1]], -1),
            ],
            1,
        )
        gain = 1 + self.gain * (s[:, 5:6] + 0.5 * s[:, 6:9])
        colour = np.stack([gain, np.repeat(self.offset * s[:, 9:10], 3, axis=1)], axis=1)
        sigma = np.where(u[:, 10] < self.blur, self.blur_px * u[:, 11], 0.0)
        sides = _HOLE_SIDES[0] + (_HOLE_SIDES[1] - _HOLE_SIDES[0]) * u[:, 13:15]
        corner = (1 - sides) * np.stack([u[:, 15], u[:, 16]], 1)
        holes = np.where(
            u[:, 12:13] < self.hole, np.concatenate([corner, corner + sides], axis=1), 0.0
        )
        paint = np.floor(256 * draw_uniforms(given ^ np.uint64(1 << 63), 3))
        return AugmentationDraw(
            maps, mirrored, colour, sigma, holes, paint, self.blur_px if self.blur else 0.0
        )


@dataclass(frozen=True, eq=False)
class AugmentationDraw:
    """What happens to n samples: affine map, mirroring, colour, blur, hole.

    A `crops.Retouch` of their views.
    """

    maps: Floats  # (n, 2, 3) from the view to the frame it is drawn around, both [-1, 1]²
    mirrored: Bools  # (n,)
    colours: Floats  # (n, 2, 3) gain and offset per channel, of [-1, 1] values
    sigma_px: Floats  # (n,) of the blur, 0: none
    holes: Floats  # (n, 4) corners as shares of the view, all 0: none
    paint: Floats  # (n, 3) colour of the hole, 0 … 255
    largest_px: float  # that sigma may be: fixes the kernels' width

    def points(self, points: Floats, flip: tuple[int, ...]) -> Floats:
        """Take points (n, K, 2) of the frame into the views.

        And let mirrored ones change places as `Layout.flip`.
        """
        moved = geometry.transform_points(geometry.invert_maps(self.maps), points)
        moved[self.mirrored] = moved[self.mirrored][:, list(flip)]
        return moved

    def colour(self, device: str) -> Tensor:
        """Return gain and offset (n, 2, 3) for `CropViews.sampler`."""
        return upload_array(self.colours.astype(np.float32), device)

    def on_bytes(self, row: int, view: Bytes) -> None:
        """Blur and cover view `row` (side, side, 3) in place."""
        if self.sigma_px[row]:
            kernel = self._kernels(self.sigma_px[row : row + 1])[0]
            cv2.sepFilter2D(view, -1, kernel, kernel, dst=view)
        x0, y0, x1, y1 = _hole_corners_px(self.holes[row], len(view))
        view[y0:y1, x0:x1] = self.paint[row]

    def on_tensor(self, views: Tensor) -> Tensor:
        """Blur and cover views (n, 3, side, side) of values 0 … 255."""
        count, channels, side, _ = views.shape
        device = str(views.device)
        if self.largest_px:
            kernels = upload_array(self._kernels(self.sigma_px), device).repeat_interleave(
                channels, dim=0
            )
            radius = kernels.shape[1] // 2
            wide = F.pad(
                views.reshape(1, count * channels, side, side), [radius] * 4, mode="reflect"
            )
            wide = F.conv2d(wide, kernels[:, None, :, None], groups=count * channels)
            wide = F.conv2d(wide, kernels[:, None, None, :], groups=count * channels)
            views = wide.view(count, channels, side, side)
        if self.holes.any():
            x0, y0, x1, y1 = upload_array(_hole_corners_px(self.holes, side), device)[
                :, :, None
            ].unbind(1)
            steps = torch.arange(side, device=views.device)
            across, down = (steps >= x0) & (steps < x1), (steps >= y0) & (steps < y1)
            paint = upload_array(self.paint.astype(np.float32), device)[:, :, None, None]
            views = torch.where((down[:, :, None] & across[:, None, :])[:, None], paint, views)
        return views

    def _kernels(self, sigma_px: Floats) -> npt.NDArray[np.float32]:
        """Return Gaussian kernels (n, 2r + 1) of one width.

        A sigma of 0 leaves the middle alone.
        """
        radius = math.ceil(3 * self.largest_px)
        steps = np.arange(-radius, radius + 1)
        bell = np.exp(-0.5 * (steps / np.maximum(sigma_px, 1e-3)[:, None]) ** 2)
        kernels: npt.NDArray[np.float32] = (bell / bell.sum(axis=1, keepdims=True)).astype(
            np.float32
        )
        return kernels


def _hole_corners_px(holes: Floats, side: int) -> npt.NDArray[np.int64]:
    return np.rint(holes * side).astype(np.int64)
