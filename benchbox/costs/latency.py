"""How long something takes: warm-up, median, spread; on a GPU the device is waited for."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

_ROUNDS = (5, 200)  # at least, at most
_BUDGET_S = 1.5  # beyond the least number of rounds


@dataclass(frozen=True)
class Latency:
    """Milliseconds of one call over some rounds: the median, and the quartiles about it."""

    median: float
    low: float
    high: float
    rounds: int


def _wait_for_nothing() -> None:
    pass


def measure_latency(run: Callable[[], Any], device: str = "cpu", warm_up: int = 3) -> Latency:
    """Time `run` for a second and a half, at least five times, in milliseconds.

    `warm_up` calls before do not count.
    """
    wait: Callable[[], None] = torch.cuda.synchronize if device == "cuda" else _wait_for_nothing
    for _ in range(warm_up):
        run()
    wait()
    times: list[float] = []
    end = time.perf_counter() + _BUDGET_S
    while len(times) < _ROUNDS[0] or (len(times) < _ROUNDS[1] and time.perf_counter() < end):
        start = time.perf_counter()
        run()
        wait()
        times.append(1000 * (time.perf_counter() - start))
    low, median, high = statistics.quantiles(times, n=4)
    return Latency(round(median, 4), round(low, 4), round(high, 4), len(times))
