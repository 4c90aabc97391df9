"""A toy landmark set for the tests of landmark methods: grey noise with 68 points each."""

import numpy as np

from benchbox import geometry
from benchbox.types import Examples, Sample


def examples(number: int, first: int = 0) -> Examples:
    """Faces of about 100 px in pictures of 200 px."""
    rng = np.random.default_rng(first)
    base = np.random.default_rng(99).uniform(50, 150, (68, 2))
    values = base + rng.normal(0, 4, (number, 1, 2)) + rng.normal(0, 1, (number, 68, 2))
    pictures = rng.integers(0, 255, (number, 200, 200, 3), dtype=np.uint8)
    boxes = geometry.tight_box(values)
    samples = [Sample(str(first + k), boxes[k], lambda k=k: pictures[k]) for k in range(number)]
    return Examples(samples, values, np.array([str(first + k) for k in range(number)]))
