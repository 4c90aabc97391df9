"""Charts of one number against another.

Lines over a size that grows, and points that trade one measure for another.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from . import chart_values
from .chart_values import Axis, Chart, Interval, Mark, NumberTable, Series

_MOST_TICKS = 10  # that a plot's width has room for


@dataclass(frozen=True)
class LineValue:
    """One value of a line, with its interval, low and high, where there is one."""

    at: float
    value: float
    ends: tuple[float, ...] = ()


@dataclass(frozen=True)
class Line:
    """Values of one system, in the order of the axis."""

    label: str
    values: tuple[LineValue, ...]
    printed: bool = False  # by a paper


@dataclass(frozen=True)
class TradeoffPoint:
    """One system with two measures, of which less is better."""

    label: str
    x: float
    y: float
    printed: bool = False  # by a paper


def line_chart(
    name: str,
    title: str,
    lines: Sequence[Line],
    *,
    x_title: str,
    y_title: str,
    unit: str,
    note: str,
) -> Chart:
    """Draw each line's values (y, logarithmic) over the size (x); hollow marks are printed numbers.

    The axis begins at the smallest size.
    """
    shown = lines[: chart_values.MOST_LABELS]
    sizes = sorted({value.at for line in shown for value in line.values})
    series: list[Series] = []
    marks: list[Mark] = []
    for style, line in enumerate(shown, start=1):
        series.append(_line_series(line, style))
        for value in line.values:
            say = f"{line.label}: {value.value:.2f} {unit} at {value.at:g}"
            marks.append(Mark(value.at, value.value, style, hollow=line.printed, say=say))
    names = chart_values.join_names([line.label for line in shown])
    return Chart(
        name=name,
        title=title,
        summary=f"{y_title} over {x_title}: {names}.",
        x=_size_axis(x_title, sizes),
        y=_log_axis(y_title, shown),
        series=tuple(series),
        marks=tuple(marks),
        legend=True,
        hover="marks",
        unit=unit,
        note=note,
        numbers=NumberTable(
            title=f"{y_title}, by {x_title}",
            columns=("", *(f"{size:g}" for size in sizes)),
            rows=tuple(_number_row(line, sizes) for line in shown),
        ),
    )


def _line_series(line: Line, style: int) -> Series:
    xs, ys, intervals = [], [], []
    for value in line.values:
        xs.append(value.at)
        ys.append(value.value)
        if value.ends:
            intervals.append(Interval(value.at, *value.ends))
    return Series(line.label, style, np.array(xs), np.array(ys), intervals=tuple(intervals))


def _size_axis(title: str, sizes: Sequence[float]) -> Axis:
    first = sizes[0]
    if len(sizes) == 1:
        first -= 1  # an axis has two ends
    stride = -(-len(sizes) // _MOST_TICKS)  # rounded up
    ticks = chart_values.make_ticks(sizes[::stride])
    return Axis(title, first, sizes[-1], ticks, padding=0.02)


def _log_axis(title: str, lines: Sequence[Line]) -> Axis:
    ends = []
    for line in lines:
        for value in line.values:
            ends += [value.value, *value.ends]
    positive = [end for end in ends if end > 0]
    low, high = min(positive) / 1.05, max(positive) * 1.05
    return Axis(title, low, high, chart_values.make_ticks(_log_ticks(low, high)), logarithmic=True)


def _log_ticks(low: float, high: float) -> list[float]:
    """Return round numbers between two positive ones: 1, 2, 5 …, else even steps."""
    steps = chart_values.log_steps(low, high)
    if len(steps) > 2:
        return steps
    return [step for step in chart_values.round_numbers(low, high) if low <= step <= high]


def _number_row(line: Line, sizes: Sequence[float]) -> tuple[str, ...]:
    known = {value.at: f"{value.value:.2f}" for value in line.values}
    return (line.label, *(known.get(size, "–") for size in sizes))


def tradeoff_chart(
    name: str,
    title: str,
    points: Sequence[TradeoffPoint],
    *,
    x_title: str,
    y_title: str,
    unit: str,
) -> Chart:
    """Draw two measures against each other and the line of those that none beats in both.

    Hollow ones are printed.
    """
    shown = points[: chart_values.MOST_LABELS]
    unbeaten = unbeaten_points(shown)
    series, marks, rows = [], [], []
    for style, point in enumerate(shown, start=1):
        say = f"{point.label}: {point.x:.2f} and {point.y:.2f} {unit}"
        marks.append(Mark(point.x, point.y, style, hollow=point.printed, say=say))
        series.append(chart_values.mark_series(point.label, style, point.x, point.y))
        verdict = ""
        if point in unbeaten:
            verdict = "yes"
        rows.append((point.label, f"{point.x:.2f}", f"{point.y:.2f}", verdict))
    series.append(chart_values.grey_line([(point.x, point.y) for point in unbeaten]))
    note = "Less is better on both axes; the grey line joins what nothing beats in both."
    if any(point.printed for point in shown):
        note += " Hollow marks are printed by a paper."
    names = chart_values.join_names([point.label for point in unbeaten])
    return Chart(
        name=name,
        title=title,
        summary=f"{y_title} over {x_title}. Not beaten in both: {names}.",
        x=_even_axis(x_title, [point.x for point in shown]),
        y=_even_axis(y_title, [point.y for point in shown]),
        series=tuple(series),
        marks=tuple(marks),
        legend=True,
        hover="marks",
        unit=unit,
        note=note,
        numbers=NumberTable(title, ("", x_title, y_title, "unbeaten"), tuple(rows)),
    )


def unbeaten_points(points: Sequence[TradeoffPoint]) -> list[TradeoffPoint]:
    """Return the points that no other one beats in both measures, from the left."""
    unbeaten: list[TradeoffPoint] = []
    for point in sorted(points, key=lambda point: (point.x, point.y, point.label)):
        if not unbeaten or point.y < unbeaten[-1].y:
            unbeaten.append(point)
    return unbeaten


def _even_axis(title: str, values: Sequence[float]) -> Axis:
    """Return an axis whose round numbers reach around values, never one alone."""
    low, high = min(values), max(values)
    room = (high - low) * 0.08 or 0.1 * abs(high) or 1.0
    steps = chart_values.round_numbers(max(low - room, 0.0), high + room)
    return Axis(title, steps[0], steps[-1], chart_values.make_ticks(steps))
