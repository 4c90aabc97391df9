"""Charts: the numbers that a hand would compute, drawn where a hand would draw them."""

import itertools
import re
from itertools import pairwise

import numpy as np
import pytest

from benchbox.report.charts import chart_values, plot_layout, training_curve
from benchbox.report.charts.ced import Curve, ced_chart
from benchbox.report.charts.error_by_group import GroupProfile, GroupValue, group_chart
from benchbox.report.charts.error_vs_cost import CostPoint, cost_chart
from benchbox.report.charts.svg import draw_svg
from benchbox.report.inputs.results import TrainingStage


def ced(*curves, end=0.10):
    made = [Curve(f"m{i}", np.array(c)) for i, c in enumerate(curves)]
    return ced_chart("c", "C", made, end=end, x_title="x", unit="%", items="faces", what="f")


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


def test_a_ced_holds_the_share_below_each_error():
    """Two items at 2 % and 6 %, one without a prediction and one that has no error at all."""
    (series,) = ced([0.02, 0.06, np.inf, np.nan]).series
    assert series.xs[[0, -1]] == pytest.approx([0, 0.10])
    share_at = dict(zip(series.xs.round(4).tolist(), series.ys.tolist(), strict=True))
    assert sorted(set(share_at.values())) == pytest.approx([0, 1 / 3, 2 / 3])
    assert min(x for x, share in share_at.items() if share > 0) == pytest.approx(0.02, abs=0.0005)
    assert min(x for x, share in share_at.items() if share > 0.5) == pytest.approx(0.06, abs=0.0005)


def test_a_drawn_ced_climbs_where_the_errors_are():
    """Two items at 2 % and 6 % and one without a prediction: a third, two thirds, never all."""
    drawing = draw_svg(ced([0.02, 0.06, np.inf]))
    frame = drawing.frame
    corners = strokes(drawing.series[0].path)
    climbs = [
        (x, y) for (x, y), (_, before) in zip(corners[1:], corners, strict=False) if y != before
    ]
    shares = [(frame.bottom - y) / (frame.bottom - frame.top) for _, y in climbs]
    errors = [(x - frame.left) / (frame.right - frame.left) * 0.10 for x, _ in climbs]
    assert shares == pytest.approx([1 / 3, 2 / 3], abs=0.001)
    assert errors == pytest.approx([0.02, 0.06], abs=0.001)
    assert corners[-1][0] == frame.right


def test_an_error_at_the_end_of_the_axis_counts():
    drawing = draw_svg(ced([0.10]))
    corner = drawing.frame.right, drawing.frame.top
    assert strokes(drawing.series[0].path)[-2:] == [corner, corner]


def test_labels_do_not_cover_one_another_and_stay_in_the_plot():
    drawing = draw_svg(ced(*[[0.01 * k, 0.02] for k in range(8)]))
    heights = sorted(series.text_y for series in drawing.series)
    assert min(b - a for a, b in itertools.pairwise(heights)) >= 17
    assert heights[0] >= 0
    assert heights[-1] <= drawing.frame.bottom


def test_eight_curves_are_shown_and_the_others_wait_each_with_its_own_style():
    chart = ced(*[[0.01]] * 30)
    assert [series.style for series in chart.series] == list(range(1, chart_values.MOST_CURVES + 1))
    assert [series.shown for series in chart.series] == [True] * 8 + [False] * 16


def test_groups_stand_in_order_with_their_intervals():
    """Twice the error is the same step up wherever it stands: the scale is logarithmic."""
    profile = GroupProfile("a", (GroupValue(2.0, (1.0, 4.0)), GroupValue(4.0), None))
    chart = group_chart("g", "G", ["x", "y", "z"], [profile], y_title="e", unit="%")
    (series,) = chart.series
    assert series.ys.tolist() == [2.0, 4.0]
    assert [(interval.low, interval.high) for interval in series.intervals] == [(1.0, 4.0)]
    drawing = draw_svg(chart)
    heights = [mark.y for mark in drawing.marks]
    assert len(heights) == 2
    low, high = map(float, re.findall(r"M[\d.]+ ([\d.]+)V([\d.]+)", drawing.series[0].path)[0])
    assert heights[0] - heights[1] == pytest.approx(low - heights[0], abs=0.2)
    assert high == pytest.approx(heights[1], abs=0.2)
    assert [tick.text for tick in drawing.x_ticks] == ["x", "y", "z"]


