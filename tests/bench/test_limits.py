"""What bounds a training step: memory that both cores share, one slow gradient, and the host's
part of a batch."""

import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import torch

from benchbox.plugins import method_card

from .sizes import ROUNDS, pick

MEGABYTES = pick(4, 512)
SIZES = pick((2, 8, 16), (64, 48, 128))  # faces, channels, side
PROGRAM = Path(__file__).with_name("gradient.py")


@pytest.mark.parametrize("cores", ["one core", "all cores"])
def test_copying_memory(cores, measure, request):
    """Read and write both count, as STREAM counts them."""
    if cores == "one core":
        request.getfixturevalue("one_core")
    source = torch.zeros(MEGABYTES * 2**20, dtype=torch.uint8)
    target = torch.ones_like(source)
    measure(
        lambda: target.copy_(source), "copying memory", cores, 2 * MEGABYTES * 2**20 / 1e9, "GB/s"
    )
    assert torch.equal(target, source)


@pytest.mark.parametrize("how", ["ours, bfloat16", "PyTorch, bfloat16", "PyTorch, float32"])
def test_the_input_gradient_of_a_strided_depthwise_convolution(how, benchmark, table):
    def run():
        command = [sys.executable, PROGRAM, how, *map(str, (*SIZES, ROUNDS))]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    found = json.loads(benchmark.pedantic(run, rounds=1))
    batch, channels, side = SIZES
    group = (
        f"input gradient of a strided depthwise convolution, {batch} x {channels} x {side} x {side}"
    )
    table.add(group, how, found["seconds"], 1, "ms", ours=how.startswith("ours"))
    torch.manual_seed(0)  # as the program does
    torch.randn(batch, channels, side, side)
    taps = torch.randn(channels, 1, 3, 3).sum(dim=(0, 1))
    # outputs whose tap lies on the picture
    inside = torch.tensor([side // 2 - 1, side // 2, side // 2]).float()
    assert found["mean"] == pytest.approx(
        (inside @ taps @ inside).item() / channels / side**2, abs=0.003
    )


def test_drawing_a_batch(measure):
    """The host's part of a step on a GPU: which faces, through which boxes, with which colours."""
    card = method_card.find_card("glsr")
    params = method_card.merge_params(card, budget="paper") | {"batch": pick(4, 64)}
    errors = import_module(f"{method_card.import_method(card).__name__}.training_samples").BoxErrors
    rng = np.random.default_rng(0)
    points = rng.uniform(-0.4, 0.4, (params["batch"], 68, 2))
    boxes = np.tile([-0.5, -0.5, 0.5, 0.5], (params["batch"], 1))
    spread = errors.measure(boxes, points)

    def draw():
        return spread.perturb(
            points, rng, params["rotation_deg"], params["expansion"], params["flip"]
        )

    frame, _ = measure(
        draw, "drawing a batch of G&LSR's boxes, on the host", "ours", params["batch"], "samples/s"
    )
    assert frame.shape == (params["batch"], 2, 3)
