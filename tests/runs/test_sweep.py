"""Many runs from one command: what is told before, what goes on, what stays."""

import json
import shlex
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from benchbox.cli import main
from benchbox.errors import DataError, PluginError, ProtocolError, ResultError
from benchbox.runs import execute, run_folders, run_plan, sweep

CENTRE = """
import numpy as np
def predictor(weights, device):
    def predict(samples):
        boxes = np.stack([s.box for s in samples])
        return np.repeat((boxes[:, None, :2] + boxes[:, None, 2:]) / 2, 68, axis=1)
    return predict
"""


@pytest.fixture
def like(world):
    world.method("centre", CENTRE, '\n[variants.other]\ntitle = "O"\n')
    return run_plan.RunRequest(
        "",
        "",
        device="cpu",
        budget="smoke",
        data=world.data,
        results=world.results,
        methods=(world.methods,),
    )


@pytest.mark.parametrize(
    ("text", "found"), [("3", [3]), ("1,3,5-7", [1, 3, 5, 6, 7]), ("0-2,1", [0, 1, 2])]
)
def test_seeds_are_numbers_and_spans(text, found):
    assert sweep.parse_seeds(text) == found


@pytest.mark.parametrize("text", ["", "a", "1,,2", "-1", "3-1", "0-5000", "1.5", "١"])
def test_what_is_no_seed_is_refused(text):
    with pytest.raises(ResultError, match="--seeds"):
        sweep.parse_seeds(text)


def test_every_method_of_a_seed_comes_before_the_next_seed(like):
    todo = sweep.sweep_requests(["centre:*"], ["tiny", "tiny"], [1, 2], like)
    assert [(one.variant, one.seed) for one in todo] == [
        ("other", 1),
        ("v", 1),
        ("other", 2),
        ("v", 2),
    ]


def test_a_pair_of_other_tasks_is_left_out_and_named(like):
    said = []
    todo = sweep.sweep_requests(["centre", "mean-gaze"], ["tiny"], [0], like, said.append)
    assert [one.method for one in todo] == ["centre"]
    assert said == ["note: left out: mean-gaze does not do the task of tiny"]
    with pytest.raises(PluginError, match="no method here does the task"):
        sweep.sweep_requests(["mean-gaze"], ["tiny"], [0], like)


def test_what_cannot_work_is_told_before_anything_runs(like):
    """Trap: a typing error in the last name, or a missing set, found out after hours."""
    for methods, cards, kind in [
        (["centre", "nobody"], ["tiny"], PluginError),
        (["centre:nothing"], ["tiny"], PluginError),
        (["centre"], ["tiny", "nowhere"], ProtocolError),
        (["centre"], ["tiny", "300w-full"], DataError),
    ]:
        with pytest.raises(kind):
            sweep.sweep_requests(methods, cards, [0], like)
    assert not list(run_folders.list_runs(like.results))


def words(world, *more: str) -> list[str]:
    folders = [
        "--data",
        str(world.data),
        "--results",
        str(world.results),
        "--methods-from",
        str(world.methods),
    ]
    return ["sweep", "--protocols", "tiny", "--budget", "smoke", "--device", "cpu", *folders, *more]


def test_one_that_fails_stops_no_other_and_what_is_finished_stays(world, like):
    world.method("broken", "def predictor(weights, device):\n    return lambda samples: None\n")
    line = words(world, "--methods", "broken,centre", "--seeds", "0-1", "--json")
    found = CliRunner().invoke(main, line)
    assert found.exit_code == 1
    rows = json.loads(found.stdout)
    assert [(row["method"], row["seed"], row["outcome"]) for row in rows] == [
        ("broken", 0, "refused, see its error above"),
        ("centre", 0, "done"),
        ("broken", 1, "refused, see its error above"),
        ("centre", 1, "done"),
    ]
    kept = {
        run.folder: (Path(run.folder) / "run.json").stat().st_mtime_ns
        for run in run_folders.list_runs(world.results)
    }
    assert len(kept) == 2
    again = CliRunner().invoke(main, words(world, "--methods", "centre", "--seeds", "0-1"))
    assert again.exit_code == 0
    assert {folder: (Path(folder) / "run.json").stat().st_mtime_ns for folder in kept} == kept


