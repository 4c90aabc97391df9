"""MediaPipe's face landmarker: 478 points, found by its own detector near the protocol's box."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchbox.types import Layout, Predict


def predictor(
    weights: Path,  # noqa: ARG001 - nothing is trained; a person brings the task file
    device: str,  # noqa: ARG001 - the graph runs on the processor
    params: Mapping[str, Any],
    layout: Layout | None,
    data: Path,
) -> Predict:
    """Return samples → (n, K, 2) px; a face that its detector misses is a row of NaN."""
    from . import predict

    return predict.predictor(params, layout, data)


def weights_files(params: Mapping[str, Any], data: Path) -> dict[str, Path]:
    """Return the task file, so that a record holds its hash."""
    from . import predict

    file = predict.find_model(params, data)
    return {file.name: file}


def record_notes(params: Mapping[str, Any], layout: Layout | None) -> Sequence[str]:
    """Say by which map the points became those of the protocol's layout."""
    from . import predict

    return predict.describe_map(params, layout)


def networks(params: Mapping[str, Any], layout: Layout | None) -> Mapping[str, Any]:  # noqa: ARG001
    """List no network of torch: there is nothing to count or to time."""
    return {}
