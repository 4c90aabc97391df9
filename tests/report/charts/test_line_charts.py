"""Perturbations and robustness: which numbers meet on one chart, and where they stand."""

from dataclasses import replace

import pytest

from benchbox.metrics import metric_names
from benchbox.papers import reference_rows
from benchbox.papers.claims import load_claims as claims
from benchbox.protocols import protocol_card
from benchbox.report.charts import error_vs_msd, error_vs_perturbation, line_charts
from benchbox.report.charts.line_charts import Line, LineValue, TradeoffPoint
from benchbox.report.charts.svg import draw_svg
from benchbox.report.inputs import results
from tests.report.conftest import invented, record, summary, write_run

NME = metric_names.parse_metric("nme_inter_pupil")


@pytest.fixture(scope="module")
def printed():
    return reference_rows.load_references()


def numbers(chart):
    return {row[0]: row[1:] for row in chart.numbers.rows}


def test_the_table_of_the_paper_is_drawn_with_its_undisturbed_numbers_at_zero(printed):
    larger, moved, turned = error_vs_perturbation.protocol_charts(
        protocol_card.load_protocol("300w-full"), NME, {}, printed, {}
    )
    assert numbers(larger)["B1, G&LSR"] == ("5.72", "5.75", "6.36", "8.15", "10.93", "15.72")
    assert numbers(larger)["GSR, G&LSR"] == ("5.52", "5.51", "5.60", "5.74", "6.03", "6.67")
    assert moved.numbers.columns == ("", "0", "0.05", "0.1", "0.15", "0.2", "0.25")
    assert numbers(turned)["B2, G&LSR"] == ("5.63", "5.57", "5.60", "5.82", "5.92", "6.00")
    assert all(mark.hollow for mark in larger.marks)
    assert [series.label for series in larger.series] == ["GSR, G&LSR", "B2, G&LSR", "B1, G&LSR"], (
        "best first"
    )


def test_numbers_of_another_normaliser_are_not_drawn(printed):
    assert (
        error_vs_perturbation.protocol_charts(
            protocol_card.load_protocol("300w-full"),
            metric_names.parse_metric("nme_inter_ocular"),
            {},
            printed,
            {},
        )
        == []
    )


def test_a_method_is_drawn_with_what_papers_print_of_its_own_variants(printed):
    drawn = error_vs_perturbation.method_charts(
        "glsr", protocol_card.read_cards(), [], printed, claims().systems, {}
    )
    assert [chart.title for chart in drawn] == [
        f"{title}, 300-W, full public test set"
        for title in ("Larger boxes", "Moved boxes", "Turned pictures")
    ]
    assert (
        error_vs_perturbation.method_charts(
            "sir", protocol_card.read_cards(), [], printed, claims().systems, {}
        )
        == []
    )
    assert len({chart.name for chart in drawn}) == 3, "ids are unique in a page"


def test_runs_join_by_variant_seeds_as_their_mean_and_changed_ones_stay_out(
    tmp_path, demo, printed
):
    card = replace(demo, options={"scale": ("0.0", "0.3")})

    def one(level, **options):
        return results.read_result(write_run(tmp_path, "demo-a", level, **options))

    found = {
        "demo-full": [
            one(0.04),
            one(0.05, seed=1),
            one(0.9, overrides={"loss": "l1"}),
            one(0.9, budget="smoke"),
        ],
        "demo-full+scale=0.3": [one(0.06, protocol="demo-full+scale=0.3")],
        "demo-full+translation=0.1": [one(0.07, protocol="demo-full+translation=0.1")],
    }
    (chart,) = error_vs_perturbation.protocol_charts(
        card, metric_names.parse_metric("nme_inter_ocular"), found, printed, {}
    )
    at = [
        summary(invented(level))["full"]["nme_inter_ocular"]["value"]
        for level in (0.04, 0.05, 0.06)
    ]
    assert numbers(chart) == {"demo-a base": (f"{(at[0] + at[1]) / 2:.2f}", f"{at[2]:.2f}")}
    partial = {**record()["data"], "variant": "train 60 of 100"}
    for name in ("demo-full", "demo-full+scale=0.3"):
        found[name].append(
            results.read_result(write_run(tmp_path, "demo-b", 0.05, protocol=name, data=partial))
        )
    (chart,) = error_vs_perturbation.protocol_charts(
        card, metric_names.parse_metric("nme_inter_ocular"), found, printed, {}
    )
    assert "demo-b base *" in numbers(chart)
    assert "A star: other data than the official set." in chart.note
    alone = {"demo-full": found["demo-full"]}
    assert (
        error_vs_perturbation.protocol_charts(
            card, metric_names.parse_metric("nme_inter_ocular"), alone, printed, {}
        )
        == []
    ), "one point is no line"


