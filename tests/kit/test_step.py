"""A step is what four lines of PyTorch are; low precision and graphs must not change what is learnt."""

import copy

import pytest
import torch
from torch import nn

from benchbox.kit.optimise import optimiser
from benchbox.kit.step import Step, autocast, low_precision

GEN = torch.Generator().manual_seed(0)
INPUTS, TARGETS = torch.randn(8, 5, generator=GEN), torch.randn(8, 2, generator=GEN)


def fresh(kind="sgd"):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(5, 16), nn.Tanh(), nn.Linear(16, 2))
    return net, optimiser(kind, net.parameters(), 0.1, 0.01)


@pytest.mark.parametrize("kind", ["sgd", "adamw"])
def test_a_step_equals_the_plain_lines(kind):
    net, optim = fresh(kind)
    twin, plain = fresh(kind)
    step = Step(lambda x, y: (net(x) - y).square().mean(), net.parameters(), optim, "cpu", clip=0.05)
    for number in range(5):
        step.rate(0.1 / (number + 1))
        found = step(INPUTS, TARGETS)
        plain.param_groups[0]["lr"] = 0.1 / (number + 1)
        loss = (twin(INPUTS) - TARGETS).square().mean()
        plain.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(twin.parameters(), 0.05)
        plain.step()
        assert not found.requires_grad
        assert torch.equal(found, loss.detach())
    assert all(torch.equal(a, b) for a, b in zip(net.parameters(), twin.parameters(), strict=True))


def test_without_a_clip_gradients_are_left_alone():
    net, optim = fresh()
    Step(lambda x, y: 1e3 * (net(x) - y).square().mean(), net.parameters(), optim, "cpu")(INPUTS, TARGETS)
    assert torch.cat([p.grad.flatten() for p in net.parameters()]).norm() > 10


def test_low_precision_is_asked_for_and_learns_the_same():
    """float32 is the default: a published number must not move because a processor can do bfloat16."""
    net, optim = fresh()
    seen = []
    net[0].register_forward_hook(lambda layer, inputs, output: seen.append(output.dtype))
    losses = {}
    start = copy.deepcopy(net.state_dict())
    for precision in ("float32", "auto"):
        net.load_state_dict(start)
        step = Step(
            lambda x, y: (net(x).float() - y).square().mean(), net.parameters(), optim, "cpu", precision=precision
        )
        step.rate(0.05)
        losses[precision] = [step(INPUTS, TARGETS).item() for _ in range(30)][-1]
    assert seen[0] == torch.float32
    assert seen[-1] == (low_precision("cpu") or torch.float32)
    assert losses["auto"] == pytest.approx(losses["float32"], rel=0.1)


def test_autocast_by_name():
    with autocast("cpu", "float32"):
        assert not torch.is_autocast_enabled("cpu")
    with autocast("cpu"):
        assert torch.is_autocast_enabled("cpu") == (low_precision("cpu") is not None)


@pytest.mark.gpu
def test_a_captured_step_learns_what_an_eager_one_does():
    found = {}
    for graphs in (False, True):
        net, _ = fresh()
        net = net.cuda()
        optim = optimiser("sgd", net.parameters(), 0.1, 0.01)
        step = Step(
            lambda x, y, net=net: (net(x) - y).square().mean(), net.parameters(), optim, "cuda", clip=1.0, graphs=graphs
        )
        losses = []
        for number in range(12):
            step.rate(0.1 / (number + 1))
            losses.append(step(INPUTS.cuda() + 0.01 * number, TARGETS.cuda()))
        assert bool(step.captured) == graphs
        found[graphs] = torch.stack(losses)
    torch.testing.assert_close(found[True], found[False], rtol=1e-4, atol=1e-6)
