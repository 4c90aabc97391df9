"""What a training made of faces without labels: which of its own answers it trusted, and how right it was.

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
from benchbox.report.charts.chart_values import Chart
from benchbox.report.charts.face_drawings import ItemDrawing, PredictionPath
from benchbox.report.charts.line_charts import Line, LineValue
from benchbox.report.inputs import results, synthetic_items
from benchbox.report.inputs.results import Result
from benchbox.report.tables import rows
from benchbox.runs import pseudo_labels, run_folders
from benchbox.types import MethodCard, Protocol

if TYPE_CHECKING:
    from benchbox.runs.pseudo_labels import PseudoLabels
    from benchbox.types import Floats

_EXAMPLES_EACH = 2  # examples of best and last accepted, best and last rejected
_SHARES = tuple(range(10, 101, 10))  # per cent of the faces, the best scores first


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
    charts: tuple[Chart, ...]
    choices: tuple[Choice, ...]
    shown: bool  # points may be shown
    problems: tuple[str, ...]

    @property
    def pictures(self) -> Iterator[str]:
        """Name the pictures that the page shows."""
        for choice in self.choices:
            yield from (
                face.picture for face in (*choice.accepted, *choice.rejected) if face.picture
            )


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
    problems: tuple[str, ...] = ()
    found = None
    try:
        found = pseudo_labels.read_pseudo_labels(run_folders.pseudo_labels_file(result.run.folder))
    except ResultError as fault:
        problems = (results.hide_folder(result.run.folder, str(fault)),)
    metric = metric_names.parse_stored_metric(
        found.metric if found else f"nme_{protocol.normalisers[0]}"
    )
    return PseudoLabelPage(
        path=pseudo_label_path(result),
        title=rows.method_title(result.run.method, methods),
        result=result,
        run=result.page + ".html",
        board=rows.board_path(result.run.protocol),
        protocol=protocol.title,
        measure=f"{metric.title}, {metric_names.short_convention(metric.convention)}, %",
        total=found.total if found else 0,
        kept=len(found.ids) if found else 0,
        charts=tuple(_charts(found)) if found else (),
        choices=tuple(_choice(found, step, protocol) for step in range(len(found.rounds)))
        if found
        else (),
        shown=found is not None and found.points is not None,
        problems=problems,
    )


# --- charts ---------------------------------------------------------------------------------------


def _charts(found: PseudoLabels) -> Iterator[Chart]:
    by_round = list(_by_round(found))
    if by_round and len(set(found.rounds.tolist())) > 1:
        yield line_charts.line_chart(
            "rounds",
            "Quality by round",
            by_round,
            x_title="round",
            y_title="mean error, % (log scale)",
            unit="%",
            note="A label that is accepted is trained on in this round.",
        )
    sorted_ = [line for step in range(len(found.rounds)) if (line := _by_score(found, step))]
    if sorted_:
        yield line_charts.line_chart(
            "scores",
            "Does the score know?",
            sorted_,
            x_title="share of the faces, best scores first, %",
            y_title="mean error of these faces, % (log scale)",
            unit="%",
            note="A score that knows which labels are right gives a line that rises; one that does not a level one.",
        )


def _by_round(found: PseudoLabels) -> Iterator[Line]:
    for student in dict.fromkeys(found.students.tolist()):
        steps = [step for step, name in enumerate(found.students.tolist()) if name == student]
        for word, wanted in (("accepted", True), ("rejected", False)):
            values = [
                (step, _mean_error(found.errors[step][found.accepted[step] == wanted]))
                for step in steps
            ]
            stops = tuple(
                LineValue(float(found.rounds[step]), value)
                for step, value in values
                if value is not None
            )
            if stops:
                yield Line(f"{student} {word}".strip(), stops)


def _by_score(found: PseudoLabels, step: int) -> Line | None:
    """Return the mean error of the faces with the best scores, more and more of them."""
    known = np.flatnonzero(np.isfinite(found.errors[step]))
    if len(known) < len(_SHARES):
        return None
    order = known[np.argsort(-found.scores[step][known], kind="stable")]
    means = np.cumsum(found.errors[step][order]) / np.arange(1, len(order) + 1) * 100
    stops = tuple(
        LineValue(float(share), float(means[max(len(order) * share // 100, 1) - 1]))
        for share in _SHARES
    )
    return Line(_title(found, step), stops)


def _title(found: PseudoLabels, step: int) -> str:
    student = str(found.students[step])
    return f"round {int(found.rounds[step])}" + (f", {student}" if student else "")


def _mean_error(errors: Floats) -> float | None:
    """Return the mean of what is known, in per cent; None where nothing is."""
    usable = errors[np.isfinite(errors)]
    return float(usable.mean()) * 100 if len(usable) else None


# --- choices --------------------------------------------------------------------------------------


def _choice(found: PseudoLabels, step: int, protocol: Protocol) -> Choice:
    errors, accepted = found.errors[step], found.accepted[step]
    means = [_mean_error(errors[accepted]), _mean_error(errors[~accepted]), _mean_error(errors)]
    ranked = _rank_correlation(found.scores[step], errors)
    places = found.shown[step]
    chosen = _first_and_last(
        [at for at, row in enumerate(places.tolist()) if row >= 0 and accepted[row]]
    )
    refused = _first_and_last(
        [at for at, row in enumerate(places.tolist()) if row >= 0 and not accepted[row]]
    )
    return Choice(
        title=_title(found, step),
        cells=(
            f"{int(accepted.sum()):,} of {len(accepted):,}",
            *("–" if mean is None else f"{mean:.2f}" for mean in means),
            "–" if ranked is None else f"{ranked:+.2f}",
        ),
        accepted=tuple(_draw_face(found, step, at, protocol) for at in chosen),
        rejected=tuple(_draw_face(found, step, at, protocol) for at in refused),
    )


def _first_and_last(places: list[int]) -> list[int]:
    """Take the first and the last of places, which stand from the best score to the worst."""
    return (
        places
        if len(places) <= 2 * _EXAMPLES_EACH
        else [*places[:_EXAMPLES_EACH], *places[-_EXAMPLES_EACH:]]
    )


def _rank_correlation(scores: Floats, errors: Floats) -> float | None:
    """Return Spearman's correlation of score and rightness: 1 where the best scores have the smallest errors."""
    known = np.isfinite(errors)
    if known.sum() < 3:
        return None
    one, other = (
        np.argsort(np.argsort(v[known], kind="stable")).astype("f8") for v in (scores, -errors)
    )
    one, other = one - one.mean(), other - other.mean()
    return float((one * other).sum() / math.sqrt(float((one**2).sum() * (other**2).sum())))


