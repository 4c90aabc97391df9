"""Rows of papers as a leaderboard needs them.

Cells are gathered into rows: all metrics of one convention that a table prints of a system are one
row, and the same printed number of one method is one row with all its sources, whatever file quotes
it. What decides whether a row may stand beside others is said by the row, best by the paper itself:
a quotation states no box unless the quoting paper does.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from benchbox.metrics import metric_names
from benchbox.papers.reference_rows import Paper, ReferenceRow, References
from benchbox.protocols.describe import describe_box
from benchbox.types import NO_FACTS, Protocol, RowFacts

BOX_NOT_STATED = "face box not stated"
_REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")

CellKey = tuple[str, str]  # metric, group


@dataclass(frozen=True)
class PaperSource:
    """Where a row is printed."""

    paper: str  # key of the file that we have it from
    text: str  # "G&LSR, Table 8", "OpenCodePapers"
    url: str = ""


@dataclass(frozen=True)
class PaperRow:
    """Printed cells of one system under one convention, with all their sources."""

    method: str
    convention: str
    not_comparable: str  # because …; "" where it may stand beside ours
    cells: Mapping[CellKey, ReferenceRow]
    sources: tuple[PaperSource, ...]
    notes: tuple[str, ...]
    prints: tuple[Mapping[CellKey, ReferenceRow], ...] = ()  # the cells of each source
    year: str = ""
    details: tuple[str, ...] = ()  # what tells it from another row of the same name
    extra: bool = False  # trained on more than the card's training set
    facts: RowFacts = NO_FACTS
    only_box: bool = False  # nothing but the box keeps it apart
    ablation: bool = False
    title: str = ""  # of its publication
    url: str = ""
    code: str = ""
    publication: str = ""  # key of it


@dataclass(frozen=True)
class _Printed:
    """The cells that one table prints of one system."""

    name: str
    option: str  # "" or the option of the card that it is reported under
    cells: Mapping[CellKey, ReferenceRow]

    @property
    def first(self) -> ReferenceRow:
        """Return the cell that speaks for all."""
        return next(iter(self.cells.values()))


def gather_paper_rows(protocol: Protocol, references: References) -> list[PaperRow]:
    """Gather the cells that belong to a protocol, or to another option of it, into rows."""
    tables: dict[tuple[str, ...], dict[CellKey, ReferenceRow]] = {}
    for cell in references.rows:
        option = _option_difference(cell, protocol)
        if option is None or cell.group not in protocol.groups or cell.value is None:
            continue
        convention = metric_names.parse_stored_metric(cell.metric).convention
        key = (option, convention, cell.paper, cell.table, cell.method, cell.setting, cell.apart)
        tables.setdefault(key, {})[cell.metric, cell.group] = cell
    by_convention: dict[str, list[list[_Printed]]] = {}
    for (option, convention, *_), cells in tables.items():
        first = next(iter(cells.values()))
        printed = _Printed(first.name or first.method, option, cells)
        _add_or_fold(by_convention.setdefault(convention, []), printed, protocol.overall)
    rows = []
    for convention, entries in by_convention.items():
        for sources in entries:
            rows.append(_paper_row(convention, sources, protocol, references))
    return _drop_needless_settings(rows)


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


# --- one number, one row --------------------------------------------------------------------------


def _add_or_fold(entries: list[list[_Printed]], new: _Printed, overall: str) -> None:
    """Add a table's row, or put it beside the sources that print the same of the same method."""
    for sources in entries:
        if any(_is_same(old, new, overall) for old in sources):
            sources.append(new)
            return
    entries.append([new])


