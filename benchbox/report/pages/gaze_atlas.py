"""The atlas of gaze: single items with all methods' predictions, on a screen or as directions.

The ground truth is drawn for our own rendered sets alone, and so is their picture; of every other
set there are the methods' own predictions and the size of their errors, as a leaderboard's curves
have them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from benchbox.errors import ResultError
from benchbox.metrics import gaze, metric_names, number_format
from benchbox.report.charts import face_drawings, leaderboard_charts
from benchbox.report.charts.face_drawings import GazePlot, ItemDrawing, PredictionPath
from benchbox.report.inputs import results, synthetic_items
from benchbox.report.inputs.results import Problem
from benchbox.report.inputs.synthetic_items import SyntheticItem
from benchbox.report.tables.per_item import ItemErrors
from benchbox.types import MethodCard, Protocol

from . import atlas_page
from .atlas_page import AtlasPage, Section

if TYPE_CHECKING:
    from benchbox.types import Bools, Floats

Spot = tuple[float, float]  # in a drawing's own units
Facts = Mapping[str, Any]  # of an item of our own, empty where it is not ours

_ERROR_METRICS = {"gaze2d": "error_cm", "gaze3d": "error_deg"}
_DIMENSIONS = {"gaze2d": 2, "gaze3d": 3}
_MSD_METRIC = "msd_cm"
_STARES = 4  # shown, from the one that shakes most to the one that shakes least
_FRONTAL_DEG = 12.0
_MARGIN_CM = 0.6  # around a screen
_CAMERA_REACH_CM = 3.0  # drawn around the camera where no screen is known
_FAR_PREDICTION_CM = 5.0  # one further off does not make the drawing smaller
_FARTHEST_CM = _FAR_PREDICTION_CM + 15
_RINGS_DEG = {30.0: (10, 20, 30), 60.0: (30, 60), 90.0: (30, 60, 90)}
_RING_MARGIN, _TRUTH_RADIUS = 8, 6.0
_ORIENTATIONS = {1: "upright", 2: "upside down", 3: "camera left", 4: "camera right"}
_CENTRE = face_drawings.SIDE / 2


@dataclass(frozen=True, eq=False)
class _MethodGaze:
    """One method's predictions and their errors (N,).

    Gaze is (N, 2) cm or (N, 3); without a prediction it is NaN and the error infinite.
    """

    style: int
    label: str
    gaze: Floats
    errors: Floats
    # of cards that measure MSD: the stare (N,) of each item, "" of none, and how much it shakes, cm
    stares: np.ndarray | None = None
    msd: Floats | None = None


@dataclass(frozen=True, eq=False)
class _Canvas:
    """What predictions are drawn on, and where a gaze lies on it; None outside."""

    plot: GazePlot
    locate: Callable[[Floats], Spot | None]
    truth: Spot | None


def build_gaze_atlas_page(
    protocol: Protocol,
    samples: ItemErrors | None,
    methods: Mapping[str, MethodCard],
    problems: Sequence[Problem],
) -> AtlasPage:
    """Lay out the atlas of a gaze protocol.

    A run whose predictions cannot be used is left out and named.
    """
    problems = list(problems)
    predicted: list[_MethodGaze] = []
    sections: tuple[Section, ...] = ()
    if samples:
        predicted = _read_gazes(protocol, samples, methods, problems)
        if predicted:
            sections = _gaze_sections(protocol, samples, predicted)
    metric = metric_names.parse_stored_metric(_ERROR_METRICS[protocol.task])
    labels = [(method.style, method.label) for method in predicted]
    return atlas_page.assemble_page(protocol, metric, labels, sections, problems)


def _read_gazes(
    protocol: Protocol,
    samples: ItemErrors,
    methods: Mapping[str, MethodCard],
    problems: list[Problem],
) -> list[_MethodGaze]:
    """Read the predictions of the best runs; one that cannot be read is added to `problems`."""
    columns = atlas_page.each_method_first(samples.columns)
    labels = leaderboard_charts.run_labels(
        [(bool(column.row.not_comparable), column.result) for column in columns], methods
    )
    metric = _ERROR_METRICS[protocol.task]
    predicted: list[_MethodGaze] = []
    for column, label in zip(columns, labels, strict=True):
        if len(predicted) == atlas_page.MAX_METHODS:
            break
        try:
            gazes = results.read_gaze(column.result, _DIMENSIONS[protocol.task])
            table = results.read_errors(column.result)
            errors = results.item_errors(table, metric)
            stares = msd = None
            if _MSD_METRIC in protocol.metrics:
                stares = results.any_column(table, "sequence")
                msd = results.item_errors(table, _MSD_METRIC)
        except ResultError as fault:
            problems.append(results.run_problem(column.result, fault))
            continue
        predicted.append(_MethodGaze(len(predicted) + 1, label, gazes, errors, stares, msd))
    return predicted


def _gaze_sections(
    protocol: Protocol, samples: ItemErrors, predicted: Sequence[_MethodGaze]
) -> tuple[Section, ...]:
    errors = np.stack([method.errors for method in predicted], axis=1)
    gazes = np.stack([method.gaze for method in predicted])

    def choose_items(order: Sequence[int], taken: set[int]) -> list[int]:
        return _choose_varied(order, samples, taken)

    def draw_item(row: int) -> ItemDrawing:
        return _draw_item(protocol, samples, predicted, row)

    sections = atlas_page.choose_sections(
        errors,
        _disagreement(gazes),
        np.flatnonzero(np.isfinite(errors).any(axis=1)),
        "predictions",
        choose_items,
        draw_item,
    )
    return (*_stare_sections(protocol, samples, predicted), *sections)


def _stare_sections(
    protocol: Protocol, samples: ItemErrors, predicted: Sequence[_MethodGaze]
) -> tuple[Section, ...]:
    """Draw all predictions of a few stares, as TAT's Fig. 1b does; nothing on other cards."""
    stares = predicted[0].stares
    if stares is None:
        return ()
    shaking = np.stack([method.msd for method in predicted if method.msd is not None])
    rows, typical = [], []
    for stare in np.unique(stares):
        of_stare = np.flatnonzero(stares == stare)
        msd = shaking[:, of_stare[0]]
        if len(of_stare) > 1 and np.isfinite(msd).any():
            rows.append(of_stare)
            typical.append(float(np.median(msd[np.isfinite(msd)])))
    if not rows:
        return ()
    order = np.argsort([-msd for msd in typical], kind="stable")
    places = np.unique(np.linspace(0, len(order) - 1, _STARES).round().astype(int))
    drawings = tuple(
        _draw_stare(protocol, samples, predicted, rows[order[place]]) for place in places
    )
    words = (
        "Every prediction while a person stares at one point; the number is MSD in cm, how far "
        "they spread about their own mean. From the stare that shakes most, by the median "
        "method, to the one that shakes least."
    )
    return (Section("stares", "One point, all predictions", words, drawings),)


