"""A process with limits: it and all that it started end when they take too long or too much."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchbox import progress
from benchbox.errors import PluginError

_PAUSE_S = 0.2  # between two looks at a process's memory
_PATIENCE_S = 20.0  # for a process that was asked to stop


@dataclass(frozen=True)
class Limits:
    """How much a process may take, 0: as much as it likes, and how each limit is called."""

    seconds: float
    memory_gb: float
    seconds_name: str
    memory_name: str


def run_limited(command: Sequence[str], name: str, limits: Limits, **more: Any) -> int:
    """Run a command with its children in a session of their own; return its exit code.

    Memory is what they hold at a time, looked at on Linux; `name` stands in messages, `more` goes
    to `subprocess.Popen`. Ctrl-C and SIGTERM reach the process, which is waited for.

    Raises PluginError for one that takes longer or more than it may, OSError for one that cannot
    be run.
    """
    if limits.memory_gb and not Path("/proc").is_dir():
        progress.print_note(f"{name}: its memory cannot be watched on this system")
    more.setdefault("stdin", subprocess.DEVNULL)
    process = subprocess.Popen(command, start_new_session=True, **more)
    try:
        with heed_sigterm():
            return _wait_within_limits(process, name, limits)
    except KeyboardInterrupt:
        process.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=_PATIENCE_S)
        raise
    finally:
        _end_session(process)


def _wait_within_limits(process: subprocess.Popen[bytes], name: str, limits: Limits) -> int:
    end = time.monotonic() + (limits.seconds or float("inf"))
    while True:
        try:
            return process.wait(timeout=_PAUSE_S)
        except subprocess.TimeoutExpired:
            pass
        if time.monotonic() > end:
            raise PluginError(
                f"{name}: took longer than {limits.seconds_name} = {limits.seconds:g}; it was ended"
            )
        taken = _session_memory_gb(process.pid) if limits.memory_gb else 0.0
        if taken > limits.memory_gb:
            raise PluginError(
                f"{name}: took {taken:.2f} GB, more than {limits.memory_name} = "
                f"{limits.memory_gb:g}; it was ended"
            )


def describe_code(code: int) -> str:
    """Say what a process ended by, given its exit code as `subprocess` has it."""
    if code >= 0:
        return f"exit code {code} without returning"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    reasons = {"SIGSEGV": ": a fault of compiled code", "SIGKILL": ": out of memory, or killed"}
    return name + reasons.get(name, "")


def _end_session(process: subprocess.Popen[bytes]) -> None:
    """End a process and its children, whether or not it ended by itself."""
    if hasattr(os, "killpg"):
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    elif process.poll() is None:
        process.kill()
    process.wait()


def _session_memory_gb(session: int) -> float:
    """Return the resident memory of a session's processes."""
    pages = 0
    for place in Path("/proc").glob("[0-9]*"):
        try:
            # the name, in brackets, may hold blanks
            fields = (place / "stat").read_text(errors="replace").rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == session:
            pages += int(fields[21])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**30


@contextmanager
def heed_sigterm() -> Iterator[None]:
    """Let SIGTERM end this process as Ctrl-C does, so that what it started is ended, too."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
