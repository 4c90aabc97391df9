"""Train SIR (Algorithm 1 and equation 6), or the cascade it is compared with (equation 1): each regressor one stage.

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

from benchbox.training.checkpoint import Checkpoint, load_into, load_weights, once, save_weights
from benchbox.training.optim import Average, optimiser, rate
from benchbox.training.train_log import Meter
from benchbox.training.train_step import Step
from benchbox.types import Job

from .detector import Sir
from .training_samples import Batch, Draws

WEIGHTS = "sir.safetensors"
FACTS = ("side", "patch", "iterations", "cascade", "network", "fc_bias", "expansion")


def train(job: Job) -> None:
    """Train the regressors one after another; leave the weights under the job's folder."""
    assert job.layout is not None
    system = Sir(job.layout.count, job.params).to(job.device)
    draws = Draws(job.labelled, job.layout, job.params, job.seed, job.device)
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
        once(path, fit, job, number, system, draws)
        load_into(system.regressors[number], "regressor", load_weights(path))
    facts = {key: str(job.params[key]) for key in FACTS}
    save_weights(job.out / WEIGHTS, {"system": system}, facts | {"layout": job.layout.name})


def loss(system: Sir, number: int, batch: Batch) -> Tensor:
    """‖(θ* - θ) - R(θ)‖² in patch sides, mean over coordinates.

    The regressors before `number` move θ first.
    """
    with torch.no_grad():
        theta = system.descend(batch.images, batch.theta, number)
    moved = system.increment(number, batch.images, theta)
    return ((batch.target - theta - moved) / system.unit).square().mean()


def fit(path: Path, job: Job, number: int, system: Sir, draws: Draws) -> None:
    """Train one regressor, with checkpoints, and write its weights to `path`: a longer cascade begins with the same."""
    params, regressor = job.params, system.regressors[number]
    name = f"regressor{number + 1}"
    steps = max(1, _draws(params) // params["batch"])
    parameters = list(regressor.parameters())
    optim = optimiser(params["optimiser"], parameters, params["lr"], params["weight_decay"])
    update: Step[Batch] = Step(
        lambda batch: loss(system, number, batch),
        parameters,
        optim,
        job.device,
        clip=params["clip"],
        precision=params["precision"],
    )
    average = Average([regressor], params["average"])
    checkpoint = Checkpoint(
        job.out / f"{name}.checkpoint", system=system, optimiser=optim, average=average
    )
    done = checkpoint.load()
    with Meter(job.out, name, steps, params["batch"], len(draws), done, job.device) as meter:
        for step, batch in meter.batches(
            lambda step: draws.batch(number, step, _around_truth(params))
        ):
            update.rate(rate(params["schedule"], step, steps, params["warmup"]))
            found = update(batch)
            average.update()
            meter.step(step + 1, found)
            if (step + 1) % params["save_every"] == 0:
                checkpoint.save(step + 1)
    average.apply()
    save_weights(path, {"regressor": regressor}, {"stage": name})
    checkpoint.remove()


def _draws(params: Mapping[str, Any]) -> int:
    return int(params["draws_cascade"] if params["cascade"] else params["draws"])


def _around_truth(params: Mapping[str, Any]) -> float:
    """Return the share of shapes drawn around the truth.

    A cascade starts from the mean face only.
    """
    return 0.0 if params["cascade"] else float(params["around_truth"])
