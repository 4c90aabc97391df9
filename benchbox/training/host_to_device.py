"""From host to device without the host waiting.

Pinned memory, and a stream that copies while another computes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

RING_SLOTS = 4  # batches in flight: one in use, two prefetched, one being filled


def upload_array(array: np.ndarray, device: str) -> Tensor:
    """Copy a small array to the device; on a GPU the host goes on at once."""
    tensor = torch.from_numpy(np.ascontiguousarray(array))
    if device == "cpu":
        return tensor
    return tensor.pin_memory().to(device, non_blocking=True)


class PinnedRing:
    """Buffers in turn, pinned on the host and on the device, filled on a copy stream.

    A buffer is used again `SLOTS` batches later. The copy then waits for all that the compute
    stream was given until now, which holds every use of the older batch as long as no more than
    `SLOTS - 1` batches are asked for ahead.
    """

    def __init__(self, device: str) -> None:
        self.device, self.count = device, 0
        self.copies = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        self.slots: list[dict[str, Any]] = [{} for _ in range(RING_SLOTS)]

    def send(
        self, shape: tuple[int, ...], write: Callable[[np.ndarray], object]
    ) -> Callable[[], Tensor]:
        """Let `write` fill a host buffer (uint8) and start its copy.

        Return what gives the tensor on the device.
        """
        slot = self.slots[self.count % RING_SLOTS]
        self.count += 1
        if slot.get("shape") != shape:
            slot.update(
                shape=shape, host=torch.empty(shape, dtype=torch.uint8, pin_memory=True), ready=None
            )
            slot["there"] = torch.empty(shape, dtype=torch.uint8, device=self.device)
        elif slot["ready"] is not None:
            slot["ready"].synchronize()  # the copy before has left the host buffer, long ago
        write(slot["host"].numpy())
        compute = torch.cuda.default_stream(self.device)
        with torch.cuda.stream(self.copies):
            self.copies.wait_stream(compute)
            slot["there"].copy_(slot["host"], non_blocking=True)
            slot["ready"] = self.copies.record_event()

        def there() -> Tensor:
            torch.cuda.current_stream(self.device).wait_event(slot["ready"])
            tensor: Tensor = slot["there"]
            return tensor

        return there
