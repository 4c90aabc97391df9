"""300W-LP: 300-W's photographs turned to larger poses, 61,225 pictures with 68 points.

    300w-lp/300W_LP/AFW/NAME_0.jpg …                         pictures, four sets
    300w-lp/300W_LP/landmarks/AFW/NAME_0_pts.mat             `pts_3d`, `pts_2d` (68, 2)

Read is `pts_3d`, whose jaw follows the model, as AFLW2000-3D's does; `pts_2d` has it on the visible
outline. The mirrored halves (`AFW_Flip` …) are left out: recipes mirror by themselves. Parts are
the four sets, a photograph and all its turned copies are one cluster. It holds the public test
faces of 300-W (`IBUG`), so no card of 300-W may train on it. Points count pixels from 1.
"""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchbox.datasets import sample_checks
from benchbox.datasets.index import name_place, note_left_out, picture_cache_key, read_picture
from benchbox.errors import DataError
from benchbox.file_readers import matlab_files
from benchbox.geometry import tight_box
from benchbox.types import Access, Finding, Index

if TYPE_CHECKING:
    from benchbox.types import Floats

ACCESS = Access(
    title="300W-LP (300-W across large poses), 68 points of the model",
    folder="300w-lp",
    where="http://www.cbsr.ia.ac.cn/users/xiangyuzhu/projects/3DDFA/main.htm (300W-LP.zip)",
    terms="no licence stated; research use by custom, pictures under 300-W's terms",
    citation=(
        "X. Zhu, Z. Lei, X. Liu, H. Shi, S. Z. Li: Face Alignment Across Large Poses: A 3D "
        "Solution. CVPR 2016"
    ),
    layout="""\
300w-lp/300W_LP/AFW/NAME_0.jpg …                      pictures of AFW, HELEN, IBUG and LFPW
300w-lp/300W_LP/landmarks/AFW/NAME_0_pts.mat …        their points""",
)
FACES = {"AFW": 5_207, "HELEN": 37_676, "IBUG": 1_786, "LFPW": 16_556}
_LARGEST_MAT = 16 * 1024 * 1024  # bytes; a file takes 2 KiB
_COPY = re.compile(r"_\d+$")  # which turned copy of a photograph
_POINTS = "_pts"


def index(root: Path, *, pixels: bool = True) -> Index:
    """Read the points under `root/300w-lp`; values are (N, 68, 2) px, counted from 1.

    With `pixels`, faces without a picture are left out and noted.

    Raises
    ------
    DataError
        A file is malformed.
    """
    folder = _folder(root)
    files: list[Path] = []
    parts: list[str] = []
    notes = []
    for part in FACES:
        found = sorted((folder / "landmarks" / part).glob(f"*{_POINTS}.mat"))
        files += found
        parts += [part] * len(found)
    if not files:
        notes.append(f"there is no *{_POINTS}.mat in {folder / 'landmarks'}")
    names = [path.stem.removesuffix(_POINTS) for path in files]
    pictures = [folder / part / f"{name}.jpg" for part, name in zip(parts, names, strict=True)]
    chosen = list(range(len(files)))
    if pixels:
        chosen = [row for row in chosen if pictures[row].is_file()]
        notes += note_left_out(len(chosen), len(files))
    values = np.empty((len(chosen), 68, 2))
    for place, row in enumerate(chosen):
        values[place] = _read_points(files[row])
    kept = [pictures[row] for row in chosen]
    return Index(
        dataset="300w-lp",
        ids=np.array([f"{parts[row]}/{names[row]}" for row in chosen], np.str_),
        parts=np.array([parts[row] for row in chosen], np.str_),
        values=values,
        boxes={"ground_truth": tight_box(values)},
        clusters=np.array([f"{parts[row]}/{_COPY.sub('', names[row])}" for row in chosen], np.str_),
        read=partial(read_picture, kept, values - 1.0),
        cache_key=partial(picture_cache_key, kept),
        origin=1.0,
        notes=tuple(notes),
        label_place=partial(name_place, [files[row] for row in chosen]),
    )


def _folder(root: Path) -> Path:
    inner = root / ACCESS.folder / "300W_LP"
    return inner if inner.is_dir() else inner.parent


def _read_points(path: Path) -> Floats:
    content = matlab_files.read_v5(path, ["pts_3d"], _LARGEST_MAT)
    return matlab_files.check_numbers(content["pts_3d"], (68, 2), f"{path}: pts_3d")


def picture_files(root: Path) -> dict[str, Path]:
    """Map ids to picture files, for the examination."""
    return {str(name): _folder(root) / f"{name}.jpg" for name in index(root).ids}


def verify(root: Path) -> list[Finding]:
    """Examine a copy: faces of each set, pictures against their points."""
    try:
        faces = index(root, pixels=False)
    except DataError as error:
        return [Finding("wrong", str(error))]
    if not len(faces.ids):
        return [Finding("missing", note) for note in faces.notes[:1]]
    findings = []
    for part, count in FACES.items():
        found = int((faces.parts == part).sum())
        findings.append(sample_checks.check_count(part, found, count, "faces"))
    folder = _folder(root)
    pictures = [folder / f"{name}.jpg" for name in faces.ids]
    there = [path if path.is_file() else None for path in pictures]
    findings += sample_checks.check_pictures(faces.ids.tolist(), there, faces.values - 1.0)
    return findings
