"""From columns of single faces or frames to an index in the shape of the real landmark sets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from benchbox.datasets.index import take_rows
from benchbox.face_renderer.cache import RenderPlan
from benchbox.geometry import tight_box
from benchbox.types import Index

from . import from_renderer
from .from_renderer import RenderedRows

if TYPE_CHECKING:
    from benchbox.types import Floats

    from .from_renderer import Columns

# columns → fields of Index that a set has beside the usual ones
Fields = Callable[["Columns"], Mapping[str, Any]]


def build_index(dataset: str, plan: RenderPlan, rows: RenderedRows, *, fields: Fields) -> Index:
    """Put rendered rows into an index.

    Every face is its own cluster unless `fields` says otherwise.
    """
    # The set's name is in the id, for sets may be joined: one to train on, one for its pictures
    # alone, one to test on.
    pairs = zip(rows.parts, rows.numbers, strict=True)
    ids = np.array([f"{part}/{plan.kind}-{number:05d}" for part, number in pairs])
    columns = rows.columns
    usual = {"values": columns.get("values", columns.get("values68")), "clusters": ids}
    known = {**usual, **fields(columns)}
    known["boxes"] = {**known["boxes"], "ground_truth": tight_box(known["values"])}
    return Index(
        dataset=dataset,
        ids=ids,
        parts=rows.parts,
        read=from_renderer.pixel_reader(plan, columns),
        notes=(from_renderer.generator_note(plan),),
        cache_key=from_renderer.cache_keys(plan, rows),
        **known,
    )


def raise_boxes(boxes: Floats, share: float) -> Floats:
    """Move the upper edge of boxes (N, 4) up by a share of their height.

    >>> raise_boxes(np.array([[0.0, 100.0, 50.0, 200.0]]), 0.25).tolist()
    [[0.0, 75.0, 50.0, 200.0]]
    """
    raised = np.array(boxes)
    raised[:, 1] -= share * (boxes[:, 3] - boxes[:, 1])
    return raised


def select_part(index: Index, part: str) -> Index:
    """Return the rows of one part."""
    return take_rows(index, np.flatnonzero(index.parts == part))
