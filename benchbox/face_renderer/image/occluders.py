"""What comes between camera and face.

Glasses on the nose, hands, things held, strands of hair, blurred foreground.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from benchbox.face_renderer import noise
from benchbox.face_renderer.head.appearance import Look
from benchbox.face_renderer.light import Light

if TYPE_CHECKING:
    from benchbox.types import Floats


def _blend_colour(canvas: Any, mask: Any, colour: Any) -> None:
    """Lay colour (H, W, 3) or (3,) over the canvas (H, W, 3) by a mask (H, W) in [0, 1].

    In place.
    """
    canvas += mask[..., None] * (colour - canvas)


def _fixed_point(points: Floats) -> Any:
    """Return pixel places as OpenCV's fixed-point integers with four fractional bits."""
    return np.round(np.clip(points, -2000, 2000) * 16).astype(np.int32)


# --- glasses --------------------------------------------------------------------------------------


def glasses_curves(look: Look, eyeballs: Floats) -> dict[str, list[Floats]]:
    """Return rims, bridge and arms as curves (n, 3) mm in the head's frame; eyeballs (2, 3)."""
    wide, tall, square = look.lens
    t = np.linspace(0, 2 * np.pi, 33)
    cos, sin = np.cos(t), np.sin(t)
    x = wide * np.sign(cos) * np.abs(cos) ** (2 / square)
    y = tall * np.sign(sin) * np.abs(sin) ** (2 / square) * (1 - 0.12 * np.sign(sin))
    front = float(eyeballs[:, 2].mean()) + 25.0
    curves: dict[str, list[Floats]] = {"rim": [], "arm": [], "bridge": []}

    def at(px: Any, py: Any, ball: Floats) -> Floats:
        return np.stack([px, py + ball[1] + 3, front - (np.asarray(px) / 60) ** 2 * 13], axis=-1)

    inner = []
    for side, ball in zip((-1, 1), eyeballs, strict=True):
        centre = ball[0] + side * 2.5
        curves["rim"].append(at(centre + x, y, ball))
        outer = centre + side * wide
        ear = np.array([side * 73.0, ball[1] - 6, -4.0])
        hinge = at(np.array(outer), np.array(-tall * 0.35), ball)
        curves["arm"].append(hinge + np.linspace(0, 1, 9)[:, None] * (ear - hinge))
        inner.append(at(np.array(centre - side * wide * 0.97), np.array(-tall * 0.25), ball))
    arch = inner[0] + np.linspace(0, 1, 9)[:, None] * (inner[1] - inner[0])
    arch[:, 1] -= 2.5 * np.sin(np.linspace(0, np.pi, 9))
    curves["bridge"].append(arch)
    return curves


def draw_glasses(
    canvas: Any,
    depth_buffer: Any,
    curves: dict[str, list[tuple[Any, Any]]],
    px_per_mm: float,
    look: Look,
    light: Light,
    tint: Floats,
) -> Any:
    """Draw glasses given as projected curves (places, depths).

    Return the mask (H, W) of what hides the face.
    """
    size = canvas.shape[0]
    hidden = np.zeros((size, size), np.float32)
    thick = max(round(px_per_mm * (1.1, 2.6, 0.7, 2.4)[look.glasses - 1]), 1)
    colour = (look.frame * (light.ambient + 0.5 * light.colour)).astype(np.float32)
    for flat, depth in curves["rim"]:
        lens = np.zeros((size, size), np.float32)
        cv2.fillPoly(lens, [_fixed_point(flat)], 1.0, cv2.LINE_8, 4)
        lens = cv2.GaussianBlur(lens, (3, 3), 0)
        lens *= depth_buffer > float(depth.mean()) - 40
        if look.glasses == 4:
            _blend_colour(canvas, lens * np.float32(0.94), tint.astype(np.float32))
            hidden = np.maximum(hidden, lens)
        low, high = flat.min(0), flat.max(0)
        ramp = (np.arange(size)[None] - low[0]) / max(high[0] - low[0], 1) - (
            np.arange(size)[:, None] - low[1]
        ) / max(high[1] - low[1], 1)
        streak = np.exp(-(((ramp - tint[0] * 2) / 0.22) ** 2)).astype(np.float32)
        canvas += (lens * streak * np.float32(0.10))[..., None] * light.colour.astype(np.float32)
    edge = np.zeros((size, size), np.uint8)
    for name, lines in curves.items():
        for flat, depth in lines:
            _draw_visible_line(
                edge,
                depth_buffer,
                flat,
                depth,
                thick if name != "arm" else max(thick - 1, 1),
                slack=6 if name == "arm" else 30,
            )
    mask = cv2.GaussianBlur(edge, (3, 3), 0).astype(np.float32) / 255
    _blend_colour(canvas, mask * np.float32(0.95), colour)
    return hidden


