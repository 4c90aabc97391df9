"""Tables of own gaze files, as `custom_gaze` describes them: cells, checked and named by line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchbox.datasets.formats import delimited, paths
from benchbox.errors import DataError
from benchbox.file_readers.json_files import read_json_table
from benchbox.geometry import vectors_to_angles
from benchbox.types import CustomFiles, GazeConvention, GazeFiles, GazeScreen

from . import notation
from .conventions import GazeRows, read_numbers, read_positions_mm
from .frames import GazeFrames

if TYPE_CHECKING:
    from benchbox.types import Floats, PositionColumns, Strings

_CORNERS = ("x0", "y0", "x1", "y1")
_PEOPLE_COLUMNS = ("person", "cluster")
_LARGEST_LIST = 16 * 1024 * 1024  # bytes
_SCREEN_KEYS = ("width_mm", "height_mm", "camera_x_mm", "camera_above_mm")


def read_frames(root: Path, source: CustomFiles, card: str, task: str) -> GazeFrames:
    """Read the rows of all parts of a card.

    Raises
    ------
    DataError
        A table is malformed or lacks what the card says of it; names file and line.
    """
    if source.gaze is None:
        raise DataError(f"card {card}: source.gaze says how the files write gaze; it is missing")
    return _TableReader(card, source, source.gaze, task, root).read()


@dataclass
class _Cells:
    """What the rows of all tables hold, column by column, as numbers and names."""

    ids: list[str] = field(default_factory=list)
    aliases: list[str] = field(default_factory=list)
    parts: list[str] = field(default_factory=list)
    images: list[str] = field(default_factory=list)
    people: list[str] = field(default_factory=list)
    sequences: list[str] = field(default_factory=list)
    where: list[str] = field(default_factory=list)
    gaze: list[list[float]] = field(default_factory=list)
    eyes: list[list[float]] = field(default_factory=list)
    heads: list[list[float]] = field(default_factory=list)
    screens: list[GazeScreen] = field(default_factory=list)
    boxes: list[dict[str, tuple[float, ...]]] = field(default_factory=list)
    attributes: list[dict[str, bool]] = field(default_factory=list)
    also: list[dict[str, str]] = field(default_factory=list)


class _TableReader:
    """Reads the tables that a card names."""

    def __init__(
        self, name: str, source: CustomFiles, gaze: GazeFiles, task: str, root: Path
    ) -> None:
        self._card, self._source, self._gaze, self._task = f"card {name}", source, gaze, task
        self._root = root
        self._folder = root / source.images
        self._notes: list[str] = []
        self._tables: dict[Path, delimited.Table] = {}

    def read(self) -> GazeFrames:
        """Return the rows of all parts; raises DataError naming file and line."""
        cells = _Cells()
        people = self._read_people_list()
        screens = self._known_screens()
        for part, name in self._source.parts.items():
            path = self._root / paths.check_relative_path(name, f"{self._card}, source")
            paths.require_inside(path, self._root)
            if not path.is_file():
                self._notes.append(f"there is no file {path}")
                continue
            if path not in self._tables:
                self._tables[path] = delimited.read_table(path)
            self._check_sharing(name)
            self._read_part(cells, part, self._tables[path], people.get(part), screens)
        self._check_ids(cells)
        return self._frames_of(cells)

    def _check_sharing(self, name: str) -> None:
        """Refuse parts that share a file without a word on which row belongs where."""
        sharing = [other for other, path in self._source.parts.items() if path == name]
        if len(sharing) > 1 and not self._gaze.split and not self._gaze.people:
            raise DataError(
                f"{self._card}: the parts {' and '.join(sharing)} share the file {name}; say which "
                'rows are whose: source.gaze.split = "column", or source.gaze.people = "list.json"'
            )

    def _read_part(
        self,
        cells: _Cells,
        part: str,
        table: delimited.Table,
        people: Sequence[str] | None,
        screens: Mapping[str, GazeScreen],
    ) -> None:
        columns = _TableColumns(self._card, self._gaze, table, several_screens=bool(screens))
        number = 0
        for row, record in enumerate(table.rows):
            where = table.where(row)
            if self._gaze.split and record[self._gaze.split] != part:
                continue
            image = paths.check_relative_path(record[self._gaze.image], where)
            person = columns.person_of(record, where)
            if people is not None and person not in people:
                continue
            number += 1
            cells.ids.append(record.get("id") or image)
            cells.aliases.append(f"{part}/{number:05d}")
            cells.parts.append(part)
            cells.images.append(image)
            cells.people.append(person or image)
            sequence = record.get(self._gaze.sequence, "")
            cells.sequences.append(f"{person}/{sequence}" if sequence else "")
            cells.where.append(where)
            cells.gaze.append(_numbers_of(record, columns.gaze, where))
            if columns.eye:
                cells.eyes.append(_numbers_of(record, columns.eye, where))
            if columns.head:
                cells.heads.append(_numbers_of(record, columns.head, where))
            if screens:
                cells.screens.append(_screen_of(record, screens, where))
            cells.boxes.append(_boxes_of(record, columns.boxes, where))
            cells.attributes.append(_attributes_of(record, where))
            cells.also.append({name: record[name] for name in columns.also})

    def _check_ids(self, cells: _Cells) -> None:
        seen: dict[str, str] = {}
        for name, where in zip(cells.ids, cells.where, strict=True):
            if name in seen:
                raise DataError(
                    f"{where}: {name[:80]!r} is there already in {seen[name]}; a column 'id' tells "
                    "rows of one picture apart"
                )
            seen[name] = where

    def _frames_of(self, cells: _Cells) -> GazeFrames:
        convention = self._gaze.convention
        count = len(cells.ids)
        eyes_mm = None
        if self._gaze.eye is not None:
            numbers = np.array(cells.eyes, np.float64).reshape(count, 3)
            eyes_mm = read_positions_mm(numbers, self._gaze.eye.positive, self._gaze.eye.unit)
        screens = tuple(cells.screens) if self._has_screens() else None
        rows = GazeRows(
            self._task, tuple(cells.ids), (convention,), screens=screens, eyes_mm=eyes_mm
        )
        width = len(convention.columns)
        numbers = np.array(cells.gaze, np.float64).reshape(count, width)
        return GazeFrames(
            ids=cells.ids,
            aliases=cells.aliases,
            parts=cells.parts,
            files=[
                paths.require_inside(self._folder / image, self._root) for image in cells.images
            ],
            people=cells.people,
            sequences=cells.sequences,
            values=read_numbers(numbers, convention, rows, cells.where, labels=True),
            conventions=(convention,),
            boxes=_stack_boxes(cells.boxes),
            head_rad=self._head_angles(cells),
            screens=screens,
            eyes_mm=eyes_mm,
            attributes=_stack_attributes(cells.attributes),
            meta=_stack_also(cells.also),
            notes=self._notes,
        )

    def _head_angles(self, cells: _Cells) -> Floats | None:
        """Return the head's (pitch, yaw) (N, 2) as the house has gaze."""
        head = self._gaze.head
        if head is None:
            return None
        numbers = np.array(cells.heads, np.float64).reshape(len(cells.ids), 2)
        written = _convention_of(head)
        rows = GazeRows("gaze3d", tuple(cells.ids), (written,))
        return vectors_to_angles(read_numbers(numbers, written, rows, cells.where))

    # --- lists beside the tables ---

    def _read_people_list(self) -> dict[str, tuple[str, ...]]:
        """Read part → people; raises DataError for one who is in two parts."""
        if not self._gaze.people:
            return {}
        where = f"{self._card}, source.gaze.people"
        path = self._root / paths.check_relative_path(self._gaze.people, where)
        content = read_json_table(path)
        lists: dict[str, tuple[str, ...]] = {}
        part_of: dict[str, str] = {}
        for part in self._source.parts:
            names = content.get(part)
            if not isinstance(names, list):
                raise DataError(f"{path}: has no list of people {part!r}, a part of {self._card}")
            lists[part] = tuple(str(name) for name in names)
            for name in lists[part]:
                if part_of.setdefault(name, part) != part:
                    raise DataError(f"{path}: {name[:40]!r} is in {part_of[name]} and in {part}")
        return lists

    def _has_screens(self) -> bool:
        gaze = self._gaze
        return bool(gaze.screen or gaze.screens or gaze.screens_file)

    def _known_screens(self) -> Mapping[str, GazeScreen]:
        """Return the screens by name; "" is the one of all rows."""
        if self._gaze.screen is not None:
            return {"": self._gaze.screen}
        if not self._gaze.screens_file:
            return self._gaze.screens
        where = f"{self._card}, source.gaze.screens_file"
        path = self._root / paths.check_relative_path(self._gaze.screens_file, where)
        return _read_screens(path)


