"""From samples to predictions by a network and its card."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchbox.errors import DataError, PluginError
from benchbox.types import Layout, Predict, Sample, Task

from . import gaze_decoding, picture_maps, point_decoding
from .network_card import CARD_FILE, NetworkCard, read_network_card
from .session import NetworkSession, find_network

if TYPE_CHECKING:
    from benchbox.types import Floats


def load_card(params: Mapping[str, Any], folder: Path) -> NetworkCard:
    """Read the card that `params["card"]` names, or the one in the method's folder."""
    name = str(params.get("card", "") or "")
    if name:
        file = Path(name).expanduser()
        if not file.is_absolute() and (folder / file).is_file():
            file = folder / file
        return read_network_card(file)
    if not (folder / CARD_FILE).is_file():
        raise PluginError(
            f"method {folder.name!r} needs a network's card: `benchbox new method NAME --template"
            " onnx` writes one to fill in, or give one for this run with --set card=FILE"
        )
    return read_network_card(folder / CARD_FILE)


def predictor(
    device: str,
    params: Mapping[str, Any],
    task: Task,
    layout: Layout | None,
    folder: Path,
    data: Path,
) -> Predict:
    """Return samples → (n, K, 2) px | (n, 2) cm | (n, 3); NaN rows have no box or no face."""
    card = load_card(params, folder)
    if card.task != task:
        raise PluginError(f"{card.place.file}: task = {card.task!r}; the protocol asks for {task}")
    session = NetworkSession(card, find_network(card, data), device)

    def predict(samples: Sequence[Sample]) -> Floats:
        return _predict_batch(card, session, samples, task, layout)

    return predict


def _predict_batch(
    card: NetworkCard,
    session: NetworkSession,
    samples: Sequence[Sample],
    task: Task,
    layout: Layout | None,
) -> Floats:
    shape: tuple[int, ...] = {"gaze3d": (3,), "gaze2d": (2,)}.get(task, (0, 2))
    if layout is not None and task == "landmarks":
        shape = (layout.count, 2)
    values = np.full((len(samples), *shape), np.nan)
    crops, maps, shown, sizes = [], [], [], []
    for row, sample in enumerate(samples):
        picture = sample.pixels()
        size = (picture.shape[1], picture.shape[0])
        matrix = picture_maps.picture_to_input(card.crop, sample, size, card.input.size)
        if matrix is None:
            continue
        warped = picture_maps.warp_picture(picture, matrix, card.input)
        crops.append(picture_maps.scale_channels(warped, card.input))
        maps.append(matrix)
        shown.append(row)
        sizes.append(size)
    if not shown:
        return values
    outputs = session.run(np.stack(crops))
    answered = _read_outputs(
        card, outputs, [samples[row] for row in shown], maps, np.array(sizes, float), layout
    )
    answered[~_is_present(card, outputs)] = np.nan
    # a row that is infinite or NaN in part is no answer
    broken = ~np.isfinite(answered.reshape(len(answered), -1)).all(axis=1)
    answered[broken] = np.nan
    values[shown] = answered
    return values


def _read_outputs(
    card: NetworkCard,
    outputs: Mapping[str, Floats],
    samples: Sequence[Sample],
    maps: Sequence[Floats],
    sizes: Floats,
    layout: Layout | None,
) -> Floats:
    if card.task == "gaze2d":
        return gaze_decoding.decode_places(card, outputs)
    if card.task == "gaze3d":
        directions = gaze_decoding.decode_directions(card, outputs)
        if card.output.values["space"] == "virtual":
            for row, sample in enumerate(samples):
                rotation = picture_maps.camera_rotation(card.crop, sample)
                directions[row] = rotation.T @ directions[row]
        return -directions  # what benchbox stores points from the target to the eyes
    points = point_decoding.decode_points(card, outputs, sizes)
    points = point_decoding.choose_points(card, points, layout)
    if card.output.values.get("of") == "picture":
        return points
    placed = [
        picture_maps.invert_points(matrix, face) for matrix, face in zip(maps, points, strict=True)
    ]
    return np.stack(placed)


def _is_present(card: NetworkCard, outputs: Mapping[str, Floats]) -> np.ndarray:
    """Tell for each face whether the network says that it is one."""
    count = len(next(iter(outputs.values())))
    if card.presence is None:
        return np.ones(count, bool)
    numbers = outputs[card.presence.name].reshape(count, -1)
    if numbers.shape[1] != 1:
        raise DataError(
            f"{card.place.file}: presence.name: {numbers.shape[1]} numbers a face; allowed: one"
        )
    likely = numbers[:, 0]
    if card.presence.values == "logit":
        likely = 1 / (1 + np.exp(-likely))
    return np.asarray(likely >= card.presence.least)
