"""Methods as folders: every `method.toml` is read without importing anything, and one plugin is imported on demand.

Cards come from the collections installed under the entry-point group `benchbox.methods` and from
folders given for one call (`--methods DIR`). A card that cannot be read never hides the others:
`scan` returns the cards and the faults.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from types import ModuleType
from typing import Any, get_args

from benchbox.errors import PluginError
from benchbox.types import MethodCard, SharedTraining, Task, Variant

from . import discovery

ENTRY_POINT_GROUP = "benchbox.methods"
CARD_FILE = "method.toml"
BUDGETS = ("smoke", "quick", "paper")
SUBMITTED = "submitted"  # the variant folder of external predictions; no card may claim it

_TASKS: tuple[Task, ...] = get_args(Task)
_KEYS = (
    "name",
    "title",
    "task",
    "summary",
    "default",
    "paper",
    "params",
    "before",
    "budgets",
    "variants",
)
_PAPER_KEYS = ("title", "authors", "venue", "year", "url")
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")  # becomes a folder of results/
_NAME_RULE = "up to 64 small letters, digits, '.', '_' and '-', a letter or digit first; it names a folder of results"
_PARAM_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
_MAX_BYTES = 1 << 20
_SWITCHES = {
    "on": True,
    "true": True,
    "yes": True,
    "1": True,
    "off": False,
    "false": False,
    "no": False,
    "0": False,
}


@dataclass(frozen=True)
class Fault:
    """A card that could not be used.

    `names` are the method names that it would have answered to.
    """

    names: tuple[str, ...]
    error: PluginError


def scan_cards(extra: Sequence[Path] = ()) -> tuple[list[MethodCard], list[Fault]]:
    """Read all cards, installed ones first, then those of the `extra` folders.

    Return the good ones and the faults.

    Raises PluginError only when an extra folder itself is missing or holds no card.
    """
    cards: list[MethodCard] = []
    faults: list[Fault] = []
    seen: set[Path] = set()
    for folder, module, source in _card_folders(extra):
        # `--methods methods` in a checkout names the installed collection again
        if folder.resolve() in seen:
            continue
        seen.add(folder.resolve())
        try:
            cards.append(read_card(folder, module=module, source=source))
        except PluginError as fault:
            faults.append(Fault((folder.name, folder.name.replace("_", "-")), fault))
    return _refuse_doubled_names(cards, faults)


def read_cards(extra: Sequence[Path] = ()) -> list[MethodCard]:
    """Return every readable card; `scan` also returns what is wrong with the others."""
    return scan_cards(extra)[0]


def find_card(name: str, extra: Sequence[Path] = ()) -> MethodCard:
    """Return the card of one method.

    Raises PluginError when it is unknown, unreadable or claimed twice.
    """
    found, faults = scan_cards(extra)
    for candidate in found:
        if candidate.name == name:
            return candidate
    for fault in faults:
        if name in fault.names:
            raise fault.error
    raise PluginError(f"unknown method {name!r}; {suggest_name(name, [c.name for c in found])}")


def import_method(method: MethodCard) -> ModuleType:
    """Import one plugin and check that it offers `predictor`.

    Every fault names the distribution and the folder.
    """
    blame = f"method {method.name!r} of {method.source} ({method.folder.name}/)"
    try:
        module = (
            importlib.import_module(method.module)
            if method.module
            else _import_from_folder(method.folder)
        )
    except Exception as fault:  # a stranger's module can raise anything; the cause is kept
        raise PluginError(f"{blame} cannot be imported: {type(fault).__name__}: {fault}") from fault
    for verb in ("predictor", "train"):
        if not callable(getattr(module, verb, None)) and (
            verb == "predictor" or hasattr(module, verb)
        ):
            raise PluginError(
                f"{blame} has no function `{verb}`: define it in {method.folder.name}/__init__.py"
            )
    return module


def merge_params(
    method: MethodCard,
    variant: str = "",
    budget: str = "quick",
    overrides: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Merge defaults ← budget ← variant ← the variant's budget ← overrides.

    Texts take the type of the default.

    Raises PluginError for an unknown variant, budget or key and for a value of the wrong type.
    """
    variant = variant or method.default
    if variant not in method.variants:
        raise PluginError(
            f"method {method.name!r} has no variant {variant!r}; {suggest_name(variant, method.variants)}"
        )
    if budget not in BUDGETS:
        raise PluginError(f"unknown budget {budget!r}: one of {', '.join(BUDGETS)}")
    params = dict(method.params)
    params.update(method.budgets.get(budget, {}))
    params.update(method.variants[variant].params)
    params.update(method.variants[variant].budgets.get(budget, {}))
    for key, text in (overrides or {}).items():
        if key not in params:
            raise PluginError(
                f"method {method.name!r} has no parameter {key!r}; {suggest_name(key, params)}"
            )
        params[key] = _parse_override(text, method.params[key], f"--set {key}={text}")
    return params


