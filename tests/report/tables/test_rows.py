"""Leaderboards: who is ranked, who stands apart and why, which paper rows are one."""

from dataclasses import replace

import pytest

from benchbox.papers.reference_rows import References
from benchbox.report.inputs import paper_rows
from benchbox.report.inputs import results as stored
from benchbox.report.tables import leaderboard, rows


@pytest.fixture
def board(results, demo, demo_card, demo_references):
    found, _ = stored.read_results(results)
    return leaderboard.build_leaderboard(demo, found, demo_references, {demo_card.name: demo_card})


def reasons(table: rows.Table) -> dict[str, list[str]]:
    return {part.reason: [row.name for row in part.rows] for part in table.not_comparable}


def test_only_like_stands_beside_like(board):
    table = board.tables[0]
    assert table.convention == "inter_ocular"
    assert [(row.name, row.kind) for row in table.rows] == [
        ("Alpha", "paper"),
        ("demo-a", "trained"),
        ("Demo B", "trained"),
        ("demo-d", "submitted"),
    ]


def test_rows_that_differ_stand_apart_with_the_reason(board):
    assert reasons(board.tables[0]) == {
        "budget smoke: shows that the code runs, not how well it does": ["demo-a"],
        "parameters changed by hand: loss = l1": ["Demo B"],
        "scored under another version of the card, 000000000000; now abababababab": ["demo-e"],
        "other data than the complete official set: train 60 of 100": ["demo-c"],
        "reported under demo-full+box=ground_truth": ["Beta"],
    }


def test_the_best_row_apart_never_leads(board):
    """The trap: demo-e has the smallest error, under another card."""
    assert board.leader is not None
    assert (board.leader.name, board.leader.cells[2].text) == ("demo-a", "4.99")
    assert board.counts == {"paper": 3, "weights": 0, "trained": 6, "submitted": 1}, (
        "two seeds are one row"
    )


def test_a_network_that_saw_the_test_faces_is_named_beside_the_best_measured_row(board):
    """The trap: the table below shows a better row than the one that is called best."""
    table = board.tables[0]
    assert rows.best_ahead_that_saw_test(table) is None
    saw = [
        replace(row, facts=replace(row.facts, seen_test="yes")) if row.name == "demo-e" else row
        for row in table.not_comparable_rows
    ]
    apart = rows.NotComparable("its training has seen test items", tuple(saw))
    ahead = rows.best_ahead_that_saw_test(replace(table, not_comparable=(apart,)))
    assert ahead is not None
    assert (ahead.name, ahead.facts.seen_test) == ("demo-e", "yes")
    assert rows.best_measured(table) is not ahead


def test_details_name_budget_data_seed_and_failures(board):
    third = board.tables[0].rows[2]
    assert third.details == (
        "variant wide",
        "budget paper",
        "2 of 40 without a prediction, means over 38",
    )
    assert third.seeds_text == "one seed: 0"
    last = board.tables[0].rows[3]
    assert (last.details, last.seeds_text) == ((), ""), "nothing was trained"


def test_a_short_test_set_stands_apart(make, demo, tmp_path):
    make("demo-a", 0.04, scores={"n": 39})
    found, _ = stored.read_results(tmp_path / "results")
    board = leaderboard.build_leaderboard(demo, found, References({}, ()), {})
    assert reasons(board.tables[0]) == {"tested on 39 of 40 faces": ["demo-a"]}
    assert board.leader is None
    best = rows.best_measured(board.tables[0])
    assert best is not None
    assert best.name == "demo-a"


@pytest.mark.parametrize(
    ("kind", "variant", "reason"),
    [
        ("trained", "complete", ""),
        ("trained", "complete, original annotations", ""),
        ("trained", "train 60 of 100, original annotations", "train 60 of 100"),
        ("trained", "complete, moved annotations", "moved annotations"),
        ("trained", "", "not recorded"),
        ("submitted", "original annotations", ""),
        ("submitted", "moved annotations", "moved annotations"),
        ("weights", "train 0 of 100", ""),
    ],
)
def test_who_did_not_train_answers_for_no_training_data(
    make, demo, tmp_path, kind, variant, reason
):
    facts = {"variant": variant, "fingerprint": "sha256:0", "train": 0}
    folder = {"submitted": "submitted"}.get(kind, "base")  # what `score` calls its variant
    budget = None if kind == "submitted" else "quick"
    make("demo-d", 0.04, kind=kind, data=facts, variant=folder, budget=budget)
    found, _ = stored.read_results(tmp_path / "results")
    assert rows.why_not_comparable(found[0], demo) == (
        f"other data than the complete official set: {reason}" if reason else ""
    )


