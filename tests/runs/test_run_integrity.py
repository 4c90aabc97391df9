"""What was changed after a run was made is named whenever it is read, and none of it is used.

Each trap was met: a changed digit on a board, an error table of 1 % that was "better, p 0.002", one
seed in two folders with σ = 0, a smoke run that ranked first as "paper".
"""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner

from benchbox.analysis import compare, explain, regression_gate
from benchbox.cli import main
from benchbox.errors import ResultError
from benchbox.report.inputs import results as report_results
from benchbox.runs import (
    array_files,
    execute,
    result_changes,
    run_folders,
    run_integrity,
    run_plan,
    score_file,
    verified_files,
)

LOG = "stage,step,epoch,loss,samples_per_s,seconds\nstage,1,1,0.5,9.0,1\n"
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
    yield run_plan.RunRequest(
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
    folder = execute.run_method(request_one).run.folder
    (folder / "log.csv").write_text(LOG)
    run_folders.seal_again(folder)
    return folder


def edit_json(path, change):
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))


def unseal(folder):
    """As the first versions wrote scores: without digests and seal."""

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


def test_what_was_left_alone_is_read(folder):
    assert run_folders.read_run(folder).record.seed == 0


def test_what_is_laid_out_otherwise_says_the_same(folder):
    """A clone under Windows may end lines otherwise."""
    for name in ("run.json", "scores.json", "log.csv"):
        text = (folder / name).read_text()
        (folder / name).write_bytes(text.replace("\n", "\r\n").encode())
    assert run_folders.read_run(folder).record.seed == 0


def leaves(value, path=()):
    """Yield where each number, text and empty list of a JSON document stands."""
    entries = []
    if isinstance(value, dict):
        entries = list(value.items())
    elif isinstance(value, list):
        entries = list(enumerate(value))
    if not entries:
        yield path
    for key, entry in entries:
        yield from leaves(entry, (*path, key))


def changed(value):
    """Return something else of the same type."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + 1
    if isinstance(value, str):
        return f"{value}0"
    return {"more": 1} if isinstance(value, dict) else [1]


@pytest.mark.parametrize("name", ["run.json", "scores.json"])
def test_no_entry_of_a_record_or_of_scores_can_be_changed_added_or_taken_away(folder, name):
    """Whatever a board prints stands in one of the two: seconds, sizes, notes, intervals, units."""
    text = (folder / name).read_text()
    places = list(leaves(json.loads(text)))
    assert len(places) > 30
    for path in places:
        for action in ("change", "remove", "add"):
            document = json.loads(text)
            table = document
            for key in path[:-1]:
                table = table[key]
            if action == "change":
                table[path[-1]] = changed(table[path[-1]])
            elif action == "remove":
                del table[path[-1]]
            elif isinstance(table, dict):
                table["more"] = 1
            else:
                table.append(1)
            (folder / name).write_text(json.dumps(document))
            try:
                run_folders.read_run(folder)
            except ResultError:
                continue
            pytest.fail(f"{action} of {name}: {path} went unseen")
    (folder / name).write_text(text)
    assert run_folders.read_run(folder).record.seed == 0


@pytest.mark.parametrize("name", ["run.json", "scores.json"])
@pytest.mark.parametrize("damage", ["merge", "cut"])
def test_merge_markers_and_files_cut_short(world, folder, name, damage):
    text = (folder / name).read_text()
    if damage == "cut":
        text = text[: len(text) // 2]
    else:
        text = f"<<<<<<< HEAD\n{text}=======\n{text}>>>>>>> theirs\n"
    (folder / name).write_text(text)
    refused_everywhere(world, folder, rf"{name}(:1)?: is no JSON|{name}:\d+: is no JSON")


def test_a_changed_digit_of_a_score(world, folder):
    def lower(document):
        first_score(document)["value"] -= 0.001

    edit_json(folder / "scores.json", lower)
    refused_everywhere(world, folder, r"scores\.json: was changed after it was written")


def test_a_changed_digit_beside_an_error_table_that_is_gone(world, folder):
    """Scores were looked at only where the table was there, and printed all the same."""
    edit_json(folder / "scores.json", lambda document: first_score(document).update(value=0.1))
    (folder / "errors.npz").unlink()
    refused_everywhere(world, folder, r"scores\.json: was changed after it was written")


def test_scores_whose_seal_was_taken_off(world, folder):
    unseal(folder)
    refused_everywhere(world, folder, r"scores\.json: has no seal")


def test_an_error_table_of_one_percent(world, folder):
    table = run_folders.read_errors(run_folders.read_run(folder))
    table["nme_inter_ocular"] *= 0.01
    array_files.write_npz(folder / "errors.npz", {"errors": table}, "fast")
    refused_everywhere(world, folder, r"errors\.npz: was changed after the run was scored")


@pytest.mark.parametrize("name", ["errors", "points"])
def test_a_table_laid_beside_the_one_that_was_sealed(world, folder, name):
    """Tables of the older form are read first: one beside a sealed table stood for it."""
    table = run_folders.read_errors(run_folders.read_run(folder))
    table["nme_inter_ocular"] *= 0.01
    np.save(folder / f"{name}.npy", table)
    refused_everywhere(world, folder, rf"{name}\.npy: came after the run was scored")


def flip_bit(file, share):
    content = bytearray(file.read_bytes())
    content[int(share * len(content))] ^= 1
    file.write_bytes(content)


@pytest.mark.parametrize("name", ["errors.npz", "points.npz", "predictions.npz", "log.csv"])
def test_no_flipped_bit_changes_what_is_read(folder, name):
    """A bit may fall on a date or a name within the archive, which changes no number."""
    run_folders.save_points(folder, np.ones(300, [("error", "f8"), ("group", "U9")]))
    whole = (folder / name).read_bytes()
    digest = run_integrity.digest_files(folder)[name]
    refused = 0
    for share in np.arange(0.01, 1, 0.02):
        (folder / name).write_bytes(whole)
        flip_bit(folder / name, share)
        try:
            run_folders.read_run(folder)
        except ResultError:
            refused += 1
        else:
            assert run_integrity.digest_files(folder)[name] == digest
    assert refused > 30


def test_scores_of_another_seed(world, request_one, folder):
    """Method, variant, card and data of two seeds are the same, and so are the files' names."""
    other = execute.run_method(replace(request_one, seed=1)).run.folder
    for name in ("scores.json", "errors.npz"):
        shutil.copyfile(folder / name, other / name)
    refused_everywhere(world, other, r"run\.json: was changed after the run was scored")


