"""From scores and reference rows to leaderboards: who stands where, and which rows a page has room for.

Beside each other stand only rows of the same card, measured on the whole test set, trained on the
complete data with the variant's own parameters; budget, interval and seed are shown. Every other
row stands apart with its reason. Runs that differ in their seed only are one row (`seeds`). Papers'
numbers are placed among ours by value and keep their source. Rows are sorted by their scores and
printed only where they are shown; `ranking` gives them their ranks.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from benchbox.metrics import metric_names
from benchbox.papers.reference_rows import ReferenceRow, References
from benchbox.report.inputs import group_by_seed, paper_rows
from benchbox.report.inputs.paper_rows import PaperRow
from benchbox.report.inputs.results import Result
from benchbox.types import MethodCard, Protocol, Score

from . import rows
from .costs import Profiles
from .rows import KINDS, Board, Cell, Column, NotComparable, Row, ScalePosition, Table

_SCALE_END = 3.0  # times the best value: where the scale of the spots ends
_MOST_ROWS = 500  # measured lines that one page shows, at most …
_ROOM_BYTES = (
    720_000  # … and their bytes: with papers' rows and charts a page stays below a megabyte
)
# bytes of a line, of each cell, of each of several seeds, of a ±
_LINE, _CELL, _SEED, _SPREAD = 350, 57, 50, 20


def build_leaderboard(
    protocol: Protocol,
    results: Sequence[Result],
    references: References,
    methods: Mapping[str, MethodCard],
    profiles: Profiles = MappingProxyType({}),
) -> Board:
    """Lay out the leaderboard of one protocol; `results` are the runs of this protocol."""
    lines = paper_rows.gather_paper_rows(protocol, references)
    names = _metric_names(results, lines)
    families = group_by_seed.group_runs(results, methods)
    measured = [
        (
            group_by_seed.mean_scores(family),
            rows.measured_row(family, protocol, methods, profiles, differing),
        )
        for family, differing in zip(
            families, group_by_seed.differing_params(families, methods), strict=True
        )
    ]
    drafts = []
    for convention, metrics in metric_names.group_by_convention(names, protocol).items():
        columns = tuple(Column(metric, group) for metric in metrics for group in protocol.groups)
        entries = [_Entry(row, _column_scores(scores, columns)) for scores, row in measured]
        entries += [
            _paper_entry(line, columns)
            for line in lines
            if metric_names.parse_stored_metric(line.metric).convention == convention
        ]
        if draft := _draft_table(
            convention, columns, [entry for entry in entries if any(entry.scores)], protocol
        ):
            drafts.append(draft)
    tables = [_finish_table(draft, _room_for_rows(draft)) for draft in drafts]
    counts = {str(kind): sum(row.kind == kind for _, row in measured) for kind in KINDS} | {
        "paper": len(lines)
    }
    days = [result.run.record.started[:10] for result in results]
    return Board(protocol, tuple(tables), counts, max(days, default=""))


def list_conventions(
    protocol: Protocol, results: Sequence[Result], references: References
) -> list[str]:
    """Name the conventions under which anything of a protocol has a value, in the order of its board's tables."""
    lines = paper_rows.gather_paper_rows(protocol, references)
    valued = {line.metric for line in lines}
    for result in results:
        for group in protocol.groups:
            valued |= {
                name
                for name, score in result.scores.get(group, {}).items()
                if score.value is not None
            }
    return list(metric_names.group_by_convention(valued, protocol))


def _metric_names(results: Sequence[Result], lines: Sequence[PaperRow]) -> set[str]:
    return {name for r in results for scores in r.scores.values() for name in scores} | {
        line.metric for line in lines
    }


@dataclass(frozen=True, eq=False)
class _Entry:
    """A row before its numbers are printed, which is done only for those that are shown."""

    row: Row
    scores: tuple[Score | None, ...]  # one for each column; none without a value


@dataclass(frozen=True, eq=False)
class _Draft:
    """A table before it is decided how many of its rows are shown."""

    convention: str
    columns: tuple[Column, ...]
    ranked_by: int
    entries: Sequence[_Entry]  # in order


def _column_scores(
    groups: Mapping[str, Mapping[str, Score]], columns: Sequence[Column]
) -> tuple[Score | None, ...]:
    scores = [groups.get(column.group, {}).get(column.metric.name) for column in columns]
    return tuple(score if score and score.value is not None else None for score in scores)


def _paper_entry(line: PaperRow, columns: Sequence[Column]) -> _Entry:
    found = [line.cells.get(c.group) if c.metric.name == line.metric else None for c in columns]
    cells = tuple(
        Cell(_as_printed(row), row.value) if row and row.value is not None else None
        for row in found
    )
    row = Row(
        *(
            "paper",
            line.method,
            "",
            line.details,
            line.sources,
            cells,
            line.notes,
            line.not_comparable,
        ),
        year=line.year,
        extra="some" if line.extra else "none",
    )
    return _Entry(row, tuple(Score(cell.value, "") if cell else None for cell in cells))


