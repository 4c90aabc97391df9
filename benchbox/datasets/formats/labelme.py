"""LabelMe: a json per picture, a `point` shape per landmark, a `rectangle` for the face.

Origin 0.5: the canvas begins at the corner of the first pixel. Order comes from labels, an absent
point has no shape, `group_id` tells faces apart. Hidden has no field: people use a flag (occluded,
hidden) or end the label with it; both are read.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchbox.errors import DataError
from benchbox.file_readers.json_files import read_json

from .marked_face import (
    LooseBox,
    LoosePoint,
    Mark,
    MarkedFace,
    MarkedFaces,
    corner_box,
    group_points,
    image_name,
    list_files,
    number,
    stated_size,
    table,
    with_size,
)

_HIDDEN = ("occluded", "hidden", "invisible")


def is_labelme(content: Any) -> bool:
    """Tell whether a json is LabelMe's."""
    return isinstance(content, dict) and "shapes" in content and "imagePath" in content


def read_labelme(path: Path, field: str = "") -> MarkedFaces:
    """Read a file or a folder of them.

    Raises
    ------
    DataError
        A file is malformed, or nothing tells two faces apart; names the file and the label.
    """
    del field
    faces: list[MarkedFace] = []
    notes = []
    shapes_passed, others = 0, 0
    for file in list_files(path, (".json",)):
        content = read_json(file)
        if not is_labelme(content):
            others += 1
            continue
        found, passed = _read_file(content, file)
        faces += found
        shapes_passed += passed
    if others:
        notes.append(f"{others} json files are not LabelMe's, passed over")
    if shapes_passed:
        notes.append(f"{shapes_passed} shapes are neither points nor rectangles, passed over")
    names = sorted({name for face in faces for name in face.marks})
    return MarkedFaces(faces, tuple(names), notes=tuple(notes), folder=path)


def _read_file(content: Mapping[str, Any], path: Path) -> tuple[list[MarkedFace], int]:
    points, boxes = [], []
    passed = 0
    for row, shape in enumerate(table(content.get("shapes"), f"{path}: shapes"), start=1):
        where = f"{path}: shape {row}"
        group = "" if shape.get("group_id") is None else str(shape["group_id"])
        places = shape.get("points")
        if not isinstance(places, list) or not all(_is_pair(place) for place in places):
            raise DataError(f"{where}: points are not [[x, y], …]")
        kind = shape.get("shape_type")
        if kind == "point" and len(places) == 1:
            label, hidden = _label(shape, where)
            x, y = (number(value, where) for value in places[0])
            points.append(LoosePoint(label, Mark(x, y, visible=not hidden), group))
        elif kind == "rectangle" and len(places) == 2:
            sides = [number(value, where) for value in (*places[0], *places[1])]
            boxes.append(LooseBox(corner_box(sides, where), group))
        else:
            passed += 1
    if not points:
        return [], passed
    image = image_name(content.get("imagePath"), f"{path}: imagePath")
    size = stated_size(content.get("imageWidth"), content.get("imageHeight"), str(path))
    return with_size(group_points(image, points, boxes, str(path)), size), passed


def _is_pair(place: Any) -> bool:
    return isinstance(place, list) and len(place) == 2


def _label(shape: Mapping[str, Any], where: str) -> tuple[str, bool]:
    """Return the label of a point, and whether it is said to be hidden."""
    label = str(shape.get("label") or "").strip()
    flags = shape.get("flags") or {}
    hidden = isinstance(flags, dict) and any(flags.get(name) for name in _HIDDEN)
    for word in _HIDDEN:
        for joint in ("_", "-", " "):
            if label.lower().endswith(joint + word):
                label, hidden = label[: -len(joint + word)], True
    if not label:
        raise DataError(f"{where}: has no label")
    return label, hidden
