"""Train by mini-generations (Algorithm 1): each ends in a snapshot, which teaches those after it.

Generation k starts from the snapshot of k - 1 with its most redundant filters born again. Every
snapshot is a file that appears whole, so a killed run goes on inside the generation where it
stopped. Snapshots of another run may be put there where both runs are one up to that generation:
each says what it was made of, and one of another course is refused. Plain training is one
generation without teachers, mixing and pruning.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchbox.errors import PluginError, ResultError
from benchbox.file_readers.json_files import parse_json
from benchbox.training.checkpoint import Checkpoint, load_facts, make_once
from benchbox.training.gaze_inputs import GazeSet, Jitter, PatchForm, split_holdout
from benchbox.training.host_to_device import upload_array
from benchbox.training.optim import make_optimiser, rate_factor
from benchbox.training.ordinal_coding import init_ordinal_head
from benchbox.training.sampler import epoch_rows
from benchbox.training.train_log import (
    TrainLog,
    keep_adopted_stages,
    record_adopted_stage,
    record_facts,
)
from benchbox.training.train_step import TrainStep
from benchbox.types import Job

from . import gaze_network, targets, teachers
from .filter_pruning import renew_filters
from .gaze_network import GazeNetwork

WEIGHTS = "tat.safetensors"
_LATER_PARAMS = (
    "restart",
    "teacher",
    "tolerance",
    "weight_teach",
    "prune",
    "prune_share",
    "prune_cap",
    "init",
)  # after generation 0


def train(job: Job) -> None:
    """Run all mini-generations; leave the last snapshot, before any pruning, as the weights."""
    course = TrainingGazes.of(job)
    snapshots: list[Path] = []
    paths = [job.out / f"mg{number}.safetensors" for number in range(job.params["generations"])]
    keep_adopted_stages(job.out, [path.stem for path in paths if path.exists()])
    for number, path in enumerate(paths):
        if path.exists():
            _adopt_snapshot(path, job, course, number)
        make_once(path, _train_generation, job, course, number, tuple(snapshots))
        snapshots.append(path)
        record_facts(job.out, generations=[_snapshot_facts(snapshot) for snapshot in snapshots])
    last = gaze_network.load_network(snapshots[-1], job.device)
    make_once(job.out / WEIGHTS, last.save)


def _adopt_snapshot(path: Path, job: Job, course: TrainingGazes, number: int) -> None:
    """Accept a snapshot that is there, of this run or of another with the same beginning.

    ResultError for any other.
    """
    facts = load_facts(path)
    if facts.get("course") != course.digest(job, number):
        raise ResultError(
            f"{path}: a snapshot of other data, parameters or seed; "
            "delete it, or run again with --fresh"
        )
    stage = parse_json(facts["stage"], path, fault=ResultError)
    totals = {"seconds": 0.0, "waited_s": 0.0, **stage}
    record_adopted_stage(job.out, f"mg{number}", totals)


def _snapshot_facts(snapshot: Path) -> dict[str, Any]:
    facts = load_facts(snapshot)
    errors = {key: float(facts[key]) for key in ("train_error", "validation_error")}
    return {"epochs": int(facts["epochs"]), "taught_by": facts["taught_by"].split(), **errors}


@dataclass(frozen=True, eq=False)
class Mixing:
    """Which sample of the batch each is mixed with, and how much of itself it keeps: both (n,)."""

    share: Tensor
    other: Tensor

    @classmethod
    def draw(cls, rng: np.random.Generator, n: int, device: str) -> Mixing:
        """Draw shares of U(0, 1) and a permutation."""
        share = rng.uniform(0, 1, n).astype(np.float32)
        return cls(upload_array(share, device), upload_array(rng.permutation(n), device))

    def __call__(self, x: Tensor) -> Tensor:
        """Mix the rows of x (n, …)."""
        share = self.share.view(-1, *[1] * (x.dim() - 1))
        return share * x + (1 - share) * x[self.other]


@dataclass(frozen=True, eq=False)
class Batch:
    """What the network takes of n samples, their codes (n, outputs), and how they are mixed."""

    inputs: tuple[Tensor, ...]
    codes: Tensor
    mixing: Mixing


@dataclass(frozen=True, eq=False)
class TrainingGazes:
    """What every generation learns from.

    Training and validation gazes, never a test item, and their codes.
    """

    form: PatchForm
    target: targets.Target
    training: GazeSet
    validation: GazeSet
    codes: Tensor  # (n, outputs) of the training gazes

    def digest(self, job: Job, number: int) -> str:
        """Name all that decides the snapshot of generation `number`.

        Data, seed, parameters that matter up to it.
        """
        idle = {"generations", "save_every"}
        if number == 0:
            idle.update(_LATER_PARAMS)
        params = {key: value for key, value in job.params.items() if key not in idle}
        found = hashlib.sha256(
            json.dumps([params, job.seed, job.task, number], sort_keys=True).encode()
        )
        for gazes in (self.training, self.validation):
            found.update(
                "".join(f"{sample.id}\n" for sample in gazes.patches.samples).encode()
                + gazes.axes.tobytes()
            )
        return found.hexdigest()[:32]

    @classmethod
    def of(cls, job: Job) -> TrainingGazes:
        """Cut the patches.

        Persons for validation are held out of the training set where the card holds none out.
        """
        params, rng = job.params, np.random.default_rng([job.seed, 1])
        labelled, validation = job.labelled, job.validation
        if validation is None or not len(validation):
            labelled, validation = split_holdout(labelled, params["held_out"], rng)
        form = gaze_network.patch_form(params, labelled.samples)
        training = GazeSet.of(labelled, form, job.task, job.device, rng, params["samples_most"])
        checked = GazeSet.of(validation, form, job.task, job.device, rng, params["validation_most"])
        axes = torch.from_numpy(training.axes).float().to(job.device)
        target = targets.fit_target(params["loss"], axes, params["bins"])
        return cls(form, target, training, checked, target.encode(axes))

    def batch(
        self, net: GazeNetwork, params: Mapping[str, Any], seed: Sequence[int], step: int
    ) -> Batch:
        """Draw batch `step` of a generation again or for the first time."""
        size = params["batch"]
        rows = epoch_rows(seed, len(self.training), step * size, size)
        rng = np.random.default_rng([*seed, 2, step])
        jitter = Jitter.draw(
            rng,
            size,
            len(self.form.sources),
            shift=params["shift"],
            scale=params["scale"],
            colour=params["colour"],
        )
        inputs, device = net.inputs(self.training.patches, rows, jitter), str(self.codes.device)
        mixing = Mixing.draw(np.random.default_rng([*seed, 4, step]), size, device)
        return Batch(inputs, self.codes[upload_array(rows, device)], mixing)


def _train_generation(
    path: Path, job: Job, course: TrainingGazes, number: int, earlier: Sequence[Path]
) -> None:
    """Train mini-generation `number` and write its snapshot to `path`."""
    params = job.params
    torch.manual_seed(job.seed * 1000 + number)
    net = _initial_network(job, course, number, earlier)
    able: list[GazeNetwork] = []
    if params["teacher"] != "none":
        able = [gaze_network.load_network(snapshot, job.device) for snapshot in earlier]
    errors = [float(load_facts(snapshot)["validation_error"]) for snapshot in earlier]
    epochs = params["epochs"]
    if number == 0:
        epochs += params["warmup_epochs"] + params["head_start"]
    per_epoch = max(1, (params["epoch_draws"] or len(course.training)) // params["batch"])
    draws = [np.random.default_rng([job.seed, number, 3, epoch]) for epoch in range(epochs)]
    taught = [
        tuple(teachers.pick_teachers(params["teacher"], errors, params["tolerance"], rng))
        for rng in draws
    ]
    warm = 0
    if number == 0:
        warm = per_epoch * params["warmup_epochs"]
    _fit_network(job, course, net, number, able, taught, per_epoch, warm)
    net.save(
        path,
        course=course.digest(job, number),
        # of the schedule, not of the clock or of what a kill repeated: equal weights, equal bytes
        stage=json.dumps({"samples": epochs * per_epoch * params["batch"]}),
        epochs=str(epochs),
        taught_by=" ".join("+".join(map(str, who)) or "-" for who in taught),
        train_error=repr(net.error(_limit_gazes(course.training, params["validation_most"]))),
        validation_error=repr(net.error(course.validation)),
    )
    Checkpoint(_checkpoint_file(job, number)).remove()


def _initial_network(
    job: Job, course: TrainingGazes, number: int, earlier: Sequence[Path]
) -> GazeNetwork:
    """Return the network that a generation begins with.

    Fresh, or the last snapshot with filters born again.
    """
    params = job.params
    net = gaze_network.build_network(params, job.task, course.form, course.target, job.device)
    if earlier:
        net.network.load_state_dict(
            gaze_network.load_network(earlier[-1], job.device).network.state_dict()
        )
        generator = torch.Generator().manual_seed(job.seed * 1000 + number)
        renew_filters(
            net.network,
            params["prune"],
            params["init"],
            params["prune_share"],
            params["prune_cap"],
            generator,
        )
    # `scratch` resets the last layer, too: begun alike before that, it would sit at the mean gaze
    begins_anew = not earlier or params["prune"] == "scratch"
    is_ordinal = params["network"] == "casia" and params["loss"] == "ordinal"
    if begins_anew and is_ordinal and params["start_alike"]:
        init_ordinal_head(net.network.head, course.codes, params["bins"])
    return net


def _fit_network(
    job: Job,
    course: TrainingGazes,
    net: GazeNetwork,
    number: int,
    able: Sequence[GazeNetwork],
    taught: Sequence[tuple[int, ...]],
    per_epoch: int,
    warm: int,
) -> None:
    """Train one generation with checkpoints.

    `taught` names the teachers of each epoch, of those who are able.
    """
    params, seed = job.params, (job.seed, number)
    parameters = list(net.network.parameters())
    peak = params["lr"]
    if number:
        peak *= params["restart"]
    optim = make_optimiser(params["optimiser"], parameters, peak, params["weight_decay"])
    checkpoint = Checkpoint(_checkpoint_file(job, number), network=net.network, optimiser=optim)
    done, steps = checkpoint.load(), per_epoch * len(taught)

    def loss(batch: Batch, who: tuple[int, ...]) -> Tensor:
        word = teacher_answer([able[k] for k in who], batch.inputs)
        return generation_loss(net, batch.inputs, batch.codes, word, batch.mixing, params)

    update: TrainStep[Batch] = TrainStep(
        loss, parameters, optim, job.device, clip=params["clip"], precision=params["precision"]
    )
    net.network.train()
    with TrainLog(
        job.out, f"mg{number}", steps, params["batch"], len(course.training), done, job.device
    ) as meter:
        for step, batch in meter.batches(lambda step: course.batch(net, params, seed, step)):
            update.rate(rate_factor(params["schedule"], step, steps, warm))
            meter.step(step + 1, update(batch, taught[step // per_epoch]))
            if (step + 1) % params["save_every"] == 0:
                checkpoint.save(step + 1)


@torch.no_grad()
def teacher_answer(who: Sequence[GazeNetwork], inputs: tuple[Tensor, ...]) -> Tensor | None:
    """Return the mean answer of some teachers as a soft code (n, outputs).

    None without teachers.
    """
    if not who:
        return None
    return torch.stack([one.target.soft(one.network(*inputs).float()) for one in who]).mean(dim=0)


def generation_loss(
    net: GazeNetwork,
    inputs: tuple[Tensor, ...],
    codes: Tensor,
    word: Tensor | None,
    mixing: Mixing,
    params: Mapping[str, Any],
) -> Tensor:
    """Equation 9: λ_hard · hard + λ_mix · mixed + λ_teach · the teacher's word.

    Where there is a teacher.
    """
    mix, network = params["mix"], net.network
    if mix == "feature":
        z = network.features(*inputs)
        found = network.head(z).float()
    else:
        found = network(*inputs).float()
    loss = params["weight_hard"] * net.target.loss(found, codes)
    if mix in ("feature", "input"):
        if mix == "feature":
            mixed = network.head(mixing(z))
        else:
            mixed = network(*map(mixing, inputs))
        loss = loss + params["weight_mix"] * net.target.loss(mixed.float(), mixing(codes))
    elif mix != "off":
        raise PluginError(f"mix = {mix!r}: must be feature, input or off")
    if word is not None:
        loss = loss + params["weight_teach"] * net.target.loss(found, word)
    return loss


def _limit_gazes(gazes: GazeSet, most: int) -> GazeSet:
    if most and len(gazes) > most:
        return gazes.first(most)
    return gazes


def _checkpoint_file(job: Job, number: int) -> Path:
    return job.out / f"mg{number}.checkpoint"
