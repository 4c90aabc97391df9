"""What a person looks like beyond shape: skin, hair, brows, beard, eyes, make-up, clothes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from benchbox.types import Floats

# Linear light reflected by skin, from pale to dark; the lips' share of red grows with paleness.
_SKIN = np.array(
    [
        [0.70, 0.45, 0.35],
        [0.62, 0.37, 0.26],
        [0.52, 0.29, 0.185],
        [0.40, 0.215, 0.13],
        [0.26, 0.130, 0.075],
        [0.145, 0.072, 0.045],
        [0.075, 0.040, 0.027],
    ]
)
_HAIR = np.array(
    [
        [0.012, 0.009, 0.008],
        [0.030, 0.018, 0.012],
        [0.075, 0.040, 0.020],
        [0.16, 0.085, 0.038],
        [0.34, 0.21, 0.095],
        [0.50, 0.36, 0.18],
        [0.22, 0.060, 0.018],
        [0.36, 0.36, 0.37],
        [0.62, 0.62, 0.62],
    ]
)
_IRIS = np.array(
    [
        [0.035, 0.017, 0.008],
        [0.09, 0.042, 0.015],
        [0.15, 0.10, 0.03],
        [0.09, 0.13, 0.06],
        [0.10, 0.19, 0.30],
        [0.2, 0.24, 0.26],
    ]
)
STYLES = (
    "bald",
    "buzz",
    "short",
    "swept",
    "fringe",
    "medium",
    "long",
    "afro",
    "beanie",
    "cap",
    "scarf",
)


@dataclass(frozen=True, eq=False)
class Look:
    """A person's appearance; colours are linear RGB."""

    tone: float  # 0 pale … 1 dark
    skin: Floats
    hair: Floats
    brow: float  # density 0 … 1
    brow_thick: float  # relative
    beard: float  # 0 none, to 0.35 stubble, to 1 full
    moustache: float
    goatee: float
    grown_up: bool
    style: str
    strands: float  # contrast of the hair's lines
    part: float  # rad, where the hair parts
    volume: float  # mm
    iris: Floats
    pupil: float  # mm
    freckles: float
    wrinkles: float
    shine: float
    makeup: float  # 0 … 1
    lipstick: Floats
    shadow: Floats  # colour on the upper lids
    cloth: Floats  # (2, 3) colours of the garment
    collar: float  # mm, height of the garment's edge on the neck
    stripes: float  # mm, 0 for plain cloth
    glasses: int  # 0 none, 1 metal, 2 horn-rimmed, 3 rimless, 4 sunglasses
    frame: Floats
    lens: tuple[float, float, float]  # half width, half height mm, squareness
    fringe: bool = True  # whether hair may fall over the brow


def draw_look(rng: np.random.Generator, *, child: bool) -> Look:
    """Draw a person."""
    tone = float(np.clip(rng.beta(1.1, 1.6), 0, 0.999))
    skin = _interpolate_colours(_SKIN, tone) * np.exp(rng.normal(0, [0.06, 0.05, 0.06]))
    female = rng.random() < 0.5
    grown_up = not child
    dark_hair = rng.random() < 0.25 + 0.75 * min(tone * 2, 1)
    colour = rng.uniform(0, 1.4) if dark_hair else rng.uniform(0.8, 5.0)
    if grown_up and rng.random() < 0.12:
        colour = rng.uniform(7, 8)
    elif rng.random() < 0.05:
        colour = 6.0
    hair = _interpolate_colours(_HAIR, colour / 8) if colour != 6.0 else _HAIR[6]
    if rng.random() < 0.02:
        hair = rng.uniform(0.02, 0.6, 3)
    beard, moustache, goatee = (0.0, 0.0, 0.0)
    if grown_up and not female:
        beard = float(
            rng.choice([0, rng.uniform(0.08, 0.35), rng.uniform(0.45, 1)], p=[0.45, 0.3, 0.25])
        )
        moustache = max(beard, float(rng.random() < 0.12) * rng.uniform(0.5, 1))
        goatee = max(beard, float(rng.random() < 0.08) * rng.uniform(0.5, 1))
    style = str(rng.choice(STYLES, p=_STYLE_WOMAN if female else _STYLE_MAN))
    painted = female and grown_up and rng.random() < 0.6
    glasses = (
        int(rng.choice(5, p=[0.80, 0.06, 0.07, 0.03, 0.04]))
        if grown_up
        else int(rng.choice(3, p=[0.94, 0.03, 0.03]))
    )
    return Look(
        tone=tone,
        skin=skin,
        hair=hair * np.exp(rng.normal(0, 0.12, 3)),
        brow=rng.uniform(0.35, 0.8) if female else rng.uniform(0.5, 0.95),
        brow_thick=rng.uniform(0.65, 1.1) if female else rng.uniform(0.85, 1.5),
        beard=beard,
        moustache=moustache,
        goatee=goatee,
        grown_up=grown_up,
        style=style,
        strands=rng.uniform(0.5, 1.2),
        part=float(np.radians(rng.uniform(-40, 40))),
        volume=rng.uniform(0.7, 1.4),
        iris=_interpolate_colours(_IRIS, rng.beta(0.7, 1.6) * (0.35 if tone > 0.45 else 1.0))
        * np.exp(rng.normal(0, 0.2)),
        pupil=rng.uniform(1.3, 2.9),
        freckles=rng.uniform(0.2, 1) if rng.random() < 0.12 and tone < 0.5 else 0.0,
        wrinkles=rng.uniform(0.3, 1.2) if colour >= 7 else rng.uniform(0, 0.35) * grown_up,
        shine=rng.uniform(0.3, 1.3),
        makeup=rng.uniform(0.3, 1) if painted else 0.0,
        lipstick=np.array(
            [[0.45, 0.03, 0.05], [0.55, 0.12, 0.14], [0.30, 0.02, 0.06], [0.6, 0.2, 0.2]]
        )[rng.integers(4)],
        shadow=rng.uniform(0.02, 0.35, 3),
        cloth=np.clip(
            rng.uniform(0.01, 0.7, (2, 1)) * np.exp(rng.normal(0, 0.35, (2, 3))), 0.005, 0.85
        ),
        collar=rng.uniform(136, 196),
        stripes=float(rng.choice([0, rng.uniform(4, 26)], p=[0.7, 0.3])),
        glasses=glasses,
        frame=np.array(
            [[0.02, 0.02, 0.02], [0.12, 0.06, 0.03], [0.35, 0.33, 0.3], [0.3, 0.02, 0.03]]
        )[rng.integers(4)],
        lens=(rng.uniform(22, 28), rng.uniform(14, 22), rng.uniform(2.0, 4.5)),
    )


_STYLE_WOMAN = (0.005, 0.01, 0.05, 0.12, 0.13, 0.2, 0.33, 0.045, 0.04, 0.02, 0.05)
_STYLE_MAN = (0.09, 0.14, 0.34, 0.16, 0.08, 0.045, 0.025, 0.04, 0.04, 0.03, 0.01)


def _interpolate_colours(table: Floats, where: float) -> Floats:
    """Read a table of colours at 0 … 1, between rows geometrically, as pigments mix."""
    at = np.clip(where, 0, 1) * (len(table) - 1)
    low = int(min(np.floor(at), len(table) - 2))
    mixed: Floats = table[low] ** (1 - (at - low)) * table[low + 1] ** (at - low)
    return mixed
