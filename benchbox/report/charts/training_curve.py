"""The curve of a training: loss over the steps of all its stages, one after the other."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from benchbox.report.inputs.results import TrainingStage

from . import chart_values
from .chart_values import Axis, Chart, Series, StageStart, Tick

_LOGARITHMIC_ABOVE = 20  # the largest loss over the smallest


def training_chart(name: str, title: str, stages: Sequence[TrainingStage]) -> Chart:
    """Draw loss (y) over optimiser steps (x), stage after stage.

    The scale is logarithmic where losses span decades.
    """
    steps, losses, starts = _join_stages(stages)
    series = []
    for number, (start, stop) in enumerate(pairwise([*starts, len(steps)])):
        points = max(2, chart_values.CURVE_POINTS * (stop - start) // len(steps))
        xs, ys = _thin_curve(steps[start:stop], losses[start:stop], points)
        series.append(
            Series("", number % chart_values.MOST_SHOWN + 1, xs=np.array(xs), ys=np.array(ys))
        )
    last = max(steps[-1], 1.0)
    names = [stage.name or "training" for stage in stages]
    step_values = chart_values.steps_from_zero(last)
    step_ticks = tuple(Tick(step, f"{step:,.0f}") for step in step_values)
    return Chart(
        name=name,
        title=title,
        summary=f"Training loss over {int(last):,} steps in {len(stages)} stages: "
        f"{chart_values.join_names(names)}.",
        x=Axis("step", 0.0, last, step_ticks),
        y=_loss_axis(losses),
        series=tuple(series),
        stages=tuple(StageStart(steps[k], text) for k, text in zip(starts, names, strict=True)),
        labelled=False,
    )


def _loss_axis(losses: Sequence[float]) -> Axis:
    low, high = min(losses), max(losses)
    if low > 0 and high / low > _LOGARITHMIC_ABOVE:
        values = _decades(low, high)
        title = "loss (logarithmic scale)"
        logarithmic = True
    else:
        values = chart_values.round_numbers(min(low, 0.0), high)
        title = "loss"
        logarithmic = False
    ticks = chart_values.make_ticks(values)
    return Axis(title, values[0], values[-1], ticks, logarithmic)


def _join_stages(
    stages: Sequence[TrainingStage],
) -> tuple[list[float], list[float], list[int]]:
    """Put the stages one after the other: steps, losses and where each stage begins.

    A stage that counts from its own start goes on where the last one ended.
    """
    steps: list[float] = []
    losses: list[float] = []
    starts = []
    for stage in stages:
        offset = 0.0
        if steps and stage.steps[0] <= steps[-1]:
            offset = steps[-1]
        starts.append(len(steps))
        steps += [offset + step for step in stage.steps]
        losses += stage.losses
    return steps, losses, starts


def _thin_curve(
    xs: Sequence[float], ys: Sequence[float], count: int
) -> tuple[list[float], list[float]]:
    """Replace a long curve by the means of `count` equal stretches."""
    if len(xs) <= count:
        return list(xs), list(ys)
    edges = [round(k * len(xs) / count) for k in range(count + 1)]
    mean_xs, mean_ys = [], []
    for start, stop in pairwise(edges):
        mean_xs.append(sum(xs[start:stop]) / (stop - start))
        mean_ys.append(sum(ys[start:stop]) / (stop - start))
    return mean_xs, mean_ys


def _decades(low: float, high: float) -> list[float]:
    """Return powers of ten around a span of positive numbers."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    last = max(last, first + 1)
    return [10.0**exponent for exponent in range(first, last + 1)]
