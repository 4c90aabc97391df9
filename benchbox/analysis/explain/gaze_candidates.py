"""The conventions that gaze papers and repositories differ in, as axes of the grid, and a measure over them all."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from benchbox.metrics import aggregate, gaze, gaze_convention_search

from .convention_grid import Axes, Choice, Measure

if TYPE_CHECKING:
    from benchbox.types import Bools, Floats, Predictions, Protocol, Truth

_AVERAGES = {
    "frame": "every frame counts the same",
    "person": "the mean of each person first, then of the people (leave-one-person-out sets)",
    "dot": "the answers of all frames of one dot are averaged before they are measured",
    "msd": "the spread of the answers about their own mean while one point is looked at: no error at all",
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
    own = _own_average(metric)
    averages = {
        name: words
        for name, words in _AVERAGES.items()
        if name == own or _average_possible(name, protocol, truth)
    }
    readings = {
        name: means for name, means, _ in _readings(protocol, truth.values, predictions.values)
    }
    rules = {name: words for name, (words, _) in _PLANE.items()}
    if protocol.task == "gaze3d":
        rules = {name: f"by the rule of {rule.used_by}" for name, rule in gaze.PARITY_RULES.items()}
    units = {name: words for name, (words, _) in _UNITS[protocol.task].items()}
    found: dict[str, tuple[str, Mapping[str, str]]] = {
        "reading": ("as given", readings),
        "rule": (next(iter(rules)), rules),
        "average": (own, averages),
        "middle": ("mean", _MIDDLES),
        "unit": (aggregate.metric_unit(metric), units),
        "group": (group, {name: f"only the items of {name}" for name in truth.groups}),
    }
    return {
        axis: [Choice(axis, name, means.get(name, "")) for name in dict.fromkeys((first, *means))]
        for axis, (first, means) in found.items()
    }


def gaze_measure(protocol: Protocol, truth: Truth, predictions: Predictions) -> Measure:
    """Return the function that measures a combination of choices."""
    given = np.where(predictions.failed[:, None], np.nan, predictions.values)
    read = {name: values for name, _, values in _readings(protocol, truth.values, given)}
    _, people = np.unique(truth.clusters, return_inverse=True)
    dots = _codes(truth)

    @cache
    def errors(reading: str, rule: str) -> Floats:
        if protocol.task == "gaze3d":
            return gaze.PARITY_RULES[rule].error(truth.values, read[reading])
        return _PLANE[rule][1](read[reading] - truth.values)

    def value(choice: Mapping[str, str]) -> float | None:
        inside = truth.groups[choice["group"]]
        per = choice["average"]
        if per in ("dot", "msd"):
            if dots is None:
                return None
            told = _told(
                protocol, per, choice["rule"], truth.values, read[choice["reading"]], dots, inside
            )
        else:
            told = errors(choice["reading"], choice["rule"])[inside]
            if per == "person":
                told = _by(people[inside], told)
        told = told[np.isfinite(told)]
        if not len(told):
            return None
        return (
            _middle(choice["middle"], told)
            * _UNITS[protocol.task].get(choice["unit"], ("", 1.0))[1]
        )

    return value


def gaze_warnings(protocol: Protocol, truth: Truth, predictions: Predictions) -> tuple[str, ...]:
    """Say which reading of the predictions would agree far better with the labels, if one does."""
    given = np.where(predictions.failed[:, None], np.nan, predictions.values)
    resolve = (
        gaze_convention_search.search_direction_convention
        if protocol.task == "gaze3d"
        else gaze_convention_search.search_point_convention
    )
    said = resolve(truth.values, given, clusters=truth.clusters).warning
    return (said,) if said else ()


# --- numbers --------------------------------------------------------------------------------------


def _own_average(metric: str) -> str:
    for ending, average in (("_person", "person"), ("_dot", "dot")):
        if metric.endswith(ending):
            return average
    return "msd" if metric.startswith("msd_") else "frame"


def _average_possible(average: str, protocol: Protocol, truth: Truth) -> bool:
    """Tell whether an average says anything here: dots need sequences, people more than one cluster."""
    if average in ("dot", "msd"):
        return protocol.task == "gaze2d" and _codes(truth) is not None
    return average == "frame" or len(np.unique(truth.clusters)) > 1


def _readings(
    protocol: Protocol, wanted: Floats, given: Floats
) -> Iterator[tuple[str, str, Floats]]:
    """Yield the readings of the predictions.

    General permutations of axes are left to the resolver's warning.
    """
    if protocol.task == "gaze2d":
        known = np.isfinite(given).all(axis=1)
        for name, means, values in gaze_convention_search.point_readings(
            wanted[known], given[known]
        ):
            whole = np.full(given.shape, np.nan)
            whole[known] = values
            yield name, means, whole
        return
    for name, means, values in gaze_convention_search.direction_readings(given):
        if not name.startswith("axes") or name in ("axes (-x, -y, -z)", "axes (x, y, -z)"):
            yield name, means, values


def _codes(truth: Truth) -> np.ndarray | None:
    if truth.sequences is None or not (truth.sequences != "").any():
        return None
    names, codes = np.unique(truth.sequences, return_inverse=True)
    return codes - int(names[0] == "")


def _told(
    protocol: Protocol,
    per: str,
    rule: str,
    wanted: Floats,
    given: Floats,
    codes: np.ndarray,
    inside: Bools,
) -> Floats:
    """Return the value of every sequence that has rows inside."""
    count = int(codes.max()) + 1
    here = np.where(inside, codes, -1)
    if per == "msd":
        return gaze.msd_per_sequence(given, here, count)
    answered = np.where(np.isfinite(given).all(axis=1), here, -1)
    change = gaze.sequence_means(given, answered, count) - gaze.sequence_means(
        wanted, answered, count
    )
    return _PLANE[rule][1](change) if protocol.task == "gaze2d" else np.full(count, np.nan)


def _by(codes: np.ndarray, values: Floats) -> Floats:
    known = np.isfinite(values)
    sizes = np.bincount(codes[known], minlength=int(codes.max(initial=0)) + 1)
    sums = np.bincount(codes[known], weights=values[known], minlength=len(sizes))
    found: Floats = sums[sizes > 0] / sizes[sizes > 0]
    return found


def _middle(name: str, values: Floats) -> float:
    if name == "rms":
        return float(np.sqrt((values**2).mean()))
    return float(np.median(values) if name == "median" else values.mean())
