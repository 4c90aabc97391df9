"""The card of a network, `network.toml`: everything that decides its numbers, nothing guessed.

Whatever is wrong is raised as "file: key: what is wrong; allowed: …". The README of this folder
explains each key; `picture_maps`, `point_decoding` and `gaze_decoding` say what it does.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchbox import layouts
from benchbox.errors import PluginError
from benchbox.file_readers.toml_files import read_toml
from benchbox.plugins.card_values import (
    SWITCH,
    TABLE,
    TEXT,
    CardKey,
    CardPlace,
    ValueKind,
    integer_from,
    list_of,
    number_where,
    one_of,
    read_value,
    read_values,
    text_matching,
)

CARD_FILE = "network.toml"
MAX_BYTES = 1 << 20
_MAX_SIDE_PX = 4096
_MAX_POINTS = 10_000

# --- kinds of values of these cards ---------------------------------------------------------------


def _parse_size(value: Any) -> tuple[int, int]:
    if isinstance(value, int) and not isinstance(value, bool):
        value = [value, value]
    if not isinstance(value, list) or len(value) != 2:
        raise ValueError("not two sides")
    for side in value:
        if isinstance(side, bool) or not isinstance(side, int) or not 1 <= side <= _MAX_SIDE_PX:
            raise ValueError("no side")
    return (value[0], value[1])


def _numbers(count: int) -> ValueKind:
    """Describe lists of so many finite numbers; one may stand there twice."""

    def parse(value: Any) -> tuple[float, ...]:
        if not isinstance(value, list) or len(value) != count:
            raise ValueError("not so many numbers")
        return tuple(_ANY_NUMBER.parse(item) for item in value)

    return ValueKind(parse, f"a list of {count} numbers")


def _parse_channel_numbers(value: Any) -> tuple[float, ...]:
    """Read one number for all channels, or one for each."""
    if not isinstance(value, list):
        value = [value]
    if len(value) not in (1, 3):
        raise ValueError("neither one nor three")
    return tuple(_ANY_NUMBER.parse(item) for item in value)


def _parse_channel_divisors(value: Any) -> tuple[float, ...]:
    numbers = _parse_channel_numbers(value)
    if 0.0 in numbers:
        raise ValueError("divides by zero")
    return numbers


def _parse_names(value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        value = [value]
    names: tuple[str, ...] = list_of(TEXT, least=1).parse(value)
    return names


def _parse_batch(value: Any) -> int:
    if value == "any":
        return 0
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 1024:
        raise ValueError("no batch")
    return value


def _parse_point_terms(value: Any) -> tuple[tuple[int, float], ...]:
    """Read one point: an index of the network's points, or [[index, weight], …] with sum 1."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = [[value, 1.0]]
    if not isinstance(value, list) or not value:
        raise ValueError("neither an index nor a list of [index, weight]")
    terms = []
    for pair in value:
        if not isinstance(pair, list) or len(pair) != 2:
            raise ValueError("no [index, weight]")
        index, weight = pair
        if isinstance(index, bool) or not isinstance(index, int) or not 0 <= index < _MAX_POINTS:
            raise ValueError("no index")
        terms.append((index, _ANY_NUMBER.parse(weight)))
    if abs(sum(weight for _, weight in terms) - 1.0) > 1e-6:
        raise ValueError("weights that do not sum to 1")
    return tuple(terms)


def _parse_point_map(value: Any) -> str | tuple[tuple[tuple[int, float], ...], ...]:
    """Read the name of a documented map, or an entry for each point of the layout."""
    if isinstance(value, str):
        name: str = one_of(*layouts.MAPS).parse(value.replace("-to-", "to"))
        return name
    if not isinstance(value, list) or not value:
        raise ValueError("no list")
    return tuple(_parse_point_terms(entry) for entry in value)


