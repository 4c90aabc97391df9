"""Several seeds of one variant as one row: who belongs together, and what they score between them.

One family are trained runs that differ in nothing but their seed: variant and overrides, all parameters, budget, card
and data. A variant whose parameters have changed since an older run makes two rows, which name the difference.
Its score is the mean over the seeds and its `std` their standard deviation (n − 1), which is how much training alone
moves the number. The ends of its interval are the means of the seeds' ends: that interval is about the choice of test
faces, and no narrower than one of the mean, because all seeds stumble on much the same faces.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import fsum
from typing import Any

from benchbox.metrics import bootstrap
from benchbox.types import MethodCard, Score

from .results import Result

SeedGroup = tuple[Result, ...]  # by seed
_NAMED_PARAMS = 3  # parameters that a row names


def group_runs(found: Sequence[Result], methods: Mapping[str, MethodCard]) -> list[SeedGroup]:
    """Gather runs that differ in their seed only, in the order of the first of each."""
    gathered: dict[tuple[object, ...], list[Result]] = {}
    for place, result in enumerate(found):
        alone = place if result.kind != "trained" else -1  # what is not trained has no seed
        key = (
            alone,
            result.run.protocol,
            result.run.method,
            result.run.variant,
            result.card,
            result.data,
            result.n,
        )
        params = repr(sorted(_all_params(result, methods).items()))
        gathered.setdefault((*key, result.fingerprint, params), []).append(result)
    return [tuple(sorted(family, key=_seed_order)) for family in gathered.values()]


def differing_params(
    gathered: Sequence[SeedGroup], methods: Mapping[str, MethodCard]
) -> list[tuple[str, ...]]:
    """Say for each family which parameters tell it from others of the same variant, () where there is none."""
    alike: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for first, *_ in gathered:
        alike.setdefault((first.run.method, first.run.variant), []).append(
            _all_params(first, methods)
        )
    said = []
    for first, *_ in gathered:
        mine, others = _all_params(first, methods), alike[first.run.method, first.run.variant]
        keys = sorted(
            {key for other in others for key in {*mine, *other} if mine.get(key) != other.get(key)}
        )
        words = tuple(f"{key} = {mine.get(key, 'none')}" for key in keys[:_NAMED_PARAMS])
        said.append(
            (*words, *([f"{len(keys) - _NAMED_PARAMS} more"] if len(keys) > _NAMED_PARAMS else []))
        )
    return said


def _all_params(result: Result, methods: Mapping[str, MethodCard]) -> dict[str, Any]:
    """Return a run's parameters, with those that its method had no name for yet when it was recorded."""
    card = methods.get(result.run.method)
    return {**(card.before if card else {}), **result.run.record["params"]}


def _seed_order(result: Result) -> tuple[int, str]:
    seed = result.run.seed
    return (int(seed) if seed.isascii() and seed.isdigit() else -1, seed)


def mean_scores(family: SeedGroup) -> Mapping[str, Mapping[str, Score]]:
    """Return the scores of a family: those of its only run, or the means over its seeds."""
    first, *others = family
    if not others:
        return first.scores
    return {
        group: {
            name: _mean_score([result.scores.get(group, {}).get(name) for result in family])
            for name in metrics
        }
        for group, metrics in first.scores.items()
    }


def _mean_score(parts: Sequence[Score | None]) -> Score:
    """Average one score over seeds.

    Without a value where a seed has none, without an interval likewise.
    """
    unit = next(part.unit for part in parts if part)
    values = [part.value for part in parts if part and part.value is not None]
    if len(values) < len(parts):
        return Score(None, unit)
    mean, std = bootstrap.mean_and_seed_std(values)
    lows = [part.low for part in parts if part and part.low is not None]
    highs = [part.high for part in parts if part and part.high is not None]
    if len(lows) < len(parts) or len(highs) < len(parts):
        return Score(mean, unit, std=std)
    return Score(mean, unit, fsum(lows) / len(lows), fsum(highs) / len(highs), std)
