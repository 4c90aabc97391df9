"""The programs that people start by hand still run: tiny, on the CPU, so that they cannot rot."""

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def test_the_gpu_program_prints_a_row_for_every_figure():
    command = [sys.executable, HERE / "gpu.py", "--device", "cpu", "--tiny"]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    for what in (
        "views of 64 px",
        "with colour, blur and holes",
        "heat maps",
        "decoding",
        "patches of 57 px",
        "forward",
    ):
        assert what in out
    assert out.count("training step") == 3
    for stage in (
        "G&LSR, joint",
        "SIR, regressor1",
        "TS3, round1.hg",
        "TAT, mg0",
        "DwO, dwo",
        "SSCR, pretrain",
    ):
        assert f"| {stage} | " in out


def test_growth_is_drawn_from_the_origin_with_a_row_for_every_size():
    sys.path.insert(0, str(HERE))
    try:
        import chart
    finally:
        sys.path.remove(str(HERE))
    found = {what: [(n, 0.001 * n, 5.0) for n in sizes] for what, (_, sizes) in chart.SIZES.items()}
    drawn = chart.svg(found)
    assert drawn.count("<circle") == sum(len(rows) for rows in found.values())
    assert 'points="60.0,210.0 ' in drawn  # the first panel begins at zero
    assert "| caching, 300-px JPEG | 500 faces | 0.50 | 1,000 | 5 |" in chart.table(found)
