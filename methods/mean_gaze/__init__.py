"""The baseline that looks at no pixel.

The mean of the training labels, for each device and way of holding it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchbox.atomic_write import replace_when_done
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
    from safetensors.numpy import save_file

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
    with replace_when_done(job.out / WEIGHTS) as beside:
        save_file(arrays, beside, metadata=facts)


def predictor(weights: Path, device: str) -> Predict:  # noqa: ARG001 - a mean needs no device
    """Return samples → (n, 2) cm or (n, 3) unit vectors.

    Raises ResultError when the means are missing or damaged.
    """
    import numpy as np
    from safetensors.numpy import load_file

    from benchbox.file_readers.json_files import parse_json
    from benchbox.file_readers.regular_files import library_faults
    from benchbox.file_readers.weight_files import check_safetensors

    again = "run again with --fresh"
    facts = check_safetensors(weights / WEIGHTS, ResultError, again)
    with library_faults(weights / WEIGHTS, "trained mean gaze", ResultError, again):
        tensors = load_file(weights / WEIGHTS)
        overall, means = tensors["overall"], tensors["means"]
        known, names = (parse_json(facts[key], weights / WEIGHTS) for key in ("by", "groups"))
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
