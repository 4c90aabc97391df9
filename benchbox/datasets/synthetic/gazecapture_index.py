"""From columns of a study with phones and tablets to an index in the shape of GazeCapture's.

Parts are splits of persons; attributes `phone`, `tablet`, `orientation_1` … `orientation_4`; a dot
is a sequence, its frames in the order of time; values are cm from the camera. Frames are 216 x
288 px, or 288 x 216 held on the side.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from benchbox.face_renderer.cache import RenderPlan
from benchbox.face_renderer.scenes import phone_and_tablet
from benchbox.types import Index

from . import from_renderer
from .from_renderer import RenderedRows

if TYPE_CHECKING:
    from benchbox.types import Bytes

_TINY_DOTS = 4  # of each person


def build_index(dataset: str, plan: RenderPlan, rows: RenderedRows) -> Index:
    """Put rendered rows into an index."""
    columns = rows.columns
    tablet = np.char.startswith(columns["device"], "tablet")
    orientation = columns["orientation"]
    attributes = {"phone": ~tablet, "tablet": tablet}
    for number in (1, 2, 3, 4):
        attributes[f"orientation_{number}"] = orientation == number
    read_flat = from_renderer.pixel_reader(plan, columns)

    def read(row: int) -> Bytes:
        height, width = phone_and_tablet.frame_slices(int(orientation[row]))
        shape = (height.stop - height.start, width.stop - width.start, 3)
        return read_flat(row).reshape(shape)

    return Index(
        dataset=dataset,
        ids=from_renderer.person_ids(rows),
        parts=rows.parts,
        values=columns["values"],
        boxes={name: columns[name] for name in ("face", "left_eye", "right_eye")},
        clusters=columns["person"],
        read=read,
        attributes=attributes,
        sequences=columns["dot"],
        meta={
            "device": columns["device"],
            "orientation": orientation,
            "face_grid": phone_and_tablet.face_grid(columns["face"], orientation),
        },
        notes=(from_renderer.generator_note(plan),),
        cache_key=from_renderer.cache_keys(plan, rows),
    )


def tiny_numbers(
    study: phone_and_tablet.Study, persons: Mapping[str, Sequence[int]], frames: int
) -> dict[str, list[int]]:
    """Choose frames of some persons of each part: the first `frames` of four dots each."""
    chosen: dict[str, list[int]] = {}
    for part, part_persons in persons.items():
        dots, frames_per_dot = study.shown(part)
        chosen[part] = []
        for person in part_persons:
            for dot in range(0, dots, max(dots // _TINY_DOTS, 1)):
                first = (person * dots + dot) * frames_per_dot
                chosen[part] += range(first, first + min(frames, frames_per_dot))
    return chosen
