"""Ranks of a leaderboard: rows that the test set cannot tell apart share one (`benchbox.metrics.ranks`).

Only what was measured here on the same items is ranked; a paper's number, of which no errors are known, is not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from benchbox.errors import ResultError
from benchbox.metrics import ranks
from benchbox.types import Protocol

from . import results
from .results import Problem, Result
from .rows import Board, Row, Table

if TYPE_CHECKING:
    from benchbox.types import Floats


@dataclass(frozen=True)
class Ranked:
    """A board under one convention, its rows ranked; no table where nothing has a value."""

    board: Board
    table: Table | None
    problems: tuple[Problem, ...] = ()


def ranked(table: Table, protocol: Protocol, found: Mapping[str, Result]) -> tuple[Table, list[Problem]]:
    """Rank the rows of a table by the errors of their runs (page → run), and say whose errors could not be used."""
    column = table.columns[table.key]
    rows = [row for row in table.rows if row.page in found and row.cells[table.key]]
    kept: list[Row] = []
    terms: list[tuple[Floats, Floats]] = []
    problems: list[Problem] = []
    first: np.ndarray | None = None
    for row in rows:
        try:
            errors = results.errors(found[row.page])
            errors = errors[results.members(errors, column.group)]
            clusters = results.clusters(errors)
            if first is not None and not np.array_equal(first, clusters):
                raise ResultError("errors.npy: its clusters are not those of the other runs; score it again")
            terms.append(results.terms(errors, column.metric))
        except ResultError as fault:
            problems.append(results.problem(found[row.page], fault))
            continue
        first = clusters
        kept.append(row)
    if first is None:
        return table, problems
    values, counts = (np.stack(parts, axis=1) for parts in zip(*terms, strict=True))
    ranking = ranks.ties(values, counts, first, falls=column.metric.falls, level=protocol.interval)
    places = {id(row): place for row, place in zip(kept, ranking.ranks, strict=True) if place}
    rows_ranked = tuple(replace(row, rank=places.get(id(row))) for row in table.rows)
    return replace(table, rows=rows_ranked, resolvable=ranking.resolvable), problems