def _draw_visible_line(
    edge: Any, depth_buffer: Any, flat: Any, depth: Any, thick: int, *, slack: float
) -> None:
    """Draw the stretches of a curve that nothing nearer hides."""
    size = edge.shape[0]
    at = np.clip(np.round(flat), 0, size - 1).astype(int)
    seen = depth < depth_buffer[at[:, 1], at[:, 0]] + slack
    places = _fixed_point(flat)
    for k in range(len(flat) - 1):
        if seen[k] and seen[k + 1]:
            cv2.line(
                edge,
                tuple(places[k].tolist()),
                tuple(places[k + 1].tolist()),
                255,
                thick,
                cv2.LINE_AA,
                4,
            )


# --- hands and things -----------------------------------------------------------------------------


def _shade_inflated(mask: Any, radius: float, light: Light) -> Any:
    """Shade a flat mask (H, W) uint8 as if it were inflated: return light (H, W, 3)."""
    away = cv2.distanceTransform(mask, cv2.DIST_L2, 3)
    away = np.minimum(cv2.GaussianBlur(away, (0, 0), max(radius * 0.12, 0.8)), radius)
    height = np.sqrt(np.maximum(away * (2 * radius - away), 0))
    gx, gy = (
        cv2.Sobel(height, cv2.CV_32F, 1, 0, scale=1 / 8),
        cv2.Sobel(height, cv2.CV_32F, 0, 1, scale=1 / 8),
    )
    normal = np.stack([-gx, -gy, np.ones_like(gx)], axis=-1)
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    key = normal @ light.key.astype(np.float32)
    lit = np.clip((key[..., None] + 0.3) / 1.3, 0, None) * light.colour.astype(np.float32)
    return lit + (light.ambient + normal @ light.slope).astype(np.float32).clip(0.02)


def draw_hand(
    canvas: Any,
    rng: np.random.Generator,
    centre: Floats,
    px_per_mm: float,
    look: Look,
    light: Light,
) -> Any:
    """Lay a hand across `centre`; return the mask of what it hides."""
    size = canvas.shape[0]
    turn = rng.uniform(0, 2 * np.pi)
    ahead, aside = np.array([np.cos(turn), np.sin(turn)]), np.array([-np.sin(turn), np.cos(turn)])
    mm = px_per_mm * rng.uniform(0.85, 1.05)
    mask = np.zeros((size, size), np.uint8)
    lines = np.zeros((size, size), np.uint8)
    palm = centre - ahead * mm * rng.uniform(35, 60)
    curl = rng.uniform(0.55, 1.0)
    spread = rng.uniform(0.02, 0.16)
    cv2.ellipse(
        mask,
        tuple(int(k) for k in palm),
        (int(45 * mm), int(40 * mm)),
        float(np.degrees(turn)),
        0,
        360,
        255,
        -1,
    )
    wrist = palm - ahead * mm * 180
    cv2.line(mask, tuple(int(k) for k in palm), tuple(int(k) for k in wrist), 255, int(56 * mm))
    for k, length in enumerate((66, 76, 71, 56)):
        lean = (k - 1.5) * spread
        way = ahead * np.cos(lean) + aside * np.sin(lean)
        root = palm + aside * mm * 18.5 * (k - 1.5) + ahead * mm * 32
        tip = root + way * mm * length * curl
        cv2.line(
            mask, tuple(int(v) for v in root), tuple(int(v) for v in tip), 255, max(int(16 * mm), 2)
        )
        if k:
            edge = aside * mm * -9.2
            cv2.line(
                lines,
                tuple(int(v) for v in root + edge),
                tuple(int(v) for v in root + edge + way * mm * length * curl * 0.85),
                255,
                max(int(1.6 * mm), 1),
            )
    thumb = palm + aside * mm * 34 * rng.choice([-1, 1])
    cv2.line(
        mask,
        tuple(int(v) for v in thumb),
        tuple(int(v) for v in thumb + (ahead * 45 + (thumb - palm) / mm * 0.5) * mm),
        255,
        max(int(19 * mm), 2),
    )
    lit = _shade_inflated(mask, max(9.5 * mm, 2), light)
    crease = cv2.GaussianBlur(lines, (0, 0), max(1.2 * mm, 0.6)).astype(np.float32) / 255
    tone = look.skin.astype(np.float32) * np.array([1.05, 0.92, 0.9], np.float32)
    colour = lit * tone * (1 - np.float32(0.6) * crease[..., None])
    soft = cv2.GaussianBlur(mask, (3, 3), 0).astype(np.float32) / 255
    _cast_shadow(canvas, mask, light, mm)
    _blend_colour(canvas, soft, colour)
    return soft