def _draw_stare(
    protocol: Protocol, samples: ItemErrors, predicted: Sequence[_MethodGaze], rows: np.ndarray
) -> ItemDrawing:
    first = int(rows[0])
    item, facts = _find_facts(protocol, samples, predicted, first)
    usable = [gaze for method in predicted for gaze in method.gaze[rows] if np.isfinite(gaze).all()]
    canvas = _screen_canvas(facts, usable)
    unit = metric_names.parse_stored_metric(_MSD_METRIC).unit
    paths = []
    for method in predicted:
        spots = [canvas.locate(gaze) for gaze in method.gaze[rows] if np.isfinite(gaze).all()]
        msd = math.nan if method.msd is None else float(method.msd[first])
        words = "a frame unanswered"
        if math.isfinite(msd):
            words = number_format.format_number(msd, unit)
        path = "".join(f"M{spot[0]:g} {spot[1]:g}h0" for spot in spots if spot)
        paths.append(PredictionPath(method.style, method.label, words, path))
    return ItemDrawing(
        id=f"{samples.ids[first]} and {len(rows) - 1} more",
        groups=face_drawings.group_names(samples.groups, protocol.overall, first),
        pose=_head_pose(item),
        picture=item.file if item else "",
        box=(0.0, 0.0, 0.0, 0.0),
        predictions=tuple(paths),
        truth=_circle(*canvas.truth, _TRUTH_RADIUS) if canvas.truth else "",
        plot=canvas.plot,
    )


def _choose_varied(order: Sequence[int], samples: ItemErrors, taken: set[int]) -> list[int]:
    """Take the first items of an order, one of each person or recording.

    Neighbouring frames are alike.
    """
    clusters: set[int] = set()
    chosen: set[int] = set()
    for may_repeat in (False, True):  # where there are few people, they come again
        for row in order:
            if len(chosen) == atlas_page.ITEMS_PER_SECTION:
                break
            cluster = int(samples.clusters[row])
            if row in taken or (cluster in clusters and not may_repeat):
                continue
            clusters.add(cluster)
            taken.add(row)
            chosen.add(row)
    return [row for row in order if row in chosen]


