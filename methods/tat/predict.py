"""Answer with trained weights."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchbox.training.gaze_inputs import GazePatches, from_axes, has_all_boxes
from benchbox.types import Predict, Sample

from . import gaze_network
from .recipe import WEIGHTS


def predictor(weights: Path, device: str) -> Predict:
    """Return a callable: samples → (n, 2) cm or (n, 3) unit vectors.

    NaN where an eye has no box.
    """
    net = gaze_network.load_network(weights / WEIGHTS, device)

    def predict(samples: Sequence[Sample]) -> np.ndarray:
        able = has_all_boxes(samples, net.form)
        answers = np.full((len(samples), 3 if net.task == "gaze3d" else 2), np.nan)
        seen = [sample for sample, fine in zip(samples, able, strict=True) if fine]
        if seen:
            answers[able] = from_axes(net.task, net.answer(GazePatches(seen, net.form, device)))
        return answers

    return predict
