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

**Unanswered items** (`rank_runs`). Whoever leaves out hard items must not win by it, so a run that
left some out has no benefit of the doubt. Two comparisons are made with every other run: over the
items that both answered, and with unanswered items counted as lost (`unanswered`).

* Its mean with lost items is no better than the other's, or it is no better over the items that
  both answered: it ranks behind the other.
* It is better in both and both are certain: it ranks above the other.
* Else it may share the other's rank and is never above it.

Runs without unanswered items are ranked among themselves first, by the rules above; the others are
then placed one by one, the best mean with lost items first, behind the last run that they must not
be above. Two that left out the same items are told apart over the others alone. Hence no way of
leaving items out improves a rank or gives rank 1 alone, as long as what was left out was not worse
than lost. A single run with failed items has nothing to be held against and no rank.

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
* An unanswered item weighs as much as a lost one however nearly it was answered: a run that
  leaves out one face in a hundred ranks as if its NME were one point higher.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .aggregate import metric_terms
from .bootstrap import cluster_sums
from .metric_names import parse_metric
from .paired_tests import holm_correction
from .unanswered import counted_terms, lost_error, unanswered_items

if TYPE_CHECKING:
    import numpy.typing as npt

    from benchbox.types import Bools, Floats

    from .aggregate import Rows, Terms


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


def rank_runs(
    name: str,
    tables: Sequence[Rows],
    *,
    owners: Sequence[int] | None = None,
    level: float = 0.95,
    power: float = 0.8,
) -> Ranking:
    """Rank runs by one metric, from error tables (C of them) of the same N items.

    A table has the metric's column, `failed` and `cluster`, and `sequence` for a metric of
    sequences. `owners` as in `rank_methods`. Raises as `rank_methods` and `metric_terms`.

    The second run leaves out its 40 hardest of 100 items and would lead by its mean:

    >>> errors = np.random.default_rng(0).gamma(4.0, 1.0, 100)
    >>> full = {"error_cm": errors, "failed": np.zeros(100, bool), "cluster": np.arange(100)}
    >>> hard = errors >= np.sort(errors)[60]
    >>> picky = {**full, "error_cm": np.where(hard, np.inf, errors * 1.1), "failed": hard}
    >>> [round(metric_terms("error_cm", rows).score, 1) for rows in (full, picky)]
    [3.8, 2.9]
    >>> rank_runs("error_cm", [full, picky]).ranks
    (1, 2)
    """
    columns = list(range(len(tables)))
    if owners is not None:
        columns = list(owners)
    terms = [metric_terms(name, rows) for rows in tables]
    plain = rank_methods(
        *_stack_terms(terms),
        np.asarray(tables[0]["cluster"]),
        owners=columns,
        lower_is_better=parse_metric(name).lower_is_better,
        level=level,
        power=power,
    )
    if len(plain.ranks) == 1 and _leaves_out_any(name, tables):
        return Ranking((0,), plain.detectable, plain.pairs)
    unanswered = unanswered_items(name, tables)
    if not any(items.any() for items in unanswered):
        return plain
    board = _UnansweredBoard(name, tables, columns, unanswered, level)
    with_value = [method for method, rank in enumerate(plain.ranks) if rank]
    tiers = _place_incomplete(board, with_value)
    ranks = [0] * len(plain.ranks)
    better = 0
    for tier in tiers:
        for method in tier:
            ranks[method] = better + 1
        better += len(tier)
    return Ranking(tuple(ranks), plain.detectable, plain.pairs)


def columns_of(name: str) -> list[str]:
    """Name the columns of an error table that `rank_runs` ranks a metric by.

    >>> columns_of("error_cm"), columns_of("msd_cm")
    (['error_cm', 'failed', 'cluster'], ['msd_cm', 'failed', 'cluster', 'sequence'])
    """
    metric = parse_metric(name)
    columns = [metric.column, "failed", "cluster"]
    if metric.per_sequence:
        columns.append("sequence")
    if metric.averaged_by == "balanced":
        columns.append("stratum")
    return columns


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


# --- unanswered items -----------------------------------------------------------------------------


