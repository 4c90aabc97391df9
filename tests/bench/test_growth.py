"""Time and memory against size: the rate must stay the same and the memory grow in proportion, or
not at all."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from .sizes import pick

PROGRAM = Path(__file__).with_name("growth.py")
SIZES = {
    "score": ("faces", pick((500,), (10_000, 100_000, 300_000, 1_000_000))),
    "cache": ("faces", pick((16,), (500, 1_000, 2_000, 4_000))),
    "pages": ("runs", pick((4,), (300, 1_000, 3_000, 10_000))),
}


@pytest.mark.parametrize(
    ("what", "size"), [(what, size) for what in SIZES for size in SIZES[what][1]]
)
def test_growth(what, size, benchmark, table):
    def run():
        command = [sys.executable, PROGRAM, what, str(size)]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    found = json.loads(benchmark.pedantic(run, rounds=1))
    benchmark.extra_info.update(found)
    items, _ = SIZES[what]
    table.add(
        f"growth: {what}",
        f"{size:,} {items}",
        [found["seconds"]],
        size,
        f"{items}/s",
        note=f" ({found['seconds']:.2f} s, {found['mb']:,.0f} MB beyond the inputs)",
    )
    assert found["seconds"] > 0
