"""The atlas of gaze: single items with the answers of all methods, on a screen's outline or as directions.

What is true of an item is drawn for our own rendered sets alone, and so is its picture; of every
other set there are the methods' own answers and the size of their errors, as a leaderboard's curves
have them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from benchbox.errors import ResultError
from benchbox.metrics import gaze, metric_names, number_format
from benchbox.report.charts import face_drawings, leaderboard_charts
from benchbox.report.charts.face_drawings import GazePlot, ItemDrawing, PredictionPath
from benchbox.report.inputs import results, synthetic_items
from benchbox.report.inputs.results import Problem
from benchbox.report.tables.per_item import ItemErrors
from benchbox.types import MethodCard, Protocol

from . import sample_atlas
from .sample_atlas import AtlasPage, Section

if TYPE_CHECKING:
    from benchbox.types import Bools, Floats

_ERROR_METRICS = {"gaze2d": "error_cm", "gaze3d": "error_deg"}
_DIMENSIONS = {"gaze2d": 2, "gaze3d": 3}
_TURNED_DEG = 12.0
_MARGIN_CM = 0.6  # around a screen
_FAR_ANSWER_CM = 5.0  # an answer further off does not make the drawing smaller
_RINGS_DEG = {30.0: (10, 20, 30), 60.0: (30, 60), 90.0: (30, 60, 90)}
_ORIENTATIONS = {1: "upright", 2: "upside down", 3: "camera left", 4: "camera right"}
_CENTRE = face_drawings.SIDE / 2


@dataclass(frozen=True, eq=False)
class _MethodGaze:
    """One method's answers (N, 2) cm or (N, 3), NaN without one, and their errors (N,), infinite without one."""

    style: int
    label: str
    values: Floats
    errors: Floats


def build_gaze_atlas_page(
    protocol: Protocol,
    samples: ItemErrors | None,
    methods: Mapping[str, MethodCard],
    problems: Sequence[Problem],
) -> AtlasPage:
    """Lay out the atlas of a gaze protocol.

    A run whose answers cannot be used is left out and named.
    """
    faults = list(problems)
    asked = _read_gazes(protocol, samples, methods, faults) if samples else []
    sections = _gaze_sections(protocol, samples, asked) if samples and asked else ()
    metric = metric_names.parse_stored_metric(_ERROR_METRICS[protocol.task])
    return sample_atlas.assemble_page(
        protocol, metric, [(one.style, one.label) for one in asked], sections, faults
    )


def _read_gazes(
    protocol: Protocol,
    samples: ItemErrors,
    methods: Mapping[str, MethodCard],
    faults: list[Problem],
) -> list[_MethodGaze]:
    names = leaderboard_charts.run_labels(
        [(bool(column.row.not_comparable), column.result) for column in samples.columns], methods
    )
    asked: list[_MethodGaze] = []
    for column, name in zip(samples.columns, names, strict=True):
        if len(asked) == sample_atlas.MAX_METHODS:
            break
        try:
            values = results.read_gaze(column.result, _DIMENSIONS[protocol.task])
            errors = results.item_errors(
                results.read_errors(column.result), _ERROR_METRICS[protocol.task]
            )
        except ResultError as fault:
            faults.append(results.run_problem(column.result, fault))
            continue
        asked.append(_MethodGaze(len(asked) + 1, name, values, errors))
    return asked


def _gaze_sections(
    protocol: Protocol, samples: ItemErrors, asked: Sequence[_MethodGaze]
) -> tuple[Section, ...]:
    errors = np.stack([one.errors for one in asked], axis=1)
    return sample_atlas.choose_sections(
        errors,
        _disagreement(np.stack([one.values for one in asked])),
        np.flatnonzero(np.isfinite(errors).any(axis=1)),
        "answers",
        lambda order, taken: _choose_varied(order, samples, taken),
        lambda row: _draw_item(protocol, samples, asked, row),
    )


