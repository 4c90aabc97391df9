"""Leaderboards as values.

What a board is made of, what a row says of its run, and why a row is not comparable to the others.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType

from benchbox.layouts import mapped_by
from benchbox.metrics import number_format
from benchbox.metrics.metric_names import Metric
from benchbox.metrics.unanswered import LOST_ERRORS, counted_mean
from benchbox.report.inputs.group_by_seed import SeedGroup
from benchbox.report.inputs.paper_rows import PaperSource, conditions_apart
from benchbox.report.inputs.results import Result, file_slug
from benchbox.runs import run_identity
from benchbox.runs.run_record import describe_dead_training
from benchbox.types import NO_FACTS, MethodCard, Protocol, RowFacts, RunKind, Score

from . import costs
from .costs import NO_COST, Cost, Profiles

_FEWEST_VALUES = 3  # in a column that is not folded away
_LONGEST_VARIANT = 44  # letters of a variant in a row's name
SEEN_UNKNOWN = "whether its training saw the test items is not known"
RENDERED = "synth-"  # data sets of this kind are our own
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
    only_box: bool = False  # nothing but the box keeps it apart
    facts: RowFacts = NO_FACTS
    flags: tuple[str, ...] = ()  # what a free check found, one line each
    ablation: bool = False  # a line of a paper's ablation
    baseline: bool = False
    family: str = ""  # the method that it is a variant of
    cite: str = ""  # key of its publication in a bibliography, "" where none is known
    title: str = ""  # of its publication
    url: str = ""
    code: str = ""

    @property
    def state(self) -> str:
        """Tell whether it may stand beside others: comparable, box (nothing else) or other."""
        if not self.not_comparable:
            return "comparable"
        if self.only_box:
            return "box"
        return "other"

    @property
    def measured(self) -> bool:
        """Tell whether it was measured here."""
        return self.kind != "paper"

    @property
    def remarks(self) -> tuple[str, ...]:
        """Return all that is said of it in words: details, seeds, flags."""
        return tuple(filter(None, [*self.details, self.seeds_text, *self.flags]))

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
    def merged(self) -> tuple[Row, ...]:
        """Return all rows by value, those that are not comparable among the others.

        Ranked rows keep the order of their ranks; rows without a value come last.
        """
        lower_is_better = self.ranking_column.metric.lower_is_better

        def row_key(row: Row) -> tuple[object, ...]:
            return sort_key(row, row.cells[self.ranked_by], lower_is_better)

        return order_by_rank(sorted(all_rows(self), key=row_key))

    @cached_property
    def reasons(self) -> tuple[tuple[str, int], ...]:
        """Return every reason why rows are not comparable, and how many each keeps apart."""
        counts: dict[str, int] = {}
        for row in self.not_comparable_rows:
            counts[row.not_comparable] = counts.get(row.not_comparable, 0) + 1
        return tuple(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])))

    @cached_property
    def shown_at_first(self) -> frozenset[int]:
        """Return the indices of the columns that are shown before more are asked for.

        Those of the ranking metric in which three rows have a value; the others are folded away.
        """
        shown = {self.ranked_by}
        for index, column in enumerate(self.columns):
            if column.metric != self.ranking_column.metric:
                continue
            values = [row for row in all_rows(self) if row.cells[index]]
            if len(values) >= _FEWEST_VALUES:
                shown.add(index)
        return frozenset(shown)

    @cached_property
    def preset(self) -> str:
        """Return which rows are shown at first: comparable ones, where there are any."""
        if self.count_state("comparable"):
            return "comparable"
        return "all"

    def count_state(self, state: str) -> int:
        """Count the rows of a state, ablation lines aside."""
        return sum(row.state == state and not row.ablation for row in all_rows(self))

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
        """Return the best comparable row that we measured ourselves, under the first convention.

        None where there is none; a baseline leads nothing.
        """
        if not self.tables:
            return None
        return leading_row(self.tables[0])

    @property
    def measured(self) -> bool:
        """Tell whether anything was measured here."""
        return any(count for kind, count in self.counts.items() if kind != "paper")


def leading_row(table: Table) -> Row | None:
    """Return the best comparable row that was measured here; a baseline leads nothing."""
    measured = []
    for row in table.rows:
        if row.measured and not row.baseline and row.cells[table.ranked_by]:
            measured.append(row)
    if not measured:
        return None
    return min(measured, key=lambda row: _counted_value(row, table))


def best_measured(table: Table) -> Row | None:
    """Return the leading row, else the best measured one of those that are not comparable.

    One that is known to have seen the test items comes last.
    """
    others = [row for row in all_rows(table) if row.measured and not row.baseline]
    unseen = [row for row in others if row.facts.seen_test != "yes"]
    return leading_row(table) or _best_row(table, unseen) or _best_row(table, others)


def best_ahead_that_saw_test(table: Table) -> Row | None:
    """Return the best row measured here, where that one is known to have trained on test items.

    None where one that did not is as good.
    """
    measured = [row for row in all_rows(table) if row.measured and not row.baseline]
    best = _best_row(table, measured)
    return best if best is not None and best.facts.seen_test == "yes" else None


def best_printed(table: Table) -> Row | None:
    """Return the best row that papers print, on any box, but else under the card's conditions.

    Where there is none, the best of all that they print.
    """
    printed = [row for row in all_rows(table) if row.kind == "paper"]
    on_any_box = [row for row in printed if row.state != "other"]
    return _best_row(table, on_any_box) or _best_row(table, printed)


def best_printed_anyhow(table: Table) -> Row | None:
    """Return the best row that papers print under whatever conditions, ablations aside."""
    printed = [row for row in all_rows(table) if row.kind == "paper" and not row.ablation]
    return _best_row(table, printed)


def best_comparable(table: Table) -> Row | None:
    """Return the best row, printed or measured, that may stand beside the others."""
    rows = [row for row in table.rows if not row.baseline]
    return _best_row(table, rows)


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


def order_by_rank(rows: Sequence[Row]) -> tuple[Row, ...]:
    """Put the ranked rows in the order of their ranks, into the places that ranked rows have.

    Rows without a rank, papers' above all, keep their places.
    """
    places = [place for place, row in enumerate(rows) if row.rank]
    in_order = sorted(places, key=lambda place: (rows[place].rank or 0, place))
    ordered = list(rows)
    for place, source in zip(places, in_order, strict=True):
        ordered[place] = rows[source]
    return tuple(ordered)


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


def why_not_comparable(
    result: Result,
    protocol: Protocol,
    methods: Mapping[str, MethodCard] = MappingProxyType({}),
    *,
    box_matters: bool = True,
) -> str:
    """Say why a run must not stand beside the others, "" where it may."""
    facts = row_facts(result, protocol, stated_words(result, protocol, methods))
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
    reasons += conditions_apart(protocol, facts, box_matters=box_matters)
    if facts.seen_test == "unknown":
        reasons.append(SEEN_UNKNOWN)
    return "; ".join(reasons)


def stated_words(
    result: Result, protocol: Protocol, methods: Mapping[str, MethodCard]
) -> dict[str, str]:
    """Return what is said of a run's row: by its record, else by its method's card."""
    stated = {}
    if result.kind != "submitted" and result.run.method in methods:
        stated = methods[result.run.method].describe_row(result.variant, protocol.dataset)
    return follow_links_only({**stated, **result.run.record.stated})


def follow_links_only(stated: Mapping[str, str]) -> dict[str, str]:
    """Return what is said of a row without links that lead elsewhere than to the web."""
    kept = {}
    for key, text in stated.items():
        if key not in ("url", "code") or text.startswith(("https://", "http://")):
            kept[key] = text
    return kept


def row_facts(result: Result, protocol: Protocol, stated: Mapping[str, str]) -> RowFacts:
    """Say what decides whether a run may stand beside others.

    Whoever is trained here, from no weights of others, has seen no test item: `train` gets none;
    nor has anything trained elsewhere seen our rendered faces.
    """
    seen = stated.get("seen_test", "")
    if not seen:
        begins_anew = result.run.record.params.get("weights", "scratch") in ("", "scratch")
        earned = result.kind == "trained" and begins_anew
        rendered = result.kind != "submitted" and protocol.dataset.startswith(RENDERED)
        seen = "unknown"
        if earned or rendered:
            seen = "no"
    return RowFacts(
        box=stated.get("box", "") or result.run.record.box or protocol.box,
        trained_on=stated.get("trained_on", ""),
        extra_data=stated.get("extra_data", ""),
        seen_test=seen,
        checkpoint=stated.get("checkpoint", ""),
    )


def _short_hash(card: str) -> str:
    return card.removeprefix("sha256:")[:12]


def method_title(method: str, methods: Mapping[str, MethodCard]) -> str:
    """Return a method's title, or its name where no card describes it."""
    if method in methods:
        return methods[method].title
    return method


