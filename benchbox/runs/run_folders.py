"""Runs on disk; the only module that knows how `results/` is laid out.

`results/<protocol>/<method>/<variant>[+key=value…]/<seed>/` holds facts (`run.json`,
`predictions.npz`, `log.csv`), what is derived from them (`scores.json`, `errors.npy`, for landmarks
`points.npy`) and `work/`, where the recipe keeps weights and checkpoints. A training that labelled
faces itself leaves `pseudo_labels.npz`, too: what it was sure of (`pseudo_labels`). With folds each
has its own `work/fold-<name>/`, and `work/fold-<name>.npz` holds its answers when it is done.
`results/profiles/<method>/<variant>.json` is what `benchbox profile --save` found. Files appear
whole or not at all; `run.json` is written last and once, so its presence means that the run is
finished.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import math
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from benchbox.errors import ResultError
from benchbox.types import Run

if TYPE_CHECKING:
    import numpy as np

SCHEMA = 1

_RUN, _PREDICTIONS, _SCORES, _ERRORS, _POINTS, _LOG, _WORK = (
    "run.json",
    "predictions.npz",
    "scores.json",
    "errors.npy",
    "points.npy",
    "log.csv",
    "work",
)
_JOB, _TRAINING, _LOCK = "job.json", "training.json", ".lock"
_ANSWERS = ".npz"  # of one fold
_PROFILES = "profiles"
_PSEUDO = "pseudo_labels"
_MAX_JSON_BYTES, _MAX_ARRAY_BYTES = 1 << 26, 1 << 30
_NPY = b"\x93NUMPY\x01\x00"
_MAX_FOLDER_CHARS = 160
_KINDS = ("weights", "trained", "submitted")


@dataclass(frozen=True)
class UnreadableRun:
    """A run folder whose record cannot be used, and why."""

    folder: Path
    reason: str


# --- names ----------------------------------------------------------------------------------------


def variant_folder(
    variant: str, budget: str = "quick", overrides: Mapping[str, Any] | None = None
) -> str:
    """Name a variant's folder.

    A budget other than quick and every override join it: `glsr+budget=smoke+loss=l1`.
    """
    changes = {key: _folder_word(value) for key, value in (overrides or {}).items()}
    if budget != "quick":
        changes["budget"] = budget
    name = "".join([variant, *(f"+{key}={changes[key]}" for key in sorted(changes))])
    if len(name) > _MAX_FOLDER_CHARS:  # the record holds the overrides in full
        name = f"{name[: _MAX_FOLDER_CHARS - 17]}+{hashlib.sha256(name.encode()).hexdigest()[:16]}"
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
    """Return where the predictions of one fold are kept.

    The file is there when the fold is done.
    """
    place = fold_work_folder(run, fold)
    return place.with_name(place.name + _ANSWERS)


def predictions_file(run: Path) -> Path:
    """Return where a run keeps its predictions."""
    return run / _PREDICTIONS


def pseudo_labels_folder(run: Path) -> Path:
    """Return where a recipe leaves what it thinks of faces without labels, one file per choice."""
    return work_folder(run) / _PSEUDO


def pseudo_labels_file(run: Path) -> Path:
    """Return where that is kept, put together, beside the predictions; most runs have none."""
    return run / f"{_PSEUDO}.npz"


def variant_name(run: Path) -> str:
    """Return the variant folder's name of a run folder."""
    return run.parent.name


def is_finished(run: Path) -> bool:
    """Tell whether a run folder holds a finished run."""
    return (run / _RUN).is_file()


def _folder_word(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, list):
        return ",".join(_folder_word(item) for item in value)
    return quote(str(value), safe=",")  # a value never adds a folder level, a + or a =


# --- one run being made ---------------------------------------------------------------------------


def check_writable(run: Path) -> None:
    """Raise ResultError if a run folder could not be made, without making it: minutes of work may come before."""
    place = run
    while not place.exists() and place != place.parent:
        place = place.parent
    if not place.is_dir() or not os.access(place, os.W_OK | os.X_OK):
        raise ResultError(
            f"{run}: {place} is no folder that can be written to; choose --results DIR"
        )


