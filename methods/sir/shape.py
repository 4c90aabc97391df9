"""The shape model of SIR: Procrustes PCA for the shape, a similarity for the pose (equation 3).

    θ(S) = f R_β (mean + Σ α_i axis_i) + centre + unit t,   S = (α_1 … α_m, t_x, t_y, β, log f)

All shapes live in the [-1, 1]² frame of the box. α_i counts standard deviations of its axis, t
radii (root mean square) of the mean face or sides of the box, β radians; f is relative, so its
logarithm is kept: it can then never turn negative. S = 0 is the mean face of the training boxes.

One σ serves "each dimension of S", and the paper names no unit. By `shape_unit` it counts, for
every entry, standard deviations over the training shapes (`sd`), or the units above with t in
radii (`face`) or sides (`box`). In radii, σ = 0.2 is 2.4 standard deviations of log f and 0.2 of α.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from benchbox import geometry
from benchbox.errors import PluginError

Floats = npt.NDArray[np.float64]

POSE_SIZE = 4  # t_x, t_y, β, log f
BOX_SIDE = 2.0  # of [-1, 1]²
_ROUNDS = 20
_LEAST_VARIANCE = 1e-12  # variance below which a direction is rounding, not shape


@dataclass(frozen=True, eq=False)
class ShapeModel:
    """`mean` (K, 2) about the origin, `axes` (m, K, 2) of one standard deviation each.

    `centre` (2,) of the faces, `unit` how far t = 1 moves a shape, `spread` (m + 4,) what σ = 1 is
    in each entry of S.
    """

    mean: Floats
    axes: Floats
    centre: Floats
    unit: float
    spread: Floats

    @staticmethod
    def fit(shapes: Floats, variance: float, shape_unit: str = "face") -> ShapeModel:
        """Fit to shapes (N, K, 2) with the fewest axes that explain a share of the variance.

        `shape_unit` is what σ counts: sd (standard deviations of every entry), face (t in radii of
        the mean face) or box (t in sides of the box); raises PluginError for another.
        """
        mean = shapes.mean(axis=0)
        centre, mean = mean.mean(axis=0), mean - mean.mean(axis=0)
        size = np.exp(np.log(_rms_radii(shapes)).mean())
        for _ in range(_ROUNDS):
            mean = mean * size / _rms_radii(mean)
            mean = mean + _residuals(shapes, mean).mean(axis=0)
        residuals = _residuals(shapes, mean).reshape(len(shapes), -1)
        _, scales, directions = np.linalg.svd(residuals, full_matrices=False)
        power = scales**2 / len(shapes)
        kept = int(np.searchsorted(np.cumsum(power), variance * power.sum())) + 1
        kept = min(kept, int((power > _LEAST_VARIANCE).sum()))
        axes = directions[:kept] * np.sqrt(power[:kept, None])
        radius = float(_rms_radii(mean))
        units = {"sd": radius, "face": radius, "box": BOX_SIDE}
        if shape_unit not in units:
            raise PluginError(f"shape_unit = {shape_unit!r}: must be {' or '.join(units)}")
        axes = axes.reshape(kept, *mean.shape)
        model = ShapeModel(mean, axes, centre, units[shape_unit], np.ones(kept + POSE_SIZE))
        if shape_unit != "sd":
            return model
        return replace(model, spread=model.parameters(shapes).std(axis=0))

    @property
    def size(self) -> int:
        """Count the entries of S."""
        return len(self.axes) + POSE_SIZE

    def shapes(self, parameters: Floats) -> Floats:
        """Return θ(S) (n, K, 2) of parameters (n, size)."""
        alpha, shift, beta, log_f = np.split(parameters, np.cumsum([len(self.axes), 2, 1]), axis=1)
        upright = self.mean + np.tensordot(alpha, self.axes, axes=1)
        cos, sin = (np.exp(log_f) * turn(beta) for turn in (np.cos, np.sin))
        x, y = upright[..., 0], upright[..., 1]
        turned = np.stack([cos * x - sin * y, sin * x + cos * y], axis=-1)
        return turned + self.centre + self.unit * shift[:, None]

    def parameters(self, shapes: Floats) -> Floats:
        """Return S (n, size) of shapes (n, K, 2), least squares.

        What the axes do not span is left out.
        """
        pose = geometry.fit_similarity(np.broadcast_to(self.mean, shapes.shape), shapes)
        residuals = (
            geometry.transform_points(geometry.invert_maps(pose), shapes) - self.mean
        ).reshape(len(shapes), -1)
        axes = self.axes.reshape(len(self.axes), -1)
        alpha = residuals @ axes.T / (axes**2).sum(axis=1)
        shift = (pose[:, :, 2] - self.centre) / self.unit
        beta = np.arctan2(pose[:, 1, 0], pose[:, 0, 0])
        log_f = np.log(np.hypot(pose[:, 0, 0], pose[:, 1, 0]))
        return np.concatenate([alpha, shift, beta[:, None], log_f[:, None]], axis=1)

    def sample(
        self, shapes: Floats, sigma: float, around_truth: float, rng: np.random.Generator
    ) -> Floats:
        """Draw one θ (n, K, 2) per true shape from N(S_gt, σ).

        With probability `around_truth`, or N(S_0, σ).
        """
        centred = self.parameters(shapes) * (rng.random((len(shapes), 1)) < around_truth)
        noise = sigma * self.spread * rng.standard_normal((len(shapes), self.size))
        return self.shapes(centred + noise)


def _rms_radii(shapes: Floats) -> Floats:
    """Return the root mean square distances (…) of points from their centre."""
    centred = shapes - shapes.mean(axis=-2, keepdims=True)
    return np.sqrt((centred**2).sum(axis=-1).mean(axis=-1))


def _residuals(shapes: Floats, mean: Floats) -> Floats:
    """Return what is left of shapes (N, K, 2) in the frame of the mean after the best similarity.

    Each is orthogonal to every similarity of the mean, and so are the axes: pose and shape never
    mix.
    """
    pose = geometry.fit_similarity(np.broadcast_to(mean, shapes.shape), shapes)
    return geometry.transform_points(geometry.invert_maps(pose), shapes) - mean
