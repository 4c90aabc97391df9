"""What constants leave of a gaze protocol: the errors that stand beside every row.

Four answers look at no pixel: straight into the camera, the head's direction, the mean direction of
the training set, and that of the *target*: for each person the mean of the other people that are
tested. The first three are methods (`constant-gaze`, `mean-gaze`). The last one knows the labels
that it is scored on, so it is no method: it is kept as submitted predictions that say so, and
stands apart on the board. A mean is one of vectors: angles near ±180° have none.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchbox.datasets import assemble, split
from benchbox.errors import DataError
from benchbox.geometry import angles_to_vectors
from benchbox.metrics import gaze
from benchbox.protocols import protocol_card
from benchbox.types import Index, Predictions, Protocol

from . import prediction_files, run_data, run_outcome, score_file

if TYPE_CHECKING:
    from benchbox.types import Floats, Strings

TARGET = "target-mean"
TARGET_WORDS = "mean direction of the other people of the test set"


@dataclass(frozen=True)
class Constant:
    """One answer for everybody, and what it leaves."""

    name: str
    answer: str
    knows: str
    error_deg: float  # mean over the items of the overall group
    groups: Mapping[str, float]  # group → the same of its items


def measure_constants(name: str, data: Path) -> tuple[Constant, ...]:
    """Measure the constants of a protocol of directions on its labels.

    The mean of the training set is left out where that is not here, or where folds make it the mean
    of the other people.

    Raises
    ------
    DataError
        The test set is not whole.
    """
    protocol, index = _open(name, data)
    truth = split.ground_truth(protocol, index)
    rows = {str(item): row for row, item in enumerate(index.ids)}
    tested = np.array([rows[str(item)] for item in truth.ids], np.intp)
    values = np.asarray(truth.values, np.float64)
    answers = [
        ("constant-gaze", "straight into the camera", "nothing", np.array([0.0, 0.0, 1.0])),
        (TARGET, TARGET_WORDS, "the target's labels", mean_of_others(values, truth.clusters)),
    ]
    head = index.meta.get("head_pose")
    if head is not None and np.isfinite(head[tested]).all():
        direction = angles_to_vectors(np.asarray(head[tested], np.float64))
        answers.append(
            ("constant-gaze, head", "the head's direction", "the target's head pose", direction)
        )
    source = _mean_of_source(protocol, data)
    if source is not None:
        answers.append(("mean-gaze", "mean direction of the training set", "the source", source))
    constants = []
    for title, answer, knows, direction in answers:
        errors = gaze.angular_error_deg(values, np.broadcast_to(direction, values.shape))
        groups = {group: float(errors[truth.groups[group]].mean()) for group in protocol.groups}
        constants.append(Constant(title, answer, knows, groups[protocol.overall], groups))
    return tuple(sorted(constants, key=lambda constant: constant.error_deg))


def store_target_mean(name: str, data: Path, results: Path) -> run_outcome.ScoreResult:
    """Keep the mean direction of the target as a submitted run that says what it knows.

    Raises
    ------
    DataError
        The test set is not whole.
    ResultError
        Such a run is there.
    """
    protocol, index = _open(name, data)
    truth = split.ground_truth(protocol, index)
    answers = mean_of_others(np.asarray(truth.values, np.float64), truth.clusters)
    predictions = Predictions(truth.ids, answers, np.zeros(len(answers), bool))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"{TARGET}.npz"
        prediction_files.write_predictions(file, predictions)
        return score_file.score_predictions_file(
            file, name, TARGET, data, results, training={"knows_labels": TARGET_WORDS}
        )


def mean_of_others(values: Floats, people: Strings) -> Floats:
    """Return for each direction (N, 3) the mean direction of everybody else, of length 1.

    >>> two = np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]])
    >>> mean_of_others(two, np.array(["ann", "bob"])).tolist()
    [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]
    """
    names, which = np.unique(people, return_inverse=True)
    sums = np.zeros((len(names), 3))
    np.add.at(sums, which, values)
    others = sums.sum(axis=0) - sums if len(names) > 1 else sums
    lengths = np.linalg.norm(others, axis=1, keepdims=True)
    if (lengths < 1e-9).any():
        raise DataError("directions cancel out, so they have no mean; check the labels")
    return np.asarray((others / lengths)[which])


def _open(name: str, data: Path) -> tuple[Protocol, Index]:
    protocol = protocol_card.load_protocol(name)
    if protocol.task != "gaze3d":
        raise DataError(f"{name}: constants are directions; its task is {protocol.task}")
    return protocol, run_data.open_index(protocol, data, pixels=False)


def _mean_of_source(protocol: Protocol, data: Path) -> Floats | None:
    if protocol.folds or not protocol.train_parts:
        return None
    try:
        index = assemble.assemble_index(protocol, data, pixels=False)
        labelled = split.split_index(protocol, index).labelled
    except DataError:
        return None  # a source that is not here
    mean: Floats = np.asarray(labelled.values, np.float64).mean(axis=0)
    return mean / np.linalg.norm(mean)
