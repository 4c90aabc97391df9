"""The conventions that landmark papers differ in: axes of the grid, and a measure over them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from benchbox.errors import DataError
from benchbox.geometry import tight_box
from benchbox.layouts import require_layout
from benchbox.metrics import aggregate, curves, landmarks
from benchbox.metrics.metric_names import NORMALISERS, PARTS, Metric, parse_metric
from benchbox.scoring import error_table

from .convention_grid import Axes, Measure, axes_of
from .pixel_offset import NAMED_SHIFTS, Offset

if TYPE_CHECKING:
    from benchbox.types import Bools, Floats, Index, Layout, Predictions, Protocol, Truth

_NORMALISERS = {
    "inter_ocular": "divided by the distance of the outer eye corners",
    "inter_pupil": "divided by the distance of the eye centres, which is shorter: on 300-W the "
    "number grows by 1.28 to "
    "1.61 per face, 1.4 on average",
    "face_size": "divided by the square root of the face box's area, two to three times the eye "
    "distance",
    "diagonal": "divided by the diagonal of the tight box around the points (Menpo)",
    "height": "divided by the height of the tight box around the points",
    "eye_mix": "divided by the mean of the inner and the outer corner distance, which some code "
    "calls pupils (3FabRec)",
    "inner_corners": "divided by the distance of the inner eye corners, a third to a half of the "
    "outer one's",
    "mean_side": "divided by the mean of width and height of the tight box (menpobench)",
    "longer_side": "divided by the longer side of the tight box",
    "plus_one": "divided by the square root of (width + 1)(height + 1) of the tight box: pixels "
    "counted, not distances",
}
_AVERAGES = {
    "ratio_of_sums": "all pixel errors over all normalisers: large faces weigh more",
    "pooled": "one mean over all visible points of all faces: a face with few visible points "
    "weighs less (MMPose)",
    "median": "the median face instead of the mean: hard faces count no more",
    "subset_means": "the mean of the means of the card's subsets: a small subset weighs as much as "
    "a large one",
}
# how the points of a face become its error
_POINT_MEANS = {
    "mean": "the mean distance of the points of a face",
    "rms": "the root mean square distance of the points of a face: one point far off weighs more",
}
_MEAN_MEASURES = {"nme": "macro", "rmse": "macro", "median": "median"}  # → its own average
_SHIFTS = {
    f"{px:+g}px": f"{px:+g} px added to x and y: {means}" for px, means in NAMED_SHIFTS.items()
}
_BEST_SHIFT = {"best": "the constant shift that fits best is added to all predicted points"}
_ORDERS = {
    "mirrored_names": "left and right points exchanged: a picture was flipped and the names of "
    "its points were not",
    "xy_swapped": "x and y exchanged: row and column were mixed up",
}
_SLIP_SHARE = 0.7  # of the error may be left by a slip of the origin that is warned of
_SLIP_TOLERANCE_PX = 0.25  # between the slip and the shift that fits best
_THRESHOLDS = ("0.05", "0.07", "0.08", "0.1")
_SCALES = {
    "half": (0.5, "predictions are in a frame twice as large"),
    "double": (2.0, "in a frame half as large"),
}


def landmark_axes(
    protocol: Protocol,
    index: Index,
    truth: Truth,
    predictions: Predictions,
    metric: str,
    group: str,
    *,
    with_best_shift: bool = True,
) -> Axes:
    """Return the axes for a metric of a group; the first choice of each is the card's own.

    The shift that fits best is among them unless it is said to tell nothing.
    """
    parsed = parse_metric(metric)
    axes: dict[str, tuple[str, Mapping[str, str]]] = {}
    if parsed.normaliser:
        axes |= _convention_axes(parsed, require_layout(protocol), index, truth)
    shifts = dict(_SHIFTS)
    if with_best_shift:
        shifts |= _BEST_SHIFT
    axes |= {
        "offset": ("none", shifts),
        "order": ("as_given", _ORDERS),
        "scale": ("one", {name: means for name, (_, means) in _SCALES.items()}),
        "group": (group, _group_words(index, truth)),
    }
    if not parsed.normaliser:
        return axes_of(axes)
    if predictions.failed.any():
        means = (
            "faces without an answer counted as 100 % wrong in the mean, which leaves them out here"
        )
        axes["failed"] = ("left_out", {"as_100": means})
    if parsed.measure in _MEAN_MEASURES:
        own_points = "rms" if parsed.measure == "rmse" else "mean"
        axes["point_mean"] = (own_points, _POINT_MEANS)
        averages = {"macro": "the mean of the faces", **_AVERAGES}
        axes["average"] = (_MEAN_MEASURES[parsed.measure], averages)
        axes["unit"] = ("percent", {"fraction": "a fraction printed where per cent is meant"})
    else:
        other_papers = dict.fromkeys(_THRESHOLDS, "the threshold of another paper")
        axes["threshold"] = (parsed.threshold_text, other_papers)
        rules = {name: f"by the rule of {r.used_by}" for name, r in curves.PARITY_RULES.items()}
        axes["rule"] = ("exact", rules)
        axes["unit"] = ("own", {"other": "per cent and fraction exchanged"})
    return axes_of(axes)


def _convention_axes(
    metric: Metric, layout: Layout, index: Index, truth: Truth
) -> dict[str, tuple[str, Mapping[str, str]]]:
    partly_visible = truth.visible is not None and not bool(truth.visible.all())
    return {
        "normaliser": (metric.normaliser, {**_NORMALISERS, **_box_words(index)}),
        "points": (metric.part or str(metric.points or "all"), _point_set_words(layout)),
        "visible": ("visible" if metric.visible else "all", _visible_words(partly_visible)),
    }


def landmark_measure(
    protocol: Protocol,
    index: Index,
    truth: Truth,
    predictions: Predictions,
    metric: str,
    best: Offset,
) -> Measure:
    """Return the function that measures a combination of choices.

    `best` is the shift that fits best.
    """
    layout, parsed = require_layout(protocol), parse_metric(metric)
    marked = None
    if truth.absent is not None:
        marked = ~truth.absent
    inside = {**truth.groups, **_part_groups(index, truth)}
    failed = predictions.failed

    @cache
    def shifted(shift: str, order: str, scale: str) -> Floats:
        return _shifted(predictions.values, layout, shift, order, scale, best)

    @cache
    def errors_px(
        shift: str, order: str, scale: str, points: str, visible: str, point_mean: str
    ) -> Floats:
        mask = marked
        if visible == "visible":
            mask = truth.visible
        measure = landmarks.mean_errors
        if point_mean == "rms":
            measure = landmarks.rms_errors
        errors = measure(
            truth.values, shifted(shift, order, scale), _point_indices(layout, points), mask
        )
        return np.where(failed, np.nan, errors)

    @cache
    def lengths(name: str) -> Floats | None:
        return _normaliser_lengths(name, truth, layout, index, protocol)

    @cache
    def error_rows(shift: str, order: str, scale: str) -> np.ndarray:
        moved = replace(predictions, values=shifted(shift, order, scale))
        return error_table.build_error_table(protocol, truth, moved)

    def value(choice: Mapping[str, str]) -> float | None:
        moves = (choice["offset"], choice["order"], choice["scale"])
        rows = inside[choice["group"]]
        if not parsed.normaliser:
            return aggregate.metric_terms(metric, error_rows(*moves)[rows]).score
        scale = lengths(choice["normaliser"])
        if scale is None or not rows.any():
            return None
        if choice.get("average") == "pooled":
            points = _point_indices(layout, choice["points"])
            return _pooled(truth, shifted(*moves), scale, rows & ~failed, points, choice)
        point_mean = choice.get("point_mean", "mean")
        all_errors = errors_px(*moves, choice["points"], choice["visible"], point_mean)
        if choice.get("average") == "subset_means":
            subsets = _subsets_within(rows, truth)
            return _mean_of_subsets(subsets, all_errors, scale, failed, choice)
        errors = all_errors[rows]
        return _summarise(parsed.measure, errors, scale[rows], failed[rows], choice)

    return value


def origin_warnings(best: Offset) -> tuple[str, ...]:
    """Name a slip of the origin that makes most of the error.

    The shift that fits best must be that slip, on both axes: any other is one that a trained method
    may have.
    """
    if best.named is None or best.named_after is None:
        return ()
    apart = max(abs(best.dx - best.named), abs(best.dy - best.named))
    if apart > _SLIP_TOLERANCE_PX or best.named_after >= _SLIP_SHARE * best.before:
        return ()
    return (
        f"offset {best.named:+g}px lowers {best.before:.2f} to {best.named_after:.2f}: "
        f"{NAMED_SHIFTS[best.named]}",
    )


# --- numbers --------------------------------------------------------------------------------------


def _summarise(
    measure: str, errors_px: Floats, scale: Floats, failed: Bools, choice: Mapping[str, str]
) -> float | None:
    """Return NME, AUC or failure rate of errors (N,) px over normalisers (N,), or None."""
    errors = errors_px / scale
    if measure not in _MEAN_MEASURES:
        return _curve_value(measure, np.where(failed, np.inf, errors), choice)
    if choice.get("failed") == "as_100":
        errors = np.where(failed, 1.0, errors)
        errors_px = np.where(failed, scale, errors_px)
    known = np.isfinite(errors)
    if not known.any():
        return None
    factor = _nme_factor(choice)
    if choice["average"] == "ratio_of_sums":
        return float(factor * errors_px[known].sum() / scale[known].sum())
    if choice["average"] == "median":
        return float(factor * np.median(errors[known]))
    return float(factor * np.mean(errors[known]))


def _subsets_within(rows: Bools, truth: Truth) -> list[Bools]:
    """Return the card's groups (N,) that lie within some rows and are fewer, each set once."""
    subsets: dict[bytes, Bools] = {}
    for inside in truth.groups.values():
        if not (inside & ~rows).any() and inside.sum() < rows.sum():
            subsets.setdefault(inside.tobytes(), inside)
    return list(subsets.values())


