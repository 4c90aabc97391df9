"""Two methods on the same items: is the difference more than chance, also among many.

Definition
----------
With d_i the difference of two methods at item i and D_k its sum over cluster k (photo, video,
person), the statistic is T = Σ_k D_k. If the methods were interchangeable, the names on the two
answers to a cluster could be swapped without changing anything, so every T* = Σ_k ±D_k would be as
likely as T. **p** is the share of sign patterns with |T*| ≥ |T|: all 2^K of them where they are
few, else `flips` random ones, with (1 + hits)/(1 + flips), which is never 0.

No distribution is assumed, and the same p holds for a mean, an AUC or a failure rate. It answers
"any difference at all?"; how large the difference is, is told by its interval
(`bootstrap.bootstrap_intervals` over d).

**Holm**: among m comparisons the smallest p is multiplied by m, the next by m − 1, and so on, never
below one before it. Whoever calls what stays below 5 % different is wrong about *any* of them in at
most 5 of 100 such tables, however the comparisons depend on each other.

**Seeds.** Interval and p above cover the choice of test items. Where several trainings of both
methods are there, what they vary by between themselves is added (`add_seed_variance`): variances
add up, the degrees of freedom are Welch and Satterthwaite's, as in `ranks`.

Limits
------
* A p of K clusters cannot fall below 2/2^K: with four videos nothing is ever significant at 5 %.
* With three seeds and more, equal methods whose trainings vary more than the faces do are called
  different in at most 8 of 100 cases, with two seeds in 12: now and then two trainings agree by
  chance.
* More than `bootstrap.MAX_UNITS` clusters are dealt into as many bins, which are flipped whole; the
  test stays exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from typing import TYPE_CHECKING, Any

import numpy as np

from . import bootstrap

if TYPE_CHECKING:
    import numpy.typing as npt

    from benchbox.types import Floats

_SLACK = 1e-9  # relative: patterns that tie with the observed one up to rounding count as hits


def sign_flip_test(
    differences: Floats, clusters: npt.NDArray[Any], *, flips: int = 10_000, seed: int = 0
) -> Floats:
    """Return the two-sided p (M,) of M differences (N, M) with cluster labels (N,).

    NaN with fewer than two clusters or no flips; 1 where the methods nowhere differ. Raises
    ValueError for shapes that do not fit or numbers that are not finite.

    Three clusters that all say the same: two of 2³ sign patterns are as extreme, all + and all -:

    >>> sign_flip_test(np.array([[1.0], [1.0], [1.0]]), np.arange(3))
    array([0.25])
    """
    sums = bootstrap.unit_sums(differences, clusters, seed)
    count = len(sums)
    if count < 2 or flips < 1:
        return np.full(differences.shape[1], np.nan)
    wanted = np.abs(sums.sum(axis=0)) * (1 - _SLACK)
    exact = count < 60 and 2**count <= flips
    total, hits = flips, np.zeros(sums.shape[1])
    if exact:
        total = 2**count
    rows = max(1, bootstrap.CHUNK_DRAWS // count)
    source = np.random.PCG64(seed)
    with bootstrap.limit_blas_threads():
        for done in range(0, total, rows):
            many = min(rows, total - done)
            if exact:
                signs = _sign_patterns(done, many, count)
            else:
                signs = _random_signs(source, many, count)
            hits += (np.abs(signs @ sums) >= wanted).sum(axis=0)
    if exact:
        return hits / total
    return (1 + hits) / (1 + total)


def holm_correction(p: Floats) -> Floats:
    """Return p-values (M,) corrected for M comparisons by Holm's step-down rule.

    NaN stays NaN and counts as none.

    Source: Holm, A simple sequentially rejective multiple test procedure, 1979.

    >>> holm_correction(np.array([0.01, 0.04, 0.03, np.nan]))
    array([0.03, 0.06, 0.06,  nan])
    """
    adjusted = np.full(len(p), np.nan)
    known = np.flatnonzero(~np.isnan(p))
    order = known[np.argsort(p[known], kind="stable")]
    factors = len(order) - np.arange(len(order))
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(p[order] * factors))
    return adjusted


def add_seed_variance(
    difference: float,
    bounds: tuple[float, float],
    p: float,
    clusters: int,
    spreads: Sequence[tuple[float, float]],
    level: float,
) -> tuple[float, float, float]:
    """Return interval and p of a difference with what trainings vary by: low, high, p.

    `bounds` and `p` are those of the test items in so many clusters, at least 2. `spreads` are
    variances of the difference's parts between seeds, each with its degrees of freedom; without
    any, nothing changes.

    Without variance between seeds nothing changes; with it the interval widens and p rises:

    >>> add_seed_variance(-0.5, (-0.9, -0.1), 0.01, 100, [(0.0, 2.0)], 0.95)
    (-0.9, -0.1, 0.01)
    >>> low, high, p = add_seed_variance(-0.5, (-0.9, -0.1), 0.01, 100, [(0.05, 2.0)], 0.95)
    >>> low < -0.9, high > -0.1, p > 0.01
    (True, True, True)
    """
    from scipy.special import stdtr, stdtrit

    low, high = bounds
    if not any(variance > 0 for variance, _ in spreads):
        return low, high, p
    items = ((high - low) / 2 / float(stdtrit(clusters - 1, (1 + level) / 2))) ** 2
    parts = [(items, clusters - 1.0), *spreads]
    total = sum(variance for variance, _ in parts)
    freedom = total**2 / sum(variance**2 / degrees for variance, degrees in parts)
    half = float(stdtrit(freedom, (1 + level) / 2)) * sqrt(total)
    return (
        difference - half,
        difference + half,
        max(p, 2 * float(stdtr(freedom, -abs(difference) / sqrt(total)))),
    )


def _random_signs(source: np.random.PCG64, rows: int, count: int) -> Floats:
    """Draw signs ±1 (rows, count), one bit each of the stream that NumPy keeps for ever."""
    words = source.random_raw((rows * count + 63) // 64)
    bits = np.unpackbits(np.asarray(words, "<u8").view(np.uint8), bitorder="little")[: rows * count]
    signs: Floats = 1 - 2 * bits.reshape(rows, count).astype(np.float64)
    return signs


def _sign_patterns(first: int, rows: int, count: int) -> Floats:
    """Return the sign patterns number `first` and following, (rows, count)."""
    numbers = np.arange(first, first + rows)[:, None]
    signs: Floats = 1 - 2 * ((numbers >> np.arange(count)) & 1).astype(np.float64)
    return signs
