"""The page of a run: its scores, its record, how to make it again, where it went wrong."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from benchbox.errors import ResultError
from benchbox.layouts import RENDERED_LAYOUTS, require_layout
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
from benchbox.runs.run_record import CodeVersion, TrainingOrigin
from benchbox.types import MethodCard, Protocol

from . import atlas_page, compare_page, pseudo_label_page, worst_items
from .shared_data import SharedData, board_group, hash_values
from .worst_items import Rivals, SingleItems

if TYPE_CHECKING:
    from benchbox.types import Bools, Floats

Fact = tuple[str, str]

_FEW_RUNS = 120  # of a protocol: their pages are made beside its board, which is ranked once
_RUNS_PER_GROUP = 250  # of a larger one: each process that makes some ranks the board once more
_YES_OR_NO = {True: "yes", False: "no"}


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
    not_comparable: str  # why, "" where it is
    main: Cell | None  # the number that ranks its board
    main_words: str  # what that measures
    rank: str  # "rank 2 of 7", "" where it has none
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


@dataclass(frozen=True)
class PlannedRun:
    """The page of a run before it is laid out."""

    path: str
    group: str
    result: Result
    work: float = 1.0
    ranked: bool = False  # its page says its rank, which rests on the errors of all runs

    def hash_inputs(self, shared: SharedData) -> str:
        """Hash the run and those that it is held against."""
        name = self.result.run.protocol
        ranking = ""
        if self.ranked:
            ranking = shared.ranking_digest(shared.protocols[name])
        return hash_values(
            shared.run_digest(self.result),
            compare_page.has_compare_page(shared.by_protocol[name]),
            ranking,
            *shared.run_digests(shared.rival_runs(name)),
        )

    def build(self, shared: SharedData) -> RunPage:
        """Lay out the page."""
        name = self.result.run.protocol
        rank = ""
        if self.ranked:
            rank = _rank_words(self.result, shared.protocols[name], shared)
        return build_run_page(
            self.result,
            shared.protocols.get(name),
            shared.methods,
            several=compare_page.has_compare_page(shared.by_protocol[name]),
            rivals=shared.rivals_of(name),
            rank=rank,
        )


def _rank_words(result: Result, protocol: Protocol, shared: SharedData) -> str:
    """Say which rank a run's row has under the first convention, "" where it has none.

    A board of hundreds of rows ranks those that it has room for.
    """
    page, ranks = f"{result.page}.html", shared.ranks_of(protocol)
    rank = ranks.by_page.get(page)
    if rank and ranks.hidden:
        return f"rank {rank} of the best {ranks.ranked}"
    if rank:
        return f"rank {rank} of {ranks.ranked}"
    if ranks.hidden and page not in ranks.shown:
        return "weaker than all rows that its board has room for"
    return ""


def plan_pages(shared: SharedData) -> list[PlannedRun]:
    """Plan a page for every run; runs come by protocol and make groups of so many."""
    planned = []
    places: dict[str, int] = {}
    for result in shared.sources.results:
        name = result.run.protocol
        place = places[name] = places.get(name, -1) + 1
        ranked = name in shared.protocols
        group = f"runs {name} {place // _RUNS_PER_GROUP}"
        if ranked and len(shared.by_protocol[name]) <= _FEW_RUNS:
            group = board_group(shared.protocols[name])
        planned.append(PlannedRun(result.page + ".html", group, result, ranked=ranked))
    return planned


def build_run_page(
    result: Result,
    protocol: Protocol | None,
    methods: Mapping[str, MethodCard],
    *,
    several: bool = False,
    rivals: Rivals | None = None,
    rank: str = "",
) -> RunPage:
    """Lay out the page of one run beside its rivals.

    `protocol` is None where its card is not installed; `several`: the protocol has a compare page;
    `rank` says in words which rank it has.
    """
    run = result.run
    metrics = _metrics_of(result, protocol)
    measure = ""
    if metrics:
        measure = _error_measure(metrics[0])
    title, board, atlas, labels, compare = run.protocol, "", "", "", ""
    not_comparable = "no card of this protocol is installed"
    if protocol:
        title, board = protocol.title, rows.board_path(run.protocol)
        not_comparable = rows.why_not_comparable(result, protocol, methods)
        if result.keeps_predictions:
            atlas = atlas_page.atlas_path(run.protocol)
        if pseudo_label_page.has_pseudo_labels(result):
            labels = pseudo_label_page.pseudo_label_path(result)
        if several:
            compare = compare_page.compare_path(run.protocol)
    training_charts, training_problems = _training_charts(result)
    examined = _Examined()
    if protocol and metrics:
        examined = _examine_items(
            result, metrics[0], protocol, rivals, _rival_names(rivals, methods)
        )
    main, main_words, name = None, "", rows.method_title(run.method, methods)
    if protocol:
        name = rows.row_name(result, methods, rows.stated_words(result, protocol, methods))
    if protocol and metrics:
        main = rows.print_cell(result.scores.get(protocol.overall, {}).get(metrics[0].name))
        main_words = f"{metrics[0].title}, {_error_measure(metrics[0])}, {protocol.overall}"
        if metrics[0].unit == "%":
            main_words = f"% {_error_measure(metrics[0])}, {protocol.overall}"
    return RunPage(
        path=result.page + ".html",
        title=name,
        result=result,
        board=board,
        method=rows.method_path(run.method),
        protocol=title,
        not_comparable=not_comparable,
        main=main,
        main_words=main_words,
        rank=rank,
        command=run.record.command,
        heads=_score_columns(metrics),
        scores=tuple(_score_rows(result, metrics, _groups(result, protocol))),
        facts=_run_facts(result, protocol),
        charts=(*examined.charts, *training_charts),
        items=number_format.item_plural(protocol),
        singled=examined.items,
        singled_by=measure,
        atlas=atlas,
        labels=labels,
        compare=compare,
        record=run_folders.read_record_text(run),
        problems=(*training_problems, *examined.problems),
    )


def _error_measure(metric: Metric) -> str:
    convention = metric_names.short_convention(metric.convention)
    if metric.unit == "%":
        return f"{metric.title}, {convention}"
    return f"in {convention}"


def _rival_names(rivals: Rivals | None, methods: Mapping[str, MethodCard]) -> dict[str, str]:
    """Name rivals as the charts do: page → name."""
    if rivals is None:
        return {}
    names = leaderboard_charts.run_labels([(False, run) for run in rivals.runs], methods)
    return dict(zip([run.page for run in rivals.runs], names, strict=True))


# --- scores ---------------------------------------------------------------------------------------


def _metrics_of(result: Result, protocol: Protocol | None) -> list[Metric]:
    """Return the metrics of a run's scores, in the order of the card where there is one."""
    names: set[str] = set()
    for scores in result.scores.values():
        names |= scores.keys()
    if protocol is None:
        return [metric_names.parse_stored_metric(name) for name in sorted(names)]
    ordered: list[Metric] = []
    for metrics in metric_names.group_by_convention(names, protocol).values():
        ordered += metrics
    return ordered


