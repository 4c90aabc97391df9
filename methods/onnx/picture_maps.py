"""From the picture to the network's input: crop rules and the three half-pixel maps.

Pixel frames: the centre of the first pixel is (0, 0), of the picture as of the input. A box or crop
X0, Y0, W, H is in coordinates of the picture; with s = size / W, a place x of the picture is at

    resize   u = (x - X0 + 0.5) s - 0.5    cut the pixels X0 … X0 + W - 1 out and resize them
    affine   u = (x - X0) s                an affine warp that takes the crop's corner to 0
    corner   u = (x - X0) s - 0.5          edge to edge in coordinates; the centre to (size - 1) / 2

The first differs from the last by half a pixel of the picture, the second by half a pixel of the
input: 1 % of error where the eye corners are 50 px apart, to one side, on every face.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from benchbox.errors import DataError
from benchbox.types import Sample

from .network_card import NetworkInput, PictureCrop

if TYPE_CHECKING:
    from benchbox.types import Bytes, Floats

_NUMBER_GAPS = re.compile(r"[\s,;]+")
_INTERPOLATION = {"linear": cv2.INTER_LINEAR, "cubic": cv2.INTER_CUBIC}
# per axis: what is added to x - X0 before scaling, and to u after it
_HALF_PIXELS = {"resize": (0.5, -0.5), "affine": (0.0, 0.0), "corner": (0.0, -0.5)}


def picture_to_input(
    crop: PictureCrop, sample: Sample, picture_size: tuple[int, int], input_size: tuple[int, int]
) -> Floats | None:
    """Return the map (3, 3) from picture to input, or None for a sample without a usable box.

    Sizes are (width, height). Raises DataError for a virtual camera whose numbers a sample lacks.
    """
    if crop.kind == "normalise":
        return _virtual_camera(crop.values, sample)[0]
    area = _crop_area(crop, sample.box, picture_size, input_size)
    if area is None:
        return None
    before, after = _HALF_PIXELS[crop.values["map"]]
    scale = np.array(input_size) / area[2:]
    matrix = np.diag([*scale, 1.0])
    matrix[:2, 2] = (before - area[:2]) * scale + after
    return matrix


def camera_rotation(crop: PictureCrop, sample: Sample) -> Floats:
    """Return the rotation (3, 3) from the real camera to the virtual one of `normalise`."""
    return _virtual_camera(crop.values, sample)[1]


def warp_picture(picture: Bytes, matrix: Floats, given: NetworkInput) -> Bytes:
    """Return the input's picture (height, width, 3) uint8 in the channel order of `picture`."""
    flags = _INTERPOLATION[given.interpolation]
    fill = (given.fill,) * 3
    if np.array_equal(matrix[2], [0.0, 0.0, 1.0]):
        return cv2.warpAffine(  # type: ignore[return-value]
            picture, matrix[:2], given.size, flags=flags, borderValue=fill
        )
    return cv2.warpPerspective(  # type: ignore[return-value]
        picture, matrix, given.size, flags=flags, borderValue=fill
    )


def scale_channels(picture: Bytes, given: NetworkInput) -> Floats:
    """Turn RGB (height, width, 3) into the network's values (channels, height, width)."""
    if given.channels == "grey":
        channels = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)[None].astype(np.float64)
    else:
        channels = picture.transpose(2, 0, 1).astype(np.float64)
        if given.channels == "BGR":
            channels = channels[::-1]
    divide, mean, std = (
        np.array(numbers)[:, None, None] for numbers in (given.divide, given.mean, given.std)
    )
    scaled: Floats = (channels / divide - mean) / std
    return scaled


def place_axes(batch: Floats, layout: str) -> Floats:
    """Turn a batch (n, channels, height, width) into the memory layout of the network."""
    axes = ["NCHW".index(letter) for letter in layout]
    return np.ascontiguousarray(batch.transpose(axes))


def invert_points(matrix: Floats, points: Floats) -> Floats:
    """Take points (K, 2) of the input back to the picture."""
    homogeneous = np.column_stack([points, np.ones(len(points))]) @ np.linalg.inv(matrix).T
    return homogeneous[:, :2] / homogeneous[:, 2:]


# --- crop rules -----------------------------------------------------------------------------------


def _crop_area(
    crop: PictureCrop, box: Floats, picture_size: tuple[int, int], input_size: tuple[int, int]
) -> Floats | None:
    """Return the crop [X0, Y0, W, H]; None without a box or where nothing is left of it."""
    values = crop.values
    if crop.kind == "whole":
        return np.array([0.0, 0.0, *picture_size])
    size = box[2:] - box[:2]
    if not np.isfinite(box).all() or (size <= 0).any():
        return None
    corners = _place_crop(crop.kind, values, box, input_size)
    corners = _to_whole_pixels(corners, values["whole_pixels"])
    if values["clip"]:
        limits = np.array([*picture_size, *picture_size], float)
        corners = np.clip(corners, 0.0, limits)
    area = np.concatenate([corners[:2], corners[2:] - corners[:2]])
    if (area[2:] <= 0).any():
        return None
    return area


