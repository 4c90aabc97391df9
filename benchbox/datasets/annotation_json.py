"""COCO-style json files of faces.

A json holds `images` (id, file_name, and width and height, which the pictures must have) and
`annotations` (id, image_id, keypoints x y v …, bbox x y width height); `box_size` (AFLW as MMPose
writes it) becomes the box of `face_size`, about `center` or about the points. Where
`categories[].keypoints` names the points by numbers (`p0, p1, p10, …`), they are put in that order.
A point with v = 0 or null is absent: it keeps its place. An id names one picture, or one
annotation: of two exports put together the second begins again.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchbox.errors import DataError
from benchbox.file_readers import json_files
from benchbox.types import CustomFiles

from .annotated_face import (
    AnnotatedFace,
    AnnotationFile,
    centre_of_points,
    check_box,
    read_number,
    refuse_repeated,
    shorten_names,
    square_about,
)
from .formats import paths

_NUMBER = re.compile(r"\d+")
_READ = {"id", "image_id", "category_id", "keypoints", "bbox", "box_size", "center"}
# of COCO, MMPose and its converters; nothing that a landmark needs
_PASSED_OVER = {
    "area", "iscrowd", "num_keypoints", "scale", "segmentation", "ignore", "score",
    "attributes", "caption", "rotation",
}  # fmt: skip


def read_json(path: Path, part: str, count: int, source: CustomFiles) -> AnnotationFile:
    """Read a file of faces with `count` points each.

    Raises
    ------
    DataError
        The file is malformed; names the image or annotation.
    """
    content = json_files.read_json(path)
    pictures, annotations = _find_table(content, "images"), _find_table(content, "annotations")
    if pictures is None or annotations is None:
        raise DataError(f"{path}: holds no lists 'images' and 'annotations' as COCO has them")
    names, sizes = _read_images(pictures, path)
    orders, notes = _read_orders(content, count, path)
    first_with: dict[Any, int] = {}
    faces: list[AnnotatedFace] = []
    seen: dict[tuple[object, ...], str] = {}
    unread: dict[str, None] = {}
    for number, row in enumerate(annotations, start=1):
        where = f"{path}: annotation {number}"
        earlier = first_with.setdefault(_read_key(row, "id", where), number)
        if earlier != number:
            raise DataError(
                f"{where}: the id {row['id']!r} is that of annotation {earlier}, too; "
                "of files put together, number the second anew"
            )
        unread |= dict.fromkeys(key for key in row if key not in _READ | _PASSED_OVER)
        order = orders.get(row.get("category_id"), ())
        faces.append(_read_annotation(row, names, sizes, order, part, count, source, where))
        refuse_repeated(faces[-1], seen, where)
    if unread:
        what = f"{path.name}: {len(unread)} keys of annotations are not read: "
        notes.append(what + shorten_names(list(unread)))
    return AnnotationFile(faces, notes)


def _find_table(content: Any, key: str) -> list[dict[str, Any]] | None:
    """Return a list of objects, None where there is none."""
    if not isinstance(content, dict):
        return None
    table = content.get(key)
    if not isinstance(table, list) or not all(isinstance(row, dict) for row in table):
        return None
    return table


def _read_key(row: Mapping[str, Any], key: str, where: str) -> Any:
    value = row.get(key)
    if not isinstance(value, int | str):
        raise DataError(f"{where}: {key} is {value!r}, must be a number or a name")
    return value


# --- images ---------------------------------------------------------------------------------------


def _read_images(
    pictures: Sequence[Mapping[str, Any]], path: Path
) -> tuple[dict[Any, str], dict[Any, tuple[int, int]]]:
    """Return name and stated (width, height) of each image, by id."""
    names: dict[Any, str] = {}
    sizes: dict[Any, tuple[int, int]] = {}
    for number, picture in enumerate(pictures, start=1):
        where = f"{path}: image {number}"
        name = paths.check_relative_path(str(picture.get("file_name", "")), where)
        key = _read_key(picture, "id", where)
        if names.setdefault(key, name) != name:
            raise DataError(
                f"{where}: the id {key!r} names {names[key]} and {name}; "
                "of files put together, number the images of the second anew"
            )
        width, height = picture.get("width"), picture.get("height")
        if isinstance(width, int) and isinstance(height, int) and width > 0 and height > 0:
            sizes[key] = (width, height)
    return names, sizes


# --- order of the points --------------------------------------------------------------------------


def _read_orders(
    content: Mapping[str, Any], count: int, path: Path
) -> tuple[dict[Any, tuple[int, ...]], list[str]]:
    """Return for each category the place in the file of every point of the layout, and notes.

    A category that does not name its points, or in the layout's order, has none.
    """
    orders: dict[Any, tuple[int, ...]] = {}
    notes = []
    for category in _find_table(content, "categories") or []:
        names = category.get("keypoints")
        if not isinstance(names, list) or not names:
            continue
        key = category.get("id")
        where = f"{path}: category {key!r}"
        if not isinstance(key, int | str) or len(names) != count:
            raise DataError(f"{where}: keypoints names {len(names)} points, {count} are needed")
        order = order_by_names([str(name) for name in names], where)
        if order is None:
            text = "the points' names hold no numbers; their order is taken to be the layout's"
            notes.append(f"{path.name}: category {key!r}: {text}")
        elif order != tuple(range(count)):
            orders[key] = order
            text = f"points are put in the order of their names ({shorten_names(names)})"
            notes.append(f"{path.name}: category {key!r}: {text}")
    return orders, notes


def order_by_names(names: Sequence[str], where: str) -> tuple[int, ...] | None:
    """Return the place of every point, given names in the order of a file; None without numbers.

    The last number of a name is its point's, counted from 0 or from 1.

    Raises
    ------
    DataError
        Names hold numbers, and not each once; the message begins with `where`.

    Examples
    --------
    >>> order_by_names(["p0", "p1", "p10", "p2", *(f"p{k}" for k in range(3, 10))], "a.json")
    (0, 1, 3, 4, 5, 6, 7, 8, 9, 10, 2)
    >>> order_by_names(["2", "1"], "a.json")
    (1, 0)
    >>> order_by_names(["left eye", "nose"], "a.json") is None
    True
    """
    numbers = []
    for name in names:
        found = _NUMBER.findall(name)
        if not found:
            return None
        numbers.append(int(found[-1]))
    first = min(numbers)
    if sorted(numbers) != list(range(first, first + len(names))) or first > 1:
        if len(set(numbers)) < len(numbers) / 2:
            return None  # numbers within the parts of a face: "left_eye_1", "mouth_1"
        raise DataError(
            f"{where}: the numbers in the names of keypoints ({shorten_names(names)}) "
            f"are not 0 … {len(names) - 1} or 1 … {len(names)}, each once"
        )
    place = {number - first: place for place, number in enumerate(numbers)}
    return tuple(place[number] for number in range(len(names)))


# --- annotations ----------------------------------------------------------------------------------


def _read_annotation(
    row: Mapping[str, Any],
    names: Mapping[Any, str],
    sizes: Mapping[Any, tuple[int, int]],
    order: Sequence[int],
    part: str,
    count: int,
    source: CustomFiles,
    where: str,
) -> AnnotatedFace:
    where = f"{where} (id {row.get('id')})"
    key = _read_key(row, "image_id", where)
    if key not in names:
        raise DataError(f"{where}: its image {key!r} is not in 'images'")
    keypoints = _read_keypoints(row, count, where)
    if order:
        keypoints = [keypoints[place] for place in order]
    box: tuple[float, ...] = ()
    if row.get("bbox") is not None:
        box = _coco_corners(row["bbox"], f"{where}: {names[key]}")
    visible: tuple[bool, ...] = ()
    if source.visible == "coco":
        visible = tuple(mark > 1 for _, _, mark in keypoints)
    points = []
    for x, y, _ in keypoints:
        points += [x, y]
    return AnnotatedFace(
        id=f"{part}/{row['id']}",
        image=names[key],
        points=points,
        cluster=names[key],
        place=where,
        box=box,
        scale_box=_read_scale_box(row, points, f"{where}: {names[key]}"),
        visible=visible,
        picture_size=sizes.get(key),
    )


def _read_keypoints(
    row: Mapping[str, Any], count: int, where: str
) -> list[tuple[float, float, float]]:
    """Return (x, y, mark) of every point; x and y are NaN where it is not marked."""
    keypoints = row.get("keypoints")
    if not isinstance(keypoints, list) or len(keypoints) != 3 * count:
        has = keypoints
        if isinstance(keypoints, list):
            has = len(keypoints)
        raise DataError(
            f"{where}: keypoints has {has} numbers, {count} points x y v make {3 * count}"
        )
    points = []
    for number in range(count):
        x, y, mark = keypoints[3 * number : 3 * number + 3]
        if mark is None or read_number(mark, where) == 0:
            points.append((math.nan, math.nan, 0.0))
        else:
            points.append((read_number(x, where), read_number(y, where), read_number(mark, where)))
    return points


def _coco_corners(bbox: Any, where: str) -> tuple[float, ...]:
    """Return the corners of COCO's x y width height.

    >>> _coco_corners([10, 20, 30, 40], "mine.json: annotation 1")
    (10.0, 20.0, 40.0, 60.0)
    """
    if not isinstance(bbox, list) or len(bbox) != 4:
        raise DataError(f"{where}: bbox {str(bbox)[:60]} is not x y width height")
    x, y, width, height = (read_number(value, where) for value in bbox)
    return check_box((x, y, x + width, y + height), where)


def _read_scale_box(
    row: Mapping[str, Any], points: Sequence[float], where: str
) -> tuple[float, ...]:
    """Return the square of AFLW's face size, where a json has one."""
    size = row.get("box_size")
    if size is None:
        return ()
    side = read_number(size, where, "box_size")
    centre = row.get("center")
    if centre is None:
        return square_about(centre_of_points(points), side, where)
    if not isinstance(centre, list) or len(centre) != 2:
        raise DataError(f"{where}: center {str(centre)[:60]} is not x y")
    x, y = (read_number(value, where, "center") for value in centre)
    return square_about((x, y), side, where)