def test_the_pareto_line_joins_what_nothing_cheaper_beats():
    points = [
        CostPoint(*p) for p in (("a", 1e6, 5.0), ("b", 2e6, 6.0), ("c", 4e6, 4.0), ("d", 8e6, 4.5))
    ]
    chart = cost_chart("c", "C", points, x_title="x", y_title="y", lower_is_better=True)
    assert [mark.say.split(":")[0] for mark in chart.marks if not mark.hollow] == ["a", "c"]
    (best,) = [series for series in chart.series if series.style == 0]
    assert (best.xs.tolist(), best.ys.tolist()) == ([1e6, 4e6], [5.0, 4.0])
    assert draw_svg(chart).series[-1].path.count("L") == 1
    rising = cost_chart("c", "C", points, x_title="x", y_title="y", lower_is_better=False)
    assert [mark.say.split(":")[0] for mark in rising.marks if not mark.hollow] == ["a", "b"]


def test_names_of_many_stages_never_cover_each_other():
    chart = training_curve.training_chart(
        "t", "T", [TrainingStage(f"p{k:02d}/pretrain", (1, 2), (1.0, 0.9)) for k in range(30)]
    )
    places = plot_layout.stage_places(chart)
    assert len(places) == 30
    for row in (0, 1):
        named = [place for place in places if place.text and place.row == row]
        starts = [place.x + place.text_shift for place in named]
        ends = [start + 7 * len(place.text) for start, place in zip(starts, named, strict=True)]
        assert len(named) > 1
        assert all(end <= start for end, start in zip(ends, starts[1:], strict=False))
        assert all(end <= plot_layout.frame_of(chart).width for end in ends)


def test_an_empty_group_is_a_level_line():
    assert len(strokes(draw_svg(ced([])).series[0].path)) == 2


def test_stages_follow_one_another_and_wide_losses_get_a_logarithm():
    chart = training_curve.training_chart(
        "t",
        "T",
        [
            TrainingStage("a", (1, 2, 3), (10.0, 1.0, 0.5)),
            TrainingStage("b", (1, 2), (0.1, 0.05)),
        ],
    )
    assert chart.y.title == "loss (logarithmic scale)"
    assert [tick.text for tick in chart.y.ticks] == ["0.01", "0.1", "1", "10"]
    assert [(stage.x, stage.name) for stage in chart.stages] == [(1, "a"), (4, "b")]
    assert [series.xs.tolist() for series in chart.series] == [[1, 2, 3], [4, 5]]
    frame = plot_layout.frame_of(chart)
    ends = [series.end[0] for series in draw_svg(chart).series]
    middle = frame.left + 3 / 5 * (frame.right - frame.left)
    assert ends == pytest.approx([middle, frame.right], abs=0.1)


def test_even_losses_stay_linear_from_zero():
    chart = training_curve.training_chart("t", "T", [TrainingStage("", (1, 2), (1.0, 0.9))])
    assert chart.y.title == "loss"
    assert chart.y.ticks[0].text == "0"
    assert chart.stages[0].name == "training"


def test_a_long_log_is_thinned_to_means():
    steps = tuple(float(k) for k in range(100_000))
    losses = tuple(1.0 + (k % 2) for k in range(100_000))
    chart = training_curve.training_chart("t", "T", [TrainingStage("a", steps, losses)])
    (series,) = chart.series
    assert 200 < len(series.xs) < 300
    # every stretch has the same mean, 1.5, but for an odd one out
    assert series.ys == pytest.approx(1.5, abs=0.002)


@pytest.mark.parametrize("losses", [(0.0, 0.0), (1.0, 1.0), (-1.0, 2.0)])
def test_flat_and_negative_losses_have_an_axis(losses):
    chart = training_curve.training_chart("t", "T", [TrainingStage("a", (0.0, 0.0), losses)])
    assert len(chart.y.ticks) >= 2
    assert "nan" not in draw_svg(chart).series[0].path


def test_equal_steps_of_an_axis_are_equal_on_paper():
    axis = chart_values.Axis("", 1.0, 100.0, (), logarithmic=True)
    assert axis.share(np.array([0.5, 1.0, 10.0, 100.0])) == pytest.approx([0, 0, 0.5, 1])
    padded = chart_values.Axis("", 0.0, 10.0, (), padding=0.1)
    assert padded.share(np.array([0.0, 5.0, 10.0])) == pytest.approx([0.1, 0.5, 0.9])


def test_round_numbers_cover_what_they_must():
    for low, high in pairwise([0.0, 0.37, 1.9, 42.0, 4711.0]):
        steps = chart_values.round_numbers(low, high)
        assert steps[0] <= low
        assert steps[-1] >= high
        assert 2 <= len(steps) <= 8
