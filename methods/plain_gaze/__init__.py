"""A plain gaze network of today; heavy imports happen inside the contract's functions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from torch import Tensor, nn

    from benchbox.types import Job, Layout, Predict


def train(job: Job) -> None:
    """Train the variant that `job.params` describes."""
    from . import recipe

    recipe.train(job)


def predictor(weights: Path, device: str, params: Mapping[str, Any]) -> Predict:
    """Load trained weights; returns samples → (n, 2) cm or (n, 3) unit vectors.

    NaN where an eye has no box.
    """
    from . import predict

    return predict.predictor(weights, device, params)


def networks(
    params: Mapping[str, Any], layout: Layout | None
) -> Mapping[str, tuple[nn.Module, tuple[Tensor, ...]]]:
    """List the network of three patches once for each time that a prediction runs it."""
    from . import network

    del layout  # gaze has none
    return network.list_networks(params)
