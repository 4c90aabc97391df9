"""A card that came as a file is known to the commands that come after the run."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from benchbox.cli import main

CENTRE = """
import numpy as np
def predictor(weights, device):
    def predict(samples):
        boxes = np.stack([s.box for s in samples])
        return np.repeat((boxes[:, None, :2] + boxes[:, None, 2:]) / 2, 68, axis=1)
    return predict
"""


def benchbox(*words: object) -> str:
    done = CliRunner().invoke(main, [str(word) for word in words])
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.fixture
def results(world):
    """Results of a card that lies in the working folder and is installed nowhere."""
    world.method("centre", CENTRE)
    card = (world.site / "tiny_cards" / "tiny.toml").read_text()
    Path("own.toml").write_text(card.replace('name = "tiny"', 'name = "own"'))
    words = ["run", "--method", "centre", "--protocol", "own.toml", "--device", "cpu"]
    words += ["--methods", str(world.methods), "--data", str(world.data), "--results", "r"]
    benchbox(*words)
    return Path("r")


def test_every_command_after_the_run_knows_the_card(results, world):
    """Trap: `run` took the path, and its next line led to a site without a page of it."""
    named = ["report", "--results", results, "--protocol", "own", "--format", "md"]
    assert "Noise with points" in benchbox(*named)
    csv = benchbox("report", "--results", results, "--protocol", "own.toml", "--format", "csv")
    # no rank: whether these weights saw the test items is not known
    assert "\n,centre,weights" in csv
    rescored = benchbox("check", "--results", results, "--rescore", "--data", world.data)
    assert "REGRESSION" not in rescored
    Path("own.toml").unlink()
    assert "Noise with points" in benchbox(*named)
