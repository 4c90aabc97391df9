"""What a finished run gives: its scores, derived from its predictions or read back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchbox.scoring import score as scoring
from benchbox.types import Protocol, Run, RunKind, Scores, Truth

from . import prediction_files, run_folders
from .run_record import DataFacts

if TYPE_CHECKING:
    from benchbox.types import Strings


@dataclass(frozen=True, eq=False)
class ScoreResult:
    """Scores under a protocol, and the document that `scores.json` and `--json` hold."""

    protocol: Protocol
    scores: Scores
    document: Mapping[str, Any]
    ids: Strings | None = None  # (N,) of the items of `scores.errors`, where they are at hand


@dataclass(frozen=True, eq=False)
class RunOutcome:
    """A finished run and its scores; `notes` are for the person who asked."""

    run: Run
    scored: ScoreResult
    notes: tuple[str, ...] = ()


def derive_scores(
    place: Path, protocol: Protocol, truth: Truth, data: DataFacts, method: str, kind: RunKind
) -> ScoreResult:
    """Score a run folder from its predictions file alone, and store the result."""
    file = run_folders.predictions_file(place)
    predictions = prediction_files.read_predictions(file, truth, protocol=protocol.name)
    scores = scoring.score_predictions(protocol, truth, predictions)
    document = scoring.scores_to_json(
        scores,
        protocol=protocol,
        data=asdict(data),
        method=method,
        variant=run_folders.variant_name(place),
        kind=kind,
    )
    points = scoring.score_points(protocol, truth, predictions)
    run_folders.save_scores(place, document, scores.errors, points)
    return ScoreResult(protocol, scores, document, truth.ids)


def read_score_result(protocol: Protocol, run: Run) -> ScoreResult:
    """Read a run's scores back; raises ResultError when they are damaged."""
    stored = run_folders.read_scores(run)
    errors = run_folders.read_errors(run)
    scores = Scores(stored.groups, stored.count, stored.failed, errors, stored.scorer)
    return ScoreResult(protocol, scores, run_folders.read_score_document(run))
