"""Ridge regression in closed form; what it is regularised by is chosen on people left out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg import cho_factor, cho_solve

if TYPE_CHECKING:
    from benchbox.types import Floats, Strings

    Error = Callable[[Floats, Floats], Floats]  # axes (n, 2) true and found → errors (n,)


@dataclass(frozen=True, eq=False)
class RidgeFit:
    """A linear map of features, and the error that it was chosen by."""

    mean: Floats  # (D,) of the features
    matrix: Floats  # (D, 2)
    offset: Floats  # (2,) the mean of the targets
    ridge: float
    error: float  # over training people left out, in the unit of the errors

    def answer(self, features: Floats) -> Floats:
        """Return the axes (n, 2) of features (n, D)."""
        return np.asarray((features - self.mean) @ self.matrix + self.offset)


@dataclass(frozen=True, eq=False)
class _Moments:
    """Sums over samples from which any ridge solution follows; those of parts add up."""

    count: int
    features: Floats  # (D,)
    targets: Floats  # (2,)
    gram: Floats  # (D, D)
    cross: Floats  # (D, 2)

    @classmethod
    def of(cls, features: Floats, targets: Floats) -> _Moments:
        # In float32 products take half the time; sums of parts and solutions are float64.
        narrow, wanted = features.astype(np.float32), targets.astype(np.float32)
        gram, cross = (narrow.T @ narrow).astype(float), (narrow.T @ wanted).astype(float)
        return cls(len(features), features.sum(axis=0), targets.sum(axis=0), gram, cross)

    def __add__(self, other: _Moments) -> _Moments:
        return _Moments(
            self.count + other.count,
            self.features + other.features,
            self.targets + other.targets,
            self.gram + other.gram,
            self.cross + other.cross,
        )

    def __sub__(self, other: _Moments) -> _Moments:
        return _Moments(
            self.count - other.count,
            self.features - other.features,
            self.targets - other.targets,
            self.gram - other.gram,
            self.cross - other.cross,
        )

    def solve(self, ridge: float, error: float) -> RidgeFit:
        """Minimise the mean square error + `ridge` · the features' mean variance · |matrix|²."""
        mean, offset = self.features / self.count, self.targets / self.count
        gram = self.gram / self.count - np.outer(mean, mean)
        cross = self.cross / self.count - np.outer(mean, offset)
        # The floor is for pictures that are all alike: no variance, and nothing to learn from.
        weight = ridge * max(float(np.trace(gram)) / len(gram), 1e-12)
        gram[np.diag_indices_from(gram)] += weight
        return RidgeFit(mean, cho_solve(cho_factor(gram), cross), offset, ridge, error)


def fit_ridge(
    features: Floats,
    targets: Floats,
    clusters: Strings,
    ridges: Sequence[float],
    folds: int,
    error: Error,
) -> RidgeFit:
    """Fit features (n, D) to targets (n, 2) by the ridge of least error over people left out.

    `clusters` (n,) names the person of each sample: whole people are left out in turn, `folds`
    times; of one person alone, samples are.
    """
    fold = fold_of_samples(clusters, folds)
    parts = [_Moments.of(features[fold == k], targets[fold == k]) for k in range(fold.max() + 1)]
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    errors = np.zeros((len(ridges), len(targets)))
    for k, part in enumerate(parts):
        out, rest = fold == k, total - part
        for row, ridge in enumerate(ridges):
            found = rest.solve(ridge, 0.0).answer(features[out])
            errors[row, out] = error(targets[out], found)
    means = errors.mean(axis=1)
    best = int(means.argmin())
    return total.solve(ridges[best], float(means[best]))


def fold_of_samples(clusters: Strings, folds: int) -> np.ndarray:
    """Return the fold (n,) of each sample; people are dealt out in turn, none to two folds.

    >>> fold_of_samples(np.array(["a", "a", "b", "c", "b"]), 2).tolist()
    [0, 0, 1, 0, 1]
    >>> fold_of_samples(np.array(["a", "a", "a"]), 2).tolist()
    [0, 1, 0]
    """
    names, row = np.unique(clusters, return_inverse=True)
    if len(names) == 1:
        row = np.arange(len(clusters))
    return np.asarray(row % folds)
