"""k-shot calibration of gaze: what an offset from k frames of a person leaves.

Definition
----------
For person s, a draw c of k frames, and the other frames i::

    offset_c   = mean over c of (truth - prediction)        pitch and yaw, or x and y in cm
    error_ci   = error of (prediction_i + offset_c)         as `gaze` measures it
    error_i    = mean of error_ci over the draws that leave i out

and of a set the mean over people of each one's mean over frames.

Conventions
-----------
Stored predictions are enough. The k frames are of k different dots (sequences), and no frame of a
drawn dot is scored in that draw: frames of one dot are one point. Where items are in no sequence,
each is a dot. All subsets are taken where dots have one frame each and there are at most
`MOST_SUBSETS`; else `DRAWS` draws, seeded by the person's name. People with fewer than 2 k dots
with an answer are left out: half of what a person has must remain to be scored. The offset is in
the frame of labels and predictions (pitch and yaw of a normalised set are not those of the camera),
yaw the short way round. A failed item neither calibrates nor counts. `error_…_uncalibrated_<k>` is
the error of the same frames in the same draws without the offset: calibration dots lie at the edge
of a screen, so what remains is easier, and of people left out `error_deg_person` knows.

Known differences of other code
-------------------------------
1. *Calibration frames that are scored*: pack p02 of the shared samples, first 3 frames: 2.48° for
   2.57°. A network that is fitted to them answers them from memory.
2. *The first k frames* (one sitting) for random ones: p02, k = 1: 3.59° for 3.19°.
3. FAZE and pperle/gaze-tracking score the last 500 frames of a person, the same for every k.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from itertools import combinations
from math import comb
from typing import TYPE_CHECKING

import numpy as np

from benchbox.geometry import angles_to_vectors, vectors_to_angles

from . import gaze

if TYPE_CHECKING:
    from benchbox.types import Bools, Floats, Strings

MOST_SUBSETS = 5000
DRAWS = 100


def calibrated_errors(
    truth: Floats,
    predictions: Floats,
    people: Strings,
    dots: Strings | None,
    answered: Bools,
    shots: int,
    *,
    plain: bool = False,
) -> Floats:
    """Return the error (N,) of each item after calibration on `shots` frames of its person.

    With `plain`, of the same frames in the same draws without the offset: what it is held against.

    Truth and predictions are (N, 2) cm or (N, 3) directions; `dots` (N,) names sequences, "" none.
    NaN for people who have too few dots, infinite for an item without an answer.

    A constant error is gone once one frame has shown it:

    >>> truth = np.array([[0.0, 0.0], [1.0, 0.0], [2.0, 0.0]])
    >>> everybody, all_rows = np.array(["a", "a", "a"]), np.ones(3, bool)
    >>> calibrated_errors(truth, truth + 1, everybody, None, all_rows, shots=1)
    array([0., 0., 0.])
    """
    errors = np.full(len(truth), np.nan)
    plane, measure = _plane_of(truth, predictions)
    for name in np.unique(people):
        rows = np.flatnonzero((people == name) & answered)
        codes = _dot_codes(rows, dots)
        if len(np.unique(codes)) < 2 * shots:
            continue
        chosen = _draw_frames(codes, shots, str(name))
        offsets = plane[rows][chosen].mean(axis=1)
        if plain:
            offsets = np.zeros_like(offsets)
        scored = _scored_frames(codes, chosen)
        totals = np.zeros(len(rows))
        for offset, inside in zip(offsets, scored, strict=True):
            totals[inside] += measure(rows[inside], offset)
        counts = scored.sum(axis=0)
        errors[rows] = np.divide(totals, counts, out=np.full(len(rows), np.nan), where=counts > 0)
    return np.where(answered, errors, np.inf)


def people_left_out(
    people: Strings, dots: Strings | None, answered: Bools, shots: int
) -> list[str]:
    """Name the people who have too few dots for so many calibration frames.

    >>> people = np.array(["a", "a", "b"])
    >>> people_left_out(people, None, np.ones(3, bool), shots=1)
    ['b']
    """
    names = []
    for name in np.unique(people):
        rows = np.flatnonzero((people == name) & answered)
        if len(np.unique(_dot_codes(rows, dots))) < 2 * shots:
            names.append(str(name))
    return names


def _plane_of(
    truth: Floats, predictions: Floats
) -> tuple[Floats, Callable[[np.ndarray, Floats], Floats]]:
    """Return truth - prediction (N, 2), and what measures some rows after an offset (2,)."""
    if truth.shape[1] == 2:

        def measure_cm(rows: np.ndarray, offset: Floats) -> Floats:
            return gaze.distance_cm(truth[rows], predictions[rows] + offset)

        return truth - predictions, measure_cm
    given = vectors_to_angles(predictions)
    difference = vectors_to_angles(truth) - given
    difference[:, 1] = (difference[:, 1] + np.pi) % (2 * np.pi) - np.pi

    def measure_deg(rows: np.ndarray, offset: Floats) -> Floats:
        return gaze.angular_error_deg(truth[rows], angles_to_vectors(given[rows] + offset))

    return difference, measure_deg


def _dot_codes(rows: np.ndarray, dots: Strings | None) -> np.ndarray:
    """Return the number of the dot of each of some rows; a row in none is one of its own."""
    if dots is None:
        return np.arange(len(rows))
    names = []
    for row in rows:
        names.append(str(dots[row]) or f"\0{row}")
    return np.unique(np.array(names, np.str_), return_inverse=True)[1]


def _draw_frames(codes: np.ndarray, shots: int, name: str) -> np.ndarray:
    """Return draws (R, shots) of frames, each of another dot."""
    count = len(np.unique(codes))
    if count == len(codes) and comb(count, shots) <= MOST_SUBSETS:
        return np.array(list(combinations(range(count), shots)), np.intp)
    seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big")
    random = np.random.default_rng(seed)
    frames_of = [np.flatnonzero(codes == code) for code in range(count)]
    draws = np.empty((DRAWS, shots), np.intp)
    for draw in range(DRAWS):
        for place, code in enumerate(random.permutation(count)[:shots]):
            draws[draw, place] = random.choice(frames_of[code])
    return draws


def _scored_frames(codes: np.ndarray, draws: np.ndarray) -> Bools:
    """Mark (R, n) the frames of dots that a draw has not touched."""
    touched = np.zeros((len(draws), int(codes.max()) + 1), bool)
    touched[np.arange(len(draws))[:, None], codes[draws]] = True
    return np.asarray(~touched[:, codes])
