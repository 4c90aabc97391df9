"""From predictions to scores: pure, the same bits every time; every published number.

`score_predictions` matches rows by id, computes the errors of every item, and summarises every
group of the protocol, each number with a cluster-bootstrap interval. Landmarks: one error per face,
normaliser and point set; mean (NME), area under the curve (AUC), failure rate (FR). Gaze: the
distance in cm or the angle in degrees, per frame, per dot or per person, and the spread of stares
(MSD). A failed item is an infinite error in FR, AUC and curves and is left out of means, beside
which it is counted. Metric definitions and their differences from other code: `benchbox.metrics`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from benchbox.errors import ResultError
from benchbox.metrics import aggregate, bootstrap, unanswered
from benchbox.metrics.metric_names import (
    MEASURES,
    format_threshold,
    list_conventions,
    list_metrics,
    parse_metric,
)
from benchbox.text_table import stack_columns
from benchbox.types import Score, Scores

from . import error_table

if TYPE_CHECKING:
    from benchbox.types import Floats, Predictions, Protocol, RunKind, Truth

SCORER = 1  # raise when the same predictions would get another number
_SEED = 0  # of the bootstrap: fixed, so that scoring again gives the same bytes
_DIGITS = 10  # decimals in JSON: below any meaning, above the last-bit differences between machines


def score_predictions(protocol: Protocol, truth: Truth, predictions: Predictions) -> Scores:
    """Score predictions (any row order) against the truth under a protocol.

    Truth and predictions hold values of (N, K, 2) px for landmarks, (N, 2) cm or (N, 3) directions
    for gaze. Raises what `error_table.build_error_table` raises for a card, truth or predictions
    that do not fit together.
    """
    rows = error_table.build_error_table(protocol, truth, predictions)
    columns = {}
    for name in rows.dtype.names or ():
        if rows[name].dtype != bool or name == "failed":
            columns[name] = np.ascontiguousarray(rows[name])
    scores, totals = {}, {}
    for group, inside in truth.groups.items():
        scores[group], totals[group] = _group_scores(protocol, _columns_of_group(columns, inside))
    resampled = bootstrap.resample_tables(
        list(totals.values()), resamples=protocol.resamples, seed=_SEED
    )
    for group, group_resampled in zip(scores, resampled, strict=True):
        scores[group] = _add_intervals(scores[group], group_resampled, protocol.interval)
    return Scores(
        groups=scores,
        count=len(rows),
        failed=int(rows["failed"].sum()),
        errors=rows,
        scorer=SCORER,
    )


def score_points(protocol: Protocol, truth: Truth, predictions: Predictions) -> np.ndarray | None:
    """Return the statistics of each landmark per group, None where there are none.

    See `metrics.per_point`; raises as `score_predictions`.
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
    """Return the document of `scores.json` and `benchbox score --json`, without NaN and infinity.

    `data` needs the keys `variant` and `fingerprint`. `low` and `high` are there where an interval
    was computed; a score that no item counts for has the value None. Raises ResultError for a score
    that is not finite.
    """
    groups = {}
    for group, metrics in scores.groups.items():
        groups[group] = {name: _score_json(score) for name, score in metrics.items()}
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
        "scores": groups,
    }


def format_scores(scores: Scores, protocol: Protocol, width: int = 200) -> str:
    """Return the scores as aligned text, a line per group and error: NME, then FR and AUC.

    A table wider than `width` letters goes on below.
    """
    if protocol.task == "landmarks":
        lines, note = (
            _landmark_lines(scores, protocol, width),
            "failed faces: infinite error in FR and AUC, left out of the NME",
        )
    else:
        lines, note = _gaze_lines(scores, protocol, width), "failed items are left out of the means"
    if _has_interval(scores):
        percent = f"{100 * protocol.interval:g}"
        lines.append(f"[low, high]: {percent} % interval from resampling by {protocol.cluster}")
    if scores.failed:
        lines += [note, *_counted_lines(scores, protocol)]
    return "\n".join(lines)


def _landmark_lines(scores: Scores, protocol: Protocol, width: int) -> list[str]:
    fr = [format_threshold(t) for t in protocol.fr]
    auc = [format_threshold(t) for t in protocol.auc]
    head = ["group", "n", "failed", "error", "NME %"]
    head += [f"FR@{t} %" for t in fr]
    head += [f"AUC@{t}" for t in auc]
    rows = [head]
    no_curves = [""] * (len(fr) + len(auc))
    for group, metrics in scores.groups.items():
        counts = _group_counts(scores, group)
        for convention, _, _ in list_conventions(protocol):
            nme = _mean_text(scores, group, f"nme_{convention}")
            row = [group, *counts, convention, nme]
            row += [_fixed_digits(metrics[f"fr_{t}_{convention}"].value, 2) for t in fr]
            row += [_fixed_digits(metrics[f"auc_{t}_{convention}"].value, 4) for t in auc]
            rows.append(row)
            if protocol.masked:
                nme = _mean_text(scores, group, f"nme_{convention}_visible")
                rows.append([group, *counts, f"{convention}, visible", nme, *no_curves])
        for name in protocol.metrics:
            value = f"{_mean_text(scores, group, name)} {metrics[name].unit}"
            rows.append([group, *counts, name, value, *no_curves])
    numbers = {1, 2, *range(5, len(head))}
    return stack_columns(rows, keys=4, right=numbers, width=width)


