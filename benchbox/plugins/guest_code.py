"""Let a plugin's code run as a guest: what it shares with everybody is put back when it returns.

A method may move to another working directory, print, or tell NumPy to raise; many training scripts
do. None of it may reach a relative path of the caller, the one document of `--json`, or a score. So
each call of a plugin runs inside `run_as_guest`: output goes to stderr, the process's shared state
is restored, and a plugin that ends the program is a fault with its name, never a success.
"""

from __future__ import annotations

import os
import sys
import time
import warnings
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager, redirect_stdout, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from benchbox.errors import PluginError

from . import shared_state
from .shared_state import list_running

_STDOUT, _STDERR = 1, 2
_VARIABLES, _OUR_VARIABLES = "environment variables", "BENCHBOX_"
_NAMED = 3  # variables that one message names
_LOOKS, _BETWEEN_LOOKS_S = 10, 0.1
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
def run_as_guest(blame: str, *, draws: bool = False) -> Iterator[GuestChanges]:
    """Run a plugin's code; put back what it shares with everybody (`shared_state`).

    The working directory, stdout, warning filters, and random states, too: only what predicts
    (`draws`) goes on drawing from where it was. What a method set for itself, its environment
    variables or torch's threads, it finds again when its code is called the next time.

    Raises PluginError, with `blame` at its head, for code that ends the program (`sys.exit`,
    `os._exit`, click's `Exit`): that is neither a result nor a reason. Other exceptions pass.
    """
    changes = GuestChanges()
    for seen in _watching:
        seen.append(changes)
    folder, before = shared_state.find_folder(), shared_state.read_settings()
    states = shared_state.read_random_states()
    found = _give_back_own(blame, before)
    try:
        with ExitStack() as stack:
            stack.enter_context(warnings.catch_warnings())
            stack.enter_context(_stdout_to_stderr(changes))
            stack.enter_context(_no_exit())
            try:
                yield changes
            finally:
                after = shared_state.read_settings()
                if shared_state.find_folder() != folder:
                    changes.changed.append("the working directory")
                changes.changed += _changed_words(found, after)
                _keep_own(blame, before, after)
    except (SystemExit, GeneratorExit, _EndedProcess) as fault:
        _blame_exit(blame, fault)
    except Exception as fault:
        # click's Exit, which would end the command with the plugin's own exit code
        if type(fault).__name__ == "Exit" and type(fault).__module__.startswith("click"):
            _blame_exit(blame, fault)
        raise
    finally:
        shared_state.write_settings(before)
        if not draws:
            shared_state.write_random_states(states)
        _enter_folder(folder, blame)


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


# --- what is left running -------------------------------------------------------------------------


def find_leftovers(before: Collection[str]) -> list[str]:
    """Name the threads and processes that run now and did not (`list_running`).

    What is just ending gets a moment.
    """
    for _ in range(_LOOKS):
        left = [words for key, words in list_running().items() if key not in before]
        if not left:
            return []
        time.sleep(_BETWEEN_LOOKS_S)
    return left


# --- state of the process -------------------------------------------------------------------------

# blame → setting → what that method's code left of it
_left: dict[str, dict[str, Any]] = {}


def _give_back_own(blame: str, before: Mapping[str, Any]) -> dict[str, Any]:
    """Let a method find the settings that its code left the last time; return what is so now."""
    own = _left.get(blame, {})
    shared_state.write_settings({name: _merge(before.get(name), own[name]) for name in own})
    return shared_state.read_settings()


def _keep_own(blame: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
    kept = {setting.name for setting in shared_state.list_settings() if setting.is_kept}
    own = {}
    for name in kept & set(before) & set(after):
        if after[name] != before[name]:
            own[name] = _changed_part(before[name], after[name])
    _left[blame] = own


def _changed_part(before: Any, after: Any) -> Any:
    """Return what changed; of a table the entries, None for one that is gone."""
    if not isinstance(after, dict):
        return after
    names = {name for name in {*before, *after} if before.get(name) != after.get(name)}
    return {name: after.get(name) for name in names}


def _merge(value: Any, changed: Any) -> Any:
    if not isinstance(changed, dict):
        return changed
    merged = {**value, **changed}
    return {name: entry for name, entry in merged.items() if entry is not None}


def _changed_words(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Name the settings that differ.

    Of environment variables those that were there, and ours: many libraries set new ones of their
    own when they are imported, which harms nobody.
    """
    words = []
    for name, value in before.items():
        if name not in after or after[name] == value:
            continue
        if name != _VARIABLES:
            words.append(name)
            continue
        changed = []
        for variable in sorted(_changed_part(value, after[name])):
            if variable in value or variable.startswith(_OUR_VARIABLES):
                changed.append(variable)
        if changed:
            words.append(f"{name} ({', '.join(changed[:_NAMED])})")
    return words


def _enter_folder(folder: Path | None, blame: str) -> None:
    """Go back to the working directory; raises PluginError where that cannot be."""
    if folder is None or shared_state.find_folder() == folder:
        return
    try:
        os.chdir(folder)
    except OSError as fault:
        raise PluginError(
            f"{blame} left {folder}, which cannot be entered again: {fault.strerror}"
        ) from fault
