"""A plugin's code is a guest: what it shares with everybody is put back, and it ends no program.

Each trap was met: a relative results folder looked for where a plugin had moved to, a line that a
plugin printed inside the document of `--json`, an exit code 0 with nothing recorded.
"""

import importlib
import json
import os
import random
import re
import subprocess
import sys
import threading
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from benchbox.authoring import conformance
from benchbox.cli import main
from benchbox.errors import PluginError
from benchbox.plugins import guest_code, method_call, method_card, shared_state
from benchbox.types import Examples, Job

CENTRE = """
import os, sys
import numpy as np


def train(job):
    {train}
    np.save(job.out / "points.npy", job.labelled.values.mean(axis=0))


def predictor(weights, device):
    {predictor}
    points = np.load(weights / "points.npy")

    def predict(samples):
        {predict}
        return np.repeat(points[None], len(samples), axis=0)

    return predict
"""


def write_method(world, **lines):
    code = CENTRE.format(**{"train": "pass", "predictor": "pass", "predict": "pass", **lines})
    return world.method("mine", code, "[params]\nscale = 1.0\n")


def run(world, *more):
    words = ["run", "--method", "mine", "--methods", world.methods, "--protocol", "tiny"]
    words += ["--device", "cpu", "--data", world.data, "--results", "r", *more]
    return CliRunner().invoke(main, [str(word) for word in words])


def record(world):
    return json.loads(Path("r/tiny/mine/v/0/run.json").read_text())


# --- what is put back -----------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["train", "predictor", "predict"])
def test_a_run_with_relative_folders_outlives_a_method_that_moves(world, where):
    write_method(world, **{where: "os.chdir('/')"})
    here = Path.cwd()
    Path("data").symlink_to(world.data)  # relative data, too
    done = run(world, "--data", "data")
    assert done.exit_code == 0, done.output
    assert Path.cwd() == here
    assert record(world)["data"]["test"] == 6


def test_parameters_of_the_record_are_those_that_were_asked_for(world):
    write_method(world, train="job.params.pop('scale'); job.params['own'] = 2")
    assert run(world).exit_code == 0
    assert record(world)["params"] == {"scale": 1.0}
    again = run(world)  # the record fits the same command
    assert again.exit_code == 0, again.output
    assert "finished before" in again.stderr


def scores_of(run: Path) -> object:
    return json.loads((run / "scores.json").read_text())["scores"]


def test_labels_that_a_method_changes_in_place_stay_its_own(world):
    plain = write_method(world)
    assert run(world).exit_code == 0
    scores = scores_of(Path("r/tiny/mine/v/0"))
    code = (plain / "__init__.py").read_text()
    moved = code.replace("np.save", "values = job.labelled.values.copy()\n    np.save")
    moved += (
        "\n_train = train\n\ndef train(job):\n    _train(job)\n    job.labelled.values[:] = 0\n"
    )
    moved += "    for sample in job.labelled.samples:\n        sample.box[:] = 0\n"
    (plain / "__init__.py").write_text(moved)
    assert run(world, "--fresh").exit_code == 0
    assert scores_of(Path("r/tiny/mine/v/0")) == scores


def test_what_a_method_prints_goes_to_stderr_from_python_c_and_children(world):
    noise = "print('P1'); os.write(1, b'P2\\n'); os.system('echo P3')"
    write_method(world, train=noise, predictor=noise, predict=noise)
    words = [sys.executable, "-m", "benchbox", "run", "--method", "mine", "--protocol", "tiny"]
    words += ["--methods", str(world.methods), "--data", str(world.data), "--results", "r"]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    for sign in ("P1", "P2", "P3"):
        assert sign not in done.stdout
        assert sign in done.stderr
    assert "run:  r/tiny/mine/v/0" in done.stdout


