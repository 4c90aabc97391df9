"""What bounds a training step: memory that both cores share, one slow gradient, and the host's part of a batch."""

from importlib import import_module

import numpy as np
import pytest
import torch

from benchbox import plugins
from benchbox.kit import depthwise

from .sizes import pick

MEGABYTES = pick(4, 512)
BATCH, CHANNELS, SIDE = pick((2, 8, 16), (64, 48, 128))


@pytest.mark.parametrize("cores", ["one core", "all cores"])
def test_copying_memory(cores, measure, request):
    """Read and write both count, as STREAM counts them."""
    if cores == "one core":
        request.getfixturevalue("one_core")
    source = torch.zeros(MEGABYTES * 2**20, dtype=torch.uint8)
    target = torch.ones_like(source)
    measure(lambda: target.copy_(source), "copying memory", cores, 2 * MEGABYTES * 2**20 / 1e9, "GB/s")
    assert torch.equal(target, source)


@pytest.mark.parametrize("how", ["ours, bfloat16", "PyTorch, bfloat16", "PyTorch, float32"])
def test_the_input_gradient_of_a_strided_depthwise_convolution(how, measure):
    torch.manual_seed(0)
    dtype = torch.float32 if "32" in how else torch.bfloat16
    images = torch.randn(BATCH, CHANNELS, SIDE, SIDE).to(dtype, memory_format=torch.channels_last).requires_grad_()
    weight = torch.randn(CHANNELS, 1, 3, 3).to(dtype)
    if how.startswith("ours"):
        made = depthwise.strided(images, weight, (2, 2), (1, 1))
    else:
        made = torch.conv2d(images, weight, None, 2, 1, 1, CHANNELS)
    back = torch.ones_like(made)
    found = measure(
        lambda: torch.autograd.grad(made, images, back, retain_graph=True)[0],
        f"input gradient of a strided depthwise convolution, {BATCH} x {CHANNELS} x {SIDE} x {SIDE}",
        how,
        ours=how.startswith("ours"),
    )
    inner = found[:, :, 2:-2, 2:-2].float()  # of four neighbours, each is under one, two or four taps of the kernel
    assert inner[:, :, ::2, ::2].mean().item() == pytest.approx(weight[:, 0, 1, 1].float().mean().item(), abs=0.02)


def test_drawing_a_batch(measure):
    """The host's part of a step on a GPU: which faces, through which boxes, with which colours."""
    card = plugins.card("glsr")
    params = plugins.settings(card, budget="paper") | {"batch": pick(4, 64)}
    errors = import_module(f"{plugins.load(card).__name__}.draws").BoxErrors
    rng = np.random.default_rng(0)
    points = rng.uniform(-0.4, 0.4, (params["batch"], 68, 2))
    boxes = np.tile([-0.5, -0.5, 0.5, 0.5], (params["batch"], 1))
    spread = errors.measure(boxes, points)

    def draw():
        return spread.perturb(points, rng, params["rotation_deg"], params["expansion"], params["flip"])

    frame, _ = measure(draw, "drawing a batch of G&LSR's boxes, on the host", "ours", params["batch"], "samples/s")
    assert frame.shape == (params["batch"], 2, 3)
