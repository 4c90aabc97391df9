"""`run --isolate`: a method takes down its own process alone, and is blamed in one line."""

import time

import numpy as np
import pytest
from click.testing import CliRunner

from benchbox.cli import main
from benchbox.runs import run_folders

METHOD = """
import numpy as np
def predictor(weights, device, params):
    {fault}
    draws = np.random.default_rng(5)
    def predict(samples):
        boxes = np.stack([s.box for s in samples])
        points = (boxes[:, None, :2] + boxes[:, None, 2:]) / 2
        return np.repeat(points, 68, axis=1) + draws.normal(size=(len(samples), 68, 2))
    return predict
"""


def run(world, *options, results="results"):
    words = ["run", "--method", "mine", "--protocol", "tiny", "--device", "cpu"]
    words += ["--methods", world.methods, "--data", world.data]
    words += ["--results", world.results.parent / results, *options]
    return CliRunner().invoke(main, [*map(str, words)])


def test_a_run_of_its_own_process_gives_the_same_numbers(world):
    world.method("mine", METHOD.format(fault="pass"))
    assert run(world).exit_code == 0
    apart = run(world, "--isolate", "--seconds", "300", "--memory-gb", "8", results="apart")
    assert apart.exit_code == 0, apart.output
    stored = []
    for folder in (world.results, world.results.parent / "apart"):
        (found,) = run_folders.list_runs(folder)
        stored.append(np.load(run_folders.predictions_file(found.folder))["values"])
    assert np.array_equal(*stored)


@pytest.mark.parametrize(
    ("fault", "options", "said"),
    [
        ("import ctypes; ctypes.string_at(0)", (), "SIGSEGV: a fault of compiled code"),
        ("import ctypes; ctypes.CDLL(None)._exit(0)", (), "exit code 0 without returning"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", (), "SIGKILL: out of memory"),
        ("while True: pass", ("--seconds", "15"), "took longer than --seconds = 15; it was ended"),
        (
            "kept = np.ones(1 << 28); import time; time.sleep(99)",
            ("--memory-gb", "1.5"),
            "more than --memory-gb = 1.5; it was ended",
        ),
    ],
)
def test_what_a_method_does_to_its_process_is_one_line_that_blames_it(world, fault, options, said):
    """The trap: exit code 0 with no record, or a shell's `Segmentation fault` and nobody's name."""
    world.method("mine", METHOD.format(fault=fault))
    start = time.monotonic()
    ended = run(world, "--isolate", *options)
    assert time.monotonic() - start < 90
    assert ended.exit_code == 2
    lines = [line for line in ended.output.splitlines() if line.startswith("error")]
    assert len(lines) == 1
    assert "method 'mine'" in lines[0]
    assert said in lines[0]
    assert not list(world.results.rglob("run.json"))


def test_limits_without_a_process_of_its_own_are_refused(world):
    ended = run(world, "--seconds", "3")
    assert ended.exit_code == 2
    assert "--seconds and --memory-gb go with --isolate" in ended.output
