"""From columns of a study with normalised patches to an index in the shape of ETH-XGaze's or MPIIGaze's.

Values are unit vectors v(pitch, yaw); the box is the whole patch; a person is a cluster.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from benchbox.face_renderer import cache
from benchbox.face_renderer.cache import RenderPlan
from benchbox.face_renderer.scenes import multi_camera
from benchbox.types import Index

from . import from_renderer

if TYPE_CHECKING:
    from benchbox.types import Bytes

    from .from_renderer import Columns


def full_index(dataset: str, plan: RenderPlan, study: multi_camera.Rig, *, pixels: bool) -> Index:
    """Return the index of a whole set; with pixels it is rendered first where it is not yet."""
    parts, numbers = from_renderer.plan_rows(plan)
    return build_index(
        dataset, plan, study, parts, numbers, cache.read_columns(plan, pixels=pixels)
    )


def tiny_index(
    dataset: str,
    plan: RenderPlan,
    study: multi_camera.Rig,
    chosen: Mapping[str, Sequence[int]],
    count: int,
) -> Index:
    """Return some persons of each part, rendered in memory: patches that lie apart in each person's series."""
    apart = max(study.frames // count - 1, 1) | 1  # odd: both eyes, and all cameras in time
    picked = {
        part: [p * study.frames + k * apart % study.frames for p in persons for k in range(count)]
        for part, persons in chosen.items()
    }
    parts, numbers, columns = from_renderer.render_rows(plan, picked)
    return from_renderer.name_variant(
        build_index(dataset, plan, study, parts, numbers, columns), f"tiny: {len(numbers)} patches"
    )


def build_index(
    dataset: str,
    plan: RenderPlan,
    study: multi_camera.Rig,
    parts: Any,
    numbers: Any,
    columns: Columns,
) -> Index:
    """Put columns into an index."""

    def read(row: int) -> Bytes:
        return np.array(
            (columns if "pixels" in columns else cache.load_columns(plan))["pixels"][row]
        )

    high, wide = multi_camera.patch_shape(study)
    right = columns["right"]
    meta = {"head_pose": columns["head_pose"]}
    return Index(
        dataset=dataset,
        ids=np.array(
            [
                f"{person}/{number:05d}"
                for person, number in zip(columns["person"], numbers, strict=True)
            ]
        ),
        parts=parts,
        values=columns["values"],
        boxes={"patch": np.tile([-0.5, -0.5, wide - 0.5, high - 0.5], (len(numbers), 1))},
        clusters=columns["person"],
        read=read,
        attributes={"left": ~right, "right": right} if study.eyes else {},
        meta=meta if study.cameras == 1 else {**meta, "camera": columns["camera"]},
        notes=(from_renderer.generator_note(plan),),
        stamp=from_renderer.cache_keys(plan, parts, numbers),
    )
