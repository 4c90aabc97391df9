"""Texts in CSV files that people open in a spreadsheet, which takes some of them for formulas."""

from __future__ import annotations

import re
from collections.abc import Iterable

_FORMULA = re.compile(r"'*[=+\-@\t\r]")
_GUARDED = re.compile(r"'+[=+\-@\t\r]")


def guard_cell(cell: object) -> object:
    """Put an apostrophe before a text that a spreadsheet would run; numbers are left alone.

    >>> guard_cell("=HYPERLINK(1)"), guard_cell("-3"), guard_cell(-3.0), guard_cell("plain")
    ("'=HYPERLINK(1)", "'-3", -3.0, 'plain')
    >>> bare_text(str(guard_cell("'=1")))
    "'=1"
    """
    if isinstance(cell, str) and _FORMULA.match(cell):
        return f"'{cell}"
    return cell


def guard_cells(cells: Iterable[object]) -> list[object]:
    """Return the cells of a row as `guard_cell` makes them."""
    return [guard_cell(cell) for cell in cells]


def bare_text(cell: str) -> str:
    """Return a text as it was before `guard_cell`.

    >>> bare_text("'=1"), bare_text("'a'"), bare_text("=1")
    ('=1', "'a'", '=1')
    """
    return cell[1:] if _GUARDED.match(cell) else cell
