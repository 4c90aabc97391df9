"""Stored runs as the pages need them: every field checked once here, so that a page never meets a surprise.

A run that cannot be used becomes a `Problem` with a reason; it never stops the others and never
becomes a number.
"""

from __future__ import annotations

import csv
import hashlib
import math
import re
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchbox.errors import ResultError
from benchbox.layouts import LAYOUTS
from benchbox.runs import run_folders
from benchbox.types import Protocol, Run, RunKind, Score

if TYPE_CHECKING:
    import numpy as np

    from benchbox.metrics.metric_names import Metric
    from benchbox.types import Bools, Floats, Strings

_SAFE_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_MAX_LOG_LINES = 500_000
_MAX_COORDINATE = 1e6
_MAX_POINT_ERROR = 1e3  # normalisers: no error of a face is so large


@dataclass(frozen=True)
class Problem:
    """Something below results/ that could not be used, in words without the machine's own folders."""

    place: str  # "results/300w-common/glsr/glsr/0"
    protocol: str
    reason: str


@dataclass(frozen=True, eq=False)
class Result:
    """One run with its scores."""

    run: Run
    kind: RunKind
    variant: str  # without the overrides
    overrides: Mapping[str, Any]
    budget: str
    card: str
    data: str  # named data variant
    fingerprint: str
    train: int
    n: int
    failed: int
    scores: Mapping[str, Mapping[str, Score]]

    @property
    def page(self) -> str:
        """Return the path of the run's page inside the site."""
        return "/".join(
            [
                "run",
                *map(
                    file_slug, (self.run.protocol, self.run.method, self.run.variant, self.run.seed)
                ),
            ]
        )


@dataclass(frozen=True)
class TrainingStage:
    """One stage of a training log."""

    name: str
    steps: tuple[float, ...]
    losses: tuple[float, ...]


def file_slug(name: str) -> str:
    """Turn any name into a file name that is safe everywhere; different names stay different."""
    if _SAFE_NAME.fullmatch(name) and ".." not in name:
        return name
    clean = re.sub(r"[^a-z0-9_-]+", "-", name.lower()).strip("-")[:48]
    return f"{clean or 'x'}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def read_results(results: Path) -> tuple[list[Result], list[Problem]]:
    """Read every run below a results folder, in the store's order, and what is wrong with the others."""
    found: list[Result] = []
    problems: list[Problem] = []
    for item in run_folders.list_runs(results):
        try:
            if isinstance(item, run_folders.UnreadableRun):
                raise ResultError(item.reason)
            found.append(read_result(item))
        except ResultError as fault:
            problems.append(_folder_problem(results, item.folder, str(fault)))
    return found, problems


def group_by_protocol(found: Iterable[Result]) -> dict[str, list[Result]]:
    """Sort results by the protocol of their run, each in the order given."""
    grouped: dict[str, list[Result]] = {}
    for result in found:
        grouped.setdefault(result.run.protocol, []).append(result)
    return grouped


def run_problem(result: Result, fault: ResultError) -> Problem:
    """Say that something of a run could not be used."""
    run = result.run
    place = f"results/{run.protocol}/{run.method}/{run.variant}/{run.seed}"
    return Problem(place, run.protocol, hide_folder(run.folder, str(fault)))


def _folder_problem(results: Path, folder: Path, reason: str) -> Problem:
    inside = folder.relative_to(results).as_posix()
    return Problem(f"results/{inside}", inside.split("/")[0], hide_folder(folder, reason))


def hide_folder(folder: Path, text: str) -> str:
    """Take a run folder's place on this machine out of a message, which then names its files only."""
    for path in (folder, folder.absolute(), folder.resolve()):
        text = text.replace(f"{path}/", "").replace(f"{path}: ", "").replace(str(path), folder.name)
    return text


def read_result(run: Run) -> Result:
    """Check a run's record and scores; raises ResultError naming file and key."""
    record, document = run.record, run_folders.read_scores(run)
    data = record["data"]
    return Result(
        run=run,
        kind=record["kind"],
        variant=_text_value(record, "variant", "run.json"),
        overrides=dict(sorted(record["overrides"].items())),
        budget=_text_value(record, "budget", "run.json", default=""),
        card=_text_value(document, "card", "scores.json"),
        data=_text_value(data, "variant", "run.json data", default=""),
        fingerprint=_text_value(data, "fingerprint", "run.json data", default=""),
        train=_count_value(data, "train", "run.json data", default=0),
        n=_count_value(document, "n", "scores.json"),
        failed=_count_value(document, "failed", "scores.json"),
        scores=_parse_scores(document),
    )


