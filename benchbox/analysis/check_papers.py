"""Results against what papers claim: printed numbers, orderings, sizes of networks.

A verdict for each, and the reason.

A **cell** is a reference row whose label is one of our variants. Where a run of that variant stands
under the row's protocol and is comparable, the claim is *reproduced* when it lies in the measured
confidence interval, widened by half a unit of its last printed digit and, in quadrature, by twice
the standard deviation between seeds; else the measurement is *better* or *worse*. Where it is not
(another variant of the data, a smaller budget, another box or normaliser, a changed card), the
verdict is *not comparable*, with every reason, and both numbers are given all the same.

An **ordering** is tried on every protocol that it names and that has runs of all its variants of
one budget on one set of data: it *holds* when every neighbouring pair differs significantly in the
claimed direction by the paired test, is *too close to tell* when no pair contradicts it, and *does
not hold* when one differs significantly the other way. Neighbours are compared as by
`benchbox compare`, over the seeds that both have; the variance between seeds counts, too.

A **fact** is met when the printed number is ours, rounded to its digits. Where other settings than
a variant's own meet it, the claim names them, and the count of the variant as it stands is given,
too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from math import hypot
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from benchbox.errors import BenchboxError, ProtocolError, ResultError
from benchbox.metrics.metric_names import parse_metric
from benchbox.papers import claims, reference_rows
from benchbox.papers.claims import Claims, OrderingClaim, SizeClaim
from benchbox.papers.reference_rows import ReferenceRow, References
from benchbox.plugins import method_card
from benchbox.runs import kept_cards, run_folders, run_identity
from benchbox.types import Run

from . import compare

VERDICTS = (
    *("reproduced", "better", "worse", "not comparable"),  # cells
    *("holds", "too close to tell", "does not hold"),  # orderings
    *("met", "not met"),  # facts
    "not measured",
)
# pieces of a data variant's name that say: nothing unusual


@dataclass(frozen=True)
class Verdict:
    """One claim and what our results say of it."""

    kind: str  # cell | ordering | fact
    paper: str
    table: str
    claim: str  # in words
    system: str  # "method/variant"; the first of an ordering
    protocol: str
    group: str
    metric: str
    claimed: str  # as printed
    measured: float | None
    low: float | None
    high: float | None
    unit: str
    verdict: str
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class _Measured:
    """The score of one run that a printed number is compared with."""

    value: float
    low: float | None
    high: float | None


def check_results(results: Path, *, facts: bool = False) -> list[Verdict]:
    """Judge every claim by the stored runs.

    `facts` counts networks, too, for which torch is loaded.
    """
    scored, _ = run_folders.list_scored_runs(results)
    verdicts = judge_runs(scored, results)
    if facts:
        verdicts += [judge_fact(claim) for claim in claims.load_claims().facts]
    return verdicts


def judge_runs(stored: Iterable[Run | run_folders.UnreadableRun], results: Path) -> list[Verdict]:
    """Judge every cell and ordering that papers claim by these runs of a results folder."""
    known, rows = claims.load_claims(), reference_rows.load_references()
    comparable, _ = part_by_data([run for run in stored if isinstance(run, Run)])
    runs = _by_system(comparable)
    verdicts = judge_cells(runs, rows, known)
    for ordering in known.orderings:
        verdicts += judge_orderings(ordering, runs, results)
    return verdicts


def part_by_data(runs: Sequence[Run]) -> tuple[list[Run], list[tuple[Run, str]]]:
    """Part runs by the data of most of their protocol: those on them, the others with what differs.

    A mean or an ordering over two versions of the annotations would be of neither.
    """
    comparable, others = [], []
    found = run_identity.find_other_data([run.record for run in runs])
    for run, other in zip(runs, found, strict=True):
        if other.words:
            others.append((run, other.words))
        else:
            comparable.append(run)
    return comparable, others


def _by_system(
    runs: Iterable[Run],
) -> dict[tuple[str, str], list[Run]]:
    """Gather finished runs without overrides by (protocol, "method/variant"), of all budgets."""
    runs_of: dict[tuple[str, str], list[Run]] = {}
    for run in runs:
        if run.record.kind == "submitted" or run.record.overrides:
            continue
        system = f"{run.method}/{run.variant.partition('+')[0]}"
        runs_of.setdefault((run.protocol, system), []).append(run)
    return runs_of


# --- cells ----------------------------------------------------------------------------------------


def judge_cells(
    runs: Mapping[tuple[str, str], Sequence[Run]], rows: References, known: Claims
) -> list[Verdict]:
    """Return a verdict for every claimed cell that has a run beside it."""
    verdicts = []
    for row in rows.rows:
        system = known.systems.get((row.paper, row.method))
        if system is None or row.value is None:
            continue
        for protocol in row.protocols:
            budgets: dict[str, list[Run]] = {}
            for run in runs.get((protocol, system), ()):
                budgets.setdefault(str(run.record.budget), []).append(run)
            for seeds in budgets.values():
                verdicts.append(_judge_cell(row, system, protocol, seeds))
    return verdicts


def _judge_cell(row: ReferenceRow, system: str, protocol: str, seeds: Sequence[Run]) -> Verdict:
    scores = []
    for run in seeds:
        score = _score_entry(run, row.group, row.metric)
        if score is not None:
            scores.append(score)
    measured = None
    if scores:
        measured = fmean(score.value for score in scores)
    low, high = _measured_interval(scores)
    reasons = [row.apart] if row.apart else []
    reasons += _not_comparable_because(seeds)
    if measured is None:
        verdict = "not measured"
    elif reasons:
        verdict = "not comparable"
    else:
        verdict = _cell_verdict(row, measured, low, high)
    return Verdict(
        kind="cell",
        paper=row.paper,
        table=row.table,
        claim=f"{row.method}: {row.group} {row.metric}",
        system=system,
        protocol=protocol,
        group=row.group,
        metric=row.metric,
        claimed=row.printed,
        measured=measured,
        low=low,
        high=high,
        unit=parse_metric(row.metric).unit,
        verdict=verdict,
        reasons=tuple(reasons),
    )


def _score_entry(run: Run, group: str, metric: str) -> _Measured | None:
    """Return a score with its bounds, None where there is no value."""
    score = run_folders.read_scores(run).groups.get(group, {}).get(metric)
    if score is None or score.value is None:
        return None
    return _Measured(score.value, score.low, score.high)


def _measured_interval(scores: Sequence[_Measured]) -> tuple[float | None, float | None]:
    """Return an interval about the mean of the seeds.

    The widest of their intervals and twice their standard deviation, in quadrature: test items and
    training are two independent reasons why a number may come out otherwise.
    """
    below, above = [], []
    for score in scores:
        if score.low is not None and score.high is not None:
            below.append(score.value - score.low)
            above.append(score.high - score.value)
    if not below:
        return None, None
    values = [score.value for score in scores]
    mean, between_seeds = fmean(values), 0.0
    if len(values) > 1:
        between_seeds = 2 * stdev(values)
    return mean - hypot(max(below), between_seeds), mean + hypot(max(above), between_seeds)


def _not_comparable_because(runs: Sequence[Run]) -> list[str]:
    """Say why runs are not comparable with a printed number, each reason once."""
    reasons: dict[str, None] = {}
    for run in runs:
        if difference := run_identity.unofficial_data(run.record.data.variant, run.record.kind):
            reasons[f"other data: {difference}"] = None
        if run.record.budget != "paper" and run.record.kind == "trained":
            reasons[f"smaller budget: {run.record.budget}"] = None
        if _card_hash(run) != run.record.card:
            reasons["the card has changed since this run"] = None
    return list(reasons)


def _card_hash(run: Run) -> str | None:
    try:
        return kept_cards.load_card_of_run(run).card
    except ProtocolError:
        return None


def _cell_verdict(row: ReferenceRow, measured: float, low: float | None, high: float | None) -> str:
    assert row.value is not None
    metric = parse_metric(row.metric)
    rounding = 0.5 * 10.0 ** -len(row.printed.partition(".")[2])
    if metric.measure == "auc" and row.unit == "%":
        rounding /= 100
    low = measured if low is None else low
    high = measured if high is None else high
    if low - rounding <= row.value <= high + rounding:
        return "reproduced"
    return "better" if (measured < row.value) == metric.lower_is_better else "worse"


# --- orderings ------------------------------------------------------------------------------------


def judge_orderings(
    ordering: OrderingClaim, runs: Mapping[tuple[str, str], Sequence[Run]], results: Path
) -> list[Verdict]:
    """Return a verdict for every protocol that has runs of all variants of an ordering.

    One verdict, "not measured", where none has.
    """
    verdicts = []
    for protocol in ordering.protocols:
        folders = [
            _folders_by_budget(runs.get((protocol, system), ())) for system in ordering.order
        ]
        budgets = set(folders[0]).intersection(*folders[1:])
        for budget in sorted(budgets):
            of_budget = [by_budget[budget] for by_budget in folders]
            verdicts.append(_judge_ordering(ordering, protocol, budget, of_budget, results))
    if not verdicts:
        reasons = ("no protocol has runs of all these variants",)
        verdicts.append(_ordering_verdict(ordering, "", "not measured", reasons))
    return verdicts


def _folders_by_budget(runs: Sequence[Run]) -> dict[str, Path]:
    """Return the variant's folder by budget."""
    return {str(run.record.budget): run.folder.parent for run in runs}


