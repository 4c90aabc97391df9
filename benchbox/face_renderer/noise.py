"""Noise made once per process and cut to size per face.

What would be too dear to draw afresh for every picture.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Single = npt.NDArray[np.float32]

_SIDE = 512  # px, side of a sheet; sheets tile


def _seeded_rng(key: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(key))


def _blur_tile(noise: Single, across: float, down: float) -> Single:
    """Blur a tile as if it were repeated without end."""
    edge = int(3 * max(across, down)) + 1
    wide = np.pad(noise, edge, mode="wrap")
    soft = cv2.GaussianBlur(wide, (0, 0), sigmaX=max(across, 0.01), sigmaY=max(down, 0.01))
    cut: Single = np.ascontiguousarray(soft[edge:-edge, edge:-edge])
    return cut


def _equalise(noise: Single) -> Single:
    """Spread values evenly over [0, 1], so that a threshold keeps the share that it names."""
    counts, edges = np.histogram(noise, bins=512)
    share = np.concatenate([[0.0], np.cumsum(counts) / noise.size])
    even: Single = np.interp(noise.ravel(), edges, share).astype(np.float32).reshape(noise.shape)
    return even


@lru_cache(maxsize=1)
def sensor_grain() -> Single:
    """Return sensor noise (512, 512, 3) of unit variance.

    Neighbours are slightly alike, as after demosaicing.
    """
    noise = _seeded_rng(1).standard_normal((1024, 1024, 3), dtype=np.float32)
    noise = cv2.GaussianBlur(noise, (0, 0), 0.55)
    whole: Single = noise / noise.std()
    return whole


@lru_cache(maxsize=1)
def cloud_sheets() -> Single:
    """Return fractal noise (4, 512, 512) in [0, 1]: four independent sheets."""
    rng = _seeded_rng(2)
    sheets = []
    for _ in range(4):
        total = np.zeros((_SIDE, _SIDE), np.float32)
        for sigma in (2.0, 5.0, 12.0, 28.0):
            layer = _blur_tile(rng.standard_normal((_SIDE, _SIDE), dtype=np.float32), sigma, sigma)
            total += layer / layer.std() * sigma**0.6
        sheets.append(_equalise(total))
    return np.stack(sheets)


@lru_cache(maxsize=1)
def strand_sheet() -> Single:
    """Return hair (512, 512) in [0, 1]: fine lines that run down the sheet and wander a little."""
    rng = _seeded_rng(3)
    fine = _blur_tile(rng.standard_normal((_SIDE, _SIDE), dtype=np.float32), 0.7, 26.0)
    locks = _blur_tile(rng.standard_normal((_SIDE, _SIDE), dtype=np.float32), 4.0, 50.0)
    return _equalise(fine / fine.std() + 0.9 * locks / locks.std())


@lru_cache(maxsize=1)
def bristle_sheet() -> Single:
    """Return short hairs (512, 512) in [0, 1].

    Stubble, beards and brows are cut from it by a threshold.
    """
    rng = _seeded_rng(4)
    short = _blur_tile(rng.standard_normal((_SIDE, _SIDE), dtype=np.float32), 0.6, 2.6)
    tufts = _blur_tile(rng.standard_normal((_SIDE, _SIDE), dtype=np.float32), 2.5, 5.0)
    return _equalise(short / short.std() + 0.5 * tufts / tufts.std())


@lru_cache(maxsize=1)
def pore_sheet() -> Single:
    """Return skin's fine texture (512, 512), zero mean, about unit deviation."""
    rng = _seeded_rng(5)
    fine = _blur_tile(rng.standard_normal((_SIDE, _SIDE), dtype=np.float32), 0.8, 0.8)
    coarse = _blur_tile(rng.standard_normal((_SIDE, _SIDE), dtype=np.float32), 2.5, 2.5)
    both: Single = fine / fine.std() * np.float32(0.8) + coarse / coarse.std() * np.float32(0.6)
    return both


def cut_window(sheet: Single, rng: np.random.Generator, rows: int, columns: int) -> Any:
    """Cut a window (rows, columns, …) at a random place; sheets are without end."""
    top, left = (int(k) for k in rng.integers(0, sheet.shape[0], 2))
    if top + rows <= sheet.shape[0] and left + columns <= sheet.shape[1]:
        return sheet[top : top + rows, left : left + columns]
    return sheet.take(np.arange(top, top + rows), axis=0, mode="wrap").take(
        np.arange(left, left + columns), axis=1, mode="wrap"
    )