def _text_value(table: Mapping[str, Any], key: str, where: str, default: str | None = None) -> str:
    value = table.get(key) if table.get(key) is not None else default
    if not isinstance(value, str):
        raise ResultError(
            f"{where}: {key!r} is {value!r}, expected a text; run it again with --fresh"
        )
    return value


def _count_value(table: Mapping[str, Any], key: str, where: str, default: int | None = None) -> int:
    value = table.get(key) if table.get(key) is not None else default
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ResultError(
            f"{where}: {key!r} is {value!r}, expected a count; run it again with --fresh"
        )
    return value


def _parse_scores(document: Mapping[str, Any]) -> dict[str, dict[str, Score]]:
    groups = document.get("scores")
    if not isinstance(groups, dict) or not all(
        isinstance(metrics, dict) for metrics in groups.values()
    ):
        raise ResultError(
            "scores.json: 'scores' must hold one table per group; delete it and score again"
        )
    return {
        group: {
            name: _parse_score(f"scores.json: {group}.{name}", entry)
            for name, entry in metrics.items()
        }
        for group, metrics in groups.items()
    }


def _parse_score(where: str, entry: object) -> Score:
    if not isinstance(entry, dict) or not isinstance(entry.get("unit"), str):
        raise ResultError(
            f"{where} must be a table with value and unit; delete the file and score again"
        )
    numbers = [entry.get(key) for key in ("value", "low", "high")]
    for value in numbers:
        if value is None:
            continue
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or not math.isfinite(value)
        ):
            raise ResultError(
                f"{where} holds {value!r}, expected a finite number; delete the file and score again"
            )
    value, low, high = (None if number is None else float(number) for number in numbers)
    return Score(value, entry["unit"], low, high)


def read_ids(run: Run, count: int) -> Strings:
    """Return the ids (N,) of a run's faces in the order of its errors.

    Raises ResultError when they do not fit.
    """
    import numpy

    path = run_folders.predictions_file(run.folder)
    try:
        with path.open("rb") as stream, numpy.load(stream, allow_pickle=False) as archive:
            names: Strings = archive["ids"]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as fault:
        raise ResultError(f"{path.name}: no ids can be read: {fault}") from fault
    if names.shape != (count,) or names.dtype.kind != "U":
        raise ResultError(
            f"{path.name}: its ids do not fit the {count} errors beside it; score it again"
        )
    return names


def read_landmarks(result: Result, protocol: Protocol) -> Floats:
    """Return a run's points (N, K, 2) in the order of its errors, NaN where it has no answer.

    Raises ResultError when there are none, or none that a drawing can use.
    """
    layout = LAYOUTS.get(protocol.layout)
    return _read_predictions(result, (layout.count, 2) if layout else ())


def read_gaze(result: Result, width: int) -> Floats:
    """Return a run's gaze (N, `width`) in the order of its errors, NaN where it has no answer.

    Raises as `answers`.
    """
    return _read_predictions(result, (width,))


def _read_predictions(result: Result, shape: tuple[int, ...]) -> Floats:
    import numpy

    path = run_folders.predictions_file(result.run.folder)
    try:
        with path.open("rb") as stream, numpy.load(stream, allow_pickle=False) as archive:
            values, failed = archive["values"], archive["failed"]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as fault:
        raise ResultError(f"{path.name}: no predictions can be read: {fault}") from fault
    if not shape or values.shape != (result.n, *shape) or values.dtype.kind != "f":
        raise ResultError(
            f"{path.name}: {values.shape} are no answers to this protocol; score it again"
        )
    given: Floats = values.astype("f8")
    far = (numpy.abs(given) > _MAX_COORDINATE).reshape(result.n, -1).any(axis=1)
    given[failed.astype(bool) | far] = numpy.nan
    return given


def read_training_log(run: Run) -> tuple[TrainingStage, ...]:
    """Return the training log by stage, in its order.

    Raises ResultError naming the line that is wrong.
    """
    try:
        lines = run_folders.read_log(run).splitlines()
    except UnicodeDecodeError as fault:
        raise ResultError(f"log.csv: not UTF-8 at byte {fault.start}") from fault
    if len(lines) > _MAX_LOG_LINES:
        raise ResultError(f"log.csv: more than {_MAX_LOG_LINES:,} lines")
    found: dict[str, tuple[list[float], list[float]]] = {}
    columns = _log_columns(lines, ("stage", "step", "loss"))
    for number, (stage, *words) in enumerate(zip(*columns, strict=True), start=2):
        try:
            step, loss = float(words[0]), float(words[1])
        except ValueError as fault:
            raise ResultError(
                f"log.csv, line {number}: needs numbers in the columns step and loss"
            ) from fault
        steps, losses = found.setdefault(stage, ([], []))
        if math.isfinite(step) and math.isfinite(loss):
            steps.append(step)
            losses.append(loss)
    return tuple(
        TrainingStage(name, tuple(steps), tuple(losses))
        for name, (steps, losses) in found.items()
        if steps
    )


