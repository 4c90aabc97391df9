"""What trainings vary by between seeds, pooled over the variants of a protocol.

Two or three seeds say little of a variance: three trainings that agree by chance look as if there
were none. So the variances of all variants that have several seeds are pooled. Levels differ, so
what is pooled is the variance over the squared mean; its root is a coefficient of variation.

Variants do not all vary by the same (on our own boards from 0.3 to 7 % of their mean), so a pooled
variance never stands for more than `PRIOR_DEGREES` degrees of freedom beside a variant's own: the
two are averaged, weighted by degrees of freedom, as Smyth does for genes measured in few copies.
With that, equal methods are called different in the claimed direction in at most 5 of 100 cases,
with one seed as with five, and where standard deviations differ by the factor e from variant to
variant (`tests/analysis/test_false_positives.py`).

Source: Smyth, Linear models and empirical Bayes methods for assessing differential expression in
microarray experiments, 2004, section 3, with the prior's degrees of freedom fixed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import fmean, variance

PRIOR_DEGREES = 4.0


@dataclass(frozen=True)
class PooledVariance:
    """The variance between seeds of several variants together."""

    relative: float  # over the squared mean of a variant
    degrees: int  # of freedom
    variants: int

    @property
    def deviation(self) -> float:
        """Return the standard deviation between seeds as a share of the mean."""
        return sqrt(self.relative)

    def at_level(self, mean: float) -> float:
        """Return the variance between single trainings whose scores are about `mean`."""
        return self.relative * mean**2


def pool_variances(scores_by_variant: Iterable[Sequence[float]]) -> PooledVariance | None:
    """Pool the variance between seeds of variants, each given by the scores of its seeds.

    Variants with one seed, or with a mean of 0, tell nothing; None where no other is there.

    >>> pooled = pool_variances([[4.0, 4.2], [8.0, 8.0, 8.0], [5.0]])
    >>> pooled.degrees, pooled.variants, round(pooled.deviation, 5)
    (3, 2, 0.01991)
    """
    total, degrees, variants = 0.0, 0, 0
    for scores in scores_by_variant:
        if len(scores) < 2:
            continue
        mean = fmean(scores)
        if mean == 0:
            continue
        total += variance(scores) / mean**2 * (len(scores) - 1)
        degrees += len(scores) - 1
        variants += 1
    if not degrees:
        return None
    return PooledVariance(total / degrees, degrees, variants)


def moderate_variance(
    own: float, own_degrees: int, prior: float, prior_degrees: int
) -> tuple[float, float]:
    """Return a variance out of an own one and a pooled one, and its degrees of freedom.

    `own_degrees` is 0 for a single seed. The pooled one counts for `PRIOR_DEGREES` at most.

    >>> moderate_variance(0.0, 1, 1.0, 20)
    (0.8, 5.0)
    >>> moderate_variance(0.0, 0, 1.0, 2)
    (1.0, 2.0)
    """
    weight = min(float(prior_degrees), PRIOR_DEGREES)
    degrees = weight + own_degrees
    return (weight * prior + own_degrees * own) / degrees, degrees