def _choose_varied(order: Sequence[int], samples: ItemErrors, taken: set[int]) -> list[int]:
    """Take the first items of an order, one of each person or recording: neighbouring frames are alike."""
    people: set[int] = set()
    chosen: list[int] = []
    for pass_ in (1, 2):  # where there are few people, the second pass lets them come again
        for row in order:
            if len(chosen) == sample_atlas.FACES_PER_SECTION:
                break
            if row in taken or (pass_ == 1 and int(samples.clusters[row]) in people):
                continue
            people.add(int(samples.clusters[row]))
            taken.add(row)
            chosen.append(row)
    place = {row: at for at, row in enumerate(order)}
    return sorted(chosen, key=lambda row: place[row])


def _disagreement(values: Floats) -> Floats:
    """Return how far answers (M, N, D) lie from their median for each item (N,), NaN for fewer than two."""
    known: Bools = np.logical_not(np.isnan(values).any(axis=2))
    with np.errstate(invalid="ignore"):
        filled = np.where(known[..., None], values, 0.0)
        mean = filled.sum(axis=0) / np.maximum(known.sum(axis=0), 1)[:, None]
        away = np.where(known, np.linalg.norm(filled - mean, axis=2), 0.0)
        found: Floats = np.where(
            known.sum(axis=0) >= 2, away.sum(axis=0) / np.maximum(known.sum(axis=0), 1), np.nan
        )
    return found


def _draw_item(
    protocol: Protocol, samples: ItemErrors, asked: Sequence[_MethodGaze], row: int
) -> ItemDrawing:
    name, unit = (
        str(samples.ids[row]),
        metric_names.parse_stored_metric(_ERROR_METRICS[protocol.task]).unit,
    )
    item = synthetic_items.find_item(protocol.dataset, name)
    facts = synthetic_items.item_facts(item) if item else {}
    if facts and not all(
        _error_matches(protocol, facts, one.values[row], float(one.errors[row])) for one in asked
    ):
        # scored on another version of the rendered set: its picture is not this one
        item, facts = None, {}
    answers = [(one, one.values[row]) for one in asked]
    draw = _draw_on_screen if protocol.task == "gaze2d" else _draw_directions
    plot, place, truth = draw(facts, [value for _, value in answers if not np.isnan(value).any()])
    drawn = []
    for one, value in answers:
        error = float(one.errors[row])
        text = number_format.format_number(error, unit) if math.isfinite(error) else "no answer"
        spot = None if np.isnan(value).any() else place(value)
        start = truth if protocol.task == "gaze2d" else (_CENTRE, _CENTRE)
        drawn.append(
            PredictionPath(
                one.style,
                one.label,
                text,
                f"M{spot[0]:g} {spot[1]:g}h0" if spot else "",
                f"M{start[0]:g} {start[1]:g}L{spot[0]:g} {spot[1]:g}" if spot and start else "",
            )
        )
    return ItemDrawing(
        id=name,
        groups=face_drawings.group_names(samples.groups, protocol.overall, row),
        pose=_head_pose(item),
        picture=item.file if item else "",
        box=(0.0, 0.0, 0.0, 0.0),
        answers=tuple(drawn),
        truth=_ring(*truth) if truth else "",
        plot=plot,
    )


def _error_matches(
    protocol: Protocol, facts: Mapping[str, Any], value: Floats, error: float
) -> bool:
    """Tell whether an answer and what is true now give the error that was scored."""
    if np.isnan(value).any():
        return True
    truth = np.asarray(facts["values"], np.float64)[None]
    again = (gaze.distance_cm if protocol.task == "gaze2d" else gaze.angular_error_deg)(
        truth, value[None]
    )[0]
    return abs(float(again) - error) < 0.01 + 0.001 * error


def _head_pose(item: synthetic_items.SyntheticItem | None) -> str:
    """Tell whether the head is turned, as the picture shows it; "" where nobody knows."""
    turn = synthetic_items.head_turn_deg(item) if item else None
    if turn is None:
        return ""
    return "frontal" if abs(turn) < _TURNED_DEG else "turned right" if turn > 0 else "turned left"


# --- where a gaze goes ----------------------------------------------------------------------------


