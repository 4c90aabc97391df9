"""Custom datasets in the files of annotation tools: a card names the writer in its `source`.

    dataset = "files"
    source = {images = "pictures", parts = {test = "export.json"}, format = "labelme", origin = 0.5,
              sides = "picture"}

Readers are in `formats`, one file per writer; `formats.annotation_writers` is the table. Here their
faces get the order of the card's layout, ids, boxes and pictures. A point that is not marked stays
absent in its place (`Index.absent`): it is not scored, and its face is not trained on. `benchbox
new protocol NAME --from PATH` writes such a card.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import numpy as np

from benchbox.errors import DataError
from benchbox.types import CustomFiles, Finding, Index, Layout

from . import picture_turns, sample_checks
from .custom_access import describe_custom_access
from .formats import exif, paths
from .formats.annotation_writers import WRITERS
from .formats.marked_face import MarkedFace, MarkedFaces, list_files
from .formats.point_names import number_points
from .index import picture_cache_key

if TYPE_CHECKING:
    from benchbox.types import Bools, Bytes, Floats

_PICTURES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp")


@dataclass(frozen=True)
class _Row:
    """A face with its part and its picture, None where there is none."""

    part: str
    face: MarkedFace
    numbers: dict[str, int]  # name of a mark → point of the layout
    picture: Path | None
    image: str  # the picture's name below the folder of pictures, as far as it is known
    wanted: Path  # the path that its file names
    turn: int = exif.UPRIGHT  # EXIF orientation by which the picture is turned when read


class AnnotatedFiles:
    """The reader of one card's files: a dataset like the others, made from its `source`."""

    def __init__(self, name: str, source: CustomFiles, layout: Layout) -> None:
        self._name, self._source, self._layout = name, source, layout
        self._writer = WRITERS[source.format]
        self.ACCESS = describe_custom_access(f"{name} ({self._writer.title})", source)

    def index(self, root: Path, *, pixels: bool = True) -> Index:
        """Read every part's files; with `pixels`, faces without a picture are left out and noted.

        Values are (N, K, 2) px in the frame that the source's `origin` names, NaN where a point is
        absent.

        Raises
        ------
        DataError
            A file is malformed, or its points are not those of the layout; names the file and the
            face.
        """
        rows, notes, _ = self._read_turned(root)
        if pixels:
            kept = [row for row in rows if row.picture is not None]
            if len(kept) < len(rows):
                without = next(row for row in rows if row.picture is None)
                folder = root / self._source.images
                notes.append(
                    f"{len(rows) - len(kept)} of {len(rows)} faces have no picture in {folder}, "
                    f"left out; first {without.face.where}: "
                    f"{paths.describe_absence(without.wanted)}"
                )
            rows = kept
        return self._build_index(rows, notes)

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
        rows, _, undecided = self._read_turned(root)
        pictures = [row.picture for row in rows]
        turns = [row.turn for row in rows]
        findings += sample_checks.check_pictures(
            index.ids.tolist(),
            pictures,
            index.values - index.origin,
            wanted=[row.wanted for row in rows],
            turns=turns,
        )
        stated = [row.face.picture_size for row in rows]
        places = [row.face.where for row in rows]
        findings += sample_checks.check_stated_sizes(stated, pictures, places, turns)
        findings += picture_turns.ask_for_turns(undecided)
        return findings

    def picture_files(self, root: Path) -> dict[str, Path]:
        """Map ids to picture files, for the examination."""
        rows, _, _ = self._read_parts(root)
        files = {}
        for name, row in zip(_name_faces(rows), rows, strict=True):
            if row.picture is not None:
                files[name] = row.picture
        return files

    def picture_turns(self, root: Path) -> dict[str, int]:
        """Map ids to the EXIF orientation by which their pictures are turned when read."""
        rows, _, _ = self._read_turned(root)
        return {name: row.turn for name, row in zip(_name_faces(rows), rows, strict=True)}

    def _read_turned(self, root: Path) -> tuple[list[_Row], list[str], tuple[Path, ...]]:
        """Read the faces of all parts, their pictures stored or upright as their points fit."""
        rows, notes, shares = self._read_parts(root)
        values, _, _ = self._points(rows)
        origin = self._source.origin
        turns = picture_turns.choose_turns(
            [row.picture for row in rows],
            values - origin,
            self._layout,
            stated=[row.face.picture_size for row in rows],
            wish=self._source.orientation,
            shares=shares,
        )
        read = []
        moved = turns.values + origin
        for row, turn, before, points in zip(rows, turns.applied, values, moved, strict=True):
            face = row.face
            if turn != exif.UPRIGHT and not np.array_equal(before, points, equal_nan=True):
                face = _with_exchanged_sides(face, origin)
            read.append(replace(row, face=face, turn=turn))
        return read, [*notes, *turns.notes], turns.undecided

    def _read_parts(self, root: Path) -> tuple[list[_Row], list[str], bool]:
        """Return the faces of all parts, notes, and whether the files hold shares of pictures."""
        rows: list[_Row] = []
        notes: list[str] = []
        shares = False
        finder = _PictureFinder(root, root / self._source.images)
        for part, name in self._source.parts.items():
            path = root / paths.check_relative_path(name, f"card {self._name}, source")
            paths.require_inside(path, root)
            if not path.exists():
                notes.append(f"there is nothing at {path}")
                continue
            marked = self._writer.read(path, self._source.field)
            numbers = self._point_numbers(marked, path)
            notes += [f"{name}: {note}" for note in marked.notes]
            shares |= marked.shares
            for face in marked.faces:
                picture = finder.find(face.image, marked.folder, face.where)
                image = finder.name_of(face.image, picture)
                wanted = finder.path_of(face.image, marked.folder)
                rows.append(_Row(part, face, numbers, picture, image, wanted))
        return rows, notes + _note_partial_faces(rows, self._source), shares

    def _point_numbers(self, marked: MarkedFaces, path: Path) -> dict[str, int]:
        if marked.names:
            return number_points(marked.names, self._layout, self._source.sides, str(path))
        if marked.faces and marked.count != self._layout.count:
            raise DataError(
                f"{path}: faces have {marked.count} points, {self._layout.name} has "
                f"{self._layout.count}: another --layout?"
            )
        return {str(point): point for point in range(self._layout.count)}

    def _build_index(self, rows: Sequence[_Row], notes: Sequence[str]) -> Index:
        values, absent, visible = self._points(rows)
        notes = list(notes)
        if absent.any():
            partly = int(absent.any(axis=1).sum())
            notes.append(
                f"{partly} of {len(rows)} faces lack a point ({int(absent.sum())} points): scored "
                "by the points they have, not trained on"
            )
        # a face without a picture is not read
        files = tuple(row.picture or Path(row.image) for row in rows)
        turns = tuple(row.turn for row in rows)
        return Index(
            dataset="files",
            ids=np.array(_name_faces(rows), np.str_),
            parts=np.array([row.part for row in rows], np.str_),
            values=values,
            boxes=_boxes(rows, values),
            clusters=np.array([row.face.cluster or row.image for row in rows], np.str_),
            read=partial(_read_picture, rows, values - self._source.origin),
            cache_key=partial(picture_cache_key, files, turns=turns),
            origin=self._source.origin,
            visible=visible,
            absent=absent if absent.any() else None,
            attributes=_attributes(rows),
            notes=tuple(notes),
            scale_boxes=_scale_boxes(rows),
            label_place=partial(_place_of, tuple(row.face.where for row in rows)),
            images=np.array([row.image for row in rows], np.str_),
        )

    def _points(self, rows: Sequence[_Row]) -> tuple[Floats, Bools, Bools | None]:
        """Return values (N, K, 2), what is absent and what is visible (N, K), None if unsaid."""
        values = np.full((len(rows), self._layout.count, 2), np.nan)
        visible = np.zeros(values.shape[:2], bool)
        said = False
        for row, entry in enumerate(rows):
            for name, mark in entry.face.marks.items():
                point = entry.numbers[name]
                values[row, point] = mark.x, mark.y
                visible[row, point] = mark.visible is not False  # unsaid counts as visible
                said |= mark.visible is not None
        return values, np.isnan(values[..., 0]), visible if said else None


