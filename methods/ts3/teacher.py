"""The teacher: learns on labelled faces how wrong the students' maps are, then judges maps of the others (eqs 3, 4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from benchbox.training.checkpoint import Checkpoint, save_weights
from benchbox.training.train_log import Meter
from benchbox.training.train_step import Step
from benchbox.types import Job

from .model import Teacher
from .random_views import STRIDE, Drawn, Draws, Faces, follow, ideal
from .students import CHUNK, decode, steps

# shares of a training after which the rate falls to a tenth: epochs 30 and 45 of 60
FALLS = (0.5, 0.75)


def quality(maps: Tensor, target: Tensor, known: Tensor) -> Tensor:
    """Return q* = -‖H - H*‖² (n,), the mean over the maps that are known (n, maps)."""
    squares = (maps - target).square().sum(dim=(2, 3))
    return -(squares * known).sum(dim=1) / known.sum(dim=1).clamp(min=1)


def fit(path: Path, job: Job, stage: str, teacher: Teacher, draws: Draws, maps: Tensor) -> None:
    """Train a teacher on the faces of `draws` and the students' `maps` (rows, …) of them.

    Write its weights.
    """
    params = job.params
    teacher.to(job.device).train()
    optim = torch.optim.Adam(teacher.parameters(), params["lr_teacher"], fused=True)
    update: Step[Example] = Step(
        lambda example: loss(teacher, example),
        teacher.parameters(),
        optim,
        job.device,
        clip=params["clip_teacher"],
        precision=params["precision"],
    )
    total = steps(draws, params["epochs_teacher"], params["most_draws_teacher"])
    checkpoint = Checkpoint(job.out / f"{stage}.checkpoint", teacher=teacher, optimiser=optim)
    done = checkpoint.load()
    with Meter(job.out, stage, total, draws.size, len(draws), done, job.device) as meter:
        for step, example in meter.batches(
            lambda step: examples(draws.draw(step), maps, draws.faces)
        ):
            update.rate(0.1 ** sum(step >= share * total for share in FALLS))
            meter.step(step + 1, update(example))
            if (step + 1) % params["save_every"] == 0:
                checkpoint.save(step + 1)
    save_weights(path, {"teacher": teacher}, {"stage": stage})
    checkpoint.remove()


@dataclass(frozen=True, eq=False)
class Example:
    """Pictures (n, 3, side, side), maps that students made of them (n, maps, h, w), and how good these are (n,)."""

    images: Tensor
    maps: Tensor
    quality: Tensor


def examples(drawn: Drawn, maps: Tensor, faces: Faces) -> Example:
    """Let the students' `maps` (rows, …) follow the random views, and so what they are held against."""
    batch = drawn.batch
    mine = maps[torch.from_numpy(drawn.rows)].to(batch.images.device, torch.float32)
    seen = follow(mine, drawn.views, drawn.mirrored, faces, faces.params["side"] // STRIDE)
    return Example(batch.images, seen, quality(seen, batch.maps[STRIDE], batch.known))


def loss(teacher: Teacher, example: Example) -> Tensor:
    """Equation 4: |q - q*|, mean over faces."""
    return (teacher(example.images, example.maps) - example.quality).abs().mean()


@torch.inference_mode()
def judge(teacher: Teacher, faces: Faces, rows: np.ndarray, maps: Tensor) -> np.ndarray:
    """Return the quality (n,) of maps of faces in their upright views."""
    teacher.eval()
    found = []
    for first in range(0, len(rows), CHUNK):
        part = slice(first, first + CHUNK)
        found.append(
            teacher(faces.upright(rows[part]), maps[part].to(faces.device, torch.float32)).cpu()
        )
    scores: np.ndarray = torch.cat(found).numpy()
    return scores


@torch.inference_mode()
def agreement(judged: Tensor, judge_maps: Tensor, points: int, faces: Faces) -> np.ndarray:
    """Return minus the loss (n,) of a student's maps on the pseudo-labels of `judged`: what SPL and SPaCo select by."""
    found = []
    for first in range(0, len(judged), CHUNK):
        part = slice(first, first + CHUNK)
        target = ideal(decode(judged[part], points, faces.params["radius"]), STRIDE, faces.params)
        known = torch.ones(target.shape[:2])
        found.append(quality(judge_maps[part].float(), target, known))
    scores: np.ndarray = torch.cat(found).numpy()
    return scores


def quota(ratio: float, number: int, unlabelled: int) -> int:
    """Count the faces that round `number` (from 1) keeps: r·i of them, rounded down, at most all."""
    return min(unlabelled, int(ratio * number * unlabelled + 1e-9))


def best(scores: np.ndarray, count: int) -> Sequence[int]:
    """Return the places of the highest scores, best first; ties in order of the faces."""
    return [int(k) for k in np.argsort(-scores, kind="stable")[:count]]
