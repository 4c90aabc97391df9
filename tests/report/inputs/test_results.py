"""Runs as the pages see them: every field checked, nothing damaged becomes a number."""

import json

import numpy as np
import pytest

from benchbox.errors import ResultError
from benchbox.report.inputs import results as stored


def edit(run, name, change):
    path = run.folder / name
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))


def test_a_run_is_read_whole(make, tmp_path):
    make("demo-a", 0.04, overrides={"b": 1, "a": True})
    (result,), problems = stored.read_results(tmp_path / "results")
    assert problems == []
    assert list(result.overrides) == ["a", "b"]
    assert (result.n, result.failed, result.train, result.data) == (40, 0, 100, "complete")
    assert result.scores["full"]["nme_inter_ocular"].unit == "%"
    assert [stage.name for stage in stored.read_training_log(result.run)] == ["global", "local"]
    assert stored.read_ids(result.run, 40)[0] == "demo/face_00"


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("scores.json", lambda d: d.update(n="40"), "scores.json: 'n' is '40', expected a count"),
        ("scores.json", lambda d: d.update(failed=-1), "'failed' is -1"),
        ("scores.json", lambda d: d.update(scores=[]), "one table per group"),
        ("scores.json", lambda d: d["scores"]["full"].update(x=3), "full.x must be a table"),
        (
            "scores.json",
            lambda d: d["scores"]["full"]["nme_inter_ocular"].update(value="low"),
            "expected a finite",
        ),
        (
            "scores.json",
            lambda d: d["scores"]["full"]["nme_inter_ocular"].update(low=True),
            "expected a finite",
        ),
        ("scores.json", lambda d: d.update(card=None), "'card' is None, expected a text"),
        ("run.json", lambda d: d.update(variant=7), "'variant' is 7"),
        ("run.json", lambda d: d["data"].update(train=1.5), "'train' is 1.5"),
        ("run.json", lambda d: d.update(kind="paper"), "kind = 'paper'"),
    ],
)
def test_a_damaged_record_is_a_problem_with_its_key(make, tmp_path, name, change, message):
    edit(make("demo-a", 0.04), name, change)
    found, problems = stored.read_results(tmp_path / "results")
    assert found == []
    assert message in problems[0].reason
    assert problems[0].place == "results/demo-full/demo-a/base/0"
    assert str(tmp_path) not in problems[0].reason


def test_errors_that_do_not_fit_are_refused(make, tmp_path):
    run = make("demo-a", 0.04)
    (result,), _ = stored.read_results(tmp_path / "results")
    table = stored.read_errors(result)
    with pytest.raises(ResultError, match="no column 'nme_height'"):
        stored.item_errors(table, "nme_height")
    with pytest.raises(ResultError, match="no column 'in_easy'"):
        stored.group_mask(table, "easy")
    # no error exists for this face: none of its points is visible
    table["nme_inter_ocular"][2] = np.nan
    assert np.isnan(stored.item_errors(table, "nme_inter_ocular")[2])
    table["nme_inter_ocular"][3] = -0.1
    with pytest.raises(ResultError, match="are no errors"):
        stored.item_errors(table, "nme_inter_ocular")
    np.save(run.folder / "errors.npy", table[:5])
    with pytest.raises(ResultError, match=r"5 rows, scores\.json counts 40"):
        stored.read_errors(result)
    with pytest.raises(ResultError, match="do not fit the 5 errors"):
        stored.read_ids(run, 5)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("stage,step\na,1\n", "line 2: needs numbers in the columns step and loss"),
        ("stage,step,epoch,loss\na,1,0,x\n", "line 2"),
        ("stage,step,epoch,loss\n\na,1,0,1\na,2\n", "line 3"),
        ("stage,step,loss\na,1," + "9" * 200_000 + "\n", "no table: field larger than field limit"),
    ],
)
def test_a_damaged_log_names_its_line(make, text, message):
    run = make("demo-a", 0.04)
    (run.folder / "log.csv").write_text(text)
    with pytest.raises(ResultError, match=message):
        stored.read_training_log(run)


def test_losses_that_are_no_numbers_are_left_out(make):
    run = make("demo-a", 0.04)
    (run.folder / "log.csv").write_text("stage,step,epoch,loss\na,1,0,1.0\na,2,0,nan\na,3,0,inf\n")
    assert stored.read_training_log(run) == (stored.TrainingStage("a", (1.0,), (1.0,)),)


@pytest.mark.parametrize(
    ("name", "wanted"),
    [("glsr", "glsr"), ("300w-full", "300w-full"), ("b_1.x", "b_1.x")],
)
def test_plain_names_stay(name, wanted):
    assert stored.file_slug(name) == wanted


@pytest.mark.parametrize(
    "name", ["../x", "..", "a..b", "A", "a/b", "<b>", "", "é", "a+b=c", "x" * 200]
)
def test_other_names_become_safe_and_stay_different(name):
    made = stored.file_slug(name)
    assert made == stored.file_slug(name)
    assert made != stored.file_slug(name + "2")
    assert all(letter in "abcdefghijklmnopqrstuvwxyz0123456789_-" for letter in made)
    assert len(made) < 64


@pytest.mark.parametrize("text", ["", "\n", "stage,step,loss\n"])
def test_a_log_without_a_step_is_empty(make, text):
    run = make("demo-a", 0.04)
    (run.folder / "log.csv").write_text(text)
    assert stored.read_training_log(run) == ()
