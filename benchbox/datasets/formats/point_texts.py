"""Text files with a face each: LaPa's and JD-landmark's 106 points, HELEN's 194.

LaPa: the first line is the number of points, then `x y`; `NAME.txt` or `NAME.jpg.txt`. "106" names
three orders, so the layout is asked for. HELEN: the first line is the picture's name without its
suffix, then `x , y`; the file's own number is no id. Both: origin 0 by use, not stated.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from benchbox.errors import DataError
from benchbox.file_readers.regular_files import read_text

from .marked_face import Mark, MarkedFace, MarkedFaces, image_name, list_files, number, positions

_LARGEST = 256 * 1024  # bytes
_MOST_POINTS = 5000


def read_lapa(path: Path, field: str = "") -> MarkedFaces:
    """Read every text file whose first line is a number of points.

    Raises
    ------
    DataError
        A file has another number of points than it says, or than the first one; names the line.
    """
    del field
    faces = []
    count = 0
    for file in list_files(path, (".txt",)):
        lines = _lines(file)
        if not starts_with_count(lines):
            continue
        stated = int(lines[0])
        marks = _marks(lines[1:], file, None)
        if len(marks) != stated:
            raise DataError(f"{file}: says {stated} points, {len(marks)} follow")
        if count and stated != count:
            raise DataError(f"{file}: has {stated} points, the files before it {count}")
        count = stated
        name = file.name.removesuffix(file.suffix)
        relative = file.relative_to(path).parent.as_posix() if path.is_dir() else "."
        image = (PurePosixPath(relative) / name).as_posix()
        faces.append(MarkedFace(image, marks, str(file), name=_plain_stem(image)))
    return MarkedFaces(faces, count=count, folder=path)


def read_helen(path: Path, field: str = "") -> MarkedFaces:
    """Read every text file whose first line is a name and whose others are `x , y`.

    Raises
    ------
    DataError
        A file has another number of points than the first one; names the line.
    """
    del field
    faces = []
    count = 0
    for file in list_files(path, (".txt",)):
        lines = _lines(file)
        if not starts_with_name(lines):
            continue
        image = image_name(lines[0], f"{file}:1")
        marks = _marks(lines[1:], file, ",")
        if count and len(marks) != count:
            raise DataError(f"{file}: has {len(marks)} points, the files before it {count}")
        count = len(marks)
        faces.append(MarkedFace(image, marks, str(file), name=image))
    return MarkedFaces(faces, count=count, folder=path)


def starts_with_count(lines: list[str]) -> bool:
    """Tell whether lines are LaPa's: a number of points, then `x y`."""
    return (
        len(lines) > 1
        and lines[0].strip().isdecimal()
        and len(lines[0].strip()) < 6
        and 0 < int(lines[0]) <= _MOST_POINTS
        and len(lines[1].split()) == 2
        and "," not in lines[1]
    )


def starts_with_name(lines: list[str]) -> bool:
    """Tell whether lines are HELEN's: a name, then `x , y`."""
    return len(lines) > 1 and "," not in lines[0] and len(lines[1].split(",")) == 2


def _plain_stem(image: str) -> str:
    for suffix in (".jpg", ".jpeg", ".png", ".bmp"):
        if image.lower().endswith(suffix):
            return image[: -len(suffix)]
    return image


def _lines(file: Path) -> list[str]:
    return read_text(file, _LARGEST).splitlines()


def _marks(lines: list[str], file: Path, separator: str | None) -> dict[str, Mark]:
    points = []
    for row, line in enumerate(lines, start=2):
        if not line.strip():
            continue
        words = line.split(separator)
        where = f"{file}:{row}"
        if len(words) != 2:
            raise DataError(f"{where}: {line[:40]!r} is not a point")
        points.append((number(words[0], where), number(words[1], where)))
    return positions(points)
