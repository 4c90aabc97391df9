"""What papers report: CSV rows beside the protocol cards, read strictly, each with its source.

A collection of protocols may hold a folder `references` with `papers.csv` (one line per
publication) and one `<paper>.csv` for each of them (one line per printed cell). Conventions are
properties of a row, never guessed:

==========  ======================================================================================
column      meaning
==========  ======================================================================================
table       where it is printed: "Table 8", "Section 4.2.2 text"
method      the row's label as printed
cites       the reference that the label carries, "" for the paper's own rows
setting     what the paper says about training and test conditions
dataset     the paper's name of the data set
subset      the paper's name of the subset
measure     the paper's name of the metric
normaliser  the normaliser that the paper **states**: inter_ocular, inter_pupil, face_size,
            diagonal, height or ""
threshold   of AUC and failure rate, as printed
value       as printed, digits kept; "" where the paper prints a dash
unit        %, 1 (a fraction), cm, deg, px, K, M, MB, G, fps or ""
own         1 for the paper's own method, 0 for baselines and quotations
year        of the method, where it is not the paper's: collections of other people's figures
protocols   names of the cards that the row belongs to, blank-separated; "" for a row that no card
            covers
group       the group of those cards; "" with no protocol
metric      the metric that the number **is**, which may contradict `normaliser`; then `apart`
            says why
apart       why the row is not comparable with ours, in words; "" where its convention matches the
            card's; a part that begins with "trained with" or "trained on" names training data
            beside the card's
note        what else a reader should know
==========  ======================================================================================

After these a file may have further columns, each optional, of what decides whether a row may stand
beside others:

===========  =====================================================================================
publication  key in `papers.csv` of the publication that presents the method; "" where not known
name         the method's usual name, where the label as printed is another one
box          the face box given at test as the card names it, "" where the source does not state it
trained_on   training data, where they are others than the card's
extra_data   training data beside the card's
seen_test    whether its training may have seen the test items: no, unknown or yes; "" is unknown
checkpoint   how the checkpoint was chosen, where that is known
ablation     1 for a line of a paper's ablation, which is no competitor of the paper's method
===========  =====================================================================================

`papers.csv` says of each publication `key,short,title,authors,venue,year,url` and, if it likes,
`code` (a repository) and `kind`: "software", or "collection" for a file of other people's figures,
which is no publication to cite. Authors, venue and year are empty where they are not known.

A row is wrong, and the whole file refused, rather than silently skipped.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from benchbox.errors import DataError
from benchbox.file_readers.csv_files import open_csv
from benchbox.metrics.metric_names import NORMALISERS, parse_metric
from benchbox.plugins import discovery

UNITS = ("", "%", "1", "cm", "deg", "px", "K", "M", "MB", "G", "fps")
PAPER_COLUMNS = ("key", "short", "title", "authors", "venue", "year", "url")
PAPER_FURTHER = ("code", "kind")
PAPER_KINDS = ("", "software", "collection")
_CELL_COLUMNS = (  # what makes a printed cell the same one
    "table",
    "method",
    "cites",
    "setting",
    "dataset",
    "subset",
    "measure",
    "normaliser",
    "threshold",
)
COLUMNS = (
    *_CELL_COLUMNS,
    "value",
    "unit",
    "own",
    "year",
    "protocols",
    "group",
    "metric",
    "apart",
    "note",
)
FURTHER = (  # columns that a file may have or not
    "publication",
    "name",
    "box",
    "trained_on",
    "extra_data",
    "seen_test",
    "checkpoint",
    "ablation",
)
SEEN_TEST = ("no", "unknown", "yes")
_REQUIRED = ("table", "method", "measure")
_MAX_BYTES = 4_000_000
_PAPER_KEY = re.compile(r"[a-z0-9-]+")
_NUMBER = re.compile(r"\d{1,9}(\.\d{1,6})?")
_YEAR = re.compile(r"[12]\d{3}")
_PROTOCOL = r"[a-z0-9][a-z0-9-]*(\+[a-z_]+=[a-z0-9_.]+)*"
_PROTOCOLS = re.compile(rf"{_PROTOCOL}( {_PROTOCOL})*")
_CHOICES = {
    "normaliser": ("", *NORMALISERS),
    "unit": UNITS,
    "own": ("0", "1"),
    "seen_test": ("", *SEEN_TEST),
    "ablation": ("", "0", "1"),
}
_PATTERNS = {
    "value": (_NUMBER, "is no plain number; leave it empty where the paper prints a dash"),
    "year": (_YEAR, "is not a year"),
    "protocols": (_PROTOCOLS, "holds what is no protocol name"),
}
_EXTRA_TRAINING = ("trained with ", "trained on ")


@dataclass(frozen=True)
class Paper:
    """A publication whose numbers we carry; authors, venue and year are "" where not known."""

    key: str
    short: str
    title: str
    authors: str
    venue: str
    year: str
    url: str
    code: str = ""  # its authors' repository
    kind: str = ""  # of PAPER_KINDS: a collection is no publication


@dataclass(frozen=True)
class ReferenceRow:
    """One printed cell; see the module's table of columns."""

    paper: str  # key of a Paper
    line: int  # in the paper's file
    table: str
    method: str
    cites: str
    setting: str
    dataset: str
    subset: str
    measure: str
    normaliser: str
    threshold: str
    printed: str
    value: float | None  # in the unit of the metric: an AUC printed in % is a fraction here
    unit: str
    own: bool
    protocols: tuple[str, ...]
    group: str
    metric: str
    apart: str
    note: str
    year: int | None = None  # of the method, where it is not the paper's
    publication: str = ""  # key of the Paper that presents the method
    name: str = ""  # the method's usual name, where the label is another one
    box: str = ""  # the box given at test, "" where it is not stated
    trained_on: str = ""
    extra_data: str = ""
    seen_test: str = ""  # of SEEN_TEST
    checkpoint: str = ""
    ablation: bool = False

    @property
    def extra(self) -> bool:
        """Tell whether it was trained on more than the card's training set."""
        parts = self.apart.split("; ")
        return bool(self.extra_data) or any(part.startswith(_EXTRA_TRAINING) for part in parts)

    @property
    def quoted(self) -> bool:
        """Tell whether the paper that prints it took it from another one."""
        return not self.own and bool(self.cites)


