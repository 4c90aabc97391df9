"""Schedules by hand, names that do not exist, averages."""

import pytest
import torch
from torch import nn

from benchbox.errors import PluginError
from benchbox.training.optim import WeightAverage, make_optimiser, rate_factor


def test_schedules_by_hand():
    assert [rate_factor("poly", step, 4) for step in range(4)] == [1, 0.75, 0.5, 0.25]
    assert [rate_factor("constant", step, 4, warmup=2) for step in range(4)] == [0.5, 1.0, 1.0, 1.0]
    assert rate_factor("cosine", 0, 10) == 1
    assert rate_factor("cosine", 5, 10) == pytest.approx(0.5)
    assert [rate_factor("cosine", step, 10, warmup=2) for step in (0, 1, 2)] == [0.5, 1.0, 1.0]


def test_unknown_names_are_told_what_there_is():
    with pytest.raises(PluginError, match="must be constant, poly or cosine"):
        rate_factor("step", 5, 10)
    with pytest.raises(PluginError, match="must be sgd, adamw or adadelta"):
        make_optimiser("lion", [], 0.1, 0)


def test_sgd_has_the_papers_momentum():
    found = make_optimiser("sgd", [nn.Parameter(torch.zeros(1))], 0.01, 2e-4)
    assert (found.defaults["momentum"], found.defaults["weight_decay"]) == (0.9, 2e-4)


def test_adadelta_by_hand():
    """The first step from zero state.

    Sqrt(eps) / sqrt((1 - rho) g² + eps) of the gradient, times the rate.
    """
    weight = nn.Parameter(torch.ones(1, dtype=torch.float64))
    weight.grad = torch.full((1,), 2.0, dtype=torch.float64)
    make_optimiser("adadelta", [weight], 0.1, 0.0).step()
    moved = 1e-6**0.5 / (0.1 * 2.0**2 + 1e-6) ** 0.5 * 2.0
    assert weight.item() == pytest.approx(1 - 0.1 * moved)


def test_an_average_forgets_its_start_quickly():
    """(1 + t) / (10 + t): after the first step the average holds 9/11 … of the new value.

    Not 1 - decay of it.
    """
    net = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(net.weight)
    average = WeightAverage([net], 0.999)
    nn.init.ones_(net.weight)
    average.update()
    average.apply()
    assert net.weight.item() == pytest.approx(0.9)


def test_an_average_covers_batch_norm_statistics():
    net = nn.BatchNorm1d(2)
    average = WeightAverage([net], 0.5)
    net(torch.full((4, 2), 10.0))
    average.update()
    kept = net.running_mean.clone()
    average.apply()
    assert 0 < net.running_mean[0] < kept[0] + 1e-6
    assert net.num_batches_tracked == 1
