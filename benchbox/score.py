"""From predictions to scores: pure, the same bits every time, and all that a published number goes through.

`score` matches rows by id, computes the errors of every item, and summarises every group of the protocol, each number
with a cluster-bootstrap interval. Landmarks: one error per face, normaliser and point set; mean (NME), area under the
curve (AUC), failure rate (FR). Gaze: the distance in cm or the angle in degrees, per frame, per dot or per person, and
the spread of stares (MSD). A failed item is an infinite error in FR, AUC and curves and is left out of means, beside
which it is counted. Metric definitions and their differences from other code: `benchbox.metrics`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .errors import DataError, ProtocolError, ResultError
from .layouts import LAYOUTS
from .metrics import curves, gaze, landmarks, stats
from .types import Score, Scores

if TYPE_CHECKING:
    import numpy.typing as npt

    from .types import Bools, Floats, Kind, Layout, Predictions, Protocol, Strings, Truth

SCORER = 1  # raise when the same predictions would get another number
_SEED = 0  # of the bootstrap: fixed, so that scoring again gives the same bytes
_FRAME_ERROR = {"gaze2d": "error_cm", "gaze3d": "error_deg"}  # what is kept per item
_DIGITS = 10  # decimals in JSON: below any meaning, above the last-bit differences between machines


@dataclass(frozen=True, eq=False)
class _Measure:
    """One metric as terms per item: its value is Σ terms / Σ counts over any group or resample."""

    name: str
    unit: str
    terms: Floats  # (N,) in the metric's unit, finite; 0 where the item does not count
    counts: Bools | Floats  # (N,) whether, or with which weight, the item counts


def score(protocol: Protocol, truth: Truth, predictions: Predictions) -> Scores:
    """Score predictions (any row order) against the truth under a protocol.

    Raises
    ------
    ProtocolError
        The protocol names a layout, normaliser or point subset that does not exist.
    ResultError
        Ids that are missing, doubled or unknown; another shape than the truth; a face that is not failed but has a
        coordinate that is not a usable number. The id is named.
    DataError
        The truth does not fit the layout, has a coordinate that is not a number, or a face without a normaliser.
    """
    _require_shape(protocol, truth)
    values, failed = _in_order(protocol, truth, predictions)
    codes = np.unique(truth.clusters, return_inverse=True)[1].astype(np.int32)
    if protocol.task == "landmarks":
        errors = _errors(protocol, LAYOUTS[protocol.layout], truth, values, failed)
        measures = _measures(protocol, errors, failed)
        groups = {group: _summary(protocol, measures, inside, codes) for group, inside in truth.groups.items()}
    else:
        errors = {_FRAME_ERROR[protocol.task]: _gaze_errors(protocol, truth, values, failed)}
        groups = {}
        for group, inside in truth.groups.items():
            measures = _gaze_measures(protocol, truth, values, failed, inside, codes)
            groups[group] = _summary(protocol, measures, inside, codes)
    return Scores(
        groups=groups,
        count=len(truth.ids),
        failed=int(failed.sum()),
        errors=_table(errors, failed, codes, truth.groups),
        scorer=SCORER,
    )


def to_json(
    scores: Scores, *, protocol: Protocol, data: Mapping[str, Any], method: str, variant: str | None, kind: Kind
) -> dict[str, Any]:
    """Return the document of `scores.json` and `benchbox score --json`: plain values, no NaN, no infinity.

    `data` needs the keys `variant` and `fingerprint`. `low` and `high` are there where an interval was computed; a
    score that no face counts for has the value None.
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


def metric_names(protocol: Protocol) -> list[str]:
    """Name every metric of a protocol, in the order in which each group reports them."""
    names = list(protocol.metrics)
    for error, _, _ in _error_names(protocol):
        names += [f"nme_{error}"]
        names += [f"auc_{threshold_name(t)}_{error}" for t in protocol.auc]
        names += [f"fr_{threshold_name(t)}_{error}" for t in protocol.fr]
    return names


def threshold_name(threshold: float) -> str:
    """Write a threshold as metric names do: 0.08, 0.1."""
    return f"{threshold:g}"


