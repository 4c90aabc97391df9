"""TS3: teacher supervises students; heavy imports happen inside the contract's functions."""

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


def predictor(weights: Path, device: str, layout: Layout | None = None) -> Predict:
    """Load trained weights; returns samples → (n, K, 2) px.

    `layout` is the protocol's, which may be a card's own; None: the one of the table.
    """
    from . import predict

    return predict.predictor(weights, device, layout)


def networks(
    params: Mapping[str, Any], layout: Layout
) -> Mapping[str, tuple[nn.Module, tuple[Tensor, ...]]]:
    """List the students that a prediction runs, each with an input of batch 1."""
    from . import students

    return students.example_networks(params, layout.count)
