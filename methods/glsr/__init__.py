"""G&LSR: global and local shape reinitialisation; heavy imports happen inside the contract's functions."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from benchbox.types import Job, Predict


def train(job: Job) -> None:
    """Train the variant that `job.params` describes."""
    from . import recipe

    recipe.train(job)


def predictor(weights: Path, device: str) -> Predict:
    """Load trained weights; returns samples → (n, K, 2) px."""
    from . import predict

    return predict.predictor(weights, device)
