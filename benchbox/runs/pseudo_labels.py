"""What a training made of faces without labels: scores and points of its pseudo-labels, kept beside the run.

A recipe that labels faces itself leaves one file per choice it made, `pseudo_labels/<name>.npz`
under its job's folder, in the order of their names within a round:

    ids       (U,)      texts: faces of `job.unlabelled`, the same in every file
    round     ()        whole number, from 1
    student   ()        text: the network that is trained on what was accepted, "" where there is one
    scores    (U,)      what faces were ranked by; the highest are the best
    accepted  (U,)      bools
    points    (U, K, 2) px, pixel frame: the pseudo-labels

`gather` puts them together and adds what a recipe must not see: how wrong the labels are, where the data set knows it.
`write` keeps that as `pseudo_labels.npz` in the run's folder. At most `MOST_FACES` faces are kept, evenly taken, and
points only of a few examples of each choice, and only where all pictures of the training are our own rendering: the
points of other people's pictures are not ours to publish.
"""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchbox.errors import PluginError, ResultError
from benchbox.layouts import LAYOUTS
from benchbox.metrics import landmarks
from benchbox.types import Index, Protocol

from . import prediction_files

if TYPE_CHECKING:
    import numpy.typing as npt

    from benchbox.types import Bools, Floats, Strings

