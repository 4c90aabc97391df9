"""Explain a number: measure, try the grid, fit the offset, look at the reference rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchbox.datasets import check_table, label_checks, split
from benchbox.errors import ResultError
from benchbox.layouts import require_layout
from benchbox.metrics import landmarks
from benchbox.metrics.metric_names import list_metrics, parse_metric
from benchbox.papers import reference_rows
from benchbox.protocols import protocol_card
from benchbox.runs import run_data, score_file
from benchbox.runs.gaze_predictions import AS_THE_LABELS, GazeReading
from benchbox.runs.prediction_formats import prediction_writers
from benchbox.runs.prediction_formats.found_face import NO_HINTS, Hints
from benchbox.scoring import error_table, prediction_checks, score, slips, wrong_frame
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


@dataclass(frozen=True, eq=False)
class _Case:
    """What is to be explained: predictions, truth, a metric of a group, perhaps a claim."""

    protocol: Protocol
    index: Index
    truth: Truth
    predictions: Predictions
    scores: Mapping[str, Mapping[str, Score]]
    metric: str
    group: str
    claim: Claim | None
    name: str
    warnings: tuple[str, ...]  # what was said of the predictions before they were measured

    def normaliser_lengths(self, normaliser: str) -> np.ndarray:
        return landmarks.normaliser_lengths(
            normaliser,
            self.truth.values,
            require_layout(self.protocol),
            self.truth.boxes,
            self.truth.ids,
            error_table.points_there(self.protocol, self.truth),
        )


def explain_predictions(
    file: Path,
    protocol_name: str,
    data: Path,
    claimed: str | None = None,
    metric: str = "",
    group: str = "",
    reading: GazeReading = AS_THE_LABELS,
    hints: Hints = NO_HINTS,
) -> Explanation:
    """Explain the difference between a claimed number and what a file of predictions measures.

    Without `metric` and `group`: the card's first metric over its overall group. Without a claim,
    the measure under every single convention. `reading` says how gaze is written, `hints` what a
    file of landmarks cannot say itself. Raises BenchboxError for what the user can mend.
    """
    claim = None
    if claimed is not None:
        claim = Claim.read(claimed)
    protocol = protocol_card.load_protocol(protocol_name)
    group = group or protocol.overall
    _require_known(protocol, "group", group, list(protocol.groups))
    writer = score_file.recognise_writer(file, protocol)
    score_file.require_own_file_intact(file)
    index = run_data.open_index(protocol, data, pixels=False)
    truth = error_table.mark_absent_points(protocol, split.ground_truth(protocol, index))
    # refuses what is no label; of others a number may be explained
    every_check = check_table.ACCEPTED_BY_NAME
    label_checks.refuse_faults(protocol, index, every_check, training=False)
    said: list[str] = []
    if writer == prediction_writers.NATIVE and hints == NO_HINTS:
        predictions, _ = score_file.read_submitted(
            file, protocol, index, truth, said.append, reading=reading, refuse=False
        )
    else:
        answered = prediction_writers.read_outside(
            file, writer, protocol, truth, index, data, hints, said.append
        )
        truth, protocol = answered.truth, answered.protocol
        predictions = prediction_checks.drop_placeholders(
            truth, answered.predictions, where=file.name, say=said.append, refuse=False
        )
    metric = metric or list_metrics(protocol)[0]
    _require_known(protocol, "metric", metric, list_metrics(protocol))
    scores = score.score_predictions(protocol, truth, predictions).groups
    if scores[group][metric].value is None:
        raise ResultError(
            f"{file.name}: no item of {group!r} has an answer; there is nothing to explain"
        )
    found = slips.find_slips(protocol, truth, predictions)
    warnings = [*map(_without_label, said), *found]
    name = file.stem
    if file.name == "predictions.npz":
        name = file.absolute().parents[2].name
    case = _Case(
        protocol, index, truth, predictions, scores, metric, group, claim, name, tuple(warnings)
    )
    if protocol.task == "landmarks":
        return _explain_landmarks(case, slipped=bool(found))
    return _explain_gaze(case)


def _without_label(line: str) -> str:
    """Take "warning: " or "note: " off a line; an explanation has its own."""
    return line.removeprefix("warning: ").removeprefix("note: ")


def _require_known(protocol: Protocol, word: str, name: str, known: Sequence[str]) -> None:
    if name not in known:
        raise ResultError(f"{protocol.name} has no {word} {name!r}; it has {', '.join(known)}")


def _explain_landmarks(case: _Case, *, slipped: bool) -> Explanation:
    # jitter and bias in pixels: the shift, points and parts are told by the card's first normaliser
    first = case.protocol.normalisers[0]

    @cache
    def best_offset(normaliser: str) -> Offset:
        lengths = case.normaliser_lengths(normaliser)
        return pixel_offset.fit_offset(case.truth.values, case.predictions.values, lengths)

    tells = _offset_tells(case, best_offset(first), slipped=slipped)

    @cache
    def variants(metric: str, group: str) -> Sequence[Variant]:
        items = (case.protocol, case.index, case.truth, case.predictions)
        best = best_offset(parse_metric(metric).normaliser or first)
        axes = landmark_candidates.landmark_axes(*items, metric, group, with_best_shift=tells)
        measure = landmark_candidates.landmark_measure(*items, metric, best)
        return convention_grid.measure_variants(axes, measure)

    normaliser = parse_metric(case.metric).normaliser or first
    inside = case.truth.groups[case.group] & ~case.predictions.failed
    faces = (
        case.truth.values[inside],
        case.predictions.values[inside],
        case.normaliser_lengths(normaliser)[inside],
    )
    part_errors = landmarks.nme_by_part(*faces, require_layout(case.protocol))
    point_errors = landmarks.nme_by_point(*faces)
    warnings = case.warnings
    offset = None
    if tells:
        offset = best_offset(normaliser)
        warnings += landmark_candidates.origin_warnings(offset)
    return _explanation(
        case,
        variants,
        offset=offset,
        parts={part: float(100 * np.mean(errors)) for part, errors in part_errors.items()},
        points=tuple(_percent(error) for error in point_errors),
        warnings=warnings,
    )


def _offset_tells(case: _Case, best: Offset, *, slipped: bool) -> bool:
    """Tell whether a constant shift is worth a word.

    It is not where the points are no faces after it, or where another slip is what is the matter.
    """
    shift = np.array([best.dx, best.dy])
    if wrong_frame.median_error(case.truth, case.predictions, shift) >= wrong_frame.FAR_FACE:
        return False
    poor = wrong_frame.median_error(case.truth, case.predictions) >= wrong_frame.POOR_MEDIAN
    return not (slipped and poor)


def _percent(error: float) -> float | None:
    return None if np.isnan(error) else float(100 * error)


def _explain_gaze(case: _Case) -> Explanation:
    items = (case.protocol, case.truth, case.predictions)
    measure = gaze_candidates.gaze_measure(*items)

    @cache
    def variants(metric: str, group: str) -> Sequence[Variant]:
        axes = gaze_candidates.gaze_axes(*items, metric, group)
        return convention_grid.measure_variants(axes, measure)

    return _explanation(
        case,
        variants,
        offset=None,
        parts={},
        points=(),
        warnings=tuple(dict.fromkeys((*case.warnings, *gaze_candidates.gaze_warnings(*items)))),
    )


def _explanation(
    case: _Case,
    variants: Callable[[str, str], Sequence[Variant]],
    *,
    offset: Offset | None,
    parts: Mapping[str, float],
    points: tuple[float | None, ...],
    warnings: tuple[str, ...],
) -> Explanation:
    """Put together what was measured, the variants near the claim and the rows of papers."""
    tried = variants(case.metric, case.group)
    by_chance = None
    landing: list[Variant] = []
    nearest = [variant for variant in tried if len(variant.changes) == 1]
    if case.claim is not None:
        by_chance = convention_grid.expected_by_chance(tried, case.claim)
        landing, nearest = convention_grid.nearest_variants(tried, case.claim)
    neighbours = nearest_rows.find_neighbours(
        reference_rows.load_references(), case.protocol, case.scores, case.name, variants
    )
    return Explanation(
        protocol=case.protocol,
        name=case.name,
        metric=case.metric,
        group=case.group,
        measured=case.scores[case.group][case.metric],
        claim=case.claim,
        tried=len(tried),
        by_chance=by_chance,
        landing=tuple(landing),
        nearest=tuple(nearest),
        offset=offset,
        parts=parts,
        points=points,
        neighbours=tuple(neighbours),
        warnings=warnings,
    )
