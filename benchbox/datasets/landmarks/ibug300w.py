"""300-W (public) in its official layout: photographs with 68 hand-checked points from AFW, HELEN, LFPW and iBUG.

An id is set, split and stem: `helen/testset/296814969_3`. Stems alone clash, for LFPW's two splits share 201 names.
Annotations count pixels from 1 (`Index.origin`). HELEN and AFW name a face `<photo>_<n>`,
iBUG `image_<photo>[_<n>]`: faces of one photograph form a cluster, across splits too.

A picture is the file beside the `.pts` with the same stem, png or jpg. Where both are there, the
format of the official archive wins (png for LFPW, jpg elsewhere), because the other one must be a
copy.

The official test annotations are recognised by their digest. A copy whose pictures were cropped or shrunk, with the
points moved along, has the same normalised errors up to its pixels, but not the same pixels: it is named as such.
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
        "C. Sagonas, E. Antonakos, G. Tzimiropoulos, S. Zafeiriou, M. Pantic: 300 Faces In-The-Wild Challenge: "
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

    With `pixels`, faces without a picture are left out and noted.

    Raises DataError for the first annotation or box file that is malformed; an absent folder gives
    an empty index.
    """
    folder = root / ACCESS.folder
    notes = _note_absent_folder(folder)
    faces: list[_Face] = []
    for part, facts in PARTS.items():
        found = _list_faces(folder, part)
        kept = [face for face in found if face.picture or not pixels]
        if len(kept) < len(found):
            notes.append(
                f"{part}: {len(found) - len(kept)} of {len(found)} faces have no picture and are left out"
            )
        doubled = sum(face.doubled for face in kept)
        if doubled:
            notes.append(
                f"{part}: {doubled} pictures are there as png and jpg; {facts.suffix} is read"
            )
        faces += kept
    values = np.array([pts.read_pts(face.annotation) for face in faces]).reshape(-1, 68, 2)
    ids = np.array([face.id for face in faces], np.str_)
    parts = np.array([face.part for face in faces], np.str_)
    detector, faults = _detector_boxes(folder, faces)
    return Index(
        dataset="300w",
        ids=ids,
        parts=parts,
        values=values,
        boxes={
            "detector": detector,
            "ground_truth": tight_box(values) if faces else np.empty((0, 4)),
        },
        clusters=np.array([photo_of_face(face.id) for face in faces], np.str_),
        read=partial(_read_picture, tuple(faces), values),
        origin=1.0,
        notes=(*notes, *faults),
        variant=_annotation_variant(ids, parts, values),
        stamp=partial(_cache_key, tuple(faces)),
    )


def photo_of_face(face: str) -> str:
    """Name the photograph that a face, given by its id, was taken from."""
    part, _, stem = face.rpartition("/")
    if part == "ibug":
        number = re.match(r"image_\d+", stem)
        return f"ibug/{number[0] if number else stem}"
    if part.startswith("lfpw"):
        return face
    return f"{part.partition('/')[0]}/{stem.rpartition('_')[0] or stem}"


def _note_absent_folder(folder: Path) -> list[str]:
    if folder.is_dir():
        return []
    above = (
        "; --data names the folder that holds 300w/" if (folder.parent / "helen").is_dir() else ""
    )
    return [f"there is no folder {folder}{above}"]


def _list_faces(folder: Path, part: str) -> list[_Face]:
    """List the annotated faces of a part by stem, each with its picture; reads no file."""
    return [
        _Face(f"{part}/{pair.stem}", part, pair.annotation, pair.picture, pair.doubled)
        for pair in paths.pair_pictures(folder / part, PARTS[part].suffix)
    ]


def _detector_boxes(folder: Path, faces: Sequence[_Face]) -> tuple[Floats, list[str]]:
    """Return the detector's boxes (N, 4), NaN where there is none, and what to note about them."""
    boxes = np.full((len(faces), 4), np.nan)
    notes = []
    for part, facts in PARTS.items():
        rows = [row for row, face in enumerate(faces) if face.part == part]
        path = folder / "Bounding Boxes" / facts.boxes
        if not rows or not path.is_file():
            continue
        known = ibug_boxes.read_boxes(path)
        for row in rows:
            found = known.get(ibug_boxes.box_key(faces[row].id.rpartition("/")[2] + facts.suffix))
            if found:
                boxes[row] = found.detector
        lacking = int(np.isnan(boxes[rows, 0]).sum())
        if lacking:
            notes.append(f"{part}: {lacking} of {len(rows)} faces are not in {facts.boxes}")
    return boxes, notes


def _read_picture(faces: Sequence[_Face], values: Floats, row: int) -> Bytes:
    """Decode the picture of a face; raises DataError unless its points can lie in it."""
    face = faces[row]
    if face.picture is None:
        raise DataError(
            f"{face.id}: no picture beside {face.annotation}; put {face.annotation.stem}.png or .jpg there"
        )
    pixels = images.decode_picture(face.picture)
    sample_checks.check_points_fit(
        face.picture, values[row] - 1.0, (pixels.shape[1], pixels.shape[0])
    )
    return pixels


def _cache_key(faces: Sequence[_Face], row: int) -> str:
    picture = faces[row].picture
    return images.file_cache_key(picture) if picture else ""


