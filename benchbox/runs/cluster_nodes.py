"""What a machine must have in common with the one that gives it work: code, cards and data.

Both describe themselves by the same function, and what differs is named. A node that differs gets
no work: its scores would be of other code or data, or its runs end in errors.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchbox import __version__
from benchbox.datasets import assemble
from benchbox.errors import BenchboxError
from benchbox.file_readers.json_files import read_json_table
from benchbox.protocols import protocol_card as protocols

from . import cell_process, provenance, run_data, run_plan
from .run_plan import RunRequest

_LIBRARIES = ("torch", "numpy", "opencv-python-headless", "scipy")
_MOST_FILES = 20_000  # of a set, by name and size
SHARED = "results"


def describe_here(requests: Sequence[RunRequest], token: Path) -> dict[str, str]:
    """Return what decides the numbers of requests on this machine, by name.

    `token` is a file in the results of the machine that asks; `SHARED` says whether it is here.
    """
    facts = {
        "Python": platform.python_version(),
        "benchbox": __version__,
        "benchbox's code": _hash_files(Path(__file__).parents[1], "*.py", sizes_only=False),
        **{name: str(provenance.installed_version(name)) for name in _LIBRARIES},
    }
    for request in requests:
        name = f"{request.method} on {request.protocol}"
        try:
            card = protocols.load_protocol(request.protocol)
            facts[f"protocol {card.name}"] = card.card
            for dataset, digest in _describe_data(request).items():
                facts[f"data of {dataset}"] = digest
            if request.weights_of is None:
                plan = run_plan.plan_run(request)
                facts[f"method {plan.method.name}"] = plan.code.content
        except BenchboxError as fault:
            facts[name] = str(fault)
    facts[SHARED] = str(token.is_file())
    return facts


def name_differences(here: Mapping[str, str], there: Mapping[str, str]) -> list[str]:
    """Name what differs on a node, its faults first; whether results are shared is none.

    >>> name_differences({"numpy": "2.1", "results": "True"}, {"numpy": "2.0", "results": "False"})
    ['numpy is 2.0, here 2.1']
    """
    faults = [text for name, text in there.items() if name not in here]
    for name, text in here.items():
        if name == SHARED or there.get(name, text) == text:
            continue
        if len(text) > 2 * len("3.11.7rc1") or " " in text:
            faults.append(f"{name} differs")
        else:
            faults.append(f"{name} is {there[name]}, here {text}")
    return faults


def question(requests: Sequence[RunRequest], token: Path) -> str:
    """Return what `answer` on a node is to be asked, for a file there."""
    asked: dict[str, dict[str, Any]] = {}
    for request in requests:
        fields = {
            "method": request.method,
            "protocol": cell_process.absolute_card(request.protocol),
            "variant": request.variant,
            "data": str(request.data.absolute()),
            "methods": [str(folder.absolute()) for folder in request.methods],
            "test": request.weights_of is not None,
        }
        asked[json.dumps(fields)] = fields
    return json.dumps({"requests": list(asked.values()), "token": str(token.absolute())})


def answer() -> None:
    """Describe this machine on stdout, as the file asks that the last argument names."""
    asked = read_json_table(Path(sys.argv[-1]))
    requests = [
        RunRequest(
            one["method"],
            one["protocol"],
            one["variant"],
            data=Path(one["data"]),
            methods=tuple(map(Path, one["methods"])),
            weights_of=Path("elsewhere") if one["test"] else None,
        )
        for one in asked["requests"]
    ]
    facts = describe_here(requests, Path(asked["token"]))
    sys.stdout.write(json.dumps(facts))
    sys.stdout.flush()


def _describe_data(request: RunRequest) -> dict[str, str]:
    """Return a digest of the names and sizes of the files of each set; raises DataError."""
    card = protocols.load_protocol(request.protocol)
    training = request.weights_of is None
    run_data.require_data(card, request.data, training=training)
    found = {}
    for name, module in assemble.required_datasets(card, training=training).items():
        folder = module.ACCESS.folder
        if folder:
            found[name] = _hash_files(request.data / folder, "*", sizes_only=True)
    return found


def _hash_files(folder: Path, pattern: str, *, sizes_only: bool) -> str:
    total = hashlib.sha256()
    for number, path in enumerate(_files_in_order(folder)):
        if number == _MOST_FILES:
            break
        if not path.match(pattern):
            continue
        content = str(path.stat().st_size).encode() if sizes_only else path.read_bytes()
        total.update(path.relative_to(folder).as_posix().encode() + b"\0" + content)
    return total.hexdigest()


def _files_in_order(folder: Path) -> Iterator[Path]:
    for place, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            path = Path(place) / name
            if path.is_file():
                yield path
