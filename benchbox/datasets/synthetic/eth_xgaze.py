"""`synth-eth-xgaze`: normalised faces of persons seen by eighteen cameras at once, heads and eyes turned far."""

from __future__ import annotations

from pathlib import Path

from benchbox.face_renderer import cache
from benchbox.face_renderer.image_sets import ETH_XGAZE
from benchbox.types import Finding, Index

from . import from_renderer, normalised_patch_index

PLAN = cache.plan_set(ETH_XGAZE.name)
ACCESS = from_renderer.describe_access("Synthetic twin of ETH-XGaze", PLAN.kind, 190)


def index(root: Path, *, pixels: bool = True) -> Index:
    """Return the set.

    Renders it into the cache first when pixels are asked for and not there yet.
    """
    del root
    return normalised_patch_index.full_index("synth-eth-xgaze", PLAN, ETH_XGAZE, pixels=pixels)


def tiny() -> Index:
    """Return a few persons of each part, rendered in memory: for tests and first steps."""
    return normalised_patch_index.tiny_index(
        "synth-eth-xgaze", PLAN, ETH_XGAZE, {"train": (0, 1, 2), "validation": (0, 1)}, count=6
    )


def verify(root: Path) -> list[Finding]:
    """Say whether the rendered set is in the cache and whole."""
    del root
    return from_renderer.check_cache(PLAN)