def _is_same(old: _Printed, new: _Printed, overall: str) -> bool:
    """Tell whether two sources print one number of one method.

    One name: the overall number decides, and where one of them lacks it, all that both print.
    Another name, but the same publication: all that both print, twice at least.
    """
    if old.option != new.option:
        return False
    publications = {old.first.publication, new.first.publication}
    same_publication = len(publications) == 1 and "" not in publications
    same_name = _plain_name(old.name) == _plain_name(new.name)
    if not same_name and not same_publication:
        return False
    shared = old.cells.keys() & new.cells.keys()
    equal = {key: _is_one_number(old.cells[key], new.cells[key]) for key in shared}
    if not equal:
        return False
    ranking = [equal[key] for key in shared if key[1] == overall and not _is_share(key[0])]
    if same_name and ranking:
        return all(ranking)
    return all(equal.values()) and (same_name or len(equal) > 1 or bool(ranking))


def _is_share(metric: str) -> bool:
    """Tell whether a metric is an AUC or a failure rate."""
    return metric.startswith(("auc_", "fr_"))


def _plain_name(name: str) -> str:
    """Return a name without capitals, blanks and hyphens, for comparison."""
    return re.sub(r"[\s_-]+", "", name.casefold())


def _is_one_number(one: ReferenceRow, other: ReferenceRow) -> bool:
    """Tell whether two prints are one number, to the digits of the coarser one."""
    if one.value is None or other.value is None:
        return False
    digits = min(len(cell.printed.partition(".")[2]) for cell in (one, other))
    in_percent = {cell.unit == "%" for cell in (one, other)}
    if len(in_percent) > 1:
        return abs(one.value - other.value) < 1e-9
    scale = 1.0
    if one.unit == "%" and one.metric.startswith("auc_"):
        scale = 100.0
    return abs(one.value - other.value) * scale <= 0.5 * 10.0**-digits + 1e-9


# --- what a row says ------------------------------------------------------------------------------


def _paper_row(
    convention: str, sources: Sequence[_Printed], protocol: Protocol, references: References
) -> PaperRow:
    """Make one row of all that print it; the paper's own print speaks first."""
    ordered = sorted(sources, key=_authority)
    firsts = [printed.first for printed in ordered]
    first = firsts[0]
    facts = _row_facts(firsts)
    publication = _first_text(cell.publication for cell in firsts)
    paper = references.papers.get(publication)
    cells: dict[CellKey, ReferenceRow] = {}
    for printed in ordered:
        for key, cell in printed.cells.items():
            cells.setdefault(key, cell)
    option = ordered[0].option
    return PaperRow(
        method=ordered[0].name,
        convention=convention,
        not_comparable=_why_not_comparable(protocol, facts, option, firsts),
        only_box=not _why_not_comparable(protocol, facts, option, firsts, box_matters=False),
        cells=cells,
        sources=tuple(dict.fromkeys(_source_of(cell, references) for cell in firsts)),
        notes=tuple(dict.fromkeys([*_cell_notes(ordered), *_contradictions(ordered, cells)])),
        prints=tuple(printed.cells for printed in ordered),
        year=_row_year(firsts, paper, references),
        details=tuple(filter(None, [first.setting])),
        extra=any(cell.extra for cell in firsts),
        facts=facts,
        ablation=all(cell.ablation for cell in firsts),
        title=paper.title if paper else "",
        url=paper.url if paper else "",
        code=paper.code if paper else "",
        publication=publication,
    )


def _authority(printed: _Printed) -> tuple[bool, bool, bool, int]:
    """Return what sources are sorted by: the paper's own print first, then one that states a box.

    A number that only a list repeats comes after one that a paper prints.
    """
    cell = printed.first
    return not cell.own, cell.ablation, not cell.box, -len(printed.cells)


def _row_facts(firsts: Sequence[ReferenceRow]) -> RowFacts:
    return RowFacts(
        box=_first_text(cell.box for cell in firsts),
        trained_on=_first_text(cell.trained_on for cell in firsts),
        extra_data=_first_text(cell.extra_data for cell in firsts),
        seen_test=_first_text(cell.seen_test for cell in firsts) or "unknown",
        checkpoint=_first_text(cell.checkpoint for cell in firsts),
    )


def _first_text(texts: Iterable[str]) -> str:
    return next(filter(None, texts), "")


