"""Which of the processes of one run this is, as `torchrun` tells those that it starts."""

from __future__ import annotations

import os


class OtherProcessError(Exception):
    """Not the first process of a run: it helped that one, which has the outcome; no fault."""


_LAUNCHED = "TORCHELASTIC_RUN_ID"  # RANK alone may be anybody's variable


def process_count() -> int:
    """Return how many processes compute this run together, 1 without `torchrun`."""
    return _read_count("WORLD_SIZE", 1)


def process_number() -> int:
    """Return the number of this process, from 0; the first one alone speaks and writes."""
    return _read_count("RANK", 0)


def device_number() -> int:
    """Return the number of this process on its machine, which is that of its GPU."""
    return _read_count("LOCAL_RANK", 0)


def _read_count(name: str, alone: int) -> int:
    text = os.environ.get(name, "")
    if _LAUNCHED not in os.environ or not text.isdecimal():
        return alone
    return int(text)
