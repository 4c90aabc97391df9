"""300-W (public): photographs with 68 hand-checked points from AFW, HELEN, LFPW and iBUG.

The official layout is one folder per set. An id is set, split and stem:
`helen/testset/296814969_3`. Stems alone clash, for LFPW's two splits share 201 names. Annotations
count pixels from 1 (`Index.origin`). HELEN and AFW name a face `<photo>_<n>`, iBUG
`image_<photo>[_<n>]`: faces of one photograph form a cluster, across splits too.

A picture is the file beside the `.pts` with the same stem, png or jpg. Where both are there, the
format of the official archive wins (png for LFPW, jpg elsewhere), because the other one must be a
copy.

The official test annotations are recognised by their digest. A copy whose pictures were cropped or
shrunk, with the points moved along, has the same normalised errors up to its pixels, but not the
same pixels: it is named as such.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchbox.datasets import sample_checks
from benchbox.datasets.formats import images, paths, pts
from benchbox.datasets.index import note_left_out
from benchbox.errors import DataError
from benchbox.geometry import tight_box
from benchbox.types import Access, Finding, Index

from . import ibug_boxes

if TYPE_CHECKING:
    from benchbox.types import Bytes, Floats

ACCESS = Access(
    title="300-W",
    folder="300w",
    where="https://ibug.doc.ic.ac.uk/resources/facial-point-annotations/",
    terms="research only, no commercial use; the photographs belong to their owners",
    citation=(
        "C. Sagonas, E. Antonakos, G. Tzimiropoulos, S. Zafeiriou, M. Pantic: 300 Faces "
        "In-The-Wild Challenge: "
        "database and results. Image and Vision Computing 47, 2016"
    ),
    layout="""\
