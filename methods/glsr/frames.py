"""The frames of G&LSR and the maps between them.

Every frame is [-1, 1]²: the stored crop, the box crop F0, the normalised face F_g, the patch of a
part. A map θ takes target points to source points, so shapes travel through its inverse (paper,
section 3.1).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from benchbox import geometry

Floats = npt.NDArray[np.float64]


def mean_shape(shapes: Floats, flip: tuple[int, ...], rounds: int = 3) -> Floats:
    """Return S_ref (K, 2): the mirror-symmetric Procrustes mean of shapes (N, K, 2).

    Its tight box on [-1, 1]².
    """
    both = np.concatenate([shapes, (shapes * [-1, 1])[:, list(flip)]])
    mean = _to_unit_box(both[0])
    for _ in range(rounds):
        mean = _to_unit_box(
            geometry.transform_points(geometry.fit_similarity(both, mean), both).mean(axis=0)
        )
    return _to_unit_box((mean + (mean * [-1, 1])[list(flip)]) / 2)


def _to_unit_box(shape: Floats) -> Floats:
    return geometry.transform_points(geometry.box_to_unit(geometry.tight_box(shape)), shape)


def box_frame(boxes: Floats, expansion: float) -> Floats:
    """Return the maps (N, 2, 3) from F0 to the frame of the boxes (N, 4).

    The enlarged square about each, upright.
    """
    return geometry.invert_maps(geometry.box_to_unit(geometry.square_boxes(boxes, expansion)))


@dataclass(frozen=True, eq=False)
class BoxErrors:
    """How boxes differ from the points' tight boxes.

    (N, 3) dx, dy in sides and log side ratio.
    """

    rows: Floats

    @staticmethod
    def measure(boxes: Floats, points: Floats) -> BoxErrors:
        """Compare squares of boxes (N, 4) with squares of the tight boxes of points (N, K, 2)."""
        given, tight = (
            geometry.square_boxes(boxes),
            geometry.square_boxes(geometry.tight_box(points)),
        )
        side = tight[:, 2] - tight[:, 0]
        shift = (given[:, :2] + given[:, 2:] - tight[:, :2] - tight[:, 2:]) / 2 / side[:, None]
        ratio = np.log((given[:, 2] - given[:, 0]) / side)
        return BoxErrors(np.concatenate([shift, ratio[:, None]], axis=1))

    @staticmethod
    def draw(count: int, shift_sd: float, scale_sd: float, rng: np.random.Generator) -> BoxErrors:
        """Draw `count` errors from normal distributions of these standard deviations."""
        return BoxErrors(rng.normal(0, [shift_sd, shift_sd, scale_sd], (count, 3)))

    def move_to(self, mean: Floats) -> BoxErrors:
        """Return the same errors about another mean (3,)."""
        return BoxErrors(self.rows - self.rows.mean(axis=0) + mean)

    def perturb(
        self,
        points: Floats,
        rng: np.random.Generator,
        rotation_deg: float,
        expansion: float,
        flip: bool,
    ) -> tuple[Floats, npt.NDArray[np.bool_]]:
        """Draw one box per face (n, K, 2): its tight box, another face's box error, and a rotation.

        Returns the maps (n, 2, 3) from F0 to the frame of the points, and which faces (n,) are
        mirrored.
        """
        count = len(points)
        tight = geometry.square_boxes(geometry.tight_box(points))
        side = tight[:, 2] - tight[:, 0]
        drawn = self.rows[rng.integers(len(self.rows), size=count)]
        centre = (tight[:, :2] + tight[:, 2:]) / 2 + drawn[:, :2] * side[:, None]
        half = side * np.exp(drawn[:, 2]) * expansion / 2
        angle = np.deg2rad(rng.uniform(-rotation_deg, rotation_deg, count))
        mirrored = rng.random(count) < (0.5 if flip else 0.0)
        sign = np.where(mirrored, -1.0, 1.0)
        cos, sin = np.cos(angle) * half, np.sin(angle) * half
        rows = [
            np.stack([cos * sign, -sin, centre[:, 0]], -1),
            np.stack([sin * sign, cos, centre[:, 1]], -1),
        ]
        return np.stack(rows, axis=1), mirrored


def transform_points(maps: Tensor, points: Tensor) -> Tensor:
    """Apply maps (n, 2, 3) to points (n, k, 2)."""
    return points @ maps[:, :, :2].transpose(1, 2) + maps[:, None, :, 2]


def compose_maps(outer: Tensor, inner: Tensor) -> Tensor:
    """Return the maps (n, 2, 3) that apply `inner` first."""
    linear = outer[:, :, :2] @ inner
    return torch.cat([linear[:, :, :2], linear[:, :, 2:] + outer[:, :, 2:]], dim=2)


def invert_maps(maps: Tensor) -> Tensor:
    """Invert maps (n, 2, 3) in closed form."""
    linear = _inverse_2x2(maps[:, :, :2])
    return torch.cat([linear, -linear @ maps[:, :, 2:]], dim=2)


def _inverse_2x2(linear: Tensor) -> Tensor:
    """Invert (n, 2, 2) in closed form.

    A solver would have a GPU's host wait to hear whether it could.
    """
    a, b, c, d = linear.flatten(1).unbind(1)
    return torch.stack([d, -b, -c, a], dim=1).view(-1, 2, 2) / (a * d - b * c).view(-1, 1, 1)


def identity_maps(count: int, like: Tensor) -> Tensor:
    """Return `count` identity maps (count, 2, 3) of the type and device of `like`."""
    return torch.eye(2, 3, dtype=like.dtype, device=like.device).expand(count, 2, 3)


def fit_affine(source: Tensor, target: Tensor) -> Tensor:
    """Fit the least-squares maps (n, 2, 3) from source points (n, k, 2) to target points (k, 2)."""
    from_centre, to_centre = source.mean(dim=1, keepdim=True), target.mean(dim=0, keepdim=True)
    spread = source - from_centre
    linear = (target - to_centre).T @ spread @ _inverse_2x2(spread.transpose(1, 2) @ spread)
    return torch.cat([linear, to_centre.T - linear @ from_centre.transpose(1, 2)], dim=2)


def supervised_theta(shapes: Tensor, reference: Tensor, margin: float = 1.0) -> Tensor:
    """Return θ* (n, 2, 3) of Algorithm 1 for shapes (n, k, 2) and a reference (k, 2).

    A is the least-squares affine map shape → reference, B takes the tight box (x `margin`) of
    A(shape) to [-1, 1]²; θ* = (B A)⁻¹ exactly, so its inverse puts the shape's tight box on the
    middle 1 / margin of the frame.
    """
    upright = fit_affine(shapes, reference)
    moved = transform_points(upright, shapes)
    low, high = moved.amin(dim=1), moved.amax(dim=1)
    half, centre = (high - low) / 2 * margin, (high + low) / 2
    to_unit = torch.cat([torch.diag_embed(1 / half), (-centre / half)[:, :, None]], dim=2)
    return invert_maps(compose_maps(to_unit, upright))


def part_box(points: Tensor, margin: float = 0.25) -> Tensor:
    """Return the maps (n, 2, 3) from the patch to the points' frame.

    An upright square about points (n, k, 2).

    Its side is the longer side of their tight box, `margin` of it added on each side.
    """
    low, high = points.amin(dim=1), points.amax(dim=1)
    half = (high - low).amax(dim=1) * (1 + 2 * margin) / 2
    zero = torch.zeros_like(half)
    centre = (low + high) / 2
    rows = [torch.stack([half, zero, centre[:, 0]], 1), torch.stack([zero, half, centre[:, 1]], 1)]
    return torch.stack(rows, dim=1)


def upright_box(shape: Tensor, eyes: tuple[int, int], expansion: float) -> Tensor:
    """Return the maps (n, 2, 3) from a square about shapes (n, K, 2).

    Turned so that the eye line is level.

    The square is `expansion` x the longer side of the turned shape's tight box: the second crop of
    B2.
    """
    line = shape[:, eyes[1]] - shape[:, eyes[0]]
    along = line / line.norm(dim=1, keepdim=True).clamp(min=1e-6)
    across = torch.stack([-along[:, 1], along[:, 0]], dim=1)
    axes = torch.stack([along, across], dim=2)  # columns: the square's own axes
    level = shape @ axes
    low, high = level.amin(dim=1), level.amax(dim=1)
    half = (high - low).amax(dim=1).view(-1, 1, 1) * expansion / 2
    centre = axes @ ((low + high) / 2)[:, :, None]
    return torch.cat([axes * half, centre], dim=2)
