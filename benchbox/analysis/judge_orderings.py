"""Whether variants stand in the order that a paper claims.

An ordering is tried on every protocol that it names and that has runs of all its variants of one
budget on one set of data. Neighbours are compared as by `benchbox compare`, over the seeds that
both have; what trainings vary by counts, pooled with the protocol's other variants
(`metrics.seed_variance`), so that one lucky seed does not decide.

* A claimed "better" shows where the paired test says so (p < 5 %).
* A claimed "no worse" (`or_equal`) shows where the whole interval lies above minus the margin, a
  share of the error that the claim states.
* The ordering **holds** when every neighbouring pair shows it, **does not hold** when one pair
  shows the opposite (p < 5 % over the number of pairs; for "no worse" an interval wholly beyond
  the margin), and is **too close to tell** else.
* Where who is ahead drew a fifth more, and took a fifth longer on a processor that both were
  trained on, the verdict says so: **holds (with more draws)**; so it does where there is no such
  processor. Papers' own schedules, budget `paper`, are as they are.
* Where a pair that decides rests on a single training of a side, the verdict says so: **holds
  (these faces, one training)**. The pooled variance, where there is one, counts there, too.
* Where the claim names a row without training that its variants must beat (`beats`: the head's
  direction), and the first of them is not surely better (p < 5 %), the verdict is **not better than
  a baseline**, whatever the order; where that row was not run, **not measured**.
* A claim on `training_gap` is no claim on test items: the gap is what recipes note in their runs'
  records, and neighbours are compared over the seeds that both have, two at least, by a paired
  t-test (p < 5 %).

Between equal methods a claim comes out as holding in at most 5 of 100 cases
(`tests/analysis/test_false_positives.py`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np

from benchbox.errors import ResultError
from benchbox.metrics.seed_variance import PooledVariance
from benchbox.papers import claims
from benchbox.papers.claims import OrderingClaim
from benchbox.runs import run_folders
from benchbox.types import Run

from . import compare
from .compare import Comparison, Difference
from .seed_pool import SeedPool, SeedVariance
from .training_costs import TrainingCost, describe_training_costs, find_training_cost, learned_more
from .verdicts import (
    MORE_DRAWS,
    NOT_ABOVE_BASELINE,
    NOT_COMPARABLE,
    NOT_MEASURED,
    ONE_TRAINING,
    TOO_CLOSE,
    Verdict,
)

_GAP_KEYS = ("validation_error", "train_error")


@dataclass(frozen=True)
class Gap:
    """A variant beside its neighbour."""

    sign: int  # better as claimed, 1, the other way, -1, or neither, 0
    one_training: bool  # of a side
    words: str
    more_draws: bool = False  # who is ahead was trained longer


def judge_orderings(
    ordering: OrderingClaim,
    runs: Mapping[tuple[str, str], Sequence[Run]],
    results: Path,
    pool: SeedPool | None = None,
) -> list[Verdict]:
    """Return a verdict for every protocol that has runs of all variants of an ordering.

    One verdict, "not measured", where none has. `pool` as in `judge_cells.judge_cells`.
    """
    if pool is None:
        pool = SeedPool(run for alike in runs.values() for run in alike)
    verdicts = []
    for protocol in ordering.protocols:
        folders = [_find_folders(entry, protocol, runs) for entry in ordering.order]
        budgets = set(folders[0]).intersection(*folders[1:])
        for budget in sorted(budgets):
            of_budget = [by_budget[budget] for by_budget in folders]
            verdict = _judge_ordering(ordering, protocol, budget, of_budget, results, pool)
            if ordering.beats and verdict.verdict not in (NOT_COMPARABLE, NOT_MEASURED):
                untrained = _find_folders(ordering.beats, protocol, runs)
                verdict = _hold_against(ordering, verdict, of_budget[0], untrained, results)
            verdicts.append(verdict)
    if not verdicts:
        reasons = ("no protocol has runs of all these variants",)
        verdicts.append(_ordering_verdict(ordering, "", NOT_MEASURED, reasons))
    return verdicts


def _find_folders(
    entry: str, protocol: str, runs: Mapping[tuple[str, str], Sequence[Run]]
) -> dict[str, Path]:
    """Return the folder of an entry's variant by budget."""
    system, options = claims.split_options(entry)
    found = runs.get((claims.name_protocol(protocol, options), system), ())
    return {str(run.record.budget): run.folder.parent for run in found}


