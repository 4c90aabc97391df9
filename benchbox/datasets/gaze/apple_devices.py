"""Where a point of the screens of GazeCapture's iPhones and iPads lies, in cm from the camera.

Lengths in mm, of the device held upright with the camera above the screen: from the camera to the
screen's left edge (`camera_x`, to the left) and upper edge (`camera_y`, downwards), then the
screen's width and height; as GazeCapture's `apple_device_data.csv` has them. What turns points of
the screen into its XCam, YCam (x right, y up as the person sees it, whatever way the device is
held):

    orientation 1, portrait                (x - camera_x,           -camera_y - y)
    orientation 2, portrait, upside down   (camera_x - width + x,    camera_y + height - y)
    orientation 3, home button right       (camera_y + x,            width - camera_x - y)
    orientation 4, home button left        (-camera_y - height + x,  camera_x - y)

A comment in the dataset's code says that positive x is down; its formulas, these, have it to the
right. Below the camera y is negative, so YCam is negative in orientation 1 and positive in 2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from benchbox.types import Floats


class Device(NamedTuple):
    """Lengths in mm, device upright."""

    camera_x_mm: float
    camera_y_mm: float
    width_mm: float
    height_mm: float


DEVICES = {
    "iPhone 6s Plus": Device(23.54, 8.66, 68.36, 121.54),
    "iPhone 6s": Device(18.61, 8.04, 58.49, 104.05),
    "iPhone 6 Plus": Device(23.54, 8.65, 68.36, 121.54),
    "iPhone 6": Device(18.61, 8.03, 58.50, 104.05),
    "iPhone 5s": Device(25.85, 10.65, 51.70, 90.39),
    "iPhone 5c": Device(25.85, 10.64, 51.70, 90.39),
    "iPhone 5": Device(25.85, 10.65, 51.70, 90.39),
    "iPhone 4s": Device(14.96, 9.78, 49.92, 74.88),
    "iPad Mini": Device(60.70, 8.70, 121.30, 161.20),
    "iPad Air 2": Device(76.86, 7.37, 153.71, 203.11),
    "iPad Air": Device(74.40, 9.90, 149.00, 198.10),
    "iPad 4": Device(74.50, 10.50, 149.00, 198.10),
    "iPad 3": Device(74.50, 10.50, 149.00, 198.10),
    "iPad 2": Device(74.50, 10.50, 149.00, 198.10),
    "iPad Pro": Device(98.31, 10.69, 196.61, 262.15),
}


def screen_to_camera_cm(
    device: Device, points: Floats, size: Floats, orientation: np.ndarray
) -> Floats:
    """Turn points (N, 2) on a screen of `size` (N, 2) into cm from the camera (N, 2).

    Points and size are in the screen's own points; `size` is width and height as held;
    `orientation` (N,) 1 … 4. Rows of another orientation come out as NaN.

    The upper left corner of an iPhone 6, upright: 1.861 cm left of the camera, 0.803 cm below it.

    >>> corner, size = np.array([[0.0, 0.0]]), np.array([[375.0, 667.0]])
    >>> screen_to_camera_cm(DEVICES["iPhone 6"], corner, size, np.array([1])).round(3).tolist()
    [[-1.861, -0.803]]
    """
    camera_x, camera_y, width, height = device
    upright = np.array([width, height])
    sideways = upright[::-1]
    mm = points / size * np.where((orientation <= 2)[:, None], upright, sideways)
    x, y = mm[:, 0], mm[:, 1]
    held = {
        1: (x - camera_x, -camera_y - y),
        2: (camera_x - width + x, camera_y + height - y),
        3: (camera_y + x, width - camera_x - y),
        4: (-camera_y - height + x, camera_x - y),
    }
    placed = np.full(points.shape, np.nan)
    for number, place in held.items():
        rows = orientation == number
        placed[rows] = np.stack(place, axis=1)[rows]
    return placed / 10
