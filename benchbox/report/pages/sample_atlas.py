"""The atlas of landmarks: single faces with the points of all methods."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from benchbox.errors import ResultError
from benchbox.layouts import require_layout
from benchbox.metrics import landmarks, metric_names, number_format
from benchbox.metrics.metric_names import Metric
from benchbox.report.charts import face_drawings, leaderboard_charts
from benchbox.report.charts.face_drawings import ItemDrawing, PredictionPath, Square
from benchbox.report.inputs import results, synthetic_items
from benchbox.report.inputs.results import Problem
from benchbox.report.inputs.synthetic_items import SyntheticItem
from benchbox.report.tables.per_item import ItemErrors
from benchbox.types import MethodCard, Protocol

from . import atlas_page
from .atlas_page import AtlasPage, Section

if TYPE_CHECKING:
    from benchbox.types import Floats


@dataclass(frozen=True, eq=False)
class _MethodPoints:
    """One method's points (N, K, 2) and their errors (N,).

    Without a prediction points are NaN and the error infinite.
    """

    style: int
    label: str
    points: Floats
    errors: Floats


def build_atlas_page(
    protocol: Protocol,
    samples: ItemErrors | None,
    methods: Mapping[str, MethodCard],
    problems: Sequence[Problem],
) -> AtlasPage:
    """Lay out the atlas of a landmark protocol.

    A run whose predictions cannot be used is left out and named.
    """
    problems = list(problems)
    if samples is None:
        return atlas_page.assemble_page(protocol, None, [], [], problems)
    predicted = _read_points(protocol, samples, methods, problems)
    sections: tuple[Section, ...] = ()
    if predicted:
        sections = _landmark_sections(protocol, samples, predicted)
    labels = [(method.style, method.label) for method in predicted]
    return atlas_page.assemble_page(protocol, samples.metric, labels, sections, problems)


def _read_points(
    protocol: Protocol,
    samples: ItemErrors,
    methods: Mapping[str, MethodCard],
    problems: list[Problem],
) -> list[_MethodPoints]:
    """Read the points of the best runs; one that cannot be read is added to `problems`."""
    columns = atlas_page.each_method_first(samples.columns)
    labels = leaderboard_charts.run_labels(
        [(bool(column.row.not_comparable), column.result) for column in columns], methods
    )
    predicted: list[_MethodPoints] = []
    for column, label in zip(columns, labels, strict=True):
        if len(predicted) == atlas_page.MAX_METHODS:
            break
        try:
            points = results.read_landmarks(column.result, protocol)
        except ResultError as fault:
            problems.append(results.run_problem(column.result, fault))
            continue
        predicted.append(_MethodPoints(len(predicted) + 1, label, points, column.errors))
    return predicted


def _landmark_sections(
    protocol: Protocol, samples: ItemErrors, predicted: Sequence[_MethodPoints]
) -> tuple[Section, ...]:
    points = np.stack([method.points for method in predicted])
    errors = np.stack([method.errors for method in predicted], axis=1)

    def choose_items(order: Sequence[int], taken: set[int]) -> list[int]:
        return face_drawings.take_unseen(order, atlas_page.ITEMS_PER_SECTION, taken)

    def draw_item(row: int) -> ItemDrawing:
        return _draw_face(protocol, samples, predicted, row)

    return atlas_page.choose_sections(
        errors,
        face_drawings.run_disagreement(points),
        np.flatnonzero(~np.isnan(points).all(axis=(0, 2, 3))),
        "points",
        choose_items,
        draw_item,
    )


def _draw_face(
    protocol: Protocol, samples: ItemErrors, predicted: Sequence[_MethodPoints], row: int
) -> ItemDrawing:
    points = np.stack([method.points[row] for method in predicted])
    usable = points[~np.isnan(points).any(axis=(1, 2))]
    median = np.median(usable, axis=0)
    frame = face_drawings.square_around(median)
    item, truth = _find_truth(protocol, samples, predicted, row)
    pose_points, picture, truth_path = median, "", ""
    if item:
        picture = item.file
    if truth is not None:
        pose_points, truth_path = truth, face_drawings.shape_path(truth, frame, protocol.layout)
    unit = samples.metric.unit
    return ItemDrawing(
        id=str(samples.ids[row]),
        groups=face_drawings.group_names(samples.groups, protocol.overall, row),
        pose=face_drawings.face_pose(pose_points, protocol.layout),
        picture=picture,
        box=face_drawings.picture_box(frame),
        predictions=tuple(
            _draw_prediction(method, row, frame, protocol.layout, unit) for method in predicted
        ),
        truth=truth_path,
    )


def _draw_prediction(
    method: _MethodPoints, row: int, frame: Square, layout: str, unit: str
) -> PredictionPath:
    error = float(method.errors[row])
    words, path = "no prediction", ""
    if math.isfinite(error):
        words = number_format.format_number(error, unit)
    if not np.isnan(method.points[row]).any():
        path = face_drawings.shape_path(method.points[row], frame, layout)
    return PredictionPath(method.style, method.label, words, path)


def _find_truth(
    protocol: Protocol, samples: ItemErrors, predicted: Sequence[_MethodPoints], row: int
) -> tuple[SyntheticItem | None, Floats | None]:
    """Return one of our own faces and its true points (K, 2), None of what is not known of it."""
    if protocol.rotation:  # a turned picture is another one
        return None, None
    item = synthetic_items.find_item(protocol.dataset, str(samples.ids[row]))
    if item is None:
        return None, None
    truth = _true_points(item, protocol)
    if truth is None:
        return item, None
    points = np.stack([method.points[row] for method in predicted])
    errors = np.array([method.errors[row] for method in predicted])
    if not _errors_match(protocol, samples.metric, truth, points, errors):
        # scored on another version of the rendered set: its picture is not this one
        return None, None
    return item, truth


def _true_points(item: SyntheticItem, protocol: Protocol) -> Floats | None:
    """Return the true points (K, 2) of a face of our own, None where it has none of this layout."""
    facts = synthetic_items.item_facts(item)
    for key in ("values", "values68"):
        if key in facts and len(facts[key]) == require_layout(protocol).count:
            points: Floats = facts[key]
            return points
    return None


def _errors_match(
    protocol: Protocol,
    metric: Metric,
    truth: Floats,
    points: Floats,
    scored: Floats | Sequence[float],
) -> bool:
    """Tell whether points (M, K, 2) and what is true now, (K, 2), give the scored errors (M,).

    Errors over another size than a distance between points, or over a part of them, are not made
    again here and count as matching.
    """
    normaliser, subset, visible = metric_names.split_convention(metric.convention)
    if normaliser not in ("inter_ocular", "inter_pupil") or subset or visible:
        return True
    usable = ~np.isnan(points).any(axis=(1, 2))
    scale = landmarks.normaliser_lengths(normaliser, truth[None], require_layout(protocol))
    truths = np.repeat(truth[None], len(points), axis=0)
    errors = landmarks.mean_errors(truths, points) / scale * 100
    return bool(np.allclose(errors[usable], np.array(scored)[usable], rtol=0.002, atol=0.01))
