"""Train a backbone of G&LSR for a few steps in a process of its own and print what each step
took, as JSON.

    python step.py small|medium VARIANT BATCH STEPS

A step is: a batch of 256-px views with colour-free augmentation from stored crops, forward, l1
loss, backward, SGD.
`plain` is how papers write it: OpenCV per sample, stacked floats, eager PyTorch as it comes. The
allocator can be set
once per process only, hence the process.
"""

import json
import resource
import sys
import time
from collections.abc import Callable
from importlib import import_module

import cv2
import numpy as np
import torch

from benchbox import geometry
from benchbox.plugins import method_card
from benchbox.training import crops, optim, process_setup
from benchbox.training.train_step import TrainStep

SIDE, CROP, CROPS = 256, 448, 256
VARIANTS = {  # keep memory, channels last, the kit's Views and Step, precision
    "plain": (False, False, False, "float32"),
    "kept memory": (True, False, False, "float32"),
    "kept memory, channels last": (True, True, False, "float32"),
    "ours": (True, True, True, "float32"),
    "ours, bfloat16": (True, True, True, "auto"),
}


def main(network: str, variant: str, batch: int, steps: int) -> None:
    keep, last, kit, precision = VARIANTS[variant]
    if keep:
        process_setup.prepare_process("cpu", 0)
    torch.manual_seed(0)
    card = method_card.find_card("glsr")
    method_card.import_method(card)
    net = (
        import_module(f"{card.module}.model").Backbone(68, SIDE, "table")
        if network == "small"
        else import_module(f"{card.module}.backbones").MobileNetV2(68)
    )
    net = net.to(memory_format=torch.channels_last) if last else net
    if kit:
        optimiser = optim.make_optimiser("sgd", net.parameters(), 0.01, 2e-4)
        update = TrainStep(
            lambda pair: (net(pair[0]).float() - pair[1]).abs().mean(),
            net.parameters(),
            optimiser,
            "cpu",
            precision=precision,
        )
    else:
        optimiser = torch.optim.SGD(net.parameters(), 0.01, momentum=0.9, weight_decay=2e-4)
        update = plain(net, optimiser)
    rng = np.random.default_rng(0)
    # what a picture shows costs nothing
    images = rng.integers(0, 256, (CROPS, CROP, CROP, 3), dtype=np.uint8)
    look = through_views if kit else per_sample
    source = crops.CropViews(crops.Crops(images, np.zeros((CROPS, 2, 3))), "cpu") if kit else images
    target = torch.zeros(batch, 136)
    seconds, waited, faults = [], [], []
    warm_up = 12 if keep and steps > 2 else 2  # a kept heap takes ten steps to find its shape
    for _ in range(warm_up + steps):
        before, start = resource.getrusage(resource.RUSAGE_SELF).ru_minflt, time.perf_counter()
        inputs = look(source, rng.integers(0, CROPS, batch), frames(rng, batch))
        waited.append(time.perf_counter() - start)
        loss = update((inputs, target))
        seconds.append(time.perf_counter() - start)
        faults.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
    found = {
        "seconds": seconds[warm_up:],
        "input_share": sum(waited[warm_up:]) / sum(seconds[warm_up:]),
        "faults": sorted(faults[warm_up:])[steps // 2],
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "loss": float(loss.detach()),
    }
    print(json.dumps(found))


def plain(net: torch.nn.Module, optim: torch.optim.Optimizer) -> Callable[..., torch.Tensor]:
    """The usual lines."""

    def update(pair: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
        inputs, target = pair
        loss = (net(inputs) - target).abs().mean()
        optim.zero_grad()
        loss.backward()
        optim.step()
        return loss

    return update


def frames(rng: np.random.Generator, count: int) -> np.ndarray:
    """Draw maps (n, 2, 3) view → crop in [-1, 1]² frames: rotation by up to 10° and some scale."""
    angle, half = np.deg2rad(rng.uniform(-10, 10, count)), rng.uniform(0.5, 0.7, count)
    cos, sin, zero = np.cos(angle) * half, np.sin(angle) * half, np.zeros(count)
    return np.stack([np.stack([cos, -sin, zero], -1), np.stack([sin, cos, zero], -1)], axis=1)


def through_views(views: crops.CropViews, rows: np.ndarray, maps: np.ndarray) -> torch.Tensor:
    """Ours."""
    return views.sampler(rows)(torch.from_numpy(maps), SIDE)


def per_sample(images: np.ndarray, rows: np.ndarray, maps: np.ndarray) -> torch.Tensor:
    """Warp, convert, normalise, transpose and stack one by one."""
    into = geometry.invert_maps(geometry.unit_to_crop(SIDE))
    maps = geometry.compose_maps(geometry.unit_to_crop(CROP), geometry.compose_maps(maps, into))
    views = []
    for row, matrix in zip(rows, maps, strict=True):
        view = cv2.warpAffine(
            images[row], matrix, (SIDE, SIDE), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        )
        views.append(((view.astype(np.float32) / 255 - 0.5) / 0.5).transpose(2, 0, 1))
    # Stacked as they are, transposed pictures stay channels last in memory, and so does all that
    # follows: not plain.
    return torch.from_numpy(np.ascontiguousarray(np.stack(views)))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
