"""How a file of predictions is written, as options and keyword arguments say it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchbox.errors import ResultError

from .gaze_predictions import GazeReading
from .prediction_formats.found_face import Hints

PICTURE_ORIGINS = {"0": 0.0, "0.5": 0.5, "1": 1.0}  # what a first pixel's centre is called


def read_options(
    *,
    columns: str | Sequence[str] = (),
    positive: str | Sequence[str] = (),
    unit: str = "",
    origin: str | float = "",
    frame: str = "",
    in_order: bool = False,
    layout: str = "",
    field: str = "",
    frames: Path | str | None = None,
    sizes: Path | str | None = None,
    names: Path | str | None = None,
    missing: str = "",
) -> tuple[GazeReading, Hints]:
    """Return how gaze is written, and what a file of landmarks cannot say itself.

    `origin` is 0, 0.5 or 1 for landmarks, `camera` or `screen` for gaze. Raises ResultError for
    another one.
    """
    word = f"{origin:g}" if isinstance(origin, int | float) else origin
    if word not in ("", *PICTURE_ORIGINS, "camera", "screen"):
        raise ResultError(f"origin {word!r}: one of 0, 0.5, 1 (landmarks), camera, screen (gaze)")
    if missing not in ("", "failed"):
        raise ResultError(f"missing {missing!r}: only `failed` is known")
    reading = GazeReading(
        split_list(columns),
        split_list(positive),
        unit,
        "" if word in PICTURE_ORIGINS else word,
        frame,
        in_order,
    )
    hints = Hints(
        origin=PICTURE_ORIGINS.get(word),
        layout=layout,
        field=field,
        frames=None if frames is None else Path(frames),
        sizes=None if sizes is None else Path(sizes),
        names=None if names is None else Path(names),
        missing_failed=missing == "failed",
    )
    return reading, hints


def split_list(given: str | Sequence[str]) -> tuple[str, ...]:
    """Take a list apart at its commas.

    >>> split_list("yaw, pitch"), split_list(["yaw", "pitch"]), split_list("")
    (('yaw', 'pitch'), ('yaw', 'pitch'), ())
    """
    words = given.split(",") if isinstance(given, str) else given
    return tuple(word.strip() for word in words if word.strip())