# what a plugin does, and how a message calls it
CHANGES = {
    "np.seterr(all='raise')": "NumPy's error state",
    "np.set_printoptions(precision=2)": "NumPy's printing",
    "locale.setlocale(locale.LC_ALL, 'C.UTF-8')": "the locale",
    "signal.signal(signal.SIGINT, signal.SIG_IGN)": "signal handlers",
    "signal.signal(signal.SIGUSR1, print)": "signal handlers",
    "signal.alarm(1000)": "an alarm",
    "os.umask(0o777)": "the umask",
    "os.environ['BENCHBOX_DATA'] = 'after'": "environment variables (BENCHBOX_DATA)",
    "os.environ.pop('HOME')": "environment variables (HOME)",
    "os.chdir('/')": "the working directory",
    "sys.path.insert(0, '/nowhere')": "sys.path",
    "sys.argv.append('--fresh')": "sys.argv",
    "sys.setrecursionlimit(5000)": "the recursion limit",
    "gc.disable()": "garbage collection",
    "setattr(tempfile, 'tempdir', '/')": "the temporary folder",
    "multiprocessing.set_start_method('spawn', force=True)": "multiprocessing's start method",
    "torch.set_num_threads(3)": "torch's threads",
    "torch.set_default_dtype(torch.float64)": "torch's default dtype",
    "torch.set_default_device('meta')": "torch's default device",
    "torch.set_grad_enabled(False)": "torch's gradient mode",
    "torch.autograd.set_detect_anomaly(True)": "torch's anomaly detection",
    "torch.use_deterministic_algorithms(True)": "torch's deterministic algorithms",
    "torch.set_float32_matmul_precision('medium')": "torch's precision of products",
    "setattr(torch.backends.cudnn, 'benchmark', True)": "torch.backends.cudnn.benchmark",
    "cv2.setNumThreads(0)": "OpenCV's threads",
}
NAMES = {
    name: importlib.import_module(name)
    for name in ("os", "sys", "gc", "locale", "signal", "tempfile", "multiprocessing", "cv2")
} | {"np": np, "torch": torch}


@pytest.mark.parametrize(("code", "words"), CHANGES.items(), ids=CHANGES.values())
def test_what_a_plugin_changes_is_put_back_and_named(monkeypatch, code, words):
    """Trap: a method's threads, dtype or gradient mode reach the next method, or a score."""
    monkeypatch.setenv("BENCHBOX_DATA", "before")
    before, folder = shared_state.read_settings(), Path.cwd()
    with guest_code.run_as_guest(f"method {code!r}") as changes:
        exec(code, NAMES)
        assert shared_state.read_settings() != before or Path.cwd() != folder
    assert shared_state.read_settings() == before
    assert Path.cwd() == folder
    assert changes.changed == [words]


def test_what_a_method_set_for_itself_it_finds_again(monkeypatch):
    """Trap: a variable that a method sets when it is imported is gone when it trains."""
    for _ in range(2):
        with guest_code.run_as_guest("method 'sets'") as changes:
            os.environ["OF_MINE"] = "1"
            torch.set_num_threads(3)
        assert "OF_MINE" not in os.environ
    assert changes.changed == []  # it changed nothing the second time
    monkeypatch.setenv("OF_OTHERS", "2")
    with guest_code.run_as_guest("method 'sets'"):
        assert (os.environ["OF_MINE"], os.environ["OF_OTHERS"]) == ("1", "2")
        assert torch.get_num_threads() == 3
    with guest_code.run_as_guest("method 'another'"):
        assert "OF_MINE" not in os.environ


def test_random_states_and_warning_filters_are_put_back_and_are_no_fault():
    """Trap: what a method drew while it trained moved what was drawn after it, or not, resumed."""
    filters = list(warnings.filters)

    def draw() -> list[float]:
        return [random.random(), float(np.random.rand()), float(torch.rand(1))]  # noqa: NPY002

    states = shared_state.read_random_states()
    expected = draw()
    shared_state.write_random_states(states)
    with guest_code.run_as_guest("method 'draws'") as changes:
        draw()
        torch.manual_seed(1)
        warnings.simplefilter("ignore")
    assert draw() == expected
    assert warnings.filters == filters
    assert changes.changed == []


