"""The tables of the leaderboards for other programs, and their papers as BibTeX."""

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
    suffix: str  # csv | json

    def hash_inputs(self, shared: SharedData) -> str:
        """Hash what the leaderboard rests on."""
        return shared.board_digest(self.protocol)

    def build(self, shared: SharedData) -> str:
        """Write the table."""
        return write_table(shared, self.protocol, self.convention, self.suffix)


def write_bibliography(shared: SharedData, protocol: Protocol) -> str:
    """Return the papers whose rows stand on a leaderboard, and those of its methods, as BibTeX."""
    conventions = shared.conventions_of(protocol)
    cited: set[str] = set()
    for table in shared.board_of(protocol).tables:
        if table.convention in conventions:
            cited |= leaderboard_page.cited_papers(table)
    papers = shared.sources.references.papers
    # what was submitted under a method's name is somebody else's work
    runs = shared.runs_of(protocol)
    methods = dict.fromkeys(result.run.method for result in runs if result.kind != "submitted")
    stated = {result.run.method: result.run.record.stated for result in runs}
    return exports.as_bibtex(
        [paper for key, paper in papers.items() if key in cited],
        [shared.methods[name] for name in methods if name in shared.methods],
        stated,
    )


def write_table(shared: SharedData, protocol: Protocol, convention: str, suffix: str) -> str:
    """Return one table as csv, md, tex or json."""
    write = exports.TABLE_FORMATS[suffix]
    return write(protocol, shared.ranked_table(protocol, convention))


def plan_pages(shared: SharedData) -> Sequence[PlannedExport]:
    """Plan every table in the formats that the pages offer."""
    planned = []
    for protocol in shared.sources.protocols:
        group, work = board_group(protocol), shared.board_work(protocol)
        for convention in shared.conventions_of(protocol):
            for suffix in exports.SITE_FORMATS:
                path = exports.export_path(protocol.name, convention, suffix)
                planned.append(PlannedExport(path, group, work, protocol, convention, suffix))
    return planned
