"""The compare page: per-item errors of a board's best runs as data.

The browser pairs whichever two are chosen.

Numbers are thousandths of the printed unit. Very large test sets are thinned evenly, and the page
says so.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchbox.metrics import metric_names, number_format
from benchbox.report.charts import leaderboard_charts
from benchbox.report.inputs.results import Problem, Result
from benchbox.report.tables.per_item import ItemErrors
from benchbox.report.tables.rows import board_path
from benchbox.types import MethodCard, Protocol

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
    thinned: int  # every so many items are shown, 1: all
    data: str  # JSON
    problems: tuple[Problem, ...]


def has_compare_page(own: Sequence[Result]) -> bool:
    """Tell whether a protocol has a compare page: two runs are enough."""
    return len(own) > 1


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
    if samples is None:
        return ComparePage(
            compare_path(protocol.name),
            protocol,
            board_path(protocol.name),
            "",
            (),
            1,
            "",
            problems,
        )
    metric = samples.metric
    names = leaderboard_charts.run_labels(
        [(bool(column.row.not_comparable), column.result) for column in samples.columns], methods
    )
    thinned = -(-len(samples.ids) // _MAX_ITEMS)
    return ComparePage(
        path=compare_path(protocol.name),
        protocol=protocol,
        board=board_path(protocol.name),
        measure=f"{metric.title}, {metric_names.short_convention(metric.convention)}",
        names=tuple(names),
        thinned=thinned,
        data=json.dumps(
            _page_data(protocol, samples, names, thinned), separators=(",", ":")
        ).replace("<", "\\u003c"),
        problems=problems,
    )


def _page_data(
    protocol: Protocol, samples: ItemErrors, names: list[str], thinned: int
) -> dict[str, Any]:
    from scipy.special import stdtrit

    kept = slice(None, None, thinned)
    clusters = np.unique(samples.clusters[kept], return_inverse=True)[1]
    groups = {}
    for group, mask in samples.groups.items():
        count = len(np.unique(clusters[mask[kept]]))
        t = round(float(stdtrit(count - 1, (1 + protocol.interval) / 2)), 6) if count > 1 else None
        groups[group] = {
            "members": "".join("01"[inside] for inside in mask[kept].astype(int)),
            "t": t,
        }
    return {
        "unit": "%" if samples.metric.unit == "%" else samples.metric.unit,
        "step": STEP,
        "ids": samples.ids[kept].tolist(),
        "clusters": clusters.tolist(),
        "groups": groups,
        "overall": protocol.overall,
        "end": number_format.ced_limit(protocol) * 100
        if samples.metric.unit == "%"
        else leaderboard_charts.tail_end([column.errors for column in samples.columns]),
        "runs": [
            {
                "name": name,
                "page": column.result.page + ".html",
                "errors": [_thousandths(value) for value in column.errors[kept].tolist()],
            }
            for name, column in zip(names, samples.columns, strict=True)
        ],
    }


def _thousandths(value: float) -> int | None:
    return round(value / STEP) if value < _LARGEST else None
