"""Batch norm whose backward pass is not slowed by the second thread on a CPU.

PyTorch (2.13) adds the sums of a channels-last gradient up in one row of memory per thread. Rows of
few channels share cache lines, which the threads then take from each other at every pixel: the
backward pass of 32 x 8 x 72 x 72 takes 1.3 ms with one thread and 11 ms with two.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from benchbox.process_rank import process_count

_LINE_CHANNELS = 16  # float32 numbers in a cache line of 64 bytes
_ROW_NUMBERS = 512  # of the rows that are worked on: several pixels side by side


class BatchNorm2d(nn.BatchNorm2d):
    """`nn.BatchNorm2d` with the same numbers and weights, faster in training on several threads.

    Only channels-last float32 maps on a CPU, of a number of channels that does not fill cache
    lines, are treated differently; gradients are equal within rounding.
    """

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - the name in nn.BatchNorm2d
        """Normalise (n, channels, h, w)."""
        if not self.training or not self._shares_cache_lines(input):
            return super().forward(input)
        assert self.num_batches_tracked is not None
        self.num_batches_tracked.add_(1)
        found: Tensor = _NarrowBatchNorm.apply(  # type: ignore[no-untyped-call]
            input,
            self.weight,
            self.bias,
            self.running_mean,
            self.running_var,
            self.momentum,
            self.eps,
        )
        return found

    def _shares_cache_lines(self, maps: Tensor) -> bool:
        return (
            maps.device.type == "cpu"
            and maps.dtype == torch.float32
            and self.affine
            and self.track_running_stats
            and self.momentum is not None
            and self.num_features % _LINE_CHANNELS != 0
            and torch.get_num_threads() > 1
            and process_count() == 1  # else the processes share their sums: `split_calls`
            and maps.is_contiguous(memory_format=torch.channels_last)
        )


class _NarrowBatchNorm(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, maps: Tensor, weight: Tensor, bias: Tensor, *running: Any) -> Tensor:
        mean, variance, momentum, eps = running
        found, saved_mean, inverse_sd = torch.native_batch_norm(
            maps, weight, bias, mean, variance, True, momentum, eps
        )
        ctx.save_for_backward(maps, weight, saved_mean, inverse_sd)
        return found

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        maps, weight, mean, inverse_sd = ctx.saved_tensors
        channels = len(weight)
        pixels = maps.numel() // channels
        repeats = math.gcd(pixels, 2 ** (_ROW_NUMBERS // channels).bit_length())
        grad = _as_rows(grads[0], repeats * channels)
        values = _as_rows(maps, repeats * channels)
        to_bias = grad.sum(dim=0).view(repeats, channels).sum(dim=0)
        # Centred first: else the digits of a large mean are what is left of the sums.
        centred = values - mean.repeat(repeats)
        products = (grad * centred).sum(dim=0).view(repeats, channels).sum(dim=0)
        to_weight = products * inverse_sd
        # The gradient of an input is a * grad + b * (value - mean) + c, in each channel.
        a = weight * inverse_sd
        b = -a * inverse_sd * to_weight / pixels
        c = -a * to_bias / pixels
        to_maps = torch.addcmul(c.repeat(repeats), centred, b.repeat(repeats))
        to_maps.addcmul_(grad, a.repeat(repeats))
        n, _, height, width = maps.shape
        to_maps = to_maps.view(n, height, width, channels).permute(0, 3, 1, 2)
        return to_maps, to_weight, to_bias, None, None, None, None


def _as_rows(maps: Tensor, length: int) -> Tensor:
    """View maps (n, c, h, w) as rows of `length` numbers, pixel by pixel."""
    pixels_last = maps.contiguous(memory_format=torch.channels_last).permute(0, 2, 3, 1)
    return pixels_last.reshape(-1, length)
