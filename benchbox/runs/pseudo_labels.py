"""What a training made of faces without labels: scores and points of its pseudo-labels.

A recipe that labels faces itself leaves one file per choice it made, `pseudo_labels/<name>.npz`
under its job's folder, in the order of their names within a round:

    ids       (U,)      texts: faces of `job.unlabelled`, the same in every file
    round     ()        whole number, from 1
    student   ()        text: the network trained on what was accepted, "" where there is one
    scores    (U,)      what faces were ranked by; the highest are the best
    accepted  (U,)      bools
    points    (U, K, 2) px, pixel frame: the pseudo-labels

`gather_pseudo_labels` puts them together and adds what a recipe must not see: how wrong the labels
are, where the dataset knows it. `write_pseudo_labels` keeps that as `pseudo_labels.npz` in the
run's folder. At most `MAX_FACES` faces are kept, evenly taken, and points only of a few examples of
each choice, and only where all pictures of the training are our own rendering: the points of other
people's pictures are not ours to publish.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchbox.errors import BenchboxError, PluginError, ResultError
from benchbox.file_readers.numpy_files import read_npz
from benchbox.layouts import require_layout
from benchbox.metrics import landmarks
from benchbox.types import Index, Protocol

from . import array_files

if TYPE_CHECKING:
    import numpy.typing as npt

    from benchbox.types import Bools, Floats, Strings

MAX_FACES = 20_000
EXAMPLES = 6  # of each kind: best and last accepted, best and last rejected
_MAX_BYTES = 1 << 28
_RECIPE_ARRAYS = ("ids", "round", "student", "scores", "accepted", "points")
_STORED_ARRAYS = {  # name → kind of its dtype, number of axes
    "ids": ("U", 1),
    "rounds": ("i", 1),
    "students": ("U", 1),
    "scores": ("f", 2),
    "accepted": ("b", 2),
    "errors": ("f", 2),
    "metric": ("U", 0),
    "total": ("i", 0),
    "shown": ("i", 2),
}


@dataclass(frozen=True, eq=False)
class PseudoLabels:
    """S choices among U faces, in the order in which they were made."""

    ids: Strings  # (U,)
    rounds: npt.NDArray[np.int64]  # (S,) from 1
    students: Strings  # (S,) "cpm", "hg"
    scores: Floats  # (S, U) the highest are the best; of one choice only comparable with each other
    accepted: Bools  # (S, U)
    errors: Floats  # (S, U) fractions, as `metric` names them; NaN where the truth is not known
    metric: str  # "nme_inter_ocular"
    total: int  # faces that were chosen among; more than U where not all are kept
    shown: npt.NDArray[np.int64]  # (S, E) places among the faces, best first; -1: no more
    points: Floats | None  # (S, E, K, 2) px of the data set's own frame; None: not ours to publish
    truth: Floats | None  # (S, E, K, 2), NaN where unknown


def gather_pseudo_labels(
    folder: Path, protocol: Protocol, index: Index, *, ours: bool
) -> PseudoLabels | None:
    """Put together what a recipe left in a folder, None where there is none.

    `ours`: points may be published. Raises PluginError naming file and fault for a file that is not
    as described above.
    """
    steps = [_read_recipe_file(path) for path in sorted(folder.glob("*.npz"))]
    if not steps:
        return None
    steps.sort(key=lambda step: int(step["round"]))
    ids = steps[0]["ids"]
    for step in steps:
        if not np.array_equal(step["ids"], ids):
            raise PluginError(
                f"{folder.name}: its files are about different faces; "
                "each must list all of job.unlabelled"
            )
    rows = _index_rows(ids, index, folder, protocol)
    truth = index.values[rows].astype(np.float64)
    points = np.stack([step["points"] + index.origin for step in steps])
    scores = np.stack([step["scores"] for step in steps])
    accepted = np.stack([step["accepted"] for step in steps])
    kept = _evenly_taken(len(ids))
    shown = np.stack(
        [
            _choose_examples(step_scores, step_accepted)
            for step_scores, step_accepted in zip(scores[:, kept], accepted[:, kept], strict=True)
        ]
    )
    errors = _label_errors(protocol, index, rows, truth, points)
    shown_points, shown_truth = None, None
    if ours:
        step_of = np.arange(len(steps))[:, None]
        there = (shown >= 0)[..., None, None]
        shown_points = np.where(there, points[step_of, kept[shown]], np.nan)
        shown_truth = np.where(there, truth[kept[shown]], np.nan)
    return PseudoLabels(
        ids=ids[kept],
        rounds=np.array([int(step["round"]) for step in steps]),
        students=np.array([str(step["student"]) for step in steps]),
        scores=scores[:, kept].astype(np.float64),
        accepted=accepted[:, kept],
        errors=errors[:, kept],
        metric=f"nme_{protocol.normalisers[0]}",
        total=len(ids),
        shown=shown,
        points=shown_points,
        truth=shown_truth,
    )


def write_pseudo_labels(path: Path, labels: PseudoLabels) -> None:
    """Write atomically; raises ResultError when the file cannot be written."""
    columns: dict[str, np.ndarray] = {
        "ids": labels.ids,
        "rounds": labels.rounds.astype("<i4"),
        "students": labels.students,
        "scores": labels.scores.astype("<f4"),
        "accepted": labels.accepted,
        "errors": labels.errors.astype("<f4"),
        "metric": np.array(labels.metric),
        "total": np.array(labels.total, "<i8"),
        "shown": labels.shown.astype("<i4"),
    }
    if labels.points is not None:
        columns["points"] = labels.points.astype("<f4")
    if labels.truth is not None:
        columns["truth"] = labels.truth.astype("<f4")
    array_files.write_npz(path, columns)


def read_pseudo_labels(path: Path) -> PseudoLabels:
    """Read what `write_pseudo_labels` wrote, float64 again.

    Raises ResultError for anything else.
    """
    arrays = _read_arrays(path, ResultError)
    for key, (kind, axes) in _STORED_ARRAYS.items():
        if key not in arrays or arrays[key].dtype.kind != kind or arrays[key].ndim != axes:
            raise ResultError(
                f"{path}: {key} is missing or not as benchbox writes it; run again with --fresh"
            )
    if not _arrays_fit(arrays):
        raise ResultError(f"{path}: its arrays do not fit each other; run again with --fresh")
    return PseudoLabels(
        ids=arrays["ids"],
        rounds=arrays["rounds"].astype(np.int64),
        students=arrays["students"],
        scores=arrays["scores"].astype(np.float64),
        accepted=arrays["accepted"],
        errors=arrays["errors"].astype(np.float64),
        metric=str(arrays["metric"]),
        total=int(arrays["total"]),
        shown=arrays["shown"].astype(np.int64),
        points=_example_points(arrays, "points", path),
        truth=_example_points(arrays, "truth", path),
    )


# --- parts ----------------------------------------------------------------------------------------


def _index_rows(ids: Strings, index: Index, folder: Path, protocol: Protocol) -> np.ndarray:
    """Return the rows (U,) of faces in the index; raises PluginError for an unknown face."""
    row_of = {str(name): row for row, name in enumerate(index.ids)}
    unknown = [str(name) for name in ids if str(name) not in row_of]
    if unknown:
        raise PluginError(
            f"{folder.name}: {unknown[0]!r} is no face of {protocol.name}; "
            "keep the ids of job.unlabelled"
        )
    return np.array([row_of[str(name)] for name in ids])


def _evenly_taken(count: int) -> np.ndarray:
    """Return at most `MAX_FACES` rows out of so many."""
    rows = np.linspace(0, count - 1, min(count, MAX_FACES))
    return np.unique(rows.round().astype(np.int64))


def _arrays_fit(arrays: dict[str, np.ndarray]) -> bool:
    """Tell whether stored arrays agree on the number of faces, choices and examples."""
    size, steps, shown = len(arrays["ids"]), len(arrays["rounds"]), arrays["shown"]
    if not len(arrays["students"]) == steps == len(shown):
        return False
    if shown.max(initial=-1) >= size or shown.min(initial=0) < -1:
        return False
    return all(arrays[key].shape == (steps, size) for key in ("scores", "accepted", "errors"))


def _example_points(arrays: dict[str, np.ndarray], key: str, path: Path) -> Floats | None:
    """Return the points (S, E, K, 2) of the examples, None where they are not published."""
    column = arrays.get(key)
    if column is None:
        return None
    per_example = column.ndim == 4 and column.shape[:2] == arrays["shown"].shape
    if column.dtype.kind != "f" or not per_example:
        raise ResultError(f"{path}: {key} does not fit; run again with --fresh")
    return column.astype(np.float64)


def _read_recipe_file(path: Path) -> dict[str, np.ndarray]:
    """Read one file of a recipe and check it."""
    arrays = _read_arrays(path, PluginError)
    missing = [key for key in _RECIPE_ARRAYS if key not in arrays]
    if missing:
        raise PluginError(
            f"{path.name}: {missing[0]} is missing; it must hold {', '.join(_RECIPE_ARRAYS)}"
        )
    ids, points = arrays["ids"], arrays["points"]
    size = len(ids) if ids.ndim == 1 else -1
    fits = (
        ids.dtype.kind == "U"
        and arrays["round"].shape == arrays["student"].shape == ()
        and arrays["scores"].shape == arrays["accepted"].shape == (size,)
        and arrays["accepted"].dtype.kind == "b"
        and points.shape[:1] == (size,)
        and points.ndim == 3
    )
    if not fits or not np.isfinite(arrays["scores"]).all():
        raise PluginError(
            f"{path.name}: its arrays are not as benchbox.runs.pseudo_labels says, "
            "or a score is no number"
        )
    return arrays


def _read_arrays(path: Path, fault: type[BenchboxError]) -> dict[str, np.ndarray]:
    return read_npz(path, largest=_MAX_BYTES, fault=fault)


def _label_errors(
    protocol: Protocol, index: Index, rows: np.ndarray, truth: Floats, points: Floats
) -> Floats:
    """Return the errors (S, U) of pseudo-labels (S, U, K, 2), fractions.

    NaN where a face has no whole truth.
    """
    known = np.isfinite(truth).all(axis=(1, 2))
    boxes = None
    # a person's own files may have no box_size for items that are not scored
    if index.scale_boxes is not None and np.isfinite(index.scale_boxes[rows][known]).all():
        boxes = index.scale_boxes[rows][known]
    scale = landmarks.normaliser_lengths(
        protocol.normalisers[0],
        truth[known],
        require_layout(protocol),
        boxes,
        index.ids[rows][known],
    )
    errors = np.full(points.shape[:2], np.nan)
    for step, labels in enumerate(points):
        errors[step, known] = landmarks.nme(truth[known], labels[known], scale)
    return errors


def _choose_examples(scores: Floats, accepted: Bools) -> np.ndarray:
    """Choose faces to show: the best and the last accepted ones, then so the rejected ones.

    Returns (4 * EXAMPLES,) rows, -1 where there are no more.
    """
    order = np.argsort(-scores, kind="stable")
    rows = _both_ends(order[accepted[order]].tolist())
    rows += _both_ends(order[~accepted[order]].tolist())
    missing = 4 * EXAMPLES - len(rows)
    return np.array(rows + [-1] * missing)


def _both_ends(rows: Sequence[int]) -> list[int]:
    if len(rows) <= 2 * EXAMPLES:
        return list(rows)
    return [*rows[:EXAMPLES], *rows[-EXAMPLES:]]
