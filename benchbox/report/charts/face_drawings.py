"""Single items as drawings: what several runs predicted, over a picture only where it is ours.

Pictures are drawn by the face renderer and by nothing else: this room never opens an image file,
and no data set's reader is in its reach. Items of every other set are landmarks on grey.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from benchbox.errors import DataError
from benchbox.layouts import LAYOUTS
from benchbox.report.inputs import synthetic_items

from . import face_outlines

if TYPE_CHECKING:
    from benchbox.types import Bools, Floats

SIDE = 200  # of a drawing, in its own units
QUALITY = 82
PICTURE_PX = 256
TOLERANCE = 3.0  # grey levels, on average: what another JPEG library may round otherwise
_MARGIN = 0.16
_CORNER = -1  # the place behind the last point: where the drawing begins
_FRONTAL = 0.1  # how far the nose may leave the middle of the eyes, over their distance

Square = tuple[float, float, float]  # x, y and side


@dataclass(frozen=True)
class PredictionPath:
    """One run's prediction of one item, as a path."""

    style: int
    label: str
    error: str
    path: str
    ray: str = ""  # of gaze: a line that leads to the prediction


@dataclass(frozen=True)
class ItemDrawing:
    """One test item with the predictions of some runs."""

    id: str
    groups: tuple[str, ...]
    pose: str
    picture: str  # file inside the site, "" for landmarks on grey
    box: tuple[float, float, float, float]  # of the picture in the drawing: x, y, width, height
    predictions: tuple[PredictionPath, ...]
    truth: str = ""  # path of the ground truth, where it is ours to show
    plot: GazePlot | None = None  # of gaze: beside the picture, not over it


@dataclass(frozen=True)
class GazePlot:
    """Where a gaze may go, in a drawing's own units."""

    outline: str  # the edge of a screen, or rings of equal angles
    solid: bool  # the outline is a thing
    camera: tuple[float, float] | None
    words: str  # "phone-small, upright"


# --- pictures -------------------------------------------------------------------------------------


def picture_file(dataset: str, name: str) -> str:
    """Return where an item's picture stands inside the site, "" where it must not be shown."""
    item = synthetic_items.find_item(dataset, name)
    if item is None:
        return ""
    return item.file