def _with_exchanged_sides(face: MarkedFace, origin: float) -> MarkedFace:
    """Return a face whose shares were multiplied by the stored width and height, of the other."""
    if face.picture_size is None:
        return face
    width, height = face.picture_size
    across, down = height / width, width / height
    corner = origin - 0.5  # what the picture's own corner is called

    def moved(x: float, y: float) -> tuple[float, float]:
        return (x - corner) * across + corner, (y - corner) * down + corner

    marks = {}
    for name, mark in face.marks.items():
        x, y = moved(mark.x, mark.y)
        marks[name] = replace(mark, x=x, y=y)
    box = face.box
    if box:
        box = (*moved(box[0], box[1]), *moved(box[2], box[3]))
    return replace(face, marks=marks, box=box)


def _read_picture(rows: Sequence[_Row], points: Floats, row: int) -> Bytes:
    """Decode the picture of a row as RGB (H, W, 3) uint8; `points` (N, K, 2) px, pixel frame.

    Raises DataError when it is broken, does not hold its points, or is not as large as its
    annotation file says.
    """
    entry = rows[row]
    path = entry.picture or Path(entry.image)
    pixels = sample_checks.decode_fitting_picture(path, points[row], entry.turn)
    size = (pixels.shape[1], pixels.shape[0])
    stated = entry.face.picture_size
    if entry.turn != exif.UPRIGHT and stated == size[::-1]:
        return pixels  # stated as it is stored
    fault = sample_checks.size_fault(stated, path, size, entry.face.where)
    if fault:
        raise DataError(fault)
    return pixels


