"""Set up a process for training: allocator, seeds, device.

Small networks on a CPU spend most of a step in page faults, because glibc hands every large tensor
back to the kernel and asks for it again. Told to keep its memory, and in huge pages where the
kernel gives them on request, the same step runs about four times as fast.
"""

from __future__ import annotations

import ctypes
import os
import random
import sys
from pathlib import Path

import numpy as np
import torch

from benchbox.errors import BenchboxError

# malloc.h: mallopt's parameters
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX = -1, -2, -4
_NEVER = -1
_TOP_PAD_BYTES = 256 * 2**20
# sys/mman.h
_MADV_HUGEPAGE = 14
_HUGE_BYTES = 2 * 2**20
_THP, _OVERCOMMIT = (
    Path("/sys/kernel/mm/transparent_hugepage/enabled"),
    Path("/proc/sys/vm/overcommit_memory"),
)
_STRICT = "2"  # addresses are counted as memory
_memory_kept: list[bool] = []  # what `keep_memory` found; a process is set up once


def keep_memory() -> bool:
    """Tell glibc to serve large blocks from one heap and keep them.

    False where there is no glibc.
    """
    if not _memory_kept:
        _memory_kept.append(sys.platform.startswith("linux") and _set_malloc_options())
    return _memory_kept[0]


def _set_malloc_options() -> bool:
    try:
        libc = ctypes.CDLL("libc.so.6", use_errno=True)
        mallopt = libc.mallopt
    except (OSError, AttributeError):
        return False
    options = (_M_MMAP_MAX, 0), (_M_TRIM_THRESHOLD, _NEVER), (_M_TOP_PAD, _TOP_PAD_BYTES)
    kept = all(mallopt(*option) for option in options)
    if (
        kept
        and _THP.is_file()
        and "[madvise]" in _THP.read_text()
        and _OVERCOMMIT.read_text().strip() != _STRICT
    ):
        _ask_for_huge_pages(libc)
    return kept


def _ask_for_huge_pages(libc: ctypes.CDLL) -> None:
    """Grow the heap by addresses alone, mark them for huge pages and give them back to it.

    Memory comes when used.

    Without the addresses, or where the kernel declines, pages stay as they are.
    """
    libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
    libc.free.argtypes = [ctypes.c_void_p]
    libc.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    size = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    place = libc.malloc(size)
    if not place:
        return
    first = -(-place // _HUGE_BYTES) * _HUGE_BYTES
    libc.madvise(first, (place + size - first) // _HUGE_BYTES * _HUGE_BYTES, _MADV_HUGEPAGE)
    libc.free(place)


def choose_device(wanted: str) -> str:
    """Turn auto | cpu | cuda into cpu or cuda.

    Raises BenchboxError when cuda is asked for and absent.
    """
    if wanted == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if wanted == "cuda" and not torch.cuda.is_available():
        raise BenchboxError(
            "--device cuda: torch sees no CUDA device here; "
            "use --device cpu, or auto to take what is there"
        )
    return wanted


def seed_everything(seed: int) -> None:
    """Seed Python, NumPy's legacy generator and torch.

    Recipes draw from generators of their own beside these.
    """
    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002 - third-party code in a plugin may use it
    torch.manual_seed(seed)


def count_cores() -> int:
    """Count the cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def count_threads() -> int:
    """Return how many threads torch computes with."""
    return torch.get_num_threads()


def prepare_process(device: str, seed: int) -> None:
    """Make the process ready to train or predict on a device: allocator, seeds, float32 precision.

    Threads are torch's own choice: the cores this process may use, or OMP_NUM_THREADS.
    """
    keep_memory()
    seed_everything(seed)
    if device == "cuda":
        torch.backends.cudnn.benchmark = True
        torch.set_float32_matmul_precision("high")
