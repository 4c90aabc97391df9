"""From a network's numbers to points in px of its input: coordinates, heat maps, offsets, SimCC.

Where the ends of a frame or of a map lie decides half a pixel. With t from 0 to 1, S the input's
side, i a cell of n:

    edges     u = t S - 0.5          0 and 1 are the outer edges of the outer pixels
    index     u = t S                the count of an affine warp: 0 is the first pixel's centre
    centres   u = t (S - 1)          0 and 1 are the centres of the outer pixels
    nodes     u = i S / (n - 1) - 0.5   maps alone: cells from centre to centre, read edge to edge

For maps t = (i + add) / n, and (i + add) / (n - 1) for `centres` and `nodes`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from benchbox import layouts
from benchbox.errors import PluginError

from .network_card import NetworkCard, PointOrder

if TYPE_CHECKING:
    from benchbox.types import Floats, Layout

_PROBABILITY_FLOOR = 1e-7  # an offset's logit is finite


def decode_points(
    card: NetworkCard, outputs: Mapping[str, Floats], picture_sizes: Floats
) -> Floats:
    """Return all points of the network (n, P, 2) in px of the input.

    Where `output.of = "picture"`, in px of the pictures, whose widths and heights are (n, 2).

    Raises PluginError for shapes that do not fit the card.
    """
    values = card.output.values
    if card.output.kind == "coordinates":
        points = _read_coordinates(card, only_output(card, outputs))
        sides = np.tile(np.array(card.input.size, float), (len(points), 1))
        if values["of"] == "picture":
            sides = picture_sizes
        points = _frame_to_pixels(points, card, sides[:, None])
    elif card.output.kind == "heatmaps":
        points = _read_heatmaps(card, only_output(card, outputs))
    elif card.output.kind == "offsets":
        points = _read_offsets(card, outputs)
    else:
        points = _read_simcc(card, outputs)
    return points + np.array(values["shift"])


def choose_points(card: NetworkCard, points: Floats, layout: Layout | None) -> Floats:
    """Return the points (n, K, 2) of the protocol's layout out of the network's (n, P, 2)."""
    order = card.points
    if order is None or layout is None:
        raise PluginError(f"{card.place.file}: task: a landmark card on a protocol without points")
    place = card.place.inside("points")
    if isinstance(order.map, str):
        conversion = layouts.MAPS[order.map]
        chosen = _take_points(card, points, order, order.count)
        chosen = layouts.convert_points(chosen, conversion)
        reached = conversion.target
    elif order.map:
        chosen = _mix_points(card, _take_points(card, points, order, 0), order.map)
        reached = order.layout
    else:
        chosen = _take_points(card, points, order, order.count)
        reached = order.layout
    if reached != layout.name:
        maps = layouts.maps_between(reached, layout.name)
        known = " | ".join(maps) or f"[an index for each point of {layout.name}]"
        raise place.fault(
            "layout",
            f"gives {reached}, and the protocol asks for {layout.name}; allowed: map = {known}",
        )
    return chosen


def describe_map(card: NetworkCard) -> list[str]:
    """Name the map of a card's points for the record, and how exact it is; [] without one."""
    order = card.points
    if order is None or not order.map:
        return []
    if isinstance(order.map, str):
        return [layouts.map_note(layouts.MAPS[order.map])]
    same = sum(terms == ((terms[0][0], 1.0),) for terms in order.map)
    return [f"points mapped by the card's own map ({same} of {len(order.map)} are points as found)"]


def only_output(card: NetworkCard, outputs: Mapping[str, Floats]) -> Floats:
    """Return the one output that a card names, or the only one that the network has."""
    names = card.output.values["name"] or tuple(outputs)
    if len(names) != 1:
        raise card.place.inside("output").fault(
            "name", f"is missing; allowed: one of {', '.join(outputs)}"
        )
    return outputs[names[0]]


def _take_points(card: NetworkCard, points: Floats, order: PointOrder, count: int) -> Floats:
    """Take the first or last `count` of the network's points; 0: all."""
    if order.take == "first" and count:
        points = points[:, :count]
    if order.take == "last" and count:
        points = points[:, -count:]
    if count and points.shape[1] != count:
        raise card.place.inside("points").fault(
            "layout",
            f"{order.layout} has {count} points, the network gives {points.shape[1]};"
            ' allowed: another layout, take = "first" | "last", or map = [an index for each point]',
        )
    return points


