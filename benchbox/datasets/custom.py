"""Custom datasets: CSV or COCO-style json beside a folder of pictures, named by the card itself.

    dataset = "files"
    source = {images = "mine/pictures", parts = {train = "mine/train.csv", test = "mine/test.json"},
              origin = 0}

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
from benchbox.number_text import parse_number
from benchbox.types import Access, CustomFiles, Finding, Index

from . import sample_checks
from .formats import paths
from .index import picture_cache_key, read_picture

if TYPE_CHECKING:
    from benchbox.types import Floats

ACCESS = Access(
    title="Custom dataset: your own faces",
    folder="",
    where='your own data: a card with dataset = "files" names the files in its [source]',
    terms="yours to say",
    citation="yours to say",
    layout="<anywhere below the data root>/*.csv or *.json, and a folder of pictures",
)
_LARGEST_FILE = 1024 * 1024 * 1024  # bytes
_POINT = re.compile(r"(?:([xy])(\d+)|original_(\d+)_([xy]))")
_CORNERS = ("box_x0", "box_y0", "box_x1", "box_y1")


@dataclass(frozen=True)
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
    """The reader of one card's files: a dataset like the others, made from its `source`.

    `name` is the card's, `count` the number of points of its layout.
    """

    def __init__(self, name: str, source: CustomFiles, count: int) -> None:
        self._name, self._source, self._count = name, source, count
        layout = [f"{path}    part {part}" for part, path in source.parts.items()]
        layout.append(f"{source.images}/    pictures")
        self.ACCESS = Access(
            title=f"the files of {name}",
            folder="",
            where="your own data: the card's source names the files, below the data root",
            terms="yours to say",
            citation="yours to say",
            layout="\n".join(layout),
        )

    def index(self, root: Path, *, pixels: bool = True) -> Index:
        """Read every part's file; with `pixels`, faces without a picture are left out and noted.

        Values are (N, K, 2) px, in the frame that the source's `origin` names.

        Raises
        ------
        DataError
            A file is malformed; names the file and its line or annotation.
        """
        folder = root / self._source.images
        parts: list[str] = []
        faces: list[_Face] = []
        total = 0
        part_faces, notes = self._read_parts(root)
        for part, face in part_faces:
            total += 1
            if not pixels or (folder / face.image).is_file():
                parts.append(part)
                faces.append(face)
        if len(faces) < total:
            notes.append(
                f"{total - len(faces)} of {total} faces have no picture in {folder}, left out"
            )
        return self._build_index(folder, parts, faces, notes)

    def _build_index(
        self, folder: Path, parts: Sequence[str], faces: Sequence[_Face], notes: Sequence[str]
    ) -> Index:
        values = _stack_points(faces, self._count)
        files = tuple(folder / face.image for face in faces)
        return Index(
            dataset="files",
            ids=np.array([face.id for face in faces], np.str_),
            parts=np.array(parts, np.str_),
            values=values,
            boxes=_boxes_by_source(faces, values),
            clusters=np.array([face.cluster for face in faces], np.str_),
            read=partial(read_picture, files, values - self._source.origin),
            cache_key=partial(picture_cache_key, files),
            origin=self._source.origin,
            visible=_visible_points(faces),
            attributes=_attribute_columns(faces),
            notes=tuple(notes),
            scale_boxes=_scale_boxes(faces),
        )

    def verify(self, root: Path) -> list[Finding]:
        """Examine the files: faces per part, pictures against points."""
        try:
            index = self.index(root, pixels=False)
        except DataError as error:
            return [Finding("wrong", str(error))]
        findings = []
        for part in self._source.parts:
            count = int((index.parts == part).sum())
            findings.append(sample_checks.missing_unless(count, f"{part}: {count} faces"))
        files = self.picture_files(root)
        pictures = [files.get(str(name)) for name in index.ids]
        findings += sample_checks.check_pictures(
            index.ids.tolist(), pictures, index.values - index.origin
        )
        return findings

    def picture_files(self, root: Path) -> dict[str, Path]:
        """Map ids to picture files, for the examination."""
        part_faces, _ = self._read_parts(root)
        files = {}
        for _, face in part_faces:
            path = root / self._source.images / face.image
            if path.is_file():
                files[face.id] = path
        return files

    def _read_parts(self, root: Path) -> tuple[list[tuple[str, _Face]], list[str]]:
        """Return the faces of all parts, each with its part, and notes."""
        part_faces: list[tuple[str, _Face]] = []
        notes: list[str] = []
        for part, name in self._source.parts.items():
            path = root / paths.check_relative_path(name, f"card {self._name}, source")
            if not path.is_file():
                notes.append(f"there is no file {path}")
                continue
            if path.suffix.lower() == ".json":
                faces = _read_json(path, part, self._count, self._source)
            else:
                faces = _read_csv(path, part, self._count)
            part_faces += [(part, face) for face in faces]
        return part_faces, notes


def index(root: Path, *, pixels: bool = True) -> Index:
    """Refuse: which files belong together is said by a card, see `open_protocol_dataset`."""
    del root, pixels
    raise DataError(
        "the dataset 'files' is read through a card that names them: [source] images, parts"
    )


def verify(root: Path) -> list[Finding]:
    """Say how a custom dataset is examined."""
    del root
    return [Finding("ok", "`benchbox data verify CARD.toml` examines the files that a card names")]


# --- columns --------------------------------------------------------------------------------------


def _stack_points(faces: Sequence[_Face], count: int) -> Floats:
    return np.array([face.points for face in faces], np.float64).reshape(-1, count, 2)


def _boxes_by_source(faces: Sequence[_Face], values: Floats) -> dict[str, Floats]:
    boxes = {}
    if any(face.box for face in faces):
        boxes["bbox"] = _box_array([face.box for face in faces])
    boxes["ground_truth"] = tight_box(values)
    return boxes


def _scale_boxes(faces: Sequence[_Face]) -> Floats | None:
    if not faces or not all(face.scale_box for face in faces):
        return None
    return _box_array([face.scale_box for face in faces])


def _box_array(boxes: Sequence[tuple[float, ...]]) -> Floats:
    """Stack corner boxes (N, 4); an empty one becomes NaN."""
    stacked = np.full((len(boxes), 4), np.nan)
    for row, box in enumerate(boxes):
        if box:
            stacked[row] = box
    return stacked


def _visible_points(faces: Sequence[_Face]) -> np.ndarray | None:
    """Return visibility (N, K), if every face states it."""
    if not faces or not all(face.visible for face in faces):
        return None
    return np.array([face.visible for face in faces], bool)


def _attribute_columns(faces: Sequence[_Face]) -> dict[str, np.ndarray]:
    names: set[str] = set()
    for face in faces:
        names.update(face.attributes)
    columns = {}
    for name in sorted(names):
        columns[name] = np.array([face.attributes.get(name, False) for face in faces], bool)
    return columns


# --- checks of values -----------------------------------------------------------------------------


def _number(value: Any, where: str) -> float:
    try:
        if isinstance(value, str):
            number = parse_number(value)
        else:
            number = float(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise DataError(f"{where}: {str(value)[:40]!r} is not a number") from error
    if not math.isfinite(number) or isinstance(value, bool):
        raise DataError(f"{where}: {str(value)[:40]!r} is no coordinate")
    return number


def _check_box(corners: Sequence[float], where: str) -> tuple[float, ...]:
    x0, y0, x1, y1 = corners
    if not (x1 > x0 and y1 > y0):
        rounded = [round(corner, 1) for corner in corners]
        raise DataError(f"{where}: the box {rounded} has no area; corners x0 y0 x1 y1")
    return tuple(corners)


def _refuse_repeated(face: _Face, seen: dict[tuple[object, ...], str], where: str) -> None:
    """Raise DataError for a face that its file holds already: it would weigh twice in a mean.

    `seen` maps the faces so far to where they stand; this one joins.
    """
    key = (face.image, *face.points)
    if key in seen:
        raise DataError(
            f"{where}: {face.image} with the same points as {seen[key]};"
            " a face stands in a list once, or it weighs twice"
        )
    seen[key] = where


def _check_size(path: Path) -> None:
    if path.stat().st_size > _LARGEST_FILE:
        raise DataError(f"{path}: more than {_LARGEST_FILE} bytes; split it into parts")


# --- csv ------------------------------------------------------------------------------------------


def _read_csv(path: Path, part: str, count: int) -> list[_Face]:
    _check_size(path)
    faces: list[_Face] = []
    seen: dict[tuple[object, ...], str] = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            lines = csv.reader(stream, strict=True)
            header = [name.strip() for name in next(lines, [])]
            columns = _point_columns(header, count, f"{path}:1")
            for cells in lines:
                where = f"{path}:{lines.line_num}"
                if not cells:
                    continue
                if len(cells) != len(header):
                    raise DataError(f"{where}: {len(cells)} cells, the header names {len(header)}")
                default_id = f"{part}/{len(faces) + 1:05d}"
                row = dict(zip(header, cells, strict=True))
                faces.append(_csv_row(row, columns, default_id, where))
                _refuse_repeated(faces[-1], seen, where)
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: is not a CSV file in UTF-8 ({error})") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    return faces


def _point_columns(header: Sequence[str], count: int, where: str) -> list[str]:
    """Return the columns of the points in order x0, y0, x1, ….

    Raises DataError unless all of them are there once.

    >>> _point_columns(["image", "y0", "x0"], 1, "mine.csv:1")
    ['x0', 'y0']
    >>> _point_columns(["image_name", "original_0_x", "original_0_y"], 1, "hrnet.csv:1")
    ['original_0_x', 'original_0_y']
    """
    columns: dict[tuple[int, str], str] = {}
    for name in header:
        match = _POINT.fullmatch(name)
        if match:
            axis, number = match[1] or match[4], int(match[2] or match[3])
            columns[number, axis] = name
    wanted: list[tuple[int, str]] = []
    for number in range(count):
        wanted += [(number, "x"), (number, "y")]
    if sorted(columns) != sorted(wanted) or len(set(header)) < len(header):
        raise DataError(
            f"{where}: {len(columns)} point columns, {len(wanted)} are needed: "
            f"x0,y0 … x{count - 1},y{count - 1}, each once (or original_0_x, …)"
        )
    if "image" not in header and "image_name" not in header:
        raise DataError(f"{where}: there is no column 'image'")
    return [columns[key] for key in wanted]


def _csv_row(
    cells: Mapping[str, str], columns: Sequence[str], default_id: str, where: str
) -> _Face:
    image_cell = cells.get("image") or cells.get("image_name") or ""
    image = paths.check_relative_path(image_cell.strip(), where)
    attributes = {}
    for key, value in cells.items():
        if key.startswith("is_"):
            attributes[key.removeprefix("is_")] = _flag(value, where)
    return _Face(
        id=cells.get("id", "").strip() or default_id,
        image=image,
        points=[_number(cells[key], where) for key in columns],
        cluster=cells.get("cluster", "").strip() or image,
        box=_csv_box(cells, where),
        visible=_csv_visible(cells, len(columns) // 2, where),
        attributes=attributes,
    )


def _csv_box(cells: Mapping[str, str], where: str) -> tuple[float, ...]:
    corners = [cells.get(key) for key in _CORNERS]
    if None in corners or not any(corner and corner.strip() for corner in corners):
        return ()
    return _check_box([_number(corner, where) for corner in corners], where)


def _csv_visible(cells: Mapping[str, str], count: int, where: str) -> tuple[bool, ...]:
    names = [f"v{point}" for point in range(count)]
    if not all(name in cells for name in names):
        return ()
    return tuple(_flag(cells[name], where) for name in names)


def _flag(text: str, where: str) -> bool:
    if text.strip() not in ("0", "1"):
        raise DataError(f"{where}: {text[:20]!r} is neither 0 nor 1")
    return text.strip() == "1"


# --- json -----------------------------------------------------------------------------------------


def _read_json(path: Path, part: str, count: int, source: CustomFiles) -> list[_Face]:
    content = _load_json(path)
    pictures, annotations = _json_table(content, "images"), _json_table(content, "annotations")
    if pictures is None or annotations is None:
        raise DataError(f"{path}: holds no lists 'images' and 'annotations' as COCO has them")
    names: dict[Any, str] = {}
    for number, picture in enumerate(pictures, start=1):
        where = f"{path}: image {number}"
        name = paths.check_relative_path(str(picture.get("file_name", "")), where)
        names[_json_key(picture, "id", where)] = name
    faces: list[_Face] = []
    seen: dict[tuple[object, ...], str] = {}
    for number, row in enumerate(annotations, start=1):
        where = f"{path}: annotation {number}"
        faces.append(_json_row(row, names, part, count, source, where))
        _refuse_repeated(faces[-1], seen, where)
    return faces


def _load_json(path: Path) -> Any:
    _check_size(path)
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise DataError(f"{path}: is not a json file ({error})") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error


def _json_table(content: Any, key: str) -> list[dict[str, Any]] | None:
    """Return a list of objects, None where there is none."""
    if not isinstance(content, dict):
        return None
    table = content.get(key)
    if not isinstance(table, list) or not all(isinstance(row, dict) for row in table):
        return None
    return table


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
    keypoints = _json_keypoints(row, count, where)
    box: tuple[float, ...] = ()
    if row.get("bbox") is not None:
        box = _coco_corners(row["bbox"], where)
    visible: tuple[bool, ...] = ()
    if source.visible == "coco":
        visible = tuple(mark > 1 for _, _, mark in keypoints)
    points = []
    for x, y, _ in keypoints:
        points += [x, y]
    return _Face(
        id=f"{part}/{_json_key(row, 'id', where)}",
        image=image,
        points=points,
        cluster=image,
        box=box,
        scale_box=_scale_box(row, where),
        visible=visible,
    )


def _json_keypoints(
    row: Mapping[str, Any], count: int, where: str
) -> list[tuple[float, float, float]]:
    """Return (x, y, mark) of every point; a point that is not marked is refused."""
    keypoints = row.get("keypoints")
    if not isinstance(keypoints, list) or len(keypoints) != 3 * count:
        has = keypoints
        if isinstance(keypoints, list):
            has = len(keypoints)
        raise DataError(
            f"{where}: keypoints has {has} numbers, {count} points x y v make {3 * count}"
        )
    numbers = [_number(value, where) for value in keypoints]
    marks = numbers[2::3]
    if 0 in marks:
        raise DataError(
            f"{where}: point {marks.index(0)} is not marked (v = 0); "
            "every point of the layout is needed"
        )
    return list(zip(numbers[0::3], numbers[1::3], marks, strict=True))


def _coco_corners(bbox: Any, where: str) -> tuple[float, ...]:
    """Return the corners of COCO's x y width height.

    >>> _coco_corners([10, 20, 30, 40], "mine.json: annotation 1")
    (10.0, 20.0, 40.0, 60.0)
    """
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
