"""Five WFLW photographs published with G&LSR's code: for its published weights, no benchmark.

Beside each `NAME.jpg` lie `NAME.rct`, the box as their networks want it (x1 y1 x2 y2), and
`NAME.txt`: the number 98, then one line x y per point. The points are WFLW's annotation (their code
measures its error against them), so counted from 0 like `wflw`; an id is the name. There is nothing
to train on.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchbox.datasets import sample_checks
from benchbox.datasets.formats import paths
from benchbox.datasets.index import (
    name_place,
    note_left_out,
    picture_cache_key,
    read_picture,
)
from benchbox.errors import DataError
from benchbox.file_readers.regular_files import read_text
from benchbox.geometry import tight_box
from benchbox.number_text import parse_numbers
from benchbox.types import Access, Finding, Index

if TYPE_CHECKING:
    from benchbox.types import Floats

ACCESS = Access(
    title="G&LSR's release: five photographs of WFLW and the weights",
    folder="glsr-release",
    where=(
        "https://github.com/shaoxiaohu/Face_Alignment_DPR (sample_images/WFLW, models and data, "
        "in one folder)"
    ),
    terms="code and weights MIT; the photographs are WFLW's, research only",
    citation=(
        "X. Shao, J. Xing, J. Lyu, X. Zhou, Y. Shi, S. Maybank: Robust Face Alignment via Deep "
        "Progressive "
        "Reinitialization and Adaptive Error-driven Learning. IEEE TPAMI 2021"
    ),
    layout="""\
glsr-release/<name>.jpg .rct .txt              5 photographs, box, 98 points
glsr-release/98_points_global_reinit.pth.tar   weights of the localisation net
glsr-release/98_points_global_regress.pth.tar  weights of the regression
glsr-release/mean_98_face.npy                  mean face""",
)
FACES = 5
POINTS = 98
WEIGHTS = (
    "98_points_global_reinit.pth.tar",
    "98_points_global_regress.pth.tar",
    "mean_98_face.npy",
)
_LARGEST_FILE = 1 << 16  # bytes; the points take 2 KiB


def index(root: Path, *, pixels: bool = True) -> Index:
    """Read the annotations under `root/glsr-release`.

    Values are (N, 98, 2) px, counted from 0. With `pixels`, faces without a picture are left out
    and noted; an absent folder gives an empty index.

    Raises
    ------
    DataError
        A file is malformed; names its line.
    """
    folder = root / ACCESS.folder
    names = sorted(path.stem for path in folder.glob("*.rct") if not paths.is_dropping(path.name))
    notes = [
        "five chosen photographs: their mean says whether the weights run as published, "
        "not how good they are"
    ]
    if pixels:
        total = len(names)
        names = [name for name in names if _picture_file(folder, name).is_file()]
        notes += note_left_out(len(names), total)
    values = np.empty((len(names), POINTS, 2))
    rects = np.empty((len(names), 4))
    for row, name in enumerate(names):
        values[row] = _read_points(folder / f"{name}.txt")
        rects[row] = _read_box(folder / f"{name}.rct")
    ids = np.array(names, np.str_)
    files = [_picture_file(folder, name) for name in names]
    return Index(
        dataset="glsr-release",
        ids=ids,
        parts=np.array(["test"] * len(ids), np.str_),
        values=values,
        boxes={"rct": rects, "ground_truth": tight_box(values)},
        clusters=ids,
        read=partial(read_picture, files, values),
        cache_key=partial(picture_cache_key, files),
        label_place=partial(name_place, [f"{name}.txt" for name in names]),
        notes=tuple(notes),
    )


def _picture_file(folder: Path, name: str) -> Path:
    return folder / f"{name}.jpg"


def _read_points(path: Path) -> Floats:
    """Return the points (98, 2) px of a `.txt`."""
    head, *lines = _read_lines(path)
    if head.split() != [str(POINTS)] or len(lines) != POINTS:
        raise DataError(
            f"{path}:1: {head[:20]!r} and {len(lines)} lines of points; {POINTS} are needed"
        )
    points = []
    for number, line in enumerate(lines, start=2):
        points.append(_parse_numbers(line, 2, f"{path}:{number}"))
    return np.array(points)


def _read_box(path: Path) -> Floats:
    """Return the corners (4,) px of a `.rct`."""
    corners = _parse_numbers(" ".join(_read_lines(path)), 4, f"{path}:1")
    x1, y1, x2, y2 = corners
    if not (x1 < x2 and y1 < y2):
        raise DataError(f"{path}:1: {x1} {y1} {x2} {y2} is no box x1 y1 x2 y2")
    return np.array(corners)


def _read_lines(path: Path) -> list[str]:
    return read_text(path, _LARGEST_FILE).split("\n")[:-1] or [""]


def _parse_numbers(line: str, count: int, where: str) -> list[float]:
    try:
        values = parse_numbers(line.split())
    except ValueError as error:
        raise DataError(f"{where}: {error}; {count} coordinates are needed") from error
    if len(values) != count or not all(-1e5 < value < 1e5 for value in values):
        raise DataError(f"{where}: {line[:60]!r}; {count} coordinates are needed")
    return values


# --- examination ----------------------------------------------------------------------------------


def verify(root: Path) -> list[Finding]:
    """Examine a copy: boxes, points, pictures, and whether the weights lie beside them."""
    folder = root / ACCESS.folder
    try:
        faces = index(root, pixels=False)
    except DataError as error:
        return [Finding("wrong", str(error))]
    findings = [sample_checks.check_count("photographs", len(faces.ids), FACES, "faces")]
    if len(faces.ids):
        findings += _verify_pictures(folder, faces)
    for name in WEIGHTS:
        if not (folder / name).is_file():
            text = f"{folder / name}: needed by method glsr, variant release"
            findings.append(Finding("missing", text))
    return findings


def _verify_pictures(folder: Path, faces: Index) -> list[Finding]:
    pictures: list[Path | None] = []
    for name in faces.ids.tolist():
        path = _picture_file(folder, name)
        if path.is_file():
            pictures.append(path)
        else:
            pictures.append(None)
    return sample_checks.check_pictures(faces.ids.tolist(), pictures, faces.values)
