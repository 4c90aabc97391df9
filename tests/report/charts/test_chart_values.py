"""Charts: a curve passes through the points that a hand would draw."""

import itertools
import re
from itertools import pairwise

import numpy as np
import pytest

from benchbox.report.charts import chart_values, training_curve
from benchbox.report.inputs.results import TrainingStage


def ced(*curves, end=0.10):
    made = [chart_values.Curve(f"m{i}", np.array(c)) for i, c in enumerate(curves)]
    return chart_values.ced_chart(
        "c", "C", made, end=end, x_title="x", unit="%", items="faces", what="f"
    )


def strokes(path: str) -> list[tuple[float, float]]:
    """The corners of a path of M, H and V strokes."""
    x, y = 0.0, 0.0
    corners = []
    for command, numbers in re.findall(r"([MHV])([-\d. ]+)", path):
        values = [float(value) for value in numbers.split()]
        x = values[0] if command in "MH" else x
        y = values[-1] if command in "MV" else y
        corners.append((x, y))
    return corners


def test_a_ced_climbs_where_the_errors_are():
    """Two faces at 2 % and 6 % and one without an answer: a third, two thirds, never all."""
    chart = ced([0.02, 0.06, np.inf])
    corners = strokes(chart.series[0].path)
    width, height = chart.right - chart.left, chart.bottom - chart.top
    climbs = [
        (x, y) for (x, y), (_, before) in zip(corners[1:], corners, strict=False) if y != before
    ]
    shares = [(chart.bottom - y) / height for _, y in climbs]
    places = [(x - chart.left) / width * 0.10 for x, _ in climbs]
    assert shares == pytest.approx([1 / 3, 2 / 3], abs=0.001)
    assert places == pytest.approx([0.02, 0.06], abs=0.001)
    assert corners[-1][0] == chart.right


def test_an_error_at_the_end_of_the_axis_counts():
    chart = ced([0.10])
    assert strokes(chart.series[0].path)[-2:] == [
        (chart.right, chart.top),
        (chart.right, chart.top),
    ]


def test_labels_do_not_cover_one_another_and_stay_in_the_plot():
    chart = ced(*[[0.01 * k, 0.02] for k in range(8)])
    places = sorted(series.text_y for series in chart.series)
    assert min(b - a for a, b in itertools.pairwise(places)) >= 17
    assert places[0] >= 0
    assert places[-1] <= chart.bottom


def test_eight_curves_are_shown_and_the_others_wait_each_with_its_own_style():
    chart = ced(*[[0.01]] * 30)
    assert [series.style for series in chart.series] == list(range(1, chart_values.MOST_CURVES + 1))
    assert [series.shown for series in chart.series] == [True] * 8 + [False] * 16


def test_groups_stand_in_order_with_their_intervals():
    """Twice the error is the same step up wherever it stands: the scale is logarithmic."""
    profiles = [chart_values.GroupProfile("a", ((2.0, (1.0, 4.0)), (4.0, ()), None))]
    chart = chart_values.group_chart("g", "G", ["x", "y", "z"], profiles, y_title="e", unit="%")
    heights = [mark.y for mark in chart.marks]
    assert len(heights) == 2
    low, high = map(float, re.findall(r"M[\d.]+ ([\d.]+)V([\d.]+)", chart.series[0].path)[0])
    assert heights[0] - heights[1] == pytest.approx(low - heights[0], abs=0.2)
    assert high == pytest.approx(heights[1], abs=0.2)
    assert [tick.text for tick in chart.x_ticks] == ["x", "y", "z"]


def test_the_pareto_line_joins_what_nothing_cheaper_beats():
    points = [
        chart_values.CostPoint(*p)
        for p in (("a", 1e6, 5.0), ("b", 2e6, 6.0), ("c", 4e6, 4.0), ("d", 8e6, 4.5))
    ]
    chart = chart_values.cost_chart("c", "C", points, x_title="x", y_title="y", falls=True)
    assert [mark.say.split(":")[0] for mark in chart.marks if not mark.hollow] == ["a", "c"]
    assert [series.path.count("L") for series in chart.series if series.style == 0] == [1]
    rising = chart_values.cost_chart("c", "C", points, x_title="x", y_title="y", falls=False)
    assert [mark.say.split(":")[0] for mark in rising.marks if not mark.hollow] == ["a", "b"]


def test_names_of_many_stages_never_cover_each_other():
    chart = training_curve.training_chart(
        "t", "T", [TrainingStage(f"p{k:02d}/pretrain", (1, 2), (1.0, 0.9)) for k in range(30)]
    )
    assert len(chart.bands) == 30
    for row in (0, 1):
        told = [band for band in chart.bands if band.text and band.row == row]
        assert len(told) > 1
        assert all(b.at + b.shift - a.at - a.shift >= 7 * len(a.text) for a, b in pairwise(told))
        assert all(band.at + band.shift + 7 * len(band.text) <= chart.width for band in told)


def test_an_empty_group_is_a_level_line():
    assert len(strokes(ced([]).series[0].path)) == 2


def test_stages_follow_one_another_and_wide_losses_get_a_logarithm():
    chart = training_curve.training_chart(
        "t",
        "T",
        [TrainingStage("a", (1, 2, 3), (10.0, 1.0, 0.5)), TrainingStage("b", (1, 2), (0.1, 0.05))],
    )
    assert chart.y_title == "loss (logarithmic scale)"
    assert [tick.text for tick in chart.y_ticks] == ["0.01", "0.1", "1", "10"]
    assert [band.text for band in chart.bands] == ["a", "b"]
    ends = [series.end[0] for series in chart.series]
    assert ends == pytest.approx(
        [chart.left + 3 / 5 * (chart.right - chart.left), chart.right], abs=0.1
    )


def test_even_losses_stay_linear_from_zero():
    chart = training_curve.training_chart("t", "T", [TrainingStage("", (1, 2), (1.0, 0.9))])
    assert chart.y_title == "loss"
    assert chart.y_ticks[0].text == "0"
    assert chart.bands[0].text == "training"


def test_a_long_log_is_thinned_to_means():
    steps = tuple(float(k) for k in range(100_000))
    chart = training_curve.training_chart(
        "t", "T", [TrainingStage("a", steps, tuple(1.0 + (k % 2) for k in range(100_000)))]
    )
    points = chart.series[0].path.count("L") + 1
    assert 200 < points < 300
    heights = {point.split()[1] for point in chart.series[0].path[1:].split("L")}
    assert len(heights) <= 3  # every stretch has the same mean, 1.5, but for an odd one out


@pytest.mark.parametrize("losses", [(0.0, 0.0), (1.0, 1.0), (-1.0, 2.0)])
def test_flat_and_negative_losses_have_an_axis(losses):
    chart = training_curve.training_chart("t", "T", [TrainingStage("a", (0.0, 0.0), losses)])
    assert len(chart.y_ticks) >= 2
    assert "nan" not in chart.series[0].path