MAX_FACES = 20_000
EXAMPLES = 6  # of each kind: best and last accepted, best and last rejected
_MAX_BYTES = 1 << 28
_RECIPE_ARRAYS = ("ids", "round", "student", "scores", "accepted", "points")
_STORED_ARRAYS = {
    **{
        "ids": ("U", 1),
        "rounds": ("i", 1),
        "students": ("U", 1),
        "scores": ("f", 2),
        "accepted": ("b", 2),
    },
    **{"errors": ("f", 2), "metric": ("U", 0), "total": ("i", 0), "shown": ("i", 2)},
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

    `ours`: points may be published.

    Raises PluginError naming file and fault for a file that is not as described above.
    """
    steps = [_read_recipe_file(path) for path in sorted(folder.glob("*.npz"))]
    if not steps:
        return None
    steps.sort(key=lambda step: int(step["round"]))
    ids = steps[0]["ids"]
    if any(not np.array_equal(step["ids"], ids) for step in steps):
        raise PluginError(
            f"{folder.name}: its files are about different faces; each must list all of job.unlabelled"
        )
    place = {str(name): row for row, name in enumerate(index.ids)}
    lost = [str(name) for name in ids if str(name) not in place]
    if lost:
        raise PluginError(
            f"{folder.name}: {lost[0]!r} is no face of {protocol.name}; keep the ids of job.unlabelled"
        )
    rows = np.array([place[str(name)] for name in ids])
    name = protocol.normalisers[0]
    truth = index.values[rows].astype(np.float64)
    points = np.stack([step["points"] + index.origin for step in steps])
    scores, accepted = (np.stack([step[key] for step in steps]) for key in ("scores", "accepted"))
    kept = np.unique(
        np.linspace(0, len(ids) - 1, min(len(ids), MAX_FACES)).round().astype(np.int64)
    )
    shown = np.stack(
        [_choose_examples(*step) for step in zip(scores[:, kept], accepted[:, kept], strict=True)]
    )
    chosen = np.arange(len(steps))[:, None], kept[shown]
    known = np.where((shown >= 0)[..., None, None], truth[chosen[1]], np.nan)
    return PseudoLabels(
        ids=ids[kept],
        rounds=np.array([int(step["round"]) for step in steps]),
        students=np.array([str(step["student"]) for step in steps]),
        scores=scores[:, kept].astype(np.float64),
        accepted=accepted[:, kept],
        errors=_label_errors(protocol, index, rows, truth, points)[:, kept],
        metric=f"nme_{name}",
        total=len(ids),
        shown=shown,
        points=np.where((shown >= 0)[..., None, None], points[chosen], np.nan) if ours else None,
        truth=known if ours else None,
    )


def write_pseudo_labels(path: Path, labels: PseudoLabels) -> None:
    """Write atomically, with bytes that depend on nothing but the labels.

    Raises ResultError as `predictions.write`.
    """
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
    for name, column in (("points", labels.points), ("truth", labels.truth)):
        if column is not None:
            columns[name] = column.astype("<f4")
    prediction_files.write_arrays(path, columns)


def read_pseudo_labels(path: Path) -> PseudoLabels:
    """Read what `write` wrote, float64 again; raises ResultError for anything else."""
    found = _read_arrays(path, ResultError)
    for key, (kind, axes) in _STORED_ARRAYS.items():
        if key not in found or found[key].dtype.kind != kind or found[key].ndim != axes:
            raise ResultError(
                f"{path}: {key} is missing or not as benchbox writes it; run again with --fresh"
            )
    size, steps = len(found["ids"]), len(found["rounds"])
    shown = found["shown"]
    fits = (
        len(found["students"]) == steps == len(shown)
        and shown.max(initial=-1) < size
        and shown.min(initial=0) >= -1
    )
    if not fits or any(
        found[key].shape != (steps, size) for key in ("scores", "accepted", "errors")
    ):
        raise ResultError(f"{path}: its arrays do not fit each other; run again with --fresh")
    drawn = {key: found.get(key) for key in ("points", "truth")}
    for key, column in drawn.items():
        if column is not None and (
            column.dtype.kind != "f" or column.shape[:2] != shown.shape or column.ndim != 4
        ):
            raise ResultError(f"{path}: {key} does not fit; run again with --fresh")
    return PseudoLabels(
        ids=found["ids"],
        rounds=found["rounds"].astype(np.int64),
        students=found["students"],
        scores=found["scores"].astype(np.float64),
        accepted=found["accepted"],
        errors=found["errors"].astype(np.float64),
        metric=str(found["metric"]),
        total=int(found["total"]),
        shown=shown.astype(np.int64),
        points=None if drawn["points"] is None else drawn["points"].astype(np.float64),
        truth=None if drawn["truth"] is None else drawn["truth"].astype(np.float64),
    )


# --- parts ----------------------------------------------------------------------------------------


def _read_recipe_file(path: Path) -> dict[str, np.ndarray]:
    """Read one file of a recipe and check it."""
    found = _read_arrays(path, PluginError)
    missing = [key for key in _RECIPE_ARRAYS if key not in found]
    if missing:
        raise PluginError(
            f"{path.name}: {missing[0]} is missing; it must hold {', '.join(_RECIPE_ARRAYS)}"
        )
    size = len(found["ids"]) if found["ids"].ndim == 1 else -1
    fits = (
        found["ids"].dtype.kind == "U"
        and found["round"].shape == found["student"].shape == ()
        and found["scores"].shape == found["accepted"].shape == (size,)
        and found["accepted"].dtype.kind == "b"
        and found["points"].shape[:1] == (size,)
        and found["points"].ndim == 3
    )
    if not fits or not np.isfinite(found["scores"]).all():
        raise PluginError(
            f"{path.name}: its arrays are not as benchbox.runs.pseudo_labels says, or a score is no number"
        )
    return found


def _read_arrays(path: Path, fault: type[Exception]) -> dict[str, np.ndarray]:
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise fault(f"{path}: larger than {_MAX_BYTES} bytes: no file of pseudo-labels")
        with np.load(path, allow_pickle=False) as held:
            found: dict[str, np.ndarray] = {key: held[key] for key in held.files}
            return found
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, AttributeError) as reason:
        raise fault(f"{path}: no file of pseudo-labels that can be read: {reason}") from reason


def _label_errors(
    protocol: Protocol, index: Index, rows: np.ndarray, truth: Floats, points: Floats
) -> Floats:
    """Return the errors (S, U) of pseudo-labels (S, U, K, 2), fractions.

    NaN where a face has no whole truth.
    """
    known = np.isfinite(truth).all(axis=(1, 2))
    boxes = None if index.scale_boxes is None else index.scale_boxes[rows][known]
    scale = landmarks.normaliser_lengths(
        protocol.normalisers[0],
        truth[known],
        LAYOUTS[protocol.layout],
        boxes,
        index.ids[rows][known],
    )
    found = np.full(points.shape[:2], np.nan)
    for step, mine in enumerate(points):
        found[step, known] = landmarks.nme(truth[known], mine[known], scale)
    return found


def _choose_examples(scores: Floats, accepted: Bools) -> np.ndarray:
    """Choose faces to show: the best and the last that were accepted, then the best and the last that were not."""
    order = np.argsort(-scores, kind="stable")
    found: list[int] = []
    for part in (order[accepted[order]], order[~accepted[order]]):
        found += _both_ends(part.tolist())
    return np.array(found + [-1] * (4 * EXAMPLES - len(found)))


def _both_ends(part: Sequence[Any]) -> list[Any]:
    return [*part] if len(part) <= 2 * EXAMPLES else [*part[:EXAMPLES], *part[-EXAMPLES:]]
