"""Runs on disk; the only module that knows how `results/` is laid out.

`results/<protocol>/<method>/<variant>[+key=value…]/<seed>/` holds facts (`run.json`,
`predictions.npz`, `log.csv`), what is derived from them (`scores.json`, `errors.npz`, for landmarks
`points.npz`) and `work/`, where the recipe keeps weights and checkpoints. A training that labelled
faces itself leaves `pseudo_labels.npz`, too: what it was sure of (`pseudo_labels`). With folds each
has its own `work/fold-<name>/`, and `work/fold-<name>.npz` holds its answers when it is done.
`results/profiles/<method>/<variant>.json` is what `benchbox profile --save` found. Files appear
whole or not at all; `run.json` is written last and once, so its presence means that the run is
finished.

Tables of errors and of points are compressed and lossless: a fresh clone reports, compares and
ranks without the annotations, which are often not ours to give. Folders of earlier versions hold
them as `errors.npy` and `points.npy`, which are read as well.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import quote

from benchbox.atomic_write import (
    flush_files,
    remove_leftovers,
    replace_when_done,
    write_whole,
)
from benchbox.errors import ResultError
from benchbox.file_lock import lock_file
from benchbox.file_readers.json_files import parse_json, read_json_table
from benchbox.file_readers.regular_files import read_text
from benchbox.types import Run

from . import run_record
from .run_record import OutputDigests, RunRecord, ScoreFile

if TYPE_CHECKING:
    import numpy as np

SCHEMA = 1

_RUN = "run.json"
_PREDICTIONS = "predictions.npz"
_SCORES = "scores.json"
_ERRORS = "errors"
_POINTS = "points"
_TABLES = (".npz", ".npy")  # as they are written, and as earlier versions wrote them
_LOG = "log.csv"
_WORK = "work"
TRAINING_NOTES = "training.json"  # below work/: what a recipe notes of its training
_JOB, _TRAINING, LOCK = "job.json", TRAINING_NOTES, ".lock"
_FOLD_PREDICTIONS = ".npz"
_PROFILES = "profiles"
_PSEUDO = "pseudo_labels"
_WEIGHTS_OF = "weights_of"
_SCORES_REMEMBERED = 16  # files: each is read by the check of its run and right after by others
_MAX_JSON_BYTES, _MAX_ARRAY_BYTES = 1 << 26, 1 << 30
_MAX_FOLDER_CHARS = 160
_RUN_AGAIN = "run again with --fresh"
_HELD = (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES)  # somebody holds the lock
_LOCK_PAUSE_S = 0.5  # between two looks
_patience_s = [0.0]  # for another process to let go of a folder
_RUN_LEVELS = 4  # folders between results and a record
_LEVELS_ASIDE = 2  # how far below a wrong folder the right one is looked for


@dataclass(frozen=True)
class UnreadableRun:
    """A run folder whose record cannot be used, and why."""

    folder: Path
    reason: str


# --- names ----------------------------------------------------------------------------------------


def variant_folder(
    variant: str,
    budget: str = "quick",
    overrides: Mapping[str, Any] | None = None,
    trained_under: str = "",
) -> str:
    """Name a variant's folder; a budget other than quick and every override join it.

    So does the protocol that it was trained under, where that is another one.

    >>> variant_folder("glsr", "smoke", {"loss": "l1"})
    'glsr+budget=smoke+loss=l1'
    >>> variant_folder("glsr", trained_under="300w-full")
    'glsr+weights_of=300w-full'
    """
    changes = {key: _folder_word(value) for key, value in (overrides or {}).items()}
    if budget != "quick":
        changes["budget"] = budget
    if trained_under:
        changes[_WEIGHTS_OF] = _folder_word(trained_under)
    name = variant
    for key in sorted(changes):
        name += f"+{key}={changes[key]}"
    if len(name) > _MAX_FOLDER_CHARS:  # the record holds the overrides in full
        digest = hashlib.sha256(name.encode()).hexdigest()
        name = f"{name[: _MAX_FOLDER_CHARS - 17]}+{digest[:16]}"
    return name


def run_folder(results: Path, protocol: str, method: str, variant: str, seed: int | str) -> Path:
    """Return the folder of one run; `variant` as `variant_folder` names it."""
    return results / protocol / method / variant / str(seed)


def work_folder(run: Path) -> Path:
    """Return the folder that a job may write to."""
    return run / _WORK


def fold_work_folder(run: Path, fold: str) -> Path:
    """Return the folder that the job of one fold may write to."""
    return work_folder(run) / f"fold-{quote(fold, safe='')}"


def fold_predictions_file(run: Path, fold: str) -> Path:
    """Return where a fold's predictions are kept; the file is there when the fold is done."""
    folder = fold_work_folder(run, fold)
    return folder.with_name(folder.name + _FOLD_PREDICTIONS)


