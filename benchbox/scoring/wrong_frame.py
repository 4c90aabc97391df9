"""What is the matter with landmarks that lie far from every face: frames, orders, mirrored faces.

Faces that are further than a quarter of their longer side from the true ones are looked at, and all
faces where half of them are further than 6 %. Every known slip is undone on the predictions, and
the true points say whether that mends them: less than 40 % of the error is left, and no more than a
method may have, 16 % of the face. Nothing to fit comes first, on single faces: left and right
exchanged, x and y exchanged. Then pictures that were turned, mirrored or counted from below, whose
size is fitted for each face: believed where 5 % of all faces are far off and most of those are
mended. Slips of the whole file must mend 80 % of its faces: rows or points in another order, one
scale and shift for all, and a scale and shift for each face (the crop's frame). As every face fits
every other roughly once it may be moved and scaled, the last is tried only where the predicted
faces lie over each other, as they do in crops. A constant shift alone is never named: a trained
method may have one. Where nothing helps and half of the faces are further off than 30 %, that is
said.

`score` and `run` warn of what is found; `explain` says it, and tells no best offset then.

Errors here are mean distances of the points in longer sides of the true tight box. Measured: the
median face of six published methods for 300-W is 0.015 to 0.029 off, of a mean shape in the true
box 0.10, in a box as bad as any detector's 0.20, and of 65 runs on rendered faces at most 0.19; a
single face of theirs at most 0.6. Faces with left and right exchanged are 0.37 off, other slips 0.5
and more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from benchbox.geometry import longer_sides
from benchbox.metrics import landmarks

from . import prediction_checks

if TYPE_CHECKING:
    from benchbox.types import Bools, Floats, Layout, Predictions, Strings, Truth

FAR_FACE = 0.25  # of the longer side: a face that is further off is looked at
FAR_MEDIAN = 0.3  # that half of the faces are as far off, no method and no detector explains
POOR_MEDIAN = 0.06  # from here on rows may be in another order: centred crops are all alike
_USUAL = 0.16  # what is left of a mended face's error
_MENDED = 0.4  # share of the error that is left
_BETTER_MIRRORED = 0.6  # share of the error after a shift that a mirrored face may leave
_MOST = 0.8  # of the faces that a slip of the whole file must mend
_FITTED_SHARE = 0.05  # of the faces must be far off before a picture's size is fitted to them
_NO_FACE = 0.45  # of the face's size left over by the best turn, scale and shift
_OVER_EACH_OTHER = 0.35  # of a face's longer side between faces of which each is in its crop
_MOST_FACES = 300  # that are looked at, evenly spaced
_ORDER_FACES = 100  # on which points in another order are looked for

Undo = Callable[["Floats", "Floats"], "Floats"]  # predicted, true (N, K, 2) → mended (N, K, 2)


@dataclass(frozen=True)
class Slip:
    """One thing that goes wrong with coordinates, and how it is undone."""

    name: str
    means: str  # what it is, after "with"
    undo: Undo


def find_slips(layout: Layout, truth: Truth, predictions: Predictions) -> tuple[str, ...]:
    """Say in a line each what is the matter with predictions in the order of the truth.

    Nothing is said where they lie as near as a poor method's, or where undoing nothing helps.
    """
    unit = prediction_checks.find_unit_rows(truth, predictions)
    if unit.any():
        return (prediction_checks.describe_unit_rows(truth.ids, unit),)
    answered = np.flatnonzero(~predictions.failed)
    if not len(answered) or _is_near_everywhere(truth, predictions):
        return ()
    true, given = _rows_of(truth, predictions, answered)
    errors = _errors(true, given)
    known = errors[np.isfinite(errors)]
    middle = float(np.median(known)) if len(known) else 0.0
    if middle < POOR_MEDIAN and not (known > FAR_FACE).any():
        return ()
    found: tuple[str, ...] = ()
    # with every point marked: a slip moves points to where others are
    marked = np.isfinite((truth.values - predictions.values)[answered]).all(axis=(1, 2))
    if marked.any():
        found = _search(_Case.of_rows(layout, truth, predictions, answered[marked]))
    if not found and middle >= FAR_MEDIAN:
        return (
            f"the points of half of the faces are {100 * middle:.0f} % of the face's size or more "
            "away from the true ones, far outside what any face detector or method leaves",
        )
    return found


def _is_near_everywhere(truth: Truth, predictions: Predictions) -> bool:
    """Tell cheaply, and perhaps not, that no face is far off and half of them are near."""
    near = prediction_checks.find_near_faces(truth, predictions)
    others = np.flatnonzero(~near & ~predictions.failed)
    if near.sum() <= len(others):
        return False
    return bool((_errors(*_rows_of(truth, predictions, others)) <= FAR_FACE).all())


def _search(case: _Case) -> tuple[str, ...]:
    """Try all slips on faces of which every point is marked."""
    found = _slips_of_single_faces(case)
    if found or np.median(case.errors) < POOR_MEDIAN:
        return found
    whole = case.thinned(_MOST_FACES)
    for search in (
        _rows_in_another_order,
        _mirrored_pictures,
        _points_in_another_order,
        _another_frame,
    ):
        text = search(whole, case)
        if text:
            return (text,)
    return ()


def median_error(truth: Truth, predictions: Predictions, shift_px: Floats | None = None) -> float:
    """Return the middle of the faces' errors, in longer sides of the true boxes; 0 without answers.

    `shift_px` (2,) is added to the predictions before.
    """
    true, given = _rows_of(truth, predictions, np.flatnonzero(~predictions.failed))
    if shift_px is not None:
        given = given + shift_px
    errors = _errors(true, given)
    known = errors[np.isfinite(errors)]
    return float(np.median(known)) if len(known) else 0.0


def _rows_of(truth: Truth, predictions: Predictions, rows: np.ndarray) -> tuple[Floats, Floats]:
    """Return true and predicted values of some rows, without a copy where that is all of them."""
    if len(rows) == len(truth.values):
        return truth.values, predictions.values
    return truth.values[rows], predictions.values[rows]


@dataclass(frozen=True, eq=False)
class _Case:
    """Answered faces and how far off they are."""

    layout: Layout
    ids: Strings  # (N,)
    true: Floats  # (N, K, 2)
    given: Floats  # (N, K, 2)
    errors: Floats  # (N,) in longer sides of the true box

    @classmethod
    def of_rows(
        cls, layout: Layout, truth: Truth, predictions: Predictions, rows: np.ndarray
    ) -> _Case:
        """Take some rows of the truth and the predictions."""
        true, given = _rows_of(truth, predictions, rows)
        return cls(layout, truth.ids[rows], true, given, _errors(true, given))

    def subset(self, rows: np.ndarray) -> _Case:
        """Take some rows (indices or flags)."""
        return _Case(
            self.layout, self.ids[rows], self.true[rows], self.given[rows], self.errors[rows]
        )

    def thinned(self, most: int) -> _Case:
        """Take evenly spaced rows, at most so many."""
        return self.subset(np.arange(0, len(self.ids), -(-len(self.ids) // most)))

    def mended_by(self, undo: Undo) -> Bools:
        """Tell which faces (N,) a slip explains."""
        return _is_mended(_errors(self.true, undo(self.given, self.true)), self.errors)


def _errors(true: Floats, given: Floats) -> Floats:
    """Return the mean distances (N,) of the marked points in longer sides of the true box."""
    marked: Bools | None = None
    sides = longer_sides(true)
    if len(true) and np.isnan(true.reshape(len(true), -1).sum(axis=1)).any():
        marked = np.asarray(~np.isnan(true).any(axis=2))
    distances = landmarks.mean_errors(true, given, visible=marked)
    errors: Floats = distances / np.maximum(sides, 1e-9)
    return errors


def _is_mended(after: Floats, before: Floats) -> Bools:
    mended: Bools = (after < _USUAL) & (after < _MENDED * before)
    return mended


# --- slips of single faces ------------------------------------------------------------------------


def _slips_of_single_faces(case: _Case) -> tuple[str, ...]:
    """Name the slips that mend faces which are far off, each face by the first that does."""
    far = np.flatnonzero(case.errors > FAR_FACE)
    left = case.subset(far[:: max(1, -(-len(far) // _MOST_FACES))])
    looked_at, lines = len(left.ids), []
    for slip in _single_slips(case.layout):
        if not len(left.ids):
            break
        mended = left.mended_by(slip.undo)
        fewest = 1
        if slip.name not in _WITHOUT_FIT:  # with the picture's size fitted, one face proves nothing
            many_are_far = len(far) >= _FITTED_SHARE * len(case.ids)
            fewest = looked_at // 2 + 1 if many_are_far else looked_at + 1
        if mended.sum() >= fewest:
            share = f"{int(mended.sum())} of {looked_at} faces far from their true points"
            first = ", ".join(map(str, left.ids[mended][:3]))
            lines.append(f"{share} ({first}{_dots(mended)}) fit with {slip.means}")
            left = left.subset(~mended)
    return tuple(lines)


def _dots(flags: Bools) -> str:
    return ", …" if flags.sum() > 3 else ""


_WITHOUT_FIT = ("mirrored names", "xy exchanged")


def _single_slips(layout: Layout) -> tuple[Slip, ...]:
    flip = list(layout.flip)
    return (
        Slip(
            "mirrored names",
            "left and right points exchanged: a picture was mirrored and the numbers of its points "
            "were not",
            lambda given, _: given[:, flip],
        ),
        Slip(
            "xy exchanged",
            "x and y exchanged: rows of the picture were taken for columns",
            lambda given, _: given[..., ::-1],
        ),
        Slip(
            "y from below",
            "y counted from the lower border of the picture, upwards",
            lambda given, true: _fit_shift(given * np.array([1, -1]), true, axis=1),
        ),
        Slip(
            "x from the right",
            "x counted from the right border: the picture was mirrored and its points were not "
            "turned back",
            lambda given, true: _fit_shift(given * np.array([-1, 1]), true, axis=0),
        ),
        Slip(
            "mirrored picture",
            "points of the mirrored picture: x counts from the right border, and left and right "
            "are exchanged",
            lambda given, true: _fit_shift(given[:, flip] * np.array([-1, 1]), true, axis=0),
        ),
        Slip(
            "upside down",
            "points of the picture turned by 180°",
            lambda given, true: _fit_shift(-given, true),
        ),
        Slip(
            "turned left",
            "points of the picture turned by 90°",
            lambda given, true: _fit_shift(given[..., ::-1] * np.array([1, -1]), true),
        ),
        Slip(
            "turned right",
            "points of the picture turned by 90° the other way",
            lambda given, true: _fit_shift(given[..., ::-1] * np.array([-1, 1]), true),
        ),
    )


def _fit_shift(given: Floats, true: Floats, axis: int | None = None) -> Floats:
    """Move each face onto the true one, along one axis or both."""
    step = (true - given).mean(axis=1, keepdims=True)
    if axis is not None:
        step[..., 1 - axis] = 0
    moved: Floats = given + step
    return moved


# --- slips of the whole file ----------------------------------------------------------------------


def _rows_in_another_order(looked: _Case, everything: _Case) -> str:
    """Say that most predictions are those of other items, one for one."""
    given = looked.given.reshape(len(looked.ids), -1)
    true = everything.true.reshape(len(everything.ids), -1)
    squares = (true**2).sum(axis=1) - 2 * (given @ true.T)  # the rest is the same in a row
    nearest = squares.argmin(axis=1)
    others = everything.true[nearest]
    after = _errors(others, looked.given)
    moved = _is_mended(after, looked.errors) & (everything.ids[nearest] != looked.ids)
    if moved.mean() < _MOST or len(np.unique(nearest[moved])) < _MOST * moved.sum():
        return ""
    row = int(np.argmax(moved))
    return (
        f"{int(moved.sum())} of {len(moved)} faces looked at lie where another one's true points "
        f"are ({looked.ids[row]} where {everything.ids[nearest[row]]} is): the rows are in another "
        "order than their ids"
    )


def _mirrored_pictures(looked: _Case, everything: _Case) -> str:  # noqa: ARG001
    """Say that most faces are those of the mirrored picture, in pictures that faces are amid.

    A face is nearly its own mirror image: it must fit better than by a shift along x alone.
    """
    flip = list(looked.layout.flip)
    shifted = _errors(looked.true, _fit_shift(looked.given, looked.true, axis=0))
    turned = looked.given[:, flip] * np.array([-1, 1])
    after = _errors(looked.true, _fit_shift(turned, looked.true, axis=0))
    mended = _is_mended(after, looked.errors) & (after < _BETTER_MIRRORED * shifted)
    if mended.mean() < _MOST:
        return ""
    return (
        f"{int(mended.sum())} of {len(mended)} faces looked at fit with points of the mirrored "
        "picture: x counts from the right border, and left and right are exchanged"
    )


def _points_in_another_order(looked: _Case, everything: _Case) -> str:  # noqa: ARG001
    """Say that the points mean others: each lies, over the faces, where another one should."""
    from scipy.optimize import linear_sum_assignment

    few = looked.thinned(_ORDER_FACES)
    sides = longer_sides(few.true)
    distances = np.zeros((few.true.shape[1], few.true.shape[1]))
    for true, given, side in zip(few.true, few.given, sides, strict=True):
        distances += np.hypot(*np.moveaxis(given[:, None] - true[None], 2, 0)) / side
    _, place = linear_sum_assignment(distances)
    order = np.argsort(place)
    if few.mended_by(lambda given, _: given[:, order]).mean() < _MOST:
        return ""
    moved = np.flatnonzero(place != np.arange(len(place)))
    pairs = ", ".join(f"{k} lies where {place[k]} should" for k in moved[:3])
    return f"{len(moved)} points are in another order: {pairs}; is it the layout of the protocol?"


def _another_frame(looked: _Case, everything: _Case) -> str:  # noqa: ARG001
    """Say that one scale and shift, or one for each face, maps most faces onto the true ones."""
    if np.median(looked.errors) < FAR_FACE:
        return ""
    scale, step = _common_fit(looked)
    if looked.mended_by(lambda given, _: given * scale + step).mean() >= _MOST:
        return (
            f"all points fit when multiplied by {scale:.3g} and moved by ({step[0]:+.1f}, "
            f"{step[1]:+.1f}): predicted on pictures of another size"
        )
    if not _in_one_place(looked.given):
        return _no_face_at_all(looked)
    for name, turn in _orders(looked.layout).items():
        mended = looked.mended_by(lambda given, true, turn=turn: _fit_frame(turn(given), true))  # type: ignore[misc]
        if mended.mean() >= _MOST:
            low, high = looked.given.min(), looked.given.max()
            return (
                f"{int(mended.sum())} of {len(mended)} faces looked at fit by a scale and a shift "
                f"of their own{name}: points in the frame of the crop (they lie between {low:.4g} "
                f"and {high:.4g}), not of the picture"
            )
    return _no_face_at_all(looked)


def _in_one_place(given: Floats) -> bool:
    """Tell whether predicted faces (N, K, 2) lie over each other, as they do in crops."""
    if np.ptp(given, axis=0).max() == 0:  # one shape for all: a baseline, not a frame
        return False
    centres = given.mean(axis=1)
    away = np.hypot(*(centres - np.median(centres, axis=0)).T)
    return bool(np.median(away) < _OVER_EACH_OTHER * np.median(longer_sides(given)))


def _orders(layout: Layout) -> Mapping[str, Callable[[Floats], Floats]]:
    flip = list(layout.flip)
    return {
        "": lambda given: given,
        ", with y upwards": lambda given: given * np.array([1, -1]),
        ", with left and right exchanged": lambda given: given[:, flip],
        ", with x and y exchanged": lambda given: given[..., ::-1],
        ", mirrored": lambda given: given[:, flip] * np.array([-1, 1]),
    }


def _common_fit(looked: _Case) -> tuple[float, Floats]:
    """Return the scale and the shift (2,) that map the middle face onto its true place."""
    scale = float(np.median(_spreads(looked.true) / np.maximum(_spreads(looked.given), 1e-9)))
    step = np.median((looked.true - scale * looked.given).mean(axis=1), axis=0)
    return scale, step


def _fit_frame(given: Floats, true: Floats) -> Floats:
    """Map each face onto the true one by a scale and a shift, without a turn."""
    scale = _spreads(true) / np.maximum(_spreads(given), 1e-9)
    return _fit_shift(given * scale[:, None, None], true)


def _spreads(points: Floats) -> Floats:
    """Return the root mean square distances (N,) of points (N, K, 2) from their centre."""
    centred = points - points.mean(axis=1, keepdims=True)
    spreads: Floats = np.sqrt((centred**2).sum(axis=2).mean(axis=1))
    return spreads


def _no_face_at_all(looked: _Case) -> str:
    """Say that the shapes are no faces of this layout, whatever their turn, scale and place."""
    left_over = np.median(list(_shape_residuals(looked)))
    if left_over < _NO_FACE:
        return ""
    return (
        f"no turn, scale and shift makes faces of the points ({100 * left_over:.0f} % of the size "
        "left over): another layout, another order of the points, or no landmarks"
    )


def _shape_residuals(looked: _Case) -> Iterator[float]:
    """Yield what the best similarity leaves over of each face's size, 0 … 1."""
    for true, given in zip(looked.true, looked.given, strict=True):
        wanted, shape = true - true.mean(axis=0), given - given.mean(axis=0)
        plane, turned = wanted @ np.array([1, 1j]), shape @ np.array([1, 1j])
        power = np.linalg.norm(plane) * np.linalg.norm(turned)
        agreement = abs(np.vdot(plane, turned)) / max(power, 1e-9)
        yield float(np.sqrt(max(0.0, 1 - agreement**2)))
