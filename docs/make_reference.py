"""Write the reference pages from the code: `python docs/make_reference.py`."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

import benchbox
from benchbox.cli import main
from benchbox.notebook import result_values
from benchbox.plugins import method_schema
from benchbox.protocols import own_layout, schema

TOP = Path(__file__).parents[1]
FOLDER = TOP / "benchbox" / "report" / "site_text"
FUNCTIONS_HEADING = "# The functions\n"


def make_commands() -> str:
    """Describe every command with its options."""
    parts = ["Written from the code; the option `--help` of each command says the same.\n"]
    for name, command in _leaf_commands(main, "benchbox"):
        words = inspect.cleandoc(command.help or "")
        arguments = [param for param in command.params if isinstance(param, click.Argument)]
        usage = " ".join([name, *(_argument(argument) for argument in arguments), "[options]"])
        parts.append(f"# {name.removeprefix('benchbox ')}\n\n```text\n{usage}\n```\n\n{words}\n")
        rows = []
        for param in command.params:
            if isinstance(param, click.Option):
                rows.append((_option(param), _one_line(param.help or "")))
        parts.append(_table(("option", "what"), rows))
    return "\n".join(parts)


def make_cards() -> str:
    """List every key of method.toml and of a protocol's card."""
    parts = ["Written from the code that reads the cards; a key that is not here is refused.\n"]
    sections = {
        "method.toml": method_schema._CARD_KEYS,
        "method.toml [run]": method_schema._RUN_KEYS,
        "method.toml [needs]": method_schema._NEEDS_KEYS,
        "method.toml [variants.NAME]": method_schema._VARIANT_KEYS,
        "A protocol's card": schema.CARD_KEYS,
        "A protocol's card [layout]": own_layout._KEYS,
    }
    for title, keys in sections.items():
        rows = []
        for key in keys:
            needed = "needed" if key.required else "may be left out"
            rows.append((f"`{key.name}`", _one_line(key.words), needed))
        parts.append(f"# {title}\n\n{_table(('key', 'allowed', ''), rows)}")
    return "\n".join(parts)


def make_python() -> str:
    """Keep the prose of the page; write signatures and docstrings of the functions below it."""
    prose = (FOLDER / "python.md").read_text(encoding="utf-8").partition(FUNCTIONS_HEADING)[0]
    parts = [f"{prose}{FUNCTIONS_HEADING}\nWhat follows is written from the code.\n"]
    for name in benchbox.__all__:
        if name.startswith("__"):
            continue
        function = getattr(benchbox, name)
        parts.append(f"# benchbox.{name}\n\n{_signature(name, function)}\n{_docstring(function)}\n")
    for value in ("ScoredPredictions", "FinishedRun", "RunComparison", "StoredResults"):
        kind = getattr(result_values, value)
        rows = []
        for name, member in vars(kind).items():
            words = inspect.getdoc(member)
            if not name.startswith("_") and words and (callable(member) or _is_property(member)):
                rows.append((f"`.{name}`", _one_line(words.partition("\n\n")[0])))
        summary = _one_line((inspect.getdoc(kind) or "").partition("\n\n")[0])
        parts.append(f"# {value}\n\n{summary}\n\n{_table(('member', 'what'), rows)}")
    return "\n".join(parts)


PAGES = {"commands.md": make_commands, "cards.md": make_cards, "python.md": make_python}


def _leaf_commands(group: click.Group, name: str) -> Iterator[tuple[str, click.Command]]:
    for word, command in sorted(group.commands.items()):
        if isinstance(command, click.Group):
            yield from _leaf_commands(command, f"{name} {word}")
        else:
            yield f"{name} {word}", command


def _argument(argument: click.Argument) -> str:
    word = argument.metavar or (argument.name or "").upper()
    return word if argument.required else f"[{word}]"


def _option(option: click.Option) -> str:
    names = ", ".join([*option.opts, *option.secondary_opts])
    if option.is_flag:
        return f"`{names}`"
    if isinstance(option.type, click.Choice):
        choices = " or ".join(map(str, option.type.choices))
        return f"`{names}` {choices}"
    return f"`{names} {option.metavar or option.type.name.upper()}`"


def _signature(name: str, function: object) -> str:
    source = ast.parse(inspect.getsource(function)).body[0]
    arguments = ast.unparse(source.args)
    returned = ast.unparse(source.returns)
    return f"```python\nbenchbox.{name}({arguments}) -> {returned}\n```\n"


def _docstring(function: object) -> str:
    """Return a docstring, its list of parameters as a block."""
    text = inspect.getdoc(function) or ""
    head, heading, rest = text.partition("Parameters\n----------\n")
    if not heading:
        return text
    block, gap, after = rest.partition("\n\n")
    return f"{head}```text\n{block}\n```{gap}{after}"


def _is_property(member: object) -> bool:
    return hasattr(member, "fget") or hasattr(member, "func")


def _one_line(text: str) -> str:
    return " ".join(text.replace("|", "/").split())


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    lines += [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    for file, make in PAGES.items():
        (FOLDER / file).write_text(make(), encoding="utf-8")
