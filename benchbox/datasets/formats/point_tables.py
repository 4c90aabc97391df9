"""CSV lists with a face per row: benchbox's own, and HRNet's.

benchbox's: `image`, `x0,y0,x1,y1,…`, perhaps `id`, `cluster`, `box_x0 … box_y1`, `v0,v1,…` (1
visible, 0 hidden) and `is_<name>`; an empty pair is an absent point. HRNet's: `image_name, scale,
center_w, center_h, original_0_x, …`, for AFLW `box_size`, its own face size and the normaliser of
its error; `scale` and the centre are made of the points and not used. Neither says its origin:
HRNet's 300-W counts from 1, its WFLW and AFLW from 0.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchbox.errors import DataError
from benchbox.file_readers.csv_files import open_csv

from .marked_face import (
    Mark,
    MarkedFace,
    MarkedFaces,
    corner_box,
    image_name,
    number,
    without_points,
)

_POINT = re.compile(r"(?:([xy])(\d+)|original_(\d+)_([xy]))")
_CORNERS = ("box_x0", "box_y0", "box_x1", "box_y1")
_USED = {"id", "image", "image_name", "cluster", "scale", "center_w", "center_h", "box_size"}


def read_point_table(path: Path, field: str = "") -> MarkedFaces:
    """Read a file.

    Raises
    ------
    DataError
        A column lacks, is doubled, or a cell is no number; names the line.
    """
    del field
    with open_csv(path) as lines:
        header = [name.strip() for name in next(lines, [])]
        pairs = _point_columns(header, f"{path}:1")
        _refuse_partial_groups(header, len(pairs), f"{path}:1")
        faces = []
        for cells in lines:
            if not any(cell.strip() for cell in cells):
                continue
            where = f"{path}:{lines.line_num}"
            if len(cells) != len(header):
                raise DataError(f"{where}: {len(cells)} cells, the header names {len(header)}")
            row = {name: cell.strip() for name, cell in zip(header, cells, strict=True)}
            faces.append(_read_row(row, pairs, where))
    faces, notes = without_points(faces, "rows")
    unknown = [name for name in header if not _is_known(name)]
    if unknown:
        notes.append(f"columns that are not used: {', '.join(unknown[:8])}")
    return MarkedFaces(faces, count=len(pairs), notes=tuple(notes))


def _point_columns(header: Sequence[str], where: str) -> list[tuple[str, str]]:
    columns: dict[tuple[int, str], str] = {}
    for name in header:
        match = _POINT.fullmatch(name)
        if match:
            columns[int(match[2] or match[3]), match[1] or match[4]] = name
    count = len(columns) // 2
    if len(header) == 1 and ";" in header[0]:
        raise DataError(f"{where}: the cells are divided by semicolons; write commas between them")
    if not count or len(set(header)) < len(header):
        raise DataError(f"{where}: no point columns x0,y0,x1,y1,… (or original_0_x, …), each once")
    pairs = []
    for point in range(count):
        if (point, "x") not in columns or (point, "y") not in columns:
            raise DataError(f"{where}: the columns of point {point} lack, of {count} points")
        pairs.append((columns[point, "x"], columns[point, "y"]))
    if "image" not in header and "image_name" not in header:
        raise DataError(f"{where}: there is no column 'image'")
    return pairs


def _is_known(name: str) -> bool:
    if name in _USED or name in _CORNERS or _POINT.fullmatch(name):
        return True
    return name.startswith("is_") or re.fullmatch(r"v\d+", name) is not None


def _refuse_partial_groups(header: Sequence[str], count: int, where: str) -> None:
    """Refuse some columns of a group without the others: they would be dropped silently."""
    for names in (_CORNERS, tuple(f"v{point}" for point in range(count))):
        absent = [name for name in names if name not in header]
        if 0 < len(absent) < len(names):
            raise DataError(
                f"{where}: there is no column {absent[0]!r}; all of {names[0]} … {names[-1]} or "
                "none"
            )


def _read_row(row: Mapping[str, str], pairs: Sequence[tuple[str, str]], where: str) -> MarkedFace:
    marks = {}
    for point, (across, down) in enumerate(pairs):
        x, y = row[across], row[down]
        if not x and not y:
            continue
        flag = row.get(f"v{point}", "")
        visible = None
        if flag:
            visible = _flag(flag, where)
        marks[str(point)] = Mark(number(x, where), number(y, where), visible)
    box: tuple[float, ...] = ()
    corners = [row.get(key, "") for key in _CORNERS]
    if any(corners):  # an empty cell among numbers is none
        name = row.get("image") or row.get("image_name")
        box = corner_box([number(corner, where) for corner in corners], f"{where}: {name}")
    attributes = {}
    for key, value in row.items():
        if key.startswith("is_"):
            attributes[key.removeprefix("is_")] = _flag(value, where)
    return MarkedFace(
        image=image_name(row.get("image") or row.get("image_name"), where),
        marks=marks,
        where=where,
        name=row.get("id", ""),
        box=box,
        scale_box=_scale_box(row, where),
        attributes=attributes,
        cluster=row.get("cluster", ""),
    )


def _flag(text: str, where: str) -> bool:
    if text not in ("0", "1"):
        raise DataError(f"{where}: {text[:20]!r} is neither 0 nor 1")
    return text == "1"


def _scale_box(row: Mapping[str, str], where: str) -> tuple[float, ...]:
    if not row.get("box_size"):
        return ()
    half = number(row["box_size"], where) / 2
    if not row.get("center_w") or not row.get("center_h"):
        raise DataError(f"{where}: box_size stands there without center_w and center_h")
    x, y = number(row["center_w"], where), number(row["center_h"], where)
    if half <= 0:
        raise DataError(f"{where}: box_size is {row['box_size']}, must be positive")
    return x - half, y - half, x + half, y + half