def format_table(scores: Scores, protocol: Protocol) -> str:
    """Return the scores as aligned text: one line per group and error, NME with its interval, then FR and AUC."""
    if protocol.task != "landmarks":
        return "\n".join(_gaze_table(scores, protocol))
    fr = [threshold_name(t) for t in protocol.fr]
    auc = [threshold_name(t) for t in protocol.auc]
    rows = [("group", "n", "failed", "error", "NME %", *(f"FR@{t} %" for t in fr), *(f"AUC@{t}" for t in auc))]
    for group, metrics in scores.groups.items():
        inside = scores.errors[f"in_{group}"]
        counts = (str(int(inside.sum())), str(int((inside & scores.errors["failed"]).sum())))
        for error, _, _ in _error_names(protocol):
            cells = [_with_interval(metrics[f"nme_{error}"])]
            cells += [_plain(metrics[f"fr_{t}_{error}"].value, 2) for t in fr]
            cells += [_plain(metrics[f"auc_{t}_{error}"].value, 4) for t in auc]
            rows.append((group, *counts, error, *cells))
    lines = _aligned(rows, words={0, 3, 4}) + _interval_line(scores, protocol)
    if scores.failed:
        lines.append("failed faces: infinite error in FR and AUC, left out of the NME")
    return "\n".join(lines)


def _gaze_table(scores: Scores, protocol: Protocol) -> list[str]:
    rows = [("group", "n", "failed", *(f"{name} ({_unit(name)})" for name in protocol.metrics))]
    for group, metrics in scores.groups.items():
        inside = scores.errors[f"in_{group}"]
        counts = (str(int(inside.sum())), str(int((inside & scores.errors["failed"]).sum())))
        rows.append((group, *counts, *(_with_interval(metrics[name]) for name in protocol.metrics)))
    lines = _aligned(rows, words={0, *range(3, 3 + len(protocol.metrics))}) + _interval_line(scores, protocol)
    return [*lines, "failed items are left out of the means"] if scores.failed else lines


def _interval_line(scores: Scores, protocol: Protocol) -> list[str]:
    if any(value.low is not None for metrics in scores.groups.values() for value in metrics.values()):
        return [f"[low, high]: {100 * protocol.interval:g} % interval from resampling by {protocol.cluster}"]
    return []


# --- errors per face ---------------------------------------------------------------------------------------------


def _require_shape(protocol: Protocol, truth: Truth) -> None:
    """Raise DataError when the truth does not fit the card."""
    if protocol.task == "landmarks":
        layout = _layout(protocol)
        wanted = f"{layout.name} needs (N, {layout.count}, 2)"
        fits = truth.values.shape == (len(truth.ids), layout.count, 2)
    else:
        width = 2 if protocol.task == "gaze2d" else 3
        wanted = f"{protocol.task} needs (N, {width})"
        fits = truth.values.shape == (len(truth.ids), width)
    if not fits:
        raise DataError(f"{protocol.name}: truth is {truth.values.shape}, {wanted}")


def _layout(protocol: Protocol) -> Layout:
    if protocol.layout not in LAYOUTS:
        raise ProtocolError(f"{protocol.name}: layout {protocol.layout!r} is unknown, use {', '.join(LAYOUTS)}")
    layout = LAYOUTS[protocol.layout]
    for count in protocol.points:
        if count not in layout.subsets:
            allowed = ", ".join(map(str, layout.subsets))
            raise ProtocolError(f"{protocol.name}: {layout.name} has no subset of {count} points, only {allowed}")
    for name in protocol.normalisers:
        if name not in landmarks.NORMALISERS:
            allowed = ", ".join(landmarks.NORMALISERS)
            raise ProtocolError(f"{protocol.name}: normaliser {name!r} is unknown, use {allowed}")
    return layout


def _in_order(protocol: Protocol, truth: Truth, predictions: Predictions) -> tuple[Floats, Bools]:
    """Return values and failed flags in the order of the truth."""
    shapes = len(predictions.ids), predictions.values.shape, predictions.failed.shape
    expected = len(predictions.ids), (len(predictions.ids), *truth.values.shape[1:]), (len(predictions.ids),)
    if shapes != expected:
        raise ResultError(
            f"predictions for {protocol.name}: {shapes[0]} ids with values {shapes[1]} and failed {shapes[2]}, "
            f"must be {expected[1]} and {expected[2]}"
        )
    rows = _match(protocol, truth.ids, predictions.ids)
    if rows is None:  # the usual case: no copy of what may be a gigabyte
        return predictions.values, predictions.failed
    return predictions.values[rows], predictions.failed[rows]


