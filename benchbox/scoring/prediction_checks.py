"""What is looked at in predictions before a number is made of them.

**Placeholders** are numbers that stand for "not found": all points of a face at (0, 0), at (-1, -1)
or anywhere in one place, as a tracker writes that has lost the face; a gaze of exactly (0, 0) among
others. Such a row is no answer: it counts as failed, so that FR and AUC count it and the mean
leaves it out, and it is named. Ten zero rows of 689 moved a published method from 4.70 to 9.29 %.
Single points at exactly (0, 0) or (-1, -1), further from the true point than half the face, are
refused, as a row that is partly NaN is: half a face is no answer, and nobody but its maker knows
whether the rest is one. A point at the border of the picture, or at (0, 0) beside a true point that
is near, is a point. One shape repeated for every face is a baseline, and one gaze is another.

**Frames**: points between 0 and 1 (or -1 and 1) where the true faces are larger than that are
shares of a picture or a crop, no pixels, and are refused.

**Repeats**: rows that are equal to the last bit, for items whose labels are not, are named in a
note and count.

What a run of ours has left is taken as it stands: a method says NaN where it has no answer, and
one that has collapsed is not let off.

The limits, and what they rest on. *In one place*: more than half of the points, or all within a
thousandth of the true face's longer side; of the 4,134 shapes of six published methods for 300-W
none has two neighbours that coincide, and the smallest spans a third of its face. *Far*: half of
that side; no clipping to the border moves a point as far. *Shares*: within 1.5 of 0 on a face of
more than 20 px, for most faces of a file. *Gaze*: exactly 0 or -1 in centimetres, or straight on to
the last bit, where most other answers differ from each other: a classifier repeats its classes.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from benchbox.errors import ResultError
from benchbox.geometry import longer_sides
from benchbox.metrics import landmarks
from benchbox.repeated_numbers import find_repeated_numbers
from benchbox.types import Predictions

if TYPE_CHECKING:
    from benchbox.types import Bools, Floats, Strings, Truth

Say = Callable[[str], None]

_CHUNK_FACES = 1024
_FEWEST_POINTS = 4  # of a layout in which "most points in one place" means something
_FLAT = 1e-3  # of the true face's longer side: what spans less is one place
_LARGEST_FACE_PX = 10_000.0
_FAR = 0.5  # of the true face's longer side: no clipping to the border moves a point as far
_ALIKE = 0.1  # of a face: two labels of one photograph
_UNIT = 1.5  # points in 0 … 1 or -1 … 1 may lie a little outside
_SMALLEST_FACE_PX = 20.0
# of the true face's longer side, root mean square. A point half a side off alone makes 0.05 with
# 100 points; the tightest half of a mean face's points in one place makes 0.073 or more
_NEAR = 0.04
_KNOWN_COUNTS = (19, 29, 66, 68, 98)
_NEAR_OF: weakref.WeakKeyDictionary[Predictions, tuple[weakref.ref[Truth], Bools]] = (
    weakref.WeakKeyDictionary()
)
_PLACES = ((0.0, 0.0), (-1.0, -1.0))
_STRAIGHT_ON = ((0.0, 0.0, 1.0), (0.0, 0.0, -1.0))  # angles of 0, read as a vector


def find_near_faces(truth: Truth, predictions: Predictions) -> Bools:
    """Find cheaply the faces (N,) that lie so near the true ones that nothing can be wrong.

    `_NEAR` rules out a single point half a face away, points in one place, shares of the picture
    and a face that is far off. A face that is not found may be near, too; none is found in layouts
    whose shape is not known. Worked out once for each pair of truth and predictions.
    """
    kept = _NEAR_OF.get(predictions)
    if kept is not None and kept[0]() is truth:
        return kept[1]
    near = np.zeros(len(truth.ids), bool)
    points = truth.values.shape[1]
    if predictions.values.ndim == 3 and points in _KNOWN_COUNTS:
        # two points are no further apart than the face is long
        spans = [(0, point) for point in ((points - 1) // 4, points // 3, points // 2)]
        squares, across = landmarks.sum_squares(truth.values, predictions.values, spans)
        near = (squares <= (_NEAR * across) ** 2 * points) & (across > _SMALLEST_FACE_PX)
        near &= ~predictions.failed
    _NEAR_OF[predictions] = (weakref.ref(truth), near)
    return near


def drop_placeholders(
    truth: Truth, predictions: Predictions, *, where: str, say: Say, refuse: bool = True
) -> Predictions:
    """Return predictions in the order of the truth with placeholders marked as failed, and say so.

    Raises ResultError where nothing but placeholders is there; with `refuse` also for landmarks
    that are no pixels, and for faces of which single points are placeholders. `where` names the
    file.
    """
    if predictions.values.ndim == 3:
        rows = np.flatnonzero(~find_near_faces(truth, predictions))
        if not len(rows):
            return predictions
        empty = np.zeros(len(truth.ids), bool)
        empty[rows] = _find_flat_faces(truth.values[rows], _take(predictions, rows))
        if refuse:
            _refuse_unusable_points(truth, predictions, empty, where)
        what = "no face, all or most points in one place"
    else:
        empty, what = _find_empty_gaze(predictions), "exactly zero or -1"
    if not empty.any():
        return predictions
    named = f"{where}: {count_ids(truth.ids[empty])} {what}"
    if (empty | predictions.failed).all():
        raise ResultError(f"{named}: placeholders, and no row is left to score")
    say(
        f"warning: {named}: a placeholder is no answer and counts as failed; write NaN throughout "
        "where nothing was found"
    )
    values = predictions.values.copy()
    values[empty] = np.nan
    return replace(predictions, values=values, failed=predictions.failed | empty)


def note_repeated_rows(truth: Truth, predictions: Predictions, *, where: str, say: Say) -> None:
    """Say which answers are one and the same, to the last bit, for items that are not alike.

    They count as they are: a baseline does so, and so does a tracker that has stopped. One
    photograph may be in a test set twice (300-W: ibug/image_105 and image_105_01).
    """
    repeated = _find_repeats(truth, predictions)
    if repeated.any():
        say(
            f"note: {where}: {count_ids(predictions.ids[repeated])} equal to another row to the "
            "last bit, as of a baseline or of a tracker that has stopped; they count as they are"
        )


def find_unit_rows(truth: Truth, predictions: Predictions) -> Bools:
    """Find the faces (N,) whose predicted points lie in 0 … 1 (or -1 … 1) though the face is large.

    Points all in one place are another matter.
    """
    found = np.zeros(len(truth.ids), bool)
    # NaN, of a point that is not marked, is not beyond; the first point leaves few to look at
    beyond = (np.abs(predictions.values[:, 0]) > _UNIT).any(axis=1)
    rows = np.flatnonzero(~beyond & ~predictions.failed & ~find_near_faces(truth, predictions))
    given = predictions.values[rows]
    within = ~(np.abs(given) > _UNIT).any(axis=(1, 2)) & (longer_sides(given) > 0)
    found[rows] = within & (longer_sides(truth.values[rows]) > _SMALLEST_FACE_PX)
    return found


def describe_unit_rows(ids: Strings, unit: Bools) -> str:
    """Say of faces (N,) found by `find_unit_rows` what is wrong with them, in a line."""
    return (
        f"the points of {count_ids(ids[unit])} between 0 and 1 (or -1 and 1): shares of the "
        "picture or of a crop, no pixels; multiply by width and height and, where it was a crop, "
        "add its corner"
    )


def count_ids(ids: Iterable[str]) -> str:
    """Name a few ids and how many there are: "3 rows (a, b, …) are"."""
    names = [str(key)[:80] for key in ids]
    shown = ", ".join(names[:3])
    if len(names) == 1:
        return f"1 row ({shown}) is"
    if len(names) > 3:
        shown += ", …"
    return f"{len(names)} rows ({shown}) are"


# --- landmarks ------------------------------------------------------------------------------------


def _refuse_unusable_points(
    truth: Truth, predictions: Predictions, flat: Bools, where: str
) -> None:
    """Raise ResultError for landmarks that are no pixels, or of which some are placeholders."""
    unit = find_unit_rows(truth, predictions)
    if 2 * int(unit.sum()) > int((~predictions.failed & ~(flat & ~unit)).sum()):
        raise ResultError(f"{where}: {describe_unit_rows(truth.ids, unit)}")
    _refuse_single_placeholders(truth, predictions, flat, where)


def _take(predictions: Predictions, rows: np.ndarray) -> Predictions:
    return Predictions(predictions.ids[rows], predictions.values[rows], predictions.failed[rows])


def _find_flat_faces(true: Floats, predictions: Predictions) -> Bools:
    """Find the faces (N,) that have all points, or more than half of them, in one place."""
    flat = np.zeros(len(true), bool)
    if predictions.values.shape[1] < _FEWEST_POINTS:
        return flat
    # three points first: hardly a face has them as near as that, and few are left to look at
    corners = predictions.values[:, [0, predictions.values.shape[1] // 2, -1]]
    rows = np.flatnonzero(~(longer_sides(corners) > _FLAT * _LARGEST_FACE_PX))
    sides = longer_sides(predictions.values[rows])
    flat[rows] = (sides == 0) | (sides <= _FLAT * longer_sides(true[rows]))
    # where most points coincide, two of them are neighbours, or half of an even number apart
    points = predictions.values.shape[1]
    apart = 2 if points % 2 else points
    for chunk in _chunks(len(flat)):
        given = predictions.values[chunk]
        numbers = given.reshape(len(given), -1)
        equal = numbers[:, apart:] == numbers[:, :-apart]
        following = (equal[:, ::2] & equal[:, 1::2]).any(axis=1)
        if following.any():
            inside = chunk.start + np.flatnonzero(following)
            flat[inside] |= _mostly_in_one_place(given[following])
    return flat & ~predictions.failed


def _mostly_in_one_place(points: Floats) -> Bools:
    """Tell of which faces (N, K, 2) more than half of the points coincide.

    The middle of the sorted coordinates is then theirs.
    """
    middle = points.shape[1] // 2
    place = np.partition(points, middle, axis=1)[:, middle]
    together = (points == place[:, None]).all(axis=2).sum(axis=1)
    mostly: Bools = 2 * together > points.shape[1]
    return mostly


def _refuse_single_placeholders(
    truth: Truth, predictions: Predictions, empty: Bools, where: str
) -> None:
    """Raise ResultError for faces, empty ones aside, of which single points are placeholders."""
    partly = np.zeros(len(empty), bool)
    doubtful = np.flatnonzero(~find_near_faces(truth, predictions))
    for chunk in _chunks(len(doubtful)):
        rows = doubtful[chunk]
        given, true = predictions.values[rows], truth.values[rows]
        for place in _PLACES:
            if not (given == place[0]).any():
                continue
            here = (given == place).all(axis=2)
            away = np.hypot(true[..., 0] - place[0], true[..., 1] - place[1])
            partly[rows] |= (here & (away > _FAR * longer_sides(true)[:, None])).any(axis=1)
    partly &= ~empty & ~predictions.failed
    if partly.any():
        raise ResultError(
            f"{where}: {count_ids(truth.ids[partly])} partly placeholders: single points at (0, 0) "
            "or (-1, -1), far from the face; a sample without an answer is NaN throughout"
        )


# --- gaze -----------------------------------------------------------------------------------------


def _find_empty_gaze(predictions: Predictions) -> Bools:
    """Find the rows (N,) that are exactly zero or -1, or straight on to the last bit, among others.

    Where answers repeat anyway, as those of a constant or of a classifier do, nothing is found.
    """
    values = predictions.values
    places = _PLACES if values.shape[1] == 2 else _STRAIGHT_ON
    here = np.zeros(len(values), bool)
    for place in places:
        here |= (values == np.array(place)).all(axis=1)
    here &= ~predictions.failed
    others = values[~here & ~predictions.failed]
    if not here.any() or 2 * len(np.unique(others, axis=0)) <= len(others):
        return np.zeros(len(values), bool)
    return here


# --- repeats --------------------------------------------------------------------------------------


def _find_repeats(truth: Truth, predictions: Predictions) -> Bools:
    """Find the answers (N,) that are equal in every number to that of an item unlike theirs."""
    flat = predictions.values.reshape(len(predictions.ids), -1)
    answered = np.flatnonzero(~predictions.failed)
    candidates = answered[find_repeated_numbers(flat[:, 0][answered])]
    first_row: dict[bytes, int] = {}
    repeated = np.zeros(len(flat), bool)
    for row in candidates.tolist():
        first = first_row.setdefault(flat[row].tobytes(), row)
        if first != row and not _are_alike(truth.values[first], truth.values[row]):
            repeated[[first, row]] = True
    return repeated


def _are_alike(one: Floats, other: Floats) -> bool:
    """Tell whether two labels are those of one picture, labelled twice."""
    apart = np.abs(one - other)
    if np.isnan(apart).all():
        return False
    return float(np.nanmax(apart)) <= _ALIKE * max(float(np.nanmax(one) - np.nanmin(one)), 1e-9)


def _chunks(count: int) -> Iterator[slice]:
    for start in range(0, count, _CHUNK_FACES):
        yield slice(start, min(start + _CHUNK_FACES, count))
