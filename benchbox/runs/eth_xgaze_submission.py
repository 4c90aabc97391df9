"""The answer file that the authors of ETH-XGaze score.

One `pitch,yaw` in radians per line, no ids, a fixed order.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchbox.atomic_write import write_whole
from benchbox.datasets.gaze import eth_xgaze
from benchbox.errors import ResultError
from benchbox.geometry import vectors_to_angles
from benchbox.plugins import method_call, method_card
from benchbox.protocols import protocol_card as protocols
from benchbox.types import Predictions, Sample, Truth

from . import external_program, inference, prediction_files, run_folders

if TYPE_CHECKING:
    from benchbox.types import Floats


def write_submission(
    source: Path, data: Path, out: Path, *, device: str = "auto", methods: Sequence[Path] = ()
) -> int:
    """Write the submission of a finished run, or of a predictions file; return its lines' number.

    A run's method predicts the official test pictures with the weights that the run left; a
    predictions file has their ids, `test/subject0001/000000` and so on. Raises DataError when the
    test pictures are not whole, ResultError for a run on other data, a picture without an answer,
    or a file that cannot be written.
    """
    samples = eth_xgaze.list_test_samples(data)
    if source.is_dir():
        predictions = _predict_with_run(source, samples, device, methods)
    else:
        predictions = prediction_files.read_predictions(
            source, _unknown_truth(samples), protocol="the official test set of ETH-XGaze"
        )
    failed = predictions.failed
    if failed.any():
        first = str(predictions.ids[int(np.argmax(failed))])
        raise ResultError(
            f"{source}: {int(failed.sum())} pictures have no answer, the first {first}; "
            "a submission answers for all"
        )
    _write_lines(out, vectors_to_angles(predictions.values))
    return len(samples)


def _predict_with_run(
    source: Path, samples: Sequence[Sample], device: str, methods: Sequence[Path]
) -> Predictions:
    from benchbox.training import process_setup

    run = run_folders.read_run(run_folders.find_folder(source, Path("results")))
    protocol = protocols.load_protocol(run.protocol)
    if protocol.dataset != "eth-xgaze":
        raise ResultError(
            f"{source}: a run on {protocol.dataset}; "
            "a submission wants one that was trained on eth-xgaze"
        )
    chosen = process_setup.choose_device(device)
    process_setup.prepare_process(chosen, 0)
    card = method_card.find_card(run.method, methods)
    weights = run_folders.work_folder(source).absolute()
    setting = method_call.MethodSetting(
        params=run.record.params, task="gaze3d", folder=card.folder.absolute()
    )
    module = external_program.open_method(card)
    blame = method_card.blame_method(card)
    predict = method_call.make_predictor(module, weights, chosen, setting, blame)
    values = inference.predict_samples(predict, samples, (3,), blame=run.method)
    return Predictions(ids=_sample_ids(samples), values=values, failed=np.isnan(values[:, 0]))


def _unknown_truth(samples: Sequence[Sample]) -> Truth:
    """Return a truth of the right ids and shape, whose values nobody knows."""
    ids = _sample_ids(samples)
    return Truth(ids=ids, values=np.full((len(ids), 3), np.nan), groups={}, clusters=ids)


def _sample_ids(samples: Sequence[Sample]) -> np.ndarray:
    return np.array([sample.id for sample in samples], np.str_)


def _write_lines(out: Path, angles_rad: Floats) -> None:
    lines = [f"{pitch:.9f},{yaw:.9f}\n" for pitch, yaw in angles_rad]
    try:
        write_whole(out, "".join(lines))
    except OSError as fault:
        raise ResultError(f"{out}: cannot be written: {fault.strerror or fault}") from fault
