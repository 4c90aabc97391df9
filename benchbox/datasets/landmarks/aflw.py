"""AFLW with 19 points: 24,386 faces as CVPR'16 divided them, 20,000 to train and 4,386 to test.

Everything but the pictures comes from `AFLWinfo_release.mat`: names, boxes **[left right top
bottom]**, points [x1 … x19, y1 … y19], visibility, and `ra`, a permutation that counts from 1.
Train are the first 20,000 of `ra`, test the rest: slicing the list itself without `ra` is a known
bug. An id is the picture and the row of the list, counted from 1: `0/image12345-00017`, for up to a
dozen faces share a picture; they form a cluster. 800 photographs have faces in both splits,
officially.

Points that are not visible carry coordinates too (inferred by the authors); `visible` says which.
What counts pixels from where is unknown; nobody shifts, nor does this reader. The face box (`rect`,
also the scale of `face_size`) was not detected: AFLW computed it from the true points by a pose
fit, so it gives the face's extent away; it may leave the picture, and 8 of them are not square.

"Frontal" means all 19 points visible: 1,314 test faces (`frontal`). Its authors' public list also
asks that every point lie strictly inside the box: 1,211 (`frontal_inside`). The 1,165 that papers
print can be made by no rule known to us.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchbox.datasets import sample_checks
from benchbox.datasets.formats import paths
from benchbox.datasets.index import note_left_out, picture_cache_key, take_rows
from benchbox.errors import DataError
from benchbox.file_readers import matlab_files
from benchbox.geometry import tight_box
from benchbox.types import Access, Finding, Index

if TYPE_CHECKING:
    from benchbox.types import Bools, Bytes, Floats

ACCESS = Access(
    title="AFLW, 19 points (AFLW-19)",
    folder="aflw",
    where=(
        "pictures: https://www.tugraz.at/institute/icg/research/team-bischof/lrs/downloads/aflw/ "
        "(request, personal "
        "login); AFLWinfo_release.mat: http://mmlab.ie.cuhk.edu.hk/projects/compositional.html"
    ),
    terms="not-for-profit research only; the photographs belong to their owners",
    citation=(
        "M. Köstinger, P. Wohlhart, P. Roth, H. Bischof: Annotated Facial Landmarks in the Wild. "
        "ICCV Workshops 2011; "
        "19 points and splits: S. Zhu, C. Li, C. C. Loy, X. Tang: Unconstrained Face Alignment "
        "via Cascaded "
        "Compositional Learning. CVPR 2016"
    ),
    layout="""\