def predictions_file(run: Path) -> Path:
    """Return where a run keeps its predictions."""
    return run / _PREDICTIONS


def pseudo_labels_folder(run: Path) -> Path:
    """Return where a recipe leaves its labels of faces without labels, one file per choice."""
    return work_folder(run) / _PSEUDO


def pseudo_labels_file(run: Path) -> Path:
    """Return where these are kept, put together, beside the predictions; most runs have none."""
    return run / f"{_PSEUDO}.npz"


def record_file(run: Path) -> Path:
    """Return where a run keeps its record."""
    return run / _RUN


def scores_file(run: Path) -> Path:
    """Return where a run keeps its scores."""
    return run / _SCORES


def fact_files(run: Path) -> tuple[Path, ...]:
    """Return where a run keeps what nothing can derive again; some may be missing."""
    return (run / _RUN, predictions_file(run), pseudo_labels_file(run), run / _LOG)


def table_files(run: Path) -> tuple[Path, ...]:
    """Return where tables may lie that are derived, in this and the older form."""
    return tuple(run / f"{name}{suffix}" for name in (_ERRORS, _POINTS) for suffix in _TABLES)


def variant_name(run: Path) -> str:
    """Return the variant folder's name of a run folder."""
    return run.parent.name


def is_finished(run: Path) -> bool:
    """Tell whether a run folder holds a finished run."""
    return (run / _RUN).is_file()


def hash_record(run: Path) -> str:
    """Hash the record of a finished run, "" where there is none: two processes tell by it."""
    if not is_finished(run):
        return ""
    return hash_file(run / _RUN)


