"""Gaze conventions: the signs, axes, order, unit and frame in which predictions fit labels best.

Why it matters
--------------
Angles come as (pitch, yaw) or (yaw, pitch); vectors point from the eye to the target or back; y
goes up or down; labels are in the camera's frame or the head's. A network trained with swapped
labels trains as well as any other, and the slip shows up as an error of some 20° (ETH-XGaze) that
no curve explains. Here every known reading of the predictions is tried against the labels and the
best is named; **on training data**, where the method has seen the labels, so that what is left is
convention and not difficulty. Choosing a reading on test data would be tuning on them.

Conventions
-----------
Labels first. Directions: vectors (N, 3) of any length, or (pitch, yaw) (N, 2) in radians, read by
the house formula (cos p sin y, sin p, cos p cos y). Points on the screen's plane: (x, y) (N, 2) cm
from the camera, x right, y up. A row with a NaN is left out. The identity is always among the
readings; another one is called certain when it is better by more than `MARGIN` of the identity's
error and the sign-flip test over clusters (`paired_tests`), corrected for the number of readings,
leaves no doubt; or, where people are too few for such a test, when all agree and half of the error
goes. A shift that is fitted to the labels is listed, and is the best only where next to nothing is
left of a large error: a trained method may have a bias of its own.

Known conventions of other code
-------------------------------
ETH-XGaze's utils: (pitch, yaw), vector as ours, from the target to the eye. pytorch_mpiigaze:
(pitch, yaw), all three signs reversed. GazeHub readers, GazeTR, PureGaze: (yaw, pitch), all signs
reversed. Gaze360: (yaw, pitch), z reversed. Where predictions and labels share one convention the
error is the same in all of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import permutations, product
from typing import TYPE_CHECKING, Any

import numpy as np

from benchbox import geometry

from . import gaze, paired_tests

if TYPE_CHECKING:
    import numpy.typing as npt

    from benchbox.types import Floats

MARGIN = 0.05  # share of the identity's error that another reading must save to be called better
MAX_ROWS = 20_000  # at most, evenly spaced: a convention shows in a few thousand
_LEVEL = 0.01
_FITTED = "moved by"  # how a reading begins that has something fitted to the labels
_FITTED_SHARE = 0.25  # of the identity's error that it may leave
_FITTED_CM = 2.0  # of it that must go, at least: trained methods have shifts of their own
_FLIPS = 40_000  # all sign patterns of up to 15 people
_UNITS_CM = {
    "mm": (0.1, "the predictions are in millimetres"),
    "inch": (2.54, "the predictions are in inches"),
    "m": (100.0, "the predictions are in metres"),
}


@dataclass(frozen=True)
class Reading:
    """One way to read predictions, and the mean error it leaves."""

    name: str  # "as given", "yaw reversed"
    means: str  # what it would mean, in a sentence
    error: float


@dataclass(frozen=True)
class SearchResult:
    """Every reading, the best first; equal ones once."""

    unit: str  # "deg", "cm"
    identity: Reading
    readings: tuple[Reading, ...]
    certain: bool  # the best reading is not the identity, and better beyond chance

    @property
    def best(self) -> Reading:
        """Return the reading with the least error."""
        return self.readings[0]

    @property
    def warning(self) -> str:
        """Say in one line what is wrong, "" where the predictions are best as they are."""
        if not self.certain:
            return ""
        return (
            f"gaze conventions: {self.best.name} leaves {self.best.error:.2f} {self.unit}, "
            f"as given {self.identity.error:.2f}: {self.best.means}"
        )


def search_direction_convention(
    labels: Floats,
    predictions: Floats,
    *,
    rotations: Floats | None = None,
    clusters: npt.NDArray[Any] | None = None,
) -> SearchResult:
    """Find the reading of predicted directions that agrees best with the labels.

    `rotations` (N, 3, 3) turn camera vectors into head (or normalised) ones; with them the frame is
    tried as well. `clusters` (N,) name persons. Raises ValueError for shapes that do not fit or
    when no row can be used.
    """
    rows = _sampled_rows(labels, predictions)
    wanted, given = _as_vectors(labels[rows]), _as_vectors(predictions[rows])
    turns, angles = None, None
    if rotations is not None:
        turns = np.asarray(rotations, np.float64)[rows]
    if predictions.shape[1] == 2:
        angles = np.asarray(predictions, np.float64)[rows]
    readings = []
    for name, means, vectors in direction_readings(given, angles, turns):
        readings.append((name, means, gaze.angular_error_deg(wanted, vectors)))
    return _best_reading("deg", readings, _cluster_labels(clusters, rows))


def search_point_convention(
    labels: Floats, predictions: Floats, *, clusters: npt.NDArray[Any] | None = None
) -> SearchResult:
    """Find the reading of predicted points (N, 2) cm that agrees best with the labels.

    As `search_direction_convention`.
    """
    rows = _sampled_rows(labels, predictions)
    if labels.shape[1] != 2 or predictions.shape[1] != 2:
        raise ValueError(
            f"labels {labels.shape} and predictions {predictions.shape} must be (N, 2) cm"
        )
    wanted, given = (np.asarray(values, np.float64)[rows] for values in (labels, predictions))
    readings = []
    for name, means, points in point_readings(wanted, given):
        readings.append((name, means, gaze.distance_cm(wanted, points)))
    return _best_reading("cm", readings, _cluster_labels(clusters, rows))


# --- readings -------------------------------------------------------------------------------------


def direction_readings(
    given: Floats, raw: Floats | None = None, turns: Floats | None = None
) -> Iterator[tuple[str, str, Floats]]:
    """Yield name, meaning and vectors (N, 3) of each reading of unit vectors, identity first.

    `raw` (N, 2) are the predicted angles where there were angles, `turns` (N, 3, 3) as `rotations`
    above.
    """
    yield "as given", "predictions and labels share one convention", given
    frames = [("", "", given)]
    if turns is not None:
        frames += [
            ("turned into the head's frame", "labels are in the head's frame, "
                "predictions in the camera's; ",
             np.einsum("nij,nj->ni", turns, given)),
            ("turned into the camera's frame", "labels are in the camera's frame, "
                "predictions in the head's; ",
             np.einsum("nji,nj->ni", turns, given)),
        ]  # fmt: skip
    for frame, words, vectors in frames:
        for name, means, read in _signs_and_order(vectors):
            if name or frame:
                yield ", ".join(filter(None, (frame, name))), (words + means).rstrip("; "), read
    for name, means, read in _axes(given):
        yield name, means, read
    # else it would shrink every guess towards 0, which often pays
    if raw is not None and np.abs(raw).max() > np.pi:
        yield (
            "degrees",
            "the predicted angles are in degrees, not radians",
            geometry.angles_to_vectors(np.radians(raw)),
        )

    angles = geometry.vectors_to_angles(given)
    if np.abs(angles).max() < np.radians(np.pi):  # all within 3 degrees of straight on
        yield (
            "radians converted twice",
            "the predicted angles were in radians, and were taken for degrees and converted again",
            geometry.angles_to_vectors(np.degrees(angles)),
        )


_SIGN_MEANINGS = {  # signs of pitch and yaw
    (1, 1): "",
    (1, -1): "left and right are mirrored: another axis convention, or flipped pictures with old "
    "labels",
    (-1, 1): "up and down are mirrored: y points down in one of them",
    (-1, -1): "both angles are reversed, as where the vector points from the target to the eye",
}


def _signs_and_order(vectors: Floats) -> Iterator[tuple[str, str, Floats]]:
    """Yield the eight readings of (pitch, yaw): each sign, and the two exchanged.

    The empty name is none of these.
    """
    angles = geometry.vectors_to_angles(vectors)
    for swapped, pitch, yaw in product((False, True), (1, -1), (1, -1)):
        changes = {
            "pitch and yaw exchanged": swapped,
            "pitch reversed": pitch < 0,
            "yaw reversed": yaw < 0,
        }
        if swapped:
            means, order = "one is (pitch, yaw) and the other (yaw, pitch)", angles[:, ::-1]
        else:
            means, order = _SIGN_MEANINGS[pitch, yaw], angles
        read = geometry.angles_to_vectors(order * np.array([pitch, yaw]))
        yield _changes_made(changes), means, read


def _changes_made(changes: Mapping[str, bool]) -> str:
    return ", ".join(name for name, made in changes.items() if made)


def _axes(vectors: Floats) -> Iterator[tuple[str, str, Floats]]:
    """Yield the 47 other orders and signs of the three axes."""
    letters = "xyz"
    for order in permutations(range(3)):
        for signs in product((1, -1), repeat=3):
            if order == (0, 1, 2) and signs == (1, 1, 1):
                continue
            axes = [letters[axis] for axis in order]
            for place, sign in enumerate(signs):
                if sign < 0:
                    axes[place] = f"-{axes[place]}"
            name = ", ".join(axes)
            if order == (0, 1, 2) and signs == (-1, -1, -1):
                means = (
                    "the vector points the other way: from the eye to the target against from the "
                    "target to the eye"
                )
            else:
                means = "the axes of the two frames have other names or signs"
            yield f"axes ({name})", means, vectors[:, list(order)] * np.array(signs)


def point_readings(wanted: Floats, given: Floats) -> Iterator[tuple[str, str, Floats]]:
    """Yield name, meaning and points (N, 2) cm of each reading of points, the identity first."""
    yield "as given", "predictions and labels share one convention", given
    turned = (
        "the device was held in another orientation, or an axis points the other way (y down on "
        "screens)"
    )
    for swapped, sign_x, sign_y in product((False, True), (1, -1), (1, -1)):
        changes = {
            "x and y exchanged": swapped,
            "x reversed": sign_x < 0,
            "y reversed": sign_y < 0,
        }
        if any(changes.values()):
            order = given[:, ::-1] if swapped else given
            yield _changes_made(changes), turned, order * np.array([sign_x, sign_y])
    spread = np.abs(given).mean() / np.abs(wanted).mean()
    for name, (factor, means) in _UNITS_CM.items():
        if 1 / 3 < spread * factor < 3:  # as `degrees`
            yield f"in {name}", means, given * factor
    shift = np.median(wanted - given, axis=0)
    yield (
        f"{_FITTED} ({shift[0]:+.2f}, {shift[1]:+.2f}) cm",
        "the two measure from different origins, such as the camera and a corner of the screen",
        given + shift,
    )


# --- ranking --------------------------------------------------------------------------------------


def _best_reading(
    unit: str, candidates: list[tuple[str, str, Floats]], clusters: npt.NDArray[Any] | None
) -> SearchResult:
    """Rank candidates (name, meaning, errors (N,)) by mean error; the identity comes first."""
    row_of_error: dict[float, int] = {}
    for row, (_, _, errors) in enumerate(candidates):
        # equal readings once, under the simplest name
        row_of_error.setdefault(round(float(errors.mean()), 9), row)
    order = [row_of_error[error] for error in sorted(row_of_error)]
    own_error = float(candidates[0][2].mean())
    order.sort(key=lambda row: _is_idle_fit(candidates[row], own_error))  # stable: those go last
    readings = []
    for row in order:
        name, means, errors = candidates[row]
        readings.append(Reading(name, means, float(errors.mean())))
    name, means, own = candidates[0]
    best = candidates[order[0]][2]
    if clusters is None:
        clusters = np.arange(len(own))
    better = bool(best.mean() < (1 - MARGIN) * own.mean())
    certain = better and _beyond_chance(own, best, clusters, len(candidates))
    identity = Reading(name, means, float(own.mean()))
    return SearchResult(unit, identity, tuple(readings), certain)


def _is_idle_fit(candidate: tuple[str, str, Floats], own_error: float) -> bool:
    """Tell whether a fitted reading mends no more than the bias that a trained method may have."""
    name, _, errors = candidate
    if not name.startswith(_FITTED):
        return False
    left = float(errors.mean())
    return left > _FITTED_SHARE * own_error or own_error - left < _FITTED_CM


def _cluster_labels(
    clusters: npt.NDArray[Any] | None, rows: npt.NDArray[np.intp]
) -> npt.NDArray[Any] | None:
    return None if clusters is None else np.asarray(clusters)[rows]


def _beyond_chance(own: Floats, best: Floats, clusters: npt.NDArray[Any], readings: int) -> bool:
    """Tell whether a reading is better than the best of so many readings of noise would be."""
    p = float(paired_tests.sign_flip_test((own - best)[:, None], clusters, flips=_FLIPS)[0])
    if p * readings < _LEVEL:
        return True
    # Too few people for any p to be small: all of them agree, and most of the error goes.
    people = len(np.unique(clusters))
    few = readings * 2.0 ** (1 - people) >= _LEVEL
    return few and (people == 1 or p <= 2.0 ** (1 - people)) and bool(best.mean() < own.mean() / 2)


def _sampled_rows(labels: Floats, predictions: Floats) -> npt.NDArray[np.intp]:
    """Return the rows that can be used, at most `MAX_ROWS` of them."""
    if labels.ndim != 2 or predictions.ndim != 2 or len(labels) != len(predictions):
        raise ValueError(
            f"labels {labels.shape} and predictions {predictions.shape} must be (N, 2) or (N, 3)"
        )
    rows = np.flatnonzero(np.isfinite(labels).all(axis=1) & np.isfinite(predictions).all(axis=1))
    if len(rows) == 0:
        raise ValueError("no row has both a label and a prediction")
    return rows[:: max(1, -(-len(rows) // MAX_ROWS))]


def _as_vectors(values: Floats) -> Floats:
    values = np.asarray(values, np.float64)
    if values.shape[1] not in (2, 3):
        raise ValueError(f"directions {values.shape} must be (N, 2) angles or (N, 3) vectors")
    if values.shape[1] == 2:
        return geometry.angles_to_vectors(values)
    return values
