"""The faces that one run got most wrong and most right, drawn as its own points on grey."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from benchbox.types import Protocol

from . import faces, measures, results
from .faces import Answer, Face
from .measures import Metric
from .results import Result

if TYPE_CHECKING:
    from benchbox.types import Floats

_FACES = 6


def portraits(
    result: Result, protocol: Protocol, metric: Metric, values: Floats
) -> tuple[tuple[str, tuple[Face, ...]], ...]:
    """Draw the worst and the best faces by errors (N,); raises ResultError when the predictions cannot be used."""
    points = results.answers(result, protocol)
    ids = results.ids(result.run, result.n)
    usable = np.flatnonzero(np.isfinite(values) & ~np.isnan(points).any(axis=(1, 2)))
    order = usable[np.argsort(-values[usable], kind="stable")]

    def drawn(row: int) -> Face:
        where = faces.frame(points[row])
        error = measures.number(float(values[row]) * measures.scale(metric.unit), metric.unit)
        answer = Answer(1, "this run", error, faces.dots(points[row], where))
        return Face(str(ids[row]), (), "", "", faces.whole(where), (answer,))

    worst, best = order[:_FACES].tolist(), order[_FACES:][::-1][:_FACES].tolist()
    sections = (("Worst", worst), ("Best", best))
    return tuple((title, tuple(map(drawn, rows))) for title, rows in sections if rows)