class _UnansweredBoard:
    """Methods of which some left items out, and the two comparisons that decide between them.

    Only means have unanswered items, and of a mean less is better.
    """

    def __init__(
        self,
        name: str,
        tables: Sequence[Rows],
        columns: Sequence[int],
        unanswered: Sequence[Bools],
        level: float,
    ) -> None:
        self.name, self.tables, self.level = name, tables, level
        self.clusters = np.asarray(tables[0]["cluster"])
        self.runs: list[list[int]] = [[] for _ in range(max(columns, default=-1) + 1)]
        for run, method in enumerate(columns):
            self.runs[method].append(run)
        lost = lost_error(name, tables)
        self.counted: list[Terms] = []
        for rows, items in zip(tables, unanswered, strict=True):
            self.counted.append(counted_terms(name, rows, items, lost))
        self.left_out: list[Bools] = []  # of each method: (N,) by any of its seeds
        for runs in self.runs:
            self.left_out.append(np.logical_or.reduce([unanswered[run] for run in runs]))
        methods = len(self.runs)
        self.pairs = max(1, methods * (methods - 1) // 2)

    def counted_value(self, method: int) -> float:
        """Return a method's mean with unanswered items counted as lost, over its seeds."""
        scores = []
        for run in self.runs[method]:
            score = self.counted[run].score
            scores.append(np.inf if score is None else score)
        return float(np.mean(scores))

    def same_items(self, first: int, second: int) -> bool:
        """Tell whether two methods left out the same items."""
        return bool(np.array_equal(self.left_out[first], self.left_out[second]))

    def counted_gap(self, first: int, second: int) -> tuple[float, bool]:
        """Return first minus second with lost items counted, and whether that is certain."""
        terms = [self.counted[run] for run in (*self.runs[first], *self.runs[second])]
        return self._gap(terms, self.clusters, first)

    def answered_gap(self, first: int, second: int) -> tuple[float, bool] | None:
        """Return first minus second over items that all their runs answered, None without any."""
        both = ~(self.left_out[first] | self.left_out[second])
        terms = []
        for run in (*self.runs[first], *self.runs[second]):
            chosen = {}
            for column in columns_of(self.name):
                chosen[column] = self.tables[run][column][both]
            terms.append(metric_terms(self.name, chosen))
        if any(run_terms.score is None for run_terms in terms):
            return None
        return self._gap(terms, self.clusters[both], first)

    def _gap(
        self, terms: Sequence[Terms], clusters: npt.NDArray[Any], first: int
    ) -> tuple[float, bool]:
        split = len(self.runs[first])
        owners = [0] * split + [1] * (len(terms) - split)
        found = _average_seeds(*_stack_terms(terms), clusters, owners)
        p = float(_holm_matrix(found, _pair_errors(found.influence))[0, 1])
        certain = p * self.pairs < 1 - self.level
        return float(found.values[0] - found.values[1]), certain


def _leaves_out_any(name: str, tables: Sequence[Rows]) -> bool:
    """Tell whether runs failed items that a mean leaves out."""
    if parse_metric(name).threshold is not None:
        return False
    return any(bool(np.asarray(rows["failed"]).any()) for rows in tables)


def _stack_terms(terms: Sequence[Terms]) -> tuple[Floats, Floats]:
    """Put the terms of C runs side by side: values and counts (N, C)."""
    values = np.stack([run_terms.values for run_terms in terms], axis=1)
    counts = np.stack([run_terms.counts for run_terms in terms], axis=1)
    return values, counts


def _place_incomplete(board: _UnansweredBoard, methods: Sequence[int]) -> list[list[int]]:
    """Return the methods in tiers of one rank each, the best tier first."""
    first = _first_methods(board, methods)
    tiers = _rank_first_methods(board, first)
    others = [method for method in methods if method not in first]
    for method in sorted(others, key=board.counted_value):
        behind = beside = -1  # the last tiers that it must be behind, and must not be above
        for place, tier in enumerate(tiers):
            standings = [_standing(board, method, other) for other in tier]
            if "behind" in standings:
                behind = place
            elif "not above" in standings:
                beside = place
        if beside > behind:
            tiers[beside].append(method)
        else:
            tiers.insert(behind + 1, [method])
    return tiers


def _first_methods(board: _UnansweredBoard, methods: Sequence[int]) -> list[int]:
    """Return the methods that left out nothing; else the one that left out least, and its equals.

    Equals left out the same items, so that a plain paired test holds between them.
    """
    least = min(methods, key=lambda method: int(board.left_out[method].sum()))
    return [method for method in methods if board.same_items(method, least)]


def _rank_first_methods(board: _UnansweredBoard, methods: Sequence[int]) -> list[list[int]]:
    terms, owners = [], []
    for number, method in enumerate(methods):
        for run in board.runs[method]:
            terms.append(metric_terms(board.name, board.tables[run]))
            owners.append(number)
    ranking = rank_methods(*_stack_terms(terms), board.clusters, owners=owners, level=board.level)
    tiers: dict[int, list[int]] = {}
    for method, rank in zip(methods, ranking.ranks, strict=True):
        tiers.setdefault(rank, []).append(method)
    return [tiers[rank] for rank in sorted(tiers)]


def _standing(board: _UnansweredBoard, method: int, other: int) -> str:
    """Say where a method with unanswered items stands to another: behind, not above, or above."""
    answered = board.answered_gap(method, other)
    if answered is None:
        return "behind"
    gap, certain = answered
    if board.same_items(method, other):
        if certain:
            return "behind" if gap > 0 else "above"
        return "not above"
    counted, counted_certain = board.counted_gap(method, other)
    if gap >= 0 or counted >= 0:
        return "behind"
    if certain and counted_certain:
        return "above"
    return "not above"