def check_method_name(name: str) -> None:
    """Raise PluginError unless a name can be a method's: it becomes a folder of results/."""
    if not _NAME.fullmatch(name):
        raise PluginError(f"method name {name!r}: {_NAME_RULE}")


def readme_notes(method: MethodCard) -> str:
    """Return what a method's README says of its paper, the sections "What is stated …", "What was chosen …"; or "".

    Raises PluginError for a README that is no text or larger than a card may be.
    """
    file = method.folder / "README.md"
    if not file.is_file():
        return ""
    try:
        if file.stat().st_size > _MAX_BYTES:
            raise PluginError(f"{file}: larger than {_MAX_BYTES} bytes: not notes on a method")
        sections = re.split(r"^(?=## )", file.read_text(encoding="utf-8"), flags=re.MULTILINE)
    except (OSError, UnicodeDecodeError) as fault:
        raise PluginError(f"{file}: cannot be read: {fault}") from fault
    return "\n".join(
        section.strip() + "\n" for section in sections if section.startswith("## What ")
    )


def hash_method_code(method: MethodCard) -> str:
    """Hash the code of a method: every file of its folder but notes, caches and hidden files."""
    total = hashlib.sha256()
    for path in sorted(method.folder.rglob("*")):
        inner = path.relative_to(method.folder)
        hidden = any(part.startswith(".") or part == "__pycache__" for part in inner.parts)
        if path.is_file() and not hidden and path.suffix not in (".md", ".pyc"):
            total.update(
                f"{inner.as_posix()}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode()
            )
    return f"sha256:{total.hexdigest()}"


def suggest_name(word: str, allowed: Sequence[str] | Mapping[str, Any]) -> str:
    """Say what could have been meant: the nearest name, else all of them."""
    near = get_close_matches(word, list(allowed), n=1)
    return (
        f"did you mean {near[0]!r}?" if near else f"known: {', '.join(sorted(allowed)) or 'none'}"
    )


# --- reading a card -------------------------------------------------------------------------------


def read_card(folder: Path, *, module: str = "", source: str = "") -> MethodCard:
    """Read one `method.toml` strictly; raises PluginError naming file, key and what is allowed."""
    file = folder / CARD_FILE
    doc = _toml(file)
    _known(doc, _KEYS, file, "")
    name = _name(_text(doc, "name", file), "name", file)
    params = {
        key: _param_default(value, key, file) for key, value in _table(doc, "params", file).items()
    }
    budgets = _table(doc, "budgets", file)
    _known(budgets, BUDGETS, file, "budgets.")
    variants = _variants(doc, params, file)
    default = _text(doc, "default", file)
    if default not in variants:
        raise PluginError(
            f"{file}: default = {default!r} is no variant; known: {', '.join(variants)}"
        )
    paper = _table(doc, "paper", file)
    _known(paper, _PAPER_KEYS, file, "paper.")
    return MethodCard(
        name=name,
        title=_text(doc, "title", file),
        task=_tasks(doc, file),
        summary=_text(doc, "summary", file),
        paper={key: _paper_text(value) for key, value in paper.items()},
        default=default,
        variants=variants,
        params=params,
        budgets={
            key: _changes(_table(budgets, key, file, "budgets."), params, file, f"budgets.{key}.")
            for key in BUDGETS
        },
        folder=folder,
        module=module,
        source=source or f"folder {folder.name}",
        before=_changes(_table(doc, "before", file), params, file, "before."),
    )


