"""Patches: where each pixel comes from, to a fraction of a pixel, and what lies outside."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from benchbox.training import point_patches

# channels x and y
RAMP = torch.stack(torch.meshgrid(torch.arange(90.0), torch.arange(80.0), indexing="xy"))[None]


def test_a_patch_shows_the_picture_around_its_centre():
    """On a ramp of coordinates the middle pixel reads its own place.

    A slip of half a pixel would show.
    """
    found = point_patches.gather_patches(RAMP, torch.tensor([[[40.25, 30.5], [20.0, 50.0]]]), 5)
    assert found.shape == (1, 2, 2, 5, 5)
    assert found[0, 0, :, 2, 2].tolist() == pytest.approx([40.25, 30.5])
    np.testing.assert_allclose(found[0, 0, 0, 0], 38.25 + np.arange(5), rtol=1e-6)
    np.testing.assert_allclose(found[0, 0, 1, :, 0], 28.5 + np.arange(5), rtol=1e-6)
    # whole pixels are copied, not blended
    assert torch.equal(found[0, 1], RAMP[0, :, 48:53, 18:23])


def test_an_even_side_has_its_centre_between_pixels():
    found = point_patches.gather_patches(RAMP, torch.tensor([[[10.5, 20.5]]]), 4)
    assert torch.equal(found[0, 0], RAMP[0, :, 19:23, 9:13])


@pytest.mark.parametrize("side", [57, 8])
def test_the_gather_equals_grid_sampling(side):
    """The slow twin: torch's sampler with a grid of 68 x side² places per picture, zero outside."""
    rng = torch.Generator().manual_seed(0)
    images = torch.rand(3, 3, 64, 48, generator=rng)
    centres = torch.rand(3, 7, 2, generator=rng) * torch.tensor([68.0, 84.0]) - 10
    offset = torch.arange(side) - (side - 1) / 2
    places = centres[:, :, None, None] + torch.stack(
        torch.meshgrid(offset, offset, indexing="xy"), -1
    )
    grid = (2 * places + 1) / torch.tensor([48.0, 64.0]) - 1
    wanted = F.grid_sample(images, grid.view(3, 7 * side, side, 2), align_corners=False)
    wanted = wanted.view(3, 3, 7, side, side).transpose(1, 2)
    torch.testing.assert_close(
        point_patches.gather_patches(images, centres, side), wanted, atol=2e-5, rtol=0
    )


def test_far_outside_is_zero_and_nan_stays_nan():
    """A shape thrown far off must neither wrap around nor read another picture's memory."""
    images = torch.ones(2, 1, 16, 16)
    far = torch.tensor(
        [[[1e6, 8.0], [8.0, -1e6], [-40.0, 400.0]], [[8.0, 8.0], [float("nan"), 8.0], [7.5, 7.5]]]
    )
    found = point_patches.gather_patches(images, far, 4)
    assert not found[0].any()
    assert found[1, 0].min() == 1
    assert found[1, 1].isnan().all()
    assert found[1, 2].min() == 1


def test_bytes_are_gathered_as_bytes_and_blended_as_floats():
    pixels = torch.randint(
        0, 256, (2, 32, 32, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(1)
    )
    centres = torch.tensor([[[9.3, 12.8]], [[20.6, 15.1]]])
    found = point_patches.gather_patches(pixels.permute(0, 3, 1, 2), centres, 9)
    assert found.dtype == torch.float32
    torch.testing.assert_close(
        found, point_patches.gather_patches(pixels.permute(0, 3, 1, 2).float(), centres, 9)
    )


def test_a_gradient_reaches_the_centres():
    centres = torch.tensor([[[40.25, 30.5]]], requires_grad=True)
    point_patches.gather_patches(RAMP, centres, 5)[:, :, 0].mean().backward()
    assert centres.grad.flatten().tolist() == pytest.approx([1, 0], abs=1e-5)


def test_shapes_that_do_not_fit_are_named():
    with pytest.raises(ValueError, match=r"images \(1, 2, 80, 90\) and centres \(2, 3, 2\)"):
        point_patches.gather_patches(RAMP, torch.zeros(2, 3, 2), 5)
