"""Timing with pytest-benchmark, and the table of ratios at the end of the run (how to read it:
docs/performance.md)."""

import gc
import os
import platform
import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import pytest

from .sizes import FULL, ROUNDS


@dataclass(frozen=True)
class Row:
    """One line of the table: what took `seconds` (median of the rounds) for `count` items."""

    group: str
    name: str
    seconds: Sequence[float]
    count: float
    unit: str  # "faces/s" shows count / seconds; "ms" shows the time itself
    ours: bool
    note: str

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)

    @property
    def shown(self) -> str:
        value = 1000 * self.median / self.count if self.unit == "ms" else self.count / self.median
        return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"

    @property
    def spread(self) -> str:
        """Half of the range of the rounds over their median."""
        return f"±{50 * (max(self.seconds) - min(self.seconds)) / self.median:.0f} %"


ROWS = pytest.StashKey[list[Row]]()


@dataclass
class Table:
    """What a benchmark reports to: groups of rows, in each of which the first `ours` is compared
    with the others."""

    rows: list[Row]

    def add(
        self,
        group: str,
        name: str,
        seconds: Sequence[float],
        count: float,
        unit: str,
        *,
        ours: bool = False,
        note: str = "",
    ) -> None:
        self.rows.append(Row(group, name, tuple(seconds), count, unit, ours, note))


@pytest.fixture
def table(request: pytest.FixtureRequest) -> Table:
    """The table of this session."""
    return Table(request.config.stash.setdefault(ROWS, []))


Measure = Callable[..., Any]


@pytest.fixture
def measure(benchmark: Any, table: Table) -> Measure:
    """Return a function that times another one over a few rounds after a warm-up and adds its
    row."""

    def run(
        function: Callable[[], Any],
        group: str,
        name: str,
        count: float = 1,
        unit: str = "ms",
        *,
        ours: bool = False,
        rounds: int = ROUNDS,
        warmup: int = 1,
    ) -> Any:
        gc.collect()
        found = benchmark.pedantic(function, rounds=rounds, warmup_rounds=warmup)
        if benchmark.stats is not None:  # None under --benchmark-disable
            table.add(group, name, benchmark.stats.stats.data, count, unit, ours=ours)
        return found

    return run


@pytest.fixture
def one_core() -> Iterator[None]:
    """Hold this process to one core with one thread each, so that figures are per core and no
    pool helps anyone."""
    import cv2
    import torch

    threads = torch.get_num_threads(), cv2.getNumThreads()
    allowed = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    if allowed:
        os.sched_setaffinity(0, {max(allowed)})
    yield
    if allowed:
        os.sched_setaffinity(0, allowed)
    torch.set_num_threads(threads[0])
    cv2.setNumThreads(threads[1])


# --- the table ------------------------------------------------------------------------------------


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    rows = config.stash.get(ROWS, [])
    if not rows:
        return
    write = terminalreporter.write_line
    terminalreporter.section("speed: ratios in this run")
    write(
        f"{machine()}; {'full' if FULL else 'tiny'} size"
        + ("" if FULL else " (BENCHBOX_BENCH=full measures)")
    )
    for group in dict.fromkeys(row.group for row in rows):
        inside = [row for row in rows if row.group == group]
        write("")
        for line in lines(group, inside):
            write(line)


def lines(group: str, rows: Sequence[Row]) -> list[str]:
    """Lay out one group as a Markdown table.

    `ours is` says how many times as fast as the row ours is.
    """
    base = next((row for row in rows if row.ours), None)
    cells = [(group, rows[0].unit, "spread", *(["ours is"] if base else []))]
    for row in rows:
        ratio = [f"{row.median / row.count / (base.median / base.count):.2f}x"] if base else []
        cells.append((row.name + row.note, row.shown, row.spread, *ratio))
    names, *figures = [max(map(len, column)) for column in zip(*cells, strict=True)]
    rule = "|".join(["-" * (names + 2), *("-" * (width + 1) + ":" for width in figures)])
    shown = [
        " | ".join(
            [
                name.ljust(names),
                *(text.rjust(width) for text, width in zip(rest, figures, strict=True)),
            ]
        )
        for name, *rest in cells
    ]
    return [f"| {shown[0]} |", f"|{rule}|", *(f"| {line} |" for line in shown[1:])]


def machine() -> str:
    """Name the processor, its cores and the versions that matter."""
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.is_file():
        named = [
            line.partition(":")[2].strip()
            for line in info.read_text().splitlines()
            if line.startswith("model name")
        ]
        cpu = named[0] if named else cpu
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    packages = (
        "numpy",
        "opencv-python-headless",
        "torch",
        "albumentations",
        "torchmetrics",
        "mmpose",
    )
    return f"{cpu}, {cores} cores, Python {platform.python_version()}, " + ", ".join(
        filter(None, map(_version, packages))
    )


def _version(package: str) -> str:
    try:
        return f"{package} {version(package)}"
    except PackageNotFoundError:
        return ""
