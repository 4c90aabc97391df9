"""Files of a site made by several processes, by whole groups of files that share what they read."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing.synchronize import Event
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from .output import SiteFile

T = TypeVar("T")

_MIN_WORK = 300.0  # below it a process is not worth starting
_MAX_PROCESSES = 8


def make_files(wanted: Mapping[str, SiteFile], make: Callable[[str, SiteFile], T]) -> dict[str, T]:
    """Return `make(name, file)` of every file, in their order; raises what `make` raises."""
    groups = _group_files(wanted)
    work = sum(file.work for file in wanted.values())
    processes = min(_process_count(work), len(groups))
    if processes < 2:
        return {name: make(name, file) for name, file in wanted.items()}
    made = _make_in_processes(groups, processes, wanted, make)
    return {name: made[name] for name in wanted}


def _process_count(work: float) -> int:
    if sys.platform != "linux" or work < _MIN_WORK:
        return 1
    return min(_MAX_PROCESSES, len(os.sched_getaffinity(0)))


def _group_files(wanted: Mapping[str, SiteFile]) -> list[list[str]]:
    """Return the names of each group's files, the group with the most work first."""
    groups: dict[str, list[str]] = {}
    work: dict[str, float] = {}
    for name, file in wanted.items():
        groups.setdefault(file.group, []).append(name)
        work[file.group] = work.get(file.group, 0.0) + file.work
    return [groups[group] for group in sorted(groups, key=lambda group: -work[group])]


def _make_in_processes(
    groups: Sequence[Sequence[str]],
    processes: int,
    wanted: Mapping[str, SiteFile],
    make: Callable[[str, SiteFile], T],
) -> dict[str, T]:
    """Make groups of files in a pool whose processes know all that is known here.

    When anything goes wrong, Ctrl-C included, each process finishes the file that it is at, so that
    no half of one stays behind, and begins no other.
    """
    context = multiprocessing.get_context("fork")
    stop = context.Event()
    pool = ProcessPoolExecutor(processes, context, _start_worker, (wanted, make, stop))
    made: dict[str, T] = {}
    try:
        for future in _submit_groups(pool, groups):
            made |= future.result()
    except BaseException:
        stop.set()
        raise
    finally:
        pool.shutdown(cancel_futures=True)
    return made


def _submit_groups(
    pool: ProcessPoolExecutor, groups: Sequence[Sequence[str]]
) -> list[Future[dict[str, Any]]]:
    with warnings.catch_warnings():
        # of forking beside threads: those of NumPy begin anew after a fork
        warnings.simplefilter("ignore", DeprecationWarning)
        return [pool.submit(_make_group, group) for group in groups]


# --- inside a process of the pool -----------------------------------------------------------------

_inherited: tuple[Mapping[str, SiteFile], Callable[[str, SiteFile], Any], Event]


def _start_worker(
    wanted: Mapping[str, SiteFile], make: Callable[[str, SiteFile], Any], stop: Event
) -> None:
    """Keep what was inherited by the fork: files hold functions, which cannot be sent."""
    global _inherited  # noqa: PLW0603 - one process, one pool
    _inherited = wanted, make, stop
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent hears Ctrl-C and says `stop`
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """End a process whose parent was killed: it would wait for work for ever."""
    parent = multiprocessing.parent_process()
    if parent:
        parent.join()
        os._exit(1)


def _make_group(names: Sequence[str]) -> dict[str, Any]:
    wanted, make, stop = _inherited
    made = {}
    for name in names:
        if stop.is_set():
            break
        made[name] = make(name, wanted[name])
    return made
