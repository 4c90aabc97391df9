"""From predictions to scores: pure, the same bits every time, and all that a published number goes through.

`score` matches rows by id, computes the errors of every item, and summarises every group of the
protocol, each number with a cluster-bootstrap interval. Landmarks: one error per face, normaliser
and point set; mean (NME), area under the curve (AUC), failure rate (FR). Gaze: the distance in cm
or the angle in degrees, per frame, per dot or per person, and the spread of stares (MSD). A failed
item is an infinite error in FR, AUC and curves and is left out of means, beside which it is
counted. Metric definitions and their differences from other code: `benchbox.metrics`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from benchbox.errors import ResultError
from benchbox.metrics import aggregate, bootstrap
from benchbox.types import Score, Scores

from . import error_table

if TYPE_CHECKING:
    from benchbox.types import Floats, Predictions, Protocol, RunKind, Truth

SCORER = 1  # raise when the same predictions would get another number
_SEED = 0  # of the bootstrap: fixed, so that scoring again gives the same bytes
_DIGITS = 10  # decimals in JSON: below any meaning, above the last-bit differences between machines


def score_predictions(protocol: Protocol, truth: Truth, predictions: Predictions) -> Scores:
    """Score predictions (any row order) against the truth under a protocol.

    Raises what `items.table` raises for a card, truth or predictions that do not fit together.
    """
    rows = error_table.build_error_table(protocol, truth, predictions)
    columns = {
        name: np.ascontiguousarray(rows[name])
        for name in rows.dtype.names or ()
        if rows[name].dtype != bool
    }
    found, totals = {}, {}
    for group, inside in truth.groups.items():
        found[group], totals[group] = _group_scores(protocol, _columns_of_group(columns, inside))
    resampled = bootstrap.resample_tables(
        list(totals.values()), resamples=protocol.resamples, seed=_SEED
    )
    return Scores(
        groups={
            group: _add_intervals(found[group], scores, protocol.interval)
            for group, scores in zip(found, resampled, strict=True)
        },
        count=len(rows),
        failed=int(rows["failed"].sum()),
        errors=rows,
        scorer=SCORER,
    )


def score_points(protocol: Protocol, truth: Truth, predictions: Predictions) -> np.ndarray | None:
    """Return the statistics of each landmark per group, None where there are none.

    See `metrics.per_point`.
    """
    return error_table.build_point_table(protocol, truth, predictions)


def scores_to_json(
    scores: Scores,
    *,
    protocol: Protocol,
    data: Mapping[str, Any],
    method: str,
    variant: str | None,
    kind: RunKind,
) -> dict[str, Any]:
    """Return the document of `scores.json` and `benchbox score --json`: plain values, no NaN, no infinity.

    `data` needs the keys `variant` and `fingerprint`. `low` and `high` are there where an interval
    was computed; a score that no face counts for has the value None.
    """
    return {
        "schema": 1,
        "protocol": protocol.name,
        "card": protocol.card,
        "data": {"variant": data["variant"], "fingerprint": data["fingerprint"]},
        "method": method,
        "variant": variant,
        "kind": kind,
        "scorer": scores.scorer,
        "n": scores.count,
        "failed": scores.failed,
        "scores": {
            group: {name: _score_json(value) for name, value in metrics.items()}
            for group, metrics in scores.groups.items()
        },
    }


def list_metrics(protocol: Protocol) -> list[str]:
    """Name every metric of a protocol, in the order in which each group reports them."""
    names = []
    for error, _, _ in error_table.error_conventions(protocol):
        names += [f"nme_{error}", *([f"nme_{error}_visible"] if protocol.masked else [])]
        names += [f"auc_{format_threshold(t)}_{error}" for t in protocol.auc]
        names += [f"fr_{format_threshold(t)}_{error}" for t in protocol.fr]
    return [*names, *protocol.metrics]


def format_threshold(threshold: float) -> str:
    """Write a threshold as metric names do: 0.08, 0.1."""
    return f"{threshold:g}"


def format_scores(scores: Scores, protocol: Protocol) -> str:
    """Return the scores as aligned text: one line per group and error, NME with its interval, then FR and AUC."""
    if protocol.task != "landmarks":
        return "\n".join(_gaze_table(scores, protocol))
    fr = [format_threshold(t) for t in protocol.fr]
    auc = [format_threshold(t) for t in protocol.auc]
    rows = [
        (
            "group",
            "n",
            "failed",
            "error",
            "NME %",
            *(f"FR@{t} %" for t in fr),
            *(f"AUC@{t}" for t in auc),
        )
    ]
    for group, metrics in scores.groups.items():
        inside = scores.errors[f"in_{group}"]
        counts = (str(int(inside.sum())), str(int((inside & scores.errors["failed"]).sum())))
        for error, _, _ in error_table.error_conventions(protocol):
            cells = [_with_interval(metrics[f"nme_{error}"])]
            cells += [_fixed_digits(metrics[f"fr_{t}_{error}"].value, 2) for t in fr]
            cells += [_fixed_digits(metrics[f"auc_{t}_{error}"].value, 4) for t in auc]
            rows.append((group, *counts, error, *cells))
            if protocol.masked:
                seen = _with_interval(metrics[f"nme_{error}_visible"])
                rows.append((group, *counts, f"{error}, visible", seen, *("" for _ in (*fr, *auc))))
        for name in protocol.metrics:
            told = f"{_with_interval(metrics[name])} {metrics[name].unit}"
            rows.append((group, *counts, name, told, *("" for _ in (*fr, *auc))))
    lines = _aligned(rows, words={0, 3, 4}) + _interval_line(scores, protocol)
    if scores.failed:
        lines.append("failed faces: infinite error in FR and AUC, left out of the NME")
    return "\n".join(lines)


def _gaze_table(scores: Scores, protocol: Protocol) -> list[str]:
    rows = [
        (
            "group",
            "n",
            "failed",
            *(f"{name} ({aggregate.metric_unit(name)})" for name in protocol.metrics),
        )
    ]
    for group, metrics in scores.groups.items():
        inside = scores.errors[f"in_{group}"]
        counts = (str(int(inside.sum())), str(int((inside & scores.errors["failed"]).sum())))
        rows.append((group, *counts, *(_with_interval(metrics[name]) for name in protocol.metrics)))
    lines = _aligned(rows, words={0, *range(3, 3 + len(protocol.metrics))}) + _interval_line(
        scores, protocol
    )
    return [*lines, "failed items are left out of the means"] if scores.failed else lines


def _interval_line(scores: Scores, protocol: Protocol) -> list[str]:
    if any(
        value.low is not None for metrics in scores.groups.values() for value in metrics.values()
    ):
        return [
            f"[low, high]: {100 * protocol.interval:g} % interval from resampling by {protocol.cluster}"
        ]
    return []


# --- summaries ------------------------------------------------------------------------------------


def _columns_of_group(
    columns: Mapping[str, np.ndarray], inside: np.ndarray
) -> Mapping[str, np.ndarray]:
    """Return the columns of one group, as they are where everything is in it."""
    return columns if inside.all() else {name: column[inside] for name, column in columns.items()}


def _group_scores(
    protocol: Protocol, columns: Mapping[str, np.ndarray]
) -> tuple[dict[str, Score], Floats]:
    """Return every metric over the rows of one group, and its terms summed by what is resampled together, (K, 2M).

    One metric's terms are held at a time, so that memory does not grow with the number of metrics.
    """
    names = list_metrics(protocol)
    units = (
        bootstrap.resampling_units(columns["cluster"], _SEED)
        if protocol.resamples
        else np.empty(0, np.intp)
    )
    count = int(units.max(initial=-1)) + 1
    totals, found = np.empty((count, 2 * len(names))), {}
    for place, name in enumerate(names):
        one = aggregate.metric_terms(name, columns)
        found[name] = Score(one.score, one.unit)
        if count:
            for column, values in ((place, one.values), (place + len(names), one.counts)):
                totals[:, column] = np.bincount(units, weights=values, minlength=count)
    return found, totals


def _add_intervals(found: Mapping[str, Score], resampled: Floats, level: float) -> dict[str, Score]:
    """Return the scores of a group with their intervals, all from the same resamples (R, M)."""
    bounds = bootstrap.percentile_intervals(resampled, level)
    return {
        name: score if bound is None else replace(score, low=bound[0], high=bound[1])
        for (name, score), bound in zip(found.items(), bounds, strict=True)
    }


# --- words ----------------------------------------------------------------------------------------


def _score_json(value: Score) -> dict[str, Any]:
    document: dict[str, Any] = {"value": None if value.value is None else _number(value.value)}
    if value.low is not None and value.high is not None:
        document |= {"low": _number(value.low), "high": _number(value.high)}
    return document | {"unit": value.unit}


def _number(value: float) -> float:
    if not math.isfinite(value):
        raise ResultError(
            f"a score is {value}, which JSON cannot hold; a face without an answer is flagged as failed"
        )
    return round(value, _DIGITS)


def _with_interval(value: Score) -> str:
    if value.low is None or value.high is None:
        return _fixed_digits(value.value, 2)
    return f"{_fixed_digits(value.value, 2)} [{value.low:.2f}, {value.high:.2f}]"


def _fixed_digits(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def _aligned(rows: list[tuple[str, ...]], words: set[int]) -> list[str]:
    """Set rows in columns: `words` (values with an interval, too) to the left, numbers to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if place in words else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
