"""Ranks of a leaderboard: rows that the test set cannot tell apart share one (`metrics.ranks`).

A row of several seeds is ranked as their mean. Only what was measured here on the same items is
ranked; a paper's number, of which no errors are known, is not. Rows stand in the order of their
ranks: one that left items out may stand below a larger mean.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from benchbox.errors import ResultError
from benchbox.metrics import ranks
from benchbox.metrics.metric_names import MEASURES
from benchbox.report.inputs import results
from benchbox.report.inputs.results import Problem, Result
from benchbox.types import Protocol

from . import rows
from .rows import Board, Column, Row, Table

if TYPE_CHECKING:
    from benchbox.types import Floats

    Terms = tuple[Floats, Floats]  # (N,) values and counts, whose ratio of sums is a metric
    Columns = Mapping[str, np.ndarray]  # of an error table, (N,) each, items of one group

# Rows that say what a test set can detect: those that a new one would be held against.
_BEST_ROWS = 12


@dataclass(frozen=True)
class RankedBoard:
    """A board under one convention, its rows ranked; no table where nothing has a value."""

    board: Board
    table: Table | None
    problems: tuple[Problem, ...] = ()


def rank_table(
    table: Table, protocol: Protocol, results_by_page: Mapping[str, Result]
) -> tuple[Table, list[Problem]]:
    """Rank the rows of a table by the errors of their runs, and say what its test set can detect.

    Runs whose errors cannot be used are named and their rows not ranked. Where nothing is ranked,
    the rows that are not comparable say what the set can detect, if they have the same card.
    """
    problems: list[Problem] = []
    peers = _read_peers(table.rows, table, results_by_page, problems)
    rank_by_row: dict[int, int] = {}
    if peers:
        rank_by_row = _rank_peers(peers, table.ranking_column, protocol.interval)
    else:
        same_card = {}
        for page, result in results_by_page.items():
            if result.card == protocol.card:
                same_card[page] = result
        peers = _read_peers(table.not_comparable_rows, table, same_card, problems)
    ranked = rows.order_by_rank([replace(row, rank=rank_by_row.get(id(row))) for row in table.rows])
    best = peers[:_BEST_ROWS]
    # what looks at no pixel errs so widely that it would say nothing of the others
    rivals = [peer for peer in best if not peer.row.baseline] or best
    detectable = _detectable_differences(table, protocol, rivals, problems)
    return replace(table, rows=ranked, detectable=detectable), problems


@dataclass(frozen=True, eq=False)
class _Peer:
    """A row, its runs' errors on the same items, and what the ranking column is made of."""

    row: Row
    result: Result  # the first of its runs
    errors: tuple[np.ndarray, ...]  # of the best rows alone
    ranked_by: tuple[Columns, ...]  # of each run: what the ranking metric is computed from


def _rank_peers(peers: Sequence[_Peer], column: Column, interval: float) -> dict[int, int]:
    """Return the rank of each row that has one, by the id of the row."""
    tables: list[Columns] = []
    owners: list[int] = []
    for number, peer in enumerate(peers):
        tables += peer.ranked_by
        owners += [number] * len(peer.ranked_by)
    ranking = ranks.rank_runs(column.metric.name, tables, owners=owners, level=interval)
    rank_by_row = {}
    for peer, rank in zip(peers, ranking.ranks, strict=True):
        if rank:
            rank_by_row[id(peer.row)] = rank
    return rank_by_row


