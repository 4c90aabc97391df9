"""`synth-300vw`: short videos with 68 points a frame, in the three categories of 300-VW.

Parts are `videos` (to train on), `a`, `b` and `c`; a video is a cluster and a sequence. Videos have 48 frames, where
the real ones have some 1,900.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchbox.face_renderer import cache
from benchbox.face_renderer.image_sets import VIDEOS
from benchbox.types import Finding, Index

from . import faces, rendered

if TYPE_CHECKING:
    from .rendered import Columns

PLAN = cache.plan(VIDEOS.name)
ACCESS = rendered.access("Synthetic twin of 300-VW", PLAN.kind, 480)


def index(root: Path, *, pixels: bool = True) -> Index:
    """Return the set; renders it into the cache first when pixels are asked for and not there yet."""
    del root
    return faces.whole("synth-300vw", PLAN, _fields, pixels=pixels)


def tiny() -> Index:
    """Return a few faces of each part, rendered in memory: for tests and first steps."""
    two = [video * VIDEOS.frames + at for video in (0, 1) for at in range(3)]
    return faces.tiny("synth-300vw", PLAN, _fields, {"videos": range(3), "a": two, "b": two, "c": two})


def _fields(columns: Columns) -> dict[str, Any]:
    return {
        "boxes": {"detector": columns["detected"]},
        "clusters": columns["video"],
        "sequences": columns["video"],
    }


def verify(root: Path) -> list[Finding]:
    """Say whether the rendered set is in the cache and whole."""
    del root
    return rendered.examine(PLAN)
