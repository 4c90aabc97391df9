"""One training step: loss, backward, clipping, optimiser.

In low precision and as a CUDA graph where that pays.

Nothing in a step waits for the device: the loss comes back as a tensor there, and `TrainLog` reads
it now and then.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, Generic, Protocol, TypeVar, runtime_checkable

import torch
from torch import Tensor, nn

from benchbox import progress
from benchbox.process_rank import process_count

from .dead_units import GradientWatch
from .depthwise_conv import FastDepthwise

B = TypeVar("B")

# steps that run eagerly before one is captured: kernels are chosen, the optimiser's state is made
_WARM_UP_STEPS = 3


def low_precision(device: str) -> torch.dtype | None:
    """Return the type that networks run fastest in.

    Bfloat16 where the hardware has it, float16 on older GPUs.
    """
    if device == "cuda":
        return (
            torch.bfloat16
            if torch.cuda.is_bf16_supported(including_emulation=False)
            else torch.float16
        )
    if torch.cpu._is_avx512_bf16_supported():
        return torch.bfloat16
    return None


@contextmanager
def autocast_to(device: str, precision: str = "auto") -> Iterator[None]:
    """Give a context: `float32` leaves arithmetic alone.

    `auto` runs convolutions and products in `low_precision`.
    """
    kind = None
    if precision == "auto":
        kind = low_precision(device)
    if kind is None:
        yield
    else:
        with torch.autocast(device, kind), FastDepthwise() if device == "cpu" else nullcontext():
            yield


class TrainStep(Generic[B]):
    """Call it with a batch: one update is made, and the loss comes back detached, on the device.

    `loss(batch, *constants)` must read nothing that changes from step to step but these two. A
    batch is a tensor, or a tuple, mapping or dataclass of such; constants are few and hashable. A
    GPU replays a CUDA graph, one for each set of constants; a CPU, a loss that cannot be captured
    (the reason is printed once) and batches of another shape run eagerly, with the same result.
    """

    def __init__(
        self,
        loss: Callable[..., Tensor],
        parameters: Iterable[nn.Parameter],
        optimiser: torch.optim.Optimizer,
        device: str,
        *,
        clip: float = 0.0,
        precision: str = "float32",
        graphs: bool = True,
    ) -> None:
        self.loss, self.parameters, self.optimiser, self.device = (
            loss,
            list(parameters),
            optimiser,
            device,
        )
        self.clip, self.precision = clip, precision
        self.watch = GradientWatch(self.parameters)
        self.rates = [float(group["lr"]) for group in optimiser.param_groups]
        self.captured: dict[Hashable, _StepGraph] = {}
        # id of a captured graph → where it leaves the gradients of the weights
        self.gradients: dict[int, list[Tensor | None]] = {}
        self.seen: dict[Hashable, int] = {}
        half = device == "cuda" and precision == "auto" and low_precision(device) == torch.float16
        self.scaler = torch.amp.GradScaler(device, enabled=half)
        # a scaler decides on the host whether to step; processes exchange rows within one
        self.graphs = graphs and device == "cuda" and not half and process_count() == 1
        # torch would warn that a capturable optimiser runs eagerly, as it does while warming up
        if self.graphs:
            setattr(optimiser, "_warned_capturable_if_run_uncaptured", True)  # noqa: B010 - not among its annotations

    def rate(self, factor: float) -> None:
        """Set every group's learning rate to `factor` x the one it had when the step was made."""
        for group, first in zip(self.optimiser.param_groups, self.rates, strict=True):
            lr = factor * first
            if not self.graphs:
                group["lr"] = lr
            elif isinstance(group["lr"], Tensor) and group["lr"].is_cuda:
                group["lr"].fill_(lr)
            else:  # a graph reads it from the device; a checkpoint may have put another one here
                group["lr"] = torch.tensor(lr, device=self.device)
                group["capturable"] = True

    def __call__(self, batch: B, *constants: Hashable) -> Tensor:
        """Make one update; returns the loss before it."""
        if self.graphs:
            given, graph = self._graph(batch, constants)
            if graph is not None:
                loss = graph.replay(given)
                self.watch.count_step(self.gradients[id(graph)])
                return loss
        loss = self._eager(batch, *constants)
        self.watch.count_step()
        return loss

    def _graph(
        self, batch: B, constants: tuple[Hashable, ...]
    ) -> tuple[tuple[Tensor, ...], _StepGraph | None]:
        """Return a batch's tensors and the graph of such a step, made when needed first.

        None where there is none.
        """
        try:
            given = tuple(batch_tensors(batch))
            name = constants, tuple(tensor.shape for tensor in given)
            self.seen[name] = self.seen.get(name, 0) + 1
            if self.seen[name] > _WARM_UP_STEPS and name not in self.captured:
                graph = _capture_step(self._eager, batch, given, constants)
                self.captured[name] = graph
                self.gradients[id(graph)] = self.watch.gradients()
            return given, self.captured.get(name)
        except RuntimeError as fault:
            progress.print_note(f"no CUDA graph, steps run one kernel at a time: {fault}")
            torch.cuda.synchronize()
            self.graphs = False
            return (), None

    def _eager(self, batch: B, *constants: Hashable) -> Tensor:
        self.optimiser.zero_grad(set_to_none=True)
        with autocast_to(self.device, self.precision):
            loss = self.loss(batch, *constants)
        self.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        if self.clip:
            self.scaler.unscale_(self.optimiser)
            nn.utils.clip_grad_norm_(self.parameters, self.clip)
        self.scaler.step(self.optimiser)
        self.scaler.update()
        return loss.detach()


