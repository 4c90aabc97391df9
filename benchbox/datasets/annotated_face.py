"""One face of a person's own annotation file, and how its values are checked one by one."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchbox.errors import DataError
from benchbox.number_text import parse_number


@dataclass(frozen=True)
class AnnotatedFace:
    """One face of an annotation file."""

    id: str
    image: str
    points: list[float]  # x0, y0, x1, …
    cluster: str
    place: str  # file and line, or number of the annotation
    box: tuple[float, ...] = ()  # corners
    scale_box: tuple[float, ...] = ()
    visible: tuple[bool, ...] = ()
    attributes: Mapping[str, bool] = field(default_factory=dict)
    picture_size: tuple[int, int] | None = None  # width, height that the file says


@dataclass(frozen=True)
class AnnotationFile:
    """The faces of one file, and what to note about it."""

    faces: list[AnnotatedFace]
    notes: list[str]


def read_number(value: Any, where: str, name: str = "") -> float:
    """Return a finite number; `name` is that of its column or key.

    Raises
    ------
    DataError
        It is none; the message begins with `where` and ends with the name.
    """
    of_name = f" ({name})" if name else ""
    try:
        if isinstance(value, str):
            number = parse_number(value)
        else:
            number = float(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise DataError(f"{where}: {str(value)[:40]!r} is not a number{of_name}") from error
    if not math.isfinite(number) or isinstance(value, bool):
        raise DataError(f"{where}: {str(value)[:40]!r} is no coordinate{of_name}")
    return number


def check_box(corners: Sequence[float], where: str) -> tuple[float, ...]:
    """Return corners x0 y0 x1 y1 of a box.

    Raises
    ------
    DataError
        The box has no area; the message begins with `where`.
    """
    x0, y0, x1, y1 = corners
    if not (x1 > x0 and y1 > y0):
        rounded = [round(corner, 1) for corner in corners]
        raise DataError(f"{where}: the box {rounded} has no area; corners x0 y0 x1 y1")
    return tuple(corners)


def refuse_repeated(face: AnnotatedFace, seen: dict[tuple[object, ...], str], where: str) -> None:
    """Raise DataError for a face that its file holds already: it would weigh twice in a mean.

    `seen` maps the faces so far to where they stand; this one joins.
    """
    key = (face.image, *face.points)
    if key in seen:
        raise DataError(
            f"{where}: {face.image} with the same points as {seen[key]};"
            " a face stands in a list once, or it weighs twice"
        )
    seen[key] = where


def square_about(centre: tuple[float, float], side: float, where: str) -> tuple[float, ...]:
    """Return the corners of a square, as AFLW's face size is drawn about its centre.

    Raises DataError for a side that is not above 0.
    """
    x, y = centre
    half = side / 2
    return check_box((x - half, y - half, x + half, y + half), where)


def check_halves(points: list[float], where: str) -> list[float]:
    """Return coordinates x0, y0, x1, … unless a point has only one of its two."""
    for number in range(len(points) // 2):
        x, y = points[2 * number : 2 * number + 2]
        if math.isnan(x) != math.isnan(y):
            raise DataError(
                f"{where}: point {number} has one coordinate; "
                "write both, or leave both empty where it is not marked"
            )
    return points


def drop_placeholders(points: list[float], visible: Sequence[bool]) -> list[float]:
    """Return coordinates x0, y0, x1, … with NaN where a hidden point stands at a placeholder.

    >>> drop_placeholders([0.0, 0.0, 5.0, 6.0], (False, False))
    [nan, nan, 5.0, 6.0]
    """
    kept = list(points)
    for number, shown in enumerate(visible):
        place = slice(2 * number, 2 * number + 2)
        if not shown and tuple(points[place]) in ((0.0, 0.0), (-1.0, -1.0)):
            kept[place] = [math.nan, math.nan]
    return kept


def centre_of_points(points: Sequence[float]) -> tuple[float, float]:
    """Return the centre of the tight box about points given as x0, y0, x1 and so on.

    Absent points (NaN) are left out; NaN where none is marked.

    Examples
    --------
    >>> centre_of_points([0.0, 10.0, 4.0, 20.0, 1.0, 12.0])
    (2.0, 15.0)
    """
    xs = [x for x in points[0::2] if not math.isnan(x)]
    ys = [y for y in points[1::2] if not math.isnan(y)]
    if not xs or not ys:
        return math.nan, math.nan
    return (min(xs) + max(xs)) / 2, (min(ys) + max(ys)) / 2


def shorten_names(names: Sequence[str]) -> str:
    """Write a few names of many for a message.

    Examples
    --------
    >>> shorten_names(["visible0", "visible1", "visible2", "visible3"])
    'visible0, visible1 … visible3'
    >>> shorten_names(["score"])
    'score'
    """
    if len(names) <= 3:
        return ", ".join(names)
    return f"{names[0]}, {names[1]} … {names[-1]}"
