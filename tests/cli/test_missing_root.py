"""A forgotten --data is said as such, first and by every command: ./data is what does not exist."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

import benchbox
from benchbox.cli.main_group import main
from benchbox.datasets import assemble
from benchbox.datasets.synthetic import ibug300w
from benchbox.errors import DataError
from benchbox.protocols import protocol_card
from benchbox.runs import run_data

ADVICE = "say --data DIR (in Python data=DIR) or set BENCHBOX_DATA"
NONE = f"there is no data root ./data: {ADVICE}"
OWN = """name = "mine"
title = "My faces"
dataset = "files"
layout = "ibug68"
[source]
images = "faces"
parts = {train = "train.csv", test = "test.csv"}
[train]
parts = ["train"]
expected = 8
[test]
overall = "all"
expected = 6
[test.groups]
all = ["test"]
[box]
source = "ground_truth"
choices = ["ground_truth", "bbox"]
[score]
normalisers = ["inter_pupil"]
"""
GAZE = """name = "mygaze"
title = "My gaze"
task = "gaze3d"
dataset = "files"
layout = ""
[source]
images = "faces"
parts = {train = "train.csv", test = "test.csv"}
[source.gaze]
columns = ["pitch", "yaw"]
positive = ["up", "left"]
unit = "rad"
[train]
parts = ["train"]
expected = 8
[test]
overall = "all"
expected = 6
[test.groups]
all = ["test"]
[box]
source = "none"
[score]
normalisers = []
metrics = ["error_deg"]
"""


def call(*words):
    return CliRunner().invoke(main, [str(word) for word in words])


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.delenv("BENCHBOX_DATA", raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.toml").write_text(OWN)
    (tmp_path / "mygaze.toml").write_text(GAZE)
    (tmp_path / "answers.csv").write_text("id,x0,y0\n1,2,3\n")
    return tmp_path


@pytest.mark.parametrize("card", ["mine.toml", "mine.toml+box=bbox", "mygaze.toml"])
@pytest.mark.parametrize(
    "words",
    [
        ("test", "protocol", "CARD"),
        ("run", "--method", "constant-gaze", "--protocol", "CARD"),
        ("data", "ids", "--protocol", "CARD"),
        ("data", "manifest", "--protocol", "CARD"),
        ("score", "answers.csv", "--protocol", "CARD", "--method", "theirs"),
    ],
)
def test_a_forgotten_root_is_named_before_any_file_below_it(card, words):
    method = "constant-gaze" if card == "mygaze.toml" else "mean-shape"
    swap = {"CARD": card, "constant-gaze": method}
    done = call(*(swap.get(word, word) for word in words))
    assert done.exit_code in (1, 2)
    assert NONE in done.output
    assert "data/" not in done.output
    assert "expected" not in done.output


@pytest.mark.parametrize("card", ["mine.toml", "mygaze.toml"])
def test_verify_of_own_files_names_the_root(card):
    done = call("data", "verify", card)
    assert (done.exit_code, done.stdout, done.stderr) == (2, "", f"error: {NONE}\n")


def test_python_names_the_root():
    with pytest.raises(DataError, match=rf"^{re.escape(NONE)}$"):
        benchbox.score("mine.toml", "answers.csv")


@pytest.mark.parametrize(
    "words",
    [
        ("run", "--method", "mean-shape", "--protocol", "300w-full", "--data", "/nonexistent"),
        ("data", "verify", "300w", "--data", "/nonexistent"),
    ],
)
def test_a_built_in_protocol_says_that_the_root_itself_is_missing(words):
    done = call(*words)
    assert done.exit_code == 2
    missing = f"300-W is missing: there is no data root /nonexistent: {ADVICE}; get it at http"
    assert done.stderr.startswith(f"error: {missing}")


def test_a_root_that_is_a_file_is_said_to_be_one():
    done = call("test", "protocol", "mine.toml", "--data", "answers.csv")
    assert f"the data root ./answers.csv is a file, not a folder: {ADVICE}" in done.output


def test_rendered_sets_need_no_root(tmp_path):
    card = protocol_card.load_protocol("synth-300w-full")
    run_data.require_data(card, tmp_path / "gone")


def test_boxes_for_a_rendered_set_need_the_root():
    # the files of a detector's boxes are the reader's own, wherever the faces come from
    card = protocol_card.load_protocol("synth-300w-full")
    card = replace(card, box="bbox", options={"box": ("bbox",)})
    with pytest.raises(DataError, match=rf"^{re.escape(NONE)}$"):
        assemble.assemble_index(card, Path("data"), known={"synth-300w": ibug300w.tiny()})
