"""The plan of a site: which pages there are, what each one rests on, and how it is made when that has changed.

Laying out and printing a page costs milliseconds and reads the run's arrays; what it rests on is a digest. The code
and the templates are no part of these digests: `memo` holds them against all pages at once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property, partial

from benchbox.analysis import check_papers
from benchbox.analysis.check_papers import Verdict
from benchbox.report.charts import error_vs_msd, error_vs_perturbation, face_drawings
from benchbox.report.inputs import results, synthetic_items
from benchbox.report.inputs.results import Problem, Result
from benchbox.report.pages import (
    compare_page,
    gaze_atlas,
    guide,
    page_types,
    pseudo_label_page,
    run_page,
    sample_atlas,
    worst_items,
)
from benchbox.report.pages.page_types import Page, Sources
from benchbox.report.pages.sample_atlas import AtlasPage
from benchbox.report.pages.worst_items import Rivals
from benchbox.report.tables import exports, leaderboard, per_item, ranked_rows, rows
from benchbox.report.tables.per_item import ItemErrors
from benchbox.report.tables.ranked_rows import RankedBoard
from benchbox.report.tables.rows import Board, Table
from benchbox.runs import run_folders
from benchbox.types import Protocol

_TOGETHER = 100  # pages of runs
_DRAWN = 8.0  # times the work of a run's page: a picture that is drawn
_RUNS = 16  # of a protocol make a file of its board as much work again as a run's page


@dataclass(frozen=True)
class PlannedPage:
    """A page or file before it is laid out."""

    path: str
    inputs: Callable[[], str]  # digest of all that the page is made from
    content: Callable[[], Page | str | bytes]  # a page's values, or what a file holds
    near: str = ""  # see `folder.File`
    work: float = 1.0


def plan_pages(sources: Sources) -> list[PlannedPage]:
    """Plan every page of the site; nothing is read or laid out before it is asked for."""
    plan = _Plan(sources)
    names = sorted({*plan.methods, *plan.by_method})
    return [
        *(draft for protocol in sources.protocols for draft in plan.boards(protocol)),
        *map(plan.method_page, names),
        *(
            plan.run_page(result, place // _TOGETHER)
            for place, result in enumerate(sources.results)
        ),
        *(
            draft
            for result in sources.results
            if pseudo_label_page.has_pseudo_labels(result)
            for draft in plan.labels(result)
        ),
        plan.index_page(names),
        *map(plan.guide_page, guide.GUIDES),
    ]


class _Plan:
    """Holds what several pages share, so that each digest is taken and each board laid out at most once."""

    def __init__(self, sources: Sources) -> None:
        self.sources = sources
        self.methods = {card.name: card for card in sources.methods}
        self.protocols = {protocol.name: protocol for protocol in sources.protocols}
        self.by_protocol = results.group_by_protocol(sources.results)
        self.by_method: dict[str, list[Result]] = {}
        for result in sources.results:
            self.by_method.setdefault(result.run.method, []).append(result)
        self._rankings: dict[tuple[str, str], RankedBoard] = {}
        self._atlases: dict[str, AtlasPage] = {}
        self._boards: dict[str, Board] = {}
        self._boards_inputs: dict[str, str] = {}
        self._inputs: dict[Result, str] = {}
        self._chosen_runs: dict[str, list[Result]] = {}
        self._held: tuple[str, Rivals | None] = "", None

    def boards(self, protocol: Protocol) -> list[PlannedPage]:
        """Plan a page and its exports for every convention, the first one under the protocol's own address."""
        own, name = self.by_protocol.get(protocol.name, []), protocol.name

        def page(path: str, convention: str) -> PlannedPage:
            return self._board_draft(
                path,
                protocol,
                lambda: page_types.build_board_page(
                    self._ranked(protocol, convention),
                    own,
                    self.sources,
                    self.methods,
                    self._near(protocol),
                ),
            )

        def export(convention: str, suffix: str) -> PlannedPage:
            write, path = (
                exports.TABLE_FORMATS[suffix],
                exports.export_path(name, convention, suffix),
            )
            return self._board_draft(
                path, protocol, lambda: write(protocol, self._table(protocol, convention))
            )

        found = leaderboard.list_conventions(protocol, own, self.sources.references)
        if not found:
            return [page(rows.board_path(name), "")]
        return [
            page(rows.board_path(name), found[0]),
            *(page(rows.board_path(name, convention), convention) for convention in found[1:]),
            *(
                export(convention, suffix)
                for convention in found
                for suffix in exports.TABLE_FORMATS
            ),
            self._board_draft(
                exports.export_path(name, "", "bib"),
                protocol,
                lambda: self._bibtex(protocol, found),
            ),
            *(
                [self._compare_page(protocol, found[0])]
                if compare_page.has_compare_page(own)
                else []
            ),
            *(self._atlas(protocol, found[0]) if own else []),
        ]

    def _atlas(self, protocol: Protocol, convention: str) -> list[PlannedPage]:
        """Plan the atlas and, where they may be shown, the pictures that it shows."""

        def page() -> AtlasPage:
            if protocol.name not in self._atlases:
                held, problems = self._samples(protocol, convention)
                lay = (
                    sample_atlas.build_atlas_page
                    if protocol.task == "landmarks"
                    else gaze_atlas.build_gaze_atlas_page
                )
                self._atlases[protocol.name] = lay(protocol, held, self.methods, problems)
            return self._atlases[protocol.name]

        drafts = [self._board_draft(sample_atlas.atlas_path(protocol.name), protocol, page)]
        # only then the page must be known to know its pictures
        if synthetic_items.is_synthetic(protocol.dataset):
            drafts += map(_picture, page().pictures)
        return drafts

    def _compare_page(self, protocol: Protocol, convention: str) -> PlannedPage:
        def content() -> Page:
            held, problems = self._samples(protocol, convention)
            return compare_page.build_compare_page(protocol, held, self.methods, tuple(problems))

        return self._board_draft(compare_page.compare_path(protocol.name), protocol, content)

    def _samples(
        self, protocol: Protocol, convention: str
    ) -> tuple[ItemErrors | None, list[Problem]]:
        found = {
            result.page + ".html": result for result in self.by_protocol.get(protocol.name, [])
        }
        return per_item.gather_item_errors(protocol, self._table(protocol, convention), found)

    def _board_draft(
        self, path: str, protocol: Protocol, content: Callable[[], Page | str | bytes]
    ) -> PlannedPage:
        runs = len(self.by_protocol.get(protocol.name, []))
        return PlannedPage(
            path,
            lambda: self._board_inputs(protocol),
            content,
            f"board {protocol.name}",
            1 + runs / _RUNS,
        )

    def _ranked(self, protocol: Protocol, convention: str) -> RankedBoard:
        if (protocol.name, convention) not in self._rankings:
            board = self._board(protocol)
            table = next((t for t in board.tables if t.convention == convention), None)
            found = {
                result.page + ".html": result for result in self.by_protocol.get(protocol.name, [])
            }
            ranked, problems = (
                ranked_rows.rank_table(table, protocol, found) if table else (None, [])
            )
            self._rankings[protocol.name, convention] = RankedBoard(board, ranked, tuple(problems))
        return self._rankings[protocol.name, convention]

    def _table(self, protocol: Protocol, convention: str) -> Table:
        table = self._ranked(protocol, convention).table
        if table is None:
            raise ValueError(f"{protocol.name} has nothing under {convention}")
        return table

    def _bibtex(self, protocol: Protocol, conventions: Iterable[str]) -> str:
        board = self._board(protocol)
        keys = set().union(
            *(
                page_types.cited_papers(table)
                for table in board.tables
                if table.convention in conventions
            )
        )
        cards = {
            r.run.method: self.methods.get(r.run.method)
            for r in self.by_protocol.get(protocol.name, [])
        }
        return exports.as_bibtex(
            [paper for key, paper in self.sources.references.papers.items() if key in keys],
            [card for card in cards.values() if card],
        )

    def method_page(self, name: str) -> PlannedPage:
        own, card = self.by_method.get(name, []), self.methods.get(name)
        return PlannedPage(
            rows.method_path(name),
            lambda: _digest(
                card,
                page_types.read_readme(card),
                self.sources.protocols,
                self._common,
                self._verdicts(name),
                *self._all_inputs(own),
            ),
            lambda: page_types.build_method_page(
                name, card, own, self.sources, self.methods, self._verdicts(name)
            ),
        )

    def _verdicts(self, method: str) -> list[Verdict]:
        found = check_papers.claimed_methods(self.sources.verdicts(), method)
        return [verdict for verdict in found if verdict.verdict != "not measured"]

    def run_page(self, result: Result, near: int) -> PlannedPage:
        protocol = self.protocols.get(result.run.protocol)
        several = compare_page.has_compare_page(self.by_protocol[result.run.protocol])
        return PlannedPage(
            result.page + ".html",
            lambda: _digest(
                self._run_inputs(result),
                several,
                *self._all_inputs(self._chosen(result.run.protocol)),
            ),
            lambda: run_page.build_run_page(
                result,
                protocol,
                self.methods,
                several=several,
                rivals=self._rivals(result.run.protocol),
            ),
            f"runs {near}",
        )

    def labels(self, result: Result) -> list[PlannedPage]:
        """Plan the page of a run's pseudo-labels and the pictures that it shows."""
        protocol = self.protocols.get(result.run.protocol)
        if protocol is None:
            return []
        page = cache(
            lambda: pseudo_label_page.build_pseudo_label_page(result, protocol, self.methods)
        )
        page_draft = PlannedPage(
            pseudo_label_page.pseudo_label_path(result),
            lambda: _digest(self._run_inputs(result)),
            page,
            result.page,
        )
        names = dict.fromkeys(page().pictures)
        return [page_draft, *(_picture(name) for name in names)]

    def _chosen(self, name: str) -> list[Result]:
        """Choose the runs of a protocol that the pages of the others are held against."""
        if name not in self._chosen_runs:
            protocol = self.protocols.get(name)
            self._chosen_runs[name] = (
                worst_items.choose_rivals(self.by_protocol[name], protocol) if protocol else []
            )
        return self._chosen_runs[name]

    def _rivals(self, name: str) -> Rivals | None:
        """Read them.

        Those of one protocol are held at a time, and the pages of runs come by protocol.
        """
        if self._held[0] != name:
            protocol = self.protocols.get(name)
            self._held = (
                name,
                worst_items.read_rivals(self._chosen(name), protocol) if protocol else None,
            )
        return self._held[1]

    def guide_page(self, name: str) -> PlannedPage:
        listed = self.sources.protocols
        return PlannedPage(
            guide.guide_path(name),
            lambda: _digest(name, listed),
            lambda: guide.build_guide_page(name, listed),
        )

    def index_page(self, names: Iterable[str]) -> PlannedPage:
        counts = {name: len(self.by_method.get(name, [])) for name in names}
        return PlannedPage(
            "index.html",
            lambda: _digest(
                self.sources.protocols, self._common, *self._all_inputs(self.sources.results)
            ),
            lambda: page_types.build_index_page(
                [self._board(p) for p in self.sources.protocols], counts, self.sources, self.methods
            ),
        )

    def _board(self, protocol: Protocol) -> Board:
        if protocol.name not in self._boards:
            own = self.by_protocol.get(protocol.name, [])
            self._boards[protocol.name] = leaderboard.build_leaderboard(
                protocol, own, self.sources.references, self.methods, self.sources.profiles
            )
        return self._boards[protocol.name]

    def _near(self, protocol: Protocol) -> Mapping[str, Sequence[Result]]:
        """Return the results that a board's charts show, by protocol: its own, its options', its partner's."""
        partner = error_vs_msd.find_error_protocol(protocol, self.sources.protocols)
        names = [
            protocol.name,
            *self._options.get(protocol.name, ()),
            *([partner.name] if partner else ()),
        ]
        return {name: self.by_protocol[name] for name in names if name in self.by_protocol}

    @cached_property
    def _options(self) -> Mapping[str, Sequence[str]]:
        found: dict[str, list[str]] = {}
        for name in self.by_protocol:
            found.setdefault(error_vs_perturbation.base_protocol(name), []).append(name)
        return found

    def _board_inputs(self, protocol: Protocol) -> str:
        if protocol.name not in self._boards_inputs:
            near = [result for results in self._near(protocol).values() for result in results]
            self._boards_inputs[protocol.name] = _digest(
                protocol, self._common, *self._all_inputs(near)
            )
        return self._boards_inputs[protocol.name]

    @cached_property
    def _common(self) -> str:
        sources = self.sources
        return _digest(
            sources.references,
            sources.methods,
            sources.problems,
            sources.profiles,
            sources.facts,
            sources.systems,
        )

    def _all_inputs(self, results: Iterable[Result]) -> list[str]:
        return [self._run_inputs(result) for result in results]

    def _run_inputs(self, result: Result) -> str:
        if result not in self._inputs:
            protocol, card = (
                self.protocols.get(result.run.protocol),
                self.methods.get(result.run.method),
            )
            self._inputs[result] = _digest(result, protocol, card and card.title, *_files(result))
        return self._inputs[result]


def _picture(path: str) -> PlannedPage:
    """Plan a picture; its name says all that it is made from."""
    return PlannedPage(
        path, partial(_digest, path), partial(face_drawings.draw_picture, path), path, _DRAWN
    )


def _files(result: Result) -> list[tuple[str, str]]:
    """Name and hash every file of a run's folder, whatever a page reads of them.

    `work/` reaches no page.

    Taken before the files are read: one that changes meanwhile has another digest the next time.
    """
    found = []
    try:
        for path in sorted(result.run.folder.iterdir()):
            found += [(path.name, run_folders.hash_file(path))] if path.is_file() else []
    except OSError as fault:
        found.append(("", str(fault)))  # the page says so too
    return found


def _digest(*parts: object) -> str:
    """Hash values by what they print as; dataclasses print every field."""
    total = hashlib.sha256()
    for part in parts:
        total.update(hashlib.sha256(repr(part).encode(errors="surrogatepass")).digest())
    return total.hexdigest()
