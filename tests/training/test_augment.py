"""Augmentation: one seed per sample, the same on bytes and on tensors.

Points that follow the picture.
"""

import numpy as np
import pytest
import torch

from benchbox import geometry
from benchbox.layouts import IBUG68
from benchbox.training.augment import Augmentation, draw_uniforms, sample_seeds
from benchbox.training.crops import Crops, CropViews, DeviceSampler

EVERYTHING = Augmentation(
    rotation_deg=30,
    scale=0.25,
    shift=0.1,
    flip=0.5,
    gain=0.3,
    offset=0.2,
    blur=0.7,
    blur_px=2.0,
    hole=0.7,
)
SIDE, VIEW, COUNT = 96, 64, 24


@pytest.fixture(scope="module")
def faces():
    """Smooth pictures with an edge: (24, 96, 96, 3)."""
    rng = np.random.default_rng(0)
    waves = np.sin(
        np.linspace(0, 6, SIDE)[None, :, None] * rng.uniform(0.5, 2, (COUNT, 1, 3))
        + rng.uniform(0, 6)
    )
    images = 127.5 + 100 * waves[:, None] * np.cos(np.linspace(0, 5, SIDE))[None, :, None, None]
    images[:, 30:34] = 255
    return Crops(images.clip(0, 255).astype(np.uint8), np.zeros((COUNT, 2, 3)))


def test_cpu_and_tensor_path_see_the_same_augmentation(faces):
    """Bytes through OpenCV and floats through torch.

    Equal within the rounding of bytes and of OpenCV's 1/32 px.
    """
    rows = np.arange(COUNT)
    draw = EVERYTHING.draw(sample_seeds(7, 3, rows))
    maps, colour = torch.from_numpy(0.7 * draw.maps).float(), draw.colour("cpu")
    bytes_path = CropViews(faces, "cpu").sampler(rows, colour, draw)(maps, VIEW)
    tensor_path = DeviceSampler(lambda: torch.from_numpy(faces.images[rows]), colour, draw)(
        maps, VIEW
    )
    difference = (bytes_path - tensor_path).abs() * 127.5 / draw.colour("cpu")[:, 0, :, None, None]
    assert difference.mean() < 0.6  # of 255; two roundings of half a level each
    assert difference.quantile(0.999) < 5
    plain = CropViews(faces, "cpu").sampler(rows)(0.7 * torch.eye(2, 3).expand(COUNT, 2, 3), VIEW)
    assert (plain - tensor_path).abs().mean() * 127.5 > 20  # the augmentation did something


def test_a_sample_depends_on_its_own_seed_alone(faces):
    """Neither batch, order nor neighbours may change what happens to a sample.

    Or no run could be resumed.
    """
    rows = np.arange(COUNT)
    views = CropViews(faces, "cpu")

    def look(some):
        draw = EVERYTHING.draw(sample_seeds(1, 5, some))
        return views.sampler(some, draw.colour("cpu"), draw)(
            torch.from_numpy(draw.maps).float(), VIEW
        )

    together, backwards = look(rows), look(rows[::-1].copy())
    assert torch.equal(together, backwards.flip(0))
    assert torch.equal(together[5:6], look(rows[5:6]))


def test_seeds_differ_by_run_epoch_and_row():
    rows = np.arange(1000)
    every = np.concatenate([sample_seeds(s, e, rows) for s in (0, 1) for e in (0, 1, 2)])
    assert len(np.unique(every)) == 6000
    assert sample_seeds(3, 4, np.array([9]))[0] == sample_seeds(3, 4, np.arange(20))[9]


def test_uniforms_are_uniform_and_independent():
    u = draw_uniforms(sample_seeds(0, 0, np.arange(20_000)), 8)
    assert u.min() >= 0
    assert u.max() < 1
    np.testing.assert_allclose(u.mean(axis=0), 0.5, atol=0.01)
    np.testing.assert_allclose(u.var(axis=0), 1 / 12, atol=0.002)
    assert np.abs(np.corrcoef(u.T) - np.eye(8)).max() < 0.03
    # Pinned: a change of the generator would change every training.
    np.testing.assert_allclose(
        draw_uniforms(np.array([0], np.uint64), 2)[0], [0.8833108082136426, 0.43152799704850997]
    )


def test_points_follow_the_picture():
    """A white dot must lie in the view where `points` says, mirrored or not."""
    rng = np.random.default_rng(1)
    dots = rng.uniform(30, 66, (COUNT, 1, 2)).round()
    images = np.zeros((COUNT, SIDE, SIDE, 3), np.uint8)
    for image, (x, y) in zip(images, dots[:, 0].astype(int), strict=True):
        image[y - 2 : y + 3, x - 2 : x + 3] = 255
    draw = Augmentation(rotation_deg=30, scale=0.2, shift=0.05, flip=0.5).draw(
        sample_seeds(0, 0, np.arange(COUNT))
    )
    assert 4 < draw.mirrored.sum() < 20
    unit = geometry.invert_maps(geometry.unit_to_crop(SIDE))
    found = draw.points(geometry.transform_points(unit, dots), (0,))
    places = geometry.transform_points(geometry.unit_to_crop(VIEW), found)[:, 0]
    views = CropViews(Crops(images, np.zeros((COUNT, 2, 3))), "cpu").sampler(np.arange(COUNT))
    seen = (views(torch.from_numpy(draw.maps).float(), VIEW)[:, 0] + 1) / 2
    steps = torch.arange(VIEW, dtype=torch.float32)
    mass = seen.sum(dim=(1, 2))
    centre = torch.stack(
        [(seen.sum(1) * steps).sum(1) / mass, (seen.sum(2) * steps).sum(1) / mass], 1
    )
    np.testing.assert_allclose(centre, places, atol=0.2)


def test_mirrored_points_change_names():
    draw = Augmentation(flip=1.0).draw(sample_seeds(0, 0, np.arange(2)))
    points = np.random.default_rng(0).uniform(-1, 1, (2, 68, 2))
    moved = draw.points(points, IBUG68.flip)
    np.testing.assert_allclose(moved[:, 36], points[:, 45] * [-1, 1])


def test_ranges_are_reached_and_kept():
    draw = EVERYTHING.draw(sample_seeds(0, 0, np.arange(5000)))
    angle = np.rad2deg(np.arctan2(-draw.maps[:, 0, 1], draw.maps[:, 1, 1]))
    size = np.hypot(draw.maps[:, 0, 1], draw.maps[:, 1, 1])
    for found, low, high in ((angle, -30, 30), (size, 0.75, 1.25), (draw.maps[:, :, 2], -0.2, 0.2)):
        assert low <= found.min() < low + 0.01 * (high - low)
        assert high >= found.max() > high - 0.01 * (high - low)
    assert draw.mirrored.mean() == pytest.approx(0.5, abs=0.03)
    assert (draw.sigma_px > 0).mean() == pytest.approx(0.7, abs=0.03)
    assert draw.holes.any(axis=1).mean() == pytest.approx(0.7, abs=0.03)
    assert draw.holes.max() <= 1
    still = Augmentation().draw(sample_seeds(0, 0, np.arange(3)))
    np.testing.assert_array_equal(still.maps, np.broadcast_to(np.eye(2, 3), (3, 2, 3)))
    assert not still.holes.any()
