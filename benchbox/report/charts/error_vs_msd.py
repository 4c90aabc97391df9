"""Accuracy against robustness: the error of gaze in cm and how much it shakes on a stare (MSD, cm).

Both may be measured on one card. As papers report them they are not: the error is that of the set
that was trained on, the MSD that of a second set of stares. Then a system's two numbers are brought
together over two cards.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from benchbox.papers.reference_rows import References
from benchbox.report.inputs import results
from benchbox.report.inputs.results import Result
from benchbox.report.tables import rows
from benchbox.types import MethodCard, Protocol

from . import line_charts
from .chart_values import Chart
from .line_charts import TradeoffPoint

ERROR_METRIC, MSD_METRIC = "error_cm", "msd_cm"

ResultsByProtocol = Mapping[str, Sequence[Result]]


def find_error_protocol(stare: Protocol, protocols: Iterable[Protocol]) -> Protocol | None:
    """Return the card of the error that belongs to a card of stares.

    It tests on the set that the other trains on. None where a protocol is no card of stares, or
    measures both itself.
    """
    if MSD_METRIC not in stare.metrics or not stare.train_parts:
        return None
    trained_set, slash, _ = stare.train_parts[0].partition("/")
    if not slash:
        return None
    if stare.dataset.startswith("synth-"):
        trained_set = f"synth-{trained_set}"
    for protocol in protocols:
        has_error = protocol.dataset == trained_set and ERROR_METRIC in protocol.metrics
        if has_error and "+" not in protocol.name:
            return protocol
    return None


def protocol_charts(
    stare: Protocol,
    error: Protocol | None,
    by_protocol: ResultsByProtocol,
    references: References,
    methods: Mapping[str, MethodCard],
) -> list[Chart]:
    """Draw the systems of a card of stares.

    Both measures on its own items, and its MSD with the error on the other card.
    """
    charts = []
    points = _measured_points(stare, stare, by_protocol, methods)
    if len(points) > 1:
        title = "Accuracy against robustness"
        charts.append(_tradeoff_chart("robustness", title, points, stare, stare))
    if error:
        charts += pair_charts(stare, error, by_protocol, references, methods)
    return charts


def pair_charts(
    stare: Protocol,
    error: Protocol,
    by_protocol: ResultsByProtocol,
    references: References,
    methods: Mapping[str, MethodCard],
    systems: Mapping[tuple[str, str], str] | None = None,
    method: str = "",
) -> list[Chart]:
    """Draw error on one card against MSD on another.

    `method` and `systems`, (paper, label) → system, choose one's own of what papers print.
    """
    points = _measured_points(error, stare, by_protocol, methods)
    for pair in _printed_pairs(error, stare, references):
        if systems is not None:
            system = systems.get((pair.paper, pair.label), "")
            if system.partition("/")[0] != method:
                continue
        label = f"{pair.label}, {references.papers[pair.paper].short}"
        points.append(TradeoffPoint(label, pair.error, pair.msd, printed=True))
    if len(points) < 2:
        return []
    title = "Accuracy against robustness, two test sets"
    return [_tradeoff_chart("robustness-pair", title, points, error, stare)]


def method_charts(
    method: str,
    protocols: Sequence[Protocol],
    own_results: Sequence[Result],
    references: References,
    systems: Mapping[tuple[str, str], str],
    methods: Mapping[str, MethodCard],
) -> list[Chart]:
    """Draw a method's variants on every pair of cards that has two of them."""
    by_protocol = results.group_by_protocol(own_results)
    charts = []
    for stare in protocols:
        error = find_error_protocol(stare, protocols)
        if error is None:
            continue
        for chart in pair_charts(stare, error, by_protocol, references, methods, systems, method):
            name = f"{chart.name}-{stare.name}"
            title = f"Accuracy against robustness, {stare.name}"
            charts.append(replace(chart, name=name, title=title))
    return charts


def _tradeoff_chart(
    name: str, title: str, points: Sequence[TradeoffPoint], error: Protocol, stare: Protocol
) -> Chart:
    x_title, y_title = "error, cm", "MSD, cm"
    if error is not stare:
        x_title, y_title = f"error on {error.name}, cm", f"MSD on {stare.name}, cm"
    return line_charts.tradeoff_chart(
        name,
        title,
        sorted(points, key=lambda point: (point.x, point.y, point.label)),
        x_title=x_title,
        y_title=y_title,
        unit="cm",
    )


def _measured_points(
    error: Protocol,
    stare: Protocol,
    by_protocol: ResultsByProtocol,
    methods: Mapping[str, MethodCard],
) -> list[TradeoffPoint]:
    """Bring the two numbers of every variant, budget and seed together."""
    msd_by_run = {}
    for result, value in _overall_scores(stare, MSD_METRIC, by_protocol, methods):
        msd_by_run[_run_key(result)] = value
    with_both = []
    for result, value in _overall_scores(error, ERROR_METRIC, by_protocol, methods):
        if _run_key(result) in msd_by_run:
            with_both.append((result, value))
    labels = [_run_label(result, methods) for result, _ in with_both]
    points = []
    for label, (result, value) in zip(labels, with_both, strict=True):
        seed = ""
        if labels.count(label) > 1:
            seed = f", seed {result.run.seed}"
        points.append(TradeoffPoint(label + seed, value, msd_by_run[_run_key(result)]))
    return points


def _overall_scores(
    protocol: Protocol,
    metric: str,
    by_protocol: ResultsByProtocol,
    methods: Mapping[str, MethodCard],
) -> Iterator[tuple[Result, float]]:
    """Yield the comparable runs of a protocol with their overall score."""
    for result in by_protocol.get(protocol.name, ()):
        score = result.scores.get(protocol.overall, {}).get(metric)
        if score is None or score.value is None or result.overrides:
            continue
        if not rows.why_not_comparable(result, protocol, methods):
            yield result, score.value


def _run_key(result: Result) -> tuple[str, str, str]:
    return result.run.method, result.run.variant, result.run.seed


def _run_label(result: Result, methods: Mapping[str, MethodCard]) -> str:
    title = rows.method_title(result.run.method, methods)
    card = methods.get(result.run.method)
    if result.kind == "submitted" or (card is not None and result.run.variant == card.default):
        return title
    return f"{title} {result.run.variant}"


@dataclass(frozen=True)
class _PrintedPair:
    """Error and MSD that a paper prints of one system."""

    paper: str
    label: str
    error: float
    msd: float


def _printed_pairs(error: Protocol, stare: Protocol, references: References) -> list[_PrintedPair]:
    """Return every system that a paper prints both numbers of."""
    values: dict[tuple[str, str], dict[str, float]] = {}
    for row in references.rows:
        if row.value is None or row.apart:
            continue
        is_error = row.metric == ERROR_METRIC and error.name in row.protocols
        is_msd = row.metric == MSD_METRIC and stare.name in row.protocols
        if is_error or is_msd:
            values.setdefault((row.paper, row.method), {})[row.metric] = row.value
    pairs = []
    for (paper, label), printed in values.items():
        if len(printed) == 2:
            pairs.append(_PrintedPair(paper, label, printed[ERROR_METRIC], printed[MSD_METRIC]))
    return pairs
