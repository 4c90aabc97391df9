"""WFLW's lists: a face per line, 196 numbers, and in `rect_attr` lists a rectangle and six flags.

207 words: points, x_min y_min x_max y_max, six flags, the path; 197 words: points and path. Copies
with other counts are other lists (98 points in shares of the picture for PFLD, 68 points). Pictures
repeat, so a face is called by its line.
"""

from __future__ import annotations

from pathlib import Path

from benchbox.errors import DataError
from benchbox.file_readers.regular_files import read_text

from .marked_face import MarkedFace, MarkedFaces, corner_box, image_name, number, positions

_COORDINATES = 196
_FLAGS = ("pose", "expression", "illumination", "make-up", "occlusion", "blur")


def read_wflw_list(path: Path, field: str = "") -> MarkedFaces:
    """Read a list.

    Raises
    ------
    DataError
        A line has another number of words than the list's kind, or holds shares of the picture;
        names the line.
    """
    del field
    faces = []
    kinds: dict[int, int] = {}
    for row, line in enumerate(read_text(path).splitlines(), start=1):
        words = line.split()
        if not words:
            continue
        where = f"{path}:{row}"
        kinds.setdefault(len(words), row)
        if len(words) not in (197, 207) or len(kinds) > 1:
            raise DataError(
                f"{where}: {len(words)} words; a line of WFLW's list has 207 (points, rectangle, "
                "flags, path) or, throughout, 197 (points, path): another list, or a blank in "
                "a path?"
            )
        faces.append(_read_line(words, row, where))
    return MarkedFaces(faces, count=98)


def _read_line(words: list[str], row: int, where: str) -> MarkedFace:
    numbers = [number(word, where) for word in words[:-1]]
    coordinates = numbers[:_COORDINATES]
    if max(coordinates) <= 1.5:
        raise DataError(f"{where}: numbers up to 1 are shares of a picture (a PFLD list?), no px")
    box: tuple[float, ...] = ()
    attributes = {}
    if len(words) == 207:
        box = corner_box(numbers[196:200], where)
        for name, flag in zip(_FLAGS, numbers[200:206], strict=True):
            if flag not in (0, 1):
                raise DataError(f"{where}: the flag {name} is {flag:g}, must be 0 or 1")
            attributes[name] = flag == 1
    pairs = zip(coordinates[0::2], coordinates[1::2], strict=True)
    return MarkedFace(
        image=image_name(words[-1], where),
        marks=positions(pairs),
        where=where,
        name=f"{row:04d}",
        box=box,
        attributes=attributes,
    )
