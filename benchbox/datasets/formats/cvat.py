"""CVAT for images 1.1: `image[name]` with `skeleton`, `points` and `box` elements.

Origin 0.5: CVAT's canvas begins at the corner of the first pixel. A skeleton's nodes have labels
and stand in no fixed order: order comes from the labels. `outside="1"` is an absent point, whatever
coordinates stand there; `occluded="1"` is a hidden one. `points` have no names: they stand as
clicked. A face is an element; `group_id` ties a box to it, else the box that holds its points.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchbox.errors import DataError
from benchbox.file_readers.xml_files import parse_xml

from .marked_face import (
    LooseBox,
    LoosePoint,
    Mark,
    MarkedFace,
    MarkedFaces,
    box_around,
    corner_box,
    group_points,
    image_name,
    number,
    positions,
    stated_size,
    with_size,
    without_points,
)

_NODE = re.compile(r'data-label-name="([^"]+)"')


def read_cvat(path: Path, field: str = "") -> MarkedFaces:
    """Read skeletons, or points where there is none; `field` names a label where several have them.

    Raises
    ------
    DataError
        The file is malformed or for videos, or several labels have points and none is named.
    """
    root = parse_xml(path)
    if root.find("track") is not None:
        raise DataError(f"{path}: is CVAT for video; export it as 'CVAT for images 1.1'")
    images = root.findall("image")
    label, kind = _choose_label(images, field, path)
    faces: list[MarkedFace] = []
    for image in images:
        name = image_name(image.get("name"), f"{path}: image {image.get('id')}")
        where = f"{path}: {name}"
        if kind == "loose":
            found = _loose_faces(image, name, where)
        else:
            found = _element_faces(image, name, label, kind, where)
        faces += with_size(found, stated_size(image.get("width"), image.get("height"), where))
    faces, notes = without_points(faces, "elements")
    if kind == "points":
        return _by_position(faces, notes, path)
    names = _label_order(root, label) or _labels_of_nodes(images, faces)
    return MarkedFaces(faces, tuple(names), notes=tuple(notes))


def _choose_label(images: Sequence[Any], field: str, path: Path) -> tuple[str, str]:
    """Return the label of the faces and how they are marked: skeleton, points or loose."""
    for kind in ("skeleton", "points"):
        labels: dict[str, int] = {}
        for image in images:
            for element in image.iterfind(kind):
                label = element.get("label") or ""
                size = 0 if kind == "skeleton" else (element.get("points") or "").count(";") + 1
                labels[label] = max(labels.get(label, 0), size)
        if field:
            labels = {label: size for label, size in labels.items() if label == field}
        if kind == "points" and len(labels) > 1 and max(labels.values()) == 1:
            return "", "loose"
        if len(labels) > 1:
            names = ", ".join(labels)
            raise DataError(f"{path}: several labels have points: say --field NAME of {names}")
        if labels:
            return next(iter(labels)), kind
    raise DataError(f"{path}: holds no skeletons and no points{' of ' + field if field else ''}")


def _element_faces(image: Any, name: str, label: str, kind: str, where: str) -> list[MarkedFace]:
    boxes = []
    for box in image.iterfind("box"):
        boxes.append(LooseBox(_corners(box, where), box.get("group_id") or ""))
    faces = []
    for row, element in enumerate(image.iterfind(kind), start=1):
        if element.get("label") != label:
            continue
        place = f"{where}, {kind} {row}"
        if kind == "skeleton":
            marks = _skeleton_marks(element, place)
        else:
            marks = positions(_coordinates(element.get("points"), place))
        corners = _box_for(element.get("group_id") or "", list(marks.values()), boxes)
        occluded = {"occluded": element.get("occluded") == "1"}
        faces.append(MarkedFace(name, marks, place, box=corners, attributes=occluded))
    return faces


def _skeleton_marks(element: Any, where: str) -> dict[str, Mark]:
    marks: dict[str, Mark] = {}
    seen = set()
    for node in element.iterfind("points"):
        label = node.get("label") or ""
        if not label or label in seen:
            raise DataError(f"{where}: the node {label!r} is there twice, or has no label")
        seen.add(label)
        if node.get("outside") == "1":
            continue
        found = _coordinates(node.get("points"), where)
        if len(found) != 1:
            raise DataError(f"{where}: the node {label!r} has {len(found)} places")
        x, y = found[0]
        marks[label] = Mark(x, y, visible=node.get("occluded") != "1")
    return marks


def _coordinates(text: str | None, where: str) -> list[tuple[float, float]]:
    found = []
    for pair in (text or "").split(";"):
        words = pair.split(",")
        if len(words) != 2:
            raise DataError(f"{where}: {pair[:40]!r} is not 'x,y'")
        found.append((number(words[0], where), number(words[1], where)))
    return found


def _corners(box: Any, where: str) -> tuple[float, ...]:
    sides = [number(box.get(side), f"{where}, box") for side in ("xtl", "ytl", "xbr", "ybr")]
    if number(box.get("rotation") or 0, where):
        raise DataError(f"{where}: a box is turned; boxes here are upright")
    return corner_box(sides, where)


def _box_for(group: str, marks: Sequence[Mark], boxes: Sequence[LooseBox]) -> tuple[float, ...]:
    tied = [box.corners for box in boxes if group and box.group == group]
    if len(tied) == 1:
        return tied[0]
    return box_around(marks, [box.corners for box in boxes])


def _loose_faces(image: Any, name: str, where: str) -> list[MarkedFace]:
    """Read single points that carry a label each, without a skeleton."""
    points = []
    for element in image.iterfind("points"):
        for x, y in _coordinates(element.get("points"), where):
            mark = Mark(x, y, visible=element.get("occluded") != "1")
            points.append(
                LoosePoint(element.get("label") or "", mark, element.get("group_id") or "")
            )
    boxes = []
    for box in image.iterfind("box"):
        boxes.append(LooseBox(_corners(box, where), box.get("group_id") or ""))
    if not points:
        return []
    return group_points(name, points, boxes, where)


def _by_position(faces: Sequence[MarkedFace], notes: Sequence[str], path: Path) -> MarkedFaces:
    sizes: Mapping[int, str] = {len(face.marks): face.where for face in faces}
    if len(sizes) > 1:
        (_, first), (size, other) = list(sizes.items())[:2]
        raise DataError(
            f"{other}: has {size} points, {first.removeprefix(f'{path}: ')} has another number: "
            "points without names must be the same for every face"
        )
    return MarkedFaces(faces, count=max(sizes, default=0), notes=tuple(notes))


def _labels_of_nodes(images: Sequence[Any], faces: Sequence[MarkedFace]) -> list[str]:
    """Return the labels of all nodes, outside ones too, where no definition orders them."""
    labels = {key for face in faces for key in face.marks}
    for image in images:
        for node in image.iterfind("skeleton/points"):
            labels.add(node.get("label") or "")
    return sorted(labels)


def _label_order(root: Any, label: str) -> list[str]:
    """Return the labels of a skeleton's nodes in the order of its definition."""
    for entry in root.iterfind("meta//labels/label"):
        if entry.findtext("name") == label and entry.findtext("svg"):
            return _NODE.findall(entry.findtext("svg"))
    names = []
    for entry in root.iterfind("meta//labels/label"):
        if entry.findtext("parent") == label:
            names.append(entry.findtext("name"))
    return names
