"""Predictions that came as a file: scored, and on demand kept as a run of kind `submitted`."""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from benchbox.datasets import select
from benchbox.datasets import split as splits
from benchbox.errors import ResultError
from benchbox.metrics import calibration
from benchbox.metrics.metric_names import parse_metric
from benchbox.plugins import method_card
from benchbox.protocols import protocol_card as protocols
from benchbox.scoring import prediction_checks, slips
from benchbox.scoring import score as scoring
from benchbox.types import Index, Predictions, Protocol, RunKind, Truth

from . import (
    checks_before_run,
    execute,
    gaze_predictions,
    prediction_files,
    provenance,
    run_data,
    run_folders,
    run_identity,
    run_outcome,
    run_plan,
)
from .gaze_predictions import AS_THE_LABELS, GazeReading
from .prediction_formats import prediction_writers, turned_pictures
from .prediction_formats.found_face import NO_HINTS, Hints
from .run_identity import OtherRunError
from .run_record import DataFacts, RunRecord


def score_predictions_file(
    file: Path,
    wanted: str | Protocol,
    method: str,
    data: Path,
    results: Path | None = None,
    say: run_plan.Say = run_plan.say_nothing,
    reading: GazeReading = AS_THE_LABELS,
    hints: Hints = NO_HINTS,
    *,
    fresh: bool = False,
    training: Mapping[str, Any] = MappingProxyType({}),
    accept: tuple[str, ...] = (),
    stated: Mapping[str, str] = MappingProxyType({}),
) -> run_outcome.ScoreResult:
    """Score external predictions, or a run's own again, from annotations alone.

    Writes nothing unless `results` is given: then the predictions become a run of kind `submitted`
    there, `fresh` in the place of one that is there under this name. `reading` says how gaze is
    written, `hints` what a file of landmarks cannot say itself, `training` what the record says of
    how they were made, `stated` what was said of the method (`RunRecord.stated`), `accept` the
    checks of the labels whose faults are accepted. Raises BenchboxError for what the user can mend.
    """
    protocol = _open_protocol(wanted)
    method_card.check_method_name(method)
    writer = recognise_writer(file, protocol)
    index = run_data.open_index(protocol, data, pixels=False)
    for note in index.notes:
        say(f"note: {note}")
    index = checks_before_run.require_sound_truth(protocol, index, data, accept, say)
    truth = splits.ground_truth(protocol, index)
    record = splits.describe_data(protocol, index)
    for warning in _warn_of_other_truth(file, protocol, index):
        say(f"warning: {warning}")
    if writer == prediction_writers.NATIVE and hints == NO_HINTS:
        predictions, said = _read_native(file, protocol, index, truth, data, say, reading)
    else:
        answered = prediction_writers.read_outside(
            file, writer, protocol, truth, index, data, hints, say
        )
        if results is not None and answered.protocol is not protocol:
            raise ResultError(
                f"{file.name}: scored in another layout than that of {protocol.name}, which is no "
                "row of its board: leave --results out"
            )
        predictions, truth = _check_outside(answered, file, say), answered.truth
        protocol, said = answered.protocol, list(answered.said)
    record = replace(record, notes=(*record.notes, *said))
    kind, variant = _kind_and_variant(file, protocol, method)
    if kind == "submitted" and index.gaze is not None:
        gaze_predictions.refuse_other_convention(truth, predictions, reading, file.name)
    prediction_checks.note_repeated_rows(truth, predictions, where=file.name, say=say)
    for slip in slips.find_slips(protocol, truth, predictions):
        say(
            f"warning: {file.name}: {slip}; benchbox explain {file.name} --protocol "
            f"{protocol.name} says more"
        )
    for note in calibration_notes(protocol, truth, predictions):
        say(f"note: {note}")
    if results is not None:
        facts = DataFacts(**asdict(record), truth=record.fingerprint)
        options = _options(reading, hints, accept)
        submission = _Submission(file, protocol, method, options, training, stated)
        place = submission.place(results)
        if run_folders.is_finished(place) and not fresh:
            return _reuse_submission(submission, place, facts, say)
        return _store_submission(submission, place, truth, facts, predictions)
    scores = scoring.score_predictions(protocol, truth, predictions)
    document = scoring.scores_to_json(
        scores, protocol=protocol, data=asdict(record), method=method, variant=variant, kind=kind
    )
    if said:
        document["read_as"] = said
    return run_outcome.ScoreResult(protocol, scores, document, truth.ids)


def _open_protocol(wanted: str | Protocol) -> Protocol:
    """Return a protocol by its name, or as it stands."""
    if isinstance(wanted, Protocol):
        return wanted
    return protocols.load_protocol(wanted)


