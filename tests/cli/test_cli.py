"""The command line as people and scripts meet it: exit codes, faults, JSON, light start, Ctrl-C."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from benchbox.cli import main
from benchbox.metrics import metric_names
from benchbox.protocols import protocol_card as protocols

CENTRE = """
import numpy as np
def predictor(weights, device):
    def predict(samples):
        return np.stack([s.box.reshape(2, 2).mean(axis=0) + np.zeros((68, 2)) for s in samples])
    return predict
"""
SLOW = (
    CENTRE
    + """
def train(job):
    import time
    if not (job.out / "stage1.npy").exists():
        (job.out / "stage1.npy").write_bytes(b"1")
        print("stage1", flush=True)
        time.sleep(60)
    (job.out / "stage2.npy").write_bytes(b"2")
"""
)


def call(*words: object) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words])


def run_words(world, method: str, *more: object) -> list[object]:
    """The words of a run on the tiny set; an option among `more` takes the place of ours."""
    options = {
        "--method": method,
        "--protocol": "tiny",
        "--device": "cpu",
        "--data": world.data,
        "--results": world.results,
    }
    if world.methods.is_dir():
        options["--methods"] = world.methods
    words: list[object] = ["run"]
    for option, value in options.items():
        if option not in more:
            words += [option, value]
    return [*words, *more]


def one_line_fault(result: Result, pattern: str) -> None:
    """A fault that the user can mend: exit 2, one line on stderr, nothing on stdout."""
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    said = [
        line for line in result.stderr.splitlines() if not line.startswith(("tiny: ", "note: "))
    ]
    assert len(said) == 1
    assert said[0].startswith("error: ")
    assert re.search(pattern, said[0]), said[0]


# --- starting -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words", [["--help"], ["list", "methods"], ["list", "protocols", "--json"], ["list", "results"]]
)
def test_help_and_listings_load_nothing_heavy(words):
    if words == ["list", "results"]:  # digests are worked out once, with NumPy, and remembered
        assert call(*words).exit_code == 0
    code = (
        f"import sys; from benchbox.cli import main\n"
        f"try: main({words!r})\n"
        f"except SystemExit as end: assert end.code == 0, end.code\n"
        f"slow = {{'torch', 'numpy', 'pandas', 'matplotlib', 'jinja2', 'cv2', 'scipy'}}\n"
        f"heavy = slow & set(sys.modules)\n"
        f"sys.exit(str(heavy) if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_module_starts_the_command_too():
    done = subprocess.run(
        [sys.executable, "-m", "benchbox", "--version"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout.split()[0]) == (0, "benchbox,")


def test_only_commands_that_exist_are_offered():
    assert sorted(main.commands) == [
        "check",
        "compare",
        "data",
        "explain",
        "list",
        "new",
        "profile",
        "report",
        "results",
        "run",
        "score",
        "show",
        "submit",
        "sweep",
        "test",
    ]


# --- run ------------------------------------------------------------------------------------------


def test_run_ends_with_the_table_the_folder_and_the_next_command(world):
    world.method("centre", CENTRE)
    result = call(*run_words(world, "centre"))
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert re.match(r"unseen +6 +0 +inter_ocular +\d+\.\d\d \[\d+\.\d\d, \d+\.\d\d\]", lines[1])
    assert lines[-2] == f"run:  {world.results / 'tiny' / 'centre' / 'v' / '0'}"
    # the folders as typed: without --methods the report would not know the method
    assert lines[-1] == (
        f"next: benchbox report --results {world.results} --methods {world.methods}"
    )
    assert "12 labelled faces to train on, 6 to test on" in result.stderr
    again = call(*run_words(world, "centre"))
    assert again.exit_code == 0
    assert again.stdout == result.stdout
    assert "--fresh redoes it" in again.stderr


def test_an_interrupted_training_that_left_nothing_promises_nothing(world):
    """The trap: "goes on from here" of a training that begins at step 0 again."""
    world.method("stops", CENTRE + "def train(job):\n"
                 "    (job.out / 'log.csv').write_text('stage,step\\n')\n"
                 "    raise KeyboardInterrupt\n")  # fmt: skip
    words = run_words(world, "stops")
    first, again = call(*words), call(*words)
    assert first.exit_code == again.exit_code == 130
    assert first.stderr.splitlines()[-1] == (
        "interrupted; the same command starts again: nothing was left to go on from"
    )
    assert "starting again: the interrupted run here left nothing to go on from" in again.stderr
    world.method("saves", CENTRE + "def train(job):\n"
                 "    (job.out / 'half.npy').write_bytes(b'1')\n"
                 "    raise KeyboardInterrupt\n")  # fmt: skip
    saved = call(*run_words(world, "saves", "--fresh"))
    assert saved.stderr.splitlines()[-1] == (
        "interrupted; the same command goes on from here (without --fresh)"
    )


def test_a_method_in_the_working_folder_is_hinted_at(tmp_path, monkeypatch):
    """The trap: `new method` wrote it here, and `run` calls it unknown."""
    monkeypatch.chdir(tmp_path)
    assert call("new", "method", "my-net").exit_code == 0
    hint = "unknown method 'my-net'; methods/my_net is here: --methods methods; known: "
    for words in (
        ("run", "--method", "my-net", "--protocol", "synth-300w-full"),
        ("test", "method", "my-net"),
        ("profile", "--method", "my-net"),
        ("show", "method", "my-net"),
    ):
        one_line_fault(call(*words), hint)
    assert "methods/" not in call("show", "method", "other-net").stderr


def test_a_missing_file_is_said_once(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    missing = call("show", "protocol", "nothere.toml")
    assert missing.stderr == "error: nothere.toml: cannot be read: there is no such file\n"


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGKILL])
def test_a_stopped_run_goes_on_with_the_same_command(world, stop):
    world.method("slow", SLOW)
    command = [sys.executable, "-m", "benchbox", *map(str, run_words(world, "slow"))]
    # a suite in the background inherits "ignore"
    kept = signal.signal(signal.SIGINT, signal.default_int_handler)
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as child:
        signal.signal(signal.SIGINT, kept)
        assert child.stderr is not None  # where what a method prints goes
        assert "stage1\n" in iter(child.stderr.readline, "")
        time.sleep(0.1)
        child.send_signal(stop)
        _, stderr = child.communicate(timeout=30)
    if stop == signal.SIGINT:
        assert child.returncode == 130
        assert stderr.splitlines()[-1] == "interrupted; the same command goes on from here"
        assert "Traceback" not in stderr
    work = world.results / "tiny" / "slow" / "v" / "0" / "work"
    assert (work / "stage1.npy").exists()
    again = call(*run_words(world, "slow"))
    assert again.exit_code == 0, again.output
    assert "going on with the interrupted run" in again.stderr
    assert (work / "stage2.npy").exists()


# --- faults ---------------------------------------------------------------------------------------


def test_bad_input_to_run_is_one_line_and_writes_nothing(world, tmp_path):
    world.method("centre", CENTRE, "[params]\nrate = 1\n")
    csv = world.data / "ytf68" / "training_frames_keypoints.csv"
    one_line_fault(
        call(*run_words(world, "center")), "unknown method 'center'; did you mean 'centre'"
    )
    one_line_fault(
        call(*run_words(world, "centre", "--protocol", "tyni")), "no protocol is called 'tyni'"
    )
    one_line_fault(call(*run_words(world, "centre", "--variant", "w")), "no variant 'w'; known: v")
    one_line_fault(
        call(*run_words(world, "centre", "--set", "rat=2")),
        "no parameter 'rat'; did you mean 'rate'",
    )
    one_line_fault(
        call(*run_words(world, "centre", "--set", "rate=x")), "--set rate=x: must be int"
    )
    one_line_fault(
        call(*run_words(world, "centre", "--data", tmp_path / "no")),
        "missing: there is no data root .* get it at http",
    )
    one_line_fault(
        call(*run_words(world, "centre", "--results", csv)), "no folder that can be written to"
    )
    one_line_fault(
        call(*run_words(world, "centre", "--methods", tmp_path / "no")),
        "--methods .*: no method.toml in it",
    )
    csv.write_text(csv.read_text().rpartition(",")[0] + "\n")
    one_line_fault(
        call(*run_words(world, "centre")), r"keypoints\.csv:19: 136 columns, 137 are needed"
    )
    assert not world.results.exists()


def test_bad_predictions_are_one_line_and_write_nothing(world, tmp_path):
    ids = np.array(world.tested)
    values = np.ones((6, 68, 2))
    partly = values.copy()
    partly[2, 5, 0] = np.nan
    cases = {
        "67 points": (
            {"ids": ids, "values": values[:, :67]},
            r"shape \(6, 67, 2\), tiny wants \(6, 68, 2\)",
        ),
        "partly NaN": ({"ids": ids, "values": partly}, r"1 row \(Abdullah_Gul_02\) is partly NaN"),
        "missing": ({"ids": ids[1:], "values": values[1:]}, "1 row .* is missing of the 6 of tiny"),
        "doubled": ({"ids": ids[[0, 0, 2, 3, 4, 5]], "values": values}, "there more than once"),
        "unknown": (
            {"ids": np.char.add(ids, "x"), "values": values},
            "6 rows .* are unknown to tiny",
        ),
        "pickle": ({"ids": ids.astype(object), "values": values}, "holds pickled objects"),
    }
    for columns, pattern in cases.values():
        np.savez(tmp_path / "p.npz", **columns)
        words = [
            "score",
            tmp_path / "p.npz",
            "--protocol",
            "tiny",
            "--method",
            "mine",
            "--data",
            world.data,
        ]
        one_line_fault(call(*words, "--results", world.results), pattern)
    one_line_fault(
        call("score", "no.npz", "--protocol", "tiny", "--method", "m", "--data", world.data),
        "no such",
    )
    assert not world.results.exists()


def test_wrong_use_exits_with_2():
    for words in (
        ["run"],
        ["run", "--method", "m", "--protocol", "p", "--set", "x"],
        ["lst"],
        ["run", "--seed", "-1"],
    ):
        assert call(*words).exit_code == 2


def test_a_bug_keeps_its_traceback(world):
    world.method("buggy", "def predictor(weights, device):\n    return lambda samples: 1 / 0\n")
    with pytest.raises(ZeroDivisionError):
        CliRunner().invoke(main, list(map(str, run_words(world, "buggy"))), catch_exceptions=False)


# --- score ----------------------------------------------------------------------------------------


def test_score_prints_one_json_document_or_a_table(world, tmp_path):
    ids = np.array(world.tested)
    np.savez(tmp_path / "p.npz", ids=ids, values=world.truth + 1.0)
    words = [
        "score",
        tmp_path / "p.npz",
        "--protocol",
        "tiny",
        "--method",
        "mine",
        "--data",
        world.data,
    ]
    document = json.loads(call(*words, "--json").stdout)
    assert document["schema"] == 1
    assert (document["protocol"], document["method"], document["kind"], document["n"]) == (
        "tiny",
        "mine",
        "submitted",
        6,
    )
    assert document["scores"]["unseen"]["nme_inter_ocular"]["unit"] == "%"
    assert call(*words).stdout.splitlines()[1].split()[:4] == ["unseen", "6", "0", "inter_ocular"]
    assert not world.results.exists()
    assert not list(Path.cwd().iterdir())


# --- listing and showing --------------------------------------------------------------------------


def test_methods_are_listed_in_the_fixed_json_and_a_broken_one_hides_none(world):
    world.method("centre", CENTRE, '[paper]\nauthors = "A"\nyear = "2020"\n')
    (world.method("broken", CENTRE) / "method.toml").write_text("=")
    result = call("list", "methods", "--methods", world.methods, "--json")
    assert result.exit_code == 0
    rows = {row["name"]: row for row in json.loads(result.stdout)}
    assert rows["centre"] == {
        "name": "centre",
        "title": "T",
        "task": ["landmarks"],
        "variants": [{"name": "v", "title": "V"}],
        "budgets": ["smoke", "quick", "paper"],
        "paper": {"authors": "A", "year": "2020"},
        "source": f"--methods {world.methods}",
    }
    assert "mean-shape" in rows
    assert "broken/method.toml" in result.stderr


def test_protocols_are_listed_with_the_metrics_that_scores_have(world):
    """The listing works the names out for itself, to load nothing heavy; both lists must agree."""
    rows = {row["name"]: row for row in json.loads(call("list", "protocols", "--json").stdout)}
    assert {"300w-common", "300w-full", "ytf68", "synth-300w-full", "tiny"} <= set(rows)
    for name, row in rows.items():
        assert sorted(row["metrics"]) == sorted(
            metric_names.list_metrics(protocols.load_protocol(name))
        )
        # fixed
        assert set(row) >= {"name", "title", "task", "dataset", "card", "groups", "metrics", "twin"}
        card = protocols.load_protocol(name)
        assert (row["normalisers"], row["auc"], row["fr"]) == (
            list(card.normalisers),
            list(card.auc),
            list(card.fr),
        )


def test_a_broken_protocol_card_hides_no_other(world):
    (world.site / "tiny_cards" / "tiny.toml").write_text("=")
    result = call("list", "protocols")
    assert result.exit_code == 0
    assert "300w-full" in result.stdout
    assert "broken: " in result.stderr


def test_results_are_listed_and_broken_ones_named(world):
    world.method("centre", CENTRE)
    call(*run_words(world, "centre"))
    call(*run_words(world, "centre", "--seed", 1))
    (world.results / "tiny" / "centre" / "v" / "1" / "run.json").write_text("{")
    result = call("list", "results", "--results", world.results, "--json")
    (row,) = json.loads(result.stdout)
    assert (row["protocol"], row["method"], row["variant"], row["seed"], row["kind"]) == (
        "tiny",
        "centre",
        "v",
        0,
        "weights",
    )
    assert "unreadable: " in result.stderr


def test_show_prints_a_card_in_words(world):
    world.method(
        "centre",
        CENTRE,
        '[params]\nflip = true\n[budgets.smoke]\nflip = false\n[paper]\nurl = "u"\nauthors = "A"\n',
    )
    text = call("show", "method", "centre", "--methods", world.methods).stdout
    for line in (
        "paper     A, u",
        "variant   v (default): V",
        "budget    smoke, flip=off",
        "--set     flip=on",
    ):
        assert f"  {line}\n" in text
    assert "6 items, ranked by the group 'unseen'" in call("show", "protocol", "tiny").stdout
    one_line_fault(call("show", "protocol", "nope"), "no protocol is called 'nope'")


# --- data -----------------------------------------------------------------------------------------


def test_data_commands_say_where_and_whether(world):
    rows = call("data", "list", "--data", world.data).stdout.splitlines()
    states = {row.split()[0]: row for row in rows}
    assert "  here  " in states["ytf68"]
    assert "  not here  " in states["300w"]
    assert "  made by benchbox  " in states["synth-300w"]
    where = call("data", "where", "ytf68", "--data", world.data).stdout
    assert "https://" in where
    assert str(world.data / "ytf68") in where
    partial = call("data", "verify", "ytf68", "--data", world.data)
    assert partial.exit_code == 1
    assert re.search(r"partial +.*18 of 3,?462 frames", partial.stdout)
    one_line_fault(
        call("data", "verify", "300w", "--data", world.data),
        "300-W is missing: no folder .*300w; get it at",
    )
    one_line_fault(call("data", "where", "300v"), "no dataset is called '300v'")


def test_the_data_root_is_the_option_else_the_variable_else_data(world, monkeypatch):
    monkeypatch.setenv("BENCHBOX_DATA", str(world.data))
    assert str(world.data / "ytf68") in call("data", "where", "ytf68").stdout
    assert "elsewhere/ytf68" in call("data", "where", "ytf68", "--data", "elsewhere").stdout
    monkeypatch.delenv("BENCHBOX_DATA")
    assert "folder  data/ytf68" in call("data", "where", "ytf68").stdout


# --- new ------------------------------------------------------------------------------------------


def test_a_new_method_runs_as_it_is_written(world):
    result = call("new", "method", "my-idea", "--methods", world.methods)
    assert result.exit_code == 0
    assert f"next: benchbox test method my-idea --methods {world.methods}" in result.stdout
    folder = world.methods / "my_idea"
    assert sorted(path.name for path in folder.iterdir()) == [
        "README.md",
        "__init__.py",
        "method.toml",
    ]
    assert call(*run_words(world, "my-idea")).exit_code == 0
    one_line_fault(
        call("new", "method", "my-idea", "--methods", world.methods), "exists; choose another name"
    )
    one_line_fault(
        call("new", "method", "../x", "--methods", world.methods), "it names a folder of results"
    )


def test_a_new_method_takes_no_name_of_an_installed_one(world):
    """It would be claimed twice, and then neither could be run."""
    one_line_fault(
        call("new", "method", "mean-shape", "--methods", world.methods),
        "'mean-shape' is there already",
    )
    assert not (world.methods / "mean_shape").exists()


def test_wrong_use_is_one_line_and_groups_without_a_command_help(world):
    one_line_fault(call("profile"), "Missing option '--method'; `benchbox profile --help`")
    one_line_fault(
        call(*run_words(world, "centre", "--budget", "huge")),
        "'huge' is not one of 'smoke', 'quick', 'pap",
    )
    one_line_fault(
        call(*run_words(world, "centre", "--set", "rate")), "--set rate: write key=value"
    )
    one_line_fault(call("lits"), "No such command 'lits'")
    one_line_fault(call("--nope"), "No such option '--nope'; `benchbox --help`")
    one_line_fault(call("data", "--nope"), "No such option '--nope'; `benchbox data --help`")
    assert "Usage: benchbox data" in call("data").output


def test_pages_of_a_results_folder_that_is_not_there_are_refused(world, tmp_path):
    missing = tmp_path / "reslts"
    out = tmp_path / "pages"
    one_line_fault(call("report", "--results", missing, "--out", out), "no such folder of results")
    assert not out.exists()


def test_results_that_are_not_there_are_not_checked(world, tmp_path):
    """The trap: a slip in a path, "0 regressions" or a baseline of nothing."""
    missing, baseline = tmp_path / "reslts", tmp_path / "baseline.json"
    one_line_fault(call("check", "--results", missing), "reslts: no such folder of results")
    one_line_fault(
        call("check", "--results", missing, "--write-baseline", baseline),
        "no such folder of results",
    )
    assert not baseline.exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--set", "scale=1", "--set", "scale=2"], r"--set scale=1 and --set scale=2: set it once"),
        (["--seed", "1_5"], r"'1_5' is no whole number"),
        (["--results", "~nobody-of-this-name/out"], r"nobody's home is known"),
    ],
)
def test_options_are_not_passed_over_in_silence(world, options, message):
    one_line_fault(call(*run_words(world, "mean-shape", *options)), message)


def test_a_home_folder_is_meant_by_its_sign_in_options_and_variables(world, monkeypatch):
    monkeypatch.setenv("HOME", str(world.data.parent))
    monkeypatch.setenv("BENCHBOX_DATA", "~/data")
    done = call("run", "--method", "mean-shape", "--protocol", "tiny", "--results=~/out")
    assert done.exit_code == 0, done.output
    assert (world.data.parent / "out/tiny/mean-shape/mean-shape/0/run.json").is_file()
    assert list(Path.cwd().iterdir()) == []  # no folder called ~


def test_a_folder_of_protocols_that_is_not_there_is_named_and_stops_nobody(world, monkeypatch):
    monkeypatch.setenv("BENCHBOX_PROTOCOLS", f"{world.data}/gone")
    done = call("list", "protocols")
    assert done.exit_code == 0
    assert f"BENCHBOX_PROTOCOLS lists {world.data}/gone, which is no folder" in done.stderr
    assert "tiny" in done.stdout


def test_one_bad_file_of_somebody_else_is_named_and_stops_nobody(world, tmp_path):
    """Cards, references and claims of a third party, a record with merge markers, broken scores."""
    assert call(*run_words(world, "mean-shape")).exit_code == 0
    assert call(*run_words(world, "mean-shape", "--seed", "1")).exit_code == 0
    assert call(*run_words(world, "mean-shape", "--seed", "2")).exit_code == 0
    place = world.results / "tiny" / "mean-shape" / "mean-shape"
    (place / "1" / "run.json").write_text("<<<<<<< HEAD\n{}\n=======\n{}\n>>>>>>> theirs\n")
    (place / "2" / "scores.json").write_text('{"schema": 1, "scores": {"unseen": 3.0}}')
    theirs = world.collection("benchbox.protocols", "vendor_cards")
    (theirs / "broken.toml").write_text("name = \n")
    (theirs / "references").mkdir()
    (theirs / "references" / "papers.csv").write_text("nothing,of,the,kind\n")
    (theirs / "references" / "claims.toml").write_text("[[claimz]]\n")
    for words in (
        ["list", "results", "--results", world.results],
        ["list", "protocols"],
        ["check", "--results", world.results],
        ["report", "--results", world.results, "--out", tmp_path / "site"],
        ["report", "--results", world.results, "--format", "csv", "--protocol", "tiny"],
        run_words(world, "mean-shape"),
    ):
        done = call(*words)
        assert done.exit_code == 0, (words, done.output)
        if words[0] != "list" or words[1] == "protocols":
            assert "broken.toml: is no TOML" in done.stderr, words
        if words[0] in ("check", "report"):
            assert "vendor_cards 1.0: references/papers.csv, line 1" in done.stderr
            assert "vendor_cards 1.0: references/claims.toml: no such table" in done.stderr
        if words[0] in ("check", "report") or words[1] == "results":
            assert "run.json:1: is no JSON" in done.stderr, words
            assert "scores.json: 'scores' must hold one table per group" in done.stderr, words


def test_a_narrow_code_page_ends_no_command(world):
    """Windows' cp1252 and others lack letters of our texts; documents are UTF-8 all the same."""
    assert call(*run_words(world, "mean-shape")).exit_code == 0
    table = ["report", "--format", "md", "--protocol", "tiny", "--results", str(world.results)]
    for words in (["show", "method", "glsr"], ["run", "--help"], table):
        done = subprocess.run(
            [sys.executable, "-m", "benchbox", *words],
            env={**os.environ, "PYTHONIOENCODING": "cp437"},
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr.decode("cp437")[-300:]
    assert "–" in done.stdout.decode("utf-8")  # between the ends of an interval


@pytest.mark.parametrize(
    ("words", "option"),
    [
        (["run", "--method", "a", "--method", "b", "--protocol", "p"], "--method"),
        (["run", "--method=a", "--protocol", "p", "--protocol", "q"], "--protocol"),
        (["run", "--method", "a", "--protocol", "p", "--seed", "1", "--seed=2"], "--seed"),
        (["run", "--method", "a", "--protocol", "p", "--resume", "--fresh"], "--resume/--fresh"),
        (["report", "--out", "a", "--out", "b", "--format", "csv"], "--out"),
        (["results", "prune", "--results", "a", "--results", "b"], "--results"),
        (["new", "method", "M!", "--methods", "a", "--methods", "b"], "--methods"),
        (["data", "where", "nobody", "--data", "a", "--data", "b"], "--data"),
    ],
)
def test_an_option_of_one_value_that_is_given_twice_is_named(words, option):
    """Trap: the last of two protocols counts, and nobody hears of the first."""
    done = CliRunner().invoke(main, words)
    assert f"warning: {option} is given more than once; the last one counts" in done.stderr


def test_a_variable_that_nobody_reads_is_named(monkeypatch):
    monkeypatch.setenv("BENCHBOX_DAT", "data")
    done = CliRunner().invoke(main, ["list", "protocols"])
    assert done.exit_code == 0
    assert "warning: BENCHBOX_DAT is set and read by nothing" in done.stderr
    assert "BENCHBOX_DATA, BENCHBOX_PROTOCOLS" in done.stderr


def test_a_card_below_the_home_folder_is_found(world, monkeypatch, tmp_path):
    """Trap: no shell expands ~ behind a comma or an equals sign."""
    card = world.site / "tiny_cards" / "tiny.toml"
    (tmp_path / "mine.toml").write_text(card.read_text().replace('"tiny"', '"mine"'))
    monkeypatch.setenv("HOME", str(tmp_path))
    words = ["--data", str(world.data), "--results", "r", "--device", "cpu"]
    run = ["run", "--method", "mean-shape", "--protocol=~/mine.toml", *words]
    done = CliRunner().invoke(main, run)
    assert done.exit_code == 0, done.output
    assert Path("r/mine/mine.toml").is_file()
    sweep = ["sweep", "--methods", "mean-shape", "--protocols=~/mine.toml", *words, "--dry-run"]
    assert CliRunner().invoke(main, sweep).exit_code == 0
