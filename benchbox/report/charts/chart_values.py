"""Charts as values: arrays → paths in pixels; a template prints them as inline SVG.

Curves keep their order, colour and dash; every curve is labelled at its end, so that nothing hangs
on colour alone. Coordinates have one decimal, so equal numbers give equal bytes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from benchbox.types import Floats

COLOURS = ("#0072b2", "#c44e00", "#007a5a", "#a3337a", "#4a4a4a", "#8a6a00", "#2f7fc9", "#6d48c4")
DASHES = ("", "", "7 3", "", "2 3", "9 3 2 3", "5 2", "1 3", *("6 2 1 2",) * 8, *("12 4",) * 8)
MOST_LABELS = 16  # names that the space beside a plot has room for
MOST_SHOWN = 8  # curves that one chart can tell apart at once, labelled at their ends
MOST_CURVES = 24  # curves that a chart may hold; those beyond the first eight wait in its legend
LEFT, TOP, WIDTH, HEIGHT, _BOTTOM = 52, 34, 470, 300, 44
_LABEL_GAP, LABEL_ROOM = 17, 238
POINTS = 235  # one for two pixels of a plot's width


@dataclass(frozen=True)
class Tick:
    """A place on an axis, in pixels, and what stands there."""

    at: float
    text: str
    row: int = 0  # of two rows of text, so that neighbours do not touch
    shift: float = 0.0  # of the text, so that it ends inside the drawing


@dataclass(frozen=True)
class Series:
    """One curve; `style` chooses colour and dash, from 1."""

    label: str
    path: str
    style: int
    end: tuple[float, float]  # where the curve ends
    text_y: float  # where its label stands; label == "" has none
    shown: bool = True  # at first
    page: str = ""  # what the legend leads to
    filled: bool = False  # closed shapes instead of a curve
    # what is read off under the pointer, one for each of the chart's places
    values: tuple[str, ...] = ()


@dataclass(frozen=True)
class Mark:
    """One point with a name."""

    x: float
    y: float
    style: int
    label: str = ""
    text_y: float = 0.0
    hollow: bool = False
    say: str = ""  # what is read off under the pointer


@dataclass(frozen=True)
class NumberTable:
    """The numbers behind a chart, for those who read rather than look."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Chart:
    """A finished chart in pixels."""

    name: str  # unique in its page
    title: str
    summary: str  # what it shows, for those who do not see it
    x_title: str
    y_title: str
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    bands: tuple[Tick, ...]  # where a stage of training begins
    series: tuple[Series, ...]
    marks: tuple[Mark, ...] = ()
    legend: bool = False  # curves may be switched on and off
    hover: str = ""  # what is read off under the pointer: stairs, marks, points
    x_scale: float = 0.0  # what the right end of the x axis stands for, where it starts at zero
    unit: str = ""
    note: str = ""  # what a reader must know beside title and axes
    outline: str = ""  # a path behind the curves
    places: tuple[tuple[float, float], ...] = ()  # points of the outline that have names and values
    names: tuple[str, ...] = ()
    values: NumberTable | None = None
    left: int = LEFT
    top: int = TOP
    right: int = LEFT + WIDTH
    bottom: int = TOP + HEIGHT
    width: int = LEFT + WIDTH + LABEL_ROOM
    height: int = TOP + HEIGHT + _BOTTOM


@dataclass(frozen=True)
class Curve:
    """What a distribution is drawn of: per-face errors (N,) in the printed unit.

    Infinite where there is no answer, NaN where a face has no error at all.
    """

    label: str
    errors: Floats
    page: str = ""


def ced_chart(
    name: str,
    title: str,
    curves: Sequence[Curve],
    *,
    end: float,
    x_title: str,
    unit: str,
    items: str,
    what: str,
) -> Chart:
    """Draw the share of `items` (y) whose error is at most x, for x from 0 to `end`, in the printed unit."""
    grid = np.linspace(0.0, end, POINTS + 1)
    series = []
    for style, curve in enumerate(curves[:MOST_CURVES], start=1):
        errors = np.sort(curve.errors[~np.isnan(curve.errors)])
        share = np.searchsorted(errors, grid, side="right") / max(len(errors), 1)
        stairs = _stairs(curve.label, LEFT + grid / end * WIDTH, TOP + (1 - share) * HEIGHT, style)
        series.append(replace(stairs, shown=style <= MOST_SHOWN, page=curve.page))
    return Chart(
        name=name,
        title=title,
        summary=f"Cumulative error distribution of {what}: {join_names([c.label for c in curves[:MOST_CURVES]])}.",
        x_title=x_title,
        y_title=f"share of {items}",
        x_ticks=tuple(
            Tick(round_px(LEFT + t / end * WIDTH), f"{t:g}") for t in steps_from_zero(end)
        ),
        y_ticks=tuple(
            Tick(round_px(TOP + (1 - t / 100) * HEIGHT), f"{t} %") for t in range(0, 101, 20)
        ),
        bands=(),
        series=(*space_labels(series[:MOST_SHOWN]), *series[MOST_SHOWN:]),
        legend=True,
        hover="stairs",
        x_scale=end,
        unit=unit,
    )


