"""What a reader can set on a leaderboard: the convention, which is a page of its own, and filters over its rows."""

from __future__ import annotations

from dataclasses import dataclass

from benchbox.metrics import metric_names

from . import rows
from .rows import Board, Table

_FILTERS = (
    ("kind", "Kind"),
    ("budget", "Budget"),
    ("data", "Data"),
    ("extra", "Extra training data"),
    ("year", "Year"),
)


@dataclass(frozen=True)
class Choice:
    """One position of a switch: the page that shows it."""

    text: str
    page: str
    current: bool


@dataclass(frozen=True)
class Switch:
    """One question about the convention and its answers."""

    title: str
    choices: tuple[Choice, ...]


@dataclass(frozen=True)
class Filter:
    """A property of rows and its values."""

    key: str
    title: str
    values: tuple[str, ...]


def convention_switches(board: Board, table: Table) -> tuple[Switch, ...]:
    """Ask for normaliser, points and visibility one by one.

    Each answer changes nothing else where it can.
    """
    known = {t.convention: metric_names.split_convention(t.convention) for t in board.tables}
    here = known[table.convention]
    found = []
    for part, title in enumerate(("Error over", "Points", "Which points")):
        answers = dict.fromkeys(parts[part] for parts in known.values())
        if len(answers) < 2:
            continue
        choices = []
        for answer in answers:
            convention = max(
                (c for c, parts in known.items() if parts[part] == answer),
                key=lambda c: sum(a == b for a, b in zip(known[c], here, strict=True)),
            )
            choices.append(
                Choice(
                    _answer_text(part, answer),
                    convention_page(board, convention),
                    answer == here[part],
                )
            )
        landmarks = board.protocol.task == "landmarks"
        found.append(Switch(title if part or landmarks else "Unit", tuple(choices)))
    return tuple(found)


def convention_page(board: Board, convention: str) -> str:
    """Return the page of a convention; the first one is the board's own."""
    return rows.board_path(
        board.protocol.name, "" if convention == board.tables[0].convention else convention
    )


def _answer_text(part: int, answer: str | int | bool) -> str:
    if part == 0:
        return metric_names.SHORT_NAMES.get(str(answer), str(answer))
    if part == 1:
        return str(answer) if answer else "all"
    return "visible only" if answer else "all"


def row_filters(table: Table) -> tuple[Filter, ...]:
    """Offer what tells the rows of a table apart."""
    found = []
    for key, title in _FILTERS:
        values = sorted({str(getattr(row, key)) for row in rows.all_rows(table)} - {""})
        if len(values) > 1:
            found.append(Filter(key, title, tuple(values)))
    return tuple(found)
