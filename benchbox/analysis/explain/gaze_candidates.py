"""The conventions that gaze papers differ in: axes of the grid, and a measure over them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from benchbox.errors import ResultError
from benchbox.metrics import gaze, gaze_convention_search
from benchbox.metrics.metric_names import Metric, parse_metric

from .convention_grid import Axes, Measure, axes_of

if TYPE_CHECKING:
    from benchbox.types import Bools, Floats, Predictions, Protocol, Truth

_AVERAGES = {
    "frame": "every frame counts the same",
    "person": "the mean of each person first, then of the people (leave-one-person-out sets)",
    "dot": "the answers of all frames of one dot are averaged before they are measured",
    "msd": "the spread of the answers about their own mean while one point is looked at: no error "
    "at all",
}
_MIDDLES = {
    "median": "the median instead of the mean: hard frames count no more",
    "rms": "the root of the mean square: large errors weigh more",
}
_PLANE: Mapping[str, tuple[str, Callable[[Floats], Floats]]] = {
    "length": ("the length of the error", lambda d: np.hypot(d[:, 0], d[:, 1])),
    "x_only": ("the error along x alone", lambda d: np.abs(d[:, 0])),
    "y_only": ("the error along y alone", lambda d: np.abs(d[:, 1])),
    "mean_axis": ("the mean of the errors along x and y", lambda d: np.abs(d).mean(axis=1)),
    "sum_axis": ("the sum of the errors along x and y", lambda d: np.abs(d).sum(axis=1)),
}
_UNITS: Mapping[str, Mapping[str, tuple[str, float]]] = {
    "gaze2d": {"mm": ("printed in millimetres", 10.0), "inch": ("printed in inches", 1 / 2.54)},
    "gaze3d": {
        "rad": ("printed in radians", float(np.pi / 180)),
        "half": ("the mean of two axes", 0.5),
    },
}


def gaze_axes(
    protocol: Protocol, truth: Truth, predictions: Predictions, metric: str, group: str
) -> Axes:
    """Return the axes for a metric of a group; the first choice of each is the card's own."""
    parsed = parse_metric(metric)
    if parsed.shots:
        raise ResultError(
            f"{metric}: conventions are tried without calibration; "
            f"--metric error_{parsed.unit}_person"
        )
    own_average = _own_average(parsed)
    averages = {}
    for name, means in _AVERAGES.items():
        if name == own_average or _average_possible(name, protocol, truth):
            averages[name] = means
    readings = {}
    for name, means, _ in _readings(protocol, truth.values, predictions.values):
        readings[name] = means
    if protocol.task == "gaze3d":
        rules = {name: f"by the rule of {rule.used_by}" for name, rule in gaze.PARITY_RULES.items()}
    else:
        rules = {name: means for name, (means, _) in _PLANE.items()}
    units = {name: means for name, (means, _) in _UNITS[protocol.task].items()}
    return axes_of(
        {
            "reading": ("as given", readings),
            "rule": (next(iter(rules)), rules),
            "average": (own_average, averages),
            "middle": ("mean", _MIDDLES),
            "unit": (parsed.unit, units),
            "group": (group, {name: f"only the items of {name}" for name in truth.groups}),
        }
    )


def gaze_measure(protocol: Protocol, truth: Truth, predictions: Predictions) -> Measure:
    """Return the function that measures a combination of choices."""
    given = np.where(predictions.failed[:, None], np.nan, predictions.values)
    values_of = {name: values for name, _, values in _readings(protocol, truth.values, given)}
    _, people = np.unique(truth.clusters, return_inverse=True)
    dots = _sequence_codes(truth)

    @cache
    def errors(reading: str, rule: str) -> Floats:
        if protocol.task == "gaze3d":
            return gaze.PARITY_RULES[rule].error(truth.values, values_of[reading])
        return _PLANE[rule][1](values_of[reading] - truth.values)

    def averaged_errors(choice: Mapping[str, str], inside: Bools) -> Floats | None:
        average, rule, reading = choice["average"], choice["rule"], choice["reading"]
        if average in ("dot", "msd"):
            if dots is None:
                return None
            codes, count = np.where(inside, dots, -1), int(dots.max()) + 1
            if average == "msd":
                return gaze.msd_per_sequence(values_of[reading], codes, count)
            return _dot_errors(protocol, rule, truth.values, values_of[reading], codes, count)
        if average == "person":
            return _mean_by_code(people[inside], errors(reading, rule)[inside])
        return errors(reading, rule)[inside]

    def value(choice: Mapping[str, str]) -> float | None:
        averaged = averaged_errors(choice, truth.groups[choice["group"]])
        if averaged is None:
            return None
        known = averaged[np.isfinite(averaged)]
        if not len(known):
            return None
        _, factor = _UNITS[protocol.task].get(choice["unit"], ("", 1.0))
        return _middle(choice["middle"], known) * factor

    return value


