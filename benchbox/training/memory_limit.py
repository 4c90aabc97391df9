"""How much memory this process may use: what the machine has, or its container allows."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

_USUAL_BYTES = 8 << 30  # assumed where the system does not tell
_GROUPS, _OWN_GROUPS = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")


def memory_limit_bytes(groups: Path = _GROUPS, own_groups: Path = _OWN_GROUPS) -> int:
    """Return the smallest of the machine's memory and the limits of all groups around this process.

    Docker, Kubernetes, Slurm and systemd set such limits (cgroup v2 `memory.max`, v1
    `memory.limit_in_bytes`); beyond them the kernel kills.
    """
    limits = [_machine_bytes()]
    for file in _limit_files(groups, own_groups):
        try:
            text = file.read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError):
            continue
        if text.isdecimal() and int(text) > 0:  # "max": none
            limits.append(int(text))
    return min(limits)


def _machine_bytes() -> int:
    if not hasattr(os, "sysconf"):  # Windows
        return _USUAL_BYTES
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _limit_files(groups: Path, own_groups: Path) -> Iterator[Path]:
    """Yield the files of limits from the process's own group up to the outermost one."""
    try:
        lines = own_groups.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, group = [*line.split(":", 2), "", ""][:3]
        if controllers == "":
            top, name = groups, "memory.max"
        elif "memory" in controllers.split(","):
            top, name = groups / "memory", "memory.limit_in_bytes"
        else:
            continue
        parts = [part for part in PurePosixPath(group).parts if part not in ("/", "..")]
        # inside a container its own group is mounted as the outermost one
        for depth in range(len(parts), -1, -1):
            yield top.joinpath(*parts[:depth], name)
