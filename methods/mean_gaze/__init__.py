"""The baseline that looks at no pixel.

The mean of the training labels, for each device and way of holding it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchbox.errors import DataError, ResultError
from benchbox.types import Job, Layout, Predict, Sample

if TYPE_CHECKING:
    import numpy as np

    from benchbox.types import Floats

WEIGHTS = "mean_gaze.safetensors"


def train(job: Job) -> None:
    """Average the labels, (N, 2) cm or (N, 3) unit vectors.

    Over everything and over each group of `job.params`.
    """
    import numpy as np

    from benchbox.training.array_weights import save_arrays

    meta: Mapping[str, Any] = {}
    if job.labelled:
        meta = job.labelled.samples[0].meta
    known = [name for name in job.params["by"] if name in meta]
    sample_groups = [_group_name(sample, known) for sample in job.labelled.samples]
    names, group = np.unique(sample_groups, return_inverse=True)
    means = [job.labelled.values.mean(axis=0)]
    for k in range(len(names)):
        means.append(job.labelled.values[group == k].mean(axis=0))
    if job.task == "gaze3d":
        means = [_unit_vector(mean) for mean in means]
    facts = {"by": json.dumps(known), "groups": json.dumps(names.tolist())}
    arrays = {"overall": means[0], "means": np.stack(means[1:])}
    save_arrays(job.out / WEIGHTS, arrays, facts)


def predictor(weights: Path, device: str) -> Predict:  # noqa: ARG001 - a mean needs no device
    """Return samples → (n, 2) cm or (n, 3) unit vectors.

    Raises ResultError when the means are missing or damaged.
    """
    import numpy as np

    from benchbox.file_readers.json_files import parse_json
    from benchbox.file_readers.regular_files import library_faults
    from benchbox.training.array_weights import load_arrays

    file = weights / WEIGHTS
    arrays, facts = load_arrays(file)
    with library_faults(file, "trained mean gaze", ResultError, "run again with --fresh"):
        overall, means = arrays["overall"], arrays["means"]
        known, names = (parse_json(facts[key], file) for key in ("by", "groups"))
        row_of_group = {name: row for row, name in enumerate(names)}

    def predict(samples: Sequence[Sample]) -> Floats:
        answers = []
        for sample in samples:
            row = row_of_group.get(_group_name(sample, known))
            answers.append(overall)
            if row is not None:
                answers[-1] = means[row]
        return np.stack(answers)

    return predict


def networks(params: Mapping[str, Any], layout: Layout | None) -> Mapping[str, Any]:  # noqa: ARG001
    """List no network: there is nothing to count or to time."""
    return {}


def _group_name(sample: Sample, known: Sequence[str]) -> str:
    return ", ".join(str(sample.meta[name]) for name in known)


def _unit_vector(mean: np.ndarray) -> np.ndarray:
    import numpy as np

    length = float(np.linalg.norm(mean))
    if length < 1e-9:
        raise DataError(
            "the training directions cancel out, so they have no mean direction; check the labels"
        )
    return np.asarray(mean / length)
