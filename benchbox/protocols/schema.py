"""What the keys of a card may hold: one table, each key with its reader and what is allowed there in words."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchbox.datasets import DATASETS, select
from benchbox.errors import ProtocolError
from benchbox.layouts import LAYOUTS
from benchbox.types import CustomFiles, ExtraPictures, Protocol

NORMALISERS = ("inter_ocular", "inter_pupil", "face_size", "diagonal", "height")
TASKS = ("landmarks", "gaze2d", "gaze3d")
METRICS = {  # beside the errors of landmarks, and all that gaze has
    "landmarks": ("jitter_px", "bias_px"),
    "gaze2d": ("error_cm", "error_cm_dot", "error_cm_person", "msd_cm"),
    "gaze3d": ("error_deg", "error_deg_person"),
}
_FOLDS = tuple(map(str, range(2, 100)))
_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
# keys of [options]
OPTION_KEYS = ("draw", "folds", "labelled", "noise", "rotation", "scale", "translation")


@dataclass(frozen=True)
class _Field:
    """One key of a card: how its value is read and what is allowed, in words."""

    key: str  # "score.auc"
    parse: Callable[[Any], Any]  # raises ValueError when the value is not allowed
    allowed: str
    target: str = ""  # field of Protocol, if not the last word of the key
    default: Any = None  # None: the key must be there


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError
    return value


def _name(value: Any) -> str:
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise ValueError
    return value


def _name_or_none(value: Any) -> str:
    return "" if value == "" else _name(value)


def _number(test: Callable[[float], bool]) -> Callable[[Any], float]:
    def parse(value: Any) -> float:
        # bool is an int to Python, not to the writer of a card.
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or not math.isfinite(value)
            or not test(value)
        ):
            raise ValueError
        return float(value)

    return parse


def _integer(least: int) -> Callable[[Any], int]:
    def parse(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise ValueError
        return value

    return parse


def _choice(*allowed: str) -> Callable[[Any], str]:
    def parse(value: Any) -> str:
        if not isinstance(value, str) or value not in allowed:
            raise ValueError
        return value

    return parse


def _list(parse: Callable[[Any], Any], least: int = 0) -> Callable[[Any], tuple[Any, ...]]:
    def parse_all(value: Any) -> tuple[Any, ...]:
        if not isinstance(value, list) or len(value) < least:
            raise ValueError
        parsed = tuple(parse(item) for item in value)
        if len(set(parsed)) < len(parsed):
            raise ValueError
        return parsed

    return parse_all


def _member(value: Any) -> str:
    select.parse_member(_text(value))
    return str(value)


def _switch(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError
    return value


def _any_number(value: Any) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError
    return value


def _source(value: Any) -> CustomFiles | None:
    if value == {}:
        return None
    keys = {"images", "parts", "origin", "visible"}
    if not isinstance(value, dict) or not {"images", "parts"} <= set(value) <= keys:
        raise ValueError
    parts = value["parts"]
    if not isinstance(parts, dict) or not parts or value.get("origin", 0) not in (0, 1):
        raise ValueError
    visible = _choice("", "coco")(value.get("visible", ""))
    texts = {_text(part): _text(path) for part, path in parts.items()}
    return CustomFiles(
        _text(value["images"]), texts, float(value.get("origin", 0)), "coco" if visible else ""
    )


def _extras(value: Any) -> dict[str, ExtraPictures]:
    if not isinstance(value, dict):
        raise ValueError
    found = {}
    for name, table in value.items():
        if not isinstance(table, dict) or set(table) != {"dataset", "parts", "box", "expected"}:
            raise ValueError
        parts = _list(_member, least=1)(table["parts"])
        dataset = _choice(*DATASETS)(table["dataset"])
        found[_name(name)] = ExtraPictures(
            dataset, parts, _text(table["box"]), _integer(1)(table["expected"])
        )
    return found


def _groups(value: Any) -> dict[str, tuple[str, ...]]:
    if not isinstance(value, dict) or not value:
        raise ValueError
    parts = _list(_member, least=1)
    return {_name(group): parts(members) for group, members in value.items()}


_FIELDS = (
    _Field("name", _name, "small letters, digits and dashes, as the file is called"),
    _Field("title", _text, "one line of text"),
    _Field("version", _integer(1), "a whole number from 1, raised when a number moves"),
    _Field("task", _choice(*TASKS), " | ".join(TASKS)),
    _Field("dataset", _choice(*DATASETS), " | ".join(DATASETS)),
    _Field("layout", _choice("", *LAYOUTS), " | ".join(LAYOUTS) + ' | "" for gaze'),
    _Field(
        "source",
        _source,
        '{images = "folder", parts = {part = "file.csv"}, origin = 0}, for "files"',
        default={},
    ),
    _Field(
        "twin",
        _name_or_none,
        'the name of a synthetic protocol of the same shape, or ""',
        default="",
    ),
    _Field("notes", _list(_text), "a list of sentences", default=[]),
    _Field(
        "train.dataset",
        _choice("", *DATASETS),
        "another dataset to train on",
        "train_dataset",
        default="",
    ),
    _Field(
        "train.extra",
        _extras,
        "a table: name = {dataset, parts, box, expected}",
        "extras",
        default={},
    ),
    _Field(
        "train.parts",
        _list(_member),
        'a list of parts, each once: "part & attribute"',
        "train_parts",
    ),
    _Field(
        "train.expected",
        _integer(0),
        "a whole number of items, 0 with train.clusters",
        "train_expected",
    ),
    _Field(
        "train.clusters",
        _integer(0),
        "a whole number of clusters, 0 with train.expected",
        "train_clusters",
        default=0,
    ),
    _Field("train.labelled", _number(lambda v: 0 < v <= 1), "a share above 0 and up to 1"),
    _Field("train.validation", _number(lambda v: 0 <= v < 1), "a share from 0 and below 1"),
    _Field(
        "train.validation_parts",
        _list(_member),
        "a list of parts beside those of training",
        "validation_parts",
        default=[],
    ),
    _Field("test.overall", _name, "the name of one of [test.groups]"),
    _Field(
        "test.expected",
        _integer(0),
        "a whole number of items, 0 with test.clusters",
        "test_expected",
    ),
    _Field(
        "test.clusters",
        _integer(0),
        "a whole number of clusters, 0 with test.expected",
        "test_clusters",
        default=0,
    ),
    _Field("test.groups", _groups, 'a table: group = ["part", "part & attribute & !attribute", …]'),
    _Field(
        "test.folds",
        _choice("", "cluster", *_FOLDS),
        '"" | cluster: leave one cluster out | "3": so many',
        default="",
    ),
    _Field("box.source", _text, "a box source of the dataset", "box"),
    _Field(
        "box.choices", _list(_text), "a list of box sources, [box] source among them", default=[]
    ),
    _Field(
        "box.also",
        _list(_text),
        "a list of further box sources of the dataset",
        "extra_boxes",
        default=[],
    ),
    _Field(
        "box.expansion",
        _number(lambda v: 0 < v <= 10),
        "a number above 0 and up to 10",
        "box_expansion",
    ),
    *(
        _Field(
            f"options.{key}", _list(_any_number), "a list of numbers", f"{key}_choices", default=[]
        )
        for key in OPTION_KEYS
    ),
    _Field(
        "score.normalisers", _list(_choice(*NORMALISERS)), "a list of " + " | ".join(NORMALISERS)
    ),
    _Field(
        "score.auc", _list(_number(lambda v: 0 < v <= 1)), "a list of fractions above 0 and up to 1"
    ),
    _Field(
        "score.fr", _list(_number(lambda v: 0 < v <= 1)), "a list of fractions above 0 and up to 1"
    ),
    _Field("score.points", _list(_integer(1)), "a list of the layout's point subsets"),
    _Field(
        "score.metrics",
        _list(_choice(*(name for names in METRICS.values() for name in names))),
        "a list of " + " | ".join(name for names in METRICS.values() for name in names),
        default=[],
    ),
    _Field("score.masked", _switch, "true | false", default=False),
    _Field("score.average", _choice("macro"), "macro"),
    _Field("score.failed", _choice("infinite"), "infinite"),
    _Field("score.cluster", _text, "what is resampled together, in a word: photo, person"),
    _Field("score.interval", _number(lambda v: 0 < v < 1), "a share between 0 and 1"),
    _Field("score.resamples", _integer(100), "a whole number from 100"),
)
_SECTIONS = {"train", "test", "box", "score", "options"}


# What a card of one's own files may leave out: ten lines are enough for it.
_CUSTOM_DATASET_DEFAULTS: Mapping[str, Any] = {
    "version": 1,
    "task": "landmarks",
    "train.labelled": 1.0,
    "train.validation": 0.0,
    "box.expansion": 1.0,
    "score.auc": [],
    "score.fr": [],
    "score.points": [],
    "score.average": "macro",
    "score.failed": "infinite",
    "score.cluster": "photo",
    "score.interval": 0.95,
    "score.resamples": 10000,
}


def _flatten_sections(content: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """Return `section.key` → value; the sections themselves must be tables."""
    flat: dict[str, Any] = {}
    for key, value in content.items():
        if key not in _SECTIONS:
            flat[key] = value
        elif isinstance(value, dict):
            flat.update({f"{key}.{inner}": item for inner, item in value.items()})
        else:
            raise ProtocolError(
                f"{path}: {key}: {value!r} is not a section; allowed: a table [{key}]"
            )
    return flat


def check_keys(content: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """Return the fields of a Protocol (and `choices`) from a parsed card."""
    flat = _flatten_sections(content, path)
    known = [field.key for field in _FIELDS]
    for key in flat:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            meant = f"did you mean {near[0]}? " if near else ""
            raise ProtocolError(f"{path}: {key}: no such key; {meant}allowed: {', '.join(known)}")
    values = {}
    for field in _FIELDS:
        default = (
            _CUSTOM_DATASET_DEFAULTS.get(field.key, field.default)
            if flat.get("dataset") == "files"
            else field.default
        )
        if field.key not in flat and default is None:
            raise ProtocolError(f"{path}: {field.key}: is missing; allowed: {field.allowed}")
        value = flat.get(field.key, default)
        try:
            values[field.target or field.key.rpartition(".")[2]] = field.parse(value)
        except ValueError as error:
            raise ProtocolError(
                f"{path}: {field.key}: {value!r} is not allowed; allowed: {field.allowed}"
            ) from error
    return values


def check_consistency(protocol: Protocol, path: Path) -> None:
    """Check what one key says about another."""
    p = protocol
    tested = select.member_parts(member for members in p.groups.values() for member in members)
    layout = LAYOUTS.get(p.layout)
    subsets = tuple(layout.subsets) if layout else ()
    faults = {
        "name": (p.name != path.stem, f"{path.stem}, as the file is called"),
        "layout": (
            (p.task == "landmarks") != bool(layout),
            " | ".join(LAYOUTS) + ' for landmarks, "" for gaze',
        ),
        "source": (
            (p.dataset == "files") != bool(p.source),
            'a table for the dataset "files", none for others',
        ),
        "train.dataset": (
            bool(p.train_dataset) and (p.dataset in (p.train_dataset, "files") or bool(p.folds)),
            "a dataset other than the one that is tested on",
        ),
        "test.overall": (p.overall not in p.groups, " | ".join(p.groups)),
        "test.groups": (
            p.overall in p.groups and select.member_parts(p.groups[p.overall]) != tested,
            f"groups whose parts are all in the overall group {p.overall!r}",
        ),
        "train.parts": (
            p.train_parts != p.groups.get(p.overall)
            if p.folds
            else not p.train_dataset and bool(tested & select.member_parts(p.train_parts)),
            "with folds the members of the overall group"
            if p.folds
            else "parts that are not tested on",
        ),
        "train.validation_parts": (
            bool(p.validation_parts) and (p.validation > 0 or p.folds != "" or _overlaps(p)),
            "[] with a share held out or with folds, else parts that are neither trained nor tested on",
        ),
        "train.clusters": (
            bool(p.train_expected) + bool(p.train_clusters) != bool(p.train_parts),
            "either train.expected or train.clusters; 0 both without train.parts",
        ),
        "test.clusters": (
            bool(p.test_expected) == bool(p.test_clusters),
            "either test.expected or test.clusters",
        ),
        "box.choices": (p.box not in p.options["box"], f"a list with {p.box!r} in it"),
        "score.points": (
            not set(p.points) <= set(subsets),
            ", ".join(map(str, subsets)) or "none for gaze",
        ),
        "score.metrics": (
            not set(p.metrics) <= set(METRICS[p.task]) or (p.task != "landmarks" and not p.metrics),
            " | ".join(METRICS[p.task]),
        ),
        "score.masked": (p.masked and p.task != "landmarks", "false for gaze"),
        "score.normalisers": (
            (p.task == "landmarks") != bool(p.normalisers),
            "one or more for landmarks, [] for gaze",
        ),
    }
    for key, (wrong, allowed) in faults.items():
        if wrong:
            raise ProtocolError(
                f"{path}: {key}: does not fit the rest of the card; allowed: {allowed}"
            )


def _overlaps(p: Protocol) -> bool:
    """Say whether the validation parts are trained or tested on."""
    held_out = select.member_parts(p.validation_parts)
    members = [*p.train_parts, *(member for members in p.groups.values() for member in members)]
    return bool(held_out & select.member_parts(members))
