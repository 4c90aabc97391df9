"""Constant pixel offsets between predictions and truth: the best fit, and slips with a name.

The best constant vector (dx, dy) is the one that, added to every predicted point, makes the NME
least::

    argmin_c Σ_i 1/d_i · mean_k ‖p_ik + c − g_ik‖

a weighted geometric median of offsets, found by Weiszfeld's iteration (convex, one minimum). It is
also fitted in units of the normaliser: an origin slip is the same number of pixels on every face, a
bias of cropping or decoding grows with the face.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from benchbox.metrics import landmarks

if TYPE_CHECKING:
    from benchbox.types import Floats

NAMED_SHIFTS = {
    1.0: "predictions count pixels from 0, the annotation files from 1",
    -1.0: "1 was added to predictions that counted from 1 already",
    0.5: "pixel centres at whole numbers against pixel corners at whole numbers",
    -0.5: "pixel corners at whole numbers against pixel centres at whole numbers",
}
_MAX_STEPS, _CONVERGED_PX = 200, 1e-7


@dataclass(frozen=True)
class Offset:
    """What a constant shift of all predicted points does to the error."""

    dx: float  # px, to be added to the predictions
    dy: float
    before: float  # NME in %
    after: float
    # the named shift (same on both axes) that takes away most, None where none helps
    named: float | None
    named_after: float | None
    relative: tuple[float, float]  # best shift in % of the normaliser
    relative_after: float

    @property
    def length(self) -> float:
        """Return the length of the shift in px."""
        return float(np.hypot(self.dx, self.dy))

    @property
    def grows(self) -> bool:
        """Tell whether a shift in proportion to the face explains more than one in pixels."""
        return self.relative_after < self.after


def fit_offset(truth: Floats, predictions: Floats, scale: Floats) -> Offset:
    """Fit the offset of predictions (N, K, 2) to the truth with normalisers (N,).

    NaN rows have no answer; the offset is that of the faces with every point marked, of all where
    there is none.
    """
    answered = np.isfinite(predictions).all(axis=(1, 2)) & np.isfinite(truth).all(axis=(1, 2))
    truth, predictions, scale = truth[answered], predictions[answered], scale[answered]
    points = truth.shape[1]
    offsets = (truth - predictions).reshape(-1, 2)
    weights = np.repeat(1 / scale, points)
    shift = geometric_median(offsets, weights)
    share = geometric_median(offsets * weights[:, None], np.ones(len(offsets)))
    before = nme_percent(truth, predictions, scale)
    named = {px: nme_percent(truth, predictions + px, scale) for px in NAMED_SHIFTS}
    best = min(named, key=lambda px: named[px])
    helps = named[best] < before
    return Offset(
        dx=float(shift[0]),
        dy=float(shift[1]),
        before=before,
        after=nme_percent(truth, predictions + shift, scale),
        named=best if helps else None,
        named_after=named[best] if helps else None,
        relative=(float(100 * share[0]), float(100 * share[1])),
        relative_after=nme_percent(truth, predictions + share * scale[:, None, None], scale),
    )


def geometric_median(offsets: Floats, weights: Floats) -> Floats:
    """Return the point (2,) with the least sum of distances to offsets (M, 2), weighted (M,)."""
    centre = np.average(offsets, axis=0, weights=weights)
    for _ in range(_MAX_STEPS):
        distance = np.hypot(offsets[:, 0] - centre[0], offsets[:, 1] - centre[1])
        pull = weights / np.maximum(distance, 1e-9)
        moved: Floats = (pull[:, None] * offsets).sum(axis=0) / pull.sum()
        if np.abs(moved - centre).max() < _CONVERGED_PX:
            return moved
        centre = moved
    return centre


def nme_percent(truth: Floats, predictions: Floats, scale: Floats) -> float:
    """Return the mean NME in %."""
    return float(100 * landmarks.nme(truth, predictions, scale).mean())
