"""Hair and headgear.

A shell around the skull that hangs down from the widest place, cut to a style by transparency.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from benchbox.face_renderer import noise

from .appearance import Look
from .deformation import IDENTITY, Body, Shape, prepare_body
from .surface import neutral_surface, smooth_step

if TYPE_CHECKING:
    from benchbox.types import Floats

_MOVES = (
    "width",
    "depth",
    "length",
    "forehead",
    "forehead_slope",
    "temple",
    "fullness",
    "jaw_width",
    "cheekbone",
)
TEXTURE_SCALE = 4  # texels per cell
_HAIRY = ("short", "swept", "fringe", "medium", "long", "afro")


@dataclass(frozen=True, eq=False)
class Shell:
    """The neutral shell.

    Rows from the crown to the chest, columns once around from back to back.
    """

    body: Body
    shape: tuple[int, int]
    y: Floats  # (R,) mm
    azimuth: Floats  # (C,) rad
    outward: Floats  # (R, C, 3) unit vectors


@dataclass(frozen=True, eq=False)
class HairCover:
    """One head's hair or headgear, still in the head's frame."""

    points: Floats  # (R, C, 3) mm
    texture: Any  # (H, W, 4) linear RGB and alpha, float32
    combed: bool  # hair shines along its strands, cloth does not
    hangs: bool  # its inner side is seen behind the neck
    ears: bool  # it covers the ears


@lru_cache(maxsize=1)
def neutral_shell() -> Shell:
    """Build the neutral shell once per process."""
    head = neutral_surface()
    y = np.concatenate(
        [[-121.2, -120, -117, -112], np.linspace(-105, 20, 26), np.linspace(28, 270, 19)]
    )
    azimuth = np.radians(
        np.concatenate(
            [np.linspace(-180, -90, 10), np.linspace(-82, 82, 34), np.linspace(90, 180, 10)]
        )
    )
    radius = np.hypot(head.points[..., 0], head.points[..., 2])
    table = np.stack([np.interp(azimuth, head.azimuth, row) for row in radius])
    heights = head.points[:, 0, 1]
    table = np.stack([np.interp(y, heights, table[:, k]) for k in range(len(azimuth))], axis=1)
    front = np.minimum(table, 104.0)  # the nose does not carry hair
    hang = np.maximum.accumulate(np.where(y[:, None] < 115, front, 0), axis=0)
    hang = hang + np.maximum(y[:, None] - 110, 0) * 0.22
    outward = np.stack([np.sin(azimuth), np.zeros_like(azimuth), np.cos(azimuth)], axis=-1)
    outward = np.broadcast_to(outward, (*hang.shape, 3))
    up = smooth_step(-60, -121, y)[:, None, None] * np.array([0.0, -1.0, 0.0])
    points = hang[..., None] * outward
    points[..., 1] += y[:, None]
    normal = outward * (1 - 0.75 * smooth_step(-70, -121, y)[:, None, None]) + up
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    flat = points.reshape(-1, 3)
    return Shell(prepare_body(flat, flat[:, 1]), hang.shape, y, azimuth, normal)


def _deform_shell(whole: Shell, shape: Shape) -> Floats:
    names = list(IDENTITY)
    moved = whole.body.rest.copy()
    for name in _MOVES:
        moved += whole.body.fields[names.index(name)] * shape.identity.get(name, 0.0)
    return moved.reshape(*whole.shape, 3)


def _hair_ends(look: Look, azimuth: Floats, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Return, around the head, where hair ends (mm, y) and how thick it is (mm)."""
    a = np.degrees(np.abs(azimuth))
    line = rng.uniform(-84, -64)  # hairline in the middle of the forehead
    lift, bay = rng.uniform(-6, 6), rng.uniform(-4, 9)  # side length; how far the temples recede
    knots: dict[str, list[tuple[float, float]]] = {
        "short": [
            (0, line),
            (20, line),
            (36, line + 4 - bay),
            (48, -62),
            (58, -36),
            (68, -8),
            (77, 10),
            (83, -10),
        ],
        "swept": [
            (0, line - 2),
            (20, line),
            (36, line + 6 - bay),
            (48, -56),
            (60, -26),
            (72, 8),
            (79, 16),
            (86, 2),
        ],
        "fringe": [
            (0, -30 + lift),
            (24, -28 + lift),
            (42, -18),
            (56, -4),
            (70, 14),
            (82, 26),
            (100, 30),
        ],
        "medium": [
            (0, line),
            (14, line + 6),
            (28, -56),
            (42, -22),
            (52, 22),
            (60, 66),
            (72, 92 + 2 * lift),
            (110, 110),
        ],
        "long": [
            (0, line),
            (12, line + 6),
            (26, -58),
            (40, -26),
            (50, 24),
            (57, 110),
            (66, 190),
            (90, 215),
        ],
        "afro": [
            (0, line + 4),
            (30, line + 8),
            (48, -54),
            (62, -20),
            (76, 16),
            (90, 22),
            (120, 62),
        ],
    }
    knots["short"] += [(104, -14), (122, 40), (180, 62)]
    knots["swept"] += [(104, 0), (122, 62), (180, 76)]
    knots["fringe"] += [(125, 66), (180, 80)]
    at, end = np.array(knots[look.style]).T
    parted = look.style in ("medium", "long")
    y = np.interp(
        np.degrees(np.abs(azimuth - look.part * parted * np.exp(-((a / 45) ** 2)))), at, end
    )
    if look.style in ("medium", "long", "fringe", "swept") and rng.random() < 0.45 and look.fringe:
        side = rng.choice([-1.0, 1.0])  # a side fringe falls over the brow
        y = y + rng.uniform(8, 30) * np.exp(-(((np.degrees(azimuth) - side * 26) / 18) ** 2))
    base = {"short": 7, "swept": 12, "fringe": 9, "medium": 10, "long": 10, "afro": 30}[
        look.style
    ] * look.volume
    thick = base * np.interp(a, [0, 30, 60, 80, 110, 180], [1.0, 1.0, 0.75, 0.55, 0.8, 1.0])
    if look.style == "swept":
        thick = thick * (
            1 + 0.9 * np.exp(-(((np.degrees(azimuth) - np.degrees(look.part) * 0.5) / 30) ** 2))
        )
    return y, thick


