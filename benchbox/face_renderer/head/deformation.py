"""How heads differ and move: identity and expression as displacement fields, then jaw and lids.

Every step acts on points one by one, so that landmarks alone cost next to nothing and lie exactly
on the rendered mesh.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from .surface import (
    EYE,
    EYE_INNER,
    EYE_OUTER,
    EYE_RADIUS,
    EYE_Y,
    MOUTH_HALF,
    MOUTH_Y,
    lower_lid,
    smooth_step,
    upper_lid,
)

if TYPE_CHECKING:
    from benchbox.types import Floats

    Field = Callable[[Floats], Floats]  # (V, 4) x, y, z, row height → (V, 3) mm

JAW_AXIS = np.array([0.0, 12.0, 2.0])  # the jaw turns about this line
NECK = np.array([0.0, 135.0, -22.0])  # the head turns about this point


@dataclass(frozen=True)
class Shape:
    """What a head looks like and does at one moment.

    Coefficients are in standard deviations, angles in radians.
    """

    identity: Mapping[str, float] = field(default_factory=dict)
    expression: Mapping[str, float] = field(default_factory=dict)
    jaw: float = 0.0  # 0 closed … 0.4 wide open
    lids: tuple[float, float] = (0.0, 0.0)  # picture left, right: -0.3 wide … 0 neutral … 1 closed
    gaze: tuple[float, float] = (0.0, 0.0)  # yaw, pitch of both eyes in the head's frame


def _front_bell(p: Floats, x: float, y: float, sx: float, sy: float) -> Floats:
    """Weigh the front of the face by a bell around ±x, y."""
    bell = np.exp(-(((np.abs(p[:, 0]) - x) / sx) ** 2) - ((p[:, 1] - y) / sy) ** 2)
    return bell * smooth_step(5, 45, p[:, 2])


def _side_sign(p: Floats) -> Floats:
    return np.tanh(p[:, 0] / 4)


def _displace(
    weight: Floats, dx: Floats | float = 0.0, dy: Floats | float = 0.0, dz: Floats | float = 0.0
) -> Floats:
    return np.stack([weight * dx, weight * dy, weight * dz], axis=-1)


def _above_body(p: Floats) -> Floats:
    return smooth_step(190, 110, p[:, 1])


def _above_mouth(p: Floats) -> Floats:
    return (p[:, 3] <= MOUTH_Y).astype(float)


IDENTITY: dict[str, Field] = {
    "width": lambda p: _displace(_above_body(p), dx=p[:, 0] * 0.045),
    "depth": lambda p: _displace(_above_body(p), dz=p[:, 2] * 0.03),
    "length": lambda p: _displace(_above_body(p) * smooth_step(0, 120, p[:, 1]), dy=5.0),
    "lower_length": lambda p: _displace(_above_body(p) * smooth_step(75, 115, p[:, 1]), dy=3.5),
    "jaw_width": lambda p: _displace(
        np.exp(-(((p[:, 1] - 72) / 32) ** 2)) * smooth_step(-30, 15, p[:, 2]),
        dx=3.8 * np.tanh(p[:, 0] / 30),
    ),
    "chin_width": lambda p: _displace(_front_bell(p, 0, 104, 40, 16), dx=p[:, 0] * 0.13),
    "chin_forward": lambda p: _displace(_front_bell(p, 0, 102, 24, 18), dz=3.2),
    "chin_round": lambda p: _displace(_front_bell(p, 0, 112, 16, 10), dy=2.4),
    "cheekbone": lambda p: _displace(
        _front_bell(p, 52, 25, 20, 18), dx=2.6 * _side_sign(p), dz=1.5
    ),
    "fullness": lambda p: _displace(_front_bell(p, 46, 58, 22, 28), dx=4.2 * _side_sign(p), dz=2.2),
    "double_chin": lambda p: _displace(
        np.exp(-(((p[:, 1] - 122) / 14) ** 2)) * smooth_step(-40, 20, p[:, 2]),
        dx=p[:, 0] * 0.07,
        dz=3.5,
    ),
    "forehead": lambda p: _displace(smooth_step(-25, -110, p[:, 1]), dy=-7.0),
    "forehead_slope": lambda p: _displace(
        smooth_step(-30, -80, p[:, 1]) * smooth_step(0, 60, p[:, 2]), dz=-3.5
    ),
    "temple": lambda p: _displace(
        np.exp(-(((p[:, 1] + 30) / 28) ** 2)), dx=2.6 * np.tanh(p[:, 0] / 30)
    ),
    "brow_ridge": lambda p: _displace(_front_bell(p, 26, -14, 26, 9), dz=2.2),
    "brow_height": lambda p: _displace(_front_bell(p, 32, -19, 26, 9), dy=-2.0),
    "brow_tilt": lambda p: _displace(
        _front_bell(p, 34, -19, 26, 8), dy=-0.085 * (np.abs(p[:, 0]) - 34)
    ),
    "eye_apart": lambda p: _displace(_front_bell(p, 31, 0, 19, 16), dx=1.7 * _side_sign(p)),
    "eye_width": lambda p: _displace(
        _front_bell(p, 31, 0, 19, 13), dx=0.07 * (np.abs(p[:, 0]) - 31) * _side_sign(p)
    ),
    "eye_open": lambda p: _displace(_front_bell(p, 31, 0, 17, 9), dy=0.13 * (p[:, 1] - EYE_Y)),
    "eye_tilt": lambda p: _displace(
        _front_bell(p, 31, 0, 20, 15), dy=-0.065 * (np.abs(p[:, 0]) - 31)
    ),
    "eye_height": lambda p: _displace(_front_bell(p, 31, 0, 24, 18), dy=1.6),
    "eye_deep": lambda p: _displace(_front_bell(p, 31, 0, 18, 13), dz=-1.8),
    "nose_width": lambda p: _displace(_front_bell(p, 0, 48, 22, 11), dx=p[:, 0] * 0.13),
    "nose_length": lambda p: _displace(_front_bell(p, 0, 48, 24, 17), dy=2.8),
    "nose_forward": lambda p: _displace(_front_bell(p, 0, 44, 15, 15), dz=3.2),
    "nose_bridge": lambda p: _displace(_front_bell(p, 0, 10, 9, 18), dz=2.4),
    "nose_hump": lambda p: _displace(_front_bell(p, 0, 23, 8, 9), dz=1.8),
    "nose_bridge_width": lambda p: _displace(_front_bell(p, 0, 22, 18, 20), dx=p[:, 0] * 0.12),
    "nose_tip_up": lambda p: _displace(_front_bell(p, 0, 44, 10, 8), dy=-2.0, dz=0.6),
    "nose_tip_round": lambda p: _displace(_front_bell(p, 0, 43, 13, 8), dx=p[:, 0] * 0.12, dz=0.8),
    "mouth_width": lambda p: _displace(_front_bell(p, 0, 73, 36, 15), dx=p[:, 0] * 0.075),
    "mouth_height": lambda p: _displace(_front_bell(p, 0, 73, 40, 18), dy=1.9),
    "mouth_forward": lambda p: _displace(_front_bell(p, 0, 74, 28, 18), dz=2.2),
    "upper_lip": lambda p: _displace(
        _front_bell(p, 0, 65, 21, 5) * _above_mouth(p), dy=-1.2, dz=0.5
    ),
    "lower_lip": lambda p: _displace(
        _front_bell(p, 0, 83, 20, 6) * (1 - _above_mouth(p)), dy=1.4, dz=0.6
    ),
    "nose_aside": lambda p: _displace(_front_bell(p, 0, 40, 16, 22), dx=1.2),
    "chin_aside": lambda p: _displace(_front_bell(p, 0, 100, 60, 36), dx=1.3),
    "eyes_uneven": lambda p: _displace(_front_bell(p, 31, 0, 20, 18), dy=0.8 * _side_sign(p)),
    "brows_uneven": lambda p: _displace(_front_bell(p, 33, -19, 24, 9), dy=1.0 * _side_sign(p)),
    "mouth_uneven": lambda p: _displace(_front_bell(p, 0, 73, 40, 16), dy=0.035 * p[:, 0]),
    "neck_width": lambda p: _displace(
        np.exp(-(((p[:, 1] - 155) / 40) ** 2)) * smooth_step(105, 135, p[:, 1]),
        dx=p[:, 0] * 0.09,
        dz=p[:, 2] * 0.06,
    ),
    "shoulders": lambda p: _displace(smooth_step(190, 260, p[:, 1]), dx=p[:, 0] * 0.08),
}


def _mouth_corner(p: Floats) -> Floats:
    return _front_bell(p, 25, 73, 17, 16)


def _smile_line(p: Floats) -> Floats:
    """Weigh the cheek just outside the fold from nose to mouth."""
    return _front_bell(p, 38, 48, 13, 18)


EXPRESSION: dict[str, Field] = {
    "smile": lambda p: (
        _displace(_mouth_corner(p), dx=6.5 * _side_sign(p), dy=-6.0, dz=-4.0)
        + _displace(_smile_line(p), dx=1.5 * _side_sign(p), dy=-3.5, dz=3.2)
        + _displace(_front_bell(p, 31, 9, 16, 6), dy=-1.4)
        + _displace(_front_bell(p, 0, 65, 14, 7), dy=-0.8, dz=-1.5)
        + _displace(_front_bell(p, 0, 48, 20, 10), dx=p[:, 0] * 0.08)
    ),
    "smile_left": lambda p: _displace(_mouth_corner(p) * (p[:, 0] < 0), dx=-4.5, dy=-4.5, dz=-2.5),
    "smile_right": lambda p: _displace(_mouth_corner(p) * (p[:, 0] > 0), dx=4.5, dy=-4.5, dz=-2.5),
    "frown": lambda p: (
        _displace(_mouth_corner(p), dy=4.5, dz=-1.0)
        + _displace(_front_bell(p, 0, 92, 20, 8), dy=-1.5, dz=1.0)
    ),
    "pucker": lambda p: _displace(_front_bell(p, 0, 73, 30, 14), dx=-0.30 * p[:, 0], dz=5.0),
    "stretch": lambda p: _displace(_mouth_corner(p), dx=5.0 * _side_sign(p), dz=-2.5),
    "upper_lip_raise": lambda p: (
        _displace(_front_bell(p, 0, 69, 20, 9) * _above_mouth(p), dy=-3.2)
        + _displace(_front_bell(p, 0, 48, 22, 10), dy=-0.8, dx=p[:, 0] * 0.05)
    ),
    "lower_lip_drop": lambda p: _displace(
        _front_bell(p, 0, 78, 19, 9) * (1 - _above_mouth(p)), dy=3.0
    ),
    "closed": lambda p: _displace(
        (
            4
            * (np.abs(p[:, 0]) / (2 * MOUTH_HALF) + 0.5).clip(0, 1)
            * (0.5 - np.abs(p[:, 0]) / (2 * MOUTH_HALF)).clip(0)
        )
        ** 0.8
        * np.maximum(1 - np.abs(p[:, 3] - MOUTH_Y) / 12, 0)
        * smooth_step(40, 60, p[:, 2]),
        dy=np.where(p[:, 3] <= MOUTH_Y, 2.15, -2.15),
    ),
    "lips_apart": lambda p: _displace(
        _front_bell(p, 0, 73, 20, 7), dy=np.where(p[:, 3] <= MOUTH_Y, -1.0, 1.0)
    ),
    "brows_up": lambda p: (
        _displace(_front_bell(p, 30, -20, 32, 13), dy=-4.6)
        + _displace(_front_bell(p, 30, -6, 22, 5), dy=-0.7)
    ),
    "brows_inner_up": lambda p: _displace(_front_bell(p, 12, -18, 15, 11), dy=-4.2),
    "brows_down": lambda p: _displace(
        _front_bell(p, 17, -16, 20, 11), dx=-1.8 * _side_sign(p), dy=3.6, dz=0.8
    ),
    "brow_left_up": lambda p: _displace(_front_bell(p, 33, -20, 24, 11) * (p[:, 0] < 0), dy=-4.0),
    "cheeks_up": lambda p: _displace(_front_bell(p, 33, 10, 20, 7), dy=-2.2, dz=0.9),
    "cheeks_puffed": lambda p: _displace(
        _front_bell(p, 42, 66, 18, 18), dx=4.5 * _side_sign(p), dz=4.5
    ),
    "jaw_aside": lambda p: _displace(
        _front_bell(p, 0, 95, 60, 26) * smooth_step(60, 82, p[:, 3]), dx=3.0
    ),
}


@dataclass(frozen=True, eq=False)
class Body:
    """A set of surface points with everything that moves them, ready to be deformed."""

    rest: Floats  # (V, 3) mm
    fields: Floats  # (K, V, 3): identity, then expression
    jaw: Floats  # (V,) share of the jaw's rotation
    lid: Floats  # (2, V) mm down that a fully closed lid moves a point, picture left and right
    near_eye: Floats  # (2, V) True where a lid slides over the eyeball
    body: Floats  # (V,) share of the shoulders' pose instead of the head's


def _jaw_share(p: Floats, h: Floats) -> Floats:
    ax = np.abs(p[:, 0])
    soft = 0.35 + 22 * smooth_step(23, 62, ax) + 20 * smooth_step(45, 0, p[:, 2])
    share = smooth_step(-1, 1, (h - MOUTH_Y - 0.25 * soft) / soft)
    # Towards the corners both lips move alike, so that an open mouth is round and not a drawer.
    corner = (
        smooth_step(4, 26, ax)
        * smooth_step(26, 4, np.abs(h - MOUTH_Y - 4))
        * smooth_step(30, 60, p[:, 2])
    )
    share = share + (0.42 - share) * corner
    share = share * smooth_step(170, 110, p[:, 1]) * smooth_step(-25, 25, p[:, 2])
    return np.asarray(share)


def _lid_drop(p: Floats, h: Floats, side: int) -> Floats:
    x = p[:, 0] * side
    up, low = upper_lid(x), lower_lid(x)
    away = h - EYE_Y
    fade = np.maximum(1 - np.abs(away) / 19.0, 0)
    drop: Floats = (
        np.where(away < 0, up + 0.8 * low + 0.5, -0.2 * low)
        * fade
        * smooth_step(20, 50, p[:, 2])
        * smooth_step(6, 14, x)
    )
    return drop


def prepare_body(points: Floats, height: Floats) -> Body:
    """Prepare points (V, 3) of the neutral surface, with their row heights (V,), for deforming."""
    p, h = points, height
    places = np.concatenate([p, h[:, None]], axis=1)
    fields = np.stack([f(places) for f in (*IDENTITY.values(), *EXPRESSION.values())])
    near = []
    for side in (-1, 1):
        inside = (np.abs(p[:, 0] * side - (EYE_INNER + EYE_OUTER) / 2) < 15) & (
            np.abs(p[:, 1] - EYE_Y) < 10
        )
        near.append(inside & (p[:, 2] > 60))
    return Body(
        p,
        fields,
        _jaw_share(p, h),
        np.stack([_lid_drop(p, h, -1), _lid_drop(p, h, 1)]),
        np.stack(near),
        smooth_step(112, 215, p[:, 1]),
    )


def field_weights(shape: Shape) -> Floats:
    """Return the weights (K,) of the fields, in their order."""
    return np.array(
        [shape.identity.get(name, 0.0) for name in IDENTITY]
        + [shape.expression.get(name, 0.0) for name in EXPRESSION]
    )


def eyeball_centres(corners: Body, shape: Shape) -> Floats:
    """Place the centres (2, 3) of the eyeballs: they follow the eye corners (4 points.

    Left pair, then right pair).
    """
    shift = np.tensordot(field_weights(shape), corners.fields, axes=1).reshape(2, 2, 3).mean(axis=1)
    placed: Floats = np.array([[-1.0, 1, 1], [1.0, 1, 1]]) * EYE + shift
    return placed


def deform_points(part: Body, shape: Shape, eyes: Floats) -> Floats:
    """Return the points (V, 3) in the head's frame.

    `eyes` (2, 3) are the centres of the eyeballs.
    """
    moved = part.rest + np.tensordot(
        field_weights(shape).astype(part.fields.dtype), part.fields, axes=1
    )
    for side in (0, 1):
        moved[:, 1] += part.lid[side] * shape.lids[side]
        near = np.flatnonzero(part.near_eye[side])
        away = moved[near] - eyes[side]
        reach = np.linalg.norm(away, axis=1, keepdims=True)
        moved[near] = eyes[side] + away * np.maximum(1, (EYE_RADIUS + 0.3) / reach)
    return _turn_jaw(moved, part.jaw, shape.jaw)


def _turn_jaw(points: Floats, share: Floats, angle: float) -> Floats:
    if not angle:
        return points
    arm = points[:, 1:] - JAW_AXIS[1:]
    cos, sin = np.cos(angle * share), np.sin(angle * share)
    y = arm[:, 0] * cos + arm[:, 1] * sin
    z = -arm[:, 0] * sin + arm[:, 1] * cos
    return np.stack([points[:, 0], JAW_AXIS[1] + y, JAW_AXIS[2] + z], axis=-1)
