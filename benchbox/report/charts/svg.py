"""Charts as the paths and places that `templates/chart.html` prints as inline SVG."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from . import plot_layout
from .chart_values import AnyChart, Axis, Chart, EllipseLayer, FaceChart, Series
from .plot_layout import Frame, Place, StagePlace

if TYPE_CHECKING:
    from benchbox.types import Floats

# From a landmark a stroke to the centre; around it half an ellipse, there and back.
_ELLIPSE = "M%.1f %.1fL%.1f %.1fM%.1f %.1f" + 2 * "a%.1f %.1f %.0f 1 1 %.1f %.1f" + "z"


@dataclass(frozen=True)
class SvgTick:
    """A text beside an axis."""

    at: float
    text: str


@dataclass(frozen=True)
class SvgSeries:
    """One curve or one layer of ellipses."""

    label: str
    style: int
    path: str  # "" for marks alone
    shown: bool
    filled: bool = False  # closed shapes instead of a curve
    end: Place = (0.0, 0.0)
    text_y: float = 0.0  # where its label stands
    values: tuple[str, ...] = ()


@dataclass(frozen=True)
class SvgMark:
    """One point of a series."""

    x: float
    y: float
    style: int
    hollow: bool
    say: str


@dataclass(frozen=True)
class SvgDrawing:
    """A chart in pixels."""

    frame: Frame
    x_title: str
    y_title: str
    x_ticks: tuple[SvgTick, ...]
    y_ticks: tuple[SvgTick, ...]
    stages: tuple[StagePlace, ...]
    series: tuple[SvgSeries, ...]
    marks: tuple[SvgMark, ...]
    legend: bool  # curves may be switched on and off
    x_end: float = 0.0  # what the right end of the x axis stands for, 0 where nobody asks
    outline: str = ""  # a path behind the layers
    spots: str = ""  # a path of dots, the landmarks
    names: tuple[str, ...] = ()  # of the landmarks


def draw_svg(chart: AnyChart) -> SvgDrawing:
    """Draw a chart."""
    if isinstance(chart, FaceChart):
        return _draw_face(chart)
    return _draw_plot(chart)


def _draw_plot(chart: Chart) -> SvgDrawing:
    x_ticks, y_ticks = plot_layout.tick_places(chart)
    x_end = 0.0
    if chart.hover == "stairs":
        x_end = chart.x.high
    return SvgDrawing(
        frame=plot_layout.frame_of(chart),
        x_title=chart.x.title,
        y_title=chart.y.title,
        x_ticks=_ticks(x_ticks, chart.x),
        y_ticks=_ticks(y_ticks, chart.y),
        stages=tuple(plot_layout.stage_places(chart)),
        series=_draw_series(chart),
        marks=_draw_marks(chart),
        legend=chart.legend and len(chart.series) > 1,
        x_end=x_end,
    )


def _ticks(places: Sequence[float], axis: Axis) -> tuple[SvgTick, ...]:
    pairs = zip(places, axis.ticks, strict=True)
    return tuple(SvgTick(place, tick.text) for place, tick in pairs)


def _draw_series(chart: Chart) -> tuple[SvgSeries, ...]:
    ends = plot_layout.end_places(chart)
    heights = plot_layout.label_heights(chart, ends)
    drawn = []
    for series, end, text_y in zip(chart.series, ends, heights, strict=True):
        path = _curve_path(chart, series)
        drawn.append(
            SvgSeries(series.label, series.style, path, series.shown, end=end, text_y=text_y)
        )
    return tuple(drawn)


def _curve_path(chart: Chart, series: Series) -> str:
    if series.form == "marks":
        return ""
    corners = plot_layout.curve_places(chart, series)
    if series.form == "stairs":
        return _stair_path(corners)
    path = _line_path(corners)
    for (x, low), (_, high) in plot_layout.interval_places(chart, series):
        path += f"M{x:g} {low:g}V{high:g}"
    return path


def _line_path(corners: Sequence[Place]) -> str:
    """Write straight strokes from corner to corner."""
    return ("M%g %g" + "L%g %g" * (len(corners) - 1)) % tuple(itertools.chain(*corners))


def _stair_path(corners: Sequence[Place]) -> str:
    """Write level and upright strokes by turns."""
    turned = corners[1:]
    numbers = [place[number % 2] for number, place in enumerate(turned)]
    strokes = "H%gV%g" * (len(turned) // 2) + "H%g" * (len(turned) % 2)
    return ("M%g %g" + strokes) % (*corners[0], *numbers)


def _draw_marks(chart: Chart) -> tuple[SvgMark, ...]:
    drawn = []
    for mark in chart.marks:
        (x,) = plot_layout.x_places(chart, [mark.x], mark.shift_px)
        (y,) = plot_layout.y_places(chart, [mark.y])
        drawn.append(SvgMark(x, y, mark.style, mark.hollow, mark.say))
    return tuple(drawn)


# --- faces ----------------------------------------------------------------------------------------


def _draw_face(chart: FaceChart) -> SvgDrawing:
    landmarks = plot_layout.face_places(chart.points)
    layers = []
    for layer in chart.layers:
        path = _ellipse_path(chart, layer)
        layers.append(
            SvgSeries(layer.label, layer.style, path, layer.shown, filled=True, values=layer.values)
        )
    return SvgDrawing(
        frame=plot_layout.frame_of(chart),
        x_title="",
        y_title="",
        x_ticks=(),
        y_ticks=(),
        stages=(),
        series=tuple(layers),
        marks=(),
        legend=True,
        outline=_outline_path(chart),
        spots="M%g %gh0" * len(landmarks) % tuple(landmarks.ravel().tolist()),
        names=chart.names,
    )


def _outline_path(chart: FaceChart) -> str:
    path = ""
    for corners, closed in plot_layout.outline_places(chart):
        path += _line_path(corners)
        if closed:
            path += "Z"
    return path


def _ellipse_path(chart: FaceChart, layer: EllipseLayer) -> str:
    """Write a stroke to each centre and an ellipse around it; one call for a whole layer."""
    places = plot_layout.ellipse_places(chart, layer)
    long, short = places.half_axes.T
    angle = places.angles_rad
    half = np.stack([long * np.cos(angle), long * np.sin(angle)], axis=1)
    start, across = places.centres + half, -2 * half
    turn_deg = np.degrees(angle)
    there = _half_ellipse(long, short, turn_deg, across)
    back = _half_ellipse(long, short, turn_deg, -across)
    columns = [places.landmarks, places.centres, start, there, back]
    rows = np.round(np.concatenate(columns, axis=1), 1) + 0.0  # no -0.0
    text = _ELLIPSE * len(rows) % tuple(rows.ravel().tolist())
    for following in " aLMz":
        text = text.replace(f".0{following}", following)
    return text


def _half_ellipse(long: Floats, short: Floats, turn_deg: Floats, across: Floats) -> Floats:
    """Return the numbers (K, 5) of an arc each, which leads to its start plus `across`."""
    return np.column_stack([long, short, turn_deg, across])
