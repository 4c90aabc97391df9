"""The compare page: per-item errors of a board's best runs as data; the browser pairs any of them.

Numbers are thousandths of the printed unit. Very large test sets are thinned evenly, and the page
says so.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from benchbox.metrics import metric_names, number_format
from benchbox.report.charts import leaderboard_charts
from benchbox.report.inputs.results import Problem, Result
from benchbox.report.tables.per_item import ItemErrors, RunErrors
from benchbox.report.tables.rows import board_path
from benchbox.types import MethodCard, Protocol

from .shared_data import SharedData, board_group

if TYPE_CHECKING:
    from benchbox.types import Bools

_MAX_ITEMS = 3000
STEP = 0.001  # of the printed unit: what the numbers of the page count
_LARGEST = 10**7


@dataclass(frozen=True)
class ComparePage:
    """Two runs of one protocol, chosen by the reader."""

    path: str
    protocol: Protocol
    board: str  # page
    measure: str  # in words
    names: tuple[str, ...]
    starred: bool  # a name has the star of what is not comparable
    thinned: int  # every so many items are shown, 1: all
    data: str  # JSON
    problems: tuple[Problem, ...]


@dataclass(frozen=True)
class PlannedComparison:
    """A compare page before it is laid out."""

    path: str
    group: str
    work: float
    protocol: Protocol

    def hash_inputs(self, shared: SharedData) -> str:
        """Hash what the leaderboard rests on."""
        return shared.board_digest(self.protocol)

    def build(self, shared: SharedData) -> ComparePage:
        """Lay out the page."""
        first_convention = shared.conventions_of(self.protocol)[0]
        samples, problems = shared.item_errors(self.protocol, first_convention)
        return build_compare_page(self.protocol, samples, shared.methods, tuple(problems))


def plan_pages(shared: SharedData) -> list[PlannedComparison]:
    """Plan a page for every protocol of which two runs are known."""
    planned = []
    for protocol in shared.sources.protocols:
        if has_compare_page(shared.runs_of(protocol)) and shared.conventions_of(protocol):
            path, group = compare_path(protocol.name), board_group(protocol)
            planned.append(PlannedComparison(path, group, shared.board_work(protocol), protocol))
    return planned


def has_compare_page(runs: Sequence[Result]) -> bool:
    """Tell whether a protocol has a compare page: two runs with their predictions are enough."""
    keeping = (result for result in runs if result.keeps_predictions)
    return len(list(itertools.islice(keeping, 2))) == 2


def compare_path(protocol: str) -> str:
    """Return the path of a protocol's compare page inside the site."""
    return board_path(protocol).replace("protocol/", "compare/", 1)


def build_compare_page(
    protocol: Protocol,
    samples: ItemErrors | None,
    methods: Mapping[str, MethodCard],
    problems: tuple[Problem, ...],
) -> ComparePage:
    """Lay out the compare page of a protocol."""
    path, board = compare_path(protocol.name), board_path(protocol.name)
    if samples is None:
        return ComparePage(path, protocol, board, "", (), False, 1, "", problems)
    metric = samples.metric
    names = leaderboard_charts.run_labels(
        [(bool(column.row.not_comparable), column.result) for column in samples.columns], methods
    )
    thinned = -(-len(samples.ids) // _MAX_ITEMS)
    data = json.dumps(_page_data(protocol, samples, names, thinned), separators=(",", ":"))
    return ComparePage(
        path=path,
        protocol=protocol,
        board=board,
        measure=f"{metric.title}, {metric_names.short_convention(metric.convention)}",
        names=tuple(names),
        starred=any(column.row.not_comparable for column in samples.columns),
        thinned=thinned,
        data=data.replace("<", "\\u003c"),
        problems=problems,
    )


def _page_data(
    protocol: Protocol, samples: ItemErrors, names: Sequence[str], thinned: int
) -> dict[str, Any]:
    shown = slice(None, None, thinned)
    clusters = np.unique(samples.clusters[shown], return_inverse=True)[1]
    if samples.metric.unit == "%":
        end = number_format.ced_limit(protocol) * 100
    else:
        end = leaderboard_charts.tail_end([column.errors for column in samples.columns])
    return {
        "unit": samples.metric.unit,
        "step": STEP,
        "ids": samples.ids[shown].tolist(),
        "clusters": clusters.tolist(),
        "groups": {
            group: _group_data(mask[shown], clusters, protocol)
            for group, mask in samples.groups.items()
        },
        "overall": protocol.overall,
        "end": end,
        "runs": [
            _run_data(name, column, shown)
            for name, column in zip(names, samples.columns, strict=True)
        ],
    }


def _group_data(mask: Bools, clusters: np.ndarray, protocol: Protocol) -> dict[str, Any]:
    """Return who is in a group (N,), and the quantile of Student's t for its intervals."""
    from scipy.special import stdtrit

    count = len(np.unique(clusters[mask]))
    quantile = None
    if count > 1:
        quantile = round(float(stdtrit(count - 1, (1 + protocol.interval) / 2)), 6)
    return {"members": "".join("01"[inside] for inside in mask.astype(int)), "t": quantile}


def _run_data(name: str, column: RunErrors, shown: slice) -> dict[str, Any]:
    errors = [_count_steps(error) for error in column.errors[shown].tolist()]
    return {"name": name, "page": column.result.page + ".html", "errors": errors}


def _count_steps(error: float) -> int | None:
    """Return an error in steps, None where there is no answer."""
    if error < _LARGEST:
        return round(error / STEP)
    return None
