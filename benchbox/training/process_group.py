"""The processes of one run: how they meet, what they tell each other, and how they end together."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from types import FrameType
from typing import Any, TypeVar

import torch
import torch.distributed as dist

from benchbox.errors import BenchboxError
from benchbox.process_rank import (
    OtherProcessError,
    device_number,
    let_others_speak,
    process_count,
    process_number,
)

T = TypeVar("T")

_PATIENCE = timedelta(hours=2)  # for a process that reads its data, or waits for one that does
_STORE_PATIENCE = timedelta(seconds=30)  # a busy machine answers late
_COURTESY_S = 1.0
_INTERRUPTED = 130
_SCRATCH = "benchbox-process-"  # folders of the processes that write nothing of the run


class LostProcessError(BenchboxError):
    """Another process of this run has ended."""

    def __init__(self) -> None:
        super().__init__(
            "another process of this run ended, so this one does; the same command goes on from "
            "the last checkpoint, on any number of processes"
        )


@contextmanager
def lost_process_faults() -> Iterator[None]:
    """Turn what a call between processes throws when one is gone into `LostProcessError`."""
    try:
        yield
    except RuntimeError as fault:
        raise LostProcessError from fault


@contextmanager
def join_processes(device: str) -> Iterator[None]:
    """Meet the other processes of this run, if there are any, and part from them afterwards.

    Networks on the CPU talk by gloo, those on GPUs by NCCL, one GPU a process.
    """
    if process_count() == 1:
        yield
        return
    backend = "gloo"
    if device == "cuda":
        torch.cuda.set_device(device_number())
        backend = "cpu:gloo,cuda:nccl"
    before = signal.signal(signal.SIGTERM, _end_with_the_others)
    with lost_process_faults():
        dist.init_process_group(backend, timeout=_PATIENCE)
    try:
        yield
    finally:
        with suppress(RuntimeError):
            dist.destroy_process_group()
        signal.signal(signal.SIGTERM, before)


def _end_with_the_others(number: int, frame: FrameType | None) -> None:
    """Torchrun asks all processes to end when one has."""
    del number, frame
    raise LostProcessError


def tell_all(thing: T | None) -> T:
    """Return what the first process has, in every process; the others' own counts for nothing."""
    if not dist.is_initialized():
        assert thing is not None
        return thing
    held = [thing]
    with lost_process_faults():
        dist.broadcast_object_list(held, src=0)
    assert held[0] is not None
    return held[0]


def join_parts(own: T) -> list[T]:
    """Return what every process has, in their order."""
    if not dist.is_initialized():
        return [own]
    parts: list[Any] = [None] * dist.get_world_size()
    with lost_process_faults():
        dist.all_gather_object(parts, own)
    return parts


def own_batches(items: Sequence[T], size: int) -> Sequence[T]:
    """Return the part of a list that is this process's, in whole batches of `size` items."""
    world, rank = process_count(), process_number()
    batches = -(-len(items) // size)
    first, end = batches * rank // world, batches * (rank + 1) // world
    return items[first * size : end * size]


def claim_report(fault: BenchboxError) -> bool:
    """Tell whether this process is the first to report how the run ended; asks torchrun's store.

    Who has only lost another process lets that one speak first. Torchrun asks all to end as soon
    as one that may not report has ended: who has claimed must still get its line out. Where the
    store gives no answer the number decides: the others speak only if nobody ends them meanwhile.
    """
    if process_count() == 1:
        return True
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # we are ending
    if isinstance(fault, LostProcessError):
        time.sleep(_COURTESY_S)
    place = os.environ.get("MASTER_ADDR", ""), int(os.environ.get("MASTER_PORT", "0"))
    attempt = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
    try:
        store_kind: Any = vars(dist)["TCPStore"]
        store = store_kind(*place, is_master=False, timeout=_STORE_PATIENCE)
        return int(store.add(f"benchbox/reported/{attempt}", 1)) == 1
    except RuntimeError:
        let_others_speak()
        return True


def run_processes(words: Sequence[str]) -> None:
    """Run `benchbox` with words on so many processes of this machine as the first one says.

    They import what this process does. Ends with the exit code of the process that failed first.
    """
    from torch.distributed import run
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

    count, *rest = words
    # torchrun starts `python -m benchbox`, which would look in the working folder first
    os.environ["PYTHONPATH"] = os.pathsep.join(sys.path)
    os.environ["PYTHONSAFEPATH"] = "1"
    try:
        run.main(["--standalone", "--nproc-per-node", count, "-m", "benchbox", *rest])
    except ChildFailedError as fault:
        _, failure = fault.get_first_failure()
        raise SystemExit(failure.exitcode) from None
    except (SignalException, KeyboardInterrupt):
        raise SystemExit(_INTERRUPTED) from None


# --- folders --------------------------------------------------------------------------------------


def share_folder(folder: Path) -> Path:
    """Return the folder in the first process, in every other one a copy that it may write in.

    What a recipe finds, makes and reads again is the same in all of them that way, and only the
    first one writes into the results. The copy goes over the network, not over a shared disk.
    """
    if process_count() == 1:
        return folder
    held: dict[str, bytes] = {}
    if process_number() == 0:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                held[path.relative_to(folder).as_posix()] = path.read_bytes()
    files: dict[str, bytes] | str = tell_all(held)
    if process_number() == 0:
        return folder
    if isinstance(files, str):
        raise OtherProcessError
    copy = Path(tempfile.mkdtemp(prefix=f"{_SCRATCH}{os.getpid()}-")) / folder.name
    copy.mkdir()
    for name, content in files.items():
        path = copy / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return copy


def dismiss_helpers() -> None:
    """Tell the others, who wait for the folder, that there is nothing to do."""
    if dist.is_initialized():
        tell_all("")


def drop_folder(copy: Path) -> None:
    """Delete a copy that `share_folder` made, and those that killed processes left."""
    if process_number() == 0:
        return
    shutil.rmtree(copy.parent, ignore_errors=True)
    for other in copy.parent.parent.glob(f"{_SCRATCH}*"):
        owner = other.name.removeprefix(_SCRATCH).partition("-")[0]
        if owner.isdecimal() and not _is_running(int(owner)):
            shutil.rmtree(other, ignore_errors=True)


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # somebody else's
        return True
    return True
