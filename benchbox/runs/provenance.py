"""Where a run comes from: code, versions and hardware, without paths, host names or anything else of a person."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

_SOURCES = ("benchbox", "methods", "protocols", "pyproject.toml", "setup.py")
_PACKAGES = {"torch": "torch", "numpy": "numpy", "opencv": "opencv-python-headless"}


def code_version(method_digest: str) -> dict[str, Any]:
    """Name the code that ran: version, commit and whether the sources differ from it (None outside a checkout)."""
    package = Path(__file__).parents[1]
    # Tracked, not merely inside some repository: a virtual environment often lies in somebody
    # else's checkout.
    tracked = _ask_git(package, "ls-files", "--error-unmatch", "__init__.py") is not None
    commit = _ask_git(package, "rev-parse", "HEAD") if tracked else None
    status = _ask_git(package.parent, "status", "--porcelain", "--", *_SOURCES) if tracked else None
    return {
        "benchbox": installed_version("benchbox"),
        "commit": commit,
        "dirty": None if status is None else bool(status),
        "method": method_digest,
    }


def run_environment(device: str) -> dict[str, Any]:
    """Name the interpreter, the libraries and the hardware."""
    return {
        "python": platform.python_version(),
        **{key: installed_version(package) for key, package in _PACKAGES.items()},
        "platform": f"{platform.system()} {platform.machine()}",
        "cpu": _read_field(Path("/proc/cpuinfo"), "model name") or platform.processor() or None,
        "cores": len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count(),
        "gpu": _gpu_model() if device.startswith("cuda") else None,
        "device": device,
    }


def installed_version(package: str) -> str | None:
    """Return the version of a package, None where it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _ask_git(folder: Path, *words: str) -> str | None:
    """Return what git says, or None when there is no git, no repository or no such file."""
    try:
        done = subprocess.run(
            ["git", *words], cwd=folder, capture_output=True, text=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _gpu_model() -> str | None:
    for card in sorted(Path("/proc/driver/nvidia/gpus").glob("*/information")):
        return _read_field(card, "Model")
    return None


def _read_field(file: Path, key: str) -> str | None:
    try:
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(key)), None)
