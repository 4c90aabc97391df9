"""Two checks that cost nothing and raise a flag on a measured row.

* **Harder over easier faces**: how many times the error on the challenging faces is that on the
  common ones lies within what the papers' rows span. A method that was trained on the common test
  faces errs far less there than it can on faces that it never saw, and the ratio grows.
* **Training over test part**: a method from elsewhere that errs no more on the training part than
  on the test part was trained on this data set; its word on the test part is all that one has.

A flag is a reason to ask, no proof; it moves no rank.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from benchbox.report.inputs.paper_rows import PaperRow
from benchbox.report.inputs.results import Result
from benchbox.types import Protocol, Score

HARDER, EASIER = "challenging", "common"
_FEWEST = 10  # printed rows that make a span

GroupScores = Mapping[str, Mapping[str, Score]]


def printed_span(printed: Iterable[PaperRow], metric: str) -> tuple[float, float] | None:
    """Return the least and greatest ratio of harder over easier faces that papers print.

    None where fewer than ten rows print both.
    """
    ratios = []
    for cells in (cells for row in printed for cells in row.prints):
        harder, easier = cells.get((metric, HARDER)), cells.get((metric, EASIER))
        if harder and easier and harder.value and easier.value:
            ratios.append(harder.value / easier.value)
    if len(ratios) < _FEWEST:
        return None
    return min(ratios), max(ratios)


def flag_ratio(scores: GroupScores, metric: str, span: tuple[float, float] | None) -> str:
    """Say that the ratio of harder over easier faces lies outside the papers' span, else ""."""
    harder = scores.get(HARDER, {}).get(metric)
    easier = scores.get(EASIER, {}).get(metric)
    if span is None or not harder or not easier or not harder.value or not easier.value:
        return ""
    ratio = harder.value / easier.value
    if span[0] <= ratio <= span[1]:
        return ""
    known, hard = EASIER, HARDER
    if ratio < span[0]:
        known, hard = HARDER, EASIER
    return (
        f"{HARDER} / {EASIER} is {ratio:.2f}, papers print {span[0]:.2f} to {span[1]:.2f}: "
        f"its training held {known} test faces, or it is weak on {hard} ones"
    )


def flag_training_part(runs: Sequence[Result], protocol: Protocol) -> str:
    """Say that a method from elsewhere errs no more on the training part, else ""."""
    first = runs[0]
    part = first.run.record.training.get("training_part")
    if first.kind != "weights" or not isinstance(part, dict):
        return ""
    metric, trained = part.get("metric"), part.get("value")
    tested = first.scores.get(protocol.overall, {}).get(str(metric))
    if not isinstance(trained, int | float) or tested is None or tested.value is None:
        return ""
    if trained > tested.value:
        return ""
    return (
        f"errs no more on {part.get('items')} faces of the training part, {trained:.2f}, than on "
        f"the test part, {tested.value:.2f}: it was trained on this data set"
    )


def find_flags(
    runs: Sequence[Result],
    protocol: Protocol,
    scores: GroupScores,
    span: tuple[float, float] | None,
) -> tuple[str, ...]:
    """Return what the checks say of a row, a line each."""
    metric = ratio_metric(protocol)
    flags = [flag_ratio(scores, metric, span), flag_training_part(runs, protocol)]
    return tuple(filter(None, flags))


def ratio_metric(protocol: Protocol) -> str:
    """Return the metric whose groups are compared: the mean error under the first normaliser."""
    if not protocol.normalisers:
        return ""
    return f"nme_{protocol.normalisers[0]}"