def test_places_of_a_line_by_hand():
    chart = line_charts.line_chart(
        "l",
        "L",
        [Line("a", (LineValue(0, 2.0), LineValue(10, 4.0, (3.0, 5.0))))],
        x_title="x",
        y_title="y",
        unit="%",
        note="",
    )
    drawing = draw_svg(chart)
    assert [tick.text for tick in drawing.x_ticks] == ["0", "10"]
    assert drawing.series[0].path.startswith(f"M{drawing.x_ticks[0].at:g} ")
    low, high = (next(t.at for t in drawing.y_ticks if t.text == text) for text in ("2", "5"))
    assert drawing.marks[0].y == low
    assert f"V{high:g}" in drawing.series[0].path, "the interval's upper end stands on its tick"
    assert chart.marks[1].say == "a: 4.00 % at 10"


def test_a_narrow_span_still_has_ticks():
    line = Line("a", (LineValue(0, 5.5), LineValue(1, 5.9)))
    chart = line_charts.line_chart("l", "L", [line], x_title="x", y_title="y", unit="%", note="")
    assert len(chart.y.ticks) >= 3


def test_what_nothing_beats_in_both():
    points = [
        TradeoffPoint("a", 1, 3),
        TradeoffPoint("b", 2, 2),
        TradeoffPoint("c", 2, 4),
        TradeoffPoint("d", 3, 2),
        TradeoffPoint("e", 4, 1),
    ]
    assert [p.label for p in line_charts.unbeaten_points(points)] == ["a", "b", "e"]
    chart = line_charts.tradeoff_chart("t", "T", points, x_title="x", y_title="y", unit="cm")
    assert [row[3] for row in chart.numbers.rows] == ["yes", "yes", "", "", "yes"]
    assert chart.series[-1].xs.tolist() == [1, 2, 4]
    assert chart.series[-1].style == 0


def test_a_single_value_has_an_axis():
    chart = line_charts.tradeoff_chart(
        "t",
        "T",
        [TradeoffPoint("a", 0, 0), TradeoffPoint("b", 0, 0)],
        x_title="x",
        y_title="y",
        unit="cm",
    )
    assert len(chart.x.ticks) > 1


@pytest.mark.parametrize(
    ("steady", "error"), [("gazestare", "gazecn"), ("synth-gazestare", "synth-gazecn")]
)
def test_the_error_of_a_card_of_stares_is_that_of_the_set_it_trains_on(steady, error):
    cards = protocol_card.read_cards()
    found = error_vs_msd.find_error_protocol(protocol_card.load_protocol(steady), cards)
    assert found is not None
    assert found.name == error
    assert error_vs_msd.find_error_protocol(protocol_card.load_protocol(error), cards) is None


def test_dwo_is_drawn_as_table_5_prints_it(printed):
    (chart,) = error_vs_msd.method_charts(
        "dwo", protocol_card.read_cards(), [], printed, claims().systems, {}
    )
    told = numbers(chart)
    assert told["Baseline, TAT"] == ("1.15", "0.42", "yes")
    assert told["DwO ctr=8 T=1 org=90%, TAT"] == ("1.18", "0.34", "yes")
    assert told["DwO ctr=16 T=1 org=90%, TAT"] == ("1.20", "0.34", "")
    assert told["DwO ctr=8 T=1 org=0%, TAT"] == ("1.44", "0.27", "yes")
    assert len(told) == 10, "every row of the table"
    assert chart.title == "Accuracy against robustness, gazestare"


def test_a_runs_two_numbers_meet_over_two_cards_by_variant_and_seed(tmp_path, printed):
    steady, error = (
        protocol_card.load_protocol("synth-gazestare"),
        protocol_card.load_protocol("synth-gazecn"),
    )

    def one(card, metric, value, seed):
        scores = {
            "scores": {"total": {metric: {"value": value, "unit": "cm"}}},
            "n": card.test_expected,
        }
        document = {"card": card.card, "data": {**record()["data"], "train": card.train_expected}}
        run = write_run(
            tmp_path, "demo-a", 0.04, protocol=card.name, seed=seed, scores=scores, **document
        )
        return results.read_result(run)

    found = {
        error.name: [
            one(error, "error_cm", 2.5, 0),
            one(error, "error_cm", 2.7, 1),
            one(error, "error_cm", 9.0, 2),
        ],
        steady.name: [one(steady, "msd_cm", 0.3, 0), one(steady, "msd_cm", 0.2, 1)],
    }
    (chart,) = error_vs_msd.pair_charts(steady, error, found, printed, {})
    assert numbers(chart) == {
        "demo-a base, seed 0": ("2.50", "0.30", "yes"),
        "demo-a base, seed 1": ("2.70", "0.20", "yes"),
    }
