"""The process of a run that another one starts: it begins as its parent did and ends with it.

Its stdin is a pipe that the parent holds and never writes to. When the parent is gone, whatever
killed it, the pipe ends, and so does the run: it can be gone on with, and an orphan would hold its
folder against the next try.
"""

from __future__ import annotations

import _thread
import json
import os
import signal
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

from benchbox import progress
from benchbox.protocols import protocol_card as protocols

from . import run_folders
from .run_plan import RunRequest

_COURTESY_S = 10.0  # for a run whose parent is gone, to end by itself
# for a lost try of the same run to let go of its folder; NFS keeps locks of the dead for 90 s
_LOCK_PATIENCE_S = 120.0

# A child begins as its parent did, with the same import path: `python -m benchbox` would look in
# the working folder first, where a person's own benchbox.py or random.py may lie.
_START = (
    "import json, sys; sys.path[:] = json.loads(sys.argv.pop(1)); "
    "from benchbox.runs import cell_process; cell_process.begin(); "
    "from benchbox.{module} import {function}; {function}({arguments})"
)


def run_command(request: RunRequest) -> list[str]:
    """Return the words that run a request in a process of its own, as quiet as this one.

    Its stdin must be a pipe that this process holds open as long as it wants it to run.
    """
    loudness = ["-q"] if progress.is_quiet() else []
    if request.processes == 1:
        start = own_command("cli", "main", "prog_name='benchbox'")
        return [*start, *request_words(request), *loudness]
    start = own_command("training.process_group", "run_processes", "sys.argv[1:]")
    return [*start, str(request.processes), *request_words(request), *loudness]


def own_command(module: str, function: str, arguments: str = "") -> list[str]:
    """Return the words that call a function of benchbox in a process that begins as this one."""
    start = _START.format(module=module, function=function, arguments=arguments)
    return [sys.executable, "-P", "-c", start, json.dumps(_import_path())]


def request_words(request: RunRequest) -> list[str]:
    """Return the words behind `benchbox` that repeat a request in whatever folder."""
    words = ["run", "--method", request.method]
    if request.variant:
        words += ["--variant", request.variant]
    words += ["--protocol", absolute_card(request.protocol), "--seed", str(request.seed)]
    words += ["--device", request.device, "--budget", request.budget]
    words += ["--data", str(request.data.absolute())]
    words += ["--results", str(request.results.absolute())]
    for folder in request.methods:
        words += ["--methods", str(folder.absolute())]
    if request.weights_of is not None:
        words += ["--weights-of", str(request.weights_of.absolute())]
    for key, value in sorted(request.overrides.items()):
        words += ["--set", f"{key}={value}"]
    if request.fresh:
        words.append("--fresh")
    if request.stale:
        words.append("--stale")
    for name in request.accept:
        words += ["--accept", name]
    return words


def absolute_card(protocol: str) -> str:
    """Make the path of a card absolute; a name stays."""
    if not protocols.is_card_file(protocol):
        return protocol
    _, *options = protocol.split("+")
    return "+".join([str(protocols.locate_card_file(protocol).absolute()), *options])


def _import_path() -> list[str]:
    """Return this process's import path without the working folder.

    That stays only where benchbox itself lies in it or the person put it there.
    """
    here = Path.cwd().resolve()
    wanted = {Path(__file__).resolve().parents[2]}
    for text in os.environ.get("PYTHONPATH", "").split(os.pathsep):
        if text:
            wanted.add(Path(text).resolve())
    kept = []
    for entry in sys.path:
        place = Path(entry).resolve()
        if place != here or here in wanted:
            kept.append(str(Path(entry).absolute()))
    return kept


# --- in the process that was started --------------------------------------------------------------


def begin() -> None:
    """Make this process one that ends with its parent and waits for a lost try of its run."""
    run_folders.wait_for_other_processes(_LOCK_PATIENCE_S)
    held = os.dup(0)  # what a method starts must not read it
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    threading.Thread(target=_end_with_parent, args=(held,), daemon=True).start()


def _end_with_parent(held: int) -> None:
    """Stop as at Ctrl-C when the pipe ends, and at once where that is not heard."""
    with suppress(OSError):
        while os.read(held, 1):
            pass
    _thread.interrupt_main()
    time.sleep(_COURTESY_S)
    if hasattr(os, "killpg") and os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(130)
