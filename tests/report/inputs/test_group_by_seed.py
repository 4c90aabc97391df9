"""Seeds of one variant are one row: mean and standard deviation, and nothing else joins."""

import json
from dataclasses import replace

import numpy as np
import pytest

from benchbox.papers.reference_rows import References
from benchbox.plugins import method_card
from benchbox.report.inputs import group_by_seed
from benchbox.report.inputs import results as stored
from benchbox.report.pages import method_page
from benchbox.report.pages.shared_data import SharedData, Sources
from benchbox.report.tables import leaderboard, ranked_rows
from benchbox.runs import run_integrity


@pytest.fixture
def read(tmp_path):
    """Return a function that reads what is stored below tmp_path/results."""
    return lambda: stored.read_results(tmp_path / "results")[0]


def table_of(found, demo):
    table = leaderboard.build_leaderboard(demo, found, References({}, ()), {}).tables[0]
    return ranked_rows.rank_table(table, demo, {result.page + ".html": result for result in found})


def test_only_the_seed_may_differ(make, read):
    for seed in (10, 2, 1):
        make("demo-a", 0.04, seed=seed)
    make("demo-a", 0.04, budget="paper")
    make("demo-a", 0.04, overrides={"loss": "l1"})
    make("demo-a", 0.04, seed=5, card="sha256:" + "00" * 32)
    make(
        "demo-a",
        0.04,
        seed=6,
        data={"variant": "train 9 of 100", "fingerprint": "sha256:0", "train": 9},
    )
    make("demo-s", 0.04, kind="submitted", variant="submitted", budget=None)
    make("demo-s", 0.05, kind="submitted", variant="submitted", budget=None, seed=1)
    sizes = sorted(len(family) for family in group_by_seed.group_runs(read(), {}))
    assert sizes == [1, 1, 1, 1, 1, 1, 3], (
        "two files that were handed in are two answers, not two seeds"
    )
    (family,) = [family for family in group_by_seed.group_runs(read(), {}) if len(family) == 3]
    assert [result.run.seed for result in family] == ["1", "2", "10"], "in the order of numbers"


def test_a_variant_whose_parameters_have_changed_makes_two_rows(make, read, demo):
    """The trap: seed 1 of last month's recipe and seed 2 of today's, averaged as if one."""
    make("demo-a", 0.04, seed=1)
    make("demo-a", 0.05, seed=2, params={"width": 16})
    assert [row.details for row in table_of(read(), demo)[0].rows] == [
        ("variant base", "budget quick", "width = 8"),
        ("variant base", "budget quick", "width = 16"),
    ]


def test_a_parameter_that_older_records_lack_had_the_value_that_the_card_says(make, read):
    """The trap: a new switch, off as ever, would part the seeds of before from those of after."""
    make("demo-a", 0.04, seed=1)
    make("demo-a", 0.05, seed=2, params={"width": 8, "fast": False})
    make("demo-a", 0.05, seed=3, params={"width": 8, "fast": True})
    card = replace(method_card.find_card("mean-shape"), name="demo-a", before={"fast": False})
    (old, *_), (new,) = families = group_by_seed.group_runs(read(), {"demo-a": card})
    assert [len(family) for family in families] == [2, 1]
    assert group_by_seed.differing_params(families, {"demo-a": card}) == [
        ("fast = False",),
        ("fast = True",),
    ]
    assert (old.run.seed, new.run.seed) == ("1", "3")


def test_the_row_is_the_mean_with_the_spread_of_its_seeds(make, read, demo):
    for seed, level in enumerate((0.040, 0.042, 0.047)):
        make("demo-a", level, seed=seed)
    (row,) = table_of(read(), demo)[0].rows
    values = [result.scores["full"]["nme_inter_ocular"].value for result in read()]
    cell = row.cells[2]
    assert cell.value == pytest.approx(np.mean(values), rel=1e-12)
    assert cell.std == pytest.approx(np.std(values, ddof=1), rel=1e-12)
    assert cell.ends == pytest.approx((0.95 * np.mean(values), 1.06 * np.mean(values)), rel=1e-6)
    assert row.seeds_text == "mean of 3 seeds: 0, 1, 2"
    assert row.pages == tuple(f"run/demo-full/demo-a/base/{seed}.html" for seed in range(3))