def _cast_shadow(canvas: Any, mask: Any, light: Light, mm: float) -> None:
    shift = np.array([[1, 0, -light.key[0] * 14 * mm], [0, 1, -light.key[1] * 14 * mm]], np.float32)
    cast = (
        cv2.warpAffine(
            cv2.GaussianBlur(mask, (0, 0), max(4 * mm, 1)), shift, mask.shape[::-1]
        ).astype(np.float32)
        / 255
    )
    canvas *= (1 - np.float32(0.5) * cast)[..., None]


def draw_object(
    canvas: Any, rng: np.random.Generator, centre: Floats, px_per_mm: float, light: Light
) -> Any:
    """Hold something before `centre`: a slab, a ball, a stick with a head.

    Return the mask of what it hides.
    """
    size, mm = canvas.shape[0], px_per_mm
    mask = np.zeros((size, size), np.uint8)
    kind, turn = int(rng.integers(3)), float(rng.uniform(0, 180))
    at = tuple(int(k) for k in centre)
    if kind == 0:
        half = rng.uniform(18, 50, 2) * mm
        corners = cv2.boxPoints((tuple(float(k) for k in centre), (2 * half[0], 2 * half[1]), turn))
        cv2.fillPoly(mask, [corners.astype(np.int32)], 255)
    elif kind == 1:
        cv2.ellipse(
            mask,
            at,
            (int(rng.uniform(15, 45) * mm), int(rng.uniform(15, 45) * mm)),
            turn,
            0,
            360,
            255,
            -1,
        )
    else:
        cv2.circle(mask, at, int(rng.uniform(14, 26) * mm), 255, -1)
        far = centre + np.array([rng.normal(0, 120), 260]) * mm
        cv2.line(mask, at, tuple(int(k) for k in far), 255, int(rng.uniform(14, 30) * mm))
    lit = _shade_inflated(mask, rng.uniform(3, 16) * mm + 2, light)
    a, b = rng.uniform(0.01, 0.7, (2, 3)).astype(np.float32)
    clouds = noise.cut_window(noise.cloud_sheets()[0], rng, size, size)[..., None]
    pattern = np.clip((clouds - 0.5) * np.float32(rng.choice([0.3, 8.0])) + 0.5, 0, 1)
    soft = cv2.GaussianBlur(mask, (0, 0), rng.uniform(0.6, 1.6)).astype(np.float32) / 255
    _cast_shadow(canvas, mask, light, mm)
    _blend_colour(canvas, soft, (a + (b - a) * pattern) * lit)
    return soft


def draw_strands(
    canvas: Any,
    rng: np.random.Generator,
    centre: Floats,
    px_per_mm: float,
    look: Look,
    light: Light,
) -> None:
    """Blow loose strands of hair across the face; too thin to hide a landmark."""
    size = canvas.shape[0]
    mask = np.zeros((size, size), np.uint8)
    start = centre + np.array([rng.normal(0, 35), -110]) * px_per_mm
    for _ in range(int(rng.integers(5, 22))):
        t = np.linspace(0, 1, 12)[:, None]
        end = centre + rng.normal(0, 60, 2) * px_per_mm
        bow = rng.normal(0, 30, 2) * px_per_mm
        curve = start + rng.normal(0, 14, 2) * px_per_mm + (end - start) * t + bow * t * (1 - t) * 4
        cv2.polylines(
            mask, [_fixed_point(curve)], False, int(rng.integers(110, 255)), 1, cv2.LINE_AA, 4
        )
    colour = (look.hair * (light.ambient + 0.5 * light.colour)).astype(np.float32)
    _blend_colour(canvas, mask.astype(np.float32) / 255 * np.float32(0.85), colour)


def draw_foreground(canvas: Any, rng: np.random.Generator, edge: Floats, middle: Floats) -> Any:
    """Let something out of focus near the camera cover a side of the picture up to `edge`.

    Return its mask.
    """
    size = canvas.shape[0]
    mask = np.zeros((size, size), np.uint8)
    side = 1.0 if edge[0] > middle[0] else -1.0
    out = edge[0] + side * size * 0.6, edge[1] + rng.normal(0, size * 0.2)
    cv2.ellipse(
        mask,
        (int(out[0]), int(out[1])),
        (int(size * 0.62), int(size * rng.uniform(0.3, 0.9))),
        float(rng.uniform(0, 40)),
        0,
        360,
        255,
        -1,
    )
    soft = cv2.GaussianBlur(mask, (0, 0), rng.uniform(3, 9)).astype(np.float32) / 255
    _blend_colour(canvas, soft, (rng.uniform(0.01, 0.5, 3) ** 1.4).astype(np.float32))
    return soft
