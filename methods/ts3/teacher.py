"""The teacher: learns on labelled faces how wrong the students' maps are.

Then judges maps of the others (eqs 3, 4).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from benchbox.training.checkpoint import Checkpoint, save_weights
from benchbox.training.train_log import TrainLog
from benchbox.training.train_step import TrainStep
from benchbox.types import Job

from .model import Teacher
from .random_views import MAP_STRIDE, DrawnBatch, FaceViews, LabelledViews, ideal_maps, view_maps
from .students import CHUNK_FACES, Student, count_steps, decode_points, mean_maps

# shares of a training after which the rate falls to a tenth: epochs 30 and 45 of 60
RATE_FALLS_AT = (0.5, 0.75)


def map_quality(maps: Tensor, target: Tensor, known: Tensor) -> Tensor:
    """Return q* = -‖H - H*‖² (n,), the mean over the maps that are known (n, maps)."""
    squares = (maps - target).square().sum(dim=(2, 3))
    return -(squares * known).sum(dim=1) / known.sum(dim=1).clamp(min=1)


def fit_teacher(
    path: Path, job: Job, stage: str, teacher: Teacher, draws: LabelledViews, answers: StudentMaps
) -> None:
    """Train a teacher on the faces of `draws` and the students' maps of them.

    Write its weights.
    """
    params = job.params
    teacher.to(job.device).train()
    optim = torch.optim.Adam(teacher.parameters(), params["lr_teacher"], fused=True)
    update: TrainStep[JudgedMaps] = TrainStep(
        lambda example: quality_loss(teacher, example),
        teacher.parameters(),
        optim,
        job.device,
        clip=params["clip_teacher"],
        precision=params["precision"],
    )
    total = count_steps(draws, params["epochs_teacher"], params["most_draws_teacher"])
    checkpoint = Checkpoint(job.out / f"{stage}.checkpoint", teacher=teacher, optimiser=optim)
    done = checkpoint.load()

    def example_of(step: int) -> JudgedMaps:
        drawn = draws.draw(step)
        return judged_maps(drawn, answers(drawn))

    with TrainLog(job.out, stage, total, draws.size, len(draws), done, job.device) as meter:
        for step, example in meter.batches(example_of):
            update.rate(0.1 ** sum(step >= share * total for share in RATE_FALLS_AT))
            meter.step(step + 1, update(example))
            if (step + 1) % params["save_every"] == 0:
                checkpoint.save(step + 1)
    save_weights(path, {"teacher": teacher}, {"stage": stage})
    checkpoint.remove()


@dataclass(frozen=True, eq=False)
class JudgedMaps:
    """Pictures (n, 3, side, side), maps that students made of them (n, maps, h, w).

    And how good these are (n,).
    """

    images: Tensor
    maps: Tensor
    quality: Tensor


# The maps (n, maps, h, w) of the random views of a batch, as students answer them.
StudentMaps = Callable[[DrawnBatch], Tensor]


def upright_answers(maps: Tensor, faces: FaceViews) -> StudentMaps:
    """Let maps (rows, …) that students made of the upright views follow the random ones."""

    def answers(drawn: DrawnBatch) -> Tensor:
        mine = maps[torch.from_numpy(drawn.rows)].to(drawn.views.device, torch.float32)
        cells = faces.params["side"] // MAP_STRIDE
        return view_maps(mine, drawn.views, drawn.mirrored, faces, cells)

    return answers


def view_answers(students: Sequence[Student]) -> StudentMaps:
    """Ask the students in each random view.

    They know the labelled faces by heart, upright; in a view that they have not seen they err as
    they do on faces without labels.
    """
    for student in students:
        student.eval()

    @torch.no_grad()
    def answers(drawn: DrawnBatch) -> Tensor:
        return mean_maps(students, drawn.batch.images)

    return answers


def judged_maps(drawn: DrawnBatch, maps: Tensor) -> JudgedMaps:
    """Hold students' maps (n, …) of random views against the ideal ones."""
    batch = drawn.batch
    return JudgedMaps(batch.images, maps, map_quality(maps, batch.maps[MAP_STRIDE], batch.known))


def quality_loss(teacher: Teacher, example: JudgedMaps) -> Tensor:
    """Equation 4: |q - q*|, mean over faces."""
    return (teacher(example.images, example.maps) - example.quality).abs().mean()


@torch.inference_mode()
def judge_quality(teacher: Teacher, faces: FaceViews, rows: np.ndarray, maps: Tensor) -> np.ndarray:
    """Return the quality (n,) of maps of faces in their upright views."""
    teacher.eval()
    found = []
    for first in range(0, len(rows), CHUNK_FACES):
        part = slice(first, first + CHUNK_FACES)
        found.append(
            teacher(faces.upright(rows[part]), maps[part].to(faces.device, torch.float32)).cpu()
        )
    scores: np.ndarray = torch.cat(found).numpy()
    return scores


@torch.inference_mode()
def pseudo_agreement(
    judged: Tensor, judge_maps: Tensor, points: int, faces: FaceViews
) -> np.ndarray:
    """Return minus the loss (n,) of a student's maps on the pseudo-labels of `judged`.

    What SPL and SPaCo select by.
    """
    found = []
    for first in range(0, len(judged), CHUNK_FACES):
        part = slice(first, first + CHUNK_FACES)
        target = ideal_maps(
            decode_points(judged[part], points, faces.params["radius"]), MAP_STRIDE, faces.params
        )
        known = torch.ones(target.shape[:2])
        found.append(map_quality(judge_maps[part].float(), target, known))
    scores: np.ndarray = torch.cat(found).numpy()
    return scores


def count_accepted(ratio: float, number: int, unlabelled: int) -> int:
    """Count the faces that round `number` (from 1) keeps.

    R·i of them, rounded down, at most all.
    """
    return min(unlabelled, int(ratio * number * unlabelled + 1e-9))


def best_rows(scores: np.ndarray, count: int) -> Sequence[int]:
    """Return the places of the highest scores, best first; ties in order of the faces."""
    return [int(k) for k in np.argsort(-scores, kind="stable")[:count]]
