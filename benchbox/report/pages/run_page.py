"""The page of one run: its scores, its whole record, how to make it again, and where it went wrong."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from benchbox.errors import ResultError
from benchbox.layouts import LAYOUTS
from benchbox.metrics import metric_names, number_format
from benchbox.metrics.metric_names import Metric
from benchbox.report.charts import chart_values, leaderboard_charts, training_curve
from benchbox.report.charts.ced import Curve, ced_chart
from benchbox.report.charts.chart_values import AnyChart
from benchbox.report.charts.point_ellipses import PointErrors
from benchbox.report.inputs import results
from benchbox.report.inputs.results import Result
from benchbox.report.tables import rows
from benchbox.report.tables.rows import Cell
from benchbox.runs import run_folders
from benchbox.runs.run_record import CodeVersion
from benchbox.types import MethodCard, Protocol

from . import compare_page, pseudo_label_page, sample_atlas, worst_items
from .worst_items import Rivals, SingleItems

Fact = tuple[str, str]


@dataclass(frozen=True)
class ScoreRow:
    """What a run scores in one group under one convention."""

    convention: str
    group: str
    cells: tuple[Cell | None, ...]


@dataclass(frozen=True)
class RunPage:
    """One run with its whole record."""

    path: str
    title: str
    result: Result
    board: str  # page
    method: str  # page
    protocol: str  # title
    apart: str
    command: str
    heads: tuple[Metric, ...]  # one for each column of the scores; their convention is the row's
    scores: tuple[ScoreRow, ...]
    facts: tuple[tuple[str, tuple[Fact, ...]], ...]
    charts: tuple[AnyChart, ...]
    items: str  # what was tested on, in the plural
    singled: SingleItems
    singled_by: str  # measure
    atlas: str  # page, "" where there is none
    labels: str  # page of its pseudo-labels, "" where it kept none
    compare: str  # page, "" where there is none
    record: str
    problems: tuple[str, ...]


# --- runs -----------------------------------------------------------------------------------------


def build_run_page(
    result: Result,
    protocol: Protocol | None,
    methods: Mapping[str, MethodCard],
    *,
    several: bool = False,
    rivals: Rivals | None = None,
) -> RunPage:
    """Lay out the page of one run beside its rivals.

    `protocol` is None where its card is not installed; `several`: the protocol has a compare page.
    """
    run = result.run
    metrics = _metrics({name for scores in result.scores.values() for name in scores}, protocol)
    training, faults = _training_chart(result)
    curves, singled, more = _examine_items(
        result, metrics, protocol, rivals, _rival_names(rivals, methods)
    )
    return RunPage(
        path=result.page + ".html",
        title=rows.method_title(run.method, methods),
        result=result,
        board=rows.board_path(run.protocol) if protocol else "",
        method=rows.method_path(run.method),
        protocol=protocol.title if protocol else run.protocol,
        apart=rows.why_not_comparable(result, protocol)
        if protocol
        else "no card of this protocol is installed",
        command=run.record.command,
        heads=_score_columns(metrics),
        scores=tuple(_score_rows(result, metrics, _groups(result, protocol))),
        facts=_run_facts(result, protocol),
        charts=(*curves, *training),
        items=number_format.item_plural(protocol),
        singled=singled,
        singled_by=_error_measure(metrics[0]) if metrics else "",
        atlas=sample_atlas.atlas_path(run.protocol) if protocol else "",
        labels=pseudo_label_page.pseudo_label_path(result)
        if protocol and pseudo_label_page.has_pseudo_labels(result)
        else "",
        compare=compare_page.compare_path(run.protocol) if protocol and several else "",
        record=run_folders.read_record_text(run),
        problems=(*faults, *more),
    )


def _error_measure(metric: Metric) -> str:
    word = metric_names.short_convention(metric.convention)
    return f"{metric.title}, {word}" if metric.unit == "%" else f"in {word}"


def _rival_names(rivals: Rivals | None, methods: Mapping[str, MethodCard]) -> dict[str, str]:
    """Name rivals as the charts do: page → name."""
    runs = rivals.runs if rivals else ()
    return dict(
        zip(
            [run.page for run in runs],
            leaderboard_charts.run_labels([(False, run) for run in runs], methods),
            strict=True,
        )
    )


def _metrics(names: Iterable[str], protocol: Protocol | None) -> list[Metric]:
    if protocol is None:
        return [metric_names.parse_stored_metric(name) for name in sorted(names)]
    return [
        metric
        for metrics in metric_names.group_by_convention(names, protocol).values()
        for metric in metrics
    ]


def _score_columns(metrics: Sequence[Metric]) -> tuple[Metric, ...]:
    """Return the first metric of every measure and threshold."""
    return tuple(
        {metric.title: metric for metric in reversed(metrics)}[title] for title in _titles(metrics)
    )


def _titles(metrics: Sequence[Metric]) -> list[str]:
    return list(dict.fromkeys(metric.title for metric in metrics))


def _groups(result: Result, protocol: Protocol | None) -> list[str]:
    """Name the card's groups in its order, then what else was scored: the people of a protocol with folds."""
    return list(dict.fromkeys([*(protocol.groups if protocol else ()), *result.scores]))


