"""Whether labelled shapes are faces: placeholders, shares of a picture, order, turn, repeats.

A cheap look clears nearly all faces (`shape_fit.screen_shapes` and each face's least coordinate);
only what it does not clear is fitted point by point. The limits of the fit stand in `shape_fit`,
those of placeholders here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from benchbox.errors import DataError
from benchbox.layouts import LAYOUTS, layouts_with
from benchbox.repeated_numbers import find_repeated_numbers
from benchbox.types import Index

from . import shape_fit
from .label_fault import LabelFault, count_items, name_items

if TYPE_CHECKING:
    from benchbox.types import Bools, Floats

MOST_PLACEHOLDER_OFF = 0.75  # sizes by which a real point at the border may miss its place
FEWEST_REPEATED = 6  # points in one place that are no rounding
LARGEST_SHARE = shape_fit.NEAR_BORDER  # of a coordinate that is a share of the picture
_MOST_FITTED = 100  # faces over which a median of points is taken
_MOST_ROLLS = 2000  # over which one of rolls is taken

Reading = Callable[["Floats"], "Floats"]  # points (N, K, 2) as they are → as they may be meant


def find_landmark_faults(index: Index, layout: str) -> Iterator[LabelFault]:
    """Look at landmarks (N, K, 2); `layout` is "" for one that no table holds."""
    values = np.ascontiguousarray(index.values, np.float64)
    filled = _fill_absent(index, values)
    shapes, fitted = values, ""
    if layout:
        shapes, fitted = shape_fit.comparable_shapes(values, layout)
    residual = np.full(len(values), np.nan)
    roll_deg = np.zeros(len(values))
    if fitted:
        screen = shape_fit.screen_shapes(shapes, fitted)
        residual, roll_deg = screen.residual, screen.roll_deg
    if fitted == layout and fitted and index.absent is None:
        least = screen.least
    else:
        least = filled.min(axis=(1, 2))
    unfitted = np.flatnonzero(np.isnan(residual))
    least[unfitted[np.isinf(filled[unfitted]).any(axis=(1, 2))]] = np.nan
    unknown = np.flatnonzero(np.isnan(least))
    if len(unknown):
        what = f"{count_items(unknown, index)} have a point that is not a number"
        yield LabelFault("not a number", f"{what}: {name_items(index, unknown)}", final=True)
    shares = _find_shares(filled, least)
    if len(shares):
        what = (
            f"{count_items(shares, index)} have points between 0 and 1, shares of the picture "
            "where pixels belong"
        )
        named = f"{what}: {name_items(index, shares)}; multiply x by its width and y by its height"
        yield LabelFault("shares of the picture", named, final=True)
    passed = np.ones(len(values), bool)
    passed[unknown] = False
    passed[shares] = False
    over_all = residual if fitted == layout else np.full(len(values), np.nan)
    suspects = _find_suspects(values, index.origin, least, over_all)
    suspects = suspects[passed[suspects]]
    marks = placeholder_points(values[suspects], layout, index.origin)
    marked = suspects[marks.any(axis=1)]
    if len(marked):
        yield _placeholder_fault(index, marked, marks[marks.any(axis=1)][0])
    passed[marked] = False
    if fitted:
        yield from _shape_faults(_Shapes(index, layout, shapes, fitted, residual, roll_deg, passed))
    else:
        yield from _own_shape_faults(index, values, passed)
    yield from _repeated_faults(index, values, np.flatnonzero(passed))


def describe_gaps(layout: str, count: int) -> str:
    """Say what is not looked at in labels of a layout of `count` points; "" where all is.

    >>> describe_gaps("ibug68", 68)
    ''
    >>> describe_gaps("lapa106", 106)[:73]
    'lapa106: 68 of 106 points are compared with a mean face, those that map t'
    """
    if layout and shape_fit.has_mean_face(layout):
        return ""
    fitted, points = "", 0
    if layout:
        shapes, fitted = shape_fit.comparable_shapes(np.zeros((1, count, 2)), layout)
        points = shapes.shape[1]
    if fitted:
        return (
            f"{layout}: {points} of {count} points are compared with a mean face, those that map "
            f"to {fitted}; the order of the others is not looked at"
        )
    return (
        f"{layout or 'the own layout'}: no mean face of these {count} points is known: each shape "
        "is compared with the mean of the set, so that an order that all of them share, and labels "
        "that are all turned, are not found"
    )


# --- numbers --------------------------------------------------------------------------------------


def _fill_absent(index: Index, values: Floats) -> Floats:
    """Return the points (N, K, 2) with absent ones in the middle of the face's others.

    A face without any marked point stays NaN.
    """
    if index.absent is None:
        return values
    filled = values.copy()
    for row in np.flatnonzero(index.absent.any(axis=1)):
        marked = ~index.absent[row]
        if marked.any():
            filled[row, ~marked] = filled[row, marked].mean(axis=0)
    return filled


def _find_shares(values: Floats, least: Floats) -> np.ndarray:
    """Return the rows of shapes that lie within 0 … 1 or -1 … 1 and are no single place."""
    rows = np.flatnonzero(np.abs(least) <= LARGEST_SHARE)
    near = np.abs(values[rows]).max(axis=(1, 2)) <= LARGEST_SHARE
    spread = np.ptp(values[rows], axis=1).max(axis=1) > 0
    return np.asarray(rows[near & spread])


# --- placeholders ---------------------------------------------------------------------------------


def placeholder_points(values: Floats, layout: str, origin: float = 0.0) -> Bools:
    """Mark the points (N, K) of shapes (N, K, 2) px that stand for "not marked".

    A point at (0, 0), (-1, -1) or another whole x = y at or below 0, or one of many in one place,
    is compared with where the other points of its face want it: a real point at the picture's
    border is near there.

    Parameters
    ----------
    values
        Points in a file's own frame.
    layout
        Name of the layout.
    origin
        Coordinate of the first pixel's centre: points moved by it are known again.
    """
    suspected = _suspected_points(values, origin)
    marks = np.zeros(suspected.shape, bool)
    rows = np.flatnonzero(suspected.any(axis=1))
    if not len(rows):
        return marks
    without = np.where(suspected[rows, :, None], np.nan, values[rows])
    if shape_fit.has_mean_face(layout):
        fit = shape_fit.fit_mean_face(without, layout)
        off = np.linalg.norm(values[rows] - fit.places, axis=2) / fit.size_px[:, None]
    else:
        off = _distances_from_others(values[rows], without)
    near = off <= MOST_PLACEHOLDER_OFF  # False where too few points are left to tell
    marks[rows] = suspected[rows] & ~near
    return marks


def _find_suspects(values: Floats, origin: float, least: Floats, residual: Floats) -> np.ndarray:
    """Return the rows of faces that may have a placeholder.

    A face without a coordinate at or below 0 has none there. Points in one place that are far from
    where they belong leave at least what two points as far off leave.
    """
    at_border = least <= max(0.0, origin)
    two_points_off = MOST_PLACEHOLDER_OFF * np.sqrt(2 / values.shape[1])
    return np.flatnonzero(at_border | ~(residual < two_points_off))


def _distances_from_others(values: Floats, without: Floats) -> Floats:
    """Return how far points (M, K, 2) are from the nearest of some others, in sizes of those.

    For layouts without a mean face; NaN where there are no others.
    """
    off = np.full(values.shape[:2], np.nan)
    for row, (points, others) in enumerate(zip(values, without, strict=True)):
        kept = others[np.isfinite(others).all(axis=1)]
        if len(kept) < 2:
            continue
        size = np.sqrt(((kept - kept.mean(axis=0)) ** 2).sum(axis=1).mean())
        gaps = np.linalg.norm(points[:, None] - kept[None], axis=2).min(axis=1)
        off[row] = gaps / max(size, 1e-9)
    return off


def _suspected_points(values: Floats, origin: float) -> Bools:
    """Mark points (N, K) that look like a placeholder, whatever face they belong to."""
    x, y = values[..., 0], values[..., 1]
    suspected = np.zeros(x.shape, bool)
    for shift in {0.0, origin}:
        whole = (x - shift == y - shift) & (x - shift <= 0) & (np.rint(x - shift) == x - shift)
        suspected |= whole
    # points that are equal have equal x: of sorted ones, the first and the last of so many
    ordered = np.sort(x, axis=1)
    apart = FEWEST_REPEATED - 1
    many = (ordered[:, apart:] == ordered[:, :-apart]).any(axis=1)
    for row in np.flatnonzero(many):
        _, which, counts = np.unique(values[row], axis=0, return_inverse=True, return_counts=True)
        suspected[row] |= counts[which.ravel()] >= FEWEST_REPEATED
    return suspected


def _placeholder_fault(index: Index, rows: np.ndarray, marks: Bools) -> LabelFault:
    """Name faces with placeholders; `marks` (K,) are those of the first."""
    points = np.flatnonzero(marks)
    x, y = index.values[rows[0], points[0]]
    if len(points) == len(marks):
        shown = f"all points at ({x:g}, {y:g})"
    else:
        shown = f"{len(points)} points such as {points[0]} at ({x:g}, {y:g})"
    what = (
        f"{count_items(rows, index)} have placeholders where points belong, the first one {shown}: "
        f"{name_items(index, rows)}"
    )
    return LabelFault("placeholder", what, final=True)


# --- shapes ---------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Shapes:
    """Labels and what a cheap look says of them."""

    index: Index
    layout: str  # of the labels
    points: Floats  # (N, K, 2) as compared: of the layout `fitted`
    fitted: str
    residual: Floats  # (N,)
    roll_deg: Floats  # (N,)
    passed: Bools  # (N,) whose numbers can be a face

    @property
    def is_face(self) -> Bools:
        """Say which shapes (N,) are a face of the layout."""
        return self.passed & (self.residual <= shape_fit.MOST_RESIDUAL)


def _shape_faults(shapes: _Shapes) -> Iterator[LabelFault]:
    """Say which faces that passed so far are no face, are turned, or have points in disorder."""
    is_face = shapes.is_face
    strange = np.flatnonzero(shapes.passed & ~is_face)
    readings = _best_readings(shapes)
    if len(strange):
        yield _strange_fault(shapes, strange, readings)
    slipped = np.array([row for row in readings if is_face[row]], np.intp)
    if len(slipped):
        words, left = readings[int(slipped[0])]
        what = (
            f"{count_items(slipped, shapes.index)} fit {shapes.layout} better with {words}: the "
            f"fit of the mean face leaves {left:.2f} of the first one's size then, "
            f"{shapes.residual[slipped[0]]:.2f} as it is: {name_items(shapes.index, slipped)}"
        )
        yield LabelFault("points in another order", what)
    sound = is_face.copy()
    sound[slipped] = False
    yield from _outlying_faults(shapes, sound)
    yield from _turned_faults(shapes, np.flatnonzero(is_face))
    if not len(slipped) or sound.sum() > len(slipped):
        yield from _order_faults(shapes, np.flatnonzero(sound))


def _strange_fault(
    shapes: _Shapes, strange: np.ndarray, readings: Mapping[int, tuple[str, float]]
) -> LabelFault:
    worst = float(np.nanmax(shapes.residual[strange], initial=0.0))
    said = Counter(readings[row][0] for row in strange.tolist() if row in readings)
    meant = ""
    for words, count in said.most_common(1):
        if count > 0.9 * len(strange):
            meant = f" (they are faces with {words})"
    what = (
        f"{count_items(strange, shapes.index)} are no face of {shapes.layout}: a fit of the mean "
        f"face leaves up to {worst:.2f} of their size, faces leave at most "
        f"{shape_fit.MOST_RESIDUAL}{meant}: {name_items(shapes.index, strange)}"
    )
    return LabelFault("no face of the layout", what)


def _best_readings(shapes: _Shapes) -> dict[int, tuple[str, float]]:
    """Return for some shapes, by row, the slip that, undone, fits far better, and what it leaves.

    Only shapes that fit poorly are asked.
    """
    doubtful = shapes.passed & ~(shapes.residual <= shape_fit.DOUBTFUL_RESIDUAL)
    rows = np.flatnonzero(doubtful)
    found: dict[int, tuple[str, float]] = {}
    if not len(rows):
        return found
    values = np.asarray(shapes.index.values[rows], np.float64)
    most = shape_fit.BETTER_READING * np.nan_to_num(shapes.residual[rows], nan=1.0)
    most = np.minimum(most, shape_fit.MOST_RESIDUAL)
    for words, layout, reading in _readings(shapes.layout):
        points, fitted = shape_fit.comparable_shapes(reading(values), layout)
        screen = shape_fit.screen_shapes(points, fitted)
        upright = np.abs(screen.roll_deg) < shape_fit.MOST_ROLL_DEG
        for at in np.flatnonzero(upright & (screen.residual < most)).tolist():
            most[at] = screen.residual[at]
            found[int(rows[at])] = (words, float(most[at]))
    return dict(sorted(found.items()))


def _readings(layout: str) -> Iterator[tuple[str, str, Reading]]:
    """Yield what may have happened to labels, as words, layout and how it is undone."""
    flip = list(LAYOUTS[layout].flip)
    count = len(flip)
    by_name = np.argsort(sorted(range(count), key=str)).tolist()
    other_end = list(range(count))[::-1]
    yield "left and right exchanged", layout, partial(_take_points, flip)
    yield "x and y exchanged", layout, lambda points: points[..., ::-1]
    yield "y counted from below", layout, lambda points: points * [1, -1]
    yield "their points counted from the other end", layout, partial(_take_points, other_end)
    yield (
        "their points in the order of names sorted as text",
        layout,
        partial(_take_points, by_name),
    )
    yield "all x before all y", layout, _pair_halves
    for steps in (1, -1, 2, -2):
        words = f"{abs(steps)} place{'s' * (abs(steps) > 1)} {'on' if steps > 0 else 'back'}"
        order = np.roll(np.arange(count), -steps).tolist()
        yield f"every point {words}", layout, partial(_take_points, order)
    for name, order in _part_orders(layout):
        yield name, layout, partial(_take_points, order)
    for other in layouts_with(count):
        known = shape_fit.comparable_shapes(np.zeros((0, count, 2)), other)[1]
        if other != layout and known:
            yield f"their points in the order of {other}", other, lambda points: points


def _take_points(order: Sequence[int], points: Floats) -> Floats:
    return points[:, list(order)]


def _pair_halves(points: Floats) -> Floats:
    """Undo a row of all x and then all y that was read in pairs."""
    flat = points.reshape(len(points), -1)
    half = points.shape[1]
    return np.stack([flat[:, :half], flat[:, half:]], axis=2)


def _part_orders(layout: str) -> Iterator[tuple[str, list[int]]]:
    """Yield orders in which the points of a pair of parts are exchanged, or a part is reversed."""
    entry = LAYOUTS[layout]
    for name, points in entry.parts.items():
        if not name.startswith("left_") or name.replace("left_", "right_") not in entry.parts:
            continue
        order = list(range(entry.count))
        for point in (*points, *entry.parts[name.replace("left_", "right_")]):
            order[point] = entry.flip[point]
        yield f"left and right {name.removeprefix('left_')} exchanged", order
    for name, points in entry.parts.items():
        if len(points) < 6:
            continue
        order = list(range(entry.count))
        for point, other in zip(points, reversed(points), strict=True):
            order[point] = other
        yield f"the {name.replace('_', ' ')} counted from the other end", order


def _outlying_faults(shapes: _Shapes, faces: Bools) -> Iterator[LabelFault]:
    """Name faces with a point far off; the fit leaves as much of a face as its worst point does."""
    enough = shape_fit.MOST_OFF / np.sqrt(shapes.points.shape[1])
    rows = np.flatnonzero(faces & (shapes.residual >= enough))
    if not len(rows):
        return
    off = np.nan_to_num(shape_fit.fit_mean_face(shapes.points[rows], shapes.fitted).off)
    far = off.max(axis=1) > shape_fit.MOST_OFF
    if not far.any():
        return
    outlying, first = rows[far], off[far][0]
    what = (
        f"{count_items(outlying, shapes.index)} have a point far from its face, in the first one "
        f"point {int(first.argmax())}, {first.max():.1f} face sizes off: "
        f"{name_items(shapes.index, outlying)}"
    )
    yield LabelFault("a point far off", what)


def _turned_faults(shapes: _Shapes, rows: np.ndarray) -> Iterator[LabelFault]:
    """Look at the roll of the faces in some rows."""
    if not len(rows):
        return
    median = float(np.median(np.abs(shapes.roll_deg[_spaced(rows, _MOST_ROLLS)])))
    if len(rows) >= shape_fit.FEWEST_FACES and median > shape_fit.MOST_ROLL_DEG:
        what = (
            f"most faces are turned in their picture, by {median:.0f}° (median of "
            f"{len(rows)}): are labels and pictures of one orientation? "
            f"First {name_items(shapes.index, rows[:1])}"
        )
        yield LabelFault("turned labels", what)
        return
    turned = rows[np.abs(shapes.roll_deg[rows]) > shape_fit.MOST_SINGLE_ROLL_DEG]
    if len(turned):
        what = (
            f"{count_items(turned, shapes.index)} stand on their head, turned by "
            f"{abs(shapes.roll_deg[turned[0]]):.0f}°: {name_items(shapes.index, turned)}"
        )
        yield LabelFault("turned labels", what)


# --- order, over a set ----------------------------------------------------------------------------


def _order_faults(shapes: _Shapes, rows: np.ndarray) -> Iterator[LabelFault]:
    """Say which points lie, in the median of a set's faces, where the layout has others."""
    if len(rows) < shape_fit.FEWEST_FACES:
        return
    few = _spaced(rows, _MOST_FITTED)
    fit = shape_fit.fit_mean_face(shapes.points[few], shapes.fitted)
    median = _median_over_faces(fit.off)
    disordered = np.flatnonzero(median > shape_fit.MOST_MEDIAN_OFF)
    first = name_items(shapes.index, few[:1])
    if len(disordered):
        numbers = ", ".join(map(str, disordered[:8]))
        what = (
            f"points {numbers} lie {median[disordered].max():.2f} of the face's size from "
            f"where {shapes.fitted} has them, the median of {len(few)} faces "
            f"(at most {shape_fit.MOST_MEDIAN_OFF} is usual): are they in the layout's order? "
            f"First {first}"
        )
        yield LabelFault("points in another order, over a set", what)
        return
    slips = list(_slipped_parts(shapes.points[few], fit, shapes.fitted))
    if slips:
        what = (
            f"{', '.join(slips)}, over {len(few)} faces: are the points in the order of "
            f"{shapes.layout}? First {first}"
        )
        yield LabelFault("points in another order, over a set", what)