def _place_of(places: Sequence[str], row: int) -> str:
    return places[row]


# --- ids ------------------------------------------------------------------------------------------


def _name_faces(rows: Sequence[_Row]) -> list[str]:
    """Name every face: as its file calls it, else by its picture, `_1`, `_2` where it has several.

    Pictures of one name in several folders are called with their folders; faces of one name in
    several parts with the part before.
    """
    images = {row.image for row in rows}
    stems = Counter(PurePosixPath(image).stem for image in images)
    on_image = Counter((row.part, row.image) for row in rows)
    own = Counter(PurePosixPath(row.face.name).name for row in rows)
    seen: Counter[tuple[str, str]] = Counter()
    names = []
    for row in rows:
        image = PurePosixPath(row.image)
        name = image.stem
        if stems[image.stem] > 1:
            name = image.with_suffix("").as_posix()
        key = (row.part, row.image)
        seen[key] += 1
        if on_image[key] > 1:
            name = f"{name}_{seen[key]}"
        names.append(_own_name(row.face.name, own) or name)
    doubled = {name for name, count in Counter(names).items() if count > 1}
    if doubled and len({row.part for row in rows}) > 1:
        return [f"{row.part}/{name}" for row, name in zip(rows, names, strict=True)]
    return names


def _own_name(name: str, last_words: Counter[str]) -> str:
    """Return what the file calls a face, without folders where that is enough."""
    last = PurePosixPath(name).name
    if last_words[last] == 1:
        return last
    return name


# --- columns --------------------------------------------------------------------------------------


def _boxes(rows: Sequence[_Row], values: Floats) -> dict[str, Floats]:
    boxes = {}
    if any(row.face.box for row in rows):
        boxes["bbox"] = _box_array([row.face.box for row in rows])
    boxes["ground_truth"] = box_of_marked(values)
    return boxes


def box_of_marked(values: Floats) -> Floats:
    """Return the tight boxes (N, 4) of points (N, K, 2), absent ones (NaN) passed over.

    >>> box_of_marked(np.array([[[1.0, 2.0], [np.nan, np.nan], [5.0, 4.0]]])).tolist()
    [[1.0, 2.0, 5.0, 4.0]]
    """
    marked = ~np.isnan(values)
    low = np.min(values, axis=1, where=marked, initial=np.inf)
    high = np.max(values, axis=1, where=marked, initial=-np.inf)
    return np.concatenate([low, high], axis=1).reshape(-1, 4)


def _box_array(boxes: Sequence[tuple[float, ...]]) -> Floats:
    stacked = np.full((len(boxes), 4), np.nan)
    for row, box in enumerate(boxes):
        if box:
            stacked[row] = box
    return stacked


def _scale_boxes(rows: Sequence[_Row]) -> Floats | None:
    """Return the boxes (N, 4) of the face-size normaliser, NaN where a face has none.

    Those that the files call the face's size, else their boxes, never some of each; None where no
    face has one. Whether those that are scored have one is asked where the truth is made.
    """
    boxes = [row.face.scale_box for row in rows]
    if not any(boxes):
        boxes = [row.face.box for row in rows]
    if not any(boxes):
        return None
    return _box_array(boxes)


def _attributes(rows: Sequence[_Row]) -> dict[str, np.ndarray]:
    names: set[str] = set()
    for row in rows:
        names.update(row.face.attributes)
    columns = {}
    for name in sorted(names):
        columns[name] = np.array([row.face.attributes.get(name, False) for row in rows], bool)
    return columns


