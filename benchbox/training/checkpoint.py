"""Stages that survive a kill: files that appear whole or not at all."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from benchbox.atomic_write import replace_when_done
from benchbox.errors import DataError, ResultError
from benchbox.file_readers.json_files import parse_json
from benchbox.file_readers.regular_files import library_faults
from benchbox.file_readers.weight_files import check_safetensors, check_torch_archive
from benchbox.process_rank import process_number

_FACTS_KEY = "facts"
_AGAIN = "run again with --fresh"
_CHECKSUM = "tensors_sha256"  # among the facts


def make_once(path: Path, make: Callable[..., None], *args: Any) -> Path:
    """Return `path` if it is there.

    Else call `make(beside, *args)`, which writes a file beside it, and rename.
    """
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with replace_when_done(path) as beside:
            make(beside, *args)
    return path


def save_weights(path: Path, modules: Mapping[str, nn.Module], facts: Mapping[str, str]) -> None:
    """Write the modules' tensors and a few facts about them as one safetensors file, atomically.

    The facts are one entry of its header: several would stand in an order of chance, and equal
    weights differ in bytes.
    """
    tensors = {
        f"{name}.{key}": value.detach().cpu().contiguous()
        for name, module in modules.items()
        for key, value in module.state_dict().items()
    }
    checked = {**facts, _CHECKSUM: _hash_tensors(tensors)}
    header = {_FACTS_KEY: json.dumps(checked, sort_keys=True)}
    with replace_when_done(path) as beside:
        save_file(tensors, beside, metadata=header)


def load_weights(path: Path) -> dict[str, Tensor]:
    """Read a safetensors file; raises ResultError when it is missing or damaged.

    Files that earlier versions wrote have no checksum.
    """
    recorded = _read_facts(path).get(_CHECKSUM)
    with library_faults(path, "whole safetensors file", ResultError, _AGAIN):
        tensors: dict[str, Tensor] = load_file(path)
    if recorded is not None and recorded != _hash_tensors(tensors):
        raise ResultError(
            f"{path}: damaged weights, they are not those that were saved; run again with --fresh"
        )
    return tensors


def load_facts(path: Path) -> dict[str, str]:
    """Read the facts saved with the weights; raises ResultError as `load_weights`."""
    facts = _read_facts(path)
    facts.pop(_CHECKSUM, None)
    return facts


def _read_facts(path: Path) -> dict[str, str]:
    if not path.exists():
        raise ResultError(f"{path}: no weights here; train first (benchbox run)")
    held = check_safetensors(path, ResultError, _AGAIN)
    # files made before had one entry per fact
    if _FACTS_KEY in held:
        facts = parse_json(held[_FACTS_KEY], path, fault=ResultError, advice=_AGAIN)
        if not isinstance(facts, dict):
            raise ResultError(f"{path}: its facts are no table; {_AGAIN}")
        return {str(key): str(value) for key, value in facts.items()}
    return held


def _hash_tensors(tensors: Mapping[str, Tensor]) -> str:
    """Hash names, types, shapes and bytes of tensors, in the order of their names."""
    total = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].contiguous()
        total.update(f"{name} {tensor.dtype} {list(tensor.shape)}\n".encode())
        total.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return total.hexdigest()


def load_into(module: nn.Module, name: str, tensors: Mapping[str, Tensor]) -> None:
    """Load the tensors saved under `name` into a module.

    Raises RuntimeError when they do not fit.
    """
    prefix = f"{name}."
    module.load_state_dict(
        {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
    )


def _is_whole_archive(path: Path) -> bool:
    """Tell whether a zip is there whole and all of its parts have their checksum."""
    try:
        with library_faults(path, "checkpoint"), zipfile.ZipFile(path) as archive:
            return archive.testzip() is None
    except DataError:  # not there, cut short, or damaged in any other way
        return False


class Checkpoint:
    """The state inside a stage, saved now and then so that a killed run goes on where it stopped.

    `parts` are objects with `state_dict` and `load_state_dict`; the step count and torch's
    generators go with them.
    """

    def __init__(self, path: Path, **parts: Any) -> None:
        self.path = path
        self.parts = parts

    def load(self) -> int:
        """Restore the last saved state and return its step.

        0 when there is none or it is damaged, be it by one bit: torch looks at no checksum.
        """
        if not _is_whole_archive(self.path):
            return 0
        try:
            check_torch_archive(self.path)
            with library_faults(self.path, "checkpoint"):
                state = torch.load(self.path, map_location="cpu", weights_only=True)
        except DataError:
            return 0  # a damaged checkpoint costs the stage so far, never the run
        for name, part in self.parts.items():
            part.load_state_dict(state["parts"][name])
        torch.set_rng_state(state["rng"])
        return int(state["step"])

    def save(self, step: int) -> None:
        """Write the state beside the old one, then rename; of several processes the first does."""
        if process_number():
            return
        state = {
            "step": step,
            "rng": torch.get_rng_state(),
            "parts": {name: part.state_dict() for name, part in self.parts.items()},
        }
        with replace_when_done(self.path) as beside:
            torch.save(state, beside)

    def remove(self) -> None:
        """Forget the state once its stage is finished."""
        self.path.unlink(missing_ok=True)
