"""Pages as values: one frozen dataclass per kind of page, complete before a template sees it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from markupsafe import Markup

from benchbox.analysis.check_papers import Verdict
from benchbox.metrics import metric_names, number_format
from benchbox.papers.claims import SizeClaim as PrintedSize
from benchbox.papers.reference_rows import Paper, References
from benchbox.protocols import protocol_card as cards
from benchbox.report.charts import error_vs_msd, error_vs_perturbation, leaderboard_charts
from benchbox.report.charts.chart_values import AnyChart
from benchbox.report.inputs import group_by_seed
from benchbox.report.inputs.group_by_seed import SeedGroup
from benchbox.report.inputs.results import Problem, Result
from benchbox.report.tables import exports, filters, network_table, rows
from benchbox.report.tables.costs import Profiles
from benchbox.report.tables.filters import Filter, Switch
from benchbox.report.tables.network_table import NetworkTable
from benchbox.report.tables.ranked_rows import RankedBoard
from benchbox.report.tables.rows import Board, Cell, Seed, Table
from benchbox.types import MethodCard, Protocol

from . import compare_page, markdown, sample_atlas
from .compare_page import ComparePage
from .guide import GuidePage
from .pseudo_label_page import PseudoLabelPage
from .run_page import RunPage
from .sample_atlas import AtlasPage

Fact = tuple[str, str]
_README_CHARS = 200_000
_RENDERED = "synth-"


@dataclass(frozen=True)
class Sources:
    """Everything that the pages are made from."""

    protocols: tuple[Protocol, ...]
    methods: tuple[MethodCard, ...]
    references: References
    results: tuple[Result, ...]
    problems: tuple[Problem, ...]
    profiles: Profiles = field(default_factory=dict)  # what `benchbox profile --save` has kept
    verdicts: Callable[[], tuple[Verdict, ...]] = tuple  # asked for by the pages of methods alone
    facts: tuple[PrintedSize, ...] = ()  # sizes of networks that papers print
    # (paper, label) → "method/variant"
    systems: Mapping[tuple[str, str], str] = field(default_factory=dict)


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
    """The leaderboard of one protocol under one convention."""

    path: str
    board: Board
    table: Table | None
    atlas: str  # page, "" where there are no points to draw
    compare: str  # page, "" where there are not two runs
    exports: tuple[tuple[str, str], ...]  # format, file
    switches: tuple[Switch, ...]
    filters: tuple[Filter, ...]
    charts: tuple[AnyChart, ...]
    facts: tuple[Fact, ...]
    words: str
    papers: tuple[Paper, ...]
    problems: tuple[Problem, ...]


@dataclass(frozen=True)
class MethodRow:
    """One run on its method's page, or all seeds of one variant."""

    protocol: str
    board: str  # page
    name: str
    page: str  # of the first run
    seeds: tuple[Seed, ...]  # () where nothing was trained
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
    verdicts: tuple[Verdict, ...]  # on what papers claim of it, where something was measured
    charts: tuple[AnyChart, ...]
    anatomy: NetworkTable

    @property
    def seeded(self) -> bool:
        """Tell whether any row is a mean over seeds."""
        return any(len(row.seeds) > 1 for row in self.rows)


Page = (
    IndexPage
    | BoardPage
    | MethodPage
    | RunPage
    | ComparePage
    | AtlasPage
    | GuidePage
    | PseudoLabelPage
)


# --- index and leaderboards -----------------------------------------------------------------------


def build_index_page(
    boards: Sequence[Board],
    runs: Mapping[str, int],
    sources: Sources,
    methods: Mapping[str, MethodCard],
) -> IndexPage:
    """Lay out the way in; `runs` counts the runs of every method, in the order of the page."""
    entries = []
    for name, count in runs.items():
        summary = (
            methods[name].summary
            if name in methods
            else "predictions handed in; no card describes it here"
        )
        entries.append(
            IndexMethod(rows.method_path(name), rows.method_title(name, methods), summary, count)
        )
    return IndexPage(
        path="index.html",
        boards=tuple(
            IndexCard(rows.board_path(board.protocol.name), board)
            for board in sorted(boards, key=_index_order)
        ),
        methods=tuple(entries),
        problems=sources.problems,
    )


def _index_order(board: Board) -> tuple[int, int, bool, str, int, str]:
    """Order the index: by task, what was measured first, then what is printed, photographs before rendered twins.

    In a data set the card with the most groups comes first.
    """
    order = ("landmarks", "gaze2d", "gaze3d")
    card = board.protocol
    known = 0 if board.measured else 1 if board.tables else 2
    return (
        order.index(card.task),
        known,
        card.dataset.startswith(_RENDERED),
        card.dataset,
        -len(card.groups),
        card.name,
    )


def build_board_page(
    ranked: RankedBoard,
    own: Sequence[Result],
    sources: Sources,
    methods: Mapping[str, MethodCard],
    near: Mapping[str, Sequence[Result]],
) -> BoardPage:
    """Lay out a leaderboard under one convention.

    `own` are its runs, `near` those that its charts show, too.
    """
    board, table = ranked.board, ranked.table
    name = board.protocol.name
    problems = [problem for problem in sources.problems if problem.protocol == name]
    drawn: tuple[AnyChart, ...] = ()
    if table:
        drawn, more = leaderboard_charts.board_charts(
            board.protocol, table, {result.page + ".html": result for result in own}, methods
        )
        problems += [
            fault for fault in dict.fromkeys((*ranked.problems, *more)) if fault not in problems
        ]
    drawn += _further_charts(ranked, sources, methods, near)
    quoted = cited_papers(table)
    return BoardPage(
        path=filters.convention_page(board, table.convention) if table else rows.board_path(name),
        board=board,
        table=table,
        atlas=sample_atlas.atlas_path(name) if table and own else "",
        compare=compare_page.compare_path(name)
        if table and compare_page.has_compare_page(own)
        else "",
        exports=tuple(
            [
                (suffix, exports.export_path(name, table.convention, suffix))
                for suffix in exports.TABLE_FORMATS
            ]
            + [("bib", exports.export_path(name, "", "bib"))]
            if table
            else ()
        ),
        switches=filters.convention_switches(board, table) if table else (),
        filters=filters.row_filters(table) if table else (),
        charts=drawn,
        facts=_protocol_facts(board.protocol),
        words=cards.describe_protocol(board.protocol),
        papers=tuple(paper for key, paper in sources.references.papers.items() if key in quoted),
        problems=tuple(problems),
    )


