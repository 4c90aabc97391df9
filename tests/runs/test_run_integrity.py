"""What was changed after a run was made is named whenever it is read, and none of it is used.

Each trap was met: a changed digit on a board, an error table of 1 % that was "better, p 0.002", one
seed in two folders with σ = 0, a smoke run that ranked first as "paper".
"""

import json
import shutil

import numpy as np
import pytest

from benchbox.analysis import compare, regression_gate
from benchbox.errors import ResultError
from benchbox.report.inputs import results as report_results
from benchbox.runs import array_files, execute, run_folders, verified_files

CODE = """
import numpy as np

def predictor(weights, device):
    def predict(samples):
        offsets = np.arange(136).reshape(68, 2)
        return np.stack([s.box[:2] + offsets for s in samples]).astype(np.float32)
    return predict
"""


@pytest.fixture
def request_one(world, monkeypatch, tmp_path):
    monkeypatch.setenv("BENCHBOX_CACHE", str(tmp_path / "cache"))
    verified_files._memory.cache_clear()
    world.method("mine", CODE)
    yield execute.RunRequest(
        "mine",
        "tiny",
        device="cpu",
        data=world.data,
        results=world.results,
        methods=(world.methods,),
    )
    verified_files._memory.cache_clear()


@pytest.fixture
def folder(request_one):
    return execute.run_method(request_one).run.folder


def edit_json(path, change):
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))


def unseal(folder):
    """As earlier versions wrote scores: without digests and seal."""

    def remove(document):
        del document["seal"], document["digests"]

    edit_json(folder / "scores.json", remove)


def first_score(document):
    return document["scores"]["unseen"]["nme_inter_ocular"]


def refused_everywhere(world, folder, pattern):
    with pytest.raises(ResultError, match=pattern):
        run_folders.read_run(folder)
    (found,) = [run for run in run_folders.list_runs(world.results) if run.folder == folder]
    assert isinstance(found, run_folders.UnreadableRun)
    used, problems = report_results.read_results(world.results)
    assert folder not in [result.run.folder for result in used]
    assert len(problems) == 1
    with pytest.raises(ResultError, match=pattern):
        compare.compare_runs([str(folder), str(folder)], world.results)


def test_what_was_left_alone_is_read(world, folder):
    assert run_folders.read_run(folder).record.seed == 0
    unseal(folder)
    assert run_folders.read_run(folder).record.seed == 0


@pytest.mark.parametrize("is_sealed", [True, False])
def test_a_changed_digit_of_a_score(world, folder, is_sealed):
    if not is_sealed:
        unseal(folder)

    def lower(document):
        first_score(document)["value"] -= 0.001

    edit_json(folder / "scores.json", lower)
    refused_everywhere(world, folder, r"scores\.json: (was changed|unseen nme_inter_ocular is)")


def test_a_changed_interval_of_a_sealed_score(world, folder):
    edit_json(folder / "scores.json", lambda document: first_score(document).update(low=0.1))
    refused_everywhere(world, folder, r"scores\.json: was changed after it was written")


@pytest.mark.parametrize("is_sealed", [True, False])
def test_an_error_table_of_one_percent(world, folder, is_sealed):
    if not is_sealed:
        unseal(folder)
    table = run_folders.read_errors(run_folders.read_run(folder))
    table["nme_inter_ocular"] *= 0.01
    array_files.write_npz(folder / "errors.npz", {"errors": table}, "fast")
    refused_everywhere(world, folder, r"errors\.npz")


def test_statistics_of_points_that_were_changed(world, folder):
    table = np.ones(3, [("error", "f8")])
    run_folders.save_points(folder, table)
    assert run_folders.has_points(run_folders.read_run(folder))
    table["error"] *= 0.5
    array_files.write_npz(folder / "points.npz", {"points": table}, "fast")
    refused_everywhere(world, folder, r"points\.npz: was changed after it was written")


def test_predictions_that_are_not_those_of_the_record(world, folder):
    with np.load(folder / "predictions.npz") as archive:
        columns = {name: archive[name] for name in archive.files}
    columns["values"][0, 0, 0] += 1
    array_files.write_npz(folder / "predictions.npz", columns)
    refused_everywhere(world, folder, r"predictions\.npz is not what its record was made with")


def test_predictions_packed_otherwise_are_the_same_ones(folder):
    with np.load(folder / "predictions.npz") as archive:
        columns = {name: archive[name] for name in archive.files}
    array_files.write_npz(folder / "predictions.npz", columns, "fast")
    assert run_folders.read_run(folder).record.seed == 0


