"""What a process has only once and any code may change: read, and put back.

Settings of the interpreter, of the operating system, of NumPy, torch and OpenCV. Those of a library
that nobody has loaded are left alone. Random states are apart: to draw from them is no fault.
"""

from __future__ import annotations

import gc
import locale
import os
import random
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Setting:
    """One thing that is shared."""

    name: str  # in messages
    read: Callable[[], Any]
    write: Callable[[Any], object]
    # whoever changed it finds it so again when its code is called the next time
    is_kept: bool = True


def list_settings() -> list[Setting]:
    """Return what is shared now; a library that comes later brings more."""
    settings = [*_process_settings(), *_interpreter_settings(), *_numpy_settings()]
    torch, cv2 = sys.modules.get("torch"), sys.modules.get("cv2")
    if torch is not None:
        settings += _torch_settings(torch)
    if cv2 is not None:
        settings.append(Setting("OpenCV's threads", cv2.getNumThreads, cv2.setNumThreads))
    return settings


def read_settings() -> dict[str, Any]:
    """Return the value of every setting by its name; those that cannot be read are left out."""
    values = {}
    for setting in list_settings():
        # torch refuses what was set by another of its interfaces; no temporary folder may be there
        with suppress(RuntimeError, OSError):
            values[setting.name] = setting.read()
    return values


def write_settings(wanted: Mapping[str, Any]) -> None:
    """Give every setting the value that it is named with, where it has another one."""
    now = read_settings()
    for setting in list_settings():
        name = setting.name
        if name in wanted and name in now and now[name] != wanted[name]:
            setting.write(wanted[name])


# --- the process ----------------------------------------------------------------------------------


def _process_settings() -> Iterator[Setting]:
    yield Setting("environment variables", lambda: dict(os.environ), _write_variables)
    yield Setting("the umask", _read_umask, _write_umask, is_kept=False)
    yield Setting("the locale", lambda: locale.setlocale(locale.LC_ALL), _write_locale)
    yield Setting("signal handlers", _read_handlers, _write_handlers, is_kept=False)
    if hasattr(signal, "setitimer"):
        yield Setting("an alarm", _read_alarm, _write_alarm, is_kept=False)


def _write_variables(wanted: Mapping[str, str]) -> None:
    for name in set(os.environ) - set(wanted):
        del os.environ[name]
    os.environ.update(wanted)


def _read_umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _write_umask(mask: int) -> None:
    os.umask(mask)


def _write_locale(name: str) -> None:
    locale.setlocale(locale.LC_ALL, name)


def _read_handlers() -> dict[int, Any]:
    handlers = {}
    for number in signal.valid_signals():
        handler = signal.getsignal(number)
        if handler is not None:  # None: somebody else's, in C
            handlers[int(number)] = handler
    return handlers


def _write_handlers(wanted: Mapping[int, Any]) -> None:
    if threading.current_thread() is not threading.main_thread():
        return
    now = _read_handlers()
    for number, handler in wanted.items():
        if now.get(number) is not handler:
            signal.signal(number, handler)


def _read_alarm() -> bool:
    """Tell whether a timer will send SIGALRM."""
    return signal.getitimer(signal.ITIMER_REAL)[0] > 0


def _write_alarm(wanted: bool) -> None:
    if not wanted:
        signal.setitimer(signal.ITIMER_REAL, 0)


def find_folder() -> Path | None:
    """Return the working directory, None where it was removed."""
    with suppress(OSError):
        return Path.cwd()
    return None


# --- the interpreter ------------------------------------------------------------------------------


def _interpreter_settings() -> Iterator[Setting]:
    yield Setting("sys.path", lambda: list(sys.path), _write_path)
    yield _attribute_setting("sys.argv", sys, "argv")
    yield _attribute_setting("sys.excepthook", sys, "excepthook")
    yield Setting("the recursion limit", sys.getrecursionlimit, sys.setrecursionlimit)
    yield Setting("garbage collection", gc.isenabled, _write_collection)
    yield Setting("the temporary folder", tempfile.gettempdir, _write_temporary)
    multiprocessing = sys.modules.get("multiprocessing")
    if multiprocessing is not None:
        yield Setting(
            "multiprocessing's start method",
            lambda: _read_start_method(multiprocessing),
            lambda method: multiprocessing.set_start_method(method, force=True),
        )


def _write_path(entries: list[str]) -> None:
    sys.path[:] = entries


def _attribute_setting(title: str, owner: Any, name: str) -> Setting:
    """Make a setting of an attribute; a list is read as a copy."""

    def read() -> Any:
        value = getattr(owner, name)
        if isinstance(value, list):
            return list(value)
        return value

    return Setting(title, read, lambda value: setattr(owner, name, value))


def _write_temporary(folder: str) -> None:
    tempfile.tempdir = folder


