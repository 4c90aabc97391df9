"""Error against the size of a perturbation, as Table 4 of G&LSR: papers' numbers and our own runs.

A card's options `+scale=`, `+translation=` and `+rotation=` (what they do: `datasets.perturb`) are
protocols of their own; here their numbers are put in a line with those of the unperturbed card,
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

ResultsByProtocol = Mapping[str, Sequence[Result]]


def base_protocol(protocol: str) -> str:
    """Return the card whose perturbation a protocol's name is, "" for any other name.

    >>> base_protocol("300w-full+scale=0.1")
    '300w-full'
    """
    match = _NAME.fullmatch(protocol)
    if match is None:
        return ""
    return match[1]


def protocol_charts(
    protocol: Protocol,
    metric: Metric,
    by_protocol: ResultsByProtocol,
    references: References,
    methods: Mapping[str, MethodCard],
) -> list[Chart]:
    """Draw what is known of a card's perturbations under one metric."""

    def lines_of(option: str) -> list[Line]:
        measured = _measured_lines(protocol, metric, option, by_protocol, methods)
        return measured + _printed_lines(protocol, metric, option, references)

    return _perturbation_charts(protocol, metric, lines_of)


def method_charts(
    method: str,
    protocols: Iterable[Protocol],
    own_results: Sequence[Result],
    references: References,
    systems: Mapping[tuple[str, str], str],
    methods: Mapping[str, MethodCard],
) -> list[Chart]:
    """Draw a method under every card with perturbations.

    Its runs, and what papers print of its variants.
    """
    by_protocol = results.group_by_protocol(own_results)
    own_rows = []
    for row in references.rows:
        if systems.get((row.paper, row.method), "").partition("/")[0] == method:
            own_rows.append(row)
    own_references = replace(references, rows=tuple(own_rows))
    charts = []
    for protocol in protocols:
        if "+" in protocol.name or not PERTURBATIONS.keys() & protocol.options.keys():
            continue
        metric = _printed_metric(protocol, own_rows)
        for chart in protocol_charts(protocol, metric, by_protocol, own_references, methods):
            name = f"{chart.name}-{protocol.name}"
            charts.append(replace(chart, name=name, title=f"{chart.title}, {protocol.title}"))
    return charts


def _printed_metric(protocol: Protocol, own_rows: Iterable[ReferenceRow]) -> Metric:
    """Return the metric that papers print under a card's perturbations, else the card's first."""
    for row in own_rows:
        if protocol.name in map(base_protocol, row.protocols):
            return metric_names.parse_stored_metric(row.metric)
    return metric_names.parse_stored_metric(f"nme_{protocol.normalisers[0]}")


def _perturbation_charts(
    protocol: Protocol, metric: Metric, lines_of: Callable[[str], list[Line]]
) -> list[Chart]:
    convention = metric_names.short_convention(metric.convention)
    charts = []
    for option, (title, x_title) in PERTURBATIONS.items():
        if option not in protocol.options:
            continue
        lines = [line for line in lines_of(option) if len(line.values) > 1]
        if not lines:
            continue
        note = "Trained without perturbation."
        if any(line.printed for line in lines):
            note += " Hollow marks are printed by a paper."
        if any("*" in line.label for line in lines):
            note += " A star: other data than the official set."
        chart = line_charts.line_chart(
            f"disturbed-{option}",
            title,
            sorted(lines, key=lambda line: (line.values[-1].value, line.label)),
            x_title=x_title,
            y_title=f"{metric.title} of {convention}, {protocol.overall}, % (log scale)",
            unit=metric.unit,
            note=note,
        )
        charts.append(chart)
    return charts


def _measured_lines(
    protocol: Protocol,
    metric: Metric,
    option: str,
    by_protocol: ResultsByProtocol,
    methods: Mapping[str, MethodCard],
) -> list[Line]:
    """Put every variant's runs in a line, seeds as their mean.

    Hand-changed and trial runs are left out, and those on other annotations than most.
    """
    by_variant: dict[tuple[str, str], dict[float, list[LineValue]]] = {}
    other_data: set[tuple[str, str]] = set()
    for name, runs in by_protocol.items():
        size = _perturbation_size(name, protocol, option)
        if size is None:
            continue
        for result in runs:
            value = _line_value(result, protocol, metric, size)
            if value is None or result.other_truth:
                continue
            variant = result.run.method, result.run.trained_variant
            by_variant.setdefault(variant, {}).setdefault(size, []).append(value)
            # a copy of the card costs more than the question
            own = protocol if result.card == protocol.card else replace(protocol, card=result.card)
            if rows.why_not_comparable(result, own, methods):
                other_data.add(variant)
    lines = []
    for variant, by_size in sorted(by_variant.items()):
        label = _variant_label(*variant, methods)
        if variant in other_data:
            label += " *"
        lines.append(Line(label, tuple(_mean_value(by_size[size]) for size in sorted(by_size))))
    return lines


def _perturbation_size(name: str, protocol: Protocol, option: str) -> float | None:
    """Return by how much a protocol of this name perturbs a card: 0 for the card itself.

    None for another card or option.
    """
    if name == protocol.name:
        return 0.0
    match = _NAME.fullmatch(name)
    if match is None or (match[1], match[2]) != (protocol.name, option):
        return None
    return float(match[3])


def _line_value(
    result: Result, protocol: Protocol, metric: Metric, size: float
) -> LineValue | None:
    score = result.scores.get(protocol.overall, {}).get(metric.name)
    if result.overrides or result.budget == "smoke" or score is None or score.value is None:
        return None
    if score.low is None or score.high is None:
        return LineValue(size, score.value)
    return LineValue(size, score.value, (score.low, score.high))


def _variant_label(method: str, variant: str, methods: Mapping[str, MethodCard]) -> str:
    title = rows.method_title(method, methods)
    card = methods.get(method)
    if variant == "submitted" or (card is not None and variant == card.default):
        return title
    return f"{title} {variant}"


def _mean_value(values: Sequence[LineValue]) -> LineValue:
    if len(values) == 1:
        return values[0]
    return LineValue(values[0].at, fmean(value.value for value in values))


def _printed_lines(
    protocol: Protocol, metric: Metric, option: str, references: References
) -> list[Line]:
    """Put the cells that papers print in a line.

    At zero stands what they print once for the unperturbed card.
    """
    perturbed: dict[tuple[str, str], dict[float, float]] = {}
    unperturbed: dict[tuple[str, str], set[float]] = {}
    for row in references.rows:
        if row.value is None or row.apart:
            continue
        if row.metric != metric.name or row.group != protocol.overall:
            continue
        system = row.paper, row.method
        for name in row.protocols:
            size = _perturbation_size(name, protocol, option)
            if name == protocol.name:
                unperturbed.setdefault(system, set()).add(row.value)
            elif size is not None:
                perturbed.setdefault(system, {})[size] = row.value
    for system, values in unperturbed.items():
        if len(values) == 1 and system in perturbed:
            perturbed[system][0.0] = next(iter(values))
    lines = []
    for (paper, label), by_size in perturbed.items():
        values_by_size = tuple(LineValue(size, by_size[size]) for size in sorted(by_size))
        printed_in = references.papers[paper].short
        lines.append(Line(f"{label}, {printed_in}", values_by_size, printed=True))
    return lines
