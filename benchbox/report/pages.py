"""Pages as values: one frozen dataclass per kind of page, complete before a template sees it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from markupsafe import Markup

from benchbox import protocol as cards
from benchbox.errors import ResultError
from benchbox.references import Paper, References
from benchbox.types import MethodCard, Protocol

from . import charts, measures, prose, results, rows
from .charts import Chart
from .results import Problem, Result
from .rows import Board, Cell
from .runs import RunPage

if TYPE_CHECKING:
    from benchbox.types import Floats

Fact = tuple[str, str]
_README_CHARS = 200_000


@dataclass(frozen=True)
class Sources:
    """Everything that the pages are made from."""

    protocols: tuple[Protocol, ...]
    methods: tuple[MethodCard, ...]
    references: References
    results: tuple[Result, ...]
    problems: tuple[Problem, ...]


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
class BoardPage:
    """The leaderboard of one protocol."""

    path: str
    board: Board
    charts: Mapping[str, Chart]  # by convention
    facts: tuple[Fact, ...]
    words: str
    papers: tuple[Paper, ...]
    problems: tuple[Problem, ...]


@dataclass(frozen=True)
class MethodRow:
    """One run on its method's page."""

    protocol: str
    board: str  # page
    run: str  # page
    kind: str
    details: tuple[str, ...]
    metric: str  # in words
    cell: Cell | None
    apart: str


@dataclass(frozen=True)
class MethodPage:
    """One method: its card, its README, its results."""

    path: str
    name: str
    card: MethodCard | None
    title: str
    link: str  # of the paper, "" where it has none that may be followed
    readme: Markup
    rows: tuple[MethodRow, ...]


Page = IndexPage | BoardPage | MethodPage | RunPage


# --- index and leaderboards --------------------------------------------------------------------------------------


def index_page(
    boards: Sequence[Board], runs: Mapping[str, int], sources: Sources, methods: Mapping[str, MethodCard]
) -> IndexPage:
    """Lay out the way in; `runs` counts the runs of every method, in the order of the page."""
    entries = []
    for name, count in runs.items():
        summary = methods[name].summary if name in methods else "predictions handed in; no card describes it here"
        entries.append(IndexMethod(rows.method_path(name), rows.title(name, methods), summary, count))
    return IndexPage(
        path="index.html",
        boards=tuple(IndexCard(rows.board_path(board.protocol.name), board) for board in sorted(boards, key=_place)),
        methods=tuple(entries),
        problems=sources.problems,
    )


def _place(board: Board) -> tuple[str, int, str]:
    """Order the index: by data set, and in a data set the card with the most groups first."""
    return board.protocol.dataset, -len(board.protocol.groups), board.protocol.name


def board_page(board: Board, own: Sequence[Result], sources: Sources, methods: Mapping[str, MethodCard]) -> BoardPage:
    """Lay out a leaderboard with its charts; `own` are the runs of its protocol."""
    name = board.protocol.name
    measured = {result.page + ".html": result for result in own}
    drawn, problems = {}, [problem for problem in sources.problems if problem.protocol == name]
    for table in board.tables:
        chart, faults = _board_chart(board, table, measured, methods)
        if chart:
            drawn[table.convention] = chart
        problems += [fault for fault in faults if fault not in problems]
    quoted = {s.paper for t in board.tables for row in rows.every(t) for s in row.sources}
    return BoardPage(
        path=rows.board_path(name),
        board=board,
        charts=drawn,
        facts=_protocol_facts(board.protocol),
        words=cards.describe(board.protocol),
        papers=tuple(paper for key, paper in sources.references.papers.items() if key in quoted),
        problems=tuple(problems),
    )


def _board_chart(
    board: Board, table: rows.Table, measured: Mapping[str, Result], methods: Mapping[str, MethodCard]
) -> tuple[Chart | None, list[Problem]]:
    """Draw the curves of the best measured rows and say which could not be drawn."""
    metric, group = table.columns[table.key].metric, table.columns[table.key].group
    if metric.unit != "%":
        return None, []
    shown = [row for row in rows.every(table) if row.page in measured]
    found = [measured[row.page] for row in shown]
    labels = _labels(shown, found, methods)
    curves: dict[int, tuple[str, Floats]] = {}
    faults: dict[int, Problem] = {}
    for line in _varied(found):
        if len(curves) == charts.SERIES:
            break
        run = found[line].run
        try:
            errors = results.errors(found[line])
            curves[line] = labels[line], results.values(errors, metric.name)[results.members(errors, group)]
        except ResultError as fault:
            place = f"results/{run.protocol}/{run.method}/{run.variant}/{run.seed}"
            faults[line] = Problem(place, run.protocol, results.without(run.folder, str(fault)))
    problems = [faults[line] for line in sorted(faults)]
    if not curves:
        return None, problems
    chart = charts.ced(
        f"ced-{table.convention}",
        f"Cumulative error distribution, {group}",
        [curves[line] for line in sorted(curves)],
        end=measures.curve_end(board.protocol),
        convention=measures.short(table.convention),
        faces=f"the group {group} of {board.protocol.name}",
    )
    return chart, problems


