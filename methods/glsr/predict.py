"""Predict with trained G&LSR weights."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from benchbox import geometry
from benchbox.kit.checkpoint import load_facts, load_into, load_weights
from benchbox.kit.pixels import Views, crops
from benchbox.layouts import LAYOUTS
from benchbox.types import Predict, Sample

from .draws import STORED
from .frames import box_frame
from .recipe import WEIGHTS, build


def predictor(weights: Path, device: str) -> Predict:
    """Return a callable: samples → (n, K, 2) px; batches of any size give the same points."""
    facts = load_facts(weights / WEIGHTS)
    params = {
        "side": int(facts["side"]),
        "head": facts["head"],
        "reinit": facts["reinit"] == "True",
        "local": facts["local"] == "True",
    }
    system = build(params, LAYOUTS[facts["layout"]])
    load_into(system, "system", load_weights(weights / WEIGHTS))
    system = system.to(device, memory_format=torch.channels_last).eval()
    crop_side, expansion = int(facts["crop_side"]), float(facts["expansion"])

    @torch.inference_mode()
    def predict(samples: Sequence[Sample]) -> np.ndarray:
        stored = crops(samples, crop_side, STORED)
        boxes = np.stack([sample.box for sample in samples])
        to_unit = geometry.box_to_unit(geometry.square(boxes, STORED))
        frame = geometry.compose(to_unit, box_frame(boxes, expansion))
        look = Views(stored, device).look(np.arange(len(samples)))
        shape = system(look, torch.from_numpy(frame).float().to(device))
        return geometry.transform(geometry.invert(to_unit), shape.double().cpu().numpy())

    return predict
