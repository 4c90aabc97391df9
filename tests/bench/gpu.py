"""Measure every figure that needs a GPU and print one table. One command:

    python tests/bench/gpu.py

Views (held on the device, and through pinned memory), augmentation, heat maps, patches, the
training step of G&LSR's small backbone by precision and with CUDA graphs, its prediction, and every
method's own training at paper sizes on invented pictures, batches drawn and all. `--device cpu
--tiny` tries the program out.
"""

import argparse
import json
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchbox import geometry
from benchbox.layouts import IBUG68
from benchbox.plugins import method_card
from benchbox.training import crops, heatmaps, host_to_device, optim, point_patches, process_setup
from benchbox.training.augment import Augmentation, sample_seeds
from benchbox.training.prefetch import prefetch_batches
from benchbox.training.train_step import TrainStep
from benchbox.types import Examples, Job, Sample, Task

AUGMENT = Augmentation(
    rotation_deg=30, scale=0.25, flip=0.5, gain=0.2, offset=0.2, blur=0.5, hole=0.5
)
Call = Callable[[], object]
Row = tuple[str, int, str, Call]  # name, items of one call, unit, what to time


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--tiny", action="store_true")
    given = parser.parse_args()
    device = process_setup.choose_device(given.device)
    process_setup.prepare_process(device, 0)
    name = torch.cuda.get_device_name() if device == "cuda" else platform.processor() or "CPU"
    print(f"{name}, torch {torch.__version__}\n")
    print("| what | per second | ms per call |\n|---|--:|--:|")
    for title, count, unit, run in rows(device, given.tiny):
        seconds = timed(run, device, 2 if given.tiny else 30)
        print(f"| {title} | {count / seconds:,.0f} {unit} | {1000 * seconds:.3f} |", flush=True)
    print("\n| training, at paper sizes | samples/s | waiting for data |\n|---|--:|--:|")
    for title, found in trainings(device, given.tiny):
        for stage, totals in found["stages"].items():
            rate, share = (
                totals["samples"] / totals["seconds"],
                totals["waited_s"] / totals["seconds"],
            )
            print(f"| {title}, {stage} | {rate:,.0f} | {100 * share:.0f} % |", flush=True)
    if device == "cuda":
        print(f"\npeak memory on the device: {torch.cuda.max_memory_allocated() / 2**20:,.0f} MB")


