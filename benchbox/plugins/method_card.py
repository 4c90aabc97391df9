"""Methods as folders: find their cards, import one on demand, work out the parameters of a run.

Cards come from the collections installed under the entry-point group `benchbox.methods` and from
folders given for one call (`--methods DIR`). A card that cannot be read never hides the others:
`scan_cards` returns the cards and the faults. What a card may hold is next door, in
`method_schema`.
"""

from __future__ import annotations

import atexit
import hashlib
import importlib
import importlib.util
import math
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from types import ModuleType
from typing import Any

from benchbox import number_text
from benchbox.errors import PluginError
from benchbox.file_readers.bounds import LARGEST_INTEGER
from benchbox.file_readers.regular_files import read_text
from benchbox.types import MethodCard

from . import discovery, guest_code
from .method_schema import (
    BUDGETS,
    CARD_FILE,
    MAX_BYTES,
    METHOD_NAME,
    SUBMITTED,
    describe_range,
    is_within,
    read_card,
)

__all__ = [
    "BUDGETS",
    "ENTRY_POINT_GROUP",
    "SUBMITTED",
    "Fault",
    "blame_method",
    "check_method_name",
    "find_adapter",
    "find_card",
    "import_method",
    "merge_params",
    "read_card",
    "read_cards",
    "readme_notes",
    "scan_cards",
    "suggest_name",
]
ENTRY_POINT_GROUP = discovery.METHODS
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


# --- finding --------------------------------------------------------------------------------------


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
        except PluginError as error:
            faults.append(Fault((folder.name, folder.name.replace("_", "-")), error))
    for fault in discovery.find_faults(ENTRY_POINT_GROUP):
        faults.append(Fault((fault.name,), PluginError(fault.reason)))
    return _refuse_doubled_names(cards, faults)


def read_cards(extra: Sequence[Path] = ()) -> list[MethodCard]:
    """Return every readable card; `scan_cards` also returns what is wrong with the others."""
    return scan_cards(extra)[0]


def find_card(name: str, extra: Sequence[Path] = ()) -> MethodCard:
    """Return the card of one method.

    Raises PluginError when it is unknown, unreadable or claimed twice.
    """
    cards, faults = scan_cards(extra)
    for card in cards:
        if card.name == name:
            return card
    for fault in faults:
        if name in fault.names:
            raise fault.error
    suggestion = suggest_name(name, [card.name for card in cards])
    # the method may be one of a package that cannot be found
    for entry in discovery.find_faults(ENTRY_POINT_GROUP):
        suggestion += f"; {entry.reason}"
    raise PluginError(f"unknown method {name!r}; {_hint_at_folder(name)}{suggestion}")


def _hint_at_folder(name: str) -> str:
    """Say that `methods/` of the working folder, where `new method` writes, holds a method."""
    for file in sorted(Path("methods").glob(f"*/{CARD_FILE}")):
        folder = file.parent
        try:
            names = [read_card(folder).name]
        except PluginError:  # --methods says what is wrong with it
            names = [folder.name, folder.name.replace("_", "-")]
        if name in names:
            return f"{folder.as_posix()} is here: --methods methods; "
    return ""


def check_method_name(name: str) -> None:
    """Raise PluginError unless a name can be a method's: it becomes a folder of results/."""
    try:
        METHOD_NAME.parse(name)
    except ValueError as fault:
        raise PluginError(f"method name {name!r}: {METHOD_NAME.allowed}") from fault


def suggest_name(word: str, allowed: Sequence[str] | Mapping[str, Any]) -> str:
    """Say what could have been meant: the nearest name, else all of them.

    >>> suggest_name("wfwl", ["wflw", "300w-full"])
    "did you mean 'wflw'?"
    >>> suggest_name("lips", ["wflw", "300w-full"])
    'known: 300w-full, wflw'
    """
    nearest = get_close_matches(word, list(allowed), n=1)
    if nearest:
        return f"did you mean {nearest[0]!r}?"
    return f"known: {', '.join(sorted(allowed)) or 'none'}"


def _card_folders(extra: Sequence[Path]) -> Iterator[tuple[Path, str, str]]:
    """Yield (folder, module, source) of every card."""
    for collection in discovery.find_collections(ENTRY_POINT_GROUP):
        for file in sorted(collection.folder.glob(f"*/{CARD_FILE}")):
            yield file.parent, f"{collection.package}.{file.parent.name}", collection.source
    for folder in extra:
        files = sorted(folder.glob(f"*/{CARD_FILE}"))
        if (folder / CARD_FILE).is_file():
            files = [folder / CARD_FILE]
        if not files:
            raise PluginError(
                f"--methods {folder}: no {CARD_FILE} in it nor one folder below;"
                " `benchbox new method` makes one"
            )
        for file in files:
            yield file.parent, "", f"--methods {folder}"


def _refuse_doubled_names(
    cards: list[MethodCard], faults: list[Fault]
) -> tuple[list[MethodCard], list[Fault]]:
    """Turn names that two folders claim into faults.

    Neither wins, or a result would not say whose it is.
    """
    by_name: dict[str, list[MethodCard]] = {}
    for card in cards:
        by_name.setdefault(card.name, []).append(card)
    for name, claimants in by_name.items():
        if len(claimants) > 1:
            places = " and ".join(f"{card.source} ({card.folder})" for card in claimants)
            error = PluginError(f"method {name!r} exists twice, in {places}: rename one")
            faults.append(Fault((name,), error))
    return [card for card in cards if len(by_name[card.name]) == 1], faults


# --- importing ------------------------------------------------------------------------------------


def blame_method(method: MethodCard) -> str:
    """Return how the faults of a method's code begin: its name, distribution and folder."""
    return f"method {method.name!r} of {method.source} ({method.folder.name}/)"


