"""Ridge regression on pictures: its closed form, what it is chosen by, its answers."""

from dataclasses import replace
from importlib import import_module
from types import ModuleType

import numpy as np
import pytest

from benchbox.errors import DataError, ResultError
from benchbox.plugins import method_card
from benchbox.training.array_weights import load_arrays
from tests.methods import gaze_job

CARD = method_card.find_card("ridge-gaze")
METHOD = method_card.import_method(CARD)


def part(name: str) -> ModuleType:
    return import_module(f"{CARD.module}.{name}")


features, recipe, ridge = part("features"), part("recipe"), part("ridge")
RIDGES = [1e-4, 1e-2, 1.0]


def distance(wanted: np.ndarray, found: np.ndarray) -> np.ndarray:
    return np.linalg.norm(wanted - found, axis=1)


def linear_set(people: int, each: int, noise: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features (n, 3), targets (n, 2) that are linear in them, the person of each."""
    rng = np.random.default_rng(0)
    seen = rng.normal(2.0, 1.0, (people * each, 3))
    wanted = seen @ np.array([[1.0, -2.0], [0.5, 0.0], [0.0, 3.0]]) + [4.0, -1.0]
    wanted += noise * rng.normal(size=wanted.shape)
    return seen, wanted, np.repeat([f"p{k}" for k in range(people)], each)


# --- the solution ---------------------------------------------------------------------------------


def test_the_solution_is_that_of_the_normal_equations():
    """Trap: the offset regularised, too, or the ridge not in units of the features."""
    seen, wanted, people = linear_set(4, 50, 0.3)
    fit = ridge.fit_ridge(seen, wanted, people, [0.01], 4, distance)
    centred = seen - seen.mean(axis=0)
    weight = 0.01 * centred.var(axis=0).mean() * len(seen)
    expected = np.linalg.solve(
        centred.T @ centred + weight * np.eye(3), centred.T @ (wanted - wanted.mean(axis=0))
    )
    np.testing.assert_allclose(fit.matrix, expected, rtol=1e-4)
    np.testing.assert_allclose(fit.answer(seen.mean(axis=0)[None])[0], wanted.mean(axis=0))


def test_scale_of_the_features_does_not_matter():
    seen, wanted, people = linear_set(4, 50, 0.3)
    first = ridge.fit_ridge(seen, wanted, people, RIDGES, 4, distance)
    second = ridge.fit_ridge(100 * seen, wanted, people, RIDGES, 4, distance)
    np.testing.assert_allclose(first.answer(seen), second.answer(100 * seen), atol=1e-3)


def test_the_ridge_is_chosen_on_people_left_out():
    """Trap: samples left out. A feature that names the person then looks perfect."""
    rng = np.random.default_rng(1)
    people = np.repeat(np.arange(8), 20)
    names = np.eye(8)[people]
    habits = rng.normal(0, 5, (8, 2))
    wanted = habits[people] + 0.1 * rng.normal(size=(160, 2))
    by_person = ridge.fit_ridge(names, wanted, people.astype(str), [1e-4, 100.0], 4, distance)
    by_sample = ridge.fit_ridge(
        names, wanted, np.arange(160).astype(str), [1e-4, 100.0], 4, distance
    )
    assert (by_person.ridge, by_sample.ridge) == (100.0, 1e-4)
    assert by_person.error > 3
    assert by_sample.error < 0.5


@pytest.mark.parametrize("folds", [2, 3, 7])
def test_a_person_is_in_one_fold_and_no_fold_is_empty(folds):
    people = np.array([f"p{k % 7}" for k in range(40)])
    fold = ridge.fold_of_samples(people, folds)
    assert all(len(set(fold[people == name])) == 1 for name in set(people))
    assert set(fold) == set(range(folds))


def test_fewer_people_than_folds_are_left_out_one_by_one():
    assert set(ridge.fold_of_samples(np.array(["a", "b", "a"]), 5)) == {0, 1}


# --- the features ---------------------------------------------------------------------------------


def test_light_and_gain_are_no_features():
    examples = gaze_job.examples("gaze2d", 4)
    darker = [
        replace(sample, pixels=lambda s=sample: (s.pixels() // 2 + 10).astype(np.uint8))
        for sample in examples.samples
    ]
    form = recipe.PatchForm.of(examples.samples, 16, 32)
    bright, dark = (
        features.grey_pixels(recipe.GazePatches(samples, form, "cpu"))
        for samples in (examples.samples, darker)
    )
    assert bright.shape == (4, 3 * 16 * 16)
    assert np.abs(bright - dark).mean() < 0.01 < np.abs(bright).mean()


def test_random_cosines_are_the_gaussian_kernel():
    """Trap: √2 left out, or directions times the width."""
    rng = np.random.default_rng(0)
    points = rng.normal(size=(20, 5))
    cosines = features.RandomCosines.draw(rng, points, 20_000)
    seen = cosines.apply(points)
    found = seen @ seen.T / 20_000
    gaps = np.linalg.norm(points[:, None] - points[None], axis=2)
    width = np.sqrt(-(gaps[0, 1] ** 2) / (2 * np.log(found[0, 1])))
    assert width == pytest.approx(np.median(gaps[gaps > 0]), rel=0.1)
    np.testing.assert_allclose(found, np.exp(-(gaps**2) / (2 * width**2)), atol=0.04)


# --- the method -----------------------------------------------------------------------------------


@pytest.mark.parametrize("variant", ["pixels", "random-features"])
@pytest.mark.parametrize("task", ["gaze2d", "gaze3d"])
def test_it_learns_where_a_pupil_is_and_says_what_it_chose(tmp_path, variant, task):
    job = gaze_job.job(CARD, tmp_path, task, variant, side=16, count=256, samples_most=0)
    job = replace(job, labelled=gaze_job.examples(task, 300))
    METHOD.train(job)
    fresh = gaze_job.examples(task, 60, seed=5)
    answers = METHOD.predictor(tmp_path, "cpu")(fresh.samples)
    if task == "gaze3d":
        np.testing.assert_allclose(np.linalg.norm(answers, axis=1), 1.0)
    spread = distance(fresh.values, job.labelled.values.mean(axis=0)).mean()
    assert distance(fresh.values, answers).mean() < 0.6 * spread
    facts = load_arrays(tmp_path / recipe.WEIGHTS)[1]
    assert float(facts["ridge"]) in job.params["ridges"]
    assert float(facts["left_out_error"]) > 0
    assert ("bandwidth" in facts) == (variant == "random-features")


def test_a_sample_without_an_eye_gets_no_answer(tmp_path):
    job = gaze_job.job(CARD, tmp_path)
    METHOD.train(job)
    blind = replace(
        job.labelled.samples[0], boxes={"left_eye": np.full(4, np.nan), "right_eye": np.zeros(4)}
    )
    answers = METHOD.predictor(tmp_path, "cpu")([job.labelled.samples[1], blind])
    assert np.isfinite(answers[0]).all()
    assert np.isnan(answers[1]).all()


def test_pictures_that_are_all_alike_end_in_the_mean(tmp_path):
    """Trap: no variance, and the solution divides by it."""
    job = gaze_job.job(CARD, tmp_path)
    grey = [
        replace(sample, pixels=lambda: np.full((100, 100, 3), 90, np.uint8))
        for sample in job.labelled.samples
    ]
    METHOD.train(replace(job, labelled=replace(job.labelled, samples=grey)))
    answers = METHOD.predictor(tmp_path, "cpu")(grey)
    np.testing.assert_allclose(answers[0], job.labelled.values.mean(axis=0), atol=1e-6)


def test_one_sample_and_damaged_weights_are_named(tmp_path):
    job = gaze_job.job(CARD, tmp_path)
    one = replace(
        job.labelled,
        samples=job.labelled.samples[:1],
        values=job.labelled.values[:1],
        clusters=job.labelled.clusters[:1],
    )
    with pytest.raises(DataError, match="needs two or more"):
        METHOD.train(replace(job, labelled=one))
    with pytest.raises(ResultError, match=r"no weights here.*--fresh"):
        METHOD.predictor(tmp_path, "cpu")
    (tmp_path / recipe.WEIGHTS).write_bytes(b"words")
    with pytest.raises(ResultError, match=r"safetensors file.*--fresh"):
        METHOD.predictor(tmp_path, "cpu")
