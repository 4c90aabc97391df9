"""ETH-XGaze, normalised faces: 80 people with labels; the 30 others are scored by its authors alone.

`xgaze_224/` holds `train_test_split.json` (lists of files under `train`, `test`, `test_person_specific`) and one HDF5
file per person: `train/subject0000.h5` with `face_patch` (N, S, S, 3) uint8 in the order blue, green, red, `face_gaze`
(N, 2) and `face_head_pose` (N, 2) as (pitch, yaw) in radians, `cam_index` and `frame_index` (N, 1). Angles are turned
into the vectors of `angles.py`, whose convention is this dataset's own.

The labels of `test` are withheld, so what can be scored here is a split of the 80 training people, and cards call it
that: parts `train` (70 people) and `validation`, the ten people that the field customarily holds out. `official` lists
the withheld test pictures in the order in which a submission has to give its answers.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchbox.errors import DataError
from benchbox.types import Access, Finding, Index, Sample

from . import angles, examine, hdf5

if TYPE_CHECKING:
    from benchbox.types import Bytes, Floats

ACCESS = Access(
    title="ETH-XGaze",
    folder="eth-xgaze",
    where="https://ait.ethz.ch/xgaze (form; ask for the 224 x 224 faces)",
    terms="CC BY-NC-SA 4.0 with further terms; no redistribution",
    citation=(
        "X. Zhang, S. Park, T. Beeler, D. Bradley, S. Tang, O. Hilliges: ETH-XGaze: A Large Scale Dataset for Gaze "
        "Estimation under Extreme Head Pose and Gaze Variation. ECCV 2020"
    ),
    layout="""\
eth-xgaze/[xgaze_224/]train_test_split.json                    80 + 15 + 15 people
eth-xgaze/[xgaze_224/]train/subject0000.h5 …                   80 files with labels
eth-xgaze/[xgaze_224/]test/subject0001.h5 …                    15 files without, for a submission""",
)
PEOPLE = {"train": 80, "test": 15, "test_person_specific": 15}
HELD_OUT = ("0003", "0032", "0033", "0048", "0052", "0062", "0080", "0088", "0101", "0109")
_SPLIT = "train_test_split.json"
_INNER = ("xgaze_224", "xgaze_448", "")
_NAME = re.compile(r"subject\d{4}\.h5")  # also keeps the list from naming a file elsewhere
_LARGEST_LIST = 1024 * 1024  # bytes


@dataclass(frozen=True, eq=False)
class _Person:
    """The labels of one file of `train/`."""

    name: str  # "subject0000"
    path: Path
    side: int  # of its pictures, px
    rows: np.ndarray  # (n,) rows of the file that have a label
    values: Floats  # (n, 3)
    head: Floats  # (n, 2) pitch, yaw
    camera: np.ndarray  # (n,)


def index(root: Path, *, pixels: bool = True) -> Index:
    """Read the labels of the training people under `root/eth-xgaze`; reads no picture.

    Rows without a label are left out and noted, as are absent people. Raises DataError for what is malformed.
    """
    del pixels  # labels and pictures share their files
    folder = place(root)
    listed = split(folder)["train"] if (folder / _SPLIT).is_file() else []
    people = [_read(folder / "train" / name) for name in sorted(listed) if (folder / "train" / name).is_file()]
    rows = [(person.path, int(row)) for person in people for row in person.rows]
    sides = np.repeat([person.side for person in people], [len(person.rows) for person in people])
    names = np.array([path.stem for path, _ in rows], np.str_)
    held_out = {f"subject{number}" for number in HELD_OUT}
    return Index(
        dataset="eth-xgaze",
        ids=np.array([f"{path.stem}/{row:06d}" for path, row in rows], np.str_),
        parts=np.array(["validation" if path.stem in held_out else "train" for path, _ in rows], np.str_),
        values=np.concatenate([np.empty((0, 3)), *(person.values for person in people)]),
        boxes={"patch": _whole(sides)},
        clusters=names,
        read=partial(_picture, tuple(rows)),
        meta={
            "head_pose": np.concatenate([np.empty((0, 2)), *(person.head for person in people)]),
            "camera": np.concatenate([np.empty(0, int), *(person.camera for person in people)]),
        },
        notes=_notes(folder, listed, people),
    )


def place(root: Path) -> Path:
    """Return the folder that holds the split list: `xgaze_224` or `xgaze_448` inside, or the dataset's own."""
    folder = root / ACCESS.folder
    return next((folder / inner for inner in _INNER if (folder / inner / _SPLIT).is_file()), folder)


def split(folder: Path) -> dict[str, list[str]]:
    """Read the official lists of files, in their own order; raises DataError for a malformed one."""
    path = folder / _SPLIT
    try:
        if path.stat().st_size > _LARGEST_LIST:
            raise DataError(f"{path}: more than {_LARGEST_LIST} bytes; not the list of this dataset")
        content = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise DataError(f"{path}:{error.lineno}: is no JSON ({error.msg}); fetch it again") from error
    except (OSError, UnicodeDecodeError, RecursionError) as error:
        raise DataError(f"{path}: cannot be read ({error}); fetch it again") from error
    lists = {}
    for key in PEOPLE:
        names = content.get(key) if isinstance(content, dict) else None
        if not isinstance(names, list):
            raise DataError(f"{path}: has no list {key!r}")
        for name in names:
            if not isinstance(name, str) or not _NAME.fullmatch(name):
                raise DataError(f"{path}: {key}: {str(name)[:40]!r} is no name like subject0000.h5")
        lists[key] = names
    everyone = [name for names in lists.values() for name in names]
    if len(set(everyone)) < len(everyone):
        raise DataError(f"{path}: a person is listed twice; train and test must be apart")
    return lists


