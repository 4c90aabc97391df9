"""GazeStare: people staring at one point for seconds, to measure how much predictions shake.

Private, as GazeCN.

Methods are trained on GazeCN and tested here, so the index holds both: parts `gazecn/train`,
`gazecn/val`, `gazecn/test` from the folder `gazecn/` beside this one, and `stare`. Both are read in
the shape of GazeCapture (`recording_folders.py`); every `DotNum` of a recording is one stare: a
sequence. The paper has 14 people, 8 to 10 points each, about 210 frames a stare.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from benchbox.datasets import sample_checks
from benchbox.errors import DataError
from benchbox.types import Access, Finding, Index

from . import gazecapture, gazecn

ACCESS = Access(
    title="GazeStare",
    folder="gazestare",
    where=gazecn.ACCESS.where,
    terms="private",
    citation=gazecn.ACCESS.citation,
    layout="""\
gazestare/NNNNN/frames/00000.jpg …  14 recordings in the shape of GazeCapture, one DotNum per stare
gazestare/NNNNN/*.json
gazecn/                             what methods are trained on (`benchbox data where gazecn`)""",
)
PEOPLE, FRAMES = 14, 26_427
_SHORTEST = 2  # frames: one alone has no spread


def index(root: Path, *, pixels: bool = True) -> Index:
    """Read `root/gazecn` and `root/gazestare`.

    Raises DataError for the first file that is malformed.
    """
    folder, train_folder = root / ACCESS.folder, root / gazecn.ACCESS.folder
    recordings = []
    for recording in gazecapture.read_recordings(train_folder):
        name, split = f"gazecn/{recording.name}", f"gazecn/{recording.split}"
        recordings.append(replace(recording, name=name, split=split))
    for recording in gazecapture.read_recordings(folder):
        recordings.append(replace(recording, split="stare"))
    absent = [path for path in (folder, train_folder) if not path.is_dir()]
    notes = [f"there is no folder {path}" for path in absent]
    return gazecapture.build_index("gazestare", recordings, pixels=pixels, notes=notes)


def verify(root: Path) -> list[Finding]:
    """Examine a copy: people, frames, the length of stares, and the set that is trained on."""
    try:
        recordings = gazecapture.read_recordings(root / ACCESS.folder)
    except DataError as error:
        return [Finding("wrong", str(error))]
    frames = sum(len(recording.frames) for recording in recordings)
    lengths: list[int] = []
    for recording in recordings:
        lengths += np.unique(recording.dots, return_counts=True)[1].tolist()
    short = sum(length < _SHORTEST for length in lengths)
    findings = [
        sample_checks.check_count("stare", len(recordings), PEOPLE, "people"),
        sample_checks.check_count("stare", frames, FRAMES, "valid frames"),
        Finding("wrong" if short else "ok", f"{len(lengths)} stares, {short} of a single frame"),
    ]
    if not (root / gazecn.ACCESS.folder).is_dir():
        findings.append(
            Finding("missing", "gazecn is not beside it: scoring needs it not, training does")
        )
    return [*findings, *gazecapture.examine_recordings(recordings)]
