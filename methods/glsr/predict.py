"""Predict with G&LSR weights: trained here, or published by the authors."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from benchbox import geometry
from benchbox.errors import ResultError
from benchbox.file_readers.json_files import parse_json
from benchbox.layouts import LAYOUTS
from benchbox.training.checkpoint import load_facts, load_into, load_weights
from benchbox.training.crops import CropViews, cut_crops
from benchbox.types import Layout, Predict, Sample

from .detector import GlsrDetector
from .frames import box_frame
from .recipe import WEIGHTS
from .release import ReleasedDetector
from .training_samples import STORED_EXPANSION


def predictor(weights: Path, device: str, layout: Layout | None = None) -> Predict:
    """Return a callable: samples → (n, K, 2) px; batches of any size give the same points."""
    facts = load_facts(weights / WEIGHTS)
    layout = layout or LAYOUTS[facts["layout"]]
    if facts["frames"] == "release":
        return _published_predictor(weights, layout.count, device)
    params = parse_json(facts["params"], weights / WEIGHTS, fault=ResultError)
    system = GlsrDetector(layout, params)
    load_into(system, "system", load_weights(weights / WEIGHTS))
    system = system.to(device, memory_format=torch.channels_last).eval()

    @torch.inference_mode()
    def predict(samples: Sequence[Sample]) -> np.ndarray:
        stored = cut_crops(samples, params["crop_side"], STORED_EXPANSION)
        boxes = np.stack([sample.box for sample in samples])
        to_unit = geometry.box_to_unit(geometry.square_boxes(boxes, STORED_EXPANSION))
        frame = geometry.compose_maps(to_unit, box_frame(boxes, params["expansion"]))
        sampler = CropViews(stored, device).sampler(np.arange(len(samples)))
        shape = system(sampler, torch.from_numpy(frame).float().to(device))
        return geometry.transform_points(
            geometry.invert_maps(to_unit), shape.double().cpu().numpy()
        )

    return predict


def _published_predictor(weights: Path, points: int, device: str) -> Predict:
    system = ReleasedDetector(points)
    load_into(system, "system", load_weights(weights / WEIGHTS))
    system = system.to(device).eval()

    def predict(samples: Sequence[Sample]) -> np.ndarray:
        return system.locate(samples, device)

    return predict
