"""Results against what papers claim: cells, orderings, sizes of networks.

A verdict for each, and the reason.

A **cell** is a reference row whose label is one of our variants. Where a run of that variant stands
under the row's protocol and may be compared, the claim is *reproduced* when it lies in the measured
interval, widened by half a unit of its last printed digit and, in quadrature, by twice the standard
deviation between seeds; else the measurement is *better* or *worse*. Where it may not (another
variant of the data, a smaller budget, another box or normaliser, a changed card), the verdict is
*not comparable*, with every reason, and both numbers stand there all the same.

An **ordering** is tried on every protocol that it names and that has runs of all its variants of one budget on one
set of data: it *holds* when every neighbouring pair is apart in the claimed direction by the paired test, is *too
close to tell* when no pair contradicts it, and *does not hold* when one is apart the other way. Neighbours are compared
as by `benchbox compare`, over the seeds that both have; what several seeds vary by counts, too.

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
from benchbox.metrics import aggregate
from benchbox.papers import claims, reference_rows
from benchbox.papers.claims import Claims, OrderingClaim, SizeClaim
from benchbox.papers.reference_rows import ReferenceRow, References
from benchbox.plugins import method_card
from benchbox.protocols import protocol_card
from benchbox.runs import run_folders
from benchbox.types import Run

from . import compare

VERDICTS = (
    *("reproduced", "better", "worse", "not comparable"),  # cells
    *("holds", "too close to tell", "does not hold"),  # orderings
    *("met", "not met"),  # facts
    "not measured",
)
# pieces of a data variant's name that say: nothing unusual
_OFFICIAL = ("complete", "original annotations")


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
    """The score of one run that a printed number is held against."""

    value: float
    low: float | None
    high: float | None


def check_results(results: Path, *, facts: bool = False) -> list[Verdict]:
    """Hold every stored run against every claim.

    `facts` counts networks, too, for which torch is loaded.
    """
    found = judge_runs(run_folders.list_runs(results), results)
    return found + [judge_fact(one) for one in claims.load_claims().facts] if facts else found


def judge_runs(stored: Iterable[Run | run_folders.UnreadableRun], results: Path) -> list[Verdict]:
    """Hold these runs of a results folder against every cell and ordering that papers claim."""
    known, rows, runs = claims.load_claims(), reference_rows.load_references(), _by_system(stored)
    return [
        *judge_cells(runs, rows, known),
        *(v for o in known.orderings for v in judge_orderings(o, runs, results)),
    ]


def _by_system(runs: Iterable[Run | run_folders.UnreadableRun]) -> dict[tuple[str, str], list[Run]]:
    """Gather finished runs without overrides by (protocol, "method/variant"), all budgets together."""
    found: dict[tuple[str, str], list[Run]] = {}
    for run in runs:
        if isinstance(run, Run) and run.record.kind != "submitted" and not run.record.overrides:
            system = f"{run.method}/{run.variant.partition('+')[0]}"
            found.setdefault((run.protocol, system), []).append(run)
    return found


# --- cells ----------------------------------------------------------------------------------------


def judge_cells(
    runs: Mapping[tuple[str, str], Sequence[Run]], rows: References, known: Claims
) -> list[Verdict]:
    """Return a verdict for every claimed cell that a run stands beside."""
    found = []
    for row in rows.rows:
        system = known.systems.get((row.paper, row.method))
        if system is None or row.value is None:
            continue
        for name in row.protocols:
            budgets: dict[str, list[Run]] = {}
            for run in runs.get((name, system), ()):
                budgets.setdefault(str(run.record.budget), []).append(run)
            found += [_judge_cell(row, system, name, group) for group in budgets.values()]
    return found


def _judge_cell(row: ReferenceRow, system: str, name: str, seeds: Sequence[Run]) -> Verdict:
    entries = [_score_entry(run, row.group, row.metric) for run in seeds]
    known = [entry for entry in entries if entry is not None]
    measured = fmean(entry.value for entry in known) if known else None
    low, high = _measured_interval(known)
    reasons = [row.apart] if row.apart else []
    reasons += dict.fromkeys(reason for run in seeds for reason in _not_comparable_because(run))
    verdict = "not measured" if measured is None else "not comparable"
    if measured is not None and not reasons:
        verdict = _cell_verdict(row, measured, low, high)
    return Verdict(
        kind="cell",
        paper=row.paper,
        table=row.table,
        claim=f"{row.method}: {row.group} {row.metric}",
        system=system,
        protocol=name,
        group=row.group,
        metric=row.metric,
        claimed=row.printed,
        measured=measured,
        low=low,
        high=high,
        unit=aggregate.metric_unit(row.metric),
        verdict=verdict,
        reasons=tuple(reasons),
    )


def _score_entry(run: Run, group: str, metric: str) -> _Measured | None:
    """Return a score with its bounds, None where there is no value."""
    score = run_folders.read_scores(run).groups.get(group, {}).get(metric)
    if score is None or score.value is None:
        return None
    return _Measured(score.value, score.low, score.high)


def _measured_interval(entries: Sequence[_Measured]) -> tuple[float | None, float | None]:
    """Return the mean of the seeds, less and more: their widest interval and twice their spread, in quadrature.

    Test faces and training are two independent reasons why a number may come out otherwise.
    """
    below, above = [], []
    for entry in entries:
        if entry.low is not None and entry.high is not None:
            below.append(entry.value - entry.low)
            above.append(entry.high - entry.value)
    if not below:
        return None, None
    values = [entry.value for entry in entries]
    middle = fmean(values)
    spread = 2 * stdev(values) if len(values) > 1 else 0.0
    return middle - hypot(max(below), spread), middle + hypot(max(above), spread)


def _not_comparable_because(run: Run) -> list[str]:
    """Say why a run must not be held against a printed number."""
    found = []
    if other := unofficial_data(run.record.data.variant, run.record.kind):
        found.append(f"other data: {other}")
    if run.record.budget != "paper" and run.record.kind == "trained":
        found.append(f"smaller budget: {run.record.budget}")
    card = _card_hash(run.protocol)
    if card != run.record.card:
        found.append("the card has changed since this run")
    return found


def unofficial_data(variant: str, kind: str) -> str:
    """Return what a named data variant has that the official set has not.

    Training data bind only who trained.
    """
    pieces = variant.split(", ") if variant else ["not recorded"]
    named = [piece for piece in pieces if piece not in _OFFICIAL]
    return ", ".join(
        piece for piece in named if kind == "trained" or not piece.startswith("train ")
    )


def _card_hash(name: str) -> str | None:
    try:
        return protocol_card.load_protocol(name).card
    except ProtocolError:
        return None


def _cell_verdict(row: ReferenceRow, measured: float, low: float | None, high: float | None) -> str:
    assert row.value is not None
    half = 0.5 * 10.0 ** -len(row.printed.partition(".")[2])
    half /= 100 if row.metric.startswith("auc_") and row.unit == "%" else 1
    if (
        (low if low is not None else measured) - half
        <= row.value
        <= (high if high is not None else measured) + half
    ):
        return "reproduced"
    return "better" if (measured < row.value) == aggregate.is_lower_better(row.metric) else "worse"


# --- orderings ------------------------------------------------------------------------------------


def judge_orderings(
    ordering: OrderingClaim, runs: Mapping[tuple[str, str], Sequence[Run]], results: Path
) -> list[Verdict]:
    """Return a verdict for every protocol of an ordering that has runs of its variants, one where none has."""
    tried = []
    for name in ordering.protocols:
        folders = [_folders_by_budget(runs.get((name, system), ())) for system in ordering.order]
        for budget in sorted(set().union(*folders)):
            if all(budget in there for there in folders):
                tried.append(
                    _judge_ordering(
                        ordering, name, budget, [there[budget] for there in folders], results
                    )
                )
    return tried or [
        _ordering_verdict(
            ordering, "", "not measured", ("no protocol has runs of all these variants",)
        )
    ]


def _folders_by_budget(runs: Sequence[Run]) -> dict[str, Path]:
    """Return the variant's folder by budget."""
    return {str(run.record.budget): run.folder.parent for run in runs}