def _disagreement(gazes: Floats) -> Floats:
    """Return how far gazes (M, N, D) lie from their mean for each item (N,).

    NaN where fewer than two are known.
    """
    known: Bools = np.logical_not(np.isnan(gazes).any(axis=2))
    count = known.sum(axis=0)
    with np.errstate(invalid="ignore"):
        filled = np.where(known[..., None], gazes, 0.0)
        mean = filled.sum(axis=0) / np.maximum(count, 1)[:, None]
        distance = np.where(known, np.linalg.norm(filled - mean, axis=2), 0.0)
        disagreement: Floats = np.where(
            count >= 2, distance.sum(axis=0) / np.maximum(count, 1), np.nan
        )
    return disagreement


# --- one item -------------------------------------------------------------------------------------


def _draw_item(
    protocol: Protocol, samples: ItemErrors, predicted: Sequence[_MethodGaze], row: int
) -> ItemDrawing:
    item, facts = _find_facts(protocol, samples, predicted, row)
    usable = [method.gaze[row] for method in predicted if not np.isnan(method.gaze[row]).any()]
    if protocol.task == "gaze2d":
        canvas = _screen_canvas(facts, usable)
        ray_start = canvas.truth
    else:
        canvas = _direction_canvas(facts, usable)
        ray_start = (_CENTRE, _CENTRE)
    unit = metric_names.parse_stored_metric(_ERROR_METRICS[protocol.task]).unit
    picture = truth = ""
    if item:
        picture = item.file
    if canvas.truth:
        truth = _circle(*canvas.truth, _TRUTH_RADIUS)
    return ItemDrawing(
        id=str(samples.ids[row]),
        groups=face_drawings.group_names(samples.groups, protocol.overall, row),
        pose=_head_pose(item),
        picture=picture,
        box=(0.0, 0.0, 0.0, 0.0),
        predictions=tuple(_draw_gaze(method, row, canvas, ray_start, unit) for method in predicted),
        truth=truth,
        plot=canvas.plot,
    )


def _draw_gaze(
    method: _MethodGaze, row: int, canvas: _Canvas, ray_start: Spot | None, unit: str
) -> PredictionPath:
    error = float(method.errors[row])
    words = "no prediction"
    if math.isfinite(error):
        words = number_format.format_number(error, unit)
    spot = None
    if not np.isnan(method.gaze[row]).any():
        spot = canvas.locate(method.gaze[row])
    path = ray = ""
    if spot:
        path = f"M{spot[0]:g} {spot[1]:g}h0"
        if ray_start:
            ray = f"M{ray_start[0]:g} {ray_start[1]:g}L{spot[0]:g} {spot[1]:g}"
    return PredictionPath(method.style, method.label, words, path, ray)


def _find_facts(
    protocol: Protocol, samples: ItemErrors, predicted: Sequence[_MethodGaze], row: int
) -> tuple[SyntheticItem | None, Facts]:
    """Return one of our own items and what is known of it; None and nothing of every other."""
    item = synthetic_items.find_item(protocol.dataset, str(samples.ids[row]))
    if item is None:
        return None, {}
    facts = synthetic_items.item_facts(item)
    for method in predicted:
        error = float(method.errors[row])
        if facts and not _error_matches(protocol, facts, method.gaze[row], error):
            # scored on another version of the rendered set: its picture is not this one
            return None, {}
    return item, facts


def _error_matches(protocol: Protocol, facts: Facts, predicted: Floats, scored: float) -> bool:
    """Tell whether a prediction and what is true now give the error that was scored."""
    if np.isnan(predicted).any():
        return True
    truth = np.asarray(facts["values"], np.float64)[None]
    if protocol.task == "gaze2d":
        errors = gaze.distance_cm(truth, predicted[None])
    else:
        errors = gaze.angular_error_deg(truth, predicted[None])
    return abs(float(errors[0]) - scored) < 0.01 + 0.001 * scored


def _head_pose(item: SyntheticItem | None) -> str:
    """Tell whether the head is turned, as the picture shows it; "" where nobody knows."""
    if item is None:
        return ""
    turn_deg = synthetic_items.head_turn_deg(item)
    if turn_deg is None:
        return ""
    if abs(turn_deg) < _FRONTAL_DEG:
        return "frontal"
    if turn_deg > 0:
        return "turned right"
    return "turned left"


# --- on a screen ----------------------------------------------------------------------------------


def _screen_canvas(facts: Facts, predicted: Sequence[Floats]) -> _Canvas:
    """Draw a screen as its user sees it, in cm from the camera.

    Without a device there is the camera alone.
    """
    corners, words = _screen_outline(facts)
    camera = np.zeros(2)
    shown = [camera, *corners]
    if facts:
        shown.append(np.asarray(facts["values"]))
    left, top, side = _frame_around(shown, corners, predicted)

    def locate(point: Floats) -> Spot | None:
        x = (float(point[0]) - left) / side * face_drawings.SIDE
        y = (top - float(point[1])) / side * face_drawings.SIDE
        return _inside_drawing(x, y)

    outline = ""
    if corners:
        spots = [locate(corner) for corner in corners]
        outline = "M" + "L".join(f"{spot[0]:g} {spot[1]:g}" for spot in spots if spot) + "Z"
    truth = None
    if facts:
        truth = locate(np.asarray(facts["values"]))
    return _Canvas(GazePlot(outline, True, locate(camera), words), locate, truth)


