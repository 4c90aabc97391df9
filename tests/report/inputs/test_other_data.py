"""Rows on two versions of the annotations are not ranked side by side, nor averaged."""

import pytest

from benchbox.papers.reference_rows import References
from benchbox.report.inputs import results as stored
from benchbox.report.pages import worst_items
from benchbox.report.tables import exports, leaderboard, per_item, rows


@pytest.fixture
def board_of(tmp_path, demo):
    def build():
        found, _ = stored.read_results(tmp_path / "results")
        return leaderboard.build_leaderboard(demo, found, References({}, ()), {}).tables[0]

    return build


def data(truth: str, fingerprint: str = "sha256:f", **changes):
    standard = {"dataset": "300w", "variant": "complete", "train": 100, "test": 40, "notes": []}
    return {**standard, "truth": truth, "fingerprint": fingerprint, **changes}


def test_rows_on_corrected_annotations_stand_apart(make, board_of, demo):
    """Trap: the same answers before and after a correction took ranks 1 and 2."""
    make("demo-a", 0.04, data=data("sha256:old"))
    make("demo-b", 0.05, data=data("sha256:old"))
    make("demo-c", 0.03, data=data("sha256:new"))
    table = board_of()
    assert [row.name for row in table.rows] == ["demo-a", "demo-b"]
    (part,) = table.not_comparable
    assert part.reason == "measured on other test annotations (new) than the rows beside it (old)"
    assert part.reason in exports.as_markdown(demo, table)
    assert part.reason in exports.as_csv(demo, table)


def test_among_equally_many_the_latest_run_decides(make, board_of):
    make("demo-a", 0.04, data=data("sha256:z-old"), started="2020-01-01T00:00:00Z")
    make("demo-b", 0.05, data=data("sha256:a-new"), started="2021-01-01T00:00:00Z")
    assert [row.name for row in board_of().rows] == ["demo-b"]


def test_a_training_on_corrected_labels_stands_apart_and_a_submission_does_not(make, board_of):
    make("demo-a", 0.04, data=data("sha256:t"))
    make("demo-a", 0.04, seed=1, data=data("sha256:t"))
    make("demo-b", 0.05, data=data("sha256:t", "sha256:g"))
    make("demo-s", 0.06, kind="submitted", variant="submitted", data=data("sha256:t", "sha256:t"))
    table = board_of()
    assert [row.name for row in table.rows] == ["demo-a", "demo-s"]
    assert table.not_comparable[0].reason.startswith("other training data or boxes (g)")


def test_a_rendered_set_whose_last_bits_differ_is_the_same_data(make, board_of):
    """Trap: seeds of two machines, two rows, one of them not comparable."""
    note = ["synthetic faces, generator version 4"]
    make("demo-a", 0.04, data=data("sha256:t", "sha256:f", dataset="synth-300w", notes=note))
    other = data("sha256:u", "sha256:g", dataset="synth-300w", notes=note)
    make("demo-a", 0.05, seed=1, data=other)
    table = board_of()
    assert [len(row.seeds) for row in rows.all_rows(table)] == [2]
    assert not table.not_comparable


def test_seeds_by_two_versions_of_the_code_are_one_row_that_says_so(make, board_of, demo):
    code = {"benchbox": "0.1.0", "commit": None, "dirty": None}
    make("demo-a", 0.04, code={**code, "method": "sha256:1"})
    make("demo-a", 0.05, seed=1, code={**code, "method": "sha256:2"})
    (row,) = board_of().rows
    assert len(row.seeds) == 2
    assert "seeds by 2 versions of the method's code" in row.details
    assert "2 versions of the method's code" in exports.as_latex(demo, board_of())


def test_errors_against_two_versions_of_the_labels_are_not_side_by_side(make, tmp_path, demo):
    """Trap: the atlas draws both, and calls a face disputed that was only marked anew."""
    make("demo-a", 0.04, data=data("sha256:old"))
    make("demo-b", 0.05, data=data("sha256:old"))
    make("demo-c", 0.03, data=data("sha256:new"))
    found, _ = stored.read_results(tmp_path / "results")
    board = leaderboard.build_leaderboard(demo, found, References({}, ()), {})
    by_page = {result.page + ".html": result for result in found}
    held, problems = per_item.gather_item_errors(demo, board.tables[0], by_page)
    assert [column.result.run.method for column in held.columns] == ["demo-a", "demo-b"]
    (problem,) = problems
    assert problem.place == "results/demo-full/demo-c/base/0"
    assert "measured on other test annotations" in problem.reason
    chosen = worst_items.choose_rivals(found, demo)
    assert [result.run.method for result in chosen] == ["demo-a", "demo-b"]
    rivals = worst_items.read_rivals(chosen, demo)
    (corrected,) = [result for result in found if result.other_truth]
    assert rivals.beside(found[0], rivals.ids).runs
    assert not rivals.beside(corrected, rivals.ids).runs
