"""Batches made ahead of the step that uses them.

And the seconds that a step stands still for data.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")

PREFETCH_BATCHES = (
    2  # batches, beside the one in use; `host_to_device.PinnedRing` counts on no more
)

_wait_clock = threading.local()


def data_wait_s() -> float:
    """Return the seconds that this thread has spent in `count_data_wait` so far."""
    return float(getattr(_wait_clock, "seconds", 0.0))


@contextmanager
def count_data_wait() -> Iterator[None]:
    """Count the time inside as waiting for data, once.

    What runs ahead in another thread does not hold a step up.
    """
    before, start = data_wait_s(), time.perf_counter()
    try:
        yield
    finally:
        _wait_clock.seconds = before + time.perf_counter() - start


def batches_in_turn(make: Callable[[int], T], steps: Iterable[int]) -> Iterator[tuple[int, T]]:
    """Yield (step, make(step)), each made when it is asked for.

    Where a step keeps all cores busy by itself.

    A second thread that calls into torch has a team of OpenMP threads of its own. With more of them
    than cores, libgomp lets all of them sleep between operations, and the many small ones of a
    small network take half as long again.

    >>> list(batches_in_turn(lambda step: step**2, range(3)))
    [(0, 0), (1, 1), (2, 4)]
    """
    for step in steps:
        with count_data_wait():
            made = make(step)
        yield step, made


def prefetch_batches(make: Callable[[int], T], steps: Iterable[int]) -> Iterator[tuple[int, T]]:
    """Yield (step, make(step)) in order.

    Made by one thread up to `AHEAD` steps before they are asked for.

    `make` must follow from the step alone. What it raises is raised here, at its step; no more is
    made after that, or when the caller stops.

    >>> list(prefetch_batches(lambda step: step**2, range(3)))
    [(0, 0), (1, 1), (2, 4)]
    """
    queue: deque[tuple[int, Future[T]]] = deque()
    pool = ThreadPoolExecutor(1, "ahead")
    try:
        for step in steps:
            queue.append((step, pool.submit(make, step)))
            if len(queue) > PREFETCH_BATCHES:
                yield _next_batch(queue)
        while queue:
            yield _next_batch(queue)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _next_batch(queue: deque[tuple[int, Future[T]]]) -> tuple[int, T]:
    step, made = queue.popleft()
    with count_data_wait():
        return step, made.result()
