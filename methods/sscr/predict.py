"""Answer with trained weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from benchbox.training.checkpoint import load_facts, load_into, load_weights
from benchbox.training.gaze_inputs import GazePatches, PatchForm, from_axes
from benchbox.types import Predict, Sample

from .recipe import WEIGHTS, build_network


def predictor(weights: Path, device: str) -> Predict:
    """Return a callable: samples → (n, 3) unit vectors."""
    facts = load_facts(weights / WEIGHTS)
    shape = PatchForm.from_facts(facts)
    switches = {key: facts[key] == "True" for key in ("dilated", "flatten")}
    net = build_network({"width": int(facts["channels"]), **switches}, shape)
    load_into(net, "network", load_weights(weights / WEIGHTS))
    net = net.to(device, memory_format=torch.channels_last).eval()

    @torch.inference_mode()
    def predict(samples: Sequence[Sample]) -> np.ndarray:
        patches = GazePatches([replace(sample, boxes={}) for sample in samples], shape, device)
        axes = net(*patches.batch(np.arange(len(samples)))).double().cpu().numpy()
        return from_axes("gaze3d", axes)

    return predict
