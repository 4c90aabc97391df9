"""What `benchbox test protocol NAME` tries: the card, its annotations, and a few predictions.

The true points themselves must score 0; moved by a tenth of the normaliser they must score 10 %.
That holds for any protocol whose card, annotations and normaliser belong together.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchbox.datasets import label_checks, open_protocol_dataset
from benchbox.datasets import split as splits
from benchbox.errors import BenchboxError
from benchbox.layouts import find_layout
from benchbox.metrics import landmarks
from benchbox.protocols import protocol_card
from benchbox.runs import run_data, run_plan
from benchbox.scoring.score import score_predictions
from benchbox.types import Index, Predictions, Protocol, Truth

from .check_result import Check

if TYPE_CHECKING:
    from benchbox.types import Floats

_STEP = 0.1  # of the normaliser, by which true points are moved


def check_protocol(name: str, root: Path, say: run_plan.Say) -> list[Check]:
    """Try a protocol under a data root; stops at the first promise that the others need."""
    checks: list[Check] = []
    try:
        for check in _run_checks(name, root, say):
            checks.append(check)
    except BenchboxError as fault:
        checks.append(Check("annotations" if checks else "card", ok=False, detail=str(fault)))
    return checks


def _run_checks(name: str, root: Path, say: run_plan.Say) -> Iterator[Check]:
    protocol = protocol_card.load_protocol(name)
    yield Check("card", ok=True, detail=f"{protocol.name} version {protocol.version}")
    index = run_data.open_index(protocol, root, pixels=False)
    for note in index.notes:
        say(f"note: {note}")
    truth = splits.ground_truth(protocol, index)
    origin = f"origin {index.origin:g}"
    yield Check("annotations", ok=True, detail=f"{len(truth.ids)} test items, {origin}")
    yield _check_labels(protocol, index)
    yield _check_pictures(protocol, root)
    yield _check_perfect(protocol, truth)
    if protocol.task == "landmarks":
        yield _check_moved(protocol, truth)


def _check_labels(protocol: Protocol, index: Index) -> Check:
    faults = label_checks.find_used_faults(protocol, index, training=False)
    if faults:
        return Check("labels", ok=False, detail=faults[0].what)
    return Check("labels", ok=True, detail="nothing strange")


def _check_pictures(protocol: Protocol, root: Path) -> Check:
    find = getattr(open_protocol_dataset(protocol), "picture_files", None)
    if find is None:
        return Check("pictures", ok=True, detail="`benchbox data verify` examines them")
    files = find(root)
    if not files:
        detail = "none found: predictions can be scored, no method can run here"
        return Check("pictures", ok=True, detail=detail)
    return Check("pictures", ok=True, detail=f"{len(files)} items have one")


def _check_perfect(protocol: Protocol, truth: Truth) -> Check:
    predictions = Predictions(truth.ids, truth.values, np.zeros(len(truth.ids), bool))
    worst = _first_value(protocol, truth, predictions)
    return Check(
        "true values score 0", ok=bool(worst < 1e-6), detail=f"{protocol.overall}: {worst:.6f}"
    )


def _check_moved(protocol: Protocol, truth: Truth) -> Check:
    layout = find_layout(protocol)
    if layout is None:
        return Check("a known shift", ok=False, detail="the card has no layout")
    lengths = landmarks.normaliser_lengths(
        protocol.normalisers[0], truth.values, layout, truth.boxes, truth.ids
    )
    moved: Floats = truth.values + np.array([_STEP, 0.0]) * lengths[:, None, None]
    predictions = Predictions(truth.ids, moved, np.zeros(len(truth.ids), bool))
    found = _first_value(protocol, truth, predictions)
    wanted = 100 * _STEP
    return Check(
        "a tenth of the normaliser scores 10 %",
        ok=bool(abs(found - wanted) < 1e-6),
        detail=f"{protocol.normalisers[0]}: {found:.4f} %",
    )


def _first_value(protocol: Protocol, truth: Truth, predictions: Predictions) -> float:
    scores = score_predictions(replace(protocol, resamples=100), truth, predictions)
    for score in scores.groups[protocol.overall].values():
        if score.value is not None:
            return float(score.value)
    return float("nan")
