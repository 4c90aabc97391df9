"""Advice in messages leads where it says: each command and option is there, the chief ones work.

Every text of the program, of its pages and of its documentation is looked at. What it advises as
`benchbox …` must be a command with these options; what it advises as `--option` must be an option
of every command that can say it.
"""

import ast
import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import click
import numpy as np
import pytest
from click.testing import CliRunner

from benchbox.cli import main

TOP = Path(__file__).parents[1]
DOCUMENTED = (ast.Module, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def test_no_message_or_page_advises_an_install_of_another_program():
    """Trap: in a fresh environment `pip install 'benchbox[data]'` brings a database benchmark."""
    texts = [*TOP.glob("*.md"), *(TOP / "docs").glob("*.md")]
    for folder in ("benchbox", "methods"):
        for suffix in ("*.py", "*.md", "*.html"):
            texts += (TOP / folder).rglob(suffix)
    assert len(texts) > 300
    for path in texts:
        text = path.read_text(encoding="utf-8")
        for quote in ("", "'", '"'):
            assert f"install {quote}benchbox" not in text.replace("benchbox-faces", ""), path


# --- every command and option ---------------------------------------------------------------------


@cache
def messages() -> list[tuple[str, str]]:
    """Return (place, text) of every text in the sources, docstrings aside; X for what is filled."""
    found = []
    for folder in ("benchbox", "methods"):
        for path in sorted((TOP / folder).rglob("*.py")):
            place = path.relative_to(TOP).as_posix()
            found += [(f"{place}:{line}", text) for line, text in texts_of(path)]
    return found


def texts_of(path: Path) -> Iterator[tuple[int, str]]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    passed = set()
    for node in ast.walk(tree):
        if isinstance(node, DOCUMENTED) and ast.get_docstring(node) is not None:
            passed.add(id(node.body[0].value))
        if isinstance(node, ast.JoinedStr):
            passed.update(id(part) for part in node.values)
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            parts = [p.value if isinstance(p, ast.Constant) else "X" for p in node.values]
            yield node.lineno, "".join(parts)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from [(node.lineno, node.value)] * (id(node) not in passed)


def advised_commands(text: str) -> Iterator[str]:
    """Yield the command lines of a text: in backticks, or begun by the name of a command."""
    yield from re.findall(r"`benchbox ([^`]+)`", text)
    plain = re.sub(r"`[^`]*`", "", text)
    for words in re.findall(r"(?<![\w.-])benchbox ((?:[^\s`]+ ?)+)", plain):
        if words.split()[0] in main.commands:
            yield re.split(r"[;:,](?= |$)|\. | \(|\)", words)[0]


def find_command(words: list[str]) -> tuple[click.Command, list[str]]:
    """Return the command that words name, and the words after it."""
    command: click.Command = main
    while isinstance(command, click.Group) and words and not words[0].startswith("--"):
        assert words[0] in command.commands, f"{words[0]!r} is no command of {command.name}"
        command, words = command.commands[words[0]], words[1:]
    return command, words


def options_of(command: click.Command) -> set[str]:
    names = {"--help"}
    for parameter in command.params:
        names.update([*parameter.opts, *parameter.secondary_opts])
    return names


def require_options(line: str) -> None:
    words = line.replace("…", " ").split()
    command, rest = find_command(words)
    for word in rest:
        if word.startswith("--") and len(word) > 2:
            option = word.partition("=")[0].rstrip(".,;:)")
            assert option in options_of(command), f"{option} is no option of {command.name}"


def test_every_command_that_a_message_advises_is_there_with_its_options():
    """Trap: `sweep` advised an option that it had not."""
    tried = 0
    for place, text in messages():
        for line in advised_commands(text):
            try:
                require_options(line)
            except AssertionError as fault:
                raise AssertionError(f"{place}: `benchbox {line}`: {fault}") from fault
            tried += 1
    assert tried > 50


def test_every_command_of_the_documentation_is_there_with_its_options():
    texts = [*TOP.glob("*.md"), *(TOP / "docs").glob("*.md")]
    for folder in ("benchbox", "methods"):
        for suffix in ("*.md", "*.html"):
            texts += (TOP / folder).rglob(suffix)
    tried = 0
    for path in texts:
        if path.name == "CHANGELOG.md":  # tells of commands as they were
            continue
        for number, text in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            for line in advised_commands(re.sub(r"<[^>]*>| # .*", "", text)):
                if line.split()[0] not in main.commands and "`" not in text:
                    continue
                try:
                    require_options(line)
                except AssertionError as fault:
                    raise AssertionError(f"{path}:{number}: benchbox {line}: {fault}") from fault
                tried += 1
    assert tried > 40


# where messages come from → the commands in which they are read, each of which must have what is
# advised without a command; the longest beginning counts
SPOKEN_IN = {
    "benchbox/runs/execute.py": ("run", "sweep"),
    "benchbox/runs/run_data.py": ("run", "sweep"),
    "benchbox/runs/run_plan.py": ("run", "sweep"),
    "benchbox/runs/run_reuse.py": ("run", "sweep"),
    "benchbox/runs/run_identity.py": ("run", "sweep"),
    "benchbox/runs/run_record.py": ("run", "sweep"),
    "benchbox/runs/run_integrity.py": ("run", "sweep"),
    "benchbox/runs/sweep.py": ("sweep",),
    "benchbox/runs/score_file.py": ("score",),
    "benchbox/runs/gaze_predictions.py": ("score", "explain"),
    "benchbox/runs/prediction_formats": ("score",),
    "benchbox/training": ("run", "sweep"),
    "benchbox/analysis/compare.py": ("compare",),
    "benchbox/analysis/regression_gate.py": ("check",),
    "benchbox/analysis/explain": ("explain",),
    "benchbox/authoring/new_protocol.py": ("new protocol",),
    "benchbox/authoring/new_gaze_protocol.py": ("new protocol",),
    "benchbox/authoring/profile_method.py": ("profile",),
    "benchbox/authoring/scaffold.py": ("new method",),
    "benchbox/datasets/formats/annotation_writers.py": ("new protocol",),
}
# git, a module of its own, and the options' own declarations
OF_OTHER_PROGRAMS = (
    "benchbox/cli/",
    "benchbox/runs/provenance.py",
    "benchbox/face_renderer/contact_sheet.py",
)
# an option of another command than the one that speaks, with the words that name it
OF_OTHERS = {
    ("benchbox/analysis/compare.py", "--fresh"): "run the older one again with",
    ("benchbox/authoring/new_gaze_protocol.py", "--protocol"): "reads it below a data root",
    ("benchbox/analysis/regression_gate.py", "--results"): "makes one from",
    ("benchbox/training/train_log.py", "--tensorboard"): "needs it",
}


def commands_that_speak(place: str) -> tuple[str, ...]:
    beginnings = [key for key in SPOKEN_IN if place.startswith(key)]
    return SPOKEN_IN[max(beginnings, key=len)] if beginnings else ()


def all_options() -> set[str]:
    found = set()
    waiting: list[click.Command] = [main]
    while waiting:
        command = waiting.pop()
        found |= options_of(command)
        if isinstance(command, click.Group):
            waiting += command.commands.values()
    return found


def test_every_option_that_a_message_advises_is_one_of_the_commands_that_say_it():
    """Trap: `explain` advised --columns, which only `score` had."""
    known, tried = all_options(), 0
    for place, text in messages():
        is_word_of_a_command = re.fullmatch(r"--[a-z-]+([ =]X)*", text)
        is_of_another = place.startswith(OF_OTHER_PROGRAMS) or text.startswith("#SBATCH ")
        if is_of_another or is_word_of_a_command:
            continue
        bare = re.sub(r"`[^`]*`|benchbox [a-z]+ [^;]*|python -m [^;]*|pip download [^;]*", "", text)
        for option in re.findall(r"(?<![\w-])--[a-z][a-z-]*", bare):
            assert option in known, f"{place}: {option} is no option: {text}"
            tried += 1
            words = OF_OTHERS.get((place.partition(":")[0], option))
            if words is not None and words in text:
                continue
            for name in commands_that_speak(place):
                command, _ = find_command(name.split())
                assert option in options_of(command), f"{place}: {name} has no {option}: {text}"
    assert tried > 100


def test_every_variable_that_a_message_names_is_read():
    """Trap: a variable that was renamed, and its name in the advice was not."""
    read = set()
    for path in (TOP / "benchbox").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        read.update(re.findall(r"environ(?:\.get\(|\[)\"(BENCHBOX_[A-Z_]+)\"", text))
        read.update(re.findall(r"^_?[A-Z_]+ = \"(BENCHBOX_[A-Z_]+)\"", text, re.MULTILINE))
    for place, text in messages():
        for name in re.findall(r"BENCHBOX_[A-Z]+(?:_[A-Z]+)*", text):
            assert name in read, f"{place}: nobody reads {name}"
    assert {"BENCHBOX_DATA", "BENCHBOX_CACHE", "BENCHBOX_CACHE_GB"} <= read


# --- the chief remedies, done ---------------------------------------------------------------------

CENTRE = """
import numpy as np
def train(job):
    (job.out / "w.safetensors").write_bytes(b"1")
def predictor(weights, device, params):
    def predict(samples):
        boxes = np.stack([s.box for s in samples])
        points = (boxes[:, None, :2] + boxes[:, None, 2:]) / 2
        return np.repeat(points + params["shift"], 68, axis=1)
    return predict
"""


@pytest.fixture
def tried(world):
    """A finished run of a small method; return what calls a command with the folders of it."""
    folder = world.method("centre", CENTRE, "[params]\nshift = 1.0\n")

    def call(*words: object) -> click.testing.Result:
        return CliRunner().invoke(main, [str(word) for word in words])

    options = ["--device", "cpu", "--budget", "smoke", "--data", world.data]
    options += ["--results", world.results]
    run = ["run", "--method", "centre", "--protocol", "tiny", "--methods", folder, *options]
    sweep = ["sweep", "--methods", "centre", "--protocols", "tiny", "--methods-from", folder]
    assert call(*run).exit_code == 0
    call.run, call.sweep, call.card = run, [*sweep, *options], folder / "method.toml"
    call.place = world.results / "tiny" / "centre" / "v+budget=smoke" / "0"
    return call


def advice(done: click.testing.Result, pattern: str) -> str:
    """Return what a pattern's group finds in the last line of a command that ended with 2."""
    assert done.exit_code == 2, done.output
    found = re.search(pattern, done.stderr.splitlines()[-1])
    assert found, done.stderr
    return found[1]


@pytest.mark.parametrize("command", ["run", "sweep"])
@pytest.mark.parametrize("option", ["--fresh", "--stale"])
def test_a_run_of_other_parameters_is_made_again_as_advised(tried, command, option, capfd):
    tried.card.write_text(tried.card.read_text().replace("shift = 1.0", "shift = 2.0"))
    words = getattr(tried, command)
    if command == "run":
        assert advice(tried(*words), r"(--fresh) redoes it") == "--fresh"
    else:  # whose children write to the terminal themselves
        assert tried(*words).exit_code == 1
        assert "--fresh redoes it" in capfd.readouterr().err
    done = tried(*words, option)
    assert done.exit_code == 0, done.output
    assert json.loads((tried.place / "run.json").read_text())["params"] == {"shift": 2.0}


def test_an_interrupted_job_of_other_parameters_starts_over_as_advised(tried):
    (tried.place / "run.json").unlink()
    tried.card.write_text(tried.card.read_text().replace("shift = 1.0", "shift = 2.0"))
    option = advice(tried(*tried.run), r"(--fresh) deletes it and starts over")
    assert tried(*tried.run, option).exit_code == 0


def test_damaged_predictions_are_made_again_as_advised(tried):
    (tried.place / "predictions.npz").write_bytes(b"damaged")
    option = advice(tried(*tried.run), r"run it again with (--fresh)")
    assert tried(*tried.run, option).exit_code == 0


def test_scores_that_were_changed_come_back_as_advised(tried):
    scores = tried.place / "scores.json"
    whole = scores.read_bytes()
    scores.write_bytes(whole.replace(b'"n": 6', b'"n": 7'))
    words = advice(tried(*tried.run), r"`benchbox (results rescore) RUN` derives it again")
    rescored = tried(*words.split(), tried.place, *tried.run[-4:-2])
    assert rescored.exit_code == 0
    assert scores.read_bytes() == whole


def test_a_table_of_errors_that_is_gone_comes_back_as_advised(tried, world):
    (tried.place / "errors.npz").unlink()
    line = advice(tried("check", "--results", world.results), r"`benchbox (results rescore [^`]+)`")
    assert tried(*line.split(), "--data", world.data).exit_code == 0
    assert tried("check", "--results", world.results).exit_code == 0


@pytest.mark.parametrize("levels", ["..", "tiny", "tiny/centre"])
def test_the_folder_that_was_meant_is_found_as_advised(tried, world, levels):
    wrong, site = world.results / levels, world.data.parent / "site"
    for words in (["check"], ["list", "results"], ["report", "--out", site]):
        refused = tried(*words, "--results", wrong)
        assert refused.exit_code == 2, words
        folder = advice(refused, r"did you mean --results ([^?]+)\?")
        assert tried(*words, "--results", folder).exit_code == 0


def test_a_baseline_comes_about_as_advised(tried, world, tmp_path):
    file = tmp_path / "baseline.json"
    option = advice(
        tried("check", "--results", world.results, "--baseline", file), r"(--write-baseline) makes"
    )
    assert tried("check", "--results", world.results, option, file).exit_code == 0
    assert tried("check", "--results", world.results, "--baseline", file).exit_code == 0


def test_a_stale_site_is_rendered_as_advised(tried, world, tmp_path):
    site = ["--results", world.results, "--out", tmp_path / "pages"]
    stale = tried("report", *site, "--check")
    assert stale.exit_code == 1
    command = re.search(r"`benchbox (report)` renders them", stale.stderr)
    assert command, stale.stderr
    assert tried(command[1], *site).exit_code == 0
    assert tried("report", *site, "--check").exit_code == 0


def test_a_name_that_was_meant_is_the_right_one(tried):
    words = [word.replace("centre", "center") for word in map(str, tried.run[:3])]
    meant = advice(tried(*words, *tried.run[3:]), r"did you mean '([^']+)'\?")
    assert tried("run", "--method", meant, *tried.run[3:]).exit_code == 0


def test_what_was_submitted_is_replaced_as_advised(world, tmp_path):
    def submit(shift: float, *more: str) -> click.testing.Result:
        file = tmp_path / "mine.npz"
        np.savez(file, ids=np.array(world.tested), values=world.truth + shift)
        words = ["score", file, "--protocol", "tiny", "--method", "mine", "--data", world.data]
        words += ["--results", world.results, *more]
        return CliRunner().invoke(main, [str(word) for word in words])

    assert submit(3).exit_code == 0
    option = advice(submit(4), r"(--fresh) replaces them")
    assert submit(4, option).exit_code == 0
