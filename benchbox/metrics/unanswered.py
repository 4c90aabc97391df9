"""Items that a run leaves unanswered: which they are, and what a comparison counts them as.

Definition
----------
A mean is taken over answered items (`aggregate`), so whoever leaves out hard ones looks better. A
comparison of runs therefore also counts every unanswered item as **lost**, an error of::

    lost = max(LOST_ERRORS[unit], 2 · median over the runs of their largest error)

A point that is a whole normaliser away, a gaze that looks the other way: whatever was left out was
hardly worse. The second term lifts it where errors are that large. Twice, so that an unanswered
item weighs more than any gap between two answers: leaving one out lowers a run's lead and adds to
the scatter of its differences, hence never makes a lead more certain. The median, so that one run
of absurd errors does not decide what all others pay.

AUC and failure rate count unanswered items as failures anyway; nothing is unanswered under them.
An item that nobody answered, or that a metric does not know (a face without a visible point, a
frame outside every video), tells no two runs apart and is not counted as lost.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from .aggregate import Terms, metric_terms
from .metric_names import parse_metric

if TYPE_CHECKING:
    from benchbox.types import Bools

    from .aggregate import Rows

# what a lost item counts as at least, by the unit of the metric
LOST_ERRORS: Mapping[str, float] = {"%": 100.0, "deg": 180.0, "cm": 50.0, "px": 100.0}


def unanswered_items(name: str, tables: Sequence[Rows]) -> list[Bools]:
    """Return for each run the items (N,) that it failed and another run has an error for.

    `tables` are the error tables of runs on the same items.

    >>> one = {"error_cm": np.array([1.0, np.inf, np.inf]), "failed": np.array([False, True, True])}
    >>> two = {"error_cm": np.array([2.0, 3.0, np.inf]), "failed": np.array([False, False, True])}
    >>> unanswered_items("error_cm", [one, two])
    [array([False,  True, False]), array([False, False, False])]
    """
    metric = parse_metric(name)
    if metric.threshold is not None:
        return [np.zeros(len(rows[metric.column]), bool) for rows in tables]
    known = [np.isfinite(rows[metric.column]) for rows in tables]
    by_anyone = np.logical_or.reduce(known)
    unanswered = []
    for rows, own in zip(tables, known, strict=True):
        unanswered.append(_failed_rows(rows, metric.column) & by_anyone & ~own)
    return unanswered


def _failed_rows(rows: Rows, column: str) -> Bools:
    """Return which items (N,) a run has no answer to; tables without the flag have infinite errors.

    NaN alone would not say so: it stands where an error does not exist.
    """
    if "failed" in _column_names(rows):
        return np.asarray(rows["failed"], bool)
    return np.isposinf(rows[column])


def _column_names(rows: Rows) -> tuple[str, ...]:
    if isinstance(rows, np.ndarray):
        return rows.dtype.names or ()
    return tuple(rows)


def lost_error(name: str, tables: Sequence[Rows]) -> float:
    """Return what an unanswered item counts as among some runs, in the metric's unit.

    >>> lost_error("error_cm", [{"error_cm": np.array([1.0, 3.0, np.inf])}])
    50.0
    >>> lost_error("nme_inter_ocular", [{"nme_inter_ocular": np.array([0.02, 0.8])}])
    160.0
    """
    metric = parse_metric(name)
    in_unit = 100.0 if metric.unit == "%" else 1.0
    largest = []
    for rows in tables:
        errors = rows[metric.column]
        known = errors[np.isfinite(errors)]
        if len(known):
            largest.append(in_unit * float(known.max()))
    least = LOST_ERRORS[metric.unit]
    if not largest:
        return least
    return max(least, 2 * float(np.median(largest)))


def counted_terms(name: str, rows: Rows, unanswered: Bools, lost: float) -> Terms:
    """Return the terms of a metric with unanswered items (N,) counted as an error of `lost`.

    `lost` is in the metric's unit.

    >>> rows = {"error_cm": np.array([1.0, np.inf]), "failed": np.array([False, True])}
    >>> counted_terms("error_cm", rows, np.array([False, True]), lost=50.0).score
    25.5
    """
    if not unanswered.any():
        return metric_terms(name, rows)
    metric = parse_metric(name)
    in_unit = 100.0 if metric.unit == "%" else 1.0
    filled = {metric.column: np.where(unanswered, lost / in_unit, rows[metric.column])}
    for column in ("cluster", "sequence", "stratum"):  # what means of means are taken over
        if column in _column_names(rows):
            filled[column] = rows[column]
    return metric_terms(name, filled)


def counted_mean(mean: float, answered: int, unanswered: int, lost: float) -> float:
    """Return a mean of answered items with the unanswered ones counted as an error of `lost`.

    >>> counted_mean(4.0, answered=3, unanswered=1, lost=100.0)
    28.0
    """
    return (mean * answered + lost * unanswered) / (answered + unanswered)
