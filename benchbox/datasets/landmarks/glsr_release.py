"""The five WFLW photographs that G&LSR's authors published with their code: a row of published weights, no benchmark.

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
from benchbox.datasets.formats import images
from benchbox.errors import DataError
from benchbox.geometry import tight_box
from benchbox.types import Access, Finding, Index

if TYPE_CHECKING:
    from benchbox.types import Bytes, Floats

ACCESS = Access(
    title="G&LSR's release: five photographs of WFLW and the weights",
    folder="glsr-release",
    where="https://github.com/shaoxiaohu/Face_Alignment_DPR (sample_images/WFLW, models and data, in one folder)",
    terms="code and weights MIT; the photographs are WFLW's, research only",
    citation=(
        "X. Shao, J. Xing, J. Lyu, X. Zhou, Y. Shi, S. Maybank: Robust Face Alignment via Deep Progressive "
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

    With `pixels`, faces without a picture are left out and noted.

    Raises DataError for a malformed file, with its line; an absent folder gives an empty index.
    """
    folder = root / ACCESS.folder
    names = sorted(path.stem for path in folder.glob("*.rct")) if folder.is_dir() else []
    notes = [
        "five chosen photographs: their mean says whether the weights run as published, not how good they are"
    ]
    if pixels:
        there = [name for name in names if (folder / f"{name}.jpg").is_file()]
        if len(there) < len(names):
            notes.append(
                f"{len(names) - len(there)} of {len(names)} faces have no picture and are left out"
            )
        names = there
    values = np.array([_read_points(folder / f"{name}.txt") for name in names]).reshape(
        -1, POINTS, 2
    )
    boxes = np.array([_read_box(folder / f"{name}.rct") for name in names]).reshape(-1, 4)
    ids = np.array(names, np.str_)
    return Index(
        dataset="glsr-release",
        ids=ids,
        parts=np.array(["test"] * len(ids), np.str_),
        values=values,
        boxes={"rct": boxes, "ground_truth": tight_box(values) if names else np.empty((0, 4))},
        clusters=ids,
        read=partial(_read_picture, folder, tuple(names), values),
        stamp=lambda row: images.file_cache_key(folder / f"{names[row]}.jpg"),
        notes=tuple(notes),
    )


def _read_points(path: Path) -> Floats:
    head, *lines = _read_lines(path)
    if head.split() != [str(POINTS)] or len(lines) != POINTS:
        raise DataError(
            f"{path}:1: {head[:20]!r} and {len(lines)} lines of points; {POINTS} are needed"
        )
    return np.array(
        [_parse_numbers(line, 2, f"{path}:{number}") for number, line in enumerate(lines, start=2)]
    )


def _read_box(path: Path) -> Floats:
    x1, y1, x2, y2 = box = _parse_numbers(" ".join(_read_lines(path)), 4, f"{path}:1")
    if not (x1 < x2 and y1 < y2):
        raise DataError(f"{path}:1: {x1} {y1} {x2} {y2} is no box x1 y1 x2 y2")
    return np.array(box)


def _read_lines(path: Path) -> list[str]:
    try:
        if path.stat().st_size > _LARGEST_FILE:
            raise DataError(f"{path}: more than {_LARGEST_FILE} bytes; not a file of this dataset")
        return path.read_text(encoding="ascii").split("\n")[:-1] or [""]
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read ({error})") from error


def _parse_numbers(line: str, count: int, where: str) -> list[float]:
    try:
        values = [float(word) for word in line.split()]
    except ValueError as error:
        raise DataError(f"{where}: {error}; {count} coordinates are needed") from error
    if len(values) != count or not all(-1e5 < value < 1e5 for value in values):
        raise DataError(f"{where}: {line[:60]!r}; {count} coordinates are needed")
    return values


def _read_picture(folder: Path, names: tuple[str, ...], values: Floats, row: int) -> Bytes:
    path = folder / f"{names[row]}.jpg"
    pixels = images.decode_picture(path)
    sample_checks.check_points_fit(path, values[row], (pixels.shape[1], pixels.shape[0]))
    return pixels


def verify(root: Path) -> list[Finding]:
    """Examine a copy: boxes, points, pictures, and whether the weights lie beside them."""
    folder = root / ACCESS.folder
    try:
        found = index(root, pixels=False)
    except DataError as error:
        return [Finding("wrong", str(error))]
    paths = [path if (path := folder / f"{name}.jpg").is_file() else None for name in found.ids]
    findings = [sample_checks.check_count("photographs", len(found.ids), FACES, "faces")]
    findings += (
        sample_checks.check_pictures(found.ids.tolist(), paths, found.values)
        if len(found.ids)
        else []
    )
    absent = [name for name in WEIGHTS if not (folder / name).is_file()]
    return [
        *findings,
        *(
            Finding("missing", f"{folder / name}: needed by method glsr, variant release")
            for name in absent
        ),
    ]