def picture_files(root: Path) -> dict[str, Path]:
    """Map ids to picture files, for the examination."""
    faces = [face for part in PARTS for face in _list_faces(root / ACCESS.folder, part)]
    return {face.id: face.picture for face in faces if face.picture}


# --- which annotations ----------------------------------------------------------------------------


def annotation_digest(ids: Sequence[str], values: Floats) -> str:
    """Hash annotations to a thousandth of a pixel, whatever the order, the digits or the blanks in names."""
    rows = np.rint(np.asarray(values) * 1000).astype("<i8")
    lines = sorted(
        (str(name).replace(" ", ""), row.tobytes()) for name, row in zip(ids, rows, strict=True)
    )
    return hashlib.sha256(b"".join(name.encode() + b"\n" + row for name, row in lines)).hexdigest()


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
    return "partly moved annotations" if any(official) else "moved annotations"


# --- examination ----------------------------------------------------------------------------------


def verify(root: Path) -> list[Finding]:
    """Examine a copy: counts per set, annotations, pictures, boxes by name, doubles across train and test."""
    folder = root / ACCESS.folder
    if not folder.is_dir():
        return [
            Finding(
                "missing",
                f"{_note_absent_folder(folder)[0]}; get {ACCESS.title} at {ACCESS.where} ({ACCESS.terms})",
            )
        ]
    findings: list[Finding] = []
    whole: list[_Face] = []
    values: list[Floats] = []
    for part, facts in PARTS.items():
        faces = _list_faces(folder, part)
        findings.append(sample_checks.check_count(part, len(faces), facts.faces, "faces"))
        broken = []
        for face in faces:
            try:
                values.append(pts.read_pts(face.annotation))
                whole.append(face)
            except DataError as error:
                broken.append(str(error))
        if broken:
            findings.append(
                Finding(
                    "wrong", f"{part}: {len(broken)} annotations are malformed; first {broken[0]}"
                )
            )
    stacked = np.array(values).reshape(-1, 68, 2)
    findings += _verify_boxes(folder, whole, stacked)
    findings += sample_checks.check_pictures(
        [face.id for face in whole], [face.picture for face in whole], stacked - 1.0
    )
    findings += _verify_annotations(whole, stacked)
    findings += _verify_overlap(whole)
    return findings


def _verify_boxes(folder: Path, faces: Sequence[_Face], values: Floats) -> list[Finding]:
    findings = []
    for part, facts in PARTS.items():
        rows = [row for row, face in enumerate(faces) if face.part == part]
        path = folder / "Bounding Boxes" / facts.boxes
        if not path.is_file():
            findings.append(Finding("missing", f"{facts.boxes}: no such file in 'Bounding Boxes'"))
            continue
        try:
            known = ibug_boxes.read_boxes(path)
        except DataError as error:
            findings.append(Finding("wrong", str(error)))
            continue
        keys = [ibug_boxes.box_key(faces[row].id.rpartition("/")[2] + facts.suffix) for row in rows]
        named = [(row, known[key]) for row, key in zip(rows, keys, strict=True) if key in known]
        off = [
            row
            for row, box in named
            if np.abs(box.ground_truth - tight_box(values[row])).max() > 0.01
        ]
        strays = len(known) - len(named)
        text = f"{facts.boxes}: {len(named)} of {len(rows)} faces matched by name"
        findings.append(
            Finding(
                "ok" if len(named) == len(rows) else "partial",
                text + (f", {strays} rows of other pictures ignored" if strays else ""),
            )
        )
        if off:
            what = f"{facts.boxes}: {len(off)} boxes are not around their points; first {faces[off[0]].id}"
            findings.append(Finding("wrong", what))
    return findings


def _verify_annotations(faces: Sequence[_Face], values: Floats) -> list[Finding]:
    ids = np.array([face.id for face in faces], np.str_)
    frame = _annotation_variant(ids, np.array([face.part for face in faces], np.str_), values)
    meaning = {
        "original annotations": "the test points are the official ones, bit for bit to a thousandth of a pixel",
        "moved annotations": "the test points are not the official ones: pictures cropped, shrunk or points redone",
        "partly moved annotations": "some test sets hold the official points and some do not",
        "unverified annotations": "no test set is complete, so its points were not compared with the official ones",
    }
    return [
        Finding(
            "ok" if frame == "original annotations" else "partial", f"{frame}: {meaning[frame]}"
        )
    ]


def _verify_overlap(faces: Sequence[_Face]) -> list[Finding]:
    train = [face for face in faces if face.part in _TRAIN]
    test = [face for face in faces if face.part not in _TRAIN]
    shared = {photo_of_face(face.id) for face in train} & {photo_of_face(face.id) for face in test}
    findings = [
        Finding("ok", f"photo {name} has faces in train and in test, as in the official split")
        for name in sorted(shared & _KNOWN_OVERLAP)
    ]
    findings += [
        Finding("wrong", f"photo {name} has faces in train and in test")
        for name in sorted(shared - _KNOWN_OVERLAP)
    ]
    return findings + sample_checks.check_duplicates(
        [(face.id, face.picture) for face in train if face.picture],
        [(face.id, face.picture) for face in test if face.picture],
    )
