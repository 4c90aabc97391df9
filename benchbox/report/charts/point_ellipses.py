"""Where landmarks go wrong, drawn on a face: one ellipse per point, as in Figure 8 of G&LSR.

The face is the neutral head of our own face world (`mean_faces.csv`, in distances of the outer eye corners), whatever
set was tested: no annotation of a licensed set is drawn. An ellipse is one standard deviation of a point's error around
its mean, or half or a quarter of one where whole ones would cover each other; the stroke from the point leads to that
mean. Sizes are true to the face: ten per cent of the normaliser is a tenth of the distance of the outer eye corners.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchbox.layouts import LAYOUTS

from . import chart_values
from .chart_values import Chart, NumberTable, Series

if TYPE_CHECKING:
    from benchbox.types import Floats, Layout

MOST_LAYERS = 4  # of a leaderboard: more cannot be told apart when ellipses overlap
_FILE = Path(__file__).with_name("mean_faces.csv")
# of the drawing; distance of the eyes; where their line is
_WIDTH, _HEIGHT, _EYES_PX, _TOP_PX = 620, 560, 300, 130
_LARGE_PX = 20  # half the length of a usual ellipse: larger ones cover each other
_SIZES = {1.0: "One", 0.5: "Half a", 0.25: "A quarter of a"}  # standard deviations that are drawn
# Lines that make a face of the points, closed ones first: by layout, those without one are dots
# alone.
_CLOSED: Mapping[str, tuple[range, ...]] = {
    "ibug68": (range(36, 42), range(42, 48), range(48, 60), range(60, 68)),
    "wflw98": (
        range(33, 42),
        range(42, 51),
        range(60, 68),
        range(68, 76),
        range(76, 88),
        range(88, 96),
    ),
}
_OPEN: Mapping[str, tuple[range, ...]] = {
    "ibug68": (range(17), range(17, 22), range(22, 27), range(27, 31), range(31, 36)),
    "wflw98": (range(33), range(51, 55), range(55, 60)),
}
_WORDS = {
    "left_brow": "left brow",
    "right_brow": "right brow",
    "left_eye": "left eye",
    "right_eye": "right eye",
}


@dataclass(frozen=True, eq=False)
class PointErrors:
    """What is known of every point (K,) in one group of one run, as fractions of the normaliser."""

    label: str
    error: Floats  # (K,)
    bias: Floats  # (K, 2)
    covariance: Floats  # (K, 3) xx, yy, xy
    page: str = ""


def ellipse_chart(
    name: str,
    title: str,
    layers: Sequence[PointErrors],
    layout: str,
    *,
    normaliser: str,
    what: str,
    at_first: int,
) -> Chart:
    """Draw layers over each other; those beyond the first `at_first` wait in the legend."""
    scheme, places, size = (
        LAYOUTS[layout],
        _point_places(layout),
        _drawn_deviations(layers[:at_first]),
    )
    series = tuple(
        Series(
            label=layer.label,
            path=_ellipses(places, layer, size),
            style=style,
            end=(0.0, 0.0),
            text_y=0.0,
            shown=style <= at_first,
            page=layer.page,
            filled=True,
            values=tuple(f"{100 * error:.1f}" for error in layer.error.tolist()),
        )
        for style, layer in enumerate(layers, start=1)
    )
    return Chart(
        name=name,
        title=title,
        summary=f"Error of each of {scheme.count} points for {what}: {chart_values.join_names([s.label for s in series])}.",
        x_title="",
        y_title="",
        x_ticks=(),
        y_ticks=(),
        bands=(),
        series=series,
        legend=True,
        hover="points",
        unit="%",
        note=f"{_SIZES[size]} standard deviation around the mean error of each point, on our own face; read off in % "
        f"of {normaliser}. Faces without an answer are left out.",
        outline=_outline(layout, places),
        places=tuple(zip(places[:, 0].tolist(), places[:, 1].tolist(), strict=True)),
        names=_part_names(scheme),
        values=_by_part(scheme, layers, normaliser),
        left=0,
        top=0,
        right=_WIDTH,
        bottom=_HEIGHT,
        width=_WIDTH,
        height=_HEIGHT,
    )


@lru_cache(maxsize=1)
def mean_faces() -> Mapping[str, Floats]:
    """Return the neutral face (K, 2) of every layout: x right, y down, the outer eye corners at (∓0.5, 0)."""
    found: dict[str, list[tuple[float, float]]] = {}
    with _FILE.open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            found.setdefault(row["layout"], []).append((float(row["x"]), float(row["y"])))
    return {name: np.array(points) for name, points in found.items()}


def _point_places(layout: str) -> Floats:
    placed: Floats = np.round(mean_faces()[layout] * _EYES_PX + [_WIDTH / 2, _TOP_PX], 1)
    return placed


def _drawn_deviations(layers: Sequence[PointErrors]) -> float:
    """Choose how many standard deviations are drawn of layers that are shown at first."""
    usual = max(float(np.median(_ellipse_axes(layer)[0])) for layer in layers) * _EYES_PX
    return next((size for size in _SIZES if usual * size <= _LARGE_PX), min(_SIZES))


def _ellipse_axes(layer: PointErrors) -> tuple[Floats, Floats]:
    """Return the standard deviations (K,), (K,) along and across each point's ellipse."""
    xx, yy, xy = layer.covariance.T
    middle, apart = (xx + yy) / 2, np.hypot((xx - yy) / 2, xy)
    return np.sqrt(np.maximum(middle + apart, 0)), np.sqrt(np.maximum(middle - apart, 0))


