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
_SURVEY = "later-papers"


@dataclass(frozen=True)
class Contradiction:
    """Printed numbers that do not go together, and why."""

    rule: str  # parts | bounds | steps | units | normalisers | twice
    rows: tuple[ReferenceRow, ...]
    text: str


def find_contradictions(
    references: References, protocols: Iterable[Protocol]
) -> list[Contradiction]:
    """Return every doubt about the reference rows, in the order of the rules."""
    sizes = {(protocol.name, protocol.overall): protocol.test_expected for protocol in protocols}
    rows = [row for row in references.rows if row.value is not None and row.protocols]
    found = [
        *_check_weighted_mean(rows),
        *_check_bounds(rows),
        *_check_whole_faces(rows, sizes),
        *_check_units(rows),
    ]
    printed = [row for row in rows if row.paper != _SURVEY]
    return [*found, *_check_normaliser_ratio(printed), *_check_repeated_prints(printed)]


def contradiction_notes(
    found: Iterable[Contradiction],
) -> Mapping[tuple[str, int], tuple[str, ...]]:
    """Return the texts of doubts by (paper, line): the footnotes of a row."""
    texts: dict[tuple[str, int], list[str]] = {}
    for doubt in found:
        for row in doubt.rows:
            texts.setdefault((row.paper, row.line), []).append(doubt.text)
    return {place: tuple(dict.fromkeys(said)) for place, said in texts.items()}


def annotate_references(references: References, protocols: Iterable[Protocol]) -> References:
    """Return the references with every doubt added to the notes of its rows."""
    texts = contradiction_notes(find_contradictions(references, protocols))
    rows = [
        replace(
            row, note="; ".join(filter(None, (row.note, *texts.get((row.paper, row.line), ()))))
        )
        for row in references.rows
    ]
    return References(references.papers, tuple(rows))


# --- rules ----------------------------------------------------------------------------------------


def _check_weighted_mean(rows: Sequence[ReferenceRow]) -> Iterator[Contradiction]:
    for members in _group_by_system(rows).values():
        cells = {
            row.group: row
            for row in members
            if row.metric.startswith("nme_") and "300w-" in row.protocols[0]
        }
        if not {"full", "common", "challenging"} <= set(cells):
            continue
        common, challenging, full = (cells[group] for group in ("common", "challenging", "full"))
        weighted = (_COMMON * _row_value(common) + _CHALLENGING * _row_value(challenging)) / (
            _COMMON + _CHALLENGING
        )
        if abs(weighted - _row_value(full)) > _half_last_digit(full) + max(
            _half_last_digit(common), _half_last_digit(challenging)
        ):
            text = f"full is printed as {full.printed}, common {common.printed} and challenging {challenging.printed}"
            yield Contradiction("parts", (common, challenging, full), f"{text} give {weighted:.2f}")


def _check_bounds(rows: Sequence[ReferenceRow]) -> Iterator[Contradiction]:
    for members in _group_by_system(rows, by_group=True).values():
        by_metric = {row.metric: row for row in members}
        for name, row in by_metric.items():
            match = _CURVE.fullmatch(name)
            if not match:
                continue
            kind, threshold, rest = match[1], float(match[2]), match[3]
            share = _row_value(row) / (100 if kind == "fr" else 1)
            slack = _fraction_rounding(row, kind)
            nme = by_metric.get(f"nme_{rest}")
            if nme is not None:
                limit = _row_value(nme) / 100 / threshold
                room = slack + _half_last_digit(nme) / 100 / threshold
                if kind == "auc" and share < 1 - limit - room:
                    yield Contradiction(
                        "bounds",
                        (row, nme),
                        f"an AUC below 1 - NME/T = {1 - limit:.4f} is impossible",
                    )
                if kind == "fr" and share > limit + room:
                    yield Contradiction(
                        "bounds",
                        (row, nme),
                        f"a failure rate above NME/T = {100 * limit:.2f} % is impossible",
                    )
            rate = by_metric.get(f"fr_{match[2]}_{rest}")
            if kind == "auc" and rate is not None:
                ceiling = 1 - _row_value(rate) / 100
                if share > ceiling + slack + _fraction_rounding(rate, "fr"):
                    yield Contradiction(
                        "bounds", (row, rate), f"an AUC above 1 - FR = {ceiling:.4f} is impossible"
                    )


