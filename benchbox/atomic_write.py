"""Files that appear whole or not at all: written beside, flushed to the disk, renamed."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_LEFTOVER = re.compile(r"\..+\.[0-9]+\.[0-9]+")  # as `replace_when_done` names a file beside


@contextmanager
def replace_when_done(path: Path, *, flush: bool = True) -> Iterator[Path]:
    """Give a name beside `path` to write a file to; the file takes the place of `path` at the end.

    After a fault inside, `path` is what it was and nothing is left beside it. `flush=False` does
    not wait for the disk, for files that are easily made again. Raises OSError when the file cannot
    be written.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
    try:
        yield beside
        if flush:
            _flush_to_disk(beside)
        beside.replace(path)
        if flush:
            _flush_folder(path.parent)
    finally:
        with suppress(OSError):
            beside.unlink()


def write_whole(path: Path, content: str | bytes, *, flush: bool = True) -> None:
    """Write a file in one step, texts as UTF-8; raises OSError when it cannot be written."""
    if isinstance(content, str):
        content = content.encode()
    with replace_when_done(path, flush=flush) as beside:
        beside.write_bytes(content)


def flush_files(paths: Iterable[Path]) -> None:
    """Wait until files that others wrote are on the disk, before a record vouches for them.

    One that cannot be flushed, as on some network disks, is passed over.
    """
    for path in paths:
        with suppress(OSError):
            _flush_to_disk(path)


def remove_leftovers(folder: Path) -> None:
    """Delete what killed writers left below a folder that nobody else writes to."""
    for path in folder.rglob(".*"):
        if _LEFTOVER.fullmatch(path.name) and path.is_file():
            with suppress(OSError):
                path.unlink()


def _flush_folder(folder: Path) -> None:
    """Wait until the names in a folder are on the disk, where the system can tell."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _flush_to_disk(path: Path) -> None:
    """Wait until the bytes are on the disk: a rename may outlive a power cut that they do not."""
    descriptor = os.open(path, os.O_RDWR)  # Windows flushes no file that is only read
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