class _TableColumns:
    """Which columns of a table hold what; refuses a table that lacks one that the card names."""

    def __init__(
        self, card: str, gaze: GazeFiles, table: delimited.Table, *, several_screens: bool
    ) -> None:
        self._card, self._table = card, table
        _, self.gaze = notation.split_columns(gaze.columns)
        self._require(self.gaze, "columns")
        self._require((gaze.image,), "image")
        self.eye = self._position("eye", gaze.eye)
        self.head = self._position("head", gaze.head)
        if gaze.split:
            self._require((gaze.split,), "split")
        if several_screens and gaze.screen is None:
            self._require(("screen",), "screens")
        self.person = self._person_columns(gaze)
        self.boxes = _box_columns(table)
        self.also = tuple(name for name in gaze.also if name in table.columns)

    def _require(self, names: Sequence[str], key: str) -> None:
        absent = [name for name in names if name not in self._table.columns]
        if absent:
            raise DataError(
                f"{self._table.path}:1: has no column {absent[0]!r} (columns: "
                f"{', '.join(self._table.columns)[:200]}); {self._card}: source.gaze.{key} names it"
            )

    def _position(self, key: str, position: PositionColumns | None) -> tuple[str, ...]:
        if position is None:
            return ()
        _, names = notation.split_columns(position.columns)
        self._require(names, f"{key}.columns")
        return names

    def _person_columns(self, gaze: GazeFiles) -> tuple[str, ...]:
        if gaze.person is not None:
            self._require(gaze.person, "person")
            return gaze.person
        for name in _PEOPLE_COLUMNS:
            if name in self._table.columns:
                return (name,)
        raise DataError(
            f"{self._table.path}:1: no column says who is seen ('person' or 'cluster'); "
            f'{self._card}: source.gaze.person = ["column", …] names it, [] where nobody knows'
        )

    def person_of(self, record: Mapping[str, str], where: str) -> str:
        """Return the person's name, "" where the card says that nobody knows."""
        names = [record[column] for column in self.person]
        if self.person and not all(names):
            raise DataError(f"{where}: says no person ({', '.join(self.person)})")
        return "/".join(names)