def _read_native(
    file: Path,
    protocol: Protocol,
    index: Index,
    truth: Truth,
    data: Path,
    say: run_plan.Say,
    reading: GazeReading,
) -> tuple[Predictions, list[str]]:
    """Read predictions in benchbox's own form, and what is said and recorded of the reading."""
    predictions, words = read_submitted(file, protocol, index, truth, say, reading=reading)
    said = []
    if words:
        said.append(f"predictions are read as {words}")
    if not _is_of_a_run(file):
        turned = turned_pictures.find_turned(protocol, truth, data)
        predictions, turn = turned_pictures.turn_predictions(
            truth, predictions, turned, index.origin
        )
        said += [turn] if turn else []
    for line in said:
        say(f"note: {line}")
    return predictions, said


def require_own_file_intact(file: Path) -> None:
    """Raise ResultError for a run's own predictions that are not those of its record."""
    if _is_of_a_run(file):
        run_folders.read_run(file.parent)


def _is_of_a_run(file: Path) -> bool:
    """Tell whether a file is what a finished run has left."""
    folder = file.parent
    return run_folders.is_finished(folder) and file == run_folders.predictions_file(folder)


def calibration_notes(protocol: Protocol, truth: Truth, predictions: Predictions) -> list[str]:
    """Name the people whom each calibrated metric of a card leaves out."""
    notes = []
    for name in protocol.metrics:
        metric = parse_metric(name)
        shots = metric.shots
        if not shots or metric.plain:
            continue
        left_out = calibration.people_left_out(
            truth.clusters, truth.sequences, ~predictions.failed, shots
        )
        if left_out:
            notes.append(
                f"{name}: {len(left_out)} of {len(np.unique(truth.clusters))} people have fewer "
                f"than {2 * shots} dots and are left out: {', '.join(left_out[:5])}"
            )
    return notes


def recognise_writer(file: Path, protocol: Protocol) -> str:
    """Name the program whose predictions a file or folder holds; raises ResultError."""
    if protocol.task == "landmarks":
        return prediction_writers.recognise_predictions(file)
    gaze_predictions.require_file(file)
    return prediction_writers.NATIVE


def _check_outside(
    answered: prediction_writers.Answered, file: Path, say: run_plan.Say
) -> Predictions:
    """Look at predictions of another program as at any that are submitted."""
    truth, predictions = answered.truth, answered.predictions
    return prediction_checks.drop_placeholders(truth, predictions, where=file.name, say=say)


def _hash_source(file: Path) -> str:
    """Hash a file, or the names and contents of a folder's files."""
    if file.is_file():
        return run_folders.hash_file(file)
    digest = hashlib.sha256()
    for path in sorted(path for path in file.rglob("*") if path.is_file()):
        line = f"{path.relative_to(file).as_posix()} {run_folders.hash_file(path)}\n"
        digest.update(line.encode())
    return f"sha256:{digest.hexdigest()}"


def read_submitted(
    file: Path,
    protocol: Protocol,
    index: Index,
    truth: Truth,
    say: run_plan.Say,
    *,
    reading: GazeReading = AS_THE_LABELS,
    refuse: bool = True,
) -> tuple[Predictions, str]:
    """Read predictions that came as a file; placeholders in them count as failed, and are named.

    `refuse` refuses landmarks that are no pixels and faces of which single points are placeholders.
    What a run of ours has left is taken as it stands: a method says itself where it has no answer.
    Return them and how gaze was read, "" where it is in benchbox's own form. Raises ResultError.
    """
    predictions, words = _read_file(file, protocol, index, truth, say, reading)
    if _is_of_a_run(file):
        return predictions, words
    dropped = prediction_checks.drop_placeholders(
        truth, predictions, where=file.name, say=say, refuse=refuse
    )
    return dropped, words


def _read_file(
    file: Path,
    protocol: Protocol,
    index: Index,
    truth: Truth,
    say: run_plan.Say,
    reading: GazeReading,
) -> tuple[Predictions, str]:
    suggest = _suggest_protocol(protocol)
    if protocol.task == "landmarks":
        if reading.given:
            raise ResultError(
                "--columns, --unit and the like are for gaze; landmarks are in pixels"
            )
    elif gaze_predictions.is_read_here(file, index.gaze, reading):
        return gaze_predictions.read_gaze_predictions(
            file,
            truth,
            protocol.task,
            index.gaze,
            reading,
            protocol=protocol.name,
            suggest=suggest,
            say=say,
        )
    predictions = prediction_files.read_predictions(
        file, truth, protocol=protocol.name, suggest=suggest, say=say
    )
    return predictions, ""


def submission_folder(results: Path, protocol: str, method: str) -> Path:
    """Return where predictions that came as a file are kept as a run."""
    return run_folders.run_folder(results, protocol, method, method_card.SUBMITTED, 0)


@dataclass(frozen=True)
class _Submission:
    """What is handed in, under which name, and how it is read."""

    file: Path
    protocol: Protocol
    method: str
    options: Sequence[str]  # words
    training: Mapping[str, Any]
    stated: Mapping[str, str]

    @property
    def command(self) -> str:
        """Return the command that scores it, without the folders of this machine."""
        words = ["benchbox", "score", self.file.name, "--protocol", self.protocol.name]
        return shlex.join([*words, "--method", self.method, *self.options])

    def place(self, results: Path) -> Path:
        """Return the folder that keeps it."""
        return submission_folder(results, self.protocol.name, self.method)