def _varied(found: Sequence[Result]) -> list[int]:
    """Order rows for a chart with fewer curves: the first of every variant of a method, then its further seeds."""
    firsts = {(result.run.method, result.run.variant): line for line, result in reversed(list(enumerate(found)))}
    chosen = sorted(firsts.values())
    return [*chosen, *sorted(set(range(len(found))).difference(chosen))]


def _labels(shown: Sequence[rows.Row], measured: Sequence[Result], methods: Mapping[str, MethodCard]) -> list[str]:
    """Name curves as shortly as tells them apart: method, what is not its default, seed; a star stands apart."""
    names = [_cut(rows.title(result.run.method, methods) + _variant(result, methods)) for result in measured]
    seeds = [f", seed {r.run.seed}" if names.count(name) > 1 else "" for name, r in zip(names, measured, strict=True)]
    stars = [" *" if row.apart else "" for row in shown]
    return [name + seed + star for name, seed, star in zip(names, seeds, stars, strict=True)]


def _variant(result: Result, methods: Mapping[str, MethodCard]) -> str:
    card = methods.get(result.run.method)
    usual = result.kind if result.kind == "submitted" else card.default if card else ""
    rest = result.run.variant.removeprefix(usual)
    return rest if not rest or rest.startswith("+") else f" {result.run.variant}"


def _cut(text: str, room: int = 28) -> str:
    return text if len(text) <= room else text[: room - 1] + "…"


def _protocol_facts(protocol: Protocol) -> tuple[Fact, ...]:
    test = (
        f"{protocol.test_expected:,}" if protocol.test_expected else f"{protocol.test_clusters} {protocol.cluster}s"
    ) + (f" in {', '.join(protocol.groups)}" if len(protocol.groups) > 1 else "")
    return (
        ("Task", protocol.task),
        ("Data", protocol.dataset),
        (
            "Training faces",
            f"{protocol.train_expected:,}"
            if protocol.train_expected
            else f"{protocol.train_clusters} {protocol.cluster}s",
        ),
        ("Test faces", test),
        ("Box", f"{protocol.box.replace('_', ' ')}, side × {protocol.box_expansion:g}"),
        ("Interval", f"{protocol.interval:.0%}, {protocol.resamples:,} resamples of whole {protocol.cluster}s"),
        ("Card", f"version {protocol.version}, {protocol.card}"),
    )


# --- methods -----------------------------------------------------------------------------------------------------


def method_page(
    name: str, card: MethodCard | None, own: Sequence[Result], protocols: Mapping[str, Protocol]
) -> MethodPage:
    """Lay out the page of a method; `own` are its runs."""
    url = card.paper.get("url", "") if card else ""
    return MethodPage(
        path=rows.method_path(name),
        name=name,
        card=card,
        title=card.title if card else name,
        link=url if url.startswith(("https://", "http://")) else "",
        readme=prose.html(readme(card)),
        rows=tuple(_method_row(result, protocols.get(result.run.protocol)) for result in own),
    )


def readme(card: MethodCard | None) -> str:
    """Return the text of a method's README, "" where there is none."""
    file = card.folder / "README.md" if card else None
    if file is None or not file.is_file():
        return ""
    with file.open(encoding="utf-8", errors="replace") as stream:
        return stream.read(_README_CHARS)


def _method_row(result: Result, protocol: Protocol | None) -> MethodRow:
    metric, cell = None, None
    if protocol:
        overall = result.scores.get(protocol.overall, {})
        ordered = measures.ordered(overall, protocol)
        metric = next(iter(ordered.values()))[0] if ordered else None
        cell = rows.cell(overall.get(metric.name)) if metric else None
    words = f"{metric.title}, {measures.short(metric.convention)}" if metric else ""
    return MethodRow(
        protocol=protocol.title if protocol else result.run.protocol,
        board=rows.board_path(result.run.protocol) if protocol else "",
        run=result.page + ".html",
        kind=result.kind,
        details=rows.details(result),
        metric=words + (f" ({protocol.overall}), {metric.unit}" if metric and protocol and metric.unit == "%" else ""),
        cell=cell,
        apart=rows.apart(result, protocol) if protocol else "no card of this protocol is installed",
    )
