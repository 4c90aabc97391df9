"""300-W private: the 600 pictures of the 2013 and 2015 challenges, 300 taken indoors and 300 outdoors, 68 points.

An id is part and stem: `indoor/indoor_001`. Annotations count pixels from 1 (`Index.origin`). Copies call the folders
`01_Indoor`, `02_Outdoor`, `01_Outdoor` or `Test/01_Indoor`: a folder is known by the end of its name, in any case.

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
from benchbox.datasets.formats import images, paths, pts
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
        "C. Sagonas, E. Antonakos, G. Tzimiropoulos, S. Zafeiriou, M. Pantic: 300 Faces In-The-Wild Challenge: "
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
    """Read all annotations; with `pixels`, faces without a picture are left out and noted.

    Raises DataError for a malformed annotation and for two folders that could be the same part.
    """
    folder = root / ACCESS.folder
    notes = [
        "the faces come from 399 photographs, but nothing says which: each face is resampled alone"
    ]
    ids: list[str] = []
    kept: list[paths.AnnotatedPicture] = []
    for part, place in _part_folders(folder).items():
        found = paths.pair_pictures(place, ".png") if place else []
        if not found:
            notes.append(f"there is no folder of annotations that ends in {part!r} below {folder}")
        here = [pair for pair in found if pair.picture or not pixels]
        if len(here) < len(found):
            notes.append(
                f"{part}: {len(found) - len(here)} of {len(found)} faces have no picture and are left out"
            )
        ids += [f"{part}/{pair.stem}" for pair in here]
        kept += here
    values = np.array([pts.read_pts(pair.annotation) for pair in kept]).reshape(-1, 68, 2)
    return Index(
        dataset="300w-private",
        ids=np.array(ids, np.str_),
        parts=np.array([name.partition("/")[0] for name in ids], np.str_),
        values=values,
        boxes={"ground_truth": tight_box(values) if ids else np.empty((0, 4))},
        clusters=np.array(ids, np.str_),
        read=partial(_read_picture, tuple(ids), tuple(kept), values),
        origin=1.0,
        notes=tuple(notes),
    )


def _part_folders(folder: Path) -> dict[str, Path | None]:
    """Find the folder of each part by the end of its name.

    Only one that holds annotations counts.
    """
    found: dict[str, list[Path]] = {part: [] for part in PARTS}
    for place, below, names in os.walk(folder):
        if len(Path(place).relative_to(folder).parts) >= _DEEPEST:
            below.clear()
        for part in PARTS:
            if Path(place).name.lower().endswith(part) and any(
                name.lower().endswith(".pts") for name in names
            ):
                found[part].append(Path(place))
    for part, places in found.items():
        if len(places) > 1:
            raise DataError(
                f"{places[0]} and {places[1]} could both be {part!r}; leave one of them"
            )
    return {part: places[0] if places else None for part, places in found.items()}


def _read_picture(
    ids: Sequence[str], pairs: Sequence[paths.AnnotatedPicture], values: Floats, row: int
) -> Bytes:
    pair = pairs[row]
    if pair.picture is None:
        raise DataError(
            f"{ids[row]}: no picture beside {pair.annotation}; put {pair.stem}.png there"
        )
    pixels = images.decode_picture(pair.picture)
    sample_checks.check_points_fit(
        pair.picture, values[row] - 1.0, (pixels.shape[1], pixels.shape[0])
    )
    return pixels


def picture_files(root: Path) -> dict[str, Path]:
    """Map ids to picture files, for the examination."""
    return {
        f"{part}/{pair.stem}": pair.picture
        for part, place in _part_folders(root / ACCESS.folder).items()
        for pair in (paths.pair_pictures(place, ".png") if place else ())
        if pair.picture
    }


def verify(root: Path) -> list[Finding]:
    """Examine a copy: counts of both parts, annotations, pictures."""
    try:
        found = index(root, pixels=False)
    except DataError as error:
        return [Finding("wrong", str(error))]
    there = picture_files(root)
    findings = [
        sample_checks.check_count(part, int((found.parts == part).sum()), FACES, "faces")
        for part in PARTS
    ]
    if len(found.ids) == 2 * FACES - 1:
        findings.append(
            Finding(
                "partial", "599 faces: this is a copy with one face lost, not the official archive"
            )
        )
    paths = [there.get(str(name)) for name in found.ids]
    return [*findings, *sample_checks.check_pictures(found.ids.tolist(), paths, found.values - 1.0)]
