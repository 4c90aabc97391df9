"""The atlas of a protocol: single items with the predictions of all methods, by how hard they are.

`sample_atlas` draws landmarks, `gaze_atlas` draws gaze; both choose and lay out items here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from benchbox.metrics import metric_names
from benchbox.metrics.metric_names import Metric
from benchbox.report.charts.face_drawings import ItemDrawing
from benchbox.report.inputs.results import Problem, Result
from benchbox.report.tables.per_item import RunErrors
from benchbox.report.tables.rows import board_path
from benchbox.types import Protocol

if TYPE_CHECKING:
    from benchbox.types import Floats

MAX_METHODS = 6
ITEMS_PER_SECTION = 8
_POSES = ("frontal", "turned left", "turned right")


@dataclass(frozen=True)
class Section:
    """Items that have something in common."""

    name: str
    title: str
    words: str
    faces: tuple[ItemDrawing, ...]


@dataclass(frozen=True)
class AtlasPage:
    """Single items of one protocol."""

    path: str
    protocol: Protocol
    board: str  # page
    measure: str
    methods: tuple[tuple[int, str], ...]  # style, name
    groups: tuple[str, ...]
    poses: tuple[str, ...]
    sections: tuple[Section, ...]
    has_pictures: bool
    has_truth: bool
    problems: tuple[Problem, ...]

    @property
    def pictures(self) -> Iterator[str]:
        """Name the pictures that the page shows."""
        for section in self.sections:
            for face in section.faces:
                if face.picture:
                    yield face.picture


def atlas_path(protocol: str) -> str:
    """Return the path of a protocol's atlas inside the site."""
    return board_path(protocol).replace("protocol/", "atlas/", 1)


def has_atlas(runs: Iterable[Result]) -> bool:
    """Tell whether a protocol has an atlas: one run with its predictions is enough."""
    return any(result.keeps_predictions for result in runs)


def each_method_first(columns: Sequence[RunErrors]) -> list[RunErrors]:
    """Put the best run of every method before further variants, which stand behind in their order.

    The trap: one method's variants, which hardly differ, are all that a page has room for.
    """
    seen: set[str] = set()
    first: list[RunErrors] = []
    further: list[RunErrors] = []
    for column in columns:
        method = column.result.run.method
        (further if method in seen else first).append(column)
        seen.add(method)
    return [*first, *further]


def assemble_page(
    protocol: Protocol,
    metric: Metric | None,
    methods: Sequence[tuple[int, str]],
    sections: Sequence[Section],
    problems: Sequence[Problem],
) -> AtlasPage:
    """Put finished sections on a page, with what they may be filtered by."""
    measure = ""
    if metric:
        measure = f"{metric.title}, {metric_names.short_convention(metric.convention)}"
    faces: list[ItemDrawing] = []
    for section in sections:
        faces += section.faces
    groups: dict[str, None] = {}
    for face in faces:
        groups |= dict.fromkeys(face.groups)
    poses = {face.pose for face in faces}
    return AtlasPage(
        path=atlas_path(protocol.name),
        protocol=protocol,
        board=board_path(protocol.name),
        measure=measure,
        methods=tuple(methods),
        groups=tuple(groups),
        poses=tuple(pose for pose in _POSES if pose in poses),
        sections=tuple(sections),
        has_pictures=any(face.picture for face in faces),
        has_truth=any(face.truth for face in faces),
        problems=tuple(problems),
    )


def choose_sections(
    errors: Floats,
    disagreement: Floats,
    usable: np.ndarray,
    predictions: str,
    choose_items: Callable[[Sequence[int], set[int]], Sequence[int]],
    draw_item: Callable[[int], ItemDrawing],
) -> tuple[Section, ...]:
    """Choose the hardest, most disputed and easiest of the `usable` rows.

    `errors` are (N, M) of M methods, `disagreement` (N,) how far their predictions lie apart.
    `choose_items` chooses from rows in an order, and notes what it took; `predictions` is what a
    method gives, in a word.
    """
    median_error = np.median(errors, axis=1)
    hardest = usable[np.argsort(-median_error[usable], kind="stable")].tolist()
    easiest = hardest[::-1]
    compared = usable[~np.isnan(disagreement[usable])]
    disputed = compared[np.argsort(-disagreement[compared], kind="stable")].tolist()
    disputed_words = f"The methods’ {predictions} lie farthest apart."
    orders = (
        ("hardest", "Hardest for all", "The largest errors of the median method.", hardest),
        ("disputed", "Most disputed", disputed_words, disputed),
        ("easiest", "Easiest", "The smallest errors of the median method.", easiest),
    )
    taken: set[int] = set()
    sections = []
    for name, title, words, order in orders:
        rows = choose_items(order, taken)
        if rows:
            faces = tuple(draw_item(row) for row in rows)
            sections.append(Section(name, title, words, faces))
    return tuple(sections)
