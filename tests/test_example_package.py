"""A third party's package: built, installed, listed, run, reported, named in the record."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from benchbox.cli import main

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