def _folder_word(value: Any) -> str:
    """Write a value so that it never adds a folder level, a + or a =."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, list):
        return ",".join(map(_folder_word, value))
    word = quote(str(value), safe=",")
    if word.endswith("."):  # Windows drops it
        word = f"{word[:-1]}%2E"
    return word


# --- one run being made ---------------------------------------------------------------------------


def check_writable(run: Path) -> None:
    """Raise ResultError if a run folder could not be made, without making it.

    Minutes of work may come before the folder is made.
    """
    folder = run
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        raise ResultError(
            f"{run}: {folder} is no folder that can be written to; choose --results DIR"
        )


@contextmanager
def claim_folder(run: Path) -> Iterator[None]:
    """Make the run folder and hold it against other processes.

    A killed process leaves nothing held. A fault before anything of worth was made leaves no folder
    behind. Raises ResultError when the folder cannot be written or another process works in it.
    """
    lock = work_folder(run) / LOCK
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        stream = lock.open("a+")
    except OSError as fault:
        raise _no_results_folder(run, fault) from fault
    with stream:
        try:
            _lock_in_time(stream)
        except OSError as fault:
            if fault.errno not in _HELD:
                raise ResultError(
                    f"{run}: this disk has no file locks ({fault.strerror}), so two processes could"
                    " write to one run; choose --results DIR on another disk"
                ) from fault
            stream.seek(0)
            holder = stream.read(20).strip() or "?"
            raise ResultError(f"{run}: process {holder} works here; wait for it") from fault
        stream.truncate(0)
        stream.write(f"{os.getpid()}\n")
        stream.flush()
        try:
            yield
        except BaseException:
            _remove_unused(run)
            raise


def is_record(path: Path) -> bool:
    """Tell whether a file is the record of a run, which vouches for its other files."""
    return path.name == _RUN


def wait_for_other_processes(seconds: float) -> None:
    """Let `claim_folder` wait so long for a process that works there, from here on."""
    _patience_s[0] = seconds


def _lock_in_time(stream: IO[str]) -> None:
    end = time.monotonic() + _patience_s[0]
    while True:
        try:
            lock_file(stream, wait=False)
            return
        except OSError as fault:
            if fault.errno not in _HELD or time.monotonic() > end:
                raise
        time.sleep(_LOCK_PAUSE_S)


def begin_job(run: Path, identity: Mapping[str, Any], *, fresh: bool = False) -> dict[str, int]:
    """Open the job of a claimed folder: go on with an interrupted one of the same identity.

    Else a new one starts. `fresh` deletes what is there first. Returns the job's notes: `sessions`
    (how often it was started) and `test_looks`, which outlives `fresh`. Raises ResultError when the
    work is another job's.
    """
    path = work_folder(run) / _JOB
    notes = {"sessions": 0, "test_looks": _recorded_looks(run)}
    try:
        remove_leftovers(run)
        if fresh:
            delete_run(run)
        if path.is_file():
            job = _read_json(path)
            _require_same_job(run, job.get("identity", {}), identity)
            notes = {key: int(job.get(key, 0)) for key in notes}
        notes["sessions"] += 1
        write_json(path, {"schema": SCHEMA, "identity": dict(identity), **notes})
    except OSError as fault:
        raise _no_results_folder(run, fault) from fault
    return notes


def has_work_to_go_on_from(run: Path) -> bool:
    """Tell whether an interrupted job left more than notes: checkpoints, stages, folds.

    What a recipe did not save it does again.
    """
    notes = {_JOB, _TRAINING, _LOG, LOCK}
    work = work_folder(run)
    for path in work.rglob("*"):
        kept = path.name not in notes and not path.name.startswith(".")
        if kept and path.is_file() and "events" not in path.relative_to(work).parts:
            return True
    return False


def _require_same_job(run: Path, before: Mapping[str, Any], identity: Mapping[str, Any]) -> None:
    changed = []
    for key, value in identity.items():
        # jobs of earlier versions do not say which benchbox began them
        is_known = key in before or key != "benchbox"
        if is_known and before.get(key) != value:
            changed.append(key)
    if changed:
        raise ResultError(
            f"{run}: interrupted job with other {', '.join(changed)}; "
            "--fresh deletes it and starts over"
        )


def _no_results_folder(run: Path, fault: OSError) -> ResultError:
    return ResultError(f"{run}: cannot be written: {fault.strerror or fault}; choose --results DIR")


def sibling_run(run: Path, variant: str) -> Path:
    """Return the folder of another variant's run with the same protocol, method and seed.

    `variant` as `variant_folder` names it.
    """
    return run.parent.parent / variant / run.name


def copy_training(run: Path, other: Run, pattern: str) -> list[str]:
    """Copy what another run's training left in `work/`, with its log and its notes.

    The notes then name their origin. Returns the names of the files, none where that run's work
    folder has been cleared away.
    """
    source, target = work_folder(other.folder), work_folder(run)
    files = [p for p in source.glob(pattern) if p.is_file() and not p.is_symlink()]
    files.sort()
    if not files:
        return []
    for path in files:
        _copy_file(path, target / path.name)
    if (source / _LOG).is_file():
        _copy_file(source / _LOG, target / _LOG)
    origin = {
        "variant": other.record.variant,
        "commit": other.record.code.commit,
        "files": {path.name: hash_file(path) for path in files},
    }
    write_json(target / _TRAINING, {**other.record.training, "taken_over": origin})
    return [path.name for path in files]


def add_test_look(run: Path) -> int:
    """Count one look at the test split; return how many there were, this one included."""
    path = work_folder(run) / _JOB
    job = _read_json(path)
    job["test_looks"] = int(job.get("test_looks", 0)) + 1
    write_json(path, job)
    return int(job["test_looks"])


def count_test_looks(run: Path) -> int:
    """Return how often this folder's runs have looked at the test split so far."""
    return _recorded_looks(run)


def gather_folds(run: Path, folds: Sequence[str]) -> None:
    """Put together what the folds' recipes wrote down: notes by fold, logs one below the other."""
    notes: dict[str, Any] = {}
    lines: list[str] = []
    for fold in folds:
        folder = fold_work_folder(run, fold)
        if (folder / _TRAINING).is_file():
            notes[fold] = _read_json(folder / _TRAINING)
        if (folder / _LOG).is_file():
            header, *rows = (folder / _LOG).read_text(encoding="utf-8").splitlines() or [""]
            if not lines:
                lines.append(header)
            lines += [f"{fold}/{row}" for row in rows]
    if notes:
        write_json(work_folder(run) / _TRAINING, {"folds": notes})
    if lines:
        _write_text(work_folder(run) / _LOG, "\n".join(lines) + "\n")


