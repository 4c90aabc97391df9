"""Units that never fire and layers that learn nothing are counted from the gradients of a stage."""

import json

import pytest
import torch
from torch import nn

from benchbox.training import dead_units
from benchbox.training.train_log import TrainLog
from benchbox.training.train_step import TrainStep

INPUTS = torch.randn(8, 5, generator=torch.Generator().manual_seed(0))
NEVER = -1e4  # a bias with which a ReLU never fires


def make_net(dead=(), activation=nn.ReLU):
    """Return 5 → 16 → 8 → 2; `dead` names units of the first layer that never fire."""
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Linear(5, 16), activation(), nn.Linear(16, 8), nn.Tanh(), nn.Linear(8, 2)
    )
    with torch.no_grad():
        net[0].bias.fill_(1.0)
        net[0].bias[list(dead)] = NEVER
    return net


def make_step(net, rate=1e-3, **more):
    optimiser = torch.optim.SGD(net.parameters(), rate)
    loss = lambda batch: net(batch).square().mean()  # noqa: E731
    return TrainStep(loss, net.parameters(), optimiser, "cpu", **more)


def train(folder, net, steps=20, stage="net", before=0, step=None):
    step = step or make_step(net)
    with TrainLog(folder, stage, before + steps, 8, 8, before) as log:
        for number in range(before, before + steps):
            log.step(number + 1, step(INPUTS))
    return json.loads((folder / "training.json").read_text())


def test_units_that_never_fire_are_a_share_of_all(tmp_path):
    """3 of 16 + 8 + 2 units; the layers behind and before them go on learning."""
    record = train(tmp_path, make_net(dead=(0, 3, 7)))
    assert record["stages"]["net"]["dead_units"] == pytest.approx(3 / 26, abs=1e-4)
    assert record["stages"]["net"]["dead_layers"] == 0.0
    assert (record["dead_units"], record["dead_layers"]) == (pytest.approx(0.1154), 0.0)


def test_a_layer_without_gradient_is_dead_and_so_is_what_feeds_it(tmp_path):
    """All 16 never fire: their layer learns nothing, and the next one's weights multiply zeros."""
    record = train(tmp_path, make_net(dead=range(16)))
    assert record["dead_layers"] == pytest.approx(2 / 3, abs=1e-4)
    assert record["dead_units"] == pytest.approx(24 / 26, abs=1e-4)


def test_a_live_network_has_none(tmp_path):
    record = train(tmp_path, make_net(activation=nn.Tanh))
    assert (record["dead_units"], record["dead_layers"]) == (0.0, 0.0)


def test_a_gradient_that_is_not_finite_moves_nothing(tmp_path):
    net = make_net(activation=nn.Tanh)
    with torch.no_grad():
        net[4].bias.fill_(float("nan"))
    assert train(tmp_path, net)["dead_layers"] == 1.0


def test_what_died_early_is_forgotten_to_have_lived(tmp_path):
    """The trap: a unit that fired in the first steps counts as alive for ever."""
    net = make_net()
    step = make_step(net)
    with TrainLog(tmp_path, "net", 600, 8, 8) as log:
        for number in range(600):
            if number == 100:
                with torch.no_grad():
                    net[0].bias.fill_(NEVER)
            log.step(number + 1, step(INPUTS))
    assert json.loads((tmp_path / "training.json").read_text())["dead_layers"] == pytest.approx(
        2 / 3, abs=1e-4
    )


def test_a_unit_that_fires_now_and_then_lives(tmp_path):
    """It fires for one batch in four; a look at the last batch alone would call it dead."""
    net = make_net(dead=(0,))
    with torch.no_grad():
        net[0].weight[0] = torch.tensor([1.0, 0, 0, 0, 0])
        net[0].bias[0] = -50.0
    rare = INPUTS.clone()
    rare[0, 0] = 100.0
    step = make_step(net, rate=0.0)
    with TrainLog(tmp_path, "net", 19, 8, 8) as log:
        for number in range(19):
            log.step(number + 1, step(rare if number % 4 == 0 else INPUTS))
    assert json.loads((tmp_path / "training.json").read_text())["dead_units"] == 0.0


def test_each_stage_has_its_own_shares_and_the_worst_is_the_trainings(tmp_path):
    train(tmp_path, make_net(dead=range(16)), stage="one")
    record = train(tmp_path, make_net(activation=nn.Tanh), stage="two")
    assert record["stages"]["two"]["dead_units"] == 0.0
    assert record["dead_layers"] == record["stages"]["one"]["dead_layers"] > 0.6


def test_a_stage_that_is_taken_up_again_at_its_end_keeps_its_shares(tmp_path):
    net = make_net(dead=(0, 3, 7))
    found = train(tmp_path, net)["dead_units"]
    assert train(tmp_path, net, steps=0, before=20)["dead_units"] == found


def test_weights_without_any_gradient_count_for_nothing(tmp_path):
    """A network's part that this stage does not use is no dead layer."""
    net = make_net(activation=nn.Tanh)
    unused = nn.Linear(5, 5)
    weights = [*net.parameters(), *unused.parameters()]
    optimiser = torch.optim.SGD(weights, 1e-3)
    step = TrainStep(lambda batch: net(batch).square().mean(), weights, optimiser, "cpu")
    assert train(tmp_path, net, step=step)["dead_layers"] == 0.0


def test_looking_changes_nothing(tmp_path, monkeypatch):
    net, twin = make_net(), make_net()
    (tmp_path / "a").mkdir()
    train(tmp_path / "a", net, steps=40)
    monkeypatch.setattr(dead_units.GradientWatch, "count_step", lambda *_: None)
    (tmp_path / "b").mkdir()
    record = train(tmp_path / "b", twin, steps=40)
    assert "dead_units" not in record
    for one, two in zip(net.parameters(), twin.parameters(), strict=True):
        assert torch.equal(one, two)
