"""Charts for papers: the same strokes as the page's, the same bytes twice, no date, nothing of matplotlib elsewhere."""

import math
import re
import subprocess
import sys

import numpy as np
import pytest

from benchbox.errors import ResultError
from benchbox.report.charts import chart_values, pdf
from benchbox.report.charts.chart_values import Curve
from benchbox.report.site_build import site

pytest.importorskip("matplotlib", reason="matplotlib is not installed (extra figures)")


@pytest.fixture
def chart():
    errors = np.linspace(1, 9, 50)
    curves = [Curve("a $x$ & <b>", errors), Curve("b", errors * 1.5)]
    return chart_values.ced_chart(
        "c", "T", curves, end=8.0, x_title="x", unit="%", items="faces", what="w"
    )


def test_a_path_is_read_as_the_page_prints_it():
    steps = list(pdf.outline("M52 334H60.1V320L70 300M1 2Z"))
    assert steps == [
        ("MOVETO", [(52.0, 334.0)]),
        ("LINETO", [(60.1, 334.0)]),
        ("LINETO", [(60.1, 320.0)]),
        ("LINETO", [(70.0, 300.0)]),
        ("MOVETO", [(1.0, 2.0)]),
        ("CLOSEPOLY", [(1.0, 2.0)]),
    ]


def test_half_ellipses_become_curves_that_lie_on_them():
    angle = math.radians(30)
    ux, uy = 12 * math.cos(angle), 12 * math.sin(angle)
    path = f"M{100 + ux} {50 + uy}a12 6 30 1 1 {-2 * ux} {-2 * uy}a12 6 30 1 1 {2 * ux} {2 * uy}z"
    points = [point for code, some in pdf.outline(path) if code == "CURVE4" for point in some]
    assert len(points) == 12
    for x, y in points[2::3]:  # ends of the curves lie on the ellipse
        dx, dy = x - 100, y - 50
        along, across = (
            dx * math.cos(angle) + dy * math.sin(angle),
            dy * math.cos(angle) - dx * math.sin(angle),
        )
        assert (along / 12) ** 2 + (across / 6) ** 2 == pytest.approx(1)
    quarter = points[2][0] - 100, points[2][1] - 50
    assert quarter == pytest.approx((-6 * math.sin(angle), 6 * math.cos(angle))), (
        "with the clock, as SVG sweeps"
    )


def test_what_is_drawn_has_the_corners_of_the_page(chart):
    from matplotlib.figure import Figure

    axes = Figure().add_axes((0, 0, 1, 1))
    pdf._draw(axes, chart)
    drawn = axes.patches[0].get_path().vertices
    printed = [point for _, points in pdf.outline(chart.series[0].path) for point in points]
    np.testing.assert_array_equal(drawn, printed)
    assert {text.get_text() for text in axes.texts} >= {"a $x$ & <b>", "b", "0 %", "100 %"}


@pytest.mark.parametrize("suffix", pdf.FIGURE_FORMATS)
def test_bytes_are_the_same_twice_and_carry_no_date(chart, suffix):
    content = pdf.draw_figure(chart, suffix)
    assert content == pdf.draw_figure(chart, suffix)
    assert not re.search(rb"CreationDate|ModDate|tIME", content)
    assert content.startswith({"pdf": b"%PDF", "png": b"\x89PNG"}[suffix])


def test_without_matplotlib_one_line_says_what_to_install(chart, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ResultError, match=r"pip install 'benchbox\[figures\]'"):
        pdf.draw_figure(chart, "pdf")


def test_pages_are_made_without_matplotlib():
    code = "import sys, benchbox.report.site_build.site; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_every_chart_of_a_leaderboard_is_written(
    results, demo, demo_references, tmp_path, monkeypatch
):
    monkeypatch.setattr(
        site, "gather_sources", lambda folder: _sources(folder, demo, demo_references)
    )
    monkeypatch.setattr(site.protocol_card, "load_protocol", lambda name: demo)
    written = site.save_figures(results, "demo-full", "pdf", tmp_path / "out", "inter_ocular")
    assert [path.name for path in written] == [
        "demo-full-inter_ocular-ced-inter_ocular.pdf",
        "demo-full-inter_ocular-groups.pdf",
        "demo-full-inter_ocular-points.pdf",
    ]
    with pytest.raises(
        ResultError, match="nothing is known under inter_knee; there is inter_ocular, inter_pupil"
    ):
        site.save_figures(results, "demo-full", "pdf", tmp_path / "out", "inter_knee")


def _sources(folder, demo, references):
    from benchbox.report.inputs import results as stored
    from benchbox.report.pages.page_types import Sources

    found, problems = stored.read_results(folder)
    return Sources((demo,), (), references, tuple(found), tuple(problems))
