"""Datasets by name: readers in `landmarks`, `gaze` and `synthetic`, file formats in `formats`.

Each module is imported when it is first asked for, so listing them costs nothing. What protocols
make of a dataset is here too: `select`, `assemble`, `perturb`, `split`, `verify`. Protocol cards
are next door in `benchbox.protocols`.
"""

from __future__ import annotations

import difflib
from importlib import import_module
from typing import TYPE_CHECKING, cast

from benchbox.errors import DataError

if TYPE_CHECKING:
    from benchbox.types import Dataset, Protocol

# module, or module:object as in entry points
DATASETS = {
    "300vw": "landmarks.ibug300vw",
    "300w": "landmarks.ibug300w",
    "300w-lp": "landmarks.ibug300w_lp",
    "300w-private": "landmarks.ibug300w_private",
    "aflw": "landmarks.aflw",
    "aflw2000-3d": "landmarks.aflw2000_3d:ORIGINAL",
    "aflw2000-3d-reannotated": "landmarks.aflw2000_3d:REANNOTATED",
    "cofw": "landmarks.cofw",
    "cofw68": "landmarks.cofw68",
    "eth-xgaze": "gaze.eth_xgaze",
    "eyediap": "gaze.gazehub:EYEDIAP",
    "files": "custom",
    "gaze360": "gaze.gaze360_set",
    "gaze360-gazehub": "gaze.gazehub:GAZE360",
    "gazecapture": "gaze.gazecapture",
    "gazecapture-faze": "gaze.gazecapture_degrees:FAZE",
    "gazecapture-sted": "gaze.gazecapture_degrees:STED",
    "gazecn": "gaze.gazecn",
    "gazestare": "gaze.gazestare",
    "glsr-release": "landmarks.glsr_release",
    "mpiifacegaze": "gaze.mpiifacegaze",
    "mpiifacegaze-gazehub": "gaze.gazehub:MPIIFACEGAZE",
    "mpiigaze": "gaze.mpiigaze",
    "mpiigaze-small": "gaze.mpiigaze_small",
    "synth-300vw": "synthetic.twin_table:IBUG300VW",
    "synth-300w": "synthetic.ibug300w",
    "synth-300w-private": "synthetic.twin_table:IBUG300W_PRIVATE",
    "synth-aflw": "synthetic.twin_table:AFLW",
    "synth-aflw2000-3d": "synthetic.twin_table:AFLW2000_3D",
    "synth-aflw2000-3d-reannotated": "synthetic.twin_table:AFLW2000_3D_REANNOTATED",
    "synth-cofw": "synthetic.twin_table:COFW",
    "synth-cofw68": "synthetic.twin_table:COFW68",
    "synth-eth-xgaze": "synthetic.twin_table:ETH_XGAZE",
    "synth-eyediap": "synthetic.twin_table:EYEDIAP",
    "synth-gaze360": "synthetic.twin_table:GAZE360",
    "synth-gazecapture": "synthetic.twin_table:GAZECAPTURE",
    "synth-gazecapture-degrees": "synthetic.twin_table:GAZECAPTURE_DEGREES",
    "synth-gazecn": "synthetic.twin_table:GAZECN",
    "synth-gazestare": "synthetic.gazestare",
    "synth-mpiifacegaze": "synthetic.twin_table:MPIIFACEGAZE",
    "synth-mpiigaze": "synthetic.twin_table:MPIIGAZE",
    "synth-wflw": "synthetic.twin_table:WFLW",
    "wflw": "landmarks.wflw",
    "ytf68": "landmarks.ytf68",
}


def open_dataset(name: str) -> Dataset:
    """Return what reads a dataset: a module, or a row of the twin table.

    Raises
    ------
    DataError
        The name is in no table; says which come near.

    Examples
    --------
    >>> open_dataset("wflw").ACCESS.folder
    'wflw'
    >>> open_dataset("wlfw")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    benchbox.errors.DataError: no dataset is called 'wlfw'; did you mean wflw...
    """
    if name not in DATASETS:
        hint = ""
        similar = difflib.get_close_matches(name, DATASETS, n=3, cutoff=0.4)
        if similar:
            hint = f"did you mean {' or '.join(similar)}? "
        raise DataError(
            f"no dataset is called {name!r}; {hint}there are {', '.join(sorted(DATASETS))}"
        )
    module_name, _, twin = DATASETS[name].partition(":")
    module = import_module(f".{module_name}", __name__)
    if twin:
        return cast("Dataset", getattr(module, twin))
    return cast("Dataset", module)


def open_protocol_dataset(protocol: Protocol) -> Dataset:
    """Return the reader of a protocol's dataset; that of a custom dataset is made from the card.

    Raises
    ------
    DataError
        The card's dataset is in no table.
    """
    if protocol.source is None:
        return open_dataset(protocol.dataset)
    name = protocol.name.partition("+")[0]
    if protocol.task != "landmarks":
        from .custom_gaze import CustomGazeDataset

        boxes = (protocol.box, *protocol.extra_boxes)
        return CustomGazeDataset(name, protocol.source, protocol.task, boxes)
    from benchbox.layouts import require_layout

    from .custom import CustomDataset

    if protocol.source.format:
        from .annotated_files import AnnotatedFiles

        return AnnotatedFiles(name, protocol.source, require_layout(protocol))
    return CustomDataset(name, protocol.source, require_layout(protocol))
