"""What is looked at in labels and boxes before a number is made of them.

`data verify` runs these checks on a whole copy and calls what they find wrong. `run`, `score` and
`explain` run them on the rows that they use: what is no label at all (a placeholder, a share of the
picture in place of pixels, a direction without length) is refused, what is a label of something
else is said in a warning. A fault names items, the files that their labels stand in, and what was
measured. The limits of the fit to a mean face stand in `shape_fit`, all the others here; `CHECKS`
says them in words, with what they rest on, and is what the documentation shows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from benchbox import geometry
from benchbox.errors import DataError
from benchbox.geometry import vectors_to_angles
from benchbox.layouts import LAYOUTS
from benchbox.types import Index, Protocol

from . import select, shape_fit
from .assemble import EXTRA
from .check_row import Check
from .index import take_rows
from .shape_fit import ShapeFit

if TYPE_CHECKING:
    from benchbox.types import Bools, Floats

MOST_PLACEHOLDER_OFF = 0.75  # sizes by which a real point at the border may miss its place
FEWEST_REPEATED = 6  # points in one place that are no rounding
LARGEST_SHARE = 1.5  # of a coordinate that is a share of the picture, with some room
LEAST_BOX_IOU = 0.1  # below it a box is beside its face
LEAST_MEDIAN_IOU = 0.2  # of a set's boxes
MOST_BESIDE = 0.01  # share of the boxes that may be, as released sets have them
BETTER_IOU = 0.15  # by which another reading of the boxes must fit better
UNIT_SLACK = 1e-3  # of the length of a direction
LARGEST_GAZE_CM = 100.0
LEAST_GAZE_SPREAD_DEG = 0.5  # standard deviation over a set of many
LEAST_GAZE_SPREAD_CM = 0.2
FEWEST_DIRECTIONS = 30  # of which sign, spread and the head tell something
MANY_ITEMS = 50  # of which a spread or a mean tells something
_SHOWN = 4  # items named in a message


CHECKS = (
    Check(
        "not a number",
        "labels of every kind",
        "every number is finite",
        "formats of public sets hold no other",
        "verify: wrong; run, score, explain: refused",
    ),
    Check(
        "placeholder",
        "points at (0, 0), (-1, -1) or another x = y at or below 0, points in one place",
        f"such a point may be {MOST_PLACEHOLDER_OFF} face sizes from where the fit of the other "
        f"points puts it; fewer than {FEWEST_REPEATED} points may share a place",
        "2,701 faces of 300-W: a point is at most 0.70 sizes off, at most 2 share a place; "
        "3,462 frames of YTF-68 in whole pixels: at most 5 share one",
        "verify: wrong; run, score, explain: refused",
    ),
    Check(
        "shares of the picture",
        "points all within 0 … 1, or -1 … 1",
        f"some coordinate is beyond {LARGEST_SHARE}",
        "no face is so small in pixels",
        "verify: wrong; run, score, explain: refused",
    ),
    Check(
        "no face of the layout",
        "a fit of the layout's mean face, turned to 21 poses, by rotation, scale and shift",
        f"it leaves at most {shape_fit.MOST_RESIDUAL} of the face's size",
        "300-W at most 0.31, YTF-68 0.479; exchanged, mirrored or reversed points 0.69 to 0.98, "
        "every point one place on 0.49 to 0.60",
        "verify: wrong; run: warning",
    ),
    Check(
        "a point far off",
        "each point's distance from where that fit puts it",
        f"at most {shape_fit.MOST_OFF} sizes of the face",
        "300-W at most 0.70; two frames of YTF-68 2.1 and 2.5, all others at most 0.96",
        "verify: wrong; run: warning",
    ),
    Check(
        "points in another order",
        f"the median of that distance, point by point, over {shape_fit.FEWEST_FACES} faces or more",
        f"at most {shape_fit.MOST_MEDIAN_OFF} sizes of the face",
        "300-W and YTF-68, any four faces, at most 0.36; corners of an eye exchanged 0.44 to 0.60, "
        "nostrils 0.54 to 0.69, one eye for the other 0.96 to 1.18",
        "verify: wrong; run: warning",
    ),
    Check(
        "turned labels",
        "the roll of that fit",
        f"at most {shape_fit.MOST_SINGLE_ROLL_DEG:.0f}° for a face, "
        f"{shape_fit.MOST_ROLL_DEG:.0f}° for the median of a set",
        "300-W at most 38°, YTF-68 at most 34°; turned by 180° at least 142°",
        "verify: wrong; run: warning",
    ),
    Check(
        "labels of another face",
        "two items of different photos or people with the same numbers throughout",
        "none",
        "none in 300-W; YTF-68 has three pairs of frames, each of one video",
        "verify: wrong; run: warning",
    ),
    Check(
        "boxes read otherwise",
        "boxes as x y width height, as corners, about a centre, with x and y exchanged",
        f"none shares {BETTER_IOU} more of its area with the points than the boxes as read",
        "a box in the right convention shares 0.5 to 1 of its area with that of the points",
        "verify: wrong; run: warning",
    ),
    Check(
        "boxes beside the face",
        "the area that a box shares with that of the points",
        f"at least {LEAST_BOX_IOU}, but for {MOST_BESIDE:.0%} of the items; "
        f"{LEAST_MEDIAN_IOU} for the median of a set",
        "300-W's detector boxes share 0.26 or more; WFLW's release has a few beside their face",
        "verify: wrong; run: warning",
    ),
    Check(
        "directions of gaze",
        "3-D gaze: length 1, most of it towards the camera, "
        f"a spread of {LEAST_GAZE_SPREAD_DEG}° or more over {MANY_ITEMS} items",
        f"length within {UNIT_SLACK}; the mean's z is above 0",
        "degrees that were taken for radians are out of range, "
        "radians taken for degrees spread over a sixtieth of what they should",
        "verify: wrong; run: refused without length 1, else warning",
    ),
    Check(
        "pitch and yaw",
        "gaze and head pose, where a set has both: pitch with pitch and yaw with yaw",
        "they do not go together better crosswise or with a sign turned",
        "of MPIIGaze's fifteen people 13 turn eyes and head the same way",
        "verify: wrong; run: warning",
    ),
    Check(
        "places on a screen",
        "2-D gaze: cm from the camera",
        f"within {LARGEST_GAZE_CM:.0f} cm; over {MANY_ITEMS} items a spread of "
        f"{LEAST_GAZE_SPREAD_CM} cm or more",
        "an iPad Pro is 26 cm long; metres would spread over less than 0.2, "
        "millimetres reach beyond 100",
        "verify: wrong; run: refused beyond the range, else warning",
    ),
)


@dataclass(frozen=True)
class LabelFault:
    """What a check found, in one line."""

    check: str  # a name of `CHECKS`
    what: str
    refused: bool = False  # no number may come of it


# --- who asks -------------------------------------------------------------------------------------


def find_faults(index: Index, layout: str) -> list[LabelFault]:
    """Look at all labels of an index; `layout` is "" for gaze, and for one without a mean face.

    Boxes are looked at by `find_box_faults`. Unlabelled extras, whose labels are NaN, are passed
    over.
    """
    index = take_rows(index, np.flatnonzero(index.parts != EXTRA))
    if not len(index.ids):
        return []
    if index.values.ndim == 3:
        return list(_landmark_faults(index, layout))
    if index.values.ndim == 2 and index.values.shape[1] == 3:
        return list(_direction_faults(index))
    if index.values.ndim == 2:
        return list(_screen_faults(index))
    return []


def used_rows(protocol: Protocol, index: Index, *, training: bool = True) -> np.ndarray:
    """Return the labelled rows that a protocol uses: those it tests on, and trains on."""
    members = [*protocol.groups[protocol.overall]]
    if training:
        members += [*protocol.train_parts, *protocol.validation_parts]
    return np.flatnonzero(select.select_rows(index, members) & (index.parts != EXTRA))


def warn_of_faults(protocol: Protocol, index: Index, *, training: bool = True) -> list[str]:
    """Look at the labels that a protocol uses, and in training at its boxes; return warnings.

    Raises
    ------
    DataError
        A label is none: names items and files, and what to do.
    """
    used = take_rows(index, used_rows(protocol, index, training=training))
    faults = []
    layout = protocol.layout
    if protocol.own_layout is not None:
        layout = ""  # of which no mean face is known
    for fault in find_faults(used, layout):
        if protocol.rotation and fault.check == "turned labels":
            continue  # as the card's option asks
        faults.append(fault)
    if training:
        faults += find_box_faults(used, (protocol.box,))
    for fault in faults:
        if fault.refused:
            raise DataError(
                f"{protocol.name}: {fault.what}; mend the labels or leave these items out "
                "(`benchbox data verify` lists every fault)"
            )
    return [fault.what for fault in faults]


# --- words ----------------------------------------------------------------------------------------


def name_items(index: Index, rows: Sequence[int] | np.ndarray) -> str:
    """Name the first few items of some rows, each with the file that its label stands in."""
    shown = []
    for row in list(rows)[:_SHOWN]:
        name = str(index.ids[row])
        place = ""
        if index.label_place is not None:
            place = index.label_place(int(row))
        if place:
            name += f" ({place})"
        shown.append(name)
    if len(rows) > _SHOWN:
        shown.append("…")
    return ", ".join(shown)


def _count(rows: Sequence[int] | np.ndarray, index: Index) -> str:
    return f"{len(rows)} of {len(index.ids)} items"


# --- landmarks ------------------------------------------------------------------------------------


def _fill_absent(index: Index) -> Floats:
    """Return the points (N, K, 2) with absent ones in the middle of the face's others.

    A face without any marked point stays NaN.
    """
    values = np.array(index.values, np.float64)
    if index.absent is None:
        return values
    for row in np.flatnonzero(index.absent.any(axis=1)):
        marked = ~index.absent[row]
        if marked.any():
            values[row, ~marked] = values[row, marked].mean(axis=0)
    return values


def _landmark_faults(index: Index, layout: str) -> Iterator[LabelFault]:
    values = np.asarray(index.values, np.float64)
    filled = _fill_absent(index)
    unknown = np.flatnonzero(~np.isfinite(filled).all(axis=(1, 2)))
    if len(unknown):
        what = f"{_count(unknown, index)} have a point that is not a number"
        yield LabelFault("not a number", f"{what}: {name_items(index, unknown)}", refused=True)
    size = np.ptp(filled, axis=1).max(axis=1)
    shares = np.flatnonzero((np.abs(filled).max(axis=(1, 2)) <= LARGEST_SHARE) & (size > 0))
    if len(shares):
        what = (
            f"{_count(shares, index)} have points between 0 and 1, shares of the picture "
            "where pixels belong"
        )
        named = f"{what}: {name_items(index, shares)}; multiply x by its width and y by its height"
        yield LabelFault("shares of the picture", named, refused=True)
    passed = np.ones(len(values), bool)
    passed[unknown] = False
    passed[shares] = False
    marks = placeholder_points(values, layout, index.origin)
    marked = np.flatnonzero(marks.any(axis=1) & passed)
    if len(marked):
        yield _placeholder_fault(index, marked, marks)
    passed[marked] = False
    if shape_fit.has_mean_face(layout):
        fit = shape_fit.fit_mean_face(values, layout)
        yield from _shape_faults(index, layout, fit, passed)
    yield from _repeated_faults(index, np.flatnonzero(passed))


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
    order = np.lexsort((y, x), axis=-1)
    sorted_x, sorted_y = np.take_along_axis(x, order, 1), np.take_along_axis(y, order, 1)
    same = (np.diff(sorted_x) == 0) & (np.diff(sorted_y) == 0)
    for row in np.flatnonzero(same.sum(axis=1) >= FEWEST_REPEATED - 1):
        places, which, counts = np.unique(
            values[row], axis=0, return_inverse=True, return_counts=True
        )
        del places
        suspected[row] |= counts[which.ravel()] >= FEWEST_REPEATED
    return suspected


def _placeholder_fault(index: Index, rows: np.ndarray, marks: Bools) -> LabelFault:
    first = rows[0]
    points = np.flatnonzero(marks[first])
    x, y = index.values[first, points[0]]
    if len(points) == marks.shape[1]:
        shown = f"all points at ({x:g}, {y:g})"
    else:
        shown = f"{len(points)} points such as {points[0]} at ({x:g}, {y:g})"
    what = (
        f"{_count(rows, index)} have placeholders where points belong, the first one {shown}: "
        f"{name_items(index, rows)}"
    )
    return LabelFault("placeholder", what, refused=True)


def _shape_faults(index: Index, layout: str, fit: ShapeFit, passed: Bools) -> Iterator[LabelFault]:
    """Say which faces that passed so far are no face, are turned, or have points in disorder."""
    strange = np.flatnonzero(passed & ~fit.is_face)
    if len(strange):
        worst = float(np.nanmax(fit.residual[strange], initial=0.0))
        what = (
            f"{_count(strange, index)} are no face of {layout}: a fit of the mean face leaves up "
            f"to {worst:.2f} of their size, faces leave at most {shape_fit.MOST_RESIDUAL}"
            f"{_name_reading(index.values[strange], layout)}: {name_items(index, strange)}"
        )
        yield LabelFault("no face of the layout", what)
    faces = passed & fit.is_face
    outlying = np.flatnonzero(faces & (np.nan_to_num(fit.off).max(axis=1) > shape_fit.MOST_OFF))
    if len(outlying):
        point = int(np.nanargmax(fit.off[outlying[0]]))
        what = (
            f"{_count(outlying, index)} have a point far from its face, in the first one point "
            f"{point}, {fit.off[outlying[0], point]:.1f} face sizes off: "
            f"{name_items(index, outlying)}"
        )
        yield LabelFault("a point far off", what)
    yield from _turned_faults(index, fit, faces)
    if faces.sum() >= shape_fit.FEWEST_FACES:
        median = _median_over_faces(fit.off[faces])
        disordered = np.flatnonzero(median > shape_fit.MOST_MEDIAN_OFF)
        if len(disordered):
            numbers = ", ".join(map(str, disordered[:8]))
            what = (
                f"points {numbers} lie {median[disordered].max():.2f} of the face's size from "
                f"where {layout} has them, the median of {int(faces.sum())} faces "
                f"(at most {shape_fit.MOST_MEDIAN_OFF} is usual): are they in the layout's order? "
                f"First {name_items(index, np.flatnonzero(faces)[:1])}"
            )
            yield LabelFault("points in another order", what)


def _median_over_faces(off: Floats) -> Floats:
    """Return the median (K,) of distances (N, K), 0 where too few faces have the point."""
    marked = np.isfinite(off).sum(axis=0) >= shape_fit.FEWEST_FACES
    median = np.zeros(off.shape[1])
    median[marked] = np.nanmedian(off[:, marked], axis=0)
    return median


def _turned_faults(index: Index, fit: ShapeFit, faces: Bools) -> Iterator[LabelFault]:
    rows = np.flatnonzero(faces)
    if not len(rows):
        return
    median = float(np.median(np.abs(fit.roll_deg[rows])))
    if len(rows) >= shape_fit.FEWEST_FACES and median > shape_fit.MOST_ROLL_DEG:
        what = (
            f"most faces are turned in their picture, by {median:.0f}° (median of "
            f"{len(rows)}): are labels and pictures of one orientation? "
            f"First {name_items(index, rows[:1])}"
        )
        yield LabelFault("turned labels", what)
        return
    turned = np.flatnonzero(faces & fit.is_upside_down)
    if len(turned):
        what = (
            f"{_count(turned, index)} stand on their head, turned by "
            f"{abs(fit.roll_deg[turned[0]]):.0f}°: {name_items(index, turned)}"
        )
        yield LabelFault("turned labels", what)


def _name_reading(values: Floats, layout: str) -> str:
    """Say under which other reading shapes (M, K, 2) are faces, as words of a message; or ""."""
    count = LAYOUTS[layout].count
    by_name = np.argsort(sorted(range(count), key=str))
    readings: tuple[tuple[str, Callable[[Floats], Floats]], ...] = (
        ("left and right exchanged", lambda points: points[:, list(LAYOUTS[layout].flip)]),
        ("x and y exchanged", lambda points: points[..., ::-1]),
        ("y counted from below", lambda points: points * [1, -1]),
        ("their points counted from the other end", lambda points: points[:, ::-1]),
        ("their points in the order of names sorted as text", lambda points: points[:, by_name]),
    )
    for words, reading in readings:
        fit = shape_fit.fit_mean_face(reading(values), layout)
        upright = np.abs(fit.roll_deg) < shape_fit.MOST_ROLL_DEG
        if (fit.is_face & upright).mean() > 0.9:
            return f" (they are faces with {words})"
    return ""


def _repeated_faults(index: Index, rows: np.ndarray) -> Iterator[LabelFault]:
    """Find items of different clusters whose labels are the same number for number."""
    if len(rows) < 2:
        return
    first_with: dict[bytes, int] = {}
    again = []
    for row in rows.tolist():
        twin = first_with.setdefault(hashlib.blake2b(index.values[row].tobytes()).digest(), row)
        if index.clusters[twin] != index.clusters[row]:
            again.append((twin, row))
    if again:
        pair = list(again[0])
        what = (
            f"{len(again)} of {len(index.ids)} items have the labels of another one, number for "
            f"number; first {name_items(index, pair)}"
        )
        yield LabelFault("labels of another face", what)


# --- boxes ----------------------------------------------------------------------------------------


def find_box_faults(index: Index, sources: Sequence[str]) -> list[LabelFault]:
    """Compare the boxes of some sources with the points of their items; gaze has no points."""
    faults: list[LabelFault] = []
    if index.values.ndim != 3 or not len(index.ids):
        return faults
    tight = geometry.tight_box(index.values)
    for source in sources:
        if source in index.boxes and source != "ground_truth":
            faults += _source_faults(index, source, tight)
    return faults


def _source_faults(index: Index, source: str, tight: Floats) -> Iterator[LabelFault]:
    boxes = index.boxes[source]
    rows = np.flatnonzero(np.isfinite(boxes).all(axis=1) & np.isfinite(tight).all(axis=1))
    if not len(rows):
        return
    iou = box_iou(boxes[rows], tight[rows])
    median = float(np.median(iou))
    for words, reading in _BOX_READINGS.items():
        read_so = float(np.median(box_iou(reading(boxes[rows]), tight[rows])))
        if read_so > median + BETTER_IOU:
            what = (
                f"{source} boxes are {words}: read so they share {read_so:.2f} of their area with "
                f"that of the points, as they are read {median:.2f} (median of {len(rows)}); "
                f"first {name_items(index, rows[:1])}"
            )
            yield LabelFault("boxes read otherwise", what)
            return
    beside = rows[iou < LEAST_BOX_IOU]
    if len(beside) > MOST_BESIDE * len(rows) or median < LEAST_MEDIAN_IOU:
        if not len(beside):
            beside = rows[np.argsort(iou)]
        what = (
            f"{source}: {len(beside)} of {len(rows)} boxes lie beside their face (they share "
            f"{median:.2f} of their area with that of the points, the median): "
            f"{name_items(index, beside)}; other order, unit or picture?"
        )
        yield LabelFault("boxes beside the face", what)


def _corners_taken_for_sizes(boxes: Floats) -> Floats:
    return np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1)


def _sizes_taken_for_corners(boxes: Floats) -> Floats:
    return np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1)


def _centres_taken_for_edges(boxes: Floats) -> Floats:
    half = (boxes[:, 2:] - boxes[:, :2]) / 2
    return np.concatenate([boxes[:, :2] - half, boxes[:, :2] + half], axis=1)


def _rows_before_columns(boxes: Floats) -> Floats:
    return boxes[:, [1, 0, 3, 2]]


# what the numbers in the file are → boxes (N, 4) as read → corners under that reading
_BOX_READINGS: dict[str, Callable[[Floats], Floats]] = {
    "corners x0 y0 x1 y1 where x y width height were read": _corners_taken_for_sizes,
    "x y width height where corners were read": _sizes_taken_for_corners,
    "centres where the upper left corner was read": _centres_taken_for_edges,
    "y before x": _rows_before_columns,
}


def box_iou(a: Floats, b: Floats) -> Floats:
    """Return the intersection over union (N,) of boxes (N, 4); 0 for one without area.

    Examples
    --------
    >>> a = np.array([[0.0, 0.0, 2.0, 2.0]])
    >>> box_iou(a, np.array([[1.0, 0.0, 3.0, 2.0]])).round(3).tolist()
    [0.333]
    """
    low = np.maximum(a[:, :2], b[:, :2])
    high = np.minimum(a[:, 2:], b[:, 2:])
    common = np.prod(np.clip(high - low, 0, None), axis=1)
    areas = _areas(a) + _areas(b)
    return np.asarray(common / np.maximum(areas - common, 1e-9))


def _areas(boxes: Floats) -> Floats:
    return np.asarray(np.prod(np.clip(boxes[:, 2:] - boxes[:, :2], 0, None), axis=1))


# --- gaze -----------------------------------------------------------------------------------------


def _direction_faults(index: Index) -> Iterator[LabelFault]:
    """Look at directions (N, 3): unit length, towards the camera, not all the same."""
    values = np.asarray(index.values, np.float64)
    length = np.linalg.norm(values, axis=1)
    off = np.flatnonzero(~(np.abs(length - 1) <= UNIT_SLACK))
    if len(off):
        what = (
            f"{_count(off, index)} have a direction that is no unit vector, the first one of "
            f"length {length[off[0]]:.3g}: {name_items(index, off)}"
        )
        yield LabelFault("directions of gaze", what, refused=True)
        return
    if len(values) < FEWEST_DIRECTIONS:
        return
    if values[:, 2].mean() < 0:
        what = (
            "most directions point away from the camera: the sign of gaze looks turned (a "
            f"direction points from the target to the eye); first {name_items(index, [0])}"
        )
        yield LabelFault("directions of gaze", what)
        return
    angles_deg = np.degrees(vectors_to_angles(values))
    spread = angles_deg.std(axis=0)
    if (spread < LEAST_GAZE_SPREAD_DEG).all():
        what = (
            f"gaze spreads over {spread[0]:.2f}° of pitch and {spread[1]:.2f}° of yaw in "
            f"{len(values)} items: radians that were taken for degrees, or one label throughout? "
            f"First {name_items(index, [0])}"
        )
        yield LabelFault("directions of gaze", what)
        return
    yield from _head_faults(index, angles_deg)


def _head_faults(index: Index, gaze_deg: Floats) -> Iterator[LabelFault]:
    """Compare gaze with the head's pose, within each person: eyes and head turn the same way."""
    head = index.meta.get("head_pose")
    if head is None or head.shape != gaze_deg.shape or not np.isfinite(head).all():
        return
    gaze, pose = _centre_per_cluster(gaze_deg, index), _centre_per_cluster(head, index)
    scale = np.outer(gaze.std(axis=0), pose.std(axis=0))
    if not (scale > 0).all():
        return
    together = (gaze.T @ pose / len(gaze)) / scale  # [pitch, yaw] of gaze against those of the head
    straight = float(np.trace(together))
    crosswise = float(np.abs(together[0, 1]) + np.abs(together[1, 0]))
    fault = ""
    if crosswise > abs(straight) + 0.5:
        fault = "pitch and yaw of one of them look exchanged"
    elif together[1, 1] < -0.3:
        fault = "the sign of one yaw looks turned"
    elif together[0, 0] < -0.3:
        fault = "the sign of one pitch looks turned"
    if fault:
        what = (
            f"gaze goes against the head's pose ({fault}): pitch with pitch {together[0, 0]:.2f}, "
            f"yaw with yaw {together[1, 1]:.2f}, crosswise {together[0, 1]:.2f} and "
            f"{together[1, 0]:.2f}; first {name_items(index, [0])}"
        )
        yield LabelFault("pitch and yaw", what)


