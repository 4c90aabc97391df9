"""The sample atlas: single faces with the answers of all methods, the hardest, the most disputed, the easiest."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from benchbox.errors import ResultError
from benchbox.layouts import LAYOUTS
from benchbox.metrics import landmarks, metric_names, number_format
from benchbox.metrics.metric_names import Metric
from benchbox.report.charts import face_drawings, leaderboard_charts
from benchbox.report.charts.face_drawings import ItemDrawing, PredictionPath
from benchbox.report.inputs import results, synthetic_items
from benchbox.report.inputs.results import Problem
from benchbox.report.tables.per_item import ItemErrors
from benchbox.report.tables.rows import board_path
from benchbox.types import MethodCard, Protocol

if TYPE_CHECKING:
    from benchbox.types import Floats

MAX_METHODS = 6
FACES_PER_SECTION = 8  # of a section


@dataclass(frozen=True)
class Section:
    """Faces that have something in common."""

    name: str
    title: str
    words: str
    faces: tuple[ItemDrawing, ...]


@dataclass(frozen=True)
class AtlasPage:
    """Single faces of one protocol."""

    path: str
    protocol: Protocol
    board: str  # page
    measure: str
    methods: tuple[tuple[int, str], ...]  # style, name
    groups: tuple[str, ...]
    poses: tuple[str, ...]
    sections: tuple[Section, ...]
    shown: bool  # pictures may be shown
    true: bool  # and so may what is true of them
    problems: tuple[Problem, ...]

    @property
    def pictures(self) -> Iterator[str]:
        """Name the pictures that the page shows."""
        return (face.picture for section in self.sections for face in section.faces if face.picture)


def atlas_path(protocol: str) -> str:
    """Return the path of a protocol's atlas inside the site."""
    return board_path(protocol).replace("protocol/", "atlas/", 1)


def build_atlas_page(
    protocol: Protocol,
    samples: ItemErrors | None,
    methods: Mapping[str, MethodCard],
    problems: Sequence[Problem],
) -> AtlasPage:
    """Lay out the atlas of a protocol.

    A run whose predictions cannot be used is left out and named.
    """
    columns = samples.columns if samples else ()
    names = leaderboard_charts.run_labels(
        [(bool(column.row.not_comparable), column.result) for column in columns], methods
    )
    faults = list(problems)
    answers: list[tuple[int, str, Floats]] = []
    for place, name in enumerate(names):
        if samples is None or len(answers) == MAX_METHODS:
            break
        try:
            answers.append(
                (place, name, results.read_landmarks(samples.columns[place].result, protocol))
            )
        except ResultError as fault:
            faults.append(results.run_problem(samples.columns[place].result, fault))
    sections = _landmark_sections(protocol, samples, answers) if samples and answers else ()
    named = [(style, name) for style, (_, name, _) in enumerate(answers, start=1)]
    return assemble_page(protocol, samples.metric if samples else None, named, sections, faults)


def assemble_page(
    protocol: Protocol,
    metric: Metric | None,
    methods: Sequence[tuple[int, str]],
    sections: Sequence[Section],
    problems: Sequence[Problem],
) -> AtlasPage:
    """Put finished sections on a page, with what they may be filtered by."""
    shown = [face for section in sections for face in section.faces]
    return AtlasPage(
        path=atlas_path(protocol.name),
        protocol=protocol,
        board=board_path(protocol.name),
        measure=f"{metric.title}, {metric_names.short_convention(metric.convention)}"
        if metric
        else "",
        methods=tuple(methods),
        groups=tuple(dict.fromkeys(group for face in shown for group in face.groups)),
        poses=tuple(
            pose
            for pose in ("frontal", "turned left", "turned right")
            if pose in {f.pose for f in shown}
        ),
        sections=tuple(sections),
        shown=any(face.picture for face in shown),
        true=any(face.truth for face in shown),
        problems=tuple(problems),
    )


def _landmark_sections(
    protocol: Protocol, samples: ItemErrors, answers: Sequence[tuple[int, str, Floats]]
) -> tuple[Section, ...]:
    values = np.stack([answer for _, _, answer in answers])
    errors = np.stack([samples.columns[place].errors for place, _, _ in answers], axis=1)
    return choose_sections(
        errors,
        face_drawings.run_disagreement(values),
        np.flatnonzero(~np.isnan(values).all(axis=(0, 2, 3))),
        "points",
        lambda order, taken: face_drawings.take_unseen(order, FACES_PER_SECTION, taken),
        lambda row: _draw_face(protocol, samples, answers, values, row),
    )


