"""Folders of `.pts` files, one per face: iBUG's, and MERL-RAV's sign code in the same dress.

iBUG counts from 1, and so does Menpo; scripts write 0-based numbers into the same format, so the
card may say otherwise. MERL-RAV (origin 0 by use): `x y` seen, `-x -y` hidden and estimated at x,
y, `-1 -1` absent. A plain file with a point left of the picture is not MERL-RAV's.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchbox.errors import DataError

from .marked_face import Mark, MarkedFace, MarkedFaces, list_files, positions
from .pts import read_any_pts

_Points = Sequence[tuple[float, float]]


def read_pts_folder(path: Path, field: str = "") -> MarkedFaces:
    """Read every `.pts` file below a folder as it stands.

    Raises
    ------
    DataError
        A file is malformed or has another number of points than the first one.
    """
    del field
    faces = []
    for file, points in _read_all(path):
        faces.append(_face(path, file, positions(points)))
    return MarkedFaces(faces, count=_count(faces), folder=path)


def read_merl_rav(path: Path, field: str = "") -> MarkedFaces:
    """Read every `.pts` file below a folder by MERL-RAV's sign code.

    Raises
    ------
    DataError
        As `read_pts_folder`; or a point has one negative coordinate, which the code does not know.
    """
    del field
    faces = []
    count = 0
    for file, points in _read_all(path):
        marks = {}
        for row, (x, y) in enumerate(points):
            if (x < 0) != (y < 0) and min(x, y) < 0:
                raise DataError(
                    f"{file}: point {row} ({x:g}, {y:g}) has one negative coordinate: that is not "
                    "MERL-RAV's sign code; a plain .pts with a point outside the picture?"
                )
            if (x, y) != (-1, -1):
                marks[str(row)] = Mark(abs(x), abs(y), visible=x >= 0)
        count = len(points)
        faces.append(_face(path, file, marks))
    return MarkedFaces(faces, count=count, folder=path)


def looks_like_merl_rav(path: Path) -> bool:
    """Tell whether the negative points of a folder are MERL-RAV's code rather than places.

    They are where every one is negative in both coordinates and, without the sign, lies among the
    other points of its face, or is exactly (-1, -1).
    """
    coded = 0
    for _, points in _read_all(path):
        seen = [point for point in points if min(point) >= 0]
        for x, y in points:
            if min(x, y) >= 0:
                continue
            if (x, y) != (-1, -1) and not (max(x, y) < 0 and _lies_among((-x, -y), seen)):
                return False
            coded += 1
    return coded > 0


def _lies_among(point: tuple[float, float], others: _Points) -> bool:
    if len(others) < 2:
        return False
    for axis in (0, 1):
        values = [other[axis] for other in others]
        room = (max(values) - min(values)) / 2
        if not min(values) - room <= point[axis] <= max(values) + room:
            return False
    return True


def _read_all(path: Path) -> list[tuple[Path, _Points]]:
    found: list[tuple[Path, _Points]] = []
    for file in list_files(path, (".pts",)):
        points = [(float(x), float(y)) for x, y in read_any_pts(file)]
        if found and len(points) != len(found[0][1]):
            raise DataError(
                f"{file}: has {len(points)} points, {found[0][0].name} has {len(found[0][1])}"
            )
        found.append((file, points))
    return found


def _face(folder: Path, file: Path, marks: dict[str, Mark]) -> MarkedFace:
    stem = file.stem
    if folder.is_dir():
        stem = file.relative_to(folder).with_suffix("").as_posix()
    return MarkedFace(image=stem, marks=marks, where=str(file), name=stem)


def _count(faces: Sequence[MarkedFace]) -> int:
    return max((len(face.marks) for face in faces), default=0)
