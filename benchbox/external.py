"""Predictions that came as a file: scored, and on demand kept as a run of kind `submitted`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from . import pipeline, predictions, provenance, store
from .datasets import select
from .datasets import split as splits
from .errors import ResultError
from .plugins import method_card
from .protocols import protocol_card as protocols
from .scoring import score as scoring
from .types import Kind, Predictions, Protocol, Truth


def score_file(
    file: Path,
    protocol_name: str,
    method: str,
    data: Path,
    results: Path | None = None,
    say: pipeline.Say = pipeline.silent,
) -> pipeline.Scored:
    """Score external predictions, or a run's own again, from annotations alone.

    Writes nothing unless `results` is given: then the predictions become a run of kind `submitted` there.
    """
    protocol = protocols.load(protocol_name)
    method_card.check_name(method)
    if not file.is_file():
        raise ResultError(f"{file}: no such predictions file")
    index = pipeline.open_index(protocol, data, pixels=False)
    truth = splits.truth(protocol, index)
    record = splits.record(protocol, index)
    for note in record.notes:
        say(f"note: {note}")
    answers = predictions.read(file, truth, protocol=protocol.name, suggest=_suggest(protocol))
    if results is None:
        scores = scoring.score(protocol, truth, answers)
        kind, variant = _origin(file, protocol, method)
        document = scoring.to_json(
            scores, protocol=protocol, data=asdict(record), method=method, variant=variant, kind=kind
        )
        return pipeline.Scored(protocol, scores, document)
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
) -> pipeline.Scored:
    place = store.folder(results, protocol.name, method, method_card.SUBMITTED, 0)
    source = store.sha256(file)
    with store.claim(place):
        if store.finished(place):
            raise ResultError(
                f"{place}: holds submitted predictions of {method!r}; another --method name, or delete it"
            )
        store.begin(place, {"source": source}, fresh=True)
        clock, started = pipeline.Clock(), datetime.now(UTC)
        predictions.write(store.predictions_file(place), answers)
        with clock("score"):
            scored = pipeline.derive(place, protocol, truth, data, method, "submitted")
        record = {
            "kind": "submitted",
            "method": method,
            "variant": method_card.SUBMITTED,
            "overrides": {},
            "params": {},
            **pipeline.protocol_facts(protocol, data),
            "seed": None,
            "budget": None,
            "command": f"benchbox score {file.name} --protocol {protocol.name} --method {method}",
            "code": provenance.code(""),
            "environment": provenance.environment("cpu"),
            "started": f"{started:%Y-%m-%dT%H:%M:%SZ}",
            "seconds": clock.seconds,
            "training": {},
            "test_looks": store.look(place),
            "digests": {**store.digests(place), "source": source},
        }
        store.finish(place, record)
    return scored


def _origin(file: Path, protocol: Protocol, method: str) -> tuple[Kind, str]:
    """Return kind and variant: those of the run whose predictions these are, else a submission's."""
    if store.finished(file.parent) and file == store.predictions_file(file.parent):
        run = store.read(file.parent)
        if (run.protocol, run.method) == (protocol.name, method):
            return run.record["kind"], run.variant
    return "submitted", method_card.SUBMITTED


def _suggest(protocol: Protocol) -> predictions.Suggest:
    """Make the advice for ids that do not fit: the smallest protocol whose test parts cover all of them."""

    def advice(ids: frozenset[str]) -> str:
        fitting = []
        for other in protocols.scan()[0]:  # advice only; `benchbox list protocols` reports a broken card
            parts = select.parts(member for members in other.groups.values() for member in members)
            if ids and all(key.startswith(tuple(f"{part}/" for part in parts)) for key in ids):
                fitting.append((len(parts), other.name))
        best = min(fitting, default=(0, protocol.name))[1]
        return "" if best == protocol.name else f"they look like those of {best}; try --protocol {best}"

    return advice
