"""MPIIFaceGaze, normalised release: 15 people x 3,000 faces of 448 x 448 px.

One MATLAB v7.3 file per person, `p00.mat` … `p14.mat`: HDF5, in the archive's folder
`MPIIFaceGaze_normalizad` (sic), which may be left out. Axes come out reversed from MATLAB's, so
`Data/data` is (N, 3, 448, 448): channels first, in the order blue, green, red. `Data/label` is (N,
4 or more): gaze pitch and yaw, head pitch and yaw in radians; then landmarks, which are not read.

Pitch is asin(-y) and yaw atan2(-x, -z) of the normalised camera frame, as in the release's own
code: no sign is turned here. A note elsewhere calls both signs opposite to ETH-XGaze's; a copy
whose pitch is turned is refused. A picture may occur twice: the release pads people with fewer
pictures to 3,000. Ids are person and row: `p00/0000`.
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
    title="MPIIFaceGaze (normalised)",
    folder="mpiifacegaze",
    where=(
        "https://www.perceptualui.org/research/datasets/MPIIFaceGaze/ (MPIIFaceGaze_normalized.zip)"
    ),
    terms="CC BY-NC-SA 4.0",
    citation=(
        "X. Zhang, Y. Sugano, M. Fritz, A. Bulling: It's Written All Over Your Face: "
        "Full-Face Appearance-Based Gaze Estimation. CVPR Workshops 2017"
    ),
    layout=(
        "mpiifacegaze/[MPIIFaceGaze_normalizad/]p00.mat … p14.mat    15 people, 3000 faces each\n"
        "    Data/data (3000, 3, 448, 448) blue, green, red; "
        "Data/label (3000, 4+) pitch, yaw, head pitch, head yaw"
    ),
)
PEOPLE, FACES = 15, 3000
ARCHIVE = "MPIIFaceGaze_normalizad"
_GAZE_AND_HEAD = 4


def index(root: Path, *, pixels: bool = True) -> Index:
    """Read the labels under `root/mpiifacegaze`; reads no picture.

    Raises DataError for a file that is malformed or whose labels are in another convention; absent
    people are noted.
    """
    del pixels  # labels and pictures share their files
    folder = find_folder(root)
    places: list[tuple[Path, int]] = []
    sides: list[int] = []
    gaze, head_pose = [np.empty((0, 3))], [np.empty((0, 2))]
    absent = 0
    for number in range(PEOPLE):
        path = folder / f"p{number:02d}.mat"
        if not path.is_file():
            absent += 1
            continue
        person = _Person(path)
        count = len(person.values)
        places += [(path, row) for row in range(count)]
        sides += [person.side] * count
        gaze.append(person.values)
        head_pose.append(person.head)
    boxes = np.full((len(places), 4), -0.5)
    boxes[:, 2:] += np.array(sides, np.float64)[:, None]
    return Index(
        dataset="mpiifacegaze",
        ids=np.array([f"{path.stem}/{row:04d}" for path, row in places], np.str_),
        parts=np.full(len(places), "faces"),
        values=np.concatenate(gaze),
        boxes={"patch": boxes},
        clusters=np.array([path.stem for path, _ in places], np.str_),
        read=partial(_read_picture, tuple(places)),
        cache_key=partial(hdf5.row_cache_key, tuple(places)),
        label_place=partial(name_place, tuple(places)),
        meta={"head_pose": np.concatenate(head_pose)},
        notes=(f"{absent} of {PEOPLE} people are not in {folder}",) if absent else (),
    )


def find_folder(root: Path) -> Path:
    """Return where the person files lie: the dataset's folder, or the archive's folder in it."""
    inner = root / ACCESS.folder / ARCHIVE
    return inner if inner.is_dir() else inner.parent


class _Person:
    """The labels of one file: `values` (N, 3) unit vectors, `head` (N, 2) pitch, yaw.

    `side` of its pictures in px.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        labels = hdf5.read_column(path, "Data/label", (None, None))
        if labels.shape[1] < _GAZE_AND_HEAD:
            raise DataError(
                f"{path}: Data/label: {labels.shape[1]} columns, 4 or more are needed: "
                "MATLAB's axes?"
            )
        count = hdf5.count_rows(path, "Data/data", (None, 3, None, None))
        if count != len(labels):
            raise DataError(
                f"{path}: {count} pictures and {len(labels)} labels; there must be one for each"
            )
        self.side = hdf5.read_row(path, "Data/data", 0).shape[-1] if count else 0
        self.values: Floats = angles.gaze_vectors(labels[:, :2], f"{path}: Data/label")
        angles.check_below_camera(labels[:, :2], f"{path}: Data/label")
        self.head: Floats = labels[:, 2:4].astype(np.float64)


def _read_picture(places: tuple[tuple[Path, int], ...], row: int) -> Bytes:
    path, number = places[row]
    planes = hdf5.convert_to_uint8(
        hdf5.read_row(path, "Data/data", number), f"{path}: Data/data row {number}"
    )
    # blue, green, red planes → RGB pixels
    return np.ascontiguousarray(planes[::-1].transpose(1, 2, 0))


# --- examination ----------------------------------------------------------------------------------


def verify(root: Path) -> list[Finding]:
    """Examine a copy: people, faces of each, and order, sign and unit of the labels."""
    try:
        faces = index(root)
    except DataError as error:
        return [Finding("wrong", str(error))]
    findings = sample_checks.check_people(faces.clusters, PEOPLE, FACES, "faces")
    if len(faces.ids):
        findings.append(
            Finding("ok", "pitch is negative and yaw about 0 on average for everyone, in radians")
        )
    return findings
