"""What an annotation file says of a face, before points have their numbers and frames meet.

Every reader of a writer's files returns `MarkedFaces`: points by name (or by position) as the file
has them, in the file's own frame. `annotated_files` puts them in the order of a layout.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from benchbox.errors import DataError
from benchbox.file_readers.bounds import LARGEST_PX
from benchbox.number_text import parse_number

_MOST_FILES = 1_000_000
_FEWEST_BOXES = 3  # of which it can be told how they are written
_DEEPEST = 5  # folders below the one that is read


@dataclass(frozen=True)
class Mark:
    """One point that was placed."""

    x: float
    y: float
    visible: bool | None = None  # None: the file does not say


@dataclass(frozen=True)
class MarkedFace:
    """One face; points that it lacks are absent."""

    image: str  # as the file names it, with forward slashes
    marks: Mapping[str, Mark]  # by name, or by position: "0", "1", …
    where: str  # file, and what tells the face apart in it
    name: str = ""  # what the face is called, where the files say; else made of the image's name
    box: tuple[float, ...] = ()  # corners
    scale_box: tuple[float, ...] = ()  # of the face-size normaliser
    attributes: Mapping[str, bool] = field(default_factory=dict)
    cluster: str = ""  # person or photo; "" is the image
    picture_size: tuple[int, int] | None = None  # width, height that the file says


@dataclass(frozen=True)
class MarkedFaces:
    """The faces of a file or a folder of files."""

    faces: Sequence[MarkedFace]
    # names of the points in the order that the writer gives them; () where points have positions
    names: tuple[str, ...] = ()
    count: int = 0  # points by position; 0 where they have names
    notes: tuple[str, ...] = ()  # what was passed over, and what visibility could not be read
    folder: Path | None = None  # the files that images are named from, where it is not the pictures
    shares: bool = False  # points were shares of the picture, times the stated width and height

    def __post_init__(self) -> None:
        """Raise DataError for a face with a point that the files' own list of names lacks."""
        known = set(self.names) or {str(point) for point in range(self.count)}
        for face in self.faces:
            unknown = face.marks.keys() - known
            if unknown:
                raise DataError(
                    f"{face.where}: the point {min(unknown)!r} is none of the {len(known)} that "
                    "the file names"
                )


@dataclass(frozen=True)
class LoosePoint:
    """A named point of a picture that belongs to a face by its group, or by the box it lies in."""

    name: str
    mark: Mark
    group: str = ""


@dataclass(frozen=True)
class LooseBox:
    """A box of a picture: corners, and the group that ties points to it."""

    corners: tuple[float, ...]
    group: str = ""


# --- reading --------------------------------------------------------------------------------------


def list_files(path: Path, suffixes: Iterable[str]) -> list[Path]:
    """List the file itself, or the files below a folder with these suffixes, in order of name.

    Droppings of file systems (`._x`, hidden files) are passed over.
    """
    if path.is_file():
        return [path]
    wanted = {suffix.lower() for suffix in suffixes}
    found = []
    for file in sorted(path.rglob("*")):
        relative = file.relative_to(path)
        hidden = any(part.startswith(".") for part in relative.parts)
        if hidden or len(relative.parts) > _DEEPEST or file.suffix.lower() not in wanted:
            continue
        if file.is_file():
            found.append(file)
        if len(found) > _MOST_FILES:
            raise DataError(f"{path}: more than {_MOST_FILES} files")
    return found


