"""What is behind a face.

Walls, rooms, foliage, lamps out of focus, other people, and clutter that is no face.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from benchbox.face_renderer import noise

_DRAWN_PX = 160  # px, side at which backgrounds are drawn; most are out of focus anyway


def draw_backdrop(rng: np.random.Generator, size: int, *, hard: bool, plain: bool = False) -> Any:
    """Draw a background (size, size, 3), linear float32.

    A plain one is the dim wall of a laboratory.
    """
    if plain:
        linear = np.square(_draw_wall(rng).astype(np.float32) / np.float32(255)) * np.float32(
            rng.uniform(0.05, 0.3)
        )
        return cv2.resize(linear, (size, size), interpolation=cv2.INTER_LINEAR)
    kind = rng.choice(
        6, p=[0.12, 0.38, 0.12, 0.12, 0.16, 0.10] if hard else [0.24, 0.28, 0.12, 0.12, 0.14, 0.10]
    )
    picture = (_draw_wall, _draw_clutter, _draw_lamps, _draw_bricks, _draw_foliage, _draw_stripes)[
        kind
    ](rng)
    if rng.random() < 0.16:
        _draw_stranger(picture, rng)
    blur = abs(rng.normal(0, 2.2)) * (kind != 0)
    if blur > 0.4:
        picture = cv2.GaussianBlur(picture, (0, 0), blur)
    level = np.float32(rng.uniform(0.15, 0.95) if not hard else rng.uniform(0.05, 1.3))
    linear = np.square(picture.astype(np.float32) / np.float32(255)) * level
    return cv2.resize(linear, (size, size), interpolation=cv2.INTER_LINEAR)


def _draw_colour(rng: np.random.Generator) -> tuple[float, float, float]:
    grey, hue = rng.uniform(15, 240), rng.normal(0, 30 if rng.random() < 0.2 else 12, 3)
    r, g, b = np.clip(grey + hue, 0, 255)
    return float(r), float(g), float(b)


def _draw_wall(rng: np.random.Generator) -> Any:
    clouds = noise.cut_window(noise.cloud_sheets()[0], rng, _DRAWN_PX, _DRAWN_PX)
    slope = np.linspace(-1, 1, _DRAWN_PX, dtype=np.float32) * rng.normal(0, 0.35)
    across = np.linspace(-1, 1, _DRAWN_PX, dtype=np.float32)[:, None] * rng.normal(0, 0.35)
    t = np.clip(0.5 + (clouds - 0.5) * rng.uniform(0.1, 0.8) + slope + across, 0, 1)[..., None]
    a, b = np.array(_draw_colour(rng)), np.array(_draw_colour(rng))
    return np.clip(a + (b - a) * t, 0, 255).astype(np.uint8)


def _draw_clutter(rng: np.random.Generator) -> Any:
    picture = _draw_wall(rng)
    for _ in range(int(rng.integers(8, 40))):
        x, y, w, h = (int(k) for k in rng.integers(0, _DRAWN_PX, 4))
        w, h = w // 3 + 2, h // 3 + 2
        shape, colour = int(rng.integers(4)), _draw_colour(rng)
        if shape == 0:
            cv2.rectangle(picture, (x, y), (x + w, y + h), colour, -1)
        elif shape == 1:
            cv2.ellipse(
                picture,
                (x, y),
                (w // 2 + 1, h // 2 + 1),
                float(rng.uniform(0, 180)),
                0,
                360,
                colour,
                -1,
                cv2.LINE_AA,
            )
        elif shape == 2:
            cv2.line(
                picture,
                (x, y),
                (x + w * 2 - _DRAWN_PX // 3, y + h * 2 - _DRAWN_PX // 3),
                colour,
                int(rng.integers(1, 9)),
                cv2.LINE_AA,
            )
        else:
            corners = (np.array([x, y]) + rng.normal(0, 22, (int(rng.integers(3, 6)), 2))).astype(
                np.int32
            )
            cv2.fillPoly(picture, [corners], colour, cv2.LINE_AA)
    if rng.random() < 0.3:
        cv2.putText(
            picture,
            "".join(chr(c) for c in rng.integers(65, 91, 7)),
            tuple(int(k) for k in rng.integers(-20, 130, 2)),
            int(rng.integers(0, 8)),
            float(rng.uniform(0.6, 2.2)),
            _draw_colour(rng),
            int(rng.integers(1, 5)),
            cv2.LINE_AA,
        )
    return picture


def _draw_lamps(rng: np.random.Generator) -> Any:
    picture = (_draw_wall(rng) * rng.uniform(0.1, 0.6)).astype(np.uint8)
    for _ in range(int(rng.integers(6, 28))):
        spot = picture.copy()
        cv2.circle(
            spot,
            tuple(int(k) for k in rng.integers(0, _DRAWN_PX, 2)),
            int(rng.integers(3, 16)),
            _draw_colour(rng),
            -1,
            cv2.LINE_AA,
        )
        share = rng.uniform(0.3, 0.8)
        picture = cv2.addWeighted(picture, 1 - share, spot, share, 0)
    return picture


def _draw_bricks(rng: np.random.Generator) -> Any:
    picture = np.full((_DRAWN_PX, _DRAWN_PX, 3), _draw_colour(rng), np.uint8)
    h, w = int(rng.integers(6, 26)), int(rng.integers(10, 48))
    base, spread = np.array(_draw_colour(rng)), rng.uniform(4, 45)
    for row, y in enumerate(range(0, _DRAWN_PX, h)):
        for x in range(-(row % 2) * w // 2, _DRAWN_PX, w):
            colour = np.clip(base + rng.normal(0, spread) + rng.normal(0, spread / 3, 3), 0, 255)
            cv2.rectangle(
                picture, (x + 1, y + 1), (x + w - 2, y + h - 2), tuple(float(c) for c in colour), -1
            )
    turn = cv2.getRotationMatrix2D(
        (_DRAWN_PX / 2, _DRAWN_PX / 2), float(rng.normal(0, 6)), float(rng.uniform(1.1, 1.6))
    )
    return cv2.warpAffine(picture, turn, (_DRAWN_PX, _DRAWN_PX), borderMode=cv2.BORDER_REFLECT)


def _draw_foliage(rng: np.random.Generator) -> Any:
    step = int(rng.integers(1, 4))
    near = noise.cut_window(noise.cloud_sheets()[1], rng, _DRAWN_PX, _DRAWN_PX)
    fine, far = (
        cv2.resize(
            noise.cut_window(noise.cloud_sheets()[k], rng, _DRAWN_PX * step, _DRAWN_PX * step),
            (_DRAWN_PX, _DRAWN_PX),
            interpolation=cv2.INTER_AREA,
        )
        for k in (0, 2)
    )
    dark, bright, sky = (np.array(_draw_colour(rng)) for _ in range(3))
    if rng.random() < 0.6:
        dark, bright = np.array([14, 30, 12]), np.array([110, 150, 60]) * rng.uniform(0.6, 1.4)
    leaf = dark + (bright - dark) * (fine[..., None] ** 1.5)
    gap = np.clip((near * 0.6 + far * 0.4 - rng.uniform(0.5, 0.85)) * 9, 0, 1)[..., None]
    return np.clip(leaf + (sky - leaf) * gap, 0, 255).astype(np.uint8)


def _draw_stripes(rng: np.random.Generator) -> Any:
    v, u = np.meshgrid(
        np.arange(_DRAWN_PX, dtype=np.float32),
        np.arange(_DRAWN_PX, dtype=np.float32),
        indexing="ij",
    )
    turn = rng.choice([0.0, np.pi / 2, rng.uniform(0, np.pi)])
    phase = (u * np.cos(turn) + v * np.sin(turn)) / rng.uniform(5, 40)
    jump = np.clip(rng.uniform(0, 255, (64, 1)) + rng.normal(0, 25, (64, 3)), 0, 255).astype(
        np.float32
    )
    calm = rng.uniform(0, 0.8)
    jump = jump * (1 - calm) + np.array(_draw_colour(rng), np.float32) * calm
    return jump[np.floor(phase).astype(int) % 64].astype(np.uint8)


def _draw_stranger(picture: Any, rng: np.random.Generator) -> None:
    """Add somebody in the background: a head without a face worth the name."""
    x, y = (
        int(rng.choice([rng.integers(0, 40), rng.integers(120, 160)])),
        int(rng.integers(30, 110)),
    )
    r = int(rng.integers(12, 28))
    tone = np.array([215, 165, 135]) * rng.uniform(0.25, 1.0)
    skin, hair, cloth = (tuple(float(k) for k in c) for c in (tone, tone * 0.25, _draw_colour(rng)))
    cv2.ellipse(
        picture,
        (x, y + int(r * 2.8)),
        (int(r * 1.8), int(r * 1.7)),
        0,
        0,
        360,
        cloth,
        -1,
        cv2.LINE_AA,
    )
    cv2.ellipse(
        picture, (x, y - r // 4), (int(r * 0.95), int(r * 1.2)), 0, 0, 360, hair, -1, cv2.LINE_AA
    )
    cv2.ellipse(picture, (x, y + r // 5), (int(r * 0.75), r), 0, 0, 360, skin, -1, cv2.LINE_AA)
    for side in (-1, 1):
        cv2.circle(picture, (x + side * r // 3, y), max(r // 9, 1), hair, -1, cv2.LINE_AA)
    cv2.line(
        picture,
        (x - r // 4, y + int(r * 0.65)),
        (x + r // 4, y + int(r * 0.65)),
        (150.0, 70.0, 70.0),
        max(r // 9, 1),
    )