@dataclass(frozen=True)
class References:
    """Every reference row of the installed collections, in the order of the files."""

    papers: Mapping[str, Paper]
    rows: tuple[ReferenceRow, ...]

    def find_title(self, title: str) -> Paper | None:
        """Return the publication of this title, upper and lower case alike, None for another."""
        for paper in self.papers.values():
            if title and paper.title.casefold() == title.casefold():
                return paper
        return None


# --- reading --------------------------------------------------------------------------------------


def load_references() -> References:
    """Read the references of every installed collection of protocols.

    A third party's folder that cannot be read is left out; `scan_references` says why. Raise
    DataError naming file, line and column for a fault of our own.
    """
    return scan_references()[0]


def scan_references() -> tuple[References, list[str]]:
    """Read the references of every collection; also say which folders were left out, and why."""
    kept: list[Path] = []
    faults: list[str] = []
    found = References({}, ())
    for number, (source, folder) in enumerate(discovery.reference_folders()):
        try:
            found = read_references(*kept, folder)
        except (DataError, OSError) as fault:
            if number == 0:  # our own come first
                raise
            faults.append(f"{source}: {fault}")
        else:
            kept.append(folder)
    return found, faults


def read_references(*folders: Path) -> References:
    """Read reference folders; raise DataError naming file, line and column of the first fault."""
    papers: dict[str, Paper] = {}
    rows: list[ReferenceRow] = []
    for folder in folders:
        papers_file = folder / "papers.csv"
        if not papers_file.is_file():
            raise DataError(
                f"{_location(papers_file)}: missing; it must describe each paper of the folder"
            )
        folder_papers = _read_papers(papers_file)
        for key in sorted(folder_papers):
            if key in papers:
                raise DataError(
                    f"{_location(papers_file)}: paper {key!r} is described by another collection"
                )
        papers |= folder_papers
        for file in sorted(folder.glob("*.csv")):
            if file == papers_file:
                continue
            if file.stem not in folder_papers:
                known = ", ".join(sorted(folder_papers))
                raise DataError(
                    f"{_location(file)}: papers.csv does not describe {file.stem!r}; it has {known}"
                )
            rows += _read_rows(file, papers)
    return References(papers, tuple(rows))


def _location(file: Path, line: int = 0, column: str = "") -> str:
    """Name a place without the machine's own folders."""
    location = f"references/{file.name}"
    if line:
        location += f", line {line}"
    if column:
        location += f", column {column}"
    return location


