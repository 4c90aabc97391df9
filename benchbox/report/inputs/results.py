"""Stored runs as the pages need them, checked once here, so that no page meets a surprise.

A run that cannot be used becomes a `Problem` with a reason; it never stops the others and never
becomes a number.
"""

from __future__ import annotations

import csv
import hashlib
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchbox.errors import ResultError
from benchbox.layouts import find_layout
from benchbox.plugins.card_values import is_portable_name
from benchbox.runs import run_folders, run_identity
from benchbox.types import Protocol, Run, RunKind, Score

if TYPE_CHECKING:
    import numpy as np

    from benchbox.metrics.metric_names import Metric
    from benchbox.types import Bools, Floats, Strings

_SAFE_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_MAX_LOG_LINES = 500_000
_MAX_COORDINATE = 1e6  # pixels, cm or degrees
_MAX_POINT_ERROR = 1e3  # normalisers
_POINT_STATISTICS = ("error", "bias_x", "bias_y", "var_x", "var_y", "cov_xy")


@dataclass(frozen=True)
class Problem:
    """Something below results/ that could not be used, without the machine's own folders."""

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
    other_data: str = ""  # how its data differ from those of the other runs of its protocol
    other_truth: bool = False  # it was measured on other test annotations than they

    @cached_property
    def keeps_predictions(self) -> bool:
        """Tell whether its predictions are here; where their terms forbid it, scores are all."""
        return run_folders.predictions_file(self.run.folder).is_file()

    @cached_property
    def page(self) -> str:
        """Return the path of the run's page inside the site."""
        run = self.run
        names = (run.protocol, run.method, run.variant, run.seed)
        return "/".join(["run", *map(file_slug, names)])


@dataclass(frozen=True)
class TrainingStage:
    """One stage of a training log."""

    name: str
    steps: tuple[float, ...]
    losses: tuple[float, ...]


def file_slug(name: str) -> str:
    """Turn any name into a file name that is safe everywhere; different names stay different.

    >>> file_slug("300w-full")
    '300w-full'
    >>> file_slug("300w-full+scale=0.1")
    '300w-full-scale-0-1-5c7b6a8d'
    """
    if _SAFE_NAME.fullmatch(name) and ".." not in name and is_portable_name(name):
        return name
    clean = re.sub(r"[^a-z0-9_-]+", "-", name.lower()).strip("-")[:48]
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    return f"{clean or 'x'}-{digest}"


# --- runs and their scores ------------------------------------------------------------------------


def read_results(folder: Path, protocol: str = "*") -> tuple[list[Result], list[Problem]]:
    """Read every run below a results folder, in the store's order; or those of one protocol.

    Also says what is wrong with those that cannot be used.
    """
    results: list[Result] = []
    problems: list[Problem] = []
    for run in run_folders.list_runs(folder, protocol):
        try:
            if isinstance(run, run_folders.UnreadableRun):
                raise ResultError(run.reason)
            results.append(read_result(run))
        except ResultError as fault:
            problems.append(_folder_problem(folder, run.folder, str(fault)))
    return _compare_data(results), problems


def _compare_data(results: Sequence[Result]) -> list[Result]:
    """Say of each result how its data differ from those of most others under the same card."""
    found = run_identity.find_other_data([result.run.record for result in results])
    compared = []
    for result, other in zip(results, found, strict=True):
        compared.append(replace(result, other_data=other.words, other_truth=other.truth))
    return compared


def group_by_protocol(results: Iterable[Result]) -> dict[str, list[Result]]:
    """Sort results by the protocol of their run, each in the order given."""
    grouped: dict[str, list[Result]] = {}
    for result in results:
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
    """Take a run folder's place on this machine out of a message, which keeps its files' names."""
    for path in (folder, folder.absolute(), folder.resolve()):
        text = text.replace(f"{path}/", "").replace(f"{path}: ", "").replace(str(path), folder.name)
    return text


def read_result(run: Run) -> Result:
    """Read a run's scores beside its record.

    Raises ResultError naming file and key.
    """
    record, stored = run.record, run_folders.read_scores(run)
    return Result(
        run=run,
        kind=record.kind,
        variant=record.variant,
        overrides=dict(sorted(record.overrides.items())),
        budget=record.budget or "",
        card=stored.card,
        data=record.data.variant,
        fingerprint=record.data.fingerprint,
        train=record.data.train,
        n=stored.count,
        failed=stored.failed,
        scores=stored.groups,
    )


