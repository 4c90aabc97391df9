"""Uncertainty of a score: the cluster bootstrap.

Definition
----------
Every score here is a ratio of sums over faces, Σ x_i / Σ c_i: x_i is the face's error (NME), its
share of the AUC, or 1 if it failed (FR); c_i is 1 where the face counts for that score (NME leaves
failed faces out, AUC and FR do not). Faces of one photo, video or person are not independent, so
whole clusters are drawn: with C clusters, a resample draws C of them with replacement, that is
multinomial weights w over clusters, and its score is Σ_c w_c X_c / Σ_c w_c C_c with X and C summed
within clusters. The interval is the percentile interval: the (1 ± level)/2 quantiles of the
resampled scores.

Conventions
-----------
The same resamples serve every score of a group, so scores can be compared resample by resample. The
draws come straight from the PCG64 bit stream, which NumPy promises not to change: same seed, same
interval, in every version.

Limits
------
* One cluster says nothing about other clusters: no interval, also where others are there and
  nothing counts in them. A handful give one that is too short:
  a percentile interval over C clusters is narrower than it should be by about √((C - 1)/C), and
  more in the tails; below some 20 clusters read it as a lower bound of the uncertainty.
* It covers the choice of test faces, not the randomness of training: that is what several seeds are
  for.
* A score on its edge (FR 0 %) resamples to itself: the interval [0, 0] does not mean certainty.
  With n faces and no failure, the rate may well be 3/n.
* A resample in which no face counts (every drawn face failed) is left out.
* More than `MAX_UNITS` clusters are first dealt at random, in equal numbers, into `MAX_UNITS` bins
  that are then resampled as clusters: the spread stays right (its own error is below 1 %) and the
  time stays bounded.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import AbstractContextManager
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from threadpoolctl import ThreadpoolController

if TYPE_CHECKING:
    import numpy.typing as npt

    from benchbox.types import Bools, Floats

_PACKED_CHARS = 8  # one byte each in 64 bits
_CHUNK_NAMES = 4096  # looked at at a time
MAX_UNITS = 5_000
CHUNK_DRAWS = (
    160_000  # draws at a time: a few MB of working memory, whatever the number of resamples
)


def bootstrap_intervals(
    numerators: Floats,
    denominators: Floats,
    clusters: npt.NDArray[Any],
    *,
    level: float = 0.95,
    resamples: int = 10_000,
    seed: int = 0,
) -> list[tuple[float, float] | None]:
    """Return one interval per score for numerators and denominators (N, M) and cluster labels (N,).

    None where there is nothing to say: no face counts, one cluster only, or no resamples asked for.
    Raises ValueError for shapes that differ, numbers that are not finite, or a level outside (0,
    1).

    Four photos with one face each; NME is the mean of their errors:

    >>> errors = np.array([[2.0], [3.0], [4.0], [7.0]])
    >>> bootstrap_intervals(errors, np.ones((4, 1)), np.arange(4), resamples=1000)
    [(2.5, 6.0)]
    >>> bootstrap_intervals(errors, np.ones((4, 1)), np.zeros(4, int))  # one cluster says nothing
    [None]
    """
    scores = resample_scores(numerators, denominators, clusters, resamples=resamples, seed=seed)
    return percentile_intervals(scores, level)


def percentile_intervals(scores: Floats, level: float) -> list[tuple[float, float] | None]:
    """Return the percentile interval of each column of resampled scores (R, M), or None.

    None where no score is a number.

    Raises ValueError for a level outside (0, 1).

    >>> percentile_intervals(np.array([[0.0], [1.0], [2.0], [3.0], [4.0]]), level=0.5)
    [(1.0, 3.0)]
    """
    if not 0 < level < 1:
        raise ValueError(f"level must lie between 0 and 1, got {level}")
    result: list[tuple[float, float] | None] = []
    for column in scores.T:
        known = column[~np.isnan(column)]
        if len(known) == 0:
            result.append(None)
            continue
        low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
        result.append((float(low), float(high)))
    return result


def resample_scores(
    numerators: Floats,
    denominators: Floats,
    clusters: npt.NDArray[Any],
    *,
    resamples: int = 10_000,
    seed: int = 0,
) -> Floats:
    """Return scores (R, M) of cluster resamples of numerators and denominators (N, M).

    `clusters` (N,) are labels.

    NaN where no face of a resample counts. R is 0 with fewer than two clusters. Raises ValueError
    as `bootstrap_intervals`.
    """
    _require_shapes(numerators, denominators, clusters)
    units = resampling_units(clusters, seed)
    both = np.concatenate([numerators, denominators], axis=1)
    return resample_sums(
        _sum_columns(units, int(units.max(initial=-1)) + 1, both), resamples=resamples, seed=seed
    )


def resample_sums(totals: Floats, *, resamples: int = 10_000, seed: int = 0) -> Floats:
    """Return the scores (R, M) of resamples of K units from their totals (K, 2M).

    Totals are sums of numerators (K, M), then of denominators (K, M).

    R is 0 with fewer than two units. For sets too large to hold all their terms: sum metric by
    metric over `bins`.
    """
    return resample_tables([totals], resamples=resamples, seed=seed)[0]


def resample_tables(
    tables: Sequence[Floats], *, resamples: int = 10_000, seed: int = 0
) -> list[Floats]:
    """Return `resample_sums` of each of some tables of totals.

    Those of equally many units share their draws.
    """
    found = [np.empty((0, totals.shape[1] // 2)) for totals in tables]
    for count in {len(totals) for totals in tables}:
        if count < 2 or resamples < 1:
            continue
        places = [place for place, totals in enumerate(tables) if len(totals) == count]
        sums = {place: np.empty((resamples, tables[place].shape[1])) for place in places}
        source, rows = np.random.PCG64(seed), max(1, CHUNK_DRAWS // count)
        with limit_blas_threads():
            for done in range(0, resamples, rows):
                weights = _draw_weights(source, min(rows, resamples - done), count)
                for place in places:
                    np.matmul(weights, tables[place], out=sums[place][done : done + rows])
        for place in places:
            above, below = np.hsplit(sums[place], 2)
            _, unit_counts = np.hsplit(tables[place], 2)
            # one unit says nothing about other units, however often it is drawn
            below = np.where((unit_counts > 0).sum(axis=0) > 1, below, 0.0)
            found[place] = np.divide(above, below, out=np.full_like(above, np.nan), where=below > 0)
    return found


def mostly_unanswered(counts: Floats, unanswered: Bools) -> bool:
    """Tell whether a score has no interval, because most units (K,) have no answer.

    `counts` (K,) are those of the score; a score that counts failures has one for every unit. The
    few units that are left were not drawn at random: an interval about them says nothing about the
    others, and one of width 0 looks like certainty.

    >>> mostly_unanswered(np.array([1.0, 0.0, 0.0]), np.array([False, True, True]))
    True
    >>> mostly_unanswered(np.array([1.0, 1.0, 1.0]), np.array([False, True, True]))
    False
    """
    left_out = unanswered & (counts <= 0)
    return 2 * int(left_out.sum()) > len(counts)


def limit_blas_threads() -> AbstractContextManager[object]:
    """Hold matrix products to one thread: small ones wait for each other on a busy machine."""
    held: AbstractContextManager[object] = _thread_pools().limit(limits=1, user_api="blas")
    return held


@cache
def _thread_pools() -> ThreadpoolController:  # looking for the libraries takes milliseconds
    return ThreadpoolController()


def mean_and_seed_std(scores: Sequence[float]) -> tuple[float | None, float | None]:
    """Return mean and standard deviation (n − 1) of one score over several seeds.

    None where there are too few.

    This is how much training alone moves the number; an interval is how much the choice of test
    items does.

    >>> mean_and_seed_std([3.0, 4.0, 5.0])
    (4.0, 1.0)
    >>> mean_and_seed_std([3.0])
    (3.0, None)
    """
    count = len(scores)
    if count == 0:
        return None, None
    mean = math.fsum(scores) / count  # a handful of numbers: arrays would cost twenty times as much
    if count == 1:
        return mean, None
    return mean, math.sqrt(math.fsum((score - mean) ** 2 for score in scores) / (count - 1))


def cluster_sums(
    numerators: Floats, denominators: Floats, clusters: npt.NDArray[Any]
) -> tuple[Floats, Floats]:
    """Return numerators and denominators (N, M) summed within each of K clusters, (K, M) each.

    Raises ValueError for shapes that differ or numbers that are not finite.

    >>> values, labels = np.array([[1.0], [2.0], [4.0]]), np.array(["a", "a", "b"])
    >>> above, below = cluster_sums(values, np.ones((3, 1)), labels)
    >>> above.tolist(), below.tolist()
    ([[3.0], [4.0]], [[2.0], [1.0]])
    """
    _require_shapes(numerators, denominators, clusters)
    codes = number_clusters(clusters)
    count = int(codes.max(initial=-1)) + 1
    return _sum_columns(codes, count, numerators), _sum_columns(codes, count, denominators)


def unit_sums(values: Floats, clusters: npt.NDArray[Any], seed: int = 0) -> Floats:
    """Return values (N, M) summed within each cluster, (K, M).

    Within bins of clusters where there are more than `MAX_UNITS`.

    Raises ValueError for shapes that do not fit or numbers that are not finite.
    """
    _require_shapes(values, values, clusters)
    units = resampling_units(clusters, seed)
    return _sum_columns(units, int(units.max(initial=-1)) + 1, values)


def resampling_units(clusters: npt.NDArray[Any], seed: int = 0) -> npt.NDArray[np.intp]:
    """Return the unit (N,) in 0 … K - 1 of each item: its cluster, or a bin of whole clusters."""
    return _deal_into_units(number_clusters(clusters), seed)


def number_clusters(clusters: npt.NDArray[Any]) -> npt.NDArray[np.intp]:
    """Return the number (N,) of each cluster label, the inverse that `np.unique` gives.

    Without sorting text or small whole numbers where that can be.

    >>> number_clusters(np.array(["b", "a", "b"]))
    array([1, 0, 1])
    """
    if (
        clusters.dtype.kind in "iu"
        and len(clusters)
        and clusters.min() >= 0
        and clusters.max() < 4 * len(clusters)
    ):
        there = np.zeros(int(clusters.max()) + 1, bool)
        there[clusters] = True
        numbers: npt.NDArray[np.intp] = (np.cumsum(there) - 1)[clusters]
        return numbers
    packed = _pack_names(clusters)
    if packed is None:
        return np.unique(clusters, return_inverse=True)[1]
    return np.unique(packed, return_inverse=True)[1]


def _pack_names(names: npt.NDArray[Any]) -> npt.NDArray[np.uint64] | None:
    """Return whole numbers that sort as the names (N,) do.

    None where more than eight characters tell them apart.
    """
    if (
        names.dtype.kind != "U"
        or not names.dtype.isnative
        or names.size == 0
        or names.itemsize == 0
    ):
        return None
    points = np.ascontiguousarray(names).view(np.uint32).reshape(len(names), -1)
    chunks = [slice(start, start + _CHUNK_NAMES) for start in range(0, len(points), _CHUNK_NAMES)]
    low, high = points[0].copy(), points[0].copy()
    for rows in chunks:
        columns = np.ascontiguousarray(points[rows].T)
        np.minimum(low, columns.min(axis=1), out=low)
        np.maximum(high, columns.max(axis=1), out=high)
    # the others are the same in every name and say nothing of their order
    telling = np.flatnonzero(low != high)
    if len(telling) > _PACKED_CHARS or high[telling].max(initial=0) > 255:
        return None
    packed = np.zeros(len(names), np.uint64)
    for rows in chunks:
        for column in telling:
            packed[rows] <<= np.uint64(8)
            packed[rows] |= points[rows, column]
    return packed


def _draw_weights(source: np.random.PCG64, rows: int, count: int) -> Floats:
    """Draw `count` clusters of `count` with replacement, `rows` times.

    Return how often each came, (rows, count).
    """
    draws = rows * count
    # 32 random bits times count, upper half: uniform on 0 … count - 1 up to a bias of count / 2³².
    bits = source.random_raw((draws + 1) // 2).view(np.uint32)[:draws].astype(np.uint64)
    drawn = (bits * np.uint64(count) >> np.uint64(32)).astype(np.int64).reshape(rows, count)
    drawn += count * np.arange(rows)[:, None]
    weights: Floats = (
        np.bincount(drawn.ravel(), minlength=draws).reshape(rows, count).astype(np.float64)
    )
    return weights


def _deal_into_units(codes: npt.NDArray[np.intp], seed: int) -> npt.NDArray[np.intp]:
    """Deal clusters into `MAX_UNITS` bins of equal size (within one) where there are more."""
    count = int(codes.max(initial=-1)) + 1
    if count <= MAX_UNITS:
        return codes
    order = _stable_order(np.random.PCG64(seed + 1).random_raw(count))
    dealt = np.empty(count, np.intp)
    dealt[order] = np.arange(count) % MAX_UNITS
    return dealt[codes]


def _stable_order(numbers: npt.NDArray[np.uint64]) -> npt.NDArray[np.intp]:
    """Return the stable order of numbers of which hardly any two are equal, by the faster sort."""
    order = np.argsort(numbers)
    ordered = numbers[order]
    if (ordered[1:] != ordered[:-1]).all():
        return order
    return np.argsort(numbers, kind="stable")


def _sum_columns(units: npt.NDArray[np.intp], count: int, values: Floats) -> Floats:
    return np.stack(
        [np.bincount(units, weights=column, minlength=count) for column in values.T], axis=1
    )


def _require_shapes(numerators: Floats, denominators: Floats, clusters: npt.NDArray[Any]) -> None:
    if (
        numerators.ndim != 2
        or numerators.shape != denominators.shape
        or clusters.shape != numerators.shape[:1]
    ):
        raise ValueError(
            f"numerators {numerators.shape}, denominators {denominators.shape} and clusters "
            f"{clusters.shape} "
            "must be (N, M), (N, M) and (N,)"
        )
    if not (np.isfinite(numerators).all() and np.isfinite(denominators).all()):
        raise ValueError(
            "numerators and denominators must be finite: give a face that does not count two zeros"
        )
