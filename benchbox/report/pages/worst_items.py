"""Single items of one run: those it got most wrong, and those on which it and the others disagree most.

The others are the best runs of a protocol's other variants. An item is disputed as far as the run's error lies from the
median of theirs, either way: what all find hard is not disputed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from benchbox.errors import ResultError
from benchbox.metrics import metric_names, number_format
from benchbox.metrics.metric_names import Metric
from benchbox.report.charts.face_drawings import ItemDrawing
from benchbox.report.inputs import results
from benchbox.report.inputs.results import Result
from benchbox.types import Protocol

from . import worst_faces_drawn

if TYPE_CHECKING:
    from benchbox.types import Bools, Floats, Strings

_ITEMS_SHOWN = 12
_MAX_RIVALS = 8


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
    errors: Floats  # (N, M) infinite without an answer
    points: Mapping[Result, Floats]  # of the best two: answers (N, K, 2), NaN without one

    def beside(self, result: Result, ids: Strings) -> Rivals:
        """Return those of other variants than a run's; none where it saw other items."""
        if not np.array_equal(self.ids, ids):
            return Rivals((), self.ids, self.errors[:, :0], {})
        kept = [place for place, run in enumerate(self.runs) if _variant(run) != _variant(result)]
        return Rivals(
            tuple(self.runs[place] for place in kept), self.ids, self.errors[:, kept], self.points
        )


DrawnFaces = tuple[tuple[str, tuple[ItemDrawing, ...]], ...]  # title, faces


@dataclass(frozen=True)
class SingleItems:
    """Single items of a run."""

    hardest: tuple[Item, ...] = ()
    disputed: tuple[Item, ...] = ()
    # name, page: whose median a disputed item is held against
    rivals: tuple[tuple[str, str], ...] = ()
    drawn: DrawnFaces = ()  # title, faces: the worst, the best, the disputed, as landmarks on grey


def _variant(result: Result) -> tuple[str, str]:
    return result.run.method, result.run.variant


def choose_rivals(own: Sequence[Result], protocol: Protocol) -> list[Result]:
    """Choose the best run of each of the best variants by the protocol's first metric, scored under its card."""
    best: dict[tuple[str, str], tuple[float, str, Result]] = {}
    for result in own:
        scores = result.scores.get(protocol.overall, {})
        ordered = metric_names.group_by_convention(scores, protocol)
        metric = next(iter(ordered.values()))[0] if ordered else None
        value = scores[metric.name].value if metric else None
        if metric is None or value is None or result.card != protocol.card:
            continue
        found = (value if metric.lower_is_better else -value, result.page, result)
        best[_variant(result)] = min(
            best.get(_variant(result), found), found, key=lambda entry: entry[:2]
        )
    order = sorted(best.values(), key=lambda entry: entry[:2])
    return [result for _, _, result in order[: _MAX_RIVALS + 1]]


def read_rivals(chosen: Sequence[Result], protocol: Protocol) -> Rivals | None:
    """Read what the chosen runs make of each item.

    One that cannot be used, or saw other items, is left out.
    """
    kept: list[Result] = []
    columns: list[Floats] = []
    first: Strings | None = None
    for result in chosen:
        metric = next(
            iter(
                metric_names.group_by_convention(result.scores[protocol.overall], protocol).values()
            )
        )[0]
        try:
            errors, ids = results.read_errors(result), results.read_ids(result.run, result.n)
            values = results.item_errors(errors, metric.column)
        except ResultError:  # its own page and the leaderboard say so
            continue
        if first is None or np.array_equal(first, ids):
            first = ids
            kept.append(result)
            columns.append(values)
    if first is None:
        return None
    return Rivals(tuple(kept), first, np.stack(columns, axis=1), _rival_points(kept[:2], protocol))


def _rival_points(best: Sequence[Result], protocol: Protocol) -> dict[Result, Floats]:
    found: dict[Result, Floats] = {}
    for result in best if protocol.task == "landmarks" else ():
        with suppress(ResultError):  # its own page says so
            found[result] = results.read_landmarks(result, protocol)
    return found


