"""Digests of a method's code: of its bytes, and of its meaning, which no formatting changes.

A number belongs to the code that made it. The digest of the bytes names exactly what was there.
The digest of the meaning is that of the parsed code, without comments, docstrings and layout, and
of the card without its texts and parameters, which records hold and compare themselves. Two
versions with one meaning give one number.
"""

from __future__ import annotations

import ast
import hashlib
import json
import re
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from benchbox.types import FACT_KEYS, MethodCard

from . import method_card
from .method_schema import CARD_FILE

_WITH_ALLOWED = re.compile(
    rb"^([a-z][a-z0-9_]* = )\{default = ([^\n{}]+), (?:allowed|range) = \[[^\n\]]*\]\}",
    re.MULTILINE,
)
# of a card: words, and parameters, which are compared value by value
_NO_CODE = (
    "title",
    "summary",
    "paper",
    "task",
    "default",
    "params",
    "before",
    "budgets",
    "variants",
    "baseline",
    "code",
    "needs",
    *FACT_KEYS,
)
# lines of a card, parameters aside, that say something of a method and decide no number
_DESCRIPTION = re.compile(
    rb"^(?:baseline = \w+|seen_test = \{[^\n]*\}"
    rb"|(?:box|trained_on|extra_data|seen_test|checkpoint|code) = \"[^\n]*\")\n",
    re.MULTILINE,
)
_SECTION = re.compile(rb"^(?=\[)", re.MULTILINE)
_NEEDS = re.compile(rb"\[needs\]")  # what it asks of a cluster decides no number
_PARAMETERS = re.compile(rb"\[(params|before|budgets)")
_WITH_DOCSTRING = (ast.Module, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


@dataclass(frozen=True)
class CodeDigests:
    """What a method's code is known by."""

    content: str  # "sha256:…" of the bytes
    meaning: str  # of what they say


def digest_code(method: MethodCard) -> CodeDigests:
    """Hash the code of a method both ways: every file of its folder but notes, caches, hidden ones.

    The code of an adapter that runs it is part of it.
    """
    return CodeDigests(hash_method_code(method), _hash_files(method, _code_meaning))


def hash_method_code(method: MethodCard) -> str:
    """Hash the bytes of a method's code, as `digest_code` does."""
    return _hash_files(method, _code_bytes)


def _hash_files(method: MethodCard, read: Callable[[Path], bytes]) -> str:
    total = hashlib.sha256()
    if method.adapter:
        adapter = _hash_files(method_card.find_adapter(method), read)
        total.update(f"adapter\0{adapter}\n".encode())
    for path in sorted(method.folder.rglob("*")):
        inner = path.relative_to(method.folder)
        hidden = any(part.startswith(".") or part == "__pycache__" for part in inner.parts)
        if path.is_file() and not hidden and path.suffix not in (".md", ".pyc"):
            content = hashlib.sha256(read(path)).hexdigest()
            total.update(f"{inner.as_posix()}\0{content}\n".encode())
    return f"sha256:{total.hexdigest()}"


def _code_bytes(path: Path) -> bytes:
    """Return what of a file can decide a number.

    Of a card's parameters the default, not what else they may be, and nothing that it says of box
    and training: to say so moves no digest.
    """
    content = path.read_bytes()
    if path.name != CARD_FILE:
        return content
    sections = []
    for section in _SECTION.split(_WITH_ALLOWED.sub(rb"\1\2", content)):
        if _PARAMETERS.match(section):
            sections.append(section)
        elif not _NEEDS.match(section):
            sections.append(_DESCRIPTION.sub(b"", section))
    if _NEEDS.match(section):  # the last one: the blank lines before it go with it
        sections[-1] = sections[-1].rstrip() + b"\n"
    return b"".join(sections)


def _code_meaning(path: Path) -> bytes:
    """Return what a file says, whatever its layout; a file of another kind is its bytes."""
    content = path.read_bytes()
    try:
        if path.name == CARD_FILE:
            card = tomllib.loads(content.decode("utf-8-sig"))
            facts = {key: value for key, value in card.items() if key not in _NO_CODE}
            return json.dumps(facts, sort_keys=True, default=str).encode()
        if path.suffix == ".py":
            return "\n".join(_describe_node(_parse_code(content))).encode("utf-8", "surrogatepass")
    except (ValueError, SyntaxError, RecursionError):
        return content
    return content


def _parse_code(content: bytes) -> ast.Module:
    """Return the syntax tree of a file without its docstrings."""
    tree = ast.parse(content)
    for node in ast.walk(tree):
        if isinstance(node, _WITH_DOCSTRING) and ast.get_docstring(node, clean=False) is not None:
            del node.body[0]
    return tree


def _describe_node(node: ast.AST) -> Iterator[str]:
    """Yield a syntax tree as lines.

    Fields that are empty are left out: versions of Python differ in those that they have.
    """
    yield type(node).__name__
    for name, value in ast.iter_fields(node):
        parts = value if isinstance(value, list) else [value]
        for part in parts:
            if isinstance(part, ast.AST):
                yield f"{name}("
                yield from _describe_node(part)
                yield ")"
            elif part is not None:
                yield f"{name}={type(part).__name__} {part!r}"