def test_agreeing_tables_are_one_line_with_both_sources(demo, demo_references):
    alpha = paper_rows.gather_paper_rows(demo, demo_references)[0]
    assert [source.text for source in alpha.sources] == ["Paper X, Table 1", "Paper X, Table 2"]
    assert {group: cell.printed for (_, group), cell in alpha.cells.items()} == {
        "full": "4.10",
        "common": "3.20",
    }
    assert alpha.notes == ("a note",)


def test_contradicting_tables_stay_two_lines(demo, demo_references):
    changed = tuple(
        replace(row, printed="4.2", value=4.2) if row.table == "Table 2" else row
        for row in demo_references.rows
    )
    lines = paper_rows.gather_paper_rows(demo, replace(demo_references, rows=changed))
    assert [line.method for line in lines].count("Alpha") == 2


def test_a_paper_row_shows_under_the_metric_that_it_is(board):
    """The trap: a table that says inter-ocular and prints inter-pupil values."""
    assert [table.convention for table in board.tables] == [
        "inter_ocular",
        "inter_pupil",
        "inter_ocular_51",
    ]
    assert "Gamma" not in [row.name for row in rows.all_rows(board.tables[0])]
    assert reasons(board.tables[1])["inter-pupil, though the table says"] == ["Gamma"]


def test_an_option_of_a_protocol_sees_the_plain_rows_apart(demo, demo_references):
    option = replace(demo, name="demo-full+box=ground_truth", box="ground_truth")
    lines = {
        line.method: line.not_comparable
        for line in paper_rows.gather_paper_rows(option, demo_references)
    }
    assert lines["Beta"] == ""
    assert lines["Alpha"] == "reported under demo-full"


def test_strangers_and_dashes_are_left_out(demo, demo_references):
    assert {line.method for line in paper_rows.gather_paper_rows(demo, demo_references)} == {
        "Alpha",
        "Beta",
        "Gamma",
    }


def test_spots_share_one_logarithmic_scale(board):
    table = board.tables[0]
    assert table.scale[0] == 3.0
    first = next(row for row in table.not_comparable[-1].rows if row.name == "Beta")
    assert first.position is not None
    assert (first.position.at, first.position.low, first.position.high) == (0.0, 0.0, 0.0)
    spots = [row.position for row in table.rows if row.position]
    assert all(0 <= spot.low <= spot.at <= spot.high <= 100 for spot in spots)
    assert [spot.at for spot in spots] == sorted(spot.at for spot in spots)


def test_column_groups_open_where_the_metric_changes(board):
    table = board.tables[0]
    assert [(metric.title, span) for metric, span in table.heads] == [
        ("NME", 3),
        ("AUC @ 0.08", 3),
        ("Failure rate @ 0.08", 3),
    ]
    assert table.group_starts == {0, 3, 6}
    assert table.ranking_column.group == "full"


def test_a_mapped_row_names_its_map(results, demo):
    """The trap: 98 points brought to 68 stand beside points that a network itself marks."""
    found, _ = stored.read_results(results)
    first = next(result for result in found if result.run.method == "demo-d")
    assert not any("mapped" in words for words in rows.row_details([first]))
    record = first.run.record
    notes = ("origin 0", "points mapped by 98to68-pipnet (60 of 68 are the same places)")
    mapped = replace(record, data=replace(record.data, notes=notes))
    named = replace(first, run=replace(first.run, record=mapped))
    assert "points mapped by 98to68-pipnet" in rows.row_details([named])


def test_a_training_that_ended_dead_is_said_on_its_row(results, demo):
    found, _ = stored.read_results(results)
    first = next(result for result in found if result.run.method == "demo-a")
    stages = {"net": {"dead_units": 0.9, "dead_layers": 0.75}}
    record = replace(first.run.record, training={"stages": stages})
    dead = replace(first, run=replace(first.run, record=record))
    (words,) = [words for words in rows.row_details([dead]) if "dead" in words]
    assert words == (
        f"seed {first.run.seed}: training ended dead: stage net, 75 % of its layers and 90 % of"
        " its units got no gradient"
    )
