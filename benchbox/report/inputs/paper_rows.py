"""Rows of papers as a leaderboard needs them: cells gathered into lines, agreeing tables folded into one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from benchbox.papers.reference_rows import ReferenceRow, References
from benchbox.types import Protocol


@dataclass(frozen=True)
class PaperSource:
    """Where a paper prints a row."""

    paper: str  # key
    text: str  # "G&LSR, Table 8"


@dataclass(frozen=True)
class PaperRow:
    """Printed cells of one system under one metric.

    Several tables that agree are one line with several sources.
    """

    method: str
    metric: str
    apart: str
    cells: Mapping[str, ReferenceRow]  # group → cell
    sources: tuple[PaperSource, ...]
    notes: tuple[str, ...]
    year: str = ""
    details: tuple[str, ...] = ()  # what tells it from another line of the same name
    extra: bool = False  # trained on more than the card's training set


def gather_paper_rows(protocol: Protocol, references: References) -> list[PaperRow]:
    """Gather the reference rows that belong to a protocol, or to another option of it, into lines."""
    printed: dict[tuple[str, ...], list[ReferenceRow]] = {}
    for row in references.rows:
        option = _option_difference(row, protocol)
        if option is None or row.group not in protocol.groups or row.value is None:
            continue
        reason = "; ".join(filter(None, (row.apart, option)))
        key = (reason, row.paper, row.table, row.method, row.setting, row.metric)
        printed.setdefault(key, []).append(row)
    found: list[PaperRow] = []
    for (reason, *_), rows in printed.items():
        paper = references.papers[rows[0].paper]
        line = PaperRow(
            method=rows[0].method,
            metric=rows[0].metric,
            apart=reason,
            cells={row.group: row for row in rows},
            sources=(PaperSource(paper.key, f"{paper.short}, {rows[0].table}"),),
            notes=tuple(dict.fromkeys(row.note for row in rows if row.note)),
            year=str(rows[0].year or paper.year),
            details=(rows[0].setting,) if rows[0].setting else (),
            extra=rows[0].extra,
        )
        _add_or_fold(found, line)
    return _drop_needless_settings(found)


def _drop_needless_settings(lines: Sequence[PaperRow]) -> list[PaperRow]:
    """Keep the setting of those lines only that would otherwise look like another one."""
    names = Counter((line.method, line.metric) for line in lines)
    return [
        line if names[line.method, line.metric] > 1 else replace(line, details=()) for line in lines
    ]


def _option_difference(row: ReferenceRow, protocol: Protocol) -> str | None:
    """Return "" for a row of this protocol, the difference for one of its options, None for a stranger."""
    if protocol.name in row.protocols:
        return ""
    base = protocol.name.partition("+")[0]
    for name in row.protocols:
        family, _, option = name.partition("+")
        if family == base:
            return f"reported under {name}" if option else f"reported under {base}"
    return None


def _add_or_fold(lines: list[PaperRow], new: PaperRow) -> None:
    """Add a line, or fold it into one of the same system whose numbers do not contradict it."""
    for position, old in enumerate(lines):
        if (old.method, old.metric, old.apart) != (new.method, new.metric, new.apart):
            continue
        shared = old.cells.keys() & new.cells.keys()
        if shared and all(old.cells[group].value == new.cells[group].value for group in shared):
            lines[position] = replace(
                old,
                cells={**new.cells, **old.cells},
                sources=tuple(dict.fromkeys(old.sources + new.sources)),
                notes=tuple(dict.fromkeys(old.notes + new.notes)),
            )
            return
    lines.append(new)