def _draw_face(found: PseudoLabels, step: int, at: int, protocol: Protocol) -> ItemDrawing:
    row = int(found.shown[step, at])
    name, error = str(found.ids[row]), float(found.errors[step, row])
    words = f"score {found.scores[step, row]:.3g}" + (
        f", error {100 * error:.2f}" if math.isfinite(error) else ""
    )
    points = found.points[step, at] if found.points is not None else None
    if points is None or np.isnan(points).any():
        return ItemDrawing(
            name, (), "", "", (0.0, 0.0, 0.0, 0.0), (PredictionPath(1, "pseudo-label", words, ""),)
        )
    truth = found.truth[step, at] if found.truth is not None else None
    known = truth is not None and bool(np.isfinite(truth).all())
    where = face_drawings.square_around(truth if known and truth is not None else points)
    item = synthetic_items.find_item(protocol.train_dataset or protocol.dataset, name)
    if item and not (known and _is_same_face(item, truth)):
        item = None  # of another version of the rendered set: its picture is not this one
    return ItemDrawing(
        id=name,
        groups=(),
        pose="",
        picture=item.file if item else "",
        box=face_drawings.picture_box(where),
        answers=(PredictionPath(1, "pseudo-label", words, face_drawings.dot_path(points, where)),),
        truth=face_drawings.dot_path(truth, where) if known and truth is not None else "",
    )


def _is_same_face(item: synthetic_items.SyntheticItem, truth: Floats | None) -> bool:
    facts = synthetic_items.item_facts(item)
    columns = [facts[key] for key in ("values", "values68") if key in facts]
    return truth is not None and any(
        c.shape == truth.shape and np.allclose(c, truth, atol=0.02) for c in columns
    )
