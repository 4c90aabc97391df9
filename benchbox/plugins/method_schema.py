"""The keys of a method card, `method.toml`: how each is read and what is allowed there.

A parameter is declared in `[params]` by its default, or by its default and all it may be:
`loss = { default = "l1", allowed = ["l1", "l2"] }`. Budgets and variants change declared parameters
only, and keep their type.
"""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Formatter
from typing import Any, get_args

from benchbox.errors import PluginError
from benchbox.file_readers.toml_files import read_toml
from benchbox.types import (
    FACT_KEYS,
    SEEN_TEST,
    MethodCard,
    Needs,
    OutsideProgram,
    SharedTraining,
    Task,
    Variant,
)

from .card_values import (
    LINE,
    SWITCH,
    TABLE,
    TEXT,
    CardKey,
    CardPlace,
    ValueKind,
    check_keys,
    list_of,
    number_where,
    one_of,
    portable_name,
    read_value,
    read_values,
    text_matching,
)

CARD_FILE = "method.toml"
BUDGETS = ("smoke", "quick", "paper")
SUBMITTED = "submitted"  # the variant folder of external predictions; no card may claim it
MAX_BYTES = 1 << 20

_TASKS: tuple[Task, ...] = get_args(Task)
# becomes a folder of results/
METHOD_NAME = portable_name(
    re.compile(r"[a-z0-9][a-z0-9._-]{0,63}"),
    "up to 64 small letters, digits, '.', '_' and '-', a letter or digit first; it names a folder"
    " of results",
)
_PARAM_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
_PARAM_RULE = "a small_letter_name = a bool, int, float, text or a list of them"
_SUFFIXES = {"jr", "sr", "ii", "iii", "iv"}
_PAPER_RULE = (
    "a table [paper]; authors as a list of names, or as a text of whole names with commas between"
)
_FILE_PATTERN = text_matching(re.compile(r"[^./][^/]*"), "a pattern of names in the work folder")


def _parse_paper(value: Any) -> dict[str, str]:
    paper = {}
    for key, entry in TABLE.parse(value).items():
        if isinstance(entry, list):
            paper[key] = ", ".join(_given_name_first(str(name)) for name in entry)
        else:
            paper[key] = " ".join(str(entry).split())
    if "," in paper.get("authors", "") and isinstance(value["authors"], str):
        _refuse_split_names(paper["authors"])
    return paper


def _given_name_first(name: str) -> str:
    """Write a name in the order of speech, so that a comma stands between names only.

    >>> _given_name_first("van der Roe, Rik"), _given_name_first("King, Jr., Martin Luther")
    ('Rik van der Roe', 'Martin Luther King Jr.')
    """
    family, *rest = [" ".join(part.split()) for part in name.split(",")]
    suffixes = [part for part in rest if part.rstrip(".").lower() in _SUFFIXES]
    given = [part for part in rest if part not in suffixes]
    return " ".join([*given, family, *suffixes])


def _refuse_split_names(authors: str) -> None:
    """Raise ValueError for a text whose commas stand within names: "Doe, Jane" is one author."""
    for name in authors.split(","):
        if len(name.split()) < 2 and "." not in name:
            raise ValueError(name)


_PLACEHOLDERS = ("manifest", "predictions", "params", "folder", "device")
_COMMAND_RULE = (
    "a command line, or a list of its words, in which {manifest} and {predictions} stand for the"
    " two files; {params}, {folder} and {device} are known, too"
)


def _parse_command(value: Any) -> tuple[str, ...]:
    """Take a command apart into words; raises ValueError for one that cannot work."""
    words = shlex.split(value) if isinstance(value, str) else value
    if not words or not all(isinstance(word, str) for word in words):
        raise ValueError(value)
    named: set[str] = set()
    for word in words:
        named.update(name for _, name, _, _ in Formatter().parse(word) if name is not None)
    if not {"manifest", "predictions"} <= named <= set(_PLACEHOLDERS):
        raise ValueError(value)
    return tuple(words)


