"""The cumulative error distribution (CED): the share of test items whose error is at most x."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from . import chart_values
from .chart_values import Axis, Chart, Series, Tick

if TYPE_CHECKING:
    from benchbox.types import Floats


@dataclass(frozen=True, eq=False)
class Curve:
    """What a distribution is drawn of: per-item errors (N,) in the printed unit.

    Infinite where there is no prediction, NaN where an item has no error at all.
    """

    label: str
    errors: Floats


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
    """Draw the share of `items` (y) whose error is at most x, for x from 0 to `end`.

    Errors and `end` are in the printed unit.
    """
    drawn = curves[: chart_values.MOST_CURVES]
    grid = np.linspace(0.0, end, chart_values.CURVE_POINTS + 1)
    series = []
    for style, curve in enumerate(drawn, start=1):
        series.append(
            Series(
                label=curve.label,
                style=style,
                xs=grid,
                ys=_share_below(curve.errors, grid),
                form="stairs",
                shown=style <= chart_values.MOST_SHOWN,
            )
        )
    names = chart_values.join_names([curve.label for curve in drawn])
    x_ticks = chart_values.make_ticks(chart_values.steps_from_zero(end))
    y_ticks = tuple(Tick(percent / 100, f"{percent} %") for percent in range(0, 101, 20))
    return Chart(
        name=name,
        title=title,
        summary=f"Cumulative error distribution of {what}: {names}.",
        x=Axis(x_title, 0.0, end, x_ticks),
        y=Axis(f"share of {items}", 0.0, 1.0, y_ticks),
        series=tuple(series),
        legend=True,
        hover="stairs",
        unit=unit,
    )


def _share_below(errors: Floats, grid: Floats) -> Floats:
    """Return the share of errors (N,) that are at most each value of the grid."""
    known = np.sort(errors[~np.isnan(errors)])
    shares: Floats = np.searchsorted(known, grid, side="right") / max(len(known), 1)
    return shares
