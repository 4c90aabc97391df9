"""Libraries that believe a file what it says of itself are called in `file_readers` alone."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]
GUARDED = TOP / "benchbox" / "file_readers"
# what opens a stranger's file, by the end of its dotted name
CALLS = {
    "np.load",
    "np.memmap",
    "np.genfromtxt",
    "np.fromfile",
    "json.load",
    "tomllib.load",
    "tomllib.loads",
    "csv.reader",
    "csv.DictReader",
    "h5py.File",
    "parquet.read_table",
    "parquet.ParquetFile",
    "zipfile.ZipFile",
    "tarfile.open",
    "pickle.load",
    "pickle.loads",
}
NAMES = {"loadmat", "whosmat", "safe_open", "iterparse"}
MODULES = {"defusedxml", "pyarrow", "h5py", "tomllib"}

# file → what it may call, because what it reads is our own or was looked at before
MAY = {
    "benchbox/layouts.py": {"csv.DictReader"},  # our own tables, packed with the code
    "benchbox/datasets/shape_fit.py": {"csv.DictReader"},
    "benchbox/report/charts/point_ellipses.py": {"csv.DictReader"},
    "benchbox/report/inputs/results.py": {"csv.reader"},  # lines that were read and counted
    # a card that was read before; whatever is wrong with it, its bytes count
    "benchbox/plugins/code_digest.py": {"tomllib", "tomllib.loads"},
    "benchbox/runs/array_files.py": {"zipfile.ZipFile"},  # written
    # archives that our own code packs on a node of the cluster; names are held by `filter="data"`
    "benchbox/runs/fetched_runs.py": {"tarfile.open"},
    "benchbox/runs/node_work.py": {"tarfile.open"},
    "benchbox/training/checkpoint.py": {"zipfile.ZipFile"},  # a checksum of our own file
    "benchbox/authoring/scaffold.py": {"np.load"},  # the text of a method that is written
    "benchbox/datasets/formats/hdf5.py": {"h5py"},  # classes that are asked for, no file
}
FILES = [
    path
    for folder in ("benchbox", "methods")
    for path in sorted((TOP / folder).rglob("*.py"))
    if not path.is_relative_to(GUARDED)
]


def unguarded(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = ".".join(ast.unparse(node.func).split(".")[-2:])
            if name in CALLS or name.split(".")[-1] in NAMES:
                yield name
            if name == "json.loads" and not own_text(node):
                yield name
        if isinstance(node, ast.Import):
            yield from {alias.name.split(".")[0] for alias in node.names} & MODULES
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield from {node.module.split(".")[0]} & MODULES


def own_text(call: ast.Call) -> bool:
    """Tell whether `json.loads` parses what the process has just written, or was given by its
    parent."""
    return ast.unparse(call.args[0]).startswith(("protocol_card.canonical_json", "sys.argv"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(TOP)))
def test_a_file_of_a_stranger_is_opened_by_a_guarded_reader(path):
    name = str(path.relative_to(TOP))
    found = set(unguarded(ast.parse(path.read_text()))) - MAY.get(name, set())
    assert not found, f"{name}: {sorted(found)}: use benchbox.file_readers"


def test_the_walk_finds_what_is_banned():
    code = (
        "import numpy as np\nnp.load('a')\nfrom scipy.io import loadmat\nloadmat('b')\nimport h5py"
    )
    assert set(unguarded(ast.parse(code))) == {"np.load", "loadmat", "h5py"}
