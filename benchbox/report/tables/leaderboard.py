"""From scores and reference rows to leaderboards: who stands where, and which rows a page shows.

Beside each other stand only rows of the same card, measured on the whole test set, trained on the
complete data with the variant's own parameters; budget, interval and seed are shown. Every other
row is not comparable, with its reason. Runs that differ in their seed only are one row
(`group_by_seed`). Papers' numbers are placed among ours by value and keep their source. Rows are
sorted by their scores and printed only where they are shown; `ranked_rows` gives them their ranks.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from benchbox.metrics import metric_names
from benchbox.papers.reference_rows import ReferenceRow, References
from benchbox.report.inputs import group_by_seed, paper_rows
from benchbox.report.inputs.paper_rows import PaperRow
from benchbox.report.inputs.results import Result
from benchbox.types import MethodCard, Protocol, Score

from . import row_checks, rows
from .costs import Profiles
from .rows import KINDS, Board, Cell, Column, NotComparable, Row, ScalePosition, Table

_SCALE_END = 3.0  # times the best value: where the common scale ends
_MOST_ROWS = 500  # measured rows that one page shows, at most …
# … and the bytes of all rows: with charts and notes a page stays below a megabyte
_ROOM_BYTES = 866_000
# bytes of a measured row, of each cell, of each of several seeds, of a ±
_ROW_BYTES, _CELL_BYTES, _SEED_BYTES, _STD_BYTES = 735, 49, 80, 16
# bytes of a paper's row and of each cell, most of which are empty
_PAPER_ROW_BYTES, _PAPER_CELL_BYTES = 1050, 22


def build_leaderboard(
    protocol: Protocol,
    results: Sequence[Result],
    references: References,
    methods: Mapping[str, MethodCard],
    profiles: Profiles = MappingProxyType({}),
) -> Board:
    """Lay out the leaderboard of one protocol; `results` are the runs of this protocol."""
    printed = paper_rows.gather_paper_rows(protocol, references)
    span = row_checks.printed_span(printed, row_checks.ratio_metric(protocol))
    measured = _measured_rows(protocol, results, methods, profiles, span)
    metrics = _reported_metrics(results) | _printed_metrics(printed)
    tables = []
    for convention, group in metric_names.group_by_convention(metrics, protocol).items():
        columns = [Column(metric, name) for metric in group for name in protocol.groups]
        entries = [_Entry(row, _column_scores(scores, columns)) for row, scores in measured]
        for paper_row in printed:
            if paper_row.convention == convention:
                entries.append(_paper_entry(paper_row, columns))
        with_value = [entry for entry in entries if any(entry.scores)]
        draft = _draft_table(convention, columns, with_value, protocol)
        if draft:
            tables.append(_finish_table(draft, _room_for_rows(draft)))
    counts = dict.fromkeys(map(str, KINDS), 0)
    for row, _ in measured:
        counts[row.kind] += 1
    counts["paper"] = len(printed)
    days = [result.run.record.started[:10] for result in results]
    return Board(protocol, tuple(tables), counts, max(days, default=""))


def list_conventions(
    protocol: Protocol, results: Sequence[Result], references: References
) -> list[str]:
    """Name the conventions under which anything of a protocol has a value.

    In the order of its board's tables.
    """
    metrics = _printed_metrics(paper_rows.gather_paper_rows(protocol, references))
    for result in results:
        for group in protocol.groups:
            for name, score in result.scores.get(group, {}).items():
                if score.value is not None:
                    metrics.add(name)
    return list(metric_names.group_by_convention(metrics, protocol))


GroupScores = Mapping[str, Mapping[str, Score]]  # group → metric → score


def _measured_rows(
    protocol: Protocol,
    results: Sequence[Result],
    methods: Mapping[str, MethodCard],
    profiles: Profiles,
    span: tuple[float, float] | None,
) -> list[tuple[Row, GroupScores]]:
    """Return a row for all seeds of each variant, with its scores."""
    seed_groups = group_by_seed.group_runs(results, methods)
    differing_params = group_by_seed.differing_params(seed_groups, methods)
    measured = []
    for runs, differing in zip(seed_groups, differing_params, strict=True):
        row = rows.measured_row(runs, protocol, methods, profiles, differing)
        scores = group_by_seed.mean_scores(runs)
        flags = row_checks.find_flags(runs, protocol, scores, span)
        measured.append((replace(row, flags=flags), scores))
    return measured


def _printed_metrics(printed: Iterable[PaperRow]) -> set[str]:
    """Name the metrics that papers print."""
    return {metric for row in printed for metric, _ in row.cells}


def _reported_metrics(results: Iterable[Result]) -> set[str]:
    metrics: set[str] = set()
    for result in results:
        for scores in result.scores.values():
            metrics.update(scores)
    return metrics


# --- entries --------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Entry:
    """A row before its numbers are printed, which is done only for those that are shown."""

    row: Row
    scores: tuple[Score | None, ...]  # one for each column; none without a value

    def keep_columns(self, indices: Sequence[int]) -> _Entry:
        """Return the entry with some of its columns."""
        row = self.row
        if row.cells:
            row = replace(row, cells=tuple(row.cells[i] for i in indices))
        return _Entry(row, tuple(self.scores[i] for i in indices))


def _column_scores(groups: GroupScores, columns: Sequence[Column]) -> tuple[Score | None, ...]:
    scores: list[Score | None] = []
    for column in columns:
        score = groups.get(column.group, {}).get(column.metric.name)
        if score is not None and score.value is None:
            score = None
        scores.append(score)
    return tuple(scores)


def _paper_entry(paper_row: PaperRow, columns: Sequence[Column]) -> _Entry:
    cells: list[Cell | None] = []
    scores: list[Score | None] = []
    for column in columns:
        printed = paper_row.cells.get((column.metric.name, column.group))
        if printed is None or printed.value is None:
            cells.append(None)
            scores.append(None)
        else:
            cells.append(Cell(_text_in_our_unit(printed), printed.value))
            scores.append(Score(printed.value, ""))
    extra = "none"
    if paper_row.extra:
        extra = "some"
    row = Row(
        kind="paper",
        name=paper_row.method,
        page="",
        details=paper_row.details,
        sources=paper_row.sources,
        cells=tuple(cells),
        notes=paper_row.notes,
        not_comparable=paper_row.not_comparable,
        year=paper_row.year,
        extra=extra,
        only_box=paper_row.only_box,
        facts=paper_row.facts,
        ablation=paper_row.ablation,
        family=paper_row.publication or paper_row.method,
        cite=paper_row.publication,
        title=paper_row.title,
        url=paper_row.url,
        code=paper_row.code,
    )
    return _Entry(row, tuple(scores))


def _text_in_our_unit(cell: ReferenceRow) -> str:
    """Return what a paper prints in the unit of our column.

    An AUC in per cent becomes the fraction, digits kept.
    """
    if cell.value is None or not cell.metric.startswith("auc_") or cell.unit != "%":
        return cell.printed
    digits = len(cell.printed.partition(".")[2]) + 2
    return f"{cell.value:.{digits}f}"


# --- tables ---------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Draft:
    """A table before it is decided how many of its rows are shown."""

    convention: str
    columns: tuple[Column, ...]
    ranked_by: int
    entries: Sequence[_Entry]  # in order


def _draft_table(
    convention: str, columns: Sequence[Column], entries: Sequence[_Entry], protocol: Protocol
) -> _Draft | None:
    """Sort the rows of one convention and drop the columns without a value.

    None where nothing has one.
    """
    used = _used_columns(entries)
    if not used:
        return None
    kept = tuple(columns[i] for i in used)
    ranked_by = _ranking_index(kept, protocol.overall)
    lower_is_better = kept[ranked_by].metric.lower_is_better

    def sort_key(entry: _Entry) -> tuple[object, ...]:
        return rows.sort_key(entry.row, entry.scores[ranked_by], lower_is_better)

    kept_entries = sorted([entry.keep_columns(used) for entry in entries], key=sort_key)
    return _Draft(convention, kept, ranked_by, kept_entries)


def _used_columns(entries: Iterable[_Entry]) -> list[int]:
    """Return the indices of the columns in which anything has a value, in order."""
    used = set()
    for entry in entries:
        for index, score in enumerate(entry.scores):
            if score is not None:
                used.add(index)
    return sorted(used)


def _ranking_index(columns: Sequence[Column], overall: str) -> int:
    """Return the column of the first metric for the overall group, or its first one."""
    for index, column in enumerate(columns):
        if column.metric == columns[0].metric and column.group == overall:
            return index
    return 0


def _room_for_rows(draft: _Draft) -> int:
    """Return how many measured rows a page has room for beside the papers' rows."""
    sizes = []
    room = _ROOM_BYTES
    for entry in draft.entries:
        if entry.row.kind == "paper":
            room -= _PAPER_ROW_BYTES + _PAPER_CELL_BYTES * len(draft.columns)
            continue
        size = _ROW_BYTES + _CELL_BYTES * len(draft.columns)
        seeds = len(entry.row.seeds)
        if seeds > 1:
            size += _SEED_BYTES * seeds + _STD_BYTES * len(draft.columns)
        sizes.append(size)
    if not sizes:
        return _MOST_ROWS
    return min(_MOST_ROWS, int(max(0, room) * len(sizes) / sum(sizes)))


