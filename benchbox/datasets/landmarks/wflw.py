"""WFLW: 98 points on 10,000 faces of WIDER FACE photographs, six attributes, from its own list files.

An id is split and line of the official list, counted from 1: `test/0001`. File names do not do: the 2,500 test faces
lie on 2,118 photographs, up to six on one. Faces of a photograph form a cluster.

A line holds 207 words: 196 coordinates, the rectangle x_min y_min x_max y_max, six flags (pose, expression,
illumination, make-up, occlusion, blur), the photograph's path. The subsets are those flags; the separate subset lists
hold the same faces and `verify` compares them. Coordinates are used as they stand and taken to count from 0, as all
code known to us does; the authors do not say. Points outside their picture are kept.

The rectangle is like a face detector's: 1.29 times as high as the box of the points, cut through by
them in 2,062 test faces. Published numbers of the HRNet family rest on boxes around the true points
instead (`ground_truth`). Some training rectangles lie away from their points (`misplaced_rect`); a
card or `verify` may name them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchbox.datasets import sample_checks
from benchbox.datasets.formats import images, paths
from benchbox.errors import DataError
from benchbox.geometry import tight_box
from benchbox.types import Access, Finding, Index

if TYPE_CHECKING:
    from benchbox.types import Bools, Bytes, Floats

ACCESS = Access(
    title="WFLW (Wider Facial Landmarks in-the-wild)",
    folder="wflw",
    where="https://wywu.github.io/projects/LAB/WFLW.html (Google Drive or Baidu for the pictures)",
    terms="research only; the photographs are those of WIDER FACE and belong to their owners",
    citation=(
        "W. Wu, C. Qian, S. Yang, Q. Wang, Y. Cai, Q. Zhou: Look at Boundary: A Boundary-Aware Face Alignment "
        "Algorithm. CVPR 2018"
    ),
    layout="""\
