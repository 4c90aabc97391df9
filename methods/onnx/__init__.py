"""Any landmark or gaze network in ONNX, run as its card `network.toml` says.

Another method's folder needs no code: its method.toml names this one as its `adapter`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchbox.types import Layout, Predict, Task


def predictor(
    weights: Path,  # noqa: ARG001 - nothing is trained; the card names the network's file
    device: str,
    params: Mapping[str, Any],
    task: Task,
    layout: Layout | None,
    folder: Path,
    data: Path,
) -> Predict:
    """Return samples → (n, K, 2) px | (n, 2) cm | (n, 3)."""
    from . import predict

    return predict.predictor(device, params, task, layout, folder, data)


def weights_files(params: Mapping[str, Any], folder: Path, data: Path) -> dict[str, Path]:
    """Return the network's file and its card, so that a record holds their hashes."""
    from . import predict, session

    card = predict.load_card(params, folder)
    file = session.find_network(card, data)
    return {file.name: file, Path(card.place.file).name: Path(card.place.file)}


def record_notes(params: Mapping[str, Any], folder: Path) -> Sequence[str]:
    """Say by which map the network's points became those of the protocol's layout."""
    from . import point_decoding, predict

    return point_decoding.describe_map(predict.load_card(params, folder))


def networks(params: Mapping[str, Any], layout: Layout | None) -> Mapping[str, Any]:  # noqa: ARG001
    """List no network of torch: there is nothing to count or to time."""
    return {}
