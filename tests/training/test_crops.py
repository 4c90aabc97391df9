"""Crops and views: where a pixel of the picture ends up, to a fraction of a pixel."""

import numpy as np
import pytest
import torch

from benchbox import geometry
from benchbox.training.crops import CropViews, cut_crops, to_input, warp_views
from benchbox.types import Sample

RAMP = np.stack(
    np.broadcast_arrays(np.arange(240)[None, :], np.arange(200)[:, None], 9), axis=-1
).astype(np.uint8)


def sample(box) -> Sample:
    return Sample("a", np.array(box, float), lambda: RAMP)


def test_a_crop_of_its_own_size_moves_whole_pixels():
    """A 40-px box cut to 40 px is a slice: pixel centres stay pixel centres."""
    stored = cut_crops([sample([49.5, 59.5, 89.5, 99.5])], 40, 1.0)
    np.testing.assert_array_equal(stored.images[0], RAMP[60:100, 50:90])
    assert geometry.transform_points(stored.maps[0], np.array([[50.0, 60.0]])) == pytest.approx(
        np.zeros((1, 2))
    )


def test_outside_the_picture_is_black():
    stored = cut_crops([sample([-20.5, -20.5, 19.5, 19.5])], 40, 1.0)
    assert not stored.images[0, :20].any()
    np.testing.assert_array_equal(stored.images[0, 20:, 20:], RAMP[:20, :20])


@pytest.mark.parametrize("size", [80, 40, 25])
def test_shrinking_averages_and_does_not_shift(size):
    """Shrunk by more than two, pixels are averaged first.

    The ramp's values still sit where the map says.
    """
    stored = cut_crops([sample([19.5, 9.5, 199.5, 189.5])], size, 1.0)
    inside = np.mgrid[2 : size - 2, 2 : size - 2].reshape(2, -1).T[:, ::-1].astype(float)
    where = geometry.transform_points(geometry.invert_maps(stored.maps[0]), inside)
    seen = stored.images[0][inside[:, 1].astype(int), inside[:, 0].astype(int), :2]
    assert np.abs(seen - where).max() < 1.1
    # all places may end on .5 and round up; a slip is over 1
    assert np.abs((seen - where).mean(axis=0)).max() < 0.51


def test_a_far_picture_shrinks_without_aliasing():
    """One-pixel stripes shrunk eight times must come out grey, not black or white."""
    stripes = np.zeros((320, 320, 3), np.uint8)
    stripes[:, ::2] = 255
    stored = cut_crops(
        [Sample("a", np.array([-0.5, -0.5, 319.5, 319.5]), lambda: stripes)], 40, 1.0
    )
    assert stored.images[0, 4:-4, 4:-4].min() > 100
    assert stored.images[0, 4:-4, 4:-4].max() < 155


def test_to_input_is_in_unit_range_and_channels_last():
    batch = to_input(np.array([[[[0, 255, 51]]]], np.uint8))
    assert batch.flatten().tolist() == pytest.approx([-1, 1, -0.6])
    many = to_input(np.zeros((2, 4, 4, 3), np.uint8))
    assert many.is_contiguous(memory_format=torch.channels_last)


def test_views_do_not_depend_on_their_neighbours():
    rng = np.random.default_rng(0)
    stored = cut_crops([sample([20 + k, 30, 120 + k, 130]) for k in range(6)], 64, 1.5)
    maps = torch.from_numpy(np.eye(2, 3) + rng.normal(0, 0.1, (6, 2, 3))).float()
    views = CropViews(stored, "cpu")
    together = views.sampler(np.arange(6))(maps, 32)
    alone = torch.cat([views.sampler(np.array([k]))(maps[k : k + 1], 32) for k in range(6)])
    assert torch.equal(together, alone)


def test_warp_writes_into_what_it_is_given():
    images = cut_crops([sample([20, 30, 120, 130])], 64, 1.0).images
    kept = np.empty((1, 64, 64, 3), np.uint8)
    assert warp_views(images, [0], np.eye(2, 3)[None], 64, kept) is kept
    np.testing.assert_array_equal(kept[0], images[0])


def test_a_gradient_reaches_the_map():
    stored = cut_crops([sample([20, 30, 120, 130])], 64, 1.0)
    theta = torch.eye(2, 3)[None].clone().requires_grad_()
    CropViews(stored, "cpu").sampler(np.array([0]))(theta, 32)[:, 0].mean().backward()
    # Red grows with x by one level a pixel: moving the view right by 2 units (64 px of the crop,
    # 100 of the picture).
    assert theta.grad[0, 0, 2].item() == pytest.approx(50 / 127.5, rel=0.06)
    assert abs(theta.grad[0, 1, 2].item()) < 0.01