def _check_whole_faces(
    rows: Sequence[ReferenceRow], sizes: Mapping[tuple[str, str], int]
) -> Iterator[Contradiction]:
    for row in rows:
        size = sizes.get((row.protocols[0].partition("+")[0], row.group))
        if not size or not row.metric.startswith("fr_"):
            continue
        faces = _row_value(row) / 100 * size
        nearest = round(faces)
        if abs(100 * nearest / size - _row_value(row)) > _half_last_digit(row) + 1e-9:
            steps = f"{100 * nearest / size:.3f} %"
            yield Contradiction(
                "steps",
                (row,),
                f"no whole number of {size} faces is {row.printed} %; the nearest is {steps}",
            )


def _check_units(rows: Sequence[ReferenceRow]) -> Iterator[Contradiction]:
    for row in rows:
        value = _row_value(row)
        if row.metric.startswith("auc_") and not 0 <= value <= 1:
            yield Contradiction(
                "units", (row,), f"an AUC of {row.printed} is no fraction: percent?"
            )
        if row.metric.startswith("auc_") and row.unit == "%" and 0 < float(row.printed) < 1:
            yield Contradiction("units", (row,), f"an AUC of {row.printed} % looks like a fraction")
        if row.metric.startswith("nme_") and value < 0.2:
            yield Contradiction("units", (row,), f"an NME of {row.printed} % looks like a fraction")
        if row.metric.startswith("fr_") and value > 100:
            yield Contradiction("units", (row,), f"a failure rate of {row.printed} % is impossible")


def _check_normaliser_ratio(rows: Sequence[ReferenceRow]) -> Iterator[Contradiction]:
    """Hold what is *stated* to be inter-pupil against what is stated to be inter-ocular, in whatever table."""
    for members in _group_by_cited_method(rows).values():
        corners = [row for row in members if row.normaliser == "inter_ocular"]
        centres = [row for row in members if row.normaliser == "inter_pupil"]
        for corner in corners:
            for centre in centres:
                ratio = _row_value(centre) / _row_value(corner)
                if not _RATIO[0] <= ratio <= _RATIO[1]:
                    text = f"{centre.printed} said to be inter-pupil over {corner.printed} said to be inter-ocular is"
                    yield Contradiction(
                        "normalisers",
                        (corner, centre),
                        f"{text} {ratio:.2f}, possible are 1.28 to 1.61",
                    )


def _check_repeated_prints(rows: Sequence[ReferenceRow]) -> Iterator[Contradiction]:
    for members in _group_by_cited_method(rows).values():
        for first, second in combinations(members, 2):
            alike = first.normaliser == second.normaliser and (first.paper, first.table) != (
                second.paper,
                second.table,
            )
            if alike and abs(_row_value(first) - _row_value(second)) > _half_last_digit(
                first
            ) + _half_last_digit(second):
                places = (
                    f"{second.printed} in {_table_name(second)}",
                    f"{first.printed} in {_table_name(first)}",
                )
                yield Contradiction("twice", (first,), f"printed as {places[0]}")
                yield Contradiction("twice", (second,), f"printed as {places[1]}")


# --- rows that belong together --------------------------------------------------------------------


def _group_by_system(
    rows: Sequence[ReferenceRow], *, by_group: bool = False
) -> dict[tuple[str, ...], list[ReferenceRow]]:
    """Gather the cells of one line of one table; group by group where asked."""
    found: dict[tuple[str, ...], list[ReferenceRow]] = {}
    for row in rows:
        kind = row.metric if not by_group else row.group
        key = (row.paper, row.table, row.method, row.cites, row.setting, row.dataset, kind)
        found.setdefault(key if by_group else (*key[:5], row.metric), []).append(row)
    return found


def _group_by_cited_method(
    rows: Sequence[ReferenceRow],
) -> dict[tuple[str, ...], list[ReferenceRow]]:
    """Gather what papers print of a method they quote: by name, group and card.

    A paper's own ablations are apart.
    """
    found: dict[tuple[str, ...], list[ReferenceRow]] = {}
    for row in rows:
        if row.metric.startswith("nme_") and row.cites:
            found.setdefault((row.method.casefold(), row.group, row.protocols[0]), []).append(row)
    return found


def _row_value(row: ReferenceRow) -> float:
    assert row.value is not None
    return row.value


def _half_last_digit(row: ReferenceRow) -> float:
    """Return half a unit of the last printed digit."""
    return 0.5 * 10.0 ** -len(row.printed.partition(".")[2])


def _fraction_rounding(row: ReferenceRow, kind: str) -> float:
    return _half_last_digit(row) / (100 if kind == "fr" or row.unit == "%" else 1)


def _table_name(row: ReferenceRow) -> str:
    return f"{row.paper}, {row.table}"
