"""What a face detector would say.

The tight box of the landmarks with errors of place, size and aspect.

The spread is set to what the official 300-W detector boxes show against tight ones: a mean overlap
(IoU) near 0.87, now and then far less.
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