def _gaze_lines(scores: Scores, protocol: Protocol, width: int) -> list[str]:
    head = ["group", "n", "failed"]
    head += [f"{name} ({parse_metric(name).unit})" for name in protocol.metrics]
    rows = [head]
    for group in scores.groups:
        values = [_mean_text(scores, group, name) for name in protocol.metrics]
        rows.append([group, *_group_counts(scores, group), *values])
    return stack_columns(rows, keys=3, right={1, 2}, width=width)


def _mean_text(scores: Scores, group: str, name: str) -> str:
    """Return a mean with its interval, and over how many items where some have no prediction."""
    score = scores.groups[group][name]
    text = _with_interval(score)
    inside = scores.errors[f"in_{group}"]
    failed = int((inside & scores.errors["failed"]).sum())
    if failed and score.value is not None:
        total = int(inside.sum())
        text += f" over {total - failed} of {total}"
    return text


def _counted_lines(scores: Scores, protocol: Protocol) -> list[str]:
    """Say what the first mean of the overall group is with failed items counted as lost."""
    group = protocol.overall if protocol.overall in scores.groups else next(iter(scores.groups))
    name = list_metrics(protocol)[0]
    value = scores.groups[group][name].value
    if parse_metric(name).threshold is not None or value is None:
        return []
    inside = scores.errors[f"in_{group}"]
    failed = int((inside & scores.errors["failed"]).sum())
    if not failed:
        return []
    lost = unanswered.lost_error(name, [scores.errors[inside]])
    counted = unanswered.counted_mean(value, int(inside.sum()) - failed, failed, lost)
    unit = parse_metric(name).unit
    return [
        f"ranks count them as lost, {lost:g} {unit} each: {name} of {group} is then "
        f"{counted:.2f} {unit}; no run stands above one that it does not beat so"
    ]


def _group_counts(scores: Scores, group: str) -> tuple[str, str]:
    """Return how many items of a group there are, and how many of them failed."""
    inside = scores.errors[f"in_{group}"]
    failed = inside & scores.errors["failed"]
    return str(int(inside.sum())), str(int(failed.sum()))


def _has_interval(scores: Scores) -> bool:
    for metrics in scores.groups.values():
        if any(score.low is not None for score in metrics.values()):
            return True
    return False


# --- summaries ------------------------------------------------------------------------------------


def _columns_of_group(
    columns: Mapping[str, np.ndarray], inside: np.ndarray
) -> Mapping[str, np.ndarray]:
    """Return the columns of one group, as they are where everything is in it."""
    if inside.all():
        return columns
    return {name: column[inside] for name, column in columns.items()}


def _group_scores(
    protocol: Protocol, columns: Mapping[str, np.ndarray]
) -> tuple[dict[str, Score], Floats]:
    """Return every metric over the rows of one group, and its terms summed by unit, (K, 2M).

    One metric's terms are held at a time, so that memory does not grow with the number of metrics.
    """
    names = list_metrics(protocol)
    units = np.empty(0, np.intp)
    if protocol.resamples:
        units = bootstrap.resampling_units(columns["cluster"], _SEED)
    count = int(units.max(initial=-1)) + 1
    unanswered_units = np.ones(count, bool)
    if count:
        unanswered_units[units[~columns["failed"]]] = False
    totals, scores = np.empty((count, 2 * len(names))), {}
    for column, name in enumerate(names):
        terms = aggregate.metric_terms(name, columns)
        scores[name] = Score(terms.score, terms.unit)
        if count:
            above = np.bincount(units, weights=terms.values, minlength=count).astype(np.float64)
            below = np.bincount(units, weights=terms.counts, minlength=count).astype(np.float64)
            no_mean = not MEASURES[parse_metric(name).measure].is_mean
            if no_mean or bootstrap.mostly_unanswered(below, unanswered_units):
                above = below = np.zeros(count)  # no interval
            totals[:, column], totals[:, column + len(names)] = above, below
    return scores, totals


def _add_intervals(
    scores: Mapping[str, Score], resampled: Floats, level: float
) -> dict[str, Score]:
    """Return the scores of a group with their intervals, all from the same resamples (R, M)."""
    intervals = bootstrap.percentile_intervals(resampled, level)
    bounded = dict(scores)
    for name, interval in zip(scores, intervals, strict=True):
        if interval is not None:
            bounded[name] = replace(scores[name], low=interval[0], high=interval[1])
    return bounded


# --- words ----------------------------------------------------------------------------------------


def _score_json(score: Score) -> dict[str, Any]:
    document: dict[str, Any] = {"value": None}
    if score.value is not None:
        document["value"] = _finite(score.value)
    if score.low is not None and score.high is not None:
        document |= {"low": _finite(score.low), "high": _finite(score.high)}
    return document | {"unit": score.unit}


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise ResultError(
            f"a score is {value}, which JSON cannot hold; a face without an answer is flagged as "
            "failed"
        )
    return round(value, _DIGITS)


def _with_interval(score: Score) -> str:
    if score.low is None or score.high is None:
        return _fixed_digits(score.value, 2)
    return f"{_fixed_digits(score.value, 2)} [{score.low:.2f}, {score.high:.2f}]"


def _fixed_digits(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}"
