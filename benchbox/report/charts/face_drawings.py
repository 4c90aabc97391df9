"""Single items as drawings: what several runs predicted, over a picture only where it is ours.

Pictures are drawn by the face renderer and by nothing else: this room never opens an image file,
and no data set's reader is in its reach. Items of every other set are landmarks on grey.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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
    low, high = points.min(axis=0), points.max(axis=0)
    side = float((high - low).max()) * (1 + 2 * _MARGIN) or 1.0
    x, y = (low + high) / 2 - side / 2
    return float(x), float(y), side


def shape_path(points: Floats, square: Square, layout: str) -> str:
    """Write points (K, 2) as lines along the parts of a face, in the drawing of a square.

    A point of no line, as every one of a layout without lines, is a dot. One far outside is left
    out.
    """
    x, y, side = square
    placed = (points - [x, y]) * (SIDE / side)
    inside: Bools = np.asarray(((placed > -SIDE) & (placed < 2 * SIDE)).all(axis=1))
    places = np.where(inside[:, None], placed, 0).round().astype(int).tolist()
    left = set(np.flatnonzero(inside).tolist())
    pieces = []
    for line in face_outlines.outline_of(layout):
        drawn = [places[point] for point in line.points if inside[point]]
        left.difference_update(line.points)
        if drawn:
            pieces.append(_line_path(drawn, closed=line.closed))
    pieces += ["M{} {}h0".format(*places[point]) for point in sorted(left)]
    return "".join(pieces)


def _line_path(places: Sequence[Sequence[int]], *, closed: bool) -> str:
    """Write a line by its steps, in few characters: a site has thousands.

    >>> _line_path([(10, 10), (14, 8), (20, 8)], closed=True)
    'M10 10l4-2 6 0z'
    """
    start = "M{} {}".format(*places[0])
    steps = []
    for before, place in itertools.pairwise(places):
        steps += [place[0] - before[0], place[1] - before[1]]
    if not steps:
        return f"{start}h0"
    # a sign parts two numbers as a blank does
    line = " ".join(map(str, steps)).replace(" -", "-")
    return f"{start}l{line}{'z' if closed else ''}"


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
