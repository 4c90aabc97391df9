"""Train the plain network: one stage, resumable, no validation set."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from benchbox.training.checkpoint import Checkpoint, make_once, save_weights
from benchbox.training.gaze_inputs import GazeSet, Jitter, PatchForm
from benchbox.training.host_to_device import upload_array
from benchbox.training.optim import WeightAverage, make_optimiser, rate_factor
from benchbox.training.sampler import epoch_rows
from benchbox.training.train_log import TrainLog
from benchbox.training.train_step import TrainStep
from benchbox.types import Job

from .network import Patches, PlainGaze, mirror_axes, mirror_patches

WEIGHTS = "plain_gaze.safetensors"
STRUCTURE_PARAMS = ("width", "hidden", "dropout")
Batch = tuple[Tensor, ...]  # axes (n, 2), then the patches


def train(job: Job) -> None:
    """Train the network and leave its weights under the job's folder."""
    make_once(job.out / WEIGHTS, fit_network, job)


def draw_batch(gazes: GazeSet, axes: Tensor, job: Job, step: int) -> Batch:
    """Draw batch `step`: moved and coloured, with `mirror` half of it mirrored."""
    params = job.params
    size = params["batch"]
    rows = epoch_rows([job.seed, 1], len(gazes), step * size, size)
    rng = np.random.default_rng([job.seed, 2, step])
    changes = {key: params[key] for key in ("shift", "scale", "colour")}
    jitter = Jitter.draw(rng, size, len(gazes.patches.form.sources), **changes)
    patches: Patches = gazes.patches.batch(rows, jitter)
    wanted = axes[upload_array(rows, job.device)]
    if params["mirror"]:
        which = upload_array(rng.random(size) < 0.5, job.device)
        patches = mirror_patches(patches, which)
        wanted = torch.where(which[:, None], mirror_axes(job.task, wanted), wanted)
    return wanted, *patches


def fit_network(path: Path, job: Job) -> None:
    """Train with checkpoints and write the averaged weights to `path`."""
    params = job.params
    torch.manual_seed(job.seed)
    rng = np.random.default_rng([job.seed, 1])
    form = PatchForm.of(job.labelled.samples, params["side"], params["face_side"])
    gazes = GazeSet.of(job.labelled, form, job.task, job.device, rng, params["samples_most"])
    axes = torch.from_numpy(gazes.axes).float().to(job.device)
    structure = {key: params[key] for key in STRUCTURE_PARAMS}
    network = PlainGaze(len(form.sources), **structure)
    network = network.to(job.device, memory_format=torch.channels_last)
    network.get_buffer("mean").copy_(axes.mean(dim=0))
    spread = (axes - axes.mean(dim=0)).square().mean().sqrt().clamp_min(1e-3)
    network.get_buffer("deviation").copy_(spread)

    def loss(batch: Batch) -> Tensor:
        wanted, *patches = batch
        # The distance itself, as it is scored, not its square: a few far samples do not rule.
        away = (network(*patches) - wanted) / spread
        return (away.square().sum(dim=1) + 1e-6).sqrt().mean()

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
    with TrainLog(job.out, "network", steps, params["batch"], len(gazes), done, job.device) as log:
        for step, batch in log.batches(lambda step: draw_batch(gazes, axes, job, step)):
            update.rate(rate_factor(params["schedule"], step, steps, params["warmup"]))
            value = update(batch)
            average.update()
            log.step(step + 1, value)
            if (step + 1) % params["save_every"] == 0:
                checkpoint.save(step + 1)
    average.apply()
    facts = {"task": job.task, "params": json.dumps(structure), **form.facts()}
    save_weights(path, {"network": network}, facts)
    checkpoint.remove()
