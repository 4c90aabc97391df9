"""Whether a run's files are those that its record speaks of.

Asked whenever a run is read, so that nothing that was changed, copied to another seed or cut short
reaches a board, a comparison or the regression gate:

- the folder: variant, budget, overrides and seed of the record are its name;
- `predictions.npz`: its digest is the record's;
- `scores.json`: card, data and sizes are the record's, its seal is that of its content, and the
  digests in it are those of `errors.npz` and `points.npz`;
- scores without a seal, of earlier versions: each value is worked out again from the error table.

What only the annotations can tell, `benchbox check --rescore` tells: errors and scores of an
earlier version that were changed together.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from benchbox.errors import ResultError
from benchbox.types import Run

from . import run_folders, verified_files
from .run_record import RunRecord

SEAL = "seal"
DIGESTS = "digests"
SUBMITTED = "submitted"  # variant folder of what was predicted elsewhere
_RELATIVE = 1e-6  # between machines the last bits differ
_SMALLEST = 1e-3
_DERIVE_AGAIN = "delete scores.json and errors.npz, and the same `benchbox run` derives them again"


def require_intact(run: Run) -> None:
    """Raise ResultError naming what does not fit the record of a run."""
    for fault in _find_faults(run):
        raise ResultError(f"{run.folder}: {fault}")


def seal_scores(document: Mapping[str, Any], digests: Mapping[str, str]) -> dict[str, Any]:
    """Return the document of scores.json with the digests of its tables and a seal over all."""
    sealed = {**document, DIGESTS: dict(digests)}
    sealed.pop(SEAL, None)
    return {**sealed, SEAL: _hash_document(sealed)}


def _hash_document(document: Mapping[str, Any]) -> str:
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def _find_faults(run: Run) -> Iterator[str]:
    yield from _folder_faults(run, run.record)
    yield from _prediction_faults(run)
    if run_folders.has_scores(run):
        yield from _score_faults(run)


# --- the folder -----------------------------------------------------------------------------------


def _folder_faults(run: Run, record: RunRecord) -> Iterator[str]:
    """Compare variant and seed of a record with the names of its folders."""
    if record.kind == "submitted":
        wanted_variant = SUBMITTED
    else:
        budget = record.budget or "quick"
        trained_under = ""
        if record.trained_by is not None:
            trained_under = record.trained_by.protocol
        wanted_variant = run_folders.variant_folder(
            record.variant, budget, record.overrides, trained_under
        )
    wanted_seed = run.seed
    if record.seed is not None:  # what was submitted has none
        wanted_seed = str(record.seed)
    if run.variant != wanted_variant:
        yield (
            f"its record is of {wanted_variant} (variant {record.variant}, budget"
            f" {record.budget}), not of {run.variant}; a copy or a change of it is no run"
        )
    if run.seed != wanted_seed:
        yield (
            f"its record is of seed {wanted_seed}, not of seed {run.seed}; a copy is no other run,"
            " delete it"
        )


# --- predictions ----------------------------------------------------------------------------------


def _prediction_faults(run: Run) -> Iterator[str]:
    """Compare the predictions with the record; some are not kept where licences forbid it."""
    file = run_folders.predictions_file(run.folder)
    recorded = run.record.digests.predictions
    if not recorded or not file.is_file():
        return
    if _content_digest(file) != recorded:
        yield (
            f"{file.name} is not what its record was made with (another digest); put it back, or"
            " run it again with --fresh"
        )


def _content_digest(file: Path) -> str:
    """Hash the arrays of a file; "damaged" where there are none to be read."""

    def work_out() -> str:
        from . import array_files

        try:
            if file.suffix == ".npy":
                return run_folders.hash_file(file)
            return array_files.hash_content(file)
        except ResultError:
            return "damaged"

    return verified_files.remember("content", [file], work_out)


# --- scores ---------------------------------------------------------------------------------------


def _score_faults(run: Run) -> Iterator[str]:
    run_folders.read_scores(run)  # its own message, where it is damaged
    document = run_folders.read_sealed_scores(run)
    record = run.record
    recorded = {
        "protocol": record.protocol,
        "method": record.method,
        "variant": run.variant,
        "kind": record.kind,
        "card": record.card,
    }
    for key, value in recorded.items():
        if value and key in document and document[key] != value:
            yield f"scores.json: {key} is {document[key]!r}, its record says {value!r}"
    data = document.get("data")
    fingerprint = record.data.fingerprint
    if isinstance(data, dict) and fingerprint and data.get("fingerprint") != fingerprint:
        yield f"scores.json: was made on other data than its record names; {_DERIVE_AGAIN}"
    if SEAL in document:
        yield from _sealed_faults(run, document)
    else:
        yield from _unsealed_faults(run)


def _sealed_faults(run: Run, document: Mapping[str, Any]) -> Iterator[str]:
    content = {key: value for key, value in document.items() if key != SEAL}
    if _hash_document(content) != document[SEAL]:
        yield f"scores.json: was changed after it was written; {_DERIVE_AGAIN}"
    digests = document.get(DIGESTS)
    if not isinstance(digests, dict):
        yield f"scores.json: {DIGESTS} is no table; {_DERIVE_AGAIN}"
        return
    for name, digest in digests.items():
        file = run.folder / Path(name).name
        if file.is_file() and _content_digest(file) != digest:
            yield f"{file.name}: was changed after it was written; {_DERIVE_AGAIN}"


def _unsealed_faults(run: Run) -> Iterator[str]:
    """Work the values out again from the error table: earlier versions left no digest of either."""
    files = [run.folder / "scores.json", run_folders.errors_file(run)]
    fault = verified_files.remember("scores", files, lambda: _first_other_value(run))
    if fault:
        yield f"scores.json: {fault}; {_DERIVE_AGAIN}"


def _first_other_value(run: Run) -> str:
    """Name the first value that its error table does not give, "" where there is none."""
    from benchbox.metrics import aggregate

    scores, errors = run_folders.read_scores(run), run_folders.read_errors(run)
    if scores.count != len(errors):
        return f"counts {scores.count} items, errors.npz holds {len(errors)}"
    for group, metrics in scores.groups.items():
        if f"in_{group}" not in (errors.dtype.names or ()):
            return f"errors.npz has no group {group}"
        rows = errors[errors[f"in_{group}"]]
        for name, score in metrics.items():
            try:
                again = aggregate.metric_terms(name, rows).score
            except (KeyError, ValueError, TypeError, IndexError):
                return f"errors.npz has nothing to make {name} of"
            if not _nearly_equal(score.value, again):
                return f"{group} {name} is {score.value}, errors.npz gives {again}"
    return ""


def _nearly_equal(first: float | None, second: float | None) -> bool:
    if first is None or second is None:
        return first is second
    return abs(first - second) <= _RELATIVE * max(abs(first), _SMALLEST)
