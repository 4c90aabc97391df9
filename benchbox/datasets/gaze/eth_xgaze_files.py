"""The files of ETH-XGaze: split list, one HDF5 file per person, labels of the test set.

`train/subject0000.h5` holds `face_patch` (N, S, S, 3) uint8 in the order blue, green, red,
`face_gaze` (N, 2) and `face_head_pose` (N, 2) as (pitch, yaw) in radians, `cam_index` and
`frame_index` (N, 1); files of `test/` lack `face_gaze`. The test set was scored on a server until
its labels were put beside the authors' code, as two texts in `reference_within/`:
`within_test_labels.txt`, a `pitch,yaw` per line, and `index.txt`, for each of them the row of the
submission that it belongs to, counted from 0 over the files in the order of the split list, which
is not sorted.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchbox.datasets.formats import hdf5
from benchbox.errors import DataError
from benchbox.file_readers.json_files import read_json
from benchbox.file_readers.regular_files import read_text, short_reason

from . import angles

if TYPE_CHECKING:
    from benchbox.types import Bytes, Floats

LISTS = ("train", "test", "test_person_specific")
SPLIT = "train_test_split.json"
LABELS, ROWS = Path("reference_within/within_test_labels.txt"), Path("reference_within/index.txt")
_INNER = ("xgaze_224", "xgaze_448", "")
_NAME = re.compile(r"subject\d{4}\.h5")  # also keeps the list from naming a file elsewhere
_LARGEST_LIST = 1024 * 1024  # bytes
_LARGEST_TEXT = 256 * 1024 * 1024  # bytes; the labels take 6 MiB


@dataclass(frozen=True, eq=False)
class Person:
    """What is known of one person's pictures that have a label."""

    name: str  # "subject0000", "test/subject0001"
    path: Path
    side: int  # of the pictures, px
    bare: int  # pictures without a label
    rows: np.ndarray  # (n,) rows of the file
    values: Floats  # (n, 3)
    head: Floats  # (n, 2) pitch, yaw
    camera: np.ndarray  # (n,)


def find_folder(folder: Path) -> Path:
    """Return the folder of the split list: `xgaze_224` or `xgaze_448` inside, or the dataset's."""
    for inner in _INNER:
        if (folder / inner / SPLIT).is_file():
            return folder / inner
    return folder


def read_split(folder: Path) -> dict[str, list[str]]:
    """Read the official lists of files, in their own order.

    Raises DataError for a malformed one.
    """
    path = folder / SPLIT
    content = read_json(path, largest=_LARGEST_LIST)
    lists = {}
    for key in LISTS:
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


def read_labelled(path: Path) -> Person:
    """Read the labels of one file of `train/`.

    Raises DataError for what is malformed or no radians.
    """
    # (pitch, yaw), as benchbox has them
    gaze = hdf5.read_column(path, "face_gaze", (None, 2)).astype(np.float64)
    if count_pictures(path) != len(gaze):
        raise DataError(f"{path}: face_patch and face_gaze have different lengths")
    rows = np.flatnonzero(np.isfinite(gaze).all(axis=1))
    return _read_person(
        path.stem, path, rows, angles.gaze_vectors(gaze[rows], f"{path}: face_gaze")
    )


def read_official(folder: Path, labels: Path) -> list[Person]:
    """Read the test people with the labels that lie beside the authors' code.

    None where those are not.

    Raises DataError when labels and rows do not fit each other or the files of the test people.
    """
    if not (labels / LABELS).is_file() or not (labels / ROWS).is_file():
        return []
    gaze, numbers = _text(labels / LABELS, 2), _text(labels / ROWS, 1)[:, 0]
    rows = numbers.astype(np.intp)
    counts = [count_pictures(path) for path in list_test_files(folder)]
    if len(rows) != len(gaze):
        raise DataError(
            f"{labels / ROWS}: {len(rows)} rows for {len(gaze)} labels; there must be one for each"
        )
    if (
        (rows != numbers).any()
        or len(np.unique(rows)) < len(rows)
        or not ((rows >= 0) & (rows < sum(counts))).all()
    ):
        raise DataError(
            f"{labels / ROWS}: rows must be whole, each once and below "
            f"the {sum(counts)} test pictures"
        )
    vectors = angles.gaze_vectors(gaze, str(labels / LABELS))
    starts = np.cumsum([0, *counts])
    people = []
    for path, start, end in zip(list_test_files(folder), starts, starts[1:], strict=False):
        mine = (rows >= start) & (rows < end)
        people.append(_read_person(f"test/{path.stem}", path, rows[mine] - start, vectors[mine]))
    return people


def list_test_files(folder: Path) -> Iterator[Path]:
    """Yield the files of the test people in the order of a submission.

    Raises DataError when one is absent.
    """
    names = read_split(folder)["test"]
    for name in names:
        path = folder / "test" / name
        if not path.is_file():
            raise DataError(
                f"{path}: is not there, and a test set has all of its {len(names)} people"
            )
        yield path


def _read_person(name: str, path: Path, rows: np.ndarray, values: Floats) -> Person:
    total = count_pictures(path)
    return Person(
        name=name,
        path=path,
        side=picture_side(path),
        bare=total - len(rows),
        rows=rows,
        values=values,
        head=hdf5.read_column(path, "face_head_pose", (total, 2)).astype(np.float64)[rows],
        camera=hdf5.read_column(path, "cam_index", (total, 1)).astype(int)[rows, 0],
    )


def count_pictures(path: Path) -> int:
    """Return the number of pictures of a file."""
    return hdf5.count_rows(path, "face_patch", (None, None, None, 3))


def picture_side(path: Path) -> int:
    """Return the side of a file's square pictures in px.

    Raises DataError when they are not square.
    """
    if not count_pictures(path):
        return 0
    height, width, _ = hdf5.read_row(path, "face_patch", 0).shape
    if height != width:
        raise DataError(f"{path}: face_patch: {width} x {height} px, must be square")
    return int(height)


def read_picture(places: Sequence[tuple[Path, int]], row: int) -> Bytes:
    """Decode one picture as RGB."""
    path, number = places[row]
    bgr = hdf5.convert_to_uint8(
        hdf5.read_row(path, "face_patch", number), f"{path}: face_patch row {number}"
    )
    return np.ascontiguousarray(bgr[:, :, ::-1])


def _text(path: Path, width: int) -> Floats:
    """Read lines of `width` numbers with commas between; raises DataError naming the file."""
    content = read_text(path, _LARGEST_TEXT)
    try:
        values = np.loadtxt(io.StringIO(content), delimiter=",", ndmin=2)
    except ValueError as error:
        raise DataError(f"{path}: {short_reason(error)}; must be {width} numbers a line") from error
    if values.shape[1:] != (width,):
        raise DataError(f"{path}: {values.shape[1]} numbers a line, must be {width}")
    return values
