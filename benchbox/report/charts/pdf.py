"""The charts of a leaderboard as PDF or PNG, for papers.

A figure is drawn from the same `Chart` as a page's SVG, in the same layout, so both show the same
numbers. Bytes depend on the chart and the version of matplotlib only: no date, no name of a
machine. Nothing else imports matplotlib.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

from benchbox.errors import ResultError

from . import plot_layout
from .chart_values import COLOURS, DASHES, AnyChart, Chart, EllipseLayer, FaceChart, Mark, Series
from .plot_layout import Place

FIGURE_FORMATS = ("pdf", "png")
_POINTS = 0.6  # of a printer for one pixel of a page: a chart is as wide as a text of two columns
_DPI = 300
_KEY_PX = 26  # below a face, where the colours are named
_MUTED, _GRID = "#5c6570", "#d9d6cf"
_SETTINGS = {
    "font.family": "DejaVu Sans",  # comes with matplotlib
    "pdf.fonttype": 42,  # letters stay letters
    "text.parse_math": False,  # a method may be called $x$
    "path.simplify": False,
    "axes.unicode_minus": False,
}


def draw_figure(chart: AnyChart, suffix: str) -> bytes:
    """Return a chart as the bytes of a PDF or PNG.

    Raises ResultError where matplotlib is not installed.
    """
    try:
        import matplotlib as mpl
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.backends.backend_pdf import FigureCanvasPdf
        from matplotlib.figure import Figure
    except ImportError as fault:
        raise ResultError(f"--format {suffix} needs matplotlib: pip install matplotlib") from fault
    frame = plot_layout.frame_of(chart)
    height = frame.height
    if isinstance(chart, FaceChart):
        height += _KEY_PX
    written = io.BytesIO()
    with mpl.rc_context(_SETTINGS):
        figure = Figure(figsize=(frame.width * _POINTS / 72, height * _POINTS / 72))
        axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
        axes.set_xlim(0, frame.width)
        axes.set_ylim(height, 0)
        axes.axis("off")
        if isinstance(chart, FaceChart):
            _draw_face(axes, chart)
        else:
            _draw_plot(axes, chart)
        metadata: dict[str, Any]
        if suffix == "pdf":
            metadata = dict.fromkeys(("Creator", "Producer", "CreationDate"))
            metadata["Title"] = chart.title
            FigureCanvasPdf(figure).print_figure(written, format="pdf", metadata=metadata)
        else:
            metadata = {"Software": None, "Title": chart.title}
            canvas = FigureCanvasAgg(figure)
            canvas.print_figure(written, format="png", dpi=_DPI, metadata=metadata)
    return written.getvalue()


# --- plots ----------------------------------------------------------------------------------------


def _draw_plot(axes: Any, chart: Chart) -> None:
    _draw_axes(axes, chart)
    _draw_stages(axes, chart)
    ends = plot_layout.end_places(chart)
    heights = plot_layout.label_heights(chart, ends)
    for series, end, text_y in zip(chart.series, ends, heights, strict=True):
        if series.shown:
            _draw_curve(axes, chart, series)
        if plot_layout.has_label(series):
            _draw_label(axes, chart, series, end, text_y)
    for mark in chart.marks:
        _draw_mark(axes, chart, mark)


def _draw_axes(axes: Any, chart: Chart) -> None:
    frame = plot_layout.frame_of(chart)
    x_ticks, y_ticks = plot_layout.tick_places(chart)
    for at, tick in zip(y_ticks, chart.y.ticks, strict=True):
        _line(axes, [(frame.left, at), (frame.right, at)], _GRID, 0.6)
        _text(axes, frame.left - 8, at, tick.text, _MUTED, 12, "right", "center")
    for at, tick in zip(x_ticks, chart.x.ticks, strict=True):
        _text(axes, at, frame.bottom + 14, tick.text, _MUTED, 12, "center", "center")
    _line(axes, [(frame.left, frame.bottom), (frame.right, frame.bottom)], _MUTED, 0.8)
    _text(axes, 0, 4, chart.y.title, _MUTED, 12, "left", "top")
    middle = (frame.left + frame.right) / 2
    _text(axes, middle, frame.bottom + 34, chart.x.title, _MUTED, 12, "center", "center")


def _draw_stages(axes: Any, chart: Chart) -> None:
    frame = plot_layout.frame_of(chart)
    for stage in plot_layout.stage_places(chart):
        _line(axes, [(stage.x, frame.top - 5), (stage.x, frame.bottom)], _MUTED, 0.6, "2 3")
        text_x = stage.x + stage.text_shift
        text_y = frame.top - 8 - stage.row * 14
        _text(axes, text_x, text_y, stage.text, _MUTED, 12, "left", "bottom")


def _draw_curve(axes: Any, chart: Chart, series: Series) -> None:
    if series.form == "marks":
        return
    dash = ""
    if series.style:
        dash = DASHES[(series.style - 1) % len(DASHES)]
    strokes = [plot_layout.curve_places(chart, series)]
    for stroke in plot_layout.interval_places(chart, series):
        strokes.append(list(stroke))
    _stroke(
        axes, _lines_path([(stroke, False) for stroke in strokes]), _colour(series.style), 1.2, dash
    )


def _draw_label(axes: Any, chart: Chart, series: Series, end: Place, text_y: float) -> None:
    right = plot_layout.frame_of(chart).right
    colour = _colour(series.style)
    _line(axes, [end, (right + 14, text_y)], colour, 0.5)
    _text(axes, right + 18, text_y, series.label, colour, 13, "left", "center")


def _draw_mark(axes: Any, chart: Chart, mark: Mark) -> None:
    colour = _colour(mark.style)
    face = colour
    if mark.hollow:
        face = "white"
    axes.plot(
        plot_layout.x_places(chart, [mark.x], mark.shift_px),
        plot_layout.y_places(chart, [mark.y]),
        "o",
        markersize=4.4,
        color=colour,
        markerfacecolor=face,
        markeredgewidth=0.9,
    )


# --- faces ----------------------------------------------------------------------------------------


def _draw_face(axes: Any, chart: FaceChart) -> None:
    _stroke(axes, _lines_path(list(plot_layout.outline_places(chart))), _MUTED, 0.5)
    for x, y in plot_layout.face_places(chart.points):
        axes.plot([x], [y], "o", color=_MUTED, markersize=1.6)
    for layer in chart.layers:
        if layer.shown:
            path = _ellipses_path(chart, layer)
            _stroke(axes, path, _colour(layer.style), 0.8)
            _fill(axes, path, _colour(layer.style))
    _draw_key(axes, chart)


def _draw_key(axes: Any, chart: FaceChart) -> None:
    """Name the colours below the face."""
    x = 12.0
    y = plot_layout.frame_of(chart).height + 12
    for layer in chart.layers:
        if layer.shown:
            colour = _colour(layer.style)
            axes.plot([x], [y], "o", markersize=5, color=colour, markerfacecolor="none")
            _text(axes, x + 10, y, layer.label, colour, 13, "left", "center")
            x += 34 + 7.5 * len(layer.label)


def _ellipses_path(chart: FaceChart, layer: EllipseLayer) -> Any:
    """Return one path of a stroke to each centre and an ellipse around it."""
    import numpy as np
    from matplotlib.path import Path
    from matplotlib.transforms import Affine2D

    places = plot_layout.ellipse_places(chart, layer)
    circle = Path.unit_circle()
    parts = []
    for k, centre in enumerate(places.centres):
        parts.append(Path(np.stack([places.landmarks[k], centre])))
        turned = Affine2D().scale(*places.half_axes[k]).rotate(places.angles_rad[k])
        parts.append(circle.transformed(turned.translate(*centre)))
    return Path.make_compound_path(*parts)


# --- strokes --------------------------------------------------------------------------------------


def _colour(style: int) -> str:
    if style == 0:
        return _MUTED
    return COLOURS[(style - 1) % len(COLOURS)]


def _text(
    axes: Any, x: float, y: float, text: str, colour: str, size_px: float, across: str, upright: str
) -> None:
    if text:
        axes.text(x, y, text, color=colour, fontsize=size_px * _POINTS, ha=across, va=upright)


def _line(axes: Any, places: Sequence[Place], colour: str, width: float, dash: str = "") -> None:
    xs, ys = zip(*places, strict=True)
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
    if not dash:
        return "-"
    return (0, tuple(float(length) * _POINTS for length in dash.split()))


def _lines_path(lines: Sequence[tuple[Sequence[Place], bool]]) -> Any:
    """Return one path of several lines, each closed or not."""
    from matplotlib.path import Path

    vertices: list[Place] = []
    codes: list[Any] = []
    for corners, closed in lines:
        vertices += corners
        codes += [Path.MOVETO, *[Path.LINETO] * (len(corners) - 1)]
        if closed:
            vertices.append(corners[0])
            codes.append(Path.CLOSEPOLY)
    return Path(vertices, codes)


def _stroke(axes: Any, path: Any, colour: str, width: float, dash: str = "") -> None:
    from matplotlib.patches import PathPatch

    shape = PathPatch(path, fill=False, edgecolor=colour, linewidth=width, linestyle=_dashes(dash))
    shape.set_joinstyle("round")
    axes.add_patch(shape)


def _fill(axes: Any, path: Any, colour: str) -> None:
    from matplotlib.patches import PathPatch

    axes.add_patch(PathPatch(path, facecolor=colour, edgecolor="none", alpha=0.13))
