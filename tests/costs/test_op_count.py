"""Counting: layers by hand, batch norms that fold and those that cannot.

Networks that run twice.
"""

import pytest
import torch
from torch import nn

from benchbox.costs import inference_backends
from benchbox.costs.inference_backends import compiled_backend, eager_backend
from benchbox.costs.latency import measure_latency
from benchbox.costs.op_count import LayerCount, count_module, count_networks, flop_counter_macs


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
        count_networks({"a": (net, seen)}).total,
        count_networks({"a": (net, seen), "b": (net, seen)}).total,
    )
    assert (twice.params, twice.macs) == (once.params, 2 * once.macs)
    assert count_networks({}).total.params == 0


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
    counts = count_networks({"a": (net, seen), "b": (net, seen)})
    total, found = counts.total, counts.layers
    assert counts.uncounted == []
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
    real = inference_backends.point_patches.gather_patches
    monkeypatch.setattr(
        inference_backends.point_patches,
        "gather_patches",
        lambda *args: gathered.append(args[2]) or real(*args),
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


class VectorProduct(nn.Module):
    """`x @ w` with a parameter, outside any layer."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(6, 6, bias=False)
        self.w = nn.Parameter(torch.ones(6))

    def forward(self, x):
        return self.layer(x) @ self.w


class MatrixProduct(nn.Module):
    """A product of two tensors and no parameter: a container with a row of its own."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(6, 6, bias=False)

    def forward(self, x):
        y = self.layer(x)
        return y.transpose(-1, -2) @ x


class FusedAttention(nn.Module):
    def forward(self, x):
        return nn.functional.scaled_dot_product_attention(x, x, x)


class Einsum(nn.Module):
    def forward(self, x):
        return torch.einsum("bnk,bmk->bnm", x, x)


# module, shape of its input, MACs by hand, biased outputs by hand, what PyTorch's counter says
COUNTED_BY_HAND = {
    "conv1d": (nn.Conv1d(3, 4, 2), (1, 3, 5), 4 * 4 * 6, 16, 96),
    "conv3d": (nn.Conv3d(2, 4, 3, bias=False), (1, 2, 4, 4, 4), 8 * 4 * 2 * 27, 0, 1728),
    # each input place is spread over 2 x 2 places of 4 channels
    "transposed": (nn.ConvTranspose2d(3, 4, 2, 2), (1, 3, 5, 5), 25 * 3 * 4 * 4, 400, 1200),
    "transposed, groups": (
        nn.ConvTranspose2d(4, 4, 3, 2, groups=2),
        (1, 4, 5, 5),
        25 * 4 * 2 * 9,
        4 * 11**2,
        1800,
    ),
    "linear on rows": (nn.Linear(3, 4), (1, 6, 3), 6 * 12, 24, 72),
    "vector": (VectorProduct(), (5, 6), 5 * 36 + 5 * 6, 0, 180),
    "matrix": (MatrixProduct(), (1, 5, 6), 5 * 36 + 6 * 5 * 6, 0, 360),
    "einsum": (Einsum(), (2, 5, 6), 2 * 5 * 5 * 6, 0, 300),
    # 4 gates of 7, from 5 inputs and 7 outputs; then from 7 and 7
    "lstm": (nn.LSTM(5, 7, 2), (3, 1, 5), 3 * 28 * (12 + 14), 3 * 28 * 4, 0),
    "lstm, both ways": (nn.LSTM(5, 7, bidirectional=True), (3, 1, 5), 3 * 2 * 28 * 12, 3 * 112, 0),
    "gru": (nn.GRU(5, 7, bias=False), (3, 1, 5), 3 * 21 * 12, 0, 756),
    "rnn": (nn.RNN(5, 7), (3, 1, 5), 3 * 7 * 12, 3 * 14, 252),
    "lstm cell": (nn.LSTMCell(5, 7), (1, 5), 28 * 12, 0, 336),
    # 3 rows through q, k, v and the output's 8 x 8, and 2 heads of 3 x 3 pairs of 4, twice
    "encoder layer": (
        nn.TransformerEncoderLayer(8, 2, 16, batch_first=True),
        (1, 3, 8),
        3 * 4 * 64 + 2 * 2 * 9 * 4 + 2 * 3 * 8 * 16,
        3 * (16 + 8),
        3 * 4 * 64 + 2 * 3 * 8 * 16,
    ),
    "attention": (FusedAttention(), (1, 2, 3, 8), 2 * 2 * 9 * 8, 0, 0),
}


@pytest.mark.parametrize("name", COUNTED_BY_HAND)
def test_every_kind_of_product_is_counted(name):
    """By hand, and beside PyTorch's own counter, which has no rule for some."""
    module, shape, macs, biases, by_torch = COUNTED_BY_HAND[name]
    networks = {name: (module, (torch.zeros(*shape),))}
    counts = count_networks(networks)
    assert (counts.total.macs, counts.total.macs_plus_bias) == (macs, macs + biases)
    assert sum(row.macs for row in counts.layers) == macs
    assert counts.uncounted == []
    assert flop_counter_macs(networks) == by_torch


def test_attention_is_counted_with_its_weights():
    attention = nn.MultiheadAttention(8, 2, batch_first=True)
    seen = torch.zeros(1, 3, 8)
    counts = count_networks({"a": (attention, (seen, seen, seen))})
    assert counts.total.macs == 3 * 4 * 64 + 2 * 2 * 9 * 4
    assert counts.uncounted == []
    assert torch.backends.mha.get_fastpath_enabled()


def test_a_product_between_two_layers_has_a_row():
    rows = count_networks({"a": (MatrixProduct(), (torch.zeros(1, 5, 6),))}).layers
    assert [(row.name, row.macs) for row in rows] == [("a.layer", 180), ("a", 180)]


def test_layers_whose_products_are_unknown_are_named():
    class Scaled(nn.Module):
        def __init__(self):
            super().__init__()
            self.table = nn.Parameter(torch.ones(3, 4))

        def forward(self, x):
            return x * self.table

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.pair, self.scaled = nn.Bilinear(4, 4, 2), Scaled()
            self.norm, self.embed = nn.LayerNorm((3, 4)), nn.Embedding(5, 4)
            self.unused = nn.Linear(4, 4)

        def forward(self, x):
            x = self.norm(self.scaled(x)) + self.embed(torch.zeros(3, dtype=torch.long))
            return torch.linalg.inv(x[:, :3]), self.pair(x, x)

    counts = count_networks({"a": (Net(), (torch.rand(3, 4),))})
    assert counts.total.macs == 0
    assert counts.uncounted == [
        "a.scaled (Scaled)",
        "a.pair (Bilinear): aten._trilinear",
        "a (Net): aten.linalg_inv_ex",
    ]


@pytest.mark.slow
def test_the_compiled_engine_runs():
    compiled_backend({"a": (nn.Conv2d(3, 4, 1), (torch.zeros(1, 3, 8, 8),))}, 2, "cpu")()


def test_latency_is_a_median_between_quartiles_after_a_warm_up(monkeypatch):
    calls = []
    monkeypatch.setattr("benchbox.costs.latency._BUDGET_S", 0.0)
    found = measure_latency(lambda: calls.append(0), warm_up=4)
    assert len(calls) == 4 + found.rounds == 9
    assert 0 <= found.low <= found.median <= found.high < 100
