"""The job that a method is tried on: a tiny set of its task, pictures decoded, at smoke budget."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from benchbox import layouts
from benchbox.datasets import select
from benchbox.types import Examples, Index, Job, Protocol, Sample, Task

if TYPE_CHECKING:
    from benchbox.types import Bytes


def make_smoke_job(
    task: Task, protocol: Protocol | None = None, index: Index | None = None
) -> tuple[Job, tuple[Sample, ...]]:
    """Return a job and the test samples; without a protocol and an index, of a tiny set.

    Their pictures are decoded, because they travel to other processes.
    """
    from benchbox.datasets import split

    if protocol is None or index is None:
        protocol, index = _tiny_dataset(task)
    test_items = int(select.select_rows(index, protocol.groups[protocol.overall]).sum())
    small = replace(protocol, test_expected=test_items, test_clusters=0)
    parts = split.split_index(small, index)
    validation = None
    if parts.validation:
        validation = _decode_examples(parts.validation)
    job = Job(
        task=protocol.task,
        layout=layouts.find_layout(protocol),
        labelled=_decode_examples(parts.labelled),
        unlabelled=_decode_samples(parts.unlabelled),
        validation=validation,
        out=Path(),
        seed=0,
        device="cpu",
        budget="smoke",
        params={},
    )
    return job, _decode_samples(parts.test)


def training_pictures(protocol: Protocol, data: Path, most: int = 24) -> tuple[Sample, ...]:
    """Return up to `most` training items of a protocol, spread over it; no test item is looked at.

    Raises DataError where the data are not there.
    """
    from benchbox.datasets import split
    from benchbox.runs import run_data

    index = run_data.open_index(protocol, data)
    labelled = split.split_index(protocol, index).labelled.samples
    step = max(1, len(labelled) // most)
    return tuple(labelled[::step][:most])


def _tiny_dataset(task: Task) -> tuple[Protocol, Index]:
    """Return the protocol and the tiny set that a task is tried on."""
    from benchbox.datasets.synthetic import ibug300w, toy_gaze
    from benchbox.protocols import protocol_card

    if task == "landmarks":
        protocol = protocol_card.load_protocol("synth-300w-full")
        return protocol, ibug300w.tiny(train=16, test=6)
    if task == "gaze2d":
        protocol = protocol_card.load_protocol("gazecapture")
    else:
        protocol = protocol_card.load_protocol("eth-xgaze")
    return protocol, toy_gaze.draw_toy_set(task)


def _decode_examples(examples: Examples) -> Examples:
    return replace(examples, samples=_decode_samples(examples.samples))


def _decode_samples(samples: Sequence[Sample]) -> tuple[Sample, ...]:
    decoded = []
    for sample in samples:
        pixels = partial(_return_pixels, sample.pixels())
        decoded.append(replace(sample, pixels=pixels, cache_key=None))
    return tuple(decoded)


def _return_pixels(pixels: Bytes) -> Bytes:
    return pixels
