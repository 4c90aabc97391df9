"""The charts of a leaderboard: which rows they show, and where their numbers come from."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchbox.errors import ResultError
from benchbox.layouts import RENDERED_LAYOUTS, require_layout
from benchbox.metrics import metric_names, number_format
from benchbox.report.inputs import results
from benchbox.report.inputs.results import Problem, Result
from benchbox.report.tables import per_item, rows
from benchbox.report.tables.rows import Column, Row, Table
from benchbox.types import MethodCard, Protocol

from . import chart_values, point_ellipses
from .ced import Curve, ced_chart
from .chart_values import AnyChart, Chart, FaceChart
from .error_by_group import GroupProfile, GroupValue, group_chart
from .error_vs_cost import CostPoint, cost_chart
from .point_ellipses import PointErrors

if TYPE_CHECKING:
    from benchbox.types import Floats

_SHARE_SHOWN = 0.9  # of the items, by a CED without a threshold, of its best curve
_LABEL_LENGTH = 28  # characters


@dataclass(frozen=True, eq=False)
class _Shown:
    """A row of the leaderboard, the run that stands for it and its name in a chart."""

    row: Row
    result: Result
    label: str


def board_charts(
    protocol: Protocol,
    table: Table,
    results_by_page: Mapping[str, Result],
    methods: Mapping[str, MethodCard],
) -> tuple[tuple[AnyChart, ...], list[Problem]]:
    """Draw what is known of the best measured rows and say whose errors could not be used."""
    shown = _choose_shown(table, results_by_page, methods)
    comparable = [item for item in shown if not item.row.not_comparable]
    problems: list[Problem] = []
    drawn: list[AnyChart] = []
    curves = _read_curves(table.ranking_column, shown, problems)
    if curves:
        drawn.append(_ced_chart(protocol, table.ranking_column, curves))
    metric = table.ranking_column.metric
    groups = [column.group for column in table.columns if column.metric == metric]
    if len(groups) > 1 and comparable:
        drawn.append(_group_chart(table, groups, comparable))
    points = _cost_points(table, comparable)
    if len(points) > 1:
        drawn.append(_cost_chart(protocol, table.ranking_column, points))
    layers = _read_layers(protocol, table, shown, problems)
    if layers:
        what = f"the group {protocol.overall} of {protocol.name}"
        drawn.append(points_chart(protocol, layers, what))
    return tuple(drawn), problems


def _choose_shown(
    table: Table, results_by_page: Mapping[str, Result], methods: Mapping[str, MethodCard]
) -> list[_Shown]:
    """Choose the best rows, a run each: the first seed stands for its row."""
    with_value = [row for row in rows.all_rows(table) if row.cells[table.ranked_by]]
    pairs = []
    for row, result in per_item.order_by_variant(with_value, results_by_page):
        if row.page == f"{result.page}.html":
            pairs.append((row, result))
    pairs = pairs[: chart_values.MOST_CURVES]
    labels = run_labels([(bool(row.not_comparable), result) for row, result in pairs], methods)
    return [_Shown(*pair, label) for pair, label in zip(pairs, labels, strict=True)]


# --- cumulative error distribution ----------------------------------------------------------------


def _read_curves(column: Column, shown: Sequence[_Shown], problems: list[Problem]) -> list[Curve]:
    curves = []
    for item in shown:
        try:
            errors = _group_errors(item.result, column)
        except ResultError as fault:
            problems.append(results.run_problem(item.result, fault))
            continue
        curves.append(Curve(item.label, errors))
    return curves


def _group_errors(result: Result, column: Column) -> Floats:
    """Return a run's errors (N,) in one group, in the printed unit."""
    table = results.read_errors(result)
    errors = results.item_errors(table, column.metric.column)
    in_group = results.group_mask(table, column.group)
    printed: Floats = errors[in_group] * number_format.percent_scale(column.metric.unit)
    return printed


def _ced_chart(protocol: Protocol, column: Column, curves: Sequence[Curve]) -> Chart:
    metric, group = column.metric, column.group
    if metric.unit == "%":
        end = number_format.ced_limit(protocol) * 100
        x_title = f"error in % of {metric_names.short_convention(metric.convention)}"
        items = "faces"
    else:
        end = tail_end([curve.errors for curve in curves])
        x_title = f"error in {metric.unit}"
        items = "samples"
    return ced_chart(
        f"ced-{metric.convention}",
        f"Cumulative error distribution, {group}",
        curves,
        end=end,
        x_title=x_title,
        unit=metric.unit,
        items=items,
        what=f"the group {group} of {protocol.name}",
    )


