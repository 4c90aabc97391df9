"""What the pages of a site are made from, and what several of them share.

A page rests on a digest of all that it is made from: it is laid out only when that has changed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from benchbox.analysis import verdicts as claim_verdicts
from benchbox.analysis.verdicts import Verdict
from benchbox.papers.claims import SizeClaim
from benchbox.papers.reference_rows import References
from benchbox.report.charts import error_vs_msd, error_vs_perturbation
from benchbox.report.inputs import results
from benchbox.report.inputs.results import Problem, Result
from benchbox.report.tables import leaderboard, per_item, ranked_rows, rows
from benchbox.report.tables.costs import Profiles
from benchbox.report.tables.per_item import ItemErrors
from benchbox.report.tables.ranked_rows import RankedBoard
from benchbox.report.tables.rows import Board, Table
from benchbox.runs import run_folders
from benchbox.types import MethodCard, Protocol

from . import worst_items
from .worst_items import Rivals

_RUNS_PER_WORK = 16  # runs of a protocol are as much work for a file of its board as a run's page


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
    facts: tuple[SizeClaim, ...] = ()  # sizes of networks that papers print
    # (paper, label) → "method/variant"
    systems: Mapping[tuple[str, str], str] = field(default_factory=dict)


@dataclass(frozen=True)
class BoardRanks:
    """Which rank the runs of a board have, by their pages."""

    by_page: Mapping[str, int]
    shown: frozenset[str]  # pages of the runs that the board has room for
    ranked: int  # rows that have a rank
    hidden: int  # weaker rows that the board has no room for


class SharedData:
    """Sources by name; every digest is taken and every leaderboard laid out at most once."""

    def __init__(self, sources: Sources) -> None:
        self.sources = sources
        self.methods = {card.name: card for card in sources.methods}
        self.protocols = {protocol.name: protocol for protocol in sources.protocols}
        self.by_protocol = results.group_by_protocol(sources.results)
        self.by_method: dict[str, list[Result]] = {}
        for result in sources.results:
            self.by_method.setdefault(result.run.method, []).append(result)
        self._conventions: dict[str, list[str]] = {}
        self._boards: dict[str, Board] = {}
        self._rankings: dict[tuple[str, str], RankedBoard] = {}
        self._ranks: dict[str, BoardRanks] = {}
        self._rival_runs: dict[str, list[Result]] = {}
        self._rivals: tuple[str, Rivals | None] = "", None
        self._run_digests: dict[Result, str] = {}
        self._result_digests: dict[Result, str] = {}
        self._card_digests: dict[str, str] = {}
        self._hashed_files: dict[Result, list[tuple[str, str]]] = {}
        self._board_digests: dict[str, str] = {}
        self._ranking_digests: dict[str, str] = {}

    def runs_of(self, protocol: Protocol) -> Sequence[Result]:
        """Return the runs of a protocol."""
        return self.by_protocol.get(protocol.name, [])

    def run_pages_of(self, protocol: Protocol) -> Mapping[str, Result]:
        """Return the runs of a protocol by their pages."""
        return {result.page + ".html": result for result in self.runs_of(protocol)}

    # --- leaderboards -----------------------------------------------------------------------------

    def conventions_of(self, protocol: Protocol) -> Sequence[str]:
        """Return the conventions under which anything is known of a protocol, the first first."""
        if protocol.name not in self._conventions:
            self._conventions[protocol.name] = leaderboard.list_conventions(
                protocol, self.runs_of(protocol), self.sources.references
            )
        return self._conventions[protocol.name]

    def board_of(self, protocol: Protocol) -> Board:
        """Return the leaderboard of a protocol."""
        if protocol.name not in self._boards:
            self._boards[protocol.name] = leaderboard.build_leaderboard(
                protocol,
                self.runs_of(protocol),
                self.sources.references,
                self.methods,
                self.sources.profiles,
            )
        return self._boards[protocol.name]

    def ranked_board(self, protocol: Protocol, convention: str) -> RankedBoard:
        """Return the leaderboard of a protocol under one convention, its rows ranked."""
        key = protocol.name, convention
        if key not in self._rankings:
            self._rankings[key] = self._rank_board(protocol, convention)
        return self._rankings[key]

    def _rank_board(self, protocol: Protocol, convention: str) -> RankedBoard:
        board = self.board_of(protocol)
        for table in board.tables:
            if table.convention == convention:
                ranked, problems = ranked_rows.rank_table(
                    table, protocol, self.run_pages_of(protocol)
                )
                return RankedBoard(board, ranked, tuple(problems))
        return RankedBoard(board, None)

    def ranked_table(self, protocol: Protocol, convention: str) -> Table:
        """Return the table of a leaderboard; raises ValueError where there is none."""
        table = self.ranked_board(protocol, convention).table
        if table is None:
            raise ValueError(f"{protocol.name} has nothing under {convention}")
        return table

    def ranks_of(self, protocol: Protocol) -> BoardRanks:
        """Return the ranks of a board's runs under its first convention, to be looked up.

        The pages of thousands of runs ask.
        """
        if protocol.name not in self._ranks:
            ranks = BoardRanks({}, frozenset(), 0, 0)
            for convention in self.conventions_of(protocol)[:1]:
                table = self.ranked_table(protocol, convention)
                ranked = [row for row in table.rows if row.rank]
                ranks = BoardRanks(
                    {page: row.rank or 0 for row in ranked for page in row.pages},
                    frozenset(page for row in rows.all_rows(table) for page in row.pages),
                    len(ranked),
                    table.hidden,
                )
            self._ranks[protocol.name] = ranks
        return self._ranks[protocol.name]

    def item_errors(
        self, protocol: Protocol, convention: str
    ) -> tuple[ItemErrors | None, list[Problem]]:
        """Return the errors of a leaderboard's best runs on every item, and what cannot be read."""
        table = self.ranked_table(protocol, convention)
        return per_item.gather_item_errors(protocol, table, self.run_pages_of(protocol))

    def chart_runs(self, protocol: Protocol) -> Mapping[str, Sequence[Result]]:
        """Return the runs that a leaderboard's charts show, by protocol.

        Those of the protocol itself, of the same one under perturbations, and of the one whose
        errors stand beside its jitter.
        """
        names = [protocol.name, *self._perturbed_protocols.get(protocol.name, ())]
        partner = error_vs_msd.find_error_protocol(protocol, self.sources.protocols)
        if partner:
            names.append(partner.name)
        return {name: self.by_protocol[name] for name in names if name in self.by_protocol}

    @cached_property
    def _perturbed_protocols(self) -> Mapping[str, Sequence[str]]:
        perturbed: dict[str, list[str]] = {}
        for name in self.by_protocol:
            perturbed.setdefault(error_vs_perturbation.base_protocol(name), []).append(name)
        return perturbed

    def board_work(self, protocol: Protocol) -> float:
        """Return about how much work a file of a leaderboard is; a run's page is 1."""
        return 1 + len(self.runs_of(protocol)) / _RUNS_PER_WORK

    # --- runs and methods -------------------------------------------------------------------------

    def rival_runs(self, name: str) -> Sequence[Result]:
        """Choose the runs of a protocol that the pages of the others are held against."""
        if name not in self._rival_runs:
            protocol = self.protocols.get(name)
            chosen: list[Result] = []
            if protocol:
                chosen = worst_items.choose_rivals(self.runs_of(protocol), protocol)
            self._rival_runs[name] = chosen
        return self._rival_runs[name]

    def rivals_of(self, name: str) -> Rivals | None:
        """Read the rivals of a protocol.

        Those of one protocol are held at a time: the pages of runs come by protocol.
        """
        if self._rivals[0] != name:
            protocol = self.protocols.get(name)
            rivals = None
            if protocol:
                rivals = worst_items.read_rivals(self.rival_runs(name), protocol)
            self._rivals = name, rivals
        return self._rivals[1]

    def verdicts_on(self, method: str) -> list[Verdict]:
        """Return the verdicts on what papers claim of a method, where something was measured."""
        verdicts = claim_verdicts.claimed_methods(self.sources.verdicts(), method)
        return [verdict for verdict in verdicts if verdict.verdict != "not measured"]

    # --- digests ----------------------------------------------------------------------------------

    @cached_property
    def common_digest(self) -> str:
        """Hash what every leaderboard and every method's page rests on."""
        sources = self.sources
        return hash_values(
            sources.references,
            sources.methods,
            sources.problems,
            sources.profiles,
            sources.facts,
            sources.systems,
        )

    def board_digest(self, protocol: Protocol) -> str:
        """Hash all that the files of a leaderboard are made from."""
        if protocol.name not in self._board_digests:
            shown: list[Result] = []
            for runs in self.chart_runs(protocol).values():
                shown += runs
            self._board_digests[protocol.name] = hash_values(
                protocol, self.common_digest, *self.run_digests(shown)
            )
        return self._board_digests[protocol.name]

    def ranking_digest(self, protocol: Protocol) -> str:
        """Hash what the ranks of a protocol's runs rest on: scores, errors and methods' cards.

        Papers' numbers, training logs and predictions are no part of it.
        """
        if protocol.name not in self._ranking_digests:
            runs = self.runs_of(protocol)
            errors = []
            for result in runs:
                file = run_folders.errors_file(result.run).name
                errors.append(dict(self._file_hashes(result)).get(file))
            self._ranking_digests[protocol.name] = hash_values(
                protocol,
                self.conventions_of(protocol)[:1],
                self.sources.methods,
                list(map(self._result_digest, runs)),
                errors,
            )
        return self._ranking_digests[protocol.name]

    def run_digests(self, runs: Iterable[Result]) -> list[str]:
        """Hash each of several runs."""
        return [self.run_digest(result) for result in runs]

    def run_digest(self, result: Result) -> str:
        """Hash a run: its files, its card, its method's title."""
        if result not in self._run_digests:
            card = self.methods.get(result.run.method)
            self._run_digests[result] = hash_values(
                self._result_digest(result),
                self._card_digest(result.run.protocol),
                card and card.title,
                *self._file_hashes(result),
            )
        return self._run_digests[result]

    def _result_digest(self, result: Result) -> str:
        """Hash what was read of a run; asked for by its own page and by its board's ranks."""
        if result not in self._result_digests:
            self._result_digests[result] = hash_values(result)
        return self._result_digests[result]

    def _card_digest(self, protocol: str) -> str:
        """Hash the card of a protocol, which thousands of its runs ask for."""
        if protocol not in self._card_digests:
            self._card_digests[protocol] = hash_values(self.protocols.get(protocol))
        return self._card_digests[protocol]

    def _file_hashes(self, result: Result) -> list[tuple[str, str]]:
        if result not in self._hashed_files:
            self._hashed_files[result] = _hash_run_files(result)
        return self._hashed_files[result]


def _hash_run_files(result: Result) -> list[tuple[str, str]]:
    """Name and hash every file of a run's folder, whatever a page reads of them.

    `work/` reaches no page. Taken before the files are read: one that changes meanwhile has another
    digest the next time.
    """
    hashes = []
    try:
        for path in sorted(result.run.folder.iterdir()):
            if path.is_file():
                hashes.append((path.name, run_folders.hash_file(path)))
    except OSError as fault:
        hashes.append(("", str(fault)))  # the page says so too
    return hashes


def board_group(protocol: Protocol) -> str:
    """Name the group of files that rest on a protocol's leaderboard."""
    return f"board {protocol.name}"


def hash_values(*values: object) -> str:
    """Hash values by what they print as; dataclasses print every field."""
    total = hashlib.sha256()
    for value in values:
        total.update(hashlib.sha256(repr(value).encode(errors="surrogatepass")).digest())
    return total.hexdigest()
