"""Batch norm of narrow maps: the numbers of PyTorch's own, and only where that is slow."""

from copy import deepcopy

import pytest
import torch
from torch import nn

from benchbox.training import batch_norm
from benchbox.training.batch_norm import BatchNorm2d


@pytest.fixture(autouse=True)
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def pixels_last(*shape):
    return torch.randn(shape).contiguous(memory_format=torch.channels_last)


def is_ours(found):
    return "NarrowBatchNorm" in found.grad_fn.name()


@pytest.mark.parametrize("channels", [1, 3, 8, 12, 24, 72, 600])
@pytest.mark.parametrize(("n", "height", "width"), [(4, 8, 8), (3, 5, 7), (1, 1, 9)])
@pytest.mark.parametrize("mean", [2, 1000])  # the trap: sums of which a large mean leaves nothing
def test_numbers_are_those_of_pytorch(channels, n, height, width, mean):
    torch.manual_seed(channels)
    ours, theirs = BatchNorm2d(channels), nn.BatchNorm2d(channels)
    nn.init.normal_(ours.weight)
    nn.init.normal_(ours.bias)
    theirs.load_state_dict(ours.state_dict())
    maps = 3 * pixels_last(n, channels, height, width) + mean
    given = pixels_last(n, channels, height, width)
    results = []
    for norm in (ours, theirs):
        entry = maps.clone(memory_format=torch.preserve_format).requires_grad_()
        found = norm(entry)
        wanted = torch.autograd.grad(found, (entry, norm.weight, norm.bias), given)
        results.append((found.detach(), *wanted, *norm.state_dict().values()))
    assert is_ours(ours(maps))
    assert not is_ours(theirs(maps))
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


def test_a_gradient_may_come_in_any_order():
    norm, maps = BatchNorm2d(6), pixels_last(2, 6, 4, 4).requires_grad_()
    given = pixels_last(2, 6, 4, 4)
    last = torch.autograd.grad(norm(maps), maps, given)[0]
    first = torch.autograd.grad(norm(maps), maps, given.contiguous())[0]
    spread = torch.autograd.grad(norm(maps).sum(), maps)[0]  # an expanded scalar
    assert torch.equal(last, first)
    torch.testing.assert_close(spread, torch.zeros_like(spread), rtol=0, atol=1e-5)


def test_all_else_is_left_to_pytorch(monkeypatch):
    norm, maps = BatchNorm2d(6), pixels_last(2, 6, 4, 4)
    assert is_ours(norm(maps))
    assert not is_ours(BatchNorm2d(16)(pixels_last(2, 16, 4, 4)))  # whole cache lines
    assert not is_ours(norm(maps.contiguous()))
    assert not is_ours(norm(maps.double().float().bfloat16()))
    assert not is_ours(BatchNorm2d(6, momentum=None)(maps))
    assert not is_ours(BatchNorm2d(6, track_running_stats=False)(maps))
    assert not is_ours(BatchNorm2d(6, affine=False)(maps.clone().requires_grad_()))
    assert not is_ours(deepcopy(norm).eval()(maps))
    monkeypatch.setattr(batch_norm, "process_count", lambda: 2)
    assert not is_ours(norm(maps))  # the statistics of all processes
    monkeypatch.undo()
    torch.set_num_threads(1)
    assert not is_ours(norm(maps))


def test_second_derivatives_are_refused():
    maps = pixels_last(2, 6, 4, 4).requires_grad_()
    found = BatchNorm2d(6)(maps).square().sum()
    (first,) = torch.autograd.grad(found, maps, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        first.sum().backward()
