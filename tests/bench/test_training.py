"""Images per second in training: eager PyTorch as it comes, and the same steps as the kit sets a
process up."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from .sizes import pick

BATCH, STEPS = pick((2, 2), (64, 9))
PROGRAM = Path(__file__).with_name("step.py")


NETWORKS = {"small": "G&LSR's small backbone", "medium": "MobileNetV2"}


@pytest.mark.parametrize(
    "variant",
    pick(
        ("ours", "plain"),
        ("ours", "ours, bfloat16", "kept memory, channels last", "kept memory", "plain"),
    ),
)
@pytest.mark.parametrize("network", pick(("small",), ("small", "medium")))
def test_step(network, variant, benchmark, table):
    def run():
        command = [sys.executable, PROGRAM, network, variant, str(BATCH), str(STEPS)]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    found = json.loads(benchmark.pedantic(run, rounds=1))
    benchmark.extra_info.update(found)
    assert len(found["seconds"]) == STEPS
    assert 0 < found["loss"] < 10
    table.add(
        f"training step, {NETWORKS[network]}, 256 px, batch {BATCH}, all cores",
        "eager PyTorch as it comes" if variant == "plain" else variant,
        found["seconds"],
        BATCH,
        "images/s",
        ours=variant == "ours",
        note=f" ({found['faults']:,} page faults a step, {100 * found['input_share']:.0f} % on inputs, "  # noqa: E501
        f"{found['peak_mb']:,.0f} MB)",
    )
