"""Where a score would stand among the results of its protocol, before anything is stored."""

from __future__ import annotations

import glob
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from benchbox.errors import ResultError
from benchbox.metrics import ranks
from benchbox.report.inputs import group_by_seed, results
from benchbox.report.inputs.paper_rows import conditions_apart
from benchbox.report.inputs.results import Result
from benchbox.runs.run_folders import read_run
from benchbox.scoring import headline
from benchbox.types import MethodCard, Protocol, RowFacts, Scores

from .rows import SEEN_UNKNOWN, why_not_comparable

NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True)
class RankPreview:
    """A rank among the comparable rows of a protocol, the new one included; ties share one."""

    rank: int
    rows: int

    def __str__(self) -> str:
        """Say it: `rank 3 of 9`."""
        return f"rank {self.rank} of {self.rows}"


def why_not_ranked(
    protocol: Protocol,
    *,
    stored: Path | None = None,
    stated: Mapping[str, str] = NOTHING,
    methods: Mapping[str, MethodCard] = NOTHING,
) -> str:
    """Say why a row would have no rank, "" where it would have one.

    `stored` is the folder of its run; without one it rests on what is `stated` of a submission.
    """
    if stored is not None:
        return why_not_comparable(results.read_result(read_run(stored)), protocol, methods)
    facts = RowFacts(
        box=stated.get("box", "") or protocol.box,
        trained_on=stated.get("trained_on", ""),
        extra_data=stated.get("extra_data", ""),
        seen_test=stated.get("seen_test", "unknown"),
        checkpoint=stated.get("checkpoint", ""),
    )
    reasons = conditions_apart(protocol, facts)
    if facts.seen_test == "unknown":
        reasons.append(SEEN_UNKNOWN)
    return "; ".join(reasons)


def preview_rank(
    folder: Path,
    protocol: Protocol,
    scores: Scores,
    *,
    own: Path | None = None,
    methods: Mapping[str, MethodCard] = NOTHING,
) -> RankPreview | None:
    """Rank scores among those stored below a folder of results.

    By the rules of the leaderboards (`metrics.ranks`): seeds of a variant are one row, ties share a
    rank. Rows that are not comparable are left out, and so are the seeds of the variant whose run
    lies in the folder `own`. None where there is nothing to rank among.
    """
    group, metric, _ = headline.ranking_score(scores, protocol)
    found, _ = results.read_results(folder, glob.escape(protocol.name))
    others = [result for result in found if own is None or result.run.folder.parent != own.parent]
    others = [result for result in others if not why_not_comparable(result, protocol, methods)]
    mine = _columns_of_group(scores.errors, group, metric)
    tables, owners = [], []
    for number, runs in enumerate(group_by_seed.group_runs(others, methods)):
        for result in runs:
            table = _comparable_table(result, scores.errors, group, metric)
            if table is not None:
                tables.append(table)
                owners.append(number)
    if not tables:
        return None
    owners = [sorted(set(owners)).index(owner) for owner in owners]
    count = max(owners) + 1
    ranking = ranks.rank_runs(
        metric, [*tables, mine], owners=[*owners, count], level=protocol.interval
    )
    if not ranking.ranks[count]:
        return None
    return RankPreview(ranking.ranks[count], sum(rank > 0 for rank in ranking.ranks))


def _comparable_table(
    result: Result, errors: np.ndarray, group: str, metric: str
) -> Mapping[str, np.ndarray] | None:
    """Return a run's columns; None where its items are others or it lacks the metric."""
    try:
        table = results.read_errors(result)
        if len(table) != len(errors):
            return None
        for name in ("cluster", f"in_{group}"):
            if not np.array_equal(results.any_column(table, name), errors[name]):
                return None
        return _columns_of_group(table, group, metric)
    except ResultError:
        return None


def _columns_of_group(errors: np.ndarray, group: str, metric: str) -> Mapping[str, np.ndarray]:
    rows = errors[results.group_mask(errors, group)]
    columns = {}
    for name in ranks.columns_of(metric):
        columns[name] = np.ascontiguousarray(results.any_column(rows, name))
    return columns
