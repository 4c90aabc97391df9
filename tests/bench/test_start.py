"""How long a command takes before it does anything, beside what Python and torch take by
themselves."""

import subprocess
import sys
from pathlib import Path

import pytest

from .sizes import pick

TOP = Path(__file__).parents[2]
COMMANDS = {
    "benchbox --help": ("-m", "benchbox", "--help"),
    "benchbox list methods": ("-m", "benchbox", "list", "methods"),
    "benchbox report --check": ("-m", "benchbox", "report", "--check"),
    "python -c pass": ("-c", "pass"),
    "python -c 'import numpy'": ("-c", "import numpy"),
    "python -c 'import torch'": ("-c", "import torch"),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_start(name, measure):
    def run():
        command = [sys.executable, *COMMANDS[name]]
        return subprocess.run(command, cwd=TOP, capture_output=True, text=True, check=False)

    done = measure(
        run,
        "start-up",
        name,
        ours=name == "benchbox list methods",
        rounds=pick(1, 11),
        warmup=pick(0, 2),
    )
    # a checkout may hold runs not yet rendered
    assert done.returncode == 0 or "stale" in done.stderr, done.stderr