@dataclass(frozen=True)
class GroupProfile:
    """One method's values by group: label, values and intervals, None where there is none."""

    label: str
    values: tuple[tuple[float, tuple[float, ...]] | None, ...]


def group_chart(
    name: str,
    title: str,
    names: Sequence[str],
    profiles: Sequence[GroupProfile],
    *,
    y_title: str,
    unit: str,
) -> Chart:
    """Draw one line per method over the groups, with its intervals as upright strokes.

    The scale is logarithmic.
    """
    ends = [end for p in profiles for v in p.values if v for end in (v[0], *v[1]) if end > 0]
    low, high = min(ends) / 1.06, max(ends) * 1.06

    def height(value: float) -> float:
        return round_px(TOP + (1 - math.log(max(value, low) / low) / math.log(high / low)) * HEIGHT)

    step = WIDTH / len(names)
    series, marks = [], []
    for style, profile in enumerate(profiles[:MOST_SHOWN], start=1):
        shift = (style - (min(len(profiles), MOST_SHOWN) + 1) / 2) * min(9.0, step / 12)
        places = [round_px(LEFT + (k + 0.5) * step + shift) for k in range(len(names))]
        known = [(x, v) for x, v in zip(places, profile.values, strict=True) if v]
        if not known:
            continue
        path = "M" + "L".join(f"{x:g} {height(v[0]):g}" for x, v in known)
        path += "".join(f"M{x:g} {height(v[1][0]):g}V{height(v[1][1]):g}" for x, v in known if v[1])
        marks += [
            Mark(x, height(v[0]), style, say=f"{profile.label}: {v[0]:.2f} {unit} ({group})")
            for x, v, group in zip(places, profile.values, names, strict=True)
            if v
        ]
        last = (known[-1][0], height(known[-1][1][0]))
        series.append(Series(profile.label, path, style, last, last[1]))
    return Chart(
        name=name,
        title=title,
        summary=f"{title}, by {join_names(names)}: {join_names([s.label for s in series])}.",
        x_title="",
        y_title=y_title,
        x_ticks=tuple(
            Tick(round_px(LEFT + (k + 0.5) * step), text) for k, text in enumerate(names)
        ),
        y_ticks=tuple(Tick(height(t), f"{t:g}") for t in log_steps(low, high)),
        bands=(),
        series=space_labels(series),
        marks=tuple(marks),
        legend=True,
        hover="marks",
    )


@dataclass(frozen=True)
class CostPoint:
    """A method with what it costs (x) and how well it does (y)."""

    label: str
    x: float
    y: float


def cost_chart(
    name: str, title: str, points: Sequence[CostPoint], *, x_title: str, y_title: str, falls: bool
) -> Chart:
    """Draw error (y) over cost (x, logarithmic) and the line of those that nothing cheaper beats."""
    points = points[:MOST_LABELS]
    low, high = min(p.x for p in points) / 1.5, max(p.x for p in points) * 1.5
    ticks = round_numbers(min(p.y for p in points) * 0.98, max(p.y for p in points))
    bottom, top = ticks[0], ticks[-1]

    def place(point: CostPoint) -> tuple[float, float]:
        x = LEFT + math.log(point.x / low) / math.log(high / low) * WIDTH
        return round_px(x), round_px(TOP + (1 - (point.y - bottom) / (top - bottom)) * HEIGHT)

    best: list[CostPoint] = []
    for point in sorted(points, key=lambda p: (p.x, p.y if falls else -p.y)):
        if not best or (point.y < best[-1].y if falls else point.y > best[-1].y):
            best.append(point)
    line = "M" + "L".join(f"{x:g} {y:g}" for x, y in map(place, best))
    series, marks = [], []
    for style, point in enumerate(points, start=1):
        x, y = place(point)
        say = f"{point.label}: {point.y:.2f} for {short_count(point.x)}"
        marks.append(Mark(x, y, style, hollow=point not in best, say=say))
        series.append(Series(point.label, "", style, (x, y), y))
    return Chart(
        name=name,
        title=title,
        summary=f"{title}. Not beaten by anything cheaper: {join_names([p.label for p in best])}.",
        x_title=x_title,
        y_title=y_title,
        x_ticks=tuple(
            Tick(round_px(LEFT + math.log(t / low) / math.log(high / low) * WIDTH), short_count(t))
            for t in log_steps(low, high)
        ),
        y_ticks=tuple(
            Tick(round_px(TOP + (1 - (t - bottom) / (top - bottom)) * HEIGHT), f"{t:g}")
            for t in ticks
        ),
        bands=(),
        series=(*space_labels(series), Series("", line, 0, (0.0, 0.0), 0.0)),
        marks=tuple(marks),
        legend=True,
        hover="marks",
        note="Hollow marks are beaten by something cheaper; the grey line joins the others.",
    )


