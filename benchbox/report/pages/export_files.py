"""The tables of the leaderboards as files for other programs, and their papers as BibTeX."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchbox.report.tables import exports
from benchbox.types import Protocol

from . import leaderboard_page
from .shared_data import SharedData, board_group


@dataclass(frozen=True)
class PlannedExport:
    """One table in one format before it is written."""

    path: str
    group: str
    work: float
    protocol: Protocol
    convention: str
    suffix: str  # csv | md | tex | json

    def hash_inputs(self, shared: SharedData) -> str:
        """Hash what the leaderboard rests on."""
        return shared.board_digest(self.protocol)

    def build(self, shared: SharedData) -> str:
        """Write the table."""
        write = exports.TABLE_FORMATS[self.suffix]
        return write(self.protocol, shared.ranked_table(self.protocol, self.convention))


@dataclass(frozen=True)
class PlannedBibliography:
    """The papers of a leaderboard before they are written."""

    path: str
    group: str
    work: float
    protocol: Protocol

    def hash_inputs(self, shared: SharedData) -> str:
        """Hash what the leaderboard rests on."""
        return shared.board_digest(self.protocol)

    def build(self, shared: SharedData) -> str:
        """Write the papers whose rows stand on the leaderboard, and those of its methods."""
        conventions = shared.conventions_of(self.protocol)
        cited: set[str] = set()
        for table in shared.board_of(self.protocol).tables:
            if table.convention in conventions:
                cited |= leaderboard_page.cited_papers(table)
        papers = shared.sources.references.papers
        methods = dict.fromkeys(result.run.method for result in shared.runs_of(self.protocol))
        return exports.as_bibtex(
            [paper for key, paper in papers.items() if key in cited],
            [shared.methods[name] for name in methods if name in shared.methods],
        )


def plan_pages(shared: SharedData) -> Sequence[PlannedExport | PlannedBibliography]:
    """Plan every table in every format, and the papers of every protocol."""
    planned: list[PlannedExport | PlannedBibliography] = []
    for protocol in shared.sources.protocols:
        name, conventions = protocol.name, shared.conventions_of(protocol)
        group, work = board_group(protocol), shared.board_work(protocol)
        for convention in conventions:
            for suffix in exports.TABLE_FORMATS:
                path = exports.export_path(name, convention, suffix)
                planned.append(PlannedExport(path, group, work, protocol, convention, suffix))
        if conventions:
            path = exports.export_path(name, "", "bib")
            planned.append(PlannedBibliography(path, group, work, protocol))
    return planned
