"""Answer with trained weights, each sample as it is and in the mirror."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchbox.errors import ResultError
from benchbox.file_readers.json_files import parse_json
from benchbox.training.checkpoint import load_facts, load_into, load_weights
from benchbox.training.gaze_inputs import GazePatches, PatchForm, from_axes, has_all_boxes
from benchbox.types import Predict, Sample, Task

from .network import PlainGaze, mirror_axes, mirror_patches
from .recipe import WEIGHTS


def predictor(weights: Path, device: str, params: Mapping[str, Any]) -> Predict:
    """Return a callable: samples → (n, 2) cm or (n, 3) unit vectors; NaN where an eye has no box.

    Batches of any size give the same answers.
    """
    facts = load_facts(weights / WEIGHTS)
    structure = parse_json(facts["params"], weights / WEIGHTS, fault=ResultError)
    form = PatchForm.from_facts(facts)
    task: Task = "gaze3d" if facts["task"] == "gaze3d" else "gaze2d"
    network = PlainGaze(len(form.sources), **structure)
    load_into(network, "network", load_weights(weights / WEIGHTS))
    network = network.to(device, memory_format=torch.channels_last).eval()

    @torch.inference_mode()
    def answer(samples: Sequence[Sample]) -> np.ndarray:
        patches = GazePatches(samples, form, device).batch(np.arange(len(samples)))
        axes = network(*patches)
        if params["mirror"]:
            mirrored = network(*mirror_patches(patches))
            axes = (axes + mirror_axes(task, mirrored)) / 2
        return from_axes(task, axes.double().cpu().numpy())

    def predict(samples: Sequence[Sample]) -> np.ndarray:
        able = has_all_boxes(samples, form)
        answers = np.full((len(samples), 3 if task == "gaze3d" else 2), np.nan)
        seen = [sample for sample, fine in zip(samples, able, strict=True) if fine]
        if seen:
            answers[able] = answer(seen)
        return answers

    return predict