def _mean_of_subsets(
    subsets: Sequence[Bools],
    errors_px: Floats,
    scale: Floats,
    failed: Bools,
    choice: Mapping[str, str],
) -> float | None:
    """Return the plain mean of the subsets' NMEs, None where there are not two or one is empty."""
    if len(subsets) < 2:
        return None
    means = []
    for rows in subsets:
        macro = {**choice, "average": "macro"}
        mean = _summarise("nme", errors_px[rows], scale[rows], failed[rows], macro)
        if mean is None:
            return None
        means.append(mean)
    return float(np.mean(means))


def _curve_value(measure: str, errors: Floats, choice: Mapping[str, str]) -> float | None:
    if np.isnan(errors).any():
        return None
    rule, threshold = curves.PARITY_RULES[choice["rule"]], float(choice["threshold"])
    in_percent = (measure == "fr") != (choice["unit"] == "other")
    factor = 100 if in_percent else 1
    if measure == "auc":
        return rule.auc(errors, threshold) * factor
    return rule.failure_rate(errors, threshold) * factor


def _nme_factor(choice: Mapping[str, str]) -> float:
    return 100 if choice["unit"] == "percent" else 1


def _pooled(
    truth: Truth,
    values: Floats,
    scale: Floats,
    rows: Bools,
    points: list[int],
    choice: Mapping[str, str],
) -> float | None:
    """Return one mean over all visible points of all faces."""
    if truth.visible is None or not rows.any():
        return None
    distances = landmarks.point_errors(truth.values[rows][:, points], values[rows][:, points])
    errors = distances / scale[rows, None]
    mask = truth.visible[rows][:, points]
    if not mask.any():
        return None
    return float(_nme_factor(choice) * errors[mask].mean())


