"""TS3: counts, decode floors, target maps, the loop, the teacher (reproduction spec: F1-F4, tests 9-11)."""

from importlib import import_module
from types import ModuleType

import numpy as np
import pytest
import torch

from benchbox import geometry, plugins
from benchbox.kit import heatmaps
from benchbox.kit.profile import count
from benchbox.layouts import IBUG68, LAYOUTS
from benchbox.types import Examples, Job, Sample

CARD = plugins.card("ts3")
MODULE = plugins.load(CARD)
SMOKE = plugins.settings(CARD, "ts3", "smoke")
PAPER = plugins.settings(CARD, "ts3", "paper")


def part(name: str) -> ModuleType:
    return import_module(f"{CARD.module}.{name}")


draws, model, recipe, students, teacher = (part(name) for name in ("draws", "model", "recipe", "students", "teacher"))


def examples(number: int, first: int = 0) -> Examples:
    """Grey noise with 68 points each."""
    rng = np.random.default_rng(first)
    base = np.random.default_rng(99).uniform(50, 150, (68, 2))
    values = base + rng.normal(0, 4, (number, 1, 2)) + rng.normal(0, 1, (number, 68, 2))
    pictures = rng.integers(0, 255, (number, 200, 200, 3), dtype=np.uint8)
    boxes = geometry.tight_box(values)
    samples = [Sample(str(first + k), boxes[k], lambda k=k: pictures[k]) for k in range(number)]
    return Examples(samples, values, np.array([str(first + k) for k in range(number)]))


def job(out, labelled: Examples, unlabelled, **changes: object) -> Job:
    return Job("landmarks", IBUG68, labelled, unlabelled, None, out, 0, "cpu", "smoke", SMOKE | changes)


# --- counts ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "params", "macs", "with_bias"),
    [("cpm", 16_703_372, 1_719_664_640, 1_720_980_224), ("hg", 24_965_648, 1_596_260_352, 1_600_847_872)],
)
def test_students_have_the_printed_counts_without_a_background_map(name, params, macs, with_bias):
    """F1-F4: printed are 16.70 and 24.97 millions, and 1720.98 and 1600.85 millions of operations, biases added."""
    found = count(students.make(name, 68, PAPER | {"background": False}), (1, 3, 64, 64))
    assert (found.params, found.macs, found.macs_plus_bias) == (params, macs, with_bias)


@pytest.mark.parametrize(("maps", "params"), [(68, 2_834_369), (69, 2_835_393)])
def test_the_teacher_is_a_patch_gan_of_six_by_six(maps, params):
    made = model.Teacher(maps)
    assert sum(p.numel() for p in made.parameters()) == params
    assert made.patches(torch.zeros(1, 3 + maps, 64, 64)).shape == (1, 1, 6, 6)


@pytest.mark.parametrize("points", [layout.count for layout in LAYOUTS.values()])
def test_every_layout_has_a_map_per_point_and_the_background(points):
    for name, sides in (("cpm", [8] * 3), ("hg", [16] * 4)):
        found = students.make(name, points, SMOKE).eval()(torch.zeros(1, 3, 64, 64))
        assert [tuple(maps.shape) for maps in found] == [(1, points + 1, side, side) for side in sides]


# --- maps --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("stride", "floor_px", "peak"), [(8, 0.9, 0.17), (4, 0.05, 0.65)])
def test_perfect_maps_decode_to_the_floor(stride, floor_px, peak):
    points = torch.rand(8, 200, 2, generator=torch.Generator().manual_seed(0)) * 40 + 12
    maps = draws.ideal(points, stride, PAPER)
    cells, height = heatmaps.centroid(maps[:, :-1], PAPER["radius"])
    assert (heatmaps.to_px(cells, stride) - points).norm(dim=-1).mean().item() < floor_px
    assert height.min().item() > peak
    assert torch.equal(maps[:, -1], 1 - maps[:, :-1].amax(dim=1))
    assert draws.ideal(points, stride, PAPER | {"background": False}).shape[1] == 200


@pytest.mark.parametrize("variant", CARD.variants)
def test_a_variant_learns_from_one_batch(variant):
    params = plugins.settings(CARD, variant, "smoke")
    known = examples(4)
    faces = draws.Faces(known.samples, IBUG68, params, "cpu")
    points = geometry.transform(faces.to_crop, known.values)
    batch = draws.Draws(faces, points, np.arange(4), {}, [0], True, 4).batch(0)
    for name in students.names(params):
        student = students.make(name, 68, params)
        found = students.loss(student, batch)
        found.backward()
        assert torch.isfinite(found)
        assert all(p.grad is not None for p in student.parameters())


# --- the loop ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("of", "quotas"), [(2834, [283, 566, 850, 1133, 1417, 1700]), (10, [1, 2, 3, 4, 5, 6])])
def test_quotas_grow_by_a_tenth(of, quotas):
    assert [teacher.quota(0.1, k, of) for k in range(1, 7)] == quotas


def test_a_whole_run_writes_scores_keeps_labels_and_predicts(tmp_path):
    """Two rounds of two students: four files of pseudo-labels, the quota taken from the top of the scores."""
    known, others = examples(4), examples(10, 100)
    before = known.values.copy()
    made = job(tmp_path, known, others.samples)
    MODULE.train(made)
    assert np.array_equal(known.values, before)
    for number, quota in ((1, 3), (2, 6)):
        for name in ("cpm", "hg"):
            with np.load(tmp_path / f"pseudo.round{number}.{name}.npz", allow_pickle=False) as kept:
                assert kept["ids"].tolist() == [str(100 + k) for k in range(10)]
                assert kept["selected"].sum() == quota
                assert kept["scores"][kept["selected"]].min() >= kept["scores"][~kept["selected"]].max()
                assert kept["points"].shape == (10, 68, 2)
    found = MODULE.predictor(tmp_path, "cpu")(others.samples)
    assert found.shape == (10, 68, 2)
    assert np.isfinite(found).all()
    assert sorted(p.name for p in tmp_path.glob("*.safetensors")) == ["ts3.safetensors"]
