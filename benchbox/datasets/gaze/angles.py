"""Directions of gaze as datasets write them, to the one convention of benchbox, once.

A direction is the unit vector (cos p sin y, sin p, cos p cos y) of pitch p and yaw y in radians
(`geometry.angles_to_vectors`). It points from the target towards the eye: the gaze of a camera
frame (x right, y down, z away from the camera) with every sign turned, p = asin(-y), y = atan2(-x,
-z), as ETH-XGaze and MPIIGaze count them.

Order, sign and unit of two numbers cannot be read off a file, so the readers hold them against what
must be true of the recording, and refuse a copy that cannot be right:

* pitch lies within ±90°, yaw within ±180°: larger numbers are degrees;
* gaze follows the head: over many people yaw and the head's yaw go together. Of MPIIGaze's fifteen
  people 13 show it, so this is a finding of `verify` about all of them and no reason to refuse one
  (not asked of MPIIFaceGaze, where it was never measured);
* who looks at a laptop's screen looks below its camera: pitch is negative on average, and by more
  than yaw is off 0. Over the fifteen people of MPIIGaze the mean pitch is -0.12 … -0.18 rad and the
  mean yaw within ±0.01 rad.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from benchbox.errors import DataError
from benchbox.geometry import angles_to_vectors, vectors_to_angles
from benchbox.types import Finding

if TYPE_CHECKING:
    from benchbox.types import Floats, Strings

_TOLERANCE_RAD = 1e-6
_MIN_PEOPLE = 10


def gaze_vectors(pitch_yaw_rad: Floats, where: str) -> Floats:
    """Turn (pitch, yaw) (N, 2) into unit vectors (N, 3).

    Raises DataError for what cannot be radians.

    >>> gaze_vectors(np.array([[0.0, 0.0], [-0.5, 0.0]]), "p00.mat").round(3).tolist()
    [[0.0, 0.0, 1.0], [0.0, -0.479, 0.878]]
    >>> gaze_vectors(np.array([[-12.0, 3.0]]), "p00.mat")
    Traceback (most recent call last):
    benchbox.errors.DataError: p00.mat: row 0: pitch -12, yaw 3 are no radians ...
    """
    angles = np.asarray(pitch_yaw_rad, np.float64)
    off = ~(np.abs(angles) <= np.array([np.pi / 2, np.pi]) + _TOLERANCE_RAD).all(axis=1)  # also NaN
    if off.any():
        row = int(np.argmax(off))
        pitch, yaw = angles[row]
        raise DataError(
            f"{where}: row {row}: pitch {pitch:.4g}, yaw {yaw:.4g} are no radians "
            f"(pitch within ±1.571, yaw within ±3.142); {int(off.sum())} rows like it: "
            "degrees, a swapped order or a damaged file"
        )
    return angles_to_vectors(angles)


def check_below_camera(pitch_yaw_rad: Floats, where: str) -> None:
    """Raise DataError unless (pitch, yaw) (N, 2) can be gaze at a screen below its camera."""
    pitch, yaw = np.asarray(pitch_yaw_rad, np.float64).mean(axis=0).tolist()
    if pitch < 0 and abs(pitch) >= abs(yaw):
        return
    if abs(yaw) > abs(pitch):
        fault = "the columns look swapped: (yaw, pitch) where (pitch, yaw) belongs, or the reverse"
    else:
        fault = "the sign of pitch looks turned"
    raise DataError(
        f"{where}: mean pitch {pitch:+.3f} rad, mean yaw {yaw:+.3f} rad: people look at a screen "
        f"below the camera, so pitch is negative on average and yaw about 0; {fault}, "
        "this copy was converted"
    )


def compare_head_yaw(values: Floats, head_rad: Floats, people: Strings) -> list[Finding]:
    """Say whether yaw goes with the head's yaw.

    Takes vectors (N, 3), head pitch and yaw (N, 2) and person (N,).
    """
    names = np.unique(people)
    if len(names) < _MIN_PEOPLE:
        return []
    yaw = vectors_to_angles(values)[:, 1]
    correlations = []
    for name in names:
        rows = people == name
        correlations.append(measure_correlation(yaw[rows], head_rad[rows, 1]))
    mean = np.mean(correlations)
    measured = f"correlation {mean:.2f} on average of {len(names)} people"
    if mean > 0:
        return [Finding("ok", f"yaw goes with the head's yaw, {measured}")]
    what = f"yaw goes against the head's yaw, {measured}"
    return [
        Finding("wrong", f"{what}: the sign of one of them looks turned, this copy was converted")
    ]


def head_faults(values: Floats, head_rad: Floats, people: Strings) -> tuple[str, ...]:
    """Return what `compare_head_yaw` finds wrong, in words."""
    findings = compare_head_yaw(values, head_rad, people)
    return tuple(finding.what for finding in findings if finding.level == "wrong")


def measure_correlation(a: Floats, b: Floats) -> float:
    """Return Pearson's correlation of two columns (N,); 0 where one does not vary.

    >>> round(measure_correlation(np.array([1.0, 2, 3]), np.array([2.0, 4, 7])), 3)
    0.993
    """
    scale = float(a.std() * b.std())
    if not scale:
        return 0.0
    return float(((a - a.mean()) * (b - b.mean())).mean()) / scale
