"""The grid of known conventions: axes of choices, a number for each combination of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product

from benchbox.errors import ResultError

MAX_CHANGES = 2  # conventions changed at once: with more, something lands on any claim


@dataclass(frozen=True)
class Choice:
    """One convention: what it is called, and what it means to somebody who meets it first."""

    axis: str  # "normaliser"
    name: str  # "inter_pupil"
    means: str


@dataclass(frozen=True)
class Variant:
    """The card's measure with up to `MAX_CHANGES` conventions changed."""

    changes: tuple[Choice, ...]
    value: float

    @property
    def name(self) -> str:
        """Name the changes; the card's own measure has none."""
        if not self.changes:
            return "as the card says"
        return " + ".join(f"{choice.axis} {choice.name}" for choice in self.changes)


@dataclass(frozen=True)
class Claim:
    """A number as somebody printed it."""

    text: str
    value: float
    tolerance: float  # half of the last printed digit

    @classmethod
    def read(cls, text: str) -> Claim:
        """Read a printed number; raises ResultError for what is none.

        >>> Claim.read("3.49").tolerance
        0.005
        """
        try:
            value = float(text)
        except ValueError:
            value = -1.0
        if not 0 <= value < 1e6 or not text.replace(".", "", 1).isdigit():
            raise ResultError(
                f"--claimed {text}: write a plain number as it is printed, such as 3.49"
            )
        return cls(text, value, 0.5 * 10.0 ** -len(text.partition(".")[2]))

    def hits(self, value: float) -> bool:
        """Tell whether a value rounds to the claim.

        >>> Claim.read("3.49").hits(3.4949), Claim.read("3.49").hits(3.496)
        (True, False)
        """
        return abs(value - self.value) <= self.tolerance * (1 + 1e-9)


Axes = Mapping[str, Sequence[Choice]]  # the first choice of an axis is the card's own
# axis → name of a choice; None where it does not apply
Measure = Callable[[Mapping[str, str]], float | None]


def axes_of(words: Mapping[str, tuple[str, Mapping[str, str]]]) -> Axes:
    """Return axes from axis → (the card's own choice, choice → what it means).

    The own choice comes first.

    >>> axes = axes_of({"unit": ("cm", {"mm": "printed in millimetres"})})
    >>> [choice.name for choice in axes["unit"]]
    ['cm', 'mm']
    """
    axes = {}
    for axis, (own, means) in words.items():
        names = dict.fromkeys((own, *means))
        axes[axis] = [Choice(axis, name, means.get(name, "")) for name in names]
    return axes


def measure_variants(axes: Axes, measure: Measure, most: int = MAX_CHANGES) -> list[Variant]:
    """Measure all combinations that leave the card in up to `most` axes, the fewest changes first.

    A combination that changes nothing (the same number as with one change less) is left out.
    """
    own = {axis: choices[0].name for axis, choices in axes.items()}
    values: dict[frozenset[Choice], float] = {}
    variants = []
    for changes in _combinations(axes, most):
        value = measure(own | {choice.axis: choice.name for choice in changes})
        if value is None:
            continue
        changed = frozenset(changes)
        values[changed] = value
        with_one_less = [values.get(changed - {choice}) for choice in changes]
        if not any(less is not None and abs(less - value) < 1e-12 for less in with_one_less):
            variants.append(Variant(changes, value))
    return variants


def _combinations(axes: Axes, most: int) -> Iterator[tuple[Choice, ...]]:
    for count in range(most + 1):
        for chosen in combinations(axes, count):
            yield from product(*(axes[axis][1:] for axis in chosen))


def nearest_variants(
    variants: Sequence[Variant], claim: Claim, count: int = 5
) -> tuple[list[Variant], list[Variant]]:
    """Return the variants that land on the claim, fewest changes first, and the nearest others.

    One that lands is left out where a part of its changes lands already: the rest of them explains
    nothing.
    """
    landing, missing = [], []
    for variant in sorted(variants, key=lambda v: (abs(v.value - claim.value), len(v.changes))):
        if claim.hits(variant.value):
            landing.append(variant)
        else:
            missing.append(variant)
    landing.sort(key=lambda variant: len(variant.changes))  # stable: the nearest first among equals
    change_sets = [set(variant.changes) for variant in landing]
    simplest = []
    for variant, changes in zip(landing, change_sets, strict=True):
        if not any(fewer < changes for fewer in change_sets):
            simplest.append(variant)
    return simplest, missing[:count]


def expected_by_chance(variants: Sequence[Variant], claim: Claim, width: int = 20) -> float:
    """Estimate how many variants would land on a number that means nothing.

    From the density of variants around the claim.
    """
    around = 0
    for variant in variants:
        if claim.tolerance < abs(variant.value - claim.value) <= width * claim.tolerance:
            around += 1
    return around / (width - 1)
