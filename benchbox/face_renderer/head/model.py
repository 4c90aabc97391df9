"""The head made ready once per process.

The mesh and the points that layouts need, deformed by the same code.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from benchbox.face_renderer.camera import Pose, place_points

from .deformation import Body, Shape, deform_points, eyeball_centres, prepare_body
from .landmarks import SurfacePoints, eye_corners, ibug68_points
from .layout_points import PUPILS, layout_positions
from .surface import EYE_RADIUS, neutral_surface

if TYPE_CHECKING:
    from benchbox.types import Floats


@dataclass(frozen=True, eq=False)
class ModelPoints:
    """A layout's points with the few vertices that carry them."""

    carrier: Body
    on: SurfacePoints  # indices into the carrier
    pupils: tuple[int, int] | None = None  # points that move with the eyes

    @property
    def share(self) -> Floats:
        """Share (K,) of the shoulders' pose in each point's."""
        return self.on.of(self.carrier.body[:, None])[:, 0]

    def of(self, shape: Shape) -> Floats:
        """Return the points (K, 3) mm of a shape in the head's frame."""
        return self.on.of(
            deform_points(self.carrier, shape, eyeball_centres(eye_corner_body(), shape))
        )

    def at(self, shape: Shape, pose: Pose, axes: Floats) -> Floats:
        """Return the points (K, 3) mm in the camera's axes.

        Pupils lie where the eyes' axes (2, 3) leave them.
        """
        points = place_points(self.of(shape), self.share, pose)
        if self.pupils is not None:
            points[list(self.pupils)] = place_points(
                eyeball_centres(eye_corner_body(), shape) + EYE_RADIUS * axes, np.zeros(2), pose
            )
        return points


def _follow_eyes(points: SurfacePoints) -> ModelPoints:
    head = neutral_surface()
    used, inverse = np.unique(points.corners, return_inverse=True)
    carrier = prepare_body(head.points.reshape(-1, 3)[used], head.height.ravel()[used])
    return ModelPoints(
        carrier, SurfacePoints(inverse.reshape(points.corners.shape), points.weights)
    )


@lru_cache(maxsize=1)
def eye_corner_body() -> Body:
    """Return the eye corners as points to deform."""
    head = neutral_surface()
    places = eye_corners()
    height = places.of(head.height.reshape(-1, 1))[:, 0]
    return prepare_body(places.of(head.points.reshape(-1, 3)), height)


@lru_cache(maxsize=1)
def model_points68() -> ModelPoints:
    """Return the 68-point layout, ready to be deformed."""
    return _follow_eyes(ibug68_points())


@lru_cache(maxsize=4)
def model_points(layout: str) -> ModelPoints:
    """Return a layout's points, ready to be deformed."""
    return replace(_follow_eyes(layout_positions(layout)), pupils=PUPILS[layout])


@lru_cache(maxsize=1)
def head_mesh() -> Body:
    """Return the whole surface, ready to be deformed; takes a fraction of a second once."""
    head = neutral_surface()
    whole = prepare_body(head.points.reshape(-1, 3), head.height.ravel())
    # A thousandth of a millimetre is fine for pixels, and half the memory is half the time.
    return replace(whole, fields=whole.fields.astype(np.float32))
