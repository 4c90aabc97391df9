"""Train the plain network: one stage, resumable."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from torch import Tensor

from benchbox.training.checkpoint import Checkpoint, make_once, save_weights
from benchbox.training.optim import WeightAverage, make_optimiser, rate_factor
from benchbox.training.train_log import TrainLog
from benchbox.training.train_step import TrainStep
from benchbox.types import Job

from .detector import HeatmapDetector
from .training_samples import Batch, DrawnViews, weighted_l1

WEIGHTS = "heatmap.safetensors"
# What decides the network and the frames of its views.
STRUCTURE_PARAMS = ("head", "width", "side", "crop_side", "expansion")


def train(job: Job) -> None:
    """Train the network and leave its weights under the job's folder.

    Unless they are there: a variant that trains the same may have left them.
    """
    assert job.layout is not None
    torch.manual_seed(job.seed)
    network = HeatmapDetector(job.layout.count, job.params)
    network = network.to(job.device, memory_format=torch.channels_last)
    make_once(job.out / WEIGHTS, fit_network, job, network)


def fit_network(path: Path, job: Job, network: HeatmapDetector) -> None:
    """Train with checkpoints and write the averaged weights to `path`."""
    assert job.layout is not None
    params = job.params
    views = DrawnViews(job.labelled, job.layout, params, job.seed, job.device)
    network.get_buffer("mean").copy_(torch.from_numpy(views.mean_shape()))
    network.get_buffer("box").copy_(torch.from_numpy(views.typical_box()))

    def loss(batch: Batch) -> Tensor:
        view = batch.sampler(batch.maps, params["side"])
        return weighted_l1(network(view), batch)

    steps = max(1, params["draws"] // params["batch"])
    parameters = list(network.parameters())
    optimiser = make_optimiser(
        params["optimiser"], parameters, params["lr"], params["weight_decay"]
    )
    update: TrainStep[Batch] = TrainStep(
        loss,
        parameters,
        optimiser,
        job.device,
        clip=params["clip"],
        precision=params["precision"],
    )
    average = WeightAverage([network], params["average"])
    checkpoint = Checkpoint(
        job.out / "network.checkpoint", network=network, optimiser=optimiser, average=average
    )
    done = checkpoint.load()
    network.train()
    with TrainLog(job.out, "network", steps, params["batch"], len(views), done, job.device) as log:
        for step, batch in log.batches(views.batch):
            update.rate(rate_factor(params["schedule"], step, steps, params["warmup"]))
            value = update(batch)
            average.update()
            log.step(step + 1, value)
            if (step + 1) % params["save_every"] == 0:
                checkpoint.save(step + 1)
    average.apply()
    structure = {key: params[key] for key in STRUCTURE_PARAMS}
    facts = {
        "points": str(job.layout.count),
        "flip": json.dumps(job.layout.flip),
        "params": json.dumps(structure),
    }
    save_weights(path, {"network": network}, facts)
    checkpoint.remove()
