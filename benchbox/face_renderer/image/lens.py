"""What a camera and a website do to a picture: exposure, colour, focus, noise, compression."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import cv2
import numpy as np

from benchbox.face_renderer import noise

if TYPE_CHECKING:
    from benchbox.types import Bytes


class _Quality(NamedTuple):
    """What a camera and a website do to pictures; standard deviations unless said otherwise."""

    exposure_sd: float  # of the logarithm
    balance_sd: float  # white balance, of the logarithm
    noise_sd: float
    blur_px: float
    enlarged_share: float  # of pictures that were small
    shaken_share: float  # of pictures that are shaken or were small
    shake_px: int  # the longest shake is shorter
    jpeg: tuple[int, int]


_GOOD = _Quality(0.3, 0.04, 0.014, 0.5, 0.05, 0.08, 6, (45, 97))
_POOR = _Quality(0.5, 0.07, 0.028, 1.0, 0.14, 0.22, 10, (18, 90))


def exposure_factor(rng: np.random.Generator, face: Any, *, hard: bool) -> Any:
    """Return the factor for linear light that exposes a face (P, 3) as a person would."""
    quality = _POOR if hard else _GOOD
    bright = float(np.percentile(face[::5].mean(1), 70)) + 1e-3 if len(face) else 0.3
    # Cameras meter for mid grey but not fully: dark skin stays darker than pale skin.
    target = np.exp(rng.normal(np.log(0.32), quality.exposure_sd)) * (bright / 0.3) ** 0.42
    return np.float32(np.clip(target, 0.035, 0.95) / bright)


def develop_picture(
    rng: np.random.Generator,
    linear: Any,
    *,
    hard: bool,
    sharp: bool = False,
    blur_px: float = 0.0,
    grain: np.random.Generator | None = None,
) -> Bytes:
    """Turn linear light (H, W, 3) into the bytes that a dataset would hold.

    `sharp` is a good camera in focus, else chance has a say; `blur_px` is blur on top of that;
    `grain` draws a frame's own noise where `rng` belongs to a sequence.
    """
    quality = _POOR if hard else _GOOD
    # highlights roll off
    bright = np.maximum(linear, np.float32(0.75)) * np.float32(0.8) + np.float32(0.4)
    picture = np.sqrt(np.minimum(linear / bright, 1))
    picture = _grade_colours(rng, picture, quality)
    if not sharp:
        picture = _apply_focus(rng, picture, quality)
    if blur_px:
        picture = cv2.GaussianBlur(picture, (0, 0), blur_px)
    sigma = abs(rng.normal(0, quality.noise_sd)) * (0.5 if sharp else 1.0)
    if sigma > 0.003:
        picture = picture + noise.cut_window(
            noise.sensor_grain(), grain or rng, *picture.shape[:2]
        ) * np.float32(sigma)
    done = (np.clip(picture, 0, 1) * np.float32(255) + np.float32(0.5)).astype(np.uint8)
    jpeg_quality = int(rng.integers(*quality.jpeg))
    if sharp:
        jpeg_quality = max(jpeg_quality, 85)
    packed = cv2.imencode(".jpg", done, [cv2.IMWRITE_JPEG_QUALITY, jpeg_quality])[1]
    return np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR), dtype=np.uint8)


def _grade_colours(rng: np.random.Generator, picture: Any, quality: _Quality) -> Any:
    """Apply contrast, saturation and white balance, or take the colour away.

    One matrix for all of it.
    """
    contrast, lift = np.exp(rng.normal(0.06, 0.14)), rng.normal(0, 0.02)
    weights = np.array([0.3, 0.59, 0.11])
    kind = rng.random()
    vivid = rng.uniform(0.7, 1.25)
    balance = np.exp(
        rng.normal(0, quality.balance_sd) * np.array([1, 0.1, -1]) + rng.normal(0, 0.02, 3)
    )
    if kind < 0.09:
        vivid, balance = 0.0, np.ones(3) if kind < 0.07 else np.array([1.08, 0.95, 0.75])
    matrix = contrast * balance[:, None] * (vivid * np.eye(3) + (1 - vivid) * weights)
    shift = balance * (0.45 * (1 - contrast) + lift)
    return cv2.transform(
        picture, np.concatenate([matrix, shift[:, None]], axis=1).astype(np.float32)
    )


def _apply_focus(rng: np.random.Generator, picture: Any, quality: _Quality) -> Any:
    kind, height = rng.random(), picture.shape[0]
    if kind < quality.enlarged_share:  # a small picture, enlarged
        low = int(height / rng.uniform(1.5, 3.2))
        return cv2.resize(
            cv2.resize(picture, (low, low), interpolation=cv2.INTER_AREA),
            (height, height),
            interpolation=cv2.INTER_CUBIC,
        )
    if kind < quality.shaken_share:  # shake
        length = int(rng.integers(3, quality.shake_px))
        kernel = np.zeros((length, length), np.float32)
        turn = rng.uniform(0, np.pi)
        way = np.array([np.cos(turn), np.sin(turn)]) * length / 2
        middle = np.array([length / 2, length / 2])
        a, b = (tuple(int(k) for k in np.clip(middle + s * way, 0, length - 1)) for s in (-1, 1))
        cv2.line(kernel, a, b, 1.0)
        return cv2.filter2D(picture, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REFLECT)
    blur = abs(rng.normal(0, quality.blur_px))
    if blur > 0.3:
        return cv2.GaussianBlur(picture, (0, 0), blur)
    return picture
