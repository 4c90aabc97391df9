"""From an error table and a metric's name to terms whose ratio of sums is the score.

The error table (`scoring.error_table`, `errors.npz`) holds one row per test item: an error per
convention, `failed`, `cluster` and, where there are videos or stares, `sequence`. Every number that
benchbox prints is Σ values / Σ counts of such rows, which is all that intervals (`bootstrap`),
paired tests (`paired_tests`) and ranks (`ranks`) need:

====================================  =============================================================
metric                                value and count of an item
====================================  =============================================================
`nme_<convention>`                    100 · e, 1 (%); a failed item, or one without a visible point,
                                      does not count
`auc_<T>_<convention>`                1 − min(e, T)/T, 1 (a fraction); a failed item is infinitely
                                      wrong
`fr_<T>_<convention>`                 100 · [e > T], 1 (%); a failed item counts as above T
`rmse_<convention>`                   as `nme`, of the root mean square over the points
`median_<convention>`                 100 · e, 1 for the middle item or the two middle ones, else
                                      0, 0: no mean, so without interval, test and ranks
`error_cm`, `error_deg`               e, 1
`error_cm_person`, `error_deg_person` e/n, 1/n with n answered items of the person: a mean of the
                                      persons' means
`nme_<convention>_balanced`           100 · e/n, 1/n with n answered items of the group (`stratum`):
                                      a mean of the groups' means
`error_…_uncalibrated_<k>`            the same over the frames that calibration leaves
`error_…_calibrated_<k>`              the same of errors after calibration (`calibration`); a person
                                      with too few frames does not count
`error_cm_dot`, `msd_cm`,             s/n, 1/n with s the value of the item's sequence and n its
`jitter_px`, `bias_px`                rows that have one: a mean of the sequences' values
====================================  =============================================================

Counts are taken among the rows that are given: choose the rows first (a group, what two methods
both answered), then ask for terms. Rows are a structured array or columns by name, which are faster
where many metrics read the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from . import curves
from .metric_names import Metric, parse_metric

if TYPE_CHECKING:
    from benchbox.types import Bools, Floats

    Rows = np.ndarray | Mapping[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class Terms:
    """One metric as values and counts per item; its score is Σ values / Σ counts."""

    name: str
    unit: str
    lower_is_better: bool
    values: Floats  # (N,) finite, in the metric's unit; 0 where the item does not count
    counts: Floats  # (N,) 0 where the item does not count

    @property
    def score(self) -> float | None:
        """Return the score, None where no item counts.

        >>> rows = {"error_cm": np.array([1.0, 3.0, np.inf])}
        >>> metric_terms("error_cm", rows).score
        2.0
        """
        # all count, the usual case
        if len(self.counts) and self.counts.min() == 1 == self.counts.max():
            return float(self.values.mean())
        inside = self.counts > 0
        if not inside.any():
            return None
        if (self.counts[inside] == 1).all():  # a plain mean keeps its own rounding
            return float(self.values[inside].mean())
        return float(self.values.sum()) / float(self.counts.sum())


def metric_terms(name: str, rows: Rows) -> Terms:
    """Return the terms of a metric over rows (N,) of an error table.

    Raises KeyError for a metric that the table has no column for, ValueError for a name that is no
    metric.

    Three faces with errors of 2 %, 10 % and no answer. The NME leaves the third one out; AUC and
    failure rate count it as infinitely wrong:

    >>> rows = {"nme_inter_ocular": np.array([0.02, 0.10, np.inf])}
    >>> metric_terms("nme_inter_ocular", rows).values
    array([ 2., 10.,  0.])
    >>> metric_terms("nme_inter_ocular", rows).score
    6.0
    >>> metric_terms("auc_0.08_inter_ocular", rows).values
    array([0.75, 0.  , 0.  ])
    >>> metric_terms("auc_0.08_inter_ocular", rows).score
    0.25
    >>> metric_terms("fr_0.08_inter_ocular", rows).counts
    array([1., 1., 1.])

    A mean of persons: 1 cm and 3 cm of the first person, 6 cm of the second one, (2 + 6) / 2:

    >>> rows = {"error_cm": np.array([1.0, 3.0, 6.0]), "cluster": np.array([0, 0, 1])}
    >>> metric_terms("error_cm_person", rows).counts
    array([0.5, 0.5, 1. ])
    >>> metric_terms("error_cm_person", rows).score
    4.0

    A long video counts as much as a short one:

    >>> rows = {"bias_px": np.array([2.0, 2.0, 2.0, 4.0]), "sequence": np.array([0, 0, 0, 1])}
    >>> round(metric_terms("bias_px", rows).score, 12)
    3.0
    """
    metric = parse_metric(name)
    values, counts = _values_and_counts(metric, rows)
    counts = np.asarray(counts, np.float64)
    if not len(counts) or counts.min() <= 0:
        values = np.where(counts > 0, values, 0.0)
    return Terms(name, metric.unit, metric.lower_is_better, values, counts)


def counted_rows(name: str, rows: Rows) -> Bools:
    """Return the rows (N,) that count for a metric: for a mean, those with an answer.

    For AUC and FR, all. Raises as `metric_terms`.

    >>> rows = {"nme_inter_ocular": np.array([0.02, 0.10, np.inf])}
    >>> counted_rows("nme_inter_ocular", rows), counted_rows("fr_0.08_inter_ocular", rows)
    (array([ True,  True, False]), array([ True,  True,  True]))
    """
    _, counts = _values_and_counts(parse_metric(name), rows)
    counted: Bools = np.asarray(counts).astype(bool)
    return counted


def _values_and_counts(metric: Metric, rows: Rows) -> tuple[Floats, Floats | Bools]:
    if metric.per_sequence:
        return _mean_of_means(rows[metric.column], rows["sequence"])
    errors = rows[metric.column]
    if metric.averaged_by == "person" or metric.shots:
        return _mean_of_means(errors, rows["cluster"])
    if metric.averaged_by == "balanced":
        return _mean_of_means(100 * errors, rows["stratum"])
    if metric.threshold is not None:
        return _curve_terms(metric.measure, errors, metric.threshold), np.ones(len(errors))
    known = np.isfinite(errors)
    if metric.measure == "median":
        known = _middle_items(errors, known)
    if metric.unit != "%":
        return np.nan_to_num(errors, posinf=0.0), known
    if not known.all():
        errors = np.where(known, errors, 0.0)
    return 100 * errors, known


def _middle_items(errors: Floats, known: Bools) -> Bools:
    """Mark the item with the middle error, or the two in the middle, of those with an answer."""
    middle = np.zeros(len(errors), bool)
    rows = np.flatnonzero(known)
    order = rows[np.argsort(errors[rows], kind="stable")]
    middle[order[(len(rows) - 1) // 2 : len(rows) // 2 + 1]] = True
    return middle


def _curve_terms(measure: str, errors: Floats, threshold: float) -> Floats:
    if measure == "fr":
        return np.where(errors > threshold, 100.0, 0.0)
    if not len(errors):
        return np.empty(0)
    return curves.auc_terms(errors, threshold)


def _mean_of_means(values: Floats, codes: np.ndarray) -> tuple[Floats, Floats]:
    """Let the rows of one code (person, sequence; below 0: none) share one count."""
    known = np.isfinite(values) & (codes >= 0)
    sizes = np.bincount(codes[known], minlength=1)
    counts = np.zeros(len(values))
    counts[known] = 1 / sizes[codes[known]]
    return np.where(known, values, 0.0) * counts, counts
