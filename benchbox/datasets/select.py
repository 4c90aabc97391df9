"""Which rows of a dataset a card's words choose.

A member of `[test.groups]` or of `[train] parts` is a part of the dataset, narrowed by attributes that its annotations
carry: `"test"`, `"test & phone"`, `"test & phone & !orientation_3"`. Several members are joined.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchbox.errors import DataError

if TYPE_CHECKING:
    from benchbox.types import Bools, Index


@dataclass(frozen=True)
class Selection:
    """One member of a list: rows of a part that have some attributes and lack others."""

    part: str
    having: tuple[str, ...]
    lacking: tuple[str, ...]


def parse_member(member: str) -> Selection:
    """Take a member apart; raises ValueError where a name is empty or doubled."""
    part, *conditions = (word.strip() for word in member.split("&"))
    having = tuple(word for word in conditions if not word.startswith("!"))
    lacking = tuple(word[1:].strip() for word in conditions if word.startswith("!"))
    names = (part, *having, *lacking)
    if part.startswith("!") or not all(names) or len(set(names)) < len(names):
        raise ValueError(member)
    return Selection(part, having, lacking)


def member_parts(members: Iterable[str]) -> set[str]:
    """Name the parts that members are taken from."""
    return {parse_member(member).part for member in members}


def select_rows(index: Index, members: Iterable[str]) -> Bools:
    """Mark the rows (N,) that any of the members chooses.

    Raises DataError for an attribute that the dataset lacks.
    """
    import numpy as np

    chosen: Bools = np.zeros(len(index.ids), bool)
    for member in members:
        selection = parse_member(member)
        inside = index.parts == selection.part
        for name in (*selection.having, *selection.lacking):
            if name not in index.attributes:
                known = ", ".join(index.attributes) or "none"
                raise DataError(
                    f"{index.dataset}: {member!r} asks for the attribute {name!r}, there are {known}"
                )
            inside = inside & (
                index.attributes[name] if name in selection.having else ~index.attributes[name]
            )
        chosen |= inside
    return chosen
