"""`torchrun -m benchbox run`: one run on several processes, its record and its end."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from benchbox.runs import run_folders

TOP = Path(__file__).parents[2]
SMALL = ["--set", "precision=float32", "--set", "optimiser=sgd", "--set", "lr=0.01"]


def command(world, count: int, results: str, *more: str) -> list[str]:
    start = [sys.executable, "-m"]
    if count > 1:
        start += ["torch.distributed.run", "--standalone", "--nproc-per-node", str(count), "-m"]
    words = ["run", "--method", "heatmap", "--protocol", "tiny", "--budget", "smoke"]
    words += ["--device", "cpu", "--methods", str(TOP / "methods"), *SMALL]
    words += ["--data", str(world.data), "--results", str(world.results.parent / results)]
    return [*start, "benchbox", *words, *more]


def start(words: list[str], **more) -> subprocess.Popen:
    return subprocess.Popen(
        words,
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": f"{more.pop('site')}:{TOP}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(world, count: int, results: str, *more: str) -> tuple[str, str]:
    process = start(command(world, count, results, *more), site=world.site)
    said, noted = process.communicate(timeout=600)
    assert process.returncode == 0, noted[-3000:]
    return said, noted


def predictions(world, results: str) -> tuple[np.ndarray, dict]:
    (run,) = run_folders.list_runs(world.results.parent / results)
    stored = np.load(run_folders.predictions_file(run.folder))
    record = json.loads((run.folder / "run.json").read_text())
    return stored["values"], record


def test_two_processes_leave_one_run_with_the_scores_of_one(world):
    """Only the first one speaks and writes; the record says how it was made."""
    said, noted = finish(world, 2, "two")
    assert said.count("score:") == 1
    assert noted.count("labelled faces to train on") == 1
    found, record = predictions(world, "two")
    assert record["command"].startswith("torchrun --nproc-per-node 2 -m benchbox run --method")
    assert record["training"]["processes"] == 2
    finish(world, 1, "one")
    wanted, alone = predictions(world, "one")
    assert "processes" not in alone["training"]
    np.testing.assert_allclose(found, wanted, atol=0.02)  # px; faces are 60 px wide
    said, _ = finish(world, 2, "two")  # finished before: nothing is trained
    assert said.count("score:") == 1


@pytest.mark.slow
def test_a_killed_process_ends_all_with_one_line_and_any_number_goes_on(world):
    """What three began one finishes, with the scores of one that nobody killed."""
    long = ("--set", "draws=160")
    finish(world, 1, "one", *long)
    wanted, _ = predictions(world, "one")
    process = start(command(world, 3, "three", *long), site=world.site)
    checkpoint = None
    while checkpoint is None and process.poll() is None:
        time.sleep(0.1)
        checkpoint = next((world.results.parent / "three").rglob("*.checkpoint"), None)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    assert len(children) == 3
    os.kill(int(children[1]), signal.SIGKILL)
    _, noted = process.communicate(timeout=120)
    assert process.returncode == 1
    ours = [line for line in noted.splitlines() if line.startswith("error:")]
    assert len(ours) == 1
    assert "another process of this run ended" in ours[0]
    assert not any(Path(f"/proc/{child}").exists() for child in children)
    finish(world, 1, "three", *long)
    found, record = predictions(world, "three")
    assert record["sessions"] == 2
    np.testing.assert_allclose(found, wanted, atol=0.05)


def count_errors(process: subprocess.Popen) -> int:
    _, noted = process.communicate(timeout=300)
    assert process.returncode == 1, noted  # torchrun's
    return len([line for line in noted.splitlines() if line.startswith("error:")])


def test_what_is_wrong_is_said_once(world):
    assert count_errors(start(command(world, 2, "wrong", "--set", "lr=nan"), site=world.site)) == 1


@pytest.mark.parametrize("wrong", [("--set", "lr=nan"), ("--budget", "nope")])
def test_what_is_wrong_is_said_though_the_first_process_comes_late(world, tmp_path, wrong):
    """Trap: the other one ended silently, torchrun ended the first, and nobody said why."""
    late = "import os, time\nif os.environ.get('RANK') == '0':\n    time.sleep(6)\n"
    (tmp_path / "sitecustomize.py").write_text(late)
    process = start(command(world, 2, "wrong", *wrong), site=f"{tmp_path}:{world.site}")
    assert count_errors(process) == 1