def timed(run: Call, device: str, rounds: int) -> float:
    """Return the median seconds of a call after three that do not count.

    The device is waited for.
    """
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
    stored = crops.Crops(
        rng.integers(0, 256, (held, crop, crop, 3), dtype=np.uint8), np.zeros((held, 2, 3))
    )
    yield from views(crops.CropViews(stored, device), "held on the device", batch, side)
    if device == "cuda":
        travelling = crops.CropViews(stored, device)
        travelling.images, travelling.ring = None, host_to_device.PinnedRing(device)
        yield from views(travelling, "through pinned memory, ahead", batch, side)
    points = torch.rand(batch, 68, 2, device=device) * side
    size = (side // 4, side // 4)
    yield (
        f"heat maps 68 x {size[0]} x {size[1]}",
        batch,
        "faces",
        lambda: heatmaps.gaussian_heatmaps(points, size, 4.0, 3.0),
    )
    maps = heatmaps.gaussian_heatmaps(points, size, 4.0, 3.0)
    yield "their decoding (centroid)", batch, "faces", lambda: heatmaps.decode_centroid(maps)
    faces = torch.rand(4 if tiny else 64, 3, 256, 256, device=device)
    centres = torch.rand(len(faces), 68, 2, device=device) * 256
    yield (
        "68 patches of 57 px",
        len(faces),
        "faces",
        lambda: point_patches.gather_patches(faces, centres, 57),
    )
    yield from training(device, 2 if tiny else 64, 128 if tiny else 256)
    if not tiny:
        yield from training(device, 512, 256)


def views(source: crops.CropViews, title: str, batch: int, side: int) -> Iterator[Row]:
    """Views of random rows: bare, and with all that `Augment` does; made ahead as training does."""

    def make(step: int, touched: bool) -> Callable[[], torch.Tensor]:
        chosen = np.random.default_rng(step).integers(0, len(source.stored), batch)
        draw = AUGMENT.draw(sample_seeds(0, step, chosen))
        colour, touch = (draw.colour(source.device), draw) if touched else (None, None)
        maps = host_to_device.upload_array((0.6 * draw.maps).astype(np.float32), source.device)
        look = source.sampler(chosen, colour, touch)
        return lambda: look(maps, side)

    for name, touched in (("warped and normalised", False), ("with colour, blur and holes", True)):
        batches = prefetch_batches(lambda step, touched=touched: make(step, touched), range(10_000))
        yield (
            f"views of {side} px, {title}, {name}",
            batch,
            "views",
            lambda batches=batches: next(batches)[1](),
        )
        batches.close()


def training(device: str, batch: int, side: int) -> Iterator[Row]:
    """One step of G&LSR's small backbone on inputs that are there already, and its forward pass."""
    card = method_card.find_card("glsr")
    method_card.import_method(card)
    backbone = import_module(f"{card.module}.model").Backbone
    inputs = torch.randn(batch, 3, side, side, device=device).contiguous(
        memory_format=torch.channels_last
    )
    target = torch.zeros(batch, 136, device=device)
    for precision, graphs in (("float32", False), ("auto", False), ("auto", True)):
        net = backbone(68, side).to(device=device, memory_format=torch.channels_last)
        optimiser = optim.make_optimiser("sgd", net.parameters(), 0.01, 2e-4)

        def loss(
            pair: tuple[torch.Tensor, torch.Tensor], net: torch.nn.Module = net
        ) -> torch.Tensor:
            return (net(pair[0]).float() - pair[1]).abs().mean()

        step = TrainStep(
            loss, net.parameters(), optimiser, device, clip=5.0, precision=precision, graphs=graphs
        )
        name = f"training step, batch {batch}, {precision}{', CUDA graph' if graphs else ''}"
        yield name, batch, "samples", lambda step=step: step((inputs, target))
    net.eval()

    @torch.inference_mode()
    def forward() -> torch.Tensor:
        return net(inputs)

    yield f"forward, batch {batch}, float32", batch, "samples", forward


# Enough of each training to tell how fast it goes: G&LSR's whole paper budget is 9,444,000 samples
# in each step.
SOME = {
    "glsr": dict.fromkeys(("draws_reinit", "draws_global", "draws_local", "draws_joint"), 64_000),
    "sir": {"draws": 32_000},
    "ts3": {
        "most_draws_cpm": 8_000,
        "most_draws_hg": 8_000,
        "most_draws_teacher": 32_000,
        "rounds": 1,
    },
    "tat": {"epoch_draws": 32_000, "epochs": 1, "warmup_epochs": 0, "generations": 2},
    "dwo": {"epoch_draws": 32_000, "epochs": 1, "warmup_epochs": 0},
    "sscr": {
        "pretrain_draws": 32_000,
        "pretrain_epochs": 1,
        "tune_draws": 16_000,
        "tune_epochs": 1,
    },
}


def trainings(device: str, tiny: bool) -> Iterator[tuple[str, dict[str, Any]]]:
    """Train every method for a while as `benchbox run` does.

    Yields its title and what its meter noted.
    """
    auto = SOME["glsr"] | {"precision": "auto"}
    for name, some, aside in [
        *((name, some, "") for name, some in SOME.items()),
        ("glsr", auto, " in low precision"),
    ]:
        card = method_card.find_card(name)
        params = method_card.merge_params(card, budget="smoke" if tiny else "paper")
        params |= {key: value for key, value in some.items() if not tiny or key == "precision"}
        count = 16 if tiny else 1_024
        with tempfile.TemporaryDirectory() as out:
            job = invented(card.task[-1], count, Path(out), device, params)
            method_card.import_method(card).train(job)
            yield card.title + aside, json.loads((Path(out) / "training.json").read_text())


def invented(task: Task, count: int, out: Path, device: str, params: Mapping[str, Any]) -> Job:
    """Return a job on noise: sixteen pictures of 480 px shared by `count` faces with points, or
    eyes and gaze."""
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 256, (16, 480, 480, 3), dtype=np.uint8)
    points = np.random.default_rng(1).uniform(120, 360, (68, 2)) + rng.normal(0, 8, (count, 1, 2))
    points += rng.normal(0, 2, points.shape)
    eyes = {
        "left_eye": np.array([250.0, 180, 330, 260]),
        "right_eye": np.array([150.0, 180, 230, 260]),
    }
    angles = rng.uniform(-0.3, 0.3, (count, 2))
    values = {
        "landmarks": points,
        "gaze2d": 10 * angles,
        "gaze3d": geometry.angles_to_vectors(angles),
    }[task]
    samples = [
        Sample(
            str(row), box, lambda row=row: pictures[row % 16], {} if task == "landmarks" else eyes
        )
        for row, box in enumerate(geometry.tight_box(points))
    ]
    half, clusters = count // 2, np.array([str(row % 8) for row in range(count)])
    labelled = Examples(samples[:half], values[:half], clusters[:half])
    layout = IBUG68 if task == "landmarks" else None
    return Job(task, layout, labelled, samples[half:], None, out, 0, device, "paper", params)


if __name__ == "__main__":
    sys.exit(main())
