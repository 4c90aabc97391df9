"""`synth-aflw`: 19 points on heads turned to any side.

Hidden points keep their coordinates, flags say which.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchbox.face_renderer import cache
from benchbox.face_renderer.image_sets import AFLW
from benchbox.types import Finding, Index

from . import from_renderer, landmark_index

if TYPE_CHECKING:
    from .from_renderer import Columns

PLAN = cache.plan_set(AFLW.name)
ACCESS = from_renderer.describe_access("Synthetic twin of AFLW", PLAN.kind, 670)


def index(root: Path, *, pixels: bool = True) -> Index:
    """Return the set.

    Renders it into the cache first when pixels are asked for and not there yet.
    """
    del root
    return landmark_index.full_index("synth-aflw", PLAN, _fields, pixels=pixels, seen=True)


def tiny() -> Index:
    """Return a few faces of each part, rendered in memory: for tests and first steps."""
    return landmark_index.tiny_index(
        "synth-aflw", PLAN, _fields, {"train": range(6), "test": range(8)}
    )


def _fields(columns: Columns) -> dict[str, Any]:
    """Return AFLW's fields: computed square boxes that also scale the error, flags, who counts as frontal."""
    points, rect = columns["values"], columns["rect"]
    frontal = columns["visible"].all(axis=1)
    inside = ((points > rect[:, None, :2]) & (points < rect[:, None, 2:])).all(axis=(1, 2))
    return {
        "boxes": {"rect": rect},
        "scale_boxes": rect,
        "visible": columns["visible"],
        "attributes": {"frontal": frontal, "frontal_inside": frontal & inside},
    }


def verify(root: Path) -> list[Finding]:
    """Say whether the rendered set is in the cache and whole."""
    del root
    return from_renderer.check_cache(PLAN)
