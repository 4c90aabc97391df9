"""Time and memory of the pages against the number of results, with one run changed in between:
straight lines.

`python tests/bench/rendering.py 1000 10000` invents that many runs in a temporary folder and prints
a table.
"""

import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "report"))

from invented import fabricate  # a program, not a module of the suite

from benchbox import report
from benchbox.protocols import protocol_card

CARDS = [
    f"{family}-{part}"
    for family in ("300w", "synth-300w")
    for part in ("common", "challenging", "full")
]


def main(sizes: list[int]) -> None:
    """Print wall (and processor) seconds and peak memory of rendering and checking, for each
    number of runs."""
    print("| runs | files | MB | first, s | again, s | one run changed, s | --check, s | peak MB |")
    print("|--:|--:|--:|--:|--:|--:|--:|--:|", flush=True)
    for size in sizes:
        child = os.fork()  # a peak of memory belongs to a process
        if child == 0:
            _measure(size)
            os._exit(0)
        os.waitpid(child, 0)


def _measure(size: int) -> None:
    with tempfile.TemporaryDirectory() as place:
        results, out = Path(place, "results"), Path(place, "site")
        fabricate(results, size, tuple(map(protocol_card.load_protocol, CARDS)))

        def timed(call: Callable[..., Any]) -> str:
            wall, processor = time.perf_counter(), time.process_time()
            call(results, out)
            return f"{time.perf_counter() - wall:.1f} ({time.process_time() - processor:.1f})"

        first, again = timed(report.render_site), timed(report.render_site)
        files = [path for path in out.rglob("*") if path.is_file()]
        total = sum(path.stat().st_size for path in files) / 1e6
        one = next(results.glob("*/*/*/0"))
        one.rename(one.with_name("99"))
        cells = [
            f"{size:,}",
            f"{len(files):,}",
            f"{total:,.0f}",
            first,
            again,
            timed(report.render_site),
            timed(report.find_stale_files),
        ]
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"| {' | '.join(cells)} | {peak:,.0f} |", flush=True)


if __name__ == "__main__":
    main([int(argument) for argument in sys.argv[1:]] or [250, 500, 1000])
