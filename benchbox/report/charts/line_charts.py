"""Charts of one number against another: lines over a size that grows, and points that trade one measure for another.

As in `charts`: arrays → paths in pixels, every line named at its right, nothing that hangs on
colour alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from . import chart_values
from .chart_values import Chart, Mark, NumberTable, Series, Tick

_TICKS = 10  # that a plot's width has room for
MOST_LABELS = 16  # lines or points that the space beside a plot has names for


@dataclass(frozen=True)
class LineValue:
    """One value of a line, with its interval where there is one."""

    at: float
    value: float
    ends: tuple[float, ...] = ()


@dataclass(frozen=True)
class Line:
    """Values of one system, in the order of the axis."""

    label: str
    stops: tuple[LineValue, ...]
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
    shown = lines[:MOST_LABELS]
    values = [v for line in shown for stop in line.stops for v in (stop.value, *stop.ends) if v > 0]
    low, high = min(values) / 1.05, max(values) * 1.05
    sizes = sorted({stop.at for line in shown for stop in line.stops})
    first = sizes[0] if len(sizes) > 1 else sizes[0] - 1

    def along(at: float) -> float:
        return chart_values.round_px(
            chart_values.LEFT
            + ((at - first) / (sizes[-1] - first) * 0.96 + 0.02) * chart_values.WIDTH
        )

    def height(value: float) -> float:
        share = math.log(max(value, low) / low) / math.log(high / low)
        return chart_values.round_px(chart_values.TOP + (1 - share) * chart_values.HEIGHT)

    series, marks = [], []
    for style, line in enumerate(shown, start=1):
        path = "M" + "L".join(f"{along(s.at):g} {height(s.value):g}" for s in line.stops)
        path += "".join(
            f"M{along(s.at):g} {height(s.ends[0]):g}V{height(s.ends[1]):g}"
            for s in line.stops
            if s.ends
        )
        for s in line.stops:
            say = f"{line.label}: {s.value:.2f} {unit} at {s.at:g}"
            marks.append(Mark(along(s.at), height(s.value), style, hollow=line.printed, say=say))
        end = line.stops[-1]
        series.append(
            Series(line.label, path, style, (along(end.at), height(end.value)), height(end.value))
        )
    return Chart(
        name=name,
        title=title,
        summary=f"{y_title} over {x_title}: {chart_values.join_names([line.label for line in shown])}.",
        x_title=x_title,
        y_title=y_title,
        x_ticks=tuple(Tick(along(at), f"{at:g}") for at in sizes[:: -(-len(sizes) // _TICKS)]),
        y_ticks=tuple(Tick(height(t), f"{t:g}") for t in _log_ticks(low, high)),
        bands=(),
        series=chart_values.space_labels(series),
        marks=tuple(marks),
        legend=True,
        hover="marks",
        unit=unit,
        note=note,
        values=NumberTable(
            f"{y_title}, by {x_title}",
            ("", *(f"{at:g}" for at in sizes)),
            tuple((line.label, *_row(line, sizes)) for line in shown),
        ),
    )


def _log_ticks(low: float, high: float) -> list[float]:
    """Return round numbers between two positive ones: 1, 2, 5 … or, where these leave too few, even steps."""
    found = chart_values.log_steps(low, high)
    return (
        found
        if len(found) > 2
        else [t for t in chart_values.round_numbers(low, high) if low <= t <= high]
    )


def _row(line: Line, sizes: Sequence[float]) -> list[str]:
    known = {stop.at: f"{stop.value:.2f}" for stop in line.stops}
    return [known.get(at, "–") for at in sizes]


def tradeoff_chart(
    name: str, title: str, points: Sequence[TradeoffPoint], *, x_title: str, y_title: str, unit: str
) -> Chart:
    """Draw two measures against each other and the line of those that none beats in both.

    Hollow ones are printed.
    """
    shown = points[:MOST_LABELS]
    across, upright = (_axis([getattr(p, axis) for p in shown]) for axis in ("x", "y"))

    def place(point: TradeoffPoint) -> tuple[float, float]:
        x = (point.x - across[0]) / (across[-1] - across[0]) * chart_values.WIDTH
        y = (point.y - upright[0]) / (upright[-1] - upright[0]) * chart_values.HEIGHT
        return chart_values.round_px(chart_values.LEFT + x), chart_values.round_px(
            chart_values.TOP + chart_values.HEIGHT - y
        )

    best = unbeaten_points(shown)
    line = "M" + "L".join(f"{x:g} {y:g}" for x, y in map(place, best))
    series, marks = [], []
    for style, point in enumerate(shown, start=1):
        x, y = place(point)
        say = f"{point.label}: {point.x:.2f} and {point.y:.2f} {unit}"
        marks.append(Mark(x, y, style, hollow=point.printed, say=say))
        series.append(Series(point.label, "", style, (x, y), y))
    return Chart(
        name=name,
        title=title,
        summary=f"{y_title} over {x_title}. Not beaten in both: {chart_values.join_names([p.label for p in best])}.",
        x_title=x_title,
        y_title=y_title,
        x_ticks=tuple(
            Tick(
                chart_values.round_px(
                    chart_values.LEFT
                    + (t - across[0]) / (across[-1] - across[0]) * chart_values.WIDTH
                ),
                f"{t:g}",
            )
            for t in across
        ),
        y_ticks=tuple(
            Tick(
                chart_values.round_px(
                    chart_values.TOP
                    + chart_values.HEIGHT
                    - (t - upright[0]) / (upright[-1] - upright[0]) * chart_values.HEIGHT
                ),
                f"{t:g}",
            )
            for t in upright
        ),
        bands=(),
        series=(*chart_values.space_labels(series), Series("", line, 0, (0.0, 0.0), 0.0)),
        marks=tuple(marks),
        legend=True,
        hover="marks",
        unit=unit,
        note="Less is better on both axes; the grey line joins what nothing beats in both."
        + (" Hollow marks are printed by a paper." if any(p.printed for p in shown) else ""),
        values=NumberTable(
            title,
            ("", x_title, y_title, "unbeaten"),
            tuple((p.label, f"{p.x:.2f}", f"{p.y:.2f}", "yes" if p in best else "") for p in shown),
        ),
    )


def unbeaten_points(points: Sequence[TradeoffPoint]) -> list[TradeoffPoint]:
    """Return the points that no other one beats in both measures, from the left."""
    best: list[TradeoffPoint] = []
    for point in sorted(points, key=lambda p: (p.x, p.y, p.label)):
        if not best or point.y < best[-1].y:
            best.append(point)
    return best


def _axis(values: Sequence[float]) -> list[float]:
    """Return round numbers that reach around values, never one alone."""
    low, high = min(values), max(values)
    room = (high - low) * 0.08 or 0.1 * abs(high) or 1.0
    return chart_values.round_numbers(max(low - room, 0.0), high + room)
