"""Who teaches a mini-generation.

Random knowledge distillation and what Table 2 compares it with.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from benchbox.errors import PluginError

TEACHER_KINDS = ("none", "last", "mean", "best", "random")


def admitted_teachers(errors: Sequence[float], tolerance: float) -> list[int]:
    """Return the generations whose validation error is at most `tolerance` x the best one's."""
    if not errors:
        return []
    best = min(errors)
    return [k for k, error in enumerate(errors) if error <= tolerance * best]


def pick_teachers(
    kind: str, errors: Sequence[float], tolerance: float, rng: np.random.Generator
) -> list[int]:
    """Return the generations that teach one epoch: none, one, or for `mean` all that are admitted.

    `errors` are the validation errors of the generations so far; `last` and `none` do not look at
    them.
    """
    if kind not in TEACHER_KINDS:
        raise PluginError(f"teacher = {kind!r}: one of {', '.join(TEACHER_KINDS)}")
    if kind == "none" or not errors:
        return []
    if kind == "last":
        return [len(errors) - 1]
    able = admitted_teachers(errors, tolerance)
    if kind == "mean":
        return able
    if kind == "best":
        return [min(able, key=errors.__getitem__)]
    return [int(rng.choice(able))]
