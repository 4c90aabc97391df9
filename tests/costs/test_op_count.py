"""Counting: layers by hand, batch norms that fold and those that cannot, networks that run twice."""

import pytest
import torch
from torch import nn

from benchbox.costs import inference_backends
from benchbox.costs.inference_backends import compiled_backend, eager_backend
from benchbox.costs.latency import measure_latency
from benchbox.costs.op_count import LayerCount, count_module, count_networks


def test_a_convolution_and_a_linear_layer_by_hand():
    net = nn.Sequential(
        nn.Conv2d(3, 8, 3, 2, 1), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 16, 5, bias=False)
    )
    found = count_module(net, (1, 3, 8, 8))
    assert found.params == 3 * 8 * 9 + 8 + 128 * 5
    assert found.macs == 4 * 4 * 8 * 27 + 128 * 5
    assert found.macs_plus_bias == found.macs + 4 * 4 * 8
    assert found.params_bn_folded == found.params


def test_groups_divide_the_macs():
    assert count_module(nn.Conv2d(8, 8, 3, groups=8, bias=False), (1, 8, 5, 5)).macs == 9 * 8 * 9


def test_a_batch_norm_behind_a_convolution_folds_into_it():
    """Scale and shift go, a bias comes where there was none."""
    bare = nn.Sequential(nn.Conv2d(3, 8, 1, bias=False), nn.BatchNorm2d(8))
    assert (
        count_module(bare, (1, 3, 4, 4)).params - count_module(bare, (1, 3, 4, 4)).params_bn_folded
        == 8
    )
    biased = nn.Sequential(nn.Conv2d(3, 8, 1), nn.BatchNorm2d(8))
    assert (
        count_module(biased, (1, 3, 4, 4)).params
        - count_module(biased, (1, 3, 4, 4)).params_bn_folded
        == 16
    )


def test_a_batch_norm_before_a_convolution_stays():
    """Pre-activation blocks: what comes from a ReLU cannot be folded."""
    net = nn.Sequential(nn.Conv2d(3, 8, 1), nn.ReLU(), nn.BatchNorm2d(8), nn.Conv2d(8, 8, 1))
    found = count_module(net, (1, 3, 4, 4))
    assert found.params_bn_folded == found.params


def test_what_runs_twice_has_its_parameters_once_and_its_macs_twice():
    net, seen = nn.Linear(10, 4), (torch.zeros(1, 10),)
    once, twice = (
        count_networks({"a": (net, seen)})[0],
        count_networks({"a": (net, seen), "b": (net, seen)})[0],
    )
    assert (twice.params, twice.macs) == (once.params, 2 * once.macs)
    assert count_networks({})[0].params == 0


def test_layers_stand_in_the_order_of_running_and_add_up():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.last = nn.Linear(4, 2)  # defined first, run last
            self.first = nn.Conv2d(3, 4, 3, padding=1)
            self.act = nn.ReLU()
            self.scale = nn.Parameter(torch.ones(5))
            self.training_only = nn.Linear(7, 1)

        def forward(self, x):
            return self.last(self.act(self.act(self.first(x))).mean((2, 3)))

    net, seen = Net(), (torch.zeros(1, 3, 6, 6),)
    total, found = count_networks({"a": (net, seen), "b": (net, seen)})
    conv, linear = (
        LayerCount("a.first", "Conv2d", (1, 4, 6, 6), 2, 112, 2 * 3888, 288),
        ("a.last", 2, 10, 16),
    )
    act, whole, unused = found[1], found[3], found[4]
    assert found[0] == conv
    assert (act.name, act.calls, act.params, act.macs) == ("a.act", 4, 0, 0)
    assert (found[2].name, found[2].calls, found[2].params, found[2].macs) == linear
    # a parameter of its own, outside any layer
    assert (whole.name, whole.type, whole.params) == ("a", "Net", 5)
    assert (unused.name, unused.output, unused.calls, unused.params) == (
        "a.training_only",
        None,
        0,
        8,
    )
    assert (sum(row.params for row in found), sum(row.macs for row in found)) == (
        total.params,
        total.macs,
    )
    assert total.params == sum(p.numel() for p in net.parameters())


def test_a_parameter_that_two_layers_share_is_counted_once():
    one, two = nn.Linear(3, 3), nn.Linear(3, 3)
    two.weight = one.weight
    assert count_module(nn.Sequential(one, two), (1, 3)).params == 9 + 3 + 3


def test_counting_leaves_a_network_as_it_was():
    net = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4)).train()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    count_module(net, (2, 3, 4, 4))
    assert net.training
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert not any(layer._forward_hooks for layer in net.modules())


def test_engines_run_a_batch_of_the_example():
    seen = []

    class Net(nn.Module):
        def forward(self, picture, shape):
            seen.append(
                (
                    picture.shape,
                    picture.is_contiguous(memory_format=torch.channels_last),
                    shape.shape,
                )
            )

    eager_backend({"a": (Net(), (torch.zeros(1, 3, 8, 8), torch.zeros(1, 5, 2)))}, 32, "cpu")()
    assert seen == [((32, 3, 8, 8), True, (32, 5, 2))]


def test_patches_are_gathered_for_every_network_that_is_shown_some(monkeypatch):
    """Four iterations of SIR cut four times; latency with the crop is the whole price of a face."""
    gathered = []
    real = inference_backends.patches.gather
    monkeypatch.setattr(
        inference_backends.patches, "gather", lambda *args: gathered.append(args[2]) or real(*args)
    )
    shown = (torch.zeros(1, 5, 3, 7, 7),)
    inference_backends.eager_with_crop_backend(
        {"1": (nn.Flatten(), shown), "2": (nn.Flatten(), shown)}, 2, "cpu"
    )()
    assert gathered == [7, 7]
    with pytest.raises(ValueError, match="none of its networks is shown a picture"):
        inference_backends.eager_with_crop_backend(
            {"1": (nn.Flatten(), (torch.zeros(1, 5, 2),))}, 2, "cpu"
        )


@pytest.mark.slow
def test_the_compiled_engine_runs():
    compiled_backend({"a": (nn.Conv2d(3, 4, 1), (torch.zeros(1, 3, 8, 8),))}, 2, "cpu")()


def test_latency_is_a_median_between_quartiles_after_a_warm_up(monkeypatch):
    calls = []
    monkeypatch.setattr("benchbox.costs.latency._BUDGET_S", 0.0)
    found = measure_latency(lambda: calls.append(0), warm_up=4)
    assert len(calls) == 4 + found.rounds == 9
    assert 0 <= found.low <= found.median <= found.high < 100
