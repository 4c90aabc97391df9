"""How nearly points are a face of their layout: similarity fits to a mean face, seen from around.

`mean_faces.csv` holds each layout's points on the neutral head of the face renderer, in mm: x to
the picture's right, y down, z towards the camera. The mean face is turned to a few poses, fitted to
every labelled shape by rotation, scale and shift (never by reflection), and the best pose counts.
From the fit come

* the residual, what the fit leaves over, as a share of the face's size, which is the root mean
  square distance of the points from their centre: 0 is the mean face itself, 1 is no face;
* the roll, by which the face is turned in the picture: 0 upright, 90 on its side;
* how far each point lies from where the fit puts it, in sizes of the face.

The limits below are the only ones in use. What they rest on was measured with this fit:

* 2,701 labelled faces of 300-W: residual at most 0.31 (half of them below 0.14), roll at most 39
  degrees, no point further off than 0.70 sizes;
* 3,462 frames of YTF-68, labelled by a tracker: residual at most 0.479, no point further off than
  0.96 sizes but in two frames (2.1 and 2.5);
* the same 300-W faces spoilt: left and right exchanged or mirrored 0.69 to 0.88, x and y swapped
  0.69 to 0.88, counted from the other end 0.82 to 0.93, in the order of names sorted as text 0.91
  to 0.98, in random order 0.98 to 0.99, every point one place on 0.49 to 0.60 (half of them above
  0.52); turned by 180 degrees a roll of 142 to 180;
* the median of single points over four faces or more: at most 0.36 sizes off on 300-W and YTF-68;
  the corners of one eye exchanged 0.44 to 0.60, the nostrils 0.54 to 0.69, one eye for the other
  0.96 to 1.18.

Orders are told apart by a second measure, which has a margin where the residual has none: a face is
fitted as it is and under each known slip (one index on, left and right exchanged, x and y
exchanged …). A good face's own residual is 0.31 times that of any slip (half of 300-W) and at most
0.57, in YTF-68 0.76, for AFLW's 19 points in profile 1.28; a slipped face's residual is that
many times *larger* than that of the slip undone. So `BETTER_READING` lies between 0.62 (98 points
one place on) and 0.78 (the profile), and only faces that fit poorly are asked. Within a part (an
eye, the contour) it is the median place of a set's points that is compared, the part's own shift
aside: over any four faces the order as it is leaves at most 0.63 of what its points one place on or
reversed leave, so `BETTER_PART` is far from good sets and from bad ones.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files as resources
from typing import TYPE_CHECKING, Any

import numpy as np

from benchbox.layouts import MAPS, convert_points, find_map, maps_between

if TYPE_CHECKING:
    from benchbox.types import Bools, Floats

MOST_RESIDUAL = 0.485  # of one face
MOST_ROLL_DEG = 60.0  # of most faces of a set
MOST_SINGLE_ROLL_DEG = 135.0  # of one face: upside down
MOST_OFF = 2.6  # of one point of one face, in sizes
MOST_MEDIAN_OFF = 0.42  # of one point, the median over a set of faces
FEWEST_FACES = 4  # of which a median tells something
DOUBTFUL_RESIDUAL = 0.27  # from here on it is asked whether another order fits better
BETTER_READING = 0.7  # share of the residual that another order must leave at most
BETTER_PART = 0.8  # the same of a part's points, over a set
CLEAR_RESIDUAL = 0.2  # below it the frontal pose alone says enough
MOST_OWN_RESIDUAL = 0.78  # from the mean of the set itself, where no mean face is known
MOST_OWN_MEDIAN = 0.35  # of a set that has one shape
FEWEST_OWN = 8  # shapes that make a mean of their own
_FEWEST_POINTS = 4  # three points always fit a face fairly well
_YAWS_DEG = (-75, -50, -25, 0, 25, 50, 75)
_PITCHES_DEG = (-30, 0, 30)
_ONE_PLACE = 1e-10  # of the power: a shape of less is a single place
NEAR_BORDER = 1.5  # coordinates beyond it are no placeholders and no shares of the picture
_TOGETHER = 64  # shapes whose least coordinate is looked at as one
_CHUNK = 1024  # faces at a time: they stay in the cache
_MOST_LOOKED_AT = 400  # shapes that make a mean


@dataclass(frozen=True, eq=False)
class ShapeFit:
    """What the best fit says of N shapes of K points; NaN where too few points are known."""

    residual: Floats  # (N,) of the face's size, 0 … 1
    roll_deg: Floats  # (N,) -180 … 180
    size_px: Floats  # (N,) root mean square distance from the centre
    off: Floats  # (N, K) distance of a point from its place, in sizes
    places: Floats  # (N, K, 2) where the fit puts the points, the unknown ones too

    @property
    def is_face(self) -> Bools:
        """Say which shapes (N,) can be a face of the layout; an unknown one cannot."""
        return np.asarray(self.residual <= MOST_RESIDUAL)

    @property
    def is_upside_down(self) -> Bools:
        """Say which shapes (N,) are a face that stands on its head."""
        return self.is_face & (np.abs(self.roll_deg) > MOST_SINGLE_ROLL_DEG)


def fit_mean_face(points: Floats, layout: str) -> ShapeFit:
    """Fit a layout's mean face to shapes (N, K, 2), in any unit; NaN points are left out.

    Raises
    ------
    KeyError
        The layout is in no table.
    ValueError
        The points are not those of the layout.

    Examples
    --------
    >>> face = mean_face("ibug68")[None, :, :2]
    >>> fit_mean_face(100 + 2 * face, "ibug68").residual.round(3).tolist()
    [0.0]
    >>> np.abs(fit_mean_face(-face, "ibug68").roll_deg).round(1).tolist()
    [180.0]
    >>> mirrored = face * [-1, 1]  # the points keep their numbers
    >>> fit_mean_face(mirrored, "ibug68").is_face.tolist()
    [False]
    """
    count = len(mean_face(layout))
    if points.shape[1:] != (count, 2):
        raise ValueError(f"points are {points.shape}, {layout} has (N, {count}, 2)")
    poses = _posed_faces(layout)
    chunks = []
    for start in range(0, max(len(points), 1), _CHUNK):
        chunks.append(_fit_poses(points[start : start + _CHUNK], poses))
    return ShapeFit(
        residual=np.concatenate([chunk.residual for chunk in chunks]),
        roll_deg=np.concatenate([chunk.roll_deg for chunk in chunks]),
        size_px=np.concatenate([chunk.size_px for chunk in chunks]),
        off=np.concatenate([chunk.off for chunk in chunks]),
        places=np.concatenate([chunk.places for chunk in chunks]),
    )


@dataclass(frozen=True, eq=False)
class ShapeScreen:
    """What `screen_shapes` says of N shapes, without the places of their points."""

    residual: Floats  # (N,) as that of `ShapeFit`; up to the clear limit that of the frontal pose
    roll_deg: Floats  # (N,)
    # (N,) smallest coordinate of each shape, or one below it that is above `NEAR_BORDER`; NaN where
    # a coordinate is no number
    least: Floats


def screen_shapes(points: Floats, layout: str) -> ShapeScreen:
    """Say cheaply how nearly shapes (N, K, 2) are faces and how they are turned.

    The frontal pose comes first, the others for what it does not clear: every pose of the mean face
    is a sum of its x, y and z, so three products with a shape give those with all poses.
    The residual is that of `fit_mean_face`, to the rounding, for whole shapes; others get that fit.

    Examples
    --------
    >>> face = mean_face("ibug68")[None, :, :2]
    >>> screen_shapes(100 + 2 * face, "ibug68").residual.round(3).tolist()
    [0.0]
    """
    upright, axes, pose_terms, pose_power, frontal = _pose_basis(layout)
    flat = np.ascontiguousarray(points, np.float64).reshape(len(points), upright.shape[0])
    sums = np.empty((len(flat), upright.shape[1]))
    power, least = np.empty(len(flat)), np.empty(len(flat))
    for start in range(0, len(flat), _CHUNK):
        rows = slice(start, start + _CHUNK)
        chunk = flat[rows]
        np.matmul(chunk, upright, out=sums[rows])
        np.einsum("nk,nk->n", chunk, chunk, out=power[rows])
        _least_coordinates(chunk, least[rows])
    with np.errstate(invalid="ignore", divide="ignore"):
        of_centre = (sums[:, 0] ** 2 + sums[:, 1] ** 2) / points.shape[1]
        power = np.where(power > of_centre * (1 + _ONE_PLACE), power - of_centre, np.nan)
        across, down = sums[:, 2].copy(), sums[:, 3].copy()  # the product with the frontal pose
        left = 1 - (across**2 + down**2) / (power * pose_power[frontal])
        unclear = np.flatnonzero(~(left <= CLEAR_RESIDUAL**2))
        terms = np.empty((len(unclear), axes.shape[1]))
        for start in range(0, len(unclear), _CHUNK):
            rows = slice(start, start + _CHUNK)
            np.matmul(flat[unclear[rows]], axes, out=terms[rows])
        products = terms.view(np.complex128) @ pose_terms
        all_left = 1 - np.abs(products) ** 2 / (power[unclear, None] * pose_power)
        pose = np.argmin(np.where(np.isfinite(all_left), all_left, np.inf), axis=1)
        at = np.arange(len(unclear))
        left[unclear], best = all_left[at, pose], products[at, pose]
        across[unclear], down[unclear] = best.real, best.imag
        residual = np.sqrt(np.clip(left, 0, 1))
    roll_deg = np.degrees(np.arctan2(down, across))
    partial = np.flatnonzero(~np.isfinite(residual))
    if len(partial):
        fit = fit_mean_face(points[partial], layout)
        residual[partial], roll_deg[partial] = fit.residual, fit.roll_deg
    return ShapeScreen(residual, roll_deg, least)


def _least_coordinates(flat: Floats, least: Floats) -> None:
    """Fill in the least number (N,) of each row (N, 2K), or a lower one above `NEAR_BORDER`.

    The least number of many rows at once costs a fifth of that of each row.
    """
    for start in range(0, len(flat), _TOGETHER):
        group = slice(start, start + _TOGETHER)
        lowest = flat[group].min()
        if lowest > NEAR_BORDER:  # False for NaN
            least[group] = lowest
        else:
            np.min(flat[group], axis=1, out=least[group])


@cache
def _pose_basis(layout: str) -> tuple[Floats, Floats, Any, Floats, int]:
    """Return what `screen_shapes` multiplies with.

    Weights (2K, 4) that give the sums of x and y and the product with the frontal pose; those
    (2K, 6) of three complex products; what makes the products with the P poses of them (3, P); the
    power of each pose (P,); which of them is frontal.
    """
    poses = _posed_faces(layout)
    face = mean_face(layout)
    basis, _ = np.linalg.qr(face - face.mean(axis=0))
    centred = poses - poses.mean(axis=1, keepdims=True)
    frontal = [(yaw, pitch) for yaw in _YAWS_DEG for pitch in _PITCHES_DEG].index((0, 0))
    face_on = centred[frontal]
    upright = np.zeros((2 * len(face), 4))
    upright[0::2, 0] = 1
    upright[1::2, 1] = 1
    upright[0::2, 2], upright[1::2, 2] = face_on.real, face_on.imag
    upright[0::2, 3], upright[1::2, 3] = -face_on.imag, face_on.real
    axes = np.zeros((2 * len(face), 2 * basis.shape[1]))
    axes[0::2, 0::2] = basis
    axes[1::2, 1::2] = basis
    pose_terms = basis.T @ centred.conj().T
    return upright, axes, pose_terms, (np.abs(centred) ** 2).sum(axis=1), frontal


def comparable_shapes(points: Floats, layout: str) -> tuple[Floats, str]:
    """Return shapes (N, K, 2) with the layout whose mean face they are compared with.

    Those of a layout without a mean face are mapped to one that has one, as `layout_maps.csv` says;
    "" where there is no such map.

    Examples
    --------
    >>> comparable_shapes(np.zeros((1, 478, 2)), "mediapipe478")[1]
    'ibug68'
    >>> comparable_shapes(np.zeros((1, 194, 2)), "helen194")[1]
    ''
    """
    if has_mean_face(layout):
        return points, layout
    for layout_map in MAPS.values():
        if layout_map.source == layout and has_mean_face(layout_map.target):
            return convert_points(points, layout_map), layout_map.target
    return points, ""


def own_residuals(points: Floats) -> Floats:
    """Return what a fit of the set's own mean leaves of each shape (N, K, 2), as (N,) of its size.

    For layouts without a mean face. NaN for shapes that are not whole, and for all where they are
    few or have no one shape.

    Examples
    --------
    >>> shapes = np.random.default_rng(0).normal(0, 0.05, (9, 20, 2))
    >>> shapes += np.random.default_rng(1).normal(size=(20, 2))
    >>> shapes[3] = shapes[3, ::-1]
    >>> (own_residuals(shapes) > MOST_OWN_RESIDUAL).tolist().index(True)
    3
    """
    residual = np.full(len(points), np.nan)
    shapes = points[..., 0] + 1j * points[..., 1]
    shapes = shapes - shapes.mean(axis=1, keepdims=True)
    length = np.sqrt((np.abs(shapes) ** 2).sum(axis=1))
    rows = np.flatnonzero(np.isfinite(length) & (length > 0))
    if len(rows) < FEWEST_OWN:
        return residual
    shapes = shapes[rows] / length[rows, None]
    few = shapes[np.linspace(0, len(rows) - 1, min(len(rows), _MOST_LOOKED_AT)).astype(np.intp)]
    alike = np.abs(few @ few.conj().T)
    middle = few[np.argmax(np.median(alike, axis=1))]
    for _ in range(3):  # the mean of the better half, turned to it
        products = few @ middle.conj()
        better = np.abs(products) >= np.median(np.abs(products))
        turns = products[better].conj() / np.abs(products[better])
        middle = (few[better] * turns[:, None]).mean(axis=0)
        middle /= np.sqrt((np.abs(middle) ** 2).sum())
    left = np.sqrt(np.clip(1 - np.abs(shapes @ middle.conj()) ** 2, 0, 1))
    if np.median(left) <= MOST_OWN_MEDIAN:
        residual[rows] = left
    return residual


def mean_face(layout: str) -> Floats:
    """Return a layout's points (K, 3) on a neutral head, in mm.

    Raises KeyError for a layout that is neither in the table nor mapped from one that is.
    """
    face = _find_mean_face(layout)
    if face is None:
        raise KeyError(layout)
    return face.copy()


@cache
def _find_mean_face(layout: str) -> Floats | None:
    """Return a layout's mean face: from the table, or mapped from one that is there."""
    if layout in _mean_faces():
        return _mean_faces()[layout]
    for source, face in _mean_faces().items():
        for name in maps_between(source, layout):
            layout_map = find_map(name)
            plane = convert_points(face[None, :, :2], layout_map)[0]
            depth = convert_points(face[None, :, [2, 2]], layout_map)[0, :, :1]
            return np.concatenate([plane, depth], axis=1)
    return None