def draw_picture(path: str) -> bytes:
    """Draw the picture that a path inside the site names, as JPEG.

    Raises DataError for any that is not our own.
    """
    import cv2

    item = synthetic_items.item_of_file(path)
    if item is None:
        raise DataError(f"{path!r} is no picture of our own making; only those may be shown")
    blue_first = np.ascontiguousarray(synthetic_items.draw_item(item)[:, :, ::-1])
    _, encoded = cv2.imencode(".jpg", blue_first, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    return encoded.tobytes()


def same_picture(one: bytes, other: bytes) -> bool:
    """Tell whether two JPEG files show the same.

    Different libraries may write the same picture otherwise.
    """
    import cv2

    a = cv2.imdecode(np.frombuffer(one, np.uint8), cv2.IMREAD_COLOR)
    b = cv2.imdecode(np.frombuffer(other, np.uint8), cv2.IMREAD_COLOR)
    if a is None or b is None or a.shape != b.shape:
        return False
    return float(np.abs(a.astype(np.int16) - b.astype(np.int16)).mean()) <= TOLERANCE


# --- places ---------------------------------------------------------------------------------------


def square_around(points: Floats) -> Square:
    """Return the square that holds points (M, 2) with a margin."""
    (square,) = squares_around(points[None])
    return square


def squares_around(faces: Floats) -> list[Square]:
    """Return the square that holds the points of each face (F, M, 2) with a margin."""
    low, high = faces.min(axis=1), faces.max(axis=1)
    sides = (high - low).max(axis=1) * (1 + 2 * _MARGIN)
    sides[sides == 0] = 1.0
    corners = (low + high) / 2 - sides[:, None] / 2
    return [(x, y, side) for (x, y), side in zip(corners.tolist(), sides.tolist(), strict=True)]


def shape_path(points: Floats, square: Square, layout: str) -> str:
    """Write points (K, 2) as lines along the parts of a face, in the drawing of a square.

    A point of no line, as every one of a layout without lines, is a dot. One far outside is left
    out.
    """
    (path,) = shape_paths(points[None], [square], layout)
    return path


def shape_paths(faces: Floats, squares: Sequence[Square], layout: str) -> list[str]:
    """Write the points of each face (F, K, 2) as `shape_path` does; one call for a whole page."""
    where = np.array(squares)[:, None]
    placed = (faces - where[:, :, :2]) * (SIDE / where[:, :, 2:])
    inside: Bools = np.asarray(((placed > -SIDE) & (placed < 2 * SIDE)).all(axis=2))
    places = np.where(inside[:, :, None], placed, 0).round().astype(int)
    if inside.all():
        return _strokes_of(layout, tuple(range(faces.shape[1]))).write(places)
    paths = []
    for face, drawn in zip(places, inside, strict=True):
        paths += _strokes_of(layout, tuple(np.flatnonzero(drawn).tolist())).write(face[None])
    return paths


@dataclass(frozen=True, eq=False)
class _Strokes:
    """How the lines of a face are written: a pattern, and the numbers (M, 2) that go into it.

    A line begins at a place and goes on by steps, in few characters: a site has thousands.
    """

    pattern: str
    ends: np.ndarray  # (M,) point at which a number pair ends
    starts: np.ndarray  # (M,) point from which it is a step, `_CORNER` where it is none

    def write(self, places: np.ndarray) -> list[str]:
        """Write the places (F, K, 2) of each face."""
        corner = np.zeros_like(places[:, :1])
        known = np.concatenate([places, corner], axis=1)
        numbers = places[:, self.ends] - known[:, self.starts]
        text = (self.pattern + "\n") * len(places) % tuple(numbers.ravel().tolist())
        # a sign parts two steps as a blank does
        return text.replace(" -", "-").replace("\t", " ").split("\n")[:-1]


@lru_cache(maxsize=64)
def _strokes_of(layout: str, drawn: tuple[int, ...]) -> _Strokes:
    """Return how the points of a layout that are drawn are written."""
    lines = []
    left = set(drawn)
    for line in face_outlines.outline_of(layout):
        kept = [point for point in line.points if point in drawn]
        left.difference_update(line.points)
        if kept:
            lines.append((kept, line.closed))
    lines += [([point], False) for point in sorted(left)]
    pattern, ends, starts = "", [], []
    for points, closed in lines:
        pattern += "M%d\t%d"  # the blank that stays, whatever follows
        steps = " ".join(["%d %d"] * (len(points) - 1))
        if steps:
            pattern += f"l{steps}{'z' if closed else ''}"
        else:
            pattern += "h0"
        ends += points
        starts += [_CORNER, *points[:-1]]
    return _Strokes(pattern, np.array(ends, int), np.array(starts, int))


def picture_box(square: Square, side_px: int = PICTURE_PX) -> tuple[float, float, float, float]:
    """Return where a picture of `side_px` lies in the drawing of a square: x, y, width, height.

    Its first pixel's centre is (0, 0).
    """
    x, y, side = square
    scale = SIDE / side
    drawn_side = round(side_px * scale, 2)
    return round((-0.5 - x) * scale, 2), round((-0.5 - y) * scale, 2), drawn_side, drawn_side


def face_pose(points: Floats, layout: str) -> str:
    """Tell from points (K, 2) whether a face is turned, and to which side of the picture.

    In a turned face the nose leaves the middle of the outer eye corners. "" where the layout has
    no nose.
    """
    scheme = LAYOUTS.get(layout)
    if scheme is None or scheme.eye_corners is None or not scheme.parts.get("nose"):
        return ""
    left, right = points[scheme.eye_corners[0]], points[scheme.eye_corners[1]]
    along = right - left
    width = float(np.hypot(*along)) or 1.0
    nose = points[list(scheme.parts["nose"])].mean(axis=0)
    shift = float((nose - (left + right) / 2) @ along) / width**2
    if abs(shift) < _FRONTAL:
        return "frontal"
    if shift < 0:
        return "turned left"
    return "turned right"


# --- choosing -------------------------------------------------------------------------------------


def run_disagreement(values: Floats) -> Floats:
    """Return how far the points (M, N, K, 2) of M runs lie from each other for each item (N,).

    The mean distance of the points from their median, over the size of the face; NaN where fewer
    than two runs have a prediction.
    """
    with np.errstate(invalid="ignore"):
        middle = np.nanmedian(values, axis=0)
        away = np.hypot(*np.moveaxis(values - middle, -1, 0)).mean(axis=2)
        size = np.sqrt(np.prod(middle.max(axis=1) - middle.min(axis=1), axis=1))
        runs = (~np.isnan(values).any(axis=(2, 3))).sum(axis=0)
        disagreement: Floats = np.where(runs >= 2, np.nanmean(away, axis=0) / size, np.nan)
    return disagreement


def group_names(groups: Mapping[str, np.ndarray], overall: str, row: int) -> tuple[str, ...]:
    """Name the groups that an item belongs to, beside the overall one."""
    names = []
    for group, mask in groups.items():
        if mask[row] and (group != overall or len(groups) == 1):
            names.append(group)
    return tuple(names)


def take_unseen(order: Sequence[int], count: int, seen: set[int]) -> list[int]:
    """Take the first items of an order that no section has shown yet."""
    chosen = [row for row in order if row not in seen][:count]
    seen.update(chosen)
    return chosen
