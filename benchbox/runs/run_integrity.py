"""Whether a run's files are those that its record speaks of.

Asked whenever a run is read, so that nothing that was changed, copied to another seed or cut short
reaches a board, a comparison or the regression gate:

- the folder: variant, budget, overrides and seed of the record are its name;
- `predictions.npz`, `pseudo_labels.npz`: their digests are the record's;
- `scores.json`: card and data are the record's, its seal is that of its content, and the digests
  under the seal are those of every file beside it, `run.json` and `log.csv` included.

Scores without a seal, of earlier versions, are not used: `benchbox results rescore` makes them
again. Who works out every digest anew can still forge a run; only the annotations tell that
(`benchbox check --rescore`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from benchbox.errors import ResultError
from benchbox.file_readers.bounds import LARGEST_TEXT
from benchbox.file_readers.json_files import read_json_table
from benchbox.file_readers.regular_files import read_bytes
from benchbox.types import Run

from . import run_folders, verified_files
from .run_record import RunRecord

SEAL = "seal"
DIGESTS = "digests"
SUBMITTED = "submitted"  # variant folder of what was predicted elsewhere
_LINE_END = b"\n"
_DAMAGED = "damaged"  # in the place of a digest
_DERIVE_AGAIN = "`benchbox results rescore RUN` derives it again"
_PUT_BACK = "put it back, or run it again with --fresh"


def require_intact(run: Run) -> None:
    """Raise ResultError naming what does not fit the record of a run."""
    for fault in _find_faults(run):
        raise ResultError(f"{run.folder}: {fault}")


def require_same_facts(run: Run) -> None:
    """Raise ResultError where record, predictions or log are not those that were scored.

    Scores are about to be derived again from them; what is wrong with the scores is no fault here.
    """
    for fault in (*_folder_faults(run, run.record), *_output_faults(run), *_changed_facts(run)):
        raise ResultError(f"{run.folder}: {fault}")


def digest_files(run: Path) -> dict[str, str]:
    """Return the digests of the files of a run that scores.json vouches for, by name.

    Tables are hashed by their content, JSON and the log whatever their white space and line ends.
    """
    digests = {}
    for file in (*run_folders.fact_files(run), *run_folders.table_files(run)):
        if file.is_file():
            digests[file.name] = _content_digest(file)
    return digests


def seal_scores(document: Mapping[str, Any], digests: Mapping[str, str]) -> dict[str, Any]:
    """Return the document of scores.json with the digests of a run's files and a seal over all."""
    return seal_document({**document, DIGESTS: dict(sorted(digests.items()))})


def seal_document(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return a document with a digest of all that it says."""
    content = {key: value for key, value in document.items() if key != SEAL}
    return {**content, SEAL: hash_document(content)}


def is_sealed(document: Mapping[str, Any]) -> bool:
    """Tell whether a document says what it said when it was sealed."""
    content = {key: value for key, value in document.items() if key != SEAL}
    return document.get(SEAL) == hash_document(content)


def hash_document(document: Mapping[str, Any]) -> str:
    """Hash what a JSON document says, however it is laid out."""
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def _find_faults(run: Run) -> Iterator[str]:
    yield from _folder_faults(run, run.record)
    yield from _output_faults(run)
    if run_folders.scores_file(run.folder).exists():
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
    wanted_seed = str(record.seed or 0)  # what was submitted has none, and lies under 0
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


# --- what a run left ------------------------------------------------------------------------------


def _output_faults(run: Run) -> Iterator[str]:
    """Compare predictions with the record; some are not kept where licences forbid it."""
    digests = run.record.digests
    recorded = {
        run_folders.predictions_file(run.folder): digests.predictions,
        run_folders.pseudo_labels_file(run.folder): digests.pseudo_labels,
    }
    for file, digest in recorded.items():
        if digest and file.is_file() and _content_digest(file) != digest:
            yield f"{file.name} is not what its record was made with (another digest); {_PUT_BACK}"


def _content_digest(file: Path) -> str:
    """Hash what a file says; "damaged" where that cannot be read."""

    def work_out() -> str:
        from . import array_files

        try:
            if file.suffix == ".npz":
                return array_files.hash_content(file)
            if file.suffix == ".json":
                return hash_document(read_json_table(file, fault=ResultError))
            if file.suffix == ".csv":
                lines = read_bytes(file, LARGEST_TEXT, ResultError).splitlines()
                return f"sha256:{hashlib.sha256(_LINE_END.join(lines)).hexdigest()}"
            return run_folders.hash_file(file)
        except ResultError:
            return _DAMAGED

    return verified_files.remember("content", [file], work_out)


# --- scores ---------------------------------------------------------------------------------------


def _score_faults(run: Run) -> Iterator[str]:
    document = run_folders.read_sealed_scores(run)  # its own message, where it is damaged
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
        yield f"scores.json: has no seal, as earlier versions wrote it; {_DERIVE_AGAIN}"


def _sealed_faults(run: Run, document: Mapping[str, Any]) -> Iterator[str]:
    if not is_sealed(document):
        yield f"scores.json: was changed after it was written; {_DERIVE_AGAIN}"
    digests = document.get(DIGESTS)
    if not isinstance(digests, dict):
        yield f"scores.json: {DIGESTS} is no table; {_DERIVE_AGAIN}"
        return
    facts, tables = run_folders.fact_files(run.folder), run_folders.table_files(run.folder)
    yield from _changed_files(facts, digests, _PUT_BACK)
    yield from _changed_files(tables, digests, _DERIVE_AGAIN)
    vouched_for = tables  # all that a seal of earlier versions names
    if run_folders.record_file(run.folder).name in digests:
        vouched_for = (*facts, *tables)
    for file in vouched_for:
        if file.is_file() and file.name not in digests:
            yield f"{file.name}: came after the run was scored; {_DERIVE_AGAIN}"


def _changed_facts(run: Run) -> Iterator[str]:
    """Compare record, predictions and log with a scores.json that may be damaged itself."""
    digests: object = None
    with suppress(ResultError):
        file = run_folders.scores_file(run.folder)
        digests = read_json_table(file, fault=ResultError).get(DIGESTS)
    if isinstance(digests, dict):
        yield from _changed_files(run_folders.fact_files(run.folder), digests, _PUT_BACK)


def _changed_files(files: Iterable[Path], digests: Mapping[str, Any], advice: str) -> Iterator[str]:
    for file in files:
        if file.name in digests and file.is_file() and _content_digest(file) != digests[file.name]:
            yield f"{file.name}: was changed after the run was scored; {advice}"
