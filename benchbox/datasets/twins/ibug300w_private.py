"""`synth-300w-private`: 300 faces indoors, 300 outdoors, to test what `synth-300w` trained.

Parts are `300w/train`, `indoor` and `outdoor`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchbox.datasets import synthetic
from benchbox.faceworld import cache
from benchbox.faceworld.sets import PRIVATE
from benchbox.types import Finding, Index

from . import faces, rendered

if TYPE_CHECKING:
    from .rendered import Columns

PLAN = cache.plan(PRIVATE.name)
ACCESS = rendered.access("Synthetic twin of the 300-W challenge's test set", PLAN.kind, 120)


def index(root: Path, *, pixels: bool = True) -> Index:
    """Return both sets; renders them into the cache first when pixels are asked for and not there yet."""
    tested = faces.whole("synth-300w-private", PLAN, _fields, pixels=pixels)
    return faces.after(faces.only(synthetic.index(root, pixels=pixels), "train"), "300w/", tested)


def tiny() -> Index:
    """Return a few faces of each part, rendered in memory: for tests and first steps."""
    tested = faces.tiny("synth-300w-private", PLAN, _fields, {"indoor": range(3), "outdoor": range(3)})
    return faces.after(faces.only(synthetic.tiny(6, 1), "train"), "300w/", tested)


def _fields(columns: Columns) -> dict[str, Any]:
    return {"boxes": {"detector": columns["detected"]}}


def verify(root: Path) -> list[Finding]:
    """Say whether both rendered sets are in the cache and whole."""
    return [*synthetic.verify(root), *rendered.examine(PLAN)]
