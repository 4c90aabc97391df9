"""Boxes of a detector of one's own: `boxes/<name>.csv` in a dataset's folder.

Columns `id,x0,y0,x1,y1`, corners in the dataset's own frame. `--protocol 300w-full+box=mtcnn` reads
`300w/boxes/mtcnn.csv`. Detectors differ between versions, so the file's digest goes into the record
of the run; a face without a row has no box.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchbox.errors import DataError
from benchbox.file_readers.bounds import LARGEST_PX
from benchbox.file_readers.csv_files import open_csv
from benchbox.number_text import parse_numbers
from benchbox.types import Index

if TYPE_CHECKING:
    from benchbox.types import Floats, Strings

_HEADER = ["id", "x0", "y0", "x1", "y1"]
_LARGEST_FILE = 256 * 1024 * 1024  # bytes


def box_file(folder: Path, source: str) -> Path:
    """Name the file that holds a source's boxes.

    Raises
    ------
    DataError
        The source is no name but a path.

    Examples
    --------
    >>> box_file(Path("300w"), "mtcnn").as_posix()
    '300w/boxes/mtcnn.csv'
    """
    if "/" in source or "\\" in source:
        raise DataError(f"box {source!r}: must be a name, whose file is {folder}/boxes/NAME.csv")
    return folder / "boxes" / f"{source}.csv"


def add_boxes(index: Index, folder: Path, source: str) -> Index:
    """Return the index with the boxes of `boxes/<source>.csv` and a note of the file's digest.

    An index that has boxes of this source is returned as it is, and so is one without a file. Rows
    of other items are ignored and counted in a note.

    Raises
    ------
    DataError
        The file is malformed; names the line.
    """
    path = box_file(folder, source)
    if source in index.boxes or not path.is_file():
        return index
    boxes, ignored = _read_boxes(path, index.ids)
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    notes = [*index.notes, f"{source} boxes from boxes/{path.name}, sha256:{digest}"]
    if ignored:
        notes.append(
            f"boxes/{path.name}: {len(ignored)} rows of other items ignored; "
            f"first {ignored[0][:80]!r}"
        )
    return replace(index, boxes={**index.boxes, source: boxes}, notes=tuple(notes))


def _read_boxes(path: Path, ids: Strings) -> tuple[Floats, list[str]]:
    """Return the boxes (N, 4) of the ids (N,), NaN where there is none.

    And the ids of rows of other items.
    """
    # `image_092 _01` is spelt both ways
    row_of_id = {_without_blanks(str(name)): row for row, name in enumerate(ids)}
    boxes = np.full((len(ids), 4), np.nan)
    ignored: list[str] = []
    for where, cells in _read_cells(path):
        box = _parse_box(cells, where)
        row = row_of_id.get(_without_blanks(cells[0].strip()))
        if row is None:
            ignored.append(cells[0])
        elif np.isfinite(boxes[row]).all():
            raise DataError(f"{where}: {cells[0][:80]!r} is there twice; keep one box per item")
        else:
            boxes[row] = box
    return boxes, ignored


def _without_blanks(name: str) -> str:
    return name.replace(" ", "")


def _read_cells(path: Path) -> Iterator[tuple[str, list[str]]]:
    """Yield where a row stands, "boxes/mtcnn.csv:2", and its cells."""
    with open_csv(path, largest=_LARGEST_FILE) as rows:
        header = [name.strip() for name in next(rows, [])]
        if header != _HEADER:
            raise DataError(
                f"{path}:1: the header must be {','.join(_HEADER)}, not {','.join(header)[:60]!r}"
            )
        for cells in rows:
            if cells:
                yield f"{path}:{rows.line_num}", cells


def _parse_box(cells: list[str], where: str) -> list[float]:
    """Return the corners of a row.

    >>> _parse_box(["afw/1", "10", "20", "30", "60"], "boxes/mtcnn.csv:2")
    [10.0, 20.0, 30.0, 60.0]
    """
    try:
        x0, y0, x1, y1 = parse_numbers(cells[1:])
    except ValueError as error:
        raise DataError(f"{where}: {','.join(cells)[:80]!r} is not id,x0,y0,x1,y1") from error
    corners = [x0, y0, x1, y1]
    inside = all(abs(corner) <= LARGEST_PX for corner in corners)
    if not inside or not (x1 > x0 and y1 > y0):
        raise DataError(f"{where}: {','.join(cells)[:80]!r} are not corners x0,y0,x1,y1 of a box")
    return corners
