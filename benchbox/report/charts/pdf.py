"""The charts of a leaderboard as PDF or PNG, for papers.

A figure is drawn from the same `Chart` that a page prints as SVG, stroke by stroke, so both show the same numbers.
Bytes depend on the chart and the version of matplotlib only: no date, no name of a machine. Nothing else imports
matplotlib.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from typing import Any

from benchbox.errors import ResultError

from .chart_values import COLOURS, DASHES, Chart, Series

FIGURE_FORMATS = ("pdf", "png")
_POINTS = 0.6  # of a printer for one pixel of a page: a chart is as wide as a text of two columns
_DPI = 300
_INK, _MUTED, _GRID = "#1c2126", "#5c6570", "#d9d6cf"
_STEP = re.compile(r"([MLHVazZ])([^MLHVazZ]*)")
_SETTINGS = {
    "font.family": "DejaVu Sans",  # comes with matplotlib
    "pdf.fonttype": 42,  # letters stay letters
    "text.parse_math": False,  # a method may be called $x$
    "path.simplify": False,
    "axes.unicode_minus": False,
}


def draw_figure(chart: Chart, suffix: str) -> bytes:
    """Return a chart as the bytes of a PDF or PNG.

    Raises ResultError where matplotlib is not installed.
    """
    try:
        import matplotlib as mpl
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.backends.backend_pdf import FigureCanvasPdf
        from matplotlib.figure import Figure
    except ImportError as fault:
        raise ResultError(
            f"--format {suffix} needs matplotlib: pip install 'benchbox[figures]'"
        ) from fault
    written = io.BytesIO()
    room = 26 if _keyed(chart) else 0
    with mpl.rc_context(_SETTINGS):
        figure = Figure(figsize=(chart.width * _POINTS / 72, (chart.height + room) * _POINTS / 72))
        canvas = FigureCanvasPdf(figure) if suffix == "pdf" else FigureCanvasAgg(figure)
        axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
        axes.set_xlim(0, chart.width)
        axes.set_ylim(chart.height + room, 0)
        axes.axis("off")
        _draw(axes, chart)
        kept: dict[str, Any] = {
            "Creator": None,
            "Producer": None,
            "CreationDate": None,
            "Title": chart.title,
        }
        if suffix == "pdf":
            canvas.print_figure(written, format="pdf", metadata=kept)
        else:
            canvas.print_figure(
                written, format="png", dpi=_DPI, metadata={"Software": None, "Title": chart.title}
            )
    return written.getvalue()


def _keyed(chart: Chart) -> bool:
    """Tell whether a chart's colours are named below it, because nothing stands beside its shapes."""
    return any(series.filled for series in chart.series)


def _draw(axes: Any, chart: Chart) -> None:
    for tick in chart.y_ticks:
        _line(axes, [(chart.left, tick.at), (chart.right, tick.at)], _GRID, 0.6)
        _text(axes, chart.left - 8, tick.at, tick.text, _MUTED, 12, "right", "center")
    for tick in chart.x_ticks:
        _text(axes, tick.at, chart.bottom + 14, tick.text, _MUTED, 12, "center", "center")
    for band in chart.bands:
        _line(axes, [(band.at, chart.top - 5), (band.at, chart.bottom)], _MUTED, 0.6, "2 3")
        _text(
            axes,
            band.at + band.shift,
            chart.top - 8 - band.row * 14,
            band.text,
            _MUTED,
            12,
            "left",
            "bottom",
        )
    if chart.y_ticks:
        _line(axes, [(chart.left, chart.bottom), (chart.right, chart.bottom)], _MUTED, 0.8)
        _text(axes, 0, 4, chart.y_title, _MUTED, 12, "left", "top")
    _text(
        axes,
        (chart.left + chart.right) / 2,
        chart.bottom + 34,
        chart.x_title,
        _MUTED,
        12,
        "center",
        "center",
    )
    if chart.outline:
        _stroke(axes, chart.outline, _MUTED, 0.5)
    for x, y in chart.places:
        axes.plot([x], [y], "o", color=_MUTED, markersize=1.6)
    for series in chart.series:
        if series.shown:
            _series(axes, chart, series)
    for mark in chart.marks:
        colour = COLOURS[(mark.style - 1) % len(COLOURS)]
        face = "white" if mark.hollow else colour
        axes.plot(
            [mark.x],
            [mark.y],
            "o",
            markersize=4.4,
            color=colour,
            markerfacecolor=face,
            markeredgewidth=0.9,
        )
    if _keyed(chart):
        _key(axes, chart)


