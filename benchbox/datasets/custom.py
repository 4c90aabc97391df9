"""Custom datasets: CSV or COCO-style json beside a folder of pictures, named by the card itself.

    dataset = "files"
    source = {images = "mine/pictures", parts = {train = "mine/train.csv", test = "mine/test.json"},
              origin = 0}

Paths lie below the data root. What the files hold is said by `annotation_csv` and
`annotation_json`.

`origin` is the coordinate of the first pixel's centre, 0 or 1: MMPose's and HRNet's copies of
iBUG's sets keep 1. `visible = "coco"` reads the third number of a json's keypoints as COCO means it
(2 visible, 1 hidden); by default it is not looked at, since many converters write 1 throughout. A
point that is not marked (v = 0 or null in a json; x and y empty or `nan` in a CSV, or hidden and at
(0, 0) or (-1, -1)) is absent: it stays in its place, nothing is measured there, and no normaliser
is made of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchbox.errors import DataError
from benchbox.geometry import tight_box
from benchbox.types import Access, CustomFiles, Finding, Index, Layout

from . import annotation_csv, annotation_json, picture_turns, sample_checks
from .annotated_face import AnnotatedFace
from .custom_access import describe_custom_access
from .formats import exif, paths
from .index import picture_cache_key

if TYPE_CHECKING:
    from benchbox.types import Bytes, Floats

ACCESS = Access(
    title="Custom dataset: your own faces",
    folder="",
    where='your own data: a card with dataset = "files" names the files in its [source]',
    terms="yours to say",
    citation="yours to say",
    layout="<anywhere below the data root>/*.csv or *.json, and a folder of pictures",
)


class CustomDataset:
    """The reader of one card's files: a dataset like the others, made from its `source`.

    `name` is the card's, `layout` what its points mean.
    """

    def __init__(self, name: str, source: CustomFiles, layout: Layout) -> None:
        self._name, self._source, self._layout = name, source, layout
        self.ACCESS = describe_custom_access(name, source)

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
        faces: list[AnnotatedFace] = []
        part_faces, notes = self._read_parts(root)
        turns = self._choose_turns(folder, [face for _, face in part_faces])
        notes += turns.notes
        applied: list[int] = []
        without = []
        for (part, face), turn in zip(part_faces, turns.applied, strict=True):
            if pixels and not (folder / face.image).is_file():
                without.append(face)
                continue
            parts.append(part)
            faces.append(face)
            applied.append(turn)
        if without:
            first = paths.describe_absence(folder / without[0].image)
            notes.append(
                f"{len(without)} of {len(part_faces)} faces have no picture and are left out; "
                f"first {without[0].id}: {first}"
            )
        return self._build_index(folder, parts, faces, applied, notes)

    def _choose_turns(
        self, folder: Path, faces: Sequence[AnnotatedFace]
    ) -> picture_turns.PictureTurns:
        """Decide which pictures are read upright, as their points fit."""
        return picture_turns.choose_turns(
            [folder / face.image for face in faces],
            _stack_points(faces, self._layout.count) - self._source.origin,
            self._layout,
            stated=[face.picture_size for face in faces],
            wish=self._source.orientation,
        )

    def _build_index(
        self,
        folder: Path,
        parts: Sequence[str],
        faces: Sequence[AnnotatedFace],
        turns: Sequence[int],
        notes: Sequence[str],
    ) -> Index:
        values = _stack_points(faces, self._layout.count)
        files = tuple(folder / face.image for face in faces)
        return Index(
            dataset="files",
            ids=np.array([face.id for face in faces], np.str_),
            parts=np.array(parts, np.str_),
            values=values,
            boxes=_boxes_by_source(faces, values),
            clusters=np.array([face.cluster for face in faces], np.str_),
            read=partial(_read_picture, files, faces, values - self._source.origin, turns),
            cache_key=partial(picture_cache_key, files, turns=turns),
            origin=self._source.origin,
            visible=_visible_points(faces),
            absent=_absent_points(values),
            attributes=_attribute_columns(faces),
            notes=tuple(notes),
            scale_boxes=_scale_boxes(faces),
            label_place=partial(_label_place, faces),
            images=np.array([face.image for face in faces], np.str_),
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
        part_faces, _ = self._read_parts(root)
        faces = [face for _, face in part_faces]
        files = self.picture_files(root)
        pictures = [files.get(str(name)) for name in index.ids]
        turns = self._choose_turns(root / self._source.images, faces)
        findings += sample_checks.check_pictures(
            index.ids.tolist(),
            pictures,
            index.values - index.origin,
            wanted=[root / self._source.images / face.image for face in faces],
            turns=turns.applied,
        )
        findings += sample_checks.check_stated_sizes(
            [face.picture_size for face in faces],
            pictures,
            [face.place for face in faces],
            turns.applied,
        )
        findings += picture_turns.ask_for_turns(turns.undecided)
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

    def picture_turns(self, root: Path) -> dict[str, int]:
        """Map ids to the EXIF orientation by which their pictures are turned when read."""
        part_faces, _ = self._read_parts(root)
        faces = [face for _, face in part_faces]
        turns = self._choose_turns(root / self._source.images, faces)
        return {face.id: turn for face, turn in zip(faces, turns.applied, strict=True)}

    def _read_parts(self, root: Path) -> tuple[list[tuple[str, AnnotatedFace]], list[str]]:
        """Return the faces of all parts, each with its part, and notes."""
        part_faces: list[tuple[str, AnnotatedFace]] = []
        notes: list[str] = []
        first_with: dict[str, AnnotatedFace] = {}
        for part, name in self._source.parts.items():
            path = root / paths.check_relative_path(name, f"card {self._name}, source")
            paths.require_inside(path, root)
            if not path.is_file():
                notes.append(f"there is no file {paths.describe_absence(path)}")
                continue
            if path.suffix.lower() == ".json":
                read = annotation_json.read_json(path, part, self._layout.count, self._source)
            else:
                read = annotation_csv.read_csv(path, part, self._layout.count)
            notes += read.notes
            for face in read.faces:
                paths.require_inside(root / self._source.images / face.image, root)
                earlier = first_with.setdefault(face.id, face)
                if earlier is not face:
                    raise DataError(
                        f"{face.place}: the id {face.id!r} is that of {earlier.place}, too; "
                        "an id names one face"
                    )
                part_faces.append((part, face))
        return part_faces, notes + _note_partial_columns(part_faces, self._source)


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


def _stack_points(faces: Sequence[AnnotatedFace], count: int) -> Floats:
    return np.array([face.points for face in faces], np.float64).reshape(-1, count, 2)


def _boxes_by_source(faces: Sequence[AnnotatedFace], values: Floats) -> dict[str, Floats]:
    boxes = {}
    if any(face.box for face in faces):
        boxes["bbox"] = _box_array([face.box for face in faces])
    boxes["ground_truth"] = tight_box(values)
    return boxes


def _scale_boxes(faces: Sequence[AnnotatedFace]) -> Floats | None:
    """Return face boxes (N, 4), NaN where a face has none; None where no face has one.

    Whether those that are scored have one is asked where the truth is made.
    """
    if not any(face.scale_box for face in faces):
        return None
    return _box_array([face.scale_box for face in faces])


def _box_array(boxes: Sequence[tuple[float, ...]]) -> Floats:
    """Stack corner boxes (N, 4); an empty one becomes NaN."""
    stacked = np.full((len(boxes), 4), np.nan)
    for row, box in enumerate(boxes):
        if box:
            stacked[row] = box
    return stacked


def _visible_points(faces: Sequence[AnnotatedFace]) -> np.ndarray | None:
    """Return visibility (N, K), if any face states it; of one that does not all points count."""
    if not any(face.visible for face in faces):
        return None
    rows = []
    for face in faces:
        rows.append(face.visible or (True,) * (len(face.points) // 2))
    return np.array(rows, bool)


def _absent_points(values: Floats) -> np.ndarray | None:
    """Return which points (N, K) are not marked, None where all are."""
    absent: np.ndarray = np.asarray(np.isnan(values).all(axis=-1))
    if not absent.any():
        return None
    return absent


def _attribute_columns(faces: Sequence[AnnotatedFace]) -> dict[str, np.ndarray]:
    names: set[str] = set()
    for face in faces:
        names.update(face.attributes)
    columns = {}
    for name in sorted(names):
        columns[name] = np.array([face.attributes.get(name, False) for face in faces], bool)
    return columns


def _note_partial_columns(
    part_faces: Sequence[tuple[str, AnnotatedFace]], source: CustomFiles
) -> list[str]:
    """Name the files that lack what others have: flags of visibility, boxes, face sizes."""
    lacking = {
        "what is visible (v0, v1, …): all its points count as visible": "visible",
        "boxes (box_x0 … box_y1 or bbox)": "box",
        "the size of faces (box_size)": "scale_box",
    }
    notes = []
    for words, field in lacking.items():
        having = [bool(getattr(face, field)) for _, face in part_faces]
        if all(having) or not any(having):
            continue
        for part, name in source.parts.items():
            rows = [face for in_part, face in part_faces if in_part == part]
            without = [face for face in rows if not getattr(face, field)]
            if without:
                notes.append(
                    f"{name}: {len(without)} of {len(rows)} faces do not say {words}; "
                    f"first {without[0].id}"
                )
    return notes


# --- pictures -------------------------------------------------------------------------------------


def _label_place(faces: Sequence[AnnotatedFace], row: int) -> str:
    return f"{faces[row].place}, {faces[row].image}"


def _read_picture(
    files: Sequence[Path],
    faces: Sequence[AnnotatedFace],
    points: Floats,
    turns: Sequence[int],
    row: int,
) -> Bytes:
    """Decode the picture of a row as RGB (H, W, 3) uint8; `points` (N, K, 2) px, pixel frame.

    Raises DataError when it is broken, does not hold its points, or is not as large as its
    annotation file says.
    """
    pixels = sample_checks.decode_fitting_picture(files[row], points[row], turns[row])
    size, stated = (pixels.shape[1], pixels.shape[0]), faces[row].picture_size
    if turns[row] != exif.UPRIGHT and stated == size[::-1]:
        return pixels  # stated as it is stored
    fault = sample_checks.size_fault(stated, files[row], size, faces[row].place)
    if fault:
        raise DataError(fault)
    return pixels
