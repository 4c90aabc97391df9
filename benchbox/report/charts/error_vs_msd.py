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
from .line_charts import Point

ERROR, SPREAD = "error_cm", "msd_cm"


def partner(steady: Protocol, protocols: Iterable[Protocol]) -> Protocol | None:
    """Return the card of the error that belongs to a card of stares: it tests on the set that the other trains on.

    None where a protocol is no card of stares, or is its own partner.
    """
    if SPREAD not in steady.metrics or not steady.train_parts:
        return None
    trained, slash, _ = steady.train_parts[0].partition("/")
    name = ("synth-" if steady.dataset.startswith("synth-") else "") + trained
    found = (p for p in protocols if p.dataset == name and ERROR in p.metrics and "+" not in p.name)
    return next(found, None) if slash else None


def board(
    steady: Protocol,
    error: Protocol | None,
    found: Mapping[str, Sequence[Result]],
    references: References,
    methods: Mapping[str, MethodCard],
) -> list[Chart]:
    """Draw the systems of a card of stares: both measures on its own items, and with the error on the other card."""
    drawn = []
    alone = _measured(steady, steady, found, methods)
    if len(alone) > 1:
        drawn.append(_chart("robustness", "Accuracy against robustness", alone, steady, steady))
    if error:
        drawn += pair(steady, error, found, references, methods)
    return drawn


def pair(
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
    points = _measured(error, steady, found, methods)
    for paper, label, x, y in _printed(error, steady, references):
        if only is None or only.get((paper, label), "").partition("/")[0] == method:
            points.append(Point(f"{label}, {references.papers[paper].short}", x, y, printed=True))
    if len(points) < 2:
        return []
    return [
        _chart(
            "robustness-pair", "Accuracy against robustness, two test sets", points, error, steady
        )
    ]


def of_method(
    name: str,
    protocols: Sequence[Protocol],
    own: Sequence[Result],
    references: References,
    systems: Mapping[tuple[str, str], str],
    methods: Mapping[str, MethodCard],
) -> list[Chart]:
    """Draw a method's variants on every pair of cards that has two of them."""
    found = results.by_protocol(own)
    drawn = []
    for steady in protocols:
        error = partner(steady, protocols)
        if error:
            drawn += [
                replace(
                    chart,
                    name=f"{chart.name}-{steady.name}",
                    title=f"Accuracy against robustness, {steady.name}",
                )
                for chart in pair(steady, error, found, references, methods, systems, name)
            ]
    return drawn


def _chart(
    name: str, title: str, points: Sequence[Point], error: Protocol, steady: Protocol
) -> Chart:
    both = error is steady
    return line_charts.tradeoff(
        name,
        title,
        sorted(points, key=lambda p: (p.x, p.y, p.label)),
        x_title="error, cm" if both else f"error on {error.name}, cm",
        y_title="MSD, cm" if both else f"MSD on {steady.name}, cm",
        unit="cm",
    )


def _measured(
    error: Protocol,
    steady: Protocol,
    found: Mapping[str, Sequence[Result]],
    methods: Mapping[str, MethodCard],
) -> list[Point]:
    """Bring the two numbers of every variant, budget and seed together."""
    spreads = {_key(result): value for result, value in _values(steady, SPREAD, found)}
    points = []
    for result, value in _values(error, ERROR, found):
        if (spread := spreads.get(_key(result))) is not None:
            points.append((result, value, spread))
    words = [_label(result, methods) for result, _, _ in points]
    return [
        Point(word + (f", seed {result.run.seed}" if words.count(word) > 1 else ""), value, spread)
        for word, (result, value, spread) in zip(words, points, strict=True)
    ]


def _values(
    protocol: Protocol, metric: str, found: Mapping[str, Sequence[Result]]
) -> Iterator[tuple[Result, float]]:
    for result in found.get(protocol.name, ()):
        score = result.scores.get(protocol.overall, {}).get(metric)
        if (
            score
            and score.value is not None
            and not result.overrides
            and not rows.apart(result, protocol)
        ):
            yield result, score.value


def _key(result: Result) -> tuple[str, str, str]:
    return result.run.method, result.run.variant, result.run.seed


def _label(result: Result, methods: Mapping[str, MethodCard]) -> str:
    card = methods.get(result.run.method)
    usual = result.kind == "submitted" or (card is not None and result.run.variant == card.default)
    return rows.title(result.run.method, methods) + ("" if usual else f" {result.run.variant}")


def _printed(
    error: Protocol, steady: Protocol, references: References
) -> list[tuple[str, str, float, float]]:
    """Return paper, label, error and MSD of every system that a paper prints both of."""
    told: dict[tuple[str, str], dict[str, float]] = {}
    for row in references.rows:
        for card, metric in ((error, ERROR), (steady, SPREAD)):
            if (
                row.value is not None
                and not row.apart
                and card.name in row.protocols
                and row.metric == metric
            ):
                told.setdefault((row.paper, row.method), {})[metric] = row.value
    return [(*key, both[ERROR], both[SPREAD]) for key, both in told.items() if len(both) == 2]
