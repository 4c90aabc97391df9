"""The way in: boards on photographs, what the checks say of papers, methods, rendered twins."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib import metadata

from benchbox.errors import ResultError
from benchbox.metrics import metric_names, number_format
from benchbox.report.charts import error_over_years, leaderboard_charts
from benchbox.report.charts.chart_values import Chart
from benchbox.report.charts.face_drawings import ItemDrawing
from benchbox.report.inputs.results import Problem, Result
from benchbox.report.tables import rows
from benchbox.report.tables.rows import Board, Row, Table

from . import atlas_page, claims_page, sample_atlas
from .claims_page import ClaimCount
from .shared_data import SharedData, hash_values

# the data sets that visitors ask for, in this order; one board of each stands for all of it
_ASKED_FOR = (
    ("300w-full", "300-W"),
    ("wflw", "WFLW"),
    ("cofw", "COFW"),
    ("aflw-full", "AFLW"),
    ("300vw-c", "300-VW"),
    ("gazecapture", "GazeCapture"),
    ("mpiigaze", "MPIIGaze"),
    ("eth-xgaze", "ETH-XGaze"),
)
_PICTURE_OF = "synth-300w-full"  # its pictures are our own and may be shown
_FEWEST_CURVES = 2
_DISTRIBUTION = "benchbox-faces"
REPOSITORY_VARIABLE = "BENCHBOX_REPOSITORY"


@dataclass(frozen=True)
class BestRow:
    """A row named on the index and its number as printed."""

    name: str
    page: str  # "" for a paper's row
    text: str
    year: str
    code: str
    standing: str  # "" where it is comparable, else why not


@dataclass(frozen=True)
class IndexBoard:
    """One board on the index, under its first convention."""

    page: str
    name: str
    title: str
    task: str
    measure: str  # "NME %, inter-ocular"
    printed: BestRow | None
    comparable: BestRow | None
    measured: BestRow | None
    rows: int
    measured_rows: int
    sparkline: str  # path of the front over the years
    years: str
    changed: str


@dataclass(frozen=True)
class IndexMethod:
    """One method on the index."""

    page: str
    title: str
    summary: str
    runs: int
    year: str
    code: str
    baseline: bool


@dataclass(frozen=True)
class IndexPage:
    """The way in."""

    path: str
    asked_for: tuple[IndexBoard, ...]
    further: tuple[IndexBoard, ...]  # on photographs
    twins: tuple[IndexBoard, ...]
    empty: tuple[IndexBoard, ...]  # nothing printed or measured
    claims: ClaimCount
    claims_page: str
    methods: tuple[IndexMethod, ...]
    face: ItemDrawing | None  # rendered, with what the best methods say of it
    atlas: str
    ced: Chart | None
    ced_of: IndexBoard | None  # the board that the curve is of
    repository: str  # of benchbox itself, where its distribution says so
    problems: tuple[Problem, ...]


@dataclass(frozen=True)
class PlannedIndex:
    """The index before it is laid out."""

    path: str = "index.html"
    group: str = ""
    work: float = 1.0

    def hash_inputs(self, shared: SharedData) -> str:
        """Hash all protocols, cards, runs and verdicts."""
        sources = shared.sources
        return hash_values(
            sources.protocols,
            shared.common_digest,
            sources.verdicts(),
            find_repository(),
            *shared.run_digests(sources.results),
        )

    def build(self, shared: SharedData) -> IndexPage:
        """Lay out the index."""
        boards = {}
        for protocol in shared.sources.protocols:
            boards[protocol.name] = _describe_board(shared.board_of(protocol))
        titles = dict(_ASKED_FOR)
        asked_for = []
        for name, title in _ASKED_FOR:
            if name in boards:
                asked_for.append(replace(boards[name], title=title))
        others = [board for name, board in boards.items() if name not in titles]
        known = sorted([board for board in others if board.rows], key=_index_order)
        rendered = [board for board in known if board.name.startswith(rows.RENDERED)]
        ced, ced_of = _draw_ced(shared)
        return IndexPage(
            path=self.path,
            asked_for=tuple(asked_for),
            further=tuple(board for board in known if board not in rendered),
            twins=tuple(rendered),
            empty=tuple(board for board in others if not board.rows),
            claims=claims_page.count_claims(shared.sources.verdicts()),
            claims_page=claims_page.PATH,
            methods=tuple(_describe_method(name, shared) for name in method_names(shared)),
            face=_draw_face(shared),
            atlas=atlas_page.atlas_path(_PICTURE_OF),
            ced=ced,
            ced_of=ced_of,
            repository=find_repository(),
            problems=shared.sources.problems,
        )


def find_repository() -> str:
    """Return where the sources are had: as the setting says, else as the distribution does.

    "" where neither says. Raises ResultError for a setting that is no https address.
    """
    given = os.environ.get(REPOSITORY_VARIABLE, "")
    if given:
        if not re.fullmatch(r"https://[^\s\"'<>]+", given):
            raise ResultError(
                f"{REPOSITORY_VARIABLE}={given!r}: must be the address of the repository, as"
                " https://example.org/benchbox"
            )
        return given
    try:
        links = metadata.metadata(_DISTRIBUTION).get_all("Project-URL") or []
    except metadata.PackageNotFoundError:
        return ""
    for link in links:
        label, _, url = link.partition(", ")
        if label.casefold() in ("repository", "source", "homepage") and url.startswith("https://"):
            return str(url)
    return ""


def plan_pages(shared: SharedData) -> Sequence[PlannedIndex]:
    """Plan the index."""
    return [PlannedIndex()]


def method_names(shared: SharedData) -> list[str]:
    """Name the methods that have a card or a run."""
    return sorted({*shared.methods, *shared.by_method})


# --- boards ---------------------------------------------------------------------------------------


def _describe_board(board: Board) -> IndexBoard:
    protocol = board.protocol
    described = IndexBoard(
        page=rows.board_path(protocol.name),
        name=protocol.name,
        title=protocol.title,
        task=protocol.task,
        measure="",
        printed=None,
        comparable=None,
        measured=None,
        rows=0,
        measured_rows=0,
        sparkline="",
        years="",
        changed=board.changed,
    )
    if not board.tables:
        return described
    table = board.tables[0]
    metric = table.ranking_column.metric
    words = [metric.title]
    if protocol.task == "landmarks":
        words.append(metric_names.short_convention(table.convention))
    unit = number_format.unit_word(metric.unit)
    measure = ", ".join(filter(None, [*words, unit]))
    all_rows = [row for row in rows.all_rows(table) if not row.ablation]
    years = error_over_years.front_years(table)
    return replace(
        described,
        measure=measure,
        printed=_best_row(rows.best_printed(table), table),
        comparable=_best_row(rows.best_comparable(table), table),
        measured=_best_row(rows.best_measured(table), table),
        rows=len(all_rows),
        measured_rows=sum(row.measured for row in all_rows),
        sparkline=error_over_years.sparkline(table),
        years=f"{years[0]}–{years[1]}" if years else "",
    )


def _best_row(row: Row | None, table: Table) -> BestRow | None:
    if row is None:
        return None
    cell = row.cells[table.ranked_by]
    return BestRow(
        name=row.name,
        page=row.page,
        text=cell.text if cell else "",
        year=row.year,
        code=row.code,
        standing=row.not_comparable,
    )


def _index_order(board: IndexBoard) -> tuple[bool, str, str]:
    """Sort boards: those with measured rows first, then by task and name."""
    return not board.measured_rows, board.task, board.name


def _draw_ced(shared: SharedData) -> tuple[Chart | None, IndexBoard | None]:
    """Draw the CED of the board on photographs with most measured rows, if there are two."""
    candidates = []
    for protocol in shared.sources.protocols:
        runs = shared.runs_of(protocol)
        if protocol.task == "landmarks" and not protocol.name.startswith(rows.RENDERED):
            candidates.append((len(runs), protocol.name))
    for count, name in sorted(candidates, reverse=True):
        protocol = shared.protocols[name]
        conventions = shared.conventions_of(protocol)
        if count < _FEWEST_CURVES or not conventions:
            break
        table = shared.ranked_table(protocol, conventions[0])
        charts, _ = leaderboard_charts.board_charts(
            protocol, table, shared.run_pages_of(protocol), shared.methods
        )
        for chart in charts:
            if isinstance(chart, Chart) and chart.hover == "stairs":
                return chart, _describe_board(shared.board_of(protocol))
    return None, None


def _draw_face(shared: SharedData) -> ItemDrawing | None:
    """Return a rendered face with what the best methods say of it, None where there is none."""
    protocol = shared.protocols.get(_PICTURE_OF)
    if protocol is None or not shared.runs_of(protocol):
        return None
    samples, problems = shared.item_errors(protocol, shared.conventions_of(protocol)[0])
    page = sample_atlas.build_atlas_page(protocol, samples, shared.methods, problems)
    for section in reversed(page.sections):  # the easiest faces stand last
        for face in section.faces:
            if face.picture:
                return face
    return None


# --- methods --------------------------------------------------------------------------------------


def _describe_method(name: str, shared: SharedData) -> IndexMethod:
    runs = shared.by_method.get(name, [])
    page, title = rows.method_path(name), rows.method_title(name, shared.methods)
    card = shared.methods.get(name)
    if card:
        stated = rows.follow_links_only(card.describe_row(card.default, ""))
        paper = shared.sources.references.find_title(card.paper.get("title", ""))
        year = stated.get("year", "")
        code = stated.get("code", "") or (paper.code if paper else "")
        return IndexMethod(page, title, card.summary, len(runs), year, code, card.baseline)
    stated = rows.follow_links_only(runs[0].run.record.stated) if runs else {}
    return IndexMethod(
        page=page,
        title=stated.get("title", title),
        summary=stated.get("paper", "") or describe_origin(runs),
        runs=len(runs),
        year=stated.get("year", ""),
        code=stated.get("code", ""),
        baseline=False,
    )


def describe_origin(runs: Sequence[Result]) -> str:
    """Say of a method without a card here where its runs come from."""
    if any(result.kind != "submitted" for result in runs):
        return "Run here, by a card that is not installed: report --methods DIR reads it."
    return "Predictions handed in; no card describes this method here."
