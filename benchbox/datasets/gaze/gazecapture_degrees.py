"""GazeCapture in degrees: what FAZE's and ST-ED's programs make of it, eye strips or faces.

    <folder>/GazeCapture.h5              a group per person: `pixels`, `labels`
    <folder>/gazecapture_split.json      {"train": ["00002", …], "val": […], "test": […]}

GazeCapture says where on the screen people look, in cm. `GazeCapture_supplementary.h5` adds a
fitted face model, assumed intrinsics and the target in space for 1,366 of the 1,474 people, and
`faze_preprocess` normalises: `create_hdf_files_for_faze.py` cuts both eyes (`FAZE`, 64 x 256 px,
f 1300, d 600), `create_hdf_files_for_sted.py` the face (`STED`, 128 x 128 px, f 500, d 600). The
directions are thus inferred, and the two are not the same: one starts between the eyes, the other
in the middle of the face. Of the 150 test people 139 are there.

`labels` are pitch and yaw of gaze, then of the head, in radians, up and left positive: house
angles. `pixels` are red, green, blue. Parts are the split's; ids person and row: `00002/00017`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchbox.datasets import sample_checks
from benchbox.datasets.formats import hdf5
from benchbox.datasets.index import name_place
from benchbox.errors import DataError
from benchbox.file_readers.json_files import read_json
from benchbox.types import Access, Finding, Index

from . import angles, direction_checks

if TYPE_CHECKING:
    from benchbox.types import Bytes

PARTS = ("train", "val", "test")
PEOPLE = {"train": 1274, "val": 50, "test": 150}  # of the split list
HELD = 1366  # people of the supplementary file
HELD_TEST = 139  # of them in the test list
FILE, SPLIT = "GazeCapture.h5", "gazecapture_split.json"
_LARGEST_LIST = 1024 * 1024  # bytes
_PERSON = re.compile(r"\d{5}")


@dataclass(frozen=True, eq=False)
class NormalisedGazeCapture:
    """The reader of one preparation."""

    name: str
    ACCESS: Access
    shape: tuple[int, int]  # rows and columns of a picture
    angles: int  # columns of `labels`

    def index(self, root: Path, *, pixels: bool = True) -> Index:
        """Read the labels under the set's folder; reads no picture.

        Raises
        ------
        DataError
            A file is malformed or of another preparation, or a person is in no list.
        """
        del pixels  # labels and pictures share their file
        folder = root / self.ACCESS.folder
        path = folder / FILE
        notes = [
            f"there is no file {file}" for file in (path, folder / SPLIT) if not file.is_file()
        ]
        part_of = {} if notes else _read_split(folder / SPLIT)
        people = [] if notes else hdf5.list_groups(path)
        places: list[tuple[Path, str, int]] = []
        parts: list[str] = []
        gaze, heads = [np.empty((0, 3))], [np.empty((0, 2))]
        for person in people:
            if person not in part_of:
                raise DataError(f"{path}: {person[:40]!r} is in no list of {folder / SPLIT}")
            labels = self._read_labels(path, person)
            places += [(path, person, row) for row in range(len(labels))]
            parts += [part_of[person]] * len(labels)
            gaze.append(angles.gaze_vectors(labels[:, :2], f"{path}: {person}/labels"))
            heads.append(labels[:, 2:4])
        height, width = self.shape
        return Index(
            dataset=self.name,
            ids=np.array([f"{person}/{row:05d}" for _, person, row in places], np.str_),
            parts=np.array(parts, np.str_),
            values=np.concatenate(gaze),
            boxes={"patch": np.tile([-0.5, -0.5, width - 0.5, height - 0.5], (len(places), 1))},
            clusters=np.array([person for _, person, _ in places], np.str_),
            read=partial(_read_picture, tuple(places)),
            cache_key=partial(_cache_key, tuple(places)),
            label_place=partial(_label_place, tuple(places)),
            meta={"head_pose": np.concatenate(heads)},
            notes=tuple(notes),
        )

    def _read_labels(self, path: Path, person: str) -> np.ndarray:
        labels = hdf5.read_column(path, f"{person}/labels", (None, None)).astype(np.float64)
        count = hdf5.count_rows(path, f"{person}/pixels", (None, *self.shape, 3))
        if labels.shape != (count, self.angles):
            raise DataError(
                f"{path}: {person}: labels are {labels.shape} for {count} pictures, must be "
                f"({count}, {self.angles}): another preparation"
            )
        return labels

    def verify(self, root: Path) -> list[Finding]:
        """Examine a copy: people of each list, and where gaze points."""
        try:
            frames = self.index(root)
        except DataError as error:
            return [Finding("wrong", str(error))]
        if not len(frames.ids):
            return [Finding("missing", note) for note in frames.notes[:1]]
        people = len(np.unique(frames.clusters))
        findings = [sample_checks.check_count("people", people, HELD, "people")]
        for part in PARTS:
            inside = frames.parts == part
            held = len(np.unique(frames.clusters[inside]))
            text = (
                f"{part}: {int(inside.sum()):,} pictures of {held} people, of {PEOPLE[part]} in "
                "the official list"
            )
            findings.append(sample_checks.missing_unless(held, text))
        findings += direction_checks.check_gaze(
            frames.values,
            frames.clusters,
            frames.meta["head_pose"],
            (),
            trained=frames.parts == "train",
        )
        return findings


def _read_split(path: Path) -> dict[str, str]:
    """Return person → part; raises DataError for a malformed list."""
    content = read_json(path, largest=_LARGEST_LIST)
    part_of: dict[str, str] = {}
    for part in PARTS:
        names = content.get(part) if isinstance(content, dict) else None
        if not isinstance(names, list):
            raise DataError(f"{path}: has no list {part!r}")
        for name in names:
            if not isinstance(name, str) or not _PERSON.fullmatch(name):
                raise DataError(f"{path}: {part}: {str(name)[:40]!r} is no person like 00002")
            if part_of.setdefault(name, part) != part:
                raise DataError(f"{path}: {name} is listed in {part_of[name]} and in {part}")
    return part_of


def _read_picture(places: Sequence[tuple[Path, str, int]], row: int) -> Bytes:
    path, person, number = places[row]
    pixels = hdf5.read_row(path, f"{person}/pixels", number)
    return hdf5.convert_to_uint8(pixels, f"{path}: {person}/pixels row {number}")


def _cache_key(places: Sequence[tuple[Path, str, int]], row: int) -> str:
    path, person, number = places[row]
    return f"{hdf5.row_cache_key(((path, number),), 0)}:{person}"


def _label_place(places: Sequence[tuple[Path, str, int]], row: int) -> str:
    path, person, number = places[row]
    return name_place([(path, f"{person}/labels row {number}")], 0)


def _access(title: str, folder: str, program: str) -> Access:
    return Access(
        title=f"GazeCapture in degrees, {title}",
        folder=folder,
        where=(
            "https://gazecapture.csail.mit.edu/download.php (registration), then "
            f"https://github.com/swook/faze_preprocess ({program}); the split lies in "
            "https://github.com/NVlabs/few_shot_gaze, src/"
        ),
        terms="research only; no redistribution, no commercial use even of trained models",
        citation=(
            "K. Krafka et al.: Eye Tracking for Everyone. CVPR 2016; S. Park et al.: Few-Shot "
            "Adaptive Gaze Estimation. ICCV 2019"
        ),
        layout=f"{folder}/{FILE}, {folder}/{SPLIT}",
    )


FAZE = NormalisedGazeCapture(
    "gazecapture-faze",
    _access("eyes as FAZE cuts them", "gazecapture-faze", "create_hdf_files_for_faze.py"),
    shape=(64, 256),
    angles=4,
)
STED = NormalisedGazeCapture(
    "gazecapture-sted",
    _access("faces as ST-ED cuts them", "gazecapture-sted", "create_hdf_files_for_sted.py"),
    shape=(128, 128),
    angles=8,
)
