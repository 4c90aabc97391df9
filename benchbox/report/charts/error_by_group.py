"""The error of methods in each group of a test set, with its confidence interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from . import chart_values, plot_layout
from .chart_values import Axis, Chart, Interval, Mark, Series, Tick

_WIDEST_SHIFT_PX = 9.0  # between the intervals of two methods


@dataclass(frozen=True)
class GroupValue:
    """The error in one group and its interval, low and high; () where there is none."""

    value: float
    ends: tuple[float, ...] = ()


@dataclass(frozen=True)
class GroupProfile:
    """One method's errors by group, None where there is none."""

    label: str
    values: tuple[GroupValue | None, ...]


def group_chart(
    name: str,
    title: str,
    groups: Sequence[str],
    profiles: Sequence[GroupProfile],
    *,
    y_title: str,
    unit: str,
) -> Chart:
    """Draw one line per method over the groups, with its intervals as upright strokes.

    The scale is logarithmic.
    """
    shown = profiles[: chart_values.MOST_SHOWN]
    series: list[Series] = []
    marks: list[Mark] = []
    for style, profile in enumerate(shown, start=1):
        shift_px = _shift_px(style, len(shown), len(groups))
        xs, ys, intervals = [], [], []
        for number, value in enumerate(profile.values):
            if value is None:
                continue
            x = number + 0.5  # the middle of its group
            xs.append(x)
            ys.append(value.value)
            if value.ends:
                intervals.append(Interval(x, *value.ends))
            say = f"{profile.label}: {value.value:.2f} {unit} ({groups[number]})"
            marks.append(Mark(x, value.value, style, say=say, shift_px=shift_px))
        if xs:
            series.append(
                Series(
                    label=profile.label,
                    style=style,
                    xs=np.array(xs),
                    ys=np.array(ys),
                    intervals=tuple(intervals),
                    shift_px=shift_px,
                )
            )
    labels = chart_values.join_names([curve.label for curve in series])
    low, high = _value_range(profiles)
    group_ticks = tuple(Tick(number + 0.5, group) for number, group in enumerate(groups))
    value_ticks = chart_values.make_ticks(chart_values.log_steps(low, high))
    return Chart(
        name=name,
        title=title,
        summary=f"{title}, by {chart_values.join_names(groups)}: {labels}.",
        x=Axis("", 0.0, float(len(groups)), group_ticks),
        y=Axis(y_title, low, high, value_ticks, logarithmic=True),
        series=tuple(series),
        marks=tuple(marks),
        legend=True,
        hover="marks",
    )


def _shift_px(style: int, methods: int, groups: int) -> float:
    """Return how far a method's values stand to the right of the middle of their group."""
    step = min(_WIDEST_SHIFT_PX, plot_layout.PLOT_WIDTH / groups / 12)
    return (style - (methods + 1) / 2) * step


def _value_range(profiles: Sequence[GroupProfile]) -> tuple[float, float]:
    """Return the ends of an axis that holds all positive values and their intervals."""
    ends = []
    for profile in profiles:
        for value in profile.values:
            if value:
                ends += [value.value, *value.ends]
    positive = [end for end in ends if end > 0]
    return min(positive) / 1.06, max(positive) * 1.06
