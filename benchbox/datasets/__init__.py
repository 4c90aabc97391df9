"""Datasets by name; each module is imported when it is first asked for, so listing them costs nothing."""

from __future__ import annotations

import difflib
from importlib import import_module
from typing import TYPE_CHECKING, cast

from benchbox.errors import DataError

if TYPE_CHECKING:
    from benchbox.types import Dataset, Protocol

DATASETS = {
    "300vw": "ibug300vw",
    "300w": "ibug300w",
    "300w-private": "ibug300w_private",
    "aflw": "aflw",
    "cofw": "cofw",
    "cofw68": "cofw68",
    "eth-xgaze": "eth_xgaze",
    "files": "own",
    "gazecapture": "gazecapture",
    "gazecn": "gazecn",
    "gazestare": "gazestare",
    "glsr-release": "glsr_release",
    "mpiifacegaze": "mpiifacegaze",
    "mpiigaze": "mpiigaze",
    "mpiigaze-small": "mpiigaze_small",
    "synth-300vw": "twins.ibug300vw",
    "synth-300w": "synthetic",
    "synth-300w-private": "twins.ibug300w_private",
    "synth-aflw": "twins.aflw",
    "synth-cofw": "twins.cofw",
    "synth-cofw68": "twins.cofw68",
    "synth-eth-xgaze": "twins.eth_xgaze",
    "synth-gazecapture": "twins.gazecapture",
    "synth-gazecn": "twins.gazecn",
    "synth-gazestare": "twins.gazestare",
    "synth-mpiifacegaze": "twins.mpiifacegaze",
    "synth-mpiigaze": "twins.mpiigaze",
    "synth-wflw": "twins.wflw",
    "wflw": "wflw",
    "ytf68": "ytf68",
}


def open(name: str) -> Dataset:  # noqa: A001 - reads as datasets.open(name)
    """Return the module that reads a dataset.

    Raises
    ------
    DataError
        The name is in no table; says which come near.
    """
    if name not in DATASETS:
        near = difflib.get_close_matches(name, DATASETS, n=3, cutoff=0.4)
        meant = f"did you mean {' or '.join(near)}? " if near else ""
        raise DataError(f"no dataset is called {name!r}; {meant}there are {', '.join(sorted(DATASETS))}")
    return cast("Dataset", import_module(f".{DATASETS[name]}", __name__))


def of(protocol: Protocol) -> Dataset:
    """Return the reader of a protocol's dataset; for a card of one's own files, one made from its source."""
    if protocol.source is None:
        return open(protocol.dataset)
    from benchbox.layouts import LAYOUTS

    from .own import Files

    return Files(protocol.name.partition("+")[0], protocol.source, LAYOUTS[protocol.layout].count)
