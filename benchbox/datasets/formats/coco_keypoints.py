"""COCO keypoints: `images`, `annotations` (keypoints x y v …, bbox x y width height), `categories`.

Order comes from the category's `keypoints`, where it names them. v: 0 not labelled (absent, also
where coordinates were left behind), 1 hidden, 2 visible; a file with 1 throughout says nothing of
visibility (MMPose's copies). COCO's own origin is 0, exports of tools that draw on a canvas keep
0.5, iBUG's copies 1: the file does not say, so it is asked for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchbox.errors import DataError
from benchbox.file_readers.json_files import read_json

from .marked_face import (
    Mark,
    MarkedFace,
    MarkedFaces,
    image_name,
    number,
    refuse_corner_boxes,
    sized_box,
    stated_size,
    table,
    without_points,
)


def read_coco(path: Path, field: str = "") -> MarkedFaces:
    """Read the annotations with keypoints; `field` names the category where several have them.

    Raises
    ------
    DataError
        The file is malformed, or several categories have keypoints and none is named; names the
        annotation.
    """
    content = read_json(path)
    if not isinstance(content, dict):
        raise DataError(f"{path}: holds no lists 'images' and 'annotations' as COCO has them")
    images, sizes = _images(content, path)
    annotations = table(content.get("annotations"), f"{path}: annotations")
    marked = [row for row in annotations if row.get("keypoints")]
    notes = []
    if len(marked) < len(annotations):
        notes.append(
            f"{len(annotations) - len(marked)} annotations without keypoints are passed over"
        )
    names, chosen = _choose_category(content, marked, field, path)
    if len(chosen) < len(marked):
        notes.append(f"{len(marked) - len(chosen)} annotations of other categories passed over")
    count = len(names) or _common_count(chosen, path)
    faces = _read_annotations(chosen, images, sizes, names, count, path)
    faces, more = without_points(faces, "annotations")
    refuse_corner_boxes(faces, str(path))
    notes += more
    faces, said = _drop_flat_visibility(faces)
    notes += said
    if names:
        return MarkedFaces(faces, names, notes=tuple(notes))
    return MarkedFaces(faces, count=count, notes=tuple(notes))


def _images(
    content: Mapping[str, Any], path: Path
) -> tuple[dict[str, str], dict[str, tuple[int, int] | None]]:
    """Return names and stated sizes of the pictures, by id."""
    images: dict[str, str] = {}
    sizes: dict[str, tuple[int, int] | None] = {}
    for row, image in enumerate(table(content.get("images"), f"{path}: images"), start=1):
        where = f"{path}: image {row}"
        key = _key(image.get("id"), where)
        if key in images:
            raise DataError(f"{where}: the id {key} is there twice; ids of joined files restart?")
        images[key] = image_name(image.get("file_name"), where)
        sizes[key] = stated_size(image.get("width"), image.get("height"), where)
    return images, sizes


def _key(value: Any, where: str) -> str:
    """Return an id as text: 7 in one file may be "7" in another."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise DataError(f"{where}: the id {value!r} must be a number or a name")
    return str(value)


def _choose_category(
    content: Mapping[str, Any], annotations: Sequence[Mapping[str, Any]], field: str, path: Path
) -> tuple[tuple[str, ...], list[Mapping[str, Any]]]:
    """Return the points' names, () where there are none, and the annotations that have them."""
    categories = {}
    for category in table(content.get("categories") or [], f"{path}: categories"):
        categories[str(category.get("id"))] = category
    used: dict[str, list[Mapping[str, Any]]] = {}
    for annotation in annotations:
        used.setdefault(str(annotation.get("category_id")), []).append(annotation)
    if field:
        used = {key: rows for key, rows in used.items() if _title(categories, key) == field}
    if not used:
        raise DataError(f"{path}: no annotation{' of ' + field if field else ''} has keypoints")
    if len(used) > 1:
        titles = ", ".join(_title(categories, key) for key in used)
        raise DataError(f"{path}: several categories have keypoints: say --field NAME of {titles}")
    key, chosen = next(iter(used.items()))
    names = categories.get(key, {}).get("keypoints") or []
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise DataError(f"{path}: category {key}: keypoints must be a list of names")
    plain = [name.strip() for name in names]
    if not any(plain):
        return (), chosen
    if len(set(plain)) < len(plain) or not all(plain):
        raise DataError(f"{path}: category {key}: names of keypoints are doubled or empty")
    return tuple(plain), chosen