def _match(protocol: Protocol, wanted: Strings, given: Strings) -> npt.NDArray[np.intp] | None:
    """Return the row of each wanted id among the given ones, None where they stand in order already."""
    expected = dict.fromkeys(wanted.tolist())
    if len(expected) != len(wanted):
        raise DataError(f"{protocol.name}: {len(wanted) - len(expected)} ids of the truth are doubled")
    if np.array_equal(wanted, given):
        return None
    names = given.tolist()
    place = {name: row for row, name in enumerate(names)}
    faults = {
        "doubled": [name for row, name in enumerate(names) if place[name] != row],
        "missing": [name for name in expected if name not in place],
        "unknown": [name for name in place if name not in expected],
    }
    said = [f"{len(ids)} {fault} (first: {ids[0]})" for fault, ids in faults.items() if ids]
    if said:
        raise ResultError(f"predictions do not fit {protocol.name}: ids {', '.join(said)}; give each test id one row")
    return np.array([place[name] for name in expected], np.intp)


def _errors(protocol: Protocol, layout: Layout, truth: Truth, values: Floats, failed: Bools) -> dict[str, Floats]:
    """Return one error (N,) per normaliser and point set, by name; infinite where the face failed."""
    scales = {
        name: landmarks.normaliser(name, truth.values, layout, truth.boxes, truth.ids) for name in protocol.normalisers
    }
    means = {}
    for count in (None, *protocol.points):
        with np.errstate(over="ignore", invalid="ignore"):  # what overflows or is NaN is named just below
            means[count] = landmarks.mean_errors(truth.values, values, layout.subsets[count] if count else None)
        if count is None:  # covers the points of every subset
            _require_finite(protocol, truth, means[count], failed)
    return {
        f"nme_{error}": np.where(failed, np.inf, means[count] / scales[name])
        for error, name, count in _error_names(protocol)
    }


def _require_finite(protocol: Protocol, truth: Truth, errors_px: Floats, failed: Bools) -> None:
    """Blame the truth for its own gaps, failed face or not, and the predictions for the others."""
    for row in np.flatnonzero(~np.isfinite(errors_px)):
        if not np.isfinite(truth.values[row]).all():
            raise DataError(f"{protocol.name}: {truth.ids[row]}: a true point is not a number; check the annotation")
        if not failed[row]:
            raise ResultError(
                f"predictions for {protocol.name}: {truth.ids[row]}: a coordinate is NaN, infinite or absurdly large; "
                "a face without an answer is flagged as failed"
            )


def _gaze_errors(protocol: Protocol, truth: Truth, values: Floats, failed: Bools) -> Floats:
    """Return the error (N,) of every frame in cm or degrees; infinite where it failed."""
    measure = gaze.distance_cm if protocol.task == "gaze2d" else gaze.angle_deg
    lengths = np.linalg.norm(values, axis=1)
    broken = ~failed & (~np.isfinite(lengths) | ((lengths == 0) if protocol.task == "gaze3d" else False))
    if broken.any():
        raise ResultError(
            f"predictions for {protocol.name}: {truth.ids[np.argmax(broken)]}: is NaN, infinite or a vector without "
            "a direction; an item without an answer is flagged as failed"
        )
    if not np.isfinite(truth.values).all():
        row = int(np.argmax(~np.isfinite(truth.values).all(axis=1)))
        raise DataError(f"{protocol.name}: {truth.ids[row]}: the label is not a number; check the annotation")
    return np.where(failed, np.inf, measure(truth.values, values))


def _gaze_measures(
    protocol: Protocol,
    truth: Truth,
    values: Floats,
    failed: Bools,
    inside: Bools,
    codes: npt.NDArray[np.int32],
) -> list[_Measure]:
    """Return the card's metrics over one group; what is told per sequence stands at the first frame of each."""
    errors = np.where(failed, 0.0, _gaze_errors(protocol, truth, values, failed))
    answered = ~failed & inside
    found = []
    for name in protocol.metrics:
        if name == _FRAME_ERROR[protocol.task]:
            terms, counts = errors, answered.astype(np.float64)
        elif name.endswith("_person"):
            sizes = np.bincount(codes[answered], minlength=int(codes.max(initial=-1)) + 1)[codes]
            counts = np.divide(answered, sizes, out=np.zeros(len(errors)), where=answered)
            terms = errors * counts
        else:
            terms, counts = _by_sequence(protocol, name, truth, values, answered)
        found.append(_Measure(name, _unit(name), np.where(counts > 0, terms, 0.0), counts))
    return found


