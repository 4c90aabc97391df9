"""Asking a predictor: order, batches, pictures made ahead, conventions that disagree."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchbox import geometry
from benchbox.runs import inference
from benchbox.types import Examples, Job, Sample


def test_batches_cover_every_sample_in_order():
    samples = [
        Sample(id=str(k), box=np.zeros(4), pixels=lambda: np.zeros((1, 1, 3), np.uint8))
        for k in range(70)
    ]
    sizes = []

    def predict(batch):
        sizes.append(len(batch))
        return np.array([[[float(one.id), 0.0]] for one in batch], dtype=np.float32)

    values = inference.predict_samples(predict, samples, (1, 2), blame="m")
    assert values[:, 0, 0].tolist() == list(range(70))
    assert values.dtype == np.float64
    assert sum(sizes) == 70
    assert len(sizes) > 1


def test_pictures_are_decoded_ahead_once_each_and_not_for_a_method_that_is_blind():
    """Decoding overlaps prediction.

    It must neither mix up pictures nor decode what nobody looks at.
    """
    decoded = []

    def pixels(k):
        decoded.append(k)
        return np.full((1, 1, 3), k, np.uint8)

    samples = [Sample(id=str(k), box=np.zeros(4), pixels=lambda k=k: pixels(k)) for k in range(100)]

    def seeing(batch):
        return np.array([[[float(one.pixels()[0, 0, 0]), 0.0]] for one in batch])

    values = inference.predict_samples(seeing, samples, (1, 2), blame="m")
    assert values[:, 0, 0].tolist() == list(range(100))
    assert sorted(decoded) == list(range(100))
    decoded.clear()
    inference.predict_samples(
        lambda batch: np.zeros((len(batch), 1, 2)), samples, (1, 2), blame="m"
    )
    assert decoded == []


def looking(task, width, count=300):
    """A job whose labelled items are told apart by their ids; labels as a gaze set has them."""
    rng = np.random.default_rng(0)
    values = rng.uniform([-2, -9], [6, -1], (count, 2))
    if width == 3:
        values = geometry.angles_to_vectors(rng.uniform([-0.5, -0.4], [0.2, 0.6], (count, 2)))
    samples = [
        Sample(str(row), np.zeros(4), lambda: np.zeros((2, 2, 3), np.uint8)) for row in range(count)
    ]
    people = np.array([f"p{row % 20}" for row in range(count)])
    return Job(
        task, None, Examples(samples, values, people), (), None, Path(), 0, "cpu", "smoke", {}
    )


@pytest.mark.parametrize(
    ("task", "width", "spoil", "said"),
    [
        ("gaze3d", 3, lambda v: v * [-1, 1, 1], "yaw reversed"),
        ("gaze2d", 2, lambda v: v[:, ::-1], "x and y exchanged"),
        ("gaze3d", 3, lambda v: v, ""),
        ("gaze2d", 2, lambda v: v, ""),
        ("gaze2d", 2, lambda v: v * np.nan, ""),
    ],
)
def test_a_run_says_when_answers_and_training_labels_disagree_by_a_convention(
    task, width, spoil, said
):
    """Trap: a sign or order that differs between labels and answers scores as a bad method."""
    job = looking(task, width)
    asked = []

    def predict(samples):
        asked.extend(sample.id for sample in samples)
        rows = [int(sample.id) for sample in samples]
        return spoil(
            job.labelled.values[rows] + np.random.default_rng(1).normal(0, 0.01, (len(rows), width))
        )

    warning = inference.convention_warning(predict, job, blame="m")
    assert said in warning
    assert bool(warning) == bool(said)
    assert len(asked) == 256
    assert inference.convention_warning(predict, replace(job, task="landmarks"), blame="m") == ""
