"""MPIIGaze: the 3,000 evaluation eyes of each of 15 people, grey patches of 60 x 36 px.

`Data/Normalized/<person>/<day>.mat` (MATLAB v5) hold for every picture of a day both eyes:
`data.left` and `data.right` with `image` (n, 36, 60), `gaze` (n, 3) and `pose` (n, 3), and
`filenames`. The evaluation's list `Evaluation Subset/sample list for eye image/<person>.txt` names
picture and eye: `day01/0005.jpg left`.

As in that evaluation every right eye is mirrored, so its direction is too: x changes its sign. The
gaze vectors point from the eye to the target in a camera frame (x right, y down, z away); `values`
are their negatives, the vectors of `angles.py`. The release's labels are normalised with scale and
rotation (M = SR), not with the rotation alone. Ids name person, day, picture and eye:
`p00/day01/0005/left`; a line that occurs again gets `#2`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from benchbox.datasets import sample_checks
from benchbox.datasets.formats import images
from benchbox.datasets.index import name_place
from benchbox.errors import DataError
from benchbox.file_readers import matlab_files
from benchbox.file_readers.regular_files import library_faults, read_text
from benchbox.geometry import vectors_to_angles
from benchbox.types import Access, Finding, Index

from . import angles

if TYPE_CHECKING:
    from benchbox.types import Bytes, Floats

ACCESS = Access(
    title="MPIIGaze",
    folder="mpiigaze",
    where="https://www.perceptualui.org/research/datasets/MPIIGaze/",
    terms="CC BY-NC-SA 4.0",
    citation=(
        "X. Zhang, Y. Sugano, M. Fritz, A. Bulling: MPIIGaze: Real-World Dataset and Deep "
        "Appearance-Based Gaze Estimation. TPAMI 41(1), 2019"
    ),
    layout="""\