@pytest.mark.parametrize("copied", ["tiny/mine/v/7", "tiny/mine/w/0"])
def test_a_copied_seed_or_variant_is_no_other_run(world, folder, copied):
    shutil.copytree(folder, world.results / copied)
    with pytest.raises(ResultError, match=r"its record is of (seed 0|v \(variant v)"):
        run_folders.read_run(world.results / copied)
    used, problems = report_results.read_results(world.results)
    assert [result.run.folder for result in used] == [folder]
    assert [problem.place for problem in problems] == [f"results/{copied}"]


def test_a_budget_that_was_typed_into_a_record(world, folder):
    edit_json(folder / "run.json", lambda record: record.update(budget="paper"))
    refused_everywhere(
        world, folder, r"its record is of v\+budget=paper \(variant v, budget paper\)"
    )


@pytest.mark.parametrize(("key", "value"), [("card", "sha256:0"), ("kind", "weights?")])
def test_scores_of_another_card_or_kind(world, folder, key, value):
    unseal(folder)
    edit_json(folder / "scores.json", lambda document: document.update({key: value}))
    refused_everywhere(world, folder, rf"scores\.json: {key} is .*, its record says")


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (float("nan"), r"scores\.json: is no JSON \(NaN"),
        (-0.5, r"scores\.json: unseen\.nme_inter_ocular holds"),
    ],
)
def test_a_value_that_no_error_can_be(world, folder, value, said):
    unseal(folder)
    edit_json(folder / "scores.json", lambda document: first_score(document).update(value=value))
    refused_everywhere(world, folder, said)


def test_deleted_scores_are_derived_again_and_fit(world, request_one, folder):
    edit_json(folder / "scores.json", lambda document: first_score(document).update(value=1.0))
    with pytest.raises(ResultError, match=r"delete scores\.json and errors\.npz, and the same"):
        execute.run_method(request_one)
    (folder / "scores.json").unlink()
    (folder / "errors.npz").unlink()
    assert execute.run_method(request_one).run.folder == folder
    assert run_folders.read_run(folder).record.seed == 0


def test_rescoring_compares_errors_and_intervals_too(world, folder):
    assert regression_gate.rescore_runs(world.results, world.data) == ([], [])
    unseal(folder)  # an earlier version's files, changed together: only the annotations can tell
    table = run_folders.read_errors(run_folders.read_run(folder))
    swapped = table["nme_inter_ocular"].copy()
    swapped[[0, 1]] = swapped[[1, 0]]
    table["nme_inter_ocular"] = swapped
    array_files.write_npz(folder / "errors.npz", {"errors": table}, "fast")
    edit_json(folder / "scores.json", lambda document: first_score(document).update(low=0.1))
    changes, _ = regression_gate.rescore_runs(world.results, world.data)
    texts = [change.text for change in changes]
    assert [change.regression for change in changes] == [True, True]
    assert "the interval of unseen nme_inter_ocular was (0.1" in texts[0]
    assert "2 of 6 values of the error table's nme_inter_ocular differ" in texts[1]


def test_a_run_that_cannot_be_read_fails_a_rescoring(world, folder):
    edit_json(folder / "run.json", lambda record: record.update(budget="paper"))
    ((change,), _) = regression_gate.rescore_runs(world.results, world.data)
    assert (change.place, change.regression) == ("tiny/mine/v/0", True)


# --- memory ---------------------------------------------------------------------------------------


def test_what_is_known_of_a_file_is_asked_once_until_it_is_touched(tmp_path, monkeypatch):
    monkeypatch.setenv("BENCHBOX_CACHE", str(tmp_path / "cache"))
    verified_files._memory.cache_clear()
    file, asked = tmp_path / "a.txt", []
    file.write_text("one")

    def work_out():
        asked.append(file.read_text())
        return asked[-1]

    def ask():
        return verified_files.remember("text", [file], work_out)

    assert (ask(), ask()) == ("one", "one")
    assert asked == ["one", "one"]  # a file of this moment is looked at each time
    monkeypatch.setattr(verified_files, "_SETTLED_NS", -1)
    ask()
    ask()
    assert len(asked) == 3
    verified_files.save_memory()
    verified_files._memory.cache_clear()  # another process
    assert ask() == "one"
    assert len(asked) == 3
    file.write_text("two")  # as long as before
    assert ask() == "two"
    (tmp_path / "cache" / "verified-v1.json").write_text("[" * 100_000)  # a broken memory is none
    verified_files._memory.cache_clear()
    assert ask() == "two"
    verified_files._memory.cache_clear()