_SEEN_RULE = 'no | unknown | yes, or a table of them by data set: { "300w" = "yes" }'


def _parse_seen(value: Any) -> str | dict[str, str]:
    """Read whether test items were seen: a word, or a word for each data set."""
    if isinstance(value, dict):
        for word in value.values():
            _parse_seen(word)
        return dict(value)
    if value not in SEEN_TEST:
        raise ValueError(value)
    return str(value)


# what decides whether a row may stand beside others; each may be left out
_FACT_KEYS = (
    CardKey("box", LINE, default=""),
    CardKey("trained_on", LINE, default=""),
    CardKey("extra_data", LINE, default=""),
    CardKey("seen_test", ValueKind(_parse_seen, _SEEN_RULE), default=""),
    CardKey("checkpoint", LINE, default=""),
)
_CARD_KEYS = (
    CardKey("name", METHOD_NAME),
    CardKey("title", LINE),
    CardKey("task", list_of(one_of(*_TASKS), least=1)),
    CardKey("summary", LINE),
    CardKey("default", TEXT),
    CardKey("adapter", METHOD_NAME, default=""),
    CardKey("run", TABLE, default={}),
    CardKey("needs", TABLE, default={}),
    CardKey("baseline", SWITCH, default=False),
    CardKey("code", LINE, default=""),
    CardKey("paper", ValueKind(_parse_paper, _PAPER_RULE), default={}),
    CardKey("params", TABLE, default={}),
    CardKey("before", TABLE, default={}),
    CardKey("budgets", TABLE, default={}),
    CardKey("variants", TABLE, default={}),
    *_FACT_KEYS,
)
_POSITIVE = number_where(lambda number: number > 0, "a number above 0")
_RUN_KEYS = (
    CardKey("command", ValueKind(_parse_command, _COMMAND_RULE)),
    CardKey("seconds", _POSITIVE, default=3600.0),
    CardKey("memory_gb", _POSITIVE, default=0.0),
    CardKey("manifest", one_of("csv", "json"), default="csv"),
    CardKey("predictions", one_of("csv", "npz"), default="csv"),
    CardKey("files", list_of(TEXT), default=()),
)
_WHOLE = number_where(lambda number: number > 0 and number == int(number), "a whole number above 0")
_NEEDS_KEYS = (
    CardKey("cpus", _WHOLE, default=1),
    CardKey("gpus", _POSITIVE, default=1.0),
    CardKey("memory_gb", _POSITIVE, default=0.0),
)
_PAPER_KEYS = ("title", "authors", "venue", "year", "url", "code")
_VARIANT_KEYS = (
    CardKey("title", LINE),
    CardKey("params", TABLE, default={}),
    CardKey("budgets", TABLE, default={}),
    CardKey("shares", TABLE, default={}),
    *_FACT_KEYS,
)
_SHARES_KEYS = (
    CardKey("variant", TEXT),
    CardKey("files", _FILE_PATTERN),
    CardKey("apart", list_of(TEXT), "a list of parameters", default=()),
)


@dataclass(frozen=True)
class _Params:
    """The declared parameters of a card."""

    defaults: Mapping[str, Any]
    allowed: Mapping[str, tuple[Any, ...]]  # of those that say what they may be
    ranges: Mapping[str, tuple[float, float]]  # of those that say between what they lie


def is_finite_number(value: Any) -> bool:
    """Tell whether a value is a number that can be held and compared.

    >>> is_finite_number(3), is_finite_number(float("nan")), is_finite_number(True)
    (True, False, False)
    """
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def is_within(value: float, ends: tuple[float, float]) -> bool:
    """Tell whether a number lies in a parameter's range, its ends included."""
    return ends[0] <= value <= ends[1]


def describe_range(ends: tuple[float, float]) -> str:
    """Say what a parameter's range allows.

    >>> describe_range((1, 65536))
    'from 1 to 65536'
    """
    return f"from {ends[0]:g} to {ends[1]:.12g}"