def _stairs(label: str, xs: Floats, ys: Floats, style: int) -> Series:
    """Write a distribution as a path of level and upright strokes."""
    corners = np.flatnonzero(ys[1:] != ys[:-1]) + 1
    (level, *heights), (start, *places, end) = (
        pixel_texts([ys[0], *ys[corners]]),
        pixel_texts([xs[0], *xs[corners], xs[-1]]),
    )
    strokes = [f"M{start} {level}"]
    for x, y in zip(places, heights, strict=True):
        if y != level:  # too small a climb is not seen
            strokes.append(f"H{x}V{y}")
            level = y
    strokes.append(f"H{end}")
    return Series(label, "".join(strokes), style, (float(end), float(level)), float(level))


def space_labels(series: Sequence[Series]) -> tuple[Series, ...]:
    """Move labels apart so that none covers another; the curves keep their order of height."""
    order = sorted(range(len(series)), key=lambda i: (series[i].end[1], i))
    places: list[float] = []
    for i in order:
        places.append(max(series[i].end[1], places[-1] + _LABEL_GAP if places else TOP + 4.0))
    floor = float(TOP + HEIGHT)
    for k in range(len(places) - 1, -1, -1):
        places[k] = min(places[k], floor)
        floor = places[k] - _LABEL_GAP
    moved = dict(zip(order, places, strict=True))
    return tuple(replace(s, text_y=round_px(moved[i])) for i, s in enumerate(series))


def steps_from_zero(end: float) -> list[float]:
    """Return round numbers from zero to `end`, five or so."""
    return round_numbers(0.0, end, cover=False)


def round_numbers(low: float, high: float, *, cover: bool = True) -> list[float]:
    """Return round numbers from `low` to `high`, five or so.

    `cover` makes the last one reach `high`.
    """
    span = max(high - low, 1e-9)
    raw = span / 5
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= raw * 0.999)
    first = math.floor(low / step)
    last = math.ceil(high / step - 1e-9) if cover else math.floor(high / step + 1e-9)
    return [round(k * step, 12) for k in range(first, max(last, first + 1) + 1)]


def log_steps(low: float, high: float) -> list[float]:
    """Return 1, 2, 5, 10 … between two positive numbers, more of them where they span less than a decade."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    steps: tuple[float, ...] = (1, 1.5, 2, 2.5, 3, 4, 5, 6, 7, 8, 9)
    if high / low > 6:
        steps = (1, 2, 5) if high / low < 1e3 else (1,)
    return [
        round(m * 10.0**k, 12)
        for k in range(first, last + 1)
        for m in steps
        if low <= m * 10.0**k <= high
    ]


def short_count(value: float) -> str:
    """Write a count in thousands, millions and billions."""
    for size, letter in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if value >= size:
            return f"{value / size:.3g}{letter}"
    return f"{value:g}"


def join_names(names: Sequence[str]) -> str:
    """Name what a chart shows, in its summary."""
    return "; ".join(names) if names else "none"


def pixel_texts(values: Sequence[float]) -> list[str]:
    """Write pixels with one decimal, none where it is zero; one call for a whole curve."""
    return ("%.1f\n" * len(values) % tuple(values)).replace(".0\n", "\n").split()


def round_px(value: float) -> float:
    """Round to a tenth of a pixel, so that equal numbers give equal bytes."""
    return round(float(value), 1) + 0.0
