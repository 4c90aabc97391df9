"""The baseline that looks at no pixel.

The training set's mean shape, placed in the protocol's box.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchbox.atomic_write import replace_when_done
from benchbox.errors import ResultError
from benchbox.types import Job, Layout, Predict, Sample

if TYPE_CHECKING:
    from benchbox.types import Floats

WEIGHTS = "mean_shape.safetensors"


def train(job: Job) -> None:
    """Average the labelled shapes (N, K, 2) px after each box was mapped to [-1, 1]².

    Leave (K, 2) under `job.out`.
    """
    from safetensors.numpy import save_file

    from benchbox import geometry

    to_unit = geometry.box_to_unit(_stack_boxes(job.labelled.samples))
    shape = geometry.transform_points(to_unit, job.labelled.values).mean(axis=0)
    with replace_when_done(job.out / WEIGHTS) as beside:
        save_file({"shape": shape}, beside)


def predictor(weights: Path, device: str) -> Predict:  # noqa: ARG001 - a mean needs no device
    """Return samples → (n, K, 2) px.

    Raises ResultError when the trained shape is missing or damaged.
    """
    from safetensors.numpy import load_file

    from benchbox import geometry
    from benchbox.file_readers.regular_files import library_faults
    from benchbox.file_readers.weight_files import check_safetensors

    again = "run again with --fresh"
    check_safetensors(weights / WEIGHTS, ResultError, again)
    with library_faults(weights / WEIGHTS, "trained mean shape", ResultError, again):
        shape = load_file(weights / WEIGHTS)["shape"]

    def predict(samples: Sequence[Sample]) -> Floats:
        placed: Floats = geometry.transform_points(
            geometry.invert_maps(geometry.box_to_unit(_stack_boxes(samples))), shape
        )
        return placed

    return predict


def networks(params: Mapping[str, Any], layout: Layout | None) -> Mapping[str, Any]:  # noqa: ARG001
    """List no network: there is nothing to count or to time."""
    return {}


def _stack_boxes(samples: Sequence[Sample]) -> Floats:
    import numpy as np

    return np.stack([sample.box for sample in samples])