# --- predictions ----------------------------------------------------------------------------------


def read_ids(run: Run, count: int) -> Strings:
    """Return the ids (N,) of a run's test items in the order of its errors.

    Raises ResultError when they do not fit.
    """
    from benchbox.runs import prediction_files

    path = run_folders.predictions_file(run.folder)
    ids = prediction_files.read_stored_ids(path)
    if ids.shape != (count,):
        raise ResultError(
            f"{path.name}: its ids do not fit the {count} errors beside it; score it again"
        )
    return ids


def read_landmarks(result: Result, protocol: Protocol) -> Floats:
    """Return a run's points (N, K, 2) in the order of its errors, NaN where it has no prediction.

    Raises ResultError when there are none, or none that a drawing can use.
    """
    layout = find_layout(protocol)
    if layout is None:
        return _read_predictions(result, ())
    return _read_predictions(result, (layout.count, 2))


def read_gaze(result: Result, width: int) -> Floats:
    """Return a run's gaze (N, `width`) in the order of its errors, NaN where it has no prediction.

    Raises as `read_landmarks`.
    """
    return _read_predictions(result, (width,))


def _read_predictions(result: Result, shape: tuple[int, ...]) -> Floats:
    import numpy as np

    from benchbox.runs import prediction_files

    path = run_folders.predictions_file(result.run.folder)
    predictions, failed = prediction_files.read_stored_values(path)
    if not shape or predictions.shape != (result.n, *shape):
        raise ResultError(
            f"{path.name}: {predictions.shape} are no answers to this protocol; score it again"
        )
    too_large = (np.abs(predictions) > _MAX_COORDINATE).reshape(result.n, -1).any(axis=1)
    predictions[failed | too_large] = np.nan
    return predictions


# --- training log ---------------------------------------------------------------------------------


def read_training_log(run: Run) -> tuple[TrainingStage, ...]:
    """Return the training log by stage, in its order.

    Raises ResultError naming the line that is wrong.
    """
    lines = run_folders.read_log(run).splitlines()
    if len(lines) > _MAX_LOG_LINES:
        raise ResultError(f"log.csv: more than {_MAX_LOG_LINES:,} lines")
    curves: dict[str, tuple[list[float], list[float]]] = {}
    names, *texts = _log_columns(lines, ("stage", "step", "loss"))
    rows = zip(names, *map(_log_numbers, texts), strict=True)
    for stage, part in groupby(rows, key=itemgetter(0)):
        steps, losses = curves.setdefault(stage, ([], []))
        finite = [row for row in part if math.isfinite(row[1]) and math.isfinite(row[2])]
        steps += [step for _, step, _ in finite]
        losses += [loss for _, _, loss in finite]
    stages = []
    for name, (steps, losses) in curves.items():
        if steps:
            stages.append(TrainingStage(name, tuple(steps), tuple(losses)))
    return tuple(stages)


def _log_numbers(texts: Sequence[str]) -> list[float]:
    """Read a column; raises ResultError naming the line that is no number."""
    numbers: list[float] = []
    try:
        numbers.extend(map(float, texts))
    except ValueError as fault:  # those before it are there
        raise ResultError(
            f"log.csv, line {len(numbers) + 2}: needs numbers in the columns step and loss"
        ) from fault
    return numbers


def _log_columns(lines: Sequence[str], names: Sequence[str]) -> list[list[str]]:
    """Return columns of the rows that are not blank, "" where a row has none.

    Rows as tables would cost more.
    """
    try:
        table = list(filter(None, csv.reader(lines)))
    except csv.Error as fault:
        raise ResultError(f"log.csv: no table: {fault}") from fault
    if not table:
        return [[] for _ in names]
    head, *rows = table
    columns = []
    for name in names:
        if name not in head:
            columns.append([""] * len(rows))
            continue
        position = head.index(name)
        try:
            columns.append(list(map(itemgetter(position), rows)))
        except IndexError:  # a short row has nothing there
            columns.append(["".join(row[position : position + 1]) for row in rows])
    return columns


