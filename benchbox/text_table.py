"""Set rows of text in aligned columns, for a terminal.

Columns stand two blanks apart. A table that is wider than the terminal has its widest columns of
words wrapped, as far as they can be; numbers are never broken.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Collection, Mapping, Sequence
from itertools import zip_longest

_GAP = "  "
_NARROWEST = 16  # columns of words are not wrapped below this width
_PIECE = re.compile(r"[^\s/+]*[/+]+\s*|[^\s/+]+\s*|\s+")  # of a cell: where lines may end


def terminal_width() -> int:
    """Return the columns of the terminal: `COLUMNS`, else the terminal's own, else 80."""
    return shutil.get_terminal_size((80, 24)).columns


def align_columns(
    rows: Sequence[Sequence[str]],
    *,
    right: Collection[int] = (),
    wrap: Collection[int] = (),
    width: int = 80,
) -> list[str]:
    """Return the lines of a table.

    Parameters
    ----------
    rows
        Cells, as many in each row.
    right
        Columns that are set to the right: numbers.
    wrap
        Columns of words that may be wrapped where the table is wider than `width`.

    >>> align_columns([("group", "n"), ("full", "689")], right={1})
    ['group    n', 'full   689']
    >>> rows = [("glsr", "a small network straightens the face", "1")]
    >>> for line in align_columns(rows, wrap={1}, width=28):
    ...     print(line)
    glsr  a small network      1
          straightens the
          face
    """
    if not rows:
        return []
    columns = list(zip(*rows, strict=True))
    widths = [max(map(len, column)) for column in columns]
    narrowest = {number: _narrowest_width(columns[number]) for number in wrap}
    _narrow_columns(widths, narrowest, width)
    lines = []
    for row in rows:
        wrapped = [_wrap_cell(cell, limit) for cell, limit in zip(row, widths, strict=True)]
        for cells in zip_longest(*wrapped, fillvalue=""):
            lines.append(_join_cells(cells, widths, right))
    return lines


def stack_columns(
    rows: Sequence[Sequence[str]], *, keys: int, right: Collection[int] = (), width: int = 80
) -> list[str]:
    """Return the lines of a table; one that is too wide goes on below with its first columns.

    Parameters
    ----------
    rows
        The head and the rows, as many cells in each.
    keys
        How many columns stand again before each part of a table that is too wide.
    right
        Columns that are set to the right.

    >>> rows = [("group", "NME %", "FR@0.08 %"), ("full", "5.83 [5.65, 6.03]", "13.64")]
    >>> for line in stack_columns(rows, keys=1, width=30):
    ...     print(line)
    group  NME %
    full   5.83 [5.65, 6.03]
    <BLANKLINE>
    group  FR@0.08 %
    full   13.64
    """
    if not rows:
        return []
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    head = list(range(keys))
    parts: list[list[int]] = []
    room = 0
    for column in range(keys, len(widths)):
        needed = len(_GAP) + widths[column]
        if not parts or needed > room:
            parts.append([])
            room = width - sum(widths[:keys]) - len(_GAP) * (keys - 1)
        parts[-1].append(column)
        room -= needed
    lines: list[str] = []
    for part in parts or [[]]:
        chosen = [*head, *part]
        cells = [[row[column] for column in chosen] for row in rows]
        places = {place for place, column in enumerate(chosen) if column in right}
        if lines:
            lines.append("")
        lines += align_columns(cells, right=places, width=width)
    return lines


def _narrowest_width(cells: Sequence[str]) -> int:
    """Return the width to which a column can be wrapped without breaking a word or a name."""
    pieces = _PIECE.findall(" ".join(cells))
    return max(_NARROWEST, max((len(piece.strip()) for piece in pieces), default=0))


def _narrow_columns(widths: list[int], narrowest: Mapping[int, int], width: int) -> None:
    """Take from the widest column that may be wrapped until the table fits, as far as it can."""
    excess = sum(widths) + len(_GAP) * (len(widths) - 1) - width
    while excess > 0:
        wide = [column for column in narrowest if widths[column] > narrowest[column]]
        if not wide:
            return
        widths[max(wide, key=widths.__getitem__)] -= 1
        excess -= 1


def _wrap_cell(cell: str, limit: int) -> list[str]:
    """Wrap words, and names behind their slashes and plus signs.

    >>> _wrap_cell("own/variant+weights_of=300w-full", 20)
    ['own/variant+', 'weights_of=300w-full']
    """
    if len(cell) <= limit:
        return [cell]
    lines = [""]
    for piece in _PIECE.findall(cell):
        if lines[-1] and len(lines[-1]) + len(piece.rstrip()) > limit:
            lines.append("")
        lines[-1] += piece
    return [line.rstrip() for line in lines]


def _join_cells(cells: Sequence[str], widths: Sequence[int], right: Collection[int]) -> str:
    padded = []
    for column, (cell, width) in enumerate(zip(cells, widths, strict=True)):
        padded.append(cell.rjust(width) if column in right else cell.ljust(width))
    return _GAP.join(padded).rstrip()
