"""Locks on open files, which a killed process does not leave held.

POSIX systems have `flock`, Windows `msvcrt.locking`. A disk may have neither: then OSError says so.
"""

from __future__ import annotations

import sys
from typing import IO, Any

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

# Windows locks bytes, which nobody else can then read: one beyond whatever these files hold
_LOCKED_BYTE = 1 << 30


def lock_file(stream: IO[Any], *, wait: bool) -> None:
    """Hold an open file against other processes until it is closed.

    `wait=False` raises OSError (EACCES, EAGAIN) where another process holds it; any other OSError
    means that this disk has no locks.
    """
    if sys.platform == "win32":
        place = stream.tell()
        stream.seek(_LOCKED_BYTE)
        try:
            # LK_LOCK tries ten times, a second apart
            msvcrt.locking(stream.fileno(), msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)
        finally:
            stream.seek(place)
    else:
        fcntl.flock(stream, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
