"""From a network's numbers to gaze: bins, angles, vectors, virtual cameras, points in cm.

A direction is worked out in the camera's frame (x to the picture's right, y down, z away; who looks
into the camera has z = -1); what benchbox stores is its negative, as ETH-XGaze does.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from .network_card import NetworkCard
from .point_decoding import only_output

if TYPE_CHECKING:
    from benchbox.types import Floats

_CM = {"cm": 1.0, "mm": 0.1, "m": 100.0}


def decode_directions(card: NetworkCard, outputs: Mapping[str, Floats]) -> Floats:
    """Return directions of gaze (n, 3) of length 1, in the frame of `output.space`."""
    if card.output.kind == "vector":
        vectors = _read_vectors(card, only_output(card, outputs))
    else:
        if card.output.kind == "bins":
            first, second = (_read_bins(card, outputs[name]) for name in card.output.values["name"])
        else:
            first, second = _read_angles(card, outputs)
        vectors = _angles_to_directions(card, first, second)
    with np.errstate(invalid="ignore", divide="ignore"):  # a vector of length 0 is no answer: NaN
        return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def decode_places(card: NetworkCard, outputs: Mapping[str, Floats]) -> Floats:
    """Return places that are looked at (n, 2) in cm, as the dataset counts them."""
    values = card.output.values
    numbers = only_output(card, outputs)
    flat = numbers.reshape(len(numbers), -1)
    if flat.shape[1] != 2:
        raise card.place.inside("output").fault(
            "kind", f"point is two numbers; the network gives {numbers.shape}"
        )
    places = flat[:, [values["order"].index(axis) for axis in "xy"]] * _CM[values["unit"]]
    for column, axis in enumerate("xy"):
        if values[axis] == "mirrored":
            places[:, column] *= -1
    return places


def _read_angles(card: NetworkCard, outputs: Mapping[str, Floats]) -> tuple[Floats, Floats]:
    """Return the two angles (n,) in radians, in the order of the card."""
    names = card.output.values["name"]
    if len(names) == 2:
        numbers = np.concatenate([outputs[name].reshape(-1, 1) for name in names], axis=1)
    else:
        numbers = only_output(card, outputs)
    flat = numbers.reshape(len(numbers), -1)
    if flat.shape[1] != 2:
        raise card.place.inside("output").fault(
            "kind", f"angles are two numbers; the network gives {numbers.shape}"
        )
    if card.output.values["unit"] == "degrees":
        flat = np.radians(flat)
    return flat[:, 0], flat[:, 1]


def _read_bins(card: NetworkCard, logits: Floats) -> Floats:
    """Return the mean angle (n,) in radians under the softmax over bins (n, bins)."""
    values = card.output.values
    flat = logits.reshape(len(logits), -1)
    powers = np.exp(flat - flat.max(axis=1, keepdims=True))
    shares = powers / powers.sum(axis=1, keepdims=True)
    angles: Floats = np.radians(
        shares @ np.arange(flat.shape[1]) * values["step"] + values["first"]
    )
    return angles


def _angles_to_directions(card: NetworkCard, first: Floats, second: Floats) -> Floats:
    values = card.output.values
    pitch, yaw = first, second
    if values["order"] == "yaw pitch":
        pitch, yaw = second, first
    if values["yaw"] == "left":
        yaw = -yaw
    if values["pitch"] == "down":
        pitch = -pitch
    # now positive yaw looks to the picture's right, positive pitch up
    return np.stack(
        [np.cos(pitch) * np.sin(yaw), -np.sin(pitch), -np.cos(pitch) * np.cos(yaw)], axis=-1
    )


def _read_vectors(card: NetworkCard, numbers: Floats) -> Floats:
    values = card.output.values
    flat = numbers.reshape(len(numbers), -1)
    if flat.shape[1] != 3:
        raise card.place.inside("output").fault(
            "kind", f"vector is three numbers; the network gives {numbers.shape}"
        )
    vectors = flat[:, [values["order"].index(axis) for axis in "xyz"]].copy()
    if values["x"] == "left":
        vectors[:, 0] *= -1
    if values["y"] == "up":
        vectors[:, 1] *= -1
    if values["z"] == "camera":
        vectors[:, 2] *= -1
    return vectors
