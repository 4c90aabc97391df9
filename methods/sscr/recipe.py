"""Two stages, each resumable.

Learn an encoder from pictures alone, then a regressor from a few labelled ones.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from benchbox.errors import PluginError
from benchbox.training.checkpoint import (
    Checkpoint,
    load_into,
    load_weights,
    make_once,
    save_weights,
)
from benchbox.training.gaze_inputs import GazeSet, Jitter, PatchForm
from benchbox.training.host_to_device import upload_array
from benchbox.training.optim import make_optimiser, rate_factor
from benchbox.training.sampler import epoch_rows
from benchbox.training.train_log import TrainLog
from benchbox.training.train_step import TrainStep
from benchbox.types import Job, Sample

from .losses import barlow_loss, ntxent_loss, redundancy_loss
from .model import GazeNet, projection_head
from .views import ViewPool, whole_box_form

WEIGHTS = "sscr.safetensors"
Batch = tuple[Tensor, ...]


def train(job: Job) -> None:
    """Pre-train unless the variant does without, fine-tune.

    Leave encoder and regressor as the weights.
    """
    params = job.params
    shape = whole_box_form(job.labelled.samples, params["side"])
    torch.manual_seed(job.seed)
    net = build_network(params, shape).to(job.device, memory_format=torch.channels_last)
    if params["pretrain"]:
        path = job.out / "encoder.safetensors"
        make_once(path, _pretrain, job, net, shape)
        load_into(net.encoder, "encoder", load_weights(path))
    make_once(job.out / WEIGHTS, _fine_tune, job, net, shape)


def build_network(params: Mapping[str, Any], shape: PatchForm) -> GazeNet:
    """Make the untrained network that a set of parameters names."""
    return GazeNet(params["width"], shape.height, shape.width, params["dilated"], params["flatten"])


def pretrain_loss(z1: Tensor, z2: Tensor, params: Mapping[str, Any]) -> Tensor:
    """Return the loss of two embeddings: NT-Xent + γ · redundancy, or Barlow Twins."""
    if params["loss"] == "barlow":
        return barlow_loss(z1, z2, params["barlow_weight"])
    if params["loss"] != "sscr":
        raise PluginError(f"loss = {params['loss']!r}: must be sscr or barlow")
    total = z1.new_zeros(())
    if params["agreement"]:
        total = total + params["agreement"] * ntxent_loss(z1, z2, params["tau"])
    if params["gamma"]:
        total = total + params["gamma"] * redundancy_loss(z1, z2)
    return total


# --- first stage ----------------------------------------------------------------------------------


def unlabelled_pool(job: Job) -> list[Sample]:
    """Return the pictures of the training set, labels or not.

    At most `pool_most` drawn among them.
    """
    pool = [*job.unlabelled, *job.labelled.samples]
    most = job.params["pool_most"]
    if most and len(pool) > most:
        rows = np.sort(np.random.default_rng([job.seed, 1]).choice(len(pool), most, replace=False))
        pool = [pool[row] for row in rows]
    return pool


def _pretrain(path: Path, job: Job, net: GazeNet, shape: PatchForm) -> None:
    """Train the encoder by agreement of two views of each picture and write it to `path`."""
    params = job.params
    pool = ViewPool(unlabelled_pool(job), shape, job.device, params["augmentation"])
    head = projection_head(net.encoder.features).to(job.device)
    both = nn.ModuleList([net.encoder, head]).train()

    def views(step: int) -> Batch:
        rows = epoch_rows([job.seed, 1], len(pool), step * params["batch"], params["batch"])
        return tuple(pool.view(rows, job.seed, 2 * step + k) for k in (0, 1))

    def loss(batch: Batch) -> Tensor:
        z1, z2 = (head(net.encoder(view)).float() for view in batch)
        return pretrain_loss(z1, z2, params)

    epochs, size = params["pretrain_epochs"], params["batch"]
    _minimise(job, "pretrain", both, views, loss, params["lr"], epochs, size, len(pool))
    save_weights(path, {"encoder": net.encoder}, {"stage": "pretrain"})


# --- second stage ---------------------------------------------------------------------------------


def _fine_tune(path: Path, job: Job, net: GazeNet, shape: PatchForm) -> None:
    """Learn pitch and yaw by l1 from the labelled samples and write the whole network to `path`."""
    params, rng = job.params, np.random.default_rng([job.seed, 2])
    if params["tune"] not in ("frozen", "full"):
        raise PluginError(f"tune = {params['tune']!r}: must be frozen or full")
    labelled = replace(
        job.labelled, samples=[replace(sample, boxes={}) for sample in job.labelled.samples]
    )
    gazes = GazeSet.of(labelled, shape, job.task, job.device, rng, params["labelled_most"])
    axes = torch.from_numpy(gazes.axes).float().to(job.device)
    net.mean.copy_(axes.mean(dim=0))
    net.deviation.copy_((axes - axes.mean(dim=0)).square().mean().sqrt().clamp_min(1e-3))
    frozen = params["tune"] == "frozen"
    features = _encode_labelled(net, gazes) if frozen else None

    size = min(params["tune_batch"], len(gazes))

    def drawn(step: int) -> Batch:
        rows = epoch_rows([job.seed, 2], len(gazes), step * size, size)
        places = upload_array(rows, job.device)
        if features is not None:
            return axes[places], features[places]
        draw = np.random.default_rng([job.seed, 3, step])
        jitter = Jitter.draw(draw, size, 1, shift=0.02, scale=0.03, colour=0.1)
        return axes[places], *gazes.patches.batch(rows, jitter)

    def loss(batch: Batch) -> Tensor:
        wanted, *seen = batch
        found = net.read(*seen) if frozen else net(*seen)
        return ((found.float() - wanted) / net.deviation).abs().sum(dim=1).mean()

    trained: nn.Module = net.regressor if frozen else net
    net.eval()
    trained.train()
    _minimise(
        job,
        "tune",
        trained,
        drawn,
        loss,
        params["tune_lr"],
        params["tune_epochs"],
        size,
        len(gazes),
    )
    facts = {
        "channels": str(params["width"]),
        "dilated": str(params["dilated"]),
        "flatten": str(params["flatten"]),
    }
    save_weights(path, {"network": net}, facts | shape.facts())


@torch.inference_mode()
def _encode_labelled(net: GazeNet, gazes: GazeSet) -> Tensor:
    """Encode all labelled samples once, in evaluation mode.

    A frozen encoder has nothing else to say.
    """
    net.eval()
    rows = np.arange(len(gazes))
    found = [
        net.encoder(*gazes.patches.batch(rows[start : start + 64]))
        for start in range(0, len(rows), 64)
    ]
    return torch.cat(found).clone()


# --- both -----------------------------------------------------------------------------------------


def _minimise(
    job: Job,
    stage: str,
    module: nn.Module,
    batch_of: Callable[[int], Batch],
    loss: Callable[[Batch], Tensor],
    lr: float,
    epochs: int,
    batch: int,
    count: int,
) -> None:
    """Minimise the loss of each step's batch over `epochs`, with checkpoints.

    An epoch is `<stage>_draws`, or all.
    """
    params = job.params
    steps = epochs * max(1, (params[f"{stage}_draws"] or count) // batch)
    optim = make_optimiser("adamw", module.parameters(), lr, params["weight_decay"])
    update: TrainStep[Batch] = TrainStep(
        loss, module.parameters(), optim, job.device, precision=params["precision"]
    )
    checkpoint = Checkpoint(job.out / f"{stage}.checkpoint", module=module, optimiser=optim)
    done = checkpoint.load()
    with TrainLog(job.out, stage, steps, batch, count, done, job.device) as meter:
        for step, one in meter.batches(batch_of):
            update.rate(rate_factor("cosine", step, steps, steps // 20))
            meter.step(step + 1, update(one))
            if (step + 1) % params["save_every"] == 0:
                checkpoint.save(step + 1)
    checkpoint.remove()
