"""Remember what was found out about files, as long as they have not been touched.

A report reads thousands of files whose digests it compares with their records; hashing them each
time would take minutes. What was worked out is kept in the cache folder, by inode, size and times.
A file younger than a moment is worked out anew: a change within one tick of the clock would not
show. The memory is lost without harm.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path

from benchbox.atomic_write import write_whole
from benchbox.cache_place import cache_root
from benchbox.errors import DataError
from benchbox.file_readers.json_files import read_json

_FILE = "verified-v1.json"
_MAX_ENTRIES = 200_000
_MAX_BYTES = 1 << 27
_SETTLED_NS = 100_000_000  # after which a change has another time

# state of the files, and what was found
_Entry = tuple[list[int], str]


class _Memory:
    """What is known, and whether it is more than the file on disk says."""

    def __init__(self, known: dict[str, _Entry]) -> None:
        self.known = known
        self.grown = False


def remember(what: str, files: Sequence[Path], work_out: Callable[[], str]) -> str:
    """Return what `work_out` says of some files, from memory if none has been touched since.

    `what` names the question. Raises OSError for a file that is not there, and what `work_out`
    raises, which is not remembered.
    """
    stats = [path.stat() for path in files]
    state, newest = _file_state(stats)
    key = f"{what} {stats[0].st_dev} {stats[0].st_ino}"
    memory = _memory()
    if key in memory.known and memory.known[key][0] == state:
        return memory.known[key][1]
    found = work_out()
    if time.time_ns() - newest > _SETTLED_NS:
        memory.known[key] = (state, found)
        memory.grown = True
    return found


def save_memory() -> None:
    """Write what is known, where it can be written."""
    memory = _memory()
    if not memory.grown:
        return
    kept = list(memory.known.items())[-_MAX_ENTRIES:]
    with suppress(OSError):
        cache_root().mkdir(parents=True, exist_ok=True)
        write_whole(cache_root() / _FILE, json.dumps(dict(kept)), flush=False)
    memory.grown = False


def _file_state(stats: Sequence[os.stat_result]) -> tuple[list[int], int]:
    """Return what changes with a file, and the latest time among them in ns."""
    state: list[int] = []
    newest = 0
    for stat in stats:
        state += [stat.st_size, stat.st_ino, stat.st_mtime_ns, stat.st_ctime_ns]
        newest = max(newest, stat.st_mtime_ns, stat.st_ctime_ns)
    return state, newest


@cache
def _memory() -> _Memory:
    known: dict[str, _Entry] = {}
    with suppress(DataError):
        known = _read_entries(read_json(cache_root() / _FILE, largest=_MAX_BYTES))
    return _Memory(known)


def _read_entries(document: object) -> dict[str, _Entry]:
    """Return the entries that are whole; anything may lie in a cache folder."""
    known: dict[str, _Entry] = {}
    if not isinstance(document, dict):
        return known
    for key, entry in document.items():
        if not isinstance(entry, list) or len(entry) != 2:
            continue
        state, found = entry
        if isinstance(state, list) and isinstance(found, str):
            known[key] = (state, found)
    return known
