"""Train the ordinal network on a mix of original and adversarial samples, resumable."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from benchbox.training.casia_net import CasiaNet
from benchbox.training.checkpoint import Checkpoint, make_once, save_weights
from benchbox.training.gaze_inputs import GazeSet, Jitter, PatchForm
from benchbox.training.host_to_device import upload_array
from benchbox.training.optim import make_optimiser, rate_factor
from benchbox.training.ordinal_coding import OrdinalCode, init_ordinal_head, ordinal_loss
from benchbox.training.sampler import epoch_rows
from benchbox.training.train_log import TrainLog
from benchbox.training.train_step import TrainStep
from benchbox.types import Job

from .attack import perturb_patches

WEIGHTS = "dwo.safetensors"


def train(job: Job) -> None:
    """Train once through; leave the weights under the job's folder."""
    make_once(job.out / WEIGHTS, _fit_network, job, CodedGazes.of(job))
    _checkpoint_file(job).unlink(missing_ok=True)


@dataclass(frozen=True, eq=False)
class CodedGazes:
    """The training gazes, their codes (n, ΣB), and how they were coded."""

    form: PatchForm
    gazes: GazeSet
    code: OrdinalCode
    codes: Tensor

    @classmethod
    def of(cls, job: Job) -> CodedGazes:
        """Cut the patches and code the gazes; nothing is selected, so no one is held out."""
        params, rng = job.params, np.random.default_rng([job.seed, 1])
        form = PatchForm.of(job.labelled.samples, params["side"], params["face_side"])
        gazes = GazeSet.of(job.labelled, form, job.task, job.device, rng, params["samples_most"])
        axes = torch.from_numpy(gazes.axes).float().to(job.device)
        code = OrdinalCode.fit(axes, params["bins"])
        return cls(form, gazes, code, code.encode(axes))

    def batch(
        self, params: Mapping[str, Any], seed: int, step: int
    ) -> tuple[tuple[Tensor, ...], Tensor, Tensor]:
        """Draw batch `step`: patches, codes, and which samples are to be made adversarial (n,)."""
        size = params["batch"]
        rows = epoch_rows([seed], len(self.gazes), step * size, size)
        rng = np.random.default_rng([seed, 2, step])
        # Drawn first and always, so that every Org % sees the same pictures, and each the
        # adversarial ones of a larger.
        turned = rng.uniform(0, 1, size) >= params["original"]
        jitter = Jitter.draw(
            rng,
            size,
            len(self.form.sources),
            shift=params["shift"],
            scale=params["scale"],
            colour=params["colour"],
        )
        patches = self.gazes.patches.batch(rows, jitter)
        return (
            patches,
            self.codes[upload_array(rows, str(self.codes.device))],
            torch.from_numpy(turned),
        )


def mix_adversarial(
    network: nn.Module,
    patches: tuple[Tensor, ...],
    codes: Tensor,
    turned: Tensor,
    course: CodedGazes,
    params: Mapping[str, Any],
) -> tuple[Tensor, ...]:
    """Replace samples that are `turned` (n,), on the host, by adversarial ones.

    All patches of a sample together.
    """
    chosen = torch.nonzero(turned)[:, 0]
    if not len(chosen) or not params["steps"]:
        return patches
    rows = upload_array(chosen.numpy(), str(codes.device))
    moved = perturb_patches(
        network,
        tuple(patch[rows] for patch in patches),
        codes[rows],
        course.code.bins,
        centre=params["centre_bins"],
        steps=params["steps"],
        gamma=params["gamma"],
        epsilon=params["epsilon"],
    )
    return tuple(patch.index_copy(0, rows, new) for patch, new in zip(patches, moved, strict=True))


def _fit_network(path: Path, job: Job, course: CodedGazes) -> None:
    """Train with checkpoints and write the weights to `path`."""
    params = job.params
    torch.manual_seed(job.seed)
    network = CasiaNet(
        sum(course.code.bins),
        len(course.form.sources),
        course.form.pools,
        share_eyes=params["share_eyes"],
        standardise=params["standardise"],
    )
    if params["start_alike"]:
        init_ordinal_head(network.head, course.codes, course.code.bins)
    network = network.to(job.device, memory_format=torch.channels_last)
    parameters = list(network.parameters())
    optim = make_optimiser(params["optimiser"], parameters, params["lr"], params["weight_decay"])
    per_epoch = max(1, (params["epoch_draws"] or len(course.gazes)) // params["batch"])
    steps = per_epoch * params["epochs"]
    checkpoint = Checkpoint(_checkpoint_file(job), network=network, optimiser=optim)
    done = checkpoint.load()

    def loss(batch: tuple[tuple[Tensor, ...], Tensor]) -> Tensor:
        seen, codes = batch
        return ordinal_loss(network(*seen).float(), codes)

    update: TrainStep[tuple[tuple[Tensor, ...], Tensor]] = TrainStep(
        loss, parameters, optim, job.device, clip=params["clip"], precision=params["precision"]
    )
    network.train()
    with TrainLog(
        job.out, "dwo", steps, params["batch"], len(course.gazes), done, job.device
    ) as meter:
        for step, (patches, codes, turned) in meter.batches(
            lambda step: course.batch(params, job.seed, step)
        ):
            update.rate(
                rate_factor(params["schedule"], step, steps, per_epoch * params["warmup_epochs"])
            )
            seen = mix_adversarial(network, patches, codes, turned, course, params)
            meter.step(step + 1, update((seen, codes)))
            if (step + 1) % params["save_every"] == 0:
                checkpoint.save(step + 1)
    facts = {"task": job.task} | {name: str(params[name]) for name in ("share_eyes", "standardise")}
    facts |= course.form.facts() | course.code.facts()
    save_weights(path, {"network": network}, facts)


def _checkpoint_file(job: Job) -> Path:
    return job.out / "dwo.checkpoint"
