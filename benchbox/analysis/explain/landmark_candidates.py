"""The conventions that landmark papers and repositories differ in, as axes of the grid, and a measure over them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from benchbox.geometry import tight_box
from benchbox.layouts import LAYOUTS
from benchbox.metrics import curves, landmarks

from . import pixel_offset as offsets
from .convention_grid import Axes, Choice, Measure, Variant

if TYPE_CHECKING:
    from benchbox.types import Bools, Floats, Index, Layout, Predictions, Protocol, Truth

_NORMALISERS = {
    "inter_ocular": "divided by the distance of the outer eye corners",
    "inter_pupil": "divided by the distance of the eye centres, which is shorter: on 300-W the number grows by 1.28 to "
    "1.61 per face, 1.4 on average",
    "face_size": "divided by the square root of the face box's area, two to three times the eye distance",
    "diagonal": "divided by the diagonal of the tight box around the points (Menpo)",
    "height": "divided by the height of the tight box around the points",
    "eye_mix": "divided by the mean of the inner and the outer corner distance, which some code calls pupils (3FabRec)",
    "mean_side": "divided by the mean of width and height of the tight box (menpobench)",
    "longer_side": "divided by the longer side of the tight box",
    "plus_one": "divided by the square root of (width + 1)(height + 1) of the tight box: pixels counted, not distances",
}
_AVERAGES = {
    "ratio_of_sums": "all pixel errors over all normalisers: large faces weigh more",
    "pooled": "one mean over all visible points of all faces: a face with few visible points weighs less (MMPose)",
    "median": "the median face instead of the mean: hard faces count no more",
}
_SHIFTS = {
    f"{px:+g}px": f"{px:+g} px added to x and y: {why}" for px, why in offsets.NAMED_SHIFTS.items()
}
_ORDERS = {
    "mirrored_names": "left and right points exchanged: a picture was flipped and the names of its points were not",
    "xy_swapped": "x and y exchanged: row and column were mixed up",
}
_MAX_POINT_SETS = 0.7  # share of the error that a slip must leave to be warned of
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
) -> Axes:
    """Return the axes for a metric of a group; the first choice of each is the card's own."""
    measure, threshold, convention = take_apart(metric)
    normaliser, points, visible = convention
    layout = LAYOUTS[protocol.layout]
    partly = truth.visible is not None and not bool(truth.visible.all())
    found: dict[str, tuple[str, Mapping[str, str]]] = {
        "normaliser": (normaliser, {**_NORMALISERS, **_boxes(index)}),
        "points": (points, _point_sets(layout)),
        "visible": ("visible" if visible else "all", _visible_words(partly)),
        "offset": (
            "none",
            {
                **_SHIFTS,
                "best": "the constant shift that fits best is added to all predicted points",
            },
        ),
        "order": ("as_given", _ORDERS),
        "scale": ("one", {name: words for name, (_, words) in _SCALES.items()}),
        "group": (
            group,
            {
                name: f"only the faces of {name}"
                for name in (*truth.groups, *_part_points(index, truth))
            },
        ),
    }
    if predictions.failed.any():
        words = {
            "as_100": "faces without an answer counted as 100 % wrong in the mean, which leaves them out here"
        }
        found["failed"] = ("left_out", words)
    if measure == "nme":
        found["average"] = ("macro", _AVERAGES)
        found["unit"] = ("percent", {"fraction": "a fraction printed where per cent is meant"})
    else:
        found["threshold"] = (
            threshold,
            dict.fromkeys(_THRESHOLDS, "the threshold of another paper"),
        )
        found["rule"] = (
            "exact",
            {n: f"by the rule of {rule.used_by}" for n, rule in curves.PARITY_RULES.items()},
        )
        found["unit"] = ("own", {"other": "per cent and fraction exchanged"})
    return _choices(found)


def take_apart(metric: str) -> tuple[str, str, tuple[str, str, bool]]:
    """Return measure, threshold and convention (normaliser, points, visible only) of a metric's name."""
    measure, _, rest = metric.partition("_")
    threshold = ""
    if measure != "nme":
        threshold, _, rest = rest.partition("_")
    visible = rest.endswith("_visible")
    rest = rest.removesuffix("_visible")
    head, _, tail = rest.rpartition("_")
    normaliser, points = (head, tail) if tail.isdigit() else (rest, "all")
    return measure, threshold, (normaliser, points, visible)


