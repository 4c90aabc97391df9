"""Results against what papers claim: a verdict for each claim, and the reason.

* printed numbers: `judge_cells`;
* orderings of variants: `judge_orderings`;
* sizes of networks: `judge_facts`;
* what became of every printed cell: `cell_account`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchbox.papers import claims, reference_rows
from benchbox.plugins import method_card
from benchbox.runs import run_folders
from benchbox.types import Run

from . import cell_account, comparable
from .cell_account import CellAccount, PaperCount
from .judge_cells import TRAINING_TOLERANCE, judge_cells
from .judge_facts import judge_fact
from .judge_orderings import judge_orderings
from .seed_pool import SeedPool
from .verdicts import Verdict, count_verdicts


@dataclass(frozen=True)
class PaperCheck:
    """Everything that results say of papers: what the command prints and a page can show."""

    verdicts: tuple[Verdict, ...]  # cells, orderings, facts
    counts: Mapping[str, int]  # verdict → claims, in the order of `verdicts.VERDICTS`
    cells: tuple[CellAccount, ...]  # every printed cell
    papers: tuple[PaperCount, ...]


def check_results(
    results: Path, *, facts: bool = False, tolerance: float = TRAINING_TOLERANCE
) -> list[Verdict]:
    """Judge every claim by the stored runs.

    `facts` counts networks, too, for which torch is loaded. `tolerance` is that of
    `judge_cells.judge_cells`.
    """
    scored, _ = run_folders.list_scored_runs(results)
    verdicts = judge_runs(scored, results, tolerance)
    if facts:
        verdicts += [judge_fact(claim) for claim in claims.load_claims().facts]
    return verdicts


def judge_runs(
    stored: Iterable[Run | run_folders.UnreadableRun],
    results: Path,
    tolerance: float = TRAINING_TOLERANCE,
) -> list[Verdict]:
    """Judge every cell and ordering that papers claim by these runs of a results folder."""
    known, rows = claims.load_claims(), reference_rows.load_references()
    alike, _ = comparable.part_by_data([run for run in stored if isinstance(run, Run)])
    pool = SeedPool(alike)
    runs = comparable.runs_by_system(alike)
    verdicts = judge_cells(runs, rows, known, pool, tolerance)
    for ordering in known.orderings:
        verdicts += judge_orderings(ordering, runs, results, pool)
    return verdicts


def summarise_verdicts(verdicts: Iterable[Verdict]) -> PaperCheck:
    """Put verdicts together with their counts and with what became of every printed cell."""
    judged = tuple(verdicts)
    cells = cell_account.account_cells(
        reference_rows.load_references(), claims.load_claims(), judged
    )
    return PaperCheck(
        verdicts=judged,
        counts=count_verdicts(judged),
        cells=tuple(cells),
        papers=tuple(cell_account.count_papers(cells)),
    )


def unknown_systems() -> list[str]:
    """Name variants that claims speak of and no installed method has."""
    cards = {card.name: card for card in method_card.read_cards()}
    unknown = []
    for system in sorted(claims.load_claims().list_systems()):
        method, _, variant = system.partition("/")
        if method not in cards or variant not in cards[method].variants:
            unknown.append(system)
    return unknown
