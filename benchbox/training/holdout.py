"""A share of the training items that is whole clusters.

No person, photo or video is on both sides of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from benchbox.types import Bools, Strings


def choose_holdout(clusters: Strings, share: float, rng: np.random.Generator) -> Bools:
    """Choose items (n,): about `share` of the clusters, one at least, and whole.

    `clusters` (n,) names the person, photo or video of each item. Where there is one cluster only,
    a share of the items is chosen.

    >>> persons = np.array(["a", "a", "b", "c", "c", "d"])
    >>> held_out = choose_holdout(persons, 0.5, np.random.default_rng(0))
    >>> len(set(persons[held_out])), set(persons[held_out]) & set(persons[~held_out])
    (2, set())
    """
    names = np.unique(clusters)
    if len(names) > 1:
        chosen = rng.choice(names, max(1, round(share * len(names))), replace=False)
        return np.isin(clusters, chosen)
    return rng.permutation(len(clusters)) < max(1, round(share * len(clusters)))
