"""The faces that one run got most wrong and most right, and those it disputes with the best other one, on grey."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from benchbox.metrics import metric_names
from benchbox.metrics.metric_names import Metric
from benchbox.report.charts import face_drawings
from benchbox.report.charts.face_drawings import Answer, Face
from benchbox.report.inputs import results
from benchbox.report.inputs.results import Result
from benchbox.types import Protocol

if TYPE_CHECKING:
    from benchbox.types import Floats, Strings

_FACES = 6


def portraits(
    result: Result,
    protocol: Protocol,
    metric: Metric,
    values: Floats,
    ids: Strings,
    disputed: Sequence[int] = (),
    rival: tuple[str, Floats, Floats] | None = None,
) -> tuple[tuple[str, tuple[Face, ...]], ...]:
    """Draw the worst, the best and the disputed faces (rows) by errors (N,) and ids (N,).

    `rival` is another run: its name, its points (N, K, 2) and errors (N,), which disputed faces
    show, too. Raises ResultError when the predictions cannot be used.
    """
    points = results.answers(result, protocol)
    usable = np.flatnonzero(np.isfinite(values) & ~np.isnan(points).any(axis=(1, 2)))
    order = usable[np.argsort(-values[usable], kind="stable")]

    def drawn(row: int, *others: Answer) -> Face:
        where = face_drawings.frame(points[row])
        answer = Answer(
            1, "this run", _error(values[row], metric), face_drawings.dots(points[row], where)
        )
        return Face(str(ids[row]), (), "", "", face_drawings.whole(where), (answer, *others))

    def beside(row: int) -> Face:
        if rival is None:
            return drawn(row)
        name, theirs, errors = rival
        where = face_drawings.frame(points[row])
        path = "" if np.isnan(theirs[row]).any() else face_drawings.dots(theirs[row], where)
        return drawn(row, Answer(2, name, _error(errors[row], metric), path))

    worst, best = order[:_FACES].tolist(), order[_FACES:][::-1][:_FACES].tolist()
    there = set(order.tolist())
    argued = [row for row in disputed if row in there][:_FACES]
    sections = (
        ("Worst", tuple(map(drawn, worst))),
        ("Best", tuple(map(drawn, best))),
        ("Most disputed", tuple(map(beside, argued))),
    )
    return tuple((title, shown) for title, shown in sections if shown)


def _error(value: float, metric: Metric) -> str:
    return metric_names.number(float(value) * metric_names.scale(metric.unit), metric.unit)
