"""Stored results that are renamed, moved, scored again or deleted: their records stay true."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from benchbox.cli import main
from benchbox.errors import ProtocolError, ResultError
from benchbox.runs import execute, result_changes, run_folders, run_plan

CENTRE = """
import numpy as np
def predictor(weights, device):
    def predict(samples):
        boxes = np.stack([s.box for s in samples])
        return np.repeat((boxes[:, None, :2] + boxes[:, None, 2:]) / 2, 68, axis=1)
    return predict
"""


@pytest.fixture
def request_centre(world):
    world.method("centre", CENTRE)
    standard = run_plan.RunRequest("centre", "tiny", device="cpu", data=world.data)
    return replace(standard, results=world.results, methods=(world.methods,))


@pytest.fixture
def run(request_centre):
    return execute.run_method(request_centre).run


def new_card(world, name: str, **changes: str) -> None:
    folder = world.site / "tiny_cards"
    text = (folder / "tiny.toml").read_text().replace('name = "tiny"', f'name = "{name}"')
    for old, new in changes.items():
        text = text.replace(old, new)
    (folder / f"{name}.toml").write_text(text)


def test_a_renamed_method_keeps_its_number_and_says_what_it_was(world, run):
    before = run_folders.read_scores(run)
    (folder,) = result_changes.rename_method(world.results, "centre", "middle")
    assert folder == world.results / "tiny" / "middle" / "v" / "0"
    renamed = run_folders.read_run(folder)  # whole and sealed
    assert run_folders.read_scores(renamed) == before
    document = json.loads((folder / "run.json").read_text())
    assert document["renamed"] == [{"method": "centre"}]
    assert document["command"].startswith("benchbox run --method middle ")
    assert not (world.results / "tiny" / "centre").exists()
    with pytest.raises(ResultError, match="no results of method 'centre'"):
        result_changes.rename_method(world.results, "centre", "middle")


@pytest.mark.parametrize(
    "words",
    [["rename", "method", "centre", "middle"], ["move", "tiny/centre", "--to", "{}"], ["prune"]],
)
def test_a_run_that_cannot_be_read_is_named_and_left_where_it_is(
    world, request_centre, run, words, tmp_path
):
    """Trap: the seeds that could be read got the new name, the other one kept the old one."""
    broken = execute.run_method(replace(request_centre, seed=1)).run.folder
    (broken / "run.json").write_text("<<<<<<< HEAD\n")
    words = [word.format(tmp_path / "elsewhere") for word in words]
    done = CliRunner().invoke(main, ["results", *words, "--results", str(world.results)])
    assert done.exit_code == 0, done.output
    assert f"note: left as it is, as it cannot be read: {broken}/run.json:1" in done.stderr
    assert (broken / "run.json").is_file()
    assert run.folder.is_dir() == (words[0] == "prune")


def test_a_protocol_is_renamed_only_to_a_card_that_decides_alike(world, run):
    """Trap: a renamed card left its results behind; a changed one would have taken them along."""
    with pytest.raises(ProtocolError, match="no protocol is called 'small'"):
        result_changes.rename_protocol(world.results, "tiny", "small")
    new_card(world, "other", **{"version = 1": "version = 2"})
    with pytest.raises(ResultError, match="was made under another card than other is"):
        result_changes.rename_protocol(world.results, "tiny", "other")
    assert run_folders.read_run(run.folder)
    new_card(world, "small")
    (folder,) = result_changes.rename_protocol(world.results, "tiny", "small")
    assert run_folders.read_run(folder).record.card == run.record.card
    assert "--protocol small " in run_folders.read_run(folder).record.command


def test_nothing_is_written_over(world, run, tmp_path):
    other = tmp_path / "other"
    (folder,) = result_changes.move_runs(world.results, ["tiny/centre"], other)
    assert run_folders.read_run(folder).folder == other / "tiny" / "centre" / "v" / "0"
    assert not list(run_folders.list_runs(world.results))
    (back,) = result_changes.move_runs(other, ["tiny"], world.results)
    (other / "tiny" / "centre" / "v" / "0").mkdir(parents=True)
    with pytest.raises(ResultError, match="is there already"):
        result_changes.move_runs(world.results, ["tiny"], other)
    assert run_folders.read_run(back)
    with pytest.raises(ResultError, match="no run that can be read"):
        result_changes.move_runs(world.results, ["nowhere"], other)
    with pytest.raises(ResultError, match="name a place below"):
        result_changes.move_runs(world.results, ["../data"], other)


def test_what_a_version_bump_leaves_behind_is_named_and_deleted_on_demand(world, run):
    words = ["results", "prune", "--results", str(world.results)]
    assert "0 runs are out of date" in CliRunner().invoke(main, words).stderr
    card = world.site / "tiny_cards" / "tiny.toml"
    card.write_text(card.read_text().replace("version = 1", "version = 2"))
    named = CliRunner().invoke(main, words)
    assert "another protocol card" in named.stdout
    assert run.folder.exists()
    assert CliRunner().invoke(main, [*words, "--yes"]).exit_code == 0
    assert not run.folder.exists()


def test_derived_files_come_back_and_only_from_the_same_annotations(world, run):
    before = {name: (run.folder / name).read_bytes() for name in ("scores.json", "errors.npz")}
    (run.folder / "scores.json").write_text("{")
    words = ["results", "rescore", str(run.folder), "--data", str(world.data)]
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 0, done.output
    assert {name: (run.folder / name).read_bytes() for name in before} == before
    table = world.data / "ytf68" / "training_frames_keypoints.csv"
    table.write_text(table.read_text().replace("Abdullah_Gul_00.jpg,", "Abdullah_Gul_00.jpg,1"))
    refused = CliRunner().invoke(main, words)
    assert refused.exit_code == 2
    assert "holds other annotations than it was scored with" in refused.stderr
    assert Path(run.folder / "scores.json").read_bytes() == before["scores.json"]
