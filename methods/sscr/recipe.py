"""Two stages, each resumable: learn an encoder from pictures alone, then a regressor from a few labelled ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from benchbox.errors import PluginError
from benchbox.kit.checkpoint import Checkpoint, load_into, load_weights, once, save_weights
from benchbox.kit.gaze import Form, Gazes, Jitter, epoch_rows
from benchbox.kit.meter import Meter
from benchbox.kit.optimise import optimiser, rate
from benchbox.types import Job, Sample

from .losses import barlow, invariance, redundancy
from .model import GazeNet, projection
from .views import Pool, form

WEIGHTS = "sscr.safetensors"


def train(job: Job) -> None:
    """Pre-train unless the variant does without, fine-tune, leave encoder and regressor as the weights."""
    params = job.params
    shape = form(job.labelled.samples, params["side"])
    torch.manual_seed(job.seed)
    net = build(params, shape).to(job.device, memory_format=torch.channels_last)
    if params["pretrain"]:
        path = job.out / "encoder.safetensors"
        once(path, _pretrain, job, net, shape)
        load_into(net.encoder, "encoder", load_weights(path))
    once(job.out / WEIGHTS, _tune, job, net, shape)


def build(params: Mapping[str, Any], shape: Form) -> GazeNet:
    """Make the untrained network that a set of parameters names."""
    return GazeNet(params["width"], shape.height, shape.width, params["dilated"], params["flatten"])


def objective(z1: Tensor, z2: Tensor, params: Mapping[str, Any]) -> Tensor:
    """Return the loss of two embeddings: NT-Xent + γ · redundancy, or Barlow Twins."""
    if params["loss"] == "barlow":
        return barlow(z1, z2, params["barlow_weight"])
    if params["loss"] != "sscr":
        raise PluginError(f"loss = {params['loss']!r}: must be sscr or barlow")
    total = z1.new_zeros(())
    if params["agreement"]:
        total = total + params["agreement"] * invariance(z1, z2, params["tau"])
    if params["gamma"]:
        total = total + params["gamma"] * redundancy(z1, z2)
    return total


# --- first stage -------------------------------------------------------------------------------------------------


def unlabelled(job: Job) -> list[Sample]:
    """Return the pictures of the training set, labels or not, at most `pool_most` drawn among them."""
    pool = [*job.unlabelled, *job.labelled.samples]
    most = job.params["pool_most"]
    if most and len(pool) > most:
        rows = np.sort(np.random.default_rng([job.seed, 1]).choice(len(pool), most, replace=False))
        pool = [pool[row] for row in rows]
    return pool


def _pretrain(path: Path, job: Job, net: GazeNet, shape: Form) -> None:
    """Train the encoder by agreement of two views of each picture and write it to `path`."""
    params = job.params
    pool = Pool(unlabelled(job), shape, job.device, params["augmentation"])
    head = projection(net.encoder.features).to(job.device)
    both = nn.ModuleList([net.encoder, head]).train()

    def loss(step: int) -> Tensor:
        rows = epoch_rows([job.seed, 1], len(pool), step * params["batch"], params["batch"])
        z1, z2 = (head(net.encoder(pool.view(rows, job.seed, 2 * step + k))) for k in (0, 1))
        return objective(z1, z2, params)

    _descend(job, "pretrain", both, loss, params["lr"], params["pretrain_epochs"], params["batch"], len(pool))
    save_weights(path, {"encoder": net.encoder}, {"stage": "pretrain"})


# --- second stage ------------------------------------------------------------------------------------------------


def _tune(path: Path, job: Job, net: GazeNet, shape: Form) -> None:
    """Learn pitch and yaw by l1 from the labelled samples and write the whole network to `path`."""
    params, rng = job.params, np.random.default_rng([job.seed, 2])
    if params["tune"] not in ("frozen", "full"):
        raise PluginError(f"tune = {params['tune']!r}: must be frozen or full")
    labelled = replace(job.labelled, samples=[replace(sample, boxes={}) for sample in job.labelled.samples])
    gazes = Gazes.of(labelled, shape, job.task, job.device, rng, params["labelled_most"])
    axes = torch.from_numpy(gazes.axes).float().to(job.device)
    net.mean.copy_(axes.mean(dim=0))
    net.deviation.copy_((axes - axes.mean(dim=0)).square().mean().sqrt().clamp_min(1e-3))
    frozen = params["tune"] == "frozen"
    features = _features(net, gazes) if frozen else None

    def loss(step: int) -> Tensor:
        size = min(params["tune_batch"], len(gazes))
        rows = epoch_rows([job.seed, 2], len(gazes), step * size, size)
        places = torch.from_numpy(rows).to(job.device)
        if features is not None:
            found = net.read(features[places])
        else:
            draw = np.random.default_rng([job.seed, 3, step])
            jitter = Jitter.draw(draw, size, 1, shift=0.02, scale=0.03, colour=0.1)
            found = net(*gazes.patches.batch(rows, jitter))
        return ((found - axes[places]) / net.deviation).abs().sum(dim=1).mean()

    trained: nn.Module = net.regressor if frozen else net
    net.eval()
    trained.train()
    size = min(params["tune_batch"], len(gazes))
    _descend(job, "tune", trained, loss, params["tune_lr"], params["tune_epochs"], size, len(gazes))
    facts = {"channels": str(params["width"]), "dilated": str(params["dilated"]), "flatten": str(params["flatten"])}
    save_weights(path, {"network": net}, facts | shape.facts())


@torch.inference_mode()
def _features(net: GazeNet, gazes: Gazes) -> Tensor:
    """Encode all labelled samples once, in evaluation mode: a frozen encoder has nothing else to say."""
    net.eval()
    rows = np.arange(len(gazes))
    found = [net.encoder(*gazes.patches.batch(rows[start : start + 64])) for start in range(0, len(rows), 64)]
    return torch.cat(found).clone()


# --- both --------------------------------------------------------------------------------------------------------


def _descend(
    job: Job,
    stage: str,
    module: nn.Module,
    loss_of: Callable[[int], Tensor],
    lr: float,
    epochs: int,
    batch: int,
    count: int,
) -> None:
    """Minimise a loss of the step over `epochs`, with checkpoints; an epoch is `<stage>_draws` samples, or all."""
    params = job.params
    steps = epochs * max(1, (params[f"{stage}_draws"] or count) // batch)
    parameters = list(module.parameters())
    optim = optimiser("adamw", parameters, lr, params["weight_decay"])
    checkpoint = Checkpoint(job.out / f"{stage}.checkpoint", module=module, optimiser=optim)
    done = checkpoint.load()
    with Meter(job.out, stage, steps, batch, count, done) as meter:
        for step in range(done, steps):
            for group in optim.param_groups:
                group["lr"] = lr * rate("cosine", step, steps, steps // 20)
            loss = loss_of(step)
            optim.zero_grad(set_to_none=True)
            loss.backward()
            optim.step()
            meter.step(step + 1, loss.detach())
            if (step + 1) % params["save_every"] == 0:
                checkpoint.save(step + 1)
    checkpoint.remove()
