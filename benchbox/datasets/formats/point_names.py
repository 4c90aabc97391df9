"""From the names of points in a file to the points of a layout.

A name is compared by its words, whatever their order, case and joints: `mouth_left`, `leftMouth`
and `left_mouth_corner` are one name. Numbers count from 0 where a 0 is among them, else from 1.
Left and right are the picture's in layouts; whose they are in a file only a person can say.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from benchbox.errors import DataError
from benchbox.layouts import LAYOUTS
from benchbox.types import Layout

_WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")
_NUMBERED = re.compile(r"(.*?)(\d{1,4})")
_LEFT_OUT = {"corner", "centre", "center", "tip", "of", "the", "point"}
_SIDES = {"left": "right", "right": "left"}
_SHORT = {"l": "left", "r": "right", "lefteye": "left eye", "righteye": "right eye"}


def name_words(name: str) -> tuple[str, ...]:
    """Return the words of a name, sorted.

    >>> name_words("mouthLeft_corner")
    ('left', 'mouth')
    >>> name_words("left_eye_left_corner")
    ('eye', 'left', 'left')
    """
    words: list[str] = []
    for word in _WORDS.findall(name):
        words += _SHORT.get(word.lower(), word.lower()).split()
    shorter = [word for word in words if word not in _LEFT_OUT]
    return tuple(sorted(shorter or words))


def has_sides(names: Iterable[str]) -> bool:
    """Tell whether names speak of left or right.

    >>> has_sides(["nose", "eye_l"]), has_sides(["nose"])
    (True, False)
    """
    return any(set(name_words(name)) & set(_SIDES) for name in names)


def other_side(words: tuple[str, ...]) -> tuple[str, ...]:
    """Exchange left and right in the words of a name."""
    return tuple(sorted(_SIDES.get(word, word) for word in words))


def numbers_in(names: Iterable[str]) -> dict[str, int] | None:
    """Return the number that each name ends with, None unless all are one text and a number.

    >>> numbers_in(["p2", "p10"])
    {'p2': 2, 'p10': 10}
    >>> numbers_in(["nose", "p2"]) is None
    True
    """
    numbers = {}
    stems = set()
    for name in names:
        match = _NUMBERED.fullmatch(name.strip())
        if match is None:
            return None
        stems.add(match[1])
        numbers[name] = int(match[2])
    if len(stems) != 1:
        return None
    return numbers


def is_known_name(name: str) -> bool:
    """Tell whether a layout of the table has a point of this name, or it is a plain number."""
    if name.strip().isdecimal():
        return True
    words = name_words(name)
    for layout in LAYOUTS.values():
        if words in {name_words(known) for known in layout.names}:
            return True
    return False


def layouts_of_names(names: Sequence[str]) -> list[str]:
    """Name the layouts of the table that these names belong to.

    At least half of a layout's names must be there; those alone that have no others, if any.

    >>> layouts_of_names(["right_eye", "left_eye", "nose", "mouth_left", "mouth_right"])
    ['five']
    """
    numbers = numbers_in(names)
    found = []
    for layout in LAYOUTS.values():
        known = {name_words(name) for name in layout.names}
        if numbers is not None:
            if _base(numbers, layout.count) is not None:
                found.append(layout.name)
        elif 2 * len(names) >= layout.count and all(name_words(name) in known for name in names):
            found.append(layout.name)
    whole = [name for name in found if LAYOUTS[name].count == len(set(names))]
    if numbers is None and whole:
        return whole
    return found


def _base(numbers: Mapping[str, int], count: int) -> int | None:
    """Return what the first point is called, 0 or 1; None where a layout's count does not fit.

    The last number must be the layout's last point: that is how a count is known.
    """
    lowest, highest = min(numbers.values()), max(numbers.values())
    if lowest == 0:
        return 0 if highest == count - 1 else None
    if highest == count:
        return 1
    return None


def number_points(names: Sequence[str], layout: Layout, sides: str, where: str) -> dict[str, int]:
    """Return the point of the layout that each name of a file means.

    Parameters
    ----------
    names
        All names that the file has.
    layout
        The layout of the card.
    sides
        "picture" or "person": whose left and right the names mean; "" if they name none.
    where
        The file, for messages.

    Raises
    ------
    DataError
        A name is none of the layout's, two names mean one point, numbers go beyond the layout, or
        the names speak of sides and `sides` does not say whose.
    """
    exact = {name: row for row, name in enumerate(layout.names)}
    if layout.names and all(name in exact for name in names) and not _needs_sides(layout, names):
        return {name: exact[name] for name in names}
    numbers = numbers_in(names)
    if numbers is not None:
        return _number_by_number(numbers, layout, where)
    if _needs_sides(layout, names) and not sides:
        raise DataError(
            f"{where}: names speak of left and right, and a name never tells whose: say --sides "
            "picture or --sides person (in a card: source.sides)"
        )
    return _number_by_words(names, layout, sides, where)


def _needs_sides(layout: Layout, names: Sequence[str]) -> bool:
    """Tell whether it matters whose sides are meant: layouts of the table mean the picture's."""
    return layout.name in LAYOUTS and has_sides(names)


def _number_by_number(numbers: Mapping[str, int], layout: Layout, where: str) -> dict[str, int]:
    first = 0 if 0 in numbers.values() else 1
    highest = max(numbers.values())
    if first == 1 and highest < layout.count:  # the last may be absent everywhere, or the 0
        raise DataError(
            f"{where}: numbers of points run from {min(numbers.values())} to {highest}, "
            f"{layout.name} has {layout.count} points: counted from 0 or from 1?"
        )
    if highest - first >= layout.count:
        raise DataError(
            f"{where}: point {highest} is beyond the {layout.count} points of {layout.name}"
        )
    found = {name: value - first for name, value in numbers.items()}
    _check_distinct(found, where)
    return found


def _number_by_words(
    names: Sequence[str], layout: Layout, sides: str, where: str
) -> dict[str, int]:
    known = {name_words(name): row for row, name in enumerate(layout.names)}
    found = {}
    unknown = []
    for name in names:
        words = name_words(name)
        if sides == "person":
            words = other_side(words)
        if words in known:
            found[name] = known[words]
        else:
            unknown.append(name)
    if unknown:
        has = ", ".join(layout.names[:8]) or "no names, only numbers"
        raise DataError(
            f"{where}: {', '.join(map(repr, unknown[:3]))}: no such point of {layout.name}; "
            f"it has {has}"
        )
    _check_distinct(found, where)
    return found


def _check_distinct(found: Mapping[str, int], where: str) -> None:
    first_of: dict[int, str] = {}
    for name, row in found.items():
        if row in first_of:
            raise DataError(f"{where}: {first_of[row]!r} and {name!r} are one and the same point")
        first_of[row] = name
