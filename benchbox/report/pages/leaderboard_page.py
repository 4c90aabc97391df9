"""The leaderboard of a protocol: one page for each convention, the first under its own address."""

from __future__ import annotations

from dataclasses import dataclass

from benchbox.metrics import metric_names, number_format
from benchbox.papers.reference_rows import Paper
from benchbox.protocols import protocol_card
from benchbox.report.charts import (
    error_over_years,
    error_vs_msd,
    error_vs_perturbation,
    leaderboard_charts,
)
from benchbox.report.charts.chart_values import AnyChart
from benchbox.report.inputs.results import Problem
from benchbox.report.tables import exports, filters, rows
from benchbox.report.tables.filters import Chip, Switch
from benchbox.report.tables.rows import Board, Row, Table
from benchbox.types import Protocol

from . import atlas_page, compare_page
from .shared_data import SharedData, board_group

Fact = tuple[str, str]


@dataclass(frozen=True)
class BestRow:
    """One of the rows that a visitor looks for first."""

    words: str
    row: Row | None
    absent: str  # said where there is none
    beyond: Row | None = None  # a better one that was made under further other conditions


@dataclass(frozen=True)
class BoardPage:
    """The leaderboard of one protocol under one convention."""

    path: str
    board: Board
    table: Table | None
    atlas: str  # page, "" where there are no points to draw
    compare: str  # page, "" where there are not two runs
    exports: tuple[tuple[str, str], ...]  # format, file
    switches: tuple[Switch, ...]
    chips: tuple[Chip, ...]
    bests: tuple[BestRow, ...]
    detectable: tuple[tuple[str, str], ...]  # group, smallest detectable difference
    flags: tuple[tuple[str, tuple[str, ...]], ...]  # a flag, the names of its rows
    charts: tuple[AnyChart, ...]
    facts: tuple[Fact, ...]
    words: str
    papers: tuple[Paper, ...]
    problems: tuple[Problem, ...]

    @property
    def kinds(self) -> tuple[str, ...]:
        """Return printed and measured, where there are such rows."""
        if self.table is None:
            return ()
        return tuple(sorted({str(row.measured) for row in rows.all_rows(self.table)}))

    @property
    def ablations(self) -> int:
        """Count the lines of papers' ablations, which are shown where asked for."""
        if self.table is None:
            return 0
        return sum(row.ablation for row in rows.all_rows(self.table))

    @property
    def folded(self) -> bool:
        """Tell whether columns are folded away at first."""
        if self.table is None:
            return False
        return any(self.table.costs) or len(self.table.shown_at_first) < len(self.table.columns)


@dataclass(frozen=True)
class PlannedBoard:
    """A leaderboard before it is laid out."""

    path: str
    group: str
    work: float
    protocol: Protocol
    convention: str  # "" where nothing is known under any

    def hash_inputs(self, shared: SharedData) -> str:
        """Hash what the leaderboard rests on."""
        return shared.board_digest(self.protocol)

    def build(self, shared: SharedData) -> BoardPage:
        """Lay out the leaderboard."""
        return build_board_page(self.protocol, self.convention, shared)


def plan_pages(shared: SharedData) -> list[PlannedBoard]:
    """Plan a page for every convention of every protocol."""
    planned = []
    for protocol in shared.sources.protocols:
        group, work = board_group(protocol), shared.board_work(protocol)
        path = rows.board_path(protocol.name)
        first, *others = shared.conventions_of(protocol) or [""]
        planned.append(PlannedBoard(path, group, work, protocol, first))
        for convention in others:
            path = rows.board_path(protocol.name, convention)
            planned.append(PlannedBoard(path, group, work, protocol, convention))
    return planned


def build_board_page(protocol: Protocol, convention: str, shared: SharedData) -> BoardPage:
    """Lay out a leaderboard under one convention."""
    ranked = shared.ranked_board(protocol, convention)
    board, table = ranked.board, ranked.table
    problems = [p for p in shared.sources.problems if p.protocol == protocol.name]
    if table is None:
        return BoardPage(
            path=rows.board_path(protocol.name),
            board=board,
            table=None,
            atlas="",
            compare="",
            exports=(),
            switches=(),
            chips=(),
            bests=(),
            detectable=(),
            flags=(),
            charts=(),
            facts=_protocol_facts(protocol),
            words=protocol_card.describe_protocol(protocol),
            papers=(),
            problems=tuple(problems),
        )
    charts, chart_problems = leaderboard_charts.board_charts(
        protocol, table, shared.run_pages_of(protocol), shared.methods
    )
    for problem in (*ranked.problems, *chart_problems):
        if problem not in problems:
            problems.append(problem)
    years = filter(None, [error_over_years.years_chart(table)])
    runs = shared.runs_of(protocol)
    atlas = compare = ""
    if atlas_page.has_atlas(runs):
        atlas = atlas_page.atlas_path(protocol.name)
    if compare_page.has_compare_page(runs):
        compare = compare_page.compare_path(protocol.name)
    return BoardPage(
        path=filters.convention_page(board, table.convention),
        board=board,
        table=table,
        atlas=atlas,
        compare=compare,
        exports=_export_links(protocol, table),
        switches=filters.convention_switches(board, table),
        chips=filters.state_chips(table),
        bests=_best_rows(table),
        detectable=_detectable_words(table),
        flags=_named_flags(table),
        charts=(*years, *charts, *_cross_protocol_charts(protocol, table, shared)),
        facts=_protocol_facts(protocol),
        words=protocol_card.describe_protocol(protocol),
        papers=_papers_of(table, shared),
        problems=tuple(problems),
    )


