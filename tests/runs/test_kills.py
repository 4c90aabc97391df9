"""Runs that are killed at a random moment and at every n-th file operation leave nothing false.

A child trains, predicts and scores; it is killed; the same command then goes on. What comes out
must be, to the last bit, what a run gives that nobody killed. Slow: `-m slow`; BENCHBOX_KILLS says
how many of each kind.
"""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchbox.runs import array_files, run_folders

KILLS = int(os.environ.get("BENCHBOX_KILLS", "8"))
METHOD = """
import numpy as np
from benchbox.training.checkpoint import make_once

def train(job):
    make_once(job.out / "first.npy", _write, job.labelled.values)
    make_once(job.out / "second.npy", _write, job.labelled.values * 2)

def _write(path, values):
    with path.open("wb") as stream:
        np.save(stream, values)

def predictor(weights, device):
    scale = np.load(weights / "second.npy").mean() / np.load(weights / "first.npy").mean()
    def predict(samples):
        boxes = np.stack([s.box for s in samples])
        return np.repeat((boxes[:, None, :2] + boxes[:, None, 2:]) / scale, 68, axis=1)
    return predict
"""
# counts the operations that change a folder or a file, and dies before the n-th
CHILD = """
import os, signal, sys
left = int(sys.argv.pop(1))
EVENTS = {"open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "shutil.rmtree"}

def count(event, details):
    global left
    if event not in EVENTS or (event == "open" and not _writes(details)):
        return
    left -= 1
    if not left:
        os.kill(os.getpid(), signal.SIGKILL)

def _writes(details):
    flags = details[2] if len(details) > 2 and isinstance(details[2], int) else 0
    return bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))

if left:
    sys.addaudithook(count)
from benchbox.cli import main
main(prog_name="benchbox")
"""


def start(world, results: Path, operation: int = 0) -> subprocess.Popen:
    words = ["run", "--method", "mine", "--protocol", "tiny", "--device", "cpu", "--seed", "1"]
    words += ["--budget", "smoke", "--methods", str(world.methods)]
    words += ["--data", str(world.data), "--results", str(results)]
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, str(operation), *words],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


def finish(world, results: Path) -> tuple[str, str]:
    """Run to the end; return the digests of predictions and errors."""
    child = start(world, results)
    said = child.communicate(timeout=300)[1]
    assert child.returncode == 0, said.decode()[-2000:]
    (run,) = run_folders.list_runs(results)
    predictions = run_folders.predictions_file(run.folder)
    errors = run_folders.errors_file(run)
    return array_files.hash_content(predictions), array_files.hash_content(errors)


@pytest.fixture
def wanted(world, tmp_path) -> tuple[str, str]:
    world.method("mine", METHOD)
    return finish(world, tmp_path / "whole")


@pytest.mark.slow
def test_a_run_killed_at_any_moment_goes_on_to_the_same_numbers(world, wanted, tmp_path):
    rng = random.Random(5)
    started = time.monotonic()
    finish(world, tmp_path / "timed")
    seconds = time.monotonic() - started
    killed = 0
    for number in range(KILLS):
        results = tmp_path / f"moment{number}"
        child = start(world, results)
        time.sleep(rng.uniform(0.3, 1.0) * seconds)
        child.kill()
        child.communicate()
        killed += child.returncode == -signal.SIGKILL
        assert finish(world, results) == wanted
    print(f"{killed} of {KILLS} killed at random moments, 0 unequal")


@pytest.mark.slow
def test_a_run_killed_before_its_nth_file_operation_goes_on_to_the_same_numbers(
    world, wanted, tmp_path
):
    operation, killed = 1, 0
    step = max(1, 64 // KILLS)
    while True:
        results = tmp_path / f"operation{operation}"
        child = start(world, results, operation)
        said = child.communicate(timeout=300)[1]
        if child.returncode == 0:
            break
        assert child.returncode == -signal.SIGKILL, said.decode()[-2000:]
        killed += 1
        assert finish(world, results) == wanted, operation
        operation += step
    assert killed > 3
    print(f"killed before operations 1, {1 + step} … {operation - step}: {killed}, 0 unequal")
