"""Docs say what the code does: every command is one, the tutorial runs, references are current."""

import importlib.util
import json
import re
import shlex
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from benchbox.cli import main
from benchbox.report.pages import guide

TOP = Path(__file__).parents[1]
TEXTS = [
    TOP / "README.md",
    TOP / "CONTRIBUTING.md",
    *sorted((TOP / "docs").glob("*.md")),
    *sorted((TOP / "benchbox" / "report" / "site_text").glob("*.md")),
    *sorted((TOP / "methods").glob("*/README.md")),
]
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.M | re.S)


def commands_of(path: Path) -> list[str]:
    """The command lines in the code blocks of a text, and those in single quotes of code."""
    text = path.read_text(encoding="utf-8")
    lines = []
    for language, block in _BLOCK.findall(text):
        if language in ("", "sh", "bash"):
            lines += block.replace("\\\n", " ").splitlines()
    found = []
    for line in lines:
        for part in re.split(r"&&|\|\||;", line):
            words = part.strip()
            if re.match(r"(\.venv/bin/)?benchbox\b", words):
                found.append(words)
    return found


def parse(line: str) -> None:
    """Let click read a command, and call nothing."""
    words = shlex.split(line, comments=True)[1:]
    cut = [place for place, word in enumerate(words) if word in (">", "|", ">>")]
    words = words[: cut[0]] if cut else words
    command: click.Command = main
    context = None
    while isinstance(command, click.Group):
        name = words.pop(0)
        assert name in command.commands, f"no command {name!r}"
        command = command.commands[name]
        context = click.Context(command, info_name=name, parent=context)
    command.make_context(context.info_name, words, parent=context.parent)


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: str(path.relative_to(TOP)))
def test_every_command_in_the_docs_is_one(path):
    for line in commands_of(path):
        if "…" in line or "RUN RUN" in line:
            continue
        try:
            parse(line)
        except (click.ClickException, AssertionError) as fault:
            message = fault.format_message() if isinstance(fault, click.ClickException) else fault
            pytest.fail(f"{path.name}: {line}: {message}")


def test_the_docs_hold_commands():
    """Trap: a pattern that finds none lets every page pass."""
    counts = {path.relative_to(TOP).as_posix(): len(commands_of(path)) for path in TEXTS}
    assert counts["benchbox/report/site_text/tutorial.md"] >= 8
    assert counts["benchbox/report/site_text/submit.md"] >= 5
    assert counts["README.md"] >= 10
    assert sum(counts.values()) > 60


def reference():
    place = TOP / "docs" / "make_reference.py"
    spec = importlib.util.spec_from_file_location("make_reference", place)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["commands.md", "cards.md", "python.md"])
def test_references_are_those_of_the_code(name):
    pages = reference()
    text = (pages.FOLDER / name).read_text(encoding="utf-8")
    assert text == pages.PAGES[name](), "python docs/make_reference.py writes it anew"


def test_every_page_is_in_the_menu_and_links_lead_to_pages():
    folder = TOP / "benchbox" / "report" / "site_text"
    written = {path.stem for path in folder.glob("*.md")}
    assert written <= set(guide.GUIDES)
    for path in folder.glob("*.md"):
        for target in re.findall(r"\]\(([a-z]+)\.html\)", path.read_text(encoding="utf-8")):
            assert target in guide.GUIDES, (path.name, target)


@pytest.mark.parametrize("name", ["score-predictions", "compare-runs"])
def test_notebooks_run_and_their_numbers_are_those_that_stand_in_them(name, tmp_path, monkeypatch):
    """Cell by cell in one namespace, in an empty folder, from the installed package alone."""
    import ast

    monkeypatch.chdir(tmp_path)
    book = json.loads((TOP / "docs" / "notebooks" / f"{name}.ipynb").read_text())
    cells = [cell for cell in book["cells"] if cell["cell_type"] == "code"]
    assert len(cells) == 5
    space: dict[str, object] = {}
    for cell in cells:
        body = ast.parse("".join(cell["source"]))
        shown = None
        if isinstance(body.body[-1], ast.Expr):
            last = ast.Expression(body.body.pop().value)
            exec(compile(body, name, "exec"), space)
            shown = eval(compile(last, name, "eval"), space)
        else:
            exec(compile(body, name, "exec"), space)
        kept = [out for out in cell["outputs"] if out["output_type"] == "execute_result"]
        assert bool(kept) == (shown is not None)
        if kept:
            html = "".join(kept[0]["data"]["text/html"])
            headline = re.compile(r"[0-9.]+ \[[0-9., ]+\] % NME")
            assert headline.findall(html) == headline.findall(shown._repr_html_())
    if name == "score-predictions":
        scored = space["scored"]
        assert scored.headline in "".join(
            "".join(out["data"].get("text/html", []))
            for out in cells[3]["outputs"]
            if "data" in out
        )


@pytest.mark.slow
def test_the_tutorial_runs_line_by_line(tmp_path, monkeypatch):
    """As a newcomer types it, in an empty folder; installation aside."""
    monkeypatch.chdir(tmp_path)
    lines = commands_of(TOP / "benchbox" / "report" / "site_text" / "tutorial.md")
    assert len(lines) >= 8
    for line in lines:
        done = CliRunner().invoke(main, shlex.split(line)[1:], prog_name="benchbox")
        assert done.exit_code == 0, (line, done.output)
        if line.startswith("benchbox run --method mine"):
            assert re.search(r"^score: 20\.68 \[", done.stdout, re.M)
    assert (tmp_path / "site" / "index.html").is_file()