def read_training_notes(run: Path) -> dict[str, Any]:
    """Return what the recipe wrote down about its training; empty when it wrote nothing."""
    path = work_folder(run) / _TRAINING
    if not path.is_file():
        return {}
    return _read_json(path)


def hash_outputs(run: Path) -> OutputDigests:
    """Hash predictions, pseudo-labels and weights.

    Predictions and pseudo-labels by their content (`array_files.hash_content`). Weights are
    `.safetensors` files, else what lies in `work/`.
    """
    from . import array_files

    labels = pseudo_labels_file(run)
    labels_digest = ""
    if labels.is_file():
        labels_digest = array_files.hash_content(labels)
    return OutputDigests(
        predictions=array_files.hash_content(predictions_file(run)),
        pseudo_labels=labels_digest,
        weights=hash_weights(work_folder(run)),
    )


def hash_weights(work: Path) -> dict[str, str]:
    """Hash the weights below a work folder, by path: safetensors, else all that a recipe left."""
    weights = sorted(work.rglob("*.safetensors"))
    if not weights:
        own = {_JOB, _TRAINING, _LOG, LOCK}
        own.update(path.name for path in work.glob(f"fold-*{_FOLD_PREDICTIONS}"))
        left = [*work.glob("*"), *work.glob("fold-*/*")]
        weights = sorted(path for path in left if path.name not in own)
    hashes = {}
    for path in weights:
        if path.is_file() and not path.is_symlink():
            hashes[path.relative_to(work).as_posix()] = hash_file(path)
    return hashes


def save_scores(
    run: Path, document: Mapping[str, Any], errors: np.ndarray, points: np.ndarray | None = None
) -> None:
    """Write what is derived from the predictions.

    `scores.json`; `errors` (N,) per face, `points` (G·K,) per group and landmark, structured arrays
    both. What an earlier derivation left of points is removed where there are none now. The digests
    of all files are kept in `scores.json`, under a seal (`run_integrity`).
    """
    from . import run_integrity

    _save_table(run, _ERRORS, errors)
    if points is None:
        _delete_table(run, _POINTS)
    else:
        _save_table(run, _POINTS, points)
    write_json(run / _SCORES, run_integrity.seal_scores(document, run_integrity.digest_files(run)))


def save_points(run: Path, points: np.ndarray) -> None:
    """Write the statistics of each landmark beside scores that are there."""
    _save_table(run, _POINTS, points)
    seal_again(run)


def seal_again(run: Path, record: Mapping[str, Any] | None = None) -> None:
    """Have the scores of a run vouch for its files as they are now, and for a record to come.

    Nothing where there are no scores. For files that were found intact before they were changed.
    """
    from . import run_integrity

    if not (run / _SCORES).is_file():
        return
    digests = run_integrity.digest_files(run)
    if record is not None:
        digests[_RUN] = run_integrity.hash_document(
            parse_json(json.dumps(record), run / _RUN, fault=ResultError)
        )
    write_json(run / _SCORES, run_integrity.seal_scores(_read_json(run / _SCORES), digests))


def _save_table(run: Path, name: str, table: np.ndarray) -> None:
    from . import array_files

    path = run / f"{name}.npz"
    array_files.write_npz(path, {name: table}, "fast")
    (run / f"{name}.npy").unlink(missing_ok=True)


def _delete_table(run: Path, name: str) -> None:
    for path in (run / f"{name}.npz", run / f"{name}.npy"):
        path.unlink(missing_ok=True)


def finish_run(run: Path, record: RunRecord) -> Run:
    """Copy the training log out of `work/` and write `run.json`.

    Raises ResultError when there is one already.
    """
    if is_finished(run):
        raise ResultError(
            f"{run}: holds a finished run, and a record is written once; --fresh makes a new one"
        )
    log = work_folder(run) / _LOG
    if log.is_file():
        _copy_file(log, run / _LOG)
    # the record vouches for them, and outlives a power cut that they might not
    flush_files(work_folder(run) / name for name in record.digests.weights)
    document = {"schema": SCHEMA, **record.to_json()}
    seal_again(run, document)
    write_json(run / _RUN, document)
    return read_run(run)


