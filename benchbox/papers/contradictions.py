"""What printed numbers say about each other, and which of them cannot be true together.

Every rule is an identity or a bound, so a contradiction is about the print, never about a method:

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

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, product

from benchbox.metrics.metric_names import parse_metric
from benchbox.types import Protocol

from .reference_rows import ReferenceRow, References

_COMMON_FACES, _CHALLENGING_FACES = 554, 135  # of 300-W's public test sets
_RATIO = (1.28, 1.61)  # of inter-pupil to inter-ocular NME, per face
# other people's figures from many sources: alike names there are not one system
_SURVEY = "later-papers"
_FLOAT_SLACK = 1e-9


@dataclass(frozen=True)
class Contradiction:
    """Printed numbers that do not go together, and why."""

    rule: str  # parts | bounds | steps | units | normalisers | twice
    rows: tuple[ReferenceRow, ...]
    text: str


def find_contradictions(
    references: References, protocols: Iterable[Protocol]
) -> list[Contradiction]:
    """Return every contradiction among the reference rows, in the order of the rules."""
    group_sizes = {(card.name, card.overall): card.test_expected for card in protocols}
    rows = [row for row in references.rows if row.value is not None and row.protocols]
    printed_by_papers = [row for row in rows if row.paper != _SURVEY]
    return [
        *_check_weighted_mean(rows),
        *_check_bounds(rows),
        *_check_whole_faces(rows, group_sizes),
        *_check_units(rows),
        *_check_normaliser_ratio(printed_by_papers),
        *_check_repeated_prints(printed_by_papers),
    ]


def contradiction_notes(
    contradictions: Iterable[Contradiction],
) -> Mapping[tuple[str, int], tuple[str, ...]]:
    """Return the texts of contradictions by (paper, line): the footnotes of a row."""
    notes: dict[tuple[str, int], list[str]] = {}
    for contradiction in contradictions:
        for row in contradiction.rows:
            row_notes = notes.setdefault((row.paper, row.line), [])
            if contradiction.text not in row_notes:
                row_notes.append(contradiction.text)
    return {place: tuple(row_notes) for place, row_notes in notes.items()}


def annotate_references(references: References, protocols: Iterable[Protocol]) -> References:
    """Return the references with every contradiction added to the notes of its rows."""
    notes = contradiction_notes(find_contradictions(references, protocols))
    rows = []
    for row in references.rows:
        texts = [row.note, *notes.get((row.paper, row.line), ())]
        rows.append(replace(row, note="; ".join(filter(None, texts))))
    return References(references.papers, tuple(rows))


# --- rules ----------------------------------------------------------------------------------------


def _check_weighted_mean(rows: Sequence[ReferenceRow]) -> Iterator[Contradiction]:
    """Hold an NME of 300-W full against those of its two parts."""
    for cells in _group_by_system(rows).values():
        by_group = {}
        for row in cells:
            if parse_metric(row.metric).measure == "nme" and "300w-" in row.protocols[0]:
                by_group[row.group] = row
        if not {"full", "common", "challenging"} <= set(by_group):
            continue
        common, challenging, full = (by_group[group] for group in ("common", "challenging", "full"))
        total = _COMMON_FACES * _row_value(common) + _CHALLENGING_FACES * _row_value(challenging)
        weighted_mean = total / (_COMMON_FACES + _CHALLENGING_FACES)
        rounding_of_parts = max(_half_last_digit(common), _half_last_digit(challenging))
        rounding = _half_last_digit(full) + rounding_of_parts
        if abs(weighted_mean - _row_value(full)) > rounding:
            text = (
                f"full is printed as {full.printed}, common {common.printed}"
                f" and challenging {challenging.printed} give {weighted_mean:.2f}"
            )
            yield Contradiction("parts", (common, challenging, full), text)


def _check_bounds(rows: Sequence[ReferenceRow]) -> Iterator[Contradiction]:
    """Hold AUC and failure rate against NME, and AUC against failure rate."""
    for cells in _group_by_system_and_group(rows).values():
        by_metric = {row.metric: row for row in cells}
        for name, row in by_metric.items():
            metric = parse_metric(name)
            if metric.threshold is None:
                continue
            nme = by_metric.get(f"nme_{metric.convention}")
            if nme is not None:
                yield from _check_against_nme(row, metric.measure, nme, metric.threshold)
            rate = by_metric.get(f"fr_{metric.threshold_text}_{metric.convention}")
            if metric.measure == "auc" and rate is not None:
                yield from _check_against_rate(row, rate)


def _check_against_nme(
    row: ReferenceRow, kind: str, nme: ReferenceRow, threshold: float
) -> Iterator[Contradiction]:
    share = _row_fraction(row, kind)
    limit = _row_value(nme) / 100 / threshold
    rounding = _fraction_rounding(row, kind) + _half_last_digit(nme) / 100 / threshold
    if kind == "auc" and share < 1 - limit - rounding:
        text = f"an AUC below 1 - NME/T = {1 - limit:.4f} is impossible"
        yield Contradiction("bounds", (row, nme), text)
    if kind == "fr" and share > limit + rounding:
        text = f"a failure rate above NME/T = {100 * limit:.2f} % is impossible"
        yield Contradiction("bounds", (row, nme), text)


def _check_against_rate(auc: ReferenceRow, rate: ReferenceRow) -> Iterator[Contradiction]:
    ceiling = 1 - _row_value(rate) / 100
    rounding = _fraction_rounding(auc, "auc") + _fraction_rounding(rate, "fr")
    if _row_fraction(auc, "auc") > ceiling + rounding:
        text = f"an AUC above 1 - FR = {ceiling:.4f} is impossible"
        yield Contradiction("bounds", (auc, rate), text)


def _check_whole_faces(
    rows: Sequence[ReferenceRow], group_sizes: Mapping[tuple[str, str], int]
) -> Iterator[Contradiction]:
    """Hold a failure rate against the shares that a whole number of faces can be."""
    for row in rows:
        protocol = row.protocols[0].partition("+")[0]
        size = group_sizes.get((protocol, row.group))
        if not size or parse_metric(row.metric).measure != "fr":
            continue
        nearest_count = round(_row_value(row) / 100 * size)
        nearest_rate = 100 * nearest_count / size
        if abs(nearest_rate - _row_value(row)) > _half_last_digit(row) + _FLOAT_SLACK:
            text = (
                f"no whole number of {size} faces is {row.printed} %;"
                f" the nearest is {nearest_rate:.3f} %"
            )
            yield Contradiction("steps", (row,), text)


def _check_units(rows: Sequence[ReferenceRow]) -> Iterator[Contradiction]:
    """Find fractions that are percents, and the other way round."""
    for row in rows:
        value = _row_value(row)
        if parse_metric(row.metric).measure == "auc":
            if not 0 <= value <= 1:
                text = f"an AUC of {row.printed} is no fraction: percent?"
                yield Contradiction("units", (row,), text)
            if row.unit == "%" and 0 < float(row.printed) < 1:
                text = f"an AUC of {row.printed} % looks like a fraction"
                yield Contradiction("units", (row,), text)
        if parse_metric(row.metric).measure == "nme" and value < 0.2:
            text = f"an NME of {row.printed} % looks like a fraction"
            yield Contradiction("units", (row,), text)
        if parse_metric(row.metric).measure == "fr" and value > 100:
            text = f"a failure rate of {row.printed} % is impossible"
            yield Contradiction("units", (row,), text)


def _check_normaliser_ratio(rows: Sequence[ReferenceRow]) -> Iterator[Contradiction]:
    """Hold what is *stated* to be inter-pupil against what is stated to be inter-ocular.

    In whatever table they are printed.
    """
    for cells in _group_by_cited_method(rows).values():
        inter_ocular = [row for row in cells if row.normaliser == "inter_ocular"]
        inter_pupil = [row for row in cells if row.normaliser == "inter_pupil"]
        for ocular, pupil in product(inter_ocular, inter_pupil):
            ratio = _row_value(pupil) / _row_value(ocular)
            if not _RATIO[0] <= ratio <= _RATIO[1]:
                text = (
                    f"{pupil.printed} said to be inter-pupil over {ocular.printed} said to be"
                    f" inter-ocular is {ratio:.2f}, possible are 1.28 to 1.61"
                )
                yield Contradiction("normalisers", (ocular, pupil), text)


def _check_repeated_prints(rows: Sequence[ReferenceRow]) -> Iterator[Contradiction]:
    """Hold what two tables print of one method under one normaliser against each other."""
    for cells in _group_by_cited_method(rows).values():
        for first, second in combinations(cells, 2):
            same_table = (first.paper, first.table) == (second.paper, second.table)
            if same_table or first.normaliser != second.normaliser:
                continue
            rounding = _half_last_digit(first) + _half_last_digit(second)
            if abs(_row_value(first) - _row_value(second)) > rounding:
                for row, other in ((first, second), (second, first)):
                    text = f"printed as {other.printed} in {other.paper}, {other.table}"
                    yield Contradiction("twice", (row,), text)


# --- rows that belong together --------------------------------------------------------------------

_Groups = dict[tuple[str, ...], list[ReferenceRow]]


def _group_by_system(rows: Sequence[ReferenceRow]) -> _Groups:
    """Gather the cells of one line of one table under one metric: its groups of faces."""
    systems: _Groups = {}
    for row in rows:
        key = (row.paper, row.table, row.method, row.cites, row.setting, row.metric)
        systems.setdefault(key, []).append(row)
    return systems


def _group_by_system_and_group(rows: Sequence[ReferenceRow]) -> _Groups:
    """Gather the cells of one line of one table about one group of faces: its metrics."""
    systems: _Groups = {}
    for row in rows:
        key = (row.paper, row.table, row.method, row.cites, row.setting, row.dataset, row.group)
        systems.setdefault(key, []).append(row)
    return systems


def _group_by_cited_method(rows: Sequence[ReferenceRow]) -> _Groups:
    """Gather the NMEs that papers print of a method they quote, by name, group and card.

    A paper's own ablations are left out.
    """
    methods: _Groups = {}
    for row in rows:
        if parse_metric(row.metric).measure == "nme" and row.cites:
            key = (row.method.casefold(), row.group, row.protocols[0])
            methods.setdefault(key, []).append(row)
    return methods


def _row_value(row: ReferenceRow) -> float:
    assert row.value is not None
    return row.value


def _row_fraction(row: ReferenceRow, kind: str) -> float:
    """Return an AUC or a failure rate as a fraction; failure rates are in %."""
    if kind == "fr":
        return _row_value(row) / 100
    return _row_value(row)


def _half_last_digit(row: ReferenceRow) -> float:
    """Return half a unit of the last printed digit."""
    return 0.5 * 10.0 ** -len(row.printed.partition(".")[2])


def _fraction_rounding(row: ReferenceRow, kind: str) -> float:
    """Return the rounding of a printed AUC or failure rate, as a fraction."""
    if kind == "fr" or row.unit == "%":
        return _half_last_digit(row) / 100
    return _half_last_digit(row)
