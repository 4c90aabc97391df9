"""From columns of normalised patches to an index, in the shape of ETH-XGaze's or MPIIGaze's.

Values are unit vectors v(pitch, yaw); the box is the whole patch; a person is a cluster.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from benchbox.datasets.gaze import gaze360
from benchbox.face_renderer.cache import RenderPlan
from benchbox.face_renderer.scenes import multi_camera
from benchbox.types import Index

from . import from_renderer
from .from_renderer import RenderedRows


def build_index(
    dataset: str, plan: RenderPlan, rows: RenderedRows, *, study: multi_camera.Rig
) -> Index:
    """Put rendered rows into an index."""
    columns = rows.columns
    height, width = multi_camera.patch_shape(study)
    whole_patch = [-0.5, -0.5, width - 0.5, height - 0.5]
    attributes = {}
    if study.eyes:
        attributes = {"left": ~columns["right"], "right": columns["right"]}
    if study.aim == "around":
        attributes = gaze360.front_groups(columns["values"])
        attributes["face"] = np.ones(len(rows.numbers), bool)
    meta = {"head_pose": columns["head_pose"]}
    if study.cameras > 1:
        meta["camera"] = columns["camera"]
    return Index(
        dataset=dataset,
        ids=from_renderer.person_ids(rows),
        parts=rows.parts,
        values=columns["values"],
        boxes={"patch": np.tile(whole_patch, (len(rows.numbers), 1))},
        clusters=columns["person"],
        read=from_renderer.pixel_reader(plan, columns),
        attributes=attributes,
        meta=meta,
        notes=(from_renderer.generator_note(plan),),
        cache_key=from_renderer.cache_keys(plan, rows),
    )


def tiny_numbers(
    study: multi_camera.Rig, persons: Mapping[str, Sequence[int]], count: int
) -> dict[str, list[int]]:
    """Choose `count` patches of some persons of each part, spread over a person's series.

    >>> rig = multi_camera.Rig("few", (("faces", 2),), frames=20)
    >>> tiny_numbers(rig, {"faces": (0, 1)}, count=4)
    {'faces': [0, 5, 10, 15, 20, 25, 30, 35]}
    """
    step = max(study.frames // count - 1, 1) | 1  # odd: both eyes, and all cameras in time
    chosen: dict[str, list[int]] = {}
    for part, part_persons in persons.items():
        chosen[part] = []
        for person in part_persons:
            offsets = np.arange(count) * step % study.frames
            chosen[part] += (person * study.frames + offsets).tolist()
    return chosen
