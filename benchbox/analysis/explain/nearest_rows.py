"""Which reference rows a prediction approaches, and why it is not equal to them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchbox.papers.reference_rows import ReferenceRow, References

from .convention_grid import Claim, Variant

if TYPE_CHECKING:
    from benchbox.types import Protocol, Score

Variants = Callable[[str, str], Sequence[Variant]]  # metric, group → every variant of it

Key = tuple[str, str, str, str, str]  # paper, table, method, setting, metric

_MAX_NEIGHBOURS = 3
_NEAR_DISTANCE = 0.05  # mean gap over the printed number: what is farther away is not called near
BEST_OFFSET = "offset best"  # the name of the variant that adds the best constant shift


@dataclass(frozen=True)
class Cell:
    """One printed number beside ours, in the same group and metric."""

    group: str
    printed: str
    measured: float
    low: float | None
    high: float | None

    @property
    def gap(self) -> float:
        """Return ours minus theirs."""
        return self.measured - float(self.printed)

    @property
    def inside(self) -> bool:
        """Tell whether the printed number lies in our interval."""
        return (
            self.low is not None
            and self.high is not None
            and self.low <= float(self.printed) <= self.high
        )


@dataclass(frozen=True)
class Neighbour:
    """A method's row of a paper's table, all its groups, beside ours."""

    paper: str
    table: str
    method: str
    setting: str
    metric: str
    cells: tuple[Cell, ...]
    namesake: bool  # the row bears the name of the file
    distance: float  # mean gap over the printed number, over its groups
    near: bool
    why: tuple[str, ...]  # why it is not equal, in sentences


def find_neighbours(
    references: References,
    protocol: Protocol,
    scores: Mapping[str, Mapping[str, Score]],
    name: str,
    variants: Variants | None,
) -> list[Neighbour]:
    """Return the rows that bear the name of the file, then the nearest ones.

    These are near to ours, or where none is the nearest one alone, which then says how far away it
    is.
    """
    base = protocol.name.partition("+")[0]
    rows: dict[Key, list[ReferenceRow]] = {}
    for row in references.rows:
        if (
            base in row.protocols
            and row.value is not None
            and row.metric in scores.get(row.group, {})
        ):
            rows.setdefault((row.paper, row.table, row.method, row.setting, row.metric), []).append(
                row
            )
    keys = _without_repeats(rows)
    named = [key for key in keys if _same_name(key[2], name)]
    distance = {key: _row_distance(rows[key], scores, protocol) for key in keys if key not in named}
    order = [
        key
        for key in sorted(distance, key=lambda key: distance[key])
        if distance[key] < float("inf")
    ]
    near = [key for key in order[:_MAX_NEIGHBOURS] if distance[key] <= _NEAR_DISTANCE] or order[:1]
    return [
        _neighbour(references, rows[key], scores, key in named, variants if key in named else None)
        for key in [*named, *near]
    ]


def _without_repeats(rows: Mapping[Key, Sequence[ReferenceRow]]) -> list[Key]:
    """Leave out a row whose numbers all stand in another row of the same method: tables quote each other."""
    kept: list[Key] = []
    held: list[tuple[str, set[tuple[str, str]]]] = []
    for key in sorted(rows, key=lambda key: -len(rows[key])):
        numbers = {(row.group, row.printed) for row in rows[key]}
        if not any(method == key[2] and numbers <= others for method, others in held):
            held.append((key[2], numbers))
            kept.append(key)
    return kept


def _neighbour(
    references: References,
    rows: Sequence[ReferenceRow],
    scores: Mapping[str, Mapping[str, Score]],
    namesake: bool,
    variants: Variants | None,
) -> Neighbour:
    first = rows[0]
    cells = []
    for row in rows:
        ours = scores[row.group][row.metric]
        if ours.value is not None:
            cells.append(Cell(row.group, row.printed, ours.value, ours.low, ours.high))
    distance = (
        sum(abs(cell.gap) / float(cell.printed) for cell in cells) / len(cells)
        if cells
        else float("inf")
    )
    return Neighbour(
        paper=references.papers[first.paper].short,
        table=first.table,
        method=first.method,
        setting=first.setting,
        metric=first.metric,
        cells=tuple(cells),
        namesake=namesake,
        distance=distance,
        near=distance <= _NEAR_DISTANCE,
        why=tuple(_difference_reasons(first, cells, variants)),
    )


def _difference_reasons(
    row: ReferenceRow, cells: Sequence[Cell], variants: Variants | None
) -> list[str]:
    said = []
    if row.apart:
        said.append(f"the printed row stands apart by itself: {row.apart}")
    if cells and all(cell.inside for cell in cells):
        said.append(
            "every printed number lies inside our interval: other test faces alone could make this gap"
        )
    elif cells:
        outside = [cell.group for cell in cells if not cell.inside]
        said.append(
            f"outside our interval on {', '.join(outside)}: the choice of test faces does not make this gap"
        )
    if variants is not None and cells:
        said += _together(row.metric, cells, variants)
    return said


def _together(metric: str, cells: Sequence[Cell], variants: Variants) -> list[str]:
    """Say what the offset does, and which convention comes nearest to all printed groups at once.

    One that fits a single number is luck; the grid holds hundreds.
    """
    table: dict[str, list[float]] = {}
    for cell in cells:
        for variant in variants(metric, cell.group):
            if not any(choice.axis == "group" for choice in variant.changes):
                table.setdefault(variant.name, []).append(variant.value)
    complete = {name: values for name, values in table.items() if len(values) == len(cells)}
    groups, theirs = (
        " / ".join(words) for words in zip(*((c.group, c.printed) for c in cells), strict=True)
    )
    said = []
    if BEST_OFFSET in complete:
        said.append(
            f"with the best constant offset on {groups}: {_joined(complete[BEST_OFFSET])} against {theirs}"
        )
    if len(cells) < 2:
        return said
    best = min(complete, key=lambda name: _largest_miss(complete[name], cells))
    hits = all(
        Claim.read(cell.printed).hits(value)
        for cell, value in zip(cells, complete[best], strict=True)
    )
    if hits:
        return [*said, f"measured with {best} it is equal on {groups}: {_joined(complete[best])}"]
    return [
        *said,
        f"no convention makes it equal on {groups} at once; nearest is {best}: {_joined(complete[best])}",
        "so what is left is no matter of scoring: other boxes, other weights or another implementation",
    ]


def _joined(values: Sequence[float]) -> str:
    return " / ".join(f"{value:.2f}" for value in values)


def _largest_miss(values: Sequence[float], cells: Sequence[Cell]) -> float:
    return max(
        abs(value - float(cell.printed)) / float(cell.printed)
        for value, cell in zip(values, cells, strict=True)
    )


def _row_distance(
    rows: Sequence[ReferenceRow], scores: Mapping[str, Mapping[str, Score]], protocol: Protocol
) -> float:
    """Return how far a row's numbers are from ours, the mean over its groups, relative.

    Infinite without the overall.

    A row that stands apart for its convention is near to nothing.
    """
    gaps = []
    for row in rows:
        ours = scores.get(row.group, {}).get(row.metric)
        if ours and ours.value is not None and row.value and not row.apart:
            gaps.append(abs(ours.value - row.value) / row.value)
    whole = any(row.group == protocol.overall and not row.apart for row in rows)
    return sum(gaps) / len(gaps) if gaps and whole else float("inf")


def _same_name(method: str, name: str) -> bool:
    """Tell whether a file's name begins with a method's name, letters and digits alone."""
    plain = [re.sub(r"[^a-z0-9]", "", text.lower()) for text in (method, name)]
    return len(plain[0]) >= 3 and plain[1].startswith(plain[0])
