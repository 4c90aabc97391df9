"""Error over the years: what papers print and what was measured here, and the front drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchbox.metrics import metric_names, number_format
from benchbox.report.tables import rows
from benchbox.report.tables.rows import Row, Table

from . import chart_values
from .chart_values import Axis, Chart, Mark, NumberTable, Series

_FEWEST = 3  # rows that make a chart
_WEAKEST = 2.5  # times the best value: what is weaker is counted, not drawn
_MOST_TICKS = 12
# what a mark says by its colour, in the order of the legend: state or "measured" → words
_KINDS = (
    ("measured", "measured here"),
    ("comparable", "printed, comparable"),
    ("box", "printed, on any box"),
    ("other", "printed, other conditions"),
)


def years_chart(table: Table) -> Chart | None:
    """Draw the rows of a table over the years of their publications; None with fewer than three."""
    dated = _dated_rows(table)
    if len(dated) < _FEWEST:
        return None
    lower_is_better = table.ranking_column.metric.lower_is_better
    front = front_of(dated, table)
    best = front[-1].value
    limit = best * _WEAKEST
    drawn = [row for row in dated if not lower_is_better or _value(row, table) <= limit]
    column = table.ranking_column
    unit = number_format.unit_word(column.metric.unit)
    short = metric_names.short_convention(table.convention)
    y_title = f"{column.metric.title}, {column.group}"
    if unit:
        y_title += f", {unit}"
    series, marks = _marked(drawn, table)
    last_year = max(int(row.year) for row in drawn)
    note = "The grey line is the front: the best that had been printed or measured by then."
    left_out = len(dated) - len(drawn)
    if left_out:
        note += f" {left_out} rows with more than {_WEAKEST:g} times the best error are left out."
    series.append(_front_line(front, drawn, last_year))
    return Chart(
        name="years",
        title="Error over the years",
        summary=f"{y_title}, over the year of publication; the best is {best:g}"
        f" ({front[-1].row.name}, {front[-1].year}).",
        x=_year_axis(drawn),
        y=_error_axis(y_title, [_value(row, table) for row in drawn]),
        series=tuple(series),
        marks=tuple(marks),
        legend=True,
        hover="marks",
        note=note,
        numbers=NumberTable(
            f"The front, {column.group}, {short}",
            ("Method", "Year", "Value"),
            tuple((step.row.name, str(step.year), f"{step.value:g}") for step in front),
        ),
    )


@dataclass(frozen=True)
class FrontStep:
    """A row that was the best when it appeared."""

    row: Row
    year: int
    value: float


def front_of(dated: Sequence[Row], table: Table) -> list[FrontStep]:
    """Return the rows that were the best when they appeared, one a year, the first year first."""
    lower_is_better = table.ranking_column.metric.lower_is_better

    def order(row: Row) -> tuple[int, float]:
        value = _value(row, table)
        return int(row.year), value if lower_is_better else -value

    steps: list[FrontStep] = []
    for row in sorted(dated, key=order):
        value = _value(row, table)
        if steps and not _is_better(value, steps[-1].value, lower_is_better):
            continue
        steps.append(FrontStep(row, int(row.year), value))
    return steps


def sparkline(table: Table, width: int = 120, height: int = 28) -> str:
    """Return the front as the path of a small drawing, "" where there are not two years."""
    front = front_of(_dated_rows(table), table)
    if len(front) < 2:
        return ""
    years = [step.year for step in front]
    values = [step.value for step in front]
    span_years = max(years) - min(years) or 1
    span = max(values) - min(values) or 1.0
    path = ""
    for number, step in enumerate(front):
        x = 2 + (step.year - years[0]) / span_years * (width - 4)
        y = height - 3 - (step.value - min(values)) / span * (height - 6)
        if number == 0:
            path = f"M{x:.1f} {y:.1f}"
        else:
            path += f"H{x:.1f}V{y:.1f}"
    return path


def front_years(table: Table) -> tuple[int, int] | None:
    """Return the first and last year of the front, None where nothing is dated."""
    front = front_of(_dated_rows(table), table)
    if not front:
        return None
    return front[0].year, front[-1].year


def _dated_rows(table: Table) -> list[Row]:
    """Return the rows with a year and a value, without ablation lines and baselines."""
    dated = []
    for row in rows.all_rows(table):
        has_place = row.year.isdigit() and row.cells[table.ranked_by]
        if has_place and not row.ablation and not row.baseline:
            dated.append(row)
    return dated


def _value(row: Row, table: Table) -> float:
    cell = row.cells[table.ranked_by]
    return cell.value if cell else float("nan")


def _is_better(value: float, other: float, lower_is_better: bool) -> bool:
    if lower_is_better:
        return value < other
    return value > other


def _kind(row: Row) -> str:
    if row.measured:
        return "measured"
    return row.state


def _marked(drawn: Sequence[Row], table: Table) -> tuple[list[Series], list[Mark]]:
    """Return a series of marks for each kind of row, and the marks."""
    series: list[Series] = []
    marks: list[Mark] = []
    for kind, words in _KINDS:
        chosen = sorted(
            [row for row in drawn if _kind(row) == kind], key=lambda row: (row.year, row.name)
        )
        if not chosen:
            continue
        style = len(series) + 1
        xs = np.array([float(row.year) for row in chosen])
        ys = np.array([_value(row, table) for row in chosen])
        series.append(Series(f"{words} ({len(chosen)})", style, xs, ys, form="marks"))
        for row in chosen:
            cell = row.cells[table.ranked_by]
            say = f"{row.name}, {row.year}: {cell.text if cell else ''}"
            hollow = kind != "measured"
            marks.append(Mark(float(row.year), _value(row, table), style, hollow, say))
    return series, marks


def _front_line(front: Sequence[FrontStep], drawn: Sequence[Row], last_year: int) -> Series:
    """Return the front as a line that steps down in the years of its rows."""
    names = {id(row) for row in drawn}
    steps = [step for step in front if id(step.row) in names]
    points: list[tuple[float, float]] = []
    for step in steps:
        if points:
            points.append((float(step.year), points[-1][1]))
        points.append((float(step.year), step.value))
    points.append((float(last_year), points[-1][1]))
    return chart_values.grey_line(points)


def _year_axis(drawn: Sequence[Row]) -> Axis:
    years = [int(row.year) for row in drawn]
    low, high = min(years), max(*years, min(years) + 1)
    step = max(1, -(-(high - low) // _MOST_TICKS))
    ticks = chart_values.make_ticks(range(low, high + 1, step))
    return Axis("year of publication", float(low), float(high), ticks, padding=0.03)


def _error_axis(title: str, values: Sequence[float]) -> Axis:
    steps = chart_values.round_numbers(min(values) * 0.97, max(values))
    return Axis(title, steps[0], steps[-1], chart_values.make_ticks(steps))
