"""A strided 1x1 convolution equals torch's, and its gradients end on every processor."""

import subprocess
import sys

import pytest
import torch
from torch import nn

from benchbox.training.pointwise_conv import PointwiseConv2d


@pytest.mark.parametrize("side", [8, 9])
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_it_is_the_strided_convolution(side, stride):
    torch.manual_seed(0)
    ours = PointwiseConv2d(4, 8, stride).double()
    plain = nn.Conv2d(4, 8, 1, stride, bias=False).double()
    plain.load_state_dict(ours.state_dict())
    x = torch.randn(2, 4, side, side, dtype=torch.float64, requires_grad=True)
    expected = plain(x)
    assert torch.equal(ours(x), expected)
    given = torch.randn_like(expected)
    wanted = torch.autograd.grad(expected, (x, plain.weight), given)
    gradients = torch.autograd.grad(ours(x), (x, ours.weight), given)
    for gradient, other in zip(gradients, wanted, strict=True):
        torch.testing.assert_close(gradient, other)


def test_its_gradient_ends_in_channels_last():
    """Trap: torch's own crashes or never ends here with AVX2, so a process of its own tries it."""
    code = """
import torch
from benchbox.training.pointwise_conv import PointwiseConv2d
for _ in range(60):
    conv = PointwiseConv2d(4, 8, 2).to(memory_format=torch.channels_last)
    images = torch.randn(4, 4, 32, 32).contiguous(memory_format=torch.channels_last)
    conv(images).sum().backward()
print("done")
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.returncode, done.stdout.strip()) == (0, "done")