def write_json(path: Path, document: Mapping[str, Any]) -> None:
    """Write JSON in one step; raises ResultError when the folder cannot be written."""
    text = json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False)
    _write_text(path, text + "\n")


def hash_file(path: Path) -> str:
    """Hash a file's bytes: "sha256:…"."""
    with path.open("rb") as stream:
        return f"sha256:{hashlib.file_digest(stream, 'sha256').hexdigest()}"


def _write_text(path: Path, text: str) -> None:
    try:
        write_whole(path, text)
    except OSError as fault:
        raise ResultError(f"{path}: cannot be written: {fault.strerror or fault}") from fault


def _copy_file(source: Path, target: Path) -> None:
    try:
        with replace_when_done(target) as beside:
            shutil.copyfile(source, beside)
    except OSError as fault:
        raise ResultError(f"{target}: cannot be written: {fault.strerror or fault}") from fault


# --- runs that are there --------------------------------------------------------------------------


def list_runs(results: Path, protocol: str = "*") -> Iterator[Run | UnreadableRun]:
    """Yield every finished run below a results folder in a fixed order; or those of one protocol.

    A broken one does not end the listing.
    """
    from . import verified_files

    for path in sorted(results.glob(f"{protocol}/*/*/*/{_RUN}")):
        try:
            yield read_run(path.parent)
        except ResultError as fault:
            yield UnreadableRun(path.parent, str(fault))
    verified_files.save_memory()


def list_scored_runs(results: Path) -> tuple[list[Run], list[UnreadableRun]]:
    """Return the finished runs whose scores can be used, and what is wrong with the others."""
    scored: list[Run] = []
    unreadable: list[UnreadableRun] = []
    for run in list_runs(results):
        if isinstance(run, UnreadableRun):
            unreadable.append(run)
            continue
        try:
            read_scores(run)
        except ResultError as fault:
            unreadable.append(UnreadableRun(run.folder, str(fault)))
            continue
        if has_scores(run):
            scored.append(run)
        else:
            reason = f"{run.folder}: its table of errors is gone; {_derive_again(run)}"
            unreadable.append(UnreadableRun(run.folder, reason))
    return scored, unreadable


def _derive_again(run: Run) -> str:
    """Say how derived files of a run come back."""
    return f"`benchbox results rescore {run.folder}` derives it again"


def explain_no_runs(results: Path) -> str:
    """Say that a folder holds no run, and which folder near it does."""
    message = f"{results}: no run lies below it, as PROTOCOL/METHOD/VARIANT/SEED/{_RUN}"
    meant = nearby_results(results)
    if meant is not None:
        return f"{message}; did you mean --results {meant}?"
    return f"{message}; `benchbox run --results {results} …` makes one"


def holds_runs(results: Path) -> bool:
    """Tell whether a run lies below a results folder, at the level of runs."""
    return any(results.glob("*/" * _RUN_LEVELS + _RUN))


def nearby_results(results: Path) -> Path | None:
    """Return the results folder that lies some levels above or below; None where none does."""
    for levels in range(1, _LEVELS_ASIDE + 1):
        for path in results.glob("*/" * levels + f"*/*/*/*/{_RUN}"):
            return path.parents[4]
    for levels in range(1, _RUN_LEVELS + 1):
        if any(results.glob("*/" * (_RUN_LEVELS - levels) + _RUN)):
            return results.absolute().parents[levels - 1]
    return None


def find_folder(argument: Path, results: Path) -> Path:
    """Return the folder of a run that is named by its path, or by its place below the results.

    Raises ResultError for the folder of several runs, which it names, and where none is.
    """
    places = (argument, results / argument)
    for folder in places:
        if is_finished(folder):
            return folder
    for folder in places:
        for levels, kind in enumerate(("seed", "variant", "method", "protocol"), start=1):
            found = sorted(folder.glob("/".join(["*"] * levels) + f"/{_RUN}"))
            if found:
                names = sorted({path.relative_to(folder).parts[0] for path in found})
                first = found[0].parent.relative_to(folder).as_posix()
                raise ResultError(
                    f"{argument}: is no single run, it holds the {kind}s {', '.join(names)}; "
                    f"name one: {argument}/{first}"
                )
    raise ResultError(
        f"{argument}: no finished run here or below {results}; "
        "`benchbox list results` names them: PROTOCOL/METHOD/VARIANT/SEED"
    )


