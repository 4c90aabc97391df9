"""A toy gaze set for the tests of gaze methods.

A bright pupil on a grey eye moves with the gaze.
"""

from pathlib import Path

import numpy as np

from benchbox.plugins import method_card
from benchbox.types import Examples, Job, MethodCard, Sample


def picture(gaze: np.ndarray) -> np.ndarray:
    """A face of 100 px with two eyes of 20 px, whose pupils sit where the gaze says."""
    found = np.full((100, 100, 3), 90, np.uint8)
    for left in (20, 60):
        x, y = (np.array([left + 10, 40]) + np.round(gaze * [1.4, -1.4])).astype(int)
        found[y - 3 : y + 4, x - 3 : x + 4] = 250
    return found


def examples(
    task: str, number: int = 24, *, eyes: bool = True, seed: int = 0, persons: int = 6
) -> Examples:
    """Gaze within ±5 cm, or 20 degrees a side; persons of equal numbers of frames."""
    gaze = np.random.default_rng(seed).uniform(-5, 5, (number, 2))
    boxes = (
        {"left_eye": np.array([60.0, 30, 80, 50]), "right_eye": np.array([20.0, 30, 40, 50])}
        if eyes
        else {}
    )
    samples = [
        Sample(f"{k}", np.array([5.0, 5, 95, 95]), lambda g=g: picture(g), boxes)
        for k, g in enumerate(gaze)
    ]
    pitch, yaw = np.radians(4 * gaze).T
    vectors = np.stack(
        [np.cos(pitch) * np.sin(yaw), np.sin(pitch), np.cos(pitch) * np.cos(yaw)], axis=1
    )
    clusters = np.array([f"p{k % persons}" for k in range(number)])
    return Examples(samples, gaze if task == "gaze2d" else vectors, clusters)


def job(
    card: MethodCard,
    out: Path,
    task: str = "gaze2d",
    variant: str = "",
    *,
    eyes: bool = True,
    **params: object,
) -> Job:
    """A job at smoke budget, with some parameters changed."""
    settings = method_card.merge_params(card, variant, "smoke") | params
    labelled = examples(task, eyes=eyes)
    rest = examples(task, 12, eyes=eyes, seed=1).samples
    return Job(task, None, labelled, rest, None, out, 0, "cpu", "smoke", settings)
