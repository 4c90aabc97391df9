"""`synth-cofw`: 29 points on faces behind hands, things and sunglasses.

Flags say what is hidden.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchbox.face_renderer import cache
from benchbox.face_renderer.image_sets import COFW
from benchbox.types import Finding, Index

from . import from_renderer, landmark_index

if TYPE_CHECKING:
    from .from_renderer import Columns

PLAN = cache.plan_set(COFW.name)
ACCESS = from_renderer.describe_access("Synthetic twin of COFW", PLAN.kind, 380)


def index(root: Path, *, pixels: bool = True) -> Index:
    """Return the set.

    Renders it into the cache first when pixels are asked for and not there yet.
    """
    del root
    return landmark_index.full_index("synth-cofw", PLAN, _fields, pixels=pixels, seen=True)


def tiny() -> Index:
    """Return a few faces of each part, rendered in memory: for tests and first steps."""
    return landmark_index.tiny_index(
        "synth-cofw", PLAN, _fields, {"train": range(6), "test": range(6)}
    )


def _fields(columns: Columns) -> dict[str, Any]:
    return {"boxes": {"detector": columns["detected"]}, "visible": columns["visible"]}


def verify(root: Path) -> list[Finding]:
    """Say whether the rendered set is in the cache and whole."""
    del root
    return from_renderer.check_cache(PLAN)
