"""Solve for a linear map from grey pixels, or random features of them, to the gaze's two axes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from benchbox.errors import DataError
from benchbox.training.array_weights import save_arrays
from benchbox.training.gaze_inputs import (
    GazePatches,
    PatchForm,
    gaze_distances,
    has_all_boxes,
    to_axes,
)
from benchbox.types import Job

from .features import PixelScale, RandomCosines, grey_pixels
from .ridge import RidgeFit, fit_ridge

if TYPE_CHECKING:
    from benchbox.types import Floats, Strings

WEIGHTS = "ridge_gaze.safetensors"


def train(job: Job) -> None:
    """Fit every bandwidth and ridge on part of the training people; keep the best on the others.

    Raises DataError where fewer than two samples have all their boxes.
    """
    params, rng = job.params, np.random.default_rng(job.seed)
    form = PatchForm.of(job.labelled.samples, params["side"], params["face_side"])
    rows = np.flatnonzero(has_all_boxes(job.labelled.samples, form))
    if params["samples_most"] and len(rows) > params["samples_most"]:
        rows = np.sort(rng.choice(rows, params["samples_most"], replace=False))
    if len(rows) < 2:
        raise DataError(
            f"{len(rows)} of {len(job.labelled)} training samples have all their boxes; "
            "a regression needs two or more"
        )
    samples = [job.labelled.samples[int(row)] for row in rows]
    pixels = grey_pixels(GazePatches(samples, form, "cpu", keep=True))
    scale = PixelScale.of(pixels)
    scaled = scale.apply(pixels)
    axes = to_axes(job.task, job.labelled.values[rows])
    clusters = job.labelled.clusters[rows]

    arrays: dict[str, np.ndarray] = {"pixel_mean": scale.mean, "pixel_deviation": scale.deviation}
    facts = {"task": job.task, **form.facts()}
    if params["features"] == "random":
        fit, cosines, bandwidth = _fit_cosines(job, scaled, axes, clusters, rng)
        facts["bandwidth"] = str(bandwidth)
        arrays |= {"directions": cosines.directions, "phases": cosines.phases}
    else:
        fit = _fit(job, scaled, axes, clusters)
    arrays |= {"mean": fit.mean, "matrix": fit.matrix, "offset": fit.offset}
    facts |= {"ridge": str(fit.ridge), "left_out_error": str(fit.error)}
    save_arrays(job.out / WEIGHTS, arrays, facts)


def _fit(job: Job, features: Floats, axes: Floats, clusters: Strings) -> RidgeFit:
    params: Mapping[str, Any] = job.params
    error = partial(gaze_distances, job.task)
    return fit_ridge(features, axes, clusters, params["ridges"], params["folds"], error)


def _fit_cosines(
    job: Job, scaled: Floats, axes: Floats, clusters: Strings, rng: np.random.Generator
) -> tuple[RidgeFit, RandomCosines, float]:
    """Return the fit of the bandwidth of least error over people left out, its features, and it."""
    unit = RandomCosines.draw(rng, scaled, job.params["count"])
    found = []
    for bandwidth in job.params["bandwidths"]:
        cosines = replace(unit, directions=unit.directions / bandwidth)
        found.append((_fit(job, cosines.apply(scaled), axes, clusters), cosines, bandwidth))
    return min(found, key=lambda one: one[0].error)
