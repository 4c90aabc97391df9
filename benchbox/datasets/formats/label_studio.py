"""Label Studio: its JSON and its JSON_MIN.

Places are percent of the picture, measured from its corner: pixels = percent / 100 x width, origin
0.5. Order comes from labels, an absent point has no result. `parentID` ties points to the box of
their face; JSON_MIN has lost it, there the box that holds a point decides. A picture that was
turned in the editor is refused: editors differ in whether they turned the numbers with it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from benchbox.errors import DataError
from benchbox.file_readers.json_files import read_json

from .marked_face import (
    LooseBox,
    LoosePoint,
    Mark,
    MarkedFace,
    MarkedFaces,
    group_points,
    image_name,
    number,
    stated_size,
    table,
    with_size,
)

_UPLOAD_PREFIX = re.compile(r"^[0-9a-f]{8}-(?=.)")
_PICTURE = re.compile(r"\.(jpe?g|png|bmp|tiff?|webp)$", re.IGNORECASE)


def read_label_studio(path: Path, field: str = "") -> MarkedFaces:
    """Read an export.

    Raises
    ------
    DataError
        The file is malformed, a task was annotated by several people or its picture turned, or
        nothing tells two faces apart; names the task.
    """
    del field
    faces: list[MarkedFace] = []
    empty = 0
    for task in table(read_json(path), str(path)):
        where = f"{path}: task {task.get('id')}"
        regions = _regions(task, where)
        image = upload_name(_picture(task, where))
        points, boxes = _loose(regions, where)
        if not points:
            empty += 1
            continue
        faces += with_size(group_points(image, points, boxes, where), _size(regions, where))
    notes = []
    if empty:
        notes.append(f"{empty} tasks without a point are no faces, left out")
    names = sorted({name for face in faces for name in face.marks})
    return MarkedFaces(faces, tuple(names), notes=tuple(notes), shares=True)


def _size(regions: Sequence[Mapping[str, Any]], where: str) -> tuple[int, int] | None:
    """Return the width and height that the regions of a picture state; one for all of them."""
    sizes = {
        stated_size(region.get("original_width"), region.get("original_height"), where)
        for region in regions
    } - {None}
    if len(sizes) > 1:
        words = sorted(map(str, sizes))
        raise DataError(f"{where}: regions of one picture state the sizes {' and '.join(words)}")
    return next(iter(sizes), None)


def upload_name(text: str) -> str:
    """Return the file's name in an address, without the prefix that an upload is given.

    >>> upload_name("/data/upload/3/b78f5766-p1.jpg")
    'p1.jpg'
    >>> upload_name("/data/local-files/?d=faces/p1.jpg")
    'faces/p1.jpg'
    """
    address = urlsplit(text)
    given = parse_qs(address.query).get("d")
    if given:
        return unquote(given[0])
    name = unquote(address.path).rpartition("/")[2]
    return _UPLOAD_PREFIX.sub("", name)


def _regions(task: Mapping[str, Any], where: str) -> list[dict[str, Any]]:
    """Return the regions of a task, of JSON or of JSON_MIN."""
    whole = task.get("annotations", task.get("completions"))
    if isinstance(whole, list) and "data" in task:
        kept = [row for row in table(whole, where) if not row.get("was_cancelled")]
        if len(kept) > 1:
            raise DataError(f"{where}: {len(kept)} people annotated it: keep one of them")
        regions = []
        for annotation in kept:
            for region in table(annotation.get("result") or [], where):
                if isinstance(region.get("value"), dict):
                    regions.append({**region, **region["value"]})
        return regions
    regions = []
    for value in task.values():
        if isinstance(value, list):
            regions += [row for row in value if isinstance(row, dict) and "original_width" in row]
    return regions


def _picture(task: Mapping[str, Any], where: str) -> str:
    data = task.get("data")
    if not isinstance(data, dict):
        data = task
    for value in data.values():
        if isinstance(value, str) and _PICTURE.search(value):
            return image_name(value, where)
    raise DataError(f"{where}: names no picture")


def _loose(
    regions: Sequence[Mapping[str, Any]], where: str
) -> tuple[list[LoosePoint], list[LooseBox]]:
    points, boxes = [], []
    for region in regions:
        if number(region.get("image_rotation") or 0, where):
            raise DataError(
                f"{where}: the picture is turned by {region['image_rotation']}° in the editor: "
                "turn the file itself and mark it again"
            )
        if "keypointlabels" in region:
            labels = region["keypointlabels"]
            if not isinstance(labels, list) or len(labels) != 1:
                raise DataError(f"{where}: a point has the labels {labels!r}, must have one")
            x, y = _pixels(region, "x", "y", where)
            parent = str(region.get("parentID") or "")
            points.append(LoosePoint(str(labels[0]), Mark(x, y), parent))
        elif "rectanglelabels" in region:
            if number(region.get("rotation") or 0, where):
                raise DataError(f"{where}: a box is turned; boxes here are upright")
            x0, y0 = _pixels(region, "x", "y", where)
            width, height = _pixels(region, "width", "height", where)
            corners = (x0, y0, x0 + width, y0 + height)
            boxes.append(LooseBox(corners, str(region.get("id") or "")))
    grouped = {point.group for point in points if point.group}
    if not grouped:  # ids of boxes tie nothing then
        boxes = [LooseBox(box.corners) for box in boxes]
    return points, boxes


def _pixels(region: Mapping[str, Any], across: str, down: str, where: str) -> tuple[float, float]:
    width = number(region.get("original_width"), where)
    height = number(region.get("original_height"), where)
    x, y = number(region.get(across), where), number(region.get(down), where)
    return x / 100 * width, y / 100 * height
