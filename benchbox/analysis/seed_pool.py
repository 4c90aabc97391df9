"""What trainings vary by between seeds, among the runs at hand.

A single training says nothing of it, two say little. So the runs of all variants of a protocol and
budget are pooled (`metrics.seed_variance`); where these are few, those of every protocol with the
same metric.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from benchbox.metrics import seed_variance
from benchbox.metrics.seed_variance import PooledVariance
from benchbox.runs import run_folders
from benchbox.types import Run

_LEAST_DEGREES = 4  # of freedom; with fewer, other protocols join


@dataclass(frozen=True)
class SeedVariance:
    """A pooled variance, and over what."""

    pooled: PooledVariance
    words: str  # "1.8 % of the mean, pooled over 6 variants of synth-300w-full"


class SeedPool:
    """The trained runs by protocol, budget and variant; what they vary by is worked out once."""

    def __init__(self, runs: Iterable[Run]) -> None:
        self._variants: dict[tuple[str, str], dict[str, list[Run]]] = {}
        self._found: dict[tuple[str, str, str, str], SeedVariance | None] = {}
        seen: set[tuple[str, str]] = set()
        for run in runs:
            record = run.record
            if record.kind != "trained" or record.overrides:
                continue
            # "our random" and "our CSP" are one training under two names
            digest = record.digests.predictions
            if digest and (run.protocol, digest) in seen:
                continue
            seen.add((run.protocol, digest))
            of_protocol = self._variants.setdefault((run.protocol, str(record.budget)), {})
            of_protocol.setdefault(f"{run.method}/{run.variant}", []).append(run)

    def find_variance(
        self, protocol: str, budget: str, group: str, metric: str
    ) -> SeedVariance | None:
        """Return what trainings of a protocol and budget vary by; None where nobody knows."""
        key = (protocol, budget, group, metric)
        if key not in self._found:
            self._found[key] = self._pool(*key)
        return self._found[key]

    def _pool(self, protocol: str, budget: str, group: str, metric: str) -> SeedVariance | None:
        own = seed_variance.pool_variances(self._scores(protocol, budget, group, metric))
        if own is not None and own.degrees >= _LEAST_DEGREES:
            return SeedVariance(own, _describe(own, protocol))
        scores = []
        for other, its_budget in self._variants:
            if its_budget == budget:
                scores += self._scores(other, budget, group, metric)
        pooled = seed_variance.pool_variances(scores)
        if pooled is None:
            return None
        return SeedVariance(pooled, _describe(pooled, "all protocols"))

    def _scores(self, protocol: str, budget: str, group: str, metric: str) -> list[list[float]]:
        """Return the scores of the seeds of each variant; on all items where the group is none."""
        scores_of_variants = []
        for runs in self._variants.get((protocol, budget), {}).values():
            scores = []
            for run in runs:
                groups = run_folders.read_scores(run).groups
                score = groups.get(group, next(iter(groups.values()), {})).get(metric)
                if score is not None and score.value is not None:
                    scores.append(score.value)
            scores_of_variants.append(scores)
        return scores_of_variants


def _describe(pooled: PooledVariance, where: str) -> str:
    variants = "1 variant" if pooled.variants == 1 else f"{pooled.variants} variants"
    return f"{100 * pooled.deviation:.2g} % of the mean, pooled over {variants} of {where}"
