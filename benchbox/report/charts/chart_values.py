"""Charts as values: axes, curves and marks in the units of what they show.

`svg` draws them for pages and `pdf` for papers; `plot_layout` tells both where everything stands.
Curves keep their order, colour and dash, and every curve is labelled at its end, so that nothing
hangs on colour alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from benchbox.types import Floats

COLOURS = ("#0072b2", "#c44e00", "#007a5a", "#a3337a", "#4a4a4a", "#8a6a00", "#2f7fc9", "#6d48c4")
DASHES = ("", "", "7 3", "", "2 3", "9 3 2 3", "5 2", "1 3", *("6 2 1 2",) * 8, *("12 4",) * 8)
MOST_LABELS = 16  # names that the space beside a plot has room for
MOST_SHOWN = 8  # curves that one chart can tell apart at once, labelled at their ends
MOST_CURVES = 24  # curves that a chart may hold; those beyond the first eight wait in its legend
CURVE_POINTS = 235  # of a long curve: one for two pixels of a plot's width

# A curve, a distribution of level steps, or marks alone.
Form = Literal["line", "stairs", "marks"]


@dataclass(frozen=True)
class Tick:
    """A value on an axis and what stands there."""

    value: float
    text: str


@dataclass(frozen=True)
class Axis:
    """What one direction of a plot stands for, from its low to its high end."""

    title: str
    low: float
    high: float
    ticks: tuple[Tick, ...]
    logarithmic: bool = False
    padding: float = 0.0  # share of the plot that stays free at either end

    def share(self, values: Floats) -> Floats:
        """Return where values (N,) stand between the ends: 0 at the low one, 1 at the high one."""
        if self.logarithmic:
            decades = np.log(np.maximum(values, self.low) / self.low)
            share = decades / math.log(self.high / self.low)
        else:
            share = (values - self.low) / (self.high - self.low)
        placed: Floats = share * (1 - 2 * self.padding) + self.padding
        return placed


@dataclass(frozen=True)
class Interval:
    """A confidence interval, drawn as an upright stroke."""

    x: float
    low: float
    high: float


@dataclass(frozen=True, eq=False)
class Series:
    """One curve; `style` chooses colour and dash, from 1. Style 0 is a grey line without a name."""

    label: str
    style: int
    xs: Floats  # (N,)
    ys: Floats  # (N,)
    form: Form = "line"
    intervals: tuple[Interval, ...] = ()
    shift_px: float = 0.0  # to the right, so that series over the same values do not cover another
    shown: bool = True  # at first


@dataclass(frozen=True)
class Mark:
    """One point of a series."""

    x: float
    y: float
    style: int
    hollow: bool = False
    say: str = ""  # what is read off under the pointer
    shift_px: float = 0.0


@dataclass(frozen=True)
class StageStart:
    """Where a stage of training begins."""

    x: float
    name: str


@dataclass(frozen=True)
class NumberTable:
    """The numbers behind a chart, for those who read rather than look."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, eq=False)
class Chart:
    """A plot of series over two axes."""

    name: str  # unique in its page
    title: str
    summary: str  # what it shows, for those who do not see it
    x: Axis
    y: Axis
    series: tuple[Series, ...]
    marks: tuple[Mark, ...] = ()
    stages: tuple[StageStart, ...] = ()
    legend: bool = False  # curves may be switched on and off
    hover: str = ""  # what is read off under the pointer: stairs, marks, points
    unit: str = ""
    note: str = ""  # what a reader must know beside title and axes
    numbers: NumberTable | None = None
    labelled: bool = True  # names stand beside the plot


@dataclass(frozen=True)
class FaceLine:
    """A line that joins landmarks, by their numbers."""

    points: tuple[int, ...]
    closed: bool


@dataclass(frozen=True, eq=False)
class EllipseLayer:
    """One ellipse per landmark, in distances of the outer eye corners."""

    label: str
    style: int
    offsets: Floats  # (K, 2) from the landmark to the centre
    half_axes: Floats  # (K, 2) the long and the short one
    angles_rad: Floats  # (K,) of the long axis, from right to down
    values: tuple[str, ...]  # what is read off under the pointer, one for each landmark
    shown: bool = True  # at first


@dataclass(frozen=True, eq=False)
class FaceChart:
    """Ellipses on a face, in distances of the outer eye corners: x right, y down."""

    name: str  # unique in its page
    title: str
    summary: str
    points: Floats  # (K, 2)
    names: tuple[str, ...]  # of the landmarks
    outline: tuple[FaceLine, ...]
    layers: tuple[EllipseLayer, ...]
    unit: str
    note: str
    numbers: NumberTable
    hover: str = "points"


AnyChart = Chart | FaceChart


def mark_series(label: str, style: int, x: float, y: float) -> Series:
    """Return a series of one mark, which its label names."""
    return Series(label, style, np.array([x]), np.array([y]), form="marks")


def grey_line(points: Sequence[tuple[float, float]]) -> Series:
    """Return a line without a name through points (x, y)."""
    xs, ys = np.array(points).T
    return Series("", 0, xs, ys)


def join_names(names: Sequence[str]) -> str:
    """Name what a chart shows, in its summary."""
    if not names:
        return "none"
    return "; ".join(names)


# --- round numbers for axes -----------------------------------------------------------------------


def make_ticks(values: Sequence[float]) -> tuple[Tick, ...]:
    """Return a tick at each value, which is its text."""
    return tuple(Tick(value, f"{value:g}") for value in values)


def steps_from_zero(end: float) -> list[float]:
    """Return round numbers from zero to `end`, five or so.

    >>> steps_from_zero(10)
    [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]
    """
    return round_numbers(0.0, end, cover=False)


def round_numbers(low: float, high: float, *, cover: bool = True) -> list[float]:
    """Return round numbers from `low` to `high`, five or so.

    `cover` makes the last one reach `high`.

    >>> round_numbers(3.1, 9.2)
    [2.0, 4.0, 6.0, 8.0, 10.0]
    """
    span = max(high - low, 1e-9)
    raw_step = span / 5
    power = 10.0 ** math.floor(math.log10(raw_step))
    step = next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= raw_step * 0.999)
    first = math.floor(low / step)
    if cover:
        last = math.ceil(high / step - 1e-9)
    else:
        last = math.floor(high / step + 1e-9)
    last = max(last, first + 1)
    return [round(k * step, 12) for k in range(first, last + 1)]


def log_steps(low: float, high: float) -> list[float]:
    """Return 1, 2, 5, 10 … between two positive numbers, more where they span less than a decade.

    >>> log_steps(3, 120)
    [5.0, 10.0, 20.0, 50.0, 100.0]
    """
    factors: tuple[float, ...] = (1, 1.5, 2, 2.5, 3, 4, 5, 6, 7, 8, 9)
    if high / low >= 1e3:
        factors = (1,)
    elif high / low > 6:
        factors = (1, 2, 5)
    steps = []
    for exponent in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1):
        for factor in factors:
            step = factor * 10.0**exponent
            if low <= step <= high:
                steps.append(round(step, 12))
    return steps


def short_count(value: float) -> str:
    """Write a count in thousands, millions and billions.

    >>> short_count(1.27e9)
    '1.27 G'
    """
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.3g} {letter}"
    return f"{value:g}"
