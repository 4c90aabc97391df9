"""Line charts as values: arrays → paths in pixels; a template prints them as inline SVG.

Curves keep their order, colour and dash; every curve is labelled at its end, so that nothing hangs on colour alone.
Coordinates have one decimal, so equal numbers give equal bytes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from .results import Stage

if TYPE_CHECKING:
    from benchbox.types import Floats

SERIES = 8  # curves that one chart can tell apart
_LEFT, _TOP, _WIDTH, _HEIGHT, _BOTTOM = 52, 34, 470, 300, 44
_LABEL_GAP, _LABEL_ROOM = 17, 238
_WIDE = _WIDTH + _LABEL_ROOM - 20  # of a plot without labels beside it
_POINTS = 235  # one for two pixels of a plot's width


@dataclass(frozen=True)
class Tick:
    """A place on an axis, in pixels, and what stands there."""

    at: float
    text: str
    row: int = 0  # of two rows of text, so that neighbours do not touch


@dataclass(frozen=True)
class Series:
    """One curve; `style` chooses colour and dash from 1 to 8."""

    label: str
    path: str
    style: int
    end: tuple[float, float]  # where the curve ends
    text_y: float  # where its label stands; label == "" has none


@dataclass(frozen=True)
class Chart:
    """A finished line chart in pixels."""

    name: str  # unique in its page
    title: str
    summary: str  # what it shows, for those who do not see it
    x_title: str
    y_title: str
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    bands: tuple[Tick, ...]  # where a stage of training begins
    series: tuple[Series, ...]
    left: int = _LEFT
    top: int = _TOP
    right: int = _LEFT + _WIDTH
    bottom: int = _TOP + _HEIGHT
    width: int = _LEFT + _WIDTH + _LABEL_ROOM
    height: int = _TOP + _HEIGHT + _BOTTOM


def ced(
    name: str, title: str, curves: Sequence[tuple[str, Floats]], *, end: float, convention: str, faces: str
) -> Chart:
    """Draw the share of faces (y) whose error is at most x, for x from 0 to `end` (a fraction).

    `curves` are labels with per-face errors (N,), infinite where a face has no answer.
    """
    grid = np.linspace(0.0, end, _POINTS + 1)
    series = []
    for style, (label, errors) in enumerate(curves[:SERIES], start=1):
        share = np.searchsorted(np.sort(errors), grid, side="right") / max(len(errors), 1)
        series.append(_stairs(label, _LEFT + grid / end * _WIDTH, _TOP + (1 - share) * _HEIGHT, style))
    return Chart(
        name=name,
        title=title,
        summary=f"Cumulative error distribution of {faces}: {_listing([label for label, _ in curves[:SERIES]])}.",
        x_title=f"error in % of {convention}",
        y_title="share of faces",
        x_ticks=tuple(Tick(_round(_LEFT + t / (end * 100) * _WIDTH), f"{t:g}") for t in _steps(end * 100)),
        y_ticks=tuple(Tick(_round(_TOP + (1 - t / 100) * _HEIGHT), f"{t} %") for t in range(0, 101, 20)),
        bands=(),
        series=_spread(series),
    )


def training(name: str, title: str, stages: Sequence[Stage]) -> Chart:
    """Draw loss (y) over optimiser steps (x), stage after stage; the scale is logarithmic where losses span decades."""
    xs, ys, starts = _joined(stages)
    logarithmic = min(ys) > 0 and max(ys) / min(ys) > 20
    ticks = _decades(min(ys), max(ys)) if logarithmic else _steps_between(0.0 if min(ys) >= 0 else min(ys), max(ys))
    low, high = ticks[0], ticks[-1]

    a, b = (math.log(low), math.log(high)) if logarithmic else (low, high)

    def height(value: float) -> float:
        v = math.log(value) if logarithmic else value
        return _TOP + (1 - (v - a) / (b - a)) * _HEIGHT

    last = max(xs[-1], 1.0)

    def along(step: float) -> float:
        return _round(_LEFT + step / last * _WIDE)

    series = []
    for style, (start, stop) in enumerate(zip(starts, [*starts[1:], len(xs)], strict=True)):
        x, y = _thinned(xs[start:stop], ys[start:stop], max(2, _POINTS * (stop - start) // len(xs)))
        places = _texts([_LEFT + step / last * _WIDE for step in x]), _texts([height(loss) for loss in y])
        path = "M" + "L".join(map(" ".join, zip(*places, strict=True)))
        series.append(Series("", path, style % SERIES + 1, (float(places[0][-1]), float(places[1][-1])), 0.0))
    names = [stage.name or "training" for stage in stages]
    return Chart(
        name=name,
        title=title,
        summary=f"Training loss over {int(last):,} steps in {len(stages)} stages: {_listing(names)}.",
        x_title="step",
        y_title="loss (logarithmic scale)" if logarithmic else "loss",
        x_ticks=tuple(Tick(along(t), f"{t:,.0f}") for t in _steps(last)),
        y_ticks=tuple(Tick(_round(height(t)), f"{t:g}") for t in ticks),
        bands=_bands([(along(xs[start]), text) for start, text in zip(starts, names, strict=True)]),
        series=tuple(series),
        right=_LEFT + _WIDE,
    )


def _bands(starts: Sequence[tuple[float, str]]) -> tuple[Tick, ...]:
    """Name the stages above the plot, in the second row where a name would run into the one before."""
    bands: list[Tick] = []
    for at, text in starts:
        near = bool(bands) and bands[-1].row == 0 and at - bands[-1].at < 7 * len(bands[-1].text) + 8
        bands.append(Tick(at, text, int(near)))
    return tuple(bands)


def _stairs(label: str, xs: Floats, ys: Floats, style: int) -> Series:
    """Write a distribution as a path of level and upright strokes."""
    corners = np.flatnonzero(ys[1:] != ys[:-1]) + 1
    (level, *heights), (start, *places, end) = _texts([ys[0], *ys[corners]]), _texts([xs[0], *xs[corners], xs[-1]])
    strokes = [f"M{start} {level}"]
    for x, y in zip(places, heights, strict=True):
        if y != level:  # too small a climb is not seen
            strokes.append(f"H{x}V{y}")
            level = y
    strokes.append(f"H{end}")
    return Series(label, "".join(strokes), style, (float(end), float(level)), float(level))


def _spread(series: Sequence[Series]) -> tuple[Series, ...]:
    """Move labels apart so that none covers another; the curves keep their order of height."""
    order = sorted(range(len(series)), key=lambda i: (series[i].end[1], i))
    places: list[float] = []
    for i in order:
        places.append(max(series[i].end[1], places[-1] + _LABEL_GAP if places else _TOP + 4.0))
    floor = float(_TOP + _HEIGHT)
    for k in range(len(places) - 1, -1, -1):
        places[k] = min(places[k], floor)
        floor = places[k] - _LABEL_GAP
    moved = dict(zip(order, places, strict=True))
    return tuple(Series(s.label, s.path, s.style, s.end, _round(moved[i])) for i, s in enumerate(series))


def _joined(stages: Sequence[Stage]) -> tuple[list[float], list[float], list[int]]:
    """Put the stages one after the other; a stage that counts from its own start goes on where the last one ended."""
    xs: list[float] = []
    ys: list[float] = []
    starts = []
    for stage in stages:
        offset = xs[-1] if xs and stage.steps[0] <= xs[-1] else 0.0
        starts.append(len(xs))
        xs += [offset + step for step in stage.steps]
        ys += stage.losses
    return xs, ys, starts


def _thinned(xs: Sequence[float], ys: Sequence[float], count: int) -> tuple[list[float], list[float]]:
    """Replace a long curve by the means of `count` equal stretches."""
    if len(xs) <= count:
        return list(xs), list(ys)
    edges = [round(k * len(xs) / count) for k in range(count + 1)]
    pairs = list(pairwise(edges))
    return [sum(xs[a:b]) / (b - a) for a, b in pairs], [sum(ys[a:b]) / (b - a) for a, b in pairs]


def _steps(end: float) -> list[float]:
    return _steps_between(0.0, end, cover=False)


def _steps_between(low: float, high: float, *, cover: bool = True) -> list[float]:
    """Return round numbers from `low` to `high`, five or so; `cover` makes the last one reach `high`."""
    span = max(high - low, 1e-9)
    raw = span / 5
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= raw * 0.999)
    first = math.floor(low / step)
    last = math.ceil(high / step - 1e-9) if cover else math.floor(high / step + 1e-9)
    return [round(k * step, 12) for k in range(first, max(last, first + 1) + 1)]


def _decades(low: float, high: float) -> list[float]:
    """Return powers of ten around a span of positive numbers."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    return [10.0**k for k in range(first, max(last, first + 1) + 1)]


def _listing(names: Sequence[str]) -> str:
    return "; ".join(names) if names else "none"


def _texts(values: Sequence[float]) -> list[str]:
    """Write pixels with one decimal, none where it is zero; one call for a whole curve."""
    return ("%.1f\n" * len(values) % tuple(values)).replace(".0\n", "\n").split()


def _round(value: float) -> float:
    return round(float(value), 1) + 0.0
