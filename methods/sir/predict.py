"""Predict with trained SIR weights."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from benchbox import geometry
from benchbox.layouts import LAYOUTS
from benchbox.training.checkpoint import load_facts, load_into, load_weights
from benchbox.types import Layout, Predict, Sample

from .detector import SirDetector
from .recipe import WEIGHTS
from .training_samples import box_crops, box_frames


def predictor(weights: Path, device: str, layout: Layout | None = None) -> Predict:
    """Return a callable: samples → (n, K, 2) px; batches of any size give the same points."""
    facts = load_facts(weights / WEIGHTS)
    params = {
        "side": int(facts["side"]),
        "patch": int(facts["patch"]),
        "iterations": int(facts["iterations"]),
        "cascade": facts["cascade"] == "True",
        "network": facts["network"],
        "fc_bias": facts["fc_bias"] == "True",
        # weights of earlier versions do not name these
        "patch_input": facts.get("patch_input", "fixed"),
        "stop": float(facts.get("stop", 0.0)),
        "fc1_relu": facts.get("fc1_relu", "True") == "True",
        "init": "he",  # whatever it began with, the weights are read
        "expansion": float(facts["expansion"]),
    }
    count = (layout or LAYOUTS[facts["layout"]]).count
    system = SirDetector(count, params)
    load_into(system, "system", load_weights(weights / WEIGHTS))
    system = system.to(device).eval()

    @torch.inference_mode()
    def predict(samples: Sequence[Sample]) -> np.ndarray:
        theta = system(box_crops(samples, params, device))
        frames = geometry.invert_maps(box_frames(samples, params["expansion"]))
        return geometry.transform_points(frames, theta.double().cpu().numpy())

    return predict