_ANY_NUMBER = number_where(math.isfinite, "a number")
_POSITIVE = number_where(lambda number: number > 0, "a number above 0")
_SIZE = ValueKind(_parse_size, f"[width, height] in px, 1 to {_MAX_SIDE_PX}")
_PER_CHANNEL = ValueKind(
    _parse_channel_numbers, "a number, or three in the order of input.channels"
)
_DIVISOR = ValueKind(
    _parse_channel_divisors, "a number, or three in the order of input.channels, none of them 0"
)
_NAMES = ValueKind(_parse_names, "the name of an output, or a list of names")
_SIDES = one_of("left", "right")
_HEIGHTS = one_of("up", "down")
_LETTERS = text_matching(
    re.compile(r"(?=[^x]*x[^x]*$)(?=[^y]*y[^y]*$)[xyzcv_]+"),
    'letters of the numbers of one point, x and y once: "xy" | "yx" | "xyz" | "yxc"; z, c and _'
    " are skipped",
)
_MAP = ValueKind(
    _parse_point_map,
    "for each point of the layout the network's index or [[index, weight], …] with weights that"
    f" sum to 1; or a documented map: {' | '.join(layouts.MAPS)}",
)

# --- what a card says -----------------------------------------------------------------------------


@dataclass(frozen=True)
class NetworkInput:
    """How a crop becomes numbers: value = (v / divide - mean) / std, v from 0 to 255."""

    size: tuple[int, int]  # width, height in px
    layout: str  # NCHW | NHWC | NCWH | NWHC
    channels: str  # RGB | BGR | grey
    divide: tuple[float, ...]
    mean: tuple[float, ...]  # these three: one number, or one per channel in their order
    std: tuple[float, ...]
    name: str  # "": the only one
    dtype: str  # "": as the network declares it
    batch: int  # 0: as the network declares it
    interpolation: str  # linear | cubic
    fill: float  # what stands outside the picture, 0 to 255


@dataclass(frozen=True)
class PictureCrop:
    """Which part of the picture is shown, and which half-pixel map takes it to the input."""

    kind: str
    values: Mapping[str, Any]  # the keys of this kind, with their defaults


@dataclass(frozen=True)
class NetworkOutput:
    """What the network's numbers mean."""

    kind: str
    values: Mapping[str, Any]


@dataclass(frozen=True)
class PointOrder:
    """Which layout the points have, and how they are taken from the network's."""

    layout: str
    count: int  # points of the layout
    map: str | tuple[tuple[tuple[int, float], ...], ...]
    take: str  # all | first | last: of the network's points, before the map


@dataclass(frozen=True)
class Presence:
    """An output that says whether a face is there; below `least` the sample has no answer."""

    name: str
    least: float
    values: str  # probability | logit


@dataclass(frozen=True)
class NetworkCard:
    """One network, read from its card."""

    place: CardPlace  # for errors that name the card
    folder: Path
    file: str
    source: str  # where the file is had, in words
    task: str
    input: NetworkInput
    crop: PictureCrop
    output: NetworkOutput
    points: PointOrder | None  # None for gaze
    presence: Presence | None


# --- the keys -------------------------------------------------------------------------------------

