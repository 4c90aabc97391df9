"""The way in: every protocol with its leader, every method with its runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchbox.report.inputs.results import Problem
from benchbox.report.tables import rows
from benchbox.report.tables.rows import Board

from .shared_data import SharedData, hash_values

_TASKS = ("landmarks", "gaze2d", "gaze3d")
_RENDERED = "synth-"


@dataclass(frozen=True)
class IndexCard:
    """One protocol on the index."""

    page: str
    board: Board


@dataclass(frozen=True)
class IndexMethod:
    """One method on the index."""

    page: str
    title: str
    summary: str
    runs: int


@dataclass(frozen=True)
class IndexPage:
    """The way in."""

    path: str
    boards: tuple[IndexCard, ...]
    methods: tuple[IndexMethod, ...]
    problems: tuple[Problem, ...]


@dataclass(frozen=True)
class PlannedIndex:
    """The index before it is laid out."""

    path: str = "index.html"
    group: str = ""
    work: float = 1.0

    def hash_inputs(self, shared: SharedData) -> str:
        """Hash all protocols, cards and runs."""
        sources = shared.sources
        return hash_values(
            sources.protocols, shared.common_digest, *shared.run_digests(sources.results)
        )

    def build(self, shared: SharedData) -> IndexPage:
        """Lay out the index."""
        boards = [shared.board_of(protocol) for protocol in shared.sources.protocols]
        cards = [
            IndexCard(rows.board_path(board.protocol.name), board)
            for board in sorted(boards, key=_index_order)
        ]
        methods = [_describe_method(name, shared) for name in method_names(shared)]
        return IndexPage(self.path, tuple(cards), tuple(methods), shared.sources.problems)


def plan_pages(shared: SharedData) -> Sequence[PlannedIndex]:
    """Plan the index."""
    return [PlannedIndex()]


def method_names(shared: SharedData) -> list[str]:
    """Name the methods that have a card or a run."""
    return sorted({*shared.methods, *shared.by_method})


def _describe_method(name: str, shared: SharedData) -> IndexMethod:
    summary = "predictions handed in; no card describes it here"
    if name in shared.methods:
        summary = shared.methods[name].summary
    title = rows.method_title(name, shared.methods)
    runs = len(shared.by_method.get(name, []))
    return IndexMethod(rows.method_path(name), title, summary, runs)


def _index_order(board: Board) -> tuple[int, int, bool, str, int, str]:
    """Return what the index is sorted by.

    By task; what was measured first, then what is printed; photographs before rendered twins; in a
    data set the card with the most groups comes first.
    """
    card = board.protocol
    if board.measured:
        known = 0
    elif board.tables:
        known = 1
    else:
        known = 2
    return (
        _TASKS.index(card.task),
        known,
        card.dataset.startswith(_RENDERED),
        card.dataset,
        -len(card.groups),
        card.name,
    )
