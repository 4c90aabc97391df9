"""Landmark layouts: what each index means, which points swap in a mirror, where the eyes are.

Left and right are the picture's: point 36 of the 68 is the outer corner of the eye on the image's
left, which is the subject's right. The tables are beside this file: `layouts.csv` holds a row
per layout with its source, `layout_maps.csv` and `layout_map_points.csv` how points are made of
another's and how exact each is. "66" names two layouts, "106" three: a count is no name.

98 points have no standard reduction to 68: three maps are in use, and `convert_points` applies one.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .types import Layout

if TYPE_CHECKING:
    from .types import Floats, Protocol

_TABLES = Path(__file__).parent


# --- layouts --------------------------------------------------------------------------------------


def parse_points(text: str) -> tuple[int, ...]:
    """Read point numbers and runs of them.

    >>> parse_points("8 10 12-14")
    (8, 10, 12, 13, 14)
    """
    points: list[int] = []
    for word in text.split():
        first, _, last = word.partition("-")
        points += range(int(first), int(last or first) + 1)
    return tuple(points)


def flip_table(count: int, pairs: Sequence[tuple[int, int]]) -> tuple[int, ...]:
    """Return the point that each becomes in a mirrored picture; points in no pair stay.

    >>> flip_table(3, [(0, 2)])
    (2, 1, 0)
    """
    table = list(range(count))
    for one, other in pairs:
        table[one], table[other] = other, one
    return tuple(table)


def _read_table(name: str) -> list[dict[str, str]]:
    with (_TABLES / name).open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def _layout_of_row(row: Mapping[str, str]) -> Layout:
    count = int(row["points"])
    pairs = []
    for pair in row["flip_pairs"].split():
        one, _, other = pair.partition("-")
        pairs.append((int(one), int(other)))
    subsets = {}
    for size, points in _named_points(row["subsets"]).items():
        subsets[int(size)] = points
    return Layout(
        name=row["layout"],
        count=count,
        flip=flip_table(count, pairs),
        eye_corners=_point_pair(row["eye_corners"]),
        inner_eye_corners=_point_pair(row["inner_eye_corners"]),
        eyes=(parse_points(row["left_eye"]), parse_points(row["right_eye"])),
        parts=_named_points(row["parts"]),
        subsets=subsets,
        names=tuple(row["names"].split()),
    )


def _point_pair(text: str) -> tuple[int, int] | None:
    if not text:
        return None
    left, right = parse_points(text)
    return left, right


def _named_points(text: str) -> dict[str, tuple[int, ...]]:
    named = {}
    for entry in text.split(";"):
        name, colon, points = entry.partition(":")
        if colon:
            named[name.strip()] = parse_points(points)
    return named


LAYOUTS = {row["layout"]: _layout_of_row(row) for row in _read_table("layouts.csv")}
IBUG68 = LAYOUTS["ibug68"]
WFLW98 = LAYOUTS["wflw98"]
COFW29 = LAYOUTS["cofw29"]
AFLW19 = LAYOUTS["aflw19"]
# layouts that the face renderer marks, so that there are twins and a mean face in them
RENDERED_LAYOUTS = {layout.name: layout for layout in (IBUG68, WFLW98, COFW29, AFLW19)}


def find_layout(protocol: Protocol) -> Layout | None:
    """Return the layout of a protocol: its card's own, or one of the table; None for gaze."""
    return protocol.own_layout or LAYOUTS.get(protocol.layout)


def require_layout(protocol: Protocol) -> Layout:
    """Return the layout of a landmark protocol.

    Raises KeyError where the card names none.
    """
    return protocol.own_layout or LAYOUTS[protocol.layout]


def normalisers_of(layout: Layout) -> tuple[str, ...]:
    """Name the lengths that the points of a layout give.

    >>> normalisers_of(LAYOUTS["five"])
    ('face_size', 'diagonal', 'height', 'mean_side', 'inter_pupil')
    """
    names = ["face_size", "diagonal", "height", "mean_side"]
    if all(layout.eyes):
        names.append("inter_pupil")
    if layout.eye_corners is not None:
        names.append("inter_ocular")
    return tuple(names)


def layouts_with(count: int) -> list[str]:
    """Name the layouts of so many points.

    >>> layouts_with(66)
    ['ibug66', 'openseeface66']
    """
    return [layout.name for layout in LAYOUTS.values() if layout.count == count]


# --- maps from one layout to another --------------------------------------------------------------

_MAPPED = "points mapped by "
# a coordinate as a weighted sum: (point of the source, weight) …
Terms = tuple[tuple[int, float], ...]


