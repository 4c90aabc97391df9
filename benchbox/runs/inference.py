"""How a predictor is asked: in batches, pictures decoded ahead, held against the contract."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
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

    Return (N, *shape) float64 in the pixel frame, NaN rows where it gave no answer. Raises
    PluginError when an answer breaks the contract: no array, another shape, infinite or partly NaN
    rows.
    """
    from benchbox.progress import progress_bar

    size = batch_size(predict, samples)
    batches = progress_bar(
        _prefetch_batches(samples, size),
        total=-(-len(samples) // size),
        desc="predict",
        unit="batch",
        leave=False,
    )
    values = [check_prediction(predict(batch), batch, shape, blame=blame) for batch in batches]
    if not values:
        return np.empty((0, *shape))
    return np.concatenate(values)


def batch_size(predict: Predict, samples: Sequence[Sample]) -> int:
    """Return how many samples a predictor is given at a time."""
    return getattr(predict, "batch_size", _BATCH_SIZE) or max(len(samples), 1)


def _prefetch_batches(samples: Sequence[Sample], size: int) -> Iterator[list[Sample]]:
    """Yield batches, the first pictures of each decoded while the batch before is predicted.

    A method that looks at no picture costs no decoding: after a batch of which none was asked for,
    none is prefetched.
    """
    asked = threading.Event()

    def plain(sample: Sample) -> Sample:
        def pixels() -> Bytes:
            asked.set()
            return sample.pixels()

        return replace(sample, pixels=pixels)

    def prefetched(sample: Sample, decoded: Future[Bytes]) -> Sample:
        def pixels() -> Bytes:
            asked.set()
            return decoded.result()

        return replace(sample, pixels=pixels)

    with ThreadPoolExecutor() as pool:
        try:
            following: list[Sample] = []
            for start in range(0, len(samples), size):
                end = start + size
                batch = following or [plain(sample) for sample in samples[start:end]]
                following = []
                if asked.is_set():
                    later = samples[end : end + size]
                    for sample in later[:_PREFETCHED]:
                        following.append(prefetched(sample, pool.submit(sample.pixels)))
                    following += [plain(sample) for sample in later[_PREFETCHED:]]
                asked.clear()
                yield batch
        finally:
            pool.shutdown(cancel_futures=True)


def check_prediction(
    prediction: Any, samples: Sequence[Sample], shape: tuple[int, ...], *, blame: str
) -> Floats:
    """Hold one answer of a predictor against the contract; return it as float64."""
    wanted = (len(samples), *shape)
    contract = (
        f"method {blame!r}: predictor(weights, device)(samples) "
        f"must return a NumPy array of floats {wanted}"
    )
    if not isinstance(prediction, np.ndarray):
        raise PluginError(f"{contract}, not {type(prediction).__name__}")
    if prediction.shape != wanted:
        raise PluginError(f"{contract}, not {prediction.shape}")
    if prediction.dtype.kind != "f":
        raise PluginError(f"{contract}, not {prediction.dtype}")
    flat = prediction.reshape(len(samples), -1)
    empty = np.isnan(flat)
    partly = empty.any(axis=1) & ~empty.all(axis=1)
    broken = partly | np.isinf(flat).any(axis=1)
    if broken.any():
        name = samples[int(np.argmax(broken))].id
        raise PluginError(
            f"{contract}; {broken.sum()} rows are infinite or partly NaN, the first for {name}"
        )
    return prediction.astype(np.float64)


def convention_warning(predict: Predict, job: Job, *, blame: str) -> str:
    """Say whether another reading of a gaze method's predictions fits its labels far better.

    "" where none does. Signs, order and axes are looked at on up to `_CONVENTION_ITEMS` training
    items; no test item is.
    """
    count = len(job.labelled)
    if job.task == "landmarks" or count == 0:
        return ""
    rows = np.arange(0, count, max(1, count // _CONVENTION_ITEMS))[:_CONVENTION_ITEMS]
    samples = [job.labelled.samples[row] for row in rows]
    labels = job.labelled.values[rows]
    values = predict_samples(predict, samples, labels.shape[1:], blame=blame)
    if np.isnan(values).any(axis=1).all():
        return ""
    resolve = gaze_convention_search.search_point_convention
    if job.task == "gaze3d":
        resolve = gaze_convention_search.search_direction_convention
    return resolve(labels, values, clusters=job.labelled.clusters[rows]).warning
