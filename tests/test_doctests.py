"""Examples in docstrings say what the code does."""

import doctest
import importlib
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "benchbox"


def example_lines(path):
    lines = path.read_text("utf-8").splitlines()
    return [line for line in lines if line.lstrip().startswith((">>> ", "... "))]


FILES = [path for path in sorted(PACKAGE.rglob("*.py")) if example_lines(path)]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_examples_in_docstrings(path):
    name = ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)
    name = name.removesuffix(".__init__")
    result = doctest.testmod(importlib.import_module(name), optionflags=doctest.ELLIPSIS)
    assert result.attempted > 0
    assert result.failed == 0, "the example and what the code returns stand above"


def test_examples_are_kept():
    assert sum(len(example_lines(path)) for path in FILES) >= 150
