"""Predict with trained weights: one look or two, each with or without its mirror image."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchbox import geometry
from benchbox.errors import ResultError
from benchbox.file_readers.json_files import parse_json
from benchbox.training.checkpoint import load_facts, load_into, load_weights
from benchbox.training.crops import CropViews, cut_crops
from benchbox.types import Predict, Sample

from .detector import HeatmapDetector
from .frames import STORED_EXPANSION, Floats, box_views, crop_frames, face_views
from .recipe import WEIGHTS

_MIRROR = np.array([[-1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])


def predictor(weights: Path, device: str, params: Mapping[str, Any]) -> Predict:
    """Return a callable: samples → (n, K, 2) px; batches of any size give the same points."""
    facts = load_facts(weights / WEIGHTS)
    structure = parse_json(facts["params"], weights / WEIGHTS, fault=ResultError)
    flip = parse_json(facts["flip"], weights / WEIGHTS, fault=ResultError)
    network = HeatmapDetector(int(facts["points"]), structure)
    load_into(network, "network", load_weights(weights / WEIGHTS))
    network = network.to(device, memory_format=torch.channels_last).eval()
    mean, box = (network.get_buffer(name).double().cpu().numpy() for name in ("mean", "box"))

    def look(sampler: Callable[[Tensor, int], Tensor], views: Floats) -> Floats:
        """Find points (n, K, 2) of the stored crops through maps (n, 2, 3) view → crop."""
        maps = torch.from_numpy(views).float().to(device)
        seen = network(sampler(maps, structure["side"]))
        return geometry.transform_points(views, seen.double().cpu().numpy())

    def look_both_ways(sampler: Callable[[Tensor, int], Tensor], views: Floats) -> Floats:
        found = look(sampler, views)
        if not params["mirror"]:
            return found
        mirrored = look(sampler, geometry.compose_maps(views, _MIRROR))
        return (found + mirrored[:, flip]) / 2

    @torch.inference_mode()
    def predict(samples: Sequence[Sample]) -> np.ndarray:
        crops = cut_crops(samples, structure["crop_side"], STORED_EXPANSION)
        sampler = CropViews(crops, device).sampler(np.arange(len(samples)))
        found = look_both_ways(sampler, box_views(samples, structure["expansion"]))
        for _ in range(params["looks"] - 1):
            found = look_both_ways(sampler, face_views(found, mean, box))
        return geometry.transform_points(geometry.invert_maps(crop_frames(samples)), found)

    return predict
