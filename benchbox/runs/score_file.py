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
from benchbox.types import Kind, Predictions, Protocol, Truth

from . import execute, prediction_files, provenance, run_folders


def score_file(
    file: Path,
    protocol_name: str,
    method: str,
    data: Path,
    results: Path | None = None,
    say: execute.Say = execute.silent,
) -> execute.Scored:
    """Score external predictions, or a run's own again, from annotations alone.

    Writes nothing unless `results` is given: then the predictions become a run of kind `submitted`
    there.
    """
    protocol = protocols.load(protocol_name)
    method_card.check_name(method)
    if not file.is_file():
        raise ResultError(f"{file}: no such predictions file")
    index = execute.open_index(protocol, data, pixels=False)
    truth = splits.truth(protocol, index)
    record = splits.record(protocol, index)
    for note in record.notes:
        say(f"note: {note}")
    answers = prediction_files.read(file, truth, protocol=protocol.name, suggest=_suggest(protocol))
    if results is None:
        scores = scoring.score(protocol, truth, answers)
        kind, variant = _origin(file, protocol, method)
        document = scoring.to_json(
            scores,
            protocol=protocol,
            data=asdict(record),
            method=method,
            variant=variant,
            kind=kind,
        )
        return execute.Scored(protocol, scores, document)
    data_facts = {**asdict(record), "truth": record.fingerprint}
    return _submit(file, protocol, method, truth, data_facts, answers, results)


def _submit(
    file: Path,
    protocol: Protocol,
    method: str,
    truth: Truth,
    data: Mapping[str, Any],
    answers: Predictions,
    results: Path,
) -> execute.Scored:
    place = run_folders.folder(results, protocol.name, method, method_card.SUBMITTED, 0)
    source = run_folders.sha256(file)
    with run_folders.claim(place):
        if run_folders.finished(place):
            raise ResultError(
                f"{place}: holds submitted predictions of {method!r}; another --method name, or delete it"
            )
        run_folders.begin(place, {"source": source}, fresh=True)
        clock, started = execute.Clock(), datetime.now(UTC)
        prediction_files.write(run_folders.predictions_file(place), answers)
        with clock("score"):
            scored = execute.derive(place, protocol, truth, data, method, "submitted")
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
            "code": provenance.code(""),
            "environment": provenance.environment("cpu"),
            "started": f"{started:%Y-%m-%dT%H:%M:%SZ}",
            "seconds": clock.seconds,
            "training": {},
            "test_looks": run_folders.look(place),
            "digests": {**run_folders.digests(place), "source": source},
        }
        run_folders.finish(place, record)
    return scored


def _origin(file: Path, protocol: Protocol, method: str) -> tuple[Kind, str]:
    """Return kind and variant: those of the run whose predictions these are, else a submission's."""
    if run_folders.finished(file.parent) and file == run_folders.predictions_file(file.parent):
        run = run_folders.read(file.parent)
        if (run.protocol, run.method) == (protocol.name, method):
            return run.record["kind"], run.variant
    return "submitted", method_card.SUBMITTED


def _suggest(protocol: Protocol) -> prediction_files.Suggest:
    """Make the advice for ids that do not fit: the smallest protocol whose test parts cover all of them."""

    def advice(ids: frozenset[str]) -> str:
        fitting = []
        # advice only; `benchbox list protocols` reports a broken card
        for other in protocols.scan()[0]:
            parts = select.parts(member for members in other.groups.values() for member in members)
            if ids and all(key.startswith(tuple(f"{part}/" for part in parts)) for key in ids):
                fitting.append((len(parts), other.name))
        best = min(fitting, default=(0, protocol.name))[1]
        return (
            ""
            if best == protocol.name
            else f"they look like those of {best}; try --protocol {best}"
        )

    return advice