def row_name(result: Result, methods: Mapping[str, MethodCard], stated: Mapping[str, str]) -> str:
    """Name a run as its row does: the method, and its variant where that is not the usual one.

    What was submitted under a method's name is somebody else's work and does not take its title.
    """
    if stated.get("title"):
        return stated["title"]
    if result.kind == "submitted":
        return result.run.method
    title = method_title(result.run.method, methods)
    card = methods.get(result.run.method)
    if card is None or result.variant == card.default or result.variant not in card.variants:
        return title
    return variant_name(title, card.variants[result.variant].title)


def variant_name(title: str, variant_title: str) -> str:
    """Name a variant in few words: what its title says before a colon or bracket.

    >>> variant_name("SIR", "SIR, shapes drawn with σ = 0.05 (Fig. 8)")
    'SIR, σ = 0.05'
    >>> variant_name("G&LSR", "GSR: global reinitialisation only, l1 loss")
    'G&LSR, GSR'
    >>> variant_name("dlib", "In its own box")
    'dlib, in its own box'
    >>> variant_name("TAT", "Table 1, SD: snapshot distillation")
    'TAT, SD'
    """
    label = re.sub(r"^Tables? [^,:]*[,:] ", "", variant_title)
    label = label.partition(" (")[0].partition(": ")[0].replace("shapes drawn with ", "")
    if len(label) > _LONGEST_VARIANT:
        label = label[: _LONGEST_VARIANT - 1].rstrip() + "…"
    if title.casefold() in label.casefold():
        return label
    if label[1:2].islower():
        label = label[:1].lower() + label[1:]
    return f"{title}, {label}"


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
    if first.run.record.trained_by is not None:
        details.append(f"weights of {first.run.record.trained_by.protocol}")
    details += differing
    if data := run_identity.unofficial_data(first.data, first.kind):
        details.append(f"data {data}")
    if mixed := run_identity.describe_mixed_code([result.run.record for result in runs]):
        details.append(mixed)
    if layout_map := mapped_by(first.run.record.data.notes):
        details.append(f"points mapped by {layout_map}")
    for result in runs:
        if dead := describe_dead_training(result.run.record.training):
            details.append(f"seed {result.run.seed}: {dead}")
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
    stated = stated_words(first, protocol, methods)
    facts = row_facts(first, protocol, stated)
    extra = "none"
    if protocol.extra or facts.extra_data:
        extra = "some"
    words = [variant_words(first), *row_details(runs, differing)]
    card = methods.get(first.run.method)
    return Row(
        kind=first.kind,
        name=row_name(first, methods, stated),
        page=f"{first.page}.html",
        details=tuple(filter(None, words)),
        sources=(),
        cells=(),
        not_comparable=why_not_comparable(first, protocol, methods),
        only_box=not why_not_comparable(first, protocol, methods, box_matters=False),
        year=stated.get("year", ""),
        budget=first.budget,
        data=first.data or "not recorded",
        extra=extra,
        seeds=row_seeds(runs),
        cost=costs.network_cost(first, profiles),
        answered=sum(result.n - result.failed for result in runs),
        unanswered=sum(result.failed for result in runs),
        facts=facts,
        baseline=bool(card and card.baseline and first.kind != "submitted"),
        family=first.run.method,
        cite=first.run.method if stated.get("paper") else "",
        title=stated.get("paper", ""),
        url=stated.get("url", ""),
        code=stated.get("code", ""),
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
