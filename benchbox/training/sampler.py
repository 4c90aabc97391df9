"""Which rows of a set make up a batch.

Pass after pass over all of them, each in an order of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np


def epoch_rows(
    seed: Sequence[int], count: int, first: int, number: int, after: Sequence[int] = ()
) -> np.ndarray:
    """Return `number` of `count` rows, from place `first` of endless shuffled passes over all.

    Returns (number,) int64. The order of a pass follows from `seed`, the number of the pass and
    `after` alone, so any batch can be drawn again.

    >>> first_pass = epoch_rows([0], 4, first=0, number=4)
    >>> sorted(first_pass.tolist())
    [0, 1, 2, 3]
    >>> over_the_end = epoch_rows([0], 4, first=2, number=4)
    >>> bool((over_the_end[:2] == first_pass[2:]).all())
    True
    """
    places = np.arange(first, first + number)
    rows = np.empty(number, np.int64)
    for turn in np.unique(places // count):
        inside = places // count == turn
        rows[inside] = _shuffled_order((*seed, int(turn), *after), count)[places[inside] % count]
    return rows


@lru_cache(maxsize=4)  # a pass over a million rows is shuffled once, not for each of its batches
def _shuffled_order(seed: tuple[int, ...], count: int) -> np.ndarray:
    return np.random.default_rng(seed).permutation(count)