def _judge_ordering(
    ordering: OrderingClaim, protocol: str, budget: str, folders: Sequence[Path], results: Path
) -> Verdict:
    reasons, signs = [f"budget {budget}"], []
    for better, worse in pairwise(folders):
        try:
            gap = _gap(ordering, better, worse, results)
        except ResultError as fault:
            reasons.append(str(fault))
            return _ordering_verdict(ordering, protocol, "not comparable", tuple(reasons))
        if gap is None:
            reasons.append(f"{ordering.group} has no answered item")
            return _ordering_verdict(ordering, protocol, "not measured", tuple(reasons))
        signs.append(gap.sign)
        reasons.append(f"{worse.name} - {better.name}: {gap.words}")
    if -1 in signs:
        verdict = "does not hold"
    elif all(signs) or (ordering.or_equal and any(signs)):
        verdict = "holds"
    else:
        verdict = "too close to tell"
    return _ordering_verdict(ordering, protocol, verdict, tuple(reasons))


@dataclass(frozen=True)
class _Gap:
    """A variant beside its neighbour: better, 1, worse, -1, or neither, 0; and the words for it."""

    sign: int
    words: str


def _gap(ordering: OrderingClaim, better: Path, worse: Path, results: Path) -> _Gap | None:
    """Compare two variants by an ordering's metric on its group; None where no item counts."""
    comparison = compare.compare_runs([str(better), str(worse)], results, [ordering.metric])
    for gap in comparison.differences:
        if (gap.group, gap.metric) == (ordering.group, ordering.metric):
            break
    else:
        return None
    sign = 0
    if gap.p is not None and gap.p < 1 - comparison.level:
        sign = 1 if (gap.difference > 0) == gap.lower_is_better else -1
    interval, seeds = "", ""
    if gap.low is not None and gap.high is not None:
        interval = f" [{gap.low:+.3g}, {gap.high:+.3g}]"
    if len(gap.seeds) == 1:
        seeds = " (one seed)"
    elif gap.seeds:
        seeds = f" (seeds {', '.join(gap.seeds)})"
    words = f"{gap.difference:+.3g}{interval} {gap.unit}{seeds}"
    return _Gap(sign, words.replace("+-", "-"))