def number(value: Any, where: str) -> float:
    """Return a finite number; raises DataError."""
    try:
        result = parse_number(value) if isinstance(value, str) else float(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise DataError(f"{where}: {str(value)[:40]!r} is not a number") from error
    if not abs(result) <= LARGEST_PX or isinstance(value, bool):
        raise DataError(f"{where}: {str(value)[:40]!r} is no coordinate")
    return result


def corner_box(corners: Sequence[float], where: str) -> tuple[float, ...]:
    """Return corners x0 y0 x1 y1, whichever two were given; raises DataError without an area."""
    x0, x1 = sorted((corners[0], corners[2]))
    y0, y1 = sorted((corners[1], corners[3]))
    if not (x1 > x0 and y1 > y0):
        raise DataError(f"{where}: the box {[round(c, 1) for c in corners]} has no area")
    return x0, y0, x1, y1


def sized_box(box: Any, where: str) -> tuple[float, ...]:
    """Return the corners of x y width height; raises DataError."""
    if not isinstance(box, list | tuple) or len(box) != 4:
        raise DataError(f"{where}: the box {str(box)[:60]} is not x y width height")
    x, y, width, height = (number(value, where) for value in box)
    if width <= 0 or height <= 0:
        raise DataError(f"{where}: the box {str(box)[:60]} has no area; x y width height")
    return x, y, x + width, y + height


def refuse_corner_boxes(faces: Sequence[MarkedFace], where: str) -> None:
    """Refuse boxes x y width height that are corners: most fit their points only as x0 y0 x1 y1.

    Raises DataError.
    """
    better = 0
    boxed = [face for face in faces if face.box and len(face.marks) > 1]
    for face in boxed:
        x0, y0, x1, y1 = face.box
        as_corners = (x0, y0, x1 - x0, y1 - y0)
        if as_corners[2] <= x0 or as_corners[3] <= y0:
            continue
        points = tuple(face.marks.values())
        xs, ys = [mark.x for mark in points], [mark.y for mark in points]
        around = (min(xs), min(ys), max(xs), max(ys))
        better += _overlap(as_corners, around) > 1.3 * _overlap(face.box, around)
    if len(boxed) >= _FEWEST_BOXES and 2 * better > len(boxed):
        raise DataError(
            f"{where}: bbox is x y width height, and {better} of {len(boxed)} fit their points far "
            "better as corners x0 y0 x1 y1: write width and height, or leave bbox out"
        )


def _overlap(one: Sequence[float], other: Sequence[float]) -> float:
    """Return intersection over union of two boxes."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    shared = max(width, 0.0) * max(height, 0.0)
    areas = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other))
    return shared / max(areas - shared, 1e-9)


def stated_size(width: Any, height: Any, where: str) -> tuple[int, int] | None:
    """Return the picture's width and height that a file states; None where it states none.

    Raises DataError for what is no size.

    >>> stated_size("640", 480.0, "mine.xml"), stated_size(None, None, "mine.xml")
    ((640, 480), None)
    """
    if width in (None, "") or height in (None, ""):
        return None
    sides = number(width, where), number(height, where)
    if max(sides) == 0:  # MMPose's and other converters write it for unknown
        return None
    if min(sides) < 1 or any(side != int(side) for side in sides):
        raise DataError(f"{where}: {width} x {height} is no size of a picture in pixels")
    return int(sides[0]), int(sides[1])


def with_size(faces: Iterable[MarkedFace], size: tuple[int, int] | None) -> list[MarkedFace]:
    """Return faces of one picture with the size that the file states."""
    return [replace(face, picture_size=size) for face in faces]


def image_name(text: Any, where: str) -> str:
    """Return the name of a picture's file with forward slashes.

    Backslashes come from Windows. Raises DataError for what names no file.
    """
    if not isinstance(text, str) or not text.strip() or "\0" in text or len(text) > 1000:
        raise DataError(f"{where}: {str(text)[:60]!r} is not the name of a picture")
    return text.strip().replace("\\", "/")


def table(value: Any, where: str) -> list[dict[str, Any]]:
    """Return a list of objects; raises DataError."""
    if not isinstance(value, list) or not all(isinstance(row, dict) for row in value):
        raise DataError(f"{where}: is not a list of objects")
    return value


def entry(value: Any, where: str) -> dict[str, Any]:
    """Return an object, an empty one for what is not there; raises DataError."""
    if value is not None and not isinstance(value, dict):
        raise DataError(f"{where}: {str(value)[:40]!r} is no object")
    return value or {}


def items(value: Any, where: str) -> list[Any]:
    """Return a list, an empty one for what is not there; raises DataError."""
    if value is not None and not isinstance(value, list):
        raise DataError(f"{where}: {str(value)[:40]!r} is no list")
    return value or []


# --- faces of one picture -------------------------------------------------------------------------


def group_points(
    image: str, points: Sequence[LoosePoint], boxes: Sequence[LooseBox], where: str
) -> list[MarkedFace]:
    """Make faces of a picture's loose points: by group, else by the box that holds each.

    Raises
    ------
    DataError
        Nothing tells two faces apart: a name stands there twice, a point lies in two boxes or in
        none. Never goes by order alone.
    """
    if any(point.group for point in points):
        by_face = _by_group(points, where)
    elif len(boxes) > 1:
        by_face = _by_box(points, boxes, where)
    else:
        by_face = {"": list(points)}
    faces = []
    for key, members in by_face.items():
        place = where
        if len(by_face) > 1:
            place = f"{where}, face {key}"
        marks: dict[str, Mark] = {}
        for point in members:
            if point.name in marks:
                raise DataError(
                    f"{place}: {point.name!r} stands there twice and nothing tells two faces "
                    "apart: group the points of each face, or draw a box around each"
                )
            marks[point.name] = point.mark
        box = _box_of_face(key, list(marks.values()), boxes)
        faces.append(MarkedFace(image=image, marks=marks, where=place, box=box))
    return faces


def _by_group(points: Sequence[LoosePoint], where: str) -> dict[str, list[LoosePoint]]:
    groups: dict[str, list[LoosePoint]] = {}
    for point in points:
        if not point.group:
            raise DataError(f"{where}: {point.name!r} is in no group, others are: whose is it?")
        groups.setdefault(point.group, []).append(point)
    return groups


def _by_box(
    points: Sequence[LoosePoint], boxes: Sequence[LooseBox], where: str
) -> dict[str, list[LoosePoint]]:
    groups: dict[str, list[LoosePoint]] = {}
    for point in points:
        inside = []
        for row, box in enumerate(boxes):
            if _holds(box.corners, point.mark):
                inside.append(row)
        if len(inside) != 1:
            raise DataError(
                f"{where}: {point.name!r} lies in {len(inside)} of {len(boxes)} boxes: "
                "which face is it of? Group the points in the tool"
            )
        groups.setdefault(f"box {inside[0] + 1}", []).append(point)
    return groups


def _box_of_face(key: str, marks: Sequence[Mark], boxes: Sequence[LooseBox]) -> tuple[float, ...]:
    """Return the box of the face's group; without groups the only one that holds its points."""
    for box in boxes:
        if box.group and box.group == key:
            return box.corners
    for row, box in enumerate(boxes, start=1):
        if key == f"box {row}":
            return box.corners
    return box_around(marks, [box.corners for box in boxes if not box.group])


def box_around(marks: Sequence[Mark], boxes: Sequence[tuple[float, ...]]) -> tuple[float, ...]:
    """Return the box that holds most points of a face and more than half; () if two do alike."""
    held = []
    for box in boxes:
        held.append(sum(_holds(box, mark) for mark in marks))
    best = max(held, default=0)
    if 2 * best <= len(marks) or held.count(best) > 1:
        return ()
    return boxes[held.index(best)]


def _holds(box: Sequence[float], mark: Mark) -> bool:
    return box[0] <= mark.x <= box[2] and box[1] <= mark.y <= box[3]


def positions(points: Iterable[tuple[float, float]]) -> dict[str, Mark]:
    """Name points by their position from 0.

    >>> positions([(1.0, 2.0)])
    {'0': Mark(x=1.0, y=2.0, visible=None)}
    """
    return {str(row): Mark(x, y) for row, (x, y) in enumerate(points)}


def without_points(faces: Sequence[MarkedFace], noun: str) -> tuple[list[MarkedFace], list[str]]:
    """Take out what has no point at all, which is no face; returns the others and a note."""
    kept = [face for face in faces if face.marks]
    notes = []
    if len(kept) < len(faces):
        notes.append(f"{len(faces) - len(kept)} {noun} without a point are no faces, left out")
    return kept, notes