@contextmanager
def claim_folder(run: Path) -> Iterator[None]:
    """Make the run folder and hold it against other processes.

    A killed process leaves nothing held.

    A fault before anything of worth was made leaves no folder behind.

    Raises ResultError when the folder cannot be written or another process works in it.
    """
    lock = work_folder(run) / _LOCK
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        stream = lock.open("a+")
    except OSError as fault:
        raise ResultError(
            f"{run}: cannot be written: {fault.strerror or fault}; choose --results DIR"
        ) from fault
    with stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as fault:
            stream.seek(0)
            raise ResultError(
                f"{run}: process {stream.read(20).strip() or '?'} works here; wait for it"
            ) from fault
        stream.truncate(0)
        stream.write(f"{os.getpid()}\n")
        stream.flush()
        try:
            yield
        except BaseException:
            _remove_unused(run)
            raise


def begin_job(run: Path, identity: Mapping[str, Any], *, fresh: bool = False) -> dict[str, Any]:
    """Open the job of a claimed folder: go on with an interrupted one of the same identity, or start one.

    `fresh` deletes what is there first. Returns the job's notes: `sessions` (how often it was
    started) and `test_looks`, which outlives `fresh`. Raises ResultError when the work is another
    job's.
    """
    path, looks = work_folder(run) / _JOB, _recorded_looks(run)
    try:
        if fresh:
            _delete_run(run)
        notes = {"sessions": 0, "test_looks": looks}
        if path.is_file():
            held = _read_json(path)
            changed = [
                key for key in identity if held.get("identity", {}).get(key) != identity[key]
            ]
            if changed:
                raise ResultError(
                    f"{run}: interrupted job with other {', '.join(changed)}; --fresh deletes it and starts over"
                )
            notes = {key: int(held.get(key, 0)) for key in notes}
        notes["sessions"] += 1
        write_json(path, {"schema": SCHEMA, "identity": dict(identity), **notes})
    except OSError as fault:
        raise ResultError(
            f"{run}: cannot be written: {fault.strerror or fault}; choose --results DIR"
        ) from fault
    return notes


def sibling_run(run: Path, variant: str) -> Path:
    """Return the folder of another variant's run with the same protocol, method and seed.

    `variant` as it is named.
    """
    return run.parent.parent / variant / run.name


def copy_training(run: Path, other: Run, pattern: str) -> list[str]:
    """Copy what another run's training left in `work/`, with its log and its notes, which then name their origin.

    Returns the names of the files, none where that run's work folder has been cleared away.
    """
    files = sorted(
        p for p in work_folder(other.folder).glob(pattern) if p.is_file() and not p.is_symlink()
    )
    for path in [*files, *([work_folder(other.folder) / _LOG] if files else [])]:
        if path.is_file():
            with _replacing(work_folder(run) / path.name) as copy:
                shutil.copyfile(path, copy)
    if files:
        origin = {"variant": other.record["variant"], "commit": other.record["code"].get("commit")}
        origin["files"] = {path.name: hash_file(path) for path in files}
        write_json(
            work_folder(run) / _TRAINING, {**other.record.get("training", {}), "taken_over": origin}
        )
    return [path.name for path in files]


def add_test_look(run: Path) -> int:
    """Count one look at the test split and return how many there were, this one included."""
    path = work_folder(run) / _JOB
    held = _read_json(path)
    held["test_looks"] = int(held.get("test_looks", 0)) + 1
    write_json(path, held)
    return int(held["test_looks"])


def count_test_looks(run: Path) -> int:
    """Return how often this folder's runs have looked at the test split so far."""
    return _recorded_looks(run)