def _ordering_verdict(
    ordering: OrderingClaim, protocol: str, verdict: str, reasons: tuple[str, ...]
) -> Verdict:
    sign = " ≤ " if ordering.or_equal else " < "
    return Verdict(
        kind="ordering",
        paper=ordering.paper,
        table=ordering.table,
        claim=f"{ordering.id}: {ordering.text}",
        system=ordering.order[0],
        protocol=protocol,
        group=ordering.group,
        metric=ordering.metric,
        claimed=sign.join(ordering.order),
        measured=None,
        low=None,
        high=None,
        unit="",
        verdict=verdict,
        reasons=reasons,
    )


# --- facts ----------------------------------------------------------------------------------------


def judge_fact(claim: SizeClaim) -> Verdict:
    """Count a network at the paper's sizes and compare the count with the printed number."""
    try:
        counted = _count(claim, claim.settings)
        unchanged = _count(claim, {})
    except BenchboxError as fault:
        return _fact_verdict(claim, None, "not measured", (str(fault),))
    met, difference = claim.compare_count(counted)
    if met and claim.settings:  # the print is met by other settings than the variant's own
        settings = ", ".join(f"{key} = {value}" for key, value in claim.settings.items())
        met_unchanged, difference = claim.compare_count(unchanged)
        reasons = (
            f"with {settings}",
            f"as the variant stands {unchanged:,.0f}",
            "met, too" if met_unchanged else difference,
        )
        return _fact_verdict(claim, counted, "met", reasons)
    if met:
        return _fact_verdict(claim, counted, "met", ())
    return _fact_verdict(claim, counted, "not met", tuple(difference.split("; ", 1)))


