"""GazeStare: people staring at one point for seconds, to measure how much answers shake.

Private, as GazeCN.

Methods are trained on GazeCN and tested here, so the index holds both: parts `gazecn/train`, `gazecn/val`,
`gazecn/test` from the folder `gazecn/` beside this one, and `stare`. Both are read in the shape of GazeCapture
(`recordings.py`); every `DotNum` of a recording is one stare: a sequence. The paper has 14 people, 8 to 10 points
each, about 210 frames a stare.
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
    folder, beside = root / ACCESS.folder, root / gazecn.ACCESS.folder
    trained = [
        replace(one, name=f"gazecn/{one.name}", split=f"gazecn/{one.split}")
        for one in gazecapture.read_recordings(beside)
    ]
    stares = [replace(one, split="stare") for one in gazecapture.read_recordings(folder)]
    notes = [f"there is no folder {place}" for place in (folder, beside) if not place.is_dir()]
    return gazecapture.build_index("gazestare", [*trained, *stares], pixels=pixels, notes=notes)


def verify(root: Path) -> list[Finding]:
    """Examine a copy: people, frames, stares long enough to have a spread, and the set that methods are trained on."""
    try:
        found = gazecapture.read_recordings(root / ACCESS.folder)
    except DataError as error:
        return [Finding("wrong", str(error))]
    findings = [
        sample_checks.check_count("stare", len(found), PEOPLE, "people"),
        sample_checks.check_count(
            "stare", sum(len(one.frames) for one in found), FRAMES, "valid frames"
        ),
    ]
    lengths = [int(n) for one in found for n in np.unique(one.dots, return_counts=True)[1]]
    short = sum(length < _SHORTEST for length in lengths)
    findings.append(
        Finding("wrong" if short else "ok", f"{len(lengths)} stares, {short} of a single frame")
    )
    if not (root / gazecn.ACCESS.folder).is_dir():
        findings.append(
            Finding("missing", "gazecn is not beside it: scoring needs it not, training does")
        )
    return [*findings, *gazecapture.examine_recordings(found)]