def test_a_training_log_of_another_run(world, folder):
    with (folder / "log.csv").open("a") as log:
        log.write("stage,2,1,0.4,9.0,2\n")
    refused_everywhere(world, folder, r"log\.csv: was changed after the run was scored")


def test_a_changed_record_is_not_sealed_by_scoring_it_again(world, folder):
    edit_json(folder / "run.json", lambda record: record["seconds"].update(train=0.1))
    refused_everywhere(world, folder, r"run\.json: was changed after the run was scored")
    with pytest.raises(ResultError, match=r"run\.json: was changed after the run was scored"):
        result_changes.rescore_run(run_folders.read_record(folder), world.data)
    (folder / "log.csv").unlink()  # what is gone is not what was changed
    with pytest.raises(ResultError, match=r"run\.json: was changed"):
        result_changes.rescore_run(run_folders.read_record(folder), world.data)


def test_statistics_of_points_that_were_changed(world, folder):
    table = np.ones(3, [("error", "f8")])
    run_folders.save_points(folder, table)
    assert run_folders.has_points(run_folders.read_run(folder))
    table["error"] *= 0.5
    array_files.write_npz(folder / "points.npz", {"points": table}, "fast")
    refused_everywhere(world, folder, r"points\.npz: was changed after the run was scored")


def test_predictions_that_are_not_those_of_the_record(world, folder):
    with np.load(folder / "predictions.npz") as archive:
        columns = {name: archive[name] for name in archive.files}
    columns["values"][0, 0, 0] += 1
    array_files.write_npz(folder / "predictions.npz", columns)
    refused_everywhere(world, folder, r"predictions\.npz is not what its record was made with")
    with pytest.raises(ResultError, match="is not what its record was made with"):
        explain.explain_predictions(folder / "predictions.npz", "tiny", world.data)
    words = ["results", "predictions", str(folder), "--out", str(world.results / "out.csv")]
    done = CliRunner().invoke(main, [*words, "--data", str(world.data)])
    assert done.exit_code == 2
    assert "is not what its record was made with" in done.stderr


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


def test_a_copy_of_what_was_submitted_is_no_second_seed(world, folder):
    """What was submitted has no seed in its record: any number of copies had a spread of 0."""
    file = folder / "predictions.npz"
    shutil.copyfile(file, world.results / "theirs.npz")
    score_file.score_predictions_file(
        world.results / "theirs.npz", "tiny", "theirs", world.data, world.results
    )
    place = world.results / "tiny" / "theirs" / "submitted"
    assert run_folders.read_run(place / "0").record.seed is None
    shutil.copytree(place / "0", place / "1")
    with pytest.raises(ResultError, match="its record is of seed 0, not of seed 1"):
        run_folders.read_run(place / "1")


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
    with pytest.raises(ResultError, match="`benchbox results rescore RUN` derives it again"):
        execute.run_method(request_one)
    (folder / "scores.json").unlink()
    (folder / "errors.npz").unlink()
    assert execute.run_method(request_one).run.folder == folder
    assert run_folders.read_run(folder).record.seed == 0


def test_rescoring_compares_errors_and_intervals_too(world, folder):
    """Who seals a forgery is found out by the annotations alone."""
    assert regression_gate.rescore_runs(world.results, world.data) == ([], [])
    table = run_folders.read_errors(run_folders.read_run(folder))
    swapped = table["nme_inter_ocular"].copy()
    swapped[[0, 1]] = swapped[[1, 0]]
    table["nme_inter_ocular"] = swapped
    array_files.write_npz(folder / "errors.npz", {"errors": table}, "fast")
    edit_json(folder / "scores.json", lambda document: first_score(document).update(low=0.1))
    run_folders.seal_again(folder)
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
