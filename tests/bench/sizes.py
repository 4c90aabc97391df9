"""How large the benchmarks are: tiny by default, so that they run with the suite and cannot rot."""

import os
from typing import TypeVar

FULL = os.environ.get("BENCHBOX_BENCH", "tiny") == "full"
ROUNDS = 7 if FULL else 2

T = TypeVar("T")


def pick(tiny: T, full: T) -> T:
    """Choose a number by the size that was asked for."""
    return full if FULL else tiny
