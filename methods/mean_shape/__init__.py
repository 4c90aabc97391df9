"""The baseline that looks at no pixel.

The training set's mean shape, placed in the protocol's box.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchbox.errors import ResultError
from benchbox.types import Job, Layout, Predict, Sample

if TYPE_CHECKING:
    from benchbox.types import Floats

WEIGHTS = "mean_shape.safetensors"


def train(job: Job) -> None:
    """Average the labelled shapes (N, K, 2) px after each box was mapped to [-1, 1]².

    Leave (K, 2) under `job.out`.
    """
    from benchbox import geometry
    from benchbox.training.array_weights import save_arrays

    to_unit = geometry.box_to_unit(_stack_boxes(job.labelled.samples))
    shape = geometry.transform_points(to_unit, job.labelled.values).mean(axis=0)
    save_arrays(job.out / WEIGHTS, {"shape": shape})


def predictor(weights: Path, device: str) -> Predict:  # noqa: ARG001 - a mean needs no device
    """Return samples → (n, K, 2) px.

    Raises ResultError when the trained shape is missing or damaged.
    """
    from benchbox import geometry
    from benchbox.file_readers.regular_files import library_faults
    from benchbox.training.array_weights import load_arrays

    arrays, _ = load_arrays(weights / WEIGHTS)
    again = "run again with --fresh"
    with library_faults(weights / WEIGHTS, "trained mean shape", ResultError, again):
        shape = arrays["shape"]

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
