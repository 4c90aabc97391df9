"""AFLW2000-3D: 2,000 faces turned to any side, 68 points of a fitted 3-D model, two releases.

    aflw2000-3d/AFLW2000/image00002.jpg, image00002.mat …     the first release and the pictures
    aflw2000-3d/AFLW2000-3D-Reannotated.pts68.npy             the second one, (2000, 2 or 3, 68)
    aflw2000-3d/AFLW2000-3D_crop.list                         its order; else that of the names

`ORIGINAL` takes `pt3d_68` (x, y of it) of the `.mat`: what fitting gave, wrong on many turned
faces. `REANNOTATED` takes the points that Bulat and Tzimiropoulos put in their place (LS3D-W), in
the array that 3DDFA's repository keeps under `test.configs`. A score on one is none on the other.
The jaw follows the model and not the outline, so networks of 300-W's 68 points err there.

Attributes are the groups of the papers by `Pose_Para`'s yaw (radians): up to 30°, up to 60°, beyond
(1,312, 383 and 305 faces). The `.mat` also holds AFLW's 21 points as `pt2d`, which are not read.
Points count pixels from 1 (`Index.origin`) as MATLAB does; the authors say nothing of it. The
pictures are AFLW's, so AFLW is no set to train on.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchbox.datasets import sample_checks
from benchbox.datasets.index import name_place, note_left_out, picture_cache_key, read_picture
from benchbox.errors import DataError
from benchbox.file_readers import matlab_files, numpy_files
from benchbox.file_readers.regular_files import read_text
from benchbox.geometry import tight_box
from benchbox.types import Access, Finding, Index

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchbox.types import Bools, Floats

FACES = 2000
GROUPS = {"yaw_30": 1312, "yaw_60": 383, "yaw_90": 305}  # faces of a whole copy
_FOLDER = "aflw2000-3d"
_PICTURES = "AFLW2000"
_ARRAY, _LIST = "AFLW2000-3D-Reannotated.pts68.npy", "AFLW2000-3D_crop.list"
_LARGEST_MAT = 16 * 1024 * 1024  # bytes; a file takes 6 KiB
_LARGEST_LIST = 1024 * 1024
_LARGEST_ARRAY = 64 * 1024 * 1024
# of the face's size: rows of other faces are further apart, two releases of one nearer
_APART = 0.3
_ZHU = (
    "X. Zhu, Z. Lei, X. Liu, H. Shi, S. Z. Li: Face Alignment Across Large Poses: A 3D Solution. "
    "CVPR 2016"
)


def yaw_groups(yaw_rad: Floats) -> dict[str, Bools]:
    """Return the papers' groups of faces by their yaw (N,) in radians.

    >>> groups = yaw_groups(np.radians([-30.0, 45.0, -61.0]))
    >>> {name: rows.tolist() for name, rows in groups.items()}
    {'yaw_30': [True, False, False], 'yaw_60': [False, True, False], 'yaw_90': [False, False, True]}
    """
    turned = np.abs(np.degrees(yaw_rad)).round(9)
    return {
        "yaw_30": np.asarray(turned <= 30),
        "yaw_60": np.asarray((turned > 30) & (turned <= 60)),
        "yaw_90": np.asarray(turned > 60),
    }


@dataclass(frozen=True, eq=False)
class AFLW2000:
    """The reader of one release of the labels."""

    name: str
    ACCESS: Access
    reannotated: bool = False

    def index(self, root: Path, *, pixels: bool = True) -> Index:
        """Read the labels under `root/aflw2000-3d`; values are (N, 68, 2) px, counted from 1.

        With `pixels`, faces without a picture are left out and noted.

        Raises
        ------
        DataError
            A file is malformed, or the rows of the second release are those of other faces.
        """
        folder = root / _FOLDER
        notes = []
        files = sorted((folder / _PICTURES).glob("*.mat"))
        if not files:
            notes.append(f"there is no .mat file in {folder / _PICTURES}")
        values, yaw_rad = _read_fits(files)
        if self.reannotated:
            values, known = _read_reannotated(folder, files, values, notes)
            files = [files[row] for row in known]
            yaw_rad = yaw_rad[known]
        pictures = [path.with_suffix(".jpg") for path in files]
        if pixels:
            there = [row for row, path in enumerate(pictures) if path.is_file()]
            notes += note_left_out(len(there), len(files))
            files, pictures = [files[row] for row in there], [pictures[row] for row in there]
            values, yaw_rad = values[there], yaw_rad[there]
        ids = np.array([path.stem for path in files], np.str_)
        return Index(
            dataset=self.name,
            ids=ids,
            parts=np.full(len(ids), "test"),
            values=values,
            boxes={"ground_truth": tight_box(values)},
            clusters=ids,
            read=partial(read_picture, pictures, values - 1.0),
            cache_key=partial(picture_cache_key, pictures),
            origin=1.0,
            attributes=yaw_groups(yaw_rad),
            notes=tuple(notes),
            label_place=partial(name_place, files),
        )

    def picture_files(self, root: Path) -> dict[str, Path]:
        """Map ids to picture files, for the examination."""
        folder = root / _FOLDER / _PICTURES
        return {str(name): folder / f"{name}.jpg" for name in self.index(root).ids}

    def verify(self, root: Path) -> list[Finding]:
        """Examine a copy: faces, groups by yaw, both releases against each other, pictures."""
        try:
            faces = self.index(root, pixels=False)
        except DataError as error:
            return [Finding("wrong", str(error))]
        if not len(faces.ids):
            return [Finding("missing", note) for note in faces.notes[:1]]
        findings = [sample_checks.check_count("test", len(faces.ids), FACES, "faces")]
        if len(faces.ids) == FACES:
            for group, count in GROUPS.items():
                found = int(faces.attributes[group].sum())
                findings.append(sample_checks.check_count(f"test, {group}", found, count, "faces"))
        if self.reannotated:
            findings.append(Finding("ok", "the rows belong to these faces: both releases agree"))
        folder = root / _FOLDER / _PICTURES
        paths = [folder / f"{name}.jpg" for name in faces.ids]
        pictures = [path if path.is_file() else None for path in paths]
        findings += sample_checks.check_pictures(faces.ids.tolist(), pictures, faces.values - 1.0)
        return findings


def _read_fits(files: Sequence[Path]) -> tuple[Floats, Floats]:
    """Return the fitted points (N, 68, 2) px and yaw (N,) rad of the files."""
    values, yaw_rad = np.empty((len(files), 68, 2)), np.empty(len(files))
    for row, path in enumerate(files):
        content = matlab_files.read_v5(path, ["pt3d_68", "Pose_Para"], _LARGEST_MAT)
        points = matlab_files.check_numbers(content["pt3d_68"], (3, 68), f"{path}: pt3d_68")
        pose = matlab_files.check_numbers(content["Pose_Para"], (1, -1), f"{path}: Pose_Para")
        if pose.shape[1] < 3 or np.abs(pose[0, :3]).max() > 2 * np.pi:
            raise DataError(f"{path}: Pose_Para is not pitch, yaw, roll in radians: {pose[0, :3]}")
        values[row], yaw_rad[row] = points[:2].T, pose[0, 1]
    return values, yaw_rad


def _read_reannotated(
    folder: Path, files: Sequence[Path], fitted: Floats, notes: list[str]
) -> tuple[Floats, list[int]]:
    """Return the second release's points (M, 68, 2) of the files that it has, and their rows.

    Raises DataError when rows and faces do not belong together.
    """
    path = folder / _ARRAY
    if not path.is_file():
        notes.append(f"there is no file {path}")
        return np.empty((0, 68, 2)), []
    array = numpy_files.read_npy(path, largest=_LARGEST_ARRAY)
    if array.ndim != 3 or array.shape[1] not in (2, 3) or array.shape[2] != 68:
        raise DataError(f"{path}: has the shape {array.shape}, must be (N, 2 or 3, 68)")
    rows = matlab_files.check_numbers(array.reshape(-1, 68), (-1, 68), f"{path}: points")
    points = rows.reshape(array.shape)
    names = _names_of_rows(folder, files, len(points))
    row_of = {name: row for row, name in enumerate(names)}
    known = [row for row, file in enumerate(files) if file.stem in row_of]
    values = points[[row_of[files[row].stem] for row in known], :2].transpose(0, 2, 1)
    if known:
        _check_same_faces(path, values, fitted[known])
    return values, known


def _names_of_rows(folder: Path, files: Sequence[Path], count: int) -> list[str]:
    """Return the face that each row of the array shows: as listed, else in the order of names."""
    path = folder / _LIST
    if path.is_file():
        names = [line.strip().rpartition(".")[0] for line in read_text(path, _LARGEST_LIST).split()]
    else:
        names = [file.stem for file in files]
        path = folder / _PICTURES
    if len(names) != count or len(set(names)) != count:
        raise DataError(
            f"{folder / _ARRAY}: {count} rows, and {len(set(names))} faces in {path}: the rows "
            f"follow the names of all {FACES} faces; {_LIST} beside the array says which is which"
        )
    return names


def _check_same_faces(path: Path, values: Floats, fitted: Floats) -> None:
    """Refuse rows in another order: two releases of one face are near, other faces are not."""
    boxes = tight_box(fitted)
    size = np.sqrt((boxes[:, 2:] - boxes[:, :2]).prod(axis=1))
    apart = np.linalg.norm(values - fitted, axis=-1).mean(axis=1) / size
    if np.median(apart) > _APART:
        raise DataError(
            f"{path}: is {100 * np.median(apart):.0f} % of a face away from the first release "
            f"(median of {len(values)}): its rows are those of other faces, or of cut pictures "
            "(pts68.size256 and the like)"
        )


def _access(title: str, where: str, citation: str, layout: str) -> Access:
    return Access(
        title=f"AFLW2000-3D, {title}",
        folder=_FOLDER,
        where=where,
        terms="no licence stated; research use by custom, pictures under AFLW's terms",
        citation=citation,
        layout=layout,
    )


_FIRST = (
    "http://www.cbsr.ia.ac.cn/users/xiangyuzhu/projects/3DDFA/main.htm (AFLW2000-3D.zip, 2,000 "
    "pictures and .mat)"
)
ORIGINAL = AFLW2000(
    "aflw2000-3d",
    _access(
        "the first release of its 68 points",
        _FIRST,
        _ZHU,
        f"{_FOLDER}/{_PICTURES}/image00002.jpg, image00002.mat …    2,000 faces",
    ),
)
REANNOTATED = AFLW2000(
    "aflw2000-3d-reannotated",
    _access(
        "re-annotated",
        f"https://github.com/cleardusk/3DDFA, test.configs/{_ARRAY}; pictures and yaw: {_FIRST}",
        "A. Bulat, G. Tzimiropoulos: How far are we from solving the 2D & 3D Face Alignment "
        "problem? ICCV 2017",
        f"{_FOLDER}/{_PICTURES}/image00002.jpg, image00002.mat …    2,000 faces\n"
        f"{_FOLDER}/{_ARRAY}      in the order of their names, or of\n"
        f"{_FOLDER}/{_LIST}",
    ),
    reannotated=True,
)
