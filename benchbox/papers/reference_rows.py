"""What papers report: CSV rows beside the protocol cards, read strictly, each with its source.

A collection of protocols may hold a folder `references` with `papers.csv` (one line per
publication) and one `<paper>.csv` for each of them (one line per printed cell). Conventions are
properties of a row, never guessed:

==========  =======================================================================================================
column      meaning
==========  =======================================================================================================
table       where it is printed: "Table 8", "Section 4.2.2 text"
method      the row's label as printed
cites       the reference that the label carries, "" for the paper's own rows
setting     what the paper says about training and test conditions
dataset     the paper's name of the data set
subset      the paper's name of the subset
measure     the paper's name of the metric
normaliser  the normaliser that the paper **states**: inter_ocular, inter_pupil, face_size, diagonal, height or ""
threshold   of AUC and failure rate, as printed
value       as printed, digits kept; "" where the paper prints a dash
unit        %, 1 (a fraction), cm, deg, px, K, M, MB, G, fps or ""
own         1 for the paper's own method, 0 for baselines and quotations
year        of the method, where it is not the paper's: collections of other people's figures
protocols   names of the cards that the row belongs to, blank-separated; "" for a row that no card covers
group       the group of those cards; "" with no protocol
metric      the metric that the number **is**, which may contradict `normaliser`; then `apart` says why
apart       why the row must not stand beside ours, in words; "" where its convention matches the card's; a part that
            begins with "trained with" or "trained on" names training data beside the card's
note        what else a reader should know
==========  =======================================================================================================

A row is wrong, and the whole file refused, rather than silently skipped.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchbox.errors import DataError
from benchbox.plugins import discovery

NORMALISERS = ("", "inter_ocular", "inter_pupil", "face_size", "diagonal", "height")
UNITS = ("", "%", "1", "cm", "deg", "px", "K", "M", "MB", "G", "fps")
PAPER_COLUMNS = ("key", "short", "title", "authors", "venue", "year", "url")
COLUMNS = (
    *(
        "table",
        "method",
        "cites",
        "setting",
        "dataset",
        "subset",
        "measure",
        "normaliser",
        "threshold",
    ),
    *("value", "unit", "own", "year", "protocols", "group", "metric", "apart", "note"),
)
_CELL = COLUMNS[:9]  # what makes a printed cell the same one
_REQUIRED = ("table", "method", "measure")
_LIMIT_BYTES = 4_000_000
_NUMBER = re.compile(r"\d{1,9}(\.\d{1,6})?")
_YEAR = re.compile(r"[12]\d{3}")
_PROTOCOL = r"[a-z0-9][a-z0-9-]*(\+[a-z_]+=[a-z0-9_.]+)*"
_PROTOCOLS = re.compile(rf"{_PROTOCOL}( {_PROTOCOL})*")
_PATTERNS = {
    "value": (_NUMBER, "is no plain number; leave it empty where the paper prints a dash"),
    "year": (_YEAR, "is not a year"),
    "protocols": (_PROTOCOLS, "holds what is no protocol name"),
}
_EXTRA_TRAINING = ("trained with ", "trained on ")
_METRIC = re.compile(r"(nme|auc|fr|error|msd|jitter)_[a-z0-9_.]+")


@dataclass(frozen=True)
class Paper:
    """A publication whose numbers we carry."""

    key: str
    short: str
    title: str
    authors: str
    venue: str
    year: int
    url: str


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

    @property
    def extra(self) -> bool:
        """Tell whether it was trained on more than the card's training set."""
        return any(part.startswith(_EXTRA_TRAINING) for part in self.apart.split("; "))


@dataclass(frozen=True)
class References:
    """Every reference row of the installed collections, in the order of the files."""

    papers: Mapping[str, Paper]
    rows: tuple[ReferenceRow, ...]


def load_references() -> References:
    """Read the references of every installed collection of protocols.

    Raise DataError naming file, line and column.
    """
    folders = [
        collection.folder / "references"
        for collection in discovery.find_collections("benchbox.protocols")
    ]
    return read_references(*[folder for folder in folders if folder.is_dir()])


def read_references(*folders: Path) -> References:
    """Read reference folders; raise DataError naming file, line and column of the first fault."""
    papers: dict[str, Paper] = {}
    rows: list[ReferenceRow] = []
    for folder in folders:
        if not (folder / "papers.csv").is_file():
            raise DataError(
                f"{_location(folder / 'papers.csv')}: missing; it must describe each paper of the folder"
            )
        here = _read_papers(folder / "papers.csv")
        for key in sorted(here):
            if key in papers:
                raise DataError(
                    f"{_location(folder / 'papers.csv')}: paper {key!r} is described by another collection"
                )
        papers |= here
        for file in sorted(folder.glob("*.csv")):
            if file.name == "papers.csv":
                continue
            if file.stem not in here:
                known = ", ".join(sorted(here))
                raise DataError(
                    f"{_location(file)}: papers.csv does not describe {file.stem!r}; it has {known}"
                )
            rows += _read_rows(file)
    return References(papers, tuple(rows))


def _location(file: Path, line: int = 0, column: str = "") -> str:
    """Name a place without the machine's own folders."""
    place = f"references/{file.name}"
    return place + (f", line {line}" if line else "") + (f", column {column}" if column else "")


