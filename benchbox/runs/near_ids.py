"""Ids that are nearly right: what an unknown id was meant to be, and in what it differs."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence

_SUFFIX = re.compile(
    r"\.(jpe?g|png|bmp|gif|tiff?|webp|pts|txt|mat|npy|npz|csv|json)$", re.IGNORECASE
)
_MOST_COMPARED = 5000  # ids, when nothing but letter by letter helps
_NEAR = 0.6  # of the letters are the same

_FOLDER = "the folder"

# in what ids differ → the spelling in which they do not
_SPELLINGS: Mapping[str, Callable[[str], str]] = {
    "the Unicode form": lambda key: unicodedata.normalize("NFC", key.lstrip("\ufeff")),
    "slashes": lambda key: key.replace("\\", "/").removeprefix("./").strip("/"),
    "blanks": lambda key: "".join(key.split()),
    "the suffix": lambda key: _SUFFIX.sub("", key),
    "upper and lower case": str.casefold,
    "leading zeros": lambda key: re.sub(r"(?<![0-9])0+(?=[0-9])", "", key),
    _FOLDER: lambda key: key.rpartition("/")[2],
}
_PLAIN = ("the Unicode form", "blanks")


def plain_spelling(key: str) -> str:
    """Return an id without what never tells two items apart: blanks and the Unicode form."""
    for way in _PLAIN:
        key = _SPELLINGS[way](key)
    return key


def describe_other_spelling(key: str, expected: Sequence[str]) -> str:
    """Say which expected id an unknown one is in another spelling, "" where it is none or several.

    >>> describe_other_spelling("Test/A 1.JPG", ["test/a1", "test/a2"])
    'test/a1 is there, which differs in blanks, the suffix, upper and lower case'
    """
    return _describe_same(key, expected, [way for way in _SPELLINGS if way != _FOLDER])


def describe_nearest(key: str, expected: Sequence[str], protocol: str) -> str:
    """Name the expected id that has the same last part, or the most letters in common, or any.

    >>> describe_nearest("picture_12", ["a/picture_11", "a/picture_12"], "P")
    'a/picture_12 is there, which differs in the folder'
    >>> describe_nearest("a/picture12", ["a/picture_11", "a/picture_12"], "P")
    'P has ids like a/picture_11; the nearest to a/picture12 is a/picture_12'
    >>> describe_nearest("else", ["a/picture_11", "a/picture_12"], "P")
    'P has ids like a/picture_11; `benchbox data ids --protocol P --of test` lists them'
    """
    same = _describe_same(key, expected, [*_SPELLINGS])
    if same:
        return same
    near = difflib.get_close_matches(key, expected[:_MOST_COMPARED], n=1, cutoff=_NEAR)
    if near and near[0] != expected[0]:
        return f"{protocol} has ids like {expected[0]}; the nearest to {key[:80]} is {near[0]}"
    # a default name, or one of several words, is nothing that a shell could be told
    told = f"; `benchbox data ids --protocol {protocol} --of test` lists them"
    return f"{protocol} has ids like {expected[0]}{'' if ' ' in protocol else told}"


def _describe_same(key: str, expected: Sequence[str], ways: Sequence[str]) -> str:
    """Spell all ids more and more plainly until one expected id is the same as the unknown one."""
    spelled = list(expected)
    for place, way in enumerate(ways):
        change = _SPELLINGS[way]
        key_now = _spell(key, ways[: place + 1])
        spelled = [change(other) for other in spelled]
        if spelled.count(key_now) == 1:
            found = expected[spelled.index(key_now)]
            needed = _needed(key, found, ways[: place + 1])
            return f"{found} is there, which differs in {', '.join(needed)}"
    return ""


def _spell(key: str, ways: Sequence[str]) -> str:
    for way in ways:
        key = _SPELLINGS[way](key)
    return key


def _needed(key: str, other: str, ways: Sequence[str]) -> list[str]:
    """Return the ways without which the two are not the same."""
    needed = []
    for way in ways:
        rest = [name for name in ways if name != way]
        if _spell(key, rest) != _spell(other, rest):
            needed.append(way)
    return needed
