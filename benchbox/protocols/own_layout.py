"""A card's own landmark layout: its section [layout], read into a `Layout`.

    [layout]
    points = 7
    flip_pairs = [[0, 1], [3, 4]]
    eye_corners = [0, 1]                     # outer, the picture's left first; or leave it out
    eyes = [[0], [1]]                        # points whose means are the eye centres
    names = ["left_eye", "right_eye", …]     # in the order of the points, where files name them
    parts = {eyes = [0, 1], mouth = [3, 4, 5]}
    subsets = {inner = [0, 1, 2]}

Without eye corners or eyes a card names a normaliser that needs none: `face_size`, `diagonal` or
`height`. Left and right are the picture's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from benchbox.layouts import flip_table
from benchbox.plugins.card_values import (
    CardKey,
    CardPlace,
    ValueKind,
    integer_from,
    read_values,
    text_matching,
)
from benchbox.types import Layout

_MOST_POINTS = 10_000


def _parse_indices(value: Any) -> tuple[int, ...]:
    if not isinstance(value, list):
        raise ValueError("no list")
    for index in value:
        if not isinstance(index, int) or isinstance(index, bool) or index < 0:
            raise ValueError("no point")
    return tuple(value)


def _parse_index_lists(value: Any) -> tuple[tuple[int, ...], ...]:
    if not isinstance(value, list):
        raise ValueError("no list")
    return tuple(_parse_indices(indices) for indices in value)


def _parse_named_indices(value: Any) -> dict[str, tuple[int, ...]]:
    if not isinstance(value, dict):
        raise ValueError("no table")
    return {str(name): _parse_indices(indices) for name, indices in value.items()}


def _parse_names(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(name, str) and name for name in value):
        raise ValueError("no names")
    if len(set(value)) < len(value):
        raise ValueError("a name twice")
    return tuple(value)


_INDICES = ValueKind(_parse_indices, "a list of points, counted from 0")
_INDEX_LISTS = ValueKind(_parse_index_lists, "a list of lists of points, counted from 0")
_NAMED_INDICES = ValueKind(_parse_named_indices, "a table: name = [points, counted from 0]")
_NAME = text_matching(re.compile(r"[a-z0-9]+(-[a-z0-9]+)*"), "small letters, digits and dashes")
_KEYS = (
    CardKey("name", _NAME, default=""),
    CardKey("points", integer_from(1), "the number of points"),
    CardKey("flip_pairs", _INDEX_LISTS, "pairs that swap in a mirror: [[0, 1], …]", default=()),
    CardKey("eye_corners", _INDICES, "the two outer eye corners", default=()),
    CardKey("inner_eye_corners", _INDICES, "the two inner eye corners", default=()),
    CardKey("eyes", _INDEX_LISTS, "the points of the left eye and of the right", default=()),
    CardKey("names", ValueKind(_parse_names, "a list of names, each once"), default=()),
    CardKey("parts", _NAMED_INDICES, default={}),
    CardKey("subsets", _NAMED_INDICES, default={}),
)


def read_layout(table: Mapping[str, Any], card: str, place: CardPlace) -> Layout:
    """Read the section [layout] of a card called `card`.

    Raises the error of `place` naming the key and what is allowed.
    """
    values = read_values(table, _KEYS, place)
    count = values["points"]
    if count > _MOST_POINTS:
        raise place.refusal("points", count, f"up to {_MOST_POINTS}")
    _check_range(values, count, place)
    pairs = _check_pairs(values["flip_pairs"], place)
    if values["names"] and len(values["names"]) != count:
        raise place.refusal("names", len(values["names"]), f"{count} names, or none")
    eyes = values["eyes"] or ((), ())
    if len(eyes) != 2:
        raise place.refusal("eyes", eyes, "two lists: the left eye's points, the right eye's")
    subsets = {}
    for name, points in values["subsets"].items():
        if len(points) in subsets:
            raise place.refusal("subsets", name, "subsets of different sizes")
        subsets[len(points)] = points
    return Layout(
        name=values["name"] or f"{card}-own",
        count=count,
        flip=flip_table(count, pairs),
        eye_corners=_two_points(values["eye_corners"], "eye_corners", place),
        inner_eye_corners=_two_points(values["inner_eye_corners"], "inner_eye_corners", place),
        eyes=(eyes[0], eyes[1]),
        parts=values["parts"],
        subsets=subsets,
        names=values["names"],
    )


def _two_points(points: Sequence[int], key: str, place: CardPlace) -> tuple[int, int] | None:
    if not points:
        return None
    if len(points) != 2 or points[0] == points[1]:
        raise place.refusal(key, list(points), "two points, the picture's left first")
    return points[0], points[1]


def _check_pairs(pairs: Sequence[Sequence[int]], place: CardPlace) -> list[tuple[int, int]]:
    checked: list[tuple[int, int]] = []
    seen: set[int] = set()
    for pair in pairs:
        if len(pair) != 2 or pair[0] == pair[1] or seen & set(pair):
            raise place.refusal("flip_pairs", list(pair), "two points, each in one pair only")
        seen |= set(pair)
        checked.append((pair[0], pair[1]))
    return checked


def _check_range(values: Mapping[str, Any], count: int, place: CardPlace) -> None:
    groups: dict[str, list[Sequence[int]]] = {
        "eye_corners": [values["eye_corners"]],
        "inner_eye_corners": [values["inner_eye_corners"]],
        "flip_pairs": list(values["flip_pairs"]),
        "eyes": list(values["eyes"]),
        "parts": list(values["parts"].values()),
        "subsets": list(values["subsets"].values()),
    }
    for key, lists in groups.items():
        for points in lists:
            if points and max(points) >= count:
                raise place.refusal(key, max(points), f"points 0 … {count - 1}")
