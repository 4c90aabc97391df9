"""Where a score would stand among the results of its protocol, before anything is stored."""

from __future__ import annotations

import glob
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchbox.errors import ResultError
from benchbox.metrics import ranks
from benchbox.report.inputs import group_by_seed, results
from benchbox.report.inputs.results import Result
from benchbox.scoring import headline
from benchbox.types import MethodCard, Protocol, Scores

from .rows import why_not_comparable


@dataclass(frozen=True)
class RankPreview:
    """A rank among the comparable rows of a protocol, the new one included; ties share one."""

    rank: int
    rows: int

    def __str__(self) -> str:
        """Say it: `rank 3 of 9`."""
        return f"rank {self.rank} of {self.rows}"


def preview_rank(
    folder: Path, protocol: Protocol, scores: Scores, *, own: Path | None = None
) -> RankPreview | None:
    """Rank scores among those stored below a folder of results.

    By the rules of the leaderboards (`metrics.ranks`): seeds of a variant are one row, ties share a
    rank. Rows that are not comparable are left out, and so are the seeds of the variant whose run
    lies in the folder `own`. None where there is nothing to rank among.
    """
    group, metric, _ = headline.ranking_score(scores, protocol)
    found, _ = results.read_results(folder, glob.escape(protocol.name))
    others = [result for result in found if own is None or result.run.folder.parent != own.parent]
    others = [result for result in others if not why_not_comparable(result, protocol)]
    mine = _columns_of_group(scores.errors, group, metric)
    tables, owners = [], []
    no_cards: Mapping[str, MethodCard] = {}
    for number, runs in enumerate(group_by_seed.group_runs(others, no_cards)):
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