def gather_folds(run: Path, folds: Sequence[str]) -> None:
    """Put what the folds' recipes wrote down together as the run's: notes by fold, logs one below the other."""
    notes: dict[str, Any] = {}
    lines: list[str] = []
    for fold in folds:
        place = fold_work_folder(run, fold)
        if (place / _TRAINING).is_file():
            notes[fold] = _read_json(place / _TRAINING)
        if (place / _LOG).is_file():
            header, *rows = (place / _LOG).read_text(encoding="utf-8").splitlines() or [""]
            lines += [*([] if lines else [header]), *(f"{fold}/{row}" for row in rows)]
    if notes:
        write_json(work_folder(run) / _TRAINING, {"folds": notes})
    if lines:
        with _replacing(work_folder(run) / _LOG) as beside:
            beside.write_text("\n".join(lines) + "\n", encoding="utf-8")


def read_training_notes(run: Path) -> dict[str, Any]:
    """Return what the recipe wrote down about its training; empty when it wrote nothing."""
    path = work_folder(run) / _TRAINING
    return _read_json(path) if path.is_file() else {}


def hash_outputs(run: Path) -> dict[str, Any]:
    """Hash predictions, pseudo-labels and weights.

    Weights are `.safetensors` files, else what lies in `work/`.
    """
    root = work_folder(run)
    kept = (_JOB, _TRAINING, _LOG, _LOCK)
    answers = {path.name for path in root.glob(f"fold-*{_ANSWERS}")}
    others = sorted(
        p for p in (*root.glob("*"), *root.glob("fold-*/*")) if p.name not in {*kept, *answers}
    )
    weights = sorted(root.rglob("*.safetensors")) or others
    files = {
        p.relative_to(root).as_posix(): hash_file(p)
        for p in weights
        if p.is_file() and not p.is_symlink()
    }
    labels = pseudo_labels_file(run)
    found = {_PREDICTIONS: hash_file(run / _PREDICTIONS)} | (
        {labels.name: hash_file(labels)} if labels.is_file() else {}
    )
    return {**found, "weights": files}


def save_scores(
    run: Path, document: Mapping[str, Any], errors: np.ndarray, points: np.ndarray | None = None
) -> None:
    """Write what is derived from the predictions: `scores.json`, the per-face `errors.npy`, the per-point `points.npy`.

    What an earlier derivation left of points is removed where there are none now.
    """
    _save_table(run / _ERRORS, errors)
    if points is None:
        (run / _POINTS).unlink(missing_ok=True)
    else:
        save_points(run, points)
    write_json(run / _SCORES, document)


def save_points(run: Path, points: np.ndarray) -> None:
    """Write the statistics of each landmark, `points.npy`, beside scores that are there."""
    _save_table(run / _POINTS, points)


def _save_table(path: Path, table: np.ndarray) -> None:
    import numpy as np

    with _replacing(path) as beside, beside.open("wb") as stream:
        np.save(stream, table, allow_pickle=False)


def finish_run(run: Path, record: Mapping[str, Any]) -> Run:
    """Copy the training log out of `work/` and write `run.json`.

    Raises ResultError when there is one already.
    """
    if is_finished(run):
        raise ResultError(
            f"{run}: holds a finished run, and a record is written once; --fresh makes a new one"
        )
    log = work_folder(run) / _LOG
    if log.is_file():
        with _replacing(run / _LOG) as beside:
            shutil.copyfile(log, beside)
    write_json(run / _RUN, {"schema": SCHEMA, **record})
    return read_run(run)


def write_json(path: Path, document: Mapping[str, Any]) -> None:
    """Write JSON beside and rename; raises ResultError when the folder cannot be written."""
    with _replacing(path) as beside:
        beside.write_text(
            json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n",
            encoding="utf-8",
        )


def hash_file(path: Path) -> str:
    """Hash a file's bytes: "sha256:…"."""
    with path.open("rb") as stream:
        return f"sha256:{hashlib.file_digest(stream, 'sha256').hexdigest()}"


# --- runs that are there --------------------------------------------------------------------------


def list_runs(results: Path) -> Iterator[Run | UnreadableRun]:
    """Yield every finished run below a results folder in a fixed order.

    A broken one does not end the listing.
    """
    for path in sorted(results.glob(f"*/*/*/*/{_RUN}")):
        try:
            yield read_run(path.parent)
        except ResultError as fault:
            yield UnreadableRun(path.parent, str(fault))


