"""CSV of strangers: rows, columns, cells and lines bounded, faults with their line."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from benchbox.errors import BenchboxError, DataError

from . import bounds
from .regular_files import check_file, short_reason

Delimiter = str | Callable[[str], str]  # or what chooses it by the first line


class CsvRows:
    """The rows of an open CSV file; `line_num` is the line that was read last, from 1."""

    def __init__(
        self,
        stream: TextIO,
        path: Path,
        delimiter: Delimiter,
        most_cells: int,
        fault: type[BenchboxError],
        where: object,
    ) -> None:
        self._stream, self._path, self._fault = stream, where or path, fault
        self._left = self._most_cells = most_cells
        self._lines = 0
        if not isinstance(delimiter, str):
            delimiter = delimiter(self._read_line())
            stream.seek(0)
            self._lines = 0
        self._reader = csv.reader(iter(self._read_line, ""), strict=True, delimiter=delimiter)

    @property
    def line_num(self) -> int:
        """The line that was read last, from 1."""
        return self._lines

    def __iter__(self) -> Iterator[list[str]]:
        return self

    def __next__(self) -> list[str]:
        try:
            cells = next(self._reader)
        except csv.Error as error:
            raise self._fault(
                f"{self._path}:{self._lines}: is not a CSV file in UTF-8 ({short_reason(error)})"
            ) from error
        self._left -= len(cells)
        if len(cells) > bounds.MOST_COLUMNS:
            raise self._fault(
                f"{self._path}:{self._lines}: {len(cells)} cells in a row, "
                f"more than {bounds.MOST_COLUMNS}"
            )
        if self._left < 0:
            raise self._fault(
                f"{self._path}:{self._lines}: more than {self._most_cells} cells; split the file"
            )
        return cells

    def _read_line(self) -> str:
        self._lines += 1
        try:
            line = self._stream.readline(bounds.LONGEST_LINE + 1)
        except UnicodeDecodeError as error:
            raise self._fault(
                f"{self._path}: is not a CSV file in UTF-8 ({short_reason(error)})"
            ) from error
        except OSError as error:
            raise self._fault(f"{self._path}: cannot be read ({error.strerror})") from error
        if len(line) > bounds.LONGEST_LINE or "\0" in line:
            reason = "a NUL" if "\0" in line else f"more than {bounds.LONGEST_LINE} characters"
            raise self._fault(f"{self._path}:{self._lines}: is not a CSV file: {reason} in a line")
        if not line:
            self._lines -= 1
        return line


def describe_blanks(
    header: Sequence[str], path: Path, separators: str = "commas, semicolons or tabs"
) -> str:
    """Say that a header of one name is several with blanks between them, "" where it is none.

    >>> describe_blanks(["image yaw pitch"], Path("p.csv"))
    'blanks separate nothing in a .csv: use commas, semicolons or tabs'
    """
    if len(header) == 1 and len(header[0].split()) > 1:
        return f"blanks separate nothing in a {path.suffix.lower()}: use {separators}"
    return ""


@contextmanager
def open_csv(
    path: Path,
    *,
    delimiter: Delimiter = ",",
    largest: int = bounds.LARGEST_CSV,
    most_cells: int = bounds.MOST_TEXT_CELLS,
    fault: type[BenchboxError] = DataError,
    where: object = "",
) -> Iterator[CsvRows]:
    """Open a CSV file in UTF-8, a byte order mark taken off; raises `fault` with file and line.

    Messages about its content begin with `where`, else with the path.
    """
    check_file(path, largest, fault)
    try:
        stream = path.open(encoding="utf-8-sig", newline="")
    except OSError as error:
        raise fault(f"{path}: cannot be read ({error.strerror})") from error
    with stream:
        yield CsvRows(stream, path, delimiter, most_cells, fault, where)


def read_records(
    path: Path, *, largest: int = bounds.LARGEST_CSV, fault: type[BenchboxError] = DataError
) -> list[dict[str, str]]:
    """Read a CSV file with a header as one table a row; raises `fault` with file and line."""
    with open_csv(path, largest=largest, fault=fault) as rows:
        header = next(rows, [])
        records = []
        for cells in rows:
            if not cells:
                continue
            if len(cells) != len(header):
                raise fault(
                    f"{path}:{rows.line_num}: {len(cells)} cells, the header names {len(header)}"
                )
            records.append(dict(zip(header, cells, strict=True)))
    return records
