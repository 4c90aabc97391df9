"""`synth-cofw68`: the test faces of `synth-cofw` with 68 points, to test what `synth-300w` trained."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchbox.types import Finding, Index

from . import cofw, from_renderer, landmark_index

if TYPE_CHECKING:
    from .from_renderer import Columns

PLAN = cofw.PLAN
ACCESS = from_renderer.describe_access("Synthetic twin of COFW-68", PLAN.kind, 380)


def index(root: Path, *, pixels: bool = True) -> Index:
    """Return the set.

    Renders `synth-cofw` into the cache first when pixels are asked for and not there yet.
    """
    del root
    return landmark_index.select_part(
        landmark_index.full_index("synth-cofw68", PLAN, _fields, pixels=pixels, seen=True), "test"
    )


def tiny() -> Index:
    """Return a few faces of each part, rendered in memory: for tests and first steps."""
    return landmark_index.tiny_index("synth-cofw68", PLAN, _fields, {"test": range(6)})


def _fields(columns: Columns) -> dict[str, Any]:
    return {
        "values": columns["values68"],
        "boxes": {"detector": columns["detected"]},
        "visible": columns["visible68"],
    }


def verify(root: Path) -> list[Finding]:
    """Say whether the rendered set is in the cache and whole."""
    del root
    return from_renderer.check_cache(PLAN)
