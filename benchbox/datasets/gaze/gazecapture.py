"""GazeCapture: people looking at dots on iPhones and iPads, 2-D gaze in cm from the camera.

What the files hold and how it is read: `recording_folders.py`. Parts are the official subject split
of `info.json`: `train`, `val`, `test`. Attributes: `phone`, `tablet`, `orientation_1` …
`orientation_4`. Ids are recording and frame: `00002/00017`. A recording is a person: the cluster.

Of 1,474 recordings 1,274 are for training; the 1,271 that papers count are those with a valid
frame. Downloads that derive from other projects hold only 139 of the 150 test recordings: such a
copy is refused as a test set.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchbox.datasets import sample_checks
from benchbox.datasets.formats import images
from benchbox.datasets.index import name_place
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
        "K. Krafka, A. Khosla, P. Kellnhofer, H. Kannan, S. Bhandarkar, W. Matusik, A. Torralba: "
        "Eye Tracking for Everyone. CVPR 2016"
    ),
    layout=(
        "gazecapture/NNNNN/frames/00000.jpg …        1474 recordings, unpacked from NNNNN.tar.gz\n"
        "gazecapture/NNNNN/*.json                    "
        "appleFace, appleLeftEye, appleRightEye, faceGrid, dotInfo, screen, …"
    ),
)
EXPECTED_SUBJECTS = {"train": 1274, "val": 50, "test": 150}
EXPECTED_VALID_SUBJECTS = {"train": 1271, "val": 50, "test": 150}
EXPECTED_FRAMES = {"train": 1_251_983, "val": 59_480, "test": 179_496}  # valid ones
FIRST_PIXEL = 0.5
_MANY = 50  # recordings: from here on a bar shows
_NO_BOXES = np.empty((0, 4))


def index(root: Path, *, pixels: bool = True) -> Index:
    """Read all recordings under `root/gazecapture`.

    With `pixels`, frames without a picture are left out and noted.

    Raises DataError for the first file that is malformed; an absent folder gives an empty index.
    """
    folder = root / ACCESS.folder
    recordings = read_recordings(folder)
    for recording in recordings:
        if not recording.device.startswith(("iPhone", "iPad")):
            path = recording.folder / "info.json"
            raise DataError(f"{path}: DeviceName {recording.device!r} is no iPhone and no iPad")
    notes = [] if folder.is_dir() else [f"there is no folder {folder}"]
    return build_index("gazecapture", recordings, pixels=pixels, notes=notes)


def read_recordings(folder: Path) -> list[Recording]:
    """Read every recording of a folder, with a bar where there are many."""
    names = recording_folders.list_recordings(folder)
    if len(names) < _MANY:
        return [recording_folders.read_recording(folder / name) for name in names]
    from benchbox.progress import progress_bar

    bar = progress_bar(names, desc=f"read {folder.name}", unit="recording")
    return [recording_folders.read_recording(folder / name) for name in bar]


def build_index(
    dataset: str, recordings: Sequence[Recording], *, pixels: bool, notes: Sequence[str] = ()
) -> Index:
    """Put recordings one below the other.

    With `pixels`, frames without a picture are left out and noted.
    """
    kept = list(recordings)
    lacking = 0  # valid frames without a picture
    if pixels:
        for k, recording in enumerate(recordings):
            missing = _missing_pictures(recording)
            lacking += int(missing.sum())
            kept[k] = recording.only(~missing)

    ids: list[str] = []
    sequences: list[str] = []
    places: list[tuple[Path, str]] = []
    for recording in kept:
        ids += [f"{recording.name}/{frame.removesuffix('.jpg')}" for frame in recording.frames]
        sequences += [f"{recording.name}/{dot}" for dot in recording.dots.tolist()]
        places += [(recording.folder, frame) for frame in recording.frames]
    boxes = {}
    for source in recording_folders.BOXES:
        boxes[source] = np.concatenate([_NO_BOXES, *(part.boxes[source] for part in kept)])
    orientation = np.concatenate([np.empty(0, int), *(part.orientation for part in kept)])
    device = _repeat_per_frame([part.device for part in kept], kept)
    tablet = np.char.startswith(device, "iPad")
    attributes = {"phone": ~tablet, "tablet": tablet}
    for number in (1, 2, 3, 4):
        attributes[f"orientation_{number}"] = orientation == number
    return Index(
        dataset=dataset,
        ids=np.array(ids, np.str_),
        parts=_repeat_per_frame([part.split for part in kept], kept),
        values=np.concatenate([np.empty((0, 2)), *(part.values for part in kept)]),
        boxes=boxes,
        clusters=_repeat_per_frame([part.name for part in kept], kept),
        read=partial(_read_picture, tuple(places)),
        cache_key=partial(_cache_key, tuple(places)),
        label_place=partial(name_place, tuple(places)),
        origin=FIRST_PIXEL,
        attributes=attributes,
        sequences=np.array(sequences, np.str_),
        meta={
            "device": device,
            "orientation": orientation,
            "face_grid": np.concatenate([_NO_BOXES, *(part.face_grid for part in kept)]),
        },
        notes=(*notes, *_describe_missing(recordings, lacking)),
        faults=tuple(finding.what for finding in _examine_gaps(kept) if finding.level == "wrong"),
    )


def _repeat_per_frame(texts: Sequence[str], recordings: Sequence[Recording]) -> Strings:
    counts = [len(recording.frames) for recording in recordings]
    return np.repeat(np.array(texts, np.str_), np.array(counts, int))


def _missing_pictures(recording: Recording) -> Bools:
    """Return which frames (n,) of a recording have no picture."""
    folder = recording.folder / "frames"
    present = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    return np.array([frame not in present for frame in recording.frames], bool)


def _describe_missing(recordings: Sequence[Recording], lacking: int) -> list[str]:
    total = sum(recording.total for recording in recordings)
    valid = sum(len(recording.frames) for recording in recordings)
    empty = sum(not recording.frames for recording in recordings)
    notes = []
    if valid < total:
        notes.append(
            f"{total - valid} of {total} frames lack a valid face, eye or grid and are left out"
        )
    if empty:
        notes.append(f"{empty} of {len(recordings)} recordings have no valid frame")
    if lacking:
        notes.append(f"{lacking} of {valid} valid frames have no picture and are left out")
    return notes


def _read_picture(places: tuple[tuple[Path, str], ...], row: int) -> Bytes:
    folder, frame = places[row]
    return images.decode_picture(folder / "frames" / frame)


def _cache_key(places: tuple[tuple[Path, str], ...], row: int) -> str:
    folder, frame = places[row]
    return images.file_cache_key(folder / "frames" / frame)


# --- examination ----------------------------------------------------------------------------------


def verify(root: Path) -> list[Finding]:
    """Examine a copy: recordings and valid frames per split, pictures, labels against the dots."""
    try:
        recordings = read_recordings(root / ACCESS.folder)
    except DataError as error:
        return [Finding("wrong", str(error))]
    findings = []
    for split, expected in EXPECTED_SUBJECTS.items():
        in_split = [recording for recording in recordings if recording.split == split]
        usable = sum(bool(recording.frames) for recording in in_split)
        frames = sum(len(recording.frames) for recording in in_split)
        counted = sample_checks.check_count(split, len(in_split), expected, "recordings")
        also = f", {usable} of {EXPECTED_VALID_SUBJECTS[split]} with a valid frame"
        findings.append(Finding(counted.level, counted.what + also))
        findings.append(
            sample_checks.check_count(split, frames, EXPECTED_FRAMES[split], "valid frames")
        )
    return [*findings, *examine_recordings(recordings)]


def examine_recordings(recordings: Sequence[Recording]) -> list[Finding]:
    """Say whether frames have pictures, and labels lie where the dots on the screens are."""
    absent = sum(int(_missing_pictures(recording).sum()) for recording in recordings)
    if absent:
        findings = [Finding("missing", f"{absent} valid frames have no picture")]
    else:
        findings = _examine_first_frames(recordings)
    findings += _examine_gaps(recordings)
    unknown = set()
    for recording in recordings:
        if recording.frames and recording.gap_cm is None:
            unknown.add(recording.device)
    if unknown:
        devices = ", ".join(sorted(unknown))
        findings.append(
            Finding("ok", f"labels of {devices} cannot be checked: devices not in the table")
        )
    return findings


def _examine_gaps(recordings: Sequence[Recording]) -> list[Finding]:
    """Compare the labels of known devices with the dots on their screens."""
    gaps = []
    for recording in recordings:
        if recording.gap_cm is not None:
            gaps.append((recording.gap_cm, recording.name))
    if not gaps:
        return []
    close_cm = recording_folders.CLOSE_CM
    off = [gap for gap in gaps if not gap[0] <= close_cm]  # also NaN
    worst_cm, worst = max(off or gaps, key=lambda gap: gap[0])
    if off:
        what = f"{len(off)} recordings have labels off their dots by more than {close_cm} cm"
        return [Finding("wrong", f"{what}; {worst} by {worst_cm:.3f} cm")]
    what = f"labels of {len(gaps)} recordings lie on their dots, within {worst_cm:.4f} cm"
    return [Finding("ok", what)]


def _examine_first_frames(recordings: Sequence[Recording]) -> list[Finding]:
    """Look at the first picture of each recording: whole, and its face's middle inside.

    There are too many for all.
    """
    broken, misplaced, readable = [], [], 0
    for recording in recordings:
        if not recording.frames:
            continue
        path = recording.folder / "frames" / recording.frames[0]
        try:
            size = images.picture_size(path)
            if not images.has_end_marker(path):
                raise DataError(f"{path}: the picture stops before its end marker; fetch it again")
        except DataError as error:
            broken.append(str(error))
            continue
        readable += 1
        middle = recording.boxes["face"][0].reshape(2, 2).mean(axis=0)
        if sample_checks.count_outside(middle[None] - FIRST_PIXEL, size):
            misplaced.append(
                f"{path}: the face box lies beside the {size[0]} x {size[1]} picture: "
                "rotated or resized"
            )
    fitting = readable - len(misplaced)
    findings = []
    if broken:
        what = f"{len(broken)} first pictures cannot be read; first {broken[0]}"
        findings.append(Finding("wrong", what))
    if misplaced:
        what = f"{len(misplaced)} recordings do not fit their pictures; first {misplaced[0]}"
        findings.append(Finding("wrong", what))
    if fitting:
        what = f"first pictures of {fitting} recordings are whole and hold the face"
        findings.append(Finding("ok", what))
    return findings
