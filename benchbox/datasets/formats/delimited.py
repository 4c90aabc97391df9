"""Tables in text files: CSV with a header, GazeHub's `.label`, lists of numbers without a header.

* `.csv` and `.tsv`: commas or tabs (German spreadsheets: semicolons), the first line names columns;
* `.label`: blanks between fields, the first line names them, numbers inside a field are separated
  by commas: the columns of `3DGaze` are `3DGaze.0`, `3DGaze.1`, `3DGaze.2`;
* `.txt`: blanks or commas; columns are counted from 0, unless the first line names them, a column
  `id` or `image` among them and no number.
"""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchbox import number_text
from benchbox.errors import DataError
from benchbox.file_readers.bounds import LARGEST_CSV, LONGEST_LINE, MOST_COLUMNS, MOST_TEXT_CELLS
from benchbox.file_readers.csv_files import describe_blanks, open_csv
from benchbox.file_readers.regular_files import read_text

SUFFIXES = (".csv", ".tsv", ".label", ".txt")
ID_COLUMNS = ("id", "image")


@dataclass(frozen=True)
class Table:
    """A table of texts."""

    path: Path
    columns: tuple[str, ...]
    rows: tuple[Mapping[str, str], ...]  # column → cell, without blanks about it
    lines: tuple[int, ...]  # in the file, from 1
    has_header: bool = True  # the file names its columns

    def where(self, row: int) -> str:
        """Name a row as messages do.

        >>> Table(Path("mine.csv"), ("image",), ({"image": "a"},), (2,)).where(0)
        'mine.csv:2'
        """
        return f"{self.path}:{self.lines[row]}"


def read_table(path: Path) -> Table:
    """Read a table by the suffix of its file.

    Raises
    ------
    DataError
        The file cannot be read, is no table, names a column twice, or a row has other cells than
        the header names.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise DataError(f"{path}: a table is one of {', '.join(SUFFIXES)}")
    if suffix in (".csv", ".tsv"):
        return _read_csv(path)
    return _read_fields(path, is_label=suffix == ".label")


def _read_csv(path: Path) -> Table:
    rows, lines = [], []
    with open_csv(path, delimiter=_separator) as reader:
        header = [name.strip() for name in next(reader, [])]
        blanks = describe_blanks(header, path)
        if blanks:
            raise DataError(f"{path}:1: {blanks}")
        _check_header(header, path)
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            rows.append(_row_of(cells, header, f"{path}:{reader.line_num}"))
            lines.append(reader.line_num)
    return Table(path, tuple(header), tuple(rows), tuple(lines))


def _separator(first: str) -> str:
    """Return what stands between the names of a header: tabs or semicolons where no comma does."""
    for candidate in ("\t", ";"):
        if candidate in first and "," not in first:
            return candidate
    return ","


def _names_columns(fields: Sequence[str]) -> bool:
    """Tell whether the first line of a `.txt` names columns: ids among them, and no number.

    >>> _names_columns(["image", "yaw", "pitch"]), _names_columns(["image", "0.1", "0.2"])
    (True, False)
    """
    if len(fields) < 2 or not any(name in fields for name in ID_COLUMNS):
        return False
    return not any(map(number_text.is_number, fields))


def _read_fields(path: Path, *, is_label: bool) -> Table:
    """Read fields between blanks; in a `.txt` commas separate them, too."""
    header: list[str] = []
    names: list[str] = []
    rows, lines = [], []
    left = MOST_TEXT_CELLS
    has_header = is_label
    for line, text in enumerate(io.StringIO(read_text(path, LARGEST_CSV)), start=1):
        if len(text) > LONGEST_LINE:
            raise DataError(f"{path}:{line}: more than {LONGEST_LINE} characters in a line")
        fields = text.split() if is_label else text.replace(",", " ").split()
        if not fields:
            continue
        if not is_label and not names and not header:
            # NumPy's savetxt writes "# " before a header
            heads = text.replace(",", " ").lstrip("# \ufeff").split()
            if _names_columns(heads):
                has_header, fields = True, heads
        if has_header and not names:
            names = fields
            continue
        cells = fields
        if has_header:
            if len(fields) != len(names):
                raise DataError(
                    f"{path}:{line}: {len(fields)} fields, the header names {len(names)}"
                )
            columns = names
            if is_label:
                columns, cells = _split_fields(names, fields)
            header = header or columns
        elif not header:
            header = [str(number) for number in range(len(fields))]
        left -= len(cells)
        if left < 0 or len(cells) > MOST_COLUMNS:
            raise DataError(
                f"{path}:{line}: more than {MOST_COLUMNS} columns or {MOST_TEXT_CELLS} cells"
            )
        rows.append(_row_of(cells, header, f"{path}:{line}"))
        lines.append(line)
    _check_header(header or names, path)
    return Table(path, tuple(header or names), tuple(rows), tuple(lines), has_header)


def _split_fields(names: Sequence[str], fields: Sequence[str]) -> tuple[list[str], list[str]]:
    """Take fields of several numbers apart.

    >>> _split_fields(["Face", "2DGaze"], ["a.jpg", "0.1,-0.2"])
    (['Face', '2DGaze.0', '2DGaze.1'], ['a.jpg', '0.1', '-0.2'])
    """
    columns, cells = [], []
    for name, field in zip(names, fields, strict=True):
        pieces = field.split(",")
        if len(pieces) == 1:
            columns.append(name)
        else:
            columns += [f"{name}.{number}" for number in range(len(pieces))]
        cells += pieces
    return columns, cells


def _row_of(cells: Sequence[str], header: Sequence[str], where: str) -> dict[str, str]:
    if len(cells) != len(header):
        raise DataError(f"{where}: {len(cells)} cells, the header names {len(header)}")
    return {name: cell.strip() for name, cell in zip(header, cells, strict=True)}


def _check_header(header: Sequence[str], path: Path) -> None:
    if not header:
        raise DataError(f"{path}: is empty")
    for name in header:
        if header.count(name) > 1:
            raise DataError(f"{path}:1: the column {name[:40]!r} is there twice")


def parse_number(cell: str, where: str) -> float:
    """Read a finite number; raises DataError that begins with `where`.

    >>> parse_number("-0.5", "mine.csv:2: pitch")
    -0.5
    >>> parse_number("nan", "mine.csv:2: pitch")
    Traceback (most recent call last):
    ...
    benchbox.errors.DataError: mine.csv:2: pitch: 'nan' is not a number
    """
    try:
        number = number_text.parse_number(cell)
    except ValueError as error:
        raise DataError(f"{where}: {cell[:40]!r} is not a number") from error
    if not math.isfinite(number):
        raise DataError(f"{where}: {cell[:40]!r} is not a number")
    return number
