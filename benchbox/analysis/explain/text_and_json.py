"""An explanation as text and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .convention_grid import Claim, Variant
from .explain_number import Explanation
from .known_factors import Guess
from .nearest_rows import Neighbour
from .pixel_offset import NAMED_SHIFTS, Offset

_WORST_POINTS = 5  # points that are named
_NEGLIGIBLE_SHARE = 0.02  # of the error, below which an offset is not worth its own sentence


def format_explanation(explanation: Explanation) -> str:
    """Return the explanation as plain text, the answer first."""
    x = explanation
    value = x.measured.value or 0.0
    interval = _interval_text(x.measured.low, x.measured.high)
    lines = [
        f"{x.name} on {x.protocol.name}, group {x.group}: {x.metric} = {value:.4g} "
        f"{x.measured.unit}{interval}"
    ]
    lines += [f"warning: {warning}" for warning in x.warnings]
    if x.claim:
        lines += ["", *_claim_lines(x, x.claim)]
    if x.offset:
        lines += ["", *_offset_lines(x.offset)]
    if x.parts:
        worst = sorted(x.parts, key=lambda part: -x.parts[part])
        lines += [
            "",
            "error by part: " + ", ".join(f"{part} {x.parts[part]:.2f} %" for part in worst),
        ]
    known = {place: error for place, error in enumerate(x.points) if error is not None}
    if known:
        last = sorted(known, key=lambda place: -known[place])[:_WORST_POINTS]
        lines.append(
            "worst points: " + ", ".join(f"{place} ({known[place]:.2f} %)" for place in last)
        )
    for neighbour in x.neighbours:
        lines += ["", *_neighbour_lines(neighbour)]
    if not x.claim:
        lines += [
            "",
            "the same predictions with one convention changed:",
            *_variant_lines(x.nearest, None),
        ]
    return "\n".join(lines)


def _interval_text(low: float | None, high: float | None) -> str:
    return "" if low is None else f" [{low:.2f}, {high:.2f}]"


def format_guesses(claim: Claim, measured: float, guesses: Sequence[Guess]) -> str:
    """Return what two bare numbers allow to say."""
    head = f"claimed {claim.text}, measured {measured:g}: a factor of {claim.value / measured:.4g}"
    found = [f"  {'fits' if guess.exact else 'possible'}: {guess.means}" for guess in guesses]
    if not found:
        found = ["  no known factor between two conventions"]
    return "\n".join(
        [
            head,
            *found,
            "a file of predictions tells more: benchbox explain --protocol P --claimed X FILE",
        ]
    )


def explanation_to_json(explanation: Explanation) -> dict[str, Any]:
    """Return the document of `benchbox explain --json`."""
    x = explanation
    return {
        "schema": 1,
        "protocol": x.protocol.name,
        "card": x.protocol.card,
        "name": x.name,
        "metric": x.metric,
        "group": x.group,
        "measured": {
            "value": x.measured.value,
            "low": x.measured.low,
            "high": x.measured.high,
            "unit": x.measured.unit,
        },
        "claimed": None
        if x.claim is None
        else {"printed": x.claim.text, "tolerance": x.claim.tolerance},
        "tried": x.tried,
        "by_chance": x.by_chance,
        "landing": [_variant_json(variant, x.claim) for variant in x.landing],
        "nearest": [_variant_json(variant, x.claim) for variant in x.nearest],
        "offset": None if x.offset is None else _offset_json(x.offset),
        "parts": dict(x.parts),
        "points": list(x.points),
        "references": [_neighbour_json(neighbour) for neighbour in x.neighbours],
        "warnings": list(x.warnings),
    }


# --- text -----------------------------------------------------------------------------------------


def _claim_lines(x: Explanation, claim: Claim) -> list[str]:
    lines = []
    if x.landing:
        lines += [f"lands on the claimed {claim.text}:", *_variant_lines(x.landing, claim)]
    else:
        lines += [f"nothing that was tried lands on the claimed {claim.text}"]
    lines += [
        f"  ({x.tried} combinations of up to two conventions tried; about {x.by_chance:.1f} would "
        "land on any number by chance, so believe one only where its story fits)",
        "nearest that do not:",
        *_variant_lines(x.nearest, claim),
    ]
    return lines


def _variant_lines(variants: Sequence[Variant], claim: Claim | None) -> list[str]:
    lines = []
    for variant in variants:
        row = f"  {_value_text(variant.value, claim)}"
        if claim is not None:
            row += f"  off by {variant.value - claim.value:+.4g}"
        row += f"  {variant.name}"
        explained = [choice for choice in variant.changes if choice.means]
        if len(variant.changes) == 1 and explained:
            row += f": {explained[0].means}"
            explained = []
        lines.append(row)
        for choice in explained:
            lines.append(f"             {choice.axis} {choice.name}: {choice.means}")
    return lines


def _value_text(value: float, claim: Claim | None) -> str:
    """Write a value with the claim's digits (two, where there is none) and in full beside."""
    digits = 2
    if claim is not None:
        digits = len(claim.text.partition(".")[2])
    return f"{value:7.{digits}f} ({value:.4f})"


