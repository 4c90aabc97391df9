"""Predict with trained TS3 weights."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchbox.layouts import LAYOUTS
from benchbox.training.checkpoint import load_facts, load_into, load_weights
from benchbox.types import Layout, Predict, Sample

from . import students
from .random_views import FaceViews
from .recipe import WEIGHTS


def predictor(weights: Path, device: str, layout: Layout | None = None) -> Predict:
    """Return a callable: samples → (n, K, 2) px; batches of any size give the same points."""
    facts, tensors = load_facts(weights / WEIGHTS), load_weights(weights / WEIGHTS)
    layout = layout or LAYOUTS[facts["layout"]]
    params = {
        "students": facts["students"],
        "background": facts["background"] == "True",
        "width": float(facts["width"]),
        "trunk": "he",
        "stacks": int(facts.get("stacks", 4)),  # weights of earlier versions do not say
        **{key: int(facts[key]) for key in ("side", "crop_side", "radius")},
        "expansion": float(facts["expansion"]),
    }
    made = []
    for name in students.student_names(params):
        student = students.make_student(name, layout.count, params)
        load_into(student, name, tensors)
        made.append(student.to(device).eval())

    def predict(samples: Sequence[Sample]) -> np.ndarray:
        faces = FaceViews(samples, layout, params, device)
        points = students.predict_points(
            made, faces, np.arange(len(samples)), layout.count, params["radius"]
        )
        return faces.to_pictures(points.double().numpy())

    return predict