def _further_charts(
    ranked: RankedBoard,
    sources: Sources,
    methods: Mapping[str, MethodCard],
    near: Mapping[str, Sequence[Result]],
) -> tuple[AnyChart, ...]:
    """Draw what more than one card tells: disturbances, and accuracy against robustness."""
    protocol, table = ranked.board.protocol, ranked.table
    if table is None:
        return ()
    metric = table.ranking_column.metric
    partner = error_vs_msd.find_error_protocol(protocol, sources.protocols)
    return (
        *error_vs_perturbation.protocol_charts(protocol, metric, near, sources.references, methods),
        *(
            error_vs_msd.protocol_charts(protocol, partner, near, sources.references, methods)
            if error_vs_msd.MSD_METRIC in protocol.metrics
            else ()
        ),
    )


def cited_papers(table: Table | None) -> set[str]:
    """Return the keys of the papers that a table quotes."""
    return (
        {source.paper for row in rows.all_rows(table) for source in row.sources} if table else set()
    )


def _protocol_facts(protocol: Protocol) -> tuple[Fact, ...]:
    test = (
        f"{protocol.test_expected:,}"
        if protocol.test_expected
        else f"{protocol.test_clusters} {protocol.cluster}s"
    ) + (f" in {', '.join(protocol.groups)}" if len(protocol.groups) > 1 else "")
    return (
        ("Task", metric_names.TASKS[protocol.task]),
        ("Data", protocol.dataset),
        (
            f"Training {number_format.item_plural(protocol)}",
            f"{protocol.train_expected:,}"
            if protocol.train_expected
            else f"{protocol.train_clusters} {protocol.cluster}s",
        ),
        (f"Test {number_format.item_plural(protocol)}", test),
        ("Box", f"{protocol.box.replace('_', ' ')}, side × {protocol.box_expansion:g}"),
        (
            "Interval",
            f"{protocol.interval:.0%}, {protocol.resamples:,} resamples of whole {protocol.cluster}s",
        ),
        ("Card", f"version {protocol.version}, {protocol.card}"),
    )


# --- methods --------------------------------------------------------------------------------------


def build_method_page(
    name: str,
    card: MethodCard | None,
    own: Sequence[Result],
    sources: Sources,
    methods: Mapping[str, MethodCard],
    verdicts: Sequence[Verdict] = (),
) -> MethodPage:
    """Lay out the page of a method; `own` are its runs, `verdicts` those on its claims."""
    protocols = {protocol.name: protocol for protocol in sources.protocols}
    url = card.paper.get("url", "") if card else ""
    families = group_by_seed.group_runs(own, methods)
    known = name, sources.protocols, own, sources.references, sources.systems, methods
    return MethodPage(
        path=rows.method_path(name),
        name=name,
        card=card,
        title=card.title if card else name,
        link=url if url.startswith(("https://", "http://")) else "",
        readme=markdown.render_markdown(read_readme(card)),
        rows=tuple(
            _method_row(family, protocols.get(family[0].run.protocol), apart)
            for family, apart in zip(
                families, group_by_seed.differing_params(families, methods), strict=True
            )
        ),
        verdicts=tuple(verdicts),
        charts=(*error_vs_perturbation.method_charts(*known), *error_vs_msd.method_charts(*known)),
        anatomy=network_table.describe_networks(name, card, sources.profiles, sources.facts),
    )


def read_readme(card: MethodCard | None) -> str:
    """Return the text of a method's README, "" where there is none."""
    file = card.folder / "README.md" if card else None
    if file is None or not file.is_file():
        return ""
    with file.open(encoding="utf-8", errors="replace") as stream:
        return stream.read(_README_CHARS)


def _method_row(
    family: SeedGroup, protocol: Protocol | None, differing: tuple[str, ...]
) -> MethodRow:
    metric, cell, first = None, None, family[0]
    if protocol:
        overall = group_by_seed.mean_scores(family).get(protocol.overall, {})
        ordered = metric_names.group_by_convention(overall, protocol)
        metric = next(iter(ordered.values()))[0] if ordered else None
        cell = rows.print_cell(overall.get(metric.name)) if metric else None
    words = f"{metric.title}, {metric_names.short_convention(metric.convention)}" if metric else ""
    return MethodRow(
        protocol=protocol.title if protocol else first.run.protocol,
        board=rows.board_path(first.run.protocol) if protocol else "",
        name=rows.variant_words(first) or "predictions",
        page=first.page + ".html",
        seeds=rows.row_seeds(family),
        kind=first.kind,
        details=rows.row_details(family, differing),
        metric=words
        + (
            f" ({protocol.overall}), {metric.unit}"
            if metric and protocol and metric.unit == "%"
            else ""
        ),
        cell=cell,
        apart=rows.why_not_comparable(first, protocol)
        if protocol
        else "no card of this protocol is installed",
    )
