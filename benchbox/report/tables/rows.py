"""Leaderboards as values: what a board is made of, what a row says of its run, and why a row must stand apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType

from benchbox.analysis import check_papers
from benchbox.metrics import metric_names
from benchbox.metrics.metric_names import Metric
from benchbox.report.inputs.group_by_seed import SeedGroup
from benchbox.report.inputs.paper_rows import PaperSource
from benchbox.report.inputs.results import Result, file_slug
from benchbox.types import MethodCard, Protocol, RunKind, Score

from . import costs
from .costs import NO_COST, Cost, Profiles

KINDS: tuple[RunKind, ...] = ("paper", "weights", "trained", "submitted")


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
    std: float | None = None  # between seeds, where the value is their mean
    spread: str = ""  # that as printed


@dataclass(frozen=True)
class ScalePosition:
    """A value and its interval on the table's common scale, 0 to 100.

    Low = high where there is no interval.
    """

    at: float
    low: float
    high: float


@dataclass(frozen=True)
class Seed:
    """One run of a row that was trained."""

    name: str
    page: str


@dataclass(frozen=True)
class Row:
    """One line of a leaderboard."""

    kind: RunKind
    name: str
    page: str  # inside the site, of the first seed; "" for a paper's row
    details: tuple[str, ...]
    sources: tuple[PaperSource, ...]
    cells: tuple[Cell | None, ...]
    notes: tuple[str, ...] = ()
    apart: str = ""  # why it stands apart
    rank: int | None = None  # rows that the test set cannot tell apart share one
    spot: ScalePosition | None = None
    marks: tuple[int, ...] = ()  # numbers of its footnotes
    year: str = ""  # of the publication
    budget: str = ""
    data: str = ""  # named data variant, "" for a paper's row
    extra: str = ""  # "some" or "none": training data beside the card's
    seeds: tuple[Seed, ...] = ()  # () where nothing was trained
    cost: Cost = NO_COST

    @property
    def pages(self) -> tuple[str, ...]:
        """Return the pages of its runs."""
        return tuple(seed.page for seed in self.seeds) or ((self.page,) if self.page else ())

    @property
    def seeded(self) -> str:
        """Say how many seeds it rests on and which."""
        count = len(self.seeds)
        lead = {0: "", 1: "one seed: "}.get(count, f"mean of {count} seeds: ")
        return lead + ", ".join(seed.name for seed in self.seeds)


@dataclass(frozen=True)
class NotComparable:
    """Rows that stand apart for one reason."""

    reason: str
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Table:
    """A protocol's rows under one convention.

    The first column group ranks it by the card's overall group.
    """

    convention: str
    columns: tuple[Column, ...]
    key: int  # index of the column that ranks
    rows: tuple[Row, ...]
    apart: tuple[NotComparable, ...]
    footnotes: tuple[str, ...]
    scale: tuple[float, float]  # ends of the common scale of the spots, which is logarithmic
    hidden: int = 0  # measured rows that the page has no room for: the weakest
    # smallest difference in each column that the test set can tell; () unknown
    reach: tuple[float | None, ...] = ()

    @cached_property
    def costs(self) -> tuple[bool, bool]:
        """Tell of the rows beside each other, and of those apart, whether any was measured here."""
        apart = any(row.kind != "paper" for part in self.apart for row in part.rows)
        return any(row.kind != "paper" for row in self.rows), apart

    @cached_property
    def machines(self) -> tuple[str, ...]:
        """Name where its latencies were taken."""
        return tuple(sorted({row.cost.machine for row in all_rows(self)} - {""}))

    @cached_property
    def seeded(self) -> bool:
        """Tell whether any row is a mean over seeds."""
        return any(len(row.seeds) > 1 for row in all_rows(self))

    @cached_property
    def thresholds(self) -> tuple[str, ...]:
        """Return the thresholds of its AUC and failure rates."""
        return tuple(
            dict.fromkeys(
                column.metric.threshold for column in self.columns if column.metric.threshold
            )
        )

    @cached_property
    def heads(self) -> tuple[tuple[Metric, int], ...]:
        """Return the column groups: a metric and how many columns it spans."""
        spans: dict[Metric, int] = {}
        for column in self.columns:
            spans[column.metric] = spans.get(column.metric, 0) + 1
        return tuple(spans.items())

    @cached_property
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
    changed: str = ""  # day of the latest run

    @property
    def nearest(self) -> Row | None:
        """Return the best measured row that stands apart, for a board that has no leader."""
        for table in self.tables[:1]:
            falls = table.columns[table.key].metric.falls
            rows = [
                row
                for part in table.apart
                for row in part.rows
                if row.kind != "paper" and row.cells[table.key]
            ]
            return min(
                rows, key=lambda row: sort_key(row, row.cells[table.key], falls), default=None
            )
        return None

    @property
    def measured(self) -> bool:
        """Tell whether anything was measured here."""
        return any(count for kind, count in self.counts.items() if kind != "paper")

    @property
    def printed(self) -> Row | None:
        """Return the best row that papers print under the first convention, beside the card or apart from it."""
        for table in self.tables[:1]:
            falls = table.columns[table.key].metric.falls
            found = [row for row in table.rows if row.kind == "paper" and row.cells[table.key]]
            found = found or [
                row for row in all_rows(table) if row.kind == "paper" and row.cells[table.key]
            ]
            return min(
                found, key=lambda row: sort_key(row, row.cells[table.key], falls), default=None
            )
        return None

    @property
    def leader(self) -> Row | None:
        """Return the best row that we measured ourselves, under the first convention.

        None where there is none.
        """
        rows = (
            row
            for table in self.tables[:1]
            for row in table.rows
            if row.kind != "paper" and row.cells[table.key]
        )
        return next(rows, None)


def board_path(protocol: str, convention: str = "") -> str:
    """Return the path of a protocol's leaderboard inside the site.

    Each convention but the first has its own page.
    """
    return f"protocol/{file_slug(protocol)}{'/' + file_slug(convention) if convention else ''}.html"


def method_path(method: str) -> str:
    """Return the path of a method's page inside the site."""
    return f"method/{file_slug(method)}.html"