def _judge_ordering(
    ordering: OrderingClaim, name: str, budget: str, folders: Sequence[Path], results: Path
) -> Verdict:
    said, apart = [f"budget {budget}"], []
    for better, worse in pairwise(folders):
        try:
            gap = _gap(ordering, better, worse, results)
        except ResultError as fault:
            return _ordering_verdict(ordering, name, "not comparable", (*said, str(fault)))
        if gap is None:
            return _ordering_verdict(
                ordering, name, "not measured", (*said, f"{ordering.group} has no answered item")
            )
        apart.append(gap.sign)
        said.append(f"{worse.name} - {better.name}: {gap.words}")
    if -1 in apart:
        return _ordering_verdict(ordering, name, "does not hold", tuple(said))
    holds = all(apart) or (ordering.or_equal and any(apart))
    return _ordering_verdict(ordering, name, "holds" if holds else "too close to tell", tuple(said))


@dataclass(frozen=True)
class _Gap:
    """Whether a variant is better than its neighbour, 1, worse, -1, or neither, 0, and the difference in words."""

    sign: int
    words: str


def _gap(ordering: OrderingClaim, better: Path, worse: Path, results: Path) -> _Gap | None:
    """Compare two variants by an ordering's metric on its group; None where no item counts."""
    found = compare.compare_runs([str(better), str(worse)], results, [ordering.metric])
    wanted = ordering.group, ordering.metric
    gap = next((d for d in found.differences if (d.group, d.metric) == wanted), None)
    if gap is None:
        return None
    apart = gap.p is not None and gap.p < 1 - found.level
    bounds = "" if gap.low is None or gap.high is None else f" [{gap.low:+.3g}, {gap.high:+.3g}]"
    seeds = {0: "", 1: " (one seed)"}.get(len(gap.seeds), f" (seeds {', '.join(gap.seeds)})")
    words = f"{gap.difference:+.3g}{bounds} {gap.unit}{seeds}".replace("+-", "-")
    return _Gap((1 if (gap.difference > 0) == gap.falls else -1) if apart else 0, words)


