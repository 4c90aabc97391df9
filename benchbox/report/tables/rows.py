"""Leaderboards as values.

What a board is made of, what a row says of its run, and why a row is not comparable to the others.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType

from benchbox.layouts import mapped_by
from benchbox.metrics import number_format
from benchbox.metrics.metric_names import Metric
from benchbox.metrics.unanswered import LOST_ERRORS, counted_mean
from benchbox.report.inputs.group_by_seed import SeedGroup
from benchbox.report.inputs.paper_rows import PaperSource
from benchbox.report.inputs.results import Result, file_slug
from benchbox.runs import run_identity
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
    std_text: str = ""  # that as printed


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
    not_comparable: str = ""  # because …
    rank: int | None = None  # rows that the test set cannot tell apart share one
    position: ScalePosition | None = None
    marks: tuple[int, ...] = ()  # numbers of its footnotes
    year: str = ""  # of the publication
    budget: str = ""
    data: str = ""  # named data variant, "" for a paper's row
    extra: str = ""  # "some" or "none": training data beside the card's
    seeds: tuple[Seed, ...] = ()  # () where nothing was trained
    cost: Cost = NO_COST
    answered: int = 0  # test items with a prediction, of all its runs; 0 for a paper's row
    unanswered: int = 0  # test items without

    @property
    def pages(self) -> tuple[str, ...]:
        """Return the pages of its runs."""
        if self.seeds:
            return tuple(seed.page for seed in self.seeds)
        if self.page:
            return (self.page,)
        return ()

    @property
    def seeds_text(self) -> str:
        """Say how many seeds it rests on and which."""
        names = ", ".join(seed.name for seed in self.seeds)
        if not self.seeds:
            return ""
        if len(self.seeds) == 1:
            return f"one seed: {names}"
        return f"mean of {len(self.seeds)} seeds: {names}"


@dataclass(frozen=True)
class NotComparable:
    """Rows that are not comparable to the others for one reason."""

    reason: str
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Table:
    """A protocol's rows under one convention.

    The first column group ranks it by the card's overall group.
    """

    convention: str
    columns: tuple[Column, ...]
    ranked_by: int  # index of the column
    rows: tuple[Row, ...]
    not_comparable: tuple[NotComparable, ...]
    footnotes: tuple[str, ...]
    scale: tuple[float, float]  # ends of the common scale of the rows, which is logarithmic
    hidden: int = 0  # measured rows that the page has no room for: the weakest
    # smallest detectable difference in each column (80 % power); () unknown
    detectable: tuple[float | None, ...] = ()

    @property
    def ranking_column(self) -> Column:
        """Return the column that ranks the rows."""
        return self.columns[self.ranked_by]

    @cached_property
    def not_comparable_rows(self) -> tuple[Row, ...]:
        """Return the rows that are not comparable, reason by reason."""
        rows: list[Row] = []
        for part in self.not_comparable:
            rows += part.rows
        return tuple(rows)

    @cached_property
    def costs(self) -> tuple[bool, bool]:
        """Tell of the rows beside each other, and of the others, whether any was measured here."""
        return _any_measured(self.rows), _any_measured(self.not_comparable_rows)

    @cached_property
    def machines(self) -> tuple[str, ...]:
        """Name where its latencies were taken."""
        return tuple(sorted({row.cost.machine for row in all_rows(self)} - {""}))

    @cached_property
    def has_seeds(self) -> bool:
        """Tell whether any row is a mean over seeds."""
        return any(len(row.seeds) > 1 for row in all_rows(self))

    @cached_property
    def thresholds(self) -> tuple[str, ...]:
        """Return the thresholds of its AUC and failure rates."""
        thresholds = dict.fromkeys(column.metric.threshold_text for column in self.columns)
        return tuple(filter(None, thresholds))

    @cached_property
    def heads(self) -> tuple[tuple[Metric, int], ...]:
        """Return the column groups: a metric and how many columns it spans."""
        spans: dict[Metric, int] = {}
        for column in self.columns:
            spans[column.metric] = spans.get(column.metric, 0) + 1
        return tuple(spans.items())

    @cached_property
    def group_starts(self) -> frozenset[int]:
        """Return the indices of the columns that open a column group."""
        starts: dict[Metric, int] = {}
        for index, column in enumerate(self.columns):
            starts.setdefault(column.metric, index)
        return frozenset(starts.values())


@dataclass(frozen=True)
class Board:
    """A protocol with its tables."""

    protocol: Protocol
    tables: tuple[Table, ...]
    counts: Mapping[str, int]  # rows by kind
    changed: str = ""  # day of the latest run

    @property
    def leader(self) -> Row | None:
        """Return the best row that we measured ourselves, under the first convention.

        None where there is none.
        """
        if not self.tables:
            return None
        table = self.tables[0]
        measured = []
        for row in table.rows:
            if row.kind != "paper" and row.cells[table.ranked_by]:
                measured.append(row)
        if not measured:
            return None
        return min(measured, key=lambda row: _counted_value(row, table))

    @property
    def best_not_comparable(self) -> Row | None:
        """Return the best measured row of those not comparable, for a board that has no leader."""
        if not self.tables:
            return None
        table = self.tables[0]
        measured = [row for row in table.not_comparable_rows if row.kind != "paper"]
        return _best_row(table, measured)

    @property
    def best_printed(self) -> Row | None:
        """Return the best row that papers print under the first convention.

        One that is comparable where there is any.
        """
        if not self.tables:
            return None
        table = self.tables[0]
        comparable = [row for row in table.rows if row.kind == "paper"]
        printed = [row for row in all_rows(table) if row.kind == "paper"]
        return _best_row(table, comparable) or _best_row(table, printed)

    @property
    def measured(self) -> bool:
        """Tell whether anything was measured here."""
        return any(count for kind, count in self.counts.items() if kind != "paper")


def _any_measured(rows: Sequence[Row]) -> bool:
    return any(row.kind != "paper" for row in rows)


def _best_row(table: Table, rows: Sequence[Row]) -> Row | None:
    """Return the best of rows that have a value in the ranking column, None where none has."""
    lower_is_better = table.ranking_column.metric.lower_is_better
    with_value = [row for row in rows if row.cells[table.ranked_by]]
    if not with_value:
        return None

    def row_key(row: Row) -> tuple[object, ...]:
        return sort_key(row, row.cells[table.ranked_by], lower_is_better)

    return min(with_value, key=row_key)


def board_path(protocol: str, convention: str = "") -> str:
    """Return the path of a protocol's leaderboard inside the site.

    Each convention but the first has its own page.
    """
    if not convention:
        return f"protocol/{file_slug(protocol)}.html"
    return f"protocol/{file_slug(protocol)}/{file_slug(convention)}.html"


def method_path(method: str) -> str:
    """Return the path of a method's page inside the site."""
    return f"method/{file_slug(method)}.html"


