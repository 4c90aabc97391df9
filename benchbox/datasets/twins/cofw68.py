"""`synth-cofw68`: the test faces of `synth-cofw` with 68 points, to test what `synth-300w` trained.

Parts are `300w/train` and `test`; points of the former all count as visible.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchbox.datasets import synthetic
from benchbox.types import Finding, Index

from . import cofw, faces, rendered

if TYPE_CHECKING:
    from .rendered import Columns

PLAN = cofw.PLAN
ACCESS = rendered.access("Synthetic twin of COFW-68", PLAN.kind, 380)


def index(root: Path, *, pixels: bool = True) -> Index:
    """Return both sets; renders them into the cache first when pixels are asked for and not there yet."""
    tested = faces.only(faces.whole("synth-cofw68", PLAN, _fields, pixels=pixels), "test")
    return faces.after(faces.only(synthetic.index(root, pixels=pixels), "train"), "300w/", tested)


def tiny() -> Index:
    """Return a few faces of each part, rendered in memory: for tests and first steps."""
    tested = faces.tiny("synth-cofw68", PLAN, _fields, {"test": range(6)})
    return faces.after(faces.only(synthetic.tiny(6, 1), "train"), "300w/", tested)


def _fields(columns: Columns) -> dict[str, Any]:
    return {
        "values": columns["values68"],
        "boxes": {"detector": columns["detected"]},
        "visible": columns["visible68"],
    }


def verify(root: Path) -> list[Finding]:
    """Say whether both rendered sets are in the cache and whole."""
    return [*synthetic.verify(root), *rendered.examine(PLAN)]