def _mix_points(
    card: NetworkCard, points: Floats, terms: tuple[tuple[tuple[int, float], ...], ...]
) -> Floats:
    """Return weighted sums (n, K, 2) of points (n, P, 2)."""
    mixed = np.zeros((len(points), len(terms), 2))
    for target, entry in enumerate(terms):
        for index, weight in entry:
            if index >= points.shape[1]:
                raise card.place.inside("points").fault(
                    "map", f"entry {target} is {index}; the network gives {points.shape[1]} points"
                )
            mixed[:, target] += weight * points[:, index]
    return mixed


# --- coordinates ----------------------------------------------------------------------------------


def _read_coordinates(card: NetworkCard, numbers: Floats) -> Floats:
    """Return x, y (n, P, 2) in the frame of the card."""
    order, place = card.output.values["order"], card.place.inside("output")
    flat = numbers.reshape(len(numbers), -1)
    letters = len(order)
    if flat.shape[1] % letters or not flat.shape[1]:
        raise place.fault(
            "order", f"{order!r} are {letters} numbers a point; the network gives {numbers.shape}"
        )
    if card.output.values["blocks"]:
        by_point = flat.reshape(len(flat), letters, -1).transpose(0, 2, 1)
    else:
        by_point = flat.reshape(len(flat), -1, letters)
    return by_point[:, :, [order.index("x"), order.index("y")]]


def _frame_to_pixels(points: Floats, card: NetworkCard, sides: Floats) -> Floats:
    """Take points (n, P, 2) from the card's frame to px, y downwards.

    `sides` (n, 1, 2) are width and height of what the frame spans: the input or each picture.
    """
    values = card.output.values
    counted = sides
    if values["size"] is not None:
        counted = np.array(values["size"], float)
    share = points
    if values["frame"] == "-1..1":
        share = (points + 1) / 2
    elif values["frame"] == "pixels" and values["ends"] == "centres":
        share = points / np.maximum(counted - 1, 1)
    elif values["frame"] == "pixels":
        share = points / counted
    if values["ends"] == "edges":
        pixels = share * sides - 0.5
    elif values["ends"] == "index":
        pixels = share * sides
    else:
        pixels = share * (sides - 1)
    if values["y"] == "up":
        pixels[..., 1] = sides[..., 1] - 1 - pixels[..., 1]
    return pixels


# --- maps -----------------------------------------------------------------------------------------


def _cells_to_input(card: NetworkCard, cells: Floats, counts: Floats) -> Floats:
    """Take places on maps of (columns, rows) cells, add included, to px of the input."""
    sides, ends = np.array(card.input.size, float), card.output.values["ends"]
    if ends == "edges":
        return cells * sides / counts - 0.5
    if ends == "index":
        return cells * sides / counts
    nodes = np.maximum(counts - 1, 1)
    if ends == "centres":
        return cells * (sides - 1) / nodes
    return cells * sides / nodes - 0.5


def _order_axes(card: NetworkCard, maps: Floats, name: str) -> Floats:
    """Return maps as (n, P, rows, columns)."""
    axes = card.output.values["axes"]
    if maps.ndim != 4:
        raise card.place.inside("output").fault(
            name,
            f"the network gives {maps.shape}; {card.output.kind} are (n, points, rows, columns)",
        )
    return maps.transpose(0, *(1 + axes.index(letter) for letter in "prc"))


def _read_heatmaps(card: NetworkCard, numbers: Floats) -> Floats:
    values = card.output.values
    maps = _order_axes(card, numbers, "axes")
    counts = np.array(maps.shape[:1:-1], float)
    if values["decode"] in ("soft-argmax", "mean"):
        cells = _mean_cell(maps, values["decode"], values["beta"])
    else:
        cells = _highest_cell(maps).astype(float)
        if values["decode"] == "quarter":
            cells += _quarter_steps(maps, _highest_cell(maps))
        elif values["decode"] == "window":
            cells = _window_mean(maps, _highest_cell(maps), values["window"])
    return _cells_to_input(card, cells + values["add"], counts)