def read_card(folder: Path, *, module: str = "", source: str = "") -> MethodCard:
    """Read the `method.toml` of a folder strictly, without importing the method.

    Raises PluginError naming file, key and what is allowed.
    """
    file = folder / CARD_FILE
    place = CardPlace(str(file), PluginError)
    content = read_toml(file, largest=MAX_BYTES, fault=PluginError)
    values = read_values(content, _CARD_KEYS, place)
    check_keys(values["paper"], _PAPER_KEYS, place.inside("paper"))
    params = _read_params(values["params"], place.inside("params"))
    variants = _read_variants(values["variants"], params, place)
    if values["default"] not in variants:
        raise place.refusal("default", values["default"], f"a variant: {', '.join(variants)}")
    budgets = _read_budgets(values["budgets"], params, place.inside("budgets"))
    return MethodCard(
        name=values["name"],
        title=values["title"],
        task=values["task"],
        summary=values["summary"],
        paper=_add_code(values["paper"], values["code"]),
        default=values["default"],
        variants=variants,
        params=params.defaults,
        budgets={budget: budgets.get(budget, {}) for budget in BUDGETS},
        folder=folder,
        module=module,
        source=source or f"folder {folder.name}",
        before=_read_changes(values["before"], params, place.inside("before")),
        allowed=params.allowed,
        ranges=params.ranges,
        adapter=values["adapter"],
        program=_read_program(values, place),
        facts=_stated_facts(values),
        baseline=values["baseline"],
        needs=Needs(**read_values(values["needs"], _NEEDS_KEYS, place.inside("needs"))),
    )


def _add_code(paper: dict[str, str], code: str) -> dict[str, str]:
    """Return what is said of the paper with the repository that a card names beside it."""
    if not code:
        return paper
    return {**paper, "code": code}


def _stated_facts(values: Mapping[str, Any]) -> dict[str, str]:
    """Return what a card or variant says of its training and box, one word for each data set."""
    facts = {key: values[key] for key in FACT_KEYS if values[key]}
    if isinstance(facts.get("seen_test"), dict):
        for dataset, word in facts.pop("seen_test").items():
            facts[f"seen_test.{dataset}"] = word
    return facts


def _read_program(values: Mapping[str, Any], place: CardPlace) -> OutsideProgram | None:
    """Read the section [run]; a card with one has no adapter."""
    if not values["run"]:
        return None
    if values["adapter"]:
        raise place.fault("run", "stands in the place of an adapter; delete one of them")
    return OutsideProgram(**read_values(values["run"], _RUN_KEYS, place.inside("run")))


# --- parameters -----------------------------------------------------------------------------------


def _read_params(table: Mapping[str, Any], place: CardPlace) -> _Params:
    defaults: dict[str, Any] = {}
    allowed: dict[str, tuple[Any, ...]] = {}
    ranges: dict[str, tuple[float, float]] = {}
    for key, entry in table.items():
        default = entry
        if isinstance(entry, dict) and set(entry) == {"default", "allowed"}:
            default = entry["default"]
            allowed[key] = _read_allowed(entry, key, place)
        if isinstance(entry, dict) and set(entry) == {"default", "range"}:
            default = entry["default"]
            ranges[key] = _read_range(entry, key, place)
        if not _PARAM_NAME.fullmatch(key) or not _is_param_value(default):
            raise place.fault(key, _PARAM_RULE)
        defaults[key] = default
    return _Params(defaults, allowed, ranges)


def _is_param_value(value: Any) -> bool:
    items = [value]
    if isinstance(value, list):
        items = value
    return all(isinstance(item, bool | str) or is_finite_number(item) for item in items)


def _read_range(entry: Mapping[str, Any], key: str, place: CardPlace) -> tuple[float, float]:
    """Read the least and the most that a number may be; its default must lie between them."""
    default, ends = entry["default"], entry["range"]
    is_range = isinstance(ends, list) and len(ends) == 2 and all(map(is_finite_number, ends))
    if not is_range or not is_finite_number(default) or not ends[0] <= default <= ends[1]:
        raise place.fault(key, "range must be two numbers with the default between them")
    return ends[0], ends[1]


