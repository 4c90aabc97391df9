"""Time the input gradient of one strided depthwise convolution, in a process set up as for
training; prints JSON.

python tests/bench/gradient.py "ours, bfloat16" 64 48 128 7
"""

import json
import sys
import time

import torch

from benchbox.training import depthwise_conv, process_setup


def main(how: str, batch: int, channels: int, side: int, rounds: int) -> None:
    process_setup.prepare_process(
        "cpu", 0
    )  # kept memory: fresh pages would cost more than the gradient
    dtype = torch.float32 if how.endswith("float32") else torch.bfloat16
    images = (
        torch.randn(batch, channels, side, side)
        .to(dtype, memory_format=torch.channels_last)
        .requires_grad_()
    )
    weight = torch.randn(channels, 1, 3, 3).to(dtype)
    if how.startswith("ours"):
        made = depthwise_conv.strided_depthwise(images, weight, (2, 2), (1, 1))
    else:
        made = torch.conv2d(images, weight, None, 2, 1, 1, channels)
    back, seconds = torch.ones_like(made), []
    for _ in range(rounds + 3):
        start = time.perf_counter()
        (found,) = torch.autograd.grad(made, images, back, retain_graph=True)
        seconds.append(time.perf_counter() - start)
    print(json.dumps({"seconds": seconds[3:], "mean": found.float().mean().item()}))


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