def _read_csv(
    file: Path, columns: tuple[str, ...], further: tuple[str, ...]
) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield (line number, row) of a CSV file with these columns, then any of the further ones."""
    with open_csv(file, largest=_MAX_BYTES, where=_location(file)) as reader:
        header = next(reader, [])
        added = header[len(columns) :]
        known = len(set(added)) == len(added) and set(added) <= set(further)
        if tuple(header[: len(columns)]) != columns or not known:
            raise DataError(
                f"{_location(file, 1)}: the columns must be {','.join(columns)};"
                f" after them, if wanted, {','.join(further)}; found {','.join(header)[:200]}"
            )
        for cells in reader:
            if len(cells) != len(header):
                location = _location(file, reader.line_num)
                raise DataError(f"{location}: {len(cells)} fields, expected {len(header)}")
            row = dict.fromkeys(further, "")
            row.update(zip(header, cells, strict=True))
            yield reader.line_num, row


def _read_papers(file: Path) -> dict[str, Paper]:
    papers: dict[str, Paper] = {}
    for line, row in _read_csv(file, PAPER_COLUMNS, PAPER_FURTHER):
        key, year = row["key"], row["year"]
        if not _PAPER_KEY.fullmatch(key) or key in papers:
            raise DataError(
                f"{_location(file, line, 'key')}: {key!r} must be new and made of a-z, 0-9 and -"
            )
        if year and not _YEAR.fullmatch(year):
            raise DataError(f"{_location(file, line, 'year')}: {year!r} is not a year")
        for column in ("url", "code"):
            link = row[column]
            if link and not link.startswith("https://"):
                raise DataError(
                    f"{_location(file, line, column)}: {link!r} must be empty or start with"
                    " https://"
                )
        for column in ("short", "title"):
            if not row[column].strip():
                raise DataError(f"{_location(file, line, column)}: empty")
        if row["kind"] not in PAPER_KINDS:
            kinds = ", ".join(map(repr, PAPER_KINDS))
            raise DataError(f"{_location(file, line, 'kind')}: {row['kind']!r} is none of {kinds}")
        papers[key] = Paper(**row)
    return papers


def _read_rows(file: Path, papers: Mapping[str, Paper]) -> list[ReferenceRow]:
    rows: list[ReferenceRow] = []
    first_lines: dict[tuple[str, ...], int] = {}
    for line, row in _read_csv(file, COLUMNS, FURTHER):
        _check_row(file, line, row)
        if row["publication"] and row["publication"] not in papers:
            raise DataError(
                f"{_location(file, line, 'publication')}: papers.csv does not describe"
                f" {row['publication']!r}"
            )
        cell = tuple(row[name] for name in _CELL_COLUMNS)
        if cell in first_lines:
            raise DataError(
                f"{_location(file, line)}: the cell of line {first_lines[cell]} again;"
                " remove one of them"
            )
        first_lines[cell] = line
        rows.append(_make_row(file.stem, line, row))
    return rows


def _make_row(paper: str, line: int, row: Mapping[str, str]) -> ReferenceRow:
    """Turn the checked texts of a line into a row; an AUC printed in % becomes a fraction."""
    texts = dict(row)
    printed = texts.pop("value")
    value = None
    if printed:
        value = float(printed)
        if row["metric"] and row["unit"] == "%" and parse_metric(row["metric"]).unit == "1":
            value /= 100
    year = None
    if row["year"]:
        year = int(row["year"])
    converted = {
        "own": row["own"] == "1",
        "ablation": row["ablation"] == "1",
        "year": year,
        "protocols": tuple(row["protocols"].split()),
    }
    fields: dict[str, Any] = {**texts, **converted}
    return ReferenceRow(paper=paper, line=line, printed=printed, value=value, **fields)


# --- what a row may hold --------------------------------------------------------------------------


def _check_row(file: Path, line: int, row: Mapping[str, str]) -> None:
    """Raise DataError for the first column of a row that breaks the rules."""

    def refuse(column: str, reason: str) -> NoReturn:
        raise DataError(f"{_location(file, line, column)}: {reason}")

    for column, text in row.items():
        if text != text.strip() or not text.isprintable():
            refuse(column, f"{text!r} has blanks around it or unprintable characters")
        if column in _REQUIRED and not text:
            refuse(column, "empty")
    for column, choices in _CHOICES.items():
        if row[column] not in choices:
            refuse(column, f"{row[column]!r} is none of {', '.join(map(repr, choices))}")
    for column, (pattern, reason) in _PATTERNS.items():
        if row[column] and not pattern.fullmatch(row[column]):
            refuse(column, f"{row[column]!r} {reason}")
    has_protocols = bool(row["protocols"])
    for column in ("group", "metric"):
        if has_protocols != bool(row[column]):
            refuse(column, "a row has protocols, group and metric, or none of them")
    if row["apart"] and not has_protocols:
        refuse("apart", "only a row with protocols can be not comparable with them")
    if has_protocols:
        _check_metric(refuse, row)


def _check_metric(refuse: Callable[[str, str], NoReturn], row: Mapping[str, str]) -> None:
    try:
        metric = parse_metric(row["metric"])
    except ValueError as fault:
        refuse("metric", str(fault))
    stated = row["normaliser"]
    if stated and stated != metric.normaliser and not row["apart"]:
        refuse(
            "metric",
            f"{metric} contradicts the stated normaliser {stated}; say why in column apart",
        )
    if metric.measure == "nme" and (row["unit"] != "%" or float(row["value"] or 0) >= 100):
        refuse("value", f"{row['value']} {row['unit']} is no NME in %")