def _spaced(rows: np.ndarray, most: int) -> np.ndarray:
    """Return some rows, evenly spaced, at most so many."""
    return np.asarray(rows[np.linspace(0, len(rows) - 1, min(len(rows), most)).astype(np.intp)])


def _median_over_faces(off: Floats) -> Floats:
    """Return the median (K,) of distances (N, K), 0 where too few faces have the point."""
    marked = np.isfinite(off).sum(axis=0) >= shape_fit.FEWEST_FACES
    median = np.zeros(off.shape[1])
    median[marked] = _median(off[:, marked])
    return median


def _median(columns: Floats) -> Floats:
    """Return the median (K,) of columns (N, K), NaN left out; that takes 20 times as long."""
    if np.isfinite(columns).all():
        return np.asarray(np.median(columns, axis=0))
    return np.asarray(np.nanmedian(columns, axis=0))


def _slipped_parts(points: Floats, fit: shape_fit.ShapeFit, layout: str) -> Iterator[str]:
    """Name the parts whose points, in the median, fit better one place on or reversed."""
    turn = np.exp(-1j * np.radians(fit.roll_deg)) / fit.size_px
    away = ((points - fit.places) @ np.array([1, 1j])) * turn[:, None]
    known = np.isfinite(away).sum(axis=0) >= shape_fit.FEWEST_FACES
    face = shape_fit.mean_face(layout)[:, :2] @ np.array([1, 1j])
    face = face - face.mean()
    face /= np.sqrt((np.abs(face) ** 2).mean())
    middle = np.full(len(face), np.nan, complex)
    middle[known] = _median(away.real[:, known]) + 1j * _median(away.imag[:, known])
    for name, part in LAYOUTS[layout].parts.items():
        at = np.array(part, np.intp)
        if len(at) < 3 or not known[at].all():
            continue
        seen = face[at] + middle[at]
        kept = _apart(seen, face[at])
        orders = {
            "one place on": np.roll(at, 1),
            "one place back": np.roll(at, -1),
            "from the other end": at[::-1],
        }
        left = {words: _apart(seen, face[order]) for words, order in orders.items()}
        best = min(left, key=lambda words: left[words])
        if left[best] < shape_fit.BETTER_PART * kept:
            yield f"the points of the {name.replace('_', ' ')} are counted {best}"