def test_a_quiet_sweep_says_no_note_and_no_progress_of_its_runs(world, like, capfd):
    """Trap: -q silenced the sweep alone; its runs are processes and said all that they say."""
    line = words(world, "--methods", "centre", "--seeds")
    loud = CliRunner().invoke(main, [*line, "0"])
    assert "12 labelled faces" in capfd.readouterr().err
    quiet = CliRunner().invoke(main, [*line, "1", "-q"])
    assert (loud.exit_code, quiet.exit_code) == (0, 0)
    (warning,) = capfd.readouterr().err.splitlines()
    assert warning.startswith("warning: no turn, scale and shift makes faces of the points")
    assert quiet.stderr == ""
    assert quiet.stdout.split() == ["tiny", "centre", "v", "1", "done"]
    bad = "def predictor(weights, device):\n    return lambda samples: None\n"
    world.method("broken", bad)
    CliRunner().invoke(main, [*words(world, "--methods", "broken"), "-q"])
    assert capfd.readouterr().err.startswith("error: ")


def test_a_dry_run_prints_the_commands_and_runs_none(world, like):
    found = CliRunner().invoke(
        main, words(world, "--methods", "centre", "--seeds", "4", "--dry-run")
    )
    (line,) = found.stdout.splitlines()
    assert line.startswith(
        "benchbox run --method centre --variant v --protocol tiny --seed 4 --device cpu"
    )
    assert not list(run_folders.list_runs(world.results))


def test_a_line_of_a_dry_run_runs_as_pasted_from_another_folder(world, like, tmp_path, monkeypatch):
    """It named neither data nor results, and a card by its file's name alone."""
    spaced = tmp_path / "my results; rm -rf"
    made = words(world, "--methods", "centre", "--dry-run")
    made[made.index("--results") + 1] = spaced
    line = CliRunner().invoke(main, [str(word) for word in made]).stdout
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    program, *rest = shlex.split(line)
    assert program == "benchbox"
    assert CliRunner().invoke(main, rest).exit_code == 0
    assert [run.method for run in run_folders.list_runs(spaced)] == ["centre"]