def _reuse_submission(
    submission: _Submission, place: Path, data: DataFacts, say: run_plan.Say
) -> run_outcome.ScoreResult:
    """Return what is stored under a name, where it is what is handed in now.

    Raises OtherRunError for another file, card, annotations or way of reading.
    """
    run = run_folders.read_run(place)
    record = run.record
    differences = []
    if record.digests.source != _hash_source(submission.file):
        differences.append("another file")
    if record.card != submission.protocol.card:
        differences.append("another protocol card")
    differences += filter(None, [run_identity.describe_data_difference(record.data, data)])
    if not differences and not _is_same_command(record.command, submission.command):
        differences.append(f"another command ({record.command})")
    if differences:
        raise OtherRunError(
            f"{place}: holds submitted predictions of {submission.method!r}, made with "
            f"{', '.join(differences)}; --fresh replaces them, another --method name keeps both"
        )
    say(f"note: {place}: holds these predictions already")
    return run_outcome.read_score_result(submission.protocol, run)


def _store_submission(
    submission: _Submission,
    place: Path,
    truth: Truth,
    data: DataFacts,
    predictions: Predictions,
) -> run_outcome.ScoreResult:
    protocol, method = submission.protocol, submission.method
    source = _hash_source(submission.file)
    with run_folders.claim_folder(place):
        run_folders.begin_job(place, {"source": source}, fresh=True)
        clock, started = execute.Stopwatch(), datetime.now(UTC)
        prediction_files.write_predictions(run_folders.predictions_file(place), predictions)
        with clock("score"):
            scored = run_outcome.derive_scores(place, protocol, truth, data, method, "submitted")
        record = RunRecord(
            kind="submitted",
            method=method,
            variant=method_card.SUBMITTED,
            overrides={},
            params={},
            protocol=protocol.name,
            card=protocol.card,
            box=protocol.box,
            data=data,
            seed=None,
            budget=None,
            command=submission.command,
            code=provenance.code_version(None),
            environment=provenance.run_environment("cpu"),
            started=f"{started:%Y-%m-%dT%H:%M:%SZ}",
            seconds=clock.seconds,
            training=submission.training,
            test_looks=run_folders.add_test_look(place),
            digests=replace(run_folders.hash_outputs(place), source=source),
            stated=submission.stated,
        )
        run_folders.finish_run(place, record)
    return scored


def _warn_of_other_truth(file: Path, protocol: Protocol, index: Index) -> list[str]:
    """Say that a run's own predictions are about to meet other annotations than it was scored with.

    Raises ResultError for a run that cannot be read.
    """
    folder = file.parent
    if not run_folders.is_finished(folder) or file != run_folders.predictions_file(folder):
        return []
    record = run_folders.read_run(folder).record
    if record.protocol != protocol.name or run_data.has_truth_of(protocol, index, record.data):
        return []
    return [
        f"{file}: the annotations here are not those that this run was scored with: the number "
        "stands beside no row of its board"
    ]


def _options(reading: GazeReading, hints: Hints, accept: Sequence[str]) -> list[str]:
    """Return the options of the command, for the record."""
    words = list(reading.words or hints.words)
    for name in accept:
        words += ["--accept", name]
    return words


def _is_same_command(first: str, second: str) -> bool:
    """Compare the words of two commands: older records quote otherwise."""
    try:
        return shlex.split(first) == shlex.split(second)
    except ValueError:  # an older record's apostrophe
        return first == second


def _kind_and_variant(file: Path, protocol: Protocol, method: str) -> tuple[RunKind, str]:
    """Return those of the run whose predictions these are, else a submission's."""
    if _is_of_a_run(file):
        run = run_folders.read_run(file.parent)
        if (run.protocol, run.method) == (protocol.name, method):
            return run.record.kind, run.variant
    return "submitted", method_card.SUBMITTED


def _suggest_protocol(protocol: Protocol) -> prediction_files.Suggest:
    """Make the advice for ids that do not fit.

    It names the smallest protocol whose test parts cover all of them.
    """

    def advice(ids: frozenset[str]) -> str:
        if protocol.source is not None:
            return ""  # ids of own files look like those of any set
        fitting = []
        # advice only; `benchbox list protocols` reports a broken card
        for other in protocols.scan_cards()[0]:
            parts = _test_parts(other)
            if ids and all(key.startswith(parts) for key in ids):
                fitting.append((len(parts), other.name))
        if not fitting:
            return ""
        best = min(fitting)[1]
        if best == protocol.name:
            return ""
        return f"they look like those of {best}; try --protocol {best}"

    return advice


def _test_parts(protocol: Protocol) -> tuple[str, ...]:
    """Return how the ids of a protocol's test items begin."""
    members: list[str] = []
    for group in protocol.groups.values():
        members.extend(group)
    return tuple(f"{part}/" for part in select.member_parts(members))
