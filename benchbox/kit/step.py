"""One training step: loss, backward, clipping, optimiser; in low precision and as a CUDA graph where that pays.

Nothing in a step waits for the device: the loss comes back as a tensor there, and `Meter` reads it now and then.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Hashable, Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor, nn

_WARM_UP = 3  # steps that run eagerly before one is captured: kernels are chosen, the optimiser's state is made


def low_precision(device: str) -> torch.dtype | None:
    """Return the type that networks run fastest in: bfloat16 where the hardware has it, float16 on older GPUs."""
    if device == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16
    return torch.bfloat16 if torch.cpu._is_avx512_bf16_supported() else None


def autocast(device: str, precision: str = "auto") -> AbstractContextManager[object]:
    """Return a context: `float32` leaves arithmetic alone, `auto` runs convolutions and products in `low_precision`."""
    kind = low_precision(device) if precision == "auto" else None
    return nullcontext() if kind is None else torch.autocast(device, kind)


class Step:
    """Call it with a batch's tensors: one update is made, and the loss comes back detached, on the device.

    `loss(*tensors)` must read nothing that changes from step to step but its arguments, or say so in `key`: each key
    has a CUDA graph of its own. A GPU replays the graph; a CPU, a loss that cannot be captured (the reason is printed
    once) and batches of another shape run eagerly, with the same result. The learning rate is `rate`'s to set.
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
        self.loss, self.parameters, self.optimiser, self.device = loss, list(parameters), optimiser, device
        self.clip, self.precision = clip, precision
        self.graphs = graphs and device == "cuda"
        self.captured: dict[Hashable, _Graph] = {}
        self.count = 0
        half = device == "cuda" and precision == "auto" and low_precision(device) == torch.float16
        self.scaler = torch.amp.GradScaler(device, enabled=half)
        if self.graphs:
            for group in optimiser.param_groups:  # a graph reads the rate from the device
                group["lr"] = torch.tensor(float(group["lr"]), device=device)
                group["capturable"] = True

    def rate(self, lr: float) -> None:
        """Set the learning rate of every group."""
        for group in self.optimiser.param_groups:
            if isinstance(group["lr"], Tensor):
                group["lr"].fill_(lr)
            else:
                group["lr"] = lr

    def __call__(self, *tensors: Tensor, key: Hashable = None) -> Tensor:
        """Make one update; returns the loss before it."""
        self.count += 1
        if not self.graphs or self.scaler.is_enabled() or self.count <= _WARM_UP:
            return self._eager(*tensors)
        name = key, tuple(t.shape for t in tensors)
        if name not in self.captured:
            try:
                self.captured[name] = _capture(self._eager, tensors)
            except RuntimeError as fault:
                print(f"note: no CUDA graph, steps run one kernel at a time: {fault}", file=sys.stderr)
                torch.cuda.synchronize()
                self.graphs = False
                return self._eager(*tensors)
        return self.captured[name].replay(tensors)

    def _eager(self, *tensors: Tensor) -> Tensor:
        self.optimiser.zero_grad(set_to_none=True)
        with autocast(self.device, self.precision):
            loss = self.loss(*tensors)
        self.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        if self.clip:
            self.scaler.unscale_(self.optimiser)
            nn.utils.clip_grad_norm_(self.parameters, self.clip)
        self.scaler.step(self.optimiser)
        self.scaler.update()
        return loss.detach()


@dataclass(frozen=True, eq=False)
class _Graph:
    """A captured step: its inputs and its loss live at fixed places."""

    graph: torch.cuda.CUDAGraph
    inputs: tuple[Tensor, ...]
    loss: Tensor

    def replay(self, tensors: tuple[Tensor, ...]) -> Tensor:
        for place, tensor in zip(self.inputs, tensors, strict=True):
            place.copy_(tensor, non_blocking=True)
        self.graph.replay()
        return self.loss.clone()  # the next replay overwrites it


def _capture(step: Callable[..., Tensor], tensors: tuple[Tensor, ...]) -> _Graph:
    """Capture one step; nothing is computed yet."""
    inputs = tuple(tensor.clone() for tensor in tensors)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, capture_error_mode="thread_local"):  # another thread may be making the next batch
        loss = step(*inputs)
    return _Graph(graph, inputs, loss)
