"""Row lint: what printed numbers say about each other, and which of them cannot be true together.

Every rule is an identity or a bound, so a doubt is about the print and never about a method:

* **parts**: 300-W full = (554 · common + 135 · challenging) / 689, within rounding.
* **bounds**: 1 − NME/T ≤ AUC@T ≤ 1 − FR@T and FR@T ≤ NME/T (Markov) for one system, group and
  normaliser.
* **steps**: a failure rate over n faces is k/n for a whole k, within rounding.
* **units**: a fraction above 1, an NME of a face below 0.2 %, an AUC in % below 1.
* **normalisers**: inter-pupil over inter-ocular NME of one system lies between 1.28 and 1.61, the
  smallest and largest ratio of the two distances of any test face of 300-W.
* **twice**: one system's number printed twice with two values.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from benchbox.types import Protocol

from .reference_rows import ReferenceRow, References

_COMMON, _CHALLENGING = 554, 135  # faces of 300-W's public test sets
_RATIO = (1.28, 1.61)  # of inter-pupil to inter-ocular NME, per face
_CURVE = re.compile(r"(auc|fr)_(0\.\d+)_(.+)")
# other people's figures from many sources: alike names there are not one system
_COLLECTED = "later-papers"


@dataclass(frozen=True)
class Doubt:
    """Printed numbers that do not go together, and why."""

    rule: str  # parts | bounds | steps | units | normalisers | twice
    rows: tuple[ReferenceRow, ...]
    text: str


def doubts(references: References, protocols: Iterable[Protocol]) -> list[Doubt]:
    """Return every doubt about the reference rows, in the order of the rules."""
    sizes = {(protocol.name, protocol.overall): protocol.test_expected for protocol in protocols}
    rows = [row for row in references.rows if row.value is not None and row.protocols]
    found = [*_parts(rows), *_bounds(rows), *_steps(rows, sizes), *_units(rows)]
    printed = [row for row in rows if row.paper != _COLLECTED]
    return [*found, *_normalisers(printed), *_twice(printed)]


def notes(found: Iterable[Doubt]) -> Mapping[tuple[str, int], tuple[str, ...]]:
    """Return the texts of doubts by (paper, line): the footnotes of a row."""
    texts: dict[tuple[str, int], list[str]] = {}
    for doubt in found:
        for row in doubt.rows:
            texts.setdefault((row.paper, row.line), []).append(doubt.text)
    return {place: tuple(dict.fromkeys(said)) for place, said in texts.items()}


def annotated(references: References, protocols: Iterable[Protocol]) -> References:
    """Return the references with every doubt added to the notes of its rows."""
    texts = notes(doubts(references, protocols))
    rows = [
        replace(
            row, note="; ".join(filter(None, (row.note, *texts.get((row.paper, row.line), ()))))
        )
        for row in references.rows
    ]
    return References(references.papers, tuple(rows))


# --- rules ----------------------------------------------------------------------------------------


def _parts(rows: Sequence[ReferenceRow]) -> Iterator[Doubt]:
    for members in _systems(rows).values():
        cells = {
            row.group: row
            for row in members
            if row.metric.startswith("nme_") and "300w-" in row.protocols[0]
        }
        if not {"full", "common", "challenging"} <= set(cells):
            continue
        common, challenging, full = (cells[group] for group in ("common", "challenging", "full"))
        weighted = (_COMMON * _value(common) + _CHALLENGING * _value(challenging)) / (
            _COMMON + _CHALLENGING
        )
        if abs(weighted - _value(full)) > _half_digit(full) + max(
            _half_digit(common), _half_digit(challenging)
        ):
            text = f"full is printed as {full.printed}, common {common.printed} and challenging {challenging.printed}"
            yield Doubt("parts", (common, challenging, full), f"{text} give {weighted:.2f}")


def _bounds(rows: Sequence[ReferenceRow]) -> Iterator[Doubt]:
    for members in _systems(rows, by_group=True).values():
        by_metric = {row.metric: row for row in members}
        for name, row in by_metric.items():
            match = _CURVE.fullmatch(name)
            if not match:
                continue
            kind, threshold, rest = match[1], float(match[2]), match[3]
            share = _value(row) / (100 if kind == "fr" else 1)
            slack = _share_slack(row, kind)
            nme = by_metric.get(f"nme_{rest}")
            if nme is not None:
                limit = _value(nme) / 100 / threshold
                room = slack + _half_digit(nme) / 100 / threshold
                if kind == "auc" and share < 1 - limit - room:
                    yield Doubt(
                        "bounds",
                        (row, nme),
                        f"an AUC below 1 - NME/T = {1 - limit:.4f} is impossible",
                    )
                if kind == "fr" and share > limit + room:
                    yield Doubt(
                        "bounds",
                        (row, nme),
                        f"a failure rate above NME/T = {100 * limit:.2f} % is impossible",
                    )
            rate = by_metric.get(f"fr_{match[2]}_{rest}")
            if kind == "auc" and rate is not None:
                ceiling = 1 - _value(rate) / 100
                if share > ceiling + slack + _share_slack(rate, "fr"):
                    yield Doubt(
                        "bounds", (row, rate), f"an AUC above 1 - FR = {ceiling:.4f} is impossible"
                    )


def _steps(rows: Sequence[ReferenceRow], sizes: Mapping[tuple[str, str], int]) -> Iterator[Doubt]:
    for row in rows:
        size = sizes.get((row.protocols[0].partition("+")[0], row.group))
        if not size or not row.metric.startswith("fr_"):
            continue
        faces = _value(row) / 100 * size
        nearest = round(faces)
        if abs(100 * nearest / size - _value(row)) > _half_digit(row) + 1e-9:
            steps = f"{100 * nearest / size:.3f} %"
            yield Doubt(
                "steps",
                (row,),
                f"no whole number of {size} faces is {row.printed} %; the nearest is {steps}",
            )


def _units(rows: Sequence[ReferenceRow]) -> Iterator[Doubt]:
    for row in rows:
        value = _value(row)
        if row.metric.startswith("auc_") and not 0 <= value <= 1:
            yield Doubt("units", (row,), f"an AUC of {row.printed} is no fraction: percent?")
        if row.metric.startswith("auc_") and row.unit == "%" and 0 < float(row.printed) < 1:
            yield Doubt("units", (row,), f"an AUC of {row.printed} % looks like a fraction")
        if row.metric.startswith("nme_") and value < 0.2:
            yield Doubt("units", (row,), f"an NME of {row.printed} % looks like a fraction")
        if row.metric.startswith("fr_") and value > 100:
            yield Doubt("units", (row,), f"a failure rate of {row.printed} % is impossible")


def _normalisers(rows: Sequence[ReferenceRow]) -> Iterator[Doubt]:
    """Hold what is *stated* to be inter-pupil against what is stated to be inter-ocular, in whatever table."""
    for members in _named(rows).values():
        corners = [row for row in members if row.normaliser == "inter_ocular"]
        centres = [row for row in members if row.normaliser == "inter_pupil"]
        for corner in corners:
            for centre in centres:
                ratio = _value(centre) / _value(corner)
                if not _RATIO[0] <= ratio <= _RATIO[1]:
                    text = f"{centre.printed} said to be inter-pupil over {corner.printed} said to be inter-ocular is"
                    yield Doubt(
                        "normalisers",
                        (corner, centre),
                        f"{text} {ratio:.2f}, possible are 1.28 to 1.61",
                    )


def _twice(rows: Sequence[ReferenceRow]) -> Iterator[Doubt]:
    for members in _named(rows).values():
        for first, second in combinations(members, 2):
            alike = first.normaliser == second.normaliser and (first.paper, first.table) != (
                second.paper,
                second.table,
            )
            if alike and abs(_value(first) - _value(second)) > _half_digit(first) + _half_digit(
                second
            ):
                places = (
                    f"{second.printed} in {_place(second)}",
                    f"{first.printed} in {_place(first)}",
                )
                yield Doubt("twice", (first,), f"printed as {places[0]}")
                yield Doubt("twice", (second,), f"printed as {places[1]}")


# --- rows that belong together --------------------------------------------------------------------


def _systems(
    rows: Sequence[ReferenceRow], *, by_group: bool = False
) -> dict[tuple[str, ...], list[ReferenceRow]]:
    """Gather the cells of one line of one table; group by group where asked."""
    found: dict[tuple[str, ...], list[ReferenceRow]] = {}
    for row in rows:
        kind = row.metric if not by_group else row.group
        key = (row.paper, row.table, row.method, row.cites, row.setting, row.dataset, kind)
        found.setdefault(key if by_group else (*key[:5], row.metric), []).append(row)
    return found


def _named(rows: Sequence[ReferenceRow]) -> dict[tuple[str, ...], list[ReferenceRow]]:
    """Gather what papers print of a method they quote: by name, group and card.

    A paper's own ablations are apart.
    """
    found: dict[tuple[str, ...], list[ReferenceRow]] = {}
    for row in rows:
        if row.metric.startswith("nme_") and row.cites:
            found.setdefault((row.method.casefold(), row.group, row.protocols[0]), []).append(row)
    return found


def _value(row: ReferenceRow) -> float:
    assert row.value is not None
    return row.value


def _half_digit(row: ReferenceRow) -> float:
    """Return half a unit of the last printed digit."""
    return 0.5 * 10.0 ** -len(row.printed.partition(".")[2])


def _share_slack(row: ReferenceRow, kind: str) -> float:
    return _half_digit(row) / (100 if kind == "fr" or row.unit == "%" else 1)


def _place(row: ReferenceRow) -> str:
    return f"{row.paper}, {row.table}"
