"""VGG Image Annotator, version 2 (and the regions of version 1): CSV, JSON or project.

Whole pixels of a canvas whose corner is (0, 0): origin 0.5. Names are in a region attribute that
people chose: `field` says which. Where a name stands twice on a picture, another attribute tells
the faces apart, else boxes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchbox.errors import DataError
from benchbox.file_readers.csv_files import read_records
from benchbox.file_readers.json_files import parse_json, read_json

from .marked_face import (
    LooseBox,
    LoosePoint,
    Mark,
    MarkedFace,
    MarkedFaces,
    group_points,
    image_name,
    number,
    table,
)
from .point_names import is_known_name


@dataclass(frozen=True)
class _Region:
    image: str
    shape: Mapping[str, Any]
    attributes: Mapping[str, str]
    where: str


def read_via(path: Path, field: str = "") -> MarkedFaces:
    """Read an export; `field` is the region attribute that holds the points' names.

    Raises
    ------
    DataError
        The file is malformed, no attribute is known to hold the names, or nothing tells two faces
        apart; names the picture.
    """
    regions = _csv_regions(path) if path.suffix.lower() == ".csv" else _json_regions(path)
    points = [region for region in regions if region.shape.get("name") == "point"]
    field = field or _name_attribute(points, path)
    by_image: dict[str, list[_Region]] = {}
    for region in regions:
        by_image.setdefault(region.image, []).append(region)
    faces: list[MarkedFace] = []
    passed = 0
    for image, members in by_image.items():
        found, left = _read_picture(image, members, field, path)
        faces += found
        passed += left
    notes = [f"the region attribute {field!r} holds the points' names"]
    if passed:
        notes.append(f"{passed} regions are neither points nor rectangles, passed over")
    names = sorted({name for face in faces for name in face.marks})
    return MarkedFaces(faces, tuple(names), notes=tuple(notes))


def _name_attribute(points: Sequence[_Region], path: Path) -> str:
    """Return the attribute whose values are names of points; the only one where there is one."""
    values: dict[str, set[str]] = {}
    for region in points:
        for key, value in region.attributes.items():
            values.setdefault(key, set()).add(value)
    if len(values) == 1:
        return next(iter(values))
    known, worded = [], []
    for key, found in values.items():
        on_all = all(key in region.attributes for region in points)
        if on_all and all(is_known_name(name) for name in found):
            known.append(key)
            if not all(name.strip().isdecimal() for name in found):
                worded.append(key)
    for candidates in (worded, known):  # numbers may count faces
        if len(candidates) == 1:
            return candidates[0]
    raise DataError(
        f"{path}: which region attribute holds the points' names? say --field with one of "
        f"{', '.join(sorted(values)) or 'none: the regions have no attributes'}"
    )


def _read_picture(
    image: str, regions: Sequence[_Region], field: str, path: Path
) -> tuple[list[MarkedFace], int]:
    places = [region for region in regions if region.shape.get("name") == "point"]
    rectangles = [region for region in regions if region.shape.get("name") == "rect"]
    if not places:
        return [], len(regions) - len(rectangles)
    group = _group_attribute(places, field)
    points, boxes = [], []
    for region in places:
        name = region.attributes.get(field, "").strip()
        if not name:
            raise DataError(f"{region.where}: has no {field!r}; is it the attribute of the names?")
        x, y = (number(region.shape.get(key), region.where) for key in ("cx", "cy"))
        points.append(LoosePoint(name, Mark(x, y), region.attributes.get(group, "")))
    for region in rectangles:
        x, y, width, height = (
            number(region.shape.get(key), region.where) for key in ("x", "y", "width", "height")
        )
        tied = region.attributes.get(group, "")
        boxes.append(LooseBox((x, y, x + width, y + height), tied))
    faces = group_points(image, points, boxes, f"{path}: {image}")
    return faces, len(regions) - len(places) - len(rectangles)


def _group_attribute(points: Sequence[_Region], field: str) -> str:
    """Return the further attribute with which no name of a picture is doubled.

    "" where names are not doubled, or not exactly one attribute that every point has helps.
    """
    names = [region.attributes.get(field) for region in points]
    keys: set[str] = set()
    for region in points:
        keys |= set(region.attributes)
    helpful = []
    for key in sorted(keys - {field}):
        groups = [region.attributes.get(key, "") for region in points]
        pairs = set(zip(names, groups, strict=True))
        if all(groups) and len(pairs) == len(points) and len(set(groups)) < len(points):
            helpful.append(key)
    if len(set(names)) == len(names) or len(helpful) != 1:
        return ""
    return helpful[0]


def _json_regions(path: Path) -> list[_Region]:
    content = read_json(path)
    if isinstance(content, dict) and isinstance(content.get("_via_img_metadata"), dict):
        content = content["_via_img_metadata"]
    if not isinstance(content, dict):
        raise DataError(f"{path}: holds no pictures as VIA 2 writes them")
    regions = []
    for key, picture in content.items():
        if not isinstance(picture, dict) or "filename" not in picture:
            raise DataError(f"{path}: {key[:60]}: has no 'filename' as VIA 2 writes it")
        image = image_name(picture["filename"], f"{path}: {key[:60]}")
        found = picture.get("regions") or []
        if isinstance(found, dict):  # VIA 1 counts them by keys
            found = list(found.values())
        for row, region in enumerate(table(found, f"{path}: {image}: regions")):
            where = f"{path}: {image}, region {row}"
            regions.append(
                _region(
                    image, region.get("shape_attributes"), region.get("region_attributes"), where
                )
            )
    return regions


def _csv_regions(path: Path) -> list[_Region]:
    regions = []
    for row in read_records(path):
        image = image_name(row.get("filename") or row.get("#filename"), str(path))
        where = f"{path}: {image}, region {row.get('region_id')}"
        if row.get("region_count") == "0":
            continue
        shape = parse_json(row.get("region_shape_attributes") or "{}", where)
        attributes = parse_json(row.get("region_attributes") or "{}", where)
        regions.append(_region(image, shape, attributes, where))
    return regions


def _region(image: str, shape: Any, attributes: Any, where: str) -> _Region:
    if not isinstance(shape, dict) or not isinstance(attributes, dict):
        raise DataError(f"{where}: has no shape and attributes as VIA 2 writes them")
    plain = {}
    for key, value in attributes.items():
        plain[str(key)] = str(value)
        if isinstance(value, dict):  # a checkbox: the options that are on
            chosen = sorted(option for option, is_on in value.items() if is_on)
            plain[str(key)] = ",".join(chosen)
    return _Region(image, shape, plain, where)