wflw/WFLW_annotations/list_98pt_rect_attr_train_test/list_98pt_rect_attr_train.txt    7500 faces
wflw/WFLW_annotations/list_98pt_rect_attr_train_test/list_98pt_rect_attr_test.txt     2500 faces
wflw/WFLW_annotations/list_98pt_test/*.txt                                            subsets, compared if there
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
_LISTS = "list_98pt_rect_attr_train_test"
_WORDS = 207
_LARGEST_FILE = 64 * 1024 * 1024  # bytes; the training list takes 23 MiB


@dataclass(frozen=True, eq=False)
class _Table:
    """One list file as columns."""

    values: Floats  # (N, 98, 2)
    rects: Floats  # (N, 4)
    flags: Bools  # (N, 6)
    pictures: tuple[str, ...]  # paths below WFLW_images


def index(root: Path, *, pixels: bool = True) -> Index:
    """Read both lists under `root/wflw`.

    With `pixels`, faces without a picture are left out and noted.

    Raises DataError for a malformed list, with its line; an absent one gives no rows and a note.
    """
    folder = root / ACCESS.folder
    notes: list[str] = []
    tables = {part: _find_list(folder, part, notes) for part in FACES}
    ids = [
        f"{part}/{line:04d}"
        for part, table in tables.items()
        for line in range(1, len(table.pictures) + 1)
    ]
    names = [name for table in tables.values() for name in table.pictures]
    there = paths.pictures_below(folder / "WFLW_images") if pixels else {}
    rows = [row for row, name in enumerate(names) if not pixels or paths.drop_suffix(name) in there]
    if len(rows) < len(names):
        notes.append(
            f"{len(names) - len(rows)} of {len(names)} faces have no picture and are left out"
        )
    values = np.concatenate([table.values for table in tables.values()])[rows]
    rects = np.concatenate([table.rects for table in tables.values()])[rows]
    flags = np.concatenate([table.flags for table in tables.values()])[rows]
    tight = tight_box(values) if len(values) else np.empty((0, 4))
    kept = tuple(names[row] for row in rows)
    return Index(
        dataset="wflw",
        ids=np.array([ids[row] for row in rows], np.str_),
        parts=np.array([ids[row].partition("/")[0] for row in rows], np.str_),
        values=values,
        boxes={"rect": rects, "ground_truth": tight},
        clusters=np.array(kept, np.str_),
        read=partial(_read_picture, folder / "WFLW_images", there, kept, values),
        stamp=lambda row: images.file_cache_key(
            _picture_file(folder / "WFLW_images", there, kept[row])
        ),
        attributes={
            **{name: flags[:, k] for k, name in enumerate(ATTRIBUTES)},
            "misplaced_rect": _no_overlap(rects, tight),
        },
        notes=tuple(notes),
    )


def _no_overlap(a: Floats, b: Floats) -> Bools:
    """Say which boxes (N, 4) do not even touch their partner."""
    return np.asarray(((a[:, 2:] < b[:, :2]) | (b[:, 2:] < a[:, :2])).any(axis=1))


def _find_list(folder: Path, part: str, notes: list[str]) -> _Table:
    """Read one list, from `WFLW_annotations/` or from the dataset's folder itself."""
    name = f"{_LISTS}/list_98pt_rect_attr_{part}.txt"
    places = (folder / "WFLW_annotations" / name, folder / name)
    path = next((place for place in places if place.is_file()), None)
    if path is None:
        notes.append(f"there is no file {places[0]}")
        return _Table(np.empty((0, 98, 2)), np.empty((0, 4)), np.empty((0, 6), bool), ())
    return _read_list(path)


def _read_list(path: Path) -> _Table:
    numbers: list[list[float]] = []
    pictures: list[str] = []
    for number, line in enumerate(_read_lines(path), start=1):
        where = f"{path}:{number}"
        words = line.split()
        if len(words) != _WORDS:
            raise DataError(
                f"{where}: {len(words)} words, {_WORDS} are needed: 98 pairs x y, a rectangle, six flags, a path"
            )
        numbers.append(_parse_numbers(words[:-1], where))
        pictures.append(paths.check_relative_path(words[-1], where))
    table = np.array(numbers, np.float64).reshape(-1, _WORDS - 1)
    return _Table(
        table[:, :196].reshape(-1, 98, 2), table[:, 196:200], table[:, 200:] == 1, tuple(pictures)
    )


def _read_lines(path: Path) -> list[str]:
    try:
        if path.stat().st_size > _LARGEST_FILE:
            raise DataError(
                f"{path}: more than {_LARGEST_FILE} bytes; not the file of this dataset"
            )
        return path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: is not a text file (byte {error.start})") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error


def _parse_numbers(words: Sequence[str], where: str) -> list[float]:
    try:
        values = [float(word) for word in words]
    except ValueError as error:
        raise DataError(f"{where}: {error}; all but the path are numbers") from error
    wrong = next(
        (word for word, value in zip(words, values, strict=True) if not abs(value) < 1e5), None
    )
    if wrong is not None or not all(map(math.isfinite, values)):
        raise DataError(f"{where}: {wrong!r} is no coordinate")
    if any(flag not in (0, 1) for flag in values[200:]):
        raise DataError(f"{where}: a flag is neither 0 nor 1: {' '.join(words[200:])[:40]}")
    return values


def _read_picture(
    folder: Path, there: Mapping[str, Path], names: Sequence[str], values: Floats, row: int
) -> Bytes:
    path = _picture_file(folder, there, names[row])
    pixels = images.decode_picture(path)
    sample_checks.check_points_fit(path, values[row], (pixels.shape[1], pixels.shape[0]))
    return pixels


def _picture_file(folder: Path, there: Mapping[str, Path], name: str) -> Path:
    return there.get(paths.drop_suffix(name), folder / name)


def picture_files(root: Path) -> dict[str, Path]:
    """Map ids to picture files, for the examination."""
    found = index(root, pixels=False)
    there = paths.pictures_below(root / ACCESS.folder / "WFLW_images")
    pictures = {
        str(name): there.get(paths.drop_suffix(str(c)))
        for name, c in zip(found.ids, found.clusters, strict=True)
    }
    return {name: path for name, path in pictures.items() if path}


# --- examination ----------------------------------------------------------------------------------


def verify(root: Path) -> list[Finding]:
    """Examine a copy: lines, sums of the flags, subset lists, photographs, rectangles, known bad items."""
    try:
        found = index(root, pixels=False)
    except DataError as error:
        return [Finding("wrong", str(error))]
    findings = [
        sample_checks.check_count(
            f"list of {part}", int((found.parts == part).sum()), count, "faces"
        )
        for part, count in FACES.items()
    ]
    test = found.parts == "test"
    whole = int(test.sum()) == FACES["test"]
    for name, expected in zip(ATTRIBUTES, TEST_SUMS, strict=True):
        sum_ = int(found.attributes[name][test].sum())
        if whole:
            findings.append(
                sample_checks.check_count(f"test subset {name}", sum_, expected, "faces")
            )
    findings += _verify_subsets(root / ACCESS.folder, found)
    there = paths.pictures_below(root / ACCESS.folder / "WFLW_images")
    findings.append(sample_checks.check_count("WFLW_images", len(there), PICTURES, "pictures"))
    if whole:
        findings.append(
            sample_checks.check_count(
                "photographs tested on", len(set(found.clusters[test])), TEST_PICTURES, "photos"
            )
        )
    pictures = [there.get(paths.drop_suffix(str(name))) for name in found.clusters]
    findings += sample_checks.check_pictures(found.ids.tolist(), pictures, found.values)
    return [*findings, *_verify_known(found)]


def _verify_subsets(folder: Path, found: Index) -> list[Finding]:
    """Compare the separate subset lists with the flags, by path and points: names alone name several faces."""
    test = found.parts == "test"
    findings = []
    for name in ATTRIBUTES:
        path = folder / "WFLW_annotations" / "list_98pt_test" / f"list_98pt_test_{name}.txt"
        if not path.is_file():
            continue
        try:
            listed = {
                (words[-1], words[0], words[1])
                for words in map(str.split, _read_lines(path))
                if len(words) == 197
            }
            listed_keys = {(p, round(float(x), 3), round(float(y), 3)) for p, x, y in listed}
        except (DataError, ValueError) as error:
            findings.append(Finding("wrong", f"{path}: {error}"))
            continue
        rows = np.flatnonzero(test & found.attributes[name])
        keys = {
            (
                str(found.clusters[row]),
                round(float(found.values[row, 0, 0]), 3),
                round(float(found.values[row, 0, 1]), 3),
            )
            for row in rows
        }
        same = listed_keys == keys
        what = (
            "holds the faces that the flags name"
            if same
            else "does not hold the faces that the flags name"
        )
        findings.append(Finding("ok" if same else "wrong", f"{path.name}: {what}"))
    return findings


def _verify_known(found: Index) -> list[Finding]:
    findings = []
    train, test = (set(found.clusters[found.parts == part].tolist()) for part in FACES)
    shared = sorted(train & test)
    if shared:
        findings.append(
            Finding(
                "ok", f"{len(shared)} photos have faces in train and in test; first {shared[0]}"
            )
        )
    apart = np.flatnonzero(found.attributes["misplaced_rect"])
    if len(apart):
        what = f"{len(apart)} rectangles lie away from their points, as released; first {found.ids[apart[0]]}"
        findings.append(Finding("ok", what))
    known = [
        str(i) for i, c in zip(found.ids, found.clusters, strict=True) if str(c).endswith(KNOWN_BAD)
    ]
    if known:
        findings.append(Finding("ok", f"known bad photographs, kept: {', '.join(known[:8])}"))
    return findings
