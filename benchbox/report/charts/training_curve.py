"""The curve of a training: loss over the steps of all its stages, one after the other."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from benchbox.report.inputs.results import TrainingStage

from . import chart_values
from .chart_values import Chart, Series, Tick

_WIDE = chart_values.WIDTH + chart_values.LABEL_ROOM - 20  # of a plot without labels beside it


def training_chart(name: str, title: str, stages: Sequence[TrainingStage]) -> Chart:
    """Draw loss (y) over optimiser steps (x), stage after stage.

    The scale is logarithmic where losses span decades.
    """
    xs, ys, starts = _join_stages(stages)
    logarithmic = min(ys) > 0 and max(ys) / min(ys) > 20
    ticks = (
        _decades(min(ys), max(ys))
        if logarithmic
        else chart_values.round_numbers(0.0 if min(ys) >= 0 else min(ys), max(ys))
    )
    low, high = ticks[0], ticks[-1]

    a, b = (math.log(low), math.log(high)) if logarithmic else (low, high)

    def height(value: float) -> float:
        v = math.log(value) if logarithmic else value
        return chart_values.TOP + (1 - (v - a) / (b - a)) * chart_values.HEIGHT

    last = max(xs[-1], 1.0)

    def along(step: float) -> float:
        return chart_values.round_px(chart_values.LEFT + step / last * _WIDE)

    series = []
    for style, (start, stop) in enumerate(zip(starts, [*starts[1:], len(xs)], strict=True)):
        x, y = _thin_curve(
            xs[start:stop], ys[start:stop], max(2, chart_values.POINTS * (stop - start) // len(xs))
        )
        places = (
            chart_values.pixel_texts([chart_values.LEFT + step / last * _WIDE for step in x]),
            chart_values.pixel_texts([height(loss) for loss in y]),
        )
        path = "M" + "L".join(map(" ".join, zip(*places, strict=True)))
        series.append(
            Series(
                "",
                path,
                style % chart_values.MOST_SHOWN + 1,
                (float(places[0][-1]), float(places[1][-1])),
                0.0,
            )
        )
    names = [stage.name or "training" for stage in stages]
    return Chart(
        name=name,
        title=title,
        summary=f"Training loss over {int(last):,} steps in {len(stages)} stages: {chart_values.join_names(names)}.",
        x_title="step",
        y_title="loss (logarithmic scale)" if logarithmic else "loss",
        x_ticks=tuple(Tick(along(t), f"{t:,.0f}") for t in chart_values.steps_from_zero(last)),
        y_ticks=tuple(Tick(chart_values.round_px(height(t)), f"{t:g}") for t in ticks),
        bands=_stage_bands(
            [(along(xs[start]), text) for start, text in zip(starts, names, strict=True)]
        ),
        series=tuple(series),
        right=chart_values.LEFT + _WIDE,
    )


def _stage_bands(starts: Sequence[tuple[float, str]]) -> tuple[Tick, ...]:
    """Name the stages above the plot in two rows.

    One that has room in neither keeps its line alone.
    """
    bands: list[Tick] = []
    ends, edge = [0.0, 0.0], chart_values.LEFT + chart_values.WIDTH + chart_values.LABEL_ROOM - 4.0
    for at, text in starts:
        wide = 7.0 * len(text)
        shift = min(edge - at - wide, 0.0)
        row = next((row for row, end in enumerate(ends) if at + shift >= end), None)
        bands.append(Tick(at, text, row, shift) if row is not None else Tick(at, ""))
        if row is not None:
            ends[row] = at + shift + wide + 8
    return tuple(bands)


def _join_stages(stages: Sequence[TrainingStage]) -> tuple[list[float], list[float], list[int]]:
    """Put the stages one after the other.

    A stage that counts from its own start goes on where the last one ended.
    """
    xs: list[float] = []
    ys: list[float] = []
    starts = []
    for stage in stages:
        offset = xs[-1] if xs and stage.steps[0] <= xs[-1] else 0.0
        starts.append(len(xs))
        xs += [offset + step for step in stage.steps]
        ys += stage.losses
    return xs, ys, starts


def _thin_curve(
    xs: Sequence[float], ys: Sequence[float], count: int
) -> tuple[list[float], list[float]]:
    """Replace a long curve by the means of `count` equal stretches."""
    if len(xs) <= count:
        return list(xs), list(ys)
    edges = [round(k * len(xs) / count) for k in range(count + 1)]
    pairs = list(pairwise(edges))
    return [sum(xs[a:b]) / (b - a) for a, b in pairs], [sum(ys[a:b]) / (b - a) for a, b in pairs]


def _decades(low: float, high: float) -> list[float]:
    """Return powers of ten around a span of positive numbers."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    return [10.0**k for k in range(first, max(last, first + 1) + 1)]
