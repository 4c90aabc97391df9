"""One training on several processes, each with a part of every batch, with one and the same result.

`torchrun` starts processes that all run the same recipe with the same seeds, so each of them draws
the same whole batch, and each computes the same loss. What is divided is the work of the networks:
while `split_calls` holds, every outermost call of a module with parameters takes its share of the
rows (the first axis), and the answers of all processes are put together in order. A loss therefore
sees the whole batch, whatever it does with it: weighted means, pairs, correlations. Backwards each
process has the gradients of its rows, which are summed where they reach the parameters. Recipes
need no code for it, a batch may be of any size, and there is nothing to tune by the number of
processes.

Batch normalisation takes its statistics over the whole batch, dropout draws the mask of the whole
batch and takes its rows. Whatever else a module does across rows would be done within a share: a
network is asked row by row. A batch of fewer rows than processes is computed whole by each.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call
from torch.overrides import TorchFunctionMode

from benchbox.errors import PluginError

from .process_group import lost_process_faults

_PLAIN = (type(None), bool, int, float, str)


@contextmanager
def split_calls() -> Iterator[None]:
    """Divide the calls of networks inside among the processes of this run, if it has several."""
    if not dist.is_initialized() or dist.get_world_size() == 1:
        yield
        return
    whole = nn.Module.__call__
    caller = _Caller(whole)

    def call(module: nn.Module, *args: Any, **more: Any) -> Any:
        return caller(module, args, more)

    setattr(nn.Module, "__call__", call)  # noqa: B010 - an attribute of the class to mypy
    try:
        yield
    finally:
        setattr(nn.Module, "__call__", whole)  # noqa: B010


@dataclass(frozen=True)
class Share:
    """The rows of a batch that this process computes."""

    count: int  # of the whole batch
    first: int
    end: int
    sizes: tuple[int, ...]  # of every process

    @classmethod
    def of(cls, count: int) -> Share:
        """Divide `count` rows as evenly as may be, in order."""
        world, rank = dist.get_world_size(), dist.get_rank()
        edges = [count * k // world for k in range(world + 1)]
        sizes = tuple(edges[k + 1] - edges[k] for k in range(world))
        return cls(count, edges[rank], edges[rank + 1], sizes)


class _Caller:
    """Calls modules in the place of `nn.Module.__call__`."""

    def __init__(self, whole: Callable[..., Any]) -> None:
        self._whole = whole
        self._inside = False
        self._thread = threading.get_ident()

    def __call__(self, module: nn.Module, args: tuple[Any, ...], more: dict[str, Any]) -> Any:
        # Batches that a thread makes ahead are made whole: calls of two threads have no order.
        if self._inside or threading.get_ident() != self._thread:
            return self._whole(module, *args, **more)
        if next(module.parameters(), None) is None:
            return self._whole(module, *args, **more)
        count = _count_rows((args, more))
        if count < dist.get_world_size():
            return self._whole(module, *args, **more)
        share = Share.of(count)
        args, more = _take_rows((args, more), share)
        self._inside = True
        try:
            with _WholeBatch(share):
                if torch.is_grad_enabled():
                    found = functional_call(module, _shared_parameters(module), args, more)
                else:
                    found = self._whole(module, *args, **more)
        finally:
            self._inside = False
        return _join_rows(found, share, module)


def _count_rows(part: Any) -> int:
    """Return how many rows the tensors of a call have; 0 where it takes more than tensors."""
    leaves = list(_leaves(part))
    if not all(isinstance(leaf, (Tensor, *_PLAIN)) for leaf in leaves):
        return 0
    sizes = [len(leaf) for leaf in leaves if isinstance(leaf, Tensor) and leaf.dim()]
    return sizes[0] if sizes else 0


def _leaves(part: Any) -> Iterator[Any]:
    if isinstance(part, tuple | list):
        for inner in part:
            yield from _leaves(inner)
    elif isinstance(part, dict):
        yield from _leaves(list(part.values()))
    else:
        yield part


def _map_tensors(part: Any, change: Callable[[Tensor], Tensor]) -> Any:
    if isinstance(part, Tensor):
        return change(part)
    if isinstance(part, tuple | list):
        return type(part)([_map_tensors(inner, change) for inner in part])
    if isinstance(part, dict):
        return {name: _map_tensors(inner, change) for name, inner in part.items()}
    return part


def _take_rows(part: Any, share: Share) -> Any:
    def take(tensor: Tensor) -> Tensor:
        if not tensor.dim() or len(tensor) != share.count:
            return tensor
        if tensor.requires_grad and torch.is_grad_enabled():
            taken: Tensor = _apply(_TakeRows, tensor, share)
            return taken
        return tensor[share.first : share.end].clone()  # may be changed in place

    return _map_tensors(part, take)


def _join_rows(part: Any, share: Share, module: nn.Module) -> Any:
    def join(tensor: Tensor) -> Tensor:
        if not tensor.dim() or len(tensor) != share.end - share.first:
            raise PluginError(
                f"{type(module).__name__} returns {tuple(tensor.shape)} for "
                f"{share.end - share.first} rows; on several processes a network must answer row "
                "by row: run it on one"
            )
        joined: Tensor = _apply(_JoinRows, tensor, share)
        return joined

    return _map_tensors(part, join)


# --- what crosses between processes ---------------------------------------------------------------


def gather_rows(own: Tensor, sizes: Sequence[int]) -> Tensor:
    """Put the rows of all processes together in their order, of any type; `sizes` of each."""
    longest, width = max(sizes), own[:1].numel() * own.element_size()
    packed = own.new_zeros(longest * width, dtype=torch.uint8)
    flat = own.contiguous().reshape(-1).view(torch.uint8)
    packed[: len(flat)] = flat
    parts = [torch.empty_like(packed) for _ in sizes]
    with lost_process_faults():
        dist.all_gather(parts, packed)
    kept = [part[: size * width] for part, size in zip(parts, sizes, strict=True)]
    return torch.cat(kept).view(own.dtype).view(sum(sizes), *own.shape[1:])


def _sum(tensor: Tensor) -> Tensor:
    with lost_process_faults():
        dist.all_reduce(tensor)
    return tensor


def _apply(function: Any, *given: Any) -> Any:
    """Call an autograd function, for which torch has no types."""
    return function.apply(*given)


class _TakeRows(torch.autograd.Function):
    """Rows of a tensor that all processes have; its gradient is put together again."""

    @staticmethod
    def forward(ctx: Any, whole: Tensor, share: Share) -> Tensor:
        ctx.share = share
        return whole[share.first : share.end].clone()

    @staticmethod
    def backward(ctx: Any, *slopes: Any) -> Any:
        return gather_rows(slopes[0], ctx.share.sizes), None


class _JoinRows(torch.autograd.Function):
    """The rows of all processes; each goes back with the gradient of its own."""

    @staticmethod
    def forward(ctx: Any, own: Tensor, share: Share) -> Tensor:
        ctx.share = share
        return gather_rows(own, share.sizes)

    @staticmethod
    def backward(ctx: Any, *slopes: Any) -> Any:
        return slopes[0][ctx.share.first : ctx.share.end].contiguous(), None


class _ShareParameters(torch.autograd.Function):
    """Parameters as they are; backwards the sum of what every process found for them, at once."""

    @staticmethod
    def forward(ctx: Any, *parameters: Tensor) -> Any:  # noqa: ARG004
        return tuple(parameter.view_as(parameter) for parameter in parameters)

    @staticmethod
    def backward(ctx: Any, *slopes: Any) -> Any:  # noqa: ARG004
        summed: list[Tensor] = [torch.empty(0)] * len(slopes)
        for kind in dict.fromkeys((slope.dtype, slope.device) for slope in slopes):
            places = [k for k, slope in enumerate(slopes) if (slope.dtype, slope.device) == kind]
            flat = _sum(torch.cat([slopes[k].reshape(-1) for k in places]))
            parts = torch.split(flat, [slopes[k].numel() for k in places])
            for k, part in zip(places, parts, strict=True):
                summed[k] = part.view(slopes[k].shape)
        return tuple(summed)


def _shared_parameters(module: nn.Module) -> dict[str, Tensor]:
    named = {name: p for name, p in module.named_parameters() if p.requires_grad}
    if not named:
        return {}
    return dict(zip(named, _apply(_ShareParameters, *named.values()), strict=True))


class _JoinStatistics(torch.autograd.Function):
    """The statistics (W, …) of all processes; backwards what all of them make of ours."""

    @staticmethod
    def forward(ctx: Any, own: Tensor) -> Tensor:  # noqa: ARG004
        return gather_rows(own[None], [1] * dist.get_world_size())

    @staticmethod
    def backward(ctx: Any, *slopes: Any) -> Any:  # noqa: ARG004
        return _sum(slopes[0].contiguous())[dist.get_rank()]


# --- layers that look at the whole batch ----------------------------------------------------------


class _WholeBatch(TorchFunctionMode):
    """Lets batch normalisation and dropout inside a call see the whole batch."""

    def __init__(self, share: Share) -> None:
        super().__init__()
        self._share = share

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        del types
        named = kwargs or {}
        if func is F.batch_norm and _is_training(args, named, place=5):
            return _normalise_batch(self._share, *args, **named)
        if func is F.dropout and _is_training(args, named, place=2):
            return _drop_units(self._share, *args, **named)
        return func(*args, **named)


def _is_training(args: Sequence[Any], named: dict[str, Any], place: int) -> bool:
    return bool(args[place] if len(args) > place else named.get("training", place == 2))


def _normalise_batch(
    share: Share,
    own: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Do what `F.batch_norm` does in training, with the statistics of all processes."""
    del training
    x = own.float() if own.dtype in (torch.bfloat16, torch.float16) else own
    axes = [0, *range(2, x.dim())]
    per_row = x[:1, :1].numel()
    mean = x.mean(axes)
    spread = (x - _along_channels(mean, x)).square().sum(axes)
    means, spreads = _apply(_JoinStatistics, torch.stack([mean, spread])).unbind(1)
    counts = x.new_tensor([size * per_row for size in share.sizes])[:, None]
    total = share.count * per_row
    mean = (means * counts).sum(0) / total
    variance = (spreads.sum(0) + ((means - mean).square() * counts).sum(0)) / total
    if running_mean is not None and running_var is not None:
        with torch.no_grad():
            running_mean.lerp_(mean.to(running_mean.dtype), momentum)
            unbiased = variance * (total / max(1, total - 1))
            running_var.lerp_(unbiased.to(running_var.dtype), momentum)
    scale = (variance + eps).rsqrt()
    if weight is not None:
        scale = scale * weight
    shift = -mean * scale
    if bias is not None:
        shift = shift + bias
    return (x * _along_channels(scale, x) + _along_channels(shift, x)).to(own.dtype)


def _along_channels(values: Tensor, like: Tensor) -> Tensor:
    return values.view(1, -1, *[1] * (like.dim() - 2))


def _drop_units(
    share: Share,
    own: Tensor,
    p: float = 0.5,
    training: bool = True,
    inplace: bool = False,
) -> Tensor:
    """Do what `F.dropout` does in training, with the rows of a mask of the whole batch."""
    del training
    kept = own.new_empty((share.count, *own.shape[1:])).bernoulli_(1 - p)
    mask = kept[share.first : share.end] / max(1 - p, 1e-12)
    return own.mul_(mask) if inplace else own * mask
