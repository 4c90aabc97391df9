"""Measure every figure that needs a GPU and print one table. One command:

    python tests/bench/gpu.py

Views (held on the device, and through pinned memory), augmentation, heat maps, patches, the training step of G&LSR's
small backbone by precision and with CUDA graphs, and its prediction. `--device cpu --tiny` tries the program out.
"""

import argparse
import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from importlib import import_module

import numpy as np
import torch

from benchbox import plugins
from benchbox.kit import heatmaps, optimise, patches, pixels, runtime, transfer
from benchbox.kit.ahead import ahead
from benchbox.kit.augment import Augment, seeds
from benchbox.kit.step import Step

AUGMENT = Augment(rotation_deg=30, scale=0.25, flip=0.5, gain=0.2, offset=0.2, blur=0.5, hole=0.5)
Task = Callable[[], object]
Row = tuple[str, int, str, Task]  # name, items of one call, unit, what to time


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--tiny", action="store_true")
    given = parser.parse_args()
    device = runtime.choose_device(given.device)
    runtime.prepare(device, 0)
    name = torch.cuda.get_device_name() if device == "cuda" else platform.processor() or "CPU"
    print(f"{name}, torch {torch.__version__}\n")
    print("| what | per second | ms per call |\n|---|--:|--:|")
    for title, count, unit, run in rows(device, given.tiny):
        seconds = timed(run, device, 2 if given.tiny else 30)
        print(f"| {title} | {count / seconds:,.0f} {unit} | {1000 * seconds:.3f} |", flush=True)
    if device == "cuda":
        print(f"\npeak memory on the device: {torch.cuda.max_memory_allocated() / 2**20:,.0f} MB")


def timed(run: Task, device: str, rounds: int) -> float:
    """Return the median seconds of a call after three that do not count; the device is waited for."""
    wait = torch.cuda.synchronize if device == "cuda" else lambda: None
    times = []
    for number in range(rounds + 3):
        start = time.perf_counter()
        run()
        wait()
        if number >= 3:
            times.append(time.perf_counter() - start)
    return statistics.median(times)


def rows(device: str, tiny: bool) -> Iterator[Row]:
    """List what is measured; each is set up when its turn comes."""
    held, batch, side = (8, 4, 64) if tiny else (2_048, 512, 256)
    rng = np.random.default_rng(0)
    crop = 2 * side - 64 if not tiny else side
    stored = pixels.Crops(rng.integers(0, 256, (held, crop, crop, 3), dtype=np.uint8), np.zeros((held, 2, 3)))
    yield from views(pixels.Views(stored, device), "held on the device", batch, side)
    if device == "cuda":
        travelling = pixels.Views(stored, device)
        travelling.images, travelling.ring = None, transfer.Ring(device)
        yield from views(travelling, "through pinned memory, ahead", batch, side)
    points = torch.rand(batch, 68, 2, device=device) * side
    size = (side // 4, side // 4)
    yield f"heat maps 68 x {size[0]} x {size[1]}", batch, "faces", lambda: heatmaps.gaussian(points, size, 4.0, 3.0)
    maps = heatmaps.gaussian(points, size, 4.0, 3.0)
    yield "their decoding (centroid)", batch, "faces", lambda: heatmaps.centroid(maps)
    faces = torch.rand(4 if tiny else 64, 3, 256, 256, device=device)
    centres = torch.rand(len(faces), 68, 2, device=device) * 256
    yield "68 patches of 57 px", len(faces), "faces", lambda: patches.gather(faces, centres, 57)
    yield from training(device, 2 if tiny else 64, 128 if tiny else 256)
    if not tiny:
        yield from training(device, 512, 256)


def views(source: pixels.Views, title: str, batch: int, side: int) -> Iterator[Row]:
    """Views of random rows: bare, and with all that `Augment` does; made ahead as training does."""

    def make(step: int, touched: bool) -> Callable[[], torch.Tensor]:
        chosen = np.random.default_rng(step).integers(0, len(source.stored), batch)
        draw = AUGMENT.draw(seeds(0, step, chosen))
        colour, touch = (draw.colour(source.device), draw) if touched else (None, None)
        maps = transfer.upload((0.6 * draw.maps).astype(np.float32), source.device)
        look = source.look(chosen, colour, touch)
        return lambda: look(maps, side)

    for name, touched in (("warped and normalised", False), ("with colour, blur and holes", True)):
        batches = ahead(lambda step, touched=touched: make(step, touched), range(10_000))
        yield f"views of {side} px, {title}, {name}", batch, "views", lambda batches=batches: next(batches)[1]()
        batches.close()


def training(device: str, batch: int, side: int) -> Iterator[Row]:
    """One step of G&LSR's small backbone on inputs that are there already, and its forward pass."""
    card = plugins.card("glsr")
    plugins.load(card)
    backbone = import_module(f"{card.module}.model").Backbone
    inputs = torch.randn(batch, 3, side, side, device=device).contiguous(memory_format=torch.channels_last)
    target = torch.zeros(batch, 136, device=device)
    for precision, graphs in (("float32", False), ("auto", False), ("auto", True)):
        net = backbone(68, side).to(device=device, memory_format=torch.channels_last)
        optim = optimise.optimiser("sgd", net.parameters(), 0.01, 2e-4)

        def loss(pair: tuple[torch.Tensor, torch.Tensor], net: torch.nn.Module = net) -> torch.Tensor:
            return (net(pair[0]).float() - pair[1]).abs().mean()

        step = Step(loss, net.parameters(), optim, device, clip=5.0, precision=precision, graphs=graphs)
        name = f"training step, batch {batch}, {precision}{', CUDA graph' if graphs else ''}"
        yield name, batch, "samples", lambda step=step: step((inputs, target))
    net.eval()

    @torch.inference_mode()
    def forward() -> torch.Tensor:
        return net(inputs)

    yield f"forward, batch {batch}, float32", batch, "samples", forward


if __name__ == "__main__":
    sys.exit(main())
