"""Phones and tablets.

Where a point of the screen lies as seen from the front camera, however the device is held.

Camera frame of a label: centimetres in the plane of the screen, origin at the camera, x to the
user's right, y up, as the user holds the device (GazeCapture's XCam, YCam). Orientations are
GazeCapture's: 1 upright with the camera above the screen, 2 upside down, 3 lying with the camera on
the user's left, 4 lying with the camera on the user's right.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from benchbox.types import Floats

MARGIN_MM = 5.0  # dots keep away from the screen's edge


@dataclass(frozen=True)
class Device:
    """A device held upright.

    Its screen, and the camera's place above the screen's upper left corner.
    """

    name: str
    kind: str  # "phone", "tablet"
    wide_mm: float
    tall_mm: float
    camera_right_mm: float  # from the screen's left edge
    camera_up_mm: float  # above the screen's upper edge
    focal: float  # of the front camera, in sides of the square that its picture fits into


DEVICES = (
    Device("phone-small", "phone", 51.0, 90.0, 20.5, 9.0, 1.04),
    Device("phone-middle", "phone", 58.5, 104.0, 18.6, 8.0, 1.02),
    Device("phone-large", "phone", 68.4, 121.5, 22.0, 8.7, 1.0),
    Device("tablet-small", "tablet", 120.3, 160.4, 60.2, 7.4, 1.24),
    Device("tablet-large", "tablet", 148.0, 197.1, 74.0, 7.4, 1.22),
)
DEVICES_BY_NAME = {device.name: device for device in DEVICES}


def screen_size_mm(device: Device, orientation: int) -> tuple[float, float]:
    """Return width and height of the screen as it is held."""
    upright = orientation in (1, 2)
    return (device.wide_mm, device.tall_mm) if upright else (device.tall_mm, device.wide_mm)


def screen_to_camera_cm(device: Device, orientation: int, x_mm: float, y_mm: float) -> Floats:
    """Return where a point of the screen lies (2,) cm from the camera.

    X right and y down from its upper left corner.

    Raises ValueError for an orientation that is none of 1 to 4.

    >>> screen_to_camera_cm(DEVICES_BY_NAME["phone-middle"], 1, 18.6, 0.0).round(2).tolist()
    [0.0, -0.8]
    """
    right, up, wide, tall = (
        device.camera_right_mm,
        device.camera_up_mm,
        device.wide_mm,
        device.tall_mm,
    )
    if orientation == 1:
        place = x_mm - right, -up - y_mm
    elif orientation == 2:
        place = right - wide + x_mm, up + tall - y_mm
    elif orientation == 3:
        place = up + x_mm, wide - right - y_mm
    elif orientation == 4:
        place = -up - tall + x_mm, right - y_mm
    else:
        raise ValueError(f"orientation {orientation!r} is none of 1 to 4")
    return np.array(place) / 10


def draw_dot_cm(device: Device, orientation: int, rng: np.random.Generator) -> Floats:
    """Draw a dot anywhere on the screen; (2,) cm from the camera."""
    wide, tall = screen_size_mm(device, orientation)
    x, y = rng.uniform(MARGIN_MM, wide - MARGIN_MM), rng.uniform(MARGIN_MM, tall - MARGIN_MM)
    return screen_to_camera_cm(device, orientation, x, y)


def screen_middle_cm(device: Device, orientation: int) -> Floats:
    """Return the middle of the screen, (2,) cm from the camera."""
    wide, tall = screen_size_mm(device, orientation)
    return screen_to_camera_cm(device, orientation, wide / 2, tall / 2)
