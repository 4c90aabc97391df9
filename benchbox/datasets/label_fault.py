"""A fault of labels or boxes, and the words that name the items that have it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchbox.types import Index

_SHOWN = 4  # items named in a message


@dataclass(frozen=True)
class LabelFault:
    """What a check found, in one line.

    A number that rests on such labels would be wrong. Where it is `final` there is no label at all,
    and nobody may insist.
    """

    check: str  # a name of `label_checks.CHECKS`
    what: str
    final: bool = False


def name_items(index: Index, rows: Sequence[int] | np.ndarray) -> str:
    """Name the first few items of some rows, each with the file that its label stands in."""
    shown = []
    for row in list(rows)[:_SHOWN]:
        name = str(index.ids[row])
        place = ""
        if index.label_place is not None:
            place = index.label_place(int(row))
        if place:
            name += f" ({place})"
        shown.append(name)
    if len(rows) > _SHOWN:
        shown.append("…")
    return ", ".join(shown)


def count_items(rows: Sequence[int] | np.ndarray, index: Index) -> str:
    """Say how many of the items some rows are: "2 of 8 items"."""
    return f"{len(rows)} of {len(index.ids)} items"
