"""Landmarks in video: jitter, the trembling between frames, and bias, the constant error.

Definition
----------
With o_t = p_t − g_t the offset (K, 2) of the predicted from the true points of frame t of one
sequence::

    jitter = mean over consecutive frames t−1, t and points of ‖o_t − o_(t−1)‖        px per frame
    bias   = mean over points of ‖mean_t o_t‖                                          px

and of a set: the mean over its sequences, so that a long video counts as much as a short one. The
true motion cancels in jitter, so a still face and a moving one are measured alike. A method that is
off by the same vector in every frame has bias and no jitter; one that trembles about the truth has
jitter and no bias; NME sees only their sum.

Conventions
-----------
Truth first; (N, K, 2) in the same frame, pixels; float64. Rows of one sequence are in time order,
other rows may stand between them. **Consecutive frames only**: two neighbouring rows of a sequence
make a pair when both have an answer and, where frame numbers are given, these differ by one. A gap,
or a frame without an answer, ends a stretch: a difference across it would count motion as
trembling. A sequence without a pair has no jitter (NaN), one without an answer no bias.

Known differences of other code
-------------------------------
Papers on video landmarks rarely print a temporal measure. Where they do, most take ‖p_t − p_(t−1)‖
of the predictions alone: that counts the face's own motion, and a tracker that lags or freezes
wins. Differences over pixels of a resized crop rather than of the picture scale with the crop.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from benchbox.types import Floats

CHUNK_FRAMES = 4096  # frames at a time: memory does not grow with the set


def jitter_px(
    truth: Floats,
    predictions: Floats,
    codes: npt.NDArray[np.integer[Any]],
    count: int,
    frames: npt.NDArray[np.integer[Any]] | None = None,
) -> Floats:
    """Return the jitter (count,) px of each sequence of truth and predictions (N, K, 2).

    `codes` (N,) in 0 … count - 1 name the sequence of a row, below 0 none. A row of NaN is no
    answer. Raises ValueError for shapes that do not fit and for frame numbers that do not rise
    within a sequence.

    Offsets of 0, 3 and 3 px along x: one move of 3 px and one of none:

    >>> truth = np.zeros((3, 1, 2))
    >>> predictions = np.array([[[0.0, 0.0]], [[3.0, 0.0]], [[3.0, 0.0]]])
    >>> jitter_px(truth, predictions, np.array([0, 0, 0]), count=1)
    array([1.5])
    >>> jitter_px(truth, predictions, np.array([0, 0, 0]), count=1, frames=np.array([1, 2, 4]))
    array([3.])
    """
    _require_shapes(truth, predictions, codes)
    order = np.argsort(codes, kind="stable")
    first, second = order[:-1], order[1:]
    together = (codes[first] == codes[second]) & (codes[first] >= 0)
    if frames is not None:
        steps = np.subtract(frames[second], frames[first], dtype=np.int64)
        if (together & (steps <= 0)).any():
            row = int(second[np.argmax(together & (steps <= 0))])
            raise ValueError(f"row {row}: its frame number does not rise within the sequence")
        together &= steps == 1
    first, second = first[together], second[together]
    moves = np.empty(len(first))
    for start in range(0, len(first), CHUNK_FRAMES):
        a, b = first[start : start + CHUNK_FRAMES], second[start : start + CHUNK_FRAMES]
        change = _offsets(truth, predictions, b) - _offsets(truth, predictions, a)
        moves[start : start + CHUNK_FRAMES] = np.hypot(change[..., 0], change[..., 1]).mean(axis=1)
    known = np.isfinite(moves)
    return _mean_by_sequence(moves[known], codes[first][known], count)


def bias_px(
    truth: Floats, predictions: Floats, codes: npt.NDArray[np.integer[Any]], count: int
) -> Floats:
    """Return the bias (count,) px of each sequence; arguments and errors as `jitter_px`.

    The same offsets lean by 2 px:

    >>> truth = np.zeros((3, 1, 2))
    >>> predictions = np.array([[[0.0, 0.0]], [[3.0, 0.0]], [[3.0, 0.0]]])
    >>> bias_px(truth, predictions, np.array([0, 0, 0]), count=1)
    array([2.])
    """
    _require_shapes(truth, predictions, codes)
    sums, sizes = np.zeros((count, *truth.shape[1:])), np.zeros(count)
    rows = np.flatnonzero(codes >= 0)
    for start in range(0, len(rows), CHUNK_FRAMES):
        here = rows[start : start + CHUNK_FRAMES]
        offsets = _offsets(truth, predictions, here)
        known = np.isfinite(offsets.reshape(len(here), -1)).all(axis=1)
        np.add.at(sums, codes[here][known], offsets[known])
        sizes += np.bincount(codes[here][known], minlength=count)
    with np.errstate(invalid="ignore"):
        centre = sums / sizes[:, None, None]
    bias: Floats = np.hypot(centre[..., 0], centre[..., 1]).mean(axis=1)
    return bias


def _offsets(truth: Floats, predictions: Floats, rows: npt.NDArray[np.intp]) -> Floats:
    return np.subtract(predictions[rows], truth[rows], dtype=np.float64)


def _mean_by_sequence(values: Floats, codes: npt.NDArray[np.integer[Any]], count: int) -> Floats:
    sizes = np.bincount(codes, minlength=count)
    sums = np.bincount(codes, weights=values, minlength=count)
    found: Floats = np.divide(sums, sizes, out=np.full(count, np.nan), where=sizes > 0)
    return found


def _require_shapes(truth: Floats, predictions: Floats, codes: npt.NDArray[Any]) -> None:
    if (
        truth.ndim != 3
        or truth.shape[-1] != 2
        or truth.shape != predictions.shape
        or codes.shape != truth.shape[:1]
    ):
        raise ValueError(
            f"truth {truth.shape} and predictions {predictions.shape} must both be (N, K, 2), "
            f"codes {codes.shape} (N,)"
        )
