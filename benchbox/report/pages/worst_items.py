"""Single items of a run: those it got most wrong, and those on which it and the others disagree.

The others are the best runs of a protocol's other variants. An item is disputed as far as the run's
error lies from the median of theirs, either way: what all find hard is not disputed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from benchbox.errors import ResultError
from benchbox.metrics import metric_names, number_format
from benchbox.metrics.metric_names import Metric
from benchbox.report.inputs import results
from benchbox.report.inputs.results import Result
from benchbox.types import Protocol

from . import worst_faces_drawn
from .worst_faces_drawn import DrawnFaces, RunPoints

if TYPE_CHECKING:
    from benchbox.types import Bools, Floats, Score, Strings

_ITEMS_SHOWN = 12
_MAX_RIVALS = 8
_RIVALS_DRAWN = 2


@dataclass(frozen=True)
class Item:
    """One test item, with what a run makes of it."""

    id: str
    groups: str
    error: str
    others: str = ""  # the median of the rivals' errors


@dataclass(frozen=True, eq=False)
class Rivals:
    """Runs that another one is held against, over the same items, the best first."""

    runs: tuple[Result, ...]
    ids: Strings  # (N,)
    errors: Floats  # (N, M) infinite without a prediction
    points: Mapping[Result, Floats]  # of the best two: (N, K, 2), NaN without a prediction

    def beside(self, result: Result, ids: Strings) -> Rivals:
        """Return those of other variants than a run's; none where it saw other items or labels."""
        if result.other_truth or not np.array_equal(self.ids, ids):
            return Rivals((), self.ids, self.errors[:, :0], {})
        columns = [
            column for column, run in enumerate(self.runs) if _variant(run) != _variant(result)
        ]
        if len(columns) == len(self.runs):
            return self
        runs = tuple(self.runs[column] for column in columns)
        return Rivals(runs, self.ids, self.errors[:, columns], self.points)

    @cached_property
    def medians(self) -> Floats:
        """Return the median of their errors (N,), NaN where there are none."""
        if not self.runs:
            return np.full(len(self.ids), np.nan)
        with np.errstate(invalid="ignore"):
            medians: Floats = np.median(self.errors, axis=1)
        return medians


@dataclass(frozen=True)
class SingleItems:
    """Single items of a run."""

    hardest: tuple[Item, ...] = ()
    disputed: tuple[Item, ...] = ()
    # name, page: whose median a disputed item is held against
    rivals: tuple[tuple[str, str], ...] = ()
    drawn: DrawnFaces = ()  # the worst, the best, the disputed, as landmarks on grey


def _variant(result: Result) -> tuple[str, str]:
    return result.run.method, result.run.variant


def choose_rivals(runs: Sequence[Result], protocol: Protocol) -> list[Result]:
    """Choose the best run of each of the best variants by the protocol's first metric.

    Runs that were scored under another version of its card or on other annotations than most, or
    whose predictions are not kept, are
    left out.
    """
    best: dict[tuple[str, str], tuple[float, str, Result]] = {}
    for result in runs:
        scores = result.scores.get(protocol.overall, {})
        metric = _first_metric(scores, protocol)
        if metric is None or result.card != protocol.card or result.other_truth:
            continue
        if not result.keeps_predictions:
            continue
        value = scores[metric.name].value
        if value is None:
            continue
        if not metric.lower_is_better:
            value = -value
        entry = value, result.page, result
        variant = _variant(result)
        if variant not in best or entry[:2] < best[variant][:2]:
            best[variant] = entry
    order = sorted(best.values(), key=lambda entry: entry[:2])
    return [result for _, _, result in order[: _MAX_RIVALS + 1]]


def _first_metric(scores: Mapping[str, Score], protocol: Protocol) -> Metric | None:
    for metrics in metric_names.group_by_convention(scores, protocol).values():
        return metrics[0]
    return None


def read_rivals(chosen: Sequence[Result], protocol: Protocol) -> Rivals | None:
    """Read what the chosen runs make of each item.

    One that cannot be used, or saw other items, is left out.
    """
    runs: list[Result] = []
    columns: list[Floats] = []
    first_ids: Strings | None = None
    for result in chosen:
        metric = _first_metric(result.scores[protocol.overall], protocol)
        if metric is None:
            continue
        try:
            table, ids = results.read_errors(result), results.read_ids(result.run, result.n)
            errors = results.item_errors(table, metric.column)
        except ResultError:  # its own page and the leaderboard say so
            continue
        if first_ids is None or np.array_equal(first_ids, ids):
            first_ids = ids
            runs.append(result)
            columns.append(errors)
    if first_ids is None:
        return None
    points = _read_rival_points(runs[:_RIVALS_DRAWN], protocol)
    return Rivals(tuple(runs), first_ids, np.stack(columns, axis=1), points)


