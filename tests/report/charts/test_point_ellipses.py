"""Errors of points: our own face alone, ellipses by hand, sizes that leave room, faults."""

import re

import numpy as np
import pytest

from benchbox.errors import ResultError
from benchbox.face_renderer.head import model
from benchbox.face_renderer.head.deformation import Shape
from benchbox.layouts import RENDERED_LAYOUTS
from benchbox.report.charts import plot_layout, point_ellipses
from benchbox.report.charts.point_ellipses import PointErrors
from benchbox.report.charts.svg import draw_svg
from benchbox.report.inputs import results
from benchbox.runs import run_folders


def layer(deviation: float = 0.02, count: int = 68) -> PointErrors:
    covariance = np.tile([4 * deviation**2, deviation**2, 0.0], (count, 1))
    return PointErrors("one", np.full(count, 0.03), np.tile([0.1, 0.0], (count, 1)), covariance)


def drawn(*layers: PointErrors, at_first: int = 1):
    return point_ellipses.ellipse_chart(
        "p", "Points", layers, "ibug68", normaliser="inter-ocular", what="all", at_first=at_first
    )


@pytest.mark.parametrize("layout", RENDERED_LAYOUTS)
def test_the_face_is_the_neutral_head_of_our_own_world(layout):
    points = (model.model_points68() if layout == "ibug68" else model.model_points(layout)).of(
        Shape()
    )[:, :2]
    left, right = points[list(RENDERED_LAYOUTS[layout].eye_corners)]
    expected = (points - (left + right) / 2) / np.hypot(*(right - left))
    np.testing.assert_allclose(point_ellipses.mean_faces()[layout], expected, atol=6e-5)


def test_an_ellipse_by_hand():
    (series,) = draw_svg(drawn(layer(), at_first=1)).series
    first = series.path.split("z")[0]
    x, y = plot_layout.face_places(point_ellipses.mean_faces()["ibug68"])[0]
    # the mean is 10 % of 300 px to the right; one deviation is 12 px along x and 6 px along y
    assert (
        first == f"M{x:g} {y:g}L{x + 30:g} {y:g}M{x + 42:g} {y:g}a12 6 0 1 1 -24 0a12 6 0 1 1 24 0"
    )
    assert series.path.count("z") == 68


def test_an_ellipse_leans_with_the_covariance():
    tilted = PointErrors("t", np.ones(68), np.zeros((68, 2)), np.tile([5e-4, 5e-4, 3e-4], (68, 1)))
    (series,) = draw_svg(drawn(tilted)).series
    long, short, turn = map(float, re.search(r"a([\d.]+) ([\d.]+) (\d+) ", series.path).groups())
    assert turn == 45
    assert (long, short) == pytest.approx((300 * np.sqrt(8e-4), 300 * np.sqrt(2e-4)), abs=0.06)


@pytest.mark.parametrize(
    ("deviation", "size"),
    [(0.02, "One standard"), (0.06, "Half a standard"), (0.3, "A quarter of a standard")],
)
def test_large_ellipses_are_drawn_smaller_and_it_is_said(deviation, size):
    assert drawn(layer(deviation)).note.startswith(size)


def test_what_waits_in_the_legend_does_not_decide_the_size_and_parts_stand_in_numbers():
    chart = drawn(layer(), layer(0.3), at_first=1)
    assert [layer.shown for layer in chart.layers] == [True, False]
    assert chart.note.startswith("One standard")
    assert chart.numbers.rows[0] == ("all points", "3.00", "3.00")
    assert [row[0] for row in chart.numbers.rows[1:4]] == ["contour", "left brow", "right brow"]
    assert chart.names[0] == "contour"


def test_damaged_statistics_are_told_and_never_drawn(make):
    run = make("demo-a", 0.04)
    table = run_folders.read_points(run)
    broken = table.copy()
    broken["error"][3] = np.inf
    for bad in (broken, table[:-1], table[["group", "point", "error"]].copy()):
        run_folders.save_points(run.folder, bad)
        with pytest.raises(ResultError, match=r"points\.npz"):
            results.read_point_statistics(results.read_result(run), 68)
    (run.folder / "points.npz").unlink()
    assert results.read_point_statistics(results.read_result(run), 68) == {}