def _score_columns(metrics: Sequence[Metric]) -> tuple[Metric, ...]:
    """Return the first metric of every measure and threshold."""
    columns: dict[str, Metric] = {}
    for metric in metrics:
        columns.setdefault(metric.title, metric)
    return tuple(columns.values())


def _groups(result: Result, protocol: Protocol | None) -> list[str]:
    """Name the card's groups in its order, then what else was scored.

    That is the people of a protocol with folds.
    """
    groups: Iterable[str] = ()
    if protocol:
        groups = protocol.groups
    return list(dict.fromkeys([*groups, *result.scores]))


def _score_rows(
    result: Result, metrics: Sequence[Metric], groups: Sequence[str]
) -> Iterator[ScoreRow]:
    titles = [metric.title for metric in _score_columns(metrics)]
    for convention in dict.fromkeys(metric.convention for metric in metrics):
        names = {metric.title: metric.name for metric in metrics if metric.convention == convention}
        for group in groups:
            scores = result.scores.get(group, {})
            cells = [rows.print_cell(scores.get(names.get(title, ""))) for title in titles]
            yield ScoreRow(convention, group, tuple(cells))


# --- charts and single items ----------------------------------------------------------------------


@dataclass(frozen=True)
class _Examined:
    """What a run's errors show, and what cannot be shown."""

    charts: tuple[AnyChart, ...] = ()
    items: SingleItems = field(default_factory=SingleItems)
    problems: tuple[str, ...] = ()


def _training_charts(result: Result) -> tuple[list[AnyChart], list[str]]:
    """Draw the training log, or say why it cannot be drawn."""
    try:
        log = results.read_training_log(result.run)
    except ResultError as fault:
        return [], [results.hide_folder(result.run.folder, str(fault))]
    steps = sum(len(stage.steps) for stage in log)
    if steps < 2:
        return [], []
    return [training_curve.training_chart("training", "Training loss", log)], []


def _examine_items(
    result: Result,
    metric: Metric,
    protocol: Protocol,
    rivals: Rivals | None,
    titles: Mapping[str, str],
) -> _Examined:
    """Draw the errors by group and pick out single items, or say why that cannot be done."""
    try:
        table = results.read_errors(result)
        errors = results.item_errors(table, metric.column)
        groups = {group: results.group_mask(table, group) for group in protocol.groups}
        parts = dict(groups)
        if len(groups) > 1:
            parts.pop(protocol.overall, None)
        items = SingleItems()
        problems: Sequence[str] = ()
        if result.keeps_predictions:
            items, problems = worst_items.single_out_items(
                result, protocol, metric, errors, parts, rivals, titles
            )
    except ResultError as fault:
        return _Examined(problems=(results.hide_folder(result.run.folder, str(fault)),))
    point_charts, point_problems = _point_charts(result, protocol)
    charts = [_error_curves(protocol, metric, errors, groups), *point_charts]
    return _Examined(tuple(charts), items, (*problems, *point_problems))