_CARD_KEYS = (
    CardKey("file", TEXT, "the ONNX file, beside the card, under the data root or with its path"),
    CardKey("where", TEXT, default="", target="source"),
    CardKey("task", one_of("landmarks", "gaze3d", "gaze2d")),
    CardKey("input", TABLE),
    CardKey("crop", TABLE),
    CardKey("output", TABLE),
    CardKey("points", TABLE, default=None),
    CardKey("presence", TABLE, default=None),
)
_INPUT_KEYS = (
    CardKey("size", _SIZE),
    CardKey("layout", one_of("NCHW", "NHWC", "NCWH", "NWHC")),
    CardKey("channels", one_of("RGB", "BGR", "grey")),
    CardKey("divide", _DIVISOR, default=(1.0,)),
    CardKey("mean", _PER_CHANNEL, default=(0.0,)),
    CardKey("std", _DIVISOR, default=(1.0,)),
    CardKey("name", TEXT, default=""),
    CardKey("dtype", one_of("float32", "float16", "float64", "uint8", "int8"), default=""),
    CardKey("batch", ValueKind(_parse_batch, '"any" | a whole number to 1024'), default=0),
    CardKey("interpolation", one_of("linear", "cubic"), default="linear"),
    CardKey(
        "fill", number_where(lambda v: 0 <= v <= 255, "a grey value from 0 to 255"), default=0.0
    ),
)
_HALF_PIXEL_MAP = CardKey("map", one_of("resize", "affine", "corner"))
_WHOLE_PIXELS = CardKey("whole_pixels", one_of("no", "round", "truncate", "outwards"), default="no")
_CLIP = CardKey("clip", SWITCH, default=False)
_DOWN = CardKey("down", _ANY_NUMBER, "a share of the side that the factor multiplies", default=0.0)
_RIGHT = CardKey(
    "right", _ANY_NUMBER, "a share of the side that the factor multiplies", default=0.0
)
_FACTOR = CardKey("factor", _POSITIVE)
_PLACED = (_HALF_PIXEL_MAP, _WHOLE_PIXELS, _CLIP)
_KIND_OF_CROP = {
    "square": (
        _FACTOR,
        CardKey("side", one_of("longer", "shorter", "width", "height"), default="longer"),
        _DOWN,
        _RIGHT,
        *_PLACED,
    ),
    "mean-side": (_FACTOR, _DOWN, _RIGHT, *_PLACED),
    "centre-scale": (
        _FACTOR,
        CardKey("side", one_of("longer", "shorter"), default="longer"),
        CardKey("aspect", one_of("square", "input"), default="square"),
        *_PLACED,
    ),
    "fan": (
        CardKey("reference", _POSITIVE, "195 | 165 | a number above 0", default=195.0),
        CardKey("up", _ANY_NUMBER, "a share of the box's height", default=0.12),
        *_PLACED,
    ),
    "grow": (CardKey("grow", _numbers(4), "shares [left, top, right, bottom]"), *_PLACED),
    "stretch": (CardKey("factor", _POSITIVE, default=1.0), *_PLACED),
    "whole": (_HALF_PIXEL_MAP,),
    "normalise": (
        CardKey("focal", _POSITIVE, "px of the virtual camera"),
        CardKey("distance", _POSITIVE, "in the unit of the face's centre"),
        CardKey("principal", _numbers(2), "[x, y] in px of the input"),
        CardKey("camera", TEXT, "a name in sample.meta", default="camera_matrix"),
        CardKey("centre", TEXT, "a name in sample.meta", default="face_centre"),
        CardKey("head", TEXT, "a name in sample.meta", default="head_rotation"),
    ),
}
_NAME = CardKey("name", _NAMES, default=())
_ENDS = CardKey("ends", one_of("edges", "index", "centres"))
_CELL_ENDS = CardKey("ends", one_of("edges", "index", "centres", "nodes"))
_SHIFT = CardKey("shift", _numbers(2), "[x, y] in px of the input", default=(0.0, 0.0))
_AXES = CardKey(
    "axes",
    text_matching(
        re.compile(r"(?=.*p)(?=.*r)(?=.*c)[prc]{3}"),
        '"prc": point, row, column | "rcp" | "pcr" | "crp"',
    ),
)
_BETA = CardKey("beta", _POSITIVE, "a factor on the logits", default=1.0)
_WINDOW = CardKey("window", _POSITIVE, "cells to each side of the highest", default=0.0)
_ADD = CardKey("add", _ANY_NUMBER, "cells added to the index, 0 or 0.5 in most networks")
_ANGLE_ORDER = CardKey("order", one_of("pitch yaw", "yaw pitch"))
_ANGLE_SIGNS = (
    CardKey("yaw", _SIDES, "where a positive yaw looks in the picture: left | right"),
    CardKey("pitch", _HEIGHTS, "where a positive pitch looks: up | down"),
    CardKey("space", one_of("camera", "virtual")),
)
_KINDS_OF_OUTPUT = {
    "landmarks": {
        "coordinates": (
            _NAME,
            CardKey("order", _LETTERS),
            CardKey("blocks", SWITCH, default=False),
            CardKey("y", _HEIGHTS, "the way in which y counts: down | up", default="down"),
            CardKey("frame", one_of("0..1", "-1..1", "pixels")),
            _ENDS,
            CardKey(
                "size", _SIZE, "[width, height] that `pixels` count, if not the input's", "", None
            ),
            CardKey("of", one_of("input", "picture"), default="input"),
            _SHIFT,
        ),
        "heatmaps": (
            _NAME,
            _AXES,
            CardKey("decode", one_of("argmax", "quarter", "soft-argmax", "mean", "window")),
            _ADD,
            _CELL_ENDS,
            _BETA,
            _WINDOW,
            _SHIFT,
        ),
        "offsets": (
            _NAME,
            _AXES,
            CardKey("offsets", list_of(TEXT, least=2), "two outputs: [of x, of y]", default=()),
            CardKey(
                "blocks",
                list_of(one_of("score", "x", "y"), least=3),
                'the order in one output, as ["score", "y", "x"]',
                default=(),
            ),
            CardKey("offset", one_of("add", "logit"), default="add"),
            CardKey("offset_scale", _ANY_NUMBER, "cells that an offset of 1 stands for", "", 1.0),
            CardKey("add", _ANY_NUMBER, "cells added to the index", default=0.0),
            _CELL_ENDS,
            _SHIFT,
        ),
        "simcc": (
            CardKey("name", list_of(TEXT, least=2), "two outputs: [of x, of y]"),
            CardKey("decode", one_of("argmax", "soft-argmax"), default="argmax"),
            CardKey("add", _ANY_NUMBER, "bins added to the index", default=0.0),
            _CELL_ENDS,
            _BETA,
            _SHIFT,
        ),
    },
    "gaze3d": {
        "angles": (
            _NAME,
            _ANGLE_ORDER,
            CardKey("unit", one_of("degrees", "radians")),
            *_ANGLE_SIGNS,
        ),
        "bins": (
            CardKey("name", list_of(TEXT, least=2), "two outputs, in the order of output.order"),
            _ANGLE_ORDER,
            CardKey("first", _ANY_NUMBER, "degrees of the first bin"),
            CardKey("step", _POSITIVE, "degrees from one bin to the next"),
            *_ANGLE_SIGNS,
        ),
        "vector": (
            _NAME,
            CardKey(
                "order",
                text_matching(re.compile(r"xyz|xzy|yxz|yzx|zxy|zyx"), "xyz | zyx | …"),
                default="xyz",
            ),
            CardKey("x", _SIDES, "where a positive x points in the picture: left | right"),
            CardKey("y", _HEIGHTS),
            CardKey("z", one_of("camera", "away"), "where a positive z points: camera | away"),
            CardKey("space", one_of("camera", "virtual")),
        ),
    },
    "gaze2d": {
        "point": (
            _NAME,
            CardKey("order", one_of("xy", "yx")),
            CardKey("unit", one_of("cm", "mm", "m")),
            CardKey("x", one_of("as-dataset", "mirrored"), default="as-dataset"),
            CardKey("y", one_of("as-dataset", "mirrored"), default="as-dataset"),
        ),
    },
}
_POINTS_KEYS = (
    CardKey("layout", TEXT, " | ".join(layouts.LAYOUTS)),
    CardKey("count", integer_from(1), default=0),
    CardKey("map", _MAP, default=()),
    CardKey("take", one_of("all", "first", "last"), default="all"),
)
_PRESENCE_KEYS = (
    CardKey("name", TEXT),
    CardKey("least", _ANY_NUMBER),
    CardKey("values", one_of("probability", "logit")),
)


