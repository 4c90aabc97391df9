"""The faces that a run got most wrong, most right, and disputes with the best other, on grey."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
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

DrawnFaces = tuple[tuple[str, tuple[ItemDrawing, ...]], ...]  # title, faces

_FACES_EACH = 6


@dataclass(frozen=True, eq=False)
class RunPoints:
    """The points (N, K, 2) of one run, NaN without a prediction, and its errors (N,)."""

    style: int
    label: str
    points: Floats
    errors: Floats


def draw_worst_faces(
    result: Result,
    protocol: Protocol,
    metric: Metric,
    errors: Floats,
    ids: Strings,
    disputed: Sequence[int] = (),
    rival: RunPoints | None = None,
) -> DrawnFaces:
    """Draw the worst, the best and the disputed faces (rows) by errors (N,) and ids (N,).

    `rival` is another run, which disputed faces show, too. Raises ResultError when the predictions
    cannot be used.
    """
    run = RunPoints(1, "this run", results.read_landmarks(result, protocol), errors)
    usable = np.flatnonzero(np.isfinite(errors) & ~np.isnan(run.points).any(axis=(1, 2)))
    order = usable[np.argsort(-errors[usable], kind="stable")].tolist()
    worst = order[:_FACES_EACH]
    best = order[_FACES_EACH:][::-1][:_FACES_EACH]
    usable_rows = set(order)
    shown_disputed = [row for row in disputed if row in usable_rows][:_FACES_EACH]
    compared = [run]
    if rival:
        compared.append(rival)
    sections = (
        ("Worst", [run], worst),
        ("Best", [run], best),
        ("Most disputed", compared, shown_disputed),
    )
    drawn = []
    for title, runs, rows in sections:
        if rows:
            layout = protocol.layout
            faces = [_draw_face(str(ids[row]), runs, row, layout, metric) for row in rows]
            drawn.append((title, tuple(faces)))
    return tuple(drawn)


def _draw_face(
    name: str, runs: Sequence[RunPoints], row: int, layout: str, metric: Metric
) -> ItemDrawing:
    """Draw the predictions of some runs for one face, framed by those of the first."""
    frame = face_drawings.square_around(runs[0].points[row])
    predictions = []
    for run in runs:
        path = ""
        if not np.isnan(run.points[row]).any():
            path = face_drawings.shape_path(run.points[row], frame, layout)
        error = _print_error(run.errors[row], metric)
        predictions.append(PredictionPath(run.style, run.label, error, path))
    return ItemDrawing(name, (), "", "", face_drawings.picture_box(frame), tuple(predictions))


def _print_error(error: float, metric: Metric) -> str:
    scaled = float(error) * number_format.percent_scale(metric.unit)
    return number_format.format_number(scaled, metric.unit)
