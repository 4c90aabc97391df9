"""A process that renders chunks of a set: reads `part first count row` lines, fills the columns, answers `ok`."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import cv2

from .cache import write_rows
from .image_sets import SETS, ImageSet


def render_chunk(
    made: ImageSet, partial: Path, part: str, first: int, count: int, row: int
) -> None:
    """Render pictures `first` … of a part into the rows from `row` on, and mark the chunk as done."""
    for name, rows in made.rows(part, range(first, first + count)).items():
        write_rows(partial, name, row, rows)
    (partial / "done" / f"{part}-{first:05d}").touch()


def main(kind: str, folder: str) -> None:
    """Serve until standard input ends, which it does when the asking process is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the asking process decides
    cv2.setNumThreads(1)
    partial = Path(folder)
    for line in sys.stdin:
        part, *numbers = line.split()
        try:
            render_chunk(SETS[kind], partial, part, *(int(n) for n in numbers))
        except OSError as fault:
            if (
                partial.exists()
                or not partial.with_name(partial.name.removesuffix(".partial")).exists()
            ):
                print(f"{fault.strerror or fault}", flush=True)
                continue
            # Another process finished the set and gave the folder its final name: nothing is left
            # to do.
        print("ok", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
