"""A process that renders chunks of faces: reads `part first count row` lines, fills the columns, answers `ok`."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import cv2
import numpy as np

from .cache import put
from .render import picture
from .scene import sample


def chunk(partial: Path, part: str, first: int, count: int, row: int) -> None:
    """Render faces `first` … of a part into the rows from `row` on, and mark the chunk as done."""
    scenes = [sample(part, number) for number in range(first, first + count)]
    pictures = [picture(scene) for scene in scenes]
    put(partial, "pixels", row, np.stack([p.pixels for p in pictures]))
    put(partial, "visible", row, np.stack([p.visible for p in pictures]))
    put(partial, "values", row, np.stack([s.landmarks for s in scenes]))
    put(partial, "detected", row, np.stack([s.detected for s in scenes]))
    (partial / "done" / f"{part}-{first:05d}").touch()


def main(folder: str) -> None:
    """Serve until standard input ends, which it does when the asking process is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the asking process decides
    cv2.setNumThreads(1)
    partial = Path(folder)
    for line in sys.stdin:
        part, *numbers = line.split()
        try:
            chunk(partial, part, *(int(n) for n in numbers))
        except OSError as fault:
            if partial.exists() or not partial.with_name(partial.name.removesuffix(".partial")).exists():
                print(f"{fault.strerror or fault}", flush=True)
                continue
            # Another process finished the set and gave the folder its final name: nothing is left to do.
        print("ok", flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
