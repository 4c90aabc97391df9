"""The plan of a site: which pages there are, what each one rests on, and how it is made when that has changed.

Laying out and printing a page costs milliseconds and reads the run's arrays; what it rests on is a digest. The code
and the templates are no part of these digests: `memo` holds them against all pages at once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property

from benchbox import store
from benchbox.types import Protocol

from . import pages, rows, runs, standings
from .pages import Page, Sources
from .results import Result
from .rows import Board


@dataclass(frozen=True)
class Draft:
    """A page before it is laid out."""

    path: str
    inputs: Callable[[], str]  # digest of all that the page is made from
    page: Callable[[], Page]


def drafts(sources: Sources) -> list[Draft]:
    """Plan every page of the site; nothing is read or laid out before it is asked for."""
    plan = _Plan(sources)
    names = sorted({*plan.methods, *plan.by_method})
    return [
        *(draft for protocol in sources.protocols for draft in plan.board_pages(protocol)),
        *map(plan.method_page, names),
        *map(plan.run_page, sources.results),
        plan.index_page(names),
    ]


class _Plan:
    """Holds what several pages share, so that each digest is taken and each board laid out at most once."""

    def __init__(self, sources: Sources) -> None:
        self.sources = sources
        self.methods = {card.name: card for card in sources.methods}
        self.protocols = {protocol.name: protocol for protocol in sources.protocols}
        self.by_protocol: dict[str, list[Result]] = {}
        self.by_method: dict[str, list[Result]] = {}
        for result in sources.results:
            self.by_protocol.setdefault(result.run.protocol, []).append(result)
            self.by_method.setdefault(result.run.method, []).append(result)
        self._boards: dict[str, Board] = {}
        self._boards_inputs: dict[str, str] = {}
        self._inputs: dict[Result, str] = {}

    def board_pages(self, protocol: Protocol) -> list[Draft]:
        """Plan one page for every convention; the first one has the protocol's own address."""
        own, name = self.by_protocol.get(protocol.name, []), protocol.name

        def draft(convention: str) -> Draft:
            return Draft(
                rows.board_path(name, convention),
                lambda: self._board_inputs(protocol),
                lambda: pages.board_page(self._board(protocol), convention, own, self.sources, self.methods),
            )

        return [draft(""), *map(draft, standings.conventions(protocol, own, self.sources.references)[1:])]

    def method_page(self, name: str) -> Draft:
        own, card = self.by_method.get(name, []), self.methods.get(name)
        return Draft(
            rows.method_path(name),
            lambda: _digest(card, pages.readme(card), self.sources.protocols, *self._all_inputs(own)),
            lambda: pages.method_page(name, card, own, self.protocols),
        )

    def run_page(self, result: Result) -> Draft:
        protocol = self.protocols.get(result.run.protocol)
        return Draft(
            result.page + ".html",
            lambda: self._run_inputs(result),
            lambda: runs.page(result, protocol, self.methods),
        )

    def index_page(self, names: Iterable[str]) -> Draft:
        counts = {name: len(self.by_method.get(name, [])) for name in names}
        return Draft(
            "index.html",
            lambda: _digest(self.sources.protocols, self._common, *self._all_inputs(self.sources.results)),
            lambda: pages.index_page(
                [self._board(p) for p in self.sources.protocols], counts, self.sources, self.methods
            ),
        )

    def _board(self, protocol: Protocol) -> Board:
        if protocol.name not in self._boards:
            own = self.by_protocol.get(protocol.name, [])
            self._boards[protocol.name] = standings.board(protocol, own, self.sources.references, self.methods)
        return self._boards[protocol.name]

    def _board_inputs(self, protocol: Protocol) -> str:
        if protocol.name not in self._boards_inputs:
            own = self.by_protocol.get(protocol.name, [])
            self._boards_inputs[protocol.name] = _digest(protocol, self._common, *self._all_inputs(own))
        return self._boards_inputs[protocol.name]

    @cached_property
    def _common(self) -> str:
        return _digest(self.sources.references, self.sources.methods, self.sources.problems)

    def _all_inputs(self, results: Iterable[Result]) -> list[str]:
        return [self._run_inputs(result) for result in results]

    def _run_inputs(self, result: Result) -> str:
        if result not in self._inputs:
            protocol, card = self.protocols.get(result.run.protocol), self.methods.get(result.run.method)
            self._inputs[result] = _digest(result, protocol, card and card.title, *_files(result))
        return self._inputs[result]


def _files(result: Result) -> list[tuple[str, str]]:
    """Name and hash every file of a run's folder, whatever a page reads of them; `work/` reaches no page.

    Taken before the files are read: one that changes meanwhile has another digest the next time.
    """
    found = []
    try:
        for path in sorted(result.run.folder.iterdir()):
            found += [(path.name, store.sha256(path))] if path.is_file() else []
    except OSError as fault:
        found.append(("", str(fault)))  # the page says so too
    return found


def _digest(*parts: object) -> str:
    """Hash values by what they print as; dataclasses print every field."""
    total = hashlib.sha256()
    for part in parts:
        total.update(hashlib.sha256(repr(part).encode(errors="surrogatepass")).digest())
    return total.hexdigest()
