"""What a predictor is asked and answers: in batches, pictures decoded ahead, held against the contract."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from benchbox.errors import PluginError
from benchbox.metrics import gaze_convention_search
from benchbox.types import Job, Predict, Sample

if TYPE_CHECKING:
    from benchbox.types import Bytes, Floats

_CONVENTION_ITEMS = 256  # training items on which a gaze method's convention is looked at
_BATCH_SIZE = 32
_PREFETCHED = 16  # pictures decoded ahead: originals take up to 40 MB each


def predict_samples(
    predict: Predict, samples: Sequence[Sample], shape: tuple[int, ...], *, blame: str
) -> Floats:
    """Call a predictor in batches.

    Return (N, *shape) float64 in the pixel frame, NaN rows where it gave no answer.

    Raises PluginError when an answer breaks the contract: no array, another shape, infinite or partly NaN rows.
    """
    from tqdm import tqdm

    count = -(-len(samples) // _BATCH_SIZE)
    values = [
        check_prediction(predict(batch), batch, shape, blame=blame)
        for batch in tqdm(
            _prefetch_batches(samples),
            total=count,
            desc="predict",
            unit="batch",
            disable=None,
            leave=False,
        )
    ]
    return np.concatenate(values) if values else np.empty((0, *shape))


def _prefetch_batches(samples: Sequence[Sample]) -> Iterator[list[Sample]]:
    """Yield batches, the first pictures of each decoded while the batch before is predicted.

    A method that looks at no picture costs no decoding: after a batch of which none was asked for, none is made ahead.
    """
    asked = threading.Event()

    def decoding(sample: Sample, pool: ThreadPoolExecutor, ahead: bool) -> Sample:
        made = pool.submit(sample.pixels) if ahead else None

        def pixels() -> Bytes:
            asked.set()
            return made.result() if made else sample.pixels()

        return replace(sample, pixels=pixels)

    with ThreadPoolExecutor() as pool:
        try:
            following: list[Sample] = []
            for start in range(0, len(samples), _BATCH_SIZE):
                batch = following or [
                    decoding(sample, pool, False) for sample in samples[start : start + _BATCH_SIZE]
                ]
                ahead = asked.is_set()
                asked.clear()
                later = samples[start + _BATCH_SIZE : start + 2 * _BATCH_SIZE] if ahead else ()
                following = [
                    decoding(sample, pool, place < _PREFETCHED)
                    for place, sample in enumerate(later)
                ]
                yield batch
        finally:
            pool.shutdown(cancel_futures=True)


def check_prediction(
    answer: Any, samples: Sequence[Sample], shape: tuple[int, ...], *, blame: str
) -> Floats:
    """Hold one answer of a predictor against the contract; return it as float64."""
    wanted = (len(samples), *shape)
    contract = f"method {blame!r}: predictor(weights, device)(samples) must return a NumPy array of floats {wanted}"
    if not isinstance(answer, np.ndarray):
        raise PluginError(f"{contract}, not {type(answer).__name__}")
    if answer.shape != wanted:
        raise PluginError(f"{contract}, not {answer.shape}")
    if answer.dtype.kind != "f":
        raise PluginError(f"{contract}, not {answer.dtype}")
    flat = answer.reshape(len(samples), -1)
    empty = np.isnan(flat)
    broken = np.isinf(flat).any(axis=1) | (empty.any(axis=1) & ~empty.all(axis=1))
    if broken.any():
        name = samples[int(np.argmax(broken))].id
        raise PluginError(
            f"{contract}; {broken.sum()} rows are infinite or partly NaN, the first for {name}"
        )
    return answer.astype(np.float64)


def convention_warning(predict: Predict, job: Job, *, blame: str) -> str:
    """Say whether another reading of a gaze method's answers agrees far better with its own training labels, else "".

    Signs, order and axes are looked at on up to `_READ` training items; no test item is.
    """
    count = len(job.labelled)
    if job.task == "landmarks" or count == 0:
        return ""
    rows = np.arange(0, count, max(1, count // _CONVENTION_ITEMS))[:_CONVENTION_ITEMS]
    values = predict_samples(
        predict,
        [job.labelled.samples[row] for row in rows],
        job.labelled.values.shape[1:],
        blame=blame,
    )
    if np.isnan(values).any(axis=1).all():
        return ""
    resolve = (
        gaze_convention_search.search_direction_convention
        if job.task == "gaze3d"
        else gaze_convention_search.search_point_convention
    )
    return resolve(job.labelled.values[rows], values, clusters=job.labelled.clusters[rows]).warning
