"""`synth-wflw`: 98 points; six attributes that were decided before each face was drawn."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchbox.face_renderer import cache
from benchbox.face_renderer.image_sets import WFLW
from benchbox.face_renderer.scenes.portraits import ATTRIBUTES
from benchbox.types import Finding, Index

from . import from_renderer, landmark_index

if TYPE_CHECKING:
    from .from_renderer import Columns

PLAN = cache.plan_set(WFLW.name)
ACCESS = from_renderer.describe_access("Synthetic twin of WFLW", PLAN.kind, 610)


def index(root: Path, *, pixels: bool = True) -> Index:
    """Return the set.

    Renders it into the cache first when pixels are asked for and not there yet.
    """
    del root
    return landmark_index.full_index("synth-wflw", PLAN, _fields, pixels=pixels)


def tiny() -> Index:
    """Return a few faces of each part, rendered in memory: for tests and first steps."""
    return landmark_index.tiny_index(
        "synth-wflw", PLAN, _fields, {"train": range(6), "test": range(12)}
    )


def _fields(columns: Columns) -> dict[str, Any]:
    """Return WFLW's fields: rectangles that reach up to the forehead, attributes, no word on what is hidden."""
    return {
        "boxes": {"rect": landmark_index.raise_boxes(columns["detected"], 0.29)},
        "attributes": {name: columns["traits"][:, k] for k, name in enumerate(ATTRIBUTES)},
    }


def verify(root: Path) -> list[Finding]:
    """Say whether the rendered set is in the cache and whole."""
    del root
    return from_renderer.check_cache(PLAN)