def import_method(method: MethodCard) -> ModuleType:
    """Import one plugin and check that it offers `predictor`.

    Raises PluginError; every fault names the distribution and the folder.
    """
    if method.adapter:
        return import_method(find_adapter(method))
    blame = blame_method(method)
    if not method.module:
        _offer_to_children(method.folder)
    try:
        with guest_code.run_as_guest(blame):
            if method.module:
                module = importlib.import_module(method.module)
            else:
                module = _import_from_folder(method.folder)
    except PluginError:
        raise
    except Exception as fault:  # a stranger's module can raise anything; the cause is kept
        raise PluginError(f"{blame} cannot be imported: {type(fault).__name__}: {fault}") from fault
    required = ["predictor"]
    if hasattr(module, "train"):  # a method without training has none
        required.append("train")
    for function in required:
        if not callable(getattr(module, function, None)):
            raise PluginError(
                f"{blame} has no function `{function}`:"
                f" define it in {method.folder.name}/__init__.py"
            )
    return module


def find_adapter(method: MethodCard) -> MethodCard:
    """Return the installed method whose code runs a card without code of its own."""
    place = f"{method.folder / CARD_FILE}: adapter"
    try:
        adapter = find_card(method.adapter)
    except PluginError as fault:
        raise PluginError(f"{place}: {fault}") from fault
    if adapter.adapter:
        raise PluginError(f"{place}: {method.adapter!r} has no code of its own either")
    return adapter


def _import_from_folder(folder: Path) -> ModuleType:
    """Import a folder outside every package under a name of its own, relative imports included."""
    place, name = folder.resolve(), _local_name(folder)
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


def _local_name(folder: Path) -> str:
    """Name the module that a folder outside every package becomes."""
    return f"benchbox_local_{hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:12]}"


def _offer_to_children(method: Path) -> None:
    """Let processes that a method starts import its folder under the name that it has here.

    A spawned process takes over the import path and looks the method's functions up by name; one
    that does not find them dies, and its pool starts the next one for ever.
    """
    name, place = _local_name(method), method.resolve()
    if name in sys.modules or not (place / "__init__.py").is_file():
        return
    folder = Path(tempfile.mkdtemp(prefix="benchbox-import-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    try:
        (folder / name).symlink_to(place, target_is_directory=True)
    except OSError:  # Windows, where not everybody may make links
        shutil.copytree(place, folder / name)
    sys.path.append(str(folder))


# --- parameters -----------------------------------------------------------------------------------


def merge_params(
    method: MethodCard,
    variant: str = "",
    budget: str = "quick",
    overrides: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Merge defaults ← budget ← variant ← the variant's budget ← overrides.

    Texts take the type of the default.

    Raises PluginError for an unknown variant, budget or key and for a value of the wrong type or
    beside those that the card allows.
    """
    variant = variant or method.default
    if variant not in method.variants:
        suggestion = suggest_name(variant, method.variants)
        raise PluginError(f"method {method.name!r} has no variant {variant!r}; {suggestion}")
    if budget not in BUDGETS:
        raise PluginError(f"unknown budget {budget!r}: one of {', '.join(BUDGETS)}")
    params = dict(method.params)
    params.update(method.budgets.get(budget, {}))
    params.update(method.variants[variant].params)
    params.update(method.variants[variant].budgets.get(budget, {}))
    for key, text in (overrides or {}).items():
        if key not in params:
            suggestion = suggest_name(key, params)
            raise PluginError(f"method {method.name!r} has no parameter {key!r}; {suggestion}")
        value = _parse_override(text, method.params[key], f"--set {key}={text[:40]}")
        if value not in method.allowed.get(key, (value,)):
            allowed = ", ".join(map(str, method.allowed[key]))
            raise PluginError(f"--set {key}={text[:40]}: must be one of {allowed}")
        if key in method.ranges and not is_within(value, method.ranges[key]):
            between = describe_range(method.ranges[key])
            raise PluginError(f"--set {key}={text[:40]}: must be {between}")
        params[key] = value
    return params


def _parse_override(text: str, default: Any, where: str) -> Any:
    """Read an override's text as the type of the default."""
    if isinstance(default, list):
        like = ""
        if default:
            like = default[0]
        return [_parse_override(item.strip(), like, where) for item in text.split(",")]
    if isinstance(default, bool):
        if text.lower() not in _SWITCHES:
            raise PluginError(f"{where}: must be on or off")
        return _SWITCHES[text.lower()]
    if isinstance(default, str):
        return text
    try:
        if isinstance(default, int):
            whole = number_text.parse_integer(text)
            if abs(whole) > LARGEST_INTEGER:
                raise PluginError(f"{where}: must be a whole number of 64 bits, like {default!r}")
            return whole
        value = number_text.parse_number(text)
    except ValueError as fault:
        raise PluginError(f"{where}: must be {type(default).__name__}, like {default!r}") from fault
    if not math.isfinite(value):  # no record can hold it, and no comparison with it is true
        raise PluginError(f"{where}: must be a finite number, like {default!r}")
    return value


# --- files of a method ----------------------------------------------------------------------------


def readme_notes(method: MethodCard) -> str:
    """Return what a README says of its paper: its sections "## What is stated …" and alike, or "".

    Raises PluginError for a README that is no text or larger than a card may be.
    """
    file = method.folder / "README.md"
    if not file.is_file():
        return ""
    text = read_text(file, MAX_BYTES, PluginError)
    sections = re.split(r"^(?=## )", text, flags=re.MULTILINE)
    stated = [section.strip() for section in sections if section.startswith("## What ")]
    return "\n".join(f"{section}\n" for section in stated)
