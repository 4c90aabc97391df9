"""The file of ETH-XGaze's authors has no ids: all hangs on the order of its lines."""

import numpy as np
import pytest
from click.testing import CliRunner

from benchbox.cli import main
from benchbox.datasets.gaze import eth_xgaze
from benchbox.errors import DataError, ResultError
from benchbox.runs import eth_xgaze_submission
from tests.datasets.gaze.gaze_folders import xgaze

# Answers with pitch = a hundredth of the red of a picture's first pixel, yaw = its negative.
SEES = """
import numpy as np
from benchbox import geometry

def predictor(weights, device):
    def predict(samples):
        red = np.array([sample.pixels()[0, 0, 0] / 100 for sample in samples])
        return geometry.angles_to_vectors(np.stack([red, -red], axis=1))
    return predict
"""
CARD = """
name = "tiny-xgaze"
title = "One person"
version = 1
task = "gaze3d"
dataset = "eth-xgaze"
layout = ""
train = {parts = ["train"], expected = 4, labelled = 1.0, validation = 0.0}
test = {overall = "held-out", expected = 4, groups = {held-out = ["validation"]}}
box = {source = "patch", choices = ["patch"], expansion = 1.0}
score = {normalisers = [], auc = [], fr = [], points = [], metrics = ["error_deg"], \
average = "macro", failed = "infinite", cluster = "person", interval = 0.95, resamples = 100}
"""


def read(path) -> np.ndarray:
    return np.loadtxt(path, delimiter=",")  # as the authors' script reads it


def test_a_predictions_file_is_put_into_the_official_order(tmp_path):
    xgaze(tmp_path)
    ids = np.array([sample.id for sample in eth_xgaze.list_test_samples(tmp_path)])
    assert ids[0] == "test/subject0020/000000"
    angles = np.stack([np.arange(8) / 100, -np.arange(8) / 50], axis=1)
    np.savez(tmp_path / "p.npz", ids=ids[::-1], values=angles[::-1])
    assert (
        eth_xgaze_submission.write_submission(
            tmp_path / "p.npz", tmp_path, tmp_path / "test_results.txt"
        )
        == 8
    )
    np.testing.assert_allclose(read(tmp_path / "test_results.txt"), angles, atol=1e-8)
    assert (tmp_path / "test_results.txt").read_text().splitlines()[1] == "0.010000000,-0.020000000"


def test_a_picture_without_an_answer_and_a_wrong_set_are_refused(tmp_path):
    xgaze(tmp_path)
    ids = np.array([sample.id for sample in eth_xgaze.list_test_samples(tmp_path)])
    values = np.zeros((8, 2))
    values[2] = np.nan
    np.savez(tmp_path / "p.npz", ids=ids, values=values)
    with pytest.raises(
        ResultError, match=r"1 pictures have no answer, the first test/subject0020/000002"
    ):
        eth_xgaze_submission.write_submission(tmp_path / "p.npz", tmp_path, tmp_path / "out.txt")
    np.savez(tmp_path / "p.npz", ids=ids[:7], values=np.zeros((7, 2)))
    with pytest.raises(ResultError, match=r"missing of the 8 of the official test set"):
        eth_xgaze_submission.write_submission(tmp_path / "p.npz", tmp_path, tmp_path / "out.txt")
    with pytest.raises(DataError, match=r"train_test_split\.json; get ETH-XGaze"):
        eth_xgaze_submission.write_submission(
            tmp_path / "p.npz", tmp_path / "nowhere", tmp_path / "out.txt"
        )
    assert not (tmp_path / "out.txt").exists()


def test_a_run_answers_for_the_official_pictures(world, tmp_path):
    xgaze(world.data)
    (world.site / "tiny_cards" / "tiny-xgaze.toml").write_text(CARD)
    card = world.method("sees", SEES) / "method.toml"
    card.write_text(card.read_text().replace('["landmarks"]', '["gaze3d"]'))
    common = ["--data", str(world.data), "--methods", str(world.methods)]
    runner = CliRunner()
    chosen = [
        "--method",
        "sees",
        "--protocol",
        "tiny-xgaze",
        "--device",
        "cpu",
        "--results",
        str(world.results),
    ]
    ran = runner.invoke(main, ["run", *chosen, *common])
    assert ran.exit_code == 0, ran.output
    out = tmp_path / "test_results.txt"
    place = world.results / "tiny-xgaze" / "sees" / "v" / "0"
    wrote = runner.invoke(
        main, ["data", "submission", str(place), "--out", str(out), "--device", "cpu", *common]
    )
    assert wrote.exit_code == 0, wrote.output
    assert "8 lines of pitch,yaw in radians" in wrote.output
    red = np.array([3, 4, 5, 6] * 2) / 100  # what the first pixels of both people hold
    np.testing.assert_allclose(read(out), np.stack([red, -red], axis=1), atol=1e-6)


def test_a_run_on_other_data_is_refused(world):
    world.method(
        "centre",
        "import numpy as np\n"
        "def predictor(w, d):\n    return lambda s: np.zeros((len(s), 68, 2))\n",
    )
    arguments = ["run", "--method", "centre", "--protocol", "tiny", "--results", str(world.results)]
    arguments += ["--data", str(world.data), "--methods", str(world.methods), "--device", "cpu"]
    assert CliRunner().invoke(main, arguments).exit_code == 0
    xgaze(world.data)
    with pytest.raises(
        ResultError, match=r"a run on ytf68; a submission wants one that was trained on eth-xgaze"
    ):
        eth_xgaze_submission.write_submission(
            world.results / "tiny" / "centre" / "v" / "0", world.data, world.data / "out.txt"
        )