def _apart(seen: np.ndarray, wanted: np.ndarray) -> float:
    """Return how far places (K,) are from others, their common shift aside."""
    difference = (seen - seen.mean()) - (wanted - wanted.mean())
    return float(np.sqrt((np.abs(difference) ** 2).mean()))


# --- without a mean face, and repeats -------------------------------------------------------------


def _own_shape_faults(index: Index, values: Floats, passed: Bools) -> Iterator[LabelFault]:
    rows = np.flatnonzero(passed)
    left = shape_fit.own_residuals(values[rows])
    strange = rows[left > shape_fit.MOST_OWN_RESIDUAL]
    if not len(strange):
        return
    what = (
        f"{count_items(strange, index)} are not of the shape of the others: a fit of their mean "
        f"leaves up to {np.nanmax(left):.2f} of their size (at most {shape_fit.MOST_OWN_RESIDUAL} "
        f"is usual): {name_items(index, strange)}"
    )
    yield LabelFault("no face of the layout", what)


def _repeated_faults(index: Index, values: Floats, rows: np.ndarray) -> Iterator[LabelFault]:
    """Find items whose labels are the same number for number.

    Of one cluster, part and picture it is one face that stands there twice; of two clusters one of
    the labels is another face's. Frames of one video may be alike.
    """
    first_with: dict[bytes, int] = {}
    again, twice = [], []
    for row in rows[find_repeated_numbers(values[:, 0, 0][rows])].tolist():
        twin = first_with.setdefault(values[row].tobytes(), row)
        if index.clusters[twin] != index.clusters[row]:
            again.append((twin, row))
        elif twin != row and _is_one_picture(index, twin, row):
            twice.append((twin, row))
    if twice:
        pair = list(twice[0])
        what = (
            f"{len(twice)} of {len(index.ids)} items repeat another one of the same cluster, point "
            f"for point, and weigh once more in every mean; first {name_items(index, pair)}"
        )
        yield LabelFault("a face listed twice", what)
    if again:
        pair = list(again[0])
        what = (
            f"{len(again)} of {len(index.ids)} items have the labels of another one, number for "
            f"number; first {name_items(index, pair)}"
        )
        yield LabelFault("labels of another face", what)


def _is_one_picture(index: Index, first: int, second: int) -> bool:
    """Tell whether two rows of one list are of one picture; yes where no picture is there."""
    if index.parts[first] != index.parts[second]:
        return False
    if index.cache_key is None:
        return True
    try:
        return index.cache_key(first) == index.cache_key(second)
    except DataError:
        return True
