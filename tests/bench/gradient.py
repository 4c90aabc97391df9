"""Time the input gradient of one layer, in a process set up as for training; prints JSON.

python tests/bench/gradient.py "strided depthwise convolution" "ours, bfloat16" 64 48 128 7
python tests/bench/gradient.py "batch norm" "PyTorch, float32" 32 8 72 7
"""

import json
import sys
import time

import torch
from torch import nn

from benchbox.training import batch_norm, depthwise_conv, process_setup


def main(layer: str, how: str, batch: int, channels: int, side: int, rounds: int) -> None:
    process_setup.prepare_process(
        "cpu", 0
    )  # kept memory: fresh pages would cost more than the gradient
    dtype = torch.float32 if how.endswith("float32") else torch.bfloat16
    images = (
        torch.randn(batch, channels, side, side)
        .to(dtype, memory_format=torch.channels_last)
        .requires_grad_()
    )
    make = normalise if layer == "batch norm" else convolve
    made = make(images, how.startswith("ours"))
    back, seconds = torch.ones_like(made), []
    for _ in range(rounds + 3):
        start = time.perf_counter()
        (found,) = torch.autograd.grad(made, images, back, retain_graph=True)
        seconds.append(time.perf_counter() - start)
    print(json.dumps({"seconds": seconds[3:], "mean": found.float().mean().item()}))


def convolve(images: torch.Tensor, ours: bool) -> torch.Tensor:
    channels = images.shape[1]
    weight = torch.randn(channels, 1, 3, 3).to(images)
    if ours:
        return depthwise_conv.strided_depthwise(images, weight, (2, 2), (1, 1))
    return torch.conv2d(images, weight, None, 2, 1, 1, channels)


def normalise(images: torch.Tensor, ours: bool) -> torch.Tensor:
    norm = (batch_norm if ours else nn).BatchNorm2d(images.shape[1])
    found: torch.Tensor = norm(images)
    return found


if __name__ == "__main__":
    main(*sys.argv[1:3], *map(int, sys.argv[3:]))