def _error_curves(
    protocol: Protocol, metric: Metric, errors: Floats, groups: Mapping[str, Bools]
) -> AnyChart:
    """Draw the cumulative error distribution of every group (N,)."""
    scale = number_format.percent_scale(metric.unit)
    curves = [Curve(group, errors[mask] * scale) for group, mask in groups.items()]
    if metric.unit == "%":
        end = number_format.ced_limit(protocol) * 100
        x_title = f"error in % of {metric_names.short_convention(metric.convention)}"
    else:
        end = leaderboard_charts.tail_end([curve.errors for curve in curves])
        x_title = f"error in {metric.unit}"
    return ced_chart(
        "ced",
        "Cumulative error distribution",
        curves,
        end=end,
        x_title=x_title,
        unit=metric.unit,
        items=number_format.item_plural(protocol),
        what="this run by group",
    )


def _point_charts(result: Result, protocol: Protocol) -> tuple[list[AnyChart], list[str]]:
    """Draw where this run's points go wrong, the overall group first."""
    if protocol.layout not in RENDERED_LAYOUTS or not protocol.normalisers:
        return [], []
    try:
        statistics = results.read_point_statistics(result, require_layout(protocol).count)
    except ResultError as fault:
        return [], [results.hide_folder(result.run.folder, str(fault))]
    order = sorted(protocol.groups, key=lambda name: name != protocol.overall)
    shown = order[: chart_values.MOST_SHOWN]
    layers = [PointErrors(group, *statistics[group]) for group in shown if group in statistics]
    if not layers:
        return [], []
    chart = leaderboard_charts.points_chart(protocol, layers, "this run by group", at_first=1)
    return [chart], []


# --- the record -----------------------------------------------------------------------------------


def _run_facts(
    result: Result, protocol: Protocol | None
) -> tuple[tuple[str, tuple[Fact, ...]], ...]:
    record = result.run.record
    test_looks = ""
    if record.test_looks is not None:
        test_looks = str(record.test_looks)
    looked_at = "Looks at the test split"
    if protocol is not None and protocol.holdout:
        looked_at = "Looks at the hold-out"
    overrides = ", ".join(f"{key} = {value}" for key, value in result.overrides.items())
    run = (
        ("Kind", result.kind),
        ("Variant", result.variant),
        ("Changed by hand", overrides or "nothing"),
        ("Budget", result.budget or "none"),
        ("Seed", result.run.seed),
        ("Started", record.started),
        (looked_at, test_looks),
    )
    return (
        ("Run", run),
        ("Data and card", _data_facts(result, protocol)),
        ("Environment", _record_facts({**asdict(record.environment), **_code_facts(record.code)})),
        ("Seconds", _record_facts(record.seconds)),
        ("Training", _record_facts(record.training)),
        ("Weights of", _origin_facts(record.trained_by)),
    )


def _origin_facts(origin: TrainingOrigin | None) -> tuple[Fact, ...]:
    """Say whose training a run's weights are; nothing where they are its own."""
    if origin is None:
        return ()
    facts = {
        "run": origin.run,
        "card": origin.card,
        "record": origin.record,
        "training items": origin.data.train,
        "fingerprint": origin.data.fingerprint,
        "method": origin.code,
        "seconds of training": origin.seconds,
        "differs from this protocol's training": origin.differs or "in nothing",
        **origin.weights,
    }
    return _record_facts(facts)


def _data_facts(result: Result, protocol: Protocol | None) -> tuple[Fact, ...]:
    data, items = result.run.record.data, number_format.item_plural(protocol)
    facts = [
        ("Data set", data.dataset),
        ("Data variant", result.data),
        ("Fingerprint", result.fingerprint),
        (f"Training {items}", f"{result.train:,}"),
        (f"Test {items}", f"{result.n:,}, {result.failed:,} without a prediction"),
        ("Card", result.card),
    ]
    if not result.keeps_predictions:
        facts.append(("Predictions", "not kept here: they are another's; errors and scores are"))
    facts += [("Note", note) for note in data.notes]
    return tuple(facts)


def _code_facts(code: CodeVersion) -> dict[str, Any]:
    return {
        "benchbox": code.benchbox,
        "commit": code.commit,
        "changes not committed": code.dirty,
        "method": code.method,
    }


def _record_facts(table: Mapping[str, Any]) -> tuple[Fact, ...]:
    """Turn a table of the record into facts, in its order, without what is not known."""
    facts = []
    for key, value in table.items():
        if value is not None:
            facts.append((str(key).replace("_", " "), _print_value(value)))
    return tuple(facts)


def _print_value(value: object) -> str:
    if isinstance(value, bool):
        return _YES_OR_NO[value]
    if isinstance(value, float):
        if abs(value) < 100:
            return f"{value:,.2f}"
        return f"{value:,.0f}"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, str):
        return value
    return json.dumps(value, sort_keys=True, ensure_ascii=False)
