"""Ears: a small dish of points on each side of the head, rim raised, hollow in the middle."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from .deformation import Body, prepare_body
from .surface import smooth_step

if TYPE_CHECKING:
    from benchbox.types import Floats

_RINGS, _SPOKES = 11, 30


@dataclass(frozen=True, eq=False)
class Ear:
    """One ear as a grid of rings and spokes."""

    body: Body
    shape: tuple[int, int]
    shade: Floats  # (R, C) share of the light that reaches the folds


def _ear_relief(radius: Floats, angle: Floats) -> Floats:
    """Return the height in mm over the ear's plane: helix, anti-helix, concha, lobe."""
    lobe = smooth_step(0.4, 1.0, np.sin(angle))  # angle pi/2 is down
    rim = 4.2 * np.exp(-(((radius - 0.9) / 0.13) ** 2)) * (1 - 0.8 * lobe)
    anti = (
        2.6
        * np.exp(-(((radius - 0.56) / 0.14) ** 2))
        * (1 - lobe)
        * smooth_step(1.0, -0.3, np.cos(angle))
    )
    concha = -6.0 * np.exp(-((radius / 0.36) ** 2))
    return rim + anti + concha + 1.5 * lobe * radius


@lru_cache(maxsize=2)
def make_ear(side: int) -> Ear:
    """Return the ear on one side, -1 the picture's left."""
    r, a = np.meshgrid(
        np.linspace(0.0, 1.0, _RINGS), np.linspace(0, 2 * np.pi, _SPOKES), indexing="ij"
    )
    back, down = np.cos(a), np.sin(a)
    # An egg: wide above, a lobe below; its front edge is cut straight along the cheek.
    half_back = 16.5 * (1 - 0.25 * smooth_step(0.1, 1.0, down)) * np.where(back < 0, 0.62, 1.0)
    along_back, along_down = r * back * half_back, r * down * 31.0
    high = _ear_relief(r, a) + 5 * (r**2) * 0.0
    turn, lean = np.radians(28), np.radians(12)
    # The plane of the ear stands off the skull at the back.
    z = -6 - along_back * np.cos(turn) - high * np.sin(turn) * -0.35 - along_down * np.sin(lean)
    x = 66.5 + along_back * np.sin(turn) + high * np.cos(turn) + 1.5
    y = 21 + along_down
    rest = np.stack([side * x, y, z], axis=-1)
    if side > 0:
        rest = rest[:, ::-1]
    shade = 0.55 + 0.45 * smooth_step(0.25, 0.75, r)
    shade = shade * (
        0.75
        + 0.25 * smooth_step(0.12, 0.02, np.abs(r - 0.74)) * 0
        + 0.25 * smooth_step(0.6, 0.95, r)
    )
    return Ear(prepare_body(rest.reshape(-1, 3), rest[..., 1].ravel()), (_RINGS, _SPOKES), shade)
