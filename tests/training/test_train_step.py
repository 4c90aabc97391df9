"""A step is what four lines of PyTorch are.

Low precision and graphs must not change what is learnt.
"""

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import nn

from benchbox.training.augment import Augmentation, sample_seeds
from benchbox.training.crops import DeviceSampler
from benchbox.training.optim import make_optimiser
from benchbox.training.train_step import (
    TrainStep,
    autocast_to,
    batch_tensors,
    low_precision,
    refill_batch,
)

GEN = torch.Generator().manual_seed(0)
INPUTS, TARGETS = torch.randn(8, 5, generator=GEN), torch.randn(8, 2, generator=GEN)


def fresh(kind="sgd"):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(5, 16), nn.Tanh(), nn.Linear(16, 2))
    return net, make_optimiser(kind, net.parameters(), 0.1, 0.01)


def mse(net, pair):
    return (net(pair[0]).float() - pair[1]).square().mean()


@pytest.mark.parametrize("kind", ["sgd", "adamw"])
def test_a_step_equals_the_plain_lines(kind):
    net, optim = fresh(kind)
    twin, plain = fresh(kind)
    step = TrainStep(lambda pair: mse(net, pair), net.parameters(), optim, "cpu", clip=0.05)
    for number in range(5):
        step.rate(1 / (number + 1))
        found = step((INPUTS, TARGETS))
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
    TrainStep(lambda pair: 1e3 * mse(net, pair), net.parameters(), optim, "cpu")((INPUTS, TARGETS))
    assert torch.cat([p.grad.flatten() for p in net.parameters()]).norm() > 10


def test_low_precision_is_asked_for_and_learns_the_same():
    """float32 is the default: no published number moves because a processor can do bfloat16."""
    seen, losses = [], {}
    for precision in ("float32", "auto"):
        net, optim = fresh()
        net[0].register_forward_hook(lambda layer, inputs, output: seen.append(output.dtype))
        step = TrainStep(
            lambda pair, net=net: mse(net, pair),
            net.parameters(),
            optim,
            "cpu",
            precision=precision,
        )
        step.rate(0.5)
        losses[precision] = [step((INPUTS, TARGETS)).item() for _ in range(30)][-1]
    assert seen[0] == torch.float32
    assert seen[-1] == (low_precision("cpu") or torch.float32)
    assert losses["auto"] == pytest.approx(losses["float32"], rel=0.1)


def test_autocast_by_name():
    with autocast_to("cpu", "float32"):
        assert not torch.is_autocast_enabled("cpu")
    with autocast_to("cpu"):
        assert torch.is_autocast_enabled("cpu") == (low_precision("cpu") is not None)


@dataclass(frozen=True)
class Nested:
    pictures: tuple[torch.Tensor, ...]
    by_stride: dict[int, torch.Tensor]
    look: DeviceSampler
    nothing: None = None


def test_a_batch_of_any_shape_is_taken_apart_and_put_together():
    """A graph reads its inputs at fixed places.

    What is left out there would stay the first batch's for ever.
    """
    one, two, three, four, five = (torch.full((1, 2, 2, 3), float(k)) for k in range(5))
    batch = Nested((one, two), {4: three}, DeviceSampler(lambda: four, five, None))
    assert [t.mean().item() for t in batch_tensors(batch)] == [0, 1, 2, 3, 4]
    other = refill_batch(batch, iter([t + 10 for t in batch_tensors(batch)]))
    assert [t.mean().item() for t in batch_tensors(other)] == [10, 11, 12, 13, 14]
    assert isinstance(other, Nested)
    assert other.look.fetch().mean() == 13


def test_what_a_graph_would_take_for_a_constant_is_refused():
    with pytest.raises(RuntimeError, match=r"a batch holds a ndarray; only tensors can change"):
        list(batch_tensors((INPUTS, np.zeros(3))))
    with pytest.raises(RuntimeError, match="draw them before the step"):
        list(
            batch_tensors(
                DeviceSampler(
                    lambda: INPUTS,
                    None,
                    Augmentation(blur=1.0).draw(sample_seeds(0, 0, np.arange(2))),
                )
            )
        )


def test_the_rate_follows_a_checkpoint_that_put_another_one_there():
    net, optim = fresh()
    step = TrainStep(lambda pair: mse(net, pair), net.parameters(), optim, "cpu")
    optim.param_groups[0]["lr"] = 7.0
    step.rate(0.25)
    assert optim.param_groups[0]["lr"] == pytest.approx(0.025)


class FakeGraph:
    """Counts what it is given to replay."""

    def __init__(self):
        self.given = []

    def replay(self, given):
        self.given.append(given)
        return torch.tensor(-1.0)


def graphed(monkeypatch, capture):
    """A step that believes in graphs, on a CPU."""
    net, optim = fresh()
    seen = []

    def loss(pair, word):
        seen.append(word)
        return mse(net, pair)

    step = TrainStep(loss, net.parameters(), optim, "cpu")
    step.graphs = True
    monkeypatch.setattr("benchbox.training.train_step._capture_step", capture)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: None)
    return step, seen


def test_each_set_of_constants_warms_up_and_gets_a_graph_of_its_own(monkeypatch):
    """Trap: a loss that changes its kind half-way would go on as the kind it was captured in."""
    made = []
    step, seen = graphed(
        monkeypatch, lambda *args: made.append((args[3], FakeGraph())) or made[-1][1]
    )
    for word in ("l1",) * 5 + ("weighted",) * 5 + ("l1",):
        step((INPUTS, TARGETS), word)
    assert seen == ["l1"] * 3 + ["weighted"] * 3
    assert [(constants, len(graph.given)) for constants, graph in made] == [
        (("l1",), 3),
        (("weighted",), 2),
    ]
    assert made[0][1].given[0][0] is INPUTS


def test_a_loss_that_cannot_be_captured_runs_eagerly_ever_after_and_says_so_once(
    monkeypatch, capsys
):
    def capture(*args):
        raise RuntimeError("operation not permitted when stream is capturing")

    step, seen = graphed(monkeypatch, capture)
    losses = [step((INPUTS, TARGETS), "l1").item() for _ in range(6)]
    assert len(seen) == 6
    assert losses[-1] < losses[0]
    assert capsys.readouterr().err.count("note: no CUDA graph") == 1


@pytest.mark.gpu
def test_a_captured_step_learns_what_an_eager_one_does():
    found = {}
    for graphs in (False, True):
        net, _ = fresh()
        net = net.cuda()
        optim = make_optimiser("sgd", net.parameters(), 0.1, 0.01)
        step = TrainStep(
            lambda pair, net=net: mse(net, pair),
            net.parameters(),
            optim,
            "cuda",
            clip=1.0,
            graphs=graphs,
        )
        losses = []
        for number in range(12):
            step.rate(1 / (number + 1))
            losses.append(step((INPUTS.cuda() + 0.01 * number, TARGETS.cuda())))
        assert bool(step.captured) == graphs
        found[graphs] = torch.stack(losses)
    torch.testing.assert_close(found[True], found[False], rtol=1e-4, atol=1e-6)
