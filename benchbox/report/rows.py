"""Leaderboards as values: scores and reference rows → tables, before any template.

Beside each other stand only rows of the same card, measured on the whole test set, trained on the complete data with
the variant's own parameters; budget, interval and seed are shown. Every other row stands apart with its reason. Only
what was measured here gets a rank; papers' numbers are placed among them by value and keep their source.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from benchbox.references import References
from benchbox.types import Kind, MethodCard, Protocol, Score

from . import measures, quoted
from .measures import Metric
from .quoted import Line, Source
from .results import Result, slug

_OFFICIAL = ("complete", "original annotations")  # pieces of a data variant's name that say: nothing unusual
KINDS: tuple[Kind, ...] = ("paper", "weights", "trained", "submitted")


@dataclass(frozen=True)
class Column:
    """One column of numbers."""

    metric: Metric
    group: str


@dataclass(frozen=True)
class Cell:
    """One number as printed; `value` sorts it."""

    text: str
    value: float
    interval: str = ""
    ends: tuple[float, ...] = ()  # low and high, () where there is no interval


@dataclass(frozen=True)
class Spot:
    """A value and its interval on the table's common scale, 0 to 100; low = high where there is no interval."""

    at: float
    low: float
    high: float


@dataclass(frozen=True)
class Row:
    """One line of a leaderboard."""

    kind: Kind
    name: str
    page: str  # inside the site, "" for a paper's row
    details: tuple[str, ...]
    sources: tuple[Source, ...]
    cells: tuple[Cell | None, ...]
    notes: tuple[str, ...] = ()
    apart: str = ""  # why it stands apart
    rank: int | None = None
    spot: Spot | None = None
    marks: tuple[int, ...] = ()  # numbers of its footnotes


@dataclass(frozen=True)
class Part:
    """Rows that stand apart for one reason."""

    reason: str
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Table:
    """A protocol's rows under one convention; the first column group ranks it by the card's overall group."""

    convention: str
    columns: tuple[Column, ...]
    key: int  # index of the column that ranks
    rows: tuple[Row, ...]
    apart: tuple[Part, ...]
    footnotes: tuple[str, ...]
    scale: tuple[float, float]  # ends of the common scale of the spots, which is logarithmic

    @property
    def heads(self) -> tuple[tuple[Metric, int], ...]:
        """Return the column groups: a metric and how many columns it spans."""
        spans: dict[Metric, int] = {}
        for column in self.columns:
            spans[column.metric] = spans.get(column.metric, 0) + 1
        return tuple(spans.items())

    @property
    def firsts(self) -> frozenset[int]:
        """Return the indices of the columns that open a column group."""
        metrics = [column.metric for column in self.columns]
        return frozenset(i for i, metric in enumerate(metrics) if metric not in metrics[:i])


@dataclass(frozen=True)
class Board:
    """A protocol with its tables."""

    protocol: Protocol
    tables: tuple[Table, ...]
    counts: Mapping[str, int]  # rows by kind

    @property
    def nearest(self) -> Row | None:
        """Return the best measured row that stands apart, for a board that has no leader."""
        for table in self.tables[:1]:
            falls = table.columns[table.key].metric.falls
            rows = [row for part in table.apart for row in part.rows if row.kind != "paper" and row.cells[table.key]]
            return min(rows, key=lambda row: _order(row, table.key, falls), default=None)
        return None

    @property
    def leader(self) -> Row | None:
        """Return the best row that we measured ourselves, under the first convention; None where there is none."""
        return next((row for table in self.tables[:1] for row in table.rows if row.rank == 1), None)


def board(
    protocol: Protocol, results: Sequence[Result], references: References, methods: Mapping[str, MethodCard]
) -> Board:
    """Lay out the leaderboard of one protocol; `results` are the runs of this protocol."""
    lines = quoted.lines(protocol, references)
    names = {name for result in results for scores in result.scores.values() for name in scores}
    names |= {line.metric for line in lines}
    tables = []
    for convention, metrics in measures.ordered(names, protocol).items():
        columns = tuple(Column(metric, group) for metric in metrics for group in protocol.groups)
        rows = [_measured(result, protocol, columns, methods) for result in results]
        rows += [_quoted(line, columns) for line in lines if measures.parse(line.metric).convention == convention]
        if table := _table(convention, columns, rows, protocol):
            tables.append(table)
    counts = {str(kind): sum(result.kind == kind for result in results) for kind in KINDS} | {"paper": len(lines)}
    return Board(protocol, tuple(tables), counts)


def board_path(protocol: str) -> str:
    """Return the path of a protocol's leaderboard inside the site."""
    return f"protocol/{slug(protocol)}.html"


def method_path(method: str) -> str:
    """Return the path of a method's page inside the site."""
    return f"method/{slug(method)}.html"


def every(table: Table) -> list[Row]:
    """Return all rows of a table, those that stand apart last."""
    return [*table.rows, *(row for part in table.apart for row in part.rows)]


# --- our own rows ------------------------------------------------------------------------------------------------


def apart(result: Result, protocol: Protocol) -> str:
    """Say why a run must not stand beside the others, "" where it may."""
    reasons = []
    if result.card != protocol.card:
        reasons.append(f"scored under another version of the card, {_hash(result.card)}; now {_hash(protocol.card)}")
    if result.n != protocol.test_expected:
        reasons.append(f"tested on {result.n:,} of {protocol.test_expected:,} faces")
    if data := _other_data(result):
        reasons.append(f"other data than the complete official set: {data}")
    if result.overrides:
        changed = ", ".join(f"{key} = {value}" for key, value in result.overrides.items())
        reasons.append(f"parameters changed by hand: {changed}")
    if result.budget == "smoke":
        reasons.append("budget smoke: shows that the code runs, not how well it does")
    return "; ".join(reasons)