def _offset_lines(offset: Offset) -> list[str]:
    share = 100 * (1 - offset.after / offset.before) if offset.before else 0.0
    lines = [
        f"constant pixel offset: adding ({offset.dx:+.2f}, {offset.dy:+.2f}) px to all predicted "
        f"points lowers the error from {offset.before:.2f} % to {offset.after:.2f} % "
        f"({share:.1f} % of it)"
    ]
    if share < 100 * _NEGLIGIBLE_SHARE:
        lines.append("  it explains next to nothing of the error")
    if offset.named is not None and offset.named_after is not None:
        lines.append(
            f"  the nearest slip with a name is {offset.named:+g} px on both axes, which gives "
            f"{offset.named_after:.2f} %: {NAMED_SHIFTS[offset.named]}"
        )
    if offset.grows:
        dx, dy = offset.relative
        lines.append(
            f"  in proportion to the face it fits better, ({dx:+.2f}, {dy:+.2f}) % of the "
            "normaliser gives "
            f"{offset.relative_after:.2f} %: a bias of cropping, decoding or labels rather than of "
            "the origin"
        )
    return lines


def _neighbour_lines(neighbour: Neighbour) -> list[str]:
    away = f"{100 * neighbour.distance:.0f} % away"
    if neighbour.namesake and neighbour.near:
        kind = "bears the same name and is near"
    elif neighbour.namesake:
        kind = f"bears the same name, {away}"
    elif neighbour.near:
        kind = "is near"
    else:
        kind = f"is the nearest that is printed, {away}"
    setting = f" ({neighbour.setting})" if neighbour.setting else ""
    lines = [
        f"{neighbour.method} in {neighbour.paper}, {neighbour.table}{setting} {kind}; "
        f"{neighbour.metric}:"
    ]
    for cell in neighbour.cells:
        interval = _interval_text(cell.low, cell.high)
        lines.append(
            f"  {cell.group:<12} printed {cell.printed}, here {cell.measured:.2f}{interval}, "
            f"{cell.gap:+.2f}"
        )
    return [*lines, *(f"  {sentence}" for sentence in neighbour.why)]


# --- JSON -----------------------------------------------------------------------------------------


def _variant_json(variant: Variant, claim: Claim | None) -> dict[str, Any]:
    return {
        "value": variant.value,
        "off": None if claim is None else variant.value - claim.value,
        "changes": [{"axis": c.axis, "name": c.name, "means": c.means} for c in variant.changes],
    }


def _offset_json(offset: Offset) -> dict[str, Any]:
    return {
        "dx_px": offset.dx,
        "dy_px": offset.dy,
        "before": offset.before,
        "after": offset.after,
        "named_px": offset.named,
        "named_after": offset.named_after,
        "relative": list(offset.relative),
        "relative_after": offset.relative_after,
    }


def _neighbour_json(neighbour: Neighbour) -> dict[str, Any]:
    return {
        "paper": neighbour.paper,
        "table": neighbour.table,
        "method": neighbour.method,
        "setting": neighbour.setting,
        "metric": neighbour.metric,
        "namesake": neighbour.namesake,
        "distance": neighbour.distance,
        "near": neighbour.near,
        "cells": [
            {
                "group": c.group,
                "printed": c.printed,
                "measured": c.measured,
                "gap": c.gap,
                "inside": c.inside,
            }
            for c in neighbour.cells
        ],
        "why": list(neighbour.why),
    }