def tail_end(errors: Sequence[Floats]) -> float:
    """Return a round number that most errors of the best curve stay below."""
    import numpy as np

    quantiles = []
    for values in errors:
        finite = values[np.isfinite(values)]
        if len(finite):
            quantiles.append(float(np.quantile(finite, _SHARE_SHOWN)))
    end = 1.25 * min(quantiles, default=1.0) or 1.0
    power = 10.0 ** math.floor(math.log10(end))
    factors = (1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10)
    return next(factor * power for factor in factors if factor * power >= end)


# --- groups and costs -----------------------------------------------------------------------------


def _group_chart(table: Table, groups: Sequence[str], shown: Sequence[_Shown]) -> Chart:
    metric = table.ranking_column.metric
    profiles = []
    for item in shown[: chart_values.MOST_SHOWN]:
        values: list[GroupValue | None] = []
        for column, cell in zip(table.columns, item.row.cells, strict=True):
            if column.metric != metric:
                continue
            if cell is None:
                values.append(None)
            else:
                values.append(GroupValue(cell.value, cell.ends))
        profiles.append(GroupProfile(item.label, tuple(values)))
    y_title = f"{metric.title} (log scale)"
    if metric.unit not in ("", "1"):
        y_title = f"{metric.title}, {metric.unit} (log scale)"
    return group_chart(
        "groups",
        "Error by group",
        groups,
        profiles,
        y_title=y_title,
        unit=number_format.unit_word(metric.unit),
    )


def _cost_points(table: Table, shown: Sequence[_Shown]) -> list[CostPoint]:
    """Return the rows whose own network was counted, not that of the paper's sizes."""
    points = []
    for item in shown:
        cell, cost = item.row.cells[table.ranked_by], item.row.cost
        if cell and cost.macs and not cost.paper:
            points.append(CostPoint(item.label, cost.macs, cell.value))
    return points


def _cost_chart(protocol: Protocol, column: Column, points: Sequence[CostPoint]) -> Chart:
    return cost_chart(
        "cost",
        "Accuracy against cost",
        points,
        x_title=f"multiply-accumulates per {number_format.item_singular(protocol)}",
        y_title=f"{column.metric.title}, {column.group}",
        lower_is_better=column.metric.lower_is_better,
    )


# --- errors of points -----------------------------------------------------------------------------


def _read_layers(
    protocol: Protocol, table: Table, shown: Sequence[_Shown], problems: list[Problem]
) -> list[PointErrors]:
    """Read where the points of the best rows go wrong, for the convention they are known under."""
    if protocol.normalisers[:1] != (table.convention,) or protocol.layout not in RENDERED_LAYOUTS:
        return []
    count = require_layout(protocol).count
    layers: list[PointErrors] = []
    for item in shown:
        if len(layers) == point_ellipses.MOST_LAYERS:
            break
        try:
            statistics = results.read_point_statistics(item.result, count)
        except ResultError as fault:
            problems.append(results.run_problem(item.result, fault))
            continue
        if protocol.overall in statistics:
            layers.append(PointErrors(item.label, *statistics[protocol.overall]))
    return layers


def points_chart(
    protocol: Protocol, layers: Sequence[PointErrors], what: str, *, at_first: int = 2
) -> FaceChart:
    """Draw where points go wrong under a protocol.

    `at_first` layers are shown before any is chosen.
    """
    return point_ellipses.ellipse_chart(
        "points",
        "Error of each point",
        layers,
        protocol.layout,
        normaliser=metric_names.short_convention(protocol.normalisers[0]),
        what=what,
        at_first=at_first,
    )


# --- names ----------------------------------------------------------------------------------------


def run_labels(
    shown: Sequence[tuple[bool, Result]], methods: Mapping[str, MethodCard]
) -> list[str]:
    """Name runs as shortly as tells them apart: method, what is not its default, seed.

    `shown` says of each run whether it is not comparable; such a one gets a star.
    """
    names = []
    for _, result in shown:
        stated = result.run.record.stated.get("title", "")
        title = stated or rows.method_title(result.run.method, methods)
        names.append(_shorten(title + _variant_words(result, methods)))
    labels = []
    for name, (not_comparable, result) in zip(names, shown, strict=True):
        label = name
        if names.count(name) > 1:
            label += f", seed {result.run.seed}"
        if not_comparable:
            label += " *"
        labels.append(label)
    return labels


def _variant_words(result: Result, methods: Mapping[str, MethodCard]) -> str:
    """Name what a run's variant has beside the usual one, "" for that one."""
    usual: str
    if result.kind == "submitted":
        usual = result.kind
    elif result.run.method in methods:
        usual = methods[result.run.method].default
    else:
        usual = result.run.method
    rest = result.run.variant.removeprefix(usual)
    if not rest or rest.startswith("+"):
        return rest
    return f" {result.run.variant}"


def _shorten(text: str) -> str:
    if len(text) <= _LABEL_LENGTH:
        return text
    return text[: _LABEL_LENGTH - 1] + "…"
