"""The plain gaze network: its mirror, its trunks, what it learns."""

from dataclasses import replace
from importlib import import_module
from types import ModuleType

import numpy as np
import pytest
import torch

from benchbox.costs.op_count import count_module
from benchbox.plugins import method_card
from benchbox.types import Examples
from tests.methods import gaze_job

CARD = method_card.find_card("plain-gaze")
METHOD = method_card.import_method(CARD)


def part(name: str) -> ModuleType:
    return import_module(f"{CARD.module}.{name}")


network, recipe = part("network"), part("recipe")


def test_the_network_has_the_size_that_its_readme_states():
    params = method_card.merge_params(CARD, "", "quick")
    found = network.list_networks(params)
    assert list(found) == ["look", "look, mirrored"]
    counted = count_module(found["look"][0], *(tuple(one.shape) for one in found["look"][1]))
    assert (counted.params, counted.macs) == (802_722, 8_786_176)


def test_a_mirrored_sample_shows_the_eyes_exchanged_and_flipped():
    """Trap: flipped and left in place, each eye is shown as the other one turned inside out."""
    face, left, right = (torch.rand(2, 3, 4, 4) for _ in range(3))
    seen = network.mirror_patches((face, left, right), torch.tensor([True, False]))
    for found, mirrored, kept in zip(seen, (face, right, left), (face, left, right), strict=True):
        assert torch.equal(found[0], mirrored[0].flip(2))
        assert torch.equal(found[1], kept[1])
    assert all(
        torch.equal(twice, once)
        for twice, once in zip(
            network.mirror_patches(network.mirror_patches((face, left, right))),
            (face, left, right),
            strict=True,
        )
    )


@pytest.mark.parametrize(("task", "axis"), [("gaze2d", 0), ("gaze3d", 1)])
def test_half_a_batch_is_mirrored_with_its_labels(task, axis):
    """Trap: pitch turned for yaw, since axes are (x, y) in cm and (pitch, yaw) in degrees."""
    form = recipe.PatchForm.of(gaze_job.examples(task).samples, 32, 32)
    gazes = recipe.GazeSet.of(
        gaze_job.examples(task, 64), form, task, "cpu", np.random.default_rng(0), 0
    )
    axes = torch.from_numpy(gazes.axes).float()
    job = gaze_job.job(CARD, None, task, batch=64, shift=0.0, scale=0.0, colour=0.0)
    wanted, face, *_ = recipe.draw_batch(gazes, axes, job, 0)
    plain, still, *_ = recipe.draw_batch(
        gazes, axes, replace(job, params={**job.params, "mirror": False}), 0
    )
    turned = (wanted != plain).any(dim=1)
    assert 16 < turned.sum() < 48
    assert torch.equal(wanted[turned][:, axis], -plain[turned][:, axis])
    assert torch.equal(wanted[:, 1 - axis], plain[:, 1 - axis])
    assert torch.equal(face[turned], still[turned].flip(3))


def looking(task: str, number: int, *, eyes: bool, seed: int = 0) -> Examples:
    """Toy gaze whose pupils go sideways with yaw: else the labels of the mirror would be wrong."""
    found = gaze_job.examples(task, number, eyes=eyes, seed=seed)
    if task == "gaze2d":
        return found
    x, y, z = found.values.T
    sideways = np.degrees(np.stack([np.arctan2(x, z), np.arcsin(y)], axis=1)) / 4
    samples = [
        replace(sample, pixels=lambda g=g: gaze_job.picture(g))
        for sample, g in zip(found.samples, sideways, strict=True)
    ]
    return replace(found, samples=samples)


@pytest.mark.parametrize(("task", "eyes"), [("gaze2d", True), ("gaze3d", False)])
def test_it_learns_where_a_pupil_is(tmp_path, task, eyes):
    job = gaze_job.job(
        CARD, tmp_path, task, eyes=eyes, draws=3200, batch=16, samples_most=0, average=0.97
    )
    job = replace(job, labelled=looking(task, 200, eyes=eyes))
    METHOD.train(job)
    fresh = looking(task, 40, eyes=eyes, seed=5)
    answers = METHOD.predictor(tmp_path, "cpu", job.params)(fresh.samples)
    error = np.linalg.norm(fresh.values - answers, axis=1).mean()
    mean = np.linalg.norm(fresh.values - job.labelled.values.mean(axis=0), axis=1).mean()
    assert error < 0.5 * mean


def test_a_prediction_in_the_mirror_is_the_mirrored_prediction(tmp_path):
    """A mean of both ways cannot prefer a side."""
    job = gaze_job.job(CARD, tmp_path, "gaze2d")
    METHOD.train(job)
    sample = job.labelled.samples[0]

    def flip(box):
        return np.array([100 - box[2], box[1], 100 - box[0], box[3]])

    mirrored = replace(
        sample,
        box=flip(sample.box),
        boxes={
            "left_eye": flip(sample.boxes["right_eye"]),
            "right_eye": flip(sample.boxes["left_eye"]),
        },
        pixels=lambda: np.ascontiguousarray(sample.pixels()[:, ::-1]),
    )
    predict = METHOD.predictor(tmp_path, "cpu", job.params)
    first, second = predict([sample])[0], predict([mirrored])[0]
    np.testing.assert_allclose(first, second * [-1, 1], atol=0.02)
    one_way = METHOD.predictor(tmp_path, "cpu", {**job.params, "mirror": False})
    assert np.abs(one_way([sample])[0] - first).max() > 1e-4


def test_a_sample_without_an_eye_gets_no_answer(tmp_path):
    job = gaze_job.job(CARD, tmp_path)
    METHOD.train(job)
    blind = replace(
        job.labelled.samples[0], boxes={"left_eye": np.full(4, np.nan), "right_eye": np.zeros(4)}
    )
    answers = METHOD.predictor(tmp_path, "cpu", job.params)([job.labelled.samples[1], blind])
    assert np.isfinite(answers[0]).all()
    assert np.isnan(answers[1]).all()