def _as_printed(row: ReferenceRow) -> str:
    """Return what a paper prints in the unit of our column: an AUC in per cent becomes the fraction, digits kept."""
    if row.value is None or not row.metric.startswith("auc_") or row.unit != "%":
        return row.printed
    return f"{row.value:.{len(row.printed.partition('.')[2]) + 2}f}"


def _draft_table(
    convention: str, columns: Sequence[Column], entries: Sequence[_Entry], protocol: Protocol
) -> _Draft | None:
    """Sort the rows of one convention and drop the columns without a value.

    None where nothing has one.
    """
    used = [i for i in range(len(columns)) if any(entry.scores[i] for entry in entries)]
    if not used:
        return None
    kept = tuple(columns[i] for i in used)
    ranking = [i for i, c in enumerate(kept) if c.metric == kept[0].metric]
    key = next((i for i in ranking if kept[i].group == protocol.overall), ranking[0])
    entries = [
        _Entry(
            replace(entry.row, cells=tuple(entry.row.cells[i] for i in used))
            if entry.row.cells
            else entry.row,
            tuple(entry.scores[i] for i in used),
        )
        for entry in entries
    ]
    falls = kept[key].metric.lower_is_better
    return _Draft(
        convention,
        kept,
        key,
        sorted(entries, key=lambda e: rows.sort_key(e.row, e.scores[key], falls)),
    )


def _room_for_rows(draft: _Draft) -> int:
    """Return how many measured rows a page has room for."""
    cells = len(draft.columns)
    bytes_of = [
        _LINE
        + _CELL * cells
        + (_SEED * count + _SPREAD * cells if (count := len(entry.row.seeds)) > 1 else 0)
        for entry in draft.entries
        if entry.row.kind != "paper"
    ]
    return (
        min(_MOST_ROWS, int(_ROOM_BYTES * len(bytes_of) / sum(bytes_of)))
        if bytes_of
        else _MOST_ROWS
    )


def _finish_table(draft: _Draft, room: int) -> Table:
    """Print and footnote the rows of one convention: all of the papers' and the best `room` measured ones."""
    shown = _choose_shown(draft.entries, room)
    cells = [entry.row.cells or tuple(map(rows.print_cell, entry.scores)) for entry in shown]
    scale = _common_scale([cell for row in cells if (cell := row[draft.ranked_by])])
    notes = {note: 0 for entry in shown for note in entry.row.notes}
    notes = {note: number for number, note in enumerate(notes, start=1)}
    finished = [
        replace(
            entry.row,
            cells=printed,
            position=_scale_position(printed[draft.ranked_by], scale),
            marks=tuple(notes[note] for note in entry.row.notes),
        )
        for entry, printed in zip(shown, cells, strict=True)
    ]
    return Table(
        convention=draft.convention,
        columns=draft.columns,
        ranked_by=draft.ranked_by,
        rows=tuple(row for row in finished if not row.not_comparable),
        not_comparable=_not_comparable_parts(finished),
        footnotes=tuple(notes),
        scale=scale,
        hidden=len(draft.entries) - len(shown),
    )


def _choose_shown(entries: Sequence[_Entry], room: int) -> list[_Entry]:
    """Choose the best rows.

    Of those that stand apart at least a quarter of the room, so that they do not vanish.
    """
    measured = [entry for entry in entries if entry.row.kind != "paper"]
    beside = [entry for entry in measured if not entry.row.not_comparable]
    apart = [entry for entry in measured if entry.row.not_comparable]
    beside = beside[: room - min(len(apart), room // 4)]
    kept = {id(entry) for entry in (*beside, *apart[: room - len(beside)])}
    return [entry for entry in entries if entry.row.kind == "paper" or id(entry) in kept]


def _not_comparable_parts(finished: Sequence[Row]) -> tuple[NotComparable, ...]:
    """Gather the rows that stand apart by reason: ours before the papers', then by their words."""
    parts: dict[str, list[Row]] = {}
    for row in finished:
        if row.not_comparable:
            parts.setdefault(row.not_comparable, []).append(row)
    order = sorted(
        parts, key=lambda reason: (all(row.kind == "paper" for row in parts[reason]), reason)
    )
    return tuple(NotComparable(reason, tuple(parts[reason])) for reason in order)


def _common_scale(cells: Sequence[Cell]) -> tuple[float, float]:
    """Return the ends of the common scale.

    A row several times as weak as the best has no say in it.
    """
    best = min((cell.value for cell in cells), default=0.0)
    near = [cell for cell in cells if cell.value <= _SCALE_END * best]
    ends = [end for cell in near for end in (cell.value, *cell.ends)]
    return (min(ends), max(ends)) if ends else (0.0, 0.0)


def _scale_position(cell: Cell | None, scale: tuple[float, float]) -> ScalePosition | None:
    """Place a value on the logarithmic scale; None beyond its end."""
    if cell is None or not 0 < scale[0] < scale[1] or cell.value > scale[1]:
        return None
    low, high = cell.ends or (cell.value, cell.value)
    span = math.log(scale[1] / scale[0])
    at, low, high = (
        math.log(min(value, scale[1]) / scale[0]) / span * 100 for value in (cell.value, low, high)
    )
    return ScalePosition(at, low, high)
