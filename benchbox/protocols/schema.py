"""The keys of a protocol card: how each is read and what is allowed there, in one table.

What one key says about another is checked next door, in `consistency`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

from benchbox.datasets import DATASETS, select
from benchbox.datasets.formats import paths
from benchbox.datasets.formats.writer_names import FORMATS
from benchbox.datasets.gaze import notation
from benchbox.errors import DataError, ProtocolError
from benchbox.file_readers.bounds import MOST_RESAMPLES
from benchbox.layouts import LAYOUTS
from benchbox.metrics.metric_names import (
    NORMALISERS,
    TASK_METRICS,
    TASKS,
    is_task_metric,
    parse_metric,
)
from benchbox.plugins.card_values import (
    LINE,
    NUMBER,
    SWITCH,
    TEXT,
    CardKey,
    CardPlace,
    ValueKind,
    integer_from,
    list_of,
    number_where,
    one_of,
    portable_name,
    read_values,
    table_of,
    table_with,
    text_matching,
)
from benchbox.types import (
    CustomFiles,
    ExtraPictures,
    GazeFiles,
    GazeScreen,
    PositionColumns,
)

from .own_layout import read_layout

# keys of [options]
OPTION_KEYS = ("draw", "folds", "labelled", "noise", "rotation", "scale", "translation")
_SECTIONS = {"train", "test", "box", "score", "options"}


# --- kinds of values ------------------------------------------------------------------------------


def _parse_member(value: Any) -> str:
    member: str = TEXT.parse(value)
    select.parse_member(member)
    return member


def _parse_inner_path(value: Any) -> str:
    name: str = TEXT.parse(value)
    try:
        return paths.check_relative_path(name, "card")
    except DataError as error:
        raise ValueError("leads out of the data root") from error


def _parse_box(value: Any) -> str:
    name: str = TEXT.parse(value)
    if "/" in name or "\\" in name or name.startswith(".") or not name.isprintable():
        raise ValueError("no name")  # `boxes/<name>.csv` is a file of the dataset
    return name


_NAME = text_matching(re.compile(r"[a-z0-9]+(-[a-z0-9]+)*"), "small letters, digits and dashes")
# a folder of results
_FILE_NAME = portable_name(
    re.compile(r"[a-z0-9]+(-[a-z0-9]+)*"), "small letters, digits and dashes"
)
_NAME_OR_NONE = text_matching(re.compile(r"([a-z0-9]+(-[a-z0-9]+)*)?"), 'a name, or ""')
_MEMBER = ValueKind(_parse_member, '"part & attribute & !attribute"')
_SHARE = number_where(lambda share: 0 < share <= 1, "a share above 0 and up to 1")
_TEXT_OR_NONE = text_matching(re.compile(r".{0,200}"), 'a text, or ""')
_FRACTIONS = list_of(
    number_where(lambda limit: 0 < limit <= 1, "fractions above 0 and up to 1"),
)
_FOLDS = one_of("", "cluster", *map(str, range(2, 100)))
_TEXTS = list_of(TEXT)
_FOLDER = ValueKind(_parse_inner_path, "a path below the data root")
_BOX = ValueKind(_parse_box, "a box source")
_BOXES = list_of(_BOX)
_MEMBERS = list_of(_MEMBER)
_SOME_MEMBERS = list_of(_MEMBER, least=1)
_ALL_METRICS = tuple(chain.from_iterable(TASK_METRICS.values()))


def _parse_task_metric(value: Any) -> str:
    name: str = TEXT.parse(value)
    if not any(is_task_metric(name, task) for task in TASKS):
        parse_metric(name)  # one of a part of the face, an RMSE or a median: see `consistency`
    return name


_TASK_METRIC = ValueKind(
    _parse_task_metric,
    f"{' | '.join(_ALL_METRICS)} | error_cm_calibrated_<k> | error_deg_calibrated_<k> | "
    "error_…_uncalibrated_<k> | nme_…_nose (a part of the face) | rmse_… | median_… | "
    "nme_…_balanced",
)
_COLUMNS = list_of(TEXT, least=1)
_LENGTH = number_where(lambda length: length > 0, "a length above 0")
_PLACE = number_where(lambda place: abs(place) < 1e5, "a length, negative on the other side")
_SIDES = ValueKind(
    lambda value: tuple(map(one_of(*notation.AXES).parse, list_of(TEXT).parse(value))),
    f"a list of {' | '.join(notation.AXES)}",
)
_SCREEN = table_with(
    GazeScreen,
    (
        CardKey("width_mm", _LENGTH),
        CardKey("height_mm", _LENGTH),
        CardKey("camera_x_mm", _PLACE, "mm from the left edge to the camera, as the viewer sees"),
        CardKey("camera_above_mm", _PLACE, "mm from the upper edge up to the camera"),
        CardKey("width_px", _LENGTH, default=0.0),
        CardKey("height_px", _LENGTH, default=0.0),
    ),
    "{width_mm, height_mm, camera_x_mm, camera_above_mm, width_px, height_px}",
)


def _position_columns(*units: str) -> ValueKind:
    return table_with(
        PositionColumns,
        (
            CardKey("columns", _COLUMNS),
            CardKey("positive", _SIDES),
            CardKey("unit", one_of(*units)),
        ),
        '{columns = ["x=…", …], positive = [side of a positive number, …], unit}',
    )


_EXPECTED = ("below_camera", "follows_head", "pitch_spreads_more")
_GAZE_FILES = table_with(
    GazeFiles,
    (
        CardKey("files", one_of("table", "gaze360", "mpiifacegaze-txt"), default="table"),
        CardKey("columns", _COLUMNS, default=()),
        CardKey("positive", _SIDES, default=()),
        CardKey("unit", one_of("rad", "deg", "cm", "mm", "m", "px", "share"), default=""),
        CardKey("origin", one_of(*notation.ORIGINS), default=""),
        CardKey("image", TEXT, default="image"),
        CardKey("person", list_of(TEXT), default=None),
        CardKey("sequence", TEXT, default="sequence"),
        CardKey("split", TEXT, default=""),
        CardKey("people", TEXT, default=""),
        CardKey("screen", _SCREEN, default=None),
        CardKey("screens", table_of(TEXT, _SCREEN), default={}),
        CardKey("screens_file", TEXT, default=""),
        CardKey("eye", _position_columns("mm", "cm", "m"), default=None),
        CardKey("head", _position_columns("rad", "deg"), default=None),
        CardKey("also", list_of(TEXT), default=("device", "orientation")),
        CardKey("expect", list_of(one_of(*_EXPECTED)), default=()),
    ),
    '{columns = ["pitch", "yaw"], positive = ["up", "left"], unit = "rad"}',
)
_CUSTOM_FILES = table_with(
    CustomFiles,
    (
        CardKey("images", _FOLDER, "a folder below the data root"),
        CardKey("parts", table_of(TEXT, _FOLDER, least=1)),
        CardKey(
            "origin",
            number_where(lambda origin: origin in (0, 0.5, 1), "0 | 0.5 | 1"),
            default=0.0,
        ),
        CardKey("visible", one_of("", "coco"), default=""),
        CardKey("format", one_of("", *FORMATS), default=""),
        CardKey("sides", one_of("", "picture", "person"), default=""),
        CardKey("field", _TEXT_OR_NONE, default=""),
        CardKey("orientation", one_of("", "stored", "upright"), default=""),
        CardKey("gaze", _GAZE_FILES, default=None),
    ),
    '{images = "folder", parts = {part = "file.csv"}, origin = 0}, for "files"',
)
_EXTRA_PICTURES = table_with(
    ExtraPictures,
    (
        CardKey("dataset", one_of(*DATASETS)),
        CardKey("parts", _SOME_MEMBERS),
        CardKey("box", _BOX),
        CardKey("expected", integer_from(1)),
    ),
    "{dataset, parts, box, expected}",
)


# --- keys -----------------------------------------------------------------------------------------

_GENERAL_KEYS = (
    CardKey("name", _FILE_NAME, "small letters, digits and dashes, as the file is called"),
    CardKey("title", LINE, "one line of text"),
    CardKey("version", integer_from(1), "a whole number from 1, raised when a number moves"),
    CardKey("task", one_of(*TASKS)),
    CardKey("dataset", one_of(*DATASETS)),
    CardKey("layout", one_of("", *LAYOUTS), f'{" | ".join(LAYOUTS)} | "" for gaze'),
    CardKey("source", _CUSTOM_FILES, default=None),
    CardKey(
        "twin",
        _NAME_OR_NONE,
        'the name of a synthetic protocol of the same shape, or ""',
        default="",
    ),
    CardKey("notes", _TEXTS, "a list of sentences", default=()),
)
_TRAIN_KEYS = (
    CardKey(
        "train.dataset",
        one_of("", *DATASETS),
        "another dataset to train on",
        target="train_dataset",
        default="",
    ),
    CardKey(
        "train.extra",
        table_of(_NAME, _EXTRA_PICTURES),
        "a table: name = {dataset, parts, box, expected}",
        target="extras",
        default={},
    ),
    CardKey(
        "train.parts",
        _MEMBERS,
        'a list of parts, each once: "part & attribute"',
        target="train_parts",
    ),
    CardKey(
        "train.expected",
        integer_from(0),
        "a whole number of items, 0 with train.clusters",
        target="train_expected",
    ),
    CardKey(
        "train.clusters",
        integer_from(0),
        "a whole number of clusters, 0 with train.expected",
        target="train_clusters",
        default=0,
    ),
    CardKey("train.labelled", _SHARE),
    CardKey(
        "train.validation",
        number_where(lambda share: 0 <= share < 1, "a share from 0 and below 1"),
    ),
    CardKey(
        "train.validation_parts",
        _MEMBERS,
        "a list of parts beside those of training",
        default=(),
    ),
)
_TEST_KEYS = (
    CardKey("test.overall", _NAME, "the name of one of [test.groups]"),
    CardKey(
        "test.expected",
        integer_from(0),
        "a whole number of items, 0 with test.clusters",
        target="test_expected",
    ),
    CardKey(
        "test.clusters",
        integer_from(0),
        "a whole number of clusters, 0 with test.expected",
        target="test_clusters",
        default=0,
    ),
    CardKey(
        "test.groups",
        table_of(_NAME, _SOME_MEMBERS, least=1),
        'a table: group = ["part", "part & attribute & !attribute", …]',
    ),
    CardKey(
        "test.folds",
        _FOLDS,
        '"" | cluster: leave one cluster out | "3": so many',
        default="",
    ),
)
_BOX_KEYS = (
    CardKey("box.source", _BOX, "a box source of the dataset", target="box"),
    CardKey(
        "box.choices",
        _BOXES,
        "a list of box sources, [box] source among them",
        target="box_choices",
        default=(),
    ),
    CardKey(
        "box.also",
        _BOXES,
        "a list of further box sources of the dataset",
        target="extra_boxes",
        default=(),
    ),
    CardKey(
        "box.expansion",
        number_where(lambda factor: 0 < factor <= 10, "a number above 0 and up to 10"),
        target="box_expansion",
    ),
)
_SCORE_KEYS = (
    CardKey("score.normalisers", list_of(one_of(*NORMALISERS))),
    CardKey("score.auc", _FRACTIONS),
    CardKey("score.fr", _FRACTIONS),
    CardKey("score.points", list_of(integer_from(1)), "a list of the layout's point subsets"),
    CardKey("score.metrics", list_of(_TASK_METRIC), default=()),
    CardKey("score.masked", SWITCH, default=False),
    CardKey("score.average", one_of("macro")),
    CardKey("score.failed", one_of("infinite")),
    CardKey("score.cluster", TEXT, "what is resampled together, in a word: photo, person"),
    CardKey(
        "score.interval",
        number_where(lambda level: 0 < level < 1, "a share between 0 and 1"),
    ),
    CardKey("score.resamples", integer_from(100, MOST_RESAMPLES)),
)


def _option_key(key: str) -> CardKey:
    return CardKey(f"options.{key}", list_of(NUMBER), target=f"{key}_choices", default=())


CARD_KEYS = (
    *_GENERAL_KEYS,
    *_TRAIN_KEYS,
    *_TEST_KEYS,
    *_BOX_KEYS,
    *map(_option_key, OPTION_KEYS),
    *_SCORE_KEYS,
)

# What a card of a custom dataset may leave out: ten lines are enough for it.
_CUSTOM_DATASET_DEFAULTS: Mapping[str, Any] = {
    "version": 1,
    "task": "landmarks",
    "train.labelled": 1.0,
    "train.validation": 0.0,
    "box.expansion": 1.0,
    "score.auc": (),
    "score.fr": (),
    "score.points": (),
    "score.average": "macro",
    "score.failed": "infinite",
    "score.cluster": "photo",
    "score.interval": 0.95,
    "score.resamples": 10000,
}


# --- reading --------------------------------------------------------------------------------------


def read_fields(content: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """Return the fields of a `Protocol`, and the choices of its options, from a parsed card.

    Raises ProtocolError naming file, key and what is allowed.
    """
    place = CardPlace(str(path), ProtocolError)
    own_layout = None
    if isinstance(content.get("layout"), dict):
        own_layout = read_layout(content["layout"], path.stem, place.inside("layout"))
        content = {**content, "layout": ""}
    values = _flatten_sections(content, place)
    keys: Sequence[CardKey] = CARD_KEYS
    if values.get("dataset") == "files":
        keys = [_with_custom_default(key) for key in CARD_KEYS]
    fields = read_values(values, keys, place)
    if own_layout is not None:
        fields["layout"], fields["own_layout"] = own_layout.name, own_layout
    return fields


def _flatten_sections(content: Mapping[str, Any], place: CardPlace) -> dict[str, Any]:
    """Return `section.key` → value."""
    flat: dict[str, Any] = {}
    for key, value in content.items():
        if key not in _SECTIONS:
            flat[key] = value
            continue
        if not isinstance(value, dict):
            raise place.fault(key, f"{value!r} is not a section; allowed: a table [{key}]")
        for inner, item in value.items():
            flat[f"{key}.{inner}"] = item
    return flat


def _with_custom_default(key: CardKey) -> CardKey:
    if key.name not in _CUSTOM_DATASET_DEFAULTS:
        return key
    return replace(key, default=_CUSTOM_DATASET_DEFAULTS[key.name])
