"""The head's texture.

Pigments painted over the grid as layers of absorption, then hairs of brows and beard.

Layers are masks over the neutral surface, baked once; a face mixes them with its own colours in one
product. Working with logarithms keeps painted skin plausible: pigment darkens, nothing glows.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from benchbox.face_renderer import noise

from .appearance import Look
from .deformation import Shape
from .surface import (
    EYE_INNER,
    EYE_OUTER,
    EYE_Y,
    MOUTH_HALF,
    MOUTH_Y,
    lip_edge,
    neutral_surface,
    smooth_step,
)

if TYPE_CHECKING:
    import numpy.typing as npt

    from benchbox.types import Floats

    Single = npt.NDArray[np.float32]

TEXTURE_SCALE = 3  # texels per cell of the grid
LAYERS = (
    "skin",
    "lips",
    "blush",
    "red",
    "under_eye",
    "lid",
    "lash",
    "crease",
    "nostril",
    "mouth_line",
    "fold",
    "forehead_lines",
    "crow",
    "neck",
    "scalp",
    "caruncle",
)


@dataclass(frozen=True, eq=False)
class Atlas:
    """What is known about each texel of the neutral surface."""

    places: Single  # (H, W, 4) mm: x, y, z, row height
    layers: Single  # (H * W, L)
    brow: Single  # (H, W) distance to the brow's line in thicknesses, 0 on it
    beard: Single
    moustache: Single
    goatee: Single


def _bell(a: Floats, centre: Floats | float, width: float) -> Floats:
    bell: Floats = np.exp(-(((a - centre) / width) ** 2))
    return bell


def _paint_layers(x: Floats, y: Floats, z: Floats, h: Floats) -> dict[str, Floats]:
    ax = np.abs(x)
    face = smooth_step(0, 40, z)
    top, bottom = lip_edge(ax, upper=True), lip_edge(ax, upper=False)
    lips = (
        smooth_step(-0.6, 0.6, y - top)
        * smooth_step(-0.6, 0.6, bottom - y)
        * (z > 40)
        * (ax < MOUTH_HALF)
    )
    t = (ax - EYE_INNER) / (EYE_OUTER - EYE_INNER)
    inside = smooth_step(-0.12, 0.1, t) * smooth_step(1.14, 0.97, t) * (z > 45)
    above = np.where(h < EYE_Y, EYE_Y - h, 99.0)  # mm of row height above the upper lid's edge
    below = np.where(h > EYE_Y, h - EYE_Y, 99.0)
    line = _bell(h, MOUTH_Y, 0.7) * smooth_step(MOUTH_HALF + 2.5, MOUTH_HALF - 2, ax) * (z > 40)
    fold_x = np.interp(y, [44, 54, 66, 78, 88], [19, 25, 31, 33.5, 33])
    wave = np.sin((y + 0.02 * x**2) * 0.9) ** 8
    return {
        "skin": np.ones_like(x),
        "lips": lips,
        "blush": _bell(ax, 42, 17) * _bell(y, 32, 16) * face,
        "red": (_bell(ax, 0, 14) * _bell(y, 44, 11) + 0.4 * _bell(ax, 0, 22) * _bell(y, 105, 12))
        * face,
        "under_eye": _bell(ax, 27, 13) * _bell(y, 11, 6) * face,
        "lid": smooth_step(9.5, 6, above)
        * smooth_step(-0.1, 0.15, t)
        * smooth_step(1.25, 0.9, t)
        * face,
        "lash": inside
        * (_bell(above, 0.35, 1.1) * (0.55 + 0.45 * t.clip(0, 1)) + 0.45 * _bell(below, 0.35, 0.6)),
        "crease": _bell(above, 7.2, 1.3)
        * smooth_step(-0.05, 0.2, t)
        * smooth_step(1.2, 0.9, t)
        * face,
        "nostril": _bell(np.hypot((ax - 7.2) / 4.6, (y - 53.2 + 0.12 * ax) / 2.1), 0, 0.85)
        * (z > 80),
        "mouth_line": line
        + 0.8 * _bell(np.hypot(ax - MOUTH_HALF, 1.4 * (y - MOUTH_Y)), 0, 2.2) * (z > 40),
        "fold": _bell(ax, fold_x, 2.2) * smooth_step(43, 50, y) * smooth_step(90, 78, y) * face,
        "forehead_lines": wave * _bell(y, -48, 15) * smooth_step(52, 35, ax) * face,
        "crow": np.sin((y - 1) * 1.1) ** 6 * _bell(ax, 54, 5) * _bell(y, 1, 8) * face,
        "neck": smooth_step(104, 130, y - 0.2 * (80 - z)),
        "scalp": smooth_step(-66, -82, y + 0.45 * (z - 60).clip(-80, 0)) * smooth_step(200, 100, y),
        "caruncle": _bell(np.hypot((ax - EYE_INNER - 0.4) / 1.8, (y - EYE_Y) / 1.6), 0, 0.8)
        * (z > 50),
    }


def _beard_masks(x: Floats, y: Floats, z: Floats) -> tuple[Floats, Floats, Floats]:
    ax = np.abs(x)
    lips = smooth_step(1.5, -0.5, lip_edge(ax, upper=True) - y) * smooth_step(
        1.5, -0.5, y - lip_edge(ax, upper=False)
    )
    free = 1 - lips * (ax < MOUTH_HALF + 2) * (z > 40)
    edge = np.interp(ax, [0, 24, 34, 50, 60, 70], [90, 66, 58, 46, 22, 2])
    jaw = smooth_step(-5, 6, y - edge) * smooth_step(132, 112, y) * smooth_step(4, 22, z)
    chin = _bell(ax, 0, 19) * smooth_step(80, 92, y) * smooth_step(128, 112, y) * (z > 30)
    low = np.interp(ax, [0, 20, 30, 36], [58, 60, 64, 70])
    upper = (
        smooth_step(-2, 1.5, y - low)
        * smooth_step(MOUTH_Y + 14, MOUTH_Y + 2, y)
        * smooth_step(36, 28, ax)
        * (z > 40)
    )
    return np.maximum(jaw, chin * 0.9) * free, upper * free, chin * free


def _brow_mask(x: Floats, y: Floats, z: Floats) -> Floats:
    """Return 1 inside the brow's outline, falling below 0 outside, for thickness 1."""
    ax = np.abs(x)
    spine = np.interp(
        ax, [10, 14.5, 26, 37, 47, 54, 59], [-15.6, -16.0, -19.6, -21.2, -19.0, -13.6, -9.5]
    )
    half = np.interp(ax, [9, 13, 18, 30, 42, 52, 58], [1.0, 3.8, 4.4, 4.0, 3.1, 1.9, 0.5])
    ends = smooth_step(9, 14, ax) * smooth_step(60, 53, ax)
    inside: Floats = (1 - np.abs(y - spine) / half) * (ends > 0) * (z > 20) + (ends - 1) * 1.5
    return inside


