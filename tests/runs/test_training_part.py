"""A method from elsewhere is asked about faces of the training part, too."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchbox.layouts import IBUG68
from benchbox.protocols import protocol_card
from benchbox.runs import training_part
from benchbox.types import Examples, Job, Sample


@pytest.fixture
def job(tmp_path):
    """Forty faces whose outer eye corners stand 100 px apart."""
    values = np.zeros((40, 68, 2))
    values[:, 45] = [100.0, 0.0]
    samples = [
        Sample(f"face-{k}", np.array([0.0, 0, 9, 9]), lambda: np.zeros((2, 2, 3), np.uint8))
        for k in range(40)
    ]
    faces = Examples(samples, values, np.array([f"c{k}" for k in range(40)]))
    return Job(
        task="landmarks",
        layout=IBUG68,
        labelled=faces,
        unlabelled=[],
        validation=replace(faces, samples=[], values=values[:0], clusters=faces.clusters[:0]),
        out=Path(tmp_path),
        seed=0,
        device="cpu",
        budget="quick",
        params={},
        weights=None,
    )


def shifted(px):
    """Return a predictor whose points are all so many pixels to the right."""

    def predict(samples):
        values = np.zeros((len(samples), 68, 2))
        values[:, 45] = [100.0, 0.0]
        return values + np.array([px, 0.0])

    return predict


def test_the_error_is_in_per_cent_of_the_normaliser(job):
    card = protocol_card.load_protocol("300w-common")
    found = training_part.measure_training_part(shifted(3.0), job, card, blame="m")
    assert found == {"metric": "nme_inter_ocular", "value": 3.0, "items": 40}


def test_few_answers_say_nothing(job):
    """The trap: a detector that sees ten faces would be judged by the ten."""
    card = protocol_card.load_protocol("300w-common")

    def silent(samples):
        return np.full((len(samples), 68, 2), np.nan)

    assert training_part.measure_training_part(silent, job, card, blame="m") == {}
    gaze = protocol_card.load_protocol("mpiigaze")
    assert training_part.measure_training_part(shifted(1.0), job, gaze, blame="m") == {}
