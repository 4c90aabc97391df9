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
        if self.low is None or self.high is None:
            return False
        return self.low <= float(self.printed) <= self.high


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
    rows = _rows_by_key(references, protocol, scores)
    namesakes, distances = [], {}
    for key in _without_repeats(rows):
        distance = _row_distance(rows[key], scores, protocol)
        if _same_name(key[2], name):
            namesakes.append(key)
        elif distance < float("inf"):
            distances[key] = distance
    order = sorted(distances, key=lambda key: distances[key])
    nearest = [key for key in order[:_MAX_NEIGHBOURS] if distances[key] <= _NEAR_DISTANCE]
    if not nearest:
        nearest = order[:1]
    return [
        *(_neighbour(references, rows[key], scores, True, variants) for key in namesakes),
        *(_neighbour(references, rows[key], scores, False, None) for key in nearest),
    ]


def _rows_by_key(
    references: References, protocol: Protocol, scores: Mapping[str, Mapping[str, Score]]
) -> dict[Key, list[ReferenceRow]]:
    """Gather the printed rows of a protocol that have a number of ours beside them."""
    card = protocol.name.partition("+")[0]
    rows: dict[Key, list[ReferenceRow]] = {}
    for row in references.rows:
        measured = row.metric in scores.get(row.group, {})
        if card in row.protocols and row.value is not None and measured:
            key = (row.paper, row.table, row.method, row.setting, row.metric)
            rows.setdefault(key, []).append(row)
    return rows


def _without_repeats(rows: Mapping[Key, Sequence[ReferenceRow]]) -> list[Key]:
    """Leave out rows whose numbers another row of the method holds: tables quote each other."""
    kept: list[Key] = []
    kept_numbers: list[tuple[str, set[tuple[str, str]]]] = []
    for key in sorted(rows, key=lambda key: -len(rows[key])):
        method = key[2]
        numbers = {(row.group, row.printed) for row in rows[key]}
        if not any(method == other and numbers <= printed for other, printed in kept_numbers):
            kept_numbers.append((method, numbers))
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
    distance = float("inf")
    if cells:
        distance = sum(abs(cell.gap) / float(cell.printed) for cell in cells) / len(cells)
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
    reasons = []
    if row.apart:
        reasons.append(f"the printed row is not comparable by itself: {row.apart}")
    outside = [cell.group for cell in cells if not cell.inside]
    if outside:
        reasons.append(
            f"outside our interval on {', '.join(outside)}: the choice of test faces does not make "
            "this gap"
        )
    elif cells:
        reasons.append(
            "every printed number lies inside our interval: other test faces alone could make this "
            "gap"
        )
    if variants is not None and cells:
        reasons += _offset_and_convention(row.metric, cells, variants)
    return reasons


def _offset_and_convention(metric: str, cells: Sequence[Cell], variants: Variants) -> list[str]:
    """Say what the offset does, and which convention comes nearest to all printed groups at once.

    One that fits a single number is luck; the grid holds hundreds.
    """
    values_of: dict[str, list[float]] = {}
    for cell in cells:
        for variant in variants(metric, cell.group):
            if not any(choice.axis == "group" for choice in variant.changes):
                values_of.setdefault(variant.name, []).append(variant.value)
    complete = {name: values for name, values in values_of.items() if len(values) == len(cells)}
    groups = " / ".join(cell.group for cell in cells)
    printed = " / ".join(cell.printed for cell in cells)
    sentences = []
    if BEST_OFFSET in complete:
        values = _joined(complete[BEST_OFFSET])
        sentences.append(f"with the best constant offset on {groups}: {values} against {printed}")
    if len(cells) < 2:
        return sentences
    best = min(complete, key=lambda name: _largest_miss(complete[name], cells))
    if _hits_all(complete[best], cells):
        sentences.append(f"measured with {best} it is equal on {groups}: {_joined(complete[best])}")
        return sentences
    sentences += [
        f"no convention makes it equal on {groups} at once; nearest is {best}: "
        f"{_joined(complete[best])}",
        "so what is left is no matter of scoring: other boxes, other weights or another "
        "implementation",
    ]
    return sentences


def _joined(values: Sequence[float]) -> str:
    return " / ".join(f"{value:.2f}" for value in values)


def _hits_all(values: Sequence[float], cells: Sequence[Cell]) -> bool:
    return all(
        Claim.read(cell.printed).hits(value) for value, cell in zip(values, cells, strict=True)
    )


def _largest_miss(values: Sequence[float], cells: Sequence[Cell]) -> float:
    """Return the largest difference from a printed number, over that number."""
    misses = []
    for value, cell in zip(values, cells, strict=True):
        printed = float(cell.printed)
        misses.append(abs(value - printed) / printed)
    return max(misses)


def _row_distance(
    rows: Sequence[ReferenceRow], scores: Mapping[str, Mapping[str, Score]], protocol: Protocol
) -> float:
    """Return how far a row's numbers are from ours, the mean over its groups, relative.

    Infinite without the overall group. A row that is not comparable for its convention is near to
    nothing.
    """
    gaps, has_overall = [], False
    for row in rows:
        if row.apart:
            continue
        has_overall |= row.group == protocol.overall
        ours = scores.get(row.group, {}).get(row.metric)
        if ours and ours.value is not None and row.value:
            gaps.append(abs(ours.value - row.value) / row.value)
    if not gaps or not has_overall:
        return float("inf")
    return sum(gaps) / len(gaps)


def _same_name(method: str, name: str) -> bool:
    """Tell whether a file's name begins with a method's name, letters and digits alone."""
    plain_method, plain_name = _letters_and_digits(method), _letters_and_digits(name)
    return len(plain_method) >= 3 and plain_name.startswith(plain_method)


def _letters_and_digits(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", text.lower())
