"""Predictions of a run as a file for other programs, counted from the origin that they want."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np

from benchbox.atomic_write import replace_when_done
from benchbox.csv_cells import guard_cell
from benchbox.errors import ResultError
from benchbox.protocols import protocol_card
from benchbox.types import Predictions, Run

from . import prediction_files, run_data, run_folders

SUFFIXES = (".csv", ".npz")


def export_predictions(run: Run, out: Path, data: Path, origin: float | None = None) -> int:
    """Write the predictions of a run as CSV or `.npz`; return how many rows.

    `origin` is what the file calls the centre of the first pixel: 0 as arrays are indexed, 0.5 on a
    canvas whose corner is (0, 0), 1 as MATLAB counts; None keeps the frame of the annotations,
    which `benchbox score` reads.

    Raises
    ------
    ResultError
        The file's name ends in neither, or gaze is asked for an origin.
    DataError
        An origin is asked for and the annotations, which know their own, are not here.
    """
    if out.suffix not in SUFFIXES:
        raise ResultError(f"{out}: ends in neither {' nor '.join(SUFFIXES)}")
    predictions = prediction_files.read_stored_predictions(run_folders.predictions_file(run.folder))
    if origin is not None:
        protocol = protocol_card.load_protocol(run.protocol)
        if protocol.task != "landmarks":
            raise ResultError(f"{run.protocol}: an origin is of pixels; these are directions or cm")
        index = run_data.open_index(protocol, data, pixels=False)
        predictions = Predictions(
            predictions.ids, predictions.values + (origin - index.origin), predictions.failed
        )
    if out.suffix == ".npz":
        prediction_files.write_predictions(out, predictions)
    else:
        with replace_when_done(out) as beside:
            beside.write_text(_csv_text(predictions), encoding="utf-8")
    return len(predictions.ids)


def _csv_text(predictions: Predictions) -> str:
    width = predictions.values.shape[1]
    names = ["x", "y", "z"][:width]
    if predictions.values.ndim == 3:
        names = [f"{axis}{point}" for point in range(width) for axis in "xy"]
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["id", *names])
    flat = np.asarray(predictions.values, np.float64).reshape(len(predictions.ids), -1)
    for name, numbers in zip(predictions.ids.tolist(), flat.tolist(), strict=True):
        writer.writerow([guard_cell(name), *map(repr, numbers)])
    return stream.getvalue()