def _shifted(
    values: Floats, layout: Layout, shift: str, order: str, scale: str, best: Offset
) -> Floats:
    """Return predictions (N, K, 2) px after a slip of order, scale and origin."""
    if order == "mirrored_names":
        values = values[:, list(layout.flip)]
    elif order == "xy_swapped":
        values = values[..., ::-1]
    if scale != "one":
        values = values * _SCALES[scale][0]
    if shift == "none":
        return values
    if shift == "best":
        step = (best.dx, best.dy)
    else:
        px = float(shift.removesuffix("px"))
        step = (px, px)
    shifted: Floats = values + np.array(step)
    return shifted


def _normaliser_lengths(
    name: str, truth: Truth, layout: Layout, index: Index, protocol: Protocol
) -> Floats | None:
    """Return a normaliser (N,) px; None where the data have none."""
    there = error_table.points_there(protocol, truth)
    if name in NORMALISERS:
        try:
            return landmarks.normaliser_lengths(
                name, truth.values, layout, truth.boxes, truth.ids, there
            )
        except DataError:
            if name in protocol.normalisers:
                raise
            return None  # another paper's, that a face with absent points does not have
    if name.startswith(("box_", "sides_")):
        kind, _, source = name.partition("_")
        return _box_lengths(index, source, truth, kind)
    if name in ("eye_mix", "inner_corners"):
        return _inner_eye_lengths(name, truth, layout)
    sides = np.diff(tight_box(truth.values).reshape(-1, 2, 2), axis=1)[:, 0]
    measures: Mapping[str, Callable[[Floats], Floats]] = {
        "longer_side": lambda wh: wh.max(axis=1),
        "plus_one": lambda wh: np.sqrt((wh + 1).prod(axis=1)),
    }
    return measures[name](sides)