def _frame_around(
    shown: Sequence[Floats], corners: Sequence[Floats], predicted: Sequence[Floats]
) -> tuple[float, float, float]:
    """Return left, top and side in cm of a square around what is shown and predictions near it."""
    near = list(predicted)
    reach = _CAMERA_REACH_CM
    if corners:
        centre = np.mean(corners, axis=0)
        reach = max(float(np.abs(corner - centre).max()) for corner in corners)
    else:
        near = [np.clip(point, -_FARTHEST_CM, _FARTHEST_CM) for point in predicted]
        centre = np.mean(near or [np.zeros(2)], axis=0)
    reach += _FAR_PREDICTION_CM
    inside = [point for point in near if float(np.abs(point - centre).max()) < reach]
    points = [*shown, *inside]
    low = np.min(points, axis=0) - _MARGIN_CM
    high = np.max(points, axis=0) + _MARGIN_CM
    side = float((high - low).max())
    left, top = (low + high) / 2 - [side / 2, -side / 2]
    return left, top, side


def _screen_outline(facts: Facts) -> tuple[list[Floats], str]:
    """Return the corners of an item's screen in cm from the camera, and its device in words."""
    from benchbox.face_renderer.scenes import device_screens

    device = device_screens.DEVICES_BY_NAME.get(str(facts.get("device", "")))
    if device is None:
        return [], ""
    orientation = int(facts["orientation"])
    width, height = device_screens.screen_size_mm(device, orientation)
    corners_mm = ((0.0, 0.0), (width, 0.0), (width, height), (0.0, height))
    kind, size = device.name.split("-", 1)
    words = f"{size} {kind}, {_ORIENTATIONS[orientation]}"
    corners = [device_screens.screen_to_camera_cm(device, orientation, x, y) for x, y in corners_mm]
    return corners, words


# --- as directions --------------------------------------------------------------------------------


def _direction_canvas(facts: Facts, predicted: Sequence[Floats]) -> _Canvas:
    """Draw directions as seen by the camera.

    The middle is straight at it, rings are equal angles from there.
    """
    shown = list(predicted)
    if facts:
        shown.append(np.asarray(facts["values"]))
    reach, rings = _rings_around([_unit_vector(direction) for direction in shown])
    scale = (_CENTRE - _RING_MARGIN) / math.sin(math.radians(reach))

    def locate(direction: Floats) -> Spot | None:
        unit = _unit_vector(direction)
        # yaw to the picture's left, pitch up
        return _inside_drawing(_CENTRE - scale * float(unit[0]), _CENTRE - scale * float(unit[1]))

    radii = [scale * math.sin(math.radians(angle)) for angle in rings]
    outline = "".join(_circle(_CENTRE, _CENTRE, radius) for radius in radii)
    words = "rings at " + ", ".join(f"{angle}°" for angle in rings)
    truth = None
    if facts:
        truth = locate(np.asarray(facts["values"]))
    return _Canvas(GazePlot(outline, False, None, words), locate, truth)


def _rings_around(directions: Sequence[Floats]) -> tuple[float, tuple[int, ...]]:
    """Return the angle at which a drawing of unit vectors ends, and the angles of its rings."""
    widest = 30.0
    if directions:
        cosines = [max(min(float(direction[2]), 1.0), 0.0) for direction in directions]
        widest = max(math.degrees(math.acos(cosine)) for cosine in cosines)
    for reach, rings in _RINGS_DEG.items():
        if widest <= reach:
            return reach, rings
    return 90.0, _RINGS_DEG[90.0]


def _unit_vector(direction: Floats) -> Floats:
    return direction / (np.linalg.norm(direction) or 1.0)


def _inside_drawing(x: float, y: float) -> Spot | None:
    if 0 <= x <= face_drawings.SIDE and 0 <= y <= face_drawings.SIDE:
        return round(x, 1), round(y, 1)
    return None


def _circle(x: float, y: float, radius: float) -> str:
    r = round(radius, 1)
    start = f"M{round(x - r, 1):g} {y:g}"
    there, back = f"a{r:g} {r:g} 0 1 1 {2 * r:g} 0", f"a{r:g} {r:g} 0 1 1 {-2 * r:g} 0z"
    return start + there + back