# --- reading --------------------------------------------------------------------------------------


def read_network_card(file: Path) -> NetworkCard:
    """Read a network's card; raises PluginError naming file, key and what is allowed."""
    place = CardPlace(str(file), PluginError)
    values = read_values(read_toml(file, largest=MAX_BYTES, fault=PluginError), _CARD_KEYS, place)
    task = values["task"]
    crop_kind, crop = _read_kind(values["crop"], _KIND_OF_CROP, place.inside("crop"))
    output_kind, output = _read_kind(
        values["output"], _KINDS_OF_OUTPUT[task], place.inside("output")
    )
    card = NetworkCard(
        place=place,
        folder=file.parent,
        file=values["file"],
        source=values["source"],
        task=task,
        input=NetworkInput(**read_values(values["input"], _INPUT_KEYS, place.inside("input"))),
        crop=PictureCrop(crop_kind, crop),
        output=NetworkOutput(output_kind, output),
        points=_read_points(values["points"], task, place),
        presence=_read_presence(values["presence"], place),
    )
    _check_together(card)
    return card


def _read_kind(
    table: Mapping[str, Any], kinds: Mapping[str, tuple[CardKey, ...]], place: CardPlace
) -> tuple[str, dict[str, Any]]:
    """Read a table whose key `kind` decides which other keys it has."""
    kind = read_value(table, CardKey("kind", one_of(*kinds)), place)
    rest = {key: value for key, value in table.items() if key != "kind"}
    return kind, read_values(rest, kinds[kind], place)


