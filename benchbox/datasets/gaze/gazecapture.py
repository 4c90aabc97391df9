"""GazeCapture: people looking at dots on iPhones and iPads, 2-D gaze in cm from the camera.

What the files hold and how it is read: `recordings.py`. Parts are the official subject split of `info.json`: `train`,
`val`, `test`. Attributes: `phone`, `tablet`, `orientation_1` … `orientation_4`. Ids are recording and frame:
`00002/00017`. A recording is a person: the cluster.

Of 1,474 recordings 1,274 are for training; the 1,271 that papers count are those with a valid frame. Downloads that
derive from other projects hold only 139 of the 150 test recordings: such a copy is refused as a test set.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchbox.datasets import sample_checks
from benchbox.datasets.formats import images
from benchbox.errors import DataError
from benchbox.types import Access, Finding, Index

from . import recording_folders
from .recording_folders import Recording

if TYPE_CHECKING:
    from benchbox.types import Bools, Bytes, Strings

ACCESS = Access(
    title="GazeCapture",
    folder="gazecapture",
    where="https://gazecapture.csail.mit.edu/download.php (registration)",
    terms="research only; no redistribution, no commercial use even of trained models",
    citation=(
        "K. Krafka, A. Khosla, P. Kellnhofer, H. Kannan, S. Bhandarkar, W. Matusik, A. Torralba: Eye Tracking for "
        "Everyone. CVPR 2016"
    ),
    layout="""\
