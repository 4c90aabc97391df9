"""Error against the size of a disturbance, as Table 4 of G&LSR: papers' numbers and our own runs under card options.

A card's options `+scale=`, `+translation=` and `+rotation=` (what they do: `datasets.disturb`) are
protocols of their own; here their numbers are put in a line with those of the undisturbed card,
which stand at zero.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from statistics import fmean

from benchbox.metrics import metric_names
from benchbox.metrics.metric_names import Metric
from benchbox.papers.reference_rows import ReferenceRow, References
from benchbox.report.inputs import results
from benchbox.report.inputs.results import Result
from benchbox.report.tables import rows
from benchbox.types import MethodCard, Protocol

from . import line_charts
from .chart_values import Chart
from .line_charts import Line, LineValue

PERTURBATIONS = {
    "scale": ("Larger boxes", "share by which the box is extended"),
    "translation": ("Moved boxes", "share of its size by which the box is moved"),
    "rotation": ("Turned pictures", "degrees by which the picture is turned"),
}
_NAME = re.compile(r"([^+]+)\+(scale|translation|rotation)=([0-9.]+)")


def base_protocol(protocol: str) -> str:
    """Return the card whose option a protocol's name is, "" for any other name."""
    match = _NAME.fullmatch(protocol)
    return match[1] if match else ""


def protocol_charts(
    protocol: Protocol,
    metric: Metric,
    found: Mapping[str, Sequence[Result]],
    references: References,
    methods: Mapping[str, MethodCard],
) -> list[Chart]:
    """Draw what is known of a card's disturbances under one metric.

    `found` are results by protocol.
    """
    return _perturbation_charts(
        protocol,
        metric,
        lambda option: [
            *_measured_lines(protocol, metric, option, found, methods),
            *_printed_lines(protocol, metric, option, references),
        ],
    )


def method_charts(
    name: str,
    protocols: Iterable[Protocol],
    own: Sequence[Result],
    references: References,
    systems: Mapping[tuple[str, str], str],
    methods: Mapping[str, MethodCard],
) -> list[Chart]:
    """Draw a method under every card that disturbs: its runs, and what papers print of its variants."""
    found = results.group_by_protocol(own)

    def its(row: ReferenceRow) -> bool:
        return systems.get((row.paper, row.method), "").partition("/")[0] == name

    drawn: list[Chart] = []
    for protocol in protocols:
        if not PERTURBATIONS.keys() & protocol.options.keys() or "+" in protocol.name:
            continue
        told = [
            row
            for row in references.rows
            if its(row) and protocol.name in map(base_protocol, row.protocols)
        ]
        names = [row.metric for row in told] or [f"nme_{protocol.normalisers[0]}"]
        metric = metric_names.parse_stored_metric(names[0])
        drawn += [
            replace(
                chart,
                name=f"{chart.name}-{protocol.name}",
                title=f"{chart.title}, {protocol.title}",
            )
            for chart in _perturbation_charts(
                protocol,
                metric,
                lambda option, card=protocol, measure=metric: [  # type: ignore[misc]
                    *_measured_lines(card, measure, option, found, methods),
                    *_printed_lines(card, measure, option, references, its),
                ],
            )
        ]
    return drawn


def _perturbation_charts(
    protocol: Protocol, metric: Metric, known: Callable[[str], list[Line]]
) -> list[Chart]:
    drawn = []
    for option, (title, words) in PERTURBATIONS.items():
        told = (
            [line for line in known(option) if len(line.stops) > 1]
            if option in protocol.options
            else []
        )
        if not told:
            continue
        printed = any(line.printed for line in told)
        drawn.append(
            line_charts.line_chart(
                f"disturbed-{option}",
                title,
                sorted(told, key=lambda line: (line.stops[-1].value, line.label)),
                x_title=words,
                y_title=f"{metric.title} of {metric_names.short_convention(metric.convention)}, {protocol.overall}, % (log scale)",
                unit=metric.unit,
                note="Trained without disturbance."
                + (" Hollow marks are printed by a paper." if printed else "")
                + (
                    " A star: other data than the official set."
                    if any("*" in line.label for line in told)
                    else ""
                ),
            )
        )
    return drawn


def _measured_lines(
    protocol: Protocol,
    metric: Metric,
    option: str,
    found: Mapping[str, Sequence[Result]],
    methods: Mapping[str, MethodCard],
) -> list[Line]:
    """Put every variant's runs in a line, seeds as their mean.

    Hand-changed and trial runs are left out.
    """
    values: dict[tuple[str, str], dict[float, list[LineValue]]] = {}
    apart: set[tuple[str, str]] = set()
    for name, runs in found.items():
        if name != protocol.name and base_protocol(name) != protocol.name:
            continue
        match = _NAME.fullmatch(name)
        if match and match[2] != option:
            continue
        at = float(match[3]) if match else 0.0
        for result in runs:
            score = result.scores.get(protocol.overall, {}).get(metric.name)
            if result.overrides or result.budget == "smoke" or score is None or score.value is None:
                continue
            ends = () if score.low is None or score.high is None else (score.low, score.high)
            key = result.run.method, result.run.variant
            values.setdefault(key, {}).setdefault(at, []).append(LineValue(at, score.value, ends))
            if rows.why_not_comparable(result, replace(protocol, card=result.card)):
                apart.add(key)
    return [
        Line(
            _variant_label(*key, methods) + (" *" if key in apart else ""),
            tuple(_mean_value(stops) for _, stops in sorted(by_size.items())),
        )
        for key, by_size in sorted(values.items())
    ]


def _variant_label(method: str, variant: str, methods: Mapping[str, MethodCard]) -> str:
    card = methods.get(method)
    usual = variant == "submitted" or (card is not None and variant == card.default)
    return rows.method_title(method, methods) + ("" if usual else f" {variant}")


def _mean_value(stops: Sequence[LineValue]) -> LineValue:
    return (
        stops[0] if len(stops) == 1 else LineValue(stops[0].at, fmean(stop.value for stop in stops))
    )


def _printed_lines(
    protocol: Protocol,
    metric: Metric,
    option: str,
    references: References,
    wanted: Callable[[ReferenceRow], bool] | None = None,
) -> list[Line]:
    """Put the cells that papers print in a line.

    At zero stands what they print once for the undisturbed card.
    """
    cells: dict[tuple[str, str], dict[float, float]] = {}
    whole: dict[tuple[str, str], set[float]] = {}
    for row in references.rows:
        if (
            row.value is None
            or row.metric != metric.name
            or row.group != protocol.overall
            or row.apart
        ):
            continue
        key = row.paper, row.method
        for name in row.protocols:
            match = _NAME.fullmatch(name)
            if (
                match
                and (match[1], match[2]) == (protocol.name, option)
                and (wanted is None or wanted(row))
            ):
                cells.setdefault(key, {})[float(match[3])] = row.value
            elif name == protocol.name:
                whole.setdefault(key, set()).add(row.value)
    for key, values in whole.items():
        if len(values) == 1 and key in cells:
            cells[key][0.0] = next(iter(values))
    return [
        Line(
            f"{label}, {references.papers[paper].short}",
            tuple(LineValue(at, value) for at, value in sorted(by_size.items())),
            printed=True,
        )
        for (paper, label), by_size in cells.items()
    ]