def test_the_page_of_a_method_has_the_same_row(make, read, demo):
    for seed, level in enumerate((0.040, 0.042, 0.047)):
        make("demo-a", level, seed=seed)
    make("demo-a", 0.05, budget="paper")
    sources = Sources((demo,), (), References({}, ()), tuple(read()), ())
    page = method_page.build_method_page("demo-a", SharedData(sources))
    paper, quick = sorted(page.rows, key=lambda row: len(row.seeds))
    (board,) = (row for row in table_of(read(), demo)[0].rows if len(row.seeds) == 3)
    assert quick.cell == board.cells[2]
    assert [seed.page for seed in quick.seeds] == list(board.pages)
    assert (quick.name, quick.details, paper.details) == (
        "variant base",
        ("budget quick",),
        ("budget paper",),
    )
    assert page.seeded


def test_a_single_seed_says_so(make, read, demo):
    make("demo-a", 0.040, seed=7)
    (row,) = table_of(read(), demo)[0].rows
    assert row.seeds_text == "one seed: 7"
    assert row.cells[2].std is None


def test_a_value_that_one_seed_lacks_is_no_mean(make, read, demo):
    """The trap: a mean over those seeds that happened to have a number."""
    run = make("demo-a", 0.040)
    make("demo-a", 0.042, seed=1)
    text = (run.folder / "scores.json").read_text()
    document = json.loads(text.replace("nme_inter_ocular_51", "nme_inter_ocular_50"))
    sealed = run_integrity.seal_scores(document, document["digests"])
    (run.folder / "scores.json").write_text(json.dumps(sealed))
    family = group_by_seed.group_runs(read(), {})[0]
    assert group_by_seed.mean_scores(family)["full"]["nme_inter_ocular_50"].value is None
    assert "nme_inter_ocular_51" not in group_by_seed.mean_scores(family)["full"]


def test_failures_of_all_seeds_are_counted(make, read, demo):
    make("demo-a", 0.040, failed=1)
    make("demo-a", 0.041, seed=1, failed=2)
    (row,) = table_of(read(), demo)[0].rows
    assert row.details[-1] == "3 of 80 without a prediction, means over 77"


def test_training_noise_ties_what_its_test_set_alone_would_tell(make, read, demo):
    """Each face of demo-b is a little harder, but its seeds lie farther apart than that."""
    for seed, level in enumerate((0.0396, 0.0400, 0.0404)):
        make("demo-a", level, seed=seed)
        make("demo-b", level + 0.0001, seed=seed)
    make("demo-c", 0.08)
    table, problems = table_of(read(), demo)
    assert [(row.name, row.rank) for row in table.rows] == [
        ("demo-a", 1),
        ("demo-b", 1),
        ("demo-c", 3),
    ]
    assert problems == []


def test_a_seed_whose_errors_are_lost_takes_the_rank_of_its_row(make, read, demo):
    make("demo-a", 0.040)
    (make("demo-a", 0.041, seed=1).folder / "errors.npz").unlink()
    make("demo-b", 0.050)
    table, problems = table_of(read(), demo)
    assert [(row.name, row.rank) for row in table.rows] == [("demo-a", None), ("demo-b", 1)]
    assert problems[0].place == "results/demo-full/demo-a/base/1"


def test_rows_apart_say_what_the_set_resolves_where_nothing_is_ranked(make, read, demo):
    make("demo-a", 0.04, data={"variant": "train 9 of 100", "fingerprint": "sha256:0", "train": 9})
    make("demo-b", 0.05, data={"variant": "train 9 of 100", "fingerprint": "sha256:0", "train": 9})
    table, _ = table_of(read(), demo)
    assert not table.rows
    assert len(table.detectable) == len(table.columns)
    assert min(reach for reach in table.detectable[:3]) > 0