def _read_peers(
    candidates: Sequence[Row],
    table: Table,
    results_by_page: Mapping[str, Result],
    problems: list[Problem],
) -> list[_Peer]:
    """Read the errors of rows that have a value in the ranking column.

    Errors of the first that can be used say what the items of the others must be.
    """
    peers: list[_Peer] = []
    first_errors: np.ndarray | None = None
    for row in candidates:
        known = [page in results_by_page for page in row.pages]
        if not row.cells[table.ranked_by] or not known or not all(known):
            continue
        runs = [results_by_page[page] for page in row.pages]
        errors: list[np.ndarray] = []
        ranked_by: list[Columns] = []
        row_first = first_errors
        for result in runs:
            try:
                run_errors = _read_run(result, table, row_first)
                ranked_by.append(_ranking_columns(run_errors, table.ranking_column))
            except ResultError as fault:
                problems.append(results.run_problem(result, fault))
                continue
            errors.append(run_errors)
            if row_first is None:
                row_first = run_errors
        if len(errors) < len(runs):
            continue
        first_errors = row_first
        if len(peers) >= _BEST_ROWS:
            errors = []  # would fill the memory
        peers.append(_Peer(row, runs[0], tuple(errors), tuple(ranked_by)))
    return peers


def _read_run(result: Result, table: Table, first_errors: np.ndarray | None) -> np.ndarray:
    """Return a run's errors.

    Raises ResultError unless clusters and groups are those of the first ones.
    """
    errors = results.read_errors(result)
    labels = {"cluster": results.cluster_numbers(errors)}
    for column in table.columns:
        labels[f"in_{column.group}"] = results.group_mask(errors, column.group)
    if first_errors is None:
        return errors
    for name, values in labels.items():
        if not np.array_equal(first_errors[name], values):
            what = "groups"
            if name == "cluster":
                what = "clusters"
            raise ResultError(
                f"errors.npz: its {what} are not those of the other runs; score it again"
            )
    return errors


def _ranking_columns(errors: np.ndarray, column: Column) -> Columns:
    """Return the columns (N,) that a metric is computed from, over the items of its group.

    Raises ResultError where the metric cannot be computed from them.
    """
    in_group = results.group_mask(errors, column.group)
    items = errors[in_group]
    results.metric_terms(items, column.metric)
    columns = {}
    for name in ranks.columns_of(column.metric.name):
        columns[name] = np.ascontiguousarray(results.any_column(items, name))
    return columns


def _side_by_side(
    peers: Sequence[_Peer], column: Column, terms: Sequence[Terms]
) -> tuple[tuple[Floats, Floats], list[int], np.ndarray]:
    """Put the terms of all runs side by side.

    Returns values and counts (N, C) of C runs, the peer of every run, and the clusters (N,).
    """
    values = np.stack([run_values for run_values, _ in terms], axis=1)
    counts = np.stack([run_counts for _, run_counts in terms], axis=1)
    owners = []
    for number, peer in enumerate(peers):
        owners += [number] * len(peer.errors)
    first = peers[0].errors[0]
    in_group = results.group_mask(first, column.group)
    return (values, counts), owners, results.cluster_numbers(first)[in_group]


def _detectable_differences(
    table: Table, protocol: Protocol, peers: Sequence[_Peer], problems: list[Problem]
) -> tuple[float | None, ...]:
    """Return the smallest detectable difference in each column, among the best rows."""
    if not peers:
        return ()
    differences: list[float | None] = []
    group = ""
    in_group: list[np.ndarray] = []  # errors of all runs; a group serves many columns
    for column in table.columns:
        measure = MEASURES.get(column.metric.measure)
        if measure is not None and not measure.is_mean:
            differences.append(None)
            continue
        try:
            if column.group != group:
                in_group = _errors_in_group(peers, column.group)
                group = column.group
            all_terms = [results.metric_terms(errors, column.metric) for errors in in_group]
        except ResultError as fault:
            problem = results.run_problem(peers[0].result, fault)
            if problem not in problems:
                problems.append(problem)
            differences.append(None)
            continue
        terms, owners, clusters = _side_by_side(peers, column, all_terms)
        differences.append(
            ranks.smallest_detectable_difference(
                *terms, clusters, owners=owners, level=protocol.interval
            )
        )
    return tuple(differences)


def _errors_in_group(peers: Sequence[_Peer], group: str) -> list[np.ndarray]:
    in_group = []
    for peer in peers:
        for errors in peer.errors:
            in_group.append(errors[results.group_mask(errors, group)])
    return in_group
