"""Students: made, trained from scratch on a set of labels.

And asked together (equations 2 and 5).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchbox.errors import PluginError
from benchbox.training import heatmaps
from benchbox.training.checkpoint import Checkpoint, save_weights
from benchbox.training.optim import WeightAverage, make_optimiser, rate_factor
from benchbox.training.train_log import TrainLog
from benchbox.training.train_step import TrainStep
from benchbox.types import Job

from .model import Cpm, StackedHourglass
from .random_views import MAP_STRIDE, Batch, FaceViews, LabelledViews

STUDENT_NAMES: Mapping[str, tuple[str, ...]] = {
    "both": ("cpm", "hg"),
    "cpm": ("cpm",),
    "hg": ("hg",),
}
# Share of a training after which the rate is halved: epochs 20, 25, 30, 40 of 50; 50, 70, 90, 100
# of 110.
RATE_HALVED_AT = {
    "cpm": (20 / 50, 25 / 50, 30 / 50, 40 / 50),
    "hg": (50 / 110, 70 / 110, 90 / 110, 100 / 110),
}
RISE_STEPS = 100  # of the cosine schedule, at most
CHUNK_FACES = 32  # faces per prediction
HEIGHT_LEVELS = 2.0**16  # of a map whose peaks are 1

Student = Cpm | StackedHourglass


def student_names(params: Mapping[str, Any]) -> tuple[str, ...]:
    """Return which students a variant has; raises PluginError for an unknown word."""
    if params["students"] not in STUDENT_NAMES:
        raise PluginError(f"students = {params['students']!r}: must be {', '.join(STUDENT_NAMES)}")
    return STUDENT_NAMES[params["students"]]


def make_student(name: str, points: int, params: Mapping[str, Any]) -> Student:
    """Make an untrained student."""
    if params["trunk"] not in ("he", "small"):
        raise PluginError(f"trunk = {params['trunk']!r}: must be he or small")
    maps = points + bool(params["background"])
    made: Student = (
        Cpm(maps, params["width"], params["trunk"])
        if name == "cpm"
        else StackedHourglass(maps, params["width"], params["stacks"])
    )
    return made.to(memory_format=torch.channels_last)  # a third faster on a CPU


def example_networks(
    params: Mapping[str, Any], points: int
) -> dict[str, tuple[nn.Module, tuple[Tensor, ...]]]:
    """List the students that a prediction runs."""
    seen = (torch.zeros(1, 3, params["side"], params["side"]),)
    return {name: (make_student(name, points, params), seen) for name in student_names(params)}


def map_loss(student: Student, batch: Batch) -> Tensor:
    """Equation 2: ‖H - H*‖² summed over stages, maps and cells, mean over faces.

    Unknown points do not count.
    """
    target, known = batch.maps[student.stride], batch.known[:, :, None, None]
    squares = [((maps - target) * known).square().sum() for maps in student(batch.images)]
    return torch.stack(squares).sum() / len(target)


def mean_maps(students: Sequence[Student], images: Tensor) -> Tensor:
    """Equation 5 of last stages: the mean of the maps at stride 4, coarser ones enlarged."""
    cells = images.shape[-1] // MAP_STRIDE
    found = []
    for student in students:
        maps = student(images)[-1]
        if maps.shape[-1] != cells:
            maps = F.interpolate(maps, size=(cells, cells), mode="bilinear", align_corners=False)
        found.append(maps)
    return torch.stack(found).mean(dim=0)


def predict_maps(
    students: Sequence[Student], faces: FaceViews, rows: np.ndarray, mirrored: bool = False
) -> Tensor:
    """Return what students together see (n, maps, h, w) in upright views.

    In half precision on the host; `mirrored` takes the mean with what they see in the mirror.
    """
    return torch.cat([maps.half().cpu() for maps in _ask_students(students, faces, rows, mirrored)])


def predict_points(
    students: Sequence[Student], faces: FaceViews, rows: np.ndarray, points: int, radius: int
) -> Tensor:
    """Return the points (n, K, 2) px that students together see in upright views.

    Decoded in full precision: halves would move nearly flat maps.
    """
    return torch.cat(
        [decode_points(maps, points, radius).cpu() for maps in _ask_students(students, faces, rows)]
    )


@torch.inference_mode()
def _ask_students(
    students: Sequence[Student], faces: FaceViews, rows: np.ndarray, mirrored: bool = False
) -> Iterator[Tensor]:
    for student in students:
        student.eval()
    for first in range(0, len(rows), CHUNK_FACES):
        images = faces.upright(rows[first : first + CHUNK_FACES])
        maps = mean_maps(students, images)
        if mirrored:
            turned = mean_maps(students, images.flip(-1)).flip(-1)
            maps = (maps + turned[:, faces.map_flip]) / 2
        yield maps


def decode_points(maps: Tensor, points: int, radius: int) -> Tensor:
    """Return the points (n, K, 2) px of the view: the centroid around the highest cell.

    The background is left out.

    Heights are told apart from 2⁻¹⁶ on: a student that has learned little answers with plateaus,
    whose highest cell would be where the rounding of this batch size put it.
    """
    level = (maps[:, :points].float() * HEIGHT_LEVELS).round() / HEIGHT_LEVELS
    cells, _ = heatmaps.decode_centroid(level, radius)
    return heatmaps.cells_to_px(cells, MAP_STRIDE)


def count_steps(draws: LabelledViews, epochs: int, most: int) -> int:
    """Count the steps of a training.

    So many epochs, or fewer where the number of draws is limited.
    """
    faces = epochs * len(draws)
    if most:
        faces = min(faces, most)
    return max(1, math.ceil(faces / draws.size))


def fit_student(
    path: Path, job: Job, stage: str, name: str, student: Student, draws: LabelledViews
) -> None:
    """Train a student, with checkpoints, and write its weights to `path`."""
    params = job.params
    student.to(job.device).train()
    optim = _make_optimiser(student, params)
    precision = params["precision"]
    if isinstance(student, StackedHourglass):
        precision = params["precision_hg"]
    update: TrainStep[Batch] = TrainStep(
        lambda batch: map_loss(student, batch),
        student.parameters(),
        optim,
        job.device,
        precision=precision,
    )
    average = WeightAverage([student], params["average"])
    total = count_steps(draws, params[f"epochs_{name}"], params[f"most_draws_{name}"])
    checkpoint = Checkpoint(
        job.out / f"{stage}.checkpoint", student=student, optimiser=optim, average=average
    )
    done = checkpoint.load()
    with TrainLog(job.out, stage, total, draws.size, len(draws), done, job.device) as meter:
        for step, batch in meter.batches(draws.batch):
            update.rate(_student_rate(params["schedule"], name, step, total))
            loss = update(batch)
            average.update()
            meter.step(step + 1, loss)
            if (step + 1) % params["save_every"] == 0:
                checkpoint.save(step + 1)
    average.apply()
    save_weights(path, {name: student}, {"stage": stage})
    checkpoint.remove()


def _student_rate(schedule: str, name: str, step: int, total: int) -> float:
    """Return the factor on a student's rate: halved at the paper's epochs, or a cosine."""
    if schedule == "cosine":
        return rate_factor("cosine", step, total, min(RISE_STEPS, total // 10))
    return 0.5 ** sum(step >= share * total for share in RATE_HALVED_AT[name])


def _make_optimiser(student: Student, params: Mapping[str, Any]) -> torch.optim.Optimizer:
    lr = params["lr_cpm"]
    if isinstance(student, StackedHourglass):
        lr = params["lr_hg"]
    if params["optimiser"] == "adamw":
        return make_optimiser("adamw", student.parameters(), lr, 0.0005)
    if params["optimiser"] != "paper":
        raise PluginError(f"optimiser = {params['optimiser']!r}: must be paper or adamw")
    if isinstance(student, StackedHourglass):
        return torch.optim.RMSprop(student.parameters(), lr, alpha=0.99)
    # Caffe's way: stages learn four times as fast as the trunk, biases twice and without decay
    groups = []
    for late, late_factor in ((False, 1), (True, 4)):
        for bias, bias_factor, decay in ((False, 1, 0.0005), (True, 2, 0.0)):
            chosen = []
            for key, parameter in student.named_parameters():
                if key.startswith("stages") == late and _is_bias(key) == bias:
                    chosen.append(parameter)
            rate = lr * late_factor * bias_factor
            groups.append({"params": chosen, "lr": rate, "weight_decay": decay})
    return torch.optim.SGD(groups, lr, momentum=0.9, fused=True)


def _is_bias(key: str) -> bool:
    return key.endswith(".bias")
