"""MPIIGaze's evaluation eyes as small grey patches of 9 x 15 px: 15 people x 3,000 eyes.

One HDF5 file per person, `small_test_dataset_loocv<k>.h5`, k = 0 … 14. Datasets:
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
from benchbox.datasets.index import name_place
from benchbox.errors import DataError
from benchbox.types import Access, Finding, Index

from . import angles

if TYPE_CHECKING:
    from benchbox.types import Bytes, Floats

ACCESS = Access(
    title="MPIIGaze evaluation eyes, small",
    folder="mpiigaze-small",
    where=(
        "https://www.perceptualui.org/research/datasets/MPIIGaze/ "
        "(the source; patches shrunk to 9 x 15)"
    ),
    terms="CC BY-NC-SA 4.0, as MPIIGaze",
    citation=(
        "X. Zhang, Y. Sugano, M. Fritz, A. Bulling: "
        "Appearance-Based Gaze Estimation in the Wild. CVPR 2015; "
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
    ids, clusters, places = [], [], []
    gaze, head_pose = [np.empty((0, 3))], [np.empty((0, 2))]
    people = 0
    for person in range(PEOPLE):
        path = _person_path(folder, person)
        if not path.is_file():
            continue
        person_gaze, person_head = _read_person(path)
        gaze.append(person_gaze)
        head_pose.append(person_head)
        name = f"p{person:02d}"
        for row in range(len(person_gaze)):
            ids.append(f"{name}/{row:04d}")
            places.append((path, row))
        clusters += [name] * len(person_gaze)
        people += 1
    notes = []
    if people < PEOPLE:
        notes.append(f"{PEOPLE - people} of {PEOPLE} people are not in {folder}")
    values, people_of = np.concatenate(gaze), np.array(clusters, np.str_)
    head_rad = np.concatenate(head_pose)
    return Index(
        dataset="mpiigaze-small",
        ids=np.array(ids, np.str_),
        parts=np.full(len(ids), "eyes"),
        values=values,
        boxes={"patch": np.tile([-0.5, -0.5, WIDTH - 0.5, HEIGHT - 0.5], (len(ids), 1))},
        clusters=people_of,
        read=partial(_read_picture, tuple(places)),
        meta={"head_pose": head_rad},
        cache_key=partial(hdf5.row_cache_key, tuple(places)),
        label_place=partial(name_place, tuple(places)),
        notes=tuple(notes),
        faults=angles.head_faults(values, head_rad, people_of),
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
            f"{path}: {count} pictures, {len(gaze)} gaze and {len(head)} headpose rows; "
            "one of each a row"
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
        eyes = index(root)
    except DataError as error:
        return [Finding("wrong", str(error))]
    findings = sample_checks.check_people(eyes.clusters, PEOPLE, EYES, "eyes")
    if len(eyes.ids):
        findings.append(
            Finding("ok", "pitch is negative and yaw about 0 on average for everyone, in radians")
        )
    return findings + angles.compare_head_yaw(eyes.values, eyes.meta["head_pose"], eyes.clusters)
