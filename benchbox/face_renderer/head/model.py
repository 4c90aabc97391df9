"""The head made ready once per process: the mesh and the points that layouts need, deformed by the same code."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from benchbox.face_renderer.camera import Pose, place

from .deformation import Body, Shape, body, deform, eyeballs
from .landmarks import SurfacePoints, eye_corners, ibug68
from .layout_points import PUPILS, markup
from .surface import EYE_RADIUS, surface

if TYPE_CHECKING:
    from benchbox.types import Floats


@dataclass(frozen=True, eq=False)
class Points:
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
        return self.on.of(deform(self.carrier, shape, eyeballs(corners(), shape)))

    def at(self, shape: Shape, pose: Pose, axes: Floats) -> Floats:
        """Return the points (K, 3) mm in the camera's axes.

        Pupils lie where the eyes' axes (2, 3) leave them.
        """
        points = place(self.of(shape), self.share, pose)
        if self.pupils is not None:
            points[list(self.pupils)] = place(
                eyeballs(corners(), shape) + EYE_RADIUS * axes, np.zeros(2), pose
            )
        return points


def _carry(points: SurfacePoints) -> Points:
    head = surface()
    used, inverse = np.unique(points.corners, return_inverse=True)
    carrier = body(head.points.reshape(-1, 3)[used], head.height.ravel()[used])
    return Points(carrier, SurfacePoints(inverse.reshape(points.corners.shape), points.weights))


@lru_cache(maxsize=1)
def corners() -> Body:
    """Return the eye corners as points to deform."""
    head = surface()
    places = eye_corners()
    height = places.of(head.height.reshape(-1, 1))[:, 0]
    return body(places.of(head.points.reshape(-1, 3)), height)


@lru_cache(maxsize=1)
def points68() -> Points:
    """Return the 68-point layout, ready to be deformed."""
    return _carry(ibug68())


@lru_cache(maxsize=4)
def points(layout: str) -> Points:
    """Return a layout's points, ready to be deformed."""
    return replace(_carry(markup(layout)), pupils=PUPILS[layout])


@lru_cache(maxsize=1)
def mesh() -> Body:
    """Return the whole surface, ready to be deformed; takes a fraction of a second once."""
    head = surface()
    whole = body(head.points.reshape(-1, 3), head.height.ravel())
    # A thousandth of a millimetre is fine for pixels, and half the memory is half the time.
    return replace(whole, fields=whole.fields.astype(np.float32))