def _read_rival_points(runs: Sequence[Result], protocol: Protocol) -> dict[Result, Floats]:
    points: dict[Result, Floats] = {}
    if protocol.task == "landmarks":
        for result in runs:
            with suppress(ResultError):  # its own page says so
                points[result] = results.read_landmarks(result, protocol)
    return points


def hardest_items(
    ids: Strings, errors: Floats, groups: Mapping[str, Bools], metric: Metric
) -> list[Item]:
    """List the items with the largest errors (N,), those without a prediction first."""
    order = _largest_first(errors, errors >= 0, ids)  # what has no error at all is not hard
    return [
        Item(str(ids[row]), _group_names(groups, row), _print_error(errors[row], metric))
        for row in order
    ]


def _largest_first(values: Floats, usable: Bools, ids: Strings) -> list[int]:
    """Return the usable rows with the largest values (N,), of equal ones the first by id."""
    values = np.where(usable, values, -1.0)
    least = 0.0
    if len(values) > _ITEMS_SHOWN:
        least = max(values[values.argpartition(-_ITEMS_SHOWN)[-_ITEMS_SHOWN]], least)
    # all that could be among them: only these are sorted
    candidates = (values >= least).nonzero()[0].tolist()
    return sorted(candidates, key=lambda row: (-values[row], ids[row]))[:_ITEMS_SHOWN]


def most_disputed_rows(ids: Strings, errors: Floats, medians: Floats) -> list[int]:
    """Return the rows on which errors (N,) lie farthest from the medians of the others' (N,).

    The farthest comes first.
    """
    with np.errstate(invalid="ignore"):
        difference = np.abs(errors - medians)
        return _largest_first(difference, np.isfinite(difference) & (difference > 0), ids)


def list_disputed_items(
    rows: Sequence[int],
    ids: Strings,
    errors: Floats,
    medians: Floats,
    groups: Mapping[str, Bools],
    metric: Metric,
) -> list[Item]:
    """Say of disputed rows what the run and the median (N,) of the others make of them."""
    items = []
    for row in rows:
        error = _print_error(errors[row], metric)
        median = _print_error(medians[row], metric)
        items.append(Item(str(ids[row]), _group_names(groups, row), error, median))
    return items


def _group_names(groups: Mapping[str, Bools], row: int) -> str:
    return ", ".join(group for group, mask in groups.items() if mask[row])


def _print_error(error: float, metric: Metric) -> str:
    if not math.isfinite(error):
        return "no prediction"
    scaled = float(error) * number_format.percent_scale(metric.unit)
    return number_format.format_number(scaled, metric.unit)


def single_out_items(
    result: Result,
    protocol: Protocol,
    metric: Metric,
    errors: Floats,
    groups: Mapping[str, Bools],
    rivals: Rivals | None,
    titles: Mapping[str, str],
) -> tuple[SingleItems, list[str]]:
    """Pick out single items of a run by its errors (N,), and say what could not be drawn.

    `titles` name the rivals. Raises ResultError where the run's ids cannot be read.
    """
    ids = results.read_ids(result.run, result.n)
    compared = Rivals((), ids, np.empty((len(ids), 0)), {})
    if rivals:
        compared = rivals.beside(result, ids)
    disputed = most_disputed_rows(ids, errors, compared.medians)
    problems: list[str] = []
    drawn: DrawnFaces = ()
    if protocol.task == "landmarks":
        rival = _best_rival(compared, titles)
        try:
            drawn = worst_faces_drawn.draw_worst_faces(
                result, protocol, metric, errors, ids, disputed, rival
            )
        except ResultError as fault:
            problems.append(results.hide_folder(result.run.folder, str(fault)))
    listed = list_disputed_items(disputed, ids, errors, compared.medians, groups, metric)
    items = SingleItems(
        hardest=tuple(hardest_items(ids, errors, groups, metric)),
        disputed=tuple(listed),
        rivals=tuple((titles[run.page], run.page + ".html") for run in compared.runs),
        drawn=drawn,
    )
    return items, problems


def _best_rival(rivals: Rivals, titles: Mapping[str, str]) -> RunPoints | None:
    """Return the first rival whose points are known."""
    for column, run in enumerate(rivals.runs):
        if run in rivals.points:
            return RunPoints(2, titles[run.page], rivals.points[run], rivals.errors[:, column])
    return None