# --- graphs ---------------------------------------------------------------------------------------


@runtime_checkable
class TensorHolder(Protocol):
    """A part of a batch that is more than its tensors: `crops.DeviceSampler`."""

    def tensors(self) -> Iterable[Tensor]:
        """Return its tensors, ready to be read on this stream."""

    def with_tensors(self, tensors: Iterator[Tensor]) -> Any:
        """Return the same with other tensors."""


def batch_tensors(part: object) -> Iterator[Tensor]:
    """Yield the tensors of a batch in a fixed order.

    Raises RuntimeError for what a graph would take for a constant.

    >>> batch = {"image": torch.zeros(2), "target": (torch.ones(1), None)}
    >>> [tensor.tolist() for tensor in batch_tensors(batch)]
    [[0.0, 0.0], [1.0]]
    """
    if isinstance(part, Tensor):
        yield part
    elif isinstance(part, TensorHolder):
        yield from part.tensors()
    elif isinstance(part, tuple):
        for inner in part:
            yield from batch_tensors(inner)
    elif isinstance(part, Mapping):
        yield from batch_tensors(tuple(part.values()))
    elif is_dataclass(part):
        yield from batch_tensors(tuple(getattr(part, field.name) for field in fields(part)))
    elif part is not None:
        raise RuntimeError(
            f"a batch holds a {type(part).__name__}; only tensors can change from step to step"
        )


def refill_batch(part: Any, held: Iterator[Tensor]) -> Any:
    """Return a batch like `part` with other tensors, in the order of `batch_tensors`.

    >>> refill_batch((torch.zeros(2), torch.zeros(1)), iter([torch.ones(2), torch.ones(1)]))
    (tensor([1., 1.]), tensor([1.]))
    """
    if isinstance(part, Tensor):
        return next(held)
    if isinstance(part, TensorHolder):
        return part.with_tensors(held)
    if isinstance(part, tuple):
        return tuple(refill_batch(inner, held) for inner in part)
    if isinstance(part, Mapping):
        return {name: refill_batch(inner, held) for name, inner in part.items()}
    if is_dataclass(part) and not isinstance(part, type):
        return replace(
            part,
            **{field.name: refill_batch(getattr(part, field.name), held) for field in fields(part)},
        )
    return part


@dataclass(frozen=True, eq=False)
class _StepGraph:
    """A captured step: its inputs and its loss live at fixed places."""

    graph: torch.cuda.CUDAGraph
    inputs: tuple[Tensor, ...]
    loss: Tensor

    def replay(self, given: tuple[Tensor, ...]) -> Tensor:
        for place, tensor in zip(self.inputs, given, strict=True):
            place.copy_(tensor, non_blocking=True)
        self.graph.replay()
        return self.loss.clone()  # the next replay overwrites it


def _capture_step(
    step: Callable[..., Tensor],
    batch: B,
    given: tuple[Tensor, ...],
    constants: tuple[Hashable, ...],
) -> _StepGraph:
    """Capture one step on copies of the tensors given, those of the batch.

    Nothing is computed yet.
    """
    inputs = tuple(tensor.clone() for tensor in given)
    held, graph = refill_batch(batch, iter(inputs)), torch.cuda.CUDAGraph()
    # another thread may be making the next batch
    with torch.cuda.graph(graph, capture_error_mode="thread_local"):
        loss = step(held, *constants)
    return _StepGraph(graph, inputs, loss)