def all_rows(table: Table) -> list[Row]:
    """Return all rows of a table, those that are not comparable last."""
    return [*table.rows, *table.not_comparable_rows]


# --- our own rows ---------------------------------------------------------------------------------


def why_not_comparable(result: Result, protocol: Protocol) -> str:
    """Say why a run must not stand beside the others, "" where it may."""
    reasons = []
    if result.card != protocol.card:
        then, now = _short_hash(result.card), _short_hash(protocol.card)
        reasons.append(f"scored under another version of the card, {then}; now {now}")
    if protocol.test_expected and result.n != protocol.test_expected:
        items = number_format.item_plural(protocol)
        reasons.append(f"tested on {result.n:,} of {protocol.test_expected:,} {items}")
    if result.other_data:
        reasons.append(result.other_data)
    if data := run_identity.unofficial_data(result.data, result.kind):
        reasons.append(f"other data than the complete official set: {data}")
    if result.overrides:
        changed = ", ".join(f"{key} = {value}" for key, value in result.overrides.items())
        reasons.append(f"parameters changed by hand: {changed}")
    if known := result.run.record.training.get("knows_labels"):
        reasons.append(f"knows the labels of the test set: {known}")
    if result.budget == "smoke":
        reasons.append("budget smoke: shows that the code runs, not how well it does")
    return "; ".join(reasons)


def _short_hash(card: str) -> str:
    return card.removeprefix("sha256:")[:12]


def method_title(method: str, methods: Mapping[str, MethodCard]) -> str:
    """Return a method's title, or its name where no card describes it."""
    if method in methods:
        return methods[method].title
    return method


