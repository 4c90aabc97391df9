"""A share of the training items that is whole clusters: no person, photo or video is on both sides of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from benchbox.types import Bools, Strings


def choose_holdout(clusters: Strings, share: float, rng: np.random.Generator) -> Bools:
    """Choose items (n,): about `share` of the clusters, one at least.

    Of the items where there is one cluster only.
    """
    names = np.unique(clusters)
    if len(names) > 1:
        chosen = rng.choice(names, max(1, round(share * len(names))), replace=False)
        return np.isin(clusters, chosen)
    return rng.permutation(len(clusters)) < max(1, round(share * len(clusters)))
