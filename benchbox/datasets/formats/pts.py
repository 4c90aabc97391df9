"""iBUG `.pts` files: a header, then one `x y` pair per line between braces.

Numbers are returned as they stand. Everything from iBUG counts pixels from 1, as MATLAB does: the
reader of a dataset says so once, in `Index.origin`. Extra blanks, `version: 1.0` and an absent last
newline occur in real copies and are read; anything else that deviates is refused with file and
line, since a guess here would become a score.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchbox.errors import DataError
from benchbox.file_readers.bounds import LARGEST_PX
from benchbox.file_readers.regular_files import read_text

if TYPE_CHECKING:
    from benchbox.types import Floats

_LARGEST_FILE = 64 * 1024  # bytes; 68 points take 2 KiB
_VERSION = re.compile(r"1(\.0*)?")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)


def read_pts(path: Path, count: int = 68) -> Floats:
    r"""Read the points (count, 2) px of one file, in the file's own frame.

    Raises
    ------
    DataError
        The file is absent, too large, no text, truncated, or has a malformed line or another number
        of points; names the file and, where there is one, the line.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "face.pts"
    ...     _ = path.write_text("version: 1\nn_points: 2\n{\n1.5 2\n30 40.25\n}\n")
    ...     read_pts(path, count=2).tolist()
    [[1.5, 2.0], [30.0, 40.25]]
    """
    points = read_any_pts(path)
    if len(points) != count:
        raise DataError(f"{path}: has {len(points)} points, {count} are needed")
    return points


def read_any_pts(path: Path) -> Floats:
    """Read the points (n, 2) px of one file, as many as its header says.

    Raises what `read_pts` raises.
    """
    lines = _read_lines(path)
    start, stated = _parse_header(path, lines)
    points = _parse_points(path, lines, start)
    if stated != len(points):
        raise DataError(
            f"{path}: the header says n_points: {stated}, but {len(points)} points follow"
        )
    return np.array(points, np.float64)


def _read_lines(path: Path) -> list[str]:
    return read_text(path, _LARGEST_FILE).splitlines()


def _parse_header(path: Path, lines: list[str]) -> tuple[int, int]:
    """Return the index of the first line after the opening brace, and n_points."""
    stated = None
    for number, line in enumerate(lines, start=1):
        text = line.strip()
        if text == "{":
            if stated is None:
                raise DataError(f"{path}:{number}: the points begin before a line 'n_points: N'")
            return number, stated
        key, _, value = (part.strip() for part in text.partition(":"))
        if key == "n_points" and value.isdecimal() and len(value) < 6:
            stated = int(value)
        elif text and not (key == "version" and _VERSION.fullmatch(value)):
            raise DataError(
                f"{path}:{number}: {text[:40]!r} in place of 'version: 1', 'n_points: N' or '{{'"
            )
    raise DataError(f"{path}:{len(lines)}: the file ends before the opening brace; fetch it again")


def _parse_points(path: Path, lines: list[str], start: int) -> list[tuple[float, float]]:
    points: list[tuple[float, float]] = []
    for number, line in enumerate(lines[start:], start=start + 1):
        words = line.split()
        if words == ["}"]:
            _check_end(path, lines, number)
            return points
        if not words:
            continue
        shown = repr(line.strip()[:40])
        if len(words) != 2 or not all(map(_NUMBER.fullmatch, words)):
            raise DataError(f"{path}:{number}: {shown} is not two numbers 'x y'")
        x, y = float(words[0]), float(words[1])
        if not (abs(x) <= LARGEST_PX and abs(y) <= LARGEST_PX):
            raise DataError(f"{path}:{number}: {shown} is beyond all pictures")
        points.append((x, y))
    raise DataError(
        f"{path}:{len(lines)}: the file ends without a closing brace; "
        "it is truncated, fetch it again"
    )


def _check_end(path: Path, lines: list[str], number: int) -> None:
    for later, line in enumerate(lines[number:], start=number + 1):
        if line.strip():
            raise DataError(f"{path}:{later}: {line.strip()[:40]!r} after the closing brace")
