"""The sample atlas: single faces with the answers of all methods, the hardest, the most disputed, the easiest."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from benchbox.errors import ResultError
from benchbox.types import MethodCard, Protocol

from . import drawing, faces, measures, results
from .faces import Answer, Face
from .results import Problem
from .rows import board_path
from .samples import Samples

if TYPE_CHECKING:
    from benchbox.types import Floats

_METHODS = 6
_FACES = 12


@dataclass(frozen=True)
class Section:
    """Faces that have something in common."""

    name: str
    title: str
    words: str
    faces: tuple[Face, ...]


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
    problems: tuple[Problem, ...]

    @property
    def pictures(self) -> Iterator[str]:
        """Name the pictures that the page shows."""
        return (face.picture for section in self.sections for face in section.faces if face.picture)


def path(protocol: str) -> str:
    """Return the path of a protocol's atlas inside the site."""
    return board_path(protocol).replace("protocol/", "atlas/", 1)


def page(
    protocol: Protocol, samples: Samples | None, methods: Mapping[str, MethodCard], problems: Sequence[Problem]
) -> AtlasPage:
    """Lay out the atlas of a protocol; a run whose predictions cannot be used is left out and named."""
    columns = samples.columns if samples else ()
    names = drawing.names([(bool(column.row.apart), column.result) for column in columns], methods)
    faults = list(problems)
    answers: list[tuple[int, str, Floats]] = []
    for place, name in enumerate(names):
        if samples is None or len(answers) == _METHODS:
            break
        try:
            answers.append((place, name, results.answers(samples.columns[place].result, protocol)))
        except ResultError as fault:
            faults.append(results.problem(samples.columns[place].result, fault))
    sections = _sections(protocol, samples, answers) if samples and answers else ()
    shown = [face for section in sections for face in section.faces]
    return AtlasPage(
        path=path(protocol.name),
        protocol=protocol,
        board=board_path(protocol.name),
        measure=f"{samples.metric.title}, {measures.short(samples.metric.convention)}" if samples else "",
        methods=tuple((style, name) for style, (_, name, _) in enumerate(answers, start=1)),
        groups=tuple(dict.fromkeys(group for face in shown for group in face.groups)),
        poses=tuple(pose for pose in ("frontal", "turned left", "turned right") if pose in {f.pose for f in shown}),
        sections=sections,
        shown=protocol.dataset == faces.SHOWN,
        problems=tuple(faults),
    )


def _sections(protocol: Protocol, samples: Samples, answers: Sequence[tuple[int, str, Floats]]) -> tuple[Section, ...]:
    values = np.stack([answer for _, _, answer in answers])
    errors = np.stack([samples.columns[place].errors for place, _, _ in answers], axis=1)
    usable = np.flatnonzero(~np.isnan(values).all(axis=(0, 2, 3)))
    middle, apart = np.median(errors, axis=1), faces.spread(values)
    by_error = usable[np.argsort(-middle[usable], kind="stable")].tolist()
    known = usable[~np.isnan(apart[usable])]
    by_spread = known[np.argsort(-apart[known], kind="stable")].tolist()
    taken: set[int] = set()
    orders = (
        ("hardest", "Hardest for all", "The largest errors of the median method.", by_error),
        ("disputed", "Most disputed", "The methods’ points lie farthest apart.", by_spread),
        ("easiest", "Easiest", "The smallest errors of the median method.", by_error[::-1]),
    )
    return tuple(
        Section(name, title, words, tuple(_face(protocol, samples, answers, values, row) for row in chosen))
        for name, title, words, order in orders
        if (chosen := faces.first(order, _FACES, taken))
    )


def _face(
    protocol: Protocol,
    samples: Samples,
    answers: Sequence[tuple[int, str, Floats]],
    values: Floats,
    row: int,
) -> Face:
    points = values[:, row]
    known = points[~np.isnan(points).any(axis=(1, 2))]
    middle = np.median(known, axis=0)
    where = faces.frame(middle)
    name = str(samples.ids[row])
    drawn = []
    for style, (place, label, _) in enumerate(answers, start=1):
        error = samples.columns[place].errors[row]
        text = measures.number(float(error), samples.metric.unit) if math.isfinite(error) else "no answer"
        path = "" if np.isnan(points[style - 1]).any() else faces.dots(points[style - 1], where)
        drawn.append(Answer(style, label, text, path))
    return Face(
        id=name,
        groups=faces.listing(samples.groups, protocol.overall, row),
        pose=faces.pose(middle, protocol.layout),
        picture=faces.picture_file(protocol.dataset, name),
        box=faces.whole(where),
        answers=tuple(drawn),
    )