def hardest_items(
    ids: Strings, values: Floats, groups: Mapping[str, Bools], metric: Metric
) -> list[Item]:
    """List the items with the largest errors (N,), those without an answer first."""
    values = values.copy()
    values[~(values >= 0)] = -1.0  # an item that has no error at all is not hard
    least = (
        values[values.argpartition(-_ITEMS_SHOWN)[-_ITEMS_SHOWN]]
        if len(values) > _ITEMS_SHOWN
        else 0.0
    )
    # all that could be among them: only these are sorted
    near = (values >= max(least, 0.0)).nonzero()[0].tolist()
    order = sorted(near, key=lambda i: (-values[i], ids[i]))[:_ITEMS_SHOWN]
    return [
        Item(str(ids[i]), _group_names(groups, i), _printed_error(values[i], metric)) for i in order
    ]


def most_disputed_rows(ids: Strings, values: Floats, others: Floats) -> list[int]:
    """Return the rows on which errors (N,) lie farthest from the median of the others' (N, M), the farthest first."""
    if not others.shape[1]:
        return []
    with np.errstate(invalid="ignore"):
        apart = np.abs(values - np.median(others, axis=1))
    usable = np.flatnonzero(np.isfinite(apart) & (apart > 0))
    return sorted(usable.tolist(), key=lambda i: (-apart[i], ids[i]))[:_ITEMS_SHOWN]


def list_disputed_items(
    order: Sequence[int],
    ids: Strings,
    values: Floats,
    others: Floats,
    groups: Mapping[str, Bools],
    metric: Metric,
) -> list[Item]:
    """Say of disputed rows what the run and the median of the others make of them."""
    return [
        Item(
            str(ids[i]),
            _group_names(groups, i),
            _printed_error(values[i], metric),
            _printed_error(float(np.median(others[i])), metric),
        )
        for i in order
    ]


def _group_names(groups: Mapping[str, Bools], row: int) -> str:
    return ", ".join(group for group, mask in groups.items() if mask[row])


def _printed_error(value: float, metric: Metric) -> str:
    if not math.isfinite(value):
        return "no answer"
    return number_format.format_number(
        float(value) * number_format.percent_scale(metric.unit), metric.unit
    )


def single_out_items(
    result: Result,
    protocol: Protocol,
    metric: Metric,
    values: Floats,
    groups: Mapping[str, Bools],
    rivals: Rivals | None,
    titles: Mapping[str, str],
) -> tuple[SingleItems, list[str]]:
    """Pick out single items of a run by its errors (N,), and say what could not be drawn.

    `titles` name the rivals.

    Raises ResultError where its ids cannot be read.
    """
    ids = results.read_ids(result.run, result.n)
    beside = rivals.beside(result, ids) if rivals else Rivals((), ids, np.empty((len(ids), 0)), {})
    argued = most_disputed_rows(ids, values, beside.errors)
    faults: list[str] = []
    drawn: DrawnFaces = ()
    if protocol.task == "landmarks":
        try:
            drawn = worst_faces_drawn.draw_worst_faces(
                result, protocol, metric, values, ids, argued, _best_rival(beside, titles)
            )
        except ResultError as fault:
            faults.append(results.hide_folder(result.run.folder, str(fault)))
    return SingleItems(
        hardest=tuple(hardest_items(ids, values, groups, metric)),
        disputed=tuple(list_disputed_items(argued, ids, values, beside.errors, groups, metric)),
        rivals=tuple((titles[run.page], run.page + ".html") for run in beside.runs),
        drawn=drawn,
    ), faults


def _best_rival(beside: Rivals, titles: Mapping[str, str]) -> tuple[str, Floats, Floats] | None:
    """Return the first rival whose points are known: its name, its points, its errors."""
    for place, run in enumerate(beside.runs):
        if run in beside.points:
            return titles[run.page], beside.points[run], beside.errors[:, place]
    return None
