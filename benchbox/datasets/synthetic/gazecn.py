"""`synth-gazecn`: persons who look at dots on phones that they hold upright."""

from __future__ import annotations

from pathlib import Path

from benchbox.face_renderer import cache
from benchbox.face_renderer.image_sets import GAZECN
from benchbox.types import Finding, Index

from . import from_renderer, gazecapture_index

PLAN = cache.plan_set(GAZECN.name)
ACCESS = from_renderer.describe_access("Synthetic twin of GazeCN", PLAN.kind, 1170)


def index(root: Path, *, pixels: bool = True) -> Index:
    """Return the set.

    Renders it into the cache first when pixels are asked for and not there yet.
    """
    del root
    return gazecapture_index.full_index("synth-gazecn", PLAN, pixels=pixels)


def tiny() -> Index:
    """Return a few persons of each part, rendered in memory: for tests and first steps."""
    return gazecapture_index.tiny_index(
        "synth-gazecn", PLAN, GAZECN, {"train": (0, 1, 2), "test": (0, 1)}, frames=2
    )


def verify(root: Path) -> list[Finding]:
    """Say whether the rendered set is in the cache and whole."""
    del root
    return from_renderer.check_cache(PLAN)
