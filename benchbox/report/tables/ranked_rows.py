"""Ranks of a leaderboard: rows that the test set cannot tell apart share one (`benchbox.metrics.ranks`).

A row of several seeds is ranked as their mean. Only what was measured here on the same items is
ranked; a paper's number, of which no errors are known, is not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from benchbox.errors import ResultError
from benchbox.metrics import ranks
from benchbox.report.inputs import results
from benchbox.report.inputs.results import Problem, Result
from benchbox.types import Protocol

from .rows import Board, Column, Row, Table

if TYPE_CHECKING:
    from benchbox.types import Floats

_BEST = 12  # rows that say what a test set resolves: those that a new one would be held against


@dataclass(frozen=True)
class RankedBoard:
    """A board under one convention, its rows ranked; no table where nothing has a value."""

    board: Board
    table: Table | None
    problems: tuple[Problem, ...] = ()


def rank_table(
    table: Table, protocol: Protocol, found: Mapping[str, Result]
) -> tuple[Table, list[Problem]]:
    """Rank the rows of a table by the errors of their runs (page → run), and say what its test set can resolve.

    Runs whose errors cannot be used are named and their rows not ranked. Where nothing is ranked,
    rows that stand apart under the same card say what the set resolves.
    """
    problems: list[Problem] = []
    column = table.ranking_column
    peers = _read_peers(table.rows, table, found, problems)
    places: dict[int, int] = {}
    if peers:
        terms, owners, clusters = _side_by_side(
            peers, column, [part for peer in peers for part in peer.terms]
        )
        ranking = ranks.rank_methods(
            *terms,
            clusters,
            owners=owners,
            lower_is_better=column.metric.lower_is_better,
            level=protocol.interval,
        )
        places = {
            id(peer.row): place for peer, place in zip(peers, ranking.ranks, strict=True) if place
        }
    else:
        apart = [row for part in table.not_comparable for row in part.rows]
        held = {page: result for page, result in found.items() if result.card == protocol.card}
        peers = _read_peers(apart, table, held, problems)
    finished = tuple(replace(row, rank=places.get(id(row))) for row in table.rows)
    return replace(
        table,
        rows=finished,
        detectable=_detectable_differences(table, protocol, peers[:_BEST], problems),
    ), problems


@dataclass(frozen=True, eq=False)
class _Peer:
    """A row, its runs' errors on the same items, of the best rows alone, and what the ranking column is made of."""

    row: Row
    result: Result  # the first of its runs
    errors: tuple[np.ndarray, ...]
    terms: tuple[tuple[Floats, Floats], ...]


def _read_peers(
    among: Sequence[Row], table: Table, found: Mapping[str, Result], problems: list[Problem]
) -> list[_Peer]:
    """Read the errors of rows that have a value in the ranking column."""
    column = table.ranking_column
    groups = dict.fromkeys(c.group for c in table.columns)
    peers: list[_Peer] = []
    for row in among:
        if (
            not row.cells[table.ranked_by]
            or not row.pages
            or any(page not in found for page in row.pages)
        ):
            continue
        runs = [found[page] for page in row.pages]
        read: list[tuple[np.ndarray, tuple[Floats, Floats]]] = []
        for result in runs:
            first = peers[0].errors[0] if peers else read[0][0] if read else None
            try:
                read.append(_read_run(result, column, groups, first))
            except ResultError as fault:
                problems.append(results.run_problem(result, fault))
        if len(read) == len(runs):
            errors, terms = map(tuple, zip(*read, strict=True))
            peers.append(_Peer(row, runs[0], errors if len(peers) < _BEST else (), terms))
    return peers


def _read_run(
    result: Result, column: Column, groups: Iterable[str], first: np.ndarray | None
) -> tuple[np.ndarray, tuple[Floats, Floats]]:
    """Return a run's errors, and what they give for a column.

    Raises ResultError unless they fit the first ones.
    """
    errors = results.read_errors(result)
    inside = {f"in_{group}": results.group_mask(errors, group) for group in groups}
    for name, labels in {"cluster": results.cluster_numbers(errors), **inside}.items():
        if first is not None and not np.array_equal(first[name], labels):
            what = "clusters" if name == "cluster" else "groups"
            raise ResultError(
                f"errors.npz: its {what} are not those of the other runs; score it again"
            )
    return errors, _column_terms(errors, column)


def _column_terms(errors: np.ndarray, column: Column) -> tuple[Floats, Floats]:
    return results.metric_terms(errors[results.group_mask(errors, column.group)], column.metric)


def _side_by_side(
    peers: Sequence[_Peer], column: Column, parts: Sequence[tuple[Floats, Floats]]
) -> tuple[tuple[Floats, Floats], list[int], np.ndarray]:
    """Put the terms of all runs side by side, (N, C) each, with the peer of every run and the clusters (N,)."""
    above, below = (np.stack(side, axis=1) for side in zip(*parts, strict=True))
    owners = [owner for owner, peer in enumerate(peers) for _ in peer.terms]
    first = peers[0].errors[0]
    return (
        (above, below),
        owners,
        results.cluster_numbers(first)[results.group_mask(first, column.group)],
    )


def _detectable_differences(
    table: Table, protocol: Protocol, peers: Sequence[_Peer], problems: list[Problem]
) -> tuple[float | None, ...]:
    """Return the smallest difference that the test set can tell in each column, among its best rows."""
    found: list[float | None] = []
    inside: dict[str, list[np.ndarray]] = {}  # the rows of a group serve many columns
    for column in table.columns if peers else ():
        try:
            if column.group not in inside:
                held = [errors for peer in peers for errors in peer.errors]
                inside = {
                    column.group: [
                        errors[results.group_mask(errors, column.group)] for errors in held
                    ]
                }
            parts = [results.metric_terms(errors, column.metric) for errors in inside[column.group]]
        except ResultError as fault:
            fresh = results.run_problem(peers[0].result, fault)
            problems += [] if fresh in problems else [fresh]
            found.append(None)
            continue
        terms, owners, clusters = _side_by_side(peers, column, parts)
        found.append(
            ranks.smallest_detectable_difference(
                *terms, clusters, owners=owners, level=protocol.interval
            )
        )
    return tuple(found)