def _inner_eye_lengths(name: str, truth: Truth, layout: Layout) -> Floats | None:
    """Return a normaliser (N,) px made of inner eye corners; None where the data have none."""
    inner = _inner_corner_lengths(truth, layout)
    if layout.eye_corners is None or not (inner > 0).all():
        return None
    if name == "eye_mix":
        return _eye_mix_lengths(truth, layout)
    return inner


def _box_lengths(index: Index, source: str, truth: Truth, kind: str) -> Floats | None:
    """Return a length (N,) of a source's boxes; None where one is missing.

    `box`: the square root of the area; `sides`: the mean of width and height.
    """
    row_of = {str(item): row for row, item in enumerate(index.ids)}
    rows = [row_of[str(item)] for item in truth.ids]
    boxes = index.boxes[source][rows]
    width, height = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
    area = width * height
    if not np.isfinite(area).all() or not (area > 0).all():
        return None
    if kind == "sides":
        mean_sides: Floats = (width + height) / 2
        return mean_sides
    return np.sqrt(area)


def _eye_mix_lengths(truth: Truth, layout: Layout) -> Floats:
    """Return the mean (N,) px of the distances of the outer and of the inner eye corners."""
    outer = landmarks.normaliser_lengths("inter_ocular", truth.values, layout)
    mixed: Floats = (outer + _inner_corner_lengths(truth, layout)) / 2
    return mixed


def _inner_corner_lengths(truth: Truth, layout: Layout) -> Floats:
    """Return the distance (N,) px of the inner eye corners, 0 where the layout marks none."""
    if layout.inner_eye_corners is None:
        return np.zeros(len(truth.values))
    left, right = layout.inner_eye_corners
    difference: Floats = truth.values[:, left] - truth.values[:, right]
    inner: Floats = np.hypot(difference[:, 0], difference[:, 1])
    return inner


# --- choices --------------------------------------------------------------------------------------


def _group_words(index: Index, truth: Truth) -> dict[str, str]:
    groups = (*truth.groups, *_part_groups(index, truth))
    return {name: f"only the faces of {name}" for name in groups}


def _box_words(index: Index) -> dict[str, str]:
    words = {}
    for source in index.boxes:
        words[f"box_{source}"] = (
            f"divided by the square root of the area of the {source} box, as some code does with "
            "whatever box the "
            "method is given"
        )
        words[f"sides_{source}"] = (
            f"divided by the mean of width and height of the {source} box, (w + h)/2"
        )
    return words


def _point_set_words(layout: Layout) -> dict[str, str]:
    subsets = {str(count): f"{count} of the {layout.count} points" for count in layout.subsets}
    parts = {name: f"only the points of {name}" for name in layout.parts}
    for name in PARTS:
        if landmarks.part_points(layout, name) and name not in parts:
            parts[name] = f"only the points of the {name}"
    return {"all": f"all {layout.count} points", **subsets, **parts}


def _point_indices(layout: Layout, points: str) -> list[int]:
    if points == "all":
        return list(range(layout.count))
    if points.isdigit():
        return list(layout.subsets[int(points)])
    if points in layout.parts:
        return list(layout.parts[points])
    return landmarks.part_points(layout, points)


def _visible_words(partly_visible: bool) -> dict[str, str]:
    words = {"all": "hidden points count as well"}
    if partly_visible:
        words["visible"] = "only points that are marked visible count"
    return words


def _part_groups(index: Index, truth: Truth) -> dict[str, Bools]:
    """Return the dataset's parts in the test set that are no group by themselves."""
    part_of = dict(zip(index.ids.tolist(), index.parts.tolist(), strict=True))
    parts = np.array([part_of[item] for item in truth.ids.tolist()])
    known = [inside.tobytes() for inside in truth.groups.values()]
    groups = {}
    for name in np.unique(parts):
        inside = parts == name
        if inside.tobytes() not in known:
            groups[str(name)] = inside
    return groups
