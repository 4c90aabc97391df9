"""MPIIFaceGaze as it was recorded: `pNN/pNN.txt`, pictures, calibration of camera and screen.

    source.images = "MPIIFaceGaze"
    source.parts = {faces = "MPIIFaceGaze"}
    source.gaze = {files = "mpiifacegaze-txt"}

A line has 28 fields: picture, point of the screen (2, px), six landmarks (12, px), the head's
rotation vector (3) and translation (3), face centre (3) and gaze target (3), and which eye the
evaluation subset took. Lengths are mm in the camera's frame: x right, y down, z away.

* Gaze is target - face centre. The head's translation is no face centre: the origin of the head's
  model is not the mean of its six points.
* The head points along minus the third column of its rotation: the model's z runs into the head.
* Predictions are directions in the camera's frame, or in the normalised one (`frame =
  "normalised"`), of the normalisation by rotation alone: z towards the face centre, y = z × the
  head's x axis, x = y × z. A rotation moves no angle, so both give one error.

`data verify` holds the target against the point of the screen (`monitorPose`, `screenSize`) and the
face centre against the head's pose (`6 points-based face model.mat`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchbox.datasets.formats import delimited, paths
from benchbox.errors import DataError
from benchbox.file_readers import matlab_files
from benchbox.geometry import tight_box, vectors_to_angles
from benchbox.types import CustomFiles, Finding, GazeConvention

from .frames import GazeFrames

if TYPE_CHECKING:
    from benchbox.types import Floats

VECTORS = GazeConvention(("x", "y", "z"), ("right", "down", "away"))
MODEL = "6 points-based face model.mat"
_PERSON = re.compile(r"p\d{2}")
_FIELDS = 28
_EYES = ("left", "right")
_LARGEST_FILE = 1024 * 1024  # bytes
_CLOSE_MM = 1.0


@dataclass(frozen=True, eq=False)
class _Person:
    """The lines of one person."""

    name: str
    folder: Path
    pictures: list[str]
    where: list[str]
    numbers: Floats  # (n, 26) fields 2 … 27
    eyes: list[str]  # which eye the evaluation subset took


def read_frames(root: Path, source: CustomFiles, card: str) -> GazeFrames:
    """Read every person of a card's folders.

    Raises
    ------
    DataError
        A folder holds no person, or a file is malformed; names file and line.
    """
    people: list[_Person] = []
    parts: list[str] = []
    aliases: list[str] = []
    for part, name in source.parts.items():
        folder = root / paths.check_relative_path(name, f"card {card}, source")
        found = [_read_person(path) for path in _person_files(folder)]
        if not found:
            raise DataError(f"{folder}: holds no pNN/pNN.txt; the card's source names the folder")
        people += found
        count = sum(len(person.pictures) for person in found)
        parts += [part] * count
        aliases += [f"{part}/{number:05d}" for number in range(1, count + 1)]
    numbers = np.concatenate([person.numbers for person in people])
    rotation, centre, target = _matrices(numbers[:, 14:17]), numbers[:, 20:23], numbers[:, 23:26]
    gaze = target - centre
    ids, clusters, where, eyes = [], [], [], []
    files: list[Path] = []
    for person in people:
        ids += [f"{person.name}/{picture}" for picture in person.pictures]
        clusters += [person.name] * len(person.pictures)
        where += person.where
        eyes += person.eyes
        files += [person.folder / picture for picture in person.pictures]
    lengths = np.linalg.norm(gaze, axis=1, keepdims=True)
    distance = np.linalg.norm(centre, axis=1)
    off = (lengths[:, 0] == 0) | (distance == 0)
    if off.any():
        raise DataError(f"{where[int(np.argmax(off))]}: face centre and target or camera are one")
    took = np.array(eyes, np.str_)
    return GazeFrames(
        ids=ids,
        aliases=aliases,
        parts=parts,
        files=files,
        people=clusters,
        sequences=[""] * len(ids),
        values=-gaze / lengths,
        conventions=(VECTORS,),
        boxes={"landmarks": tight_box(numbers[:, 2:14].reshape(-1, 6, 2))},
        head_rad=vectors_to_angles(rotation[:, :, 2]),
        rotations=normalising_rotations(rotation, centre),
        attributes={"eye_left": took == "left", "eye_right": took == "right"},
        findings=_check_calibration(people),
    )


def normalising_rotations(heads: Floats, centres: Floats) -> Floats:
    """Return rotations (N, 3, 3) from the camera's frame to that of a camera at the face.

    Takes the heads' rotations (N, 3, 3) and face centres (N, 3).

    >>> straight = normalising_rotations(np.eye(3)[None], np.array([[0.0, 0.0, 600.0]]))
    >>> np.allclose(straight, np.eye(3))
    True
    """
    z = centres / np.linalg.norm(centres, axis=1, keepdims=True)
    y = np.cross(z, heads[:, :, 0])
    y /= np.linalg.norm(y, axis=1, keepdims=True)
    return np.stack([np.cross(y, z), y, z], axis=1)


def _matrices(vectors: Floats) -> Floats:
    """Return the matrices (N, 3, 3) of rotation vectors (N, 3)."""
    from scipy.spatial.transform import Rotation

    if not len(vectors):
        return np.empty((0, 3, 3))
    matrices: Floats = Rotation.from_rotvec(vectors).as_matrix()
    return matrices


# --- files ----------------------------------------------------------------------------------------


def _person_files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    files = []
    for path in sorted(folder.iterdir()):
        if _PERSON.fullmatch(path.name) and (path / f"{path.name}.txt").is_file():
            files.append(path / f"{path.name}.txt")
    return files


def _read_person(path: Path) -> _Person:
    table = delimited.read_table(path)
    if len(table.columns) != _FIELDS:
        raise DataError(f"{path}:1: {len(table.columns)} fields, a line of this set has {_FIELDS}")
    pictures, where, eyes, numbers = [], [], [], []
    for row, record in enumerate(table.rows):
        place = table.where(row)
        pictures.append(paths.check_relative_path(record["0"], place))
        where.append(place)
        eye = record[str(_FIELDS - 1)]
        if eye not in _EYES:
            raise DataError(f"{place}: the last field {eye[:20]!r} is neither left nor right")
        eyes.append(eye)
        cells = []
        for column in range(1, _FIELDS - 1):
            field = f"{place}: field {column + 1}"
            cells.append(delimited.parse_number(record[str(column)], field))
        numbers.append(cells)
    return _Person(path.stem, path.parent, pictures, where, np.array(numbers, np.float64), eyes)


# --- examination ----------------------------------------------------------------------------------


def _check_calibration(people: list[_Person]) -> list[Finding]:
    """Hold targets against points of the screen, face centres against the pose of the head."""
    worst: dict[str, float] = {}
    absent: list[str] = []
    for person in people:
        try:
            worst[f"{person.name}: target"] = _screen_gap_mm(person)
            worst[f"{person.name}: face centre"] = _centre_gap_mm(person)
        except DataError as error:
            absent.append(str(error))
    findings = []
    if absent:
        findings.append(Finding("note", f"{len(absent)} people are not checked; {absent[0]}"))
    if not worst:
        return findings
    name = max(worst, key=lambda key: worst[key])
    what = "targets and face centres agree with screen and head pose"
    if worst[name] <= _CLOSE_MM:
        findings.append(Finding("ok", f"{what}, within {worst[name]:.3f} mm"))
    else:
        findings.append(
            Finding(
                "wrong",
                f"{name} is {worst[name]:.1f} mm off what calibration and head pose give: "
                "exchanged fields, another unit or another copy",
            )
        )
    return findings


def _screen_gap_mm(person: _Person) -> float:
    """Return by how much targets lie off the points of the screen at most."""
    folder = person.folder / "Calibration"
    pose = matlab_files.read_v5(folder / "monitorPose.mat", ("rvects", "tvecs"), _LARGEST_FILE)
    keys = ("width_pixel", "height_pixel", "width_mm", "height_mm")
    size = matlab_files.read_v5(folder / "screenSize.mat", keys, _LARGEST_FILE)
    sides = []
    for key in keys:
        where = f"{folder / 'screenSize.mat'}: {key}"
        side = float(matlab_files.check_numbers(np.ravel(size[key]), (1,), where)[0])
        if side <= 0:
            raise DataError(f"{where}: is {side:g}, must be above 0")
        sides.append(side)
    width_px, height_px, width_mm, height_mm = sides
    screen = np.zeros((len(person.numbers), 3))
    screen[:, 0] = person.numbers[:, 0] / width_px * width_mm
    screen[:, 1] = person.numbers[:, 1] / height_px * height_mm
    where = str(folder / "monitorPose.mat")
    turns = matlab_files.check_numbers(np.ravel(pose["rvects"]), (3,), f"{where}: rvects")
    moves = matlab_files.check_numbers(np.ravel(pose["tvecs"]), (3,), f"{where}: tvecs")
    targets = screen @ _matrices(turns[None])[0].T + moves
    return float(np.linalg.norm(targets - person.numbers[:, 23:26], axis=1).max())


def _centre_gap_mm(person: _Person) -> float:
    """Return by how much face centres lie off the mean of the model's points at most."""
    path = person.folder.parent / MODEL
    stored = matlab_files.read_v5(path, ("model",), _LARGEST_FILE)["model"]
    model = matlab_files.check_numbers(stored, (3, -1), f"{path}: model")
    middle = model.mean(axis=1)
    heads = _matrices(person.numbers[:, 14:17])
    centres = heads @ middle + person.numbers[:, 17:20]
    return float(np.linalg.norm(centres - person.numbers[:, 20:23], axis=1).max())