def all_rows(table: Table) -> list[Row]:
    """Return all rows of a table, those that stand apart last."""
    return [*table.rows, *(row for part in table.apart for row in part.rows)]


# --- our own rows ---------------------------------------------------------------------------------


def why_not_comparable(result: Result, protocol: Protocol) -> str:
    """Say why a run must not stand beside the others, "" where it may."""
    reasons = []
    if result.card != protocol.card:
        reasons.append(
            f"scored under another version of the card, {_hash(result.card)}; now {_hash(protocol.card)}"
        )
    if protocol.test_expected and result.n != protocol.test_expected:
        reasons.append(
            f"tested on {result.n:,} of {protocol.test_expected:,} {metric_names.item_plural(protocol)}"
        )
    if data := check_papers.unofficial_data(result.data, result.kind):
        reasons.append(f"other data than the complete official set: {data}")
    if result.overrides:
        changed = ", ".join(f"{key} = {value}" for key, value in result.overrides.items())
        reasons.append(f"parameters changed by hand: {changed}")
    if result.budget == "smoke":
        reasons.append("budget smoke: shows that the code runs, not how well it does")
    return "; ".join(reasons)


def _hash(card: str) -> str:
    return card.removeprefix("sha256:")[:12]


def method_title(method: str, methods: Mapping[str, MethodCard]) -> str:
    """Return a method's title, or its name where no card describes it."""
    return methods[method].title if method in methods else method


def variant_words(result: Result) -> str:
    """Name a run's variant, "" where it was handed in."""
    return f"variant {result.variant}" if result.kind != "submitted" else ""


def row_details(family: SeedGroup, differing: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Say what a row is beside variant and seeds: budget, data other than the official set, failures.

    `differing` names the parameters that tell it from another row of the same variant.
    """
    budget = [f"budget {family[0].budget}"] if family[0].kind == "trained" else []
    return (*budget, *differing, *_data_and_failures(family))


def row_seeds(family: SeedGroup) -> tuple[Seed, ...]:
    """List the runs of a row that was trained, () of any other."""
    return tuple(Seed(r.run.seed, r.page + ".html") for r in family if r.kind == "trained")


def _data_and_failures(family: SeedGroup) -> list[str]:
    data, failed = (
        check_papers.unofficial_data(family[0].data, family[0].kind),
        sum(result.failed for result in family),
    )
    total = sum(result.n for result in family)
    facts = [f"data {data}"] if data else []
    return facts + ([f"{failed:,} of {total:,} without an answer"] if failed else [])


def measured_row(
    family: SeedGroup,
    protocol: Protocol,
    methods: Mapping[str, MethodCard],
    profiles: Profiles = MappingProxyType({}),
    differing: tuple[str, ...] = (),
) -> Row:
    """Say everything about a run, or several that differ in their seed only, but the numbers of a table.

    `differing` is as in `details`.
    """
    first = family[0]
    return Row(
        kind=first.kind,
        name=method_title(first.run.method, methods),
        page=first.page + ".html",
        details=(*filter(None, [variant_words(first)]), *row_details(family, differing)),
        sources=(),
        cells=(),
        apart=why_not_comparable(first, protocol),
        year=methods[first.run.method].paper.get("year", "") if first.run.method in methods else "",
        budget=first.budget,
        data=first.data or "not recorded",
        extra="some" if protocol.extra else "none",
        seeds=row_seeds(family),
        cost=costs.network_cost(first, profiles),
    )


def print_cell(score: Score | None) -> Cell | None:
    """Print one score; None where there is none."""
    if score is None or score.value is None:
        return None
    ends = () if score.low is None or score.high is None else (score.low, score.high)
    spread = "" if score.std is None else metric_names.format_number(score.std, score.unit)
    return Cell(
        metric_names.format_number(score.value, score.unit),
        score.value,
        metric_names.format_interval(score),
        ends,
        score.std,
        spread,
    )


def sort_key(
    row: Row, score: Score | Cell | None, falls: bool
) -> tuple[bool, float, str, tuple[str, ...]]:
    """Return what a row is sorted by under one column: rows without a value last, then by value, name and details."""
    value = score.value or 0.0 if score else 0.0
    return score is None, value if falls else -value, row.name, row.details
