"""A strided 1x1 convolution that reads its pixels first.

oneDNN (of PyTorch 2.13) writes past its memory in the weights' gradient of a 1x1 convolution with
stride 2 and fewer than eight input channels, in channels_last, on processors whose widest vectors
are AVX2: a crash with one thread, an endless loop with two. Taking every `stride`-th pixel and then
convolving with stride 1 is the same function, and touches less memory.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F


class PointwiseConv2d(nn.Conv2d):
    """Convolve (n, inputs, h, w) with a 1x1 kernel at every `stride`-th pixel.

    Weights are (outputs, inputs, 1, 1), as those of `nn.Conv2d`, so files fit both.

    Examples
    --------
    >>> import torch
    >>> conv = PointwiseConv2d(1, 1, stride=2)
    >>> _ = nn.init.ones_(conv.weight)
    >>> conv(torch.arange(16.0).view(1, 1, 4, 4)).flatten().tolist()
    [0.0, 2.0, 8.0, 10.0]
    """

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__(inputs, outputs, 1, stride, bias=False)

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - the name in nn.Conv2d
        """Return (n, outputs, ⌈h / stride⌉, ⌈w / stride⌉)."""
        down, across = self.stride
        return F.conv2d(input[:, :, ::down, ::across], self.weight)
