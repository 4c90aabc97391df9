"""The verb: open the data, measure, try the grid, fit the offset, look at the reference rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchbox.datasets import split as splits
from benchbox.errors import ResultError
from benchbox.layouts import LAYOUTS
from benchbox.metrics import landmarks as errors_of
from benchbox.papers import reference_rows
from benchbox.protocols import protocol_card as protocols
from benchbox.runs import execute, prediction_files
from benchbox.scoring import score
from benchbox.types import Predictions, Protocol, Score

from . import convention_grid, gaze_candidates, landmark_candidates, nearest_rows, pixel_offset
from .convention_grid import Claim, Variant
from .nearest_rows import Neighbour
from .pixel_offset import Offset

if TYPE_CHECKING:
    from benchbox.types import Index, Truth


@dataclass(frozen=True)
class Explanation:
    """Everything that `benchbox explain` says about a file of predictions."""

    protocol: Protocol
    name: str  # of the file
    metric: str
    group: str
    measured: Score
    claim: Claim | None
    tried: int
    by_chance: float | None  # variants that would land on a number that means nothing
    landing: tuple[Variant, ...]
    nearest: tuple[Variant, ...]  # without a claim: what each single change would give
    offset: Offset | None
    parts: Mapping[str, float]  # error by part of the face, in the metric's normaliser, %
    points: tuple[float | None, ...]  # error of each point, %
    neighbours: tuple[Neighbour, ...]
    warnings: tuple[str, ...]


def explain_predictions(
    file: Path,
    protocol_name: str,
    data: Path,
    claimed: str | None = None,
    metric: str = "",
    group: str = "",
) -> Explanation:
    """Explain the difference between a claimed number and what a file of predictions measures.

    Without `metric` and `group`: the card's first metric over its overall group. Without a claim,
    the measure under every single convention. Raises BenchboxError for what the user can mend.
    """
    claim = None if claimed is None else Claim.read(claimed)
    protocol = protocols.load_protocol(protocol_name)
    group = group or protocol.overall
    known = score.list_metrics(protocol)
    metric = metric or known[0]
    for given, allowed, word in (
        (metric, known, "metric"),
        (group, list(protocol.groups), "group"),
    ):
        if given not in allowed:
            raise ResultError(
                f"{protocol.name} has no {word} {given!r}; it has {', '.join(allowed)}"
            )
    if not file.is_file():
        raise ResultError(f"{file}: no such predictions file")
    index = execute.open_index(protocol, data, pixels=False)
    truth = splits.ground_truth(protocol, index)
    answers = prediction_files.read_predictions(file, truth, protocol=protocol.name)
    scores = score.score_predictions(protocol, truth, answers).groups
    measured = scores[group][metric]
    if measured.value is None:
        raise ResultError(
            f"{file.name}: no item of {group!r} has an answer; there is nothing to explain"
        )
    name = file.stem if file.name != "predictions.npz" else file.absolute().parents[2].name
    if protocol.task == "landmarks":
        return _explain_landmarks(
            protocol, index, truth, answers, scores, metric, group, claim, name
        )
    return _explain_gaze(protocol, truth, answers, scores, metric, group, claim, name)


def _explain_landmarks(
    protocol: Protocol,
    index: Index,
    truth: Truth,
    answers: Predictions,
    scores: Mapping[str, Mapping[str, Score]],
    metric: str,
    group: str,
    claim: Claim | None,
    name: str,
) -> Explanation:
    @cache
    def best(normaliser: str) -> Offset:
        return pixel_offset.fit_offset(
            truth.values, answers.values, _normaliser_lengths(protocol, truth, normaliser)
        )

    @cache
    def variants(metric: str, group: str) -> Sequence[Variant]:
        normaliser = landmark_candidates.take_apart(metric)[2][0]
        axes = landmark_candidates.landmark_axes(protocol, index, truth, answers, metric, group)
        return convention_grid.measure_variants(
            axes,
            landmark_candidates.landmark_measure(
                protocol, index, truth, answers, metric, best(normaliser)
            ),
        )

    normaliser = landmark_candidates.take_apart(metric)[2][0]
    found = variants(metric, group)
    landing, nearest = (
        convention_grid.nearest_variants(found, claim)
        if claim
        else ([], [v for v in found if len(v.changes) == 1])
    )
    inside = truth.groups[group] & ~answers.failed
    shown = (
        truth.values[inside],
        answers.values[inside],
        _normaliser_lengths(protocol, truth, normaliser)[inside],
    )
    parts = errors_of.nme_by_part(*shown, LAYOUTS[protocol.layout])
    points = errors_of.nme_by_point(*shown)
    return Explanation(
        protocol=protocol,
        name=name,
        metric=metric,
        group=group,
        measured=scores[group][metric],
        claim=claim,
        tried=len(found),
        by_chance=convention_grid.expected_by_chance(found, claim) if claim else None,
        landing=tuple(landing),
        nearest=tuple(nearest),
        offset=best(normaliser),
        parts={part: float(100 * np.mean(errors)) for part, errors in parts.items()},
        points=tuple(None if np.isnan(error) else float(100 * error) for error in points),
        neighbours=tuple(
            nearest_rows.find_neighbours(
                reference_rows.load_references(), protocol, scores, name, variants
            )
        ),
        warnings=landmark_candidates.landmark_warnings(found) if metric.startswith("nme_") else (),
    )


def _explain_gaze(
    protocol: Protocol,
    truth: Truth,
    answers: Predictions,
    scores: Mapping[str, Mapping[str, Score]],
    metric: str,
    group: str,
    claim: Claim | None,
    name: str,
) -> Explanation:
    measure = gaze_candidates.gaze_measure(protocol, truth, answers)

    @cache
    def variants(metric: str, group: str) -> Sequence[Variant]:
        return convention_grid.measure_variants(
            gaze_candidates.gaze_axes(protocol, truth, answers, metric, group), measure
        )

    found = variants(metric, group)
    landing, nearest = (
        convention_grid.nearest_variants(found, claim)
        if claim
        else ([], [v for v in found if len(v.changes) == 1])
    )
    return Explanation(
        protocol=protocol,
        name=name,
        metric=metric,
        group=group,
        measured=scores[group][metric],
        claim=claim,
        tried=len(found),
        by_chance=convention_grid.expected_by_chance(found, claim) if claim else None,
        landing=tuple(landing),
        nearest=tuple(nearest),
        offset=None,
        parts={},
        points=(),
        neighbours=tuple(
            nearest_rows.find_neighbours(
                reference_rows.load_references(), protocol, scores, name, variants
            )
        ),
        warnings=gaze_candidates.gaze_warnings(protocol, truth, answers),
    )


def _normaliser_lengths(protocol: Protocol, truth: Truth, normaliser: str) -> np.ndarray:
    return errors_of.normaliser_lengths(
        normaliser, truth.values, LAYOUTS[protocol.layout], truth.boxes, truth.ids
    )
