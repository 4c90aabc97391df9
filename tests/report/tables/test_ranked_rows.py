"""Ranks: what the test set cannot tell apart shares one; only the same items are ranked."""

import numpy as np
import pytest

from benchbox.papers.reference_rows import References
from benchbox.report.inputs import results as stored
from benchbox.report.tables import leaderboard, ranked_rows, rows
from tests.report.conftest import replace_errors


@pytest.fixture
def ranked(demo, tmp_path):
    """Return a function that ranks what is stored below tmp_path/results."""

    def rank():
        found, _ = stored.read_results(tmp_path / "results")
        table = leaderboard.build_leaderboard(demo, found, References({}, ()), {}).tables[0]
        return ranked_rows.rank_table(
            table, demo, {result.page + ".html": result for result in found}
        )

    return rank


def noisy(run, spread, seed):
    """Move every face's error by chance, the same on average."""
    table = np.load(run.folder / "errors.npz")["errors"]
    table["nme_inter_ocular"] *= np.random.default_rng(seed).lognormal(
        -(spread**2) / 2, spread, len(table)
    )
    replace_errors(run.folder, table)


def test_rows_that_cannot_be_told_apart_share_a_rank(make, ranked):
    """The trap: 4.87 before 4.92 looks like an order.

    The noise of forty faces is ten times as large.
    """
    noisy(make("demo-a", 0.0400), 0.3, 1)
    noisy(make("demo-b", 0.0404), 0.3, 2)
    noisy(make("demo-c", 0.0800), 0.3, 3)
    table, problems = ranked()
    assert [(row.name, row.rank) for row in table.rows] == [
        ("demo-a", 1),
        ("demo-b", 1),
        ("demo-c", 3),
    ]
    assert problems == []
    assert len(table.detectable) == len(table.columns)
    common, challenging, full = (table.detectable[i] for i in range(3))
    assert 0.3 < full < 3  # %
    assert max(common, full) < challenging, "thirty, forty, ten faces"


def test_a_small_difference_on_every_face_is_told_apart(make, ranked):
    """Paired: intervals may overlap and the order still be certain, as hard is hard for both."""
    make("demo-a", 0.0400)
    make("demo-b", 0.0404)
    table, _ = ranked()
    first, second = table.rows
    assert first.cells[table.ranked_by].ends[1] > second.cells[table.ranked_by].ends[0]
    assert [first.rank, second.rank] == [1, 2]


def test_a_run_without_errors_or_with_other_clusters_is_named_and_not_ranked(make, ranked):
    make("demo-a", 0.04)
    (make("demo-b", 0.05).folder / "errors.npz").unlink()
    odd = make("demo-c", 0.06).folder
    table = np.load(odd / "errors.npz")["errors"]
    table["cluster"] = 0
    replace_errors(odd, table)
    table, problems = ranked()
    assert [row.rank for row in table.rows] == [1, None, None]
    assert [
        "errors.npz: missing" in problems[0].reason,
        "clusters are not those" in problems[1].reason,
    ] == [True, True]
    assert problems[1].place == "results/demo-full/demo-c/base/0"


def test_errors_that_are_no_numbers_give_no_rank(make, ranked):
    folder = make("demo-a", 0.04).folder
    table = np.load(folder / "errors.npz")["errors"]
    table["nme_inter_ocular"][3] = -0.1
    replace_errors(folder, table)
    table, problems = ranked()
    assert table.rows[0].rank is None
    assert "no errors" in problems[0].reason


def test_a_run_that_leaves_out_its_hard_faces_does_not_lead(make, ranked):
    """Trap: the mean over 31 easy faces of 40 stood first, alone."""
    make("demo-a", 0.0400)
    make("demo-b", 0.0404, failed=9)
    table, problems = ranked()
    assert problems == []
    names = [(row.name, row.rank) for row in table.rows]
    assert names == [("demo-a", 1), ("demo-b", 2)]
    first, second = (row.cells[table.ranked_by].value for row in table.rows)
    assert second < first, "the mean keeps its definition"
    assert table.rows[1].details[-1] == "9 of 40 without a prediction, means over 31"


def test_rows_stand_in_the_order_of_their_ranks_and_papers_keep_their_places():
    def row(name, rank):
        return rows.Row("submitted", name, "", (), (), (), rank=rank)

    ordered = rows.order_by_rank([row("few", 3), row("paper", None), row("a", 1), row("b", 1)])
    assert [one.name for one in ordered] == ["a", "paper", "b", "few"]


def test_the_leader_of_a_board_has_not_left_hard_faces_out(demo, make, tmp_path):
    make("demo-a", 0.0400)
    make("demo-b", 0.0404, failed=9)
    found, _ = stored.read_results(tmp_path / "results")
    board = leaderboard.build_leaderboard(demo, found, References({}, ()), {})
    assert board.leader.name == "demo-a"