def _convention_of(position: PositionColumns) -> GazeConvention:
    return GazeConvention(position.columns, position.positive, position.unit)


# --- cells ----------------------------------------------------------------------------------------


def _numbers_of(record: Mapping[str, str], columns: Sequence[str], where: str) -> list[float]:
    return [delimited.parse_number(record[name], f"{where}: {name}") for name in columns]


def _screen_of(
    record: Mapping[str, str], screens: Mapping[str, GazeScreen], where: str
) -> GazeScreen:
    if "" in screens:
        return screens[""]
    name = record["screen"]
    if name not in screens:
        raise DataError(
            f"{where}: the screen {name[:40]!r} is not among {', '.join(screens)[:200]}"
        )
    return screens[name]


def _box_columns(table: delimited.Table) -> dict[str, tuple[str, ...]]:
    """Return box source → its four columns."""
    sources = {}
    for column in table.columns:
        name, _, corner = column.rpartition("_")
        if corner != "x0" or not name:
            continue
        columns = tuple(f"{name}_{corner}" for corner in _CORNERS)
        if all(column in table.columns for column in columns):
            sources["bbox" if name == "box" else name] = columns
    return sources


def _boxes_of(
    record: Mapping[str, str], sources: Mapping[str, Sequence[str]], where: str
) -> dict[str, tuple[float, ...]]:
    boxes = {}
    for source, columns in sources.items():
        if not any(record[column] for column in columns):
            continue
        corners = tuple(_numbers_of(record, columns, where))
        if corners == (-1.0, -1.0, -1.0, -1.0):
            continue
        if not (corners[2] > corners[0] and corners[3] > corners[1]):
            raise DataError(f"{where}: the box {source} {corners} has no area; x0 y0 x1 y1")
        boxes[source] = corners
    return boxes


