"""Train a method in a process of its own, and kill it half-way where asked."""

from __future__ import annotations

import multiprocessing
import signal
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from benchbox.errors import BenchboxError
from benchbox.plugins import method_call, method_card
from benchbox.types import Job, MethodCard

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

_START_S = 120.0  # for a child to import torch on a busy machine


def train_in_process(method: MethodCard, job: Job, kill_after_s: float | None = None) -> bool:
    """Train in a process of its own, killing it some time after training began.

    Return whether it was killed. Raises BenchboxError for a training that does not start or fails.
    """
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    child = context.Process(target=_child_main, args=(method, job, sender))
    child.start()
    sender.close()
    if not receiver.poll(_START_S):
        child.kill()
        raise BenchboxError(
            f"method {method.name!r}: a training process did not start within {_START_S:.0f} s"
        )
    with suppress(EOFError):  # it died before it began; its exit code says so below
        receiver.recv()
    if kill_after_s is not None:
        child.join(kill_after_s)
        if child.is_alive():
            child.kill()
    child.join()
    receiver.close()
    if child.exitcode == 0:
        return False
    if kill_after_s is not None and child.exitcode == -signal.SIGKILL:
        return True
    raise BenchboxError(
        f"method {method.name!r}: training ended with {child.exitcode}; its traceback is above"
    )


def _child_main(method: MethodCard, job: Job, ready: Connection) -> None:
    from tqdm import tqdm

    from benchbox.training import process_setup

    # A progress bar's lock between processes would be reported as leaked when this one is killed.
    tqdm.set_lock(threading.RLock())
    module = method_card.import_method(method)
    process_setup.prepare_process("cpu", job.seed)
    ready.send("begins")
    method_call.train(module, job, method_card.blame_method(method))
