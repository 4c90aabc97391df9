"""A process of the pool that renders a set: chunk after chunk into the columns on disk.

NumPy and OpenCV are imported inside functions, after `start_worker` has set how many threads they
take when they are loaded.
"""

from __future__ import annotations

import os
import signal
from multiprocessing import parent_process
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

from benchbox.file_readers.numpy_files import map_npy

if TYPE_CHECKING:
    import numpy as np

    from .cache import Chunk

_THREAD_COUNTS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def start_worker() -> None:
    """Prepare a fresh process: one thread per library, deaf to Ctrl-C, gone when its parent is."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides when to stop
    # A killed parent says nothing, and a worker would wait for its next chunk for ever.
    Thread(target=_exit_with_parent, daemon=True).start()
    os.environ.update(dict.fromkeys(_THREAD_COUNTS, "1"))
    import cv2

    cv2.setNumThreads(1)


def _exit_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def render_chunk(kind: str, partial: Path, chunk: Chunk) -> None:
    """Render a chunk of the set `kind` into the columns under `partial`, and mark it as done.

    Raises OSError when it cannot be written, unless another maker has finished the set meanwhile.
    """
    from .image_sets import SETS

    numbers = range(chunk.first, chunk.first + chunk.count)
    columns = SETS[kind].render_columns(chunk.part, numbers)
    try:
        for name, rows in columns.items():
            write_rows(partial / f"{name}.npy", chunk.row, rows)
        chunk.marker(partial).touch()
    except OSError:
        finished = partial.with_name(partial.name.removesuffix(".partial"))
        if partial.exists() or not finished.exists():
            raise


def write_rows(path: Path, row: int, rows: np.ndarray[Any, Any]) -> None:
    """Write rows of a column file in place, from `row` on.

    Plain writes report a full disk; memory maps crash.
    """
    import numpy as np

    column = map_npy(path)
    row_bytes = int(np.prod(column.shape[1:], dtype=int)) * column.dtype.itemsize
    with path.open("r+b") as file:
        file.seek(int(column.offset) + row * row_bytes)
        file.write(np.ascontiguousarray(rows, dtype=column.dtype).tobytes())
