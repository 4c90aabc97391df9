"""CSV files of faces: a header, then a row per face.

`image`, then `x0, y0, x1, y1, …`; where there are any: `id`, `cluster`, `box_x0 … box_y1`, `v0, v1,
…` (1 visible, 0 hidden), attributes `is_<name>` (0 or 1), `box_size` (the side of AFLW's face box,
about `center_w, center_h` or about the points). The columns of HRNet's lists (`image_name`,
`original_0_x`, `original_0_y`, …) are known too; their `scale` is not used. A column that is not
read is named in a note; one of a group without the others is refused. A point whose cells are empty
or `nan` is absent, as is a hidden one at (0, 0) or (-1, -1).
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchbox.errors import DataError
from benchbox.file_readers.bounds import MOST_CELLS
from benchbox.file_readers.csv_files import describe_blanks, open_csv

from .annotated_face import (
    AnnotatedFace,
    AnnotationFile,
    centre_of_points,
    check_box,
    check_halves,
    drop_placeholders,
    read_number,
    refuse_repeated,
    shorten_names,
    square_about,
)
from .formats import paths

_POINT = re.compile(r"(?:([xy])(\d+)|original_(\d+)_([xy]))")
_CORNERS = ("box_x0", "box_y0", "box_x1", "box_y1")
_CENTRE = ("center_w", "center_h")
_SINGLE = ("image", "image_name", "id", "cluster", "box_size")
_UNUSED = ("scale",)  # of HRNet's lists: the crop that it trained on


def read_csv(path: Path, part: str, count: int) -> AnnotationFile:
    """Read a file of faces with `count` points each.

    Raises
    ------
    DataError
        The file is malformed; names its line.
    """
    faces: list[AnnotatedFace] = []
    seen: dict[tuple[object, ...], str] = {}
    with open_csv(path, most_cells=MOST_CELLS) as rows:
        header = [name.strip() for name in next(rows, [])]
        blanks = describe_blanks(header, path, "commas")
        if blanks:
            raise DataError(f"{path}:1: {blanks}")
        columns = _point_columns(header, count, f"{path}:1")
        _check_groups(header, count, f"{path}:1")
        for cells in rows:
            where = f"{path}:{rows.line_num}"
            if not any(cell.strip() for cell in cells):  # a blank line
                continue
            if len(cells) != len(header):
                raise DataError(f"{where}: {len(cells)} cells, the header names {len(header)}")
            default_id = f"{part}/{len(faces) + 1:05d}"
            row = dict(zip(header, cells, strict=True))
            faces.append(_read_row(row, columns, default_id, where))
            refuse_repeated(faces[-1], seen, where)
    return AnnotationFile(faces, _note_unread(header, count, path))


def _point_columns(header: Sequence[str], count: int, where: str) -> list[str]:
    """Return the columns of the points in order x0, y0, x1, ….

    Raises DataError unless all of them are there once.

    >>> _point_columns(["image", "y0", "x0"], 1, "mine.csv:1")
    ['x0', 'y0']
    >>> _point_columns(["image_name", "original_0_x", "original_0_y"], 1, "hrnet.csv:1")
    ['original_0_x', 'original_0_y']
    """
    if len(header) == 1 and ";" in header[0]:
        raise DataError(f"{where}: the cells are divided by semicolons; write commas between them")
    columns: dict[tuple[int, str], str] = {}
    for name in header:
        match = _POINT.fullmatch(name)
        if match:
            axis, number = match[1] or match[4], int(match[2] or match[3])
            columns[number, axis] = name
    wanted: list[tuple[int, str]] = []
    for number in range(count):
        wanted += [(number, "x"), (number, "y")]
    doubled = sorted({name for name in header if header.count(name) > 1})
    if doubled:
        raise DataError(f"{where}: the column {doubled[0]!r} is there twice; keep one")
    if sorted(columns) != sorted(wanted):
        raise DataError(
            f"{where}: {len(columns)} point columns, {len(wanted)} are needed: "
            f"x0,y0 … x{count - 1},y{count - 1}, each once (or original_0_x, …)"
            f"{_name_difference(columns, wanted)}"
        )
    if "image" not in header and "image_name" not in header:
        raise DataError(f"{where}: there is no column 'image'")
    return [columns[key] for key in wanted]


def _name_difference(
    columns: Mapping[tuple[int, str], str], wanted: Sequence[tuple[int, str]]
) -> str:
    """Name the first point column that lacks, or the first that is too many."""
    for number, axis in wanted:
        if columns and (number, axis) not in columns:
            return f"; {axis}{number} is not there"
    for key in sorted(columns):
        if key not in wanted:
            return f"; {columns[key]} does not belong there"
    return ""


def _check_groups(header: Sequence[str], count: int, where: str) -> None:
    """Refuse some columns of a group without the others: they would be dropped silently."""
    groups = (_CORNERS, _CENTRE, _visible_columns(count))
    for names in groups:
        present = [name for name in names if name in header]
        absent = [name for name in names if name not in header]
        if present and absent:
            raise DataError(
                f"{where}: there is a column {present[0]!r} and none {absent[0]!r}; "
                f"all of {names[0]} … {names[-1]} or none"
            )


def _visible_columns(count: int) -> tuple[str, ...]:
    return tuple(f"v{point}" for point in range(count))


def _note_unread(header: Sequence[str], count: int, path: Path) -> list[str]:
    """Name the columns that are not read."""
    known = {*_SINGLE, *_CORNERS, *_CENTRE, *_UNUSED, *_visible_columns(count)}
    unread = []
    for name in header:
        if name not in known and not _POINT.fullmatch(name) and not name.startswith("is_"):
            unread.append(name or "(without a name)")
    if not unread:
        return []
    hint = ""
    if any("vis" in name.lower() or "occ" in name.lower() for name in unread):
        hint = f"; visibility is read from v0 … v{count - 1} (1 visible, 0 hidden)"
    return [f"{path.name}: {len(unread)} columns are not read: {shorten_names(unread)}{hint}"]


def _read_row(
    cells: Mapping[str, str], columns: Sequence[str], default_id: str, where: str
) -> AnnotatedFace:
    image_cell = cells.get("image") or cells.get("image_name") or ""
    image = paths.check_relative_path(image_cell.strip(), where)
    attributes = {}
    for key, value in cells.items():
        if key.startswith("is_"):
            attributes[key.removeprefix("is_")] = _read_flag(value, where)
    visible = _read_visible(cells, len(columns) // 2, where)
    points = [_read_coordinate(cells[key], where, key) for key in columns]
    points = drop_placeholders(check_halves(points, where), visible)
    return AnnotatedFace(
        id=cells.get("id", "").strip() or default_id,
        image=image,
        points=points,
        cluster=cells.get("cluster", "").strip() or image,
        place=where,
        box=_read_box(cells, f"{where}: {image}"),
        scale_box=_read_scale_box(cells, points, f"{where}: {image}"),
        visible=visible,
        attributes=attributes,
    )


def _read_coordinate(text: str, where: str, key: str) -> float:
    """Return a coordinate, NaN where the point is not marked."""
    if text.strip().lower() in ("", "nan"):
        return math.nan
    return read_number(text, where, key)


def _read_box(cells: Mapping[str, str], where: str) -> tuple[float, ...]:
    corners = [cells.get(key) for key in _CORNERS]
    if None in corners or not any(corner and corner.strip() for corner in corners):
        return ()
    return check_box([read_number(corner, where) for corner in corners], where)


def _read_scale_box(
    cells: Mapping[str, str], points: Sequence[float], where: str
) -> tuple[float, ...]:
    """Return the square of AFLW's face size, where a row has one."""
    if not cells.get("box_size", "").strip():
        return ()
    side = read_number(cells["box_size"], where, "box_size")
    centre = centre_of_points(points)
    if _CENTRE[0] in cells:
        x, y = (read_number(cells[key], where, key) for key in _CENTRE)
        centre = (x, y)
    return square_about(centre, side, where)


def _read_visible(cells: Mapping[str, str], count: int, where: str) -> tuple[bool, ...]:
    if "v0" not in cells:
        return ()
    return tuple(_read_flag(cells[name], where) for name in _visible_columns(count))


def _read_flag(text: str, where: str) -> bool:
    if text.strip() not in ("0", "1"):
        raise DataError(f"{where}: {text[:20]!r} is neither 0 nor 1")
    return text.strip() == "1"
