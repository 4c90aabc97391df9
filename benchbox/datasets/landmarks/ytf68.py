"""Frames of YouTube Faces with 68 points, as a course on computer vision published them.

One CSV names 3,462 frames of 347 people, `Person_VC.jpg`: V is the video and C the frame in it;
then x0, y0, x1, … as whole numbers that count pixels from 0. The points came out of a model and not
from people's hands. The published test list has the same people in the same videos, so the test set
here is 47 people held out (`ytf68_test_people.txt`): the first 47 when all names are sorted by the
SHA-256 of "ytf68:" + name. Pictures are PNGs named .jpg in the original.

No detector boxes exist: the only box is the tight one around the true points, and cards say so.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchbox.datasets import sample_checks
from benchbox.datasets.index import name_place, note_left_out, picture_cache_key, read_picture
from benchbox.errors import DataError
from benchbox.file_readers.bounds import MOST_CELLS
from benchbox.file_readers.csv_files import open_csv
from benchbox.geometry import tight_box
from benchbox.number_text import parse_numbers
from benchbox.types import Access, Finding, Index

if TYPE_CHECKING:
    from benchbox.types import Floats

ACCESS = Access(
    title="YouTube Faces with 68 keypoints",
    folder="ytf68",
    where="https://github.com/udacity/P1_Facial_Keypoints (folder data)",
    terms=(
        "made for teaching from YouTube Faces, whose terms are research only; the frames belong "
        "to their owners"
    ),
    citation=(
        "L. Wolf, T. Hassner, I. Maoz: Face Recognition in Unconstrained Videos with Matched "
        "Background Similarity. "
        "CVPR 2011; keypoints: Udacity, Facial Keypoint Detection"
    ),
    layout="""\
