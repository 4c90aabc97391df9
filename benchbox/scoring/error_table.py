"""The error table: what is known of each test item once predictions have met the truth.

One row per item in the order of the truth: an error per convention (infinite where the item has no
answer, NaN where the error does not exist for it), the value of its sequence where the card asks
for one, `failed`, `cluster`, `in_<group>`, and where a metric asks for it `sequence` and `stratum`,
the group that is averaged first (below 0: in none). Every score is a ratio of sums over these rows
(`metrics.aggregate`), so the table alone is enough for intervals, paired tests and ranks. It holds
no truth and no prediction, and neither can be had back from it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from benchbox.errors import DataError, ProtocolError, ResultError
from benchbox.layouts import LAYOUTS, find_layout, require_layout
from benchbox.metrics import bootstrap, calibration, gaze, jitter, landmarks, per_point
from benchbox.metrics.metric_names import (
    NORMALISERS,
    Metric,
    convention_name,
    list_conventions,
    parse_metric,
)

if TYPE_CHECKING:
    import numpy.typing as npt

    from benchbox.types import Bools, Floats, Layout, Predictions, Protocol, Strings, Truth

_TRAILING_NUMBER = re.compile(r"(\d{1,18})$")
_CHUNK_IDS = 4096  # ids at a time
_FRAME_ERROR = {"gaze2d": "error_cm", "gaze3d": "error_deg"}  # what is kept per item


def build_error_table(protocol: Protocol, truth: Truth, predictions: Predictions) -> np.ndarray:
    """Return the table of errors (N,), a structured array.

    Raises
    ------
    ProtocolError
        The protocol names a layout, normaliser or point subset that does not exist, or a measure
        over sequences of items that are in none.
    ResultError
        Ids that are missing, doubled or unknown; another shape than the truth; an item that is not
        failed but has a coordinate that is not a usable number. The id is named.
    DataError
        The truth does not fit the layout, has a coordinate that is not a number, or a face without
        a normaliser.
    """
    _require_shape(protocol, truth)
    truth = mark_absent_points(protocol, truth)
    values, failed = _predictions_in_order(protocol, truth, predictions)
    columns: dict[str, np.ndarray] = {}
    if protocol.task == "landmarks":
        columns |= _landmark_errors(protocol, require_layout(protocol), truth, values, failed)
    else:
        columns[_FRAME_ERROR[protocol.task]] = _gaze_errors(protocol, truth, values, failed)
        columns |= _calibrated_errors(protocol, truth, values, failed)
    per_sequence = [name for name in protocol.metrics if parse_metric(name).per_sequence]
    if per_sequence:
        columns |= _sequence_columns(protocol, per_sequence, truth, values, failed)
    columns["failed"] = failed
    columns["cluster"] = bootstrap.number_clusters(truth.clusters).astype(np.int32)
    for group, inside in truth.groups.items():
        columns[f"in_{group}"] = inside
    if any(parse_metric(name).averaged_by == "balanced" for name in protocol.metrics):
        columns["stratum"] = _number_groups(protocol, truth)
    rows = np.empty(len(failed), [(name, column.dtype) for name, column in columns.items()])
    for name, column in columns.items():
        rows[name] = column
    return rows


def _number_groups(protocol: Protocol, truth: Truth) -> npt.NDArray[np.int32]:
    """Return the number (N,) of each item's group beside the overall one; below 0: in none.

    Raises ProtocolError where groups overlap: their means would count an item twice.
    """
    number = np.full(len(truth.ids), -1, np.int32)
    groups = [group for group in truth.groups if group != protocol.overall]
    for code, group in enumerate(groups):
        inside = truth.groups[group]
        if (number[inside] >= 0).any():
            other = groups[int(number[inside].max())]
            raise ProtocolError(
                f"{protocol.name}: a balanced metric is the mean over groups, and {group} and "
                f"{other} share items"
            )
        number[inside] = code
    return number


def build_point_table(
    protocol: Protocol, truth: Truth, predictions: Predictions
) -> np.ndarray | None:
    """Return the statistics of each landmark over whole groups, by the card's first normaliser.

    One row per group and point, see `metrics.per_point`; None where there are none: no landmarks,
    no normaliser, too few faces. Raises what `build_error_table` raises.
    """
    if protocol.task != "landmarks" or not protocol.normalisers:
        return None
    _require_shape(protocol, truth)
    layout = _layout(protocol)
    truth = mark_absent_points(protocol, truth)
    if layout.eye_corners is None or truth.absent is not None:
        return None
    values, failed = _predictions_in_order(protocol, truth, predictions)
    scale = landmarks.normaliser_lengths(
        protocol.normalisers[0],
        truth.values,
        layout,
        truth.boxes,
        truth.ids,
        points_there(protocol, truth),
    )
    statistics = per_point.point_statistics(
        truth.values, values, scale, layout, truth.groups, failed
    )
    return statistics if len(statistics) else None


def mark_absent_points(protocol: Protocol, truth: Truth) -> Truth:
    """Return the truth with every point that is not marked absent, and absent points NaN.

    Where a card is masked, NaN alone says so; elsewhere NaN is a fault of the annotation unless its
    reader said that the point is absent.
    """
    if protocol.task != "landmarks":
        return truth
    absent = truth.absent
    if protocol.masked:
        unmarked: Bools = np.asarray(np.isnan(truth.values).all(axis=-1))
        if unmarked.any():
            absent = unmarked if absent is None else absent | unmarked
    if absent is None or not absent.any():
        return truth
    visible = truth.visible
    if visible is not None:
        visible = visible & ~absent
    values = np.where(absent[..., None], np.nan, truth.values)
    return replace(truth, values=values, absent=absent, visible=visible)


def points_there(protocol: Protocol, truth: Truth) -> Bools | None:
    """Return the points (N, K) that a tight box is made of, None for all.

    Those that are marked, of a masked card those that are visible.
    """
    if protocol.masked and truth.visible is not None:
        return truth.visible
    if truth.absent is None:
        return None
    return ~truth.absent


# --- matching -------------------------------------------------------------------------------------


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
    layout = find_layout(protocol)
    if layout is None:
        raise ProtocolError(
            f"{protocol.name}: layout {protocol.layout!r} is unknown, use {', '.join(LAYOUTS)}"
        )
    for count in protocol.points:
        if count not in layout.subsets:
            allowed = ", ".join(map(str, layout.subsets))
            raise ProtocolError(
                f"{protocol.name}: {layout.name} has no subset of {count} points, only {allowed}"
            )
    for name in protocol.normalisers:
        if name not in NORMALISERS:
            allowed = ", ".join(NORMALISERS)
            raise ProtocolError(f"{protocol.name}: normaliser {name!r} is unknown, use {allowed}")
    return layout


def _predictions_in_order(
    protocol: Protocol, truth: Truth, predictions: Predictions
) -> tuple[Floats, Bools]:
    """Return values and failed flags in the order of the truth."""
    count = len(predictions.ids)
    shapes = predictions.values.shape, predictions.failed.shape
    expected = (count, *truth.values.shape[1:]), (count,)
    if shapes != expected:
        raise ResultError(
            f"predictions for {protocol.name}: {count} ids with values {shapes[0]} and failed "
            f"{shapes[1]}, "
            f"must be {expected[0]} and {expected[1]}"
        )
    rows = _match_rows(protocol, truth.ids, predictions.ids)
    if rows is None:  # the usual case: no copy of what may be a gigabyte
        return predictions.values, predictions.failed
    return predictions.values[rows], predictions.failed[rows]


def _match_rows(protocol: Protocol, wanted: Strings, given: Strings) -> npt.NDArray[np.intp] | None:
    """Return the row of each wanted id among the given ones, None where they are in order."""
    if np.array_equal(wanted, given) and _all_distinct(wanted):
        return None
    expected = dict.fromkeys(wanted.tolist())
    if len(expected) != len(wanted):
        raise DataError(
            f"{protocol.name}: {len(wanted) - len(expected)} ids of the truth are doubled"
        )
    if np.array_equal(wanted, given):
        return None
    names = given.tolist()
    row_of = {name: row for row, name in enumerate(names)}
    faults = {
        "doubled": [name for row, name in enumerate(names) if row_of[name] != row],
        "missing": [name for name in expected if name not in row_of],
        "unknown": [name for name in row_of if name not in expected],
    }
    texts = [f"{len(ids)} {fault} (first: {ids[0]})" for fault, ids in faults.items() if ids]
    if texts:
        raise ResultError(
            f"predictions do not fit {protocol.name}: ids {', '.join(texts)}; give each test id "
            "one row"
        )
    return np.array([row_of[name] for name in expected], np.intp)


def _all_distinct(ids: Strings) -> bool:
    """Tell whether 64-bit hashes say that no id comes twice; False says nothing."""
    if ids.dtype.kind != "U" or not ids.dtype.isnative or ids.size == 0 or ids.itemsize == 0:
        return False
    points = np.ascontiguousarray(ids).view(np.uint32).reshape(len(ids), -1)
    weights = np.random.PCG64(0).random_raw(points.shape[1])
    hashes = np.empty(len(ids), np.uint64)
    for start in range(0, len(ids), _CHUNK_IDS):
        rows = slice(start, start + _CHUNK_IDS)
        hashes[rows] = points[rows].astype(np.uint64) @ weights  # modulo 2⁶⁴
    hashes.sort()
    return bool((hashes[1:] != hashes[:-1]).all())


# --- errors ---------------------------------------------------------------------------------------


def _landmark_errors(
    protocol: Protocol, layout: Layout, truth: Truth, values: Floats, failed: Bools
) -> dict[str, Floats]:
    """Return one error (N,) per normaliser and point set, by name; infinite where the face failed.

    A masked card has each again over the visible points, NaN for a face that shows none of them.
    """
    scales = {}
    for name in protocol.normalisers:
        scales[name] = landmarks.normaliser_lengths(
            name, truth.values, layout, truth.boxes, truth.ids, points_there(protocol, truth)
        )
    subsets = _point_subsets(protocol, layout)
    # what overflows or is NaN is named just below
    with np.errstate(over="ignore", invalid="ignore"):
        present = None if truth.absent is None else ~truth.absent
        means = landmarks.mean_errors_by_subset(
            truth.values, values, list(subsets.values()), present
        )
    means_of = dict(zip(subsets, means, strict=True))
    _require_finite(protocol, truth, means_of[0], failed)  # covers the points of every subset
    # a face all of whose points of a subset are absent has no error there: NaN
    errors = {}
    for convention, normaliser, points in list_conventions(protocol):
        errors[f"nme_{convention}"] = np.where(
            failed, np.inf, means_of[points] / scales[normaliser]
        )
    if protocol.masked:
        errors |= _visible_errors(protocol, layout, truth, values, failed, scales)
    for name in protocol.metrics:
        metric = parse_metric(name)
        if metric.normaliser and metric.column not in errors:
            errors_px = _further_errors(protocol, layout, truth, values, metric)
            scaled = errors_px / scales[metric.normaliser]
            errors[metric.column] = np.where(failed, np.inf, scaled)
    return errors


def _further_errors(
    protocol: Protocol, layout: Layout, truth: Truth, values: Floats, metric: Metric
) -> Floats:
    """Return an error (N,) px that a card's further metric asks for: of a part, or an RMSE.

    NaN for a face of which no such point is there. Raises ProtocolError for a part that the layout
    does not have.
    """
    indices: Sequence[int] | None = None
    if metric.points:
        indices = layout.subsets[metric.points]
    if metric.part:
        of_part = landmarks.part_points(layout, metric.part)
        indices = [k for k in of_part if indices is None or k in indices]
        if not indices:
            raise ProtocolError(
                f"{protocol.name}: {metric.name}: {layout.name} has no such points; its parts are "
                f"{', '.join(layout.parts)}"
            )
    there = None if truth.absent is None else ~truth.absent
    if metric.visible:
        there = truth.visible
    measure = landmarks.mean_errors
    if metric.measure == "rmse":
        measure = landmarks.rms_errors
    with np.errstate(over="ignore", invalid="ignore"):
        return measure(truth.values, values, indices, there)


def _point_subsets(protocol: Protocol, layout: Layout) -> dict[int, tuple[int, ...] | None]:
    """Return the indices of every point set that a card scores, by its number of points.

    0: all points.
    """
    subsets: dict[int, tuple[int, ...] | None] = {0: None}
    for points in protocol.points:
        subsets[points] = layout.subsets[points]
    return subsets


def _visible_errors(
    protocol: Protocol,
    layout: Layout,
    truth: Truth,
    values: Floats,
    failed: Bools,
    scales: Mapping[str, Floats],
) -> dict[str, Floats]:
    """Return the errors over visible points only."""
    if truth.visible is None:
        raise ProtocolError(
            f"{protocol.name}: masked = true, but {protocol.dataset} says of no point what is "
            "visible"
        )
    means_of = {}
    for points, indices in _point_subsets(protocol, layout).items():
        shown = truth.visible
        if truth.absent is not None:
            shown = shown & ~truth.absent
        means_of[points] = landmarks.mean_errors(truth.values, values, indices, shown)
    errors = {}
    for _, normaliser, points in list_conventions(protocol):
        convention = convention_name(normaliser, points, visible=True)
        errors[f"nme_{convention}"] = np.where(
            failed, np.inf, means_of[points] / scales[normaliser]
        )
    return errors


def _require_finite(protocol: Protocol, truth: Truth, errors_px: Floats, failed: Bools) -> None:
    """Blame the truth for its own gaps, failed face or not, and the predictions for the others."""
    for row in np.flatnonzero(~np.isfinite(errors_px)):
        marked = truth.values[row]
        if truth.absent is not None:
            marked = marked[~truth.absent[row]]
        if not len(marked):
            raise DataError(
                f"{protocol.name}: {truth.ids[row]}: no point of this face is marked; "
                "leave it out of the annotation files"
            )
        if not np.isfinite(marked).all():
            raise DataError(
                f"{protocol.name}: {truth.ids[row]}: a true point is not a number; check the "
                "annotation"
            )
        if not failed[row]:
            raise ResultError(
                f"predictions for {protocol.name}: {truth.ids[row]}: a coordinate is NaN, infinite "
                "or absurdly large; "
                "a face without an answer is flagged as failed"
            )


def _gaze_errors(protocol: Protocol, truth: Truth, values: Floats, failed: Bools) -> Floats:
    """Return the error (N,) of every frame in cm or degrees; infinite where it failed."""
    lengths = np.linalg.norm(values, axis=1)
    usable = np.isfinite(lengths)
    if protocol.task == "gaze3d":
        usable &= lengths != 0
    broken = ~failed & ~usable
    if broken.any():
        raise ResultError(
            f"predictions for {protocol.name}: {truth.ids[np.argmax(broken)]}: is NaN, infinite or "
            "a vector without "
            "a direction; an item without an answer is flagged as failed"
        )
    if not np.isfinite(truth.values).all():
        row = int(np.argmax(~np.isfinite(truth.values).all(axis=1)))
        raise DataError(
            f"{protocol.name}: {truth.ids[row]}: the label is not a number; check the annotation"
        )
    if protocol.task == "gaze2d":
        errors = gaze.distance_cm(truth.values, values)
    else:
        errors = gaze.angular_error_deg(truth.values, values)
    return np.where(failed, np.inf, errors)


def _calibrated_errors(
    protocol: Protocol, truth: Truth, values: Floats, failed: Bools
) -> dict[str, Floats]:
    """Return by metric the error (N,) of every frame after calibration on a few of its person."""
    columns = {}
    for name in protocol.metrics:
        metric = parse_metric(name)
        if metric.shots:
            columns[name] = calibration.calibrated_errors(
                truth.values,
                values,
                truth.clusters,
                truth.sequences,
                ~failed,
                metric.shots,
                plain=metric.plain,
            )
    return columns


def _sequence_columns(
    protocol: Protocol, names: list[str], truth: Truth, values: Floats, failed: Bools
) -> dict[str, np.ndarray]:
    """Return the code (N,) of each item's sequence and, by metric, the value (N,) of its sequence.

    NaN for an item in none. A sequence has one value, over all its answered rows, whichever group
    they are in.
    """
    if truth.sequences is None or not (truth.sequences != "").any():
        raise ProtocolError(
            f"{protocol.name}: {names[0]} needs sequences, {protocol.dataset} has none; mend the "
            "card"
        )
    known, codes = np.unique(truth.sequences, return_inverse=True)
    codes = (codes - (known[0] == "")).astype(np.int32)
    count = int(codes.max()) + 1
    rows = np.flatnonzero(codes >= 0)
    labels, given = truth.values[rows], np.array(values[rows], np.float64)
    # stays in its place: a frame without an answer ends a stretch of video
    given[failed[rows]] = np.nan
    columns: dict[str, np.ndarray] = {"sequence": codes}
    for name in names:
        if name == "jitter_px":
            frames = _frame_numbers(truth.ids[rows], codes[rows])
            sequence_values = jitter.jitter_px(labels, given, codes[rows], count, frames)
        else:
            measure = _SEQUENCE_METRICS[name]
            sequence_values = measure(labels, given, codes[rows], count)
        answered = (codes >= 0) & ~failed
        columns[name] = np.where(answered, sequence_values[codes], np.nan)
    return columns


_SEQUENCE_METRICS: Mapping[str, Callable[[Floats, Floats, npt.NDArray[np.int32], int], Floats]] = {
    "error_cm_dot": gaze.dot_error_cm,
    "msd_cm": lambda truth, predictions, codes, count: gaze.msd_per_sequence(  # noqa: ARG005
        predictions, codes, count
    ),
    "bias_px": jitter.bias_px,
}


def _frame_numbers(ids: Strings, codes: npt.NDArray[np.int32]) -> npt.NDArray[np.int64] | None:
    """Return the numbers (N,) that ids of frames end with (`001/000123`), None if they do not rise.

    A card may leave frames out (those that 300-VW marks as broken): what stands before and after is
    no pair then.
    """
    numbers = np.empty(len(ids), np.int64)
    for row, name in enumerate(ids.tolist()):
        match = _TRAILING_NUMBER.search(name)
        if match is None:
            return None
        numbers[row] = int(match[1])
    order = np.argsort(codes, kind="stable")
    same_sequence = np.diff(codes[order]) == 0
    steps = np.diff(numbers[order])
    return numbers if (steps[same_sequence] > 0).all() else None
