"""WFLW: 98 points on 10,000 faces of WIDER FACE photographs, six attributes, from its own lists.

An id is split and line of the official list, counted from 1: `test/0001`. File names do not do: the
2,500 test faces lie on 2,118 photographs, up to six on one. Faces of a photograph form a cluster.

A line holds 207 words: 196 coordinates, the rectangle x_min y_min x_max y_max, six flags (pose,
expression, illumination, make-up, occlusion, blur), the photograph's path. The subsets are those
flags; the separate subset lists hold the same faces and `verify` compares them. Coordinates are
used as they stand and taken to count from 0, as all code known to us does; the authors do not say.
Points outside their picture are kept.

The rectangle is like a face detector's: 1.29 times as high as the box of the points, cut through by
them in 2,062 test faces. Published numbers of the HRNet family rest on boxes around the true points
instead (`ground_truth`). Some training rectangles lie away from their points (`misplaced_rect`); a
card or `verify` may name them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchbox.datasets import sample_checks
from benchbox.datasets.formats import paths
from benchbox.datasets.index import note_left_out, picture_cache_key, read_picture, take_rows
from benchbox.errors import DataError
from benchbox.file_readers.regular_files import read_text
from benchbox.geometry import tight_box
from benchbox.number_text import parse_numbers
from benchbox.types import Access, Finding, Index

if TYPE_CHECKING:
    from benchbox.types import Bools, Floats

ACCESS = Access(
    title="WFLW (Wider Facial Landmarks in-the-wild)",
    folder="wflw",
    where="https://wywu.github.io/projects/LAB/WFLW.html (Google Drive or Baidu for the pictures)",
    terms="research only; the photographs are those of WIDER FACE and belong to their owners",
    citation=(
        "W. Wu, C. Qian, S. Yang, Q. Wang, Y. Cai, Q. Zhou: Look at Boundary: A Boundary-Aware "
        "Face Alignment "
        "Algorithm. CVPR 2018"
    ),
    layout="""\
