"""Which of the processes of one run this is, as `torchrun` tells those that it starts."""

from __future__ import annotations

import os
import signal
import time


class OtherProcessError(Exception):
    """Not the first process of a run: it helped that one, which has the outcome; no fault."""


_LAUNCHED = "TORCHELASTIC_RUN_ID"  # RANK alone may be anybody's variable
_TURN_S = 10.0  # a process that imports torch on a busy machine takes that long to speak


def process_count() -> int:
    """Return how many processes compute this run together, 1 without `torchrun`."""
    return _read_count("WORLD_SIZE", 1)


def process_number() -> int:
    """Return the number of this process, from 0; the first one alone speaks and writes."""
    return _read_count("RANK", 0)


def device_number() -> int:
    """Return the number of this process on its machine, which is that of its GPU."""
    return _read_count("LOCAL_RANK", 0)


def let_others_speak() -> None:
    """Wait until every process of a lower number has had the time to say what is wrong.

    Once one of them has said it and ended, torchrun ends this one, too, and it never returns.
    Ending first and silently would have torchrun end those that have not spoken yet.
    """
    number = process_number()
    if number == 0:
        return
    before = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    time.sleep(_TURN_S * number)
    signal.signal(signal.SIGTERM, before)


def _read_count(name: str, alone: int) -> int:
    text = os.environ.get(name, "")
    if _LAUNCHED not in os.environ or not text.isdecimal():
        return alone
    return int(text)