def _read_start_method(multiprocessing: Any) -> str:
    """Return how processes are started; as yet unset, it is the first of the ways."""
    chosen = multiprocessing.get_start_method(allow_none=True)
    return str(chosen or multiprocessing.get_all_start_methods()[0])


def _write_collection(wanted: bool) -> None:
    if wanted:
        gc.enable()
    else:
        gc.disable()


# --- libraries ------------------------------------------------------------------------------------


def _numpy_settings() -> Iterator[Setting]:
    import numpy as np

    yield Setting("NumPy's error state", np.geterr, lambda state: np.seterr(**state))
    yield Setting(
        "NumPy's printing", np.get_printoptions, lambda options: np.set_printoptions(**options)
    )


def _torch_settings(torch: Any) -> Iterator[Setting]:
    if not hasattr(torch, "set_num_threads"):  # it is being imported, or stands for another
        return
    cpu = torch.device("cpu")
    yield Setting("torch's threads", torch.get_num_threads, torch.set_num_threads)
    yield Setting("torch's default dtype", torch.get_default_dtype, torch.set_default_dtype)
    yield Setting(
        "torch's default device",
        torch.get_default_device,
        # the CPU by itself: as a set device it would slow every call
        lambda device: torch.set_default_device(None if device == cpu else device),
    )
    yield Setting("torch's gradient mode", torch.is_grad_enabled, torch.set_grad_enabled)
    yield Setting(
        "torch's anomaly detection",
        torch.is_anomaly_enabled,
        torch.autograd.set_detect_anomaly,
    )
    yield Setting(
        "torch's deterministic algorithms",
        lambda: (
            torch.are_deterministic_algorithms_enabled(),
            torch.is_deterministic_algorithms_warn_only_enabled(),
        ),
        lambda flags: torch.use_deterministic_algorithms(flags[0], warn_only=flags[1]),
    )
    yield Setting(
        "torch's precision of products",
        torch.get_float32_matmul_precision,
        torch.set_float32_matmul_precision,
    )
    for name in ("benchmark", "deterministic", "enabled"):
        yield _attribute_setting(f"torch.backends.cudnn.{name}", torch.backends.cudnn, name)


# --- random states --------------------------------------------------------------------------------


def read_random_states() -> dict[str, Any]:
    """Return the states of the generators of Python, NumPy and torch that everybody draws from."""
    import numpy as np

    states: dict[str, Any] = {
        "python": random.getstate(),
        "numpy": np.random.get_state(),  # noqa: NPY002 - the one that is shared
    }
    torch: Any = sys.modules.get("torch")
    if hasattr(torch, "get_rng_state"):
        states["torch"] = torch.get_rng_state()
        if torch.cuda.is_initialized():
            states["cuda"] = torch.cuda.get_rng_state_all()
    return states


def write_random_states(states: Mapping[str, Any]) -> None:
    """Put random states back."""
    import numpy as np

    random.setstate(states["python"])
    np.random.set_state(states["numpy"])  # noqa: NPY002
    torch: Any = sys.modules.get("torch")
    if "torch" in states:
        torch.set_rng_state(states["torch"])
    if "cuda" in states:
        torch.cuda.set_rng_state_all(states["cuda"])


# --- what goes on -------------------------------------------------------------------------------


def list_running() -> dict[str, str]:
    """Return the threads and processes that this process has started, each with its words.

    Those that end by themselves when it ends, and helpers of Python's own, are left out.
    """
    running = {}
    workers: Mapping[Any, Any] = {}
    futures = sys.modules.get("concurrent.futures.thread")
    if futures is not None:
        workers = getattr(futures, "_threads_queues", {})
    for thread in threading.enumerate():
        if thread is threading.main_thread() or thread.daemon or thread in workers:
            continue
        running[f"thread {thread.ident}"] = f"the thread {thread.name}"
    for number in _child_numbers() - _passing_children():
        command = _command_of(number)
        if "multiprocessing" not in command:
            running[f"process {number}"] = f"the process {number} ({command[:60]})"
    return running


def _child_numbers() -> set[int]:
    """Return the ids of the child processes that still run; where no /proc tells, none."""
    numbers: set[int] = set()
    for file in Path("/proc/self/task").glob("*/children"):
        with suppress(OSError, ValueError):
            numbers.update(map(int, file.read_text().split()))
    return {number for number in numbers if _command_of(number)}


def _passing_children() -> set[int]:
    """Return the ids of processes of multiprocessing that end with this one."""
    multiprocessing = sys.modules.get("multiprocessing")
    if multiprocessing is None:
        return set()
    passing = set()
    for child in multiprocessing.active_children():
        if child.daemon and child.pid is not None:
            passing.add(child.pid)
    return passing


def _command_of(number: int) -> str:
    """Return the command line of a process, "" of one that has ended."""
    try:
        words = Path(f"/proc/{number}/cmdline").read_bytes()
    except OSError:
        return ""
    return words.replace(b"\0", b" ").decode(errors="replace").strip()