def _read_csv(file: Path, columns: tuple[str, ...]) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield (line number, row) of a CSV file with exactly these columns."""
    if file.stat().st_size > _LIMIT_BYTES:
        raise DataError(f"{_location(file)}: larger than {_LIMIT_BYTES:,} bytes; split it by paper")
    try:
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError as fault:
        raise DataError(
            f"{_location(file)}: not UTF-8 at byte {fault.start}; save it as UTF-8"
        ) from fault
    reader = csv.reader(text.splitlines(keepends=True), strict=True)
    try:
        header = next(reader, [])
        if tuple(header) != columns:
            raise DataError(
                f"{_location(file, 1)}: the columns must be {','.join(columns)}; found {','.join(header)}"
            )
        for fields in reader:
            if len(fields) != len(columns):
                raise DataError(
                    f"{_location(file, reader.line_num)}: {len(fields)} fields, expected {len(columns)}"
                )
            yield reader.line_num, dict(zip(columns, fields, strict=True))
    except csv.Error as fault:
        raise DataError(
            f"{_location(file, reader.line_num)}: {fault}; quote fields as RFC 4180 says"
        ) from fault


def _read_papers(file: Path) -> dict[str, Paper]:
    papers: dict[str, Paper] = {}
    for line, row in _read_csv(file, PAPER_COLUMNS):
        key = row["key"]
        if not re.fullmatch(r"[a-z0-9-]+", key) or key in papers:
            raise DataError(
                f"{_location(file, line, 'key')}: {key!r} must be new and made of a-z, 0-9 and -"
            )
        if not _YEAR.fullmatch(row["year"]):
            raise DataError(f"{_location(file, line, 'year')}: {row['year']!r} is not a year")
        if row["url"] and not row["url"].startswith("https://"):
            raise DataError(
                f"{_location(file, line, 'url')}: {row['url']!r} must be empty or start with https://"
            )
        for column in ("short", "title", "authors", "venue"):
            if not row[column].strip():
                raise DataError(f"{_location(file, line, column)}: empty")
        year = int(row["year"])
        papers[key] = Paper(
            key, row["short"], row["title"], row["authors"], row["venue"], year, row["url"]
        )
    return papers


def _read_rows(file: Path) -> list[ReferenceRow]:
    rows: list[ReferenceRow] = []
    seen: dict[tuple[str, ...], int] = {}
    for line, row in _read_csv(file, COLUMNS):
        _check_row(file, line, row)
        cell = tuple(row[name] for name in _CELL)
        if cell in seen:
            raise DataError(
                f"{_location(file, line)}: the cell of line {seen[cell]} again; remove one of them"
            )
        seen[cell] = line
        year = int(row["year"]) if row["year"] else None
        facts = {
            **row,
            "own": row["own"] == "1",
            "year": year,
            "protocols": tuple(row["protocols"].split()),
        }
        printed = str(facts.pop("value"))
        value = float(printed) if printed else None
        if value is not None and row["metric"].startswith("auc_") and row["unit"] == "%":
            value /= 100
        rows.append(ReferenceRow(paper=file.stem, line=line, printed=printed, value=value, **facts))  # type: ignore[arg-type]
    return rows


def _check_row(file: Path, line: int, row: Mapping[str, str]) -> None:
    """Raise DataError for the first column of a row that breaks the rules."""

    def refuse(column: str, why: str) -> None:
        raise DataError(f"{_location(file, line, column)}: {why}")

    for column, text in row.items():
        if text != text.strip() or not text.isprintable():
            refuse(column, f"{text!r} has blanks around it or unprintable characters")
        if column in _REQUIRED and not text:
            refuse(column, "empty")
    allowed = {"normaliser": NORMALISERS, "unit": UNITS, "own": ("0", "1")}
    for column, values in allowed.items():
        if row[column] not in values:
            refuse(
                column, f"{row[column]!r} is none of {', '.join(repr(value) for value in values)}"
            )
    for column, (pattern, why) in _PATTERNS.items():
        if row[column] and not pattern.fullmatch(row[column]):
            refuse(column, f"{row[column]!r} {why}")
    tied = bool(row["protocols"])
    for column in ("group", "metric"):
        if tied != bool(row[column]):
            refuse(column, "a row has protocols, group and metric, or none of them")
    if row["apart"] and not tied:
        refuse("apart", "only a row with protocols can stand apart from them")
    if tied:
        _check_metric(refuse, row)


def _check_metric(refuse: Callable[[str, str], None], row: Mapping[str, str]) -> None:
    if not _METRIC.fullmatch(row["metric"]):
        refuse("metric", f"{row['metric']!r} is no metric name; for example nme_inter_ocular")
    stated = row["normaliser"]
    if stated and stated not in row["metric"] and not row["apart"]:
        refuse(
            "metric",
            f"{row['metric']} contradicts the stated normaliser {stated}; say why in column apart",
        )
    if row["metric"].startswith("nme_") and (row["unit"] != "%" or float(row["value"] or 0) >= 100):
        refuse("value", f"{row['value']} {row['unit']} is no NME in %")
