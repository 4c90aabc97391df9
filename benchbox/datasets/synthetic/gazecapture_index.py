"""From columns of a study with phones and tablets to an index in the shape of GazeCapture's.

Parts are splits of persons; attributes `phone`, `tablet`, `orientation_1` … `orientation_4`; a dot
is a sequence, its frames in the order of time; values are cm from the camera. Frames are 216 x
288 px, or 288 x 216 held on the side.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from benchbox.face_renderer import cache
from benchbox.face_renderer.cache import RenderPlan
from benchbox.face_renderer.scenes import phone_and_tablet
from benchbox.types import Index

from . import from_renderer

if TYPE_CHECKING:
    from benchbox.types import Bytes

    from .from_renderer import Columns


def full_index(dataset: str, plan: RenderPlan, *, pixels: bool) -> Index:
    """Return the index of a whole set; with pixels it is rendered first where it is not yet."""
    parts, numbers = from_renderer.plan_rows(plan)
    columns = cache.read_columns(plan, pixels=pixels)
    return build_index(dataset, plan, parts, numbers, columns)


def tiny_index(
    dataset: str,
    plan: RenderPlan,
    study: phone_and_tablet.Study,
    chosen: Mapping[str, Sequence[int]],
    frames: int,
) -> Index:
    """Return some persons of each part, rendered in memory: of four dots each the first frames, at most `frames`."""
    picked = {
        part: [n for p in persons for n in _first_frames(study, part, p, frames)]
        for part, persons in chosen.items()
    }
    parts, numbers, columns = from_renderer.render_rows(plan, picked)
    small = build_index(dataset, plan, parts, numbers, columns)
    return from_renderer.name_variant(small, f"tiny: {len(numbers)} frames")


def _first_frames(study: phone_and_tablet.Study, part: str, person: int, most: int) -> list[int]:
    dots, frames = study.shown(part)
    begin = person * dots * frames
    return [
        begin + dot * frames + k
        for dot in range(0, dots, max(dots // 4, 1))
        for k in range(min(most, frames))
    ]


def build_index(
    dataset: str, plan: RenderPlan, parts: Any, numbers: Any, columns: Columns
) -> Index:
    """Put columns into an index."""
    tablet = np.char.startswith(columns["device"], "tablet")
    orientation = columns["orientation"]

    def read(row: int) -> Bytes:
        flat = columns["pixels"] if "pixels" in columns else cache.load_columns(plan)["pixels"]
        rows, wide = phone_and_tablet.frame_slices(int(orientation[row]))
        return np.array(flat[row]).reshape(rows.stop - rows.start, wide.stop - wide.start, 3)

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
        boxes={name: columns[name] for name in ("face", "left_eye", "right_eye")},
        clusters=columns["person"],
        read=read,
        attributes={
            "phone": ~tablet,
            "tablet": tablet,
            **{f"orientation_{number}": orientation == number for number in (1, 2, 3, 4)},
        },
        sequences=columns["dot"],
        meta={
            "device": columns["device"],
            "orientation": orientation,
            "face_grid": phone_and_tablet.face_grid(columns["face"], orientation),
        },
        notes=(from_renderer.generator_note(plan),),
        stamp=from_renderer.cache_keys(plan, parts, numbers),
    )
