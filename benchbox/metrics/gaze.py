"""Gaze errors: centimetres on the screen's plane, degrees between directions, spread while a person stares.

Definition
----------
For frame i with truth g and prediction p::

    error_cm_i  = ‖p_i − g_i‖                          both (x, y) cm from the camera
    error_deg_i = atan2(|g_i × p_i|, g_i · p_i)        in degrees; vectors need not have unit length

    MSD of a sequence s of M frames = √(1/M Σ_i ‖p_i − mean_s(p)‖²); of a set: the mean over its sequences.

Conventions
-----------
Truth first. float64 throughout; `atan2` has no floor at small angles, where `arccos` of a clipped dot product has one.
MSD divides by M (population), looks at predictions only and therefore rewards a constant answer: read it beside the
error. A frame without an answer (NaN) is left out of its sequence.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from benchbox.types import Floats


def distance_cm(truth: Floats, predictions: Floats) -> Floats:
    """Return the distance (N,) cm of truth and predictions (N, 2) cm; raises ValueError for other shapes."""
    _require(truth, predictions, 2)
    difference = np.subtract(truth, predictions, dtype=np.float64)
    distance: Floats = np.hypot(difference[:, 0], difference[:, 1])
    return distance


def angle_deg(truth: Floats, predictions: Floats) -> Floats:
    """Return the angle (N,) in degrees between vectors (N, 3), any length; raises ValueError for other shapes."""
    _require(truth, predictions, 3)
    a, b = np.asarray(truth, np.float64), np.asarray(predictions, np.float64)
    angle: Floats = np.degrees(np.arctan2(np.linalg.norm(np.cross(a, b), axis=1), (a * b).sum(axis=1)))
    return angle


def means(values: Floats, codes: npt.NDArray[np.intp], count: int) -> Floats:
    """Return the mean (count, D) of values (N, D) by code (N,) in 0 … count - 1; NaN for a code without rows."""
    sizes = np.bincount(codes, minlength=count)[:, None]
    sums = np.stack([np.bincount(codes, weights=column, minlength=count) for column in values.T], axis=1)
    averages: Floats = np.divide(sums, sizes, out=np.full(sums.shape, np.nan), where=sizes > 0)
    return averages


def msd(predictions: Floats, codes: npt.NDArray[np.intp], count: int) -> Floats:
    """Return the root mean square distance (count,) of predictions (N, D) from the mean of their sequence (N,)."""
    off = predictions - means(predictions, codes, count)[codes]
    spread: Floats = np.sqrt(means((off**2).sum(axis=1, keepdims=True), codes, count)[:, 0])
    return spread


def _require(truth: Floats, predictions: Floats, width: int) -> None:
    if truth.shape != predictions.shape or truth.ndim != 2 or truth.shape[1] != width:
        raise ValueError(f"truth {truth.shape} and predictions {predictions.shape} must both be (N, {width})")
