"""Results as tables of pandas, one observation a row; pandas is imported when one is asked for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from benchbox.errors import BenchboxError

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from benchbox.analysis.compare import Comparison
    from benchbox.papers.reference_rows import References
    from benchbox.types import Score, Strings

SCORE_COLUMNS = (
    "protocol",
    "method",
    "variant",
    "seed",
    "kind",
    "budget",
    "group",
    "metric",
    "value",
    "low",
    "high",
    "unit",
    "items",
    "failed",
    "data",
    "card",
    "folder",
)


def make_frame(rows: Iterable[Any], columns: Sequence[str] | None = None) -> Any:
    """Return rows as a frame; raises BenchboxError where pandas is not here."""
    try:
        import pandas as pd
    except ModuleNotFoundError as fault:
        raise BenchboxError("frames are made by pandas: pip install pandas") from fault
    return pd.DataFrame(list(rows), columns=columns)


def score_rows(
    facts: Mapping[str, Any], groups: Mapping[str, Mapping[str, Score]]
) -> list[dict[str, Any]]:
    """Return a row for each group and metric; `facts` are the same in all of them."""
    rows = []
    for group, scores in groups.items():
        for metric, score in scores.items():
            number = {"value": score.value, "low": score.low, "high": score.high}
            rows.append({**facts, "group": group, "metric": metric, **number, "unit": score.unit})
    return rows


def error_frame(errors: np.ndarray, ids: Strings) -> pd.DataFrame:
    """Return a row for each test item: id, then the columns of the error table as they stand.

    A failed item has infinite errors; `in_<group>` tells who is in a group.
    """
    columns: dict[str, Any] = {"id": [str(name) for name in ids]}
    for name in errors.dtype.names or ():
        columns[name] = errors[name]
    frame = make_frame([], [])
    for name, column in columns.items():
        frame[name] = column
    return frame


def comparison_frame(comparison: Comparison) -> pd.DataFrame:
    """Return a row for each group, metric and contestant: the difference from the baseline."""
    rows = []
    for difference in comparison.differences:
        row = asdict(difference)
        row["seeds"] = ",".join(difference.seeds)
        row["verdict"] = difference.verdict(comparison.level)
        rows.append({"protocol": comparison.protocol, **row})
    return make_frame(rows)


def reference_frame(references: References) -> pd.DataFrame:
    """Return a row for each number that a paper prints, with the paper's short name and venue."""
    rows = []
    for cell in references.rows:
        paper = references.papers[cell.paper]
        row = asdict(cell)
        row["protocols"] = " ".join(cell.protocols)
        row["year"] = cell.year or paper.year
        row.pop("line")
        source = {"source": paper.short, "venue": paper.venue, "url": paper.url}
        rows.append({**row, **source, "trained_on_more": cell.extra})
    return make_frame(rows)
