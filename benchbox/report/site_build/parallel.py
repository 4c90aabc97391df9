"""Files of a site made by several processes, each with whole groups of files that share what they read."""

from __future__ import annotations

import multiprocessing
import os
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, TypeVar

from benchbox.errors import BenchboxError

if TYPE_CHECKING:
    from .output import SiteFile

T = TypeVar("T")

_MIN_WORK = 300.0  # of work: below it a process is not worth starting
_MAX_PROCESSES = 8  # processes


def make_files(wanted: Mapping[str, SiteFile], make: Callable[[str, SiteFile], T]) -> dict[str, T]:
    """Return `make(name, file)` of every file, in their order; raises what `make` raises."""
    shares = _deal_shares(wanted, _process_count(sum(file.work for file in wanted.values())))
    # a child knows all that is known here
    context = multiprocessing.get_context("fork" if len(shares) > 1 else None)
    children = []
    for share in shares[1:]:
        pipe, end = context.Pipe(duplex=False)
        child = context.Process(target=_work, args=(end, share, wanted, make), daemon=True)
        with warnings.catch_warnings():
            # of threads: those of NumPy begin anew after a fork
            warnings.simplefilter("ignore", DeprecationWarning)
            child.start()
        end.close()
        children.append((child, pipe))
    try:
        made = {name: make(name, wanted[name]) for name in shares[0]}
        for _, pipe in children:
            found, fault = pipe.recv()
            if fault is not None:
                raise fault
            made |= found
    finally:
        for child, pipe in children:
            pipe.close()
            child.terminate()  # one that has answered has nothing left to do
            child.join()
    return {name: made[name] for name in wanted}


def _work(
    end: Connection,
    share: Sequence[str],
    wanted: Mapping[str, SiteFile],
    make: Callable[[str, SiteFile], T],
) -> None:
    """Make a share and send it.

    A fault that a user can mend is sent, any other shows its traceback and ends it.
    """
    try:
        end.send(({name: make(name, wanted[name]) for name in share}, None))
    except BenchboxError as fault:
        end.send(({}, fault))


def _process_count(work: float) -> int:
    if sys.platform != "linux" or work < _MIN_WORK:
        return 1
    return min(_MAX_PROCESSES, len(os.sched_getaffinity(0)))


def _deal_shares(wanted: Mapping[str, SiteFile], count: int) -> list[list[str]]:
    """Deal the files to at most `count` processes of about equal work, those of a group (`near`) to the same one."""
    groups: dict[str, list[str]] = {}
    for name, file in wanted.items():
        groups.setdefault(file.near, []).append(name)
    works = {near: sum(wanted[name].work for name in names) for near, names in groups.items()}
    shares: list[list[str]] = [[] for _ in range(count)]
    loads = [0.0] * count
    for near in sorted(groups, key=lambda near: -works[near]):
        least = loads.index(min(loads))
        loads[least] += works[near]
        shares[least] += groups[near]
    return [share for share in shares if share] or [[]]