aflw/AFLWinfo_release.mat                24386 faces: 20000 train, 4386 test
aflw/data/flickr/{0,2,3}/image*.jpg      21121 pictures
(pictures are found below aflw/ by <folder>/<stem>, jpg or png;
ids: 0/image12345-00017, 17 the row of the list)""",
)
FACES = 24386
TRAINING_FACES = 20000
FRONTAL = 1314
FRONTAL_INSIDE = 1211
_INFO = "AFLWinfo_release.mat"
_VARIABLES = ("bbox", "data", "mask_new", "nameList", "ra")
_LARGEST_FILE = 64 * 1024 * 1024  # bytes; the original takes a few MiB


@dataclass(frozen=True, eq=False)
class _Faces:
    """The variables of the file as columns, one row per face of its list."""

    names: tuple[str, ...]  # "0/image12345.jpg"
    boxes: Floats  # (N, 4) px, corners
    values: Floats  # (N, 19, 2) px
    visible: Bools  # (N, 19)
    is_train: Bools  # (N,)


# --- index ----------------------------------------------------------------------------------------


def index(root: Path, *, pixels: bool = True) -> Index:
    """Read `root/aflw/AFLWinfo_release.mat`.

    Values are (N, 19, 2) px in the file's own frame. With `pixels`, faces without a picture are
    left out and noted; an absent file gives no rows and a note.

    Raises
    ------
    DataError
        The file is not the official one in type, shape or meaning.
    """
    folder = root / ACCESS.folder
    path = folder / _INFO
    if not path.is_file():
        return _build_index(folder, _no_faces(), [f"there is no file {path}"])
    whole = _build_index(folder, _read_faces(path), [])
    if not pixels:
        return whole
    present = _find_pictures(folder)
    photos = whole.clusters.tolist()
    rows = [row for row, photo in enumerate(photos) if photo in present]
    files = [present[photos[row]] for row in rows]
    index = take_rows(whole, rows)
    assert index.visible is not None
    return replace(
        index,
        read=partial(_read_picture, files, index.values, index.visible),
        cache_key=partial(picture_cache_key, files),
        notes=tuple(note_left_out(len(rows), len(photos))),
    )


def _build_index(folder: Path, faces: _Faces, notes: Sequence[str]) -> Index:
    """Return all faces of the list, whether their pictures are there or not."""
    photos = [paths.drop_suffix(name) for name in faces.names]
    ids = [f"{photo}-{row:05d}" for row, photo in enumerate(photos, start=1)]
    files = [folder / "data" / "flickr" / f"{photo}.jpg" for photo in photos]
    frontal = np.asarray(faces.visible.all(axis=1))
    inside = _all_inside(faces.values, faces.boxes)
    return Index(
        dataset="aflw",
        ids=np.array(ids, np.str_),
        parts=np.where(faces.is_train, "train", "test").astype(np.str_),
        values=faces.values,
        boxes={"rect": faces.boxes, "ground_truth": tight_box(faces.values)},
        clusters=np.array(photos, np.str_),
        read=partial(_read_picture, files, faces.values, faces.visible),
        cache_key=partial(picture_cache_key, files),
        visible=faces.visible,
        attributes={"frontal": frontal, "frontal_inside": frontal & inside},
        notes=tuple(notes),
        scale_boxes=faces.boxes,
        label_place=partial(_label_place, faces.names),
        faults=tuple(
            finding.what for finding in (_verify_square(faces.boxes),) if finding.level == "wrong"
        ),
    )


def _label_place(names: Sequence[str], row: int) -> str:
    return f"{_INFO} row {row + 1}, {names[row]}"


def _all_inside(values: Floats, boxes: Floats) -> Bools:
    """Say which faces have every point (N, K, 2) strictly inside their box (N, 4).

    >>> box = np.array([[0.0, 0.0, 10.0, 10.0]])
    >>> _all_inside(np.array([[[1.0, 1.0], [9.0, 9.0]]]), box).tolist()
    [True]
    >>> _all_inside(np.array([[[1.0, 1.0], [10.0, 9.0]]]), box).tolist()
    [False]
    """
    inside = (values > boxes[:, None, :2]) & (values < boxes[:, None, 2:])
    return np.asarray(inside.all(axis=(1, 2)))


# --- the file -------------------------------------------------------------------------------------


def _no_faces() -> _Faces:
    return _Faces(
        names=(),
        boxes=np.empty((0, 4)),
        values=np.empty((0, 19, 2)),
        visible=np.empty((0, 19), bool),
        is_train=np.empty(0, bool),
    )


def _read_faces(path: Path) -> _Faces:
    content = matlab_files.read_v5(path, _VARIABLES, _LARGEST_FILE)
    data = matlab_files.check_numbers(content["data"], (-1, 38), f"{path}: data")
    count = len(data)
    corners = matlab_files.check_numbers(content["bbox"], (count, 4), f"{path}: bbox")
    mask = matlab_files.check_numbers(content["mask_new"], (count, 19), f"{path}: mask_new")
    if not np.isin(mask, (0, 1)).all():
        raise DataError(f"{path}: mask_new holds something other than 0 and 1")
    left, right, top, bottom = corners.T
    has_area = (right > left) & (bottom > top)
    if not has_area.all():
        row = int(np.argmin(has_area))
        raise DataError(f"{path}: bbox row {row + 1} {corners[row]} is not [left right top bottom]")
    return _Faces(
        names=_read_names(content["nameList"], count, path),
        boxes=np.stack([left, top, right, bottom], axis=1),
        values=np.stack([data[:, :19], data[:, 19:]], axis=-1),
        visible=mask == 1,
        is_train=_training_rows(content["ra"], count, path),
    )


def _read_names(cells: Any, count: int, path: Path) -> tuple[str, ...]:
    flat = np.asarray(cells).ravel()
    if len(flat) != count:
        raise DataError(f"{path}: nameList has {len(flat)} rows, data has {count}")
    names = []
    for row, cell in enumerate(flat, start=1):
        words = np.asarray(cell).ravel()
        if len(words) != 1 or words.dtype.kind != "U":
            raise DataError(f"{path}: nameList row {row} is not a name '0/image12345.jpg'")
        where = f"{path}: nameList row {row}"
        names.append(paths.check_relative_path(str(words[0]).strip(), where))
    return tuple(names)


def _training_rows(order: Any, count: int, path: Path) -> Bools:
    """Say which rows train: the first 20,000 of the permutation `ra`, which counts from 1."""
    ra = matlab_files.check_numbers(np.asarray(order).ravel(), (-1,), f"{path}: ra")
    if not np.array_equal(np.sort(ra), np.arange(1, count + 1)):
        raise DataError(
            f"{path}: ra is no permutation of 1 … {count}; without it the split is unknown"
        )
    is_train = np.zeros(count, bool)
    is_train[ra[:TRAINING_FACES].astype(np.intp) - 1] = True
    return is_train


# --- pictures -------------------------------------------------------------------------------------


def _find_pictures(folder: Path) -> dict[str, Path]:
    """Map `0/image12345` to its picture, wherever the folders 0, 2 and 3 lie."""
    pictures: dict[str, Path] = {}
    for name, path in paths.pictures_below(folder).items():
        pictures.setdefault("/".join(name.split("/")[-2:]), path)
    return pictures


def _read_picture(files: Sequence[Path], values: Floats, visible: Bools, row: int) -> Bytes:
    points = values[row]
    if visible[row].any():  # inferred points may lie far outside
        points = points[visible[row]]
    return sample_checks.decode_fitting_picture(files[row], points)


def picture_files(root: Path) -> dict[str, Path]:
    """Map ids to picture files, for the examination."""
    faces = index(root, pixels=False)
    present = _find_pictures(root / ACCESS.folder)
    files = {}
    for name, photo in zip(faces.ids, faces.clusters, strict=True):
        if str(photo) in present:
            files[str(name)] = present[str(photo)]
    return files


# --- examination ----------------------------------------------------------------------------------


def verify(root: Path) -> list[Finding]:
    """Examine a copy: rows, split, both definitions of frontal, boxes, pictures, photographs."""
    try:
        faces = index(root, pixels=False)
    except DataError as error:
        return [Finding("wrong", str(error))]
    assert faces.visible is not None
    test = faces.parts == "test"
    tested = int(test.sum())
    findings = [
        sample_checks.check_count(_INFO, len(faces.ids), FACES, "faces"),
        sample_checks.check_count("test", tested, FACES - TRAINING_FACES, "faces"),
    ]
    if len(faces.ids) == FACES:
        findings += _verify_frontal(faces, test)
    present = _find_pictures(root / ACCESS.folder)
    pictures = [present.get(str(photo)) for photo in faces.clusters]
    visible_points = np.where(faces.visible[..., None], faces.values, np.nan)
    findings += sample_checks.check_pictures(faces.ids.tolist(), pictures, visible_points)
    hidden = int((~faces.visible).sum())
    text = f"{hidden} points are not visible and carry inferred coordinates"
    findings.append(Finding("ok", text))
    findings.append(_verify_square(faces.boxes["rect"]))
    shared = set(faces.clusters[test].tolist()) & set(faces.clusters[~test].tolist())
    if shared:
        findings.append(
            Finding(
                "ok",
                f"{len(shared)} photos have faces in train and in test, "
                f"as in the official split; first {min(shared)}",
            )
        )
    return findings


def _verify_frontal(faces: Index, test: Bools) -> list[Finding]:
    frontal = int(faces.attributes["frontal"][test].sum())
    inside = int(faces.attributes["frontal_inside"][test].sum())
    return [
        sample_checks.check_count(
            "test faces with all 19 points visible", frontal, FRONTAL, "faces"
        ),
        sample_checks.check_count(
            "of these, with all points inside the box", inside, FRONTAL_INSIDE, "faces"
        ),
    ]


def _verify_square(boxes: Floats) -> Finding:
    """Tell boxes [left right top bottom] from others: nearly all of them are square."""
    width, height = (boxes[:, 2:] - boxes[:, :2]).T
    oblong = int((np.abs(width - height) > 0.5).sum())
    text = f"{oblong} of {len(boxes)} face boxes are not square"
    if 20 * oblong > len(boxes):
        return Finding("wrong", f"{text}; 8 of the release are: is bbox [left right top bottom]?")
    return Finding("ok", text)