@lru_cache(maxsize=1)
def skin_atlas() -> Atlas:
    """Bake the masks once per process."""
    head = neutral_surface()
    grid = np.concatenate([head.points, head.height[..., None]], axis=-1).astype(np.float32)
    rows, columns = head.shape
    u, v = np.meshgrid(
        np.arange((columns - 1) * TEXTURE_SCALE + 1) / TEXTURE_SCALE,
        np.arange((rows - 1) * TEXTURE_SCALE + 1) / TEXTURE_SCALE,
    )
    places = cv2.remap(grid, u.astype(np.float32), v.astype(np.float32), cv2.INTER_LINEAR)
    x, y, z, h = (places[..., k].astype(np.float64) for k in range(4))
    layers = _paint_layers(x, y, z, h)
    baked = np.stack([layers[name] for name in LAYERS], axis=-1).astype(np.float32)
    beard, moustache, goatee = (m.astype(np.float32) for m in _beard_masks(x, y, z))
    return Atlas(
        places,
        baked.reshape(-1, len(LAYERS)),
        _brow_mask(x, y, z).astype(np.float32),
        beard,
        moustache,
        goatee,
    )


def _layer_colours(look: Look, shape: Shape) -> Floats:
    """Return the colours (L, 3) that the layers are mixed with, as logarithms of reflectance."""
    pale = 1 - look.tone
    smile = max(shape.expression.get("smile", 0.0), 0.0)
    up = max(shape.expression.get("brows_up", 0.0), 0.0)
    lips = np.log(np.array([0.86, 0.52, 0.56])) * (0.5 + 0.8 * pale)
    if look.makeup:
        lips = lips * (1 - look.makeup) + (np.log(look.lipstick) - np.log(look.skin)) * look.makeup
    hue = np.log(np.array([0.97, 0.78, 0.78]))
    shadow = (np.log(look.shadow + 0.03) - np.log(look.skin)) * 0.55 * look.makeup + np.log(
        [0.9, 0.82, 0.8]
    )
    dark = np.array([-1.0, -1.15, -1.2])
    mixed = {
        "skin": np.log(look.skin),
        "lips": lips,
        "blush": hue * (0.3 + 0.7 * pale + 1.0 * look.makeup),
        "red": hue * (0.4 + 0.8 * pale),
        "under_eye": np.log([0.86, 0.76, 0.78]) * (0.7 + 0.5 * look.wrinkles),
        "lid": shadow,
        "lash": dark * (1.5 + 1.6 * look.makeup + 0.5 * look.tone),
        "crease": dark * (0.35 + 0.2 * look.wrinkles),
        "nostril": dark * 2.1,
        "mouth_line": dark * 0.7,
        "fold": dark * (0.05 + 0.22 * smile + 0.25 * look.wrinkles),
        "forehead_lines": dark * (0.28 * up + 0.2 * look.wrinkles) * look.grown_up,
        "crow": dark * (0.2 * smile + 0.2 * look.wrinkles) * look.grown_up,
        "neck": np.log([0.9, 0.88, 0.88]),
        "scalp": (np.log(look.hair + 0.02) - np.log(look.skin))
        * _STUBBLE_ON_SCALP.get(look.style, 0.55),
        "caruncle": np.log([0.95, 0.6, 0.6]),
    }
    return np.stack([mixed[name] for name in LAYERS])


