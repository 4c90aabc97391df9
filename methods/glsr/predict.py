"""Predict with G&LSR weights: trained here, or published by the authors."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchbox import geometry
from benchbox.kit.checkpoint import load_facts, load_into, load_weights
from benchbox.kit.pixels import Views, crops
from benchbox.layouts import LAYOUTS
from benchbox.types import Predict, Sample

from .draws import STORED
from .frames import box_frame
from .recipe import WEIGHTS
from .release import Release
from .system import System


def predictor(weights: Path, device: str) -> Predict:
    """Return a callable: samples → (n, K, 2) px; batches of any size give the same points."""
    facts = load_facts(weights / WEIGHTS)
    layout = LAYOUTS[facts["layout"]]
    if facts["frames"] == "release":
        return _published(weights, layout.count, device)
    params = json.loads(facts["params"])
    system = System(layout, params)
    load_into(system, "system", load_weights(weights / WEIGHTS))
    system = system.to(device, memory_format=torch.channels_last).eval()

    @torch.inference_mode()
    def predict(samples: Sequence[Sample]) -> np.ndarray:
        stored = crops(samples, params["crop_side"], STORED)
        boxes = np.stack([sample.box for sample in samples])
        to_unit = geometry.box_to_unit(geometry.square(boxes, STORED))
        frames = box_frame(boxes, params["expansion"])
        frame = geometry.compose(to_unit, _perturbed(frames, [sample.id for sample in samples], params))
        look = Views(stored, device).look(np.arange(len(samples)))
        shape = system(look, torch.from_numpy(frame).float().to(device))
        return geometry.transform(geometry.invert(to_unit), shape.double().cpu().numpy())

    return predict


def _published(weights: Path, points: int, device: str) -> Predict:
    system = Release(points)
    load_into(system, "system", load_weights(weights / WEIGHTS))
    system = system.to(device).eval()

    def predict(samples: Sequence[Sample]) -> np.ndarray:
        return system.locate(samples, device)

    return predict


def _perturbed(frames: np.ndarray, ids: Sequence[str], params: Mapping[str, Any]) -> np.ndarray:
    """Spoil box frames (n, 2, 3) as Table 4 does: larger, shifted by a share of the side, turned to either side.

    Direction and sign hang on a sample's id alone, so a batch of any size sees the same boxes.
    """
    scale, shift, turn = (params[key] for key in ("perturb_scale", "perturb_shift", "perturb_rotation_deg"))
    if not (scale or shift or turn):
        return frames
    draws = np.array([int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "little") / 2**32 for name in ids])
    direction = 2 * np.pi * draws
    angle = np.deg2rad(turn) * np.where(draws < 0.5, -1, 1)
    cos, sin = np.cos(angle) * (1 + scale), np.sin(angle) * (1 + scale)
    centre = 2 * shift * np.stack([np.cos(direction), np.sin(direction)], axis=-1)  # of [-1, 1]², whose side is 2
    x, y = np.stack([cos, -sin, centre[:, 0]], axis=-1), np.stack([sin, cos, centre[:, 1]], axis=-1)
    return geometry.compose(frames, np.stack([x, y], axis=1))