mpiigaze/Data/Normalized/p00/day01.mat …                            15 people, some days each
mpiigaze/Evaluation Subset/sample list for eye image/p00.txt …      \
3000 lines each: day01/0005.jpg left""",
)
PEOPLE, EYES = 15, 3000
HEIGHT, WIDTH = 36, 60
_NORMALISED = Path("Data") / "Normalized"
_LISTS = Path("Evaluation Subset") / "sample list for eye image"
# also keeps a line from naming a file elsewhere
_LINE = re.compile(r"(day\d+)/(\d+)\.jpg (left|right)")
_LARGEST_LIST = 4 * 1024 * 1024  # bytes
_LARGEST_DAY = 1 << 30  # bytes
_UNIT_SLACK = 0.05  # rounding of a unit vector's length; what remains is divided out
_DAYS_KEPT = 4


class _Eye(NamedTuple):
    id: str
    person: str
    day: str
    picture: str
    side: str
    line: int


class _Day(NamedTuple):
    """One `.mat` file: row of each picture; per side images (n, 36, 60), gaze and pose (n, 3)."""

    rows: dict[str, int]
    images: dict[str, Bytes]
    gaze: dict[str, Floats]
    pose: dict[str, Floats]


def index(root: Path, *, pixels: bool = True) -> Index:
    """Read lists and labels under `root/mpiigaze`, a day's file at a time; keeps no picture.

    Eyes that a list names and no file holds are left out and noted. Raises DataError for what is
    malformed.
    """
    del pixels  # labels and pictures share their files
    folder = root / ACCESS.folder
    listed: list[_Eye] = []
    for person in range(PEOPLE):
        listed += _listed_eyes(folder, f"p{person:02d}")
    eyes, gaze, head_pose = [], [], []
    for eye in sorted(listed, key=lambda eye: eye.id):  # by days, so that each file is opened once
        day = _cached_day(folder / _NORMALISED / eye.person / f"{eye.day}.mat")
        if day is None or eye.picture not in day.rows:
            continue
        row = day.rows[eye.picture]
        eyes.append(eye)
        gaze.append(_rotated_gaze(day.gaze[eye.side][row], eye.side))
        head_pose.append(_head_angles(day.pose[eye.side][row], eye.side))
    values = np.array(gaze, np.float64).reshape(-1, 3)
    people = np.array([eye.person for eye in eyes], np.str_)
    sides = np.array([eye.side for eye in eyes], np.str_)
    _check_plausible(folder, values, people)
    head_rad = np.array(head_pose, np.float64).reshape(-1, 2)
    return Index(
        dataset="mpiigaze",
        ids=np.array([eye.id for eye in eyes], np.str_),
        parts=np.full(len(eyes), "eyes"),
        values=values,
        boxes={"patch": np.tile([-0.5, -0.5, WIDTH - 0.5, HEIGHT - 0.5], (len(eyes), 1))},
        clusters=people,
        read=partial(_read_picture, folder, tuple(eyes)),
        cache_key=partial(_cache_key, folder, tuple(eyes)),
        label_place=partial(name_place, [f"{eye.person}.txt:{eye.line}" for eye in eyes]),
        attributes={side: sides == side for side in ("left", "right")},
        meta={"head_pose": head_rad},
        notes=_missing_notes(folder, listed, eyes),
        faults=angles.head_faults(values, head_rad, people),
    )


def _missing_notes(folder: Path, listed: Sequence[_Eye], eyes: Sequence[_Eye]) -> tuple[str, ...]:
    absent = PEOPLE - len({eye.person for eye in listed})
    lost = len(listed) - len(eyes)
    notes = []
    if absent:
        notes.append(f"{absent} of {PEOPLE} people have no list in {folder / _LISTS}")
    if lost:
        notes.append(f"{lost} of {len(listed)} listed eyes are in no file and are left out")
    return tuple(notes)


def _listed_eyes(folder: Path, person: str) -> list[_Eye]:
    """Return the eyes of a person's evaluation list.

    Raises DataError with the line of what is malformed.
    """
    path = folder / _LISTS / f"{person}.txt"
    if not path.is_file():
        return []
    eyes, times = [], Counter[str]()
    for number, line in enumerate(read_text(path, _LARGEST_LIST).splitlines(), start=1):
        if not line.strip():
            continue
        found = _LINE.fullmatch(line.strip())
        if not found:
            raise DataError(
                f"{path}:{number}: {line[:60]!r} is not 'day01/0005.jpg left' or 'right'"
            )
        day, picture, side = found.groups()
        name = f"{person}/{day}/{picture}/{side}"
        times[name] += 1
        again = f"#{times[name]}" if times[name] > 1 else ""
        eyes.append(_Eye(name + again, person, day, f"{picture}.jpg", side, number))
    return eyes


def _cached_day(path: Path) -> _Day | None:
    if not path.is_file():
        return None
    return _read_day(str(path), path.stat().st_mtime_ns)


@lru_cache(maxsize=_DAYS_KEPT)
def _read_day(name: str, changed: int) -> _Day:
    """Read one day's `.mat`; raises DataError naming the file and what it lacks."""
    del changed
    path = Path(name)
    content = matlab_files.read_v5(
        path, ("data", "filenames"), _LARGEST_DAY, struct_as_record=False, squeeze_me=True
    )
    with library_faults(path, "day file of MPIIGaze", advice="fetch it"):
        names = [str(one) for one in np.atleast_1d(content["filenames"])]
        sides = {side: getattr(content["data"], side) for side in ("left", "right")}
        columns = {side: (held.image, held.gaze, held.pose) for side, held in sides.items()}
    count = len(names)
    images, gaze, pose = ({}, {}, {})  # type: tuple[dict[str, Any], dict[str, Any], dict[str, Any]]
    for side, (image, direction, head) in columns.items():
        images[side] = _check_shape(image, (count, HEIGHT, WIDTH), path, f"{side}.image")
        gaze[side] = _check_shape(direction, (count, 3), path, f"{side}.gaze").astype(np.float64)
        pose[side] = _check_shape(head, (count, 3), path, f"{side}.pose").astype(np.float64)
        if np.abs(np.linalg.norm(gaze[side], axis=1) - 1).max(initial=0) > _UNIT_SLACK:
            raise DataError(f"{path}: data.{side}.gaze: not unit vectors; this copy was converted")
    return _Day({one: row for row, one in enumerate(names)}, images, gaze, pose)


