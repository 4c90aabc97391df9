"""The pseudo-labels of a training: which it trusted, and how right they were.

For any run that kept pseudo-labels (`benchbox.runs.pseudo_labels`): per round the error of what was
accepted and what was not, how well scores sort faces by error, and examples. Pictures and points
are those of our own rendering; of every other set there are ids, scores and errors alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from benchbox.errors import ResultError
from benchbox.metrics import metric_names
from benchbox.report.charts import face_drawings, line_charts
from benchbox.report.charts.chart_values import AnyChart
from benchbox.report.charts.face_drawings import ItemDrawing, PredictionPath
from benchbox.report.charts.line_charts import Line, LineValue
from benchbox.report.inputs import results, synthetic_items
from benchbox.report.inputs.results import Result
from benchbox.report.inputs.synthetic_items import SyntheticItem
from benchbox.report.tables import rows
from benchbox.runs import pseudo_labels, run_folders
from benchbox.types import MethodCard, Protocol

from . import rendered_pictures
from .rendered_pictures import PlannedPicture
from .shared_data import SharedData, hash_values

if TYPE_CHECKING:
    from benchbox.runs.pseudo_labels import PseudoLabels
    from benchbox.types import Floats

_EXAMPLES_EACH = 2  # examples of best and last accepted, best and last rejected
_SHARES = tuple(range(10, 101, 10))  # per cent of the faces, the best scores first
_UNKNOWN = "–"


@dataclass(frozen=True)
class Choice:
    """One choice among the faces: a round's, for one student."""

    title: str
    # accepted, error of the accepted, of the rejected, of all, rank correlation
    cells: tuple[str, ...]
    accepted: tuple[ItemDrawing, ...]
    rejected: tuple[ItemDrawing, ...]


@dataclass(frozen=True)
class PseudoLabelPage:
    """The pseudo-labels of one run."""

    path: str
    title: str
    result: Result
    run: str  # page
    board: str  # page
    protocol: str  # title
    measure: str
    total: int
    kept: int
    charts: tuple[AnyChart, ...]
    choices: tuple[Choice, ...]
    has_points: bool  # that may be shown
    problems: tuple[str, ...]

    @property
    def pictures(self) -> Iterator[str]:
        """Name the pictures that the page shows."""
        for choice in self.choices:
            for face in (*choice.accepted, *choice.rejected):
                if face.picture:
                    yield face.picture


@dataclass(frozen=True)
class PlannedPseudoLabels:
    """The page of a run's pseudo-labels, laid out when its pictures were asked for."""

    path: str
    group: str
    result: Result
    page: PseudoLabelPage
    work: float = 1.0

    def hash_inputs(self, shared: SharedData) -> str:
        """Hash the run."""
        return hash_values(shared.run_digest(self.result))

    def build(self, shared: SharedData) -> PseudoLabelPage:
        """Return the page."""
        return self.page


def plan_pages(shared: SharedData) -> list[PlannedPseudoLabels | PlannedPicture]:
    """Plan the pages of all runs that kept pseudo-labels, and the pictures that these show."""
    planned: list[PlannedPseudoLabels | PlannedPicture] = []
    for result in shared.sources.results:
        protocol = shared.protocols.get(result.run.protocol)
        if protocol and has_pseudo_labels(result):
            page = build_pseudo_label_page(result, protocol, shared.methods)
            planned.append(PlannedPseudoLabels(page.path, result.page, result, page))
            planned += rendered_pictures.plan_pictures(page.pictures)
    return planned


def has_pseudo_labels(result: Result) -> bool:
    """Tell whether a run kept pseudo-labels."""
    return run_folders.pseudo_labels_file(result.run.folder).is_file()


def pseudo_label_path(result: Result) -> str:
    """Return the path of a run's page of pseudo-labels inside the site."""
    return result.page.replace("run/", "labels/", 1) + ".html"