def _read_points(table: Mapping[str, Any] | None, task: str, place: CardPlace) -> PointOrder | None:
    if task != "landmarks":
        if table is not None:
            raise place.fault("points", f"a {task} network has none; leave the table out")
        return None
    if table is None:
        raise place.fault("points", 'is missing; allowed: [points] with layout = "ibug68"')
    inside = place.inside("points")
    values = read_values(table, _POINTS_KEYS, inside)
    count = _count_points(values["layout"], values["count"], inside)
    given = values["map"]
    if isinstance(given, str):
        source = layouts.MAPS[given].source
        if source != values["layout"]:
            raise inside.fault("map", f"{given} takes {source}, and layout is {values['layout']}")
    elif given and len(given) != count:
        raise inside.fault("map", f"{len(given)} entries; {values['layout']} has {count} points")
    return PointOrder(values["layout"], count, given, values["take"])


def _count_points(layout: str, stated: int, place: CardPlace) -> int:
    """Return the count of a layout; one that only a protocol's card defines has to be stated."""
    if layout not in layouts.LAYOUTS:
        if not stated:
            words = f"{' | '.join(layouts.LAYOUTS)}; or a protocol's own, with count = its points"
            raise place.refusal("layout", layout, words)
        return stated
    count = layouts.LAYOUTS[layout].count
    if stated and stated != count:
        raise place.refusal("count", stated, f"{count}, the points of {layout}")
    return count


def _read_presence(table: Mapping[str, Any] | None, place: CardPlace) -> Presence | None:
    if table is None:
        return None
    return Presence(**read_values(table, _PRESENCE_KEYS, place.inside("presence")))


def _check_together(card: NetworkCard) -> None:
    """Raise PluginError for keys that do not go together."""
    output, crop = card.output, card.crop
    inside = card.place.inside("output")
    if output.values.get("space") == "virtual" and crop.kind != "normalise":
        raise inside.fault(
            "space", 'virtual is the space of crop.kind = "normalise", which turns the picture'
        )
    if output.kind == "offsets" and bool(output.values["offsets"]) == bool(output.values["blocks"]):
        raise inside.fault(
            "offsets", "say either offsets = [two outputs] or blocks = [order in one output]"
        )
    if output.values.get("decode") == "window" and not output.values["window"]:
        raise inside.fault("window", f"is missing; allowed: {_WINDOW.words}")
    if card.input.channels == "grey":
        for key in ("divide", "mean", "std"):
            if len(getattr(card.input, key)) != 1:
                raise card.place.inside("input").fault(key, "grey has one channel; give one number")
