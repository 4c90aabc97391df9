"""From columns of single faces or frames to an index in the shape of the real landmark sets."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from benchbox.face_renderer import cache
from benchbox.face_renderer.cache import RenderPlan
from benchbox.geometry import tight_box
from benchbox.types import Index

from . import from_renderer

if TYPE_CHECKING:
    from benchbox.types import Bytes, Floats

    from .from_renderer import Columns

# columns → fields of Index that a set has beside the usual ones
Fields = Callable[["Columns"], Mapping[str, Any]]


def full_index(
    dataset: str, plan: RenderPlan, fields: Fields, *, pixels: bool, seen: bool = False
) -> Index:
    """Return the index of a whole set; with pixels it is rendered first where it is not yet.

    `seen` is for a set whose labels say what can be seen: only a picture tells, so it is rendered
    without pixels, too.
    """
    parts, numbers = from_renderer.plan_rows(plan)
    return build_index(
        dataset, plan, parts, numbers, cache.read_columns(plan, pixels=pixels or seen), fields
    )


def tiny_index(
    dataset: str, plan: RenderPlan, fields: Fields, chosen: Mapping[str, Sequence[int]]
) -> Index:
    """Return some faces of each part, rendered in memory."""
    parts, numbers, columns = from_renderer.render_rows(plan, chosen)
    return from_renderer.name_variant(
        build_index(dataset, plan, parts, numbers, columns, fields), f"tiny: {len(numbers)} faces"
    )


def build_index(
    dataset: str, plan: RenderPlan, parts: Any, numbers: Any, columns: Columns, fields: Fields
) -> Index:
    """Put columns into an index; every face is its own cluster unless `fields` says otherwise."""
    # The set's name is in the id, for sets may be joined: one to train on, one for its pictures
    # alone, one to test on.
    ids = np.array(
        [f"{part}/{plan.kind}-{number:05d}" for part, number in zip(parts, numbers, strict=True)]
    )

    def read(row: int) -> Bytes:
        return np.array(
            (columns if "pixels" in columns else cache.load_columns(plan))["pixels"][row]
        )

    own = {
        "values": columns.get("values", columns.get("values68")),
        "clusters": ids,
        **fields(columns),
    }
    own["boxes"] = {**own["boxes"], "ground_truth": tight_box(own["values"])}
    stamp = from_renderer.cache_keys(plan, parts, numbers)
    return Index(
        dataset=dataset,
        ids=ids,
        parts=parts,
        read=read,
        notes=(from_renderer.generator_note(plan),),
        stamp=stamp,
        **own,
    )


def raise_boxes(boxes: Floats, share: float) -> Floats:
    """Move the upper edge of boxes (N, 4) up by a share of their height."""
    moved = np.array(boxes)
    moved[:, 1] -= share * (boxes[:, 3] - boxes[:, 1])
    return moved


def select_part(index: Index, part: str) -> Index:
    """Return the rows of one part."""
    rows, stamp = np.flatnonzero(index.parts == part), index.stamp
    return replace(
        index,
        **{name: getattr(index, name)[rows] for name in ("ids", "parts", "values", "clusters")},
        boxes={name: boxes[rows] for name, boxes in index.boxes.items()},
        visible=None if index.visible is None else index.visible[rows],
        read=lambda row: index.read(int(rows[row])),
        stamp=None if stamp is None else from_renderer.select_keys(stamp, rows),
    )
