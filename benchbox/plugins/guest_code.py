"""Let a plugin's code run as a guest: what it shares with everybody is put back when it returns.

A method may move to another working directory, print, or tell NumPy to raise; many training scripts
do. None of it may reach a relative path of the caller, the one document of `--json`, or a score. So
each call of a plugin runs inside `run_as_guest`: output goes to stderr, the process's shared state
is restored, and a plugin that ends the program is a fault with its name, never a success.
"""

from __future__ import annotations

import locale
import os
import signal
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stdout, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from benchbox.errors import PluginError

_STDOUT, _STDERR = 1, 2
_OUR_VARIABLES = "BENCHBOX_"
_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_exit_process = os._exit


@dataclass
class GuestChanges:
    """What a plugin changed and was put back, in words; filled when it has returned."""

    changed: list[str] = field(default_factory=list)
    printed: bool = False  # to standard output


_watching: list[list[GuestChanges]] = []


@contextmanager
def watch_guests() -> Iterator[list[GuestChanges]]:
    """Collect what plugins change inside this block, one entry per call of their code."""
    seen: list[GuestChanges] = []
    _watching.append(seen)
    try:
        yield seen
    finally:
        _watching.remove(seen)


class _EndedProcess(BaseException):
    """Raised in the place of `os._exit`."""


@contextmanager
def run_as_guest(blame: str) -> Iterator[GuestChanges]:
    """Run a plugin's code; put back what it shares with everybody.

    The working directory, stdout, NumPy's error state and its printing, warning filters, locale,
    signal handlers, umask and our own environment variables.

    Raises PluginError, with `blame` at its head, for code that ends the program (`sys.exit`,
    `os._exit`, click's `Exit`): that is neither a result nor a reason. Other exceptions pass.
    """
    changes = GuestChanges()
    for seen in _watching:
        seen.append(changes)
    before = _shared_state()
    try:
        with ExitStack() as stack:
            stack.enter_context(warnings.catch_warnings())
            stack.enter_context(_numpy_state())
            stack.enter_context(_stdout_to_stderr(changes))
            stack.enter_context(_no_exit())
            try:
                yield changes
            finally:
                changes.changed += _changed_words(before, _shared_state())
    except (SystemExit, GeneratorExit, _EndedProcess) as fault:
        _blame_exit(blame, fault)
    except Exception as fault:
        # click's Exit, which would end the command with the plugin's own exit code
        if type(fault).__name__ == "Exit" and type(fault).__module__.startswith("click"):
            _blame_exit(blame, fault)
        raise
    finally:
        _restore(before, blame)


def _blame_exit(blame: str, fault: BaseException) -> NoReturn:
    raise PluginError(
        f"{blame} ended the program ({_exit_word(fault)}) instead of returning;"
        " nothing was recorded: let it return, or raise what is wrong"
    ) from fault


def _exit_word(fault: BaseException) -> str:
    if isinstance(fault, SystemExit):
        return f"sys.exit({fault.code!r})"
    if isinstance(fault, _EndedProcess):
        return f"os._exit({fault.args[0]!r})"
    return type(fault).__name__


@contextmanager
def _no_exit() -> Iterator[None]:
    """Make `os._exit` raise in this process; forked children end as they always do."""
    owner = os.getpid()

    def refuse(status: int) -> NoReturn:
        if os.getpid() != owner:
            _exit_process(status)
        raise _EndedProcess(status)

    setattr(os, "_exit", refuse)  # noqa: B010 - mypy knows it as a function of the module
    try:
        yield
    finally:
        setattr(os, "_exit", _exit_process)  # noqa: B010


# --- output ---------------------------------------------------------------------------------------


class _Forwarded:
    """Stands for stdout: whatever is written goes to stderr, and is remembered to have been."""

    def __init__(self, stream: Any, changes: GuestChanges) -> None:
        self._stream, self._changes = stream, changes

    def write(self, text: str) -> int:
        self._changes.printed = True
        return int(self._stream.write(text))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def _stdout_to_stderr(changes: GuestChanges) -> Iterator[None]:
    """Send what Python prints, and what C code and children write to descriptor 1, to stderr."""
    error_stream = sys.stderr
    with suppress(AttributeError, OSError, ValueError):  # closed, or none at all
        sys.stdout.flush()
    kept = None
    with suppress(OSError):  # a descriptor that is closed stays so
        kept = os.dup(_STDOUT)
        os.dup2(_STDERR, _STDOUT)
    forwarded: Any = _Forwarded(error_stream, changes)
    try:
        with redirect_stdout(forwarded):
            yield
    finally:
        sys.stderr = error_stream
        with suppress(AttributeError, OSError, ValueError):
            error_stream.flush()
        if kept is not None:
            os.dup2(kept, _STDOUT)
            os.close(kept)


# --- state of the process -------------------------------------------------------------------------


@contextmanager
def _numpy_state() -> Iterator[None]:
    """Put back NumPy's error state and how it prints."""
    import numpy as np

    with np.errstate(), np.printoptions():
        yield


def _shared_state() -> dict[str, Any]:
    """Return what is compared and put back, by its name in messages."""
    import numpy as np

    folder = None
    with suppress(OSError):  # it was removed
        folder = Path.cwd()
    variables = {}
    for name, value in os.environ.items():
        if name.startswith(_OUR_VARIABLES):
            variables[name] = value
    mask = os.umask(0o077)
    os.umask(mask)
    return {
        "the working directory": folder,
        "NumPy's error state": np.geterr(),
        "the locale": locale.setlocale(locale.LC_ALL),
        "signal handlers": [signal.getsignal(number) for number in _SIGNALS],
        "the umask": mask,
        "variables BENCHBOX_…": variables,
    }


def _changed_words(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    return [name for name, value in before.items() if after[name] != value]


def _restore(before: dict[str, Any], blame: str) -> None:
    """Put back what `_shared_state` returned; NumPy's part is put back by its own context."""
    now = _shared_state()
    for name in now["variables BENCHBOX_…"]:
        os.environ.pop(name, None)
    os.environ.update(before["variables BENCHBOX_…"])
    os.umask(before["the umask"])
    if now["the locale"] != before["the locale"]:
        locale.setlocale(locale.LC_ALL, before["the locale"])
    if threading.current_thread() is threading.main_thread():
        for number, handler in zip(_SIGNALS, before["signal handlers"], strict=True):
            if handler is not None:
                signal.signal(number, handler)
    folder = before["the working directory"]
    if folder is None or now["the working directory"] == folder:
        return
    try:
        os.chdir(folder)
    except OSError as fault:
        raise PluginError(
            f"{blame} left {folder}, which cannot be entered again: {fault.strerror}"
        ) from fault