def read_run(run: Path) -> Run:
    """Read the record of one run.

    Raises ResultError for an unknown schema or a record that is not this folder's.
    """
    record = _read_versioned(run / _RUN)
    protocol, method, variant, seed = run.absolute().parts[-4:]
    for key, place in (("protocol", protocol), ("method", method)):
        if record.get(key) != place:
            raise ResultError(
                f"{run / _RUN}: {key} = {record.get(key)!r} does not fit its folder; put it back"
            )
    if record.get("kind") not in _KINDS:
        raise ResultError(
            f"{run / _RUN}: kind = {record.get('kind')!r}; known: {', '.join(_KINDS)}"
        )
    for key in ("data", "digests", "environment", "code", "seconds", "overrides", "params"):
        if not isinstance(record.get(key), dict):
            raise ResultError(
                f"{run / _RUN}: {key!r} is missing or no table; run it again with --fresh"
            )
    return Run(
        protocol=protocol, method=method, variant=variant, seed=seed, folder=run, record=record
    )


def read_record_text(run: Run) -> str:
    """Return a run's record as it stands on disk."""
    return (run.folder / _RUN).read_text(encoding="utf-8")


def read_scores(run: Run) -> dict[str, Any]:
    """Return a run's `scores.json`.

    Raises ResultError when it is missing or of an unknown schema.
    """
    return _read_versioned(run.folder / _SCORES)


def has_scores(run: Run) -> bool:
    """Tell whether the derived files are there; they may be deleted and rebuilt at will."""
    return (run.folder / _SCORES).is_file() and (run.folder / _ERRORS).is_file()


def has_points(run: Run) -> bool:
    """Tell whether the statistics of each landmark are there."""
    return (run.folder / _POINTS).is_file()


def read_errors(run: Run) -> np.ndarray:
    """Return a run's per-face errors (N,), a structured array.

    Raises ResultError when missing or damaged.
    """
    return _read_table(run.folder / _ERRORS, "per-face errors")


def read_points(run: Run) -> np.ndarray:
    """Return the statistics of each landmark (`metrics.per_point`).

    Raises ResultError when missing or damaged.
    """
    return _read_table(run.folder / _POINTS, "statistics of points")


def _read_table(path: Path, what: str) -> np.ndarray:
    try:
        if path.stat().st_size > _MAX_ARRAY_BYTES:
            raise ResultError(f"{path}: larger than {_MAX_ARRAY_BYTES} bytes: not {what}")
        array = _parse_npy(path.read_bytes())
    except FileNotFoundError as fault:
        raise ResultError(f"{path}: missing; the same `benchbox run` derives it again") from fault
    except (OSError, ValueError, EOFError) as fault:
        raise ResultError(f"{path}: no array that may be read: {fault}") from fault
    if array.ndim != 1 or array.dtype.names is None:
        raise ResultError(
            f"{path}: not a table of {what}; delete it, the same `benchbox run` derives it again"
        )
    return array


def _parse_npy(content: bytes) -> np.ndarray:
    """Return the array of a `.npy` file.

    Raises ValueError for what is none, or holds Python objects.
    """
    import numpy as np

    if content[: len(_NPY)] != _NPY:
        raise ValueError("no .npy file of version 1.0")
    start = len(_NPY) + 2 + int.from_bytes(content[len(_NPY) : len(_NPY) + 2], "little")
    shape, in_columns, dtype = _parse_npy_header(content[len(_NPY) : start])
    if dtype.hasobject or (in_columns and len(shape) > 1):
        raise ValueError("holds Python objects, or columns")
    return np.frombuffer(bytearray(content), dtype, math.prod(shape), start).reshape(shape)


