"""Count parameters and multiply-accumulates, by the conventions that papers use.

`macs` counts convolutions and linear layers, biases free (G&LSR); `macs_plus_bias` adds one operation per biased output
(TS3). Parameters are trainable tensors, batch-norm scale and shift included, running statistics excluded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Count:
    """Sizes of a network for one input of batch 1."""

    params: int
    macs: int
    macs_plus_bias: int


def count(module: nn.Module, *shapes: Sequence[int]) -> Count:
    """Run a module once on zeros of the given shapes (batch included) and count what its layers do."""
    totals = {"macs": 0, "bias": 0}

    def note(layer: nn.Module, inputs: Any, output: Tensor) -> None:
        del inputs
        if isinstance(layer, nn.Conv2d):
            height, width = layer.kernel_size
            per_output = layer.in_channels // layer.groups * height * width
        elif isinstance(layer, nn.Linear):
            per_output = layer.in_features
        else:
            return
        totals["macs"] += output.numel() * per_output
        totals["bias"] += output.numel() if layer.bias is not None else 0

    hooks = [layer.register_forward_hook(note) for layer in module.modules()]
    was_training = module.training
    try:
        with torch.inference_mode():
            module.eval()(*(torch.zeros(*shape) for shape in shapes))
    finally:
        module.train(was_training)
        for hook in hooks:
            hook.remove()
    params = sum(p.numel() for p in module.parameters() if p.requires_grad)
    return Count(params, totals["macs"], totals["macs"] + totals["bias"])
