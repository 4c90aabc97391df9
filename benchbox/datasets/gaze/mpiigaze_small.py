"""MPIIGaze's evaluation eyes as small grey patches: 15 people x 3,000, 9 x 15 px, one HDF5 file per person.

Files `small_test_dataset_loocv<k>.h5`, k = 0 … 14: the number of the file is the person. Datasets:
`data` (N, 1, 9, 15) uint8 grey, `gaze` (N, 2) and `headpose` (N, 2) in radians. Both have the
columns (yaw, pitch) in these files; they are turned to (pitch, yaw) here, and a copy in the other
order is refused. `nearestIDs` is not read.

Left and right eyes are mixed, the right ones mirrored, as in the evaluation of MPIIGaze. Ids are
person and row: `p00/0000`. There is one part, `eyes`: cards leave one person out.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchbox.datasets import sample_checks
from benchbox.datasets.formats import hdf5
from benchbox.errors import DataError
from benchbox.types import Access, Finding, Index

from . import angles

if TYPE_CHECKING:
    from benchbox.types import Bytes, Floats

ACCESS = Access(
    title="MPIIGaze evaluation eyes, small",
    folder="mpiigaze-small",
    where="https://www.perceptualui.org/research/datasets/MPIIGaze/ (the source; patches shrunk to 9 x 15)",
    terms="CC BY-NC-SA 4.0, as MPIIGaze",
    citation=(
        "X. Zhang, Y. Sugano, M. Fritz, A. Bulling: Appearance-Based Gaze Estimation in the Wild. CVPR 2015; "
        "MPIIGaze: Real-World Dataset and Deep Appearance-Based Gaze Estimation. TPAMI 2019"
    ),
    layout="""\
mpiigaze-small/small_test_dataset_loocv<k>.h5    k = 0 … 14, one person each, 3000 eyes
    data (3000, 1, 9, 15) uint8, gaze (3000, 2) and headpose (3000, 2): yaw, pitch in radians""",
)
PEOPLE, EYES = 15, 3000
HEIGHT, WIDTH = 9, 15
_PIXELS = (None, 1, HEIGHT, WIDTH)


def index(root: Path, *, pixels: bool = True) -> Index:
    """Read the labels under `root/mpiigaze-small`; reads no picture.

    Raises DataError for a file that is malformed or whose columns are in another order; absent
    people are noted.
    """
    del pixels  # labels and pictures share their files
    folder = root / ACCESS.folder
    there = [person for person in range(PEOPLE) if _person_path(folder, person).is_file()]
    people = [_read_person(_person_path(folder, person)) for person in there]
    counts = [len(gaze) for gaze, _ in people]
    names = [f"p{person:02d}" for person in there]
    places = tuple(
        (_person_path(folder, person), row)
        for person, n in zip(there, counts, strict=True)
        for row in range(n)
    )
    absent = PEOPLE - len(there)
    return Index(
        dataset="mpiigaze-small",
        ids=np.array(
            [
                f"{name}/{row:04d}"
                for name, n in zip(names, counts, strict=True)
                for row in range(n)
            ],
            np.str_,
        ),
        parts=np.full(sum(counts), "eyes"),
        values=np.concatenate([np.empty((0, 3)), *(gaze for gaze, _ in people)]),
        boxes={"patch": np.tile([-0.5, -0.5, WIDTH - 0.5, HEIGHT - 0.5], (sum(counts), 1))},
        clusters=np.repeat(np.array(names, np.str_), counts),
        read=partial(_read_picture, places),
        meta={"head_pose": np.concatenate([np.empty((0, 2)), *(head for _, head in people)])},
        stamp=partial(hdf5.row_cache_key, places),
        notes=(f"{absent} of {PEOPLE} people are not in {folder}",) if absent else (),
    )


def _person_path(folder: Path, person: int) -> Path:
    return folder / f"small_test_dataset_loocv{person}.h5"


def _read_person(path: Path) -> tuple[Floats, Floats]:
    """Return unit vectors (N, 3) and head pose (N, 2) as (pitch, yaw) in radians."""
    gaze = hdf5.read_column(path, "gaze", (None, 2))[:, ::-1]  # (yaw, pitch) in the file
    head = hdf5.read_column(path, "headpose", (None, 2))[:, ::-1]
    count = hdf5.count_rows(path, "data", _PIXELS)
    if not len(gaze) == len(head) == count:
        raise DataError(
            f"{path}: {count} pictures, {len(gaze)} gaze and {len(head)} headpose rows; one of each a row"
        )
    values = angles.gaze_vectors(gaze, f"{path}: gaze")
    angles.check_below_camera(gaze, f"{path}: gaze")
    return values, np.asarray(head, np.float64)


def _read_picture(places: tuple[tuple[Path, int], ...], row: int) -> Bytes:
    path, number = places[row]
    grey = hdf5.convert_to_uint8(
        hdf5.read_row(path, "data", number)[0], f"{path}: data row {number}"
    )
    return np.repeat(grey[:, :, None], 3, axis=2)


# --- examination ----------------------------------------------------------------------------------


def verify(root: Path) -> list[Finding]:
    """Examine a copy: people, eyes of each, and order, sign and unit of the labels."""
    try:
        found = index(root)
    except DataError as error:
        return [Finding("wrong", str(error))]
    people, counts = np.unique(found.clusters, return_counts=True)
    findings = [sample_checks.check_count("people", len(people), PEOPLE, "people")]
    findings += [
        sample_checks.check_count(str(person), int(n), EYES, "eyes")
        for person, n in zip(people, counts, strict=True)
        if n != EYES
    ]
    if len(people):
        findings.append(
            Finding("ok", "pitch is negative and yaw about 0 on average for everyone, in radians")
        )
    return findings + angles.compare_head_yaw(found.values, found.meta["head_pose"], found.clusters)