def test_a_predictor_goes_on_drawing_where_it_was():
    """Trap: put back after each batch, every batch would get the same noise."""
    drawn = []
    for _ in range(2):
        with guest_code.run_as_guest("method 'noise'", draws=True):
            drawn.append(random.random())
    assert drawn[0] != drawn[1]


def test_threads_and_processes_that_a_plugin_leaves_are_named():
    before = shared_state.list_running()
    stop = threading.Event()
    thread = threading.Thread(target=stop.wait, name="feeder")
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    thread.start()
    try:
        left = guest_code.find_leftovers(before)
    finally:
        stop.set()
        thread.join()
        child.communicate(b"\n")
    assert left[0] == "the thread feeder"
    assert left[1].startswith(f"the process {child.pid} (")
    assert guest_code.find_leftovers(before) == []
    assert not conformance._check_leftovers(left).ok
    assert conformance._check_leftovers([]).ok


# --- a plugin that ends the program ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("where", "code", "word"),
    [
        ("train", "sys.exit(0)", r"sys\.exit\(0\)"),
        ("predictor", "sys.exit()", r"sys\.exit\(None\)"),
        ("predict", "sys.exit(0)", r"sys\.exit\(0\)"),
        ("train", "os._exit(0)", r"os\._exit\(0\)"),
        ("predict", "os._exit(0)", r"os\._exit\(0\)"),
        ("train", "import click; raise click.exceptions.Exit(0)", "Exit"),
    ],
)
def test_a_method_that_exits_is_blamed_and_is_no_success(world, where, code, word):
    write_method(world, **{where: code})
    done = run(world)
    assert done.exit_code == 2, done.output
    last = done.stderr.splitlines()[-1]
    assert last.startswith("error: method 'mine' of --methods")
    assert re.search(word, last)
    assert not Path("r/tiny/mine/v/0/run.json").exists()


def test_a_method_that_exits_while_it_is_imported_is_blamed(world):
    folder = world.method("quits", "import sys\nsys.exit(0)\n")
    with pytest.raises(PluginError, match=r"method 'quits' .* ended the program \(sys\.exit\(0\)"):
        method_card.import_method(method_card.read_card(folder))


def test_children_of_a_method_end_as_they_always_do():
    with guest_code.run_as_guest("method 'mine'"):
        child = os.fork()
        if child == 0:
            os._exit(7)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7


# --- test method ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "ok", "detail"),
    [
        ("job.params['scale'] = 2.0", False, r"job\.params"),
        ("job.labelled.values[:] += 1", False, r"job\.labelled\.values"),
        ("os.chdir('/')", False, "the working directory"),
        ("np.seterr(all='raise')", False, "NumPy's error state"),
        ("print('hello')", True, "what it prints goes to stderr"),
        ("pass", True, "nothing changed, nothing printed"),
    ],
)
def test_a_trial_says_what_a_method_changes(world, tmp_path, code, ok, detail):
    card = method_card.read_card(write_method(world, train=code))
    faces = Examples((), np.zeros((2, 68, 2)), np.array(["a", "b"]))
    job = Job("landmarks", None, faces, (), None, tmp_path, 0, "cpu", "smoke", {"scale": 1.0})
    with guest_code.watch_guests() as guests:
        method_call.train(method_card.import_method(card), job, "mine")
    check = conformance._check_guests(guests)
    assert check.ok is ok
    assert re.search(detail, check.detail)


def test_test_method_tries_it(world):
    folder = write_method(world, predictor="os.chdir('/')")
    code = (folder / "__init__.py").read_text().replace("def train(", "def untrained(")
    code = code.replace('np.load(weights / "points.npy")', "np.ones((68, 2))")
    (folder / "__init__.py").write_text(code)  # a training would be tried in processes of its own
    card = method_card.read_card(folder)
    found = {check.name: check for check in conformance.check_method(card)}
    check = found["leaves what is shared as it was"]
    assert (check.ok, check.detail.startswith("it changed the working directory")) == (False, True)
