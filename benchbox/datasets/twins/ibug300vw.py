"""`synth-300vw`: short videos with 68 points a frame; faces of `synth-300w` to train on stand before them.

Parts are `300w/train`, `train` (videos to train on) and `c`; a video is a cluster and a sequence. Videos have 48
frames, where the real ones have some 1,900.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchbox.datasets import synthetic
from benchbox.faceworld import cache
from benchbox.faceworld.sets import VIDEOS
from benchbox.types import Finding, Index

from . import faces, rendered

if TYPE_CHECKING:
    from .rendered import Columns

PLAN = cache.plan(VIDEOS.name)
ACCESS = rendered.access("Synthetic twin of 300-VW", PLAN.kind, 330)


def index(root: Path, *, pixels: bool = True) -> Index:
    """Return both sets; renders them into the cache first when pixels are asked for and not there yet."""
    videos = faces.whole("synth-300vw", PLAN, _fields, pixels=pixels)
    return faces.after(faces.only(synthetic.index(root, pixels=pixels), "train"), "300w/", videos)


def tiny() -> Index:
    """Return a few frames of each part, rendered in memory: for tests and first steps."""
    some = {"train": [0, 1, 2, VIDEOS.frames], "c": [k * VIDEOS.frames + at for k in (0, 1) for at in range(3)]}
    videos = faces.tiny("synth-300vw", PLAN, _fields, some)
    return faces.after(faces.only(synthetic.tiny(6, 1), "train"), "300w/", videos)


def _fields(columns: Columns) -> dict[str, Any]:
    return {
        "boxes": {"detector": columns["detected"]},
        "clusters": columns["video"],
        "sequences": columns["video"],
    }


def verify(root: Path) -> list[Finding]:
    """Say whether both rendered sets are in the cache and whole."""
    return [*synthetic.verify(root), *rendered.examine(PLAN)]
