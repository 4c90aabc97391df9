"""Bytes and texts of regular files of bounded size, and faults of libraries in one line."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from benchbox.errors import BenchboxError, DataError

from .bounds import LARGEST_TEXT

_LONGEST_REASON = 160  # characters


def check_file(path: Path, largest: int, fault: type[BenchboxError] = DataError) -> int:
    """Return the size of a file in bytes.

    Raises `fault` for a file that is not there, larger than `largest` bytes, or none: reading a
    FIFO waits for ever, and a device never ends.
    """
    facts = stat_file(path, fault)
    if not stat.S_ISREG(facts.st_mode):
        raise fault(f"{path}: cannot be read (Is a {_kind(facts.st_mode)}): name a regular file")
    if facts.st_size > largest:
        raise fault(
            f"{path}: {facts.st_size} bytes, more than {largest} bytes, the bound of such a file; "
            "split it into parts"
        )
    return facts.st_size


def stat_file(path: Path, fault: type[BenchboxError] = DataError) -> os.stat_result:
    """Return what the system says of a file; raises `fault` for one that is not there."""
    try:
        return path.stat()
    except FileNotFoundError as error:
        raise fault(f"{path}: cannot be read: there is no such file") from error
    except (OSError, ValueError) as error:  # ValueError: a NUL in its name
        reason = getattr(error, "strerror", None) or error
        raise fault(f"{path}: cannot be read ({reason})") from error


def _kind(mode: int) -> str:
    if stat.S_ISDIR(mode):
        return "directory"
    if stat.S_ISFIFO(mode):
        return "FIFO"
    if stat.S_ISSOCK(mode):
        return "socket"
    return "device"


@contextmanager
def open_file(
    path: Path, largest: int, fault: type[BenchboxError] = DataError
) -> Iterator[BinaryIO]:
    """Open a regular file for reading; raises `fault` as `check_file`, and while it is read."""
    check_file(path, largest, fault)
    try:
        with path.open("rb") as stream:
            yield stream
    except OSError as error:
        raise fault(f"{path}: cannot be read ({error.strerror or error})") from error


def read_bytes(path: Path, largest: int, fault: type[BenchboxError] = DataError) -> bytes:
    """Read a file of bounded size; raises `fault`."""
    with open_file(path, largest, fault) as stream:
        content = stream.read(largest + 1)
    if len(content) > largest:  # it has grown since
        raise fault(f"{path}: more than {largest} bytes; split it into parts")
    return content


def read_text(
    path: Path, largest: int = LARGEST_TEXT, fault: type[BenchboxError] = DataError
) -> str:
    """Read a text in UTF-8, a byte order mark taken off; raises `fault`."""
    content = read_bytes(path, largest, fault)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise fault(f"{path}: is not a text file in UTF-8 (byte {error.start})") from error


@contextmanager
def library_faults(
    where: object, kind: str, fault: type[BenchboxError] = DataError, advice: str = "fetch it again"
) -> Iterator[None]:
    """Turn what a library throws at a damaged file into one line: "WHERE: is no KIND (reason)".

    Parsers throw whatever their code ran into: IndexError, KeyError, TokenError, RecursionError,
    MemoryError, errors of their own. Keep the body to the call of the library.
    """
    try:
        yield
    except BenchboxError:
        raise
    except OSError as error:
        reason = error.strerror or short_reason(error)
        raise fault(f"{where}: cannot be read as {kind} ({reason}); {advice}") from error
    except Exception as error:
        raise fault(f"{where}: is no {kind} ({short_reason(error)}); {advice}") from error


def short_reason(error: BaseException) -> str:
    r"""Return what an exception says as one short line that every terminal can show.

    >>> short_reason(KeyError("a\n  b"))
    "'a\\n b'"
    >>> short_reason(MemoryError())
    'MemoryError'
    """
    words = " ".join(str(error).split())
    printable = "".join(sign if sign.isprintable() else "?" for sign in words[:_LONGEST_REASON])
    return printable or type(error).__name__
