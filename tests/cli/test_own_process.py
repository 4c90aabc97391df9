"""Closed streams and what a method leaves behind: neither costs a run nor keeps its process."""

import subprocess
import sys
import time

import pytest
from click.testing import CliRunner

from benchbox.cli import main

RUN = """
import sys
from benchbox.cli import main, own_process
own_process._PATIENCE_S = 0.3
main()
"""
LEFT_BEHIND = {
    "thread": "import threading\n    threading.Thread(target=time.sleep, args=(600,)).start()",
    "process": "import multiprocessing\n"
    "    context = multiprocessing.get_context('fork')\n"
    "    context.Process(target=time.sleep, args=(600,)).start()",
    "progress": "from tqdm import tqdm\n    list(tqdm(range(3)))",
}
CENTRE = """
import time
import numpy as np
def train(job):
    {train}
def predictor(weights, device):
    def predict(samples):
        boxes = np.stack([s.box for s in samples])
        return np.repeat((boxes[:, None, :2] + boxes[:, None, 2:]) / 2, 68, axis=1)
    return predict
"""


@pytest.fixture
def start(world):
    def begin(left: str, **streams: object) -> subprocess.CompletedProcess[str]:
        world.method("centre", CENTRE.format(train=LEFT_BEHIND[left]))
        words = [sys.executable, "-c", RUN, "run", "--method", "centre", "--protocol", "tiny"]
        words += ["--methods", str(world.methods), "--data", str(world.data), "--device", "cpu"]
        words += ["--results", str(world.results)]
        return subprocess.run(words, text=True, check=False, timeout=60, **streams)  # type: ignore

    return begin


@pytest.mark.parametrize("left", ["thread", "process"])
def test_what_a_method_leaves_running_does_not_keep_the_process(start, world, left):
    began = time.monotonic()
    done = start(left, capture_output=True)
    assert done.returncode == 0, done.stderr
    assert time.monotonic() - began < 50
    assert "left behind was not waited for" in done.stderr
    assert (world.results / "tiny/centre/v/0/run.json").is_file()
    assert "NME" in done.stdout, "what was printed is not lost"


@pytest.mark.parametrize("redirection", ["2>&-", "2>/dev/full", "0<&- 1>&- 2>&-"])
def test_closed_streams_do_not_end_a_run(world, redirection):
    """Trap: the training is done, its progress cannot be written, and nothing is left of it."""
    world.method("centre", CENTRE.format(train=LEFT_BEHIND["progress"]))
    words = f"run --method centre --protocol tiny --methods {world.methods} --data {world.data}"
    line = f"{sys.executable} -c '{RUN}' {words} --device cpu --results {world.results}"
    done = subprocess.run(["sh", "-c", f"{line} {redirection}"], check=False, timeout=60)
    assert done.returncode == 0
    assert (world.results / "tiny/centre/v/0/run.json").is_file()


def test_a_full_disk_behind_stdout_ends_in_one_line(world):
    """Trap: a traceback and exit code 1, which says that a check failed."""
    line = f"{sys.executable} -c '{RUN}' list protocols >/dev/full"
    done = subprocess.run(
        ["sh", "-c", line], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 2
    (error,) = done.stderr.splitlines()
    assert error.startswith("error: what was to be written: No space left on device; make room")


@pytest.mark.parametrize(
    "fault",
    [
        "OSError(28, 'No space left on device', 'w.pt')",
        "OSError(30, 'Read-only file system', 'w.pt')",
        "RuntimeError('PytorchStreamWriter failed: No space left on device')",
    ],
)
def test_a_full_disk_under_a_training_ends_in_one_line(world, fault):
    world.method("centre", CENTRE.format(train=f"raise {fault}"))
    words = ["run", "--method", "centre", "--protocol", "tiny", "--methods", str(world.methods)]
    words += ["--data", str(world.data), "--device", "cpu", "--results", str(world.results)]
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 2
    assert "make room or choose another disk" in done.stderr.splitlines()[-1]
