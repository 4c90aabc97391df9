"""Single items of a run: what is hard for it, and where it and the others disagree."""

import numpy as np
import pytest

from benchbox.metrics import metric_names
from benchbox.report.inputs import results as stored
from benchbox.report.pages import run_page, worst_items

NME = metric_names.parse_metric("nme_inter_ocular")


@pytest.fixture
def read(tmp_path):
    """Return a function that reads what is stored below tmp_path/results."""
    return lambda: stored.read_results(tmp_path / "results")[0]


def test_what_all_find_hard_is_not_disputed():
    """The trap: the largest errors, called disputed."""
    ids = np.array(["a", "b", "c", "d", "e"])
    own = np.array([0.90, 0.02, 0.20, np.inf, np.nan])
    others = np.array(
        [
            [0.91, 0.89, 0.90],
            [0.30, 0.50, 0.40],
            [0.10, 0.30, 0.10],
            [0.1, 0.1, 0.1],
            [0.1, 0.1, 0.1],
        ]
    )
    medians = np.median(others, axis=1)
    assert worst_items.most_disputed_rows(ids, own, medians) == [1, 2], (
        "the median of the others; no answer is no dispute"
    )
    listed = worst_items.list_disputed_items(
        [1], ids, own, medians, {"x": np.array([0, 1, 0, 0, 0], bool)}, NME
    )
    assert listed == [worst_items.Item("b", "x", "2.00", "40.00")]
    nobody = worst_items.Rivals((), ids, others[:, :0], {})
    assert worst_items.most_disputed_rows(ids, own, nobody.medians) == []


def test_the_farthest_rows_are_those_of_a_whole_sort():
    """The trap: the few that are sorted miss a tie, or take in what has no number."""
    draws = np.random.default_rng(3)
    for count in (1, 11, 12, 13, 200):
        ids = np.array([f"face {k}" for k in draws.permutation(count)])
        own = draws.integers(0, 6, count) / 4  # many ties
        medians = draws.integers(0, 6, count) / 4
        own[draws.random(count) < 0.2] = np.inf
        medians[draws.random(count) < 0.2] = np.nan
        with np.errstate(invalid="ignore"):
            far = np.abs(own - medians)
        usable = [row for row in range(count) if np.isfinite(far[row]) and far[row] > 0]
        expected = sorted(usable, key=lambda row: (-far[row], ids[row]))[:12]
        assert worst_items.most_disputed_rows(ids, own, medians) == expected


def test_rivals_are_the_best_run_of_each_other_variant(make, read, demo):
    make("demo-a", 0.040, seed=1)
    make("demo-a", 0.039, seed=2)
    make("demo-b", 0.050)
    make("demo-c", 0.020, card="sha256:" + "00" * 32)
    chosen = worst_items.choose_rivals(read(), demo)
    assert [(result.run.method, result.run.seed) for result in chosen] == [
        ("demo-a", "2"),
        ("demo-b", "0"),
    ]
    rivals = worst_items.read_rivals(chosen, demo)
    own = next(result for result in read() if result.run.seed == "1")
    ids = stored.read_ids(own.run, own.n)
    beside = rivals.beside(own, ids)
    assert [run.run.method for run in beside.runs] == ["demo-b"], "another seed is no rival"
    assert beside.errors.shape == (40, 1)
    np.testing.assert_array_equal(beside.medians, beside.errors[:, 0], "not those of all")
    assert rivals.beside(own, ids[::-1]).runs == (), "other items"


def test_a_page_names_whom_it_is_held_against(make, read, demo):
    make("demo-a", 0.040)
    make("demo-b", 0.050)
    make("demo-c", 0.060)
    found = read()
    rivals = worst_items.read_rivals(worst_items.choose_rivals(found, demo), demo)
    page = run_page.build_run_page(found[0], demo, {}, rivals=rivals)
    assert page.singled.rivals == (
        ("demo-b base", "run/demo-full/demo-b/base/0.html"),
        ("demo-c base", "run/demo-full/demo-c/base/0.html"),
    )
    item = page.singled.disputed[0]
    assert (item.id, item.groups) == ("demo/face_39", "challenging"), (
        "the hardest face differs most in proportion"
    )
    own, other = float(item.error), float(item.others)
    assert other == pytest.approx(own * 0.055 / 0.040, abs=0.02), "the median of two"
    assert [title for title, _ in page.singled.drawn][-1] == "Most disputed"
    assert [answer.label for answer in page.singled.drawn[-1][1][0].predictions] == [
        "this run",
        "demo-b base",
    ]


def test_a_rival_that_cannot_be_read_is_left_out(make, read, demo):
    make("demo-a", 0.040)
    (make("demo-b", 0.050).folder / "errors.npz").unlink()
    (make("demo-c", 0.055).folder / "predictions.npz").write_bytes(b"")
    rivals = worst_items.read_rivals(worst_items.choose_rivals(read(), demo), demo)
    assert [run.run.method for run in rivals.runs] == ["demo-a"]
