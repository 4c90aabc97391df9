"""What several runs predict of the same test items, side by side.

For comparing runs and for looking at single items.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from benchbox.errors import ResultError
from benchbox.metrics import number_format
from benchbox.metrics.metric_names import Metric
from benchbox.report.inputs import results
from benchbox.report.inputs.results import Problem, Result
from benchbox.runs import run_identity
from benchbox.types import Protocol

from . import rows
from .rows import Row, Table

if TYPE_CHECKING:
    import numpy.typing as npt

    from benchbox.types import Bools, Floats, Strings

_MOST_RUNS = 24


@dataclass(frozen=True, eq=False)
class RunErrors:
    """One run's errors (N,) in the printed unit, infinite where it has no prediction.

    `row` may hold further seeds.
    """

    row: Row
    result: Result
    errors: Floats


@dataclass(frozen=True, eq=False)
class ItemErrors:
    """Errors of several runs on the same items, the best run first."""

    metric: Metric
    ids: Strings  # (N,)
    clusters: npt.NDArray[np.int64]  # (N,)
    groups: Mapping[str, Bools]  # group → (N,)
    columns: tuple[RunErrors, ...]

    @property
    def table(self) -> Floats:
        """Return the errors of all runs, (N, M)."""
        return np.stack([column.errors for column in self.columns], axis=1)


def gather_item_errors(
    protocol: Protocol, table: Table, results_by_page: Mapping[str, Result]
) -> tuple[ItemErrors | None, list[Problem]]:
    """Read the errors of a table's best runs that were measured alike.

    Those on other items or annotations than the first, or under another card, are left out, and
    named where the items are the same; so are those whose predictions are not kept, unnamed. None
    where there is no run at all.
    """
    metric = table.ranking_column.metric
    with_value = [row for row in rows.all_rows(table) if row.cells[table.ranked_by]]
    problems: list[Problem] = []
    columns: list[RunErrors] = []
    first_items: _Items | None = None
    first_result: Result | None = None
    for row, result in order_by_variant(with_value, results_by_page):
        if len(columns) == _MOST_RUNS:
            break
        if not result.keeps_predictions:
            continue
        try:
            items, errors = _read_items(result, metric, protocol)
        except ResultError as fault:
            problems.append(results.run_problem(result, fault))
            continue
        if first_items is None or first_result is None:
            first_items, first_result = items, result
        if not np.array_equal(items.ids, first_items.ids):
            continue
        if difference := _measured_otherwise(result, first_result):
            problems.append(results.run_problem(result, ResultError(difference)))
        else:
            columns.append(RunErrors(row, result, errors))
    if first_items is None:
        return None, problems
    item_errors = ItemErrors(
        metric, first_items.ids, first_items.clusters, first_items.groups, tuple(columns)
    )
    return item_errors, problems


def _measured_otherwise(result: Result, first: Result) -> str:
    """Say why the errors of two runs on one item are not of one kind, "" where they are."""
    if result.card != first.card:
        return "not beside the others, item by item: scored under another version of the card"
    truths = [run_identity.name_truth(one.run.record.data) for one in (result, first)]
    if truths[0] != truths[1]:
        return "not beside the others, item by item: measured on other test annotations"
    return ""


@dataclass(frozen=True, eq=False)
class _Items:
    """The test items of a run."""

    ids: Strings  # (N,)
    clusters: npt.NDArray[np.int64]  # (N,)
    groups: Mapping[str, Bools]  # group → (N,)


def _read_items(result: Result, metric: Metric, protocol: Protocol) -> tuple[_Items, Floats]:
    """Return the test items of a run and its errors (N,) in the printed unit.

    Raises ResultError where they cannot be used.
    """
    table = results.read_errors(result)
    ids = results.read_ids(result.run, result.n)
    errors = results.item_errors(table, metric.column) * number_format.percent_scale(metric.unit)
    clusters = results.cluster_numbers(table).astype(np.int64)
    groups = {group: results.group_mask(table, group) for group in protocol.groups}
    return _Items(ids, clusters, groups), errors


def order_by_variant(
    rows_in_order: Sequence[Row], results_by_page: Mapping[str, Result]
) -> list[tuple[Row, Result]]:
    """Return the runs of rows: every variant once before any comes again.

    First the first seed of the best row of every variant, then the other rows, then further seeds.
    """
    firsts, other_rows = [], []
    further_seeds: dict[int, list[tuple[Row, Result]]] = {}
    seen: set[tuple[str, str]] = set()
    for row in rows_in_order:
        for number, page in enumerate(row.pages):
            if page not in results_by_page:
                continue
            result = results_by_page[page]
            variant = result.run.method, result.run.variant
            if number > 0:
                further_seeds.setdefault(number, []).append((row, result))
            elif variant in seen:
                other_rows.append((row, result))
            else:
                firsts.append((row, result))
            seen.add(variant)
    ordered = firsts + other_rows
    for number in sorted(further_seeds):
        ordered += further_seeds[number]
    return ordered
