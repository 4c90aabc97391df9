"""A third party's package: built, installed, listed, run, reported, named in the record."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from benchbox.authoring.smoke_job import make_smoke_job
from benchbox.cli import main
from benchbox.plugins import method_card
from benchbox.training import process_setup, train_log

EXAMPLE = Path(__file__).parents[1] / "docs" / "example-package"


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """A folder that holds the package as pip installs it from a wheel."""
    place = tmp_path_factory.mktemp("installed")
    source = tmp_path_factory.mktemp("source") / "example"
    import shutil

    shutil.copytree(EXAMPLE, source)  # a build leaves files beside the sources
    done = subprocess.run(
        [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation",
         "--no-index", "--target", place, source],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return place


def call(*words):
    return CliRunner().invoke(main, [str(word) for word in words])


def test_it_is_listed_run_reported_and_named_in_the_record(installed, world, monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(installed)
    listed = json.loads(call("list", "methods", "--json").stdout)
    (mine,) = [method for method in listed if method["name"] == "box-centre"]
    assert mine["source"] == "example-faces 1.2.0"
    assert [variant["name"] for variant in mine["variants"]] == ["box-centre", "small"]
    protocols = json.loads(call("list", "protocols", "--json").stdout)
    (card,) = [card for card in protocols if card["name"] == "example-challenging"]
    assert card["normalisers"] == ["face_size"]
    words = ["run", "--protocol", "tiny", "--data", world.data, "--results", world.results]
    for variant in ("box-centre", "small"):
        done = call(*words, "--method", "box-centre", "--variant", variant)
        assert done.exit_code == 0, done.output
    record = json.loads((world.results / "tiny/box-centre/box-centre/0/run.json").read_text())
    assert record["code"]["source"] == "example-faces 1.2.0"
    found = json.loads(call("list", "results", "--results", world.results, "--json").stdout)
    assert len({row["score"] for row in found}) == 2
    done = call("report", "--results", world.results, "--out", tmp_path / "site")
    assert done.exit_code == 0, done.output
    assert "Middle of the box" in (tmp_path / "site/index.html").read_text()


def test_a_folder_given_by_hand_leaves_no_path_in_the_record(world):
    world.method("hand", (EXAMPLE / "example_faces/box_centre/__init__.py").read_text(),
                 "params = {radius = 0.3}")  # fmt: skip
    done = call(
        "run", "--method", "hand", "--methods", world.methods, "--protocol", "tiny",
        "--data", world.data, "--results", world.results,
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    record = json.loads((world.results / "tiny/hand/v/0/run.json").read_text())
    assert record["code"]["source"] is None


@pytest.mark.parametrize("template", ["python", "torch", "external"])
def test_templates_work_as_they_are_written(template, tmp_path, monkeypatch):
    """Trap: a template that was edited and never run again."""
    monkeypatch.chdir(tmp_path)
    made = call("new", "method", "mine", "--template", template)
    assert made.exit_code == 0, made.output
    tried = call("test", "method", "mine", "--methods", "methods")
    assert tried.exit_code == 0, tried.output
    assert "FAIL" not in tried.stdout


@pytest.mark.parametrize("task", ["gaze3d", "gaze2d"])
def test_the_external_template_answers_gaze_too(task, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made = call("new", "method", "mine", "--template", "external", "--task", task)
    assert made.exit_code == 0, made.output
    tried = call("test", "method", "mine", "--methods", "methods")
    assert "ok    answers: " in tried.stdout, tried.output


class KilledError(Exception):
    pass


def test_a_killed_training_of_the_torch_template_goes_on_from_its_checkpoint(tmp_path, monkeypatch):
    """The trap: "the same command goes on from here" of a recipe that saved nothing."""
    monkeypatch.chdir(tmp_path)
    assert call("new", "method", "mine", "--template", "torch").exit_code == 0
    card = method_card.find_card("mine", [Path("methods")])
    module = method_card.import_method(card)
    job, _ = make_smoke_job("landmarks")
    job = replace(job, params=method_card.merge_params(card, "", "smoke"))
    real, seen = train_log.TrainLog.step, []

    def step(self, number, loss):
        seen.append(number)
        if number == 8 and seen.count(8) == 1:
            raise KilledError
        real(self, number, loss)

    for name in ("killed", "whole"):
        (tmp_path / name).mkdir()
    monkeypatch.setattr(train_log.TrainLog, "step", step)
    process_setup.prepare_process("cpu", 0)
    with pytest.raises(KilledError):
        module.train(replace(job, out=tmp_path / "killed"))
    module.train(replace(job, out=tmp_path / "killed"))
    assert seen == [*range(1, 9), *range(6, 21)]  # the smoke budget saves after every 5th of 20
    lines = (tmp_path / "killed" / "log.csv").read_text().splitlines()
    assert [int(line.split(",")[1]) for line in lines[1:]] == list(range(1, 21))
    process_setup.prepare_process("cpu", 0)
    module.train(replace(job, out=tmp_path / "whole"))
    weights = [(tmp_path / name / "net.safetensors").read_bytes() for name in ("killed", "whole")]
    assert weights[0] == weights[1]
    assert not (tmp_path / "killed" / "net.checkpoint").exists()


def test_the_torch_template_is_profiled(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert call("new", "method", "mine", "--template", "torch").exit_code == 0
    words = ("profile", "--method", "mine", "--methods", "methods", "--count-only", "--json")
    done = call(*words)
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["params"] == 376_584


def test_a_method_that_looks_at_no_pixel_says_that_it_is_a_baseline():
    """The trap: a circle about the middle of the box led its board."""
    assert method_card.read_card(EXAMPLE / "example_faces" / "box_centre").baseline is True