def _other_data(result: Result) -> str:
    """Return what the named data variant has that the official set has not; training data bind only who trained."""
    pieces = result.data.split(", ") if result.data else ["not recorded"]
    named = [piece for piece in pieces if piece not in _OFFICIAL]
    return ", ".join(piece for piece in named if result.kind == "trained" or not piece.startswith("train "))


def _hash(card: str) -> str:
    return card.removeprefix("sha256:")[:12]


def title(method: str, methods: Mapping[str, MethodCard]) -> str:
    """Return a method's title, or its name where no card describes it."""
    return methods[method].title if method in methods else method


def details(result: Result) -> tuple[str, ...]:
    """Say what a row is beside its name: variant, budget, data, seed, failures."""
    facts = []
    if result.kind != "submitted":
        facts = [f"variant {result.variant}"]
    if result.kind == "trained":
        facts += [f"budget {result.budget}", f"data {result.data or 'not recorded'}", f"seed {result.run.seed}"]
    if result.failed:
        facts.append(f"{result.failed:,} of {result.n:,} without an answer")
    return tuple(facts)


def _measured(result: Result, protocol: Protocol, columns: Sequence[Column], methods: Mapping[str, MethodCard]) -> Row:
    return Row(
        kind=result.kind,
        name=title(result.run.method, methods),
        page=result.page + ".html",
        details=details(result),
        sources=(),
        cells=tuple(cell(result.scores.get(c.group, {}).get(c.metric.name)) for c in columns),
        apart=apart(result, protocol),
    )


def cell(score: Score | None) -> Cell | None:
    """Print one score; None where there is none."""
    if score is None or score.value is None:
        return None
    ends = () if score.low is None or score.high is None else (score.low, score.high)
    return Cell(measures.number(score.value, score.unit), score.value, measures.interval(score), ends)


def _quoted(line: Line, columns: Sequence[Column]) -> Row:
    cells = []
    for column in columns:
        row = line.cells.get(column.group) if column.metric.name == line.metric else None
        cells.append(Cell(row.printed, row.value) if row and row.value is not None else None)
    return Row("paper", line.method, "", (), line.sources, tuple(cells), line.notes, line.apart)


# --- the table ---------------------------------------------------------------------------------------------------


def _table(convention: str, columns: tuple[Column, ...], rows: Iterable[Row], protocol: Protocol) -> Table | None:
    """Sort, rank and footnote the rows of one convention; None where nothing has a value."""
    rows = [row for row in rows if any(row.cells)]
    used = [i for i in range(len(columns)) if any(row.cells[i] for row in rows)]
    if not used:
        return None
    columns = tuple(columns[i] for i in used)
    rows = [replace(row, cells=tuple(row.cells[i] for i in used)) for row in rows]
    ranking = [i for i, c in enumerate(columns) if c.metric == columns[0].metric]
    key = next((i for i in ranking if columns[i].group == protocol.overall), ranking[0])
    rows = sorted(rows, key=lambda row: _order(row, key, columns[key].metric.falls))
    ends = [end for row in rows if (at := row.cells[key]) for end in (at.value, *at.ends)]
    scale = (min(ends), max(ends)) if ends else (0.0, 0.0)
    notes: dict[str, int] = {}
    for row in rows:
        for note in row.notes:
            notes.setdefault(note, len(notes) + 1)
    rows = [
        replace(row, spot=_spot(row.cells[key], scale), marks=tuple(notes[note] for note in row.notes)) for row in rows
    ]
    parts = {reason: tuple(row for row in rows if row.apart == reason) for reason in _reasons(rows)}
    return Table(
        convention=convention,
        columns=columns,
        key=key,
        rows=_ranked([row for row in rows if not row.apart], key),
        apart=tuple(Part(reason, part) for reason, part in parts.items()),
        footnotes=tuple(notes),
        scale=scale,
    )


def _order(row: Row, key: int, falls: bool) -> tuple[bool, float, str, tuple[str, ...]]:
    cell = row.cells[key]
    value = (cell.value if falls else -cell.value) if cell else 0.0
    return cell is None, value, row.name, row.details


def _reasons(rows: Sequence[Row]) -> list[str]:
    """Order the reasons: ours before the papers', then by their words."""
    return sorted({row.apart for row in rows if row.apart}, key=lambda r: (_only_papers(rows, r), r))


def _only_papers(rows: Sequence[Row], reason: str) -> bool:
    return all(row.kind == "paper" for row in rows if row.apart == reason)


def _ranked(rows: Sequence[Row], key: int) -> tuple[Row, ...]:
    """Give a rank to each measured row that has a value in the ranking column."""
    ranked, place = [], 0
    for row in rows:
        if row.kind != "paper" and row.cells[key]:
            place += 1
            ranked.append(replace(row, rank=place))
        else:
            ranked.append(row)
    return tuple(ranked)


def _spot(cell: Cell | None, scale: tuple[float, float]) -> Spot | None:
    """Place a value on the logarithmic scale: one very weak row must not press the others into a corner."""
    if cell is None or not 0 < scale[0] < scale[1]:
        return None
    low, high = cell.ends or (cell.value, cell.value)
    span = math.log(scale[1] / scale[0])
    at, low, high = (math.log(value / scale[0]) / span * 100 for value in (cell.value, low, high))
    return Spot(at, low, high)
