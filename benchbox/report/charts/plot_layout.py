"""Where everything of a chart stands, in pixels: the one layout that `svg` and `pdf` draw.

Places are rounded to a tenth of a pixel, so that equal numbers give equal bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from .chart_values import AnyChart, Axis, Chart, EllipseLayer, FaceChart, Series, StageStart

if TYPE_CHECKING:
    from benchbox.types import Floats

Place = tuple[float, float]

PLOT_WIDTH = 470
_LEFT, _TOP, _HEIGHT, _BOTTOM = 52, 34, 300, 44
_LABEL_GAP, _LABEL_ROOM = 17, 238
_LETTER_PX = 7.0  # room for one letter of a stage's name

# of the drawing of a face; distance of the outer eye corners; where their line is
_FACE_WIDTH, _FACE_HEIGHT, _EYES_PX, _EYES_TOP = 620, 560, 300, 130


@dataclass(frozen=True)
class Frame:
    """A drawing and the plot inside it."""

    left: int
    top: int
    right: int
    bottom: int
    width: int
    height: int


_LABELLED = Frame(
    left=_LEFT,
    top=_TOP,
    right=_LEFT + PLOT_WIDTH,
    bottom=_TOP + _HEIGHT,
    width=_LEFT + PLOT_WIDTH + _LABEL_ROOM,
    height=_TOP + _HEIGHT + _BOTTOM,
)
_WIDE = Frame(
    left=_LEFT,
    top=_TOP,
    right=_LEFT + PLOT_WIDTH + _LABEL_ROOM - 20,
    bottom=_TOP + _HEIGHT,
    width=_LEFT + PLOT_WIDTH + _LABEL_ROOM,
    height=_TOP + _HEIGHT + _BOTTOM,
)
_FACE = Frame(0, 0, _FACE_WIDTH, _FACE_HEIGHT, _FACE_WIDTH, _FACE_HEIGHT)


def frame_of(chart: AnyChart) -> Frame:
    """Return the frame that a chart is drawn in."""
    if isinstance(chart, FaceChart):
        return _FACE
    if chart.labelled:
        return _LABELLED
    return _WIDE


def round_px(value: float) -> float:
    """Round to a tenth of a pixel."""
    return round(float(value), 1) + 0.0  # no -0.0


def x_places(chart: Chart, values: Sequence[float] | Floats, shift_px: float = 0.0) -> list[float]:
    """Return how far from the left values (N,) of the x axis stand."""
    frame = frame_of(chart)
    shares = chart.x.share(np.asarray(values, "f8"))
    placed = frame.left + shares * (frame.right - frame.left) + shift_px
    return _round_places(placed)


def y_places(chart: Chart, values: Sequence[float] | Floats) -> list[float]:
    """Return how far from the top values (N,) of the y axis stand."""
    frame = frame_of(chart)
    shares = chart.y.share(np.asarray(values, "f8"))
    placed = frame.top + (1 - shares) * (frame.bottom - frame.top)
    return _round_places(placed)


def _round_places(places: Floats) -> list[float]:
    """Round many as `round_px` does one."""
    rounded: list[float] = (np.round(places, 1) + 0.0).tolist()
    return rounded


def tick_places(chart: Chart) -> tuple[list[float], list[float]]:
    """Return where the ticks of both axes stand."""
    return x_places(chart, _tick_values(chart.x)), y_places(chart, _tick_values(chart.y))


def _tick_values(axis: Axis) -> list[float]:
    return [tick.value for tick in axis.ticks]


# --- curves ---------------------------------------------------------------------------------------


def curve_places(chart: Chart, series: Series) -> list[Place]:
    """Return the corners of a curve; those of stairs turn between level and upright."""
    if series.form == "stairs":
        return _stair_corners(chart, series)
    xs = x_places(chart, series.xs, series.shift_px)
    return list(zip(xs, y_places(chart, series.ys), strict=True))


def _stair_corners(chart: Chart, series: Series) -> list[Place]:
    climbs = np.flatnonzero(series.ys[1:] != series.ys[:-1]) + 1
    start, *turns, end = x_places(chart, series.xs[[0, *climbs, -1]])
    heights = y_places(chart, series.ys[[0, *climbs]])
    corners = [(start, heights[0])]
    for x, (level, y) in zip(turns, pairwise(heights), strict=True):
        if y != level:  # too small a climb is not seen
            corners += [(x, level), (x, y)]
    corners.append((end, heights[-1]))
    return corners


def interval_places(chart: Chart, series: Series) -> list[tuple[Place, Place]]:
    """Return the ends of a series' upright strokes."""
    strokes = []
    for interval in series.intervals:
        (x,) = x_places(chart, [interval.x], series.shift_px)
        low, high = y_places(chart, [interval.low, interval.high])
        strokes.append(((x, low), (x, high)))
    return strokes