def grow_hair(look: Look, shape: Shape, rng: np.random.Generator) -> HairCover | None:
    """Make a head's hair; None for a bald or shaven one."""
    if look.style in _HAIRY:
        return _make_hair(look, shape, rng)
    if look.style in ("beanie", "cap", "scarf"):
        return _make_headgear(look, shape, rng)
    return None


def _make_hair(look: Look, shape: Shape, rng: np.random.Generator) -> HairCover:
    whole = neutral_shell()
    rows, columns = whole.shape
    end, thick = _hair_ends(look, whole.azimuth, rng)
    wave = noise.cut_window(noise.cloud_sheets()[0], rng, rows, columns) - 0.5
    below = smooth_step(-121, -95, whole.y)[:, None]
    # thin at the hairline and the tips
    fade = np.clip((end[None] - whole.y[:, None] + 6) / 24, 0.05, 1)
    if look.style in ("long", "medium", "fringe"):
        fade = np.maximum(fade, 0.55)
    lift = 1.5 + thick[None] * (0.75 + 0.25 * below) * fade
    lift = (
        lift + wave * (10 if look.style in ("long", "medium", "afro") else 5) * look.volume * fade
    )
    points = _deform_shell(whole, shape) + lift[..., None] * whole.outward
    hangs = look.style in ("medium", "long")
    return HairCover(
        points, _hair_texture(look, whole, end, rng), combed=True, hangs=hangs, ears=hangs
    )


def _hair_texture(look: Look, whole: Shell, end: Floats, rng: np.random.Generator) -> Any:
    rows, columns = whole.shape
    high, wide = (rows - 1) * TEXTURE_SCALE + 1, (columns - 1) * TEXTURE_SCALE + 1
    y = np.interp(np.arange(high) / TEXTURE_SCALE, np.arange(rows), whole.y).astype(np.float32)[
        :, None
    ]
    ends = np.interp(np.arange(wide) / TEXTURE_SCALE, np.arange(columns), end).astype(np.float32)[
        None
    ]
    curly = look.style == "afro"
    lines = noise.cut_window(
        noise.bristle_sheet() if curly else noise.strand_sheet(), rng, high, wide
    )
    slant = _comb_sideways(lines, look, rng) if not curly else lines
    ragged = (slant - 0.5) * (16 if look.style in ("medium", "long", "fringe") else 8)
    soft = 6.0 if look.style in ("short", "swept", "afro") else 5.0
    alpha = np.clip((ends + ragged - y) / np.float32(soft) + 0.5, 0, 1)
    tone = cv2.exp((slant - np.float32(0.5)) * np.float32(1.3 * look.strands))
    tone *= np.clip(1.05 - 0.35 * np.clip((y - ends + 60) / 60, 0, 1) * (slant < 0.5), 0.4, 1.2)
    texture = np.empty((high, wide, 4), np.float32)
    texture[..., :3] = tone[..., None] * look.hair.astype(np.float32)
    texture[..., 3] = alpha
    return texture