def variant_words(result: Result) -> str:
    """Name a run's variant, "" where it was handed in."""
    if result.kind == "submitted":
        return ""
    return f"variant {result.variant}"


def row_details(runs: SeedGroup, differing: Sequence[str] = ()) -> tuple[str, ...]:
    """Say what a row is beside variant and seeds: budget, unofficial data, map, failures.

    `differing` names the parameters that tell it from another row of the same variant.
    """
    first = runs[0]
    details = []
    if first.kind == "trained":
        details.append(f"budget {first.budget}")
    details += differing
    if data := run_identity.unofficial_data(first.data, first.kind):
        details.append(f"data {data}")
    if mixed := run_identity.describe_mixed_code([result.run.record for result in runs]):
        details.append(mixed)
    if layout_map := mapped_by(first.run.record.data.notes):
        details.append(f"points mapped by {layout_map}")
    failed = sum(result.failed for result in runs)
    if failed:
        total = sum(result.n for result in runs)
        details.append(
            f"{failed:,} of {total:,} without a prediction, means over {total - failed:,}"
        )
    return tuple(details)


def row_seeds(runs: SeedGroup) -> tuple[Seed, ...]:
    """List the runs of a row that was trained, () of any other."""
    trained = [result for result in runs if result.kind == "trained"]
    return tuple(Seed(result.run.seed, f"{result.page}.html") for result in trained)


def measured_row(
    runs: SeedGroup,
    protocol: Protocol,
    methods: Mapping[str, MethodCard],
    profiles: Profiles = MappingProxyType({}),
    differing: Sequence[str] = (),
) -> Row:
    """Say everything about a run, or several that differ in their seed only, but the numbers.

    `differing` is as in `row_details`.
    """
    first = runs[0]
    year, title = "", first.run.method
    # what was submitted under a method's name is somebody else's work: no title, no year of a paper
    if first.kind != "submitted":
        title = method_title(first.run.method, methods)
        if first.run.method in methods:
            year = methods[first.run.method].paper.get("year", "")
    extra = "none"
    if protocol.extra:
        extra = "some"
    words = [variant_words(first), *row_details(runs, differing)]
    return Row(
        kind=first.kind,
        name=title,
        page=f"{first.page}.html",
        details=tuple(filter(None, words)),
        sources=(),
        cells=(),
        not_comparable=why_not_comparable(first, protocol),
        year=year,
        budget=first.budget,
        data=first.data or "not recorded",
        extra=extra,
        seeds=row_seeds(runs),
        cost=costs.network_cost(first, profiles),
        answered=sum(result.n - result.failed for result in runs),
        unanswered=sum(result.failed for result in runs),
    )


def print_cell(score: Score | None) -> Cell | None:
    """Print one score; None where there is none."""
    if score is None or score.value is None:
        return None
    ends: tuple[float, ...] = ()
    if score.low is not None and score.high is not None:
        ends = (score.low, score.high)
    std_text = ""
    if score.std is not None:
        std_text = number_format.format_number(score.std, score.unit)
    return Cell(
        text=number_format.format_number(score.value, score.unit),
        value=score.value,
        interval=number_format.format_interval(score),
        ends=ends,
        std=score.std,
        std_text=std_text,
    )


def sort_key(
    row: Row, score: Score | Cell | None, lower_is_better: bool
) -> tuple[bool, float, str, tuple[str, ...]]:
    """Return what a row is sorted by under one column.

    Rows without a value come last, then the value counts, then name and details.
    """
    if score is None:
        return True, 0.0, row.name, row.details
    value = score.value or 0.0
    if not lower_is_better:
        value = -value
    return False, value, row.name, row.details


def _counted_value(row: Row, table: Table) -> float:
    """Return a row's value in the ranking column, the better the smaller.

    A mean counts items without a prediction as lost, so that leaving hard ones out leads nowhere.
    """
    cell, metric = row.cells[table.ranked_by], table.ranking_column.metric
    if cell is None:
        return math.inf
    if not metric.lower_is_better:
        return -cell.value
    if not row.unanswered or metric.threshold is not None:
        return cell.value
    lost = LOST_ERRORS.get(metric.unit, 0.0)
    return counted_mean(cell.value, row.answered, row.unanswered, lost)
