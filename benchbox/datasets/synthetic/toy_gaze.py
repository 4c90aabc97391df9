"""Drawn eyes with a gaze that can be seen: tiny sets in memory, in the shape of GazeCapture and of ETH-XGaze.

For first steps and for trying methods out, in milliseconds: two discs on skin-coloured noise whose pupils move with the
gaze. They are no faces; the synthetic twins of the real sets are.
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
_RADIUS = 9
_REACH = 5.0  # px that a pupil moves at the edge of where people look
_FRAMES_PER_DOT = 2


def draw_toy_set(task: Task, train: int = 16, test: int = 8) -> Index:
    """Return a set of gaze2d (parts `train`, `test`) or gaze3d (`train`, `validation`), two frames a fixation.

    The gaze2d set has phones and tablets, held in two ways; every fourth fixation is of another
    person.
    """
    count = train + test
    rng = np.random.default_rng(20)
    looks = np.repeat(
        rng.uniform(-1, 1, (count // _FRAMES_PER_DOT + 1, 2)), _FRAMES_PER_DOT, axis=0
    )[:count]
    pixels = np.stack([_draw_picture(look, rng) for look in looks])
    held_out = "test" if task == "gaze2d" else "validation"
    parts = np.array(["train"] * train + [held_out] * test)
    dots = np.arange(count) // _FRAMES_PER_DOT
    people = np.array([f"{part}-{dot // 2 % 4}" for part, dot in zip(parts, dots, strict=True)])
    ids = np.array([f"{person}/{row:04d}" for row, person in enumerate(people)])
    shape = _screen_index if task == "gaze2d" else _direction_index
    return shape(ids, parts, people, dots, looks, pixels)


def _screen_index(
    ids: Strings, parts: Strings, people: Strings, dots: np.ndarray, looks: Floats, pixels: Bytes
) -> Index:
    tablet = dots % 2 == 1
    orientation = np.where(dots % 4 < 2, 1, 3)
    half_cm = np.where(tablet, 7.0, 3.0)[:, None]
    boxes = {name: [x - 12, y - 12, x + 12, y + 12] for name, (x, y) in _EYES.items()}
    boxes["face"] = [8.0, 4.0, _WIDTH - 9.0, _HEIGHT - 5.0]
    return Index(
        dataset="gazecapture",
        ids=ids,
        parts=parts,
        values=looks * half_cm - np.array([0, 1]) * (half_cm + 1),
        boxes={
            name: np.tile(np.array(box, np.float64), (len(ids), 1)) for name, box in boxes.items()
        },
        clusters=people,
        read=lambda row: np.array(pixels[row]),
        attributes={
            "phone": ~tablet,
            "tablet": tablet,
            **{f"orientation_{number}": orientation == number for number in (1, 2, 3, 4)},
        },
        sequences=np.array([f"{person}/{dot}" for person, dot in zip(people, dots, strict=True)]),
        meta={
            "device": np.where(tablet, "iPad Air", "iPhone 6"),
            "orientation": orientation,
            "face_grid": np.tile([6.0, 6.0, 13.0, 13.0], (len(ids), 1)),
        },
        notes=("drawn eyes",),
        variant="drawn",
    )


def _direction_index(
    ids: Strings, parts: Strings, people: Strings, dots: np.ndarray, looks: Floats, pixels: Bytes
) -> Index:
    return Index(
        dataset="eth-xgaze",
        ids=ids,
        parts=parts,
        values=angles_to_vectors(0.6 * looks[:, ::-1]),
        boxes={"patch": np.tile([-0.5, -0.5, _WIDTH - 0.5, _HEIGHT - 0.5], (len(ids), 1))},
        clusters=people,
        read=lambda row: np.array(pixels[row]),
        meta={"head_pose": np.zeros((len(ids), 2)), "camera": dots % 3},
        notes=("drawn eyes",),
        variant="drawn",
    )


def _draw_picture(look: Floats, rng: np.random.Generator) -> Bytes:
    """Draw one picture (H, W, 3): pupils to the right and up for a look (x, y) to the right and up."""
    y, x = np.mgrid[:_HEIGHT, :_WIDTH]
    skin = np.array([190.0, 150.0, 130.0]) + rng.uniform(-20, 20, 3)
    picture = np.broadcast_to(skin, (_HEIGHT, _WIDTH, 3)) + rng.normal(0, 6, (_HEIGHT, _WIDTH, 1))
    for centre_x, centre_y in _EYES.values():
        far = np.hypot(x - centre_x, y - centre_y)
        pupil = np.hypot(x - centre_x - _REACH * look[0], y - centre_y + _REACH * look[1])
        picture = np.where((far < _RADIUS)[..., None], 235.0, picture)
        picture = np.where(((far < _RADIUS) & (pupil < _RADIUS / 2))[..., None], 25.0, picture)
    drawn: Bytes = np.clip(picture, 0, 255).astype(np.uint8)
    return drawn
