"""Metric names in words, and numbers as the pages print them.

A metric name says everything (`nme_inter_ocular_51`, `auc_0.08_inter_pupil`); here it is taken
apart so that a leaderboard can show one **convention** (a normaliser and a set of points) at a
time, its measures as column groups.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache

from benchbox.types import Protocol, Score

_NORMALISED = re.compile(r"(nme|auc|fr)(?:_(\d+(?:\.\d+)?))?_([a-z_]+?)(?:_(\d+))?(_visible)?")
_ABSOLUTE = re.compile(r"(error|msd|jitter|bias)_(cm|deg|px)(?:_([a-z]+))?")
_ORDER = ("nme", "error", "auc", "fr", "msd", "jitter", "bias")
_WORDS = {"nme": "NME", "auc": "AUC", "fr": "Failure rate", "error": "Error", "msd": "MSD"}
_WORDS |= {"jitter": "Jitter", "bias": "Bias"}
_BY = {"dot": "per dot", "person": "mean of persons"}

TASKS = {
    "landmarks": "Facial landmarks",
    "gaze2d": "Gaze on the screen",
    "gaze3d": "Gaze direction",
}
NORMALISERS = {
    "inter_ocular": "inter-ocular distance (outer eye corners)",
    "inter_pupil": "inter-pupil distance (centres of the eyes)",
    "face_size": "face size",
    "diagonal": "diagonal of the box",
    "height": "height of the box",
}
SHORT_NAMES = {
    "inter_ocular": "inter-ocular",
    "inter_pupil": "inter-pupil",
    "face_size": "face size",
    "diagonal": "diagonal",
    "height": "height",
    "cm": "centimetres",
    "deg": "degrees",
    "px": "pixels",
}


@dataclass(frozen=True)
class Metric:
    """A metric name taken apart."""

    name: str
    # nme, auc, fr, error, msd, jitter, bias; the whole name where it follows no known pattern
    measure: str
    threshold: str  # "0.08", "" where there is none
    convention: str  # "inter_ocular_51", "cm"
    unit: str
    by: str = ""  # what is averaged first: dot, person

    @cached_property
    def title(self) -> str:
        """Name the measure in a column head."""
        text = _WORDS.get(self.measure, self.name) + (
            f" @ {self.threshold}" if self.threshold else ""
        )
        return f"{text}, {_BY.get(self.by, self.by)}" if self.by else text

    @property
    def column(self) -> str:
        """Name the column of per-face errors that the measure is made of."""
        if self.measure in ("nme", "auc", "fr"):
            return f"nme_{self.convention}"
        return self.name.removesuffix("_person")

    @property
    def falls(self) -> bool:
        """Tell whether smaller is better."""
        return self.measure != "auc"


@lru_cache(4096)
def parse_metric(name: str) -> Metric:
    """Take a metric name apart; equal names give the same object."""
    if match := _NORMALISED.fullmatch(name):
        measure, threshold, normaliser, points, visible = match.groups()
        convention = normaliser + (f"_{points}" if points else "") + (visible or "")
        return Metric(name, measure, threshold or "", convention, "1" if measure == "auc" else "%")
    if match := _ABSOLUTE.fullmatch(name):
        return Metric(name, match[1], "", match[2], match[2], match[3] or "")
    return Metric(name, name, "", name, "")


def group_by_convention(
    names: Iterable[str], protocol: Protocol
) -> Mapping[str, tuple[Metric, ...]]:
    """Group metric names by convention: the card's normalisers first, all points before subsets, errors before AUC."""
    return _grouped(frozenset(names), protocol.normalisers)


@lru_cache(256)  # runs of one protocol have the same names
def _grouped(names: frozenset[str], known: tuple[str, ...]) -> Mapping[str, tuple[Metric, ...]]:
    groups: dict[str, list[Metric]] = {}
    for metric in map(parse_metric, names):
        groups.setdefault(metric.convention, []).append(metric)
    return {
        convention: tuple(sorted(groups[convention], key=_measure_order))
        for convention in sorted(
            groups, key=lambda convention: _convention_order(convention, known)
        )
    }


def _measure_order(metric: Metric) -> tuple[float, int, str]:
    rank = _ORDER.index(metric.measure) if metric.measure in _ORDER else len(_ORDER)
    return float(metric.threshold or 0), rank, metric.name


def _convention_order(convention: str, known: tuple[str, ...]) -> tuple[bool, int, int, str]:
    normaliser, points, visible = split_convention(convention)
    place = known.index(normaliser) if normaliser in known else len(known)
    return visible, -points if points else -(10**6), place, convention


def split_convention(convention: str) -> tuple[str, int, bool]:
    """Split a convention: normaliser, number of points (0: the layout's own), whether only visible points count."""
    rest = convention.removesuffix("_visible")
    head, _, tail = rest.rpartition("_")
    visible = rest != convention
    return (head, int(tail), visible) if head and tail.isdigit() else (rest, 0, visible)


def describe_convention(convention: str) -> str:
    """Name a convention in full."""
    normaliser, points, visible = split_convention(convention)
    units = {"cm": "error in centimetres", "deg": "error in degrees", "px": "error in pixels"}
    text = units.get(normaliser) or f"error over {NORMALISERS.get(normaliser, normaliser)}"
    return text + _points_suffix(points, visible)


def short_convention(convention: str) -> str:
    """Name a convention in a word or two."""
    normaliser, points, visible = split_convention(convention)
    return SHORT_NAMES.get(normaliser, normaliser) + _points_suffix(points, visible)


def _points_suffix(points: int, visible: bool) -> str:
    return (f", {points} points" if points else "") + (", visible only" if visible else "")


def unit_word(unit: str) -> str:
    """Print a unit in a column head; a fraction has none."""
    return "" if unit == "1" else unit


def format_number(value: float | None, unit: str) -> str:
    """Print a measured value: two digits, three for a fraction.

    A value that does not exist is a dash.
    """
    if value is None or not math.isfinite(value):
        return "–"
    digits = 3 if unit == "1" else 2
    return f"{round(value, digits) + 0.0:.{digits}f}"  # adding zero: no "-0.000"


def format_count(count: float | None) -> str:
    """Print a count of parameters or operations; a count that was not measured is a dash."""
    if count is None:
        return "–"
    for unit, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if count >= unit:
            return f"{count / unit:.3g} {letter}"
    return f"{count:.0f}"


def format_milliseconds(value: float | None) -> str:
    """Print a latency; one that was not measured is a dash."""
    return "–" if value is None else f"{value:.3g}"


def format_interval(score: Score) -> str:
    """Print a score's interval, "" where there is none."""
    if score.low is None or score.high is None:
        return ""
    return f"{format_number(score.low, score.unit)}–{format_number(score.high, score.unit)}"


def item_plural(protocol: Protocol | None) -> str:
    """Name what a protocol tests on, in the plural: one face of a gaze set is in many frames."""
    return (
        {"landmarks": "faces", "gaze2d": "frames", "gaze3d": "samples"}[protocol.task]
        if protocol
        else "items"
    )


def item_singular(protocol: Protocol) -> str:
    """Name one of what a protocol tests on."""
    return item_plural(protocol).removesuffix("s")


def percent_scale(unit: str) -> float:
    """Return what turns a stored error into the number that is printed: fractions become per cent."""
    return 100.0 if unit == "%" else 1.0


def ced_limit(protocol: Protocol) -> float:
    """Choose the error at which a CED of landmarks ends, as a fraction: the card's largest threshold."""
    return max((*protocol.auc, *protocol.fr), default=0.1)
