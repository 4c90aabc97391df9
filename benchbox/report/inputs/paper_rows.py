"""Rows of papers as a leaderboard needs them.

Cells are gathered into rows, and tables that agree are folded into one.
"""

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

    Several tables that agree are one row with several sources.
    """

    method: str
    metric: str
    not_comparable: str  # because …; "" where it may stand beside ours
    cells: Mapping[str, ReferenceRow]  # group → cell
    sources: tuple[PaperSource, ...]
    notes: tuple[str, ...]
    year: str = ""
    details: tuple[str, ...] = ()  # what tells it from another row of the same name
    extra: bool = False  # trained on more than the card's training set


def gather_paper_rows(protocol: Protocol, references: References) -> list[PaperRow]:
    """Gather the cells that belong to a protocol, or to another option of it, into rows."""
    printed: dict[tuple[str, ...], list[ReferenceRow]] = {}
    for cell in references.rows:
        option = _option_difference(cell, protocol)
        if option is None or cell.group not in protocol.groups or cell.value is None:
            continue
        reason = "; ".join(filter(None, (cell.apart, option)))
        key = (reason, cell.paper, cell.table, cell.method, cell.setting, cell.metric)
        printed.setdefault(key, []).append(cell)
    rows: list[PaperRow] = []
    for (reason, *_), cells in printed.items():
        _add_or_fold(rows, _paper_row(cells, reason, references))
    return _drop_needless_settings(rows)


def _paper_row(cells: Sequence[ReferenceRow], reason: str, references: References) -> PaperRow:
    first = cells[0]
    paper = references.papers[first.paper]
    return PaperRow(
        method=first.method,
        metric=first.metric,
        not_comparable=reason,
        cells={cell.group: cell for cell in cells},
        sources=(PaperSource(paper.key, f"{paper.short}, {first.table}"),),
        notes=tuple(dict.fromkeys(cell.note for cell in cells if cell.note)),
        year=str(first.year or paper.year),
        details=tuple(filter(None, [first.setting])),
        extra=first.extra,
    )


def _drop_needless_settings(rows: Sequence[PaperRow]) -> list[PaperRow]:
    """Keep the setting of those rows only that would otherwise look like another one."""
    counts = Counter((row.method, row.metric) for row in rows)
    kept = []
    for row in rows:
        if counts[row.method, row.metric] == 1:
            kept.append(replace(row, details=()))
        else:
            kept.append(row)
    return kept


def _option_difference(cell: ReferenceRow, protocol: Protocol) -> str | None:
    """Return "" for a cell of this protocol, the difference for one of its options.

    None for a cell of another card.
    """
    if protocol.name in cell.protocols:
        return ""
    base = protocol.name.partition("+")[0]
    for name in cell.protocols:
        if name.partition("+")[0] == base:
            return f"reported under {name}"
    return None


def _add_or_fold(rows: list[PaperRow], new: PaperRow) -> None:
    """Add a row, or fold it into one of the same system whose numbers do not contradict it."""
    for position, old in enumerate(rows):
        same_system = (old.method, old.metric) == (new.method, new.metric)
        if same_system and old.not_comparable == new.not_comparable and _agree(old, new):
            rows[position] = replace(
                old,
                cells={**new.cells, **old.cells},
                sources=tuple(dict.fromkeys(old.sources + new.sources)),
                notes=tuple(dict.fromkeys(old.notes + new.notes)),
            )
            return
    rows.append(new)


def _agree(old: PaperRow, new: PaperRow) -> bool:
    """Tell whether two rows share a group, and print the same in all that they share."""
    shared = old.cells.keys() & new.cells.keys()
    equal = [old.cells[group].value == new.cells[group].value for group in shared]
    return bool(equal) and all(equal)