def _ordering_verdict(
    ordering: OrderingClaim, name: str, verdict: str, reasons: tuple[str, ...]
) -> Verdict:
    return Verdict(
        kind="ordering",
        paper=ordering.paper,
        table=ordering.table,
        claim=f"{ordering.id}: {ordering.text}",
        system=ordering.order[0],
        protocol=name,
        group=ordering.group,
        metric=ordering.metric,
        claimed=(" ≤ " if ordering.or_equal else " < ").join(ordering.order),
        measured=None,
        low=None,
        high=None,
        unit="",
        verdict=verdict,
        reasons=reasons,
    )


# --- facts ----------------------------------------------------------------------------------------


def judge_fact(claim: SizeClaim) -> Verdict:
    """Count a network at the paper's sizes and hold it against the printed number."""
    from benchbox.authoring import profile_method

    method, _, variant = claim.system.partition("/")
    try:
        counted = float(
            getattr(
                profile_method.count_operations(method, variant, overrides=claim.settings),
                claim.quantity,
            )
        )
        standing = (
            float(getattr(profile_method.count_operations(method, variant), claim.quantity))
            if claim.settings
            else counted
        )
    except BenchboxError as fault:
        return _fact_verdict(claim, None, "not measured", (str(fault),))
    met, off = claim.beside(counted)
    if met and claim.settings:  # the print is met by other settings than the variant's own
        with_them = ", ".join(f"{key} = {value}" for key, value in claim.settings.items())
        too, off = claim.beside(standing)
        said = (
            f"with {with_them}",
            f"as the variant stands {standing:,.0f}",
            "met, too" if too else off,
        )
        return _fact_verdict(claim, counted, "met", said)
    return _fact_verdict(
        claim, counted, "met" if met else "not met", () if met else tuple(off.split("; ", 1))
    )


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
    """Count the verdicts, in the order of `VERDICTS`."""
    counts = {name: sum(verdict.verdict == name for verdict in verdicts) for name in VERDICTS}
    return {name: count for name, count in counts.items() if count}


def format_verdicts(verdicts: Sequence[Verdict]) -> str:
    """Write one line per claim that something was measured for, and a line of counts."""
    lines = []
    for v in verdicts:
        if v.verdict == "not measured" and v.kind != "fact":
            continue
        where = f" on {v.protocol}" if v.protocol else ""
        number = "" if v.measured is None else f", measured {_number(v)}"
        why = f" ({'; '.join(v.reasons)})" if v.reasons else ""
        lines.append(
            f"{v.verdict:<18}{v.paper}, {v.table}: {v.claim}{where}: claimed {v.claimed}{number}{why}"
        )
    counted = ", ".join(f"{count} {name}" for name, count in count_verdicts(verdicts).items())
    return "\n".join(
        [
            *lines,
            f"{len(verdicts)} claims: {counted}"
            if verdicts
            else "no claim has anything to stand on",
        ]
    )


def _number(v: Verdict) -> str:
    if v.kind == "fact":
        return f"{v.measured:,.0f}"
    bounds = "" if v.low is None or v.high is None else f" [{v.low:.4g}, {v.high:.4g}]"
    return f"{v.measured:.4g}{bounds}"


def claimed_methods(verdicts: Iterable[Verdict], method: str) -> list[Verdict]:
    """Return the verdicts that a method's page shows."""
    return [verdict for verdict in verdicts if verdict.system.partition("/")[0] == method]


def unknown_systems() -> list[str]:
    """Name variants that claims speak of and no installed method has."""
    known = claims.load_claims()
    named = {
        *known.systems.values(),
        *(f.system for f in known.facts),
        *(s for o in known.orderings for s in o.order),
    }
    cards = {card.name: card for card in method_card.read_cards()}
    return sorted(
        system
        for system in named
        if (method := system.partition("/")[0]) not in cards
        or system.partition("/")[2] not in cards[method].variants
    )
