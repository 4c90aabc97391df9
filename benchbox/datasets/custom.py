"""Your own faces: CSV or COCO-style json beside a folder of pictures, named by the card itself.

    dataset = "files" source = {images = "mine/pictures", parts = {train = "mine/train.csv", test =
    "mine/test.json"}, origin = 0}

Paths lie below the data root. A CSV has a header: `image`, then `x0, y0, x1, y1, …`; where there
are any: `id`, `cluster` (person, photo or video), `box_x0, box_y0, box_x1, box_y1`, `v0, v1, …` (1
visible, 0 hidden) and attributes `is_<name>` (0 or 1). The columns of HRNet's lists (`image_name`,
`original_0_x`, `original_0_y`, …) are known too; their scale and centre are not used. A json holds
`images` (id, file_name) and `annotations` (id, image_id, keypoints x y v …, bbox x y width height);
`box_size` (AFLW as MMPose writes it) becomes the box of `face_size`.

`origin` is the coordinate of the first pixel's centre, 0 or 1: MMPose's and HRNet's copies of
iBUG's sets keep 1. `visible = "coco"` reads the third number of a json's keypoints as COCO means it
(2 visible, 1 hidden); by default it is not looked at, since many converters write 1 throughout. A
point that is not marked (v = 0) is refused either way.
"""

from __future__ import annotations

import csv
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchbox.errors import DataError
from benchbox.geometry import tight_box
from benchbox.types import Access, CustomFiles, Finding, Index

from . import sample_checks
from .formats import images, paths

if TYPE_CHECKING:
    from benchbox.types import Bytes, Floats

ACCESS = Access(
    title="Your own faces",
    folder="",
    where='your own data: a card with dataset = "files" names the files in its [source]',
    terms="yours to say",
    citation="yours to say",
    layout="<anywhere below the data root>/*.csv or *.json, and a folder of pictures",
)
_LARGEST_FILE = 1024 * 1024 * 1024  # bytes
_POINT = re.compile(r"(?:([xy])(\d+)|original_(\d+)_([xy]))")
_CORNERS = ("box_x0", "box_y0", "box_x1", "box_y1")


@dataclass(frozen=True, eq=False)
class _Face:
    """One face of an annotation file."""

    id: str
    image: str
    points: list[float]  # x0, y0, x1, …
    cluster: str
    box: tuple[float, ...] = ()  # corners
    scale_box: tuple[float, ...] = ()
    visible: tuple[bool, ...] = ()
    attributes: Mapping[str, bool] = field(default_factory=dict)


class CustomDataset:
    """The reader of one card's files: a dataset like the others, made from its `source`."""

    def __init__(self, name: str, source: CustomFiles, count: int) -> None:
        self._name, self._source, self._count = name, source, count
        self.ACCESS = Access(
            title=f"the files of {name}",
            folder="",
            where="your own data: the card's source names the files, below the data root",
            terms="yours to say",
            citation="yours to say",
            layout="\n".join(
                [
                    *(f"{path}    part {part}" for part, path in source.parts.items()),
                    f"{source.images}/    pictures",
                ]
            ),
        )

    def index(self, root: Path, *, pixels: bool = True) -> Index:
        """Read every part's file; with `pixels`, faces without a picture are left out and noted."""
        rows, parts, notes = self._rows(root)
        folder = root / self._source.images
        if pixels:
            kept = [k for k, row in enumerate(rows) if (folder / row.image).is_file()]
            if len(kept) < len(rows):
                notes.append(
                    f"{len(rows) - len(kept)} of {len(rows)} faces have no picture in {folder}, left out"
                )
            rows, parts = [rows[k] for k in kept], [parts[k] for k in kept]
        values = np.array([row.points for row in rows], np.float64).reshape(-1, self._count, 2)
        boxes = {"ground_truth": tight_box(values) if rows else np.empty((0, 4))}
        if any(row.box for row in rows):
            boxes = {"bbox": _box_array([row.box for row in rows]), **boxes}
        scale = (
            _box_array([row.scale_box for row in rows])
            if rows and all(row.scale_box for row in rows)
            else None
        )
        seen = bool(rows) and all(row.visible for row in rows)
        flags = sorted({key for row in rows for key in row.attributes})
        return Index(
            dataset="files",
            ids=np.array([row.id for row in rows], np.str_),
            parts=np.array(parts, np.str_),
            values=values,
            boxes=boxes,
            clusters=np.array([row.cluster for row in rows], np.str_),
            read=partial(
                _picture, folder, tuple(row.image for row in rows), values, self._source.origin
            ),
            stamp=lambda row: images.file_cache_key(folder / rows[row].image),
            origin=self._source.origin,
            visible=np.array([row.visible for row in rows], bool) if seen else None,
            attributes={
                key: np.array([row.attributes.get(key, False) for row in rows], bool)
                for key in flags
            },
            notes=tuple(notes),
            scale_boxes=scale,
        )

    def verify(self, root: Path) -> list[Finding]:
        """Examine the files: rows per part, pictures against points."""
        try:
            found = self.index(root, pixels=False)
        except DataError as error:
            return [Finding("wrong", str(error))]
        findings = [
            Finding("ok" if count else "missing", f"{part}: {count} faces")
            for part, count in (
                (part, int((found.parts == part).sum())) for part in self._source.parts
            )
        ]
        there = self.pictures(root)
        paths = [there.get(str(name)) for name in found.ids]
        return [
            *findings,
            *sample_checks.check_pictures(found.ids.tolist(), paths, found.values - found.origin),
        ]

    def pictures(self, root: Path) -> dict[str, Path]:
        """Map ids to picture files, for the examination."""
        rows, _, _ = self._rows(root)
        paths = {row.id: root / self._source.images / row.image for row in rows}
        return {name: path for name, path in paths.items() if path.is_file()}

    def _rows(self, root: Path) -> tuple[list[_Face], list[str], list[str]]:
        """Return the rows of all parts, their parts, and notes."""
        rows: list[_Face] = []
        parts: list[str] = []
        notes: list[str] = []
        for part, name in self._source.parts.items():
            path = root / paths.check_relative_path(name, f"card {self._name}, source")
            if not path.is_file():
                notes.append(f"there is no file {path}")
                continue
            found = (
                _read_json(path, part, self._count, self._source)
                if path.suffix.lower() == ".json"
                else None
            )
            rows += found if found is not None else _read_csv(path, part, self._count)
            parts += [part] * (len(rows) - len(parts))
        return rows, parts, notes


