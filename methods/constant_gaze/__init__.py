"""Answers that look at no pixel and train on nothing: into the camera, or where the head points."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchbox.types import Layout, Predict, Sample

if TYPE_CHECKING:
    from benchbox.types import Floats


def predictor(weights: Path, device: str, params: Mapping[str, Any]) -> Predict:  # noqa: ARG001
    """Return samples → (n, 3) directions; NaN rows where the head's direction is not known."""
    import numpy as np

    from benchbox.geometry import angles_to_vectors

    def predict(samples: Sequence[Sample]) -> Floats:
        answers = np.tile(np.array([0.0, 0.0, 1.0]), (len(samples), 1))
        if params["answer"] == "camera":
            return answers
        for row, sample in enumerate(samples):
            head = sample.meta.get("head_pose")
            if head is None:
                answers[row] = np.nan
            else:
                answers[row] = angles_to_vectors(np.asarray(head, np.float64)[None])[0]
        return answers

    return predict


def networks(params: Mapping[str, Any], layout: Layout | None) -> Mapping[str, Any]:  # noqa: ARG001
    """List no network: there is nothing to count or to time."""
    return {}
