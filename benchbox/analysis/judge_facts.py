"""Whether a network has the size that a paper prints.

A fact is **met** when the printed number is ours, rounded to its digits. Where other settings than
a variant's own meet it, the claim names them, and the count of the variant as it stands is given,
too.
"""

from __future__ import annotations

from collections.abc import Mapping

from benchbox.errors import BenchboxError
from benchbox.papers.claims import SizeClaim

from .verdicts import NOT_MEASURED, Verdict


def judge_fact(claim: SizeClaim) -> Verdict:
    """Count a network at the paper's sizes and compare the count with the printed number."""
    try:
        counted = _count(claim, claim.settings)
        unchanged = _count(claim, {})
    except BenchboxError as fault:
        return _fact_verdict(claim, None, NOT_MEASURED, (str(fault),))
    met, difference = claim.compare_count(counted)
    if met and claim.settings:  # the print is met by other settings than the variant's own
        settings = ", ".join(f"{key} = {value}" for key, value in claim.settings.items())
        met_unchanged, difference = claim.compare_count(unchanged)
        reasons = (
            f"with {settings}",
            f"as the variant stands {unchanged:,.0f}",
            "met, too" if met_unchanged else difference,
        )
        return _fact_verdict(claim, counted, "met", reasons)
    if met:
        return _fact_verdict(claim, counted, "met", ())
    return _fact_verdict(claim, counted, "not met", tuple(difference.split("; ", 1)))


def _count(claim: SizeClaim, settings: Mapping[str, str]) -> float:
    """Return the claimed quantity of a variant, with other settings than its own."""
    from benchbox.authoring import profile_method

    method, _, variant = claim.system.partition("/")
    counts = profile_method.count_operations(method, variant, overrides=settings)
    return float(getattr(counts, claim.quantity))


def _fact_verdict(
    claim: SizeClaim, counted: float | None, verdict: str, reasons: tuple[str, ...]
) -> Verdict:
    return Verdict(
        kind="fact",
        paper=claim.paper,
        table=claim.table,
        claim=f"{claim.system} {claim.quantity}",
        system=claim.system,
        protocol="",
        group="",
        metric=claim.quantity,
        claimed=claim.printed,
        measured=counted,
        low=None,
        high=None,
        unit="",
        verdict=verdict,
        reasons=reasons,
    )