def _judge_ordering(
    ordering: OrderingClaim,
    protocol: str,
    budget: str,
    folders: Sequence[Path],
    results: Path,
    pool: SeedPool,
) -> Verdict:
    variance = pool.find_variance(protocol, budget, ordering.group, ordering.metric)
    reasons, gaps = [f"budget {budget}"], []
    costs = [find_training_cost(folder, results) for folder in folders]
    pairs = list(pairwise(folders))
    names = list(pairwise(_short_names(ordering.order)))
    for (better, worse), (better_name, worse_name) in zip(pairs, names, strict=True):
        try:
            if ordering.metric == claims.TRAINING_GAP:
                gap = _compare_training_gaps(better, worse)
            else:
                gap = _compare_pair(ordering, better, worse, results, variance, len(pairs))
        except ResultError as fault:
            reasons.append(str(fault))
            return _ordering_verdict(ordering, protocol, NOT_COMPARABLE, tuple(reasons), budget)
        if gap is None:
            reasons.append(_nothing_to_compare(ordering))
            return _ordering_verdict(ordering, protocol, NOT_MEASURED, tuple(reasons), budget)
        gaps.append(gap)
        reasons.append(f"{worse_name} - {better_name}: {gap.words}")
    if variance is not None:
        reasons.append(f"trainings vary by {variance.words}")
    elif any(gap.one_training for gap in gaps):
        reasons.append("what trainings vary by is not known")
    if took := describe_training_costs(_short_names(ordering.order), costs):
        reasons.append(took)
    if budget != "paper":  # whose schedules are the papers'
        gaps = [_note_draws(gap, *pair) for gap, pair in zip(gaps, pairwise(costs), strict=True)]
    return _ordering_verdict(ordering, protocol, decide_verdict(gaps), tuple(reasons), budget)


def _note_draws(gap: Gap, better: TrainingCost | None, worse: TrainingCost | None) -> Gap:
    """Note whether who is ahead was trained longer."""
    ahead, behind = (better, worse) if gap.sign >= 0 else (worse, better)
    return replace(gap, more_draws=learned_more(ahead, behind))


def _hold_against(
    ordering: OrderingClaim,
    verdict: Verdict,
    first: Path,
    untrained: Mapping[str, Path],
    results: Path,
) -> Verdict:
    """Return the verdict, or another where the first variant does not beat `ordering.beats`.

    `untrained` holds that row's folder by budget; it is the same in all of them.
    """
    if not untrained:
        why = f"{ordering.beats}, which they must beat, was not run"
        return replace(verdict, verdict=NOT_MEASURED, reasons=(*verdict.reasons, why))
    claim = replace(ordering, or_equal=False)
    try:
        gap = _compare_pair(claim, first, untrained[min(untrained)], results, None, 1)
    except ResultError as fault:
        return replace(verdict, verdict=NOT_COMPARABLE, reasons=(*verdict.reasons, str(fault)))
    if gap is None:
        return verdict
    name = _short_names(ordering.order)[0]
    reasons = (*verdict.reasons, f"{ordering.beats} - {name}: {gap.words}")
    if gap.sign > 0:
        return replace(verdict, reasons=reasons)
    return replace(verdict, verdict=NOT_ABOVE_BASELINE, reasons=reasons)


def _nothing_to_compare(ordering: OrderingClaim) -> str:
    if ordering.metric == claims.TRAINING_GAP:
        return "no two runs of one seed note their errors on training and held-out people"
    return f"{ordering.group} has no answered item"


def _compare_training_gaps(better: Path, worse: Path) -> Gap | None:
    """Compare the gaps of two variants' folders seed by seed; None where no seed has both."""
    from scipy.special import stdtr

    gaps = [_training_gaps(folder) for folder in (better, worse)]
    seeds = sorted(set(gaps[0]) & set(gaps[1]))
    if not seeds:
        return None
    differences = np.array([gaps[1][seed] - gaps[0][seed] for seed in seeds])
    mean, count = float(differences.mean()), len(seeds)
    words = f"{mean:+.3g} (seed{'s' if count > 1 else ''} {', '.join(seeds)})"
    if count == 1:
        return Gap(0, True, words)
    error = float(differences.std(ddof=1)) / math.sqrt(count)
    p = 2 * float(stdtr(count - 1, -abs(mean) / error)) if error else 0.0
    sign = 0
    if mean and p < 1 - compare.LEVEL:
        sign = 1 if mean > 0 else -1
    return Gap(sign, False, f"{words[:-1]}; p = {p:.2g})")


def _training_gaps(folder: Path) -> dict[str, float]:
    """Return seed → held-out error less training error of the last network, of runs that say so."""
    found = {}
    for place in sorted(folder.iterdir()):
        if not run_folders.is_finished(place):
            continue
        generations = run_folders.read_record(place).record.training.get("generations")
        last = generations[-1] if isinstance(generations, list) and generations else None
        if not isinstance(last, dict):
            continue
        errors = [last.get(key) for key in _GAP_KEYS]
        held_out, trained_on = (e if isinstance(e, float) else math.nan for e in errors)
        if math.isfinite(held_out - trained_on):
            found[place.name] = held_out - trained_on
    return found