def _series(axes: Any, chart: Chart, series: Series) -> None:
    colour = COLOURS[(series.style - 1) % len(COLOURS)] if series.style else _MUTED
    dash = DASHES[(series.style - 1) % len(DASHES)] if series.style and not series.filled else ""
    if series.path:
        _stroke(
            axes, series.path, colour, 0.8 if series.filled else 1.2, dash, filled=series.filled
        )
    if series.label and not series.filled:
        _line(axes, [series.end, (chart.right + 14, series.text_y)], colour, 0.5)
        _text(axes, chart.right + 18, series.text_y, series.label, colour, 13, "left", "center")


def _key(axes: Any, chart: Chart) -> None:
    at = 12.0
    for series in chart.series:
        if series.shown:
            colour = COLOURS[(series.style - 1) % len(COLOURS)]
            axes.plot(
                [at], [chart.height + 12], "o", markersize=5, color=colour, markerfacecolor="none"
            )
            _text(axes, at + 10, chart.height + 12, series.label, colour, 13, "left", "center")
            at += 34 + 7.5 * len(series.label)


def _text(
    axes: Any, x: float, y: float, text: str, colour: str, size_px: float, across: str, upright: str
) -> None:
    if text:
        axes.text(x, y, text, color=colour, fontsize=size_px * _POINTS, ha=across, va=upright)


def _line(
    axes: Any, points: Sequence[tuple[float, float]], colour: str, width: float, dash: str = ""
) -> None:
    xs, ys = zip(*points, strict=True)
    axes.plot(
        xs,
        ys,
        color=colour,
        linewidth=width,
        linestyle=_dashes(dash),
        solid_capstyle="butt",
        zorder=0.5,
    )


def _dashes(dash: str) -> Any:
    return (0, tuple(float(v) * _POINTS for v in dash.split())) if dash else "-"


def _stroke(
    axes: Any, path: str, colour: str, width: float, dash: str = "", *, filled: bool = False
) -> None:
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    vertices, codes = [], []
    for code, points in outline(path):
        vertices += points
        codes += [getattr(Path, code)] * len(points)
    shape = PathPatch(
        Path(vertices, codes),
        fill=False,
        edgecolor=colour,
        linewidth=width,
        linestyle=_dashes(dash),
    )
    shape.set_joinstyle("round")
    axes.add_patch(shape)
    if filled:
        axes.add_patch(
            PathPatch(Path(vertices, codes), facecolor=colour, edgecolor="none", alpha=0.13)
        )


def outline(path: str) -> Iterator[tuple[str, list[tuple[float, float]]]]:
    """Read a path as pages print it: matplotlib's name of each step and its points.

    Half ellipses become curves.
    """
    x = y = start_x = start_y = 0.0
    for letter, rest in _STEP.findall(path):
        numbers = [float(word) for word in rest.split()]
        if letter == "a":
            yield "CURVE4", _half_ellipse(x, y, *numbers)
            x, y = x + numbers[5], y + numbers[6]
        elif letter in "zZ":
            yield "CLOSEPOLY", [(start_x, start_y)]
            x, y = start_x, start_y
        else:
            x = numbers[0] if letter != "V" else x
            y = numbers[-1] if letter != "H" else y
            if letter == "M":
                start_x, start_y = x, y
            yield ("MOVETO" if letter == "M" else "LINETO"), [(x, y)]


def _half_ellipse(
    x: float,
    y: float,
    long: float,
    short: float,
    turn: float,
    large: float,
    sweep: float,
    dx: float,
    dy: float,
) -> list[tuple[float, float]]:
    """Return the Bezier points of half an ellipse from (x, y) to (x + dx, y + dy), whose long axis joins them."""
    import math

    del turn, large, sweep  # always 1: the long way round, with the clock
    angle = math.atan2(-dy, -dx)  # from the centre to the start
    ux, uy = math.cos(angle) * long, math.sin(angle) * long
    vx, vy = -math.sin(angle) * short, math.cos(angle) * short
    cx, cy, k = x + dx / 2, y + dy / 2, 4 / 3 * (math.sqrt(2) - 1)

    def at(a: float, b: float) -> tuple[float, float]:
        return cx + a * ux + b * vx, cy + a * uy + b * vy

    return [at(1, k), at(k, 1), at(0, 1), at(-k, 1), at(-1, k), at(-1, 0)]