def _title(categories: Mapping[str, Mapping[str, Any]], key: str) -> str:
    return str(categories.get(key, {}).get("name", key))


def _common_count(annotations: Sequence[Mapping[str, Any]], path: Path) -> int:
    sizes = {len(row["keypoints"]) for row in annotations if isinstance(row["keypoints"], list)}
    if len(sizes) != 1 or max(sizes) % 3:
        raise DataError(f"{path}: keypoints have {sorted(sizes)} numbers; x y v for each point")
    return max(sizes) // 3


def _read_annotations(
    rows: Sequence[Mapping[str, Any]],
    images: Mapping[str, str],
    sizes: Mapping[str, tuple[int, int] | None],
    names: Sequence[str],
    count: int,
    path: Path,
) -> list[MarkedFace]:
    faces = []
    seen = set()
    for row in rows:
        where = f"{path}: annotation {row.get('id')}"
        key = _key(row.get("id"), where)
        if key in seen:
            raise DataError(f"{where}: the id is there twice; ids of joined files restart?")
        seen.add(key)
        image_id = _key(row.get("image_id"), where)
        image = images.get(image_id)
        if image is None:
            raise DataError(f"{where}: its image {row.get('image_id')!r} is not in 'images'")
        box: tuple[float, ...] = ()
        if row.get("bbox"):
            box = sized_box(row["bbox"], f"{where}: {image}")
        faces.append(
            MarkedFace(
                image=image,
                marks=_marks(row["keypoints"], names, count, where),
                where=where,
                box=box,
                scale_box=_scale_box(row, where),
                picture_size=sizes[image_id],
            )
        )
    return faces


def _marks(keypoints: Any, names: Sequence[str], count: int, where: str) -> dict[str, Mark]:
    if not isinstance(keypoints, list) or len(keypoints) != 3 * count:
        size = len(keypoints) if isinstance(keypoints, list) else keypoints
        raise DataError(f"{where}: keypoints has {size} numbers, {count} points make {3 * count}")
    marks = {}
    for row in range(count):
        x, y, flag = keypoints[3 * row : 3 * row + 3]
        if flag not in (0, 1, 2):
            raise DataError(f"{where}: point {row}: v is {flag!r}, must be 0, 1 or 2")
        if flag:
            name = names[row] if names else str(row)
            marks[name] = Mark(number(x, where), number(y, where), visible=flag == 2)
    return marks


def _drop_flat_visibility(
    faces: Sequence[MarkedFace],
) -> tuple[list[MarkedFace], list[str]]:
    """Take visibility away where no point of the file is marked visible: the writer did not say."""
    if any(mark.visible for face in faces for mark in face.marks.values()):
        return list(faces), []
    plain = []
    for face in faces:
        marks = {name: Mark(mark.x, mark.y) for name, mark in face.marks.items()}
        plain.append(replace(face, marks=marks))
    return plain, ["v = 1 throughout: the file does not say what is visible"]


def _scale_box(row: Mapping[str, Any], where: str) -> tuple[float, ...]:
    """Return the square of AFLW's face size about the annotated centre, where a row has both."""
    centre, size = row.get("center"), row.get("box_size")
    if size is None or not isinstance(centre, list) or len(centre) != 2:
        return ()
    half = number(size, where) / 2
    x, y = (number(value, where) for value in centre)
    return x - half, y - half, x + half, y + half
