"""Predictions written for other programs: half a pixel is said, and read back to the same error."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

from benchbox.cli.main_group import main
from benchbox.datasets import shape_fit
from benchbox.runs import prediction_export, prediction_files
from benchbox.types import Predictions

CARD = """
name = "mine"
title = "My faces"
dataset = "files"
layout = "ibug68"
source = {images = "p", parts = {test = "labels.csv"}, origin = 1}
train = {parts = [], expected = 0}
test = {overall = "all", expected = 1, groups = {all = ["test"]}}
box = {source = "ground_truth"}
score = {normalisers = ["inter_ocular"]}
"""


def test_an_id_that_is_a_formula_is_written_as_text_and_read_back():
    ids = ["=1+1", "-2.png", "'=3", "plain"]
    values = np.arange(8.0).reshape(4, 2)
    made = Predictions(np.array(ids), values, np.zeros(4, bool))
    text = prediction_export._csv_text(made)
    written = [line.split(",")[0] for line in text.splitlines()[1:]]
    assert written == ["'=1+1", "'-2.png", "''=3", "plain"]
    assert prediction_files.spell_ids(written, ids) == ids


def invoke(*words):
    result = CliRunner().invoke(main, [*map(str, words)])
    assert result.exit_code == 0, result.output
    return result


@pytest.fixture
def run(tmp_path):
    """Store predictions that are 2 px off, in the frame of annotations that count from 1."""
    points = 100 + 0.5 * shape_fit.mean_face("ibug68")[:, :2]
    header = ["image", *(f"{axis}{k}" for k in range(68) for axis in "xy")]
    cells = ["a.png", *map(repr, points.ravel().tolist())]
    (tmp_path / "labels.csv").write_text(",".join(header) + "\n" + ",".join(cells))
    (tmp_path / "mine.toml").write_text(CARD)
    np.savez(tmp_path / "p.npz", ids=np.array(["test/00001"]), values=points[None] + 2)
    words = ["--protocol", tmp_path / "mine.toml", "--method", "m", "--data", tmp_path]
    invoke("score", tmp_path / "p.npz", *words, "--results", tmp_path / "r")
    return tmp_path / "r" / "mine" / "m" / "submitted" / "0", points, words


@pytest.mark.parametrize(("origin", "shift"), [("0", -1.0), ("0.5", -0.5), ("1", 0.0)])
def test_an_export_counts_from_the_origin_that_is_asked_for(
    tmp_path, run, monkeypatch, origin, shift
):
    folder, points, words = run
    monkeypatch.chdir(tmp_path)  # where the card is found by its name
    out = tmp_path / "out.csv"
    invoke("results", "predictions", folder, "--out", out, "--origin", origin, "--data", tmp_path)
    first = out.read_text().splitlines()[1].split(",")
    assert first[0] == "test/00001"
    assert float(first[1]) == pytest.approx(points[0, 0] + 2 + shift, abs=1e-4)
    scored = invoke("score", out, *words, "--origin", origin, "--json")
    value = json.loads(scored.stdout)["scores"]["all"]["nme_inter_ocular"]["value"]
    ocular = np.linalg.norm(points[36] - points[45])
    assert value == pytest.approx(100 * np.hypot(2, 2) / ocular, rel=1e-4)


def test_another_suffix_is_refused(tmp_path, run):
    folder, _, _ = run
    result = CliRunner().invoke(main, ["results", "predictions", str(folder), "--out", "p.txt"])
    assert result.exit_code == 2
    assert "ends in neither .csv nor .npz" in result.output