def _by_sequence(protocol: Protocol, name: str, truth: Truth, values: Floats, answered: Bools) -> tuple[Floats, Floats]:
    """Return terms and counts of the dot error or of MSD."""
    if truth.sequences is None:
        raise ProtocolError(f"{protocol.name}: {name} needs sequences, {protocol.dataset} has none; mend the card")
    rows = np.flatnonzero(answered & (truth.sequences != ""))
    names, first, code = np.unique(truth.sequences[rows], return_index=True, return_inverse=True)
    terms, counts = np.zeros(len(values)), np.zeros(len(values))
    if name == "msd_cm":
        told = gaze.msd(values[rows], code, len(names))
    else:
        average = [gaze.means(table[rows], code, len(names)) for table in (truth.values, values)]
        told = gaze.distance_cm(*average)
    terms[rows[first]], counts[rows[first]] = told, 1.0
    return terms, counts


def _unit(name: str) -> str:
    return "cm" if "_cm" in name else "deg"


def _error_names(protocol: Protocol) -> Iterator[tuple[str, str, int | None]]:
    """Yield name, normaliser and point subset of every error: `inter_ocular`, `inter_ocular_51`."""
    for count in (None, *protocol.points):
        for name in protocol.normalisers:
            yield (name if count is None else f"{name}_{count}"), name, count


def _table(
    errors: Mapping[str, Floats], failed: Bools, codes: npt.NDArray[np.int32], groups: Mapping[str, Bools]
) -> np.ndarray:
    """Return everything that is known per face as one structured array (N,), in the order of the truth."""
    columns: dict[str, np.ndarray] = {**errors, "failed": failed, "cluster": codes}
    columns |= {f"in_{group}": inside for group, inside in groups.items()}
    table = np.empty(len(failed), [(name, column.dtype) for name, column in columns.items()])
    for name, column in columns.items():
        table[name] = column
    return table


# --- summaries ---------------------------------------------------------------------------------------------------


def _measures(protocol: Protocol, errors: Mapping[str, Floats], failed: Bools) -> list[_Measure]:
    """Return every metric in the order of `metric_names`."""
    measures = []
    answered, everyone = ~failed, np.ones_like(failed)
    for error, _, _ in _error_names(protocol):
        faces = errors[f"nme_{error}"]
        measures.append(_Measure(f"nme_{error}", "%", np.where(failed, 0.0, 100 * faces), answered))
        for t in protocol.auc:
            measures.append(_Measure(f"auc_{threshold_name(t)}_{error}", "1", curves.auc_terms(faces, t), everyone))
        for t in protocol.fr:
            measures.append(
                _Measure(f"fr_{threshold_name(t)}_{error}", "%", 100 * (faces > t).astype(np.float64), everyone)
            )
    return measures


def _summary(
    protocol: Protocol, measures: list[_Measure], inside: Bools, codes: npt.NDArray[np.int32]
) -> dict[str, Score]:
    """Return every metric over the faces of one group, all intervals from the same resamples."""
    bounds = stats.intervals(
        np.stack([m.terms[inside] for m in measures], axis=1),
        np.stack([m.counts[inside].astype(np.float64) for m in measures], axis=1),
        codes[inside],
        level=protocol.interval,
        resamples=protocol.resamples,
        seed=_SEED,
    )
    summary = {}
    for m, bound in zip(measures, bounds, strict=True):
        value = _value(m, inside)
        low, high = (None, None) if bound is None else bound
        summary[m.name] = Score(value, m.unit, low, high)
    return summary


def _value(m: _Measure, inside: Bools) -> float | None:
    if m.counts.dtype == bool:
        chosen = m.terms[inside & m.counts.astype(bool)]
        return float(chosen.mean()) if len(chosen) else None
    total = float(m.counts[inside].sum())
    return float(m.terms[inside].sum()) / total if total else None


# --- words -------------------------------------------------------------------------------------------------------


def _score_json(value: Score) -> dict[str, Any]:
    document: dict[str, Any] = {"value": None if value.value is None else _number(value.value)}
    if value.low is not None and value.high is not None:
        document |= {"low": _number(value.low), "high": _number(value.high)}
    return document | {"unit": value.unit}


def _number(value: float) -> float:
    if not math.isfinite(value):
        raise ResultError(f"a score is {value}, which JSON cannot hold; a face without an answer is flagged as failed")
    return round(value, _DIGITS)


def _with_interval(value: Score) -> str:
    if value.low is None or value.high is None:
        return _plain(value.value, 2)
    return f"{_plain(value.value, 2)} [{value.low:.2f}, {value.high:.2f}]"


def _plain(value: float | None, digits: int) -> str:
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
