"""`synth-300vw`: short videos with 68 points a frame, in the three categories of 300-VW.

Parts are `videos` (to train on), `a`, `b` and `c`; a video is a cluster and a sequence. Videos have
48 frames, where the real ones have some 1,900.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchbox.face_renderer import cache
from benchbox.face_renderer.image_sets import VIDEOS
from benchbox.types import Finding, Index

from . import from_renderer, landmark_index

if TYPE_CHECKING:
    from .from_renderer import Columns

PLAN = cache.plan_set(VIDEOS.name)
ACCESS = from_renderer.describe_access("Synthetic twin of 300-VW", PLAN.kind, 480)


def index(root: Path, *, pixels: bool = True) -> Index:
    """Return the set.

    Renders it into the cache first when pixels are asked for and not there yet.
    """
    del root
    return landmark_index.full_index("synth-300vw", PLAN, _fields, pixels=pixels)


def tiny() -> Index:
    """Return a few faces of each part, rendered in memory: for tests and first steps."""
    two = [video * VIDEOS.frames + at for video in (0, 1) for at in range(3)]
    return landmark_index.tiny_index(
        "synth-300vw", PLAN, _fields, {"videos": range(3), "a": two, "b": two, "c": two}
    )


def _fields(columns: Columns) -> dict[str, Any]:
    return {
        "boxes": {"detector": columns["detected"]},
        "clusters": columns["video"],
        "sequences": columns["video"],
    }


def verify(root: Path) -> list[Finding]:
    """Say whether the rendered set is in the cache and whole."""
    del root
    return from_renderer.check_cache(PLAN)
