"""What the regression sees of a picture: grey pixels in a row, or random features of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from benchbox.training.gaze_inputs import GazePatches

if TYPE_CHECKING:
    from benchbox.types import Floats

_BATCH = 512
_PAIRS = 2000  # of training pictures, whose median distance is the unit of a bandwidth
_FLAT = 1e-3  # deviation of a picture or a pixel, of a range of 2, below which it is constant


def grey_pixels(patches: GazePatches) -> Floats:
    """Return the pixels (n, D) of all patches, each patch with mean 0 and deviation 1.

    So that neither light nor camera gain is learnt for gaze.
    """
    found = []
    for start in range(0, len(patches), _BATCH):
        rows = np.arange(start, min(start + _BATCH, len(patches)))
        flat = []
        for patch in patches.batch(rows):
            grey = patch.mean(dim=1).flatten(1).double().numpy()
            deviation = grey.std(axis=1, keepdims=True)
            flat.append((grey - grey.mean(axis=1, keepdims=True)) / np.maximum(deviation, _FLAT))
        found.append(np.concatenate(flat, axis=1))
    return np.concatenate(found)


@dataclass(frozen=True, eq=False)
class PixelScale:
    """Mean and deviation (D,) of each pixel over the training set."""

    mean: Floats
    deviation: Floats

    @classmethod
    def of(cls, pixels: Floats) -> PixelScale:
        """Measure them on pixels (n, D)."""
        return cls(pixels.mean(axis=0), np.maximum(pixels.std(axis=0), _FLAT))

    def apply(self, pixels: Floats) -> Floats:
        """Return pixels (n, D) with mean 0 and deviation 1 over the training set."""
        return np.asarray((pixels - self.mean) / self.deviation)


@dataclass(frozen=True, eq=False)
class RandomCosines:
    """Random Fourier features of a Gaussian kernel (Rahimi & Recht, NIPS 2007).

    `directions` (D, count) and `phases` (count,).
    """

    directions: Floats
    phases: Floats

    @classmethod
    def draw(cls, rng: np.random.Generator, scaled: Floats, count: int) -> RandomCosines:
        """Draw for a kernel as wide as the median distance of two of the pictures (n, D)."""
        first, second = rng.integers(0, len(scaled), (2, _PAIRS))
        distances = np.linalg.norm(scaled[first] - scaled[second], axis=1)
        different = distances[distances > 0]
        width = float(np.median(different)) if len(different) else 1.0
        directions = rng.normal(size=(scaled.shape[1], count)) / width
        return cls(directions, rng.uniform(0, 2 * np.pi, count))

    def apply(self, scaled: Floats) -> Floats:
        """Return the features (n, count) of scaled pixels (n, D)."""
        return np.asarray(np.sqrt(2) * np.cos(scaled @ self.directions + self.phases))