300w/afw/*.{jpg,pts}                        337 faces  train
300w/helen/trainset/*.{jpg,pts}            2000 faces  train
300w/lfpw/trainset/*.{png,pts}              811 faces  train
300w/helen/testset/*.{jpg,pts}              330 faces  common
300w/lfpw/testset/*.{png,pts}               224 faces  common
300w/ibug/*.{jpg,pts}                       135 faces  challenging
300w/Bounding Boxes/bounding_boxes_*.mat    the detector's boxes, one file per set""",
)


@dataclass(frozen=True)
class _Part:
    """One folder of the official release."""

    faces: int
    boxes: str  # file under `Bounding Boxes`
    suffix: str  # of the official pictures
    digest: str = ""  # of the official annotations, for test sets


PARTS = {
    "afw": _Part(337, "bounding_boxes_afw.mat", ".jpg"),
    "helen/trainset": _Part(2000, "bounding_boxes_helen_trainset.mat", ".jpg"),
    "lfpw/trainset": _Part(811, "bounding_boxes_lfpw_trainset.mat", ".png"),
    "helen/testset": _Part(
        330,
        "bounding_boxes_helen_testset.mat",
        ".jpg",
        "bf76450f1333b5bf80246e32ac9fc149bcc1b62521a08add3659d31cbb02168c",
    ),
    "lfpw/testset": _Part(
        224,
        "bounding_boxes_lfpw_testset.mat",
        ".png",
        "a252ea1442edd7a1cddd7cef027609a4088fd9b201d030721273302475cfec03",
    ),
    "ibug": _Part(
        135,
        "bounding_boxes_ibug.mat",
        ".jpg",
        "ef7bc4c483dba8ece3e8c5b39ac8570eca9c265be8c69c1a6391b8c1e4cedb78",
    ),
}
_TRAIN = ("afw", "helen/trainset", "lfpw/trainset")
_KNOWN_OVERLAP = {"helen/296814969"}  # in the official split
_VARIANTS = {
    "original annotations": "the test points are the official ones, "
    "bit for bit to a thousandth of a pixel",
    "moved annotations": "the test points are not the official ones: "
    "pictures cropped, shrunk or points redone",
    "partly moved annotations": "some test sets hold the official points and some do not",
    "unverified annotations": "no test set is complete, "
    "so its points were not compared with the official ones",
}


@dataclass(frozen=True)
class _Face:
    id: str
    part: str
    annotation: Path
    picture: Path | None
    doubled: bool = False  # as png and as jpg


# --- index ----------------------------------------------------------------------------------------


def index(root: Path, *, pixels: bool = True) -> Index:
    """Read all annotations and boxes under `root/300w`.

    Values are (N, 68, 2) px, counted from 1. With `pixels`, faces without a picture are left out
    and noted; an absent folder gives an empty index.

    Raises
    ------
    DataError
        An annotation or a file of boxes is malformed; names the first.
    """
    folder = root / ACCESS.folder
    notes = _note_absent_folder(folder)
    faces: list[_Face] = []
    for part in PARTS:
        kept, part_notes = _kept_faces(folder, part, pixels)
        faces += kept
        notes += part_notes
    values = _stack_annotations(faces)
    ids = np.array([face.id for face in faces], np.str_)
    parts = np.array([face.part for face in faces], np.str_)
    detector, box_notes = _detector_boxes(folder, faces)
    return Index(
        dataset="300w",
        ids=ids,
        parts=parts,
        values=values,
        boxes={"detector": detector, "ground_truth": tight_box(values)},
        clusters=np.array([photo_of_face(face.id) for face in faces], np.str_),
        read=partial(_read_picture, tuple(faces), values),
        origin=1.0,
        notes=(*notes, *box_notes),
        variant=_annotation_variant(ids, parts, values),
        cache_key=partial(_cache_key, tuple(faces)),
        label_place=partial(_label_place, tuple(faces)),
    )


def photo_of_face(face: str) -> str:
    """Name the photograph that a face, given by its id, was taken from.

    HELEN and AFW name a face `<photo>_<n>`, iBUG `image_<photo>[_<n>]`, LFPW has one on each.

    Examples
    --------
    >>> photo_of_face("helen/testset/296814969_3"), photo_of_face("helen/trainset/296814969_1")
    ('helen/296814969', 'helen/296814969')
    >>> photo_of_face("ibug/image_092 _01")
    'ibug/image_092'
    >>> photo_of_face("lfpw/testset/image_0001")
    'lfpw/testset/image_0001'
    """
    part, _, stem = face.rpartition("/")
    if part == "ibug":
        photo = stem
        number = re.match(r"image_\d+", stem)
        if number:
            photo = number[0]
        return f"ibug/{photo}"
    if part.startswith("lfpw"):
        return face
    collection = part.partition("/")[0]
    photo = stem.rpartition("_")[0] or stem
    return f"{collection}/{photo}"


def _note_absent_folder(folder: Path) -> list[str]:
    if folder.is_dir():
        return []
    note = f"there is no folder {folder}"
    if (folder.parent / "helen").is_dir():
        note += "; --data names the folder that holds 300w/"
    return [note]


def _kept_faces(folder: Path, part: str, pixels: bool) -> tuple[list[_Face], list[str]]:
    """Return the faces of a part, with `pixels` those that have a picture, and notes."""
    faces = _list_faces(folder, part)
    kept = faces
    if pixels:
        kept = [face for face in faces if face.picture]
    notes = note_left_out(len(kept), len(faces), part=part)
    doubled = sum(face.doubled for face in kept)
    if doubled:
        notes.append(
            f"{part}: {doubled} pictures are there as png and jpg; {PARTS[part].suffix} is read"
        )
    return kept, notes


def _list_faces(folder: Path, part: str) -> list[_Face]:
    """List the annotated faces of a part by stem, each with its picture; reads no file."""
    faces = []
    for pair in paths.pair_pictures(folder / part, PARTS[part].suffix):
        face_id = f"{part}/{pair.stem}"
        faces.append(_Face(face_id, part, pair.annotation, pair.picture, pair.doubled))
    return faces


def _stack_annotations(faces: Sequence[_Face]) -> Floats:
    values = np.empty((len(faces), 68, 2))
    for row, face in enumerate(faces):
        values[row] = pts.read_pts(face.annotation)
    return values


def _detector_boxes(folder: Path, faces: Sequence[_Face]) -> tuple[Floats, list[str]]:
    """Return the detector's boxes (N, 4), NaN where there is none, and what to note about them."""
    boxes = np.full((len(faces), 4), np.nan)
    notes = []
    for part, facts in PARTS.items():
        rows = _rows_of_part(faces, part)
        path = folder / "Bounding Boxes" / facts.boxes
        if not rows or not path.is_file():
            continue
        known = ibug_boxes.read_boxes(path)
        for row in rows:
            face_boxes = known.get(_box_key(faces[row]))
            if face_boxes:
                boxes[row] = face_boxes.detector
        without_box = int(np.isnan(boxes[rows, 0]).sum())
        if without_box:
            notes.append(f"{part}: {without_box} of {len(rows)} faces are not in {facts.boxes}")
    return boxes, notes


def _rows_of_part(faces: Sequence[_Face], part: str) -> list[int]:
    return [row for row, face in enumerate(faces) if face.part == part]


def _box_key(face: _Face) -> str:
    stem = face.id.rpartition("/")[2]
    return ibug_boxes.box_key(stem + PARTS[face.part].suffix)


def _read_picture(faces: Sequence[_Face], values: Floats, row: int) -> Bytes:
    """Decode the picture of a face; raises DataError unless its points can lie in it."""
    face = faces[row]
    if face.picture is None:
        raise DataError(
            f"{face.id}: no picture beside {face.annotation}; "
            f"put {face.annotation.stem}.png or .jpg there"
        )
    return sample_checks.decode_fitting_picture(face.picture, values[row] - 1.0)


def _label_place(faces: Sequence[_Face], row: int) -> str:
    return str(faces[row].annotation)


def _cache_key(faces: Sequence[_Face], row: int) -> str:
    picture = faces[row].picture
    if picture is None:
        return ""
    return images.file_cache_key(picture)


def picture_files(root: Path) -> dict[str, Path]:
    """Map ids to picture files, for the examination."""
    files = {}
    for part in PARTS:
        for face in _list_faces(root / ACCESS.folder, part):
            if face.picture:
                files[face.id] = face.picture
    return files


# --- which annotations ----------------------------------------------------------------------------


def annotation_digest(ids: Sequence[str], values: Floats) -> str:
    """Hash annotations, ids (N,) and points (N, K, 2) px, to a thousandth of a pixel.

    The order of faces, the digits and the blanks in names do not matter.
    """
    thousandths = np.rint(np.asarray(values) * 1000).astype("<i8")
    lines = []
    for name, row in zip(ids, thousandths, strict=True):
        lines.append((str(name).replace(" ", ""), row.tobytes()))
    digest = hashlib.sha256()
    for name, content in sorted(lines):
        digest.update(name.encode() + b"\n" + content)
    return digest.hexdigest()


def _annotation_variant(ids: np.ndarray, parts: np.ndarray, values: Floats) -> str:
    """Say whether the test annotations are the official ones."""
    official = []
    for part, facts in PARTS.items():
        rows = parts == part
        if facts.digest and rows.sum() == facts.faces:
            official.append(annotation_digest(ids[rows], values[rows]) == facts.digest)
    if not official:
        return "unverified annotations"
    if all(official):
        return "original annotations"
    if any(official):
        return "partly moved annotations"
    return "moved annotations"


# --- examination ----------------------------------------------------------------------------------


def verify(root: Path) -> list[Finding]:
    """Examine a copy: counts per set, annotations, pictures, boxes by name, doubles."""
    folder = root / ACCESS.folder
    if not folder.is_dir():
        absent = _note_absent_folder(folder)[0]
        text = f"{absent}; get {ACCESS.title} at {ACCESS.where} ({ACCESS.terms})"
        return [Finding("missing", text)]
    findings: list[Finding] = []
    readable: list[_Face] = []
    points: list[Floats] = []
    for part, facts in PARTS.items():
        faces = _list_faces(folder, part)
        findings.append(sample_checks.check_count(part, len(faces), facts.faces, "faces"))
        malformed = []
        for face in faces:
            try:
                points.append(pts.read_pts(face.annotation))
                readable.append(face)
            except DataError as error:
                malformed.append(str(error))
        if malformed:
            text = f"{part}: {len(malformed)} annotations are malformed; first {malformed[0]}"
            findings.append(Finding("wrong", text))
    values = np.array(points).reshape(-1, 68, 2)
    ids = [face.id for face in readable]
    pictures = [face.picture for face in readable]
    for part in PARTS:
        findings += _verify_boxes(folder, part, readable, values)
    wanted = [face.annotation.with_suffix(PARTS[face.part].suffix) for face in readable]
    findings += sample_checks.check_pictures(ids, pictures, values - 1.0, wanted=wanted)
    findings.append(_verify_annotations(readable, values))
    findings += _verify_overlap(readable)
    return findings


def _verify_boxes(folder: Path, part: str, faces: Sequence[_Face], values: Floats) -> list[Finding]:
    """Compare the boxes of a part with its faces, by name."""
    name = PARTS[part].boxes
    path = folder / "Bounding Boxes" / name
    if not path.is_file():
        return [Finding("missing", f"{name}: no such file in 'Bounding Boxes'")]
    try:
        known = ibug_boxes.read_boxes(path)
    except DataError as error:
        return [Finding("wrong", str(error))]
    rows = _rows_of_part(faces, part)
    matched = 0
    misplaced = []
    for row in rows:
        boxes = known.get(_box_key(faces[row]))
        if boxes is None:
            continue
        matched += 1
        if np.abs(boxes.ground_truth - tight_box(values[row])).max() > 0.01:
            misplaced.append(faces[row].id)
    text = f"{name}: {matched} of {len(rows)} faces matched by name"
    if len(known) != matched:
        text += f", {len(known) - matched} rows of other pictures ignored"
    if matched == len(rows):
        findings = [Finding("ok", text)]
    else:
        findings = [Finding("partial", text)]
    if misplaced:
        text = f"{name}: {len(misplaced)} boxes are not around their points; first {misplaced[0]}"
        findings.append(Finding("wrong", text))
    return findings


def _verify_annotations(faces: Sequence[_Face], values: Floats) -> Finding:
    ids = np.array([face.id for face in faces], np.str_)
    parts = np.array([face.part for face in faces], np.str_)
    variant = _annotation_variant(ids, parts, values)
    if variant == "original annotations":
        return Finding("ok", f"{variant}: {_VARIANTS[variant]}")
    return Finding("partial", f"{variant}: {_VARIANTS[variant]}")


def _verify_overlap(faces: Sequence[_Face]) -> list[Finding]:
    """Look for photographs, and for picture files, that are in train and in test."""
    train = [face for face in faces if face.part in _TRAIN]
    test = [face for face in faces if face.part not in _TRAIN]
    train_photos = {photo_of_face(face.id) for face in train}
    test_photos = {photo_of_face(face.id) for face in test}
    shared = train_photos & test_photos
    findings = []
    for photo in sorted(shared & _KNOWN_OVERLAP):
        text = f"photo {photo} has faces in train and in test, as in the official split"
        findings.append(Finding("ok", text))
    for photo in sorted(shared - _KNOWN_OVERLAP):
        findings.append(Finding("wrong", f"photo {photo} has faces in train and in test"))
    findings += sample_checks.check_duplicates(_with_pictures(train), _with_pictures(test))
    return findings


def _with_pictures(faces: Sequence[_Face]) -> list[tuple[str, Path]]:
    return [(face.id, face.picture) for face in faces if face.picture]
