"""How the process of a command begins and ends: with three streams, and whatever is left behind.

A command that trains for hours must not fail because nobody reads its progress, nor stay for ever
because a method left a thread behind. Its record is written before either can happen.
"""

from __future__ import annotations

import errno
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any, TextIO, cast

_PATIENCE_S = 5.0  # for threads and processes that end by themselves
_STANDARD = 3  # stdin, stdout, stderr
_STDOUT = 1


class _ForgivingStream:
    """A stream for progress and notes: what it cannot write is lost, and ends nothing."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        """Return whatever else the stream has."""
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write, or lose, a text."""
        try:
            return self._stream.write(text)
        except OSError:
            return len(text)

    def flush(self) -> None:
        """Write out, or lose, what waits."""
        try:
            self._stream.flush()
        except OSError:
            return


def open_standard_streams() -> None:
    """Open what the caller closed (`2>&-`), and let no fault of stderr end the command.

    A closed number would be given to the next file that is opened, and progress be written to it.
    """
    for number in range(_STANDARD):
        try:
            os.fstat(number)
        except OSError as fault:
            if fault.errno == errno.EBADF:
                os.open(os.devnull, os.O_RDWR)  # takes the lowest free number, which is this one
    if sys.stdout is None:
        sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115
    if sys.stderr is None:
        sys.stderr = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115
    if not isinstance(sys.stderr, _ForgivingStream):
        sys.stderr = cast(TextIO, _ForgivingStream(sys.stderr))


def give_up_full_stdout() -> None:
    """Drop what cannot be written to stdout, or Python fails once more when it ends."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), _STDOUT)


def limit_ending(code: int) -> None:
    """See to it that the process ends, with `code`, though a method left something running.

    Python waits without limit for threads and processes that nobody ended. They get some seconds.
    """
    watch = threading.Thread(target=_end_after_patience, args=(code,), daemon=True)
    watch.start()


def _end_after_patience(code: int) -> None:
    time.sleep(_PATIENCE_S)
    from benchbox import progress

    progress.print_note("a thread or process that a method left behind was not waited for")
    if "multiprocessing" in sys.modules:
        import multiprocessing

        for child in multiprocessing.active_children():
            child.terminate()
    sys.stderr.flush()
    os._exit(code)