def _note_partial_faces(rows: Sequence[_Row], source: CustomFiles) -> list[str]:
    """Name the files in which faces lack what others have: flags of visibility, boxes, sizes."""
    lacking: dict[str, Callable[[MarkedFace], bool]] = {
        "what is visible: all their points count as visible": _says_visible,
        "boxes": lambda face: bool(face.box),
        "the size of faces": lambda face: bool(face.scale_box),
    }
    notes = []
    for words, has in lacking.items():
        having = [has(row.face) for row in rows]
        if all(having) or not any(having):
            continue
        for part, name in source.parts.items():
            inside = [face for face, row in zip(having, rows, strict=True) if row.part == part]
            without = [row for row in rows if row.part == part and not has(row.face)]
            if without:
                notes.append(
                    f"{name}: {len(without)} of {len(inside)} faces do not say {words}; first "
                    f"{without[0].face.where}"
                )
    return notes


def _says_visible(face: MarkedFace) -> bool:
    return any(mark.visible is not None for mark in face.marks.values())


# --- pictures -------------------------------------------------------------------------------------


class _PictureFinder:
    """Finds pictures by the names that annotation files give them; never outside the data root."""

    def __init__(self, root: Path, folder: Path) -> None:
        self._root, self._folder = root.resolve(), folder
        self._by_name: dict[str, list[Path]] = {}
        self._by_stem: dict[str, list[Path]] = {}
        self._named_so: dict[Path, tuple[str, str]] = {}  # found by name → name and where it stands
        if folder.is_dir():
            self._list(list_files(folder, _PICTURES))

    def _list(self, files: Iterable[Path]) -> None:
        for file in files:
            self._by_name.setdefault(file.name.lower(), []).append(file)
            self._by_stem.setdefault(file.stem.lower(), []).append(file)

    def find(self, image: str, beside: Path | None, where: str) -> Path | None:
        """Return the picture of a name: below the folder, beside the annotations, by its stem.

        `where` names the face in messages.

        Raises
        ------
        DataError
            Several pictures have that name, or one picture would be that of several names.
        """
        folders = [self._folder]
        if beside is not None:
            folders.append(beside if beside.is_dir() else beside.parent)
        for folder in folders:
            if PurePosixPath(image).is_absolute():
                break
            candidate = (folder / image).resolve()
            # the folder of pictures may itself lie on another disk
            inside = any(map(candidate.is_relative_to, (self._root, folder.resolve())))
            if candidate.is_file() and inside:
                return candidate if candidate.suffix.lower() in _PICTURES else None
        path = PurePosixPath(image)
        found = self._by_name.get(path.name.lower(), [])
        if not found and path.suffix.lower() not in _PICTURES:
            found = self._by_stem.get(path.name.lower(), [])
        if len(found) > 1:
            tail = tuple(path.with_suffix("").parts)
            same = [file for file in found if file.with_suffix("").parts[-len(tail) :] == tail]
            if len(same) != 1:
                raise DataError(
                    f"{self._folder}: {image!r} may be any of {len(found)} pictures: "
                    f"{found[0].name}, {found[1].name} …"
                )
            found = same
        if not found:
            return None
        if not found[0].resolve().is_relative_to(self._folder.resolve()):
            raise DataError(
                f"{found[0]}: a link leads out of {self._folder}, which is refused; put the file "
                "itself there"
            )
        name, first = self._named_so.setdefault(found[0], (image, where))
        if name.casefold() != image.casefold():
            raise DataError(
                f"{where}: {image!r} is not below {self._folder}; by its name it would be "
                f"{found[0].name}, and so would {name!r} ({first}): keep the folders"
            )
        return found[0]

    def path_of(self, image: str, beside: Path | None) -> Path:
        """Return where a picture should be: below the folder, or where `..` from a file leads.

        Paths of other machines count by their last name.
        """
        name = PurePosixPath(image)
        if name.is_absolute():
            return self._folder / name.name
        folder = self._folder
        if beside is not None and name.parts[0] == "..":
            folder = beside if beside.is_dir() else beside.parent
        return Path(os.path.normpath(folder / name))

    def name_of(self, image: str, picture: Path | None) -> str:
        """Return the picture's name below the folder of pictures, or as the annotations have it."""
        if picture is None:
            parts = [part for part in PurePosixPath(image).parts if part not in ("..", "/", ".")]
            return "/".join(parts)
        resolved, folder = picture.resolve(), self._folder.resolve()
        if resolved.is_relative_to(folder):
            return resolved.relative_to(folder).as_posix()
        return picture.name
