"""GazeCN: people looking at dots on phones, 2-D gaze in cm from the camera.

Private: its owners have it, no one else.

No layout is published, so the folder is read in the shape of GazeCapture (`recording_folders.py`):
whoever holds the set writes those json files. Any `DeviceName` is allowed; labels of devices that
are not in the table are not checked. Parts are `train`, `val`, `test` of `info.json`; the paper has
263 people to train on and 27 to test on.
"""

from __future__ import annotations

from pathlib import Path

from benchbox.datasets import sample_checks
from benchbox.errors import DataError
from benchbox.types import Access, Finding, Index

from . import gazecapture

ACCESS = Access(
    title="GazeCN",
    folder="gazecn",
    where="nobody but its owners (Samsung Research); the paper names no download",
    terms="private",
    citation=(
        "T. Guo, Y. Liu, H. Zhang, X. Liu, Y. Kwak, B. I. Yoo, J.-J. Han, C. Choi: "
        "A Generalized and Robust Method Towards Practical Gaze Estimation on Smart Phone. "
        "ICCV Workshops 2019"
    ),
    layout="""\
gazecn/NNNNN/frames/00000.jpg …     290 recordings in the shape of GazeCapture \
(`benchbox data where gazecapture`)
gazecn/NNNNN/*.json                 info.json: Dataset is train or test, DeviceName any""",
)
EXPECTED_PEOPLE = {"train": 263, "test": 27}
EXPECTED_FRAMES = {"train": 262_400, "test": 43_380}


def index(root: Path, *, pixels: bool = True) -> Index:
    """Read all recordings under `root/gazecn`.

    Raises DataError for the first file that is malformed.
    """
    folder = root / ACCESS.folder
    notes = [] if folder.is_dir() else [f"there is no folder {folder}"]
    return gazecapture.build_index(
        "gazecn", gazecapture.read_recordings(folder), pixels=pixels, notes=notes
    )


def verify(root: Path) -> list[Finding]:
    """Examine a copy: people and valid frames per split, pictures, labels of known devices."""
    try:
        recordings = gazecapture.read_recordings(root / ACCESS.folder)
    except DataError as error:
        return [Finding("wrong", str(error))]
    findings = []
    for split, expected in EXPECTED_PEOPLE.items():
        in_split = [recording for recording in recordings if recording.split == split]
        frames = sum(len(recording.frames) for recording in in_split)
        findings += [
            sample_checks.check_count(split, len(in_split), expected, "people"),
            sample_checks.check_count(split, frames, EXPECTED_FRAMES[split], "valid frames"),
        ]
    return [*findings, *gazecapture.examine_recordings(recordings)]