def _attributes_of(record: Mapping[str, str], where: str) -> dict[str, bool]:
    attributes = {}
    for name, cell in record.items():
        if not name.startswith("is_"):
            continue
        if cell not in ("0", "1"):
            raise DataError(f"{where}: {name}: {cell[:20]!r} is neither 0 nor 1")
        attributes[name.removeprefix("is_")] = cell == "1"
    return attributes


def _stack_boxes(boxes: Sequence[Mapping[str, tuple[float, ...]]]) -> dict[str, Floats]:
    stacked: dict[str, Floats] = {}
    for row, named in enumerate(boxes):
        for source, corners in named.items():
            if source not in stacked:
                stacked[source] = np.full((len(boxes), 4), np.nan)
            stacked[source][row] = corners
    return stacked


def _stack_attributes(attributes: Sequence[Mapping[str, bool]]) -> dict[str, np.ndarray]:
    names: set[str] = set()
    for named in attributes:
        names.update(named)
    columns = {}
    for name in sorted(names):
        columns[name] = np.array([named.get(name, False) for named in attributes], bool)
    return columns


def _stack_also(also: Sequence[Mapping[str, str]]) -> dict[str, np.ndarray]:
    """Stack further columns: whole numbers as such where all cells are, else texts."""
    names: list[str] = []
    for named in also:
        names += [name for name in named if name not in names]
    columns: dict[str, np.ndarray] = {}
    for name in names:
        texts: Strings = np.array([named.get(name, "") for named in also], np.str_)
        columns[name] = texts
        if all(text.isdecimal() and len(text) < 10 for text in texts.tolist()):
            columns[name] = texts.astype(np.int64)
    return columns


# --- files beside the tables ----------------------------------------------------------------------


def _read_screens(path: Path) -> dict[str, GazeScreen]:
    """Read a CSV of screens: screen, width_mm, height_mm, camera_x_mm, camera_above_mm, …_px."""
    table = delimited.read_table(path)
    for name in ("screen", *_SCREEN_KEYS):
        if name not in table.columns:
            raise DataError(f"{path}:1: has no column {name!r}: screen, {', '.join(_SCREEN_KEYS)}")
    pixels = [name for name in ("width_px", "height_px") if name in table.columns]
    screens: dict[str, GazeScreen] = {}
    for row, record in enumerate(table.rows):
        where = table.where(row)
        sizes = {}
        for name in (*_SCREEN_KEYS, *pixels):
            sizes[name] = delimited.parse_number(record[name], f"{where}: {name}")
            if not name.startswith("camera") and sizes[name] <= 0:
                raise DataError(f"{where}: {name}: must be above 0")
        if record["screen"] in screens or not record["screen"]:
            raise DataError(
                f"{where}: the screen {record['screen'][:40]!r} is there twice or empty"
            )
        screens[record["screen"]] = GazeScreen(**sizes)
    return screens