@dataclass(frozen=True)
class LayoutMap:
    """How points of one layout are made of another's: weighted sums of the source coordinates."""

    name: str
    source: str  # layout
    target: str  # layout
    x: tuple[Terms, ...]  # one per target point
    y: tuple[Terms, ...]
    how_exact: tuple[str, ...]  # one per target point, in words
    reference: str  # where the map is from


def convert_points(points: Floats, layout_map: LayoutMap) -> Floats:
    """Apply a map to points (…, K, 2); returns (…, target count, 2).

    A point that depends on an absent one (NaN) is absent. Raises ValueError when K is not the
    source layout's count.
    """
    import numpy as np

    count = LAYOUTS[layout_map.source].count
    if points.shape[-2:] != (count, 2):
        raise ValueError(f"points are {points.shape}, {layout_map.source} has (…, {count}, 2)")
    result = np.zeros((*points.shape[:-2], len(layout_map.x), 2))
    for axis, rows in enumerate((layout_map.x, layout_map.y)):
        for row, terms in enumerate(rows):
            for point, weight in terms:
                result[..., row, axis] += weight * points[..., point, axis]
    return result


def find_map(name: str) -> LayoutMap:
    """Return a map by its name; `98-to-68-pipnet` is `98to68-pipnet`, too.

    Raises KeyError with the names that there are.

    >>> find_map("98-to-68-pipnet").target
    'ibug68'
    """
    plain = name.replace("-to-", "to")
    if plain not in MAPS:
        raise KeyError(f"no map is called {name!r}; there are {', '.join(MAPS)}")
    return MAPS[plain]


def map_note(layout_map: LayoutMap) -> str:
    """Say in a record's note by which map points were made, and how many are the same places.

    >>> map_note(find_map("21to19"))
    'points mapped by 21to19 (19 of 19 are the same places)'
    """
    exact = sum(text.startswith("same place") for text in layout_map.how_exact)
    return (
        f"{_MAPPED}{layout_map.name} ({exact} of {len(layout_map.how_exact)} are the same places)"
    )


def mapped_by(notes: Sequence[str]) -> str:
    """Return the map that a record's notes name, "" where points are the network's own.

    >>> mapped_by(["origin 0", "points mapped by 98to68-pipnet (60 of 68 are the same places)"])
    '98to68-pipnet'
    """
    for note in notes:
        if note.startswith(_MAPPED):
            return note.removeprefix(_MAPPED).partition(" (")[0]
    return ""


def maps_between(source: str, target: str) -> list[str]:
    """Name the maps from one layout to another.

    >>> maps_between("aflw21", "aflw19")
    ['21to19']
    """
    names = []
    for layout_map in MAPS.values():
        if (layout_map.source, layout_map.target) == (source, target):
            names.append(layout_map.name)
    return names


def _parse_terms(text: str) -> Terms:
    """Read a weighted sum: `12`, `61*0.666 62*0.333` or `mean 36-41`.

    >>> _parse_terms("61*0.666 62*0.333")
    ((61, 0.666), (62, 0.333))
    >>> _parse_terms("mean 3-4")
    ((3, 0.5), (4, 0.5))
    """
    if text.startswith("mean "):
        points = parse_points(text.removeprefix("mean "))
        return tuple((point, 1 / len(points)) for point in points)
    terms = []
    for word in text.split():
        point, _, weight = word.partition("*")
        terms.append((int(point), float(weight or 1)))
    return tuple(terms)


_BY_AXIS = re.compile(r"x (.+) / y (.+)")


def _read_maps() -> dict[str, LayoutMap]:
    points: dict[str, list[dict[str, str]]] = {}
    for row in _read_table("layout_map_points.csv"):
        points.setdefault(row["map"], []).append(row)
    maps = {}
    for row in _read_table("layout_maps.csv"):
        columns: dict[str, list[Any]] = {"x": [], "y": [], "how_exact": []}
        for point in points[row["map"]]:
            by_axis = _BY_AXIS.fullmatch(point["from_points"])
            across, down = point["from_points"], point["from_points"]
            if by_axis:
                across, down = by_axis.groups()
            columns["x"].append(_parse_terms(across))
            columns["y"].append(_parse_terms(down))
            columns["how_exact"].append(point["how_exact"])
        maps[row["map"]] = LayoutMap(
            name=row["map"],
            source=row["from"],
            target=row["to"],
            x=tuple(columns["x"]),
            y=tuple(columns["y"]),
            how_exact=tuple(columns["how_exact"]),
            reference=row["source"],
        )
    return maps


MAPS = _read_maps()
