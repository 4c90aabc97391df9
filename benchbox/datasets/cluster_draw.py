"""Whole photos or people in the order of a salted hash: the same draw on every machine."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from benchbox.types import Bools, Strings


def draw_clusters(among: Bools, clusters: Strings, quota: int, salt: str) -> Bools:
    """Mark whole clusters, in the order of a salted hash, as long as they fit into the quota.

    `among` (N,) marks the rows to draw from; clusters are never divided:

    >>> people = np.array(["ann", "ann", "ann", "bob", "bob", "eve"])
    >>> held_out = draw_clusters(np.ones(6, bool), people, quota=2, salt="demo:train:validation")
    >>> sorted(set(people[held_out].tolist()) & set(people[~held_out].tolist()))
    []
    >>> int(held_out.sum()) <= 2
    True
    """
    names, cluster_of_row, sizes = np.unique(
        clusters[among], return_inverse=True, return_counts=True
    )
    taken = np.zeros(len(names), bool)
    for cluster in hash_order(names, salt):
        if sizes[cluster] <= quota:
            taken[cluster] = True
            quota -= int(sizes[cluster])
    drawn = np.zeros(len(clusters), bool)
    drawn[among] = taken[cluster_of_row]
    return drawn


def hash_order(names: Strings, salt: str) -> list[int]:
    """Return the positions of names in the order of a salted hash."""
    digests = [hashlib.sha256(f"{salt}:{name}".encode()).digest() for name in names]
    return sorted(range(len(names)), key=digests.__getitem__)
