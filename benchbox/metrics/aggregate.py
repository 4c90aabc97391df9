"""From a table of errors and a metric's name to terms whose ratio of sums is the score, over any items or resample.

`errors.npy` holds one row per test item: an error per convention, `failed`, `cluster` and, where
there are videos or stares, `sequence`. Every number that benchbox prints is Σ values / Σ counts of
such rows, which is all that intervals (`stats`), paired tests (`pairs`) and ranks (`ranks`) need:

====================================  ==================================================================================
metric                                value and count of an item
====================================  ==================================================================================
`nme_<convention>`                    100 · e, 1 (%); a failed item, or one without a visible point, does not count
`auc_<T>_<convention>`                1 − min(e, T)/T, 1 (a fraction); a failed item is infinitely wrong
`fr_<T>_<convention>`                 100 · [e > T], 1 (%); a failed item counts as above T
`error_cm`, `error_deg`               e, 1
`error_cm_person`, `error_deg_person` e/n, 1/n with n answered items of the person: a mean of the persons' means
`error_cm_dot`, `msd_cm`,             s/n, 1/n with s the value of the item's sequence and n its rows that have one: a
`jitter_px`, `bias_px`                mean of the sequences' values
====================================  ==================================================================================

Counts are taken among the rows that are given: choose the rows first (a group, what two methods both answered), then
ask for terms. Rows are a structured array or columns by name, which are faster where many metrics read the same.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from . import curves

if TYPE_CHECKING:
    from benchbox.types import Bools, Floats

    Rows = np.ndarray | Mapping[str, np.ndarray]

BY_PERSON = "_person"
BY_SEQUENCE = ("error_cm_dot", "msd_cm", "jitter_px", "bias_px")
_LANDMARKS = re.compile(r"(nme|auc|fr)(?:_(\d+(?:\.\d+)?(?:e-\d+)?))?_([a-z]\w*)")


@dataclass(frozen=True, eq=False)
class Terms:
    """One metric as values and counts per item; its score is Σ values / Σ counts."""

    name: str
    unit: str
    falls: bool  # smaller is better
    values: Floats  # (N,) finite, in the metric's unit; 0 where the item does not count
    counts: Floats  # (N,) 0 where the item does not count

    @property
    def score(self) -> float | None:
        """Return the score, None where no item counts."""
        # all count, the usual case
        if len(self.counts) and self.counts.min() == 1 == self.counts.max():
            return float(self.values.mean())
        inside = self.counts > 0
        if not inside.any():
            return None
        if (self.counts[inside] == 1).all():  # a plain mean keeps its own rounding
            return float(self.values[inside].mean())
        return float(self.values.sum()) / float(self.counts.sum())


def metric_unit(metric: str) -> str:
    """Return a metric's unit as scores carry it: %, 1 for a fraction, cm, deg, px.

    Raises KeyError if unknown.
    """
    measure = metric.partition("_")[0]
    if measure in ("nme", "fr", "auc"):
        return "1" if measure == "auc" else "%"
    for name in ("cm", "deg", "px"):
        if f"_{name}" in metric:
            return name
    raise KeyError(metric)


def is_lower_better(metric: str) -> bool:
    """Tell whether smaller is better."""
    return not metric.startswith("auc_")


def metric_terms(metric: str, rows: Rows) -> Terms:
    """Return the terms of a metric over rows (N,) of a table of errors.

    Raises KeyError for a metric that the table has no column for.
    """
    values, counts = _values_and_counts(metric, rows)
    counts = np.asarray(counts, np.float64)
    kept = values if len(counts) and counts.min() > 0 else np.where(counts > 0, values, 0.0)
    return Terms(metric, metric_unit(metric), is_lower_better(metric), kept, counts)


def counted_rows(metric: str, rows: Rows) -> Bools:
    """Return the rows (N,) that count for a metric: for a mean, those with an answer.

    For AUC and FR, all.
    """
    counts: Bools = np.asarray(_values_and_counts(metric, rows)[1]).astype(bool)
    return counts


def _values_and_counts(metric: str, rows: Rows) -> tuple[Floats, Floats | Bools]:
    if match := _LANDMARKS.fullmatch(metric):
        measure, threshold, convention = match.groups()
        errors = rows[f"nme_{convention}"]
        if measure == "nme":
            known = np.isfinite(errors)
            return 100 * (errors if known.all() else np.where(known, errors, 0.0)), known
        if measure == "auc":
            shares = curves.auc_terms(errors, float(threshold)) if len(errors) else np.empty(0)
            return shares, np.ones(len(errors))
        return np.where(errors > float(threshold), 100.0, 0.0), np.ones(len(errors))
    if metric in BY_SEQUENCE:
        return _mean_of_means(rows[metric], rows["sequence"])
    if metric.endswith(BY_PERSON):
        return _mean_of_means(rows[metric.removesuffix(BY_PERSON)], rows["cluster"])
    return np.nan_to_num(rows[metric], posinf=0.0), np.isfinite(rows[metric])


def _mean_of_means(values: Floats, codes: np.ndarray) -> tuple[Floats, Floats]:
    """Let the rows of one code (person, sequence; below 0: none) share one count."""
    known = np.isfinite(values) & (codes >= 0)
    sizes = np.bincount(codes[known], minlength=1)
    counts = np.zeros(len(values))
    counts[known] = 1 / sizes[codes[known]]
    return np.where(known, values, 0.0) * counts, counts