def _read(path: Path) -> _Person:
    side = _side(path)
    gaze = hdf5.column(path, "face_gaze", (None, 2)).astype(np.float64)  # (pitch, yaw), as benchbox has them
    count = len(gaze)
    if hdf5.rows(path, "face_patch", (count, side, side, 3)) != count:
        raise DataError(f"{path}: face_patch and face_gaze have different lengths")
    labelled = np.flatnonzero(np.isfinite(gaze).all(axis=1))
    return _Person(
        name=path.stem,
        path=path,
        side=side,
        rows=labelled,
        values=angles.vectors(gaze[labelled], f"{path}: face_gaze"),
        head=hdf5.column(path, "face_head_pose", (count, 2)).astype(np.float64)[labelled],
        camera=hdf5.column(path, "cam_index", (count, 1)).astype(int)[labelled, 0],
    )


def _side(path: Path) -> int:
    hdf5.rows(path, "face_patch", (None, None, None, 3))
    return int(hdf5.row(path, "face_patch", 0).shape[0])


def _whole(sides: np.ndarray) -> Floats:
    low = np.full(len(sides), -0.5)
    return np.stack([low, low, sides - 0.5, sides - 0.5], axis=1)


def _notes(folder: Path, listed: Sequence[str], people: Sequence[_Person]) -> tuple[str, ...]:
    if not (folder / _SPLIT).is_file():
        return (f"there is no file {folder / _SPLIT}",)
    notes = []
    if len(people) < len(listed):
        notes.append(f"{len(listed) - len(people)} of {len(listed)} labelled people are not in {folder / 'train'}")
    bare = sum(hdf5.rows(one.path, "face_patch", (None, None, None, 3)) - len(one.rows) for one in people)
    if bare:
        notes.append(f"{bare} pictures have no label and are left out")
    return tuple(notes)


def _picture(places: Sequence[tuple[Path, int]], row: int) -> Bytes:
    path, number = places[row]
    bgr = hdf5.bytes_of(hdf5.row(path, "face_patch", number), f"{path}: face_patch row {number}")
    return np.ascontiguousarray(bgr[:, :, ::-1])


# --- the withheld test set ---------------------------------------------------------------------------------------


def official(root: Path) -> list[Sample]:
    """List the pictures of the withheld test set in the order of a submission: the split list's, then the files' own.

    Ids are `test/subject0001/000000`. Raises DataError when a person is absent: a submission answers for everyone.
    """
    folder = place(root)
    if not (folder / _SPLIT).is_file():
        raise DataError(f"there is no file {folder / _SPLIT}; get {ACCESS.title} at {ACCESS.where} ({ACCESS.terms})")
    places, sides = [], []
    for name in split(folder)["test"]:
        path = folder / "test" / name
        if not path.is_file():
            raise DataError(f"{path}: is not there, and a submission answers for all {PEOPLE['test']} test people")
        side = _side(path)
        count = hdf5.rows(path, "face_patch", (None, side, side, 3))
        places += [(path, row) for row in range(count)]
        sides += [side] * count
    boxes = _whole(np.array(sides))
    return [
        Sample(f"test/{path.stem}/{number:06d}", boxes[row], partial(_picture, places, row))
        for row, (path, number) in enumerate(places)
    ]


# --- examination -------------------------------------------------------------------------------------------------


def verify(root: Path) -> list[Finding]:
    """Examine a copy: the lists, the files that they name, labels, and that the test files carry none."""
    folder = place(root)
    if not (folder / _SPLIT).is_file():
        what = f"there is no file {folder / _SPLIT}; get {ACCESS.title} at {ACCESS.where} ({ACCESS.terms})"
        return [Finding("missing", what)]
    try:
        lists, found = split(folder), index(root)
    except DataError as error:
        return [Finding("wrong", str(error))]
    findings = []
    for key, expected in PEOPLE.items():
        findings.append(examine.count(f"{_SPLIT}: {key}", len(lists[key]), expected, "people"))
        there = [name for name in lists[key] if (folder / key / name).is_file()]
        findings.append(examine.count(key, len(there), expected, "files"))
    held_out = {f"subject{number}" for number in HELD_OUT}
    here = held_out & set(found.clusters.tolist())
    findings.append(examine.count("held out of train", len(here), len(held_out), "people"))
    labelled = [n for n in lists["test"] if (folder / "test" / n).is_file() and _labelled(folder / "test" / n)]
    if labelled:
        findings.append(Finding("wrong", f"{len(labelled)} test files carry labels, which the release withholds"))
    if len(found.ids):
        findings.append(Finding("ok", f"{len(found.ids)} labels, pitch and yaw in radians"))
    return findings


def _labelled(path: Path) -> bool:
    return hdf5.holds(path, "face_gaze")
