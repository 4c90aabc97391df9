"""Which rows of a dataset a card's members choose.

A member of `[test.groups]` or of `[train] parts` is a part of the dataset, narrowed by attributes
that its annotations carry: `"test"`, `"test & phone"`, `"test & phone & !orientation_3"`. Several
members are joined.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchbox.errors import DataError

if TYPE_CHECKING:
    from benchbox.types import Bools, Index

HOLDOUT = "holdout"  # the part that training rows become which are held out, and their group


@dataclass(frozen=True)
class Selection:
    """One member of a list: rows of a part that have some attributes and lack others."""

    part: str
    having: tuple[str, ...]
    lacking: tuple[str, ...]


def parse_member(member: str) -> Selection:
    """Take a member apart: `part & attribute & !attribute`.

    Raises
    ------
    ValueError
        A name is empty or doubled, or the part is negated.

    Examples
    --------
    >>> parse_member("test & phone & !orientation_3")
    Selection(part='test', having=('phone',), lacking=('orientation_3',))
    >>> parse_member("helen/testset")
    Selection(part='helen/testset', having=(), lacking=())
    >>> parse_member("!test")
    Traceback (most recent call last):
    ...
    ValueError: !test
    """
    part, *conditions = (word.strip() for word in member.split("&"))
    having: list[str] = []
    lacking: list[str] = []
    for condition in conditions:
        if condition.startswith("!"):
            lacking.append(condition[1:].strip())
        else:
            having.append(condition)
    names = (part, *having, *lacking)
    if part.startswith("!") or not all(names) or len(set(names)) < len(names):
        raise ValueError(member)
    return Selection(part, tuple(having), tuple(lacking))


def member_parts(members: Iterable[str]) -> set[str]:
    """Name the parts that members are taken from.

    Raises ValueError for a malformed member, as `parse_member` does.

    Examples
    --------
    >>> sorted(member_parts(["test & phone", "test & tablet", "train"]))
    ['test', 'train']
    """
    return {parse_member(member).part for member in members}


def select_rows(index: Index, members: Iterable[str]) -> Bools:
    """Mark the rows (N,) of an index of N faces that any of the members chooses.

    Raises
    ------
    DataError
        A member asks for an attribute that the dataset lacks.
    ValueError
        A member is malformed.

    Examples
    --------
    >>> import numpy as np
    >>> from benchbox.types import Index
    >>> index = Index(
    ...     dataset="demo",
    ...     ids=np.array(["a", "b", "c"]),
    ...     parts=np.array(["train", "test", "test"]),
    ...     values=np.zeros((3, 68, 2)),
    ...     boxes={},
    ...     clusters=np.array(["a", "b", "c"]),
    ...     read=lambda row: np.zeros((1, 1, 3), np.uint8),
    ...     attributes={"frontal": np.array([True, True, False])},
    ... )
    >>> select_rows(index, ["test & frontal"]).tolist()
    [False, True, False]
    >>> select_rows(index, ["train", "test & !frontal"]).tolist()
    [True, False, True]
    """
    import numpy as np

    chosen: Bools = np.zeros(len(index.ids), bool)
    for member in members:
        selection = parse_member(member)
        _check_attributes(index, member, selection)
        in_member = index.parts == selection.part
        for name in selection.having:
            in_member = in_member & index.attributes[name]
        for name in selection.lacking:
            in_member = in_member & ~index.attributes[name]
        chosen |= in_member
    return chosen


def _check_attributes(index: Index, member: str, selection: Selection) -> None:
    for name in (*selection.having, *selection.lacking):
        if name not in index.attributes:
            known = ", ".join(index.attributes) or "none"
            raise DataError(
                f"{index.dataset}: {member!r} asks for the attribute {name!r}, there are {known}"
            )