def _why_not_comparable(
    protocol: Protocol,
    facts: RowFacts,
    option: str,
    firsts: Sequence[ReferenceRow],
    *,
    box_matters: bool = True,
) -> str:
    """Say why a row must not stand beside those of the card, "" where it may."""
    remarks = [cell.apart for cell in firsts]
    reasons = []
    if all(remarks):  # a source without a remark found the number to be what the card measures
        reasons.append(remarks[0])
    # another option of the card says enough
    box_matters = box_matters and not option
    reasons += [option, *conditions_apart(protocol, facts, box_matters=box_matters)]
    return "; ".join(filter(None, reasons))


def conditions_apart(protocol: Protocol, facts: RowFacts, *, box_matters: bool = True) -> list[str]:
    """Say how box, training data and checkpoint of a row differ from what the card asks for."""
    reasons = []
    if protocol.task == "landmarks" and box_matters:
        if not facts.box:
            reasons.append(BOX_NOT_STATED)
        elif facts.box != protocol.box:
            reasons.append(f"{describe_box(facts.box)}, not {describe_box(protocol.box)}")
    if facts.trained_on and not _is_own_training(facts.trained_on, protocol):
        reasons.append(f"trained on {facts.trained_on}")
    if facts.extra_data:
        reasons.append(f"trained with further data: {facts.extra_data}")
    if facts.seen_test == "yes":
        reasons.append("its training saw test items")
    if facts.checkpoint == "chosen on the test set":
        reasons.append("its checkpoint was chosen on the test set")
    return reasons


def _is_own_training(stated: str, protocol: Protocol) -> bool:
    """Tell whether training data that are stated are the set that the card trains on, by its name.

    Small letters, blanks and dashes do not matter: 300-W is `300w`.
    """
    own = protocol.train_dataset or protocol.dataset
    return _letters_and_digits(stated) == _letters_and_digits(own)


def _letters_and_digits(text: str) -> str:
    return "".join(filter(str.isalnum, text.casefold()))


def _source_of(cell: ReferenceRow, references: References) -> PaperSource:
    """Say where a cell was read: a paper's table, or a public repository that lists it."""
    paper = references.papers[cell.paper]
    if paper.kind != "collection":
        return PaperSource(paper.key, f"{paper.short}, {cell.table}", paper.url)
    place = cell.table.partition(": ")[0].strip()
    if _REPOSITORY.fullmatch(place):
        owner, name = place.split("/")
        text = name
        if owner == name:
            text = owner
        return PaperSource(paper.key, text, f"https://github.com/{place}")
    return PaperSource(paper.key, cell.table)


def _row_year(firsts: Sequence[ReferenceRow], paper: Paper | None, references: References) -> str:
    """Return the year of a method: of its publication, else the one that a source states."""
    if paper and paper.year:
        return paper.year
    stated = [cell.year for cell in firsts if cell.year]
    if stated:
        return str(min(stated))
    own = [references.papers[cell.paper].year for cell in firsts if not cell.quoted]
    return _first_text(own)


def _cell_notes(ordered: Sequence[_Printed]) -> Iterable[str]:
    for printed in ordered:
        for cell in printed.cells.values():
            if cell.note:
                yield cell.note


def _contradictions(
    ordered: Sequence[_Printed], cells: Mapping[CellKey, ReferenceRow]
) -> Iterable[str]:
    """Say where a source prints another number for a part of the test set."""
    for printed in ordered:
        for key, cell in printed.cells.items():
            if cell is not cells[key] and not _is_one_number(cell, cells[key]):
                yield f"{cell.table.partition(': ')[0]} prints {cell.printed} for {key[1]}"


def _drop_needless_settings(rows: Sequence[PaperRow]) -> list[PaperRow]:
    """Keep the setting of those rows only that would otherwise look like another one."""
    counts = Counter((row.method, row.convention) for row in rows)
    kept = []
    for row in rows:
        if counts[row.method, row.convention] == 1:
            kept.append(replace(row, details=()))
        else:
            kept.append(row)
    return kept
