"""Strided depthwise convolutions in bfloat16.

The gradients that float32 gives, for every size and padding.
"""

import pytest
import torch
from torch import nn

from benchbox.training.depthwise_conv import FastDepthwise, strided_depthwise


@pytest.mark.parametrize(("kernel", "padding"), [(3, 1), (3, 0), (5, 2), (4, 1)])
@pytest.mark.parametrize("side", [8, 9, 11])
@pytest.mark.parametrize("stride", [(2, 2), (3, 1)])
def test_gradients_are_those_of_the_convolution(kernel, padding, side, stride):
    torch.manual_seed(0)
    x, weight = (
        torch.randn(2, 6, side, side, dtype=torch.float64),
        torch.randn(6, 1, kernel, kernel).double(),
    )
    plain = torch.conv2d(x.requires_grad_(), weight.requires_grad_(), None, stride, padding, 1, 6)
    given = torch.randn_like(plain)
    wanted = torch.autograd.grad(plain, (x, weight), given)
    found = strided_depthwise(x, weight, stride, (padding, padding))
    assert torch.equal(found, plain)
    for one, other in zip(torch.autograd.grad(found, (x, weight), given), wanted, strict=True):
        torch.testing.assert_close(one, other)


def test_only_strided_depthwise_convolutions_are_taken():
    taken = nn.Conv2d(8, 8, 3, 2, 1, groups=8, bias=False)
    left = [
        nn.Conv2d(8, 8, 3, 1, 1, groups=8, bias=False),
        nn.Conv2d(8, 8, 3, 2, 1, groups=4, bias=False),
        nn.Conv2d(8, 16, 3, 2, 1, groups=8, bias=False),
        nn.Conv2d(8, 8, 3, 2, 1, groups=8, bias=True),
        nn.Conv2d(8, 8, 3, 2, 2, groups=8, dilation=2, bias=False),
        nn.Conv2d(8, 8, 3, 2, 1, bias=False),
    ]
    images = torch.randn(1, 8, 8, 8)
    with FastDepthwise():
        assert taken(images).dtype == torch.bfloat16
        assert {layer(images).dtype for layer in left} == {torch.float32}
    assert taken(images).dtype == torch.float32


def test_weights_in_float32_get_their_gradient_under_autocast():
    layer = nn.Conv2d(8, 8, 3, 2, 1, groups=8, bias=False)
    images = torch.randn(4, 8, 16, 16)
    wanted = torch.autograd.grad(layer(images).square().sum(), layer.weight)[0]
    with torch.autocast("cpu", torch.bfloat16), FastDepthwise():
        loss = layer(images).float().square().sum()
    found = torch.autograd.grad(loss, layer.weight)[0]
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, wanted, rtol=0.05, atol=0.02 * wanted.abs().max().item())