# --- errors ---------------------------------------------------------------------------------------


def read_errors(result: Result) -> np.ndarray:
    """Return the per-item errors (N,) of a run as a structured array.

    Raises ResultError when they do not fit.
    """
    table = run_folders.read_errors(result.run)
    if len(table) != result.n:
        raise ResultError(
            f"errors.npz: {len(table)} rows, scores.json counts {result.n}; "
            "delete both and score again"
        )
    return table


def group_mask(errors: np.ndarray, group: str) -> Bools:
    """Return which items (N,) belong to a group.

    Raises ResultError when the column is not there.
    """
    mask: Bools = _typed_column(errors, f"in_{group}", "b")
    return mask


def item_errors(errors: np.ndarray, column: str) -> Floats:
    """Return one error per item (N,), infinite where failed, NaN where there is none.

    Raises ResultError where the column is not there or holds what is no error.
    """
    values: Floats = _typed_column(errors, column, "f").astype("f8")
    if (values < 0).any():
        raise ResultError(
            f"errors.npz: column {column!r} holds values that are no errors; "
            "delete it and score again"
        )
    return values


def cluster_numbers(errors: np.ndarray) -> np.ndarray:
    """Return the cluster (N,) of every item; raises ResultError when the column is not there."""
    return _typed_column(errors, "cluster", "i")


def any_column(errors: np.ndarray, name: str) -> np.ndarray:
    """Return a column (N,) of any type; raises ResultError when it is not there."""
    if name not in (errors.dtype.names or ()):
        raise ResultError(f"errors.npz: no column {name!r}; delete it and score again")
    column: np.ndarray = errors[name]
    return column


def metric_terms(errors: np.ndarray, metric: Metric) -> tuple[Floats, Floats]:
    """Return values and counts (N,) whose ratio of sums is the metric.

    Raises ResultError when they are not there.
    """
    import numpy as np

    from benchbox.metrics import aggregate

    item_errors(errors, metric.column)
    try:
        terms = aggregate.metric_terms(metric.name, errors)
    except (KeyError, ValueError, TypeError, IndexError) as fault:
        raise ResultError(
            f"errors.npz: nothing to make {metric.name} of; delete it and score again"
        ) from fault
    if not np.isfinite(terms.values).all():
        raise ResultError(
            f"errors.npz: {metric.name} comes out infinite; delete it and score again"
        )
    return terms.values, terms.counts


def read_point_statistics(result: Result, count: int) -> dict[str, tuple[Floats, Floats, Floats]]:
    """Return group → error (K,), bias (K, 2), covariance (K, 3) of K = `count` points.

    Empty where there are none. Raises ResultError when they are there and cannot be used.
    """
    import numpy as np

    if not run_folders.has_points(result.run):
        return {}
    file = "points.npz"
    table = run_folders.read_points(result.run)
    columns = [_typed_column(table, name, "f", file) for name in _POINT_STATISTICS]
    statistics = np.stack(columns, axis=1).astype("f8")
    groups = _typed_column(table, "group", "U", file)
    order = _typed_column(table, "point", "i", file)
    complete = len(table) % count == 0
    if (
        not complete
        or not (order == np.arange(len(table)) % count).all()
        or not (abs(statistics) < _MAX_POINT_ERROR).all()
    ):
        raise ResultError(
            f"{file}: no statistics of {count} points; delete it, the same run derives it again"
        )
    by_group = {}
    parts = statistics.reshape(-1, count, len(_POINT_STATISTICS))
    for group, part in zip(groups[::count], parts, strict=True):
        by_group[str(group)] = (part[:, 0], part[:, 1:3], part[:, 3:])
    return by_group


def _typed_column(table: np.ndarray, name: str, kind: str, file: str = "errors.npz") -> np.ndarray:
    """Return a column of scalars of one kind of NumPy type."""
    dtype = None
    if name in (table.dtype.names or ()):
        dtype = table.dtype[name]
    if dtype is None or dtype.kind != kind or dtype.shape:
        raise ResultError(
            f"{file}: no column {name!r} of the right type; delete it and score again"
        )
    column: np.ndarray = table[name]
    return column
