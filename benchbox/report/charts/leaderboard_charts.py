"""The charts of a leaderboard: which rows they show, and where their numbers come from."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from benchbox.errors import ResultError
from benchbox.layouts import LAYOUTS
from benchbox.metrics import metric_names, number_format
from benchbox.metrics.metric_names import Metric
from benchbox.report.inputs import results
from benchbox.report.inputs.results import Problem, Result
from benchbox.report.tables import per_item, rows
from benchbox.report.tables.rows import Row, Table
from benchbox.types import MethodCard, Protocol

from . import chart_values, point_ellipses
from .chart_values import Chart, CostPoint, Curve, GroupProfile
from .point_ellipses import PointErrors

if TYPE_CHECKING:
    from benchbox.types import Floats

_TAIL = 0.9  # of the faces that a CED without a threshold shows of its best curve


def board_charts(
    protocol: Protocol, table: Table, found: Mapping[str, Result], methods: Mapping[str, MethodCard]
) -> tuple[tuple[Chart, ...], list[Problem]]:
    """Draw what is known of the best measured rows and say whose errors could not be used."""
    shown = [row for row in rows.all_rows(table) if row.cells[table.ranked_by]]
    pairs = [
        (row, result)
        for row, result in per_item.order_by_variant(shown, found)
        if result.page + ".html" == row.page
    ]
    pairs = pairs[
        : chart_values.MOST_CURVES
    ]  # a curve is a run's: the first seed stands for its row
    varied = [row for row, _ in pairs]
    labels = dict(
        zip(
            [row.page for row in varied],
            run_labels([(bool(row.not_comparable), result) for row, result in pairs], methods),
            strict=True,
        )
    )
    drawn, problems = [], []
    curves = []
    metric, group = table.ranking_column.metric, table.ranking_column.group
    for row in varied:
        try:
            curves.append(
                Curve(labels[row.page], _group_errors(found[row.page], metric, group), row.page)
            )
        except ResultError as fault:
            problems.append(results.run_problem(found[row.page], fault))
    if curves:
        drawn.append(_ced_chart(protocol, metric, group, curves))
    beside = [row for row in varied if not row.not_comparable]
    groups = [column.group for column in table.columns if column.metric == metric]
    if len(groups) > 1 and beside:
        drawn.append(_group_chart(table, metric, groups, beside, labels))
    # counts of the network that was measured
    priced = [row for row in beside if row.cost.macs and not row.cost.paper]
    if len(priced) > 1:
        drawn.append(_cost_chart(protocol, table, metric, priced, labels))
    faces, more = _ellipse_charts(protocol, table, found, varied, labels)
    return (*drawn, *faces), [*problems, *more]


def _ellipse_charts(
    protocol: Protocol,
    table: Table,
    found: Mapping[str, Result],
    varied: Sequence[Row],
    labels: Mapping[str, str],
) -> tuple[list[Chart], list[Problem]]:
    """Draw where the points of the best rows go wrong, on the page of the convention that they are known under."""
    if protocol.normalisers[:1] != (table.convention,) or protocol.layout not in LAYOUTS:
        return [], []
    layers: list[PointErrors] = []
    problems = []
    for row in varied:
        if len(layers) == point_ellipses.MOST_LAYERS:
            break
        try:
            known = results.read_point_statistics(
                found[row.page], LAYOUTS[protocol.layout].count
            ).get(protocol.overall)
        except ResultError as fault:
            problems.append(results.run_problem(found[row.page], fault))
            continue
        if known:
            layers.append(PointErrors(labels[row.page], *known, row.page))
    return [
        points_chart(protocol, layers, f"the group {protocol.overall} of {protocol.name}")
    ] if layers else [], problems


def points_chart(
    protocol: Protocol, layers: Sequence[PointErrors], what: str, *, at_first: int = 2
) -> Chart:
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


def _group_errors(result: Result, metric: Metric, group: str) -> Floats:
    table = results.read_errors(result)
    values: Floats = results.item_errors(table, metric.column)[
        results.group_mask(table, group)
    ] * number_format.percent_scale(metric.unit)
    return values


def _ced_chart(protocol: Protocol, metric: Metric, group: str, curves: Sequence[Curve]) -> Chart:
    landmarks = metric.unit == "%"
    word = metric_names.short_convention(metric.convention)
    return chart_values.ced_chart(
        f"ced-{metric.convention}",
        f"Cumulative error distribution, {group}",
        curves,
        end=number_format.ced_limit(protocol) * 100
        if landmarks
        else tail_end([curve.errors for curve in curves]),
        x_title=f"error in % of {word}" if landmarks else f"error in {metric.unit}",
        unit=metric.unit,
        items="faces" if landmarks else "samples",
        what=f"the group {group} of {protocol.name}",
    )


def tail_end(errors: Sequence[Floats]) -> float:
    """Return a round number that most errors of the best curve stay below."""
    import numpy

    ends = [
        float(numpy.quantile(e[numpy.isfinite(e)], _TAIL))
        for e in errors
        if numpy.isfinite(e).any()
    ]
    end = 1.25 * min(ends, default=1.0) or 1.0
    power = 10.0 ** math.floor(math.log10(end))
    return next(m * power for m in (1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10) if m * power >= end)


def _group_chart(
    table: Table,
    metric: Metric,
    groups: Sequence[str],
    shown: Sequence[Row],
    labels: Mapping[str, str],
) -> Chart:
    places = [i for i, column in enumerate(table.columns) if column.metric == metric]
    profiles = []
    for row in shown[: chart_values.MOST_SHOWN]:
        cells = [row.cells[i] for i in places]
        profiles.append(
            GroupProfile(labels[row.page], tuple((c.value, c.ends) if c else None for c in cells))
        )
    unit = f", {metric.unit}" if metric.unit not in ("", "1") else ""
    return chart_values.group_chart(
        "groups",
        "Error by group",
        groups,
        profiles,
        y_title=f"{metric.title}{unit} (log scale)",
        unit=number_format.unit_word(metric.unit),
    )


def _cost_chart(
    protocol: Protocol,
    table: Table,
    metric: Metric,
    shown: Sequence[Row],
    labels: Mapping[str, str],
) -> Chart:
    points = []
    for row in shown:
        cell = row.cells[table.ranked_by]
        if cell and row.cost.macs:
            points.append(CostPoint(labels[row.page], row.cost.macs, cell.value))
    return chart_values.cost_chart(
        "cost",
        "Accuracy against cost",
        points,
        x_title=f"multiply-accumulates per {number_format.item_singular(protocol)}",
        y_title=f"{metric.title}, {table.ranking_column.group}",
        falls=metric.lower_is_better,
    )


def run_labels(
    shown: Sequence[tuple[bool, Result]], methods: Mapping[str, MethodCard]
) -> list[str]:
    """Name runs as shortly as tells them apart: method, what is not its default, seed.

    A star where one stands apart.

    `shown` says of each run whether it stands apart.
    """
    measured = [result for _, result in shown]
    words = [
        _shorten(rows.method_title(result.run.method, methods) + _variant_words(result, methods))
        for result in measured
    ]
    seeds = [
        f", seed {r.run.seed}" if words.count(word) > 1 else ""
        for word, r in zip(words, measured, strict=True)
    ]
    stars = [" *" if apart else "" for apart, _ in shown]
    return [word + seed + star for word, seed, star in zip(words, seeds, stars, strict=True)]


def _variant_words(result: Result, methods: Mapping[str, MethodCard]) -> str:
    card = methods.get(result.run.method)
    usual = (
        result.kind if result.kind == "submitted" else card.default if card else result.run.method
    )
    rest = result.run.variant.removeprefix(usual)
    return rest if not rest or rest.startswith("+") else f" {result.run.variant}"


def _shorten(text: str, room: int = 28) -> str:
    return text if len(text) <= room else text[: room - 1] + "…"