wflw/WFLW_annotations/list_98pt_rect_attr_train_test/list_98pt_rect_attr_train.txt    7500 faces
wflw/WFLW_annotations/list_98pt_rect_attr_train_test/list_98pt_rect_attr_test.txt     2500 faces
wflw/WFLW_annotations/list_98pt_test/*.txt    subsets, compared if there
wflw/WFLW_images/<event>/*.jpg                                                        6551 pictures
(ids: test/0001 is the first line of the test list)""",
)
FACES = {"train": 7500, "test": 2500}
ATTRIBUTES = ("largepose", "expression", "illumination", "makeup", "occlusion", "blur")
TEST_SUMS = (326, 314, 698, 206, 736, 773)
PICTURES = 6551
TEST_PICTURES = 2118
# reported to the authors: ends of file names
KNOWN_BAD = ("_12_839.jpg", "_28_959.jpg", "Group_20_118.jpg")
_IMAGES = "WFLW_images"
_LISTS = "list_98pt_rect_attr_train_test"
_WORDS = 207
_LARGEST_FILE = 64 * 1024 * 1024  # bytes; the training list takes 23 MiB


@dataclass(frozen=True, eq=False)
class _List:
    """One list file as columns."""

    values: Floats  # (N, 98, 2) px
    rects: Floats  # (N, 4) px, corners
    flags: Bools  # (N, 6)
    pictures: tuple[str, ...]  # paths below WFLW_images


# --- index ----------------------------------------------------------------------------------------


def index(root: Path, *, pixels: bool = True) -> Index:
    """Read both lists under `root/wflw`.

    Values are (N, 98, 2) px, taken to count from 0. With `pixels`, faces without a picture are left
    out and noted; an absent list gives no rows and a note.

    Raises
    ------
    DataError
        A list is malformed; names its line.
    """
    folder = root / ACCESS.folder
    whole = _read_lists(folder)
    if not pixels:
        return whole
    present = paths.pictures_below(folder / _IMAGES)
    photos = [paths.drop_suffix(str(name)) for name in whole.clusters]
    rows = [row for row, photo in enumerate(photos) if photo in present]
    files = [present[photos[row]] for row in rows]
    index = take_rows(whole, rows)
    return replace(
        index,
        read=partial(read_picture, files, index.values),
        cache_key=partial(picture_cache_key, files),
        notes=(*index.notes, *note_left_out(len(rows), len(photos))),
    )


def _read_lists(folder: Path) -> Index:
    """Return all faces of both lists, whether their pictures are there or not."""
    notes: list[str] = []
    ids: list[str] = []
    parts: list[str] = []
    photos: list[str] = []
    lists = []
    for part in FACES:
        faces = _find_list(folder, part, notes)
        lists.append(faces)
        count = len(faces.pictures)
        ids += [f"{part}/{line:04d}" for line in range(1, count + 1)]
        parts += [part] * count
        photos += faces.pictures
    values = np.concatenate([faces.values for faces in lists])
    rects = np.concatenate([faces.rects for faces in lists])
    flags = np.concatenate([faces.flags for faces in lists])
    tight = tight_box(values)
    attributes = dict(zip(ATTRIBUTES, flags.T, strict=True))
    attributes["misplaced_rect"] = _no_overlap(rects, tight)
    files = [folder / _IMAGES / photo for photo in photos]
    return Index(
        dataset="wflw",
        ids=np.array(ids, np.str_),
        parts=np.array(parts, np.str_),
        values=values,
        boxes={"rect": rects, "ground_truth": tight},
        clusters=np.array(photos, np.str_),
        read=partial(read_picture, files, values),
        cache_key=partial(picture_cache_key, files),
        attributes=attributes,
        notes=tuple(notes),
        label_place=partial(_label_place, ids, photos),
    )


def _label_place(ids: Sequence[str], photos: Sequence[str], row: int) -> str:
    """Name list, line and picture of a face.

    >>> _label_place(["train/0017"], ["0--Parade/a.jpg"], 0)
    'list_98pt_rect_attr_train.txt:17, 0--Parade/a.jpg'
    """
    part, _, line = ids[row].partition("/")
    return f"list_98pt_rect_attr_{part}.txt:{int(line)}, {photos[row]}"


def _no_overlap(a: Floats, b: Floats) -> Bools:
    """Say which boxes (N, 4) do not even touch their partner (N, 4).

    >>> _no_overlap(np.array([[0.0, 0, 9, 9]]), np.array([[10.0, 0, 19, 9]])).tolist()
    [True]
    """
    before = a[:, 2:] < b[:, :2]
    behind = b[:, 2:] < a[:, :2]
    return np.asarray((before | behind).any(axis=1))


def _find_list(folder: Path, part: str, notes: list[str]) -> _List:
    """Read one list, from `WFLW_annotations/` or from the dataset's folder itself."""
    name = f"{_LISTS}/list_98pt_rect_attr_{part}.txt"
    candidates = (folder / "WFLW_annotations" / name, folder / name)
    for path in candidates:
        if path.is_file():
            return _read_list(path)
    notes.append(f"there is no file {candidates[0]}")
    return _List(
        values=np.empty((0, 98, 2)),
        rects=np.empty((0, 4)),
        flags=np.empty((0, 6), bool),
        pictures=(),
    )


def _read_list(path: Path) -> _List:
    numbers: list[list[float]] = []
    pictures: list[str] = []
    for number, line in enumerate(read_text(path, _LARGEST_FILE).splitlines(), start=1):
        where = f"{path}:{number}"
        words = line.split()
        if not words:
            continue
        if len(words) != _WORDS:
            raise DataError(
                f"{where}: {len(words)} words, {_WORDS} are needed: "
                "98 pairs x y, a rectangle, six flags, a path"
            )
        numbers.append(_parse_numbers(words[:-1], where))
        pictures.append(paths.check_relative_path(words[-1], where))
    table = np.array(numbers, np.float64).reshape(-1, _WORDS - 1)
    return _List(
        values=table[:, :196].reshape(-1, 98, 2),
        rects=table[:, 196:200],
        flags=table[:, 200:] == 1,
        pictures=tuple(pictures),
    )


def _parse_numbers(words: Sequence[str], where: str) -> list[float]:
    try:
        values = parse_numbers(words)
    except ValueError as error:
        raise DataError(f"{where}: {error}; all but the path are numbers") from error
    for word, value in zip(words, values, strict=True):
        if not abs(value) < 1e5:  # NaN too, which is in no range
            raise DataError(f"{where}: {word[:40]!r} is no coordinate")
    if any(flag not in (0, 1) for flag in values[200:]):
        raise DataError(f"{where}: a flag is neither 0 nor 1: {' '.join(words[200:])[:40]}")
    return values


def picture_files(root: Path) -> dict[str, Path]:
    """Map ids to picture files, for the examination."""
    faces = index(root, pixels=False)
    present = paths.pictures_below(root / ACCESS.folder / _IMAGES)
    files = {}
    for name, photo in zip(faces.ids, faces.clusters, strict=True):
        path = present.get(paths.drop_suffix(str(photo)))
        if path:
            files[str(name)] = path
    return files


# --- examination ----------------------------------------------------------------------------------


def verify(root: Path) -> list[Finding]:
    """Examine a copy: lines, sums of the flags, subset lists, photographs, known bad items."""
    try:
        faces = index(root, pixels=False)
    except DataError as error:
        return [Finding("wrong", str(error))]
    findings = []
    for part, expected in FACES.items():
        count = int((faces.parts == part).sum())
        findings.append(sample_checks.check_count(f"list of {part}", count, expected, "faces"))
    test = faces.parts == "test"
    complete = int(test.sum()) == FACES["test"]
    if complete:
        for name, expected in zip(ATTRIBUTES, TEST_SUMS, strict=True):
            count = int(faces.attributes[name][test].sum())
            what = f"test subset {name}"
            findings.append(sample_checks.check_count(what, count, expected, "faces"))
    findings += _verify_subsets(root / ACCESS.folder, faces)
    present = paths.pictures_below(root / ACCESS.folder / _IMAGES)
    findings.append(sample_checks.check_count(_IMAGES, len(present), PICTURES, "pictures"))
    if complete:
        photos = len(set(faces.clusters[test]))
        findings.append(
            sample_checks.check_count("photographs tested on", photos, TEST_PICTURES, "photos")
        )
    pictures = [present.get(paths.drop_suffix(str(name))) for name in faces.clusters]
    findings += sample_checks.check_pictures(faces.ids.tolist(), pictures, faces.values)
    findings += _verify_known(faces)
    return findings


def _verify_subsets(folder: Path, faces: Index) -> list[Finding]:
    """Compare the separate subset lists with the flags, by path and first point.

    Names alone do not do: one names several faces.
    """
    test = faces.parts == "test"
    findings = []
    for name in ATTRIBUTES:
        path = folder / "WFLW_annotations" / "list_98pt_test" / f"list_98pt_test_{name}.txt"
        if not path.is_file():
            continue
        try:
            listed = _subset_keys(path)
        except (DataError, ValueError) as error:
            findings.append(Finding("wrong", f"{path}: {error}"))
            continue
        flagged = set()
        for row in np.flatnonzero(test & faces.attributes[name]):
            x, y = faces.values[row, 0]
            flagged.add(_face_key(str(faces.clusters[row]), float(x), float(y)))
        if listed == flagged:
            text = f"{path.name}: holds the faces that the flags name"
            findings.append(Finding("ok", text))
        else:
            text = f"{path.name}: does not hold the faces that the flags name"
            findings.append(Finding("wrong", text))
    return findings


def _subset_keys(path: Path) -> set[tuple[str, float, float]]:
    """Return the faces of a subset list, whose lines hold 196 coordinates and a path."""
    keys = set()
    for line in read_text(path, _LARGEST_FILE).splitlines():
        words = line.split()
        if len(words) == 197:
            x, y = parse_numbers(words[:2])
            keys.add(_face_key(words[-1], x, y))
    return keys


def _face_key(picture: str, x: float, y: float) -> tuple[str, float, float]:
    return picture, round(x, 3), round(y, 3)


def _verify_known(faces: Index) -> list[Finding]:
    """Name what is odd in the release itself, and kept."""
    findings = []
    train, test = (set(faces.clusters[faces.parts == part].tolist()) for part in FACES)
    shared = sorted(train & test)
    if shared:
        text = f"{len(shared)} photos have faces in train and in test; first {shared[0]}"
        findings.append(Finding("ok", text))
    misplaced = np.flatnonzero(faces.attributes["misplaced_rect"])
    if len(misplaced):
        first = faces.ids[misplaced[0]]
        text = f"{len(misplaced)} rectangles lie away from their points, as released; first {first}"
        findings.append(Finding("ok", text))
    known_bad = []
    for name, photo in zip(faces.ids, faces.clusters, strict=True):
        if str(photo).endswith(KNOWN_BAD):
            known_bad.append(str(name))
    if known_bad:
        shown = ", ".join(known_bad[:8])
        findings.append(Finding("ok", f"known bad photographs, kept: {shown}"))
    return findings