def has_mean_face(layout: str) -> bool:
    """Say whether a layout's mean face is known; that of a layout that a card brings is not."""
    return _find_mean_face(layout) is not None


@cache
def _mean_faces() -> dict[str, Floats]:
    table = resources(__package__).joinpath("mean_faces.csv")
    points: dict[str, list[list[float]]] = {}
    for row in csv.DictReader(table.read_text(encoding="utf-8").splitlines()):
        points.setdefault(row["layout"], []).append([float(row[axis]) for axis in "xyz"])
    return {layout: np.array(rows) for layout, rows in points.items()}


@cache
def _posed_faces(layout: str) -> Floats:
    """Return the mean face in every pose: complex numbers (P, K), x + iy."""
    face = mean_face(layout)
    posed = []
    for yaw in np.radians(_YAWS_DEG):
        for pitch in np.radians(_PITCHES_DEG):
            turned = face @ _rotation(yaw, pitch).T
            posed.append(turned[:, 0] + 1j * turned[:, 1])
    return np.array(posed)


def _rotation(yaw: float, pitch: float) -> Floats:
    """Return the matrix (3, 3) that turns a head by yaw, then by pitch, in radians."""
    about_y = np.array(
        [[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]],
    )
    about_x = np.array(
        [[1, 0, 0], [0, np.cos(pitch), -np.sin(pitch)], [0, np.sin(pitch), np.cos(pitch)]],
    )
    return np.asarray(about_x @ about_y)