def end_places(chart: Chart) -> list[Place]:
    """Return where each series ends."""
    ends = []
    for series in chart.series:
        (x,) = x_places(chart, series.xs[-1:], series.shift_px)
        (y,) = y_places(chart, series.ys[-1:])
        ends.append((x, y))
    return ends


def has_label(series: Series) -> bool:
    """Tell whether the name of a series stands beside the plot."""
    return bool(series.label) and series.shown


def label_heights(chart: Chart, ends: Sequence[Place]) -> list[float]:
    """Return how far from the top the name of each series stands, its end where it has none.

    `ends` are `end_places`.
    Names move apart so that none covers another; the series keep their order of height.
    """
    frame = frame_of(chart)
    heights = [y for _, y in ends]
    labelled = [number for number, series in enumerate(chart.series) if has_label(series)]
    order = sorted(labelled, key=lambda number: (heights[number], number))
    lowest = frame.top + 4.0
    for number in order:
        heights[number] = max(heights[number], lowest)
        lowest = heights[number] + _LABEL_GAP
    highest = float(frame.bottom)
    for number in reversed(order):
        heights[number] = min(heights[number], highest)
        highest = heights[number] - _LABEL_GAP
    return [round_px(height) for height in heights]


@dataclass(frozen=True)
class StagePlace:
    """Where a stage of training begins, and its name above the plot."""

    x: float
    text: str
    row: int = 0  # of two rows of text, so that neighbours do not touch
    text_shift: float = 0.0  # so that the text ends inside the drawing


def stage_places(chart: Chart) -> list[StagePlace]:
    """Name the stages above the plot in two rows.

    One that has room in neither keeps its line alone.
    """
    edge = frame_of(chart).width - 4.0
    row_ends = [0.0, 0.0]
    places = []
    starts = x_places(chart, [stage.x for stage in chart.stages])
    for x, stage in zip(starts, chart.stages, strict=True):
        text_shift = min(edge - x - _text_width(stage), 0.0)
        free_rows = [row for row, end in enumerate(row_ends) if x + text_shift >= end]
        if not free_rows:
            places.append(StagePlace(x, ""))
            continue
        places.append(StagePlace(x, stage.name, free_rows[0], text_shift))
        row_ends[free_rows[0]] = x + text_shift + _text_width(stage) + 8
    return places


def _text_width(stage: StageStart) -> float:
    return _LETTER_PX * len(stage.name)


# --- faces ----------------------------------------------------------------------------------------


def face_places(points: Floats) -> Floats:
    """Return where landmarks (K, 2) of a face stand, (K, 2)."""
    placed: Floats = np.round(points * _EYES_PX + [_FACE_WIDTH / 2, _EYES_TOP], 1)
    return placed


def outline_places(chart: FaceChart) -> Iterable[tuple[list[Place], bool]]:
    """Return the lines that make a face of its landmarks, and whether each is closed."""
    places = face_places(chart.points)
    for line in chart.outline:
        corners = [(float(x), float(y)) for x, y in places[list(line.points)]]
        yield corners, line.closed


@dataclass(frozen=True, eq=False)
class EllipsePlaces:
    """Ellipses (K,) of a layer in pixels."""

    landmarks: Floats  # (K, 2)
    centres: Floats  # (K, 2)
    half_axes: Floats  # (K, 2)
    angles_rad: Floats  # (K,)


def ellipse_places(chart: FaceChart, layer: EllipseLayer) -> EllipsePlaces:
    """Return where the ellipses of a layer stand."""
    landmarks = face_places(chart.points)
    return EllipsePlaces(
        landmarks=landmarks,
        centres=landmarks + _EYES_PX * layer.offsets,
        half_axes=_EYES_PX * layer.half_axes,
        angles_rad=layer.angles_rad,
    )
