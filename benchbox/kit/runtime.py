"""Set up a process for training: allocator, seeds, device.

Small networks on a CPU spend most of a step in page faults, because glibc hands every large tensor back to the kernel
and asks for it again. Told to keep its memory, the same step runs about four times as fast.
"""

from __future__ import annotations

import ctypes
import os
import random
import sys

import numpy as np
import torch

from benchbox.errors import BenchboxError

# malloc.h: mallopt's parameters
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX = -1, -2, -4
_KEEP_BYTES = 2**31 - 1
_TOP_PAD_BYTES = 256 * 2**20


def keep_memory() -> bool:
    """Tell glibc to serve large blocks from the heap and keep them; False where there is no glibc."""
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):
        return False
    return all((mallopt(_M_MMAP_MAX, 0), mallopt(_M_TRIM_THRESHOLD, _KEEP_BYTES), mallopt(_M_TOP_PAD, _TOP_PAD_BYTES)))


def choose_device(wanted: str) -> str:
    """Turn auto | cpu | cuda into cpu or cuda; raises BenchboxError when cuda is asked for and absent."""
    if wanted == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if wanted == "cuda" and not torch.cuda.is_available():
        raise BenchboxError(
            "--device cuda: torch sees no CUDA device here; use --device cpu, or auto to take what is there"
        )
    return wanted


def seed_everything(seed: int) -> None:
    """Seed Python, NumPy's legacy generator and torch; recipes draw from generators of their own beside these."""
    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002 - third-party code in a plugin may use it
    torch.manual_seed(seed)


def cores() -> int:
    """Count the cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def threads() -> int:
    """Return how many threads torch computes with."""
    return torch.get_num_threads()


def prepare(device: str, seed: int) -> None:
    """Make the process ready to train or predict on a device: allocator, seeds, float32 precision.

    Threads are torch's own choice: the cores this process may use, or OMP_NUM_THREADS.
    """
    keep_memory()
    seed_everything(seed)
    if device == "cuda":
        torch.backends.cudnn.benchmark = True
        torch.set_float32_matmul_precision("high")
