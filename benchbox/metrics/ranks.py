"""Who is better than whom on one test set: ranks with ties, smallest detectable difference.

Definition
----------
Every score is a ratio of sums over items, R = Σ x_i / Σ c_i (see `bootstrap`). With X_k and C_k
summed within cluster k of K, the influence of a cluster on a score is z_k = (X_k − R·C_k) / Σ C,
and the variance of the difference of two scores a and b over test sets like this one, shared
clusters included, is::

    SE² = K/(K − 1) · Σ_k (z_ak − z_bk)²          t = (R_a − R_b) / SE with K − 1 degrees of freedom

That is the cluster-robust paired t-test: the two methods saw the same faces, so what is hard for
both cancels. The p of all M(M − 1)/2 pairs are corrected together (Holm), so that the chance of any
false "better" on the board stays below 1 − level.

**Seeds.** A method that was trained several times is one contestant: R and z are the means over its
S seeds, and the variance of that mean between seeds, s²/S, is added to SE². The degrees of freedom
are then Welch and Satterthwaite's: two seeds that disagree say little. A method with one seed adds
nothing, because nothing is known.

**Ties.** Methods are walked from the best value down. The first one leads rank 1; whoever is not
demonstrably worse than the leader of a rank shares it; the first who is leads the next rank. A rank
is one more than the number of methods in better ranks (1, 1, 3). A tie means "this test set cannot
tell", not "equal".

**The smallest detectable difference** is what a new method must differ by to be told apart in 80 of
100 such test sets (80 % power): (t_{1−α/2} + t_{power}) · SE, with the median SE over the pairs of
the board. It needs two methods; for a single one the SE of two unrelated methods, √2 times its own,
is taken instead, which is too careful: methods stumble on the same faces.

Limits
------
* It covers the choice of test faces; the randomness of training only where a method has several
  seeds. What a test set can resolve is about its faces alone.
* With fewer than two clusters nothing can be told apart: one rank, no detectable difference. Below
  some 20 clusters the t-distribution is an approximation.
* Failed faces: each value is the one that the board prints. A method that leaves out hard faces
  looks better in a mean; FR and AUC count them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .bootstrap import cluster_sums
from .paired_tests import holm_correction

if TYPE_CHECKING:
    import numpy.typing as npt

    from benchbox.types import Bools, Floats


@dataclass(frozen=True)
class Ranking:
    """Ranks in the order of the contestants; 0 for one without a value."""

    ranks: tuple[int, ...]
    # smallest detectable difference, in the unit of the values
    detectable: float | None
    # pairs of contestants that `detectable` rests on; 0: one, taken as unrelated to the next
    pairs: int


@dataclass(frozen=True, eq=False)
class _Contestants:
    """What is known of M methods: the mean over the seeds of each."""

    known: Bools  # (M,) has a value
    values: Floats  # (M,)
    influence: Floats  # (K, M) of each cluster
    between: Floats  # (M,) variance of the mean between seeds, 0 for one seed
    seeds: Floats  # (M,)


def rank_methods(
    numerators: Floats,
    denominators: Floats,
    clusters: npt.NDArray[Any],
    *,
    owners: Sequence[int] | None = None,
    lower_is_better: bool = True,
    level: float = 0.95,
    power: float = 0.8,
) -> Ranking:
    """Rank M methods by numerators and denominators (N, C) of one score and cluster labels (N,).

    Every row is one test item, the same for all columns; a run to which the item does not count has
    two zeros there. `owners` (C,) says which method, 0 … M - 1, a column is a seed of; without it
    each column is a method of its own.  Raises ValueError for shapes
    that differ, numbers that are not finite, or a level or power outside (0, 1).

    Three methods on 50 photos: the first two differ by noise, the third one is far behind.

    >>> rng = np.random.default_rng(0)
    >>> errors = rng.normal(3.0, 0.5, (50, 1)) + [0.0, 0.0, 1.0] + rng.normal(0.0, 0.1, (50, 3))
    >>> ranking = rank_methods(errors, np.ones((50, 3)), np.arange(50))
    >>> ranking.ranks, ranking.pairs
    ((1, 1, 3), 3)
    >>> rank_methods(errors, np.ones((50, 3)), np.arange(50), lower_is_better=False).ranks
    (2, 2, 1)
    """
    found = _average_seeds(numerators, denominators, clusters, owners)
    errors = _pair_errors(found.influence)
    order = np.argsort(found.values if lower_is_better else -found.values, kind="stable")
    worse = _holm_matrix(found, errors) < 1 - _require_levels(level, power)
    ranks = np.zeros(len(found.known), int)
    ranks[np.flatnonzero(found.known)[order]] = _assign_ranks(order, worse)
    return Ranking(
        tuple(ranks.tolist()), *_detectable_difference(errors, found.influence, level, power)
    )


def smallest_detectable_difference(
    numerators: Floats,
    denominators: Floats,
    clusters: npt.NDArray[Any],
    *,
    owners: Sequence[int] | None = None,
    level: float = 0.95,
    power: float = 0.8,
) -> float | None:
    """Return the smallest detectable difference, None with fewer than two clusters.

    Arguments as for `rank_methods`.

    >>> smallest_detectable_difference(np.ones((3, 1)), np.ones((3, 1)), np.zeros(3, int))
    """
    _require_levels(level, power)
    influence = _average_seeds(numerators, denominators, clusters, owners).influence
    return _detectable_difference(_pair_errors(influence), influence, level, power)[0]


def _require_levels(level: float, power: float) -> float:
    if not (0 < level < 1 and 0 < power < 1):
        raise ValueError(f"level and power must lie between 0 and 1, got {level} and {power}")
    return level


def _average_seeds(
    above: Floats, below: Floats, clusters: npt.NDArray[Any], owners: Sequence[int] | None
) -> _Contestants:
    """Sum within clusters and average over seeds.

    A method has a value where all of its seeds have one.
    """
    above, below = cluster_sums(above, below, clusters)
    columns = np.arange(above.shape[1]) if owners is None else np.asarray(owners, np.intp)
    if columns.shape != above.shape[1:]:
        raise ValueError(
            f"owners {columns.shape} must name one method for each of {above.shape[1]} columns"
        )
    there = below.sum(axis=0) > 0
    known = np.ones(int(columns.max(initial=-1)) + 1, bool)
    known[columns[~there]] = False
    used = known[columns] if len(columns) else there
    values, influence = _scores_and_influence(above[:, used], below[:, used])
    place = np.cumsum(known)[columns[used]] - 1  # of each column among the known methods
    seeds = np.bincount(place, minlength=int(known.sum())).astype(np.float64)
    share = np.zeros((len(place), len(seeds)))
    share[np.arange(len(place)), place] = 1 / seeds[place]
    means = values @ share
    spread = ((values - means[place]) ** 2) @ share  # over S, so that s² / S is this over S - 1
    between = np.divide(spread, seeds - 1, out=np.zeros_like(spread), where=seeds > 1)
    return _Contestants(known, means, influence @ share, between, seeds)


def _scores_and_influence(above: Floats, below: Floats) -> tuple[Floats, Floats]:
    """Return scores (C,) and the influence (K, C) of each cluster on them."""
    total = below.sum(axis=0)
    values = above.sum(axis=0) / total
    return values, (above - values * below) / total


def _pair_errors(influence: Floats) -> Floats:
    """Return the standard error (M, M) of every difference; NaN with fewer than two clusters."""
    count, methods = influence.shape
    if count < 2:
        return np.full((methods, methods), np.nan)
    errors = np.empty((methods, methods))
    # one column at a time: a Gram matrix would cancel where two methods nearly agree
    for row in range(methods):
        errors[row] = np.sqrt(
            ((influence - influence[:, [row]]) ** 2).sum(axis=0) * count / (count - 1)
        )
    return errors


def _holm_matrix(found: _Contestants, errors: Floats) -> Floats:
    """Return the corrected two-sided p (M, M) of every pair.

    1 on the diagonal and where nothing can be told.
    """
    from scipy.special import stdtr

    count, methods = found.influence.shape
    corrected = np.ones((methods, methods))
    first, second = np.triu_indices(methods, 1)
    if count < 2 or not len(first):
        return corrected
    gap = np.abs(found.values[first] - found.values[second])
    parts = np.stack([errors[first, second] ** 2, found.between[first], found.between[second]])
    freedom = np.stack(
        [np.full(len(first), count - 1.0), found.seeds[first] - 1, found.seeds[second] - 1]
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        # no spread and a gap: certain; no gap: none
        t = np.where(gap == 0, 0.0, gap / np.sqrt(parts.sum(axis=0)))
        degrees = parts.sum(axis=0) ** 2 / np.where(parts > 0, parts**2 / freedom, 0.0).sum(axis=0)
    p = holm_correction(2 * stdtr(np.where(np.isfinite(degrees), degrees, count - 1), -t))
    corrected[first, second] = corrected[second, first] = p
    return corrected


def _assign_ranks(order: npt.NDArray[np.intp], worse: Bools) -> list[int]:
    """Return the rank of each method in the given order, best first."""
    ranks: list[int] = []
    leader = -1
    for place, method in enumerate(order):
        if leader < 0 or worse[leader, method]:
            leader = int(method)
            ranks.append(place + 1)
        else:
            ranks.append(ranks[-1])
    return ranks


def _detectable_difference(
    errors: Floats, influence: Floats, level: float, power: float
) -> tuple[float | None, int]:
    from scipy.special import stdtrit

    count, methods = influence.shape
    if count < 2 or methods == 0:
        return None, 0
    pairs = errors[np.triu_indices(methods, 1)]
    alone = np.sqrt(2 * (influence**2).sum(axis=0) * count / (count - 1))
    error = float(np.median(pairs if len(pairs) else alone))
    factor = float(stdtrit(count - 1, (1 + level) / 2) + stdtrit(count - 1, power))
    return factor * error, len(pairs)