def _score_rows(
    result: Result, metrics: Sequence[Metric], groups: Sequence[str]
) -> Iterator[ScoreRow]:
    for convention in dict.fromkeys(metric.convention for metric in metrics):
        names = {metric.title: metric.name for metric in metrics if metric.convention == convention}
        for group in groups:
            scores = result.scores.get(group, {})
            yield ScoreRow(
                convention,
                group,
                tuple(
                    rows.print_cell(scores.get(names.get(title, ""))) for title in _titles(metrics)
                ),
            )


def _training_chart(result: Result) -> tuple[list[AnyChart], list[str]]:
    """Draw the training log, or say why it cannot be drawn."""
    try:
        log = results.read_training_log(result.run)
    except ResultError as fault:
        return [], [results.hide_folder(result.run.folder, str(fault))]
    steps = sum(len(stage.steps) for stage in log)
    return (
        [training_curve.training_chart("training", "Training loss", log)] if steps > 1 else []
    ), []


def _examine_items(
    result: Result,
    metrics: Sequence[Metric],
    protocol: Protocol | None,
    rivals: Rivals | None,
    titles: Mapping[str, str],
) -> tuple[list[AnyChart], SingleItems, list[str]]:
    """Draw the errors by group and pick out single items, or say why that cannot be done."""
    if protocol is None or not metrics:
        return [], SingleItems(), []
    try:
        table = results.read_errors(result)
        values = results.item_errors(table, metrics[0].column)
        groups = {group: results.group_mask(table, group) for group in protocol.groups}
        parts = {
            group: mask
            for group, mask in groups.items()
            if group != protocol.overall or len(groups) == 1
        }
        singled, faults = worst_items.single_out_items(
            result, protocol, metrics[0], values, parts, rivals, titles
        )
    except ResultError as fault:
        return [], SingleItems(), [results.hide_folder(result.run.folder, str(fault))]
    metric, scale = metrics[0], number_format.percent_scale(metrics[0].unit)
    curves = [Curve(group, values[mask] * scale) for group, mask in groups.items()]
    landmarks = metric.unit == "%"
    chart = ced_chart(
        "ced",
        "Cumulative error distribution",
        curves,
        end=number_format.ced_limit(protocol) * 100
        if landmarks
        else leaderboard_charts.tail_end([curve.errors for curve in curves]),
        x_title=f"error in % of {metric_names.short_convention(metric.convention)}"
        if landmarks
        else f"error in {metric.unit}",
        unit=metric.unit,
        items=number_format.item_plural(protocol),
        what="this run by group",
    )
    mapped, more = _points_chart(result, protocol)
    return [chart, *mapped], singled, [*faults, *more]


def _points_chart(result: Result, protocol: Protocol) -> tuple[list[AnyChart], list[str]]:
    """Draw where this run's points go wrong, the overall group first."""
    if protocol.layout not in LAYOUTS or not protocol.normalisers:
        return [], []
    try:
        known = results.read_point_statistics(result, LAYOUTS[protocol.layout].count)
    except ResultError as fault:
        return [], [results.hide_folder(result.run.folder, str(fault))]
    order = sorted(protocol.groups, key=lambda name: name != protocol.overall)[
        : chart_values.MOST_SHOWN
    ]
    layers = [PointErrors(group, *known[group]) for group in order if group in known]
    return (
        [leaderboard_charts.points_chart(protocol, layers, "this run by group", at_first=1)]
        if layers
        else []
    ), []


def _run_facts(
    result: Result, protocol: Protocol | None
) -> tuple[tuple[str, tuple[Fact, ...]], ...]:
    record = result.run.record
    run = [
        ("Kind", result.kind),
        ("Variant", result.variant),
        (
            "Changed by hand",
            ", ".join(f"{k} = {v}" for k, v in result.overrides.items()) or "nothing",
        ),
        ("Budget", result.budget or "none"),
        ("Seed", result.run.seed),
        ("Started", record.started),
        ("Looks at the test split", "" if record.test_looks is None else str(record.test_looks)),
    ]
    kept = [
        ("Data set", record.data.dataset),
        ("Data variant", result.data),
        ("Fingerprint", result.fingerprint),
        (f"Training {number_format.item_plural(protocol)}", f"{result.train:,}"),
        (
            f"Test {number_format.item_plural(protocol)}",
            f"{result.n:,}, {result.failed:,} without an answer",
        ),
        ("Card", result.card),
        *(("Note", note) for note in record.data.notes),
    ]
    return (
        ("Run", tuple(run)),
        ("Data and card", tuple(kept)),
        ("Environment", _record_facts({**asdict(record.environment), **_code_facts(record.code)})),
        ("Seconds", _record_facts(record.seconds)),
        ("Training", _record_facts(record.training)),
    )


def _code_facts(code: CodeVersion) -> dict[str, Any]:
    return {
        "benchbox": code.benchbox,
        "commit": code.commit,
        "changes not committed": code.dirty,
        "method": code.method,
    }


def _record_facts(table: Mapping[str, Any]) -> tuple[Fact, ...]:
    """Turn a table of the record into facts, in the order of the record.

    What is not known is left out.
    """
    return tuple(
        (str(key).replace("_", " "), _printed_value(value))
        for key, value in table.items()
        if value is not None
    )


def _printed_value(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.2f}" if abs(value) < 100 else f"{value:,.0f}"
    if isinstance(value, int):
        return f"{value:,}"
    return (
        value if isinstance(value, str) else json.dumps(value, sort_keys=True, ensure_ascii=False)
    )
