"""Metrics by name: what a card may ask for, and what each name means.

A name says everything (`nme_inter_ocular_51`, `auc_0.08_inter_pupil`, `error_cm_dot`);
`parse_metric` takes it apart and `str` puts it together again. A new normaliser is one entry of
`NORMALISERS`, a new measure one of `MEASURES`, a new metric of gaze or video one of `TASK_METRICS`:
cards, scorer, reference rows, explain, compare, check, report and exports read these lists. How a
metric is computed is told in `aggregate`. Nothing here needs numpy.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchbox.types import Protocol

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
    "mean_side": "mean of width and height of the box",
}
# part of a metric's name → parts of a layout (`Layout.parts`) whose points it takes, those it has
PARTS = {
    "contour": ("contour", "face_oval"),
    "brows": ("left_brow", "right_brow"),
    "eyes": ("left_eye", "right_eye"),
    "nose": ("nose",),
    "mouth": ("mouth",),
}
SHORT_NAMES = {
    "inter_ocular": "inter-ocular",
    "inter_pupil": "inter-pupil",
    "face_size": "face size",
    "diagonal": "diagonal",
    "height": "height",
    "mean_side": "mean side",
    "cm": "centimetres",
    "deg": "degrees",
    "px": "pixels",
}
# what a card names in `metrics`, beside the normalised errors of landmarks
TASK_METRICS = {
    "landmarks": ("jitter_px", "bias_px"),
    "gaze2d": ("error_cm", "error_cm_dot", "error_cm_person", "msd_cm"),
    "gaze3d": ("error_deg", "error_deg_person"),
}


@dataclass(frozen=True)
class Measure:
    """What all metrics of one measure have in common."""

    title: str
    unit: str = ""  # of normalised measures: %, or 1 for a fraction; else the name says it
    lower_is_better: bool = True
    has_threshold: bool = False
    per_sequence: bool = False  # one value per sequence (a video, a stare), not per item
    is_mean: bool = True  # a ratio of sums over items: has an interval, a paired test and ranks


MEASURES = {  # in the order of a table's columns
    "nme": Measure("NME", unit="%"),
    "error": Measure("Error"),
    "auc": Measure("AUC", unit="1", lower_is_better=False, has_threshold=True),
    "fr": Measure("Failure rate", unit="%", has_threshold=True),
    "rmse": Measure("RMSE", unit="%"),
    "median": Measure("Median NME", unit="%", is_mean=False),
    "msd": Measure("MSD", per_sequence=True),
    "jitter": Measure("Jitter", per_sequence=True),
    "bias": Measure("Bias", per_sequence=True),
}
_NORMALISED = re.compile(
    r"(?P<measure>nme|auc|fr|rmse|median)"
    r"(?:_(?P<threshold>\d+(?:\.\d+)?(?:e-\d+)?))?"
    rf"_(?P<normaliser>{'|'.join(NORMALISERS)})"
    r"(?:_(?P<points>\d+))?"
    rf"(?:_(?P<part>{'|'.join(PARTS)}))?"
    r"(?P<visible>_visible)?"
    r"(?P<balanced>_balanced)?"
)
_CALIBRATED = re.compile(r"error_(?P<unit>cm|deg)_(?P<un>un)?calibrated_(?P<shots>[1-9]\d{0,2})")
_AVERAGES = {"dot": "per dot", "person": "mean of persons", "balanced": "mean of groups"}


@dataclass(frozen=True)
class Metric:
    """A metric; `str(metric)` is its name."""

    measure: str  # a key of `MEASURES`
    threshold: float | None = None  # of AUC and failure rate, a fraction
    normaliser: str = ""  # a key of `NORMALISERS`; "" where errors are in the unit itself
    points: int = 0  # the layout's subset of so many points; 0: all points
    visible: bool = False  # over visible points only
    unit: str = ""  # %, 1 (a fraction), cm, deg, px
    lower_is_better: bool = True
    averaged_by: str = ""  # what is averaged first: dot, person; balanced: a group
    shots: int = 0  # frames of each person that an offset is fitted to; then a mean of persons
    plain: bool = False  # with shots: of the same frames, without the offset
    part: str = ""  # a key of `PARTS`: the points of one part of the face; "": of the whole

    def __str__(self) -> str:
        """Return the name, as `parse_metric` reads it."""
        if self.measure not in MEASURES:
            return self.measure
        pieces = [self.measure]
        if self.threshold is not None:
            pieces.append(format_threshold(self.threshold))
        pieces.append(self.convention)
        if self.averaged_by:
            pieces.append(self.averaged_by)
        if self.shots:
            pieces += ["uncalibrated" if self.plain else "calibrated", str(self.shots)]
        return "_".join(pieces)

    @cached_property
    def name(self) -> str:
        """Return the name of the metric."""
        return str(self)

    @cached_property
    def convention(self) -> str:
        """Return what errors are measured in: `inter_ocular_51`, `inter_pupil_visible`, `cm`."""
        if not self.normaliser:
            return self.unit or self.measure
        return convention_name(self.normaliser, self.points, self.visible, self.part)

    @cached_property
    def title(self) -> str:
        """Name the measure in a column head: `AUC @ 0.08`."""
        title = self.measure
        if self.measure in MEASURES:
            title = MEASURES[self.measure].title
        if self.threshold is not None:
            title += f" @ {format_threshold(self.threshold)}"
        if self.averaged_by:
            title += f", {_AVERAGES[self.averaged_by]}"
        if self.shots and self.plain:
            title += f", without calibration, frames of k = {self.shots}"
        elif self.shots:
            title += f", calibrated on {self.shots} a person"
        return title

    @property
    def threshold_text(self) -> str:
        """Return the threshold as names hold it, "" where there is none."""
        return "" if self.threshold is None else format_threshold(self.threshold)

    @property
    def per_sequence(self) -> bool:
        """Tell whether there is one value per sequence (a video, a stare) rather than per item."""
        return self.averaged_by == "dot" or MEASURES[self.measure].per_sequence

    @property
    def column(self) -> str:
        """Name the column of the error table that the metric is computed from."""
        if self.measure == "rmse":
            return self.name
        if self.normaliser:
            return f"nme_{self.convention}"
        return self.name.removesuffix("_person")


@lru_cache(4096)
def parse_metric(name: str) -> Metric:
    """Take a metric's name apart; equal names give the same object.

    Raises ValueError for a name that is none.

    >>> parse_metric("auc_0.08_inter_pupil_51").threshold
    0.08
    >>> metric = parse_metric("auc_5e-05_inter_ocular")
    >>> metric.threshold, metric.unit, metric.lower_is_better
    (5e-05, '1', False)
    >>> str(metric)
    'auc_5e-05_inter_ocular'
    >>> parse_metric("nme_inter_ocular_visible").convention
    'inter_ocular_visible'
    >>> parse_metric("nme_inter_ocular_nose").part
    'nose'
    >>> parse_metric("rmse_inter_ocular").column, parse_metric("median_height_51").column
    ('rmse_inter_ocular', 'nme_height_51')
    >>> parse_metric("error_cm_person").averaged_by
    'person'
    >>> parse_metric("bias_px").unit
    'px'
    >>> parse_metric("error_deg_calibrated_3").shots
    3
    >>> parse_metric("error_deg_uncalibrated_3").plain
    True
    >>> parse_metric("auc_inter_ocular")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    ValueError: 'auc_inter_ocular' is no metric name; use for example nme_inter_ocular, ...
    """
    metric = _read_name(name)
    if metric is None or str(metric) != name:
        raise ValueError(
            f"{name!r} is no metric name; use for example nme_inter_ocular, auc_0.1_diagonal"
        )
    return metric


def _read_name(name: str) -> Metric | None:
    if any(name in names for names in TASK_METRICS.values()):
        first, unit, *averaged_by = name.split("_")
        return Metric(first, unit=unit, averaged_by="".join(averaged_by))
    calibrated = _CALIBRATED.fullmatch(name)
    if calibrated is not None:
        shots, plain = int(calibrated["shots"]), calibrated["un"] is not None
        return Metric("error", unit=calibrated["unit"], shots=shots, plain=plain)
    match = _NORMALISED.fullmatch(name)
    if match is None:
        return None
    measure = MEASURES[match["measure"]]
    if measure.has_threshold != (match["threshold"] is not None):
        return None
    if match["balanced"] and match["measure"] != "nme":
        return None
    threshold = None
    if match["threshold"] is not None:
        threshold = float(match["threshold"])
    return Metric(
        match["measure"],
        threshold=threshold,
        normaliser=match["normaliser"],
        points=int(match["points"] or 0),
        part=match["part"] or "",
        visible=match["visible"] is not None,
        averaged_by="balanced" if match["balanced"] else "",
        unit=measure.unit,
        lower_is_better=measure.lower_is_better,
    )


def is_task_metric(name: str, task: str) -> bool:
    """Tell whether a card of a task may name a metric in `metrics`.

    >>> is_task_metric("error_cm_calibrated_5", "gaze2d"), is_task_metric("error_deg", "gaze2d")
    (True, False)
    """
    calibrated = _CALIBRATED.fullmatch(name)
    if calibrated is not None:
        return f"error_{calibrated['unit']}" in TASK_METRICS[task]
    return name in TASK_METRICS[task]


def parse_stored_metric(name: str) -> Metric:
    """Take apart a name out of a stored result.

    One that this version does not know stands for itself.

    >>> parse_stored_metric("loss_of_2031").title
    'loss_of_2031'
    """
    try:
        return parse_metric(name)
    except ValueError:
        return Metric(measure=name)


def is_metric(name: str) -> bool:
    """Tell whether a name is that of a metric.

    >>> is_metric("bias_px"), is_metric("bias_cm")
    (True, False)
    """
    try:
        parse_metric(name)
    except ValueError:
        return False
    return True


def format_threshold(threshold: float) -> str:
    """Write a threshold as metric names do, without loss.

    >>> format_threshold(0.10), format_threshold(0.00005), format_threshold(0.123456789)
    ('0.1', '5e-05', '0.123456789')
    """
    short = f"{threshold:g}"
    if float(short) != threshold:
        return repr(threshold)
    return short


# --- metrics of a card ----------------------------------------------------------------------------


def list_conventions(protocol: Protocol) -> Iterator[tuple[str, str, int]]:
    """Yield name, normaliser and number of points (0: all) of each normalised error of a card."""
    for points in (0, *protocol.points):
        for normaliser in protocol.normalisers:
            yield convention_name(normaliser, points), normaliser, points


def list_metrics(protocol: Protocol) -> list[str]:
    """Name every metric of a protocol, in the order in which each group reports them."""
    names = []
    for convention, _, _ in list_conventions(protocol):
        names.append(f"nme_{convention}")
        if protocol.masked:
            names.append(f"nme_{convention}_visible")
        for measure, thresholds in (("auc", protocol.auc), ("fr", protocol.fr)):
            names += [f"{measure}_{format_threshold(t)}_{convention}" for t in thresholds]
    return [*names, *protocol.metrics]


def is_further_error(name: str, protocol: Protocol) -> bool:
    """Tell whether a card may name a metric in `metrics` that its other keys do not give already.

    Of one part of the face, a median, an RMSE, or balanced over two groups or more beside the
    overall one; the normaliser and the points are the card's.
    """
    if protocol.task != "landmarks" or not is_metric(name):
        return False
    metric = parse_metric(name)
    if metric.visible and not protocol.masked:
        return False
    if metric.averaged_by and len(protocol.groups) < 3:
        return False
    is_cards = metric.normaliser in protocol.normalisers and metric.points in (0, *protocol.points)
    further = bool(metric.part) or metric.measure in ("rmse", "median") or metric.averaged_by
    return is_cards and bool(further)


# --- conventions ----------------------------------------------------------------------------------


def convention_name(normaliser: str, points: int = 0, visible: bool = False, part: str = "") -> str:
    """Name a convention: a normaliser, the points that are scored, whether only visible ones count.

    >>> convention_name("inter_ocular", 51, visible=True)
    'inter_ocular_51_visible'
    >>> convention_name("inter_ocular", part="nose")
    'inter_ocular_nose'
    """
    name = normaliser
    if points:
        name += f"_{points}"
    if part:
        name += f"_{part}"
    if visible:
        name += "_visible"
    return name


def split_convention(convention: str) -> tuple[str, int, bool]:
    """Return normaliser (or unit), number of points (0: all) and whether only visible points count.

    >>> split_convention("inter_ocular_51_visible")
    ('inter_ocular', 51, True)
    >>> split_convention("cm")
    ('cm', 0, False)
    """
    rest = convention.removesuffix("_visible")
    visible = rest != convention
    head, _, tail = rest.rpartition("_")
    if head and tail.isdigit():
        return head, int(tail), visible
    if tail in PARTS and head.rpartition("_")[2].isdigit():  # inter_ocular_51_nose
        normaliser, _, points = head.rpartition("_")
        return f"{normaliser}_{tail}", int(points), visible
    return rest, 0, visible


def split_part(normaliser: str) -> tuple[str, str]:
    """Divide what `split_convention` gives first into a normaliser and a part of the face, or "".

    >>> split_part("inter_ocular_nose"), split_part("mean_side")
    (('inter_ocular', 'nose'), ('mean_side', ''))
    """
    head, _, tail = normaliser.rpartition("_")
    if tail in PARTS:
        return head, tail
    return normaliser, ""


def describe_convention(convention: str) -> str:
    """Name a convention in full.

    >>> describe_convention("inter_pupil_51")
    'error over inter-pupil distance (centres of the eyes), 51 points'
    >>> describe_convention("cm")
    'error in centimetres'
    """
    with_part, points, visible = split_convention(convention)
    normaliser, part = split_part(with_part)
    if normaliser in ("cm", "deg", "px"):
        text = f"error in {SHORT_NAMES[normaliser]}"
    else:
        text = f"error over {NORMALISERS.get(normaliser, normaliser)}"
    return text + _points_suffix(points, visible, part)


def short_convention(convention: str) -> str:
    """Name a convention in a word or two.

    >>> short_convention("inter_ocular_visible")
    'inter-ocular, visible only'
    """
    with_part, points, visible = split_convention(convention)
    normaliser, part = split_part(with_part)
    return SHORT_NAMES.get(normaliser, normaliser) + _points_suffix(points, visible, part)


def _points_suffix(points: int, visible: bool, part: str) -> str:
    suffix = ""
    if part:
        suffix += f", {part}"
    if points:
        suffix += f", {points} points"
    if visible:
        suffix += ", visible only"
    return suffix


def group_by_convention(
    names: Iterable[str], protocol: Protocol
) -> Mapping[str, tuple[Metric, ...]]:
    """Group metric names by convention, in the order in which a leaderboard shows them.

    The card's normalisers come first, all points before subsets, errors before AUC.
    """
    return _grouped(frozenset(names), protocol.normalisers)


@lru_cache(256)  # runs of one protocol have the same names
def _grouped(
    names: frozenset[str], normalisers: tuple[str, ...]
) -> Mapping[str, tuple[Metric, ...]]:
    groups: dict[str, list[Metric]] = {}
    for name in names:
        metric = parse_stored_metric(name)
        groups.setdefault(metric.convention, []).append(metric)
    order = sorted(groups, key=lambda convention: _convention_order(convention, normalisers))
    return {
        convention: tuple(sorted(groups[convention], key=_measure_order)) for convention in order
    }


def _measure_order(metric: Metric) -> tuple[float, int, str]:
    measures = list(MEASURES)
    rank = len(measures)
    if metric.measure in measures:
        rank = measures.index(metric.measure)
    return metric.threshold or 0.0, rank, metric.name


def _convention_order(convention: str, normalisers: tuple[str, ...]) -> tuple[bool, int, int, str]:
    with_part, points, visible = split_convention(convention)
    normaliser, part = split_part(with_part)
    rank = len(normalisers)
    if normaliser in normalisers:
        rank = normalisers.index(normaliser)
    most_points_first = -points or -(10**6)
    if part:
        most_points_first = 1  # parts of the face last
    return visible, most_points_first, rank, convention
