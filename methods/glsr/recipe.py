"""Train G&LSR in the four steps of the paper (section 3.4), each resumable.

Step 1 learns the global reinitialisation, step 2 the global regression behind the frozen step 1,
step 3 the local stage behind the frozen global one, step 4 everything end to end without the θ
losses. `b1` is step 2 alone; `b2` trains its first network (step 5 by number) before it. Without θ
losses, a plain STN, steps 1 and 2 are one.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
from benchbox.training.optim import WeightAverage, make_optimiser, rate_factor
from benchbox.training.pretrained import read_pretrained
from benchbox.training.train_log import TrainLog
from benchbox.training.train_step import TrainStep
from benchbox.types import Job, Layout, RunKind

from .detector import STRUCTURE_PARAMS, GlsrDetector
from .frames import compose_maps, invert_maps, supervised_theta, transform_points, upright_box
from .losses import shape_loss, theta_loss
from .release import ReleasedDetector
from .training_samples import Batch, PerturbedFaces

WEIGHTS = "glsr.safetensors"
SCRATCH = "scratch"  # as `weights`: nothing to begin from
LOCAL_MARGIN = 1.4  # of the part's box, for θ_l*


def train(job: Job) -> RunKind:
    """Run the steps that the variant has; leave the weights under the job's folder.

    With the authors' published weights nothing is trained: they are copied there.
    """
    assert job.layout is not None
    params = job.params
    if params["backbone"] == "release" and params["weights"] != SCRATCH:
        return adopt_published(job, job.layout)
    system = GlsrDetector(job.layout, params).to(job.device, memory_format=torch.channels_last)
    load_backbones(system, job)
    draws = PerturbedFaces(job.labelled, job.layout, params, job.seed, job.device)
    objective = StageLosses(system, draws.reference, job.layout, params)
    objective.start(draws)
    for stage in plan_stages(system, objective, params):
        # Each stage starts from the same seed whether the ones before it were trained now or read
        # from disk.
        torch.manual_seed(job.seed + stage.number)
        path = job.out / f"step{stage.number}-{stage.name}.safetensors"
        make_once(path, fit_stage, job, stage, objective, draws)
        load_into(system, "system", load_weights(path))
    kept = json.dumps({key: params[key] for key in (*STRUCTURE_PARAMS, "crop_side")})
    save_weights(
        job.out / WEIGHTS,
        {"system": system},
        {"frames": "ours", "layout": job.layout.name, "params": kept},
    )
    return "trained"


def load_backbones(system: GlsrDetector, job: Job) -> None:
    """Start the backbones from public ImageNet weights where `weights` names a file.

    Else from scratch.
    """
    if job.params["weights"] == SCRATCH:
        return
    if job.weights is None:
        raise PluginError(f"weights = {job.params['weights']!r} but the job was given no such file")
    kind = job.params["backbone"]
    if kind not in ("medium", "large"):
        raise PluginError(
            f"weights = {job.params['weights']!r}: "
            f"no ImageNet weights exist for the {kind} backbone"
        )
    tensors = read_pretrained(job.weights)
    for backbone in (system.backbone, system.first):
        if backbone is not None:
            backbone.load_trunk(tensors, str(job.weights))


def adopt_published(job: Job, layout: Layout) -> RunKind:
    """Put the authors' published networks under the job's folder, as one file."""
    if job.weights is None:
        raise PluginError(
            f"weights = {job.params['weights']!r} but the job was given no such folder"
        )
    system = ReleasedDetector(layout.count)
    system.load_published(job.weights)
    save_weights(
        job.out / WEIGHTS, {"system": system}, {"frames": "release", "layout": layout.name}
    )
    return "weights"


@dataclass(frozen=True)
class TrainingStage:
    """One of the four steps: its loss of a batch, with the kind of shape loss it is in.

    And what it trains.
    """

    number: int
    name: str
    draws: int
    lr: float
    loss: Callable[[Batch, str], Tensor]
    trains: Sequence[nn.Module]


def plan_stages(
    system: GlsrDetector, objective: StageLosses, params: Mapping[str, Any]
) -> list[TrainingStage]:
    """List the steps of a variant in order."""
    lr, fine = params["lr"], params["lr_joint"]
    found = []
    if system.first is not None:
        found.append(
            TrainingStage(
                5, "first", params["draws_first"], lr, objective.first_shape, [system.first]
            )
        )
    if system.reinit is not None and not params["theta_loss"]:
        both = [system.reinit, system.backbone]
        found.append(
            TrainingStage(
                2, "global", params["draws_global"], lr, objective.plain_transformer, both
            )
        )
    else:
        if system.reinit is not None:
            found.append(
                TrainingStage(
                    1, "reinit", params["draws_reinit"], lr, objective.reinit, [system.reinit]
                )
            )
        found.append(
            TrainingStage(
                2, "global", params["draws_global"], lr, objective.global_shape, [system.backbone]
            )
        )
    if system.parts:
        local = [system.local_reinit, system.local_regression]
        found.append(TrainingStage(3, "local", params["draws_local"], lr, objective.local, local))
    if system.reinit is not None:
        found.append(
            TrainingStage(4, "joint", params["draws_joint"], fine, objective.joint, [system])
        )
    return [stage for stage in found if stage.draws]


class StageLosses:
    """The loss of each step, in one of the kinds of `losses.shape_loss`."""

    def __init__(
        self, system: GlsrDetector, reference: Tensor, layout: Layout, params: Mapping[str, Any]
    ) -> None:
        self.system, self.reference, self.eyes, self.params = (
            system,
            reference,
            layout.eye_corners,
            params,
        )

    def kind(self, share: float) -> str:
        """Return the kind of shape loss when `share` of a stage, 0 … 1, is done."""
        kind: str = self.params["loss"]
        if kind == "weighted" and share < self.params["l1_share"]:
            return "l1"  # far from the solution σ is large and every weight would vanish
        return kind

    def start(self, draws: PerturbedFaces) -> None:
        """Set S_g0 to the mean true shape of the normalised face.

        And each θ_l to its mean true value.

        A plain STN begins at the identity, so its normalised face is F0. A backbone that answers
        with places has no S_g0.
        """
        shapes, system = draws.upright(), self.system
        if system.first is not None:
            if system.networks.from_mean:
                system.first_start.copy_(shapes.mean(dim=0))
            shapes = transform_points(
                invert_maps(upright_box(shapes, self.eyes, self.params["expansion"])), shapes
            )
        elif system.reinit is not None and self.params["theta_loss"]:
            theta = supervised_theta(shapes, self.reference, self.params["global_margin"])
            shapes = transform_points(invert_maps(theta), shapes)
        if system.networks.from_mean:
            system.start.copy_(shapes.mean(dim=0))
        # G&LSR* has none
        for local_reinit, points in zip(system.local_reinit, system.parts, strict=False):
            theta = supervised_theta(shapes[:, points], self.reference[points], LOCAL_MARGIN)
            local_reinit.fc[-1].bias.data.copy_(theta.mean(dim=0).flatten())

    def reinit(self, batch: Batch, kind: str) -> Tensor:
        """Step 1: ‖θ_g - θ_g*‖²."""
        del kind
        target = supervised_theta(batch.shape, self.reference, self.params["global_margin"])
        return theta_loss(self.system.global_theta(batch.sampler, batch.frame), target)

    def first_shape(self, batch: Batch, kind: str) -> Tensor:
        """B2's first network: the shape loss in F0."""
        shape = self.system.first_shape(batch.sampler, batch.frame)
        return self._shape_loss(shape, batch.shape, self._distance(batch.shape), kind)

    def plain_transformer(self, batch: Batch, kind: str) -> Tensor:
        """Do steps 1 and 2 as one, without θ_g*: the shape loss alone moves θ_g.

        In F0, as in step 4.
        """
        return self._global_in_f0(batch, kind)[0]

    def global_shape(self, batch: Batch, kind: str) -> Tensor:
        """Step 2: the shape loss of S_g, behind a frozen θ_g."""
        with torch.no_grad():
            theta = self.system.global_theta(batch.sampler, batch.frame)
        target = transform_points(invert_maps(theta), batch.shape)
        shape = self.system.global_shape(batch.sampler, compose_maps(batch.frame, theta))
        return self._shape_loss(shape, target, self._distance(target), kind)

    def local(self, batch: Batch, kind: str) -> Tensor:
        """Step 3: the shape loss of every part and ‖θ_l - θ_l*‖², behind a frozen global stage."""
        system = self.system
        with torch.no_grad():
            theta = system.global_theta(batch.sampler, batch.frame)
            to_crop = compose_maps(batch.frame, theta)
            shape = system.global_shape(batch.sampler, to_crop)
        target = transform_points(invert_maps(theta), batch.shape)
        return self._parts_loss(batch, to_crop, shape, target, kind)

    def joint(self, batch: Batch, kind: str) -> Tensor:
        """Step 4: all shape losses end to end, without the θ losses, measured in F0.

        In F_g, whose frame θ_g may now move, the loss can fall while the error does not: stretching
        the face along the eye line makes d larger.
        """
        del kind
        system, distance, last = self.system, self._distance(batch.shape), self.kind(1.0)
        loss, theta, to_crop, shape = self._global_in_f0(batch, last)
        for part, points in enumerate(system.parts):
            local = system.local_theta(part, shape)
            found = system.local_shape(part, batch.sampler, to_crop, local, shape)
            found = transform_points(compose_maps(theta, local), found)
            loss = loss + self._shape_loss(found, batch.shape[:, points], distance, last) / len(
                system.parts
            )
        return loss

    def _global_in_f0(self, batch: Batch, kind: str) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return the shape loss of the global stage in F0, with θ_g, F_g → stored crop and S_g.

        For gradients.
        """
        theta = self.system.global_theta(batch.sampler, batch.frame)
        to_crop = compose_maps(batch.frame, theta)
        shape = self.system.global_shape(batch.sampler, to_crop)
        loss = self._shape_loss(
            transform_points(theta, shape), batch.shape, self._distance(batch.shape), kind
        )
        return loss, theta, to_crop, shape

    def _parts_loss(
        self, batch: Batch, to_crop: Tensor, shape: Tensor, target: Tensor, kind: str
    ) -> Tensor:
        system, total = self.system, shape.new_zeros(())
        for part, points in enumerate(system.parts):
            theta = system.local_theta(part, shape)
            found = system.local_shape(part, batch.sampler, to_crop, theta, shape)
            wanted = transform_points(invert_maps(theta), target[:, points])
            total = total + self._shape_loss(found, wanted, torch.ones_like(wanted[:, 0, 0]), kind)
            if len(system.local_reinit) and self.params["theta_loss"]:
                ideal = supervised_theta(target[:, points], self.reference[points], LOCAL_MARGIN)
                total = total + self.params["theta_weight"] * theta_loss(theta, ideal)
        return total

    def _shape_loss(self, shape: Tensor, target: Tensor, distance: Tensor, kind: str) -> Tensor:
        params = self.params
        return shape_loss(shape, target, distance, kind, params["z_px"], params["coordinates"])

    def _distance(self, shape: Tensor) -> Tensor:
        return (shape[:, self.eyes[0]] - shape[:, self.eyes[1]]).norm(dim=1)


def fit_stage(
    path: Path, job: Job, stage: TrainingStage, objective: StageLosses, draws: PerturbedFaces
) -> None:
    """Train one stage, with checkpoints, and write the whole system's weights to `path`."""
    params, system = job.params, objective.system
    steps = max(1, stage.draws // params["batch"])
    parameters = [p for module in stage.trains for p in module.parameters()]
    optim = make_optimiser(params["optimiser"], parameters, stage.lr, params["weight_decay"])
    update: TrainStep[Batch] = TrainStep(
        stage.loss,
        parameters,
        optim,
        job.device,
        clip=params["clip"],
        precision=params["precision"],
    )
    average = WeightAverage(stage.trains, params["average"])
    checkpoint = Checkpoint(
        job.out / f"{stage.name}.checkpoint", system=system, optimiser=optim, average=average
    )
    done = checkpoint.load()
    system.eval()
    for module in stage.trains:
        module.train()
    with TrainLog(
        job.out, stage.name, steps, params["batch"], len(draws), done, job.device
    ) as meter:
        for step, batch in meter.batches(lambda step: draws.batch(stage.number, step)):
            update.rate(rate_factor(params["schedule"], step, steps, params["warmup"]))
            loss = update(batch, objective.kind(step / steps))
            average.update()
            meter.step(step + 1, loss)
            if (step + 1) % params["save_every"] == 0:
                checkpoint.save(step + 1)
    average.apply()
    save_weights(path, {"system": system}, {"stage": stage.name})
    checkpoint.remove()
