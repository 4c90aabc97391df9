"""Metric names in words, and numbers as the pages print them.

A metric name says everything (`nme_inter_ocular_51`, `auc_0.08_inter_pupil`); here it is taken apart so that a
leaderboard can show one **convention** (a normaliser and a set of points) at a time, its measures as column groups.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache

from benchbox.types import Protocol, Score

_NORMALISED = re.compile(r"(nme|auc|fr)(?:_(\d+(?:\.\d+)?))?_([a-z_]+?)(?:_(\d+))?")
_ABSOLUTE = re.compile(r"(error|msd|jitter)_(cm|deg|px)")
_ORDER = ("nme", "error", "auc", "fr", "msd", "jitter")

NORMALISERS = {
    "inter_ocular": "inter-ocular distance (outer eye corners)",
    "inter_pupil": "inter-pupil distance (centres of the eyes)",
    "face_size": "face size",
    "diagonal": "diagonal of the box",
    "height": "height of the box",
}
_SHORT = {
    "inter_ocular": "inter-ocular",
    "inter_pupil": "inter-pupil",
    "face_size": "face size",
    "diagonal": "diagonal",
    "height": "height",
}


@dataclass(frozen=True)
class Metric:
    """A metric name taken apart."""

    name: str
    measure: str  # nme, auc, fr, error, msd, jitter; the whole name where it follows no known pattern
    threshold: str  # "0.08", "" where there is none
    convention: str  # "inter_ocular_51", "cm"
    unit: str

    @cached_property
    def title(self) -> str:
        """Name the measure in a column head."""
        words = {"nme": "NME", "auc": "AUC", "fr": "Failure rate", "error": "Error", "msd": "MSD", "jitter": "Jitter"}
        return words.get(self.measure, self.name) + (f" @ {self.threshold}" if self.threshold else "")

    @property
    def falls(self) -> bool:
        """Tell whether smaller is better."""
        return self.measure != "auc"


@lru_cache(4096)
def parse(name: str) -> Metric:
    """Take a metric name apart; equal names give the same object."""
    if match := _NORMALISED.fullmatch(name):
        measure, threshold, normaliser, points = match.groups()
        convention = normaliser + (f"_{points}" if points else "")
        return Metric(name, measure, threshold or "", convention, "1" if measure == "auc" else "%")
    if match := _ABSOLUTE.fullmatch(name):
        return Metric(name, match[1], "", match[2], match[2])
    return Metric(name, name, "", name, "")


def ordered(names: Iterable[str], protocol: Protocol) -> Mapping[str, tuple[Metric, ...]]:
    """Group metric names by convention: the card's normalisers first, all points before subsets, errors before AUC."""
    return _ordered(frozenset(names), protocol.normalisers)


@lru_cache(256)  # runs of one protocol have the same names
def _ordered(names: frozenset[str], known: tuple[str, ...]) -> Mapping[str, tuple[Metric, ...]]:
    groups: dict[str, list[Metric]] = {}
    for metric in map(parse, names):
        groups.setdefault(metric.convention, []).append(metric)
    return {
        convention: tuple(sorted(groups[convention], key=_measure_order))
        for convention in sorted(groups, key=lambda convention: _convention_order(convention, known))
    }


def _measure_order(metric: Metric) -> tuple[float, int, str]:
    rank = _ORDER.index(metric.measure) if metric.measure in _ORDER else len(_ORDER)
    return float(metric.threshold or 0), rank, metric.name


def _convention_order(convention: str, known: tuple[str, ...]) -> tuple[int, int, str]:
    normaliser, points = split(convention)
    return -points if points else -(10**6), known.index(normaliser) if normaliser in known else len(known), convention


def split(convention: str) -> tuple[str, int]:
    """Split a convention into its normaliser and its number of points, 0 for the layout's own."""
    head, _, tail = convention.rpartition("_")
    return (head, int(tail)) if head and tail.isdigit() else (convention, 0)


def words(convention: str) -> str:
    """Name a convention in full."""
    normaliser, points = split(convention)
    units = {"cm": "error in centimetres", "deg": "error in degrees", "px": "error in pixels"}
    text = units.get(normaliser) or f"error over {NORMALISERS.get(normaliser, normaliser)}"
    return text + (f", {points} points" if points else "")


def short(convention: str) -> str:
    """Name a convention in a word or two."""
    normaliser, points = split(convention)
    return _SHORT.get(normaliser, normaliser) + (f", {points} points" if points else "")


def unit_word(unit: str) -> str:
    """Print a unit in a column head; a fraction has none."""
    return "" if unit == "1" else unit


def number(value: float | None, unit: str) -> str:
    """Print a measured value: two digits, three for a fraction; a value that does not exist is a dash."""
    if value is None or not math.isfinite(value):
        return "–"
    digits = 3 if unit == "1" else 2
    return f"{round(value, digits) + 0.0:.{digits}f}"  # adding zero: no "-0.000"


def interval(score: Score) -> str:
    """Print a score's interval, "" where there is none."""
    if score.low is None or score.high is None:
        return ""
    return f"{number(score.low, score.unit)}–{number(score.high, score.unit)}"


def curve_end(protocol: Protocol) -> float:
    """Choose the error at which a CED ends, as a fraction: the card's largest threshold."""
    return max((*protocol.auc, *protocol.fr), default=0.1)