def _read_allowed(entry: Mapping[str, Any], key: str, place: CardPlace) -> tuple[Any, ...]:
    """Read the values that a parameter may take; its default must be one of them."""
    default, allowed = entry["default"], entry["allowed"]
    if not isinstance(allowed, list) or default not in allowed:
        raise place.fault(key, "allowed must be a list with the default in it")
    if any(type(value) is not type(default) for value in allowed):
        raise place.fault(key, f"allowed must be {type(default).__name__}s, as the default is")
    return tuple(allowed)


def _read_changes(table: Mapping[str, Any], params: _Params, place: CardPlace) -> dict[str, Any]:
    """Read new values of declared parameters, each of its default's type; an int may be a float."""
    check_keys(table, params.defaults, place)
    changes = {}
    for key, entry in table.items():
        expected = type(params.defaults[key])
        value = entry
        if expected is float and type(entry) is int:
            value = float(entry)
        if type(value) is not expected:
            raise place.refusal(key, value, f"{expected.__name__}, as in [params]")
        if value not in params.allowed.get(key, (value,)):
            raise place.refusal(key, value, " | ".join(map(str, params.allowed[key])))
        if isinstance(value, float) and not is_finite_number(value):
            raise place.refusal(key, value, "a finite number")
        if key in params.ranges and not is_within(value, params.ranges[key]):
            raise place.refusal(key, value, describe_range(params.ranges[key]))
        changes[key] = value
    return changes


def _read_budgets(
    table: Mapping[str, Any], params: _Params, place: CardPlace
) -> dict[str, dict[str, Any]]:
    """Read what each budget of a table changes."""
    check_keys(table, BUDGETS, place)
    budgets = {}
    for budget in table:
        changes = read_value(table, CardKey(budget, TABLE), place)
        budgets[budget] = _read_changes(changes, params, place.inside(budget))
    return budgets


# --- variants -------------------------------------------------------------------------------------


def _read_variants(
    table: Mapping[str, Any], params: _Params, place: CardPlace
) -> dict[str, Variant]:
    if not table:
        raise place.fault("variants", 'is missing; allowed: [variants.NAME] with title = "…"')
    section = place.inside("variants")
    variants = {}
    for name in table:
        variants[name] = _read_variant(name, table, params, section)
    for name, variant in variants.items():
        if variant.shares is None:
            continue
        others = [other for other in variants if other != name]
        if variant.shares.variant not in others:
            shares = section.inside(f"{name}.shares")
            raise shares.refusal("variant", variant.shares.variant, "another variant")
    return variants


def _read_variant(
    name: str, table: Mapping[str, Any], params: _Params, section: CardPlace
) -> Variant:
    try:
        METHOD_NAME.parse(name)
    except ValueError as fault:
        raise section.refusal(name, name, METHOD_NAME.allowed) from fault
    if name == SUBMITTED:
        raise section.fault(name, "may not be called so: kept for external predictions")
    place = section.inside(name)
    values = read_values(read_value(table, CardKey(name, TABLE), section), _VARIANT_KEYS, place)
    return Variant(
        name,
        values["title"],
        _read_changes(values["params"], params, place.inside("params")),
        _read_budgets(values["budgets"], params, place.inside("budgets")),
        _read_shares(values["shares"], params, place.inside("shares")),
        _stated_facts(values),
    )


def _read_shares(
    table: Mapping[str, Any], params: _Params, place: CardPlace
) -> SharedTraining | None:
    if not table:
        return None
    values = read_values(table, _SHARES_KEYS, place)
    if not set(values["apart"]) <= set(params.defaults):
        raise place.refusal("apart", list(values["apart"]), "a list of parameters")
    return SharedTraining(values["variant"], values["files"], values["apart"])