def _finish_table(draft: _Draft, room: int) -> Table:
    """Print and footnote the rows of one convention: the papers' and the best `room` others."""
    shown = _choose_shown(draft.entries, room)
    printed = [entry.row.cells or tuple(map(rows.print_cell, entry.scores)) for entry in shown]
    scale = _common_scale([cells[draft.ranked_by] for cells in printed])
    footnotes = _number_notes(shown)
    finished = []
    for entry, cells in zip(shown, printed, strict=True):
        position = _scale_position(cells[draft.ranked_by], scale)
        marks = tuple(footnotes[note] for note in entry.row.notes)
        finished.append(replace(entry.row, cells=cells, position=position, marks=marks))
    return Table(
        convention=draft.convention,
        columns=draft.columns,
        ranked_by=draft.ranked_by,
        rows=tuple(row for row in finished if not row.not_comparable),
        not_comparable=_not_comparable_parts(finished),
        footnotes=tuple(footnotes),
        scale=scale,
        hidden=len(draft.entries) - len(shown),
    )


def _number_notes(entries: Sequence[_Entry]) -> dict[str, int]:
    """Return a number for each note, from one, in the order of the rows."""
    numbers: dict[str, int] = {}
    for entry in entries:
        for note in entry.row.notes:
            numbers.setdefault(note, len(numbers) + 1)
    return numbers