def gaze_warnings(protocol: Protocol, truth: Truth, predictions: Predictions) -> tuple[str, ...]:
    """Say which reading of the predictions would agree far better with the labels, if one does."""
    search = gaze_convention_search.search_point_convention
    if protocol.task == "gaze3d":
        search = gaze_convention_search.search_direction_convention
    given = np.where(predictions.failed[:, None], np.nan, predictions.values)
    warning = search(truth.values, given, clusters=truth.clusters).warning
    return (warning,) if warning else ()


# --- numbers --------------------------------------------------------------------------------------


def _own_average(metric: Metric) -> str:
    if metric.measure == "msd":
        return "msd"
    return metric.averaged_by or "frame"


def _average_possible(average: str, protocol: Protocol, truth: Truth) -> bool:
    """Tell whether an average exists here: dots need sequences, people more than one cluster."""
    if average in ("dot", "msd"):
        return protocol.task == "gaze2d" and _sequence_codes(truth) is not None
    return average == "frame" or len(np.unique(truth.clusters)) > 1


def _readings(
    protocol: Protocol, labels: Floats, given: Floats
) -> Iterator[tuple[str, str, Floats]]:
    """Yield the readings of the predictions.

    General permutations of axes are left to the warning of the convention search.
    """
    if protocol.task == "gaze2d":
        known = np.isfinite(given).all(axis=1)
        readings = gaze_convention_search.point_readings(labels[known], given[known])
        for name, means, values in readings:
            all_rows = np.full(given.shape, np.nan)
            all_rows[known] = values
            yield name, means, all_rows
        return
    for name, means, values in gaze_convention_search.direction_readings(given):
        if not name.startswith("axes") or name in ("axes (-x, -y, -z)", "axes (x, y, -z)"):
            yield name, means, values


def _sequence_codes(truth: Truth) -> np.ndarray | None:
    """Return the number (N,) of each row's sequence, -1 for none.

    None where there are no sequences.
    """
    if truth.sequences is None or not (truth.sequences != "").any():
        return None
    names, codes = np.unique(truth.sequences, return_inverse=True)
    return codes - int(names[0] == "")


def _dot_errors(
    protocol: Protocol, rule: str, labels: Floats, given: Floats, codes: np.ndarray, count: int
) -> Floats:
    """Return the error of the mean answer of every sequence, NaN for one without an answer."""
    if protocol.task != "gaze2d":
        return np.full(count, np.nan)
    answered = np.where(np.isfinite(given).all(axis=1), codes, -1)
    given_means = gaze.sequence_means(given, answered, count)
    return _PLANE[rule][1](given_means - gaze.sequence_means(labels, answered, count))


def _mean_by_code(codes: np.ndarray, values: Floats) -> Floats:
    """Return the mean of the finite values (N,) of every code that has one."""
    known = np.isfinite(values)
    sizes = np.bincount(codes[known], minlength=int(codes.max(initial=0)) + 1)
    sums = np.bincount(codes[known], weights=values[known], minlength=len(sizes))
    means: Floats = sums[sizes > 0] / sizes[sizes > 0]
    return means


def _middle(name: str, values: Floats) -> float:
    if name == "rms":
        return float(np.sqrt((values**2).mean()))
    if name == "median":
        return float(np.median(values))
    return float(values.mean())