def _short_names(order: Sequence[str]) -> list[str]:
    """Name the entries of an ordering without the method that they share."""
    if len({entry.partition("/")[0] for entry in order}) > 1:
        return list(order)
    return [entry.partition("/")[2] for entry in order]


def decide_verdict(gaps: Sequence[Gap]) -> str:
    """Return the verdict of an ordering from its neighbouring pairs."""
    against = [gap for gap in gaps if gap.sign < 0]
    if against:
        if all(gap.more_draws for gap in against):
            return f"does not hold{MORE_DRAWS}"
        alone = all(gap.one_training for gap in against)
        return f"does not hold{ONE_TRAINING}" if alone else "does not hold"
    if not all(gap.sign > 0 for gap in gaps):
        return TOO_CLOSE
    if any(gap.more_draws for gap in gaps):
        return f"holds{MORE_DRAWS}"
    if any(gap.one_training for gap in gaps):
        return f"holds{ONE_TRAINING}"
    return "holds"


# --- one pair -------------------------------------------------------------------------------------


def _compare_pair(
    ordering: OrderingClaim,
    better: Path,
    worse: Path,
    results: Path,
    variance: SeedVariance | None,
    pairs: int,
) -> Gap | None:
    """Compare two variants by an ordering's metric on its group; None where no item counts."""

    def pool(group: str, metric: str) -> PooledVariance | None:
        wanted = (group, metric) == (ordering.group, ordering.metric)
        return variance.pooled if wanted and variance is not None else None

    comparison = compare.compare_runs(
        [str(better), str(worse)],
        results,
        [ordering.metric],
        pool=pool,
        other_options=any("+" in entry for entry in ordering.order),
    )
    for found in comparison.differences:
        if (found.group, found.metric) == (ordering.group, ordering.metric):
            return read_gap(ordering, found, _is_one_training(comparison, found), pairs)
    return None


def _is_one_training(comparison: Comparison, found: Difference) -> bool:
    """Tell whether a trained side rests on a single seed."""
    if len(found.seeds) > 1:
        return False
    for side in comparison.contestants:
        if side["kind"] == "trained" and (found.seeds or len(side["seeds"]) == 1):
            return True
    return False


def read_gap(ordering: OrderingClaim, found: Difference, one_training: bool, pairs: int = 1) -> Gap:
    """Say what a difference, worse minus better as claimed, shows of one of so many pairs."""
    if ordering.or_equal:
        sign = _sign_with_margin(ordering, found)
    else:
        sign = _sign_of_difference(found, pairs)
    interval, seeds = "", ""
    if found.low is not None and found.high is not None:
        interval = f" [{found.low:+.3g}, {found.high:+.3g}]"
    if one_training:
        seeds = " (one seed)"
    elif found.seeds:
        seeds = f" (seeds {', '.join(found.seeds)})"
    words = f"{found.difference:+.3g}{interval} {found.unit}{seeds}"
    return Gap(sign, one_training, words.replace("+-", "-"))


def _sign_of_difference(found: Difference, pairs: int) -> int:
    """Tell who is better: as claimed at 5 %, the other way at 5 % over all pairs of the claim."""
    if found.p is None or found.difference == 0:
        return 0
    as_claimed = (found.difference > 0) == found.lower_is_better
    if as_claimed:
        return int(found.p < 1 - compare.LEVEL)
    return -int(found.p * pairs < 1 - compare.LEVEL)


def _sign_with_margin(ordering: OrderingClaim, found: Difference) -> int:
    """Tell whether the claimed better one is no worse than the margin, or surely worse."""
    if found.low is None or found.high is None:
        return 0
    low, high = found.low, found.high
    if found.counted is not None:  # unanswered items, counted as lost, may only speak against it
        shift = found.counted - found.difference
        low, high = low + min(0.0, shift), high + max(0.0, shift)
    if not found.lower_is_better:
        low, high = -high, -low
    margin = ordering.margin * abs(found.other)
    if low > -margin:
        return 1
    return -1 if high < -margin else 0


def _ordering_verdict(
    ordering: OrderingClaim,
    protocol: str,
    verdict: str,
    reasons: tuple[str, ...],
    budget: str = "",
) -> Verdict:
    sign = " < "
    if ordering.or_equal:
        sign = " ≤ "
        reasons = (*reasons, f"≤ up to {100 * ordering.margin:g} % of the error")
    return Verdict(
        kind="ordering",
        paper=ordering.paper,
        table=ordering.table,
        claim=f"{ordering.id}: {ordering.text}",
        system=claims.split_options(ordering.order[0])[0],
        protocol=protocol,
        group=ordering.group,
        metric=ordering.metric,
        claimed=sign.join(ordering.order),
        measured=None,
        low=None,
        high=None,
        unit="",
        verdict=verdict,
        reasons=reasons,
        budget=budget,
    )
