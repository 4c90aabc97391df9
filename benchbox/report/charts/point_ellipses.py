"""Where landmarks go wrong, drawn on a face: one ellipse per point, as in Figure 8 of G&LSR.

The face is the neutral head of our own face renderer (`mean_faces.csv`, in distances of the outer
eye corners), whatever set was tested: no annotation of a licensed set is drawn. An ellipse is one
standard deviation of a point's error around its mean, or half or a quarter of one where whole ones
would cover each other; the stroke from the point leads to that mean. Sizes are true to the face:
ten per cent of the normaliser is a tenth of the distance of the outer eye corners.
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

from . import chart_values, face_outlines
from .chart_values import EllipseLayer, FaceChart, NumberTable

if TYPE_CHECKING:
    from benchbox.types import Floats, Layout

MOST_LAYERS = 4  # of a leaderboard: more cannot be told apart when ellipses overlap
_FILE = Path(__file__).with_name("mean_faces.csv")
# Half the length of a usual ellipse, in distances of the outer eye corners: larger ones cover
# each other.
_LARGE = 20 / 300
_SIZES = {1.0: "One", 0.5: "Half a", 0.25: "A quarter of a"}  # standard deviations that are drawn
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


def ellipse_chart(
    name: str,
    title: str,
    layers: Sequence[PointErrors],
    layout: str,
    *,
    normaliser: str,
    what: str,
    at_first: int,
) -> FaceChart:
    """Draw layers over each other; those beyond the first `at_first` wait in the legend."""
    scheme = LAYOUTS[layout]
    deviations = _drawn_deviations(layers[:at_first])
    labels = chart_values.join_names([layer.label for layer in layers])
    return FaceChart(
        name=name,
        title=title,
        summary=f"Error of each of {scheme.count} points for {what}: {labels}.",
        points=mean_faces()[layout],
        names=_part_names(scheme),
        outline=face_outlines.outline_of(layout),
        layers=tuple(
            _ellipse_layer(layer, deviations, style, shown=style <= at_first)
            for style, layer in enumerate(layers, start=1)
        ),
        unit="%",
        note=f"{_SIZES[deviations]} standard deviation around the mean error of each point, on our "
        f"own face; read off in % of {normaliser}. Faces without a prediction are left out.",
        numbers=_errors_by_part(scheme, layers, normaliser),
    )


@lru_cache(maxsize=1)
def mean_faces() -> Mapping[str, Floats]:
    """Return the neutral face (K, 2) of every layout.

    x right, y down, the outer eye corners at (∓0.5, 0).
    """
    points: dict[str, list[tuple[float, float]]] = {}
    with _FILE.open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            points.setdefault(row["layout"], []).append((float(row["x"]), float(row["y"])))
    return {layout: np.array(places) for layout, places in points.items()}


def _drawn_deviations(layers: Sequence[PointErrors]) -> float:
    """Choose how many standard deviations are drawn of layers that are shown at first."""
    usual = max(float(np.median(_ellipse_axes(layer)[0])) for layer in layers)
    for deviations in _SIZES:
        if usual * deviations <= _LARGE:
            return deviations
    return min(_SIZES)


def _ellipse_axes(layer: PointErrors) -> tuple[Floats, Floats]:
    """Return the standard deviations (K,), (K,) along and across each point's ellipse."""
    xx, yy, xy = layer.covariance.T
    middle = (xx + yy) / 2
    radius = np.hypot((xx - yy) / 2, xy)
    return np.sqrt(np.maximum(middle + radius, 0)), np.sqrt(np.maximum(middle - radius, 0))


def _ellipse_layer(
    layer: PointErrors, deviations: float, style: int, *, shown: bool
) -> EllipseLayer:
    xx, yy, xy = layer.covariance.T
    return EllipseLayer(
        label=layer.label,
        style=style,
        offsets=layer.bias,
        half_axes=deviations * np.stack(_ellipse_axes(layer), axis=1),
        angles_rad=np.arctan2(2 * xy, xx - yy) / 2,
        values=tuple(f"{100 * error:.1f}" for error in layer.error.tolist()),
        shown=shown,
    )


def _part_names(scheme: Layout) -> tuple[str, ...]:
    names = ["face"] * scheme.count
    for part, points in scheme.parts.items():
        for point in points:
            names[point] = _WORDS.get(part, part)
    return tuple(names)


def _errors_by_part(scheme: Layout, layers: Sequence[PointErrors], normaliser: str) -> NumberTable:
    """Return the mean error of each part of the face: what the drawing says, in numbers."""
    rows = [_part_row("all points", range(scheme.count), layers)]
    for part, points in scheme.parts.items():
        rows.append(_part_row(_WORDS.get(part, part), points, layers))
    return NumberTable(
        title=f"Error by part of the face, % of {normaliser}",
        columns=("part", *(layer.label for layer in layers)),
        rows=tuple(rows),
    )


def _part_row(name: str, points: Sequence[int], layers: Sequence[PointErrors]) -> tuple[str, ...]:
    means = [100 * float(layer.error[list(points)].mean()) for layer in layers]
    return (name, *(f"{mean:.2f}" for mean in means))
