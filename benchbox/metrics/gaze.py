"""Gaze errors: centimetres on the screen, degrees between directions, scatter of a stare.

Definition
----------
For frame i with truth g and prediction p::

    error_cm_i  = ‖p_i − g_i‖                          both (x, y) cm from the camera
    error_deg_i = atan2(|g_i × p_i|, g_i · p_i)        in degrees; vectors need not have unit length

    dot error of a sequence s (frames of one fixation) = ‖mean_s(p) − mean_s(g)‖
    MSD of a sequence s of M frames = √(1/M Σ_i ‖p_i − mean_s(p)‖²)

and of a set: `error_cm`, `error_deg` the mean over frames; `…_person` the mean over people of each
one's mean; `error_cm_dot`, `msd_cm` the mean over sequences. MSD is that of equations 10 to 12 of
the paper of TAT and DwO.

Conventions
-----------
Truth first. float64 throughout; `atan2` has no floor at small angles and no NaN at none, where
`arccos` has both. Angles are (pitch, yaw) in radians, read as (cos p sin y, sin p, cos p cos y);
the error is the same in every convention that both sides share. A frame without an answer (NaN) is
left out of its sequence. MSD divides by M (population), needs two answered frames or there is none,
looks at predictions only and therefore rewards a constant answer: read it beside the error. Where
the looked-at dot moves within a sequence, MSD counts the motion: give it fixations.

Known differences of other code, with sign and size
---------------------------------------------------
Angles: `PARITY_RULES`, for comparison only. Measured on the 45,000 eyes of MPIIGaze's evaluation
subset, each answered with the mean gaze of the other people (9.21° off on average), and on perfect
answers; rule minus exact.

=========  ============================================  ================  ======================
rule       what it does                                  mean-gaze answer  perfect answer
=========  ============================================  ================  ======================
eth_xgaze  arccos of the dot product, no clip            ± 0.00001°        0; 27 % NaN in float32
faze       arccos of it clipped at ± (1 - 1e-6)          ± 0.00001°        +0.081°
gazetr     arccos of it, at most 0.9999999               ± 0.00001°        +0.026°
mean_axis  (|Δpitch| + |Δyaw|)/2 in degrees              -3.27°            0
plane      √(Δpitch² + Δyaw²) in degrees, as on a plane  +0.08°            0
=========  ============================================  ================  ======================

1. *Order*: (yaw, pitch) read as (pitch, yaw) trains normally and shows as some 20° on ETH-XGaze
   (`gaze_convention_search`).
2. *Average*: leave-one-person-out sets print the mean of people's means, ETH-XGaze and Gaze360 the
   mean of frames; they are equal only where everybody has as many frames (MPIIGaze's subset: 3,000
   each).
3. *Dot error*: GazeCapture's paper prints both; averaging frames first can only help, since a mean
   of vectors is never longer than the mean of their lengths.
4. *MSD with 1/(M − 1)*: larger by √(M/(M − 1)): 0.2 % at 210 frames, 41 % at two.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from benchbox import geometry

if TYPE_CHECKING:
    import numpy.typing as npt

    from benchbox.types import Floats


def distance_cm(truth: Floats, predictions: Floats) -> Floats:
    """Return the distance (N,) cm of truth and predictions (N, 2) cm.

    Raises ValueError for other shapes.

    >>> distance_cm(np.array([[0.0, 0.0]]), np.array([[3.0, 4.0]]))
    array([5.])
    """
    _require_shapes(truth, predictions, 2)
    difference = np.subtract(truth, predictions, dtype=np.float64)
    return np.hypot(difference[:, 0], difference[:, 1])


def angular_error_deg(truth: Floats, predictions: Floats) -> Floats:
    """Return the angle (N,) in degrees between vectors (N, 3), any length.

    Raises ValueError for other shapes.

    A vector of length 0 has no direction: NaN.

    >>> straight = np.array([[0.0, 0.0, 1.0], [0.0, 0.0, 1.0]])
    >>> angular_error_deg(straight, np.array([[0.0, 0.0, 7.0], [2.0, 0.0, 2.0]])).round(12)
    array([ 0., 45.])
    """
    _require_shapes(truth, predictions, 3)
    a, b = np.asarray(truth, np.float64), np.asarray(predictions, np.float64)
    angles = np.degrees(np.arctan2(np.linalg.norm(np.cross(a, b), axis=1), (a * b).sum(axis=1)))
    found: Floats = np.where(a.any(axis=1) & b.any(axis=1), angles, np.nan)
    return found


def pitch_yaw_error_deg(truth_rad: Floats, predictions_rad: Floats) -> Floats:
    """Return the angle (N,) in degrees between directions given as (pitch, yaw) (N, 2) in radians.

    Raises ValueError for other shapes.

    Half a right angle of yaw:

    >>> pitch_yaw_error_deg(np.array([[0.0, 0.0]]), np.array([[0.0, np.pi / 4]])).round(12)
    array([45.])
    """
    _require_shapes(truth_rad, predictions_rad, 2)
    vectors = [
        geometry.angles_to_vectors(np.asarray(angles, np.float64))
        for angles in (truth_rad, predictions_rad)
    ]
    return angular_error_deg(vectors[0], vectors[1])


def sequence_means(values: Floats, codes: npt.NDArray[np.integer[Any]], count: int) -> Floats:
    """Return the mean (count, D) of values (N, D) by code (N,), below 0 none.

    NaN for a code without rows.

    A row with a NaN is left out.

    >>> values = np.array([[1.0, 0.0], [3.0, 2.0], [9.0, 9.0]])
    >>> sequence_means(values, np.array([0, 0, -1]), count=2)
    array([[ 2.,  1.],
           [nan, nan]])
    """
    known = (codes >= 0) & np.isfinite(values).all(axis=1)
    codes, values = codes[known], values[known]
    sizes = np.bincount(codes, minlength=count)[:, None]
    sums = np.stack(
        [np.bincount(codes, weights=column, minlength=count) for column in values.T], axis=1
    )
    found: Floats = np.divide(sums, sizes, out=np.full(sums.shape, np.nan), where=sizes > 0)
    return found


def dot_error_cm(
    truth: Floats, predictions: Floats, codes: npt.NDArray[np.integer[Any]], count: int
) -> Floats:
    """Return the distance (count,) cm of the mean prediction from the mean truth of each sequence.

    Both (N, 2) cm.

    Truth is averaged over the answered frames, as the prediction is.

    Two answers that are 1 cm off to either side of a dot make no dot error:

    >>> truth = np.zeros((2, 2))
    >>> dot_error_cm(truth, np.array([[1.0, 0.0], [-1.0, 0.0]]), np.array([0, 0]), count=1)
    array([0.])
    """
    _require_shapes(truth, predictions, 2)
    answered = np.where(np.isfinite(predictions).all(axis=1), codes, -1)
    return distance_cm(
        sequence_means(truth, answered, count), sequence_means(predictions, answered, count)
    )


def msd_per_sequence(
    predictions: Floats, codes: npt.NDArray[np.integer[Any]], count: int
) -> Floats:
    """Return the RMS distance (count,) of predictions (N, D) from the mean of their sequence.

    NaN for a sequence with fewer than two answered frames: one frame has no spread, and 0 would
    reward failing.

    >>> predictions = np.array([[1.0, 0.0], [-1.0, 0.0], [5.0, 5.0]])
    >>> msd_per_sequence(predictions, np.array([0, 0, 1]), count=2)
    array([ 1., nan])
    """
    off = predictions - sequence_means(predictions, codes, count)[codes]
    spread = np.sqrt(sequence_means((off**2).sum(axis=1, keepdims=True), codes, count)[:, 0])
    answered = (codes >= 0) & np.isfinite(predictions).all(axis=1)
    found: Floats = np.where(np.bincount(codes[answered], minlength=count) > 1, spread, np.nan)
    return found


# --- rules of other code --------------------------------------------------------------------------


@dataclass(frozen=True)
class ParityRule:
    """How some published code computes the error between directions."""

    used_by: str
    error: Callable[[Floats, Floats], Floats]  # vectors (N, 3) twice → degrees (N,)


def _clipped_arccos(limit: float) -> Callable[[Floats, Floats], Floats]:
    def error(truth: Floats, predictions: Floats) -> Floats:
        _require_shapes(truth, predictions, 3)
        a, b = np.asarray(truth, np.float64), np.asarray(predictions, np.float64)
        cosine = (a * b).sum(axis=1) / (np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1))
        found: Floats = np.degrees(np.arccos(np.clip(cosine, -1.0, limit)))
        return found

    return error


def _pitch_yaw_change_deg(truth: Floats, predictions: Floats) -> Floats:
    """Return |Δpitch| and |Δyaw| (N, 2) in degrees, yaw the short way round."""
    _require_shapes(truth, predictions, 3)
    change = geometry.vectors_to_angles(predictions) - geometry.vectors_to_angles(truth)
    found: Floats = np.abs(np.degrees((change + np.pi) % (2 * np.pi) - np.pi))
    return found


def mean_axis_deg(truth: Floats, predictions: Floats) -> Floats:
    """Return (|Δpitch| + |Δyaw|)/2 in degrees (N,): smaller than the angle, by a third or more.

    >>> straight = np.array([[0.0, 0.0, 1.0]])
    >>> mean_axis_deg(straight, np.array([[1.0, 0.0, 1.0]])).round(12)
    array([22.5])
    """
    found: Floats = _pitch_yaw_change_deg(truth, predictions).mean(axis=1)
    return found


def pitch_yaw_plane_deg(truth: Floats, predictions: Floats) -> Floats:
    """Return √(Δpitch² + Δyaw²) in degrees (N,).

    Larger than the angle away from the horizon, where yaw shrinks.
    """
    axes = _pitch_yaw_change_deg(truth, predictions)
    found: Floats = np.hypot(axes[:, 0], axes[:, 1])
    return found


PARITY_RULES: Mapping[str, ParityRule] = {
    "exact": ParityRule("benchbox", angular_error_deg),
    "eth_xgaze": ParityRule("ETH-XGaze, Gaze360 (arccos without a clip)", _clipped_arccos(1.0)),
    "faze": ParityRule(
        "FAZE, few_shot_gaze (arccos clipped at 1 - 1e-6)", _clipped_arccos(1 - 1e-6)
    ),
    "gazetr": ParityRule(
        "GazeTR, PureGaze (arccos of at most 0.9999999)", _clipped_arccos(0.9999999)
    ),
    "mean_axis": ParityRule("code that averages the errors of pitch and yaw", mean_axis_deg),
    "plane": ParityRule("code that measures in the plane of pitch and yaw", pitch_yaw_plane_deg),
}


def _require_shapes(truth: Floats, predictions: Floats, width: int) -> None:
    if truth.shape != predictions.shape or truth.ndim != 2 or truth.shape[1] != width:
        raise ValueError(
            f"truth {truth.shape} and predictions {predictions.shape} must both be (N, {width})"
        )
