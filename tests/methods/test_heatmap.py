"""The plain heat-map baseline: its network, its views, its two looks."""

from importlib import import_module
from types import ModuleType

import numpy as np
import pytest
import torch

from benchbox import geometry
from benchbox.costs.op_count import count_module
from benchbox.layouts import IBUG68
from benchbox.plugins import method_card
from benchbox.types import Examples, Job, Sample

CARD = method_card.find_card("heatmap")
method_card.import_method(CARD)


def part(name: str) -> ModuleType:
    return import_module(f"{CARD.module}.{name}")


detector, frames, training_samples, recipe, predict = (
    part(name) for name in ("detector", "frames", "training_samples", "recipe", "predict")
)
SMOKE = method_card.merge_params(CARD, "", "smoke")


# --- network --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("head", "params", "macs"), [("integral", 967_540, 89_161_728), ("fc", 1_703_192, 55_871_488)]
)
def test_the_network_has_the_size_that_its_readme_states(head, params, macs):
    network = detector.HeatmapDetector(68, {"width": 48, "head": head})
    found = count_module(network, (1, 3, 128, 128))
    assert (found.params, found.macs) == (params, macs)


def test_the_centre_of_mass_of_one_cell_is_its_centre():
    """Trap: cells counted from their corners put every point half a cell to the upper left."""
    head = detector.IntegralHead(1, 1)
    torch.nn.init.constant_(head.maps.weight, 1000.0)
    torch.nn.init.zeros_(head.maps.bias)
    lit = torch.zeros(1, 1, 4, 8)
    lit[0, 0, 3, 1] = 1.0
    assert head(lit)[0, 0].tolist() == pytest.approx([-0.625, 0.75])
    assert head(torch.zeros(1, 1, 4, 8))[0, 0].tolist() == pytest.approx([0.0, 0.0], abs=1e-6)


# --- views ----------------------------------------------------------------------------------------


def faces(count: int, seed: int = 0) -> Examples:
    """Faces whose point 40 alone is a white square of 5 px in a black picture."""
    rng = np.random.default_rng(seed)
    values = np.random.default_rng(9).uniform(60, 140, (68, 2)) + rng.normal(0, 2, (count, 68, 2))
    values = np.rint(values)
    pictures = np.zeros((count, 200, 200, 3), np.uint8)
    for picture, points in zip(pictures, values, strict=True):
        x, y = points[40].astype(int)
        picture[y - 2 : y + 3, x - 2 : x + 3] = 255
    boxes = geometry.tight_box(values)
    samples = [Sample(str(k), boxes[k], lambda k=k: pictures[k]) for k in range(count)]
    return Examples(samples, values, np.array([str(k) for k in range(count)]))


def test_a_drawn_view_shows_each_point_where_its_target_says():
    """Trap: picture and points turned, moved or mirrored differently."""
    params = {**SMOKE, "side": 128, "crop_side": 256, "colour": 0.0, "batch": 16}
    draws = training_samples.DrawnViews(faces(16), IBUG68, params, 0, "cpu")
    batch = draws.batch(3)
    views = batch.sampler(batch.maps, 128)[:, 0].numpy()
    mirrored = IBUG68.flip[40]
    names = []
    for view, points in zip(views, batch.points.numpy(), strict=True):
        y, x = np.argwhere(view > 0).mean(axis=0)
        seen = (np.array([x, y]) + 0.5) / 64 - 1
        distance = np.linalg.norm(points[[40, mirrored]] - seen, axis=1)
        names.append(int(distance.argmin()))
        assert distance.min() < 0.02  # 1.3 px of 128
    assert set(names) == {0, 1}  # some are mirrored, some are not


def test_an_absent_point_teaches_nothing():
    given = faces(4)
    values = given.values.copy()
    values[:, 7] = np.nan
    absent = Examples(given.samples, values, given.clusters)
    params = {**SMOKE, "flip": False}
    batch = training_samples.DrawnViews(absent, IBUG68, params, 0, "cpu").batch(0)
    assert (batch.weight[:, 7] == 0).all()
    assert (batch.weight[:, 8] > 0).all()
    found = torch.zeros(4, 68, 2, requires_grad=True)
    training_samples.weighted_l1(found, batch).backward()
    assert (found.grad[:, 7] == 0).all()
    assert bool(torch.isfinite(found.grad).all())


def test_errors_are_divided_by_the_distance_of_the_outer_eye_corners():
    shape = np.zeros((2, 68, 2))
    shape[:, 45] = [0.6, 0.8]
    shape[1, 36] = np.nan
    shape[:, 8] = [0.0, 3.0]
    assert training_samples.face_sizes(shape, IBUG68) == pytest.approx([1.0, 1.5])


# --- prediction -----------------------------------------------------------------------------------


def test_a_second_look_sees_the_mean_face_level_and_as_large_as_training_did():
    """Trap: turned the wrong way, or a view as small as the mean of shapes that are not aligned."""
    mean = np.random.default_rng(1).uniform(-0.6, 0.6, (68, 2))
    box = frames.typical_box(mean[None])
    turn = np.array([[0.4, -0.3, 0.1], [0.3, 0.4, -0.2]])
    shape = geometry.transform_points(turn, mean)[None]
    view = frames.face_views(shape, mean, box)
    seen = geometry.transform_points(geometry.invert_maps(view), shape)
    assert seen[0] == pytest.approx(mean, abs=1e-9)


def test_a_variant_that_trains_the_same_takes_the_weights_over(tmp_path):
    """Trap: `one-look` trained again what it had taken over from `heatmap`."""
    shared = CARD.variants["one-look"].shares
    assert (shared.variant, shared.files) == ("heatmap", recipe.WEIGHTS)
    assert set(shared.apart) == {"mirror", "looks"}
    (tmp_path / recipe.WEIGHTS).write_bytes(b"trained elsewhere")
    recipe.train(Job("landmarks", IBUG68, faces(3), [], None, tmp_path, 0, "cpu", "smoke", SMOKE))
    assert [path.name for path in tmp_path.iterdir()] == [recipe.WEIGHTS]


def test_a_mirrored_picture_has_the_mirrored_answer(tmp_path):
    """Trap: averaged with the mirrored answer whose points kept their places."""
    given = faces(3, seed=4)
    params = {**SMOKE, "head": "fc"}  # begins at the mean shape: points lie apart untrained
    recipe.train(Job("landmarks", IBUG68, given, [], None, tmp_path, 0, "cpu", "smoke", params))
    answer = predict.predictor(tmp_path, "cpu", params)
    straight = answer(given.samples)
    turned = []
    for sample in given.samples:
        x0, y0, x1, y1 = sample.box
        box = np.array([199 - x1, y0, 199 - x0, y1])
        picture = sample.pixels()[:, ::-1].copy()
        turned.append(Sample(sample.id, box, lambda picture=picture: picture))
    mirrored = answer(turned)[:, list(IBUG68.flip)]
    mirrored[..., 0] = 199 - mirrored[..., 0]
    assert mirrored == pytest.approx(straight, abs=0.5)
    once = predict.predictor(tmp_path, "cpu", {**params, "mirror": False, "looks": 1})
    assert np.abs(once(given.samples) - straight).max() > 0.5
