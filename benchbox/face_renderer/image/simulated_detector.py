"""What a face detector would say, and a detector of eyes.

A face's box is the tight one of the landmarks with errors of place, size and aspect. Their spread
is set to what the official 300-W detector boxes show against tight ones: a mean overlap (IoU) near
0.87, now and then far less.

Boxes of eyes are those of one GazeCapture recording (subject 00002, 54 frames of 16 dots): squares
of 0.3 of the face box's width on a grid of a twentieth of that side, about the eye with errors that
are new in every frame and in part the same for both eyes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from benchbox.geometry import tight_box

if TYPE_CHECKING:
    from benchbox.types import Floats


def detect_face(points: Floats, rng: np.random.Generator, *, hard: bool) -> Floats:
    """Return the box (4,) px of the simulated detector for a face with landmarks (K, 2)."""
    x0, y0, x1, y1 = tight_box(points)
    size = max(x1 - x0, y1 - y0)
    loose = 1.2 if hard else 1.0
    if rng.random() < 0.06:
        loose *= 2.0  # the odd poor detection
    centre = np.array([(x0 + x1) / 2, (y0 + y1) / 2 - 0.015 * size])
    centre = centre + rng.normal(0, 0.028 * loose, 2).clip(-0.15, 0.15) * size
    scale = np.exp(np.clip(rng.normal(0.01, 0.048 * loose), -0.25, 0.25))
    aspect = np.exp(np.clip(rng.normal(0, 0.03 * loose), -0.15, 0.15))
    # A detector answers nearly square boxes; a profile's narrow landmark box is widened towards
    # that.
    half = np.array([0.75 * (x1 - x0) + 0.25 * size, 0.75 * (y1 - y0) + 0.25 * size]) / 2 * scale
    half = half * np.array([aspect, 1 / aspect])
    return np.concatenate([centre - half, centre + half])


_EYE_SIDE = 0.3  # of the face box's width
_EYE_GRID = 0.015  # of the face box's width
# Standard deviation x, y of an eye's box about the eye within a dot, in widths of the face box;
# the movement of the head, read off the pictures, is taken out. Device upright, or on its side.
_EYE_SPREAD = {True: (0.0122, 0.0104), False: (0.018, 0.024)}
_EYES_ALIKE = (0.31, 0.57)  # correlation x, y of the errors of both eyes


def detect_eyes(lids: Floats, face: Floats, rng: np.random.Generator, *, upright: bool) -> Floats:
    """Return the square boxes (2, 4) px of two eyes with lid points (2, 6, 2) in a face box (4,).

    `upright` says how the device is held: on its side eyes are found less exactly.
    """
    corner, side = face[:2], face[2] - face[0]
    # rounding to the grid adds the variance of a uniform error
    spread = np.sqrt(np.square(_EYE_SPREAD[upright]) - _EYE_GRID**2 / 12)
    alike = np.array(_EYES_ALIKE)
    shared, own = rng.normal(0, 1, 2), rng.normal(0, 1, (2, 2))
    errors = spread * (np.sqrt(alike) * shared + np.sqrt(1 - alike) * own)
    middles = (lids.min(axis=1) + lids.max(axis=1)) / 2
    places = np.round(((middles - corner) / side + errors) / _EYE_GRID) * _EYE_GRID
    half = _EYE_SIDE / 2
    boxes: Floats = np.tile(corner, 2) + side * np.concatenate(
        [places - half, places + half], axis=1
    )
    return boxes
