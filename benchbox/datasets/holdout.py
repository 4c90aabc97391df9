"""A share of the training set in the test set's place, for choosing a recipe.

Whoever compares settings on a test split has chosen by it. The option `holdout=0.15` trains on the
other 85 % and tests on this share; the test split takes no part.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from benchbox.errors import DataError
from benchbox.types import Index, Protocol

from . import select
from .cluster_draw import hash_order
from .select import HOLDOUT

if TYPE_CHECKING:
    from benchbox.types import Bools, Strings


def hold_out(protocol: Protocol, index: Index) -> Index:
    """Turn a share of the training rows into the part `HOLDOUT`; without the option, none.

    Whole photos or people, in the order of a hash of their names: a smaller share is within a
    larger one, and protocols with the same training parts hold out the same.

    Raises
    ------
    DataError
        There is one photo or person only, and nothing would be left to train on; or a part of the
        data is called as the hold-out is, and its rows would be tested on beside it.
    """
    if not protocol.holdout:
        return index
    if HOLDOUT in index.parts:
        raise DataError(
            f"{protocol.name}: a part of {index.dataset} is called {HOLDOUT!r} itself; rename it "
            "in the card, or leave +holdout= out"
        )
    train = select.select_rows(index, protocol.train_parts)
    names = np.unique(index.clusters[train])
    if len(names) < 2:
        raise DataError(
            f"{protocol.name}: +holdout= needs two {protocol.cluster}s or more to train on, this "
            f"copy has {len(names)}"
        )
    drawn = _draw_at_least(
        index.clusters[train], protocol.holdout * int(train.sum()), _salt(protocol)
    )
    held_out = np.zeros(len(index.ids), bool)
    held_out[train] = drawn
    return replace(index, parts=np.where(held_out, HOLDOUT, index.parts))


def _salt(protocol: Protocol) -> str:
    return f"{protocol.dataset}:{','.join(sorted(protocol.train_parts))}:{HOLDOUT}"


def _draw_at_least(clusters: Strings, quota: float, salt: str) -> Bools:
    """Mark whole clusters (N,) until `quota` rows are marked; all but one at most."""
    names, cluster_of_row, sizes = np.unique(clusters, return_inverse=True, return_counts=True)
    order = hash_order(names, salt)
    drawn_before = np.cumsum(sizes[order]) - sizes[order]
    needed = drawn_before < quota
    needed[-1] = False
    taken = np.zeros(len(names), bool)
    taken[np.array(order)[needed]] = True
    return np.asarray(taken[cluster_of_row])