def read_run(run: Path) -> Run:
    """Read the record of one run.

    Raises ResultError for an unknown schema, a record that is not this folder's, and files that are
    not those of the record (`run_integrity`).
    """
    from . import run_integrity

    found = read_record(run)
    run_integrity.require_intact(found)
    return found


def read_record(run: Path) -> Run:
    """Read the record of one run without a look at the files beside it.

    Raises ResultError for an unknown schema or a record that is not this folder's.
    """
    document = _read_versioned(run / _RUN)
    protocol, method, variant, seed = run.absolute().parts[-4:]
    for key, folder in (("protocol", protocol), ("method", method)):
        if document.get(key) != folder:
            raise ResultError(
                f"{run / _RUN}: {key} = {document.get(key)!r} does not fit its folder; put it back"
            )
    return Run(
        protocol=protocol,
        method=method,
        variant=variant,
        seed=seed,
        folder=run,
        record=run_record.parse_record(document, str(run / _RUN)),
    )


def read_record_text(run: Run) -> str:
    """Return a run's record as it stands on disk."""
    return (run.folder / _RUN).read_text(encoding="utf-8")


def read_scores(run: Run) -> ScoreFile:
    """Return a run's scores.

    Raises ResultError when `scores.json` is missing, damaged or of an unknown schema.
    """
    return _read_scores_file(run.folder / _SCORES)[1]


def _read_scores_file(file: Path) -> tuple[dict[str, Any], ScoreFile]:
    try:
        there = file.stat()
    except OSError:
        return _parse_scores_file(file)
    return _scores_as_they_are(file, there.st_ino, there.st_size, there.st_mtime_ns)


@lru_cache(maxsize=_SCORES_REMEMBERED)
def _scores_as_they_are(
    file: Path, inode: int, size: int, mtime_ns: int
) -> tuple[dict[str, Any], ScoreFile]:
    """Return the document and its scores; a file that changes has other numbers here."""
    del inode, size, mtime_ns
    return _parse_scores_file(file)


def _parse_scores_file(file: Path) -> tuple[dict[str, Any], ScoreFile]:
    document = _read_versioned(file)
    return document, run_record.parse_scores(document, str(file))


def read_score_document(run: Run) -> dict[str, Any]:
    """Return the document of `scores.json` for commands that print it, without its seal."""
    from . import run_integrity

    document = read_sealed_scores(run)
    for key in (run_integrity.SEAL, run_integrity.DIGESTS):
        document.pop(key, None)
    return document


def read_sealed_scores(run: Run) -> dict[str, Any]:
    """Return `scores.json` as it stands; raises what `read_scores` raises."""
    return dict(_read_scores_file(run.folder / _SCORES)[0])


def has_scores(run: Run) -> bool:
    """Tell whether the derived files are there; they may be deleted and rebuilt at will."""
    return (run.folder / _SCORES).is_file() and _has_table(run, _ERRORS)


def has_points(run: Run) -> bool:
    """Tell whether the statistics of each landmark are there."""
    return _has_table(run, _POINTS)


def read_errors(run: Run) -> np.ndarray:
    """Return a run's per-face errors (N,), a structured array (`scoring.error_table`).

    Raises ResultError when missing or damaged.
    """
    return _read_table(run, _ERRORS, "per-face errors")


def read_points(run: Run) -> np.ndarray:
    """Return the statistics of each landmark, a structured array (`metrics.per_point`).

    Raises ResultError when missing or damaged.
    """
    return _read_table(run, _POINTS, "statistics of points")


def errors_file(run: Run) -> Path:
    """Return the file that holds a run's per-face errors."""
    return _table_file(run, _ERRORS)


def _table_file(run: Run, name: str) -> Path:
    """Return the file of a table: `.npy` as earlier versions wrote it, else `.npz`."""
    older = run.folder / f"{name}.npy"
    if older.is_file():
        return older
    return run.folder / f"{name}.npz"


def _has_table(run: Run, name: str) -> bool:
    return _table_file(run, name).is_file()