def _named_flags(table: Table) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return every flag once, with the names of the rows that it is on."""
    names: dict[str, dict[str, None]] = {}
    for row in rows.all_rows(table):
        for flag in row.flags:
            names.setdefault(flag, {})[row.name] = None
    return tuple((flag, tuple(named)) for flag, named in names.items())


def _best_rows(table: Table) -> tuple[BestRow, ...]:
    """Return what a visitor looks for first: the best printed, comparable and measured rows."""
    printed, beyond = rows.best_printed(table), rows.best_printed_anyhow(table)
    if beyond is printed:
        beyond = None
    measured, ahead = rows.best_measured(table), rows.best_ahead_that_saw_test(table)
    if ahead is measured:
        ahead = None
    return (
        BestRow("Best in print, any box", printed, "no paper’s number is known", beyond),
        BestRow(
            "Best comparable",
            rows.best_comparable(table),
            "no row under the card’s own conditions yet",
        ),
        BestRow(
            "Best measured here",
            measured,
            "nothing measured here yet",
            ahead,
        ),
    )


def _detectable_words(table: Table) -> tuple[tuple[str, str], ...]:
    """Print the smallest detectable difference in each column that is shown at first."""
    words = []
    for index, difference in enumerate(table.detectable):
        column = table.columns[index]
        if difference is not None and index in table.shown_at_first:
            text = number_format.format_number(difference, column.metric.unit)
            words.append((column.group, text))
    return tuple(words)


def _export_links(protocol: Protocol, table: Table) -> tuple[tuple[str, str], ...]:
    return tuple(
        (suffix, exports.export_path(protocol.name, table.convention, suffix))
        for suffix in exports.SITE_FORMATS
    )


def _cross_protocol_charts(
    protocol: Protocol, table: Table, shared: SharedData
) -> tuple[AnyChart, ...]:
    """Draw what more than one card tells: perturbations, and accuracy against robustness."""
    references, runs = shared.sources.references, shared.chart_runs(protocol)
    metric = table.ranking_column.metric
    charts = error_vs_perturbation.protocol_charts(
        protocol, metric, runs, references, shared.methods
    )
    if error_vs_msd.MSD_METRIC not in protocol.metrics:
        return tuple(charts)
    partner = error_vs_msd.find_error_protocol(protocol, shared.sources.protocols)
    return (
        *charts,
        *error_vs_msd.protocol_charts(protocol, partner, runs, references, shared.methods),
    )


def _papers_of(table: Table, shared: SharedData) -> tuple[Paper, ...]:
    cited = cited_papers(table)
    papers = shared.sources.references.papers
    known = [paper for key, paper in papers.items() if key in cited]
    return tuple(paper for paper in known if paper.kind != "collection")


def cited_papers(table: Table) -> set[str]:
    """Return the keys of the papers that print the rows of a table, or present their methods."""
    cited = set()
    for row in rows.all_rows(table):
        cited |= {source.paper for source in row.sources}
        if row.kind == "paper":
            cited.add(row.family)
    return cited


def _protocol_facts(protocol: Protocol) -> tuple[Fact, ...]:
    items = number_format.item_plural(protocol)
    test = _size_of(protocol.test_expected, protocol.test_clusters, protocol)
    if protocol.holdout:
        test = f"{protocol.holdout:.0%} of the training {items}, left out of it; no test set"
    if len(protocol.groups) > 1:
        test += f" in {', '.join(protocol.groups)}"
    training = _size_of(protocol.train_expected, protocol.train_clusters, protocol)
    box = protocol.box.replace("_", " ")
    interval = f"{protocol.interval:.0%}, {protocol.resamples:,} resamples"
    return (
        ("Task", metric_names.TASKS[protocol.task]),
        ("Data", protocol.dataset),
        (f"Training {items}", training),
        (f"Test {items}", test),
        ("Box", f"{box}, side × {protocol.box_expansion:g}"),
        ("Interval", f"{interval} of whole {protocol.cluster}s"),
        ("Card", f"version {protocol.version}, {protocol.card}"),
    )


def _size_of(items: int, clusters: int, protocol: Protocol) -> str:
    if items:
        return f"{items:,}"
    return f"{clusters} {protocol.cluster}s"
