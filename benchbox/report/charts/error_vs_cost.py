"""Accuracy against what a network costs, and the line of those that nothing cheaper beats."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from . import chart_values
from .chart_values import Axis, Chart, Mark, Tick


@dataclass(frozen=True)
class CostPoint:
    """A method with what it costs (x) and how well it does (y)."""

    label: str
    x: float
    y: float


def cost_chart(
    name: str,
    title: str,
    points: Sequence[CostPoint],
    *,
    x_title: str,
    y_title: str,
    lower_is_better: bool,
) -> Chart:
    """Draw error (y) over cost (x, logarithmic), and the line of those that nothing cheaper beats.

    Points that something cheaper beats are hollow.
    """
    points = points[: chart_values.MOST_LABELS]
    unbeaten = _unbeaten_points(points, lower_is_better)
    series, marks = [], []
    for style, point in enumerate(points, start=1):
        say = f"{point.label}: {point.y:.2f} for {chart_values.short_count(point.x)}"
        marks.append(Mark(point.x, point.y, style, hollow=point not in unbeaten, say=say))
        series.append(chart_values.mark_series(point.label, style, point.x, point.y))
    series.append(chart_values.grey_line([(point.x, point.y) for point in unbeaten]))
    names = chart_values.join_names([point.label for point in unbeaten])
    return Chart(
        name=name,
        title=title,
        summary=f"{title}. Not beaten by anything cheaper: {names}.",
        x=_cost_axis(x_title, [point.x for point in points]),
        y=_error_axis(y_title, [point.y for point in points]),
        series=tuple(series),
        marks=tuple(marks),
        legend=True,
        hover="marks",
        note="Hollow marks are beaten by something cheaper; the grey line joins the others.",
    )


def _cost_axis(title: str, costs: Sequence[float]) -> Axis:
    low, high = min(costs) / 1.5, max(costs) * 1.5
    steps = chart_values.log_steps(low, high)
    ticks = tuple(Tick(step, chart_values.short_count(step)) for step in steps)
    return Axis(title, low, high, ticks, logarithmic=True)


def _error_axis(title: str, errors: Sequence[float]) -> Axis:
    steps = chart_values.round_numbers(min(errors) * 0.98, max(errors))
    return Axis(title, steps[0], steps[-1], chart_values.make_ticks(steps))


def _unbeaten_points(points: Sequence[CostPoint], lower_is_better: bool) -> list[CostPoint]:
    """Return the points that nothing cheaper beats, the cheapest first."""

    def loss(point: CostPoint) -> float:
        if lower_is_better:
            return point.y
        return -point.y

    unbeaten: list[CostPoint] = []
    for point in sorted(points, key=lambda point: (point.x, loss(point))):
        if not unbeaten or loss(point) < loss(unbeaten[-1]):
            unbeaten.append(point)
    return unbeaten