@lru_cache(maxsize=256)
def _parse_npy_header(header: bytes) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Read the header of a `.npy` file.

    Runs of one protocol share theirs, and reading it is most of the work.
    """
    import numpy as np

    shape, in_columns, dtype = np.lib.format.read_array_header_1_0(BytesIO(header))
    return shape, in_columns, dtype


def read_log(run: Run) -> str:
    """Return a run's training log as text, header `stage,step,epoch,loss,samples_per_s,seconds`.

    "" without one.
    """
    path = run.folder / _LOG
    if not path.is_file():
        return ""
    if path.stat().st_size > _MAX_JSON_BYTES:
        raise ResultError(f"{path}: larger than {_MAX_JSON_BYTES} bytes: not a training log")
    return path.read_text(encoding="utf-8")


# --- profiles -------------------------------------------------------------------------------------


def save_profile(results: Path, document: Mapping[str, Any]) -> Path:
    """Write what `benchbox profile --json` says of a variant; return the file.

    Raises ResultError as `write_json`.
    """
    path = results / _PROFILES / str(document["method"]) / f"{document['variant']}.json"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as fault:
        raise ResultError(
            f"{path}: cannot be written: {fault.strerror or fault}; choose --results DIR"
        ) from fault
    write_json(path, document)
    return path


def read_profiles(results: Path) -> dict[tuple[str, str], dict[str, Any]]:
    """Return every saved profile by (method, variant), in a fixed order.

    Raises ResultError for a damaged one.
    """
    found = {}
    for path in sorted((results / _PROFILES).glob("*/*.json")):
        document = _read_versioned(path)
        if (document.get("method"), document.get("variant")) != (path.parent.name, path.stem):
            raise ResultError(
                f"{path}: is the profile of another variant; put it back, or run `benchbox profile --save`"
            )
        found[path.parent.name, path.stem] = document
    return found


def _read_versioned(path: Path) -> dict[str, Any]:
    document = _read_json(path)
    if document.get("schema") != SCHEMA:
        raise ResultError(
            f"{path}: schema {document.get('schema')!r}, this benchbox reads {SCHEMA}; update benchbox or run again"
        )
    return document


def _read_json(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > _MAX_JSON_BYTES:
            raise ResultError(f"{path}: larger than {_MAX_JSON_BYTES} bytes: not a record")
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, RecursionError) as fault:
        raise ResultError(f"{path}: cannot be read: {fault}") from fault
    if not isinstance(document, dict):
        raise ResultError(f"{path}: holds no table")
    return document


@contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    """Give a name beside `path` to write to; it takes the place of `path` when all went well."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield beside
        beside.replace(path)
    except OSError as fault:
        raise ResultError(f"{path}: cannot be written: {fault.strerror or fault}") from fault
    finally:
        with suppress(OSError):
            beside.unlink()


def _recorded_looks(run: Path) -> int:
    """Return how often this folder's runs have looked at the test split so far."""
    counts = [0]
    for path in (run / _RUN, work_folder(run) / _JOB):
        with suppress(ResultError):  # --fresh is the way out of a damaged record
            counts.append(int(_read_json(path).get("test_looks", 0)))
    return max(counts)


def _remove_unused(run: Path) -> None:
    """Remove a run folder that holds nothing but its job's notes, with the empty folders above it."""
    made = [*run.iterdir(), *work_folder(run).iterdir()]
    kept = {
        path.name
        for path in made
        if not path.is_dir() or path == work_folder(run) or any(path.iterdir())
    }
    if kept <= {_WORK, _LOCK, _JOB} and not _recorded_looks(run):
        shutil.rmtree(run, ignore_errors=True)
        with suppress(OSError):  # the first folder that is not empty ends it
            for above in list(run.parents)[:4]:
                above.rmdir()


def _delete_run(run: Path) -> None:
    """Delete a run, its record first, so that a half-deleted one is never taken for finished.

    The lock stays.
    """
    for name in (_RUN, _SCORES, _ERRORS, _POINTS, _PREDICTIONS, _LOG, pseudo_labels_file(run).name):
        (run / name).unlink(missing_ok=True)
    for path in work_folder(run).iterdir():
        if path.name == _LOCK:
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
