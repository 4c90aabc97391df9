"""Where a run comes from: code, versions and hardware; no path, host name or anything personal."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from benchbox import __version__
from benchbox.plugins.code_digest import CodeDigests

from .run_record import CodeVersion, Environment

_SOURCES = ("benchbox", "methods", "protocols", "pyproject.toml", "setup.py")


def code_version(method: CodeDigests | None, source: str | None = None) -> CodeVersion:
    """Name the code that ran: version, commit and whether the sources differ from it.

    `method` is None where no method's code ran, `source` the distribution that it comes from.
    Commit and difference are None outside a checkout.
    """
    package = Path(__file__).parents[1]
    commit, dirty = None, None
    # Tracked, not merely inside some repository: a virtual environment often lies in somebody
    # else's checkout.
    if _ask_git(package, "ls-files", "--error-unmatch", "__init__.py") is not None:
        commit = _ask_git(package, "rev-parse", "HEAD")
        status = _ask_git(package.parent, "status", "--porcelain", "--", *_SOURCES)
        if status is not None:
            dirty = bool(status)
    content, meaning = "", None
    if method is not None:
        content, meaning = method.content, method.meaning
    return CodeVersion(__version__, commit, dirty, content, meaning, source)


def run_environment(device: str) -> Environment:
    """Name the interpreter, the libraries and the hardware."""
    gpu = None
    if device.startswith("cuda"):
        gpu = _gpu_model()
    return Environment(
        python=platform.python_version(),
        torch=installed_version("torch"),
        numpy=installed_version("numpy"),
        opencv=installed_version("opencv-python-headless"),
        onnxruntime=installed_version("onnxruntime"),
        platform=f"{platform.system()} {platform.machine()}",
        cpu=_read_field(Path("/proc/cpuinfo"), "model name") or platform.processor() or None,
        cores=_count_cores(),
        gpu=gpu,
        device=device,
    )


def installed_version(package: str) -> str | None:
    """Return the version of a package, None where it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _count_cores() -> int | None:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count()


def _ask_git(folder: Path, *words: str) -> str | None:
    """Return what git says, or None when there is no git, no repository or no such file."""
    # In a hook git sets GIT_DIR and others to the repository that the hook belongs to.
    outside = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    try:
        done = subprocess.run(
            ["git", *words],
            cwd=folder,
            env=outside,
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    if done.returncode != 0:
        return None
    return done.stdout.strip()


def _gpu_model() -> str | None:
    for card in sorted(Path("/proc/driver/nvidia/gpus").glob("*/information")):
        return _read_field(card, "Model")
    return None


def _read_field(file: Path, key: str) -> str | None:
    """Return what the first line of a file that begins with `key` says after its colon."""
    try:
        text = file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    for line in text.splitlines():
        if line.startswith(key):
            return line.partition(":")[2].strip()
    return None