ytf68/training_frames_keypoints.csv    3462 rows: file name, x0, y0, … x67, y67
ytf68/training/<Person>_<VC>.jpg       3462 frames of 347 people""",
)
FRAMES = 3462
PEOPLE = 347
_CSV = "training_frames_keypoints.csv"
_LARGEST_FILE = 64 * 1024 * 1024  # bytes; the original takes 2.5 MiB
_NAME = re.compile(r"[^/\\_.][^/\\]*_\d\d\.jpg")  # also keeps a row from naming a file elsewhere
_COLUMNS = 1 + 2 * 68


def held_out_people() -> frozenset[str]:
    """Name the 47 people of the test set, as file names spell them.

    Examples
    --------
    >>> len(held_out_people())
    47
    """
    text = files(__package__).joinpath("ytf68_test_people.txt").read_text(encoding="utf-8")
    return frozenset(text.split())


def draw_people(people: list[str], number: int = 47) -> list[str]:
    """Draw people by the rule that made the fixed list, and return them sorted.

    They are the first ones by the SHA-256 of "ytf68:" + name, whatever the order of `people`.

    Examples
    --------
    >>> draw_people(["Ann", "Bob", "Eve"], 2) == draw_people(["Eve", "Ann", "Bob"], 2)
    True
    """

    def digest(name: str) -> bytes:
        return hashlib.sha256(f"ytf68:{name}".encode()).digest()

    return sorted(sorted(people, key=digest)[:number])


# --- index ----------------------------------------------------------------------------------------


def index(root: Path, *, pixels: bool = True) -> Index:
    """Read the annotations under `root/ytf68`.

    Values are (N, 68, 2) px, counted from 0. With `pixels`, frames without a picture are left out
    and noted; an absent folder gives an empty index.

    Raises
    ------
    DataError
        The CSV is malformed; names its line.
    """
    folder = root / ACCESS.folder
    notes = ["points made by a model, not by people"]
    names: list[str] = []
    values = np.empty((0, 68, 2))
    if (folder / _CSV).is_file():
        names, values = _read_csv(folder / _CSV)
    else:
        notes.append(f"there is no file {folder / _CSV}")
    if pixels:
        present = _list_pictures(folder)
        rows = [row for row, name in enumerate(names) if name in present]
        notes += note_left_out(len(rows), len(names), "frames")
        names, values = [names[row] for row in rows], values[rows]
    negative = int((values < 0).any(axis=2).sum())
    if negative:
        notes.append(f"{negative} points lie left of or above their picture and are kept")
    people = np.array([_person_of_frame(name) for name in names], np.str_)
    is_test = np.isin(people, sorted(held_out_people()))
    pictures = [folder / "training" / name for name in names]
    return Index(
        dataset="ytf68",
        ids=np.array([Path(name).stem for name in names], np.str_),
        parts=np.where(is_test, "test", "train").astype(np.str_),
        values=values,
        boxes={"ground_truth": tight_box(values)},
        clusters=people,
        read=partial(read_picture, pictures, values),
        notes=tuple(notes),
        cache_key=partial(picture_cache_key, pictures),
        label_place=partial(name_place, [(Path(_CSV), name) for name in names]),
        faults=_find_fractions(values),
    )


def _find_fractions(values: Floats) -> tuple[str, ...]:
    """Say that labels (N, 68, 2) are no whole numbers: those of a copy that was changed."""
    fractions = int((values != np.rint(values)).any(axis=(1, 2)).sum())
    if not fractions:
        return ()
    return (f"{fractions} frames have fractions of pixels; the original has whole numbers",)


def _person_of_frame(name: str) -> str:
    """Name the person of a frame.

    >>> _person_of_frame("Nicolas_Sarkozy_02.jpg")
    'Nicolas_Sarkozy'
    """
    return name.rpartition("_")[0]


def _list_pictures(folder: Path) -> set[str]:
    pictures = folder / "training"
    if not pictures.is_dir():
        return set()
    return {path.name for path in pictures.iterdir()}


# --- the csv --------------------------------------------------------------------------------------


def _read_csv(path: Path) -> tuple[list[str], Floats]:
    """Return file names and points (N, 68, 2) px.

    Raises DataError with the line of what is malformed.
    """
    names: list[str] = []
    rows: list[list[float]] = []
    with open_csv(path, largest=_LARGEST_FILE, most_cells=MOST_CELLS) as reader:
        _check_columns(next(reader, []), f"{path}:1")
        for row in reader:
            where = f"{path}:{reader.line_num}"
            if not row:  # a blank line
                continue
            _check_columns(row, where)
            names.append(_parse_name(row[0], where))
            rows.append(_parse_numbers(row[1:], where))
    doubled = [name for name, times in Counter(names).items() if times > 1]
    if doubled:
        raise DataError(f"{path}: {min(doubled)!r} is there twice")
    return names, np.array(rows, np.float64).reshape(-1, 68, 2)


def _check_columns(row: list[str], where: str) -> None:
    if len(row) != _COLUMNS:
        raise DataError(
            f"{where}: {len(row)} columns, {_COLUMNS} are needed: a name and 68 pairs x, y"
        )


def _parse_name(name: str, where: str) -> str:
    if not _NAME.fullmatch(name):
        raise DataError(
            f"{where}: {name[:60]!r} is not a name 'Person_VC.jpg' (V the video, C the frame)"
        )
    return name


def _parse_numbers(words: list[str], where: str) -> list[float]:
    try:
        values = parse_numbers(words)
    except ValueError as error:
        raise DataError(f"{where}: {error}; a coordinate is a number") from error
    for word, value in zip(words, values, strict=True):
        if not -1e5 < value < 1e5:  # far outside any picture, and NaN, which is in no range
            raise DataError(f"{where}: {word!r} is no coordinate")
    return values


def picture_files(root: Path) -> dict[str, Path]:
    """Map ids to picture files, for the examination."""
    folder = root / ACCESS.folder
    return {Path(name).stem: folder / "training" / name for name in _list_pictures(folder)}


# --- examination ----------------------------------------------------------------------------------


def verify(root: Path) -> list[Finding]:
    """Examine a copy: frames, people, the held-out list, pictures, doubles in train and test."""
    folder = root / ACCESS.folder
    if not (folder / _CSV).is_file():
        text = (
            f"there is no file {folder / _CSV}; "
            f"get {ACCESS.title} at {ACCESS.where} ({ACCESS.terms})"
        )
        return [Finding("missing", text)]
    try:
        frames = index(root, pixels=False)
    except DataError as error:
        return [Finding("wrong", str(error))]
    present = _list_pictures(folder)
    pictures: list[Path | None] = []
    for name in frames.ids:
        if f"{name}.jpg" in present:
            pictures.append(folder / "training" / f"{name}.jpg")
        else:
            pictures.append(None)
    test_people = held_out_people()
    people = set(frames.clusters.tolist())
    test_count = len(people & test_people)
    findings = [
        sample_checks.check_count(_CSV, len(frames.ids), FRAMES, "frames"),
        sample_checks.check_count("people", len(people), PEOPLE, "people"),
        sample_checks.check_count("held-out people", test_count, len(test_people), "people"),
        *sample_checks.check_pictures(frames.ids.tolist(), pictures, frames.values),
        *_verify_duplicates(frames, pictures),
    ]
    return [*findings, *(Finding("wrong", what) for what in frames.faults)]


def _verify_duplicates(frames: Index, pictures: list[Path | None]) -> list[Finding]:
    by_part: dict[str, list[tuple[str, Path]]] = {"train": [], "test": []}
    for name, part, path in zip(frames.ids, frames.parts, pictures, strict=True):
        if path is not None:
            by_part[str(part)].append((str(name), path))
    return sample_checks.check_duplicates(by_part["train"], by_part["test"])