def _place_crop(
    kind: str, values: Mapping[str, Any], box: Floats, input_size: tuple[int, int]
) -> Floats:
    """Return the corners (4,) of the crop of a box by one of the rules."""
    centre, (width, height) = (box[:2] + box[2:]) / 2, box[2:] - box[:2]
    if kind == "grow":
        left, top, right, bottom = values["grow"]
        moves = np.array([-left * width, -top * height, right * width, bottom * height])
        return box + moves
    if kind == "stretch":
        half = np.array([width, height]) * values["factor"] / 2
    elif kind == "fan":
        centre = centre - [0.0, values["up"] * height]
        half = np.full(2, 200.0 * (width + height) / values["reference"] / 2)
    elif kind == "centre-scale":
        # scale = side / 200 x factor, and the crop is 200 px x scale: the unit of 200 px cancels
        half = np.full(2, _measure_side(values["side"], width, height) * values["factor"] / 2)
        if values["aspect"] == "input":
            half = _widen_to_input(width, height, values["factor"], input_size)
    else:
        side = _measure_side(values.get("side", "mean"), width, height)
        centre = centre + side * np.array([values["right"], values["down"]])
        half = np.full(2, values["factor"] * side / 2)
    return np.concatenate([centre - half, centre + half])


def _measure_side(which: str, width: float, height: float) -> float:
    if which == "mean":
        return (width + height) / 2
    if which == "width":
        return width
    if which == "height":
        return height
    if which == "shorter":
        return min(width, height)
    return max(width, height)


def _widen_to_input(
    width: float, height: float, factor: float, input_size: tuple[int, int]
) -> Floats:
    """Return half the sides of the smallest crop of the input's shape around a box, x factor."""
    aspect = input_size[0] / input_size[1]
    sides = np.array([max(width, height * aspect), max(height, width / aspect)])
    return sides * factor / 2


def _to_whole_pixels(corners: Floats, how: str) -> Floats:
    if how == "round":
        return np.round(corners)
    if how == "truncate":
        return np.trunc(corners)
    if how == "outwards":
        return np.concatenate([np.floor(corners[:2]), np.ceil(corners[2:])])
    return corners


# --- the virtual camera ---------------------------------------------------------------------------


def _virtual_camera(values: Mapping[str, Any], sample: Sample) -> tuple[Floats, Floats]:
    """Return the map (3, 3) of the picture and the rotation (3, 3) of data normalisation.

    Its z axis goes through the face's centre, its x axis lies along the head's; Zhang et al., 2018.
    """
    camera = _meta_array(sample, values["camera"], (3, 3), "crop.camera")
    centre = _meta_array(sample, values["centre"], (3,), "crop.centre")
    head = _meta_array(sample, values["head"], (3, 3), "crop.head")
    distance = float(np.linalg.norm(centre))
    if distance == 0 or abs(np.linalg.det(camera)) < 1e-12:
        raise DataError(f"{sample.id}: a face in the camera or a camera without a focal length")
    z_axis = centre / distance
    y_axis = np.cross(z_axis, head[:, 0])
    y_axis /= np.linalg.norm(y_axis)
    x_axis = np.cross(y_axis, z_axis)
    x_axis /= np.linalg.norm(x_axis)
    rotation = np.stack([x_axis, y_axis, z_axis])
    focal, (principal_x, principal_y) = values["focal"], values["principal"]
    virtual = np.array([[focal, 0, principal_x], [0, focal, principal_y], [0, 0, 1.0]])
    scaling = np.diag([1.0, 1.0, values["distance"] / distance])
    matrix: Floats = virtual @ scaling @ rotation @ np.linalg.inv(camera)
    return matrix, rotation


def _read_array(sample: Sample, name: str) -> Floats:
    """Return what a dataset gives, which of a person's own files is a text: "500 0 240 …"."""
    given = sample.meta[name]
    try:
        if isinstance(given, str):
            return np.array([float(word) for word in _NUMBER_GAPS.split(given.strip("[] "))])
        return np.asarray(given, float)
    except (ValueError, TypeError) as fault:
        raise DataError(f"{sample.id}: {name} is {given!r}, expected numbers") from fault


def _meta_array(sample: Sample, name: str, shape: tuple[int, ...], key: str) -> Floats:
    if name not in sample.meta:
        there = ", ".join(sample.meta) or "nothing"
        raise DataError(
            f"{sample.id}: {key} = {name!r} is not among what the dataset gives: {there};"
            " a virtual camera needs the real one, the face's centre and the head's rotation"
        )
    array = _read_array(sample, name)
    if array.size == 9 and shape == (3, 3):
        array = array.reshape(3, 3)
    if array.shape != shape or not np.isfinite(array).all():
        raise DataError(f"{sample.id}: {name} has the shape {array.shape}; {key} wants {shape}")
    return array