def build_pseudo_label_page(
    result: Result, protocol: Protocol, methods: Mapping[str, MethodCard]
) -> PseudoLabelPage:
    """Lay out the pseudo-labels of a run, or say why they cannot be read."""
    metric_name = f"nme_{protocol.normalisers[0]}"
    total = kept = 0
    charts: tuple[AnyChart, ...] = ()
    choices: tuple[Choice, ...] = ()
    has_points = False
    problems: tuple[str, ...] = ()
    try:
        labels = pseudo_labels.read_pseudo_labels(run_folders.pseudo_labels_file(result.run.folder))
    except ResultError as fault:
        problems = (results.hide_folder(result.run.folder, str(fault)),)
    else:
        metric_name = labels.metric
        total, kept = labels.total, len(labels.ids)
        charts = tuple(_draw_charts(labels))
        steps = range(len(labels.rounds))
        choices = tuple(_describe_choice(labels, step, protocol) for step in steps)
        has_points = labels.points is not None
    metric = metric_names.parse_stored_metric(metric_name)
    return PseudoLabelPage(
        path=pseudo_label_path(result),
        title=rows.method_title(result.run.method, methods),
        result=result,
        run=result.page + ".html",
        board=rows.board_path(result.run.protocol),
        protocol=protocol.title,
        measure=f"{metric.title}, {metric_names.short_convention(metric.convention)}, %",
        total=total,
        kept=kept,
        charts=charts,
        choices=choices,
        has_points=has_points,
        problems=problems,
    )


# --- charts ---------------------------------------------------------------------------------------


def _draw_charts(labels: PseudoLabels) -> Iterator[AnyChart]:
    by_round = list(_errors_by_round(labels))
    if by_round and len(set(labels.rounds.tolist())) > 1:
        yield line_charts.line_chart(
            "rounds",
            "Quality by round",
            by_round,
            x_title="round",
            y_title="mean error, % (log scale)",
            unit="%",
            note="A label that is accepted is trained on in this round.",
        )
    by_score = []
    for step in range(len(labels.rounds)):
        line = _errors_by_score(labels, step)
        if line:
            by_score.append(line)
    if by_score:
        yield line_charts.line_chart(
            "scores",
            "Does the score know?",
            by_score,
            x_title="share of the faces, best scores first, %",
            y_title="mean error of these faces, % (log scale)",
            unit="%",
            note=(
                "A score that knows which labels are right gives a line that rises;"
                " one that does not a level one."
            ),
        )


def _errors_by_round(labels: PseudoLabels) -> Iterator[Line]:
    """Draw the mean error of accepted and of rejected labels of each student over the rounds."""
    students = labels.students.tolist()
    for student in dict.fromkeys(students):
        for word, wanted in (("accepted", True), ("rejected", False)):
            values = []
            for step, name in enumerate(students):
                if name != student:
                    continue
                mean = _mean_error(labels.errors[step][labels.accepted[step] == wanted])
                if mean is not None:
                    values.append(LineValue(float(labels.rounds[step]), mean))
            if values:
                yield Line(f"{student} {word}".strip(), tuple(values))


