"""`synth-gazestare`: persons who stare at one point for fifteen frames.

What is trained on is `synth-gazecn`. Parts are `gazecn/train`, `gazecn/test` and `stare`, as in the
real set; each stare is a sequence.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from benchbox.datasets.index import join_indexes
from benchbox.face_renderer import image_sets
from benchbox.types import Finding, Index

from . import from_renderer, gazecapture_index
from .twin_table import GAZECN, Twin

STARES = Twin(
    dataset="synth-gazestare",
    title="GazeStare",
    kind=image_sets.GAZESTARE.name,
    megabytes=320,
    build_index=gazecapture_index.build_index,
    tiny_numbers=gazecapture_index.tiny_numbers(image_sets.GAZESTARE, {"stare": (0, 1)}, frames=4),
    items="frames",
)
PLAN = STARES.PLAN
ACCESS = STARES.ACCESS


def index(root: Path, *, pixels: bool = True) -> Index:
    """Return both sets.

    Renders them into the cache first when pixels are asked for and not there yet.
    """
    return _join_sets(GAZECN.index(root, pixels=pixels), STARES.index(root, pixels=pixels))


def tiny() -> Index:
    """Return a few persons of each part, rendered in memory: for tests and first steps."""
    stares = STARES.tiny()
    return from_renderer.name_variant(_join_sets(GAZECN.tiny(), stares), stares.variant)


def _join_sets(train: Index, stares: Index) -> Index:
    """Put the set that is trained on before the stares."""
    assert train.sequences is not None
    named = replace(
        train,
        ids=np.char.add("gazecn/", train.ids),
        parts=np.char.add("gazecn/", train.parts),
        clusters=np.char.add("gazecn/", train.clusters),
        sequences=np.char.add("gazecn/", train.sequences),
    )
    joined = join_indexes(named, stares)
    return replace(joined, dataset=stares.dataset, variant=stares.variant)


def verify(root: Path) -> list[Finding]:
    """Say whether both rendered sets are in the cache and whole."""
    return [*GAZECN.verify(root), *STARES.verify(root)]