def _check_shape(values: Any, shape: tuple[int, ...], path: Path, name: str) -> np.ndarray:
    """Undo MATLAB's squeezing of a single picture and hold the shape against what it must be."""
    array = np.asarray(values)
    if shape[0] == 1 and array.shape == shape[1:]:
        array = array[None]
    if array.shape != shape or array.dtype.kind not in "fiu":
        raise DataError(
            f"{path}: data.{name}: {array.dtype} of the shape {array.shape}, "
            f"must be numbers {shape}"
        )
    return array


def _rotated_gaze(gaze: Floats, side: str) -> Floats:
    """Turn a gaze (3,) from eye to target into the vector of `angles.py`.

    Mirrored for a right eye.
    """
    towards_eye: Floats = -gaze / np.linalg.norm(gaze)
    if side == "right":
        towards_eye *= np.array([-1.0, 1.0, 1.0])
    return towards_eye


def _head_angles(rotation: Floats, side: str) -> Floats:
    """Turn a head's rotation vector (3,) into (pitch, yaw) of its z axis, radians.

    Mirrored for a right eye.
    """
    from scipy.spatial.transform import Rotation

    axis = Rotation.from_rotvec(rotation).as_matrix()[:, 2]
    pitch, yaw = np.arcsin(np.clip(axis[1], -1, 1)), np.arctan2(axis[0], axis[2])
    return np.array([pitch, -yaw if side == "right" else yaw])


def _check_plausible(folder: Path, values: Floats, people: np.ndarray) -> None:
    """Refuse a person whose gaze cannot be at a screen below the camera."""
    for person in np.unique(people):
        where = folder / _NORMALISED / str(person)
        angles.check_below_camera(vectors_to_angles(values[people == person]), f"{where}: gaze")


def _read_picture(folder: Path, eyes: tuple[_Eye, ...], row: int) -> Bytes:
    eye = eyes[row]
    path = folder / _NORMALISED / eye.person / f"{eye.day}.mat"
    day = _cached_day(path)
    if day is None or eye.picture not in day.rows:
        raise DataError(f"{path}: holds {eye.picture} no more")
    grey = day.images[eye.side][day.rows[eye.picture]].astype(np.uint8)
    if eye.side == "right":
        grey = grey[:, ::-1]
    return np.repeat(grey[:, :, None], 3, axis=2)


def _cache_key(folder: Path, eyes: tuple[_Eye, ...], row: int) -> str:
    return images.file_cache_key(folder / _NORMALISED / eyes[row].person / f"{eyes[row].day}.mat")


# --- examination ----------------------------------------------------------------------------------


def verify(root: Path) -> list[Finding]:
    """Examine a copy: lists, eyes that they name, left and right, order and sign of the labels."""
    try:
        eyes = index(root)
    except DataError as error:
        return [Finding("wrong", str(error))]
    findings = sample_checks.check_people(eyes.clusters, PEOPLE, EYES, "eyes")
    doubled = sum("#" in str(name) for name in eyes.ids)
    if doubled:
        what = f"{doubled} lines name an eye a second time, and count twice"
        findings.append(Finding("ok", what))
    if len(eyes.ids):
        left, right = int(eyes.attributes["left"].sum()), int(eyes.attributes["right"].sum())
        what = f"{left} left eyes, {right} right eyes (mirrored); all look below the camera"
        findings.append(Finding("ok", what))
    return findings + angles.compare_head_yaw(eyes.values, eyes.meta["head_pose"], eyes.clusters)
