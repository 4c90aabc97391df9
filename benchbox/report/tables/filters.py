"""What a reader can set on a leaderboard.

The convention, which is a page of its own, and chips that choose among its rows.
"""

from __future__ import annotations

from dataclasses import dataclass

from benchbox.metrics import metric_names

from . import rows
from .rows import Board, Table

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
class Chip:
    """A choice of rows: up to which state they are shown, and how many that are."""

    state: str  # comparable, box or all
    text: str
    count: int
    chosen: bool  # at first


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


def state_chips(table: Table) -> tuple[Chip, ...]:
    """Offer the comparable rows, those that differ in their box alone, and all."""
    comparable = table.count_state("comparable")
    other_box = table.count_state("box")
    others = table.count_state("other")
    chips = [Chip("comparable", "comparable", comparable, table.preset == "comparable")]
    if other_box:
        chips.append(Chip("box", "on any box", comparable + other_box, chosen=False))
    if others:
        count = comparable + other_box + others
        chips.append(Chip("all", "all", count, table.preset == "all"))
    return tuple(chips)
