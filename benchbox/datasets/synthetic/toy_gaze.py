"""Drawn eyes whose gaze can be seen: tiny sets in memory, shaped like GazeCapture and ETH-XGaze.

For first steps and for trying methods out, in milliseconds: two discs on skin-coloured noise whose
pupils move with the gaze. They are no faces; the synthetic twins of the real sets are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from benchbox.geometry import angles_to_vectors
from benchbox.types import Index

if TYPE_CHECKING:
    from benchbox.types import Bytes, Floats, Strings, Task

_HEIGHT, _WIDTH = 72, 96
# centres x, y; "left" is the person's own
_EYES = {"right_eye": (30.0, 32.0), "left_eye": (66.0, 32.0)}
_EYE_RADIUS_PX = 9
_PUPIL_TRAVEL_PX = 5.0  # how far a pupil moves when the gaze is at the edge
_FRAMES_PER_DOT = 2


def draw_toy_set(task: Task, train: int = 16, test: int = 8) -> Index:
    """Return a set of gaze2d (parts `train`, `test`) or gaze3d (`train`, `validation`).

    Every fixation has two frames, every fourth fixation is of another person. The gaze2d set has
    phones and tablets, held in two ways.
    """
    count = train + test
    rng = np.random.default_rng(20)
    dot_gaze = rng.uniform(-1, 1, (count // _FRAMES_PER_DOT + 1, 2))
    gaze = np.repeat(dot_gaze, _FRAMES_PER_DOT, axis=0)[:count]
    pixels = np.stack([_draw_picture(direction, rng) for direction in gaze])
    held_out = "test" if task == "gaze2d" else "validation"
    parts = np.array(["train"] * train + [held_out] * test)
    dots = np.arange(count) // _FRAMES_PER_DOT
    people = np.array([f"{part}-{dot // 2 % 4}" for part, dot in zip(parts, dots, strict=True)])
    ids = np.array([f"{person}/{row:04d}" for row, person in enumerate(people)])
    build_index = _screen_index if task == "gaze2d" else _direction_index
    return build_index(ids, parts, people, dots, gaze, pixels)


def _screen_index(
    ids: Strings, parts: Strings, people: Strings, dots: np.ndarray, gaze: Floats, pixels: Bytes
) -> Index:
    count = len(ids)
    tablet = dots % 2 == 1
    orientation = np.where(dots % 4 < 2, 1, 3)
    half_screen_cm = np.where(tablet, 7.0, 3.0)[:, None]
    boxes = {}
    for name, (x, y) in _EYES.items():
        boxes[name] = np.tile([x - 12, y - 12, x + 12, y + 12], (count, 1))
    boxes["face"] = np.tile([8.0, 4.0, _WIDTH - 9.0, _HEIGHT - 5.0], (count, 1))
    attributes = {"phone": ~tablet, "tablet": tablet}
    for number in (1, 2, 3, 4):
        attributes[f"orientation_{number}"] = orientation == number
    return Index(
        dataset="gazecapture",
        ids=ids,
        parts=parts,
        values=gaze * half_screen_cm - np.array([0, 1]) * (half_screen_cm + 1),
        boxes=boxes,
        clusters=people,
        read=lambda row: np.array(pixels[row]),
        attributes=attributes,
        sequences=np.array([f"{person}/{dot}" for person, dot in zip(people, dots, strict=True)]),
        meta={
            "device": np.where(tablet, "iPad Air", "iPhone 6"),
            "orientation": orientation,
            "face_grid": np.tile([6.0, 6.0, 13.0, 13.0], (count, 1)),
        },
        notes=("drawn eyes",),
        variant="drawn",
    )


def _direction_index(
    ids: Strings, parts: Strings, people: Strings, dots: np.ndarray, gaze: Floats, pixels: Bytes
) -> Index:
    return Index(
        dataset="eth-xgaze",
        ids=ids,
        parts=parts,
        values=angles_to_vectors(0.6 * gaze[:, ::-1]),
        boxes={"patch": np.tile([-0.5, -0.5, _WIDTH - 0.5, _HEIGHT - 0.5], (len(ids), 1))},
        clusters=people,
        read=lambda row: np.array(pixels[row]),
        # heads turn a third of the way, pitch and yaw
        meta={"head_pose": 0.2 * gaze[:, ::-1], "camera": dots % 3},
        notes=("drawn eyes",),
        variant="drawn",
    )


def _draw_picture(gaze: Floats, rng: np.random.Generator) -> Bytes:
    """Draw one picture (H, W, 3): pupils move right and up with a gaze (x, y) right and up."""
    y, x = np.mgrid[:_HEIGHT, :_WIDTH]
    skin = np.array([190.0, 150.0, 130.0]) + rng.uniform(-20, 20, 3)
    picture = np.broadcast_to(skin, (_HEIGHT, _WIDTH, 3)) + rng.normal(0, 6, (_HEIGHT, _WIDTH, 1))
    for eye_x, eye_y in _EYES.values():
        pupil_x, pupil_y = eye_x + _PUPIL_TRAVEL_PX * gaze[0], eye_y - _PUPIL_TRAVEL_PX * gaze[1]
        in_eye = np.hypot(x - eye_x, y - eye_y) < _EYE_RADIUS_PX
        in_pupil = np.hypot(x - pupil_x, y - pupil_y) < _EYE_RADIUS_PX / 2
        picture = np.where(in_eye[..., None], 235.0, picture)
        picture = np.where((in_eye & in_pupil)[..., None], 25.0, picture)
    drawn: Bytes = np.clip(picture, 0, 255).astype(np.uint8)
    return drawn
