"""`synth-300w-private`: 300 faces indoors, 300 outdoors, to test what `synth-300w` trained."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchbox.face_renderer import cache
from benchbox.face_renderer.image_sets import PRIVATE
from benchbox.types import Finding, Index

from . import from_renderer, landmark_index

if TYPE_CHECKING:
    from .from_renderer import Columns

PLAN = cache.plan_set(PRIVATE.name)
ACCESS = from_renderer.describe_access(
    "Synthetic twin of the 300-W challenge's test set", PLAN.kind, 120
)


def index(root: Path, *, pixels: bool = True) -> Index:
    """Return the set.

    Renders it into the cache first when pixels are asked for and not there yet.
    """
    del root
    return landmark_index.full_index("synth-300w-private", PLAN, _fields, pixels=pixels)


def tiny() -> Index:
    """Return a few faces of each part, rendered in memory: for tests and first steps."""
    return landmark_index.tiny_index(
        "synth-300w-private", PLAN, _fields, {"indoor": range(3), "outdoor": range(3)}
    )


def _fields(columns: Columns) -> dict[str, Any]:
    return {"boxes": {"detector": columns["detected"]}}


def verify(root: Path) -> list[Finding]:
    """Say whether the rendered set is in the cache and whole."""
    del root
    return from_renderer.check_cache(PLAN)