def _fit_poses(points: Floats, poses: Floats) -> ShapeFit:
    """Fit every pose (P, K) to shapes (N, K, 2) and keep the best.

    A similarity of the plane is a product of complex numbers, so every fit is a scalar product.
    """
    known = np.isfinite(points).all(axis=2)
    counts = known.sum(axis=1)
    shapes = np.where(known, points[..., 0] + 1j * points[..., 1], 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        centres = shapes.sum(axis=1) / counts
        shapes = np.where(known, shapes - centres[:, None], 0)
        power = (np.abs(shapes) ** 2).sum(axis=1)
        # of each pose, over the points that are known of each shape: (N, P)
        pose_centres = known @ poses.T / counts[:, None]
        pose_power = known @ (np.abs(poses) ** 2).T - counts[:, None] * np.abs(pose_centres) ** 2
        products = shapes @ poses.conj().T
        left = 1 - np.abs(products) ** 2 / (power[:, None] * pose_power)
        best = np.argmin(np.where(np.isfinite(left), left, np.inf), axis=1)
        rows = np.arange(len(points))
        residual = np.sqrt(np.clip(left[rows, best], 0, 1))
        turn = products[rows, best] / pose_power[rows, best]  # rotation and scale
        placed = turn[:, None] * (poses[best] - pose_centres[rows, best][:, None])
        size = np.sqrt(power / counts)
        off = np.abs(shapes - placed) / size[:, None]
    unknown = (counts < _FEWEST_POINTS) | ~(size > 0) | ~np.isfinite(residual)
    places = np.where(unknown[:, None], np.nan, placed + centres[:, None])
    return ShapeFit(
        residual=np.where(unknown, np.nan, residual),
        roll_deg=np.where(unknown, np.nan, np.degrees(np.angle(turn))),
        size_px=size,
        off=np.where(unknown[:, None] | ~known, np.nan, off),
        places=np.stack([places.real, places.imag], axis=-1),
    )