def _paper_text(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _toml(file: Path) -> dict[str, Any]:
    try:
        if file.stat().st_size > _MAX_BYTES:
            raise PluginError(f"{file}: larger than {_MAX_BYTES} bytes: not a method card")
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as fault:
        raise PluginError(f"{file}: cannot be read as TOML: {fault}") from fault


def _known(
    table: Mapping[str, Any], allowed: Sequence[str] | Mapping[str, Any], file: Path, where: str
) -> None:
    for key in table:
        if key not in allowed:
            raise PluginError(
                f"{file}: unknown key {where + key!r}; allowed: {', '.join(allowed) or 'none'}"
            )


def _table(doc: Mapping[str, Any], key: str, file: Path, where: str = "") -> dict[str, Any]:
    value = doc.get(key, {})
    if not isinstance(value, dict):
        raise PluginError(f"{file}: {where}{key} must be a table, [{where}{key}]")
    return value


def _text(doc: Mapping[str, Any], key: str, file: Path, where: str = "") -> str:
    value = doc.get(key)
    if not isinstance(value, str) or not value.strip():
        raise PluginError(f'{file}: {where}{key} is missing or no text: write {key} = "…"')
    return value


def _name(text: str, key: str, file: Path) -> str:
    if not _NAME.fullmatch(text):
        raise PluginError(f"{file}: {key} {text!r}: {_NAME_RULE}")
    return text


def _tasks(doc: Mapping[str, Any], file: Path) -> tuple[Task, ...]:
    value = doc.get("task")
    if not isinstance(value, list) or not value or any(task not in _TASKS for task in value):
        raise PluginError(f"{file}: task = {value!r}: a list out of {', '.join(_TASKS)}")
    return tuple(value)


def _variants(doc: Mapping[str, Any], params: Mapping[str, Any], file: Path) -> dict[str, Variant]:
    variants = {}
    for key, body in _table(doc, "variants", file).items():
        where = f"variants.{key}."
        if not isinstance(body, dict):
            raise PluginError(f"{file}: variants.{key} must be a table, [variants.{key}]")
        _known(body, ("title", "params", "budgets", "shares"), file, where)
        if _name(key, "variant", file) == SUBMITTED:
            raise PluginError(
                f"{file}: a variant may not be called {SUBMITTED!r}: kept for external predictions"
            )
        changes = _changes(_table(body, "params", file, where), params, file, f"{where}params.")
        budgets = _table(body, "budgets", file, where)
        _known(budgets, BUDGETS, file, f"{where}budgets.")
        own = {
            budget: _changes(
                _table(budgets, budget, file, f"{where}budgets."), params, file, f"{where}{budget}."
            )
            for budget in budgets
        }
        shares = _shared_training(
            _table(body, "shares", file, where), params, file, f"{where}shares."
        )
        variants[key] = Variant(key, _text(body, "title", file, where), changes, own, shares)
    if not variants:
        raise PluginError(f'{file}: no variant: write at least [variants.NAME] with title = "…"')
    for key, variant in variants.items():
        if variant.shares and (
            variant.shares.variant not in variants or variant.shares.variant == key
        ):
            raise PluginError(
                f"{file}: variants.{key}.shares.variant = {variant.shares.variant!r}: must be another one"
            )
    return variants


def _shared_training(
    body: dict[str, Any], params: Mapping[str, Any], file: Path, where: str
) -> SharedTraining | None:
    if not body:
        return None
    _known(body, ("variant", "files", "apart"), file, where)
    files, apart = _text(body, "files", file, where), body.get("apart", [])
    if "/" in files or files.startswith("."):
        raise PluginError(f"{file}: {where}files = {files!r}: must be names in the work folder")
    if not isinstance(apart, list) or any(key not in params for key in apart):
        raise PluginError(f"{file}: {where}apart = {apart!r}: a list of parameters")
    return SharedTraining(_text(body, "variant", file, where), files, tuple(apart))


def _param_default(value: Any, key: str, file: Path) -> Any:
    flat = value if isinstance(value, list) else [value]
    if not _PARAM_NAME.fullmatch(key) or not all(
        isinstance(item, bool | int | float | str) for item in flat
    ):
        raise PluginError(
            f"{file}: params.{key}: a small_letter_name = a bool, int, float, text or a list of them"
        )
    return value


def _changes(
    table: Mapping[str, Any], params: Mapping[str, Any], file: Path, where: str
) -> dict[str, Any]:
    """Check that every key is a declared parameter and every value of its type (an int may stand for a float)."""
    _known(table, params, file, where)
    changes = {}
    for key, value in table.items():
        kind = type(params[key])
        changes[key] = float(value) if kind is float and type(value) is int else value
        if type(changes[key]) is not kind:
            raise PluginError(
                f"{file}: {where}{key} = {value!r}: must be {kind.__name__} as in [params]"
            )
    return changes


def _parse_override(text: str, default: Any, where: str) -> Any:
    """Read an override's text as the type of the default."""
    if isinstance(default, list):
        like = default[0] if default else ""
        return [_parse_override(item.strip(), like, where) for item in text.split(",")]
    if isinstance(default, bool):
        if text.lower() not in _SWITCHES:
            raise PluginError(f"{where}: must be on or off")
        return _SWITCHES[text.lower()]
    try:
        return type(default)(text)
    except ValueError as fault:
        raise PluginError(f"{where}: must be {type(default).__name__}, like {default!r}") from fault


# --- places ---------------------------------------------------------------------------------------


def _card_folders(extra: Sequence[Path]) -> Iterator[tuple[Path, str, str]]:
    """Yield (folder, module, source) of every card's folder."""
    for collection in discovery.find_collections(ENTRY_POINT_GROUP):
        for file in sorted(collection.folder.glob(f"*/{CARD_FILE}")):
            yield file.parent, f"{collection.package}.{file.parent.name}", collection.source
    for folder in extra:
        files = (
            [folder / CARD_FILE]
            if (folder / CARD_FILE).is_file()
            else sorted(folder.glob(f"*/{CARD_FILE}"))
        )
        if not files:
            raise PluginError(
                f"--methods {folder}: no {CARD_FILE} in it nor one folder below; `benchbox new method` makes one"
            )
        for file in files:
            yield file.parent, "", f"--methods {folder}"


def _refuse_doubled_names(
    cards: list[MethodCard], faults: list[Fault]
) -> tuple[list[MethodCard], list[Fault]]:
    """Turn names that two folders claim into faults: neither wins, or a result would not say whose it is."""
    claims: dict[str, list[MethodCard]] = {}
    for candidate in cards:
        claims.setdefault(candidate.name, []).append(candidate)
    for name, claimants in claims.items():
        if len(claimants) > 1:
            places = " and ".join(f"{c.source} ({c.folder})" for c in claimants)
            faults.append(
                Fault(
                    (name,), PluginError(f"method {name!r} exists twice, in {places}: rename one")
                )
            )
    return [c for c in cards if len(claims[c.name]) == 1], faults


def _import_from_folder(folder: Path) -> ModuleType:
    """Import a folder outside every package under a name of its own, relative imports included."""
    place = folder.resolve()
    name = f"benchbox_local_{hashlib.sha256(str(place).encode()).hexdigest()[:12]}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(
        name, place / "__init__.py", submodule_search_locations=[str(place)]
    )
    if spec is None or spec.loader is None:
        raise ImportError(f"no __init__.py in {folder}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # before it runs: its relative imports look it up here
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module
