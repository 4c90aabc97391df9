"""Every printed cell of the papers that make claims, accounted for: measured or not, and why.

A cell is **comparable** when a run of ours may stand beside it, **not comparable** when one stands
beside it that may not be held against it, and **not measured** else. Sizes of networks are
comparable once they are counted (`check --facts`). Twins measure no cell: their faces are others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchbox.papers.claims import Claims, SizeClaim
from benchbox.papers.reference_rows import ReferenceRow, References

from .verdicts import NOT_COMPARABLE, NOT_MEASURED, Verdict

COMPARABLE = "comparable"
STANDINGS = (COMPARABLE, NOT_COMPARABLE, NOT_MEASURED)
# measure as the reference rows name it → quantities of `papers.claims`
_SIZES: Mapping[str, tuple[str, ...]] = {
    "parameters": ("params",),
    "FLOPs": ("macs", "macs_plus_bias"),
    "model size": ("bytes",),
    "model memory": ("bytes",),
}
_SPEED, _GROWTH = "speed", "NME growth"


@dataclass(frozen=True)
class CellAccount:
    """A printed cell and what became of it."""

    row: ReferenceRow
    system: str  # "method/variant"; "" where it is none of ours
    standing: str  # one of `STANDINGS`
    why: str  # "" where it is comparable
    verdicts: tuple[Verdict, ...]  # of the runs beside it


@dataclass(frozen=True)
class PaperCount:
    """How many cells a paper prints, and what became of them."""

    paper: str
    cells: int
    measured: int  # comparable and not comparable ones
    comparable: int
    not_measured: int
    why: Mapping[str, int]  # why not comparable or not measured → cells


def account_cells(
    rows: References, known: Claims, verdicts: Iterable[Verdict]
) -> list[CellAccount]:
    """Return what became of every cell of the papers that claims speak of, in their order."""
    papers = _claiming_papers(known)
    of_cell: dict[tuple[str, int], list[Verdict]] = {}
    of_fact: dict[tuple[str, str, str, str], list[Verdict]] = {}
    for verdict in verdicts:
        if verdict.kind == "cell":
            of_cell.setdefault((verdict.paper, verdict.line), []).append(verdict)
        elif verdict.kind == "fact":
            key = (verdict.paper, verdict.table, verdict.metric, verdict.claimed)
            of_fact.setdefault(key, []).append(verdict)
    accounts = []
    for row in rows.rows:
        if row.paper not in papers:
            continue
        if _size_quantities(row):
            accounts.append(_account_size(row, known, of_fact))
        else:
            accounts.append(_account_cell(row, known, of_cell.get((row.paper, row.line), [])))
    return accounts


def _claiming_papers(known: Claims) -> set[str]:
    papers = {paper for paper, _ in known.systems}
    papers.update(ordering.paper for ordering in known.orderings)
    papers.update(fact.paper for fact in known.facts)
    return papers


def _account_cell(row: ReferenceRow, known: Claims, verdicts: Sequence[Verdict]) -> CellAccount:
    system, none_because = known.find_system(row)
    measured = [verdict for verdict in verdicts if verdict.measured is not None]
    comparable = [verdict for verdict in measured if verdict.verdict != NOT_COMPARABLE]
    standing, why = NOT_MEASURED, _why_not_measured(row, system, none_because)
    if comparable:
        standing, why = COMPARABLE, ""
    elif measured:
        standing, why = NOT_COMPARABLE, "; ".join(measured[0].reasons)
    return CellAccount(row, system, standing, why, tuple(measured))


def _why_not_measured(row: ReferenceRow, system: str, none_because: str) -> str:
    if row.value is None:
        return "printed as a dash"
    if row.measure == _GROWTH:
        return "growth, which follows from two other cells"
    if row.measure == _SPEED:
        return "speed on the paper's own machines"
    if not system:
        return none_because or "a system that no method here builds"
    if not row.protocols:
        return "no protocol card covers it"
    return "no run of its variant under its protocol"


def _account_size(
    row: ReferenceRow,
    known: Claims,
    of_fact: Mapping[tuple[str, str, str, str], Sequence[Verdict]],
) -> CellAccount:
    """Account for a size of a network: a fact, where it is one of ours."""
    system, none_because = known.find_system(row)
    if row.value is None or not system:
        why = _why_not_measured(row, system, none_because)
        return CellAccount(row, system, NOT_MEASURED, why, ())
    facts = [fact for fact in known.facts if is_size_of(fact, row)]
    verdicts: list[Verdict] = []
    for fact in facts:
        verdicts += of_fact.get((fact.paper, fact.table, fact.quantity, fact.printed), ())
    counted = tuple(verdict for verdict in verdicts if verdict.measured is not None)
    if counted:
        return CellAccount(row, system, COMPARABLE, "", counted)
    why = "a size of a network, which `check --facts` counts"
    if not facts:
        why = "a size of a network that no fact of ours claims"
    return CellAccount(row, system, NOT_MEASURED, why, ())


def is_size_of(fact: SizeClaim, row: ReferenceRow) -> bool:
    """Tell whether a fact is the claim of a printed cell."""
    same_place = (fact.paper, fact.table) == (row.paper, row.table)
    same_print = fact.printed == f"{row.printed} {row.unit}"
    return same_place and same_print and fact.quantity in _size_quantities(row)


def _size_quantities(row: ReferenceRow) -> tuple[str, ...]:
    """Return what a printed size may be: "FLOPs (=MACs without bias)" are operations, too."""
    return _SIZES.get(row.measure.partition(" (")[0], ())


# --- counts ---------------------------------------------------------------------------------------


def count_papers(accounts: Iterable[CellAccount]) -> list[PaperCount]:
    """Count the cells of each paper, in the order in which the papers come."""
    by_paper: dict[str, list[CellAccount]] = {}
    for account in accounts:
        by_paper.setdefault(account.row.paper, []).append(account)
    return [_count_paper(paper, cells) for paper, cells in by_paper.items()]


def _count_paper(paper: str, cells: Sequence[CellAccount]) -> PaperCount:
    standings = Counter(cell.standing for cell in cells)
    reasons = Counter(cell.why for cell in cells if cell.why)
    return PaperCount(
        paper=paper,
        cells=len(cells),
        measured=standings[COMPARABLE] + standings[NOT_COMPARABLE],
        comparable=standings[COMPARABLE],
        not_measured=standings[NOT_MEASURED],
        why=dict(reasons.most_common()),
    )


def counts_to_json(counts: Iterable[PaperCount]) -> dict[str, Any]:
    """Return the counts by paper, as `benchbox check --json` prints them."""
    document = {}
    for count in counts:
        document[count.paper] = {
            "cells": count.cells,
            "measured": count.measured,
            "comparable": count.comparable,
            "not_measured": count.not_measured,
            "why": dict(count.why),
        }
    return document


def format_counts(counts: Sequence[PaperCount]) -> str:
    """Write how many cells each paper prints and what became of them; "" of no paper."""
    if not counts:
        return ""
    total = sum(count.cells for count in counts)
    papers = "1 paper" if len(counts) == 1 else f"{len(counts)} papers"
    lines = [f"{total} printed cells of {papers}"]
    for count in counts:
        lines.append(
            f"  {count.paper}: {count.cells} cells, {count.measured} measured, of which"
            f" {count.comparable} comparable; {count.not_measured} not measured"
        )
        lines += [f"    {cells:>4} {why}" for why, cells in count.why.items()]
    return "\n".join(lines)
