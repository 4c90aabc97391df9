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
NORM_SIZES = pick((2, 8, 16), (32, 8, 72))
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


def time_gradient(layer, how, sizes, benchmark, table):
    """Run `gradient.py` and add its row; returns what it printed."""

    def run():
        command = [sys.executable, PROGRAM, layer, how, *map(str, (*sizes, ROUNDS))]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    found = json.loads(benchmark.pedantic(run, rounds=1))
    group = f"input gradient of a {layer}, {' x '.join(map(str, (*sizes, sizes[-1])))}"
    table.add(group, how, found["seconds"], 1, "ms", ours=how.startswith("ours"))
    return found


@pytest.mark.parametrize("how", ["ours, bfloat16", "PyTorch, bfloat16", "PyTorch, float32"])
def test_the_input_gradient_of_a_strided_depthwise_convolution(how, benchmark, table):
    found = time_gradient("strided depthwise convolution", how, SIZES, benchmark, table)
    _, channels, side = SIZES
    torch.manual_seed(0)  # as the program does
    torch.randn(SIZES[0], channels, side, side)
    taps = torch.randn(channels, 1, 3, 3).sum(dim=(0, 1))
    # outputs whose tap lies on the picture
    inside = torch.tensor([side // 2 - 1, side // 2, side // 2]).float()
    assert found["mean"] == pytest.approx(
        (inside @ taps @ inside).item() / channels / side**2, abs=0.003
    )


@pytest.mark.parametrize("how", ["ours, float32", "PyTorch, float32"])
def test_the_input_gradient_of_a_batch_norm(how, benchmark, table):
    found = time_gradient("batch norm", how, NORM_SIZES, benchmark, table)
    assert found["mean"] == pytest.approx(0, abs=1e-5)  # of equal gradients, which move the mean


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
