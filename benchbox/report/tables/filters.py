"""What a reader can set on a leaderboard.

The convention, which is a page of its own, and filters over its rows.
"""

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

# What a convention says: normaliser, number of points, whether only visible ones count.
Answers = tuple[str, int, bool]


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
    answers_of = {}
    for other in board.tables:
        answers_of[other.convention] = metric_names.split_convention(other.convention)
    current = answers_of[table.convention]
    switches = []
    for question, title in enumerate(_questions(board)):
        possible = dict.fromkeys(answers[question] for answers in answers_of.values())
        if len(possible) < 2:
            continue
        choices = []
        for answer in possible:
            convention = _closest_convention(answers_of, question, answer, current)
            page = convention_page(board, convention)
            text = _answer_text(question, answer)
            choices.append(Choice(text, page, current=answer == current[question]))
        switches.append(Switch(title, tuple(choices)))
    return tuple(switches)


def _questions(board: Board) -> tuple[str, ...]:
    if board.protocol.task == "landmarks":
        return "Error over", "Points", "Which points"
    return "Unit", "Points", "Which points"


def _closest_convention(
    answers_of: dict[str, Answers], question: int, answer: str | int | bool, current: Answers
) -> str:
    """Return the convention with an answer that has most other answers in common with this one."""
    candidates = [c for c, answers in answers_of.items() if answers[question] == answer]

    def common_answers(convention: str) -> int:
        pairs = zip(answers_of[convention], current, strict=True)
        return sum(theirs == ours for theirs, ours in pairs)

    return max(candidates, key=common_answers)


def convention_page(board: Board, convention: str) -> str:
    """Return the page of a convention; the first one is the board's own."""
    if convention == board.tables[0].convention:
        convention = ""
    return rows.board_path(board.protocol.name, convention)


def _answer_text(question: int, answer: str | int | bool) -> str:
    if question == 0:
        return metric_names.short_convention(str(answer))
    if not answer:
        return "all"
    if question == 1:
        return str(answer)
    return "visible only"


def row_filters(table: Table) -> tuple[Filter, ...]:
    """Offer what tells the rows of a table apart."""
    filters = []
    for key, title in _FILTERS:
        values = {str(getattr(row, key)) for row in rows.all_rows(table)} - {""}
        if len(values) > 1:
            filters.append(Filter(key, title, tuple(sorted(values))))
    return tuple(filters)
