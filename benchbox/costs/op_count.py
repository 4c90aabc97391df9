"""Count parameters and multiply-accumulates, by the conventions that papers use.

`macs` counts the products of convolutions, linear layers, matrix products, recurrent layers and
attention, biases free (G&LSR); `macs_plus_bias` adds one operation per biased output (TS3). What
works element by element (activations, norms, poolings, resampling) has no count, as in papers.
`params` are trainable tensors, batch-norm scale and shift included, running statistics excluded;
`params_bn_folded` lets every batch norm that takes its input from a convolution or linear layer
vanish into it, which leaves that layer with a bias. What runs twice is counted twice in MACs and
once in parameters.

Products are counted operation by operation, below the modules (`torch.utils._python_dispatch`), so
a product between two modules counts as well. A layer whose products no rule here knows is named in
`NetworkCounts.uncounted`; `flop_counter_macs` is what PyTorch's own counter says, to compare with.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

# as a method module's `networks` returns them
Networks = Mapping[str, tuple[nn.Module, tuple[Tensor, ...]]]

# their weights of several axes are looked up or applied element by element: no products to miss
_ELEMENTWISE = (nn.LayerNorm, nn.Embedding, nn.EmbeddingBag, nn.PReLU)
# operations of ATen that multiply, and that no rule below counts
_UNKNOWN_OPS = (
    *("_trilinear", "_cdist_forward", "mkldnn_rnn_layer", "_thnn_fused_lstm_cell", "addr"),
    *("addbmm", "_scaled_mm", "_int_mm", "_native_multi_head_attention"),
)
_UNKNOWN_PREFIXES = ("linalg_", "_linalg_", "_fft_", "_transformer_encoder_layer")


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


@dataclass(frozen=True)
class NetworkCounts:
    """What counting says of some networks: their sum, their layers, and what is missing."""

    total: OpCount
    layers: list[LayerCount]
    # "network.layer (Type)" or "network.layer (Type): operation": has products that have no rule
    uncounted: list[str]


def count_module(module: nn.Module, *shapes: Sequence[int]) -> OpCount:
    """Run a module once on zeros of the given shapes (batch included) and count what its layers do.

    >>> count_module(nn.Linear(10, 4), (1, 10))
    OpCount(params=44, params_bn_folded=44, macs=40, macs_plus_bias=44)
    """
    example = tuple(torch.zeros(*shape) for shape in shapes)
    return count_networks({"": (module, example)}).total


def count_networks(networks: Networks) -> NetworkCounts:
    """Run every network once on its example and count.

    One that is listed twice has its parameters counted once.

    A layer is a module without modules inside, one with parameters of its own, or one with products
    of its own between the modules inside. The rows add up to the whole.
    """
    tally = _tally_networks(networks)
    rows = list(tally.rows.values())
    params = sum(row.params for row in rows)
    macs = sum(row.macs for row in rows)
    biases = sum(row.biases for row in rows)
    total = OpCount(params, params - tally.params_saved_by_folding(), macs, macs + biases)
    return NetworkCounts(total, rows, tally.uncounted())


def _tally_networks(networks: Networks) -> _LayerTally:
    names: dict[nn.Module, str] = {}
    for title, (module, _) in networks.items():
        for name, layer in module.named_modules():
            names.setdefault(layer, ".".join(filter(None, (title, name))))
    tally = _LayerTally(names)
    for module, example in networks.values():
        with _plain_execution(module), _forward_hooks(module, tally), tally:
            module(*example)
    for layer in names:  # used in training alone
        if layer not in tally.counted and _own_params(layer):
            tally.row(layer, None)
    return tally


def flop_counter_macs(networks: Networks) -> int:
    """Count the same runs by `torch.utils.flop_counter`, two operations to a multiply-accumulate.

    PyTorch 2.13's counter has no rule for products with a vector, for LSTMs as oneDNN runs them
    and for fused attention on a CPU: it counts them as 0.
    """
    flops = 0
    for module, example in networks.values():
        with _plain_execution(module), FlopCounterMode(display=False) as counter:
            module(*example)
        flops += counter.get_total_flops()
    return flops // 2


def _own_params(layer: nn.Module) -> list[nn.Parameter]:
    return [p for p in layer.parameters(recurse=False) if p.requires_grad]


# --- products of one operation --------------------------------------------------------------------


def _convolution_macs(args: Sequence[Any], output: Tensor) -> int:
    images, weight = args[0], args[1]
    transposed = args[6]
    # (out, in / groups, …), or (in, out / groups, …) of a transposed one, which spreads each input
    per_place = weight[0].numel()
    if transposed:
        return int(images.numel() * per_place)
    return int(output.numel() * per_place)


def _product_macs(left: int) -> Callable[[Sequence[Any], Tensor], int]:
    """Return the rule of a matrix product whose left factor is argument number `left`."""

    def count(args: Sequence[Any], output: Tensor) -> int:
        return output.numel() * int(args[left].shape[-1])

    return count


def _attention_macs(args: Sequence[Any], output: Any) -> int:
    del output
    query, key, value = args[:3]
    pairs = int(math.prod(query.shape[:-1])) * int(key.shape[-2])  # of a query with a key
    return pairs * (int(query.shape[-1]) + int(value.shape[-1]))


_RULES: Mapping[str, Callable[[Sequence[Any], Any], int]] = {
    "convolution": _convolution_macs,
    "mm": _product_macs(0),
    "bmm": _product_macs(0),
    "mv": _product_macs(0),
    "dot": _product_macs(0),
    "vdot": _product_macs(0),
    "addmm": _product_macs(1),
    "addmv": _product_macs(1),
    "baddbmm": _product_macs(1),
    "_scaled_dot_product_flash_attention": _attention_macs,
    "_scaled_dot_product_flash_attention_for_cpu": _attention_macs,
    "_scaled_dot_product_efficient_attention": _attention_macs,
    "_scaled_dot_product_cudnn_attention": _attention_macs,
}


def _is_unknown(func: Any) -> bool:
    """Tell whether an operation may have products that no rule counts."""
    name = func.overloadpacket.__name__
    if func.namespace not in ("aten", "prim", "prims"):
        return True  # of an extension
    if name == "_linalg_check_errors":
        return False
    return name in _UNKNOWN_OPS or name.startswith(_UNKNOWN_PREFIXES)


def _recurrent_macs(layer: nn.RNNBase, inputs: Tensor) -> int:
    """Count a recurrent layer whole, as kernels that run all its steps hide their products.

    Each step multiplies (gates · hidden) rows with its input and with its last output.
    """
    gates = {"LSTM": 4, "GRU": 3}.get(layer.mode, 1)
    directions = 1 + int(layer.bidirectional)
    answer = layer.proj_size or layer.hidden_size
    per_step = 0
    for number in range(layer.num_layers):
        width = directions * answer
        if number == 0:
            width = layer.input_size
        one_way = gates * layer.hidden_size * (width + answer)
        one_way += layer.hidden_size * layer.proj_size
        per_step += directions * one_way
    steps = inputs.numel() // layer.input_size
    return steps * per_step


def _recurrent_biases(layer: nn.RNNBase, inputs: Tensor) -> int:
    """Count the biased outputs of a recurrent layer: two biases, of input and of last output."""
    if not layer.bias:
        return 0
    vectors = [p.numel() for name, p in layer.named_parameters() if name.startswith("bias")]
    return inputs.numel() // layer.input_size * sum(vectors)


# --- a run ----------------------------------------------------------------------------------------


@dataclass
class _Frame:
    """A module that is running: the products so far outside the modules in it."""

    macs: int = 0
    unknown: tuple[str, ...] = ()


class _LayerTally(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """What the layers of running networks do.

    Forward hooks say which layer runs, the dispatch mode sees each operation that it makes.
    """

    def __init__(self, names: Mapping[nn.Module, str]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.names = names
        self.rows: dict[tuple[nn.Module, tuple[int, ...] | None], LayerCount] = {}
        self.counted: set[nn.Module] = set()  # layers with a row
        self.shared: set[nn.Parameter] = set()  # parameters that a row has
        # output's id → its layer; the tensor keeps the id taken
        self.made: dict[int, tuple[nn.Module, Tensor]] = {}
        self.folding: dict[_BatchNorm, nn.Module] = {}  # batch norm → the layer before it
        self.running: list[_Frame] = []
        self.unknown: dict[nn.Module, dict[str, None]] = {}  # operations without a rule, in order

    def __torch_dispatch__(
        self,
        func: Any,
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Run an operation and count its products for the layer that runs."""
        del types
        named = dict(kwargs or {})
        if func is not torch.ops.prim.device.default:
            with self:  # what is made of other operations is counted there
                output = func.decompose(*args, **named)
            if output is not NotImplemented:
                return output
        output = func(*args, **named)
        if self.running:
            self._count_operation(func, args, output)
        return output

    def _count_operation(self, func: Any, args: Sequence[Any], output: Any) -> None:
        frame, name = self.running[-1], func.overloadpacket.__name__
        if func.namespace == "aten" and name in _RULES:
            frame.macs += _RULES[name](args, output)
        elif _is_unknown(func):
            frame.unknown += (str(func.overloadpacket),)

    def start(self, layer: nn.Module, inputs: tuple[Any, ...]) -> None:
        """Note that a layer begins to run."""
        del layer, inputs
        self.running.append(_Frame())

    def finish(self, layer: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        """Note that a layer has run, and what it did."""
        frame = self.running.pop()
        if isinstance(layer, _BatchNorm) and id(inputs[0]) in self.made:
            self.folding[layer] = self.made[id(inputs[0])][0]
        is_container = next(layer.children(), None) is not None
        did_nothing = not frame.macs and not frame.unknown
        if is_container and did_nothing and not _own_params(layer):
            return
        row = self.row(layer, tuple(output.shape) if isinstance(output, Tensor) else None)
        row.calls += 1
        if isinstance(layer, nn.RNNBase):
            sequence = inputs[0].data  # of a tensor, or of a packed sequence
            row.macs += _recurrent_macs(layer, sequence)
            row.biases += _recurrent_biases(layer, sequence)
            return
        row.macs += frame.macs
        self.unknown.setdefault(layer, {}).update(dict.fromkeys(frame.unknown))
        if isinstance(layer, _ConvNd | nn.Linear):
            if layer.bias is not None:
                row.biases += output.numel()
            self.made[id(output)] = layer, output

    def row(self, layer: nn.Module, shape: tuple[int, ...] | None) -> LayerCount:
        """Return the row of a layer and output shape, made at its first call."""
        if (layer, shape) not in self.rows:
            own = [p for p in _own_params(layer) if p not in self.shared]
            self.shared.update(own)
            self.counted.add(layer)
            params = sum(p.numel() for p in own)
            self.rows[layer, shape] = LayerCount(
                self.names[layer], type(layer).__name__, shape, 0, params, 0, 0
            )
        return self.rows[layer, shape]

    def params_saved_by_folding(self) -> int:
        """Count the parameters that vanish when batch norms fold into the layers before them."""
        saved = 0
        for norm, layer in self.folding.items():
            saved += sum(p.numel() for p in norm.parameters())
            if getattr(layer, "bias", None) is None:
                saved -= norm.num_features
        return saved

    def uncounted(self) -> list[str]:
        """Name the layers that ran and whose products were not counted, all or in part.

        Those with an operation that has no rule, and those with a matrix of weights and no product.
        """
        macs: dict[nn.Module, int] = {}
        calls: dict[nn.Module, int] = {}
        for (layer, _), row in self.rows.items():
            macs[layer] = macs.get(layer, 0) + row.macs
            calls[layer] = calls.get(layer, 0) + row.calls
        named = []
        for layer, products in macs.items():
            title = f"{self.names[layer]} ({type(layer).__name__})".lstrip()
            operations = ", ".join(self.unknown.get(layer, ()))
            multiplies = any(p.dim() > 1 for p in _own_params(layer))
            if isinstance(layer, _ELEMENTWISE):
                multiplies = False
            if operations:
                named.append(f"{title}: {operations}")
            elif calls[layer] and multiplies and not products:
                named.append(title)
        return named


@contextmanager
def _forward_hooks(module: nn.Module, tally: _LayerTally) -> Iterator[None]:
    hooks = []
    for layer in module.modules():
        hooks.append(layer.register_forward_pre_hook(tally.start))
        hooks.append(layer.register_forward_hook(tally.finish))
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


@contextmanager
def _plain_execution(module: nn.Module) -> Iterator[None]:
    """Run a module in evaluation mode, attention by its parts instead of one fused kernel."""
    was_fused = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with evaluation_mode(module), torch.inference_mode():
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(was_fused)


@contextmanager
def evaluation_mode(module: nn.Module) -> Iterator[None]:
    """Put a module into evaluation mode for a while."""
    was_training = module.training
    module.eval()
    try:
        yield
    finally:
        module.train(was_training)
