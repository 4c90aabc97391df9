"""Datumaro 1.0: `annotations/<subset>.json` with categories, items and their annotations.

Names of the points are in `categories.points`, by label; `visibility` is 0 absent, 1 hidden, 2
visible. The box is an annotation of its own with the same `group`. CVAT's fork has a type
`skeleton`, whose elements are points with labels. The origin is that of the source and not said.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchbox.errors import DataError
from benchbox.file_readers.json_files import read_json

from .marked_face import (
    LooseBox,
    Mark,
    MarkedFace,
    MarkedFaces,
    box_around,
    entry,
    image_name,
    items,
    list_files,
    number,
    refuse_corner_boxes,
    sized_box,
    stated_size,
    table,
    without_points,
)


def read_datumaro(path: Path, field: str = "") -> MarkedFaces:
    """Read a file, or the files of a folder's `annotations/`; `field` names a label.

    Raises
    ------
    DataError
        A file is malformed, or several labels have points and none is named.
    """
    folder = path
    if (path / "annotations").is_dir():
        folder = path / "annotations"
    faces: list[MarkedFace] = []
    names: tuple[str, ...] = ()
    for file in list_files(folder, (".json",)):
        content = read_json(file)
        found, names_here = _read_file(content, field, file)
        if names and names_here and names != names_here:
            raise DataError(f"{file}: names other points than the files before it")
        names = names or names_here
        faces += found
    faces, notes = without_points(faces, "annotations")
    refuse_corner_boxes(faces, str(path))
    if names:
        return MarkedFaces(faces, names, notes=tuple(notes))
    sizes = {len(face.marks) for face in faces}
    return MarkedFaces(faces, count=max(sizes, default=0), notes=tuple(notes))


def _read_file(content: Any, field: str, path: Path) -> tuple[list[MarkedFace], tuple[str, ...]]:
    if not isinstance(content, dict) or not isinstance(content.get("categories"), dict):
        raise DataError(f"{path}: holds no 'categories' and 'items' as Datumaro has them")
    labels = _labels(content, path)
    orders = _point_names(content, labels, path)
    faces: list[MarkedFace] = []
    used: dict[str, None] = {}
    for item in table(content.get("items"), f"{path}: items"):
        where = f"{path}: {item.get('id')}"
        image = entry(item.get("image"), f"{where}: image")
        name = image_name(image.get("path") or item.get("id"), where)
        height, width = (*items(image.get("size"), f"{where}: size"), None, None)[:2]
        size = stated_size(width, height, where)
        rows = table(item.get("annotations") or [], where)
        boxes = []
        for row in rows:
            if row.get("type") == "bbox":
                boxes.append(
                    LooseBox(sized_box(row.get("bbox"), where), str(row.get("group") or ""))
                )
        for row in rows:
            label = _label_of(row, labels)
            if row.get("type") not in ("points", "skeleton") or (field and label != field):
                continue
            used[label] = None
            place = f"{where}, annotation {row.get('id')}"
            marks = _marks(row, orders.get(label, ()), labels, place)
            group = str(row.get("group") or "")
            tied = [box.corners for box in boxes if group and box.group == group]
            corners = (
                tied[0]
                if len(tied) == 1
                else box_around(list(marks.values()), [box.corners for box in boxes])
            )
            faces.append(MarkedFace(name, marks, place, box=corners, picture_size=size))
    if len(used) > 1:
        raise DataError(
            f"{path}: several labels have points: say --field NAME of {', '.join(used)}"
        )
    for label in used:
        return faces, orders.get(label) or _all_names(faces)
    return faces, ()


def _all_names(faces: Sequence[MarkedFace]) -> tuple[str, ...]:
    names: dict[str, None] = {}
    for face in faces:
        names.update(dict.fromkeys(face.marks))
    if all(name.isdecimal() for name in names):
        return ()
    return tuple(names)


def _labels(content: Mapping[str, Any], path: Path) -> dict[int, str]:
    where = f"{path}: labels"
    labels = {}
    named = entry(content["categories"].get("label"), where)
    for row, label in enumerate(items(named.get("labels"), where)):
        if isinstance(label, dict):
            labels[row] = str(label.get("name"))
    return labels


def _label_of(row: Mapping[str, Any], labels: Mapping[int, str]) -> str:
    number = row.get("label_id")
    return labels.get(number, "") if isinstance(number, int) else ""


def _point_names(
    content: Mapping[str, Any], labels: Mapping[int, str], path: Path
) -> dict[str, tuple[str, ...]]:
    where = f"{path}: points of labels"
    names = {}
    points = entry(content["categories"].get("points"), where)
    for item in items(points.get("items"), where):
        if isinstance(item, dict) and item.get("labels"):
            names[_label_of(item, labels)] = tuple(map(str, items(item["labels"], where)))
    return names


def _marks(
    row: Mapping[str, Any], names: Sequence[str], labels: Mapping[int, str], where: str
) -> dict[str, Mark]:
    if row.get("type") == "skeleton":
        marks: dict[str, Mark] = {}
        for element in table(row.get("elements"), where):
            name = _label_of(element, labels)
            marks |= _marks({**element, "type": "points"}, (name,), labels, where)
        return marks
    numbers = row.get("points")
    if not isinstance(numbers, list) or len(numbers) % 2:
        raise DataError(f"{where}: points are not x y x y …")
    count = len(numbers) // 2
    if names and len(names) != count:
        raise DataError(f"{where}: has {count} points, its label names {len(names)}")
    flags = items(row.get("visibility"), f"{where}: visibility") or [2] * count
    if len(flags) != count or not all(flag in (0, 1, 2) for flag in flags):
        raise DataError(f"{where}: visibility must hold 0, 1 or 2 for each of {count} points")
    marks = {}
    for point in range(count):
        if flags[point]:
            x, y = number(numbers[2 * point], where), number(numbers[2 * point + 1], where)
            name = names[point] if names else str(point)
            marks[name] = Mark(x, y, visible=flags[point] == 2)
    return marks