def index(root: Path, *, pixels: bool = True) -> Index:
    """Refuse: which files belong together is said by a card, see `datasets.of`."""
    del root, pixels
    raise DataError(
        "the dataset 'files' is read through a card that names them: [source] images, parts"
    )


def verify(root: Path) -> list[Finding]:
    """Say how one's own files are examined."""
    del root
    return [Finding("ok", "`benchbox data verify CARD.toml` examines the files that a card names")]


def _box_array(boxes: Sequence[tuple[float, ...]]) -> Floats:
    return np.array([box or (np.nan,) * 4 for box in boxes], np.float64).reshape(-1, 4)


def _picture(folder: Path, names: Sequence[str], values: Floats, origin: float, row: int) -> Bytes:
    path = folder / names[row]
    pixels = images.decode_picture(path)
    sample_checks.check_points_fit(path, values[row] - origin, (pixels.shape[1], pixels.shape[0]))
    return pixels


def _number(value: Any, where: str) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError) as error:
        raise DataError(f"{where}: {str(value)[:40]!r} is not a number") from error
    if not math.isfinite(number) or isinstance(value, bool):
        raise DataError(f"{where}: {str(value)[:40]!r} is no coordinate")
    return number


def _check_box(corners: Sequence[float], where: str) -> tuple[float, ...]:
    if not (corners[2] > corners[0] and corners[3] > corners[1]):
        raise DataError(
            f"{where}: the box {[round(c, 1) for c in corners]} has no area; corners x0 y0 x1 y1"
        )
    return tuple(corners)


def _check_size(path: Path) -> None:
    if path.stat().st_size > _LARGEST_FILE:
        raise DataError(f"{path}: more than {_LARGEST_FILE} bytes; split it into parts")


# --- csv ------------------------------------------------------------------------------------------


def _read_csv(path: Path, part: str, count: int) -> list[_Face]:
    _check_size(path)
    rows: list[_Face] = []
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            lines = csv.reader(stream, strict=True)
            header = [name.strip() for name in next(lines, [])]
            places = _point_columns(header, count, f"{path}:1")
            for cells in lines:
                where = f"{path}:{lines.line_num}"
                if not cells:
                    continue
                if len(cells) != len(header):
                    raise DataError(f"{where}: {len(cells)} cells, the header names {len(header)}")
                rows.append(
                    _csv_row(
                        dict(zip(header, cells, strict=True)),
                        places,
                        f"{part}/{len(rows) + 1:05d}",
                        where,
                    )
                )
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: is not a CSV file in UTF-8 ({error})") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    return rows


def _point_columns(header: Sequence[str], count: int, where: str) -> list[str]:
    """Return the columns of the points in order x0, y0, x1, ….

    Raises DataError unless all of them are there once.
    """
    found: dict[tuple[int, str], str] = {}
    for name in header:
        match = _POINT.fullmatch(name)
        if match:
            axis, number = match[1] or match[4], int(match[2] or match[3])
            found[number, axis] = name
    wanted = [(number, axis) for number in range(count) for axis in "xy"]
    if sorted(found) != sorted(wanted) or len(set(header)) < len(header):
        what = f"{len(found)} point columns, {len(wanted)} are needed"
        raise DataError(
            f"{where}: {what}: x0,y0 … x{count - 1},y{count - 1}, each once (or original_0_x, …)"
        )
    if "image" not in header and "image_name" not in header:
        raise DataError(f"{where}: there is no column 'image'")
    return [found[key] for key in wanted]


