"""The faces that one run got most wrong and most right, and those it disputes with the best other one, on grey."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from benchbox.metrics import number_format
from benchbox.metrics.metric_names import Metric
from benchbox.report.charts import face_drawings
from benchbox.report.charts.face_drawings import ItemDrawing, PredictionPath
from benchbox.report.inputs import results
from benchbox.report.inputs.results import Result
from benchbox.types import Protocol

if TYPE_CHECKING:
    from benchbox.types import Floats, Strings

_FACES_EACH = 6


def draw_worst_faces(
    result: Result,
    protocol: Protocol,
    metric: Metric,
    values: Floats,
    ids: Strings,
    disputed: Sequence[int] = (),
    rival: tuple[str, Floats, Floats] | None = None,
) -> tuple[tuple[str, tuple[ItemDrawing, ...]], ...]:
    """Draw the worst, the best and the disputed faces (rows) by errors (N,) and ids (N,).

    `rival` is another run: its name, its points (N, K, 2) and errors (N,), which disputed faces
    show, too. Raises ResultError when the predictions cannot be used.
    """
    points = results.read_landmarks(result, protocol)
    usable = np.flatnonzero(np.isfinite(values) & ~np.isnan(points).any(axis=(1, 2)))
    order = usable[np.argsort(-values[usable], kind="stable")]

    def drawn(row: int, *others: PredictionPath) -> ItemDrawing:
        where = face_drawings.square_around(points[row])
        answer = PredictionPath(
            1,
            "this run",
            _printed_error(values[row], metric),
            face_drawings.dot_path(points[row], where),
        )
        return ItemDrawing(
            str(ids[row]), (), "", "", face_drawings.picture_box(where), (answer, *others)
        )

    def beside(row: int) -> ItemDrawing:
        if rival is None:
            return drawn(row)
        name, theirs, errors = rival
        where = face_drawings.square_around(points[row])
        path = "" if np.isnan(theirs[row]).any() else face_drawings.dot_path(theirs[row], where)
        return drawn(row, PredictionPath(2, name, _printed_error(errors[row], metric), path))

    worst, best = order[:_FACES_EACH].tolist(), order[_FACES_EACH:][::-1][:_FACES_EACH].tolist()
    there = set(order.tolist())
    argued = [row for row in disputed if row in there][:_FACES_EACH]
    sections = (
        ("Worst", tuple(map(drawn, worst))),
        ("Best", tuple(map(drawn, best))),
        ("Most disputed", tuple(map(beside, argued))),
    )
    return tuple((title, shown) for title, shown in sections if shown)


def _printed_error(value: float, metric: Metric) -> str:
    return number_format.format_number(
        float(value) * number_format.percent_scale(metric.unit), metric.unit
    )
