"""300-W private: the 600 pictures of the 2013 and 2015 challenges, 68 points.

300 were taken indoors and 300 outdoors. An id is part and stem: `indoor/indoor_001`. Annotations
count pixels from 1 (`Index.origin`). Copies call the folders `01_Indoor`, `02_Outdoor`,
`01_Outdoor` or `Test/01_Indoor`: a folder is known by the end of its name, in any case.

The faces come from 399 photographs, but no file says which share one, so each face is a cluster of
its own here and intervals are a little too narrow. No detector boxes were published: the only box
is the tight one around the points. A copy with 599 faces is in circulation; it is named as partial.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchbox.datasets import sample_checks
from benchbox.datasets.formats import paths, pts
from benchbox.datasets.index import name_place, note_left_out
from benchbox.errors import DataError
from benchbox.geometry import tight_box
from benchbox.types import Access, Finding, Index

if TYPE_CHECKING:
    from benchbox.types import Bytes, Floats

ACCESS = Access(
    title="300-W private (challenge) test set",
    folder="300w-private",
    where="https://ibug.doc.ic.ac.uk/resources/300-W/ (form; 300w.zip in four parts)",
    terms="research only, no commercial use; the photographs belong to their owners",
    citation=(
        "C. Sagonas, E. Antonakos, G. Tzimiropoulos, S. Zafeiriou, M. Pantic: 300 Faces "
        "In-The-Wild Challenge: "
        "database and results. Image and Vision Computing 47, 2016"
    ),
    layout="""\
300w-private/01_Indoor/indoor_*.{png,pts}      300 faces
300w-private/02_Outdoor/outdoor_*.{png,pts}    300 faces
(below 300w-private/Test/ or 300w-private/300W/ too; ids: indoor/indoor_001)""",
)
PARTS = ("indoor", "outdoor")
FACES = 300  # in each
_DEEPEST = 3


def index(root: Path, *, pixels: bool = True) -> Index:
    """Read all annotations under `root/300w-private`.

    Values are (N, 68, 2) px, counted from 1. With `pixels`, faces without a picture are left out
    and noted.

    Raises
    ------
    DataError
        An annotation is malformed, or two folders could be the same part.
    """
    folder = root / ACCESS.folder
    notes = [
        "the faces come from 399 photographs, but nothing says which: each face is resampled alone"
    ]
    ids: list[str] = []
    parts: list[str] = []
    pairs: list[paths.AnnotatedPicture] = []
    for part, part_folder in _part_folders(folder).items():
        annotated = _list_pairs(part_folder)
        if not annotated:
            notes.append(f"there is no folder of annotations that ends in {part!r} below {folder}")
        kept = annotated
        if pixels:
            kept = [pair for pair in annotated if pair.picture]
        notes += note_left_out(len(kept), len(annotated), part=part)
        ids += [f"{part}/{pair.stem}" for pair in kept]
        parts += [part] * len(kept)
        pairs += kept
    values = np.empty((len(pairs), 68, 2))
    for row, pair in enumerate(pairs):
        values[row] = pts.read_pts(pair.annotation)
    return Index(
        dataset="300w-private",
        ids=np.array(ids, np.str_),
        parts=np.array(parts, np.str_),
        values=values,
        boxes={"ground_truth": tight_box(values)},
        clusters=np.array(ids, np.str_),
        read=partial(_read_picture, tuple(ids), tuple(pairs), values),
        origin=1.0,
        notes=tuple(notes),
        label_place=partial(name_place, [pair.annotation for pair in pairs]),
    )


def _part_folders(folder: Path) -> dict[str, Path | None]:
    """Find the folder of each part by the end of its name.

    Only one that holds annotations counts; two of them raise DataError.
    """
    part_folders: dict[str, Path | None] = dict.fromkeys(PARTS)
    for directory, subfolders, all_names in os.walk(folder):
        names = [name for name in all_names if not paths.is_dropping(name)]
        subfolders[:] = [name for name in subfolders if not paths.is_dropping(name)]
        path = Path(directory)
        if len(path.relative_to(folder).parts) >= _DEEPEST:
            subfolders.clear()
        if not any(name.lower().endswith(".pts") for name in names):
            continue
        for part in PARTS:
            if not path.name.lower().endswith(part):
                continue
            earlier = part_folders[part]
            if earlier is not None:
                raise DataError(f"{earlier} and {path} could both be {part!r}; leave one of them")
            part_folders[part] = path
    return part_folders


def _list_pairs(folder: Path | None) -> list[paths.AnnotatedPicture]:
    if folder is None:
        return []
    return paths.pair_pictures(folder, ".png")


def _read_picture(
    ids: Sequence[str], pairs: Sequence[paths.AnnotatedPicture], values: Floats, row: int
) -> Bytes:
    pair = pairs[row]
    if pair.picture is None:
        raise DataError(
            f"{ids[row]}: no picture beside {pair.annotation}; put {pair.stem}.png there"
        )
    return sample_checks.decode_fitting_picture(pair.picture, values[row] - 1.0)


def picture_files(root: Path) -> dict[str, Path]:
    """Map ids to picture files, for the examination."""
    files = {}
    for part, folder in _part_folders(root / ACCESS.folder).items():
        for pair in _list_pairs(folder):
            if pair.picture:
                files[f"{part}/{pair.stem}"] = pair.picture
    return files


# --- examination ----------------------------------------------------------------------------------


def verify(root: Path) -> list[Finding]:
    """Examine a copy: counts of both parts, annotations, pictures."""
    try:
        faces = index(root, pixels=False)
    except DataError as error:
        return [Finding("wrong", str(error))]
    findings = []
    for part in PARTS:
        count = int((faces.parts == part).sum())
        findings.append(sample_checks.check_count(part, count, FACES, "faces"))
    if len(faces.ids) == 2 * FACES - 1:
        text = "599 faces: this is a copy with one face lost, not the official archive"
        findings.append(Finding("partial", text))
    files = picture_files(root)
    pictures = [files.get(str(name)) for name in faces.ids]
    findings += sample_checks.check_pictures(faces.ids.tolist(), pictures, faces.values - 1.0)
    return findings