def _read_table(run: Run, name: str, what: str) -> np.ndarray:
    from benchbox.file_readers import numpy_files

    path = _table_file(run, name)
    if not path.is_file():
        raise ResultError(f"{path}: missing; the same `benchbox run` derives it again")
    if path.suffix == ".npz":
        with numpy_files.open_npz(path, largest=_MAX_ARRAY_BYTES, fault=ResultError) as arrays:
            if name not in arrays:
                raise ResultError(f"{path}: holds no array {name!r}; {_derive_again(run)}")
            array = arrays[name]
    else:
        array = numpy_files.read_npy(path, largest=_MAX_ARRAY_BYTES, fault=ResultError)
    if array.ndim != 1 or array.dtype.names is None:
        raise ResultError(
            f"{path}: not a table of {what}; delete it, the same `benchbox run` derives it again"
        )
    return array


def read_log(run: Run) -> str:
    """Return a run's training log, header `stage,step,epoch,loss,samples_per_s,seconds`.

    "" without one.
    """
    path = run.folder / _LOG
    if not path.is_file():
        return ""
    return read_text(path, _MAX_JSON_BYTES, ResultError)


# --- profiles -------------------------------------------------------------------------------------


def save_profile(results: Path, document: Mapping[str, Any]) -> Path:
    """Write what `benchbox profile --json` says of a variant, under a seal; return the file.

    Raises ResultError as `write_json`.
    """
    from . import run_integrity

    path = results / _PROFILES / str(document["method"]) / f"{document['variant']}.json"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as fault:
        raise _no_results_folder(path, fault) from fault
    write_json(path, run_integrity.seal_document(document))
    return path


def list_profiles(results: Path) -> list[Path]:
    """Return the files of saved profiles, `<method>/<variant>.json`, in a fixed order."""
    return sorted((results / _PROFILES).glob("*/*.json"))


def read_profile(path: Path) -> dict[str, Any]:
    """Return one saved profile; raises ResultError for a damaged, displaced or changed one."""
    from . import run_integrity

    document = _read_versioned(path, "`benchbox profile --save` makes it again")
    if not run_integrity.is_sealed(document):
        raise ResultError(
            f"{path}: was changed after it was written; `benchbox profile --save` makes it again"
        )
    document.pop(run_integrity.SEAL)
    if (document.get("method"), document.get("variant")) != (path.parent.name, path.stem):
        raise ResultError(
            f"{path}: is the profile of another variant; "
            "put it back, or run `benchbox profile --save`"
        )
    return document


# --- parts ----------------------------------------------------------------------------------------


def _read_versioned(path: Path, advice: str = _RUN_AGAIN) -> dict[str, Any]:
    document = _read_json(path, advice)
    schema = document.get("schema")
    if schema != SCHEMA:
        raise ResultError(
            f"{path}: schema {schema!r}, this benchbox reads {SCHEMA}; update benchbox or run again"
        )
    return document


def _read_json(path: Path, advice: str = _RUN_AGAIN) -> dict[str, Any]:
    return read_json_table(path, largest=_MAX_JSON_BYTES, fault=ResultError, advice=advice)


def _recorded_looks(run: Path) -> int:
    """Return how often this folder's runs have looked at the test split so far."""
    counts = [0]
    for path in (run / _RUN, work_folder(run) / _JOB):
        with suppress(ResultError):  # --fresh is the way out of a damaged record
            counts.append(int(_read_json(path).get("test_looks", 0)))
    return max(counts)


def _remove_unused(run: Path) -> None:
    """Remove a run folder that holds only its job's notes, with the empty folders above it."""
    work = work_folder(run)
    kept = set()
    for path in [*run.iterdir(), *work.iterdir()]:
        if not path.is_dir() or path == work or any(path.iterdir()):
            kept.add(path.name)
    if kept <= {_WORK, LOCK, _JOB} and not _recorded_looks(run):
        shutil.rmtree(run, ignore_errors=True)
        with suppress(OSError):  # the first folder that is not empty ends it
            for parent in list(run.parents)[:4]:
                parent.rmdir()


def delete_run(run: Path) -> None:
    """Delete a run, its record first, so that a half-deleted one is never taken for finished.

    The lock stays.
    """
    for name in (_RUN, _SCORES, _PREDICTIONS, _LOG, pseudo_labels_file(run).name):
        (run / name).unlink(missing_ok=True)
    _delete_table(run, _ERRORS)
    _delete_table(run, _POINTS)
    for path in work_folder(run).iterdir():
        if path.name == LOCK:
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
