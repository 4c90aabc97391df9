"""A run and a score refuse what `data verify` calls wrong, or keep what somebody accepted."""

import json
import re
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from benchbox import cli
from benchbox.datasets.shape_fit import mean_face

CARD = """
name = "mine"
title = "My faces"
dataset = "files"
layout = "ibug68"
source = {images = "mine", parts = {train = "mine/train.csv", test = "mine/test.csv"}}
train = {parts = ["train"], expected = 5}
test = {overall = "all", expected = 4, groups = {all = ["test"]}}
box = {source = "ground_truth"}
score = {normalisers = ["inter_ocular"]}
"""
HEADER = ",".join(["image", *(f"{axis}{point}" for point in range(68) for axis in "xy")])


def write_part(folder, part, faces):
    rows = [HEADER]
    for number, points in enumerate(faces):
        pixels = np.random.default_rng([len(part), number]).integers(0, 255, (240, 240, 3))
        cv2.imwrite(str(folder / f"{part}{number}.png"), pixels.astype(np.uint8))
        rows.append(
            ",".join([f"{part}{number}.png", *(f"{value:.3f}" for value in points.ravel())])
        )
    (folder / f"{part}.csv").write_text("\n".join(rows) + "\n")


def faces(count, seed):
    rng = np.random.default_rng(seed)
    return mean_face("ibug68")[:, :2] * 0.8 + 120 + rng.normal(0, 1, (count, 68, 2))


@pytest.fixture
def world(tmp_path, monkeypatch):
    """A good set of which test/00002 is turned by a half, labels and picture alike or not."""
    (tmp_path / "mine").mkdir()
    tested = faces(4, 1)
    tested[1] = 240 - tested[1]
    write_part(tmp_path / "mine", "train", faces(5, 0))
    write_part(tmp_path / "mine", "test", tested)
    (tmp_path / "mine.toml").write_text(CARD)
    given = [HEADER.replace("image", "id")]
    for number, points in enumerate(tested, start=1):
        cells = [f"{value + 0.5:.3f}" for value in points.ravel()]
        given.append(",".join([f"test/{number:05d}", *cells]))
    (tmp_path / "p.csv").write_text("\n".join(given) + "\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def call(*words):
    return CliRunner().invoke(cli.main, [*words, "--data", "."])


RUN = ("run", "--method", "mean-shape", "--protocol", "mine.toml", "--results", "r")
SCORE = ("score", "p.csv", "--protocol", "mine.toml", "--method", "other")
FAULT = "1 of 9 items stand on their head"


def test_verify_run_and_score_end_alike(world):
    """Trap: `run` warned, ended with 0 and left a number."""
    verified = call("data", "verify", "mine.toml")
    ran, scored = call(*RUN), call(*SCORE)
    assert (verified.exit_code, ran.exit_code, scored.exit_code) == (1, 1, 1)
    assert FAULT in verified.output
    assert FAULT in ran.output
    assert "1 of 4 items stand on their head" in scored.output  # the training rows are not its own
    assert not Path("r").exists() or not list(Path("r").rglob("run.json"))


def test_what_is_accepted_stands_in_the_record_and_in_the_name_of_the_data(world):
    ran = call(*RUN, "--accept", "turned labels")
    assert ran.exit_code == 0, ran.output
    (file,) = Path("r").rglob("run.json")
    record = json.loads(file.read_text())
    assert record["data"]["variant"].endswith("faults accepted")
    (note,) = [note for note in record["data"]["notes"] if note.startswith("accepted")]
    assert note.startswith(f'accepted, "turned labels": {FAULT}')
    assert "mine/test.csv:3" in note
    assert str(world) not in note  # no folder of this machine
    assert re.search(r"--accept ['\"]turned labels['\"]", record["command"])
    scored = call(*SCORE, "--accept", "turned labels", "--json")
    assert scored.exit_code == 0, scored.output
    document = json.loads(scored.stdout)
    assert document["data"]["variant"].endswith("faults accepted")


def test_a_check_that_does_not_exist_and_numbers_that_are_none_cannot_be_accepted(world):
    refused = call(*RUN, "--accept", "everything")
    assert refused.exit_code == 2
    assert "no check is called 'everything'; there are " in refused.output
    rows = (world / "mine/train.csv").read_text().splitlines()
    rows[1] = ",".join(["train0.png", *["0"] * 136])
    (world / "mine/train.csv").write_text("\n".join(rows) + "\n")
    ended = call(*RUN, "--accept", "turned labels", "--accept", "placeholder")
    assert ended.exit_code == 1
    assert "all points at (0, 0): train/00001" in ended.output
