"""What several runs make of the same test items, side by side: for comparing runs and for looking at single faces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from benchbox.errors import ResultError
from benchbox.metrics import metric_names
from benchbox.metrics.metric_names import Metric
from benchbox.report.inputs import results
from benchbox.report.inputs.results import Problem, Result
from benchbox.types import Protocol

from . import rows
from .rows import Row, Table

if TYPE_CHECKING:
    import numpy.typing as npt

    from benchbox.types import Bools, Floats, Strings

_MOST_RUNS = 24


@dataclass(frozen=True, eq=False)
class RunErrors:
    """One run's errors (N,) in the printed unit, infinite where it has no answer.

    `row` may hold further seeds.
    """

    row: Row
    result: Result
    errors: Floats


@dataclass(frozen=True, eq=False)
class ItemErrors:
    """Runs over the same items, the best first."""

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
    protocol: Protocol, table: Table, found: Mapping[str, Result]
) -> tuple[ItemErrors | None, list[Problem]]:
    """Read the errors of a table's best runs; those on other items than the first are left out.

    None where there is no run at all.
    """
    metric = table.columns[table.key].metric
    problems: list[Problem] = []
    columns: list[RunErrors] = []
    first: tuple[Strings, np.ndarray] | None = None
    for row, result in order_by_variant(
        [row for row in rows.all_rows(table) if row.cells[table.key]], found
    ):
        if len(columns) == _MOST_RUNS:
            break
        try:
            errors, ids = results.read_errors(result), results.read_ids(result.run, result.n)
            values = results.item_errors(errors, metric.column) * metric_names.percent_scale(
                metric.unit
            )
            results.cluster_numbers(errors)
            for group in protocol.groups:
                results.group_mask(errors, group)
        except ResultError as fault:
            problems.append(results.run_problem(result, fault))
            continue
        if first is None:
            first = ids, errors
        if np.array_equal(ids, first[0]):
            columns.append(RunErrors(row, result, values))
    if first is None:
        return None, problems
    groups = {group: results.group_mask(first[1], group) for group in protocol.groups}
    return ItemErrors(
        metric, first[0], results.cluster_numbers(first[1]).astype(np.int64), groups, tuple(columns)
    ), problems


def order_by_variant(shown: Sequence[Row], found: Mapping[str, Result]) -> list[tuple[Row, Result]]:
    """Put the first seed of the best row of every variant first, then the other rows, then further seeds."""
    order: dict[tuple[int, int], list[tuple[Row, Result]]] = {}
    seen: set[tuple[str, str]] = set()
    for row in shown:
        for place, page in enumerate(row.pages):
            if page not in found:
                continue
            key = found[page].run.method, found[page].run.variant
            order.setdefault((place, key in seen and place == 0), []).append((row, found[page]))
            seen.add(key)
    return [pair for part in sorted(order) for pair in order[part]]
