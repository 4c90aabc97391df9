"""The grid of known conventions: axes of choices, a number for each combination, and which of them land on a claim."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product

from benchbox.errors import ResultError

MAX_CHANGES = 2  # conventions changed at once: with more, something lands on any claim


@dataclass(frozen=True)
class Choice:
    """One convention: what it is called, and what it means to somebody who meets it for the first time."""

    axis: str  # "normaliser"
    name: str  # "inter_pupil"
    means: str


@dataclass(frozen=True)
class Variant:
    """The card's measure with up to `MOST` conventions changed."""

    changes: tuple[Choice, ...]
    value: float

    @property
    def name(self) -> str:
        """Name the changes; the card's own measure has none."""
        return (
            " + ".join(f"{choice.axis} {choice.name}" for choice in self.changes)
            or "as the card says"
        )


@dataclass(frozen=True)
class Claim:
    """A number as somebody printed it."""

    text: str
    value: float
    tolerance: float  # half of the last printed digit

    @classmethod
    def read(cls, text: str) -> Claim:
        """Read a printed number; raises ResultError for what is none."""
        try:
            value = float(text)
        except ValueError as fault:
            raise ResultError(
                f"--claimed {text}: write a plain number as it is printed, such as 3.49"
            ) from fault
        if not 0 <= value < 1e6 or not text.replace(".", "", 1).isdigit():
            raise ResultError(
                f"--claimed {text}: write a plain number as it is printed, such as 3.49"
            )
        return cls(text, value, 0.5 * 10.0 ** -len(text.partition(".")[2]))

    def hits(self, value: float) -> bool:
        """Tell whether a value rounds to the claim."""
        return abs(value - self.value) <= self.tolerance * (1 + 1e-9)


Axes = Mapping[str, Sequence[Choice]]  # the first choice of an axis is the card's own
# axis → name of a choice; None where it does not apply
Measure = Callable[[Mapping[str, str]], float | None]


def measure_variants(axes: Axes, measure: Measure, most: int = MAX_CHANGES) -> list[Variant]:
    """Measure every combination that leaves the card in up to `most` axes, the fewest changes first.

    A combination that changes nothing (the same number as with one change less) is left out.
    """
    base = {axis: choices[0].name for axis, choices in axes.items()}
    values: dict[frozenset[Choice], float] = {}
    found = []
    for changes in _combinations(axes, most):
        value = measure(base | {choice.axis: choice.name for choice in changes})
        if value is None:
            continue
        values[frozenset(changes)] = value
        fewer = [values.get(frozenset(changes) - {choice}) for choice in changes]
        if not any(less is not None and abs(less - value) < 1e-12 for less in fewer):
            found.append(Variant(changes, value))
    return found


def _combinations(axes: Axes, most: int) -> Iterator[tuple[Choice, ...]]:
    for count in range(most + 1):
        for chosen in combinations(axes, count):
            yield from product(*(axes[axis][1:] for axis in chosen))


def nearest_variants(
    found: Sequence[Variant], claim: Claim, count: int = 5
) -> tuple[list[Variant], list[Variant]]:
    """Return the variants that land on the claim, fewest changes first, and the nearest of those that do not.

    One that lands is left out where a part of its changes lands already: the rest of them explains nothing.
    """
    by_distance = sorted(
        found, key=lambda variant: (abs(variant.value - claim.value), len(variant.changes))
    )
    landing = [variant for variant in by_distance if claim.hits(variant.value)]
    landing.sort(key=lambda variant: len(variant.changes))  # stable: the nearest first among equals
    told = [set(variant.changes) for variant in landing]
    landing = [
        variant for variant in landing if not any(less < set(variant.changes) for less in told)
    ]
    return landing, [variant for variant in by_distance if not claim.hits(variant.value)][:count]


def expected_by_chance(found: Sequence[Variant], claim: Claim, width: int = 20) -> float:
    """Estimate how many variants would land on a number that means nothing, from their density around the claim."""
    around = sum(
        claim.tolerance < abs(variant.value - claim.value) <= width * claim.tolerance
        for variant in found
    )
    return around / (width - 1)
