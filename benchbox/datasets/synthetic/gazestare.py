"""`synth-gazestare`: persons who stare at one point for thirty frames.

What is trained on is `synth-gazecn`.

Parts are `gazecn/train`, `gazecn/test` and `stare`, as in the real set; each stare is a sequence.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchbox.face_renderer import cache
from benchbox.face_renderer.image_sets import GAZESTARE
from benchbox.types import Finding, Index

from . import from_renderer, gazecapture_index, gazecn

PLAN = cache.plan_set(GAZESTARE.name)
ACCESS = from_renderer.describe_access("Synthetic twin of GazeStare", PLAN.kind, 320)


def index(root: Path, *, pixels: bool = True) -> Index:
    """Return both sets.

    Renders them into the cache first when pixels are asked for and not there yet.
    """
    return _joined(
        gazecn.index(root, pixels=pixels),
        gazecapture_index.full_index("synth-gazestare", PLAN, pixels=pixels),
    )


def tiny() -> Index:
    """Return a few persons of each part, rendered in memory: for tests and first steps."""
    stares = gazecapture_index.tiny_index(
        "synth-gazestare", PLAN, GAZESTARE, {"stare": (0,)}, frames=4
    )
    return from_renderer.name_variant(_joined(gazecn.tiny(), stares), stares.variant)


def _joined(trained: Index, stares: Index) -> Index:
    """Put the set that is trained on before the stares."""

    def read(row: int) -> np.ndarray[Any, Any]:
        return trained.read(row) if row < len(trained.ids) else stares.read(row - len(trained.ids))

    def named(column: Any) -> Any:
        return np.char.add("gazecn/", column)

    def columns(name: str) -> dict[str, Any]:
        one, other = getattr(trained, name), getattr(stares, name)
        return {key: np.concatenate([one[key], other[key]]) for key in one}

    words: dict[str, Any] = {
        name: np.concatenate([named(getattr(trained, name)), getattr(stares, name)])
        for name in ("ids", "parts", "clusters", "sequences")
    }
    return replace(
        stares,
        **words,
        values=np.concatenate([trained.values, stares.values]),
        boxes=columns("boxes"),
        attributes=columns("attributes"),
        meta=columns("meta"),
        read=read,
        stamp=from_renderer.join_keys(trained, stares),
        notes=(*trained.notes, *stares.notes),
    )


def verify(root: Path) -> list[Finding]:
    """Say whether both rendered sets are in the cache and whole."""
    return [*gazecn.verify(root), *from_renderer.check_cache(PLAN)]
