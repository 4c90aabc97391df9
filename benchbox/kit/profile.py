"""Count parameters and multiply-accumulates, by the conventions that papers use.

`macs` counts convolutions and linear layers, biases free (G&LSR); `macs_plus_bias` adds one operation per biased output
(TS3). `params` are trainable tensors, batch-norm scale and shift included, running statistics excluded;
`params_bn_folded` lets every batch norm that takes its input from a convolution or linear layer vanish into it, which
leaves that layer with a bias. What runs twice is counted twice in MACs and once in parameters.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

Networks = Mapping[str, tuple[nn.Module, tuple[Tensor, ...]]]  # as a method module's `networks` returns them

_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)


@dataclass(frozen=True)
class Count:
    """Sizes of one network or several, for one input of batch 1."""

    params: int
    params_bn_folded: int
    macs: int
    macs_plus_bias: int


def count(module: nn.Module, *shapes: Sequence[int]) -> Count:
    """Run a module once on zeros of the given shapes (batch included) and count what its layers do."""
    return count_all({"": (module, tuple(torch.zeros(*shape) for shape in shapes))})


def count_all(networks: Networks) -> Count:
    """Run every network once on its example and count; one that is listed twice has its parameters counted once."""
    tally = _Tally()
    for module, example in networks.values():
        with evaluating(module), _hooked(module, tally), torch.inference_mode():
            module(*example)
    modules = nn.ModuleList(dict.fromkeys(module for module, _ in networks.values()))
    params = sum(p.numel() for p in modules.parameters() if p.requires_grad)
    return Count(params, params - tally.folded(), tally.macs, tally.macs + tally.biases)


class _Tally:
    """What the layers of running networks do, noted by forward hooks."""

    def __init__(self) -> None:
        self.macs = self.biases = 0
        self.made: dict[int, tuple[nn.Module, Tensor]] = {}  # output's id → its layer; the tensor keeps the id taken
        self.pairs: dict[nn.Module, nn.Module] = {}  # batch norm → the layer before it

    def note(self, layer: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        if isinstance(layer, _NORMS) and id(inputs[0]) in self.made:
            self.pairs[layer] = self.made[id(inputs[0])][0]
        if isinstance(layer, nn.Conv2d):
            height, width = layer.kernel_size
            per_output = layer.in_channels // layer.groups * height * width
        elif isinstance(layer, nn.Linear):
            per_output = layer.in_features
        else:
            return
        self.macs += output.numel() * per_output
        self.biases += output.numel() if layer.bias is not None else 0
        self.made[id(output)] = layer, output

    def folded(self) -> int:
        """Count the parameters that folding saves."""
        saved = 0
        for norm, layer in self.pairs.items():
            assert isinstance(norm, _NORMS)
            saved += sum(p.numel() for p in norm.parameters())
            saved -= norm.num_features if layer.bias is None else 0
        return saved


@contextmanager
def _hooked(module: nn.Module, tally: _Tally) -> Iterator[None]:
    hooks = [layer.register_forward_hook(tally.note) for layer in module.modules()]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """Put a module into evaluation mode for a while."""
    was_training = module.training
    module.eval()
    try:
        yield
    finally:
        module.train(was_training)
