"""Heat maps: targets by hand, and the floors of each decoding rule over perfect maps."""

import math

import numpy as np
import pytest
import torch

from benchbox.training import heatmaps

SIDE, SIGMA = 64, 3.0


def test_a_target_is_the_bell_at_the_cells_centres():
    """Cells are centred on the mean of their pixels: 1.5, 5.5, 9.5 … at stride 4, not 0, 4, 8."""
    maps = heatmaps.gaussian_heatmaps(torch.tensor([[[5.5, 9.5]]]), (16, 16), 4, SIGMA)
    assert maps.shape == (1, 1, 16, 16)
    assert maps[0, 0, 2, 1] == 1
    assert maps[0, 0, 2, 2].item() == pytest.approx(math.exp(-16 / 18))
    assert maps[0, 0, 3, 2].item() == pytest.approx(math.exp(-32 / 18))
    assert maps[0, 0, 2, 4] == 0  # exp(-8) is below the threshold


def test_targets_equal_the_formula_cell_by_cell():
    points = torch.rand(2, 3, 2, generator=torch.Generator().manual_seed(0)) * 80 - 8
    maps = heatmaps.gaussian_heatmaps(points, (8, 12), 5.0, 4.0, 0.05)
    for (n, k, row, column), value in np.ndenumerate(maps.numpy()):
        x, y = 5 * column + 2, 5 * row + 2
        bell = math.exp(-((x - points[n, k, 0]) ** 2 + (y - points[n, k, 1]) ** 2) / 32)
        assert value == pytest.approx(bell if bell >= 0.05 else 0, abs=1e-6)


def test_what_is_not_annotated_has_an_empty_map_and_the_background_takes_the_rest():
    maps = heatmaps.gaussian_heatmaps(
        torch.tensor([[[31.5, 31.5], [float("nan"), 3.0]]]), (8, 8), 8, SIGMA
    )
    assert not maps[0, 1].any()
    whole = heatmaps.add_background(maps)
    assert whole.shape == (1, 3, 8, 8)
    torch.testing.assert_close(whole[0, 2], 1 - maps[0, 0])


FLOORS = {  # mean distance in px of a perfect network, over random points: reproduced figures
    ("decode_argmax", 8): 2.96, ("decode_quarter", 8): 1.56, ("decode_centroid", 8): 0.82,
    ("decode_argmax", 4): 1.56, ("decode_quarter", 4): 0.76, ("decode_centroid", 4): 0.03,
}  # fmt: skip


@pytest.mark.parametrize(("rule", "stride"), FLOORS)
def test_each_rule_has_its_floor(rule, stride):
    """A plain argmax costs three pixels of a 64-px face.

    A slip of half a cell would move every figure.
    """
    points = 10 + 44 * torch.rand(400, 20, 2, generator=torch.Generator().manual_seed(0))
    maps = heatmaps.gaussian_heatmaps(points, (SIDE // stride, SIDE // stride), stride, SIGMA)
    cells, _ = getattr(heatmaps, rule)(maps)
    errors = (heatmaps.cells_to_px(cells, stride) - points).norm(dim=-1)
    assert errors.mean().item() == pytest.approx(FLOORS[rule, stride], rel=0.06, abs=0.01)
    assert (heatmaps.cells_to_px(cells, stride) - points).mean(
        dim=(0, 1)
    ).abs().max() < 0.06  # no shift


def test_peaks_are_the_heights():
    maps = torch.zeros(1, 2, 4, 6)
    maps[0, 0, 1, 5], maps[0, 1, 3, 0] = 0.7, 0.2
    cells, heights = heatmaps.decode_argmax(maps)
    assert cells[0].tolist() == [[5, 1], [0, 3]]
    assert heights[0].tolist() == pytest.approx([0.7, 0.2])
    assert heatmaps.decode_quarter(maps)[0][0].tolist() == [
        [5, 1],
        [0, 3],
    ]  # at the rim nothing moves
    assert heatmaps.decode_centroid(maps)[0][0].tolist() == [[5, 1], [0, 3]]


def test_a_centroid_looks_only_near_the_peak_and_ignores_negative_values():
    maps = torch.full((1, 1, 16, 16), -0.3)
    maps[0, 0, 8, 4], maps[0, 0, 8, 5], maps[0, 0, 8, 12] = 0.6, 0.2, 0.5
    assert heatmaps.decode_centroid(maps, 4)[0].flatten().tolist() == pytest.approx([4.25, 8])
    assert heatmaps.decode_centroid(torch.zeros(1, 1, 4, 4))[0].flatten().tolist() == [0, 0]
