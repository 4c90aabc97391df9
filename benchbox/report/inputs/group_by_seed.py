"""Several seeds of one variant as one row: which runs belong together, and their mean scores.

Trained runs belong together that differ in nothing but their seed: variant and overrides, all
parameters, budget, card and data are the same. A variant whose parameters have changed since an
older run makes two rows, which name the difference. Its score is the mean over the seeds and its
`std` their standard deviation (n − 1), which is how much training alone moves the number. The ends
of its interval are the means of the seeds' ends: that interval is about the choice of test items,
and no narrower than one of the mean, because all seeds stumble on much the same items.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import fsum
from typing import Any

from benchbox.metrics import bootstrap
from benchbox.runs import run_identity
from benchbox.types import MethodCard, Score

from .results import Result

SeedGroup = tuple[Result, ...]  # by seed
_NAMED_PARAMS = 3  # that a row names


def group_runs(results: Sequence[Result], methods: Mapping[str, MethodCard]) -> list[SeedGroup]:
    """Gather runs that differ in their seed only, in the order of the first of each."""
    gathered: dict[tuple[object, ...], list[Result]] = {}
    for position, result in enumerate(results):
        key: tuple[object, ...]
        if result.kind == "trained":
            key = _all_but_seed(result, methods)
        else:
            key = (position,)  # what is not trained has no seed
        gathered.setdefault(key, []).append(result)
    return [tuple(sorted(runs, key=_seed_order)) for runs in gathered.values()]


def _all_but_seed(result: Result, methods: Mapping[str, MethodCard]) -> tuple[object, ...]:
    run = result.run
    params = repr(sorted(_all_params(result, methods).items()))
    variant = run.protocol, run.method, run.variant, params
    record = run.record
    data = run_identity.name_data(record.data), run_identity.name_truth(record.data)
    return (*variant, result.card, result.data, result.n, *data)


def differing_params(
    seed_groups: Sequence[SeedGroup], methods: Mapping[str, MethodCard]
) -> list[tuple[str, ...]]:
    """Say for each group which parameters tell it from others of the same variant.

    () where there is no other, or none differs.
    """
    params_of_variant: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for first, *_ in seed_groups:
        variant = first.run.method, first.run.variant
        params_of_variant.setdefault(variant, []).append(_all_params(first, methods))
    words = []
    for first, *_ in seed_groups:
        params = _all_params(first, methods)
        names = _differing_names(params, params_of_variant[first.run.method, first.run.variant])
        named = [f"{name} = {params.get(name, 'none')}" for name in names[:_NAMED_PARAMS]]
        if len(names) > _NAMED_PARAMS:
            named.append(f"{len(names) - _NAMED_PARAMS} more")
        words.append(tuple(named))
    return words


def _differing_names(params: Mapping[str, Any], others: Sequence[Mapping[str, Any]]) -> list[str]:
    names = set()
    for other in others:
        for name in {*params, *other}:
            if params.get(name) != other.get(name):
                names.add(name)
    return sorted(names)


def _all_params(result: Result, methods: Mapping[str, MethodCard]) -> dict[str, Any]:
    """Return a run's parameters, with those that its method had no name for at its time."""
    params = dict(result.run.record.params)
    card = methods.get(result.run.method)
    if card is None:
        return params
    return {**card.before, **params}


def _seed_order(result: Result) -> tuple[int, str]:
    seed = result.run.seed
    if seed.isascii() and seed.isdigit():
        return int(seed), seed
    return -1, seed


def mean_scores(runs: SeedGroup) -> Mapping[str, Mapping[str, Score]]:
    """Return group → metric → score: of the only run, or the means over the seeds."""
    first, *others = runs
    if not others:
        return first.scores
    means: dict[str, dict[str, Score]] = {}
    for group, metrics in first.scores.items():
        means[group] = {}
        for name in metrics:
            scores = [result.scores.get(group, {}).get(name) for result in runs]
            means[group][name] = _mean_score(scores)
    return means


def _mean_score(scores: Sequence[Score | None]) -> Score:
    """Average one score over seeds.

    Without a value where a seed has none, without an interval likewise.
    """
    unit = next(score.unit for score in scores if score)
    values, lows, highs = [], [], []
    for score in scores:
        if score is None or score.value is None:
            return Score(None, unit)
        values.append(score.value)
        if score.low is not None and score.high is not None:
            lows.append(score.low)
            highs.append(score.high)
    mean, std = bootstrap.mean_and_seed_std(values)
    if len(lows) < len(scores):
        return Score(mean, unit, std=std)
    return Score(mean, unit, fsum(lows) / len(lows), fsum(highs) / len(highs), std)
