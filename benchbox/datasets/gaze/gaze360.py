"""Gaze360 as its authors ship it: `metadata.mat`, lists of pictures, `imgs/` of head crops.

    source.images = "gaze360/imgs"
    source.parts = {train = "gaze360/train.txt", test = "gaze360/test.txt"}
    source.gaze = {files = "gaze360"}

`metadata.mat` lies beside the folder of pictures. A line of a list is the picture and `gaze_dir`:
the unit vector from the eye to the target, x to the picture's left, y up, z away from the camera.
The official angles are yaw = atan2(x, -z) and pitch = asin(y), over the full circle. Predictions
may be either. GazeHub's lists of the same set are tables: suffix `.label`, see `custom_gaze`.

* A person is (recording, identity): identities count inside one recording, so identity 0 of two
  recordings is two people.
* Boxes are shares of the whole picture, of which `imgs/` holds the head: `face`, `left_eye`,
  `right_eye` are moved into it; -1 four times is none.
* Attributes for groups: `face` (the detector found one, what GazeHub keeps), `front_180` (yaw of
  the label within ±90°), and both meanings of "front 20": `front_20_yaw` (yaw within ±20°) and
  `front_20_camera` (within 20° of the direction into the camera).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchbox.datasets.formats import delimited, paths
from benchbox.errors import DataError
from benchbox.file_readers import matlab_files
from benchbox.geometry import vectors_to_angles
from benchbox.types import CustomFiles, Finding, GazeConvention

from .conventions import GazeRows, read_numbers
from .frames import GazeFrames

if TYPE_CHECKING:
    from benchbox.types import Floats

VECTORS = GazeConvention(("x", "y", "z"), ("left", "up", "away"))
ANGLES = GazeConvention(("yaw", "pitch"), ("left", "up"), "rad")
_PICTURE = re.compile(r"([^/]+)/head/(\d+)/(\d+)\.(?:jpg|jpeg|png)")
_BOXES = {
    "face": "person_face_bbox",
    "left_eye": "person_eye_left_bbox",
    "right_eye": "person_eye_right_bbox",
}
_COLUMNS = ("recording", "frame", "person_identity", "split")
_LARGEST_FILE = 1024 * 1024 * 1024  # bytes
_CLOSE_DEG = 0.1


@dataclass(frozen=True, eq=False)
class _Metadata:
    """The columns of metadata.mat that are read."""

    row_of: Mapping[tuple[str, int, int], int]  # recording, identity, frame → row
    gaze_dir: Floats  # (N, 3)
    head: Floats  # (N, 4) x, y, w, h as shares of the whole picture
    boxes: Mapping[str, Floats]  # source → (N, 4) the same, -1 four times: none
    from_positions: Floats  # (N, 3) gaze_dir as the positions give it


def read_frames(root: Path, source: CustomFiles, card: str) -> GazeFrames:
    """Read the lists of a card and what metadata.mat knows of their pictures.

    Raises
    ------
    DataError
        A file is absent or malformed, a picture is in no row of the metadata, or the gaze of a
        list is not that of the metadata.
    """
    folder = root / source.images
    metadata = _read_metadata(folder.parent / "metadata.mat")
    names: list[str] = []
    aliases: list[str] = []
    parts: list[str] = []
    where: list[str] = []
    rows: list[int] = []
    people: list[str] = []
    listed: list[list[float]] = []
    notes = []
    for part, name in source.parts.items():
        path = root / paths.check_relative_path(name, f"card {card}, source")
        if path.is_file() and not path.stat().st_size:
            notes.append(f"{path} is empty")
            continue
        table = delimited.read_table(path)
        if len(table.columns) != 4:
            raise DataError(f"{path}:1: a line is the picture and gaze_dir x y z")
        for number, record in enumerate(table.rows, start=1):
            place = table.where(number - 1)
            picture = paths.check_relative_path(record["0"], place)
            match = _PICTURE.fullmatch(picture)
            if match is None:
                raise DataError(f"{place}: {picture[:60]!r} is no rec_NNN/head/IDENTITY/FRAME.jpg")
            key = match[1], int(match[2]), int(match[3])
            if key not in metadata.row_of:
                raise DataError(f"{place}: {picture} is in no row of metadata.mat")
            names.append(picture)
            aliases.append(f"{part}/{number:05d}")
            parts.append(part)
            where.append(place)
            rows.append(metadata.row_of[key])
            people.append(f"{match[1]}/{key[1]}")
            numbers = [delimited.parse_number(record[axis], place) for axis in "123"]
            listed.append(numbers)
    chosen = np.array(rows, np.intp)
    gaze_dir = np.array(listed, np.float64).reshape(-1, 3)
    _check_list(gaze_dir, metadata.gaze_dir[chosen], where)
    known = GazeRows("gaze3d", tuple(names), (VECTORS,))
    values = read_numbers(gaze_dir, VECTORS, known, where, labels=True)
    boxes = _boxes_in_head(metadata, chosen)
    return GazeFrames(
        ids=names,
        aliases=aliases,
        parts=parts,
        files=[folder / name for name in names],
        people=people,
        sequences=[""] * len(names),
        values=values,
        conventions=(VECTORS, ANGLES),
        box_shares=boxes,
        attributes={
            "face": np.asarray(np.isfinite(boxes["face"]).all(axis=1)),
            **front_groups(values),
        },
        notes=notes,
        findings=_findings(metadata, chosen),
    )


def front_groups(values: Floats) -> dict[str, np.ndarray]:
    """Return the groups that papers report, by the label; values (N, 3) are house vectors.

    "Front 20" has two meanings. By yaw alone it holds people who look at the floor:

    >>> floor = np.array([[0.0, -0.94, 0.34]])  # 70 degrees down
    >>> {name: bool(rows[0]) for name, rows in front_groups(floor).items()}
    {'front_180': True, 'front_20_yaw': True, 'front_20_camera': False}
    """
    yaw_deg = np.degrees(vectors_to_angles(values)[:, 1])
    off_camera_deg = _between_deg(values, np.broadcast_to([0.0, 0.0, 1.0], values.shape))
    return {
        "front_180": np.abs(yaw_deg) <= 90,
        "front_20_yaw": np.abs(yaw_deg) <= 20,
        "front_20_camera": off_camera_deg <= 20,
    }


def _between_deg(a: Floats, b: Floats) -> Floats:
    """Return the angles (N,) between vectors (N, 3)."""
    across = np.linalg.norm(np.cross(a, b), axis=1)
    return np.asarray(np.degrees(np.arctan2(across, (a * b).sum(axis=1))))


def _check_list(listed: Floats, known: Floats, where: list[str]) -> None:
    """Refuse a list whose directions are not those of the metadata: turned or exchanged axes."""
    if not len(listed):
        return
    apart = _between_deg(listed, known)
    if apart.max() > _CLOSE_DEG:
        row = int(np.argmax(apart))
        raise DataError(
            f"{where[row]}: gaze is {apart[row]:.1f}° off gaze_dir of metadata.mat; "
            f"{int((apart > _CLOSE_DEG).sum())} rows like it: a converted copy, fetch it again"
        )


def _findings(metadata: _Metadata, rows: np.ndarray) -> list[Finding]:
    """Hold gaze_dir against the positions of eyes and target."""
    if not len(rows):
        return []
    apart = _between_deg(metadata.gaze_dir[rows], metadata.from_positions[rows])
    what = f"gaze_dir lies within {apart.max():.3f}° of target_pos3d - person_eyes3d"
    if apart.max() <= _CLOSE_DEG:
        return [Finding("ok", what)]
    return [Finding("wrong", f"{what}, median {np.median(apart):.1f}°: turned or exchanged axes")]


# --- boxes ----------------------------------------------------------------------------------------


def _boxes_in_head(metadata: _Metadata, rows: np.ndarray) -> dict[str, Floats]:
    """Return corners (N, 4) as shares of the head picture, NaN where there is no box."""
    head = metadata.head[rows]
    shares = {}
    for source, whole in metadata.boxes.items():
        box = whole[rows]
        corners = np.concatenate([box[:, :2], box[:, :2] + box[:, 2:]], axis=1)
        size = np.tile(head[:, 2:], 2)
        moved = (corners - np.tile(head[:, :2], 2)) / size
        absent = (box == -1).all(axis=1)
        shares[source] = np.where(absent[:, None], np.nan, moved)
    return shares


# --- metadata -------------------------------------------------------------------------------------


def _read_metadata(path: Path) -> _Metadata:
    names = (
        *_COLUMNS,
        "recordings",
        "gaze_dir",
        "target_pos3d",
        "person_eyes3d",
        "person_head_bbox",
        *_BOXES.values(),
    )
    content = matlab_files.read_v5(path, names, _LARGEST_FILE)
    columns = {}
    for name in _COLUMNS:
        flat = np.asarray(content[name]).ravel()
        columns[name] = matlab_files.check_numbers(flat, (-1,), f"{path}: {name}").astype(np.int64)
    count = len(columns["recording"])
    if any(len(column) != count for column in columns.values()):
        raise DataError(f"{path}: {', '.join(_COLUMNS)} have different lengths")
    recordings = matlab_files.read_texts(content["recordings"], f"{path}: recordings")
    tables = {}
    for name, width in {
        "gaze_dir": 3,
        "target_pos3d": 3,
        "person_eyes3d": 3,
        "person_head_bbox": 4,
        **dict.fromkeys(_BOXES.values(), 4),
    }.items():
        tables[name] = matlab_files.check_numbers(content[name], (count, width), f"{path}: {name}")
    row_of: dict[tuple[str, int, int], int] = {}
    for row in range(count):
        recording = int(columns["recording"][row])
        if not 0 <= recording < len(recordings):
            raise DataError(
                f"{path}: row {row}: recording {recording} of {len(recordings)}, from 0"
            )
        key = (
            recordings[recording],
            int(columns["person_identity"][row]),
            int(columns["frame"][row]),
        )
        if key in row_of:
            raise DataError(f"{path}: rows {row_of[key]} and {row} are one picture {key}")
        row_of[key] = row
    flat = np.flatnonzero(~(tables["person_head_bbox"][:, 2:] > 0).all(axis=1))
    if len(flat):
        row = int(flat[0])
        raise DataError(
            f"{path}: person_head_bbox, row {row}: the box has no area; x, y, w, h as shares"
        )
    return _Metadata(
        row_of,
        tables["gaze_dir"],
        tables["person_head_bbox"],
        {source: tables[name] for source, name in _BOXES.items()},
        _from_positions(tables["person_eyes3d"], tables["target_pos3d"]),
    )


def _from_positions(eyes: Floats, targets: Floats) -> Floats:
    """Return gaze_dir (N, 3) from positions (N, 3) in the rig's frame, whose z points up."""
    away = eyes / np.linalg.norm(eyes, axis=1, keepdims=True)
    left = np.cross(np.array([0.0, 0.0, 1.0]), away)
    left /= np.linalg.norm(left, axis=1, keepdims=True)
    up = np.cross(away, left)
    looks = targets - eyes
    axes = np.stack([left, up, away], axis=1)
    turned = np.einsum("nij,nj->ni", axes, looks)
    unit: Floats = turned / np.linalg.norm(turned, axis=1, keepdims=True)
    return unit
