"""Predictions that came as a file: scored, and on demand kept as a run of kind `submitted`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchbox.datasets import select
from benchbox.datasets import split as splits
from benchbox.errors import ResultError
from benchbox.plugins import method_card
from benchbox.protocols import protocol_card as protocols
from benchbox.scoring import score as scoring
from benchbox.types import Predictions, Protocol, RunKind, Truth

from . import execute, prediction_files, provenance, run_folders


def score_predictions(
    file: Path,
    protocol_name: str,
    method: str,
    data: Path,
    results: Path | None = None,
    say: execute.Say = execute.say_nothing,
) -> execute.ScoreResult:
    """Score external predictions, or a run's own again, from annotations alone.

    Writes nothing unless `results` is given: then the predictions become a run of kind `submitted`
    there.
    """
    protocol = protocols.load_protocol(protocol_name)
    method_card.check_method_name(method)
    if not file.is_file():
        raise ResultError(f"{file}: no such predictions file")
    index = execute.open_index(protocol, data, pixels=False)
    truth = splits.ground_truth(protocol, index)
    record = splits.describe_data(protocol, index)
    for note in record.notes:
        say(f"note: {note}")
    answers = prediction_files.read_predictions(
        file, truth, protocol=protocol.name, suggest=_suggest_protocol(protocol)
    )
    if results is None:
        scores = scoring.score_predictions(protocol, truth, answers)
        kind, variant = _kind_and_variant(file, protocol, method)
        document = scoring.scores_to_json(
            scores,
            protocol=protocol,
            data=asdict(record),
            method=method,
            variant=variant,
            kind=kind,
        )
        return execute.ScoreResult(protocol, scores, document)
    data_facts = {**asdict(record), "truth": record.fingerprint}
    return _store_submission(file, protocol, method, truth, data_facts, answers, results)


def _store_submission(
    file: Path,
    protocol: Protocol,
    method: str,
    truth: Truth,
    data: Mapping[str, Any],
    answers: Predictions,
    results: Path,
) -> execute.ScoreResult:
    place = run_folders.run_folder(results, protocol.name, method, method_card.SUBMITTED, 0)
    source = run_folders.hash_file(file)
    with run_folders.claim_folder(place):
        if run_folders.is_finished(place):
            raise ResultError(
                f"{place}: holds submitted predictions of {method!r}; another --method name, or delete it"
            )
        run_folders.begin_job(place, {"source": source}, fresh=True)
        clock, started = execute.Stopwatch(), datetime.now(UTC)
        prediction_files.write_predictions(run_folders.predictions_file(place), answers)
        with clock("score"):
            scored = execute.derive_scores(place, protocol, truth, data, method, "submitted")
        record = {
            "kind": "submitted",
            "method": method,
            "variant": method_card.SUBMITTED,
            "overrides": {},
            "params": {},
            **execute.protocol_facts(protocol, data),
            "seed": None,
            "budget": None,
            "command": f"benchbox score {file.name} --protocol {protocol.name} --method {method}",
            "code": provenance.code_version(""),
            "environment": provenance.run_environment("cpu"),
            "started": f"{started:%Y-%m-%dT%H:%M:%SZ}",
            "seconds": clock.seconds,
            "training": {},
            "test_looks": run_folders.add_test_look(place),
            "digests": {**run_folders.hash_outputs(place), "source": source},
        }
        run_folders.finish_run(place, record)
    return scored


def _kind_and_variant(file: Path, protocol: Protocol, method: str) -> tuple[RunKind, str]:
    """Return kind and variant: those of the run whose predictions these are, else a submission's."""
    if run_folders.is_finished(file.parent) and file == run_folders.predictions_file(file.parent):
        run = run_folders.read_run(file.parent)
        if (run.protocol, run.method) == (protocol.name, method):
            return run.record["kind"], run.variant
    return "submitted", method_card.SUBMITTED


def _suggest_protocol(protocol: Protocol) -> prediction_files.Suggest:
    """Make the advice for ids that do not fit: the smallest protocol whose test parts cover all of them."""

    def advice(ids: frozenset[str]) -> str:
        fitting = []
        # advice only; `benchbox list protocols` reports a broken card
        for other in protocols.scan_cards()[0]:
            parts = select.member_parts(
                member for members in other.groups.values() for member in members
            )
            if ids and all(key.startswith(tuple(f"{part}/" for part in parts)) for key in ids):
                fitting.append((len(parts), other.name))
        best = min(fitting, default=(0, protocol.name))[1]
        return (
            ""
            if best == protocol.name
            else f"they look like those of {best}; try --protocol {best}"
        )

    return advice
