"""TAT: tolerant and talented training of a gaze network.

Heavy imports happen inside the contract's functions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from typing import Any

    from torch import Tensor, nn

    from benchbox.types import Job, Layout, Predict


def train(job: Job) -> None:
    """Train the variant that `job.params` describes."""
    from . import recipe

    recipe.train(job)


def predictor(weights: Path, device: str) -> Predict:
    """Load trained weights; returns samples → (n, 2) cm or (n, 3) unit vectors."""
    from . import predict

    return predict.predictor(weights, device)


def networks(
    params: Mapping[str, Any], layout: Layout | None
) -> Mapping[str, tuple[nn.Module, tuple[Tensor, ...]]]:
    """Return the variant's network, as it stands in the paper, with example inputs of batch 1."""
    from . import gaze_network

    del layout  # gaze has none
    return gaze_network.example_networks(params)