def _comb_sideways(lines: Any, look: Look, rng: np.random.Generator) -> Any:
    """Comb strands sideways, more towards the tips, away from the parting."""
    high, wide = lines.shape
    v, u = np.meshgrid(
        np.arange(high, dtype=np.float32), np.arange(wide, dtype=np.float32), indexing="ij"
    )
    sway = rng.uniform(-0.5, 0.5)
    curl = rng.uniform(0, 5) * (look.style in ("long", "medium"))
    u = u + np.float32(sway) * v + np.float32(curl) * np.sin(v * np.float32(rng.uniform(0.06, 0.2)))
    return cv2.remap(lines, u, v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)


def _make_headgear(look: Look, shape: Shape, rng: np.random.Generator) -> HairCover:
    """Make a woollen hat, a cap without its peak or a headscarf."""
    whole = neutral_shell()
    rows, columns = whole.shape
    degrees = np.degrees(whole.azimuth)[None]
    y = whole.y[:, None]
    wave = noise.cut_window(noise.cloud_sheets()[0], rng, rows, columns) - 0.5
    if look.style == "scarf":
        opening = (
            (degrees / rng.uniform(48, 58)) ** 2 + ((y - 26) / rng.uniform(84, 94)) ** 2
        ) ** 0.5
        inside = opening - 1.0
        thick = 7 + 8 * wave + 3 * np.exp(-((inside / 0.08) ** 2))
        alpha = smooth_step(-0.02, 0.02, inside) * np.ones_like(wave)
        pull = smooth_step(95, 130, y) * 0.25
    else:
        edge = rng.uniform(-58, -34)
        low = np.interp(
            np.abs(degrees),
            [0, 50, 90, 130, 180],
            [edge, edge + 8, edge + 32, edge + 60, edge + 70],
        )
        brim = np.exp(-(((low - y - 8) / 9) ** 2)) * (look.style == "beanie")
        thick = 7 + 4 * wave + 4 * brim + 9 * smooth_step(-70, -121, y) * (look.style == "beanie")
        alpha = smooth_step(1.5, -1.5, y - low)
        pull = 0.0 * y
    points = _deform_shell(whole, shape) + (thick * np.ones_like(wave))[..., None] * whole.outward
    points[..., [0, 2]] *= (1 - pull)[..., None]
    scarf = look.style == "scarf"
    return HairCover(
        points, _cloth_texture(look, alpha, rng), combed=False, hangs=scarf, ears=scarf
    )


def _cloth_texture(look: Look, alpha: Floats, rng: np.random.Generator) -> Any:
    rows, columns = alpha.shape
    high, wide = (rows - 1) * TEXTURE_SCALE + 1, (columns - 1) * TEXTURE_SCALE + 1
    texture = np.empty((high, wide, 4), np.float32)
    u, v = np.meshgrid(np.arange(wide) / TEXTURE_SCALE, np.arange(high) / TEXTURE_SCALE)
    texture[..., 3] = cv2.remap(
        alpha.astype(np.float32), u.astype(np.float32), v.astype(np.float32), cv2.INTER_LINEAR
    )
    colours = rng.uniform(0.01, 0.7, (2, 3)) ** 1.3
    pattern = np.zeros((high, wide), np.float32)
    if rng.random() < 0.5:
        period = rng.uniform(3, 9)
        pattern = ((v if rng.random() < 0.5 else u) % period < period / 2).astype(np.float32)
    elif rng.random() < 0.4:
        pattern = (noise.cut_window(noise.cloud_sheets()[1], rng, high, wide) > 0.62).astype(
            np.float32
        )
    knit = 0.85 + 0.15 * np.sin(u * (9 if look.style == "beanie" else 26)).astype(np.float32)
    weave = (
        np.exp((noise.cut_window(noise.pore_sheet(), rng, high, wide)) * np.float32(0.06)) * knit
    )
    texture[..., :3] = (colours[0] + (colours[1] - colours[0]) * pattern[..., None]) * weave[
        ..., None
    ]
    return texture