def _errors_by_score(labels: PseudoLabels, step: int) -> Line | None:
    """Draw the mean error of the faces with the best scores, more and more of them."""
    errors = labels.errors[step]
    known = np.flatnonzero(np.isfinite(errors))
    if len(known) < len(_SHARES):
        return None
    order = known[np.argsort(-labels.scores[step][known], kind="stable")]
    means = np.cumsum(errors[order]) / np.arange(1, len(order) + 1) * 100
    values = []
    for share in _SHARES:
        faces = max(len(order) * share // 100, 1)
        values.append(LineValue(float(share), float(means[faces - 1])))
    return Line(_choice_title(labels, step), tuple(values))


def _choice_title(labels: PseudoLabels, step: int) -> str:
    title = f"round {int(labels.rounds[step])}"
    student = str(labels.students[step])
    if student:
        title += f", {student}"
    return title


def _mean_error(errors: Floats) -> float | None:
    """Return the mean of what is known, in per cent; None where nothing is."""
    known = errors[np.isfinite(errors)]
    if not len(known):
        return None
    return float(known.mean()) * 100


# --- choices --------------------------------------------------------------------------------------


def _describe_choice(labels: PseudoLabels, step: int, protocol: Protocol) -> Choice:
    errors, accepted = labels.errors[step], labels.accepted[step]
    cells = [f"{int(accepted.sum()):,} of {len(accepted):,}"]
    for some in (errors[accepted], errors[~accepted], errors):
        mean = _mean_error(some)
        if mean is None:
            cells.append(_UNKNOWN)
        else:
            cells.append(f"{mean:.2f}")
    correlation = _rank_correlation(labels.scores[step], errors)
    if correlation is None:
        cells.append(_UNKNOWN)
    else:
        cells.append(f"{correlation:+.2f}")
    examples: dict[bool, list[int]] = {True: [], False: []}
    for place, row in enumerate(labels.shown[step].tolist()):
        if row >= 0:
            examples[bool(accepted[row])].append(place)
    drawn = {
        kind: tuple(_draw_face(labels, step, place, protocol) for place in _first_and_last(places))
        for kind, places in examples.items()
    }
    return Choice(_choice_title(labels, step), tuple(cells), drawn[True], drawn[False])


def _first_and_last(places: list[int]) -> list[int]:
    """Take the first and the last of places, which stand from the best score to the worst."""
    if len(places) <= 2 * _EXAMPLES_EACH:
        return places
    return [*places[:_EXAMPLES_EACH], *places[-_EXAMPLES_EACH:]]


def _rank_correlation(scores: Floats, errors: Floats) -> float | None:
    """Return Spearman's correlation of score and rightness.

    1 where the best scores have the smallest errors; None for fewer than three errors.
    """
    known = np.isfinite(errors)
    if known.sum() < 3:
        return None
    by_score, by_error = _centred_ranks(scores[known]), _centred_ranks(-errors[known])
    norm = math.sqrt(float((by_score**2).sum() * (by_error**2).sum()))
    return float((by_score * by_error).sum() / norm)


def _centred_ranks(values: Floats) -> Floats:
    ranks: Floats = np.argsort(np.argsort(values, kind="stable")).astype("f8")
    centred: Floats = ranks - ranks.mean()
    return centred


def _draw_face(labels: PseudoLabels, step: int, place: int, protocol: Protocol) -> ItemDrawing:
    row = int(labels.shown[step, place])
    name, error = str(labels.ids[row]), float(labels.errors[step, row])
    words = f"score {labels.scores[step, row]:.3g}"
    if math.isfinite(error):
        words += f", error {100 * error:.2f}"
    points = None
    if labels.points is not None:
        points = labels.points[step, place]
    if points is None or np.isnan(points).any():
        no_points = PredictionPath(1, "pseudo-label", words, "")
        return ItemDrawing(name, (), "", "", (0.0, 0.0, 0.0, 0.0), (no_points,))
    frame = face_drawings.square_around(points)
    picture = truth_path = ""
    truth = _known_truth(labels, step, place)
    if truth is not None:
        frame = face_drawings.square_around(truth)
        truth_path = face_drawings.shape_path(truth, frame, protocol.layout)
        item = synthetic_items.find_item(protocol.train_dataset or protocol.dataset, name)
        # of another version of the rendered set: its picture is not this one
        if item and _is_same_face(item, truth):
            picture = item.file
    path = face_drawings.shape_path(points, frame, protocol.layout)
    return ItemDrawing(
        id=name,
        groups=(),
        pose="",
        picture=picture,
        box=face_drawings.picture_box(frame),
        predictions=(PredictionPath(1, "pseudo-label", words, path),),
        truth=truth_path,
    )


def _known_truth(labels: PseudoLabels, step: int, place: int) -> Floats | None:
    """Return the true points (K, 2) of an example, None where any of them is not known."""
    if labels.truth is None:
        return None
    truth: Floats = labels.truth[step, place]
    if not np.isfinite(truth).all():
        return None
    return truth


def _is_same_face(item: SyntheticItem, truth: Floats) -> bool:
    facts = synthetic_items.item_facts(item)
    for key in ("values", "values68"):
        points = facts.get(key)
        if points is None or points.shape != truth.shape:
            continue
        if np.allclose(points, truth, atol=0.02):
            return True
    return False
