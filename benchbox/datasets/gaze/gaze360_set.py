"""Gaze360 as a dataset of its own: the official lists, every direction, 25,969 pictures to test on.

    gaze360/metadata.mat, train.txt, validation.txt, test.txt
    gaze360/imgs/rec_NNN/head/IDENTITY/FRAME.jpg

Read by `gaze360`, as own cards may read it. What is resampled together is the recording, of which
the test set has fifteen: identities count inside one, and the same people recur there. Attributes
name the groups of papers: `front_180`, both meanings of "front 20", and `face`, what GazeHub keeps.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from benchbox.datasets import sample_checks
from benchbox.datasets.custom_gaze import PICTURE, CustomGazeDataset
from benchbox.errors import DataError
from benchbox.types import Access, CustomFiles, Finding, GazeFiles, Index

ACCESS = Access(
    title="Gaze360",
    folder="gaze360",
    where="http://gaze360.csail.mit.edu (a form); the lists lie beside its code",
    terms="research only, no redistribution",
    citation=(
        "P. Kellnhofer, A. Recasens, S. Stent, W. Matusik, A. Torralba: Gaze360: Physically "
        "Unconstrained Gaze Estimation in the Wild. ICCV 2019"
    ),
    layout=(
        "gaze360/metadata.mat, train.txt, validation.txt, test.txt\n"
        "gaze360/imgs/rec_NNN/head/IDENTITY/FRAME.jpg"
    ),
)
COUNTS = {"train": 126_928, "validation": 17_038, "test": 25_969}  # lines of the lists
RECORDINGS = 15  # of the test list
_FRONT = {"front_180": 20_322, "front_20_yaw": 5_851, "front_20_camera": 3_995}  # of the test list


def _reader() -> CustomGazeDataset:
    parts = {part: f"gaze360/{part}.txt" for part in COUNTS}
    source = CustomFiles("gaze360/imgs", parts, gaze=GazeFiles(files="gaze360"))
    return CustomGazeDataset("gaze360", source, "gaze3d", (PICTURE,))


def index(root: Path, *, pixels: bool = True) -> Index:
    """Read lists and metadata under `root/gaze360`.

    Raises DataError for a list that is not the metadata's, or a malformed file.
    """
    frames = _reader().index(root, pixels=pixels)
    recordings = [str(name).partition("/")[0] for name in frames.clusters]
    return replace(frames, dataset="gaze360", clusters=np.array(recordings, np.str_))


def verify(root: Path) -> list[Finding]:
    """Examine a copy: counts of the lists and of the groups, frames against positions."""
    if not (root / ACCESS.folder / "metadata.mat").is_file():
        return [Finding("missing", f"there is no file {root / ACCESS.folder / 'metadata.mat'}")]
    try:
        frames = index(root, pixels=False)
    except DataError as error:
        return [Finding("wrong", str(error))]
    findings = []
    for part, count in COUNTS.items():
        found = int((frames.parts == part).sum())
        findings.append(sample_checks.check_count(part, found, count, "pictures"))
    tested = frames.parts == "test"
    if int(tested.sum()) == COUNTS["test"]:
        recordings = len(np.unique(frames.clusters[tested]))
        findings.append(sample_checks.check_count("test", recordings, RECORDINGS, "recordings"))
        for group, count in _FRONT.items():
            found = int((frames.attributes[group] & tested).sum())
            findings.append(sample_checks.check_count(f"test, {group}", found, count, "pictures"))
    return findings + _reader().verify(root)