def _choose_shown(entries: Sequence[_Entry], room: int) -> list[_Entry]:
    """Choose the best rows.

    Those not comparable get at least a quarter of the room, so that they do not vanish.
    """
    comparable, others = [], []
    for entry in entries:
        if entry.row.kind == "paper":
            continue
        if entry.row.not_comparable:
            others.append(entry)
        else:
            comparable.append(entry)
    comparable = comparable[: room - min(len(others), room // 4)]
    others = others[: room - len(comparable)]
    kept = {id(entry) for entry in (*comparable, *others)}
    return [entry for entry in entries if entry.row.kind == "paper" or id(entry) in kept]


def _not_comparable_parts(finished: Sequence[Row]) -> tuple[NotComparable, ...]:
    """Gather the rows that are not comparable by reason: ours before the papers', then by words."""
    parts: dict[str, list[Row]] = {}
    for row in finished:
        if row.not_comparable:
            parts.setdefault(row.not_comparable, []).append(row)

    def part_order(reason: str) -> tuple[bool, str]:
        only_papers = all(row.kind == "paper" for row in parts[reason])
        return only_papers, reason

    return tuple(
        NotComparable(reason, tuple(parts[reason])) for reason in sorted(parts, key=part_order)
    )


def _common_scale(cells: Sequence[Cell | None]) -> tuple[float, float]:
    """Return the ends of the common scale.

    A row several times as weak as the best has no say in it.
    """
    known = [cell for cell in cells if cell]
    if not known:
        return 0.0, 0.0
    best = min(cell.value for cell in known)
    ends = []
    for cell in known:
        if cell.value <= _SCALE_END * best:
            ends += [cell.value, *cell.ends]
    if not ends:
        return 0.0, 0.0
    return min(ends), max(ends)


def _scale_position(cell: Cell | None, scale: tuple[float, float]) -> ScalePosition | None:
    """Place a value on the logarithmic scale; None beyond its end."""
    start, end = scale
    if cell is None or not 0 < start < end or cell.value > end:
        return None
    low, high = cell.ends or (cell.value, cell.value)
    span = math.log(end / start)

    def position(value: float) -> float:
        return math.log(min(value, end) / start) / span * 100

    return ScalePosition(position(cell.value), position(low), position(high))
