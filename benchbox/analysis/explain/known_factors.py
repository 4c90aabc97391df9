"""Known factors between a claimed and a measured number, without any file."""

from __future__ import annotations

import math
from dataclasses import dataclass

from .convention_grid import Claim


@dataclass(frozen=True)
class Factor:
    """A known factor between two numbers that name the same thing."""

    low: float  # claimed = measured x low … high
    high: float
    means: str


FACTORS = (
    Factor(1, 1, "equal within the printed digits"),
    Factor(100, 100, "one is a fraction and the other in per cent"),
    Factor(180 / math.pi, 180 / math.pi, "one is in radians and the other in degrees"),
    Factor(10, 10, "one is in millimetres and the other in centimetres"),
    Factor(2.54, 2.54, "one is in inches and the other in centimetres"),
    Factor(
        2,
        2,
        "one is a mean over two axes (or of a half-size picture) and the other their sum (or of "
        "the whole)",
    ),
    Factor(
        math.sqrt(2),
        math.sqrt(2),
        "one is per axis, the other the length of the vector, if both axes err alike",
    ),
    Factor(
        1.28,
        1.61,
        "divided by the eye centres' distance instead of the outer corners': 1.28 to 1.61 per face "
        "of 300-W, 1.397 on average",
    ),
    Factor(0.35, 0.6, "divided by a size of the face's box instead of the outer corners' distance"),
)


@dataclass(frozen=True)
class Guess:
    """A factor that would explain two numbers."""

    factor: float
    means: str
    # the factor is a constant and fits within the printed digits; else a range that holds it
    exact: bool


def guess_factors(claim: Claim, measured: float) -> list[Guess]:
    """Return the known factors, either way round, that lead from the measured number to the claim.

    Constants first.
    """
    if measured <= 0 or claim.value <= 0:
        return []
    ratio = claim.value / measured
    slack = claim.tolerance / measured
    found = []
    for factor in FACTORS:
        for low, high in {(factor.low, factor.high), (1 / factor.high, 1 / factor.low)}:
            if low - slack <= ratio <= high + slack:
                found.append(Guess(ratio, factor.means, factor.low == factor.high))
    return sorted(found, key=lambda guess: not guess.exact)
