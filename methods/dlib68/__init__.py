"""dlib's predictor of 68 points, in the protocol's box or in that of its own detector."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchbox.types import Layout, Predict


def predictor(
    weights: Path,  # noqa: ARG001 - nothing is trained; the package brings the predictor
    device: str,  # noqa: ARG001 - trees run on the processor
    params: Mapping[str, Any],
    layout: Layout | None,
    data: Path,
) -> Predict:
    """Return samples → (n, 68, 2) px; a face that its own detector misses is a row of NaN."""
    from . import predict

    return predict.predictor(params, layout, data)


def weights_files(params: Mapping[str, Any], data: Path) -> dict[str, Path]:
    """Return the predictor's file, so that a record holds its hash."""
    from . import predict

    file = predict.find_model(params, data)
    return {file.name: file}


def networks(params: Mapping[str, Any], layout: Layout | None) -> Mapping[str, Any]:  # noqa: ARG001
    """List no network: trees have no layers to count."""
    return {}
