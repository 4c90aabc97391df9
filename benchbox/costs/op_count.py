"""Count parameters and multiply-accumulates, by the conventions that papers use.

`macs` counts convolutions and linear layers, biases free (G&LSR); `macs_plus_bias` adds one
operation per biased output (TS3). `params` are trainable tensors, batch-norm scale and shift
included, running statistics excluded; `params_bn_folded` lets every batch norm that takes its input
from a convolution or linear layer vanish into it, which leaves that layer with a bias. What runs
twice is counted twice in MACs and once in parameters.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

# as a method module's `networks` returns them
Networks = Mapping[str, tuple[nn.Module, tuple[Tensor, ...]]]

_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)


@dataclass(frozen=True)
class OpCount:
    """Sizes of one network or several, for one input of batch 1."""

    params: int
    params_bn_folded: int
    macs: int
    macs_plus_bias: int

    @property
    def bytes(self) -> int:
        """Return the size of the parameters as float32."""
        return 4 * self.params


@dataclass
class LayerCount:
    """One layer in the order of running, with all its calls that give the same shape."""

    name: str  # "network.layer", by the title that a method gives the network
    type: str
    # of batch 1; None for what a prediction does not run, or that gives no one tensor
    output: tuple[int, ...] | None
    calls: int
    params: int  # trainable ones of its own; once, however often it runs
    macs: int  # of all calls
    biases: int  # biased outputs of all calls: what `macs_plus_bias` adds


def count_module(module: nn.Module, *shapes: Sequence[int]) -> OpCount:
    """Run a module once on zeros of the given shapes (batch included) and count what its layers do."""
    return count_networks({"": (module, tuple(torch.zeros(*shape) for shape in shapes))})[0]


def count_networks(networks: Networks) -> tuple[OpCount, list[LayerCount]]:
    """Run every network once on its example and count.

    One that is listed twice has its parameters counted once.

    A layer is a module without modules inside, or one with parameters of its own. What a network
    computes between its modules (sums, samplings) has no row and, as in papers, no count. The rows
    add up to the whole.
    """
    tally = _tally_networks(networks)
    rows = list(tally.rows.values())
    params, macs = sum(row.params for row in rows), sum(row.macs for row in rows)
    return OpCount(
        params, params - tally.folded(), macs, macs + sum(row.biases for row in rows)
    ), rows


def _tally_networks(networks: Networks) -> _LayerTally:
    names: dict[nn.Module, str] = {}
    for title, (module, _) in networks.items():
        for name, layer in module.named_modules():
            names.setdefault(layer, ".".join(filter(None, (title, name))))
    tally = _LayerTally(names)
    for module, example in networks.values():
        with evaluation_mode(module), _forward_hooks(module, tally), torch.inference_mode():
            module(*example)
    for layer in names:  # used in training alone
        if layer not in tally.counted and _own_params(layer):
            tally.row(layer, None)
    return tally


def _own_params(layer: nn.Module) -> list[nn.Parameter]:
    return [p for p in layer.parameters(recurse=False) if p.requires_grad]


class _LayerTally:
    """What the layers of running networks do, noted by forward hooks."""

    def __init__(self, names: Mapping[nn.Module, str]) -> None:
        self.names = names
        self.rows: dict[tuple[nn.Module, tuple[int, ...] | None], LayerCount] = {}
        self.counted: set[nn.Module] = set()  # layers with a row
        self.shared: set[nn.Parameter] = set()  # parameters that a row has
        # output's id → its layer; the tensor keeps the id taken
        self.made: dict[int, tuple[nn.Module, Tensor]] = {}
        self.pairs: dict[nn.Module, nn.Module] = {}  # batch norm → the layer before it

    def row(self, layer: nn.Module, shape: tuple[int, ...] | None) -> LayerCount:
        """Return the row of a layer and output shape, made at its first call."""
        if (layer, shape) not in self.rows:
            fresh = [p for p in _own_params(layer) if p not in self.shared]
            self.shared.update(fresh)
            self.counted.add(layer)
            name, params = self.names[layer], sum(p.numel() for p in fresh)
            self.rows[layer, shape] = LayerCount(name, type(layer).__name__, shape, 0, params, 0, 0)
        return self.rows[layer, shape]

    def note(self, layer: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        if isinstance(layer, _NORMS) and id(inputs[0]) in self.made:
            self.pairs[layer] = self.made[id(inputs[0])][0]
        if next(layer.children(), None) is not None and not _own_params(layer):
            return
        row = self.row(layer, tuple(output.shape) if isinstance(output, Tensor) else None)
        row.calls += 1
        if isinstance(layer, nn.Conv2d):
            height, width = layer.kernel_size
            per_output = layer.in_channels // layer.groups * height * width
        elif isinstance(layer, nn.Linear):
            per_output = layer.in_features
        else:
            return
        row.macs += output.numel() * per_output
        row.biases += output.numel() if layer.bias is not None else 0
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
def _forward_hooks(module: nn.Module, tally: _LayerTally) -> Iterator[None]:
    hooks = [layer.register_forward_hook(tally.note) for layer in module.modules()]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


@contextmanager
def evaluation_mode(module: nn.Module) -> Iterator[None]:
    """Put a module into evaluation mode for a while."""
    was_training = module.training
    module.eval()
    try:
        yield
    finally:
        module.train(was_training)