def _csv_row(cells: Mapping[str, str], places: Sequence[str], number: str, where: str) -> _Face:
    image = paths.check_relative_path(
        (cells.get("image") or cells.get("image_name") or "").strip(), where
    )
    box: tuple[float, ...] = ()
    if all(key in cells for key in _CORNERS) and any(cells[key].strip() for key in _CORNERS):
        box = _check_box([_number(cells[key], where) for key in _CORNERS], where)
    shown = [f"v{k}" for k in range(len(places) // 2)]
    return _Face(
        id=cells.get("id", "").strip() or number,
        image=image,
        points=[_number(cells[key], where) for key in places],
        cluster=cells.get("cluster", "").strip() or image,
        box=box,
        visible=tuple(_flag(cells[key], where) for key in shown)
        if all(key in cells for key in shown)
        else (),
        attributes={
            key[3:]: _flag(value, where) for key, value in cells.items() if key.startswith("is_")
        },
    )


def _flag(text: str, where: str) -> bool:
    if text.strip() not in ("0", "1"):
        raise DataError(f"{where}: {text[:20]!r} is neither 0 nor 1")
    return text.strip() == "1"


# --- json -----------------------------------------------------------------------------------------


def _read_json(path: Path, part: str, count: int, source: CustomFiles) -> list[_Face]:
    _check_size(path)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise DataError(f"{path}: is not a json file ({error})") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    tables = [
        content.get(key) if isinstance(content, dict) else None for key in ("images", "annotations")
    ]
    if not all(
        isinstance(table, list) and all(isinstance(row, dict) for row in table) for table in tables
    ):
        raise DataError(f"{path}: holds no lists 'images' and 'annotations' as COCO has them")
    pictures, annotations = tables
    assert pictures is not None
    assert annotations is not None
    names: dict[Any, str] = {}
    for number, picture in enumerate(pictures, start=1):
        where = f"{path}: image {number}"
        names[_json_key(picture, "id", where)] = paths.check_relative_path(
            str(picture.get("file_name", "")), where
        )
    return [
        _json_row(row, names, part, count, source, f"{path}: annotation {k}")
        for k, row in enumerate(annotations, 1)
    ]


def _json_key(row: Mapping[str, Any], key: str, where: str) -> Any:
    value = row.get(key)
    if not isinstance(value, int | str):
        raise DataError(f"{where}: {key} is {value!r}, must be a number or a name")
    return value


def _json_row(
    row: Mapping[str, Any],
    names: Mapping[Any, str],
    part: str,
    count: int,
    source: CustomFiles,
    where: str,
) -> _Face:
    where = f"{where} (id {row.get('id')})"
    image = names.get(_json_key(row, "image_id", where))
    if image is None:
        raise DataError(f"{where}: its image {row['image_id']!r} is not in 'images'")
    keypoints = row.get("keypoints")
    if not isinstance(keypoints, list) or len(keypoints) != 3 * count:
        has = len(keypoints) if isinstance(keypoints, list) else keypoints
        raise DataError(
            f"{where}: keypoints has {has} numbers, {count} points x y v make {3 * count}"
        )
    numbers = [_number(value, where) for value in keypoints]
    marks = numbers[2::3]
    if 0 in marks:
        raise DataError(
            f"{where}: point {marks.index(0)} is not marked (v = 0); every point of the layout is needed"
        )
    box: tuple[float, ...] = ()
    if row.get("bbox") is not None:
        box = _coco_corners(row["bbox"], where)
    return _Face(
        id=f"{part}/{_json_key(row, 'id', where)}",
        image=image,
        points=[value for k, value in enumerate(numbers) if k % 3 < 2],
        cluster=image,
        box=box,
        scale_box=_scale_box(row, where),
        visible=tuple(mark > 1 for mark in marks) if source.visible == "coco" else (),
    )


def _coco_corners(bbox: Any, where: str) -> tuple[float, ...]:
    if not isinstance(bbox, list) or len(bbox) != 4:
        raise DataError(f"{where}: bbox {str(bbox)[:60]} is not x y width height")
    x, y, width, height = (_number(value, where) for value in bbox)
    return _check_box((x, y, x + width, y + height), where)


def _scale_box(row: Mapping[str, Any], where: str) -> tuple[float, ...]:
    """Return the square of AFLW's face size about the annotated centre, where a json has both."""
    centre, size = row.get("center"), row.get("box_size")
    if size is None or not isinstance(centre, list) or len(centre) != 2:
        return ()
    half = _number(size, where) / 2
    x, y = (_number(value, where) for value in centre)
    return _check_box((x - half, y - half, x + half, y + half), where)
