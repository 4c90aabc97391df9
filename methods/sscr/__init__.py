"""SSCR: contrastive pre-training for gaze regression.

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
    """Load trained weights; returns samples → (n, 3) unit vectors."""
    from . import predict

    return predict.predictor(weights, device)


def networks(
    params: Mapping[str, Any], layout: Layout | None
) -> Mapping[str, tuple[nn.Module, tuple[Tensor, ...]]]:
    """Return the network that answers, encoder and regressor, with example inputs of batch 1."""
    import torch

    from . import model

    del layout  # gaze has none
    net = model.GazeNet(
        params["width"], params["side"], params["side"], params["dilated"], params["flatten"]
    )
    return {"encoder and regressor": (net, (torch.zeros(1, 3, params["side"], params["side"]),))}
