"""Do one thing at one size in a process of its own and print seconds and peak memory beyond the
inputs, as JSON.

python growth.py score|cache|pages SIZE
"""

import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

WARM_UP = 6


def main(what: str, size: int) -> None:
    prepare = {"score": score, "cache": cache, "pages": pages}[what]
    prepare(WARM_UP)()  # imports, templates, thread pools
    run = prepare(size)
    before, start = peak_mb(), time.perf_counter()
    run()
    print(json.dumps({"seconds": time.perf_counter() - start, "mb": peak_mb() - before}))


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def score(size: int) -> Callable[[], Any]:
    """All metrics and groups of 300w-full.

    Intervals take the same time for every set above `stats.UNITS` faces.
    """
    import dataclasses

    from benchbox.protocols import protocol_card
    from benchbox.scoring.score import score_predictions as score_faces
    from benchbox.types import Predictions, Truth

    truth = np.random.default_rng(0).random((size, 68, 2))
    values = truth.astype(np.float32)  # as predictions are stored
    values += np.float32(0.01)
    ids = np.char.add("face/", np.arange(size).astype(str))
    common = np.arange(size) % 5 != 0
    groups = {"common": common, "challenging": ~common, "full": np.ones(size, bool)}
    card = dataclasses.replace(protocol_card.load_protocol("300w-full"), resamples=0)
    wanted = Truth(ids, truth, groups, clusters=ids)
    return lambda: score_faces(card, wanted, Predictions(ids, values, np.zeros(size, bool)))


def cache(size: int) -> Callable[[], Any]:
    """Decode 300-px faces into the store on disk.

    Rendered or real, the same few files again and again.
    """
    from pictures import SMALL_PX, make  # a program, not a module of the suite

    from benchbox.training import crop_cache

    with tempfile.TemporaryDirectory() as folder:
        made = make(Path(folder), 8, SMALL_PX)
        few = made.samples()
        kept = [path.read_bytes() for path in made.paths]
    import cv2

    def read(row: int) -> Callable[[], np.ndarray]:
        return lambda: cv2.imdecode(np.frombuffer(kept[row % 8], np.uint8), cv2.IMREAD_COLOR_RGB)

    from benchbox.types import Sample

    samples = [
        Sample(str(row), few[row % 8].box, read(row), cache_key=lambda: "growth")
        for row in range(size)
    ]
    folder = tempfile.TemporaryDirectory()

    def run() -> None:
        os.environ["BENCHBOX_CACHE"] = folder.name
        with folder:
            crop_cache.cached_crops(samples, 256, 2.0)

    return run


def pages(size: int) -> Callable[[], Any]:
    """Render the pages of invented runs."""
    from runs import fabricate

    from benchbox import report

    folder = tempfile.TemporaryDirectory()
    fabricate(Path(folder.name) / "results", size)

    def run() -> None:
        with folder:
            report.render_site(Path(folder.name) / "results", Path(folder.name) / "site")

    return run


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