def _log_columns(lines: Sequence[str], names: Sequence[str]) -> list[list[str]]:
    """Return columns of the rows that are not blank, "" where a row has none.

    Rows as tables would cost more.
    """
    try:
        table = list(filter(None, csv.reader(lines)))
    except csv.Error as fault:
        raise ResultError(f"log.csv: no table: {fault}") from fault
    head, rows = (table[0] if table else []), table[1:]
    places = [head.index(name) if name in head else None for name in names]
    return [["" if at is None or at >= len(row) else row[at] for row in rows] for at in places]


def read_errors(result: Result) -> np.ndarray:
    """Return the per-face errors (N,) of a run as a structured array.

    Raises ResultError when they do not fit.
    """
    table = run_folders.read_errors(result.run)
    if len(table) != result.n:
        raise ResultError(
            f"errors.npy: {len(table)} rows, scores.json counts {result.n}; delete both and score again"
        )
    return table


def group_mask(table: np.ndarray, group: str) -> Bools:
    """Return which faces (N,) belong to a group.

    Raises ResultError when the column is not there.
    """
    mask: Bools = _typed_column(table, f"in_{group}", "b")
    return mask


def item_errors(table: np.ndarray, metric: str) -> Floats:
    """Return one error per face (N,), infinite where failed, NaN where there is none.

    Refuses what is no error.
    """
    column: Floats = _typed_column(table, metric, "f").astype("f8")
    if (column < 0).any():
        raise ResultError(
            f"errors.npy: column {metric!r} holds values that are no errors; delete it and score again"
        )
    return column


def cluster_numbers(table: np.ndarray) -> np.ndarray:
    """Return the cluster (N,) of every face; raises ResultError when the column is not there."""
    return _typed_column(table, "cluster", "i")


def metric_terms(table: np.ndarray, metric: Metric) -> tuple[Floats, Floats]:
    """Return values and counts (N,) whose ratio of sums is the metric.

    Raises ResultError when they are not there.
    """
    import numpy

    from benchbox.metrics import aggregate as metrics

    item_errors(table, metric.column)
    try:
        found = metrics.metric_terms(metric.name, table)
    except (KeyError, ValueError, TypeError, IndexError) as fault:
        raise ResultError(
            f"errors.npy: nothing to make {metric.name} of; delete it and score again"
        ) from fault
    if not numpy.isfinite(found.values).all():
        raise ResultError(
            f"errors.npy: {metric.name} comes out infinite; delete it and score again"
        )
    return found.values, found.counts


def read_point_statistics(result: Result, count: int) -> dict[str, tuple[Floats, Floats, Floats]]:
    """Return group → error (K,), bias (K, 2), covariance (K, 3) of `count` points.

    Empty where there are none.

    Raises ResultError when they are there and cannot be used.
    """
    import numpy

    if not run_folders.has_points(result.run):
        return {}
    table = run_folders.read_points(result.run)
    names = ("error", "bias_x", "bias_y", "var_x", "var_y", "cov_xy")
    found = numpy.stack(
        [_typed_column(table, name, "f", "points.npy") for name in names], axis=1
    ).astype("f8")
    groups, order = (
        _typed_column(table, "group", "U", "points.npy"),
        _typed_column(table, "point", "i", "points.npy"),
    )
    if (
        len(table) % count
        or not (order == numpy.arange(len(table)) % count).all()
        or not (abs(found) < _MAX_POINT_ERROR).all()
    ):
        raise ResultError(
            f"points.npy: no statistics of {count} points; delete it, the same run derives it again"
        )
    parts = found.reshape(-1, count, len(names))
    return {
        str(g): (p[:, 0], p[:, 1:3], p[:, 3:]) for g, p in zip(groups[::count], parts, strict=True)
    }


def _typed_column(table: np.ndarray, name: str, kind: str, file: str = "errors.npy") -> np.ndarray:
    if (
        name not in (table.dtype.names or ())
        or table.dtype[name].kind != kind
        or table.dtype[name].shape
    ):
        raise ResultError(
            f"{file}: no column {name!r} of the right type; delete it and score again"
        )
    column: np.ndarray = table[name]
    return column