_STUBBLE_ON_SCALP = {"bald": 0.06, "buzz": 0.72}


def paint_skin(look: Look, shape: Shape, rng: np.random.Generator) -> Any:
    """Return the head's reflectance (H, W, 3), linear float32, over the texture."""
    base = skin_atlas()
    high, wide = base.brow.shape
    ink = (base.layers @ _layer_colours(look, shape).astype(np.float32)).reshape(high, wide, 3)
    fine = noise.cut_window(noise.pore_sheet(), rng, high, wide)
    ink += cv2.merge([fine * np.float32(0.035 + 0.03 * look.wrinkles)] * 3)
    if look.freckles:
        areas = noise.cut_window(noise.cloud_sheets()[1], rng, high, wide)
        spots = (
            np.clip((areas - 0.6) * 5, 0, 1)
            * np.clip((fine - 1.0) * 2, 0, 1)
            * (base.places[..., 2] > 20)
        )
        ink += (spots * np.float32(look.freckles))[..., None] * np.array(
            [-0.25, -0.45, -0.5], np.float32
        )
    for _ in range(int(rng.poisson(1.0))):
        cv2.circle(
            ink,
            (int(rng.integers(wide // 4, 3 * wide // 4)), int(rng.integers(60, high - 90))),
            1,
            (-2.2, -2.6, -2.6),
            -1,
        )
    texture = cv2.exp(ink)
    _paint_hairs(texture, base, look, rng)
    _paint_clothes(texture, base, look, rng)
    return texture


def _paint_clothes(texture: Any, base: Atlas, look: Look, rng: np.random.Generator) -> None:
    """Put a garment on the shoulders, its neck open in front."""
    middle = base.places[:, base.places.shape[1] // 2, 1]
    first = int(np.searchsorted(middle, look.collar - 45))
    x, y, z = (base.places[first:, :, k] for k in range(3))
    edge = look.collar + np.float32(rng.choice([0.0, 0.9])) * np.clip(46 - np.abs(x), 0, None) * (
        z > 0
    )
    cloth = np.clip((y - edge) / np.float32(3.0), 0, 1)
    band = np.clip(1 - np.abs(y - edge - 5) / 4, 0, 1) * np.float32(0.4)
    pattern = (
        ((x if rng.random() < 0.5 else y) % look.stripes < look.stripes / 2)
        if look.stripes
        else np.zeros_like(x)
    )
    weave = np.exp(noise.cut_window(noise.pore_sheet(), rng, *x.shape) * np.float32(0.05) - band)
    a, b = look.cloth.astype(np.float32)
    texture[first:] += cloth[..., None] * (
        (a + (b - a) * pattern[..., None]) * weave[..., None] - texture[first:]
    )


def skin_blotches(shape: tuple[int, int], rng: np.random.Generator) -> Any:
    """Return the uneven flush of skin over the grid (R, C, 3), as a factor.

    Too smooth to need the texture.
    """
    tint = np.array([-0.12, -0.26, -0.26], np.float32)
    return cv2.exp(
        (noise.cut_window(noise.cloud_sheets()[0], rng, *shape) - np.float32(0.5))[..., None] * tint
    )


def _paint_hairs(texture: Any, base: Atlas, look: Look, rng: np.random.Generator) -> None:
    """Grow brows and beard into the texture."""
    high, wide = base.brow.shape
    rows = slice(*_texture_rows(base.places, -34, -2))
    # brow hairs lie along the brow
    strands = noise.cut_window(noise.strand_sheet(), rng, wide, high)[:, rows].T
    reach = (base.brow[rows] - 1) / np.float32(look.brow_thick) + 1
    dense = np.clip(reach * 1.7, 0, 1) * np.float32(0.35 + 0.75 * look.brow)
    _blend_colour(
        texture[rows], np.clip((dense - strands * 0.75) * 3.0, 0, 0.92), look.hair * 0.8 + 0.004
    )
    if look.beard or look.moustache or look.goatee:
        rows = slice(*_texture_rows(base.places, 0, 135))
        bristles = noise.cut_window(noise.bristle_sheet(), rng, high, wide)[rows]
        for mask, amount in (
            (base.beard, look.beard),
            (base.moustache, look.moustache),
            (base.goatee, look.goatee),
        ):
            if amount:
                soft = mask[rows]
                even = soft * np.float32(min(amount * 1.1, 0.5))
                tuft = np.clip((soft * np.float32(0.25 + amount) - bristles) * 2.5, 0, 0.95) * min(
                    amount * 2, 1
                )
                _blend_colour(texture[rows], np.maximum(even, tuft), look.hair * 0.9 + 0.006)


def _texture_rows(places: Single, low: float, high: float) -> tuple[int, int]:
    """Return the texture rows of the face's middle column between two heights."""
    y = places[:, places.shape[1] // 2, 1]
    inside = np.flatnonzero((y >= low) & (y <= high))
    return int(inside[0]), int(inside[-1]) + 1


def _blend_colour(texture: Any, alpha: Any, colour: Floats) -> None:
    texture += alpha.astype(np.float32)[..., None] * (colour.astype(np.float32) - texture)