def _highest_cell(maps: Floats) -> np.ndarray:
    """Return (column, row) of the highest cell of maps (n, P, rows, columns)."""
    best = maps.reshape(*maps.shape[:2], -1).argmax(axis=-1)
    return np.stack([best % maps.shape[3], best // maps.shape[3]], axis=-1)


def _read_cells(maps: Floats, cells: np.ndarray) -> Floats:
    """Return the values (n, P) at cells (n, P, 2) that are clipped to the map."""
    columns = np.clip(cells[..., 0], 0, maps.shape[3] - 1)
    rows = np.clip(cells[..., 1], 0, maps.shape[2] - 1)
    faces = np.arange(maps.shape[0])[:, None]
    points = np.arange(maps.shape[1])[None, :]
    return maps[faces, points, rows, columns]


def _quarter_steps(maps: Floats, cells: np.ndarray) -> Floats:
    """Return a quarter cell towards the higher neighbour, per axis; none in the outer cells."""
    steps = np.zeros(cells.shape)
    for axis, count in ((0, maps.shape[3]), (1, maps.shape[2])):
        one = np.zeros(2, int)
        one[axis] = 1
        difference = _read_cells(maps, cells + one) - _read_cells(maps, cells - one)
        inside = (cells[..., axis] > 0) & (cells[..., axis] < count - 1)
        steps[..., axis] = np.where(inside, 0.25 * np.sign(difference), 0.0)
    return steps


def _mean_cell(maps: Floats, decode: str, beta: float) -> Floats:
    """Return the mean index under the softmax of a map, or under the map itself, negatives as 0."""
    if decode == "soft-argmax":
        weights = _softmax(maps.reshape(*maps.shape[:2], -1) * beta).reshape(maps.shape)
    else:
        weights = np.maximum(maps, 0.0)
    return _weighted_cell(weights)


def _weighted_cell(weights: Floats) -> Floats:
    total = weights.sum(axis=(2, 3))
    with np.errstate(invalid="ignore", divide="ignore"):  # an empty map is no answer: NaN
        x = (weights.sum(axis=2) * np.arange(weights.shape[3])).sum(axis=-1) / total
        y = (weights.sum(axis=3) * np.arange(weights.shape[2])).sum(axis=-1) / total
    return np.stack([x, y], axis=-1)


def _window_mean(maps: Floats, cells: np.ndarray, window: float) -> Floats:
    """Return the centre of mass within `window` cells of the highest one, as SAN reads maps."""
    columns, rows = np.arange(maps.shape[3]), np.arange(maps.shape[2])
    near_x = np.abs(columns - cells[..., 0, None]) <= window
    near_y = np.abs(rows - cells[..., 1, None]) <= window
    near = near_y[..., :, None] & near_x[..., None, :]
    return _weighted_cell(np.where(near, np.maximum(maps, 0.0), 0.0))


def _softmax(logits: Floats) -> Floats:
    """Return the softmax over the last axis."""
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def _read_offsets(card: NetworkCard, outputs: Mapping[str, Floats]) -> Floats:
    """Read the highest cell of score maps and the offsets that stand there."""
    values = card.output.values
    scores = _order_axes(card, only_output(card, outputs), "axes")
    if values["blocks"]:
        if scores.shape[1] % 3:
            raise card.place.inside("output").fault(
                "blocks", f"{scores.shape[1]} maps are no three equal blocks"
            )
        parts = dict(zip(values["blocks"], np.split(scores, 3, axis=1), strict=True))
        scores, across, down = parts["score"], parts["x"], parts["y"]
    else:
        across, down = (_order_axes(card, outputs[name], "offsets") for name in values["offsets"])
        if not scores.shape == across.shape == down.shape:
            raise card.place.inside("output").fault(
                "offsets", f"maps {across.shape} and {down.shape}; scores are {scores.shape}"
            )
    cells = _highest_cell(scores)
    offsets = np.stack([_read_cells(across, cells), _read_cells(down, cells)], axis=-1)
    if values["offset"] == "logit":
        likely = np.clip(offsets, _PROBABILITY_FLOOR, 1 - _PROBABILITY_FLOOR)
        offsets = np.log(likely / (1 - likely))
    counts = np.array(scores.shape[:1:-1], float)
    places = cells + offsets * values["offset_scale"] + values["add"]
    return _cells_to_input(card, places, counts)


def _read_simcc(card: NetworkCard, outputs: Mapping[str, Floats]) -> Floats:
    """Read a vector of bins for x and one for y: (n, P, bins)."""
    values = card.output.values
    bins = [outputs[name] for name in values["name"]]
    if any(vector.ndim != 3 for vector in bins) or bins[0].shape[1] != bins[1].shape[1]:
        raise card.place.inside("output").fault(
            "name",
            f"the network gives {bins[0].shape} and {bins[1].shape}; SimCC is (n, points, bins)",
        )
    places = []
    for vector in bins:
        if values["decode"] == "argmax":
            places.append(vector.argmax(axis=-1).astype(float))
        else:
            places.append(_softmax(vector * values["beta"]) @ np.arange(vector.shape[-1]))
    counts = np.array([bins[0].shape[-1], bins[1].shape[-1]], float)
    return _cells_to_input(card, np.stack(places, axis=-1) + values["add"], counts)
