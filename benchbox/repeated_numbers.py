"""Which numbers of a long list come more than once, without sorting the list."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from benchbox.types import Floats, Rows

_BUCKET_BITS = 19
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)  # 2⁶⁴ over the golden ratio: spreads near numbers


def find_repeated_numbers(numbers: Floats) -> Rows:
    """Return the places, ascending, of the numbers (N,) that equal another one; NaN equals none.

    Numbers are thrown into half a million buckets, where each overwrites the last. Only those that
    were overwritten, and what is there now, are sorted: of 100,000 different numbers some 18,000.

    >>> find_repeated_numbers(np.array([3.0, 1.0, 3.0, np.nan, np.nan, 0.0, -0.0])).tolist()
    [0, 2, 5, 6]
    """
    numbers = np.asarray(numbers, np.float64) + 0.0  # -0 becomes 0
    bits = numbers.view(np.uint64)
    spread = (bits ^ (bits >> np.uint64(29))) * _GOLDEN
    bucket = (spread >> np.uint64(64 - _BUCKET_BITS)).astype(np.intp)
    places = np.arange(len(numbers), dtype=np.int32)
    last = np.empty(1 << _BUCKET_BITS, np.int32)
    last[bucket] = places
    suspect = last[bucket] != places
    suspect[last[bucket[suspect]]] = True
    suspects = np.flatnonzero(suspect)
    if not len(suspects):
        return suspects
    ordered = np.sort(numbers[suspects])
    repeated = ordered[1:][ordered[1:] == ordered[:-1]]
    return suspects[np.isin(numbers[suspects], repeated)]