def _draw_on_screen(
    facts: Mapping[str, Any], answers: Sequence[Floats]
) -> tuple[GazePlot, Any, tuple[float, float] | None]:
    """Draw a screen as its user sees it, in cm from the camera.

    Without a device there is the camera alone.
    """
    corners, words = _screen_outline(facts)
    truth = np.asarray(facts["values"]) if facts else None
    wanted = [np.zeros(2), *corners, *([] if truth is None else [truth])]
    near = (
        [np.clip(a, -_FAR_ANSWER_CM - 15, _FAR_ANSWER_CM + 15) for a in answers]
        if not corners
        else answers
    )
    centre = np.mean([*corners] or near or [np.zeros(2)], axis=0)
    reach = max((float(np.abs(c - centre).max()) for c in corners), default=3.0) + _FAR_ANSWER_CM
    wanted += [a for a in near if float(np.abs(a - centre).max()) < reach]
    low, high = np.min(wanted, axis=0) - _MARGIN_CM, np.max(wanted, axis=0) + _MARGIN_CM
    side = float((high - low).max())
    left, top = (low + high) / 2 - [side / 2, -side / 2]

    def place(point: Floats) -> tuple[float, float] | None:
        x, y = (
            (float(point[0]) - left) / side * face_drawings.SIDE,
            (top - float(point[1])) / side * face_drawings.SIDE,
        )
        return (
            (round(x, 1), round(y, 1))
            if 0 <= x <= face_drawings.SIDE and 0 <= y <= face_drawings.SIDE
            else None
        )

    edge = [place(corner) for corner in corners]
    outline = (
        "M" + "L".join(f"{spot[0]:g} {spot[1]:g}" for spot in edge if spot) + "Z" if edge else ""
    )
    return (
        GazePlot(outline, True, place(np.zeros(2)), words),
        place,
        place(truth) if truth is not None else None,
    )


def _screen_outline(facts: Mapping[str, Any]) -> tuple[list[Floats], str]:
    from benchbox.face_renderer.scenes import device_screens

    device = device_screens.DEVICES_BY_NAME.get(str(facts.get("device", "")))
    if device is None:
        return [], ""
    held = int(facts["orientation"])
    wide, tall = device_screens.screen_size_mm(device, held)
    places = ((0.0, 0.0), (wide, 0.0), (wide, tall), (0.0, tall))
    kind, size = device.name.split("-", 1)
    words = f"{size} {kind}, {_ORIENTATIONS[held]}"
    return [device_screens.screen_to_camera_cm(device, held, x, y) for x, y in places], words


def _draw_directions(
    facts: Mapping[str, Any], answers: Sequence[Floats]
) -> tuple[GazePlot, Any, tuple[float, float] | None]:
    """Draw directions as seen by the camera: the middle is straight at it, rings are equal angles from there."""
    truth = np.asarray(facts["values"]) if facts else None
    told = [a / (np.linalg.norm(a) or 1.0) for a in (*answers, *([] if truth is None else [truth]))]
    widest = max(
        (math.degrees(math.acos(max(min(float(v[2]), 1.0), 0.0))) for v in told), default=30.0
    )
    reach, rings = next(
        (end, angles) for end, angles in _RINGS_DEG.items() if widest <= end or end == 90.0
    )
    scale = (_CENTRE - 8) / math.sin(math.radians(reach))

    def place(value: Floats) -> tuple[float, float] | None:
        unit = value / (np.linalg.norm(value) or 1.0)
        # yaw to the picture's left, pitch up
        x, y = _CENTRE - scale * float(unit[0]), _CENTRE - scale * float(unit[1])
        return (
            (round(x, 1), round(y, 1))
            if 0 <= x <= face_drawings.SIDE and 0 <= y <= face_drawings.SIDE
            else None
        )

    outline = "".join(
        _circle(_CENTRE, _CENTRE, scale * math.sin(math.radians(angle))) for angle in rings
    )
    words = "rings at " + ", ".join(f"{angle}°" for angle in rings)
    return GazePlot(outline, False, None, words), place, place(truth) if truth is not None else None


def _circle(x: float, y: float, radius: float) -> str:
    r = round(radius, 1)
    return (
        f"M{round(x - r, 1):g} {y:g}a{r:g} {r:g} 0 1 1 {2 * r:g} 0a{r:g} {r:g} 0 1 1 {-2 * r:g} 0z"
    )


def _ring(x: float, y: float) -> str:
    return _circle(x, y, 6.0)