def test_a_script_for_slurm_has_a_task_per_training(world, like, tmp_path):
    made = words(world, "--methods", "centre:*", "--seeds", "0-1", "--executor", "slurm")
    refused = CliRunner().invoke(main, made)
    assert refused.exit_code == 2
    assert "sbatch" in refused.stderr
    script = CliRunner().invoke(main, [*made, "--dry-run"]).stdout
    assert "#SBATCH --array=0-3\n" in script
    assert "--gpus" not in script  # of runs on a CPU
    (tmp_path / "array.sh").write_text(script)
    (tmp_path / "benchbox").write_text('#!/bin/sh\necho "$@"\n')
    (tmp_path / "benchbox").chmod(0o755)
    surroundings = {"PATH": f"{tmp_path}:/usr/bin:/bin", "SLURM_ARRAY_TASK_ID": "2"}
    said = subprocess.run(
        ["sh", str(tmp_path / "array.sh")],
        env=surroundings,
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout.startswith(
        "run --method centre --variant other --protocol tiny --seed 1 --device cpu"
    )
    assert said.stdout.count("\n") == 1


def test_ctrl_c_waits_for_the_run_under_way_and_starts_no_other(world, like, monkeypatch):
    """The child is asked once, so that it can leave what resumes; no second run begins."""
    asked = []

    class Child:
        stdin = None

        def __init__(self, words, **_):
            asked.append(words[words.index("--seed") + 1])
            self.waits = 0

        def wait(self):
            self.waits += 1
            if self.waits == 1:
                raise KeyboardInterrupt
            asked.append("waited")

        def send_signal(self, signal):
            asked.append(signal.name)

    monkeypatch.setattr(sweep.subprocess, "Popen", Child)
    found = CliRunner().invoke(main, words(world, "--methods", "centre", "--seeds", "7-9"))
    assert (found.exit_code, asked) == (130, ["7", "SIGINT", "waited"])
    assert "interrupted after 0 of 3; the same command goes on from here" in found.stderr


LOCAL_POOL = """
import multiprocessing
def double(x):
    return 2 * x
def train(job):
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        (job.out / "w.safetensors").write_text(str(pool.map(double, [1, 2])))
"""


def test_a_module_of_the_working_folder_does_not_take_the_place_of_ours(world, like):
    """Trap: `python -m` looks in the working folder first, so that the person's own file ran there
    and its exit code 0 was taken for a finished run; a pool that a method spawns looks there, too.
    """
    world.method("pooled", LOCAL_POOL + CENTRE)
    for name in ("benchbox.py", "random.py", "numpy.py"):
        Path(name).write_text("raise SystemExit(0)\n")
    found = CliRunner().invoke(main, words(world, "--methods", "centre,pooled", "--json"))
    outcomes = [row["outcome"] for row in json.loads(found.stdout)]
    assert (outcomes, found.exit_code) == (["done", "done"], 0)
    assert len(list(run_folders.list_runs(world.results))) == 2


def test_a_process_that_ends_well_without_a_record_is_not_done(world, like):
    # below everything that could hinder it, as a library in C may
    leave = "import ctypes\n    ctypes.CDLL(None)._exit(0)"
    world.method("leaving", f"def train(job):\n    {leave}\n{CENTRE}")
    found = CliRunner().invoke(main, words(world, "--methods", "leaving", "--json"))
    (row,) = json.loads(found.stdout)
    assert row["outcome"] == "failed: its process ended without a fault and left no record"
    assert found.exit_code == 1


def test_a_record_of_another_run_is_not_this_cell(world, like):
    request = replace(like, method="centre", protocol="tiny", variant="v")
    execute.run_method(request)
    assert sweep.judge_outcome(request, 0) == sweep.DONE
    place = world.results / "tiny" / "centre" / "v+budget=smoke"
    shutil.copytree(place / "0", place / "7")
    assert sweep.judge_outcome(replace(request, seed=7), 0).startswith("failed: ")
    assert sweep.judge_outcome(request, 3) == "failed, exit code 3"


@pytest.mark.parametrize("advised", ["--fresh", "--stale"])
def test_what_a_refused_cell_advises_works_in_a_sweep(world, like, advised):
    """Trap: the error advised --fresh, which `sweep` did not have."""
    execute.run_method(replace(like, method="centre", protocol="tiny"))
    card = world.methods / "centre" / "method.toml"
    card.write_text(card.read_text() + "\n[params]\nrate = 1.0\n")
    line = words(world, "--methods", "centre", "--json")
    refused = CliRunner().invoke(main, line)
    assert "refused, see its error above" in refused.stdout
    assert refused.exit_code == 1
    assert CliRunner().invoke(main, [*line, advised]).exit_code == 0
    record = json.loads((world.results / "tiny/centre/v+budget=smoke/0/run.json").read_text())
    assert record["params"] == {"rate": 1.0}


def test_a_sweep_takes_the_path_of_a_card(world, like):
    """Trap: the card was read from its path and then looked up by its name."""
    card = next(world.site.glob("tiny_cards/tiny.toml"))
    own = Path("own.toml")
    own.write_text(card.read_text().replace('name = "tiny"', 'name = "own"'))
    line = words(world, "--methods", "centre", "--json")
    line[line.index("tiny")] = "own.toml"
    found = CliRunner().invoke(main, line)
    (row,) = json.loads(found.stdout)
    assert (row["protocol"], row["outcome"]) == ("own.toml", "done")
    record = json.loads((world.results / "own/centre/v+budget=smoke/0/run.json").read_text())
    assert "--protocol own.toml" in record["command"], "no folder of this machine"