def landmark_measure(
    protocol: Protocol,
    index: Index,
    truth: Truth,
    predictions: Predictions,
    metric: str,
    best: offsets.Offset,
) -> Measure:
    """Return the function that measures a combination of choices.

    `best` is the shift that fits best.
    """
    layout, kind = LAYOUTS[protocol.layout], take_apart(metric)[0]
    inside = {**truth.groups, **_part_points(index, truth)}
    failed = predictions.failed

    @cache
    def moved(shift: str, order: str, scale: str) -> Floats:
        return _shifted(predictions.values, layout, shift, order, scale, best)

    @cache
    def pixels(shift: str, order: str, scale: str, points: str, visible: str) -> Floats:
        chosen = _indices(layout, points)
        mask = truth.visible if visible == "visible" else None
        errors = landmarks.mean_errors(truth.values, moved(shift, order, scale), chosen, mask)
        return np.where(failed, np.nan, errors)

    @cache
    def divisor(name: str) -> Floats | None:
        return _divisor(name, truth, layout, index)

    def value(choice: Mapping[str, str]) -> float | None:
        scale, rows = divisor(choice["normaliser"]), inside[choice["group"]]
        where = (choice["offset"], choice["order"], choice["scale"])
        if scale is None or not rows.any():
            return None
        errors_px = pixels(*where, choice["points"], choice["visible"])[rows]
        if kind == "nme" and choice["average"] == "pooled":
            return _pooled(
                truth,
                moved(*where),
                scale,
                rows & ~failed,
                _indices(layout, choice["points"]),
                choice,
            )
        return _summarise(kind, errors_px, scale[rows], failed[rows], choice)

    return value


def landmark_warnings(found: Sequence[Variant]) -> tuple[str, ...]:
    """Say which single slip (order of points, axes, scale, origin) takes away most of the error, if one does."""
    measured = next((variant.value for variant in found if not variant.changes), None)
    slips = [
        v
        for v in found
        if len(v.changes) == 1 and v.changes[0].axis in ("order", "scale", "offset")
    ]
    best = min(slips, key=lambda variant: variant.value, default=None)
    if measured is None or best is None or best.value >= _MAX_POINT_SETS * measured:
        return ()
    choice = best.changes[0]
    return (f"{best.name} lowers {measured:.2f} to {best.value:.2f}: {choice.means}",)


# --- numbers --------------------------------------------------------------------------------------


def _summarise(
    kind: str, errors_px: Floats, scale: Floats, failed: Bools, choice: Mapping[str, str]
) -> float | None:
    errors = errors_px / scale
    if kind != "nme":
        rule, end = curves.PARITY_RULES[choice["rule"]], float(choice["threshold"])
        errors = np.where(failed, np.inf, errors)
        if np.isnan(errors).any():
            return None
        other = choice["unit"] == "other"
        if kind == "auc":
            return rule.auc(errors, end) * (100 if other else 1)
        return rule.failure_rate(errors, end) * (1 if other else 100)
    if choice.get("failed") == "as_100":
        errors, errors_px = np.where(failed, 1.0, errors), np.where(failed, scale, errors_px)
    known = np.isfinite(errors)
    if not known.any():
        return None
    factor = 100 if choice["unit"] == "percent" else 1
    if choice["average"] == "ratio_of_sums":
        return float(factor * errors_px[known].sum() / scale[known].sum())
    middle = np.median if choice["average"] == "median" else np.mean
    return float(factor * middle(errors[known]))


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
    errors = (
        landmarks.point_errors(truth.values[rows][:, points], values[rows][:, points])
        / scale[rows, None]
    )
    mask = truth.visible[rows][:, points]
    if not mask.any():
        return None
    return float((100 if choice["unit"] == "percent" else 1) * errors[mask].mean())