gazecapture/NNNNN/frames/00000.jpg …        1474 recordings, unpacked from NNNNN.tar.gz
gazecapture/NNNNN/*.json                    appleFace, appleLeftEye, appleRightEye, faceGrid, dotInfo, screen, …""",
)
EXPECTED_SUBJECTS = {"train": 1274, "val": 50, "test": 150}
EXPECTED_VALID_SUBJECTS = {"train": 1271, "val": 50, "test": 150}
EXPECTED_FRAMES = {"train": 1_251_983, "val": 59_480, "test": 179_496}  # valid ones
FIRST_PIXEL = 0.5
_MANY = 50  # recordings: from here on a bar shows


def index(root: Path, *, pixels: bool = True) -> Index:
    """Read all recordings under `root/gazecapture`.

    With `pixels`, frames without a picture are left out and noted.

    Raises DataError for the first file that is malformed; an absent folder gives an empty index.
    """
    folder = root / ACCESS.folder
    found = read_recordings(folder)
    for one in found:
        if _device_kind(one.device) is None:
            raise DataError(
                f"{one.folder / 'info.json'}: DeviceName {one.device!r} is no iPhone and no iPad"
            )
    return build_index(
        "gazecapture",
        found,
        pixels=pixels,
        notes=[] if folder.is_dir() else [f"there is no folder {folder}"],
    )


def read_recordings(folder: Path) -> list[Recording]:
    """Read every recording of a folder, with a bar where there are many."""
    from tqdm import tqdm

    named = recording_folders.list_recordings(folder)
    bar = tqdm(
        named,
        desc=f"read {folder.name}",
        unit="recording",
        disable=None if len(named) >= _MANY else True,
    )
    return [recording_folders.read_recording(folder / name) for name in bar]


def build_index(
    dataset: str, found: Sequence[Recording], *, pixels: bool, notes: Sequence[str] = ()
) -> Index:
    """Put recordings one below the other.

    With `pixels`, frames without a picture are left out and noted.
    """
    lacking = [
        _drop_missing_frames(one) if pixels else np.zeros(len(one.frames), bool) for one in found
    ]
    kept = [one.only(~absent) for one, absent in zip(found, lacking, strict=True)]
    counts = [len(one.frames) for one in kept]

    places = tuple((one.folder, frame) for one in kept for frame in one.frames)

    def repeated(texts: Sequence[str]) -> Strings:
        return np.repeat(np.array(texts, np.str_), counts) if texts else np.empty(0, np.str_)

    orientation = np.concatenate([np.empty(0, int), *(one.orientation for one in kept)])
    device = repeated([one.device for one in kept])
    tablet = np.char.startswith(device, "iPad") if len(device) else np.empty(0, bool)
    return Index(
        dataset=dataset,
        ids=np.array(
            [f"{one.name}/{frame.removesuffix('.jpg')}" for one in kept for frame in one.frames],
            np.str_,
        ),
        parts=repeated([one.split for one in kept]),
        values=np.concatenate([np.empty((0, 2)), *(one.values for one in kept)]),
        boxes={
            source: np.concatenate([np.empty((0, 4)), *(one.boxes[source] for one in kept)])
            for source in recording_folders.BOXES
        },
        clusters=repeated([one.name for one in kept]),
        read=partial(_read_picture, places),
        stamp=partial(_cache_key, places),
        origin=FIRST_PIXEL,
        attributes={
            "phone": ~tablet,
            "tablet": tablet,
            **{f"orientation_{number}": orientation == number for number in (1, 2, 3, 4)},
        },
        sequences=np.array(
            [f"{one.name}/{dot}" for one in kept for dot in one.dots.tolist()], np.str_
        ),
        meta={
            "device": device,
            "orientation": orientation,
            "face_grid": np.concatenate([np.empty((0, 4)), *(one.face_grid for one in kept)]),
        },
        notes=(*notes, *_describe_missing(found, lacking)),
    )


def _device_kind(device: str) -> str | None:
    return next((kind for kind in ("iPhone", "iPad") if device.startswith(kind)), None)


def _drop_missing_frames(one: Recording) -> Bools:
    place = one.folder / "frames"
    there = {path.name for path in place.iterdir()} if place.is_dir() else set()
    return np.array([frame not in there for frame in one.frames], bool)


def _describe_missing(found: Sequence[Recording], lacking: Sequence[Bools]) -> list[str]:
    total, valid = sum(one.total for one in found), sum(len(one.frames) for one in found)
    notes = []
    if valid < total:
        notes.append(
            f"{total - valid} of {total} frames lack a valid face, eye or grid and are left out"
        )
    empty = sum(not one.frames for one in found)
    if empty:
        notes.append(f"{empty} of {len(found)} recordings have no valid frame")
    absent = int(sum(part.sum() for part in lacking))
    if absent:
        notes.append(f"{absent} of {valid} valid frames have no picture and are left out")
    return notes


def _read_picture(places: tuple[tuple[Path, str], ...], row: int) -> Bytes:
    folder, frame = places[row]
    return images.decode_picture(folder / "frames" / frame)


def _cache_key(places: tuple[tuple[Path, str], ...], row: int) -> str:
    folder, frame = places[row]
    return images.file_cache_key(folder / "frames" / frame)


# --- examination ----------------------------------------------------------------------------------


def verify(root: Path) -> list[Finding]:
    """Examine a copy: recordings and valid frames per split, pictures, labels against the dots on the screens."""
    folder = root / ACCESS.folder
    try:
        found = read_recordings(folder)
    except DataError as error:
        return [Finding("wrong", str(error))]
    findings = []
    for split, expected in EXPECTED_SUBJECTS.items():
        here = [one for one in found if one.split == split]
        usable = sum(bool(one.frames) for one in here)
        counted = sample_checks.check_count(split, len(here), expected, "recordings")
        also = f", {usable} of {EXPECTED_VALID_SUBJECTS[split]} with a valid frame"
        findings.append(Finding(counted.level, counted.what + also))
        findings.append(
            sample_checks.check_count(
                split, sum(len(one.frames) for one in here), EXPECTED_FRAMES[split], "valid frames"
            )
        )
    return [*findings, *examine_recordings(found)]


def examine_recordings(found: Sequence[Recording]) -> list[Finding]:
    """Say whether frames have pictures, and labels lie where the dots on the screens are."""
    findings = []
    absent = sum(int(_drop_missing_frames(one).sum()) for one in found)
    if absent:
        findings.append(Finding("missing", f"{absent} valid frames have no picture"))
    else:
        findings += _examine_first_frames(found)
    checked = [one for one in found if one.gap_cm is not None]
    off = [
        one
        for one in checked
        if not (one.gap_cm is not None and one.gap_cm <= recording_folders.CLOSE_CM)
    ]
    if off:
        worst = max(off, key=lambda one: one.gap_cm or 0.0)
        what = f"{len(off)} recordings have labels off their dots by more than {recording_folders.CLOSE_CM} cm"
        findings.append(Finding("wrong", f"{what}; {worst.name} by {worst.gap_cm:.3f} cm"))
    if checked and not off:
        gap = max(one.gap_cm or 0.0 for one in checked)
        findings.append(
            Finding(
                "ok", f"labels of {len(checked)} recordings lie on their dots, within {gap:.4f} cm"
            )
        )
    unknown = {one.device for one in found if one.frames and one.gap_cm is None}
    if unknown:
        findings.append(
            Finding(
                "ok",
                f"labels of {', '.join(sorted(unknown))} cannot be checked: devices not in the table",
            )
        )
    return findings


def _examine_first_frames(found: Sequence[Recording]) -> list[Finding]:
    """Look at the first picture of each recording: whole, and its face's middle inside.

    There are too many for all.
    """
    broken, beside, seen = [], [], 0
    for one in found:
        for frame in one.frames[:1]:
            path = one.folder / "frames" / frame
            try:
                size = images.picture_size(path)
                if not images.has_end_marker(path):
                    raise DataError(
                        f"{path}: the picture stops before its end marker; fetch it again"
                    )
            except DataError as error:
                broken.append(str(error))
                continue
            seen += 1
            middle = one.boxes["face"][0].reshape(2, 2).mean(axis=0)
            if sample_checks.count_outside(middle[None] - FIRST_PIXEL, size):
                beside.append(
                    f"{path}: the face box lies beside the {size[0]} x {size[1]} picture: rotated or resized"
                )
    findings = []
    if broken:
        findings.append(
            Finding("wrong", f"{len(broken)} first pictures cannot be read; first {broken[0]}")
        )
    if beside:
        findings.append(
            Finding(
                "wrong", f"{len(beside)} recordings do not fit their pictures; first {beside[0]}"
            )
        )
    if seen > len(beside):
        findings.append(
            Finding(
                "ok",
                f"first pictures of {seen - len(beside)} recordings are whole and hold the face",
            )
        )
    return findings
