"""Train SIR (Algorithm 1 and equation 6), or the cascade it is compared with (equation 1).

Each regressor one stage.

The single regressor of SIR learns from shapes drawn around the mean face and around the truth.
Regressor k of the cascade learns from where the regressors before it, trained and frozen, have
moved shapes drawn around the mean face.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchbox.training.checkpoint import (
    Checkpoint,
    load_into,
    load_weights,
    make_once,
    save_weights,
)
from benchbox.training.optim import WeightAverage, make_optimiser, rate_factor
from benchbox.training.train_log import TrainLog
from benchbox.training.train_step import TrainStep
from benchbox.types import Job

from .detector import SirDetector
from .training_samples import Batch, SampledShapes

WEIGHTS = "sir.safetensors"
SAVED_PARAMS = (
    "side",
    "patch",
    "patch_input",
    "iterations",
    "stop",
    "cascade",
    "network",
    "fc_bias",
    "fc1_relu",
    "init",
    "expansion",
)


def train(job: Job) -> None:
    """Train the regressors one after another; leave the weights under the job's folder."""
    assert job.layout is not None
    system = SirDetector(job.layout.count, job.params).to(job.device)
    draws = SampledShapes(job.labelled, job.layout, job.params, job.seed, job.device)
    system.start.copy_(draws.start())
    for path in (
        job.out / f"regressor{n}.safetensors" for n in range(len(system.regressors) + 1, 100)
    ):
        path.unlink(missing_ok=True)  # taken over from a longer cascade
    for number in range(len(system.regressors)):
        # Each stage starts from the same seed whether the ones before it were trained now or read
        # from disk.
        torch.manual_seed(job.seed + number)
        path = job.out / f"regressor{number + 1}.safetensors"
        make_once(path, fit_regressor, job, number, system, draws)
        load_into(system.regressors[number], "regressor", load_weights(path))
    facts = {key: str(job.params[key]) for key in SAVED_PARAMS}
    save_weights(job.out / WEIGHTS, {"system": system}, facts | {"layout": job.layout.name})


def increment_loss(
    system: SirDetector, number: int, batch: Batch, coordinates: str = "sum"
) -> Tensor:
    """‖(θ* - θ) - R(θ)‖² in patch sides (equation 6), mean over the batch.

    `coordinates` are summed, as a norm does, or averaged. The regressors before `number` move θ
    first.
    """
    with torch.no_grad():
        theta = system.descend(batch.images, batch.theta, number)
    moved = system.increment(number, batch.images, theta)
    squares = ((batch.target - theta - moved) / system.unit).square()
    if coordinates == "mean":
        return squares.mean()
    return squares.flatten(1).sum(dim=1).mean()


def fit_regressor(
    path: Path, job: Job, number: int, system: SirDetector, draws: SampledShapes
) -> None:
    """Train one regressor, with checkpoints, and write its weights to `path`.

    A longer cascade begins with the same.
    """
    params, regressor = job.params, system.regressors[number]
    name = f"regressor{number + 1}"
    steps = max(1, _count_draws(params) // params["batch"])
    parameters = list(regressor.parameters())
    optim = make_optimiser(params["optimiser"], parameters, params["lr"], params["weight_decay"])
    update: TrainStep[Batch] = TrainStep(
        lambda batch: increment_loss(system, number, batch, params["coordinates"]),
        parameters,
        optim,
        job.device,
        clip=params["clip"],
        precision=params["precision"],
    )
    average = WeightAverage([regressor], params["average"])
    checkpoint = Checkpoint(
        job.out / f"{name}.checkpoint", system=system, optimiser=optim, average=average
    )
    done = checkpoint.load()
    with TrainLog(job.out, name, steps, params["batch"], len(draws), done, job.device) as meter:
        for step, batch in meter.batches(
            lambda step: draws.batch(number, step, _share_around_truth(params))
        ):
            update.rate(rate_factor(params["schedule"], step, steps, params["warmup"]))
            found = update(batch)
            average.update()
            meter.step(step + 1, found)
            if (step + 1) % params["save_every"] == 0:
                checkpoint.save(step + 1)
    average.apply()
    save_weights(path, {"regressor": regressor}, {"stage": name})
    checkpoint.remove()


def _count_draws(params: Mapping[str, Any]) -> int:
    return int(params["draws_cascade"] if params["cascade"] else params["draws"])


def _share_around_truth(params: Mapping[str, Any]) -> float:
    """Return the share of shapes drawn around the truth.

    A cascade starts from the mean face only.
    """
    return 0.0 if params["cascade"] else float(params["around_truth"])