def _ellipses(places: Floats, layer: PointErrors, size: float) -> str:
    """Write a stroke to each mean and an ellipse around it, one half after the other."""
    centre = places + _EYES_PX * layer.bias
    xx, yy, xy = layer.covariance.T
    long, short = (_EYES_PX * size * axis for axis in _ellipse_axes(layer))
    angle = np.arctan2(2 * xy, xx - yy) / 2
    half = np.stack([long * np.cos(angle), long * np.sin(angle)], axis=1)
    start, across = centre + half, -2 * half
    turn = np.degrees(angle)
    arcs = np.stack([long, short, turn, across[:, 0], across[:, 1]], axis=1)
    back = np.stack([long, short, turn, -across[:, 0], -across[:, 1]], axis=1)
    rows = np.round(np.concatenate([places, centre, start, arcs, back], axis=1), 1) + 0.0
    form = (
        "M%.1f %.1fL%.1f %.1fM%.1f %.1fa%.1f %.1f %.0f 1 1 %.1f %.1fa%.1f %.1f %.0f 1 1 %.1f %.1fz"
    )
    text = form * len(rows) % tuple(rows.ravel().tolist())
    for after in " aLMz":
        text = text.replace(f".0{after}", after)
    return text


def _outline(layout: str, places: Floats) -> str:
    lines = [(part, "") for part in _OPEN.get(layout, ())] + [
        (part, "Z") for part in _CLOSED.get(layout, ())
    ]
    return "".join(
        "M" + "L".join(f"{x:g} {y:g}" for x, y in places[list(part)].tolist()) + end
        for part, end in lines
    )


def _part_names(scheme: Layout) -> tuple[str, ...]:
    names = ["face"] * scheme.count
    for part, points in scheme.parts.items():
        for point in points:
            names[point] = _WORDS.get(part, part)
    return tuple(names)


def _by_part(scheme: Layout, layers: Sequence[PointErrors], normaliser: str) -> NumberTable:
    """Return the mean error of each part of the face: what the drawing says, in numbers."""
    rows = [("all points", [100 * float(layer.error.mean()) for layer in layers])]
    for part, points in scheme.parts.items():
        rows.append(
            (
                _WORDS.get(part, part),
                [100 * float(layer.error[list(points)].mean()) for layer in layers],
            )
        )
    return NumberTable(
        f"Error by part of the face, % of {normaliser}",
        ("part", *(layer.label for layer in layers)),
        tuple((name, *(f"{value:.2f}" for value in values)) for name, values in rows),
    )
