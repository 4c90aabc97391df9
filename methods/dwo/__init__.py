"""DwO: adversarial training on the centre bins of an ordinal code.

Heavy imports happen inside the functions.
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
    """Return the network, as it stands in the paper, with example inputs of batch 1."""
    import torch

    from benchbox.training.casia_net import CasiaNet

    del layout  # gaze has none
    patch = torch.zeros(1, 3, params["side"], params["side"])
    return {
        "casia": (
            CasiaNet(sum(params["bins"]), share_eyes=params["share_eyes"]),
            (patch, patch, patch),
        )
    }
