"""What a method from elsewhere errs on the training part: a free look at what it was trained on.

Whoever never saw a data set errs alike on its parts; whoever was trained on one of them errs less
there. Some faces of the training part are asked beside the test items, which decides no score.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from benchbox.metrics import landmarks
from benchbox.types import Job, Predict, Protocol

from . import inference, run_folders

KEY = "training_part"  # in the record's notes on training
_MOST_ITEMS = 200  # evenly spaced: an error of a few per cent is known to a tenth
_FEWEST_ITEMS = 30


def note_training_part(predict: Predict, job: Job, protocol: Protocol, *, blame: str) -> None:
    """Write the mean error on faces of the training part beside what else is noted of training.

    Nothing where there are too few, or the first normaliser is not one of points.
    """
    found = measure_training_part(predict, job, protocol, blame=blame)
    if found:
        note = Path(job.out) / run_folders.TRAINING_NOTES
        run_folders.write_json(note, {KEY: found})


def measure_training_part(
    predict: Predict, job: Job, protocol: Protocol, *, blame: str
) -> dict[str, Any]:
    """Return metric, value in % and items of the training part, {} where it cannot be measured."""
    layout, labelled = job.layout, job.labelled
    if layout is None or len(labelled) < _FEWEST_ITEMS or not protocol.normalisers:
        return {}
    normaliser = protocol.normalisers[0]
    if not normaliser.startswith("inter_"):  # others need more than points
        return {}
    count = min(_MOST_ITEMS, len(labelled))
    chosen = np.unique(np.linspace(0, len(labelled) - 1, count).astype(int))
    samples = [labelled.samples[row] for row in chosen.tolist()]
    truth = labelled.values[chosen]
    predicted = inference.predict_samples(predict, samples, truth.shape[1:], blame=blame)
    answered = ~np.isnan(predicted).any(axis=(1, 2)) & ~np.isnan(truth).any(axis=(1, 2))
    if answered.sum() < _FEWEST_ITEMS:
        return {}
    truth, predicted = truth[answered], predicted[answered]
    errors = landmarks.mean_errors(truth, predicted)
    errors /= landmarks.normaliser_lengths(normaliser, truth, layout)
    return {
        "metric": f"nme_{normaliser}",
        "value": round(float(errors.mean()) * 100, 4),
        "items": int(answered.sum()),
    }
