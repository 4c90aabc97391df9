"""Answer with a fitted map."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchbox.errors import ResultError
from benchbox.file_readers.regular_files import library_faults
from benchbox.training.array_weights import load_arrays
from benchbox.training.gaze_inputs import GazePatches, PatchForm, from_axes, has_all_boxes
from benchbox.types import Predict, Sample, Task

from .features import PixelScale, RandomCosines, grey_pixels
from .recipe import WEIGHTS
from .ridge import RidgeFit


def predictor(weights: Path, device: str) -> Predict:  # noqa: ARG001 - NumPy has no device
    """Return a callable: samples → (n, 2) cm or (n, 3) unit vectors; NaN where an eye has no box.

    Raises ResultError when the weights are missing or damaged.
    """
    file = weights / WEIGHTS
    arrays, facts = load_arrays(file)
    with library_faults(file, "fitted ridge regression", ResultError, "run again with --fresh"):
        task: Task = "gaze3d" if facts["task"] == "gaze3d" else "gaze2d"
        form = PatchForm.from_facts(facts)
        scale = PixelScale(arrays["pixel_mean"], arrays["pixel_deviation"])
        cosines = None
        if "directions" in arrays:
            cosines = RandomCosines(arrays["directions"], arrays["phases"])
        fit = RidgeFit(
            arrays["mean"],
            arrays["matrix"],
            arrays["offset"],
            float(facts["ridge"]),
            float(facts["left_out_error"]),
        )

    def predict(samples: Sequence[Sample]) -> np.ndarray:
        able = has_all_boxes(samples, form)
        answers = np.full((len(samples), 3 if task == "gaze3d" else 2), np.nan)
        seen = [sample for sample, fine in zip(samples, able, strict=True) if fine]
        if seen:
            features = scale.apply(grey_pixels(GazePatches(seen, form, "cpu")))
            if cosines is not None:
                features = cosines.apply(features)
            answers[able] = from_axes(task, fit.answer(features))
        return answers

    return predict
