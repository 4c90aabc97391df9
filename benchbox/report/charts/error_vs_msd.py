"""Accuracy against robustness: the error of gaze in cm and how much answers shake on a stare (MSD, cm).

Both may be measured on one card. As papers report them they are not: the error is that of the set
that was trained on, the MSD that of a second set of stares. Then a system's two numbers are brought
together over two cards.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from benchbox.papers.reference_rows import References
from benchbox.report.inputs import results
from benchbox.report.inputs.results import Result
from benchbox.report.tables import rows
from benchbox.types import MethodCard, Protocol

from . import line_charts
from .chart_values import Chart
from .line_charts import TradeoffPoint

ERROR_METRIC, MSD_METRIC = "error_cm", "msd_cm"


def find_error_protocol(steady: Protocol, protocols: Iterable[Protocol]) -> Protocol | None:
    """Return the card of the error that belongs to a card of stares: it tests on the set that the other trains on.

    None where a protocol is no card of stares, or is its own partner.
    """
    if MSD_METRIC not in steady.metrics or not steady.train_parts:
        return None
    trained, slash, _ = steady.train_parts[0].partition("/")
    name = ("synth-" if steady.dataset.startswith("synth-") else "") + trained
    found = (
        p
        for p in protocols
        if p.dataset == name and ERROR_METRIC in p.metrics and "+" not in p.name
    )
    return next(found, None) if slash else None


def protocol_charts(
    steady: Protocol,
    error: Protocol | None,
    found: Mapping[str, Sequence[Result]],
    references: References,
    methods: Mapping[str, MethodCard],
) -> list[Chart]:
    """Draw the systems of a card of stares: both measures on its own items, and with the error on the other card."""
    drawn = []
    alone = _measured_points(steady, steady, found, methods)
    if len(alone) > 1:
        drawn.append(
            _tradeoff_chart("robustness", "Accuracy against robustness", alone, steady, steady)
        )
    if error:
        drawn += pair_charts(steady, error, found, references, methods)
    return drawn


def pair_charts(
    steady: Protocol,
    error: Protocol,
    found: Mapping[str, Sequence[Result]],
    references: References,
    methods: Mapping[str, MethodCard],
    only: Mapping[tuple[str, str], str] | None = None,
    method: str = "",
) -> list[Chart]:
    """Draw error on one card against MSD on another.

    `method` and `only`, (paper, label) → system, choose one's own.
    """
    points = _measured_points(error, steady, found, methods)
    for paper, label, x, y in _printed_pairs(error, steady, references):
        if only is None or only.get((paper, label), "").partition("/")[0] == method:
            points.append(
                TradeoffPoint(f"{label}, {references.papers[paper].short}", x, y, printed=True)
            )
    if len(points) < 2:
        return []
    return [
        _tradeoff_chart(
            "robustness-pair", "Accuracy against robustness, two test sets", points, error, steady
        )
    ]


def method_charts(
    name: str,
    protocols: Sequence[Protocol],
    own: Sequence[Result],
    references: References,
    systems: Mapping[tuple[str, str], str],
    methods: Mapping[str, MethodCard],
) -> list[Chart]:
    """Draw a method's variants on every pair of cards that has two of them."""
    found = results.group_by_protocol(own)
    drawn = []
    for steady in protocols:
        error = find_error_protocol(steady, protocols)
        if error:
            drawn += [
                replace(
                    chart,
                    name=f"{chart.name}-{steady.name}",
                    title=f"Accuracy against robustness, {steady.name}",
                )
                for chart in pair_charts(steady, error, found, references, methods, systems, name)
            ]
    return drawn


def _tradeoff_chart(
    name: str, title: str, points: Sequence[TradeoffPoint], error: Protocol, steady: Protocol
) -> Chart:
    both = error is steady
    return line_charts.tradeoff_chart(
        name,
        title,
        sorted(points, key=lambda p: (p.x, p.y, p.label)),
        x_title="error, cm" if both else f"error on {error.name}, cm",
        y_title="MSD, cm" if both else f"MSD on {steady.name}, cm",
        unit="cm",
    )


def _measured_points(
    error: Protocol,
    steady: Protocol,
    found: Mapping[str, Sequence[Result]],
    methods: Mapping[str, MethodCard],
) -> list[TradeoffPoint]:
    """Bring the two numbers of every variant, budget and seed together."""
    spreads = {
        _run_key(result): value for result, value in _overall_scores(steady, MSD_METRIC, found)
    }
    points = []
    for result, value in _overall_scores(error, ERROR_METRIC, found):
        if (spread := spreads.get(_run_key(result))) is not None:
            points.append((result, value, spread))
    words = [_run_label(result, methods) for result, _, _ in points]
    return [
        TradeoffPoint(
            word + (f", seed {result.run.seed}" if words.count(word) > 1 else ""), value, spread
        )
        for word, (result, value, spread) in zip(words, points, strict=True)
    ]


def _overall_scores(
    protocol: Protocol, metric: str, found: Mapping[str, Sequence[Result]]
) -> Iterator[tuple[Result, float]]:
    for result in found.get(protocol.name, ()):
        score = result.scores.get(protocol.overall, {}).get(metric)
        if (
            score
            and score.value is not None
            and not result.overrides
            and not rows.why_not_comparable(result, protocol)
        ):
            yield result, score.value


def _run_key(result: Result) -> tuple[str, str, str]:
    return result.run.method, result.run.variant, result.run.seed


def _run_label(result: Result, methods: Mapping[str, MethodCard]) -> str:
    card = methods.get(result.run.method)
    usual = result.kind == "submitted" or (card is not None and result.run.variant == card.default)
    return rows.method_title(result.run.method, methods) + (
        "" if usual else f" {result.run.variant}"
    )


def _printed_pairs(
    error: Protocol, steady: Protocol, references: References
) -> list[tuple[str, str, float, float]]:
    """Return paper, label, error and MSD of every system that a paper prints both of."""
    told: dict[tuple[str, str], dict[str, float]] = {}
    for row in references.rows:
        for card, metric in ((error, ERROR_METRIC), (steady, MSD_METRIC)):
            if (
                row.value is not None
                and not row.apart
                and card.name in row.protocols
                and row.metric == metric
            ):
                told.setdefault((row.paper, row.method), {})[metric] = row.value
    return [
        (*key, both[ERROR_METRIC], both[MSD_METRIC]) for key, both in told.items() if len(both) == 2
    ]