def _count(claim: SizeClaim, settings: Mapping[str, str]) -> float:
    """Return the claimed quantity of a variant, with other settings than its own."""
    from benchbox.authoring import profile_method

    method, _, variant = claim.system.partition("/")
    counts = profile_method.count_operations(method, variant, overrides=settings)
    return float(getattr(counts, claim.quantity))


def _fact_verdict(
    claim: SizeClaim, counted: float | None, verdict: str, reasons: tuple[str, ...]
) -> Verdict:
    return Verdict(
        kind="fact",
        paper=claim.paper,
        table=claim.table,
        claim=f"{claim.system} {claim.quantity}",
        system=claim.system,
        protocol="",
        group="",
        metric=claim.quantity,
        claimed=claim.printed,
        measured=counted,
        low=None,
        high=None,
        unit="",
        verdict=verdict,
        reasons=reasons,
    )


# --- words ----------------------------------------------------------------------------------------


def verdicts_to_json(verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """Return the document of `benchbox check --json`."""
    return {
        "schema": 1,
        "summary": count_verdicts(verdicts),
        "verdicts": [asdict(verdict) for verdict in verdicts],
    }


def count_verdicts(verdicts: Sequence[Verdict]) -> dict[str, int]:
    """Count the verdicts, in the order of `VERDICTS`; those that are there."""
    counts = dict.fromkeys(VERDICTS, 0)
    for verdict in verdicts:
        counts[verdict.verdict] += 1
    return {name: count for name, count in counts.items() if count}


def format_verdicts(verdicts: Sequence[Verdict]) -> str:
    """Write one line per claim that something was measured for, and a line of counts."""
    lines = []
    for verdict in verdicts:
        if verdict.verdict != "not measured" or verdict.kind == "fact":
            lines.append(_verdict_line(verdict))
    if verdicts:
        counts = ", ".join(f"{count} {name}" for name, count in count_verdicts(verdicts).items())
        lines.append(f"{len(verdicts)} claims: {counts}")
    else:
        lines.append("no claim has anything to stand on")
    return "\n".join(lines)


def _verdict_line(v: Verdict) -> str:
    line = f"{v.verdict:<18}{v.paper}, {v.table}: {v.claim}"
    if v.protocol:
        line += f" on {v.protocol}"
    line += f": claimed {v.claimed}"
    if v.measured is not None:
        line += f", measured {_measured_text(v)}"
    if v.reasons:
        line += f" ({'; '.join(v.reasons)})"
    return line


def _measured_text(v: Verdict) -> str:
    if v.kind == "fact":
        return f"{v.measured:,.0f}"
    if v.low is None or v.high is None:
        return f"{v.measured:.4g}"
    return f"{v.measured:.4g} [{v.low:.4g}, {v.high:.4g}]"


def claimed_methods(verdicts: Iterable[Verdict], method: str) -> list[Verdict]:
    """Return the verdicts that a method's page shows."""
    return [verdict for verdict in verdicts if verdict.system.partition("/")[0] == method]


def unknown_systems() -> list[str]:
    """Name variants that claims speak of and no installed method has."""
    known = claims.load_claims()
    claimed = set(known.systems.values())
    claimed.update(fact.system for fact in known.facts)
    for ordering in known.orderings:
        claimed.update(ordering.order)
    cards = {card.name: card for card in method_card.read_cards()}
    unknown = []
    for system in sorted(claimed):
        method, _, variant = system.partition("/")
        if method not in cards or variant not in cards[method].variants:
            unknown.append(system)
    return unknown