def choose_sections(
    errors: Floats,
    apart: Floats,
    usable: np.ndarray,
    answers: str,
    take: Callable[[Sequence[int], set[int]], Sequence[int]],
    show: Callable[[int], ItemDrawing],
) -> tuple[Section, ...]:
    """Choose the hardest, most disputed and easiest of the `usable` rows, by errors (N, M) and spread of answers (N,).

    `take` chooses from rows in an order, and notes what it took; `answers` is what a method gives,
    in a word.
    """
    middle = np.median(errors, axis=1)
    by_error = usable[np.argsort(-middle[usable], kind="stable")].tolist()
    known = usable[~np.isnan(apart[usable])]
    by_spread = known[np.argsort(-apart[known], kind="stable")].tolist()
    taken: set[int] = set()
    orders = (
        ("hardest", "Hardest for all", "The largest errors of the median method.", by_error),
        ("disputed", "Most disputed", f"The methods’ {answers} lie farthest apart.", by_spread),
        ("easiest", "Easiest", "The smallest errors of the median method.", by_error[::-1]),
    )
    return tuple(
        Section(name, title, words, tuple(show(row) for row in chosen))
        for name, title, words, order in orders
        if (chosen := take(order, taken))
    )


def _draw_face(
    protocol: Protocol,
    samples: ItemErrors,
    answers: Sequence[tuple[int, str, Floats]],
    values: Floats,
    row: int,
) -> ItemDrawing:
    points = values[:, row]
    known = points[~np.isnan(points).any(axis=(1, 2))]
    middle = np.median(known, axis=0)
    where = face_drawings.square_around(middle)
    name = str(samples.ids[row])
    # a turned picture is another one
    item = synthetic_items.find_item("" if protocol.rotation else protocol.dataset, name)
    truth = _true_points(item, protocol) if item else None
    errors = [float(samples.columns[place].errors[row]) for place, _, _ in answers]
    if truth is not None and not _errors_match(protocol, samples.metric, truth, points, errors):
        # scored on another version of the rendered set: its picture is not this one
        item, truth = None, None
    drawn = []
    for style, (place, label, _) in enumerate(answers, start=1):
        error = samples.columns[place].errors[row]
        text = (
            number_format.format_number(float(error), samples.metric.unit)
            if math.isfinite(error)
            else "no answer"
        )
        path = (
            ""
            if np.isnan(points[style - 1]).any()
            else face_drawings.dot_path(points[style - 1], where)
        )
        drawn.append(PredictionPath(style, label, text, path))
    return ItemDrawing(
        id=name,
        groups=face_drawings.group_names(samples.groups, protocol.overall, row),
        pose=face_drawings.face_pose(middle if truth is None else truth, protocol.layout),
        picture=item.file if item else "",
        box=face_drawings.picture_box(where),
        answers=tuple(drawn),
        truth="" if truth is None else face_drawings.dot_path(truth, where),
    )


def _true_points(item: synthetic_items.SyntheticItem, protocol: Protocol) -> Floats | None:
    """Return the true points (K, 2) of one of our own faces, None where it has none of this layout."""
    facts, count = synthetic_items.item_facts(item), LAYOUTS[protocol.layout].count
    return next(
        (facts[key] for key in ("values", "values68") if len(facts.get(key, ())) == count), None
    )


def _errors_match(
    protocol: Protocol, metric: Metric, truth: Floats, points: Floats, errors: Sequence[float]
) -> bool:
    """Tell whether answers (M, K, 2) and what is true now give the errors (M,) that were scored, where that is known.

    Errors over another size than a distance between points, or over a part of them, are not made
    again here.
    """
    normaliser, subset, visible = metric_names.split_convention(metric.convention)
    if normaliser not in ("inter_ocular", "inter_pupil") or subset or visible:
        return True
    known = ~np.isnan(points).any(axis=(1, 2))
    scale = landmarks.normaliser_lengths(normaliser, truth[None], LAYOUTS[protocol.layout])
    again = landmarks.mean_errors(np.repeat(truth[None], len(points), axis=0), points) / scale * 100
    return bool(np.allclose(again[known], np.array(errors)[known], rtol=0.002, atol=0.01))
