"""Ridge regression from pictures to gaze; heavy imports happen inside the contract's functions."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchbox.types import Job, Layout, Predict


def train(job: Job) -> None:
    """Solve for the map from features to gaze and leave it under the job's folder."""
    from . import recipe

    recipe.train(job)


def predictor(weights: Path, device: str) -> Predict:
    """Load a map; returns samples → (n, 2) cm or (n, 3) unit vectors.

    NaN where an eye has no box. Raises ResultError when the weights are missing or damaged.
    """
    from . import predict

    return predict.predictor(weights, device)


def networks(params: Mapping[str, Any], layout: Layout | None) -> Mapping[str, Any]:  # noqa: ARG001
    """List no network: a matrix product is no more than it says."""
    return {}
