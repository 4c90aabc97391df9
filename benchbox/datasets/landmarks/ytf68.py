"""Frames of YouTube Faces with 68 points, as a course on computer vision published them.

One CSV names 3,462 frames of 347 people, `Person_VC.jpg`: V is the video and C the frame in it;
then x0, y0, x1, … as whole numbers that count pixels from 0. The points came out of a model and not
from people's hands. The published test list has the same people in the same videos, so the test set
here is 47 people held out (`ytf68_test_people.txt`): the first 47 when all names are sorted by the
SHA-256 of "ytf68:" + name. Pictures are PNGs named .jpg in the original.

No detector boxes exist: the only box is the tight one around the true points, and cards say so.
"""

from __future__ import annotations

import csv
import hashlib
import re
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchbox.datasets import sample_checks
from benchbox.datasets.formats import images
from benchbox.errors import DataError
from benchbox.geometry import tight_box
from benchbox.types import Access, Finding, Index

if TYPE_CHECKING:
    from benchbox.types import Bytes, Floats, Strings

ACCESS = Access(
    title="YouTube Faces with 68 keypoints",
    folder="ytf68",
    where="https://github.com/udacity/P1_Facial_Keypoints (folder data)",
    terms="made for teaching from YouTube Faces, whose terms are research only; the frames belong to their owners",
    citation=(
        "L. Wolf, T. Hassner, I. Maoz: Face Recognition in Unconstrained Videos with Matched Background Similarity. "
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
    """Name the 47 people of the test set, as file names spell them."""
    text = files(__package__).joinpath("ytf68_test_people.txt").read_text(encoding="utf-8")
    return frozenset(text.split())


def draw_people(people: list[str], number: int = 47) -> list[str]:
    """Draw people by the rule that made the fixed list: the first ones by the SHA-256 of "ytf68:" + name."""
    return sorted(
        sorted(people, key=lambda name: hashlib.sha256(f"ytf68:{name}".encode()).digest())[:number]
    )


def index(root: Path, *, pixels: bool = True) -> Index:
    """Read the annotations under `root/ytf68`.

    With `pixels`, frames without a picture are left out and noted.

    Raises DataError for a malformed CSV, with its line; an absent folder gives an empty index.
    """
    folder = root / ACCESS.folder
    notes = ["points made by a model, not by people"]
    if (folder / _CSV).is_file():
        names, values = _read_csv(folder / _CSV)
    else:
        names, values = [], np.empty((0, 68, 2))
        notes.append(f"there is no file {folder / _CSV}")
    if pixels:
        there = _list_pictures(folder)
        kept = [row for row, name in enumerate(names) if name in there]
        if len(kept) < len(names):
            notes.append(
                f"{len(names) - len(kept)} of {len(names)} frames have no picture and are left out"
            )
        names, values = [names[row] for row in kept], values[kept]
    negative = int((values < 0).any(axis=2).sum())
    if negative:
        notes.append(f"{negative} points lie left of or above their picture and are kept")
    people = [_person_of_frame(name) for name in names]
    held_out = held_out_people()
    return Index(
        dataset="ytf68",
        ids=np.array([Path(name).stem for name in names], np.str_),
        parts=np.array(["test" if person in held_out else "train" for person in people], np.str_),
        values=values,
        boxes={"ground_truth": tight_box(values) if names else np.empty((0, 4))},
        clusters=np.array(people, np.str_),
        read=partial(_read_picture, folder / "training", tuple(names), values),
        notes=tuple(notes),
        stamp=lambda row: images.file_cache_key(folder / "training" / names[row]),
    )


def _person_of_frame(name: str) -> str:
    return name.rpartition("_")[0]


def _list_pictures(folder: Path) -> set[str]:
    place = folder / "training"
    return {path.name for path in place.iterdir()} if place.is_dir() else set()


def _read_csv(path: Path) -> tuple[list[str], Floats]:
    """Return file names and points (N, 68, 2).

    Raises DataError with the line of what is malformed.
    """
    if path.stat().st_size > _LARGEST_FILE:
        raise DataError(f"{path}: more than {_LARGEST_FILE} bytes; not the file of this dataset")
    names: list[str] = []
    rows: list[list[float]] = []
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.reader(file)
            header = next(reader, [])
            if len(header) != _COLUMNS:
                raise DataError(
                    f"{path}:1: {len(header)} columns, {_COLUMNS} are needed: a name and 68 pairs x, y"
                )
            for row in reader:
                where = f"{path}:{reader.line_num}"
                names.append(_parse_name(row, where))
                rows.append(_parse_numbers(row, where))
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: is not a CSV file ({error})") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    doubled = next(
        (
            name
            for name, before in zip(sorted(names)[1:], sorted(names), strict=False)
            if name == before
        ),
        "",
    )
    if doubled:
        raise DataError(f"{path}: {doubled!r} is there twice")
    return names, np.array(rows, np.float64).reshape(-1, 68, 2)


def _parse_name(row: list[str], where: str) -> str:
    if len(row) != _COLUMNS:
        raise DataError(
            f"{where}: {len(row)} columns, {_COLUMNS} are needed: a name and 68 pairs x, y"
        )
    if not _NAME.fullmatch(row[0]):
        raise DataError(
            f"{where}: {row[0][:60]!r} is not a name 'Person_VC.jpg' (V the video, C the frame)"
        )
    return row[0]


def _parse_numbers(row: list[str], where: str) -> list[float]:
    try:
        values = [float(word) for word in row[1:]]
    except ValueError as error:
        raise DataError(f"{where}: {error}; a coordinate is a number") from error
    # Far outside any picture, and NaN, which is in no range.
    wrong = [k for k, value in enumerate(values) if not -1e5 < value < 1e5]
    if wrong:
        raise DataError(f"{where}: {row[1 + wrong[0]]!r} is no coordinate")
    return values


def _read_picture(folder: Path, names: tuple[str, ...], values: Floats, row: int) -> Bytes:
    path = folder / names[row]
    pixels = images.decode_picture(path)
    sample_checks.check_points_fit(path, values[row], (pixels.shape[1], pixels.shape[0]))
    return pixels


def picture_files(root: Path) -> dict[str, Path]:
    """Map ids to picture files, for the examination."""
    folder = root / ACCESS.folder
    return {Path(name).stem: folder / "training" / name for name in _list_pictures(folder)}


# --- examination ----------------------------------------------------------------------------------


def verify(root: Path) -> list[Finding]:
    """Examine a copy: frames, people, the held-out list, pictures, doubles across train and test."""
    folder = root / ACCESS.folder
    if not (folder / _CSV).is_file():
        what = f"there is no file {folder / _CSV}; get {ACCESS.title} at {ACCESS.where} ({ACCESS.terms})"
        return [Finding("missing", what)]
    try:
        found = index(root, pixels=False)
    except DataError as error:
        return [Finding("wrong", str(error))]
    there = _list_pictures(folder)
    paths = [
        folder / "training" / f"{name}.jpg" if f"{name}.jpg" in there else None
        for name in found.ids
    ]
    held_out = held_out_people()
    everyone = set(found.clusters.tolist())
    findings = [
        sample_checks.check_count(_CSV, len(found.ids), FRAMES, "frames"),
        sample_checks.check_count("people", len(everyone), PEOPLE, "people"),
        sample_checks.check_count(
            "held-out people", len(everyone & held_out), len(held_out), "people"
        ),
        *sample_checks.check_pictures(found.ids.tolist(), paths, found.values),
        *_verify_duplicates(found.ids, found.parts, paths),
    ]
    fractions = int((found.values != np.rint(found.values)).any(axis=(1, 2)).sum())
    if fractions:
        findings.append(
            Finding(
                "wrong",
                f"{fractions} frames have fractions of pixels; the original has whole numbers",
            )
        )
    return findings


def _verify_duplicates(ids: Strings, parts: Strings, paths: list[Path | None]) -> list[Finding]:
    present = [
        (str(name), part, path) for name, part, path in zip(ids, parts, paths, strict=True) if path
    ]
    return sample_checks.check_duplicates(
        [(name, path) for name, part, path in present if part == "train"],
        [(name, path) for name, part, path in present if part == "test"],
    )
