"""`synth-mpiigaze`: single eyes of fifteen persons before a notebook, 60 x 36 px.

Right eyes are mirrored.
"""

from __future__ import annotations

from pathlib import Path

from benchbox.face_renderer import cache
from benchbox.face_renderer.image_sets import MPIIGAZE
from benchbox.types import Finding, Index

from . import from_renderer, normalised_patch_index

PLAN = cache.plan_set(MPIIGAZE.name)
ACCESS = from_renderer.describe_access("Synthetic twin of MPIIGaze", PLAN.kind, 20)


def index(root: Path, *, pixels: bool = True) -> Index:
    """Return the set.

    Renders it into the cache first when pixels are asked for and not there yet.
    """
    del root
    return normalised_patch_index.full_index("synth-mpiigaze", PLAN, MPIIGAZE, pixels=pixels)


def tiny() -> Index:
    """Return a few persons of each part, rendered in memory: for tests and first steps."""
    return normalised_patch_index.tiny_index(
        "synth-mpiigaze", PLAN, MPIIGAZE, {"eyes": (0, 1, 2)}, count=8
    )


def verify(root: Path) -> list[Finding]:
    """Say whether the rendered set is in the cache and whole."""
    del root
    return from_renderer.check_cache(PLAN)
