"""The faces that a run got most wrong, most right, and disputes with the best other, on grey."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from benchbox.metrics import number_format
from benchbox.metrics.metric_names import Metric
from benchbox.report.charts import face_drawings
from benchbox.report.charts.face_drawings import ItemDrawing, PredictionPath, Square
from benchbox.report.inputs import results
from benchbox.report.inputs.results import Result
from benchbox.types import Protocol

if TYPE_CHECKING:
    from benchbox.types import Bools, Floats, Strings

DrawnFaces = tuple[tuple[str, tuple[ItemDrawing, ...]], ...]  # title, faces

_FACES_EACH = 6
_NO_PICTURE = (0.0, 0.0, 0.0, 0.0)  # where it would lie


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
            drawn.append((title, _draw_faces(ids, runs, rows, protocol.layout, metric)))
    return tuple(drawn)


def _draw_faces(
    ids: Strings, runs: Sequence[RunPoints], rows: Sequence[int], layout: str, metric: Metric
) -> tuple[ItemDrawing, ...]:
    """Draw the predictions of some runs for faces (rows), framed by those of the first."""
    frames = face_drawings.squares_around(runs[0].points[rows])
    columns = [_predicted_paths(run, rows, frames, layout, metric) for run in runs]
    faces = []
    for row, *predictions in zip(rows, *columns, strict=True):
        faces.append(ItemDrawing(str(ids[row]), (), "", "", _NO_PICTURE, tuple(predictions)))
    return tuple(faces)


def _predicted_paths(
    run: RunPoints, rows: Sequence[int], frames: Sequence[Square], layout: str, metric: Metric
) -> list[PredictionPath]:
    """Write what a run predicts for each face (row), "" where it has no prediction."""
    points = run.points[rows]
    answered: Bools = np.asarray(~np.isnan(points).any(axis=(1, 2)))
    paths = face_drawings.shape_paths(np.where(answered[:, None, None], points, 0), frames, layout)
    predictions = []
    for row, path, known in zip(rows, paths, answered.tolist(), strict=True):
        error = _print_error(run.errors[row], metric)
        predictions.append(PredictionPath(run.style, run.label, error, path if known else ""))
    return predictions


def _print_error(error: float, metric: Metric) -> str:
    scaled = float(error) * number_format.percent_scale(metric.unit)
    return number_format.format_number(scaled, metric.unit)