def _shifted(
    values: Floats, layout: Layout, shift: str, order: str, scale: str, best: offsets.Offset
) -> Floats:
    if order == "mirrored_names":
        values = values[:, list(layout.flip)]
    elif order == "xy_swapped":
        values = values[..., ::-1]
    if scale != "one":
        values = values * _SCALES[scale][0]
    if shift == "none":
        return values
    step = (best.dx, best.dy) if shift == "best" else (float(shift.removesuffix("px")),) * 2
    shifted: Floats = values + np.array(step)
    return shifted


def _divisor(name: str, truth: Truth, layout: Layout, index: Index) -> Floats | None:
    """Return a normaliser (N,) px; None where the data have none."""
    if name in landmarks.NORMALISER_FUNCTIONS:
        return landmarks.normaliser_lengths(name, truth.values, layout, truth.boxes, truth.ids)
    if name.startswith("box_"):
        order = {str(key): row for row, key in enumerate(index.ids)}
        boxes = index.boxes[name.removeprefix("box_")][[order[str(key)] for key in truth.ids]]
        area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
        return np.sqrt(area) if np.isfinite(area).all() and (area > 0).all() else None
    if name == "eye_mix":
        corners = landmarks.normaliser_lengths("inter_ocular", truth.values, layout)
        inner = _inner_corners(layout, truth.values)
        gap: Floats = truth.values[:, inner[0]] - truth.values[:, inner[1]]
        distance: Floats = np.hypot(gap[:, 0], gap[:, 1])
        mixed: Floats = (corners + distance) / 2
        return mixed
    sides = np.diff(tight_box(truth.values).reshape(-1, 2, 2), axis=1)[:, 0]
    measures: Mapping[str, Callable[[Floats], Floats]] = {
        "mean_side": lambda wh: wh.mean(axis=1),
        "longer_side": lambda wh: wh.max(axis=1),
        "plus_one": lambda wh: np.sqrt((wh + 1).prod(axis=1)),
    }
    return measures[name](sides)


def _inner_corners(layout: Layout, values: Floats) -> tuple[int, int]:
    """Return the eyes' inner corners: of each eye the point that lies farthest from the outer corner, on average."""
    first, second = (
        max(eye, key=lambda k: float(np.hypot(*(values[:, k] - values[:, corner]).T).mean()))
        for eye, corner in zip(layout.eyes, layout.eye_corners, strict=True)
    )
    return first, second


# --- choices --------------------------------------------------------------------------------------


def _choices(words: Mapping[str, tuple[str, Mapping[str, str]]]) -> Axes:
    """Return axes from axis → (the card's own choice, choice → words).

    The own choice comes first.
    """
    return {
        axis: [Choice(axis, name, means.get(name, "")) for name in dict.fromkeys((own, *means))]
        for axis, (own, means) in words.items()
    }


def _boxes(index: Index) -> dict[str, str]:
    return {
        f"box_{source}": f"divided by the square root of the area of the {source} box, as some code does with whatever "
        "box the method is given"
        for source in index.boxes
    }


def _point_sets(layout: Layout) -> dict[str, str]:
    subsets = {str(count): f"{count} of the {layout.count} points" for count in layout.subsets}
    parts = {name: f"only the points of {name}" for name in layout.parts}
    return {"all": f"all {layout.count} points", **subsets, **parts}


def _indices(layout: Layout, points: str) -> list[int]:
    if points == "all":
        return list(range(layout.count))
    return list(layout.subsets[int(points)] if points.isdigit() else layout.parts[points])


def _visible_words(partly: bool) -> dict[str, str]:
    words = {"all": "hidden points count as well"}
    return words | ({"visible": "only points that are marked visible count"} if partly else {})


def _part_points(index: Index, truth: Truth) -> dict[str, Bools]:
    """Return the dataset's parts that the test set is made of, where they are no group by themselves."""
    part = dict(zip(index.ids.tolist(), index.parts.tolist(), strict=True))
    of_each = np.array([part[key] for key in truth.ids.tolist()])
    found = {str(name): of_each == name for name in np.unique(of_each)}
    known = [inside.tobytes() for inside in truth.groups.values()]
    return {name: inside for name, inside in found.items() if inside.tobytes() not in known}
