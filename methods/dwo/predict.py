"""Answer with trained weights."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from benchbox.training.casia_net import CasiaNet
from benchbox.training.checkpoint import load_facts, load_into, load_weights
from benchbox.training.gaze_inputs import GazePatches, PatchForm, from_axes, has_all_boxes
from benchbox.training.ordinal_coding import OrdinalCode
from benchbox.types import Predict, Sample, Task

from .recipe import WEIGHTS


def predictor(weights: Path, device: str) -> Predict:
    """Return a callable: samples → (n, 2) cm or (n, 3) unit vectors.

    NaN where an eye has no box.
    """
    facts = load_facts(weights / WEIGHTS)
    form, code = PatchForm.from_facts(facts), OrdinalCode.from_facts(facts).to(device)
    task: Task = "gaze3d" if facts["task"] == "gaze3d" else "gaze2d"
    share_eyes, standardise = (facts[name] == "True" for name in ("share_eyes", "standardise"))
    network = CasiaNet(
        sum(code.bins),
        len(form.sources),
        form.pools,
        share_eyes=share_eyes,
        standardise=standardise,
    )
    load_into(network, "network", load_weights(weights / WEIGHTS))
    network = network.to(device, memory_format=torch.channels_last).eval()

    @torch.inference_mode()
    def predict(samples: Sequence[Sample]) -> np.ndarray:
        able = has_all_boxes(samples, form)
        answers = np.full((len(samples), 3 if task == "gaze3d" else 2), np.nan)
        seen = [sample for sample, fine in zip(samples, able, strict=True) if fine]
        if seen:
            logits = network(*GazePatches(seen, form, device).batch(np.arange(len(seen))))
            answers[able] = from_axes(task, code.decode(logits).double().cpu().numpy())
        return answers

    return predict
