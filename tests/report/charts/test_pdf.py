"""Charts for papers: the page's strokes, the same bytes twice, no date, matplotlib nowhere else."""

import re
import subprocess
import sys

import numpy as np
import pytest

from benchbox.errors import ResultError
from benchbox.report.charts import pdf
from benchbox.report.charts.ced import Curve, ced_chart
from benchbox.report.charts.point_ellipses import PointErrors, ellipse_chart
from benchbox.report.charts.svg import draw_svg
from benchbox.report.site_build import site

pytest.importorskip("matplotlib", reason="matplotlib is not installed (extra figures)")


@pytest.fixture
def chart():
    errors = np.linspace(1, 9, 50)
    curves = [Curve("a $x$ & <b>", errors), Curve("b", errors * 1.5)]
    return ced_chart("c", "T", curves, end=8.0, x_title="x", unit="%", items="faces", what="w")


def axes():
    from matplotlib.figure import Figure

    return Figure().add_axes((0, 0, 1, 1))


def test_what_is_drawn_has_the_corners_of_the_page(chart):
    drawn = axes()
    pdf._draw_plot(drawn, chart)
    strokes = [patch.get_path().vertices for patch in drawn.patches]
    assert len(strokes) == len(chart.series)
    printed = re.findall(r"[MHV]([\d. ]+)", draw_svg(chart).series[0].path)
    assert len(strokes[0]) == len(printed)
    start, end = strokes[0][0], strokes[0][-1]
    assert printed[0] == f"{start[0]:g} {start[1]:g}"
    assert printed[-1] == f"{end[0]:g}"
    assert {text.get_text() for text in drawn.texts} >= {"a $x$ & <b>", "b", "0 %", "100 %"}


def test_ellipses_lie_where_the_page_draws_them():
    """Standard deviations of 0.04 and 0.02 of the eyes' distance, which is 300 px."""
    covariance = np.tile([0.04**2, 0.02**2, 0.0], (68, 1))
    layer = PointErrors("a", np.ones(68), np.tile([0.1, 0.0], (68, 1)), covariance)
    chart = ellipse_chart("p", "P", [layer], "ibug68", normaliser="n", what="w", at_first=1)
    path = pdf._ellipses_path(chart, chart.layers[0])
    landmark, centre = path.vertices[:2]
    assert centre - landmark == pytest.approx([30, 0])
    ellipse = path.vertices[2 : len(path.vertices) // 68] - centre
    assert abs(ellipse).max(axis=0) == pytest.approx([12, 6], abs=0.1)


@pytest.mark.parametrize("suffix", pdf.FIGURE_FORMATS)
def test_bytes_are_the_same_twice_and_carry_no_date(chart, suffix):
    content = pdf.draw_figure(chart, suffix)
    assert content == pdf.draw_figure(chart, suffix)
    assert not re.search(rb"CreationDate|ModDate|tIME", content)
    assert content.startswith({"pdf": b"%PDF", "png": b"\x89PNG"}[suffix])


def test_without_matplotlib_one_line_says_what_to_install(chart, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ResultError, match="pip install matplotlib"):
        pdf.draw_figure(chart, "pdf")


def test_pages_are_made_without_matplotlib():
    code = "import sys, benchbox.report.site_build.site; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_every_chart_of_a_leaderboard_is_written(
    results, demo, demo_references, tmp_path, monkeypatch
):
    monkeypatch.setattr(
        site, "gather_sources", lambda folder, _=(): _sources(folder, demo, demo_references)
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
    from benchbox.report.pages.shared_data import Sources

    found, problems = stored.read_results(folder)
    return Sources((demo,), (), references, tuple(found), tuple(problems))