def _centre_per_cluster(columns: Floats, index: Index) -> Floats:
    """Subtract from columns (N, 2) the mean of each cluster."""
    _, which, counts = np.unique(index.clusters, return_inverse=True, return_counts=True)
    means = np.empty((len(counts), 2))
    for axis in range(2):
        means[:, axis] = np.bincount(which, columns[:, axis]) / counts
    return np.asarray(columns - means[which])


def _screen_faults(index: Index) -> Iterator[LabelFault]:
    """Look at places on a screen (N, 2) cm."""
    values = np.asarray(index.values, np.float64)
    off = np.flatnonzero(~(np.abs(values) <= LARGEST_GAZE_CM).all(axis=1))
    if len(off):
        x, y = values[off[0]]
        what = (
            f"{_count(off, index)} look further than {LARGEST_GAZE_CM:.0f} cm from the camera, the "
            f"first one at ({x:g}, {y:g}): millimetres or pixels of a screen? "
            f"{name_items(index, off)}"
        )
        yield LabelFault("places on a screen", what, refused=True)
        return
    spread = values.std(axis=0)
    if len(values) >= MANY_ITEMS and (spread < LEAST_GAZE_SPREAD_CM).all():
        what = (
            f"places on the screen spread over {spread[0]:.2f} x {spread[1]:.2f} cm in "
            f"{len(values)} items: metres, shares of the screen, or one label throughout? "
            f"First {name_items(index, [0])}"
        )
        yield LabelFault("places on a screen", what)
