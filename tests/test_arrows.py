"""The import graph is the architecture (CONTRIBUTING.md): a small AST walk keeps it so."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

TOP = Path(__file__).parents[1]
PACKAGE = TOP / "benchbox"
# what every room may stand on
GROUND = {
    "types",
    "errors",
    "geometry",
    "layouts",
    "text_table",
    "atomic_write",
    "csv_cells",
    "number_text",
    "repeated_numbers",
    "process_rank",
    "progress",
    "cache_place",
    "data_place",
    "file_lock",
}

# the room that every other one may stand on: whoever opens a file of a stranger
EVERYWHERE = {"file_readers"}

# room → rooms that it imports at run time, the ground floor and its own files aside.
# Imports under TYPE_CHECKING are free. An arrow that nobody uses any more is struck out.
ARROWS = {
    "file_readers": set(),
    "plugins": set(),
    "metrics": set(),
    "face_renderer": set(),
    "datasets": {"face_renderer"},
    "protocols": {"plugins", "datasets", "metrics"},
    "papers": {"plugins", "metrics"},
    "scoring": {"metrics"},
    "training": set(),
    "costs": {"training"},
    "runs": {
        "plugins",
        "protocols",
        "datasets",
        "metrics",
        "scoring",
        "training",
        "costs",
    },
    "authoring": {
        "plugins",
        "protocols",
        "papers",
        "datasets",
        "metrics",
        "scoring",
        "runs",
        "training",
        "costs",
    },
    "analysis": {
        "plugins",
        "protocols",
        "papers",
        "datasets",
        "metrics",
        "scoring",
        "runs",
        "authoring",
    },
    "report": {
        "plugins",
        "protocols",
        "papers",
        "datasets",
        "metrics",
        "face_renderer",
        "scoring",
        "runs",
        "analysis",
    },
    "notebook": {
        "plugins",
        "protocols",
        "papers",
        "scoring",
        "runs",
        "analysis",
        "report",
    },
    "cli": {
        "plugins",
        "protocols",
        "papers",
        "datasets",
        "metrics",
        "scoring",
        "runs",
        "authoring",
        "analysis",
        "report",
    },
}
# plugins: a method with cards of its own reads them as all cards are read
PLUGIN_MAY = GROUND | EVERYWHERE | {"training", "metrics", "plugins"}
HEAVY = {"torch", "pandas", "matplotlib"}
TORCH_ROOMS = {"training", "costs"}
# files that import something heavy inside a function, when it is asked for
LAZY_FILES = {
    PACKAGE / "report" / "charts" / "pdf.py": {"matplotlib"},
    PACKAGE / "notebook" / "frames.py": {"pandas"},
}
LIGHT_ROOMS = {"cli", "plugins", "protocols", "types", "errors", "layouts", "__init__", "__main__"}
LIGHT_FILES = {PACKAGE / "datasets" / "select.py"}
SLOW_LIBRARIES = {"numpy", "scipy", "cv2", "jinja2", "tqdm"}

FILES = sorted(PACKAGE.rglob("*.py"))
PLUGIN_FILES = sorted((TOP / "methods").rglob("*.py"))


def is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


def import_nodes(node: ast.AST, *, top_level: bool) -> Iterator[ast.Import | ast.ImportFrom]:
    """Walk to the imports that run; `top_level` leaves those inside functions out."""
    for child in ast.iter_child_nodes(node):
        if is_type_checking(child):
            continue
        if top_level and isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield child
        yield from import_nodes(child, top_level=top_level)


@cache
def imports(path: Path, *, top_level: bool = False) -> frozenset[str]:
    """Dotted names that a file imports, relative ones resolved from its place."""
    package = path.relative_to(TOP).parts[:-1]
    names: set[str] = set()
    for node in import_nodes(ast.parse(path.read_text()), top_level=top_level):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
            continue
        base = list(package[: len(package) - node.level + 1]) if node.level else []
        if node.module:
            base.append(node.module)
        names.update(".".join([*base, alias.name]) for alias in node.names)
    return frozenset(names)


def room(path: Path) -> str:
    """First folder or file name inside the package."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def rooms(names: frozenset[str]) -> set[str]:
    known = {path.stem for path in PACKAGE.iterdir()}
    inside = {name.split(".")[1] for name in names if name.startswith("benchbox.")}
    return inside & known


def name_of(path: Path) -> str:
    return str(path.relative_to(TOP))


def file_of(name: str) -> Path | None:
    """The file that a dotted name stands for: a module, or the module that holds a function."""
    while name.startswith("benchbox."):
        place = TOP / name.replace(".", "/")
        for path in (place.with_suffix(".py"), place / "__init__.py"):
            if path.is_file():
                return path
        name = name.rpartition(".")[0]
    return None


def test_about_thirteen_rooms_are_named():
    folders = {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").is_file()}
    files = {path.stem for path in PACKAGE.glob("*.py")} - {"__init__", "__main__"}
    assert folders == set(ARROWS), "a new room: give it its arrows"
    assert files == GROUND, "a file on the ground floor that no room owns"


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_every_import_follows_an_arrow(path):
    here = room(path)
    if here in ("__init__", "__main__"):
        return
    may = GROUND | EVERYWHERE | ARROWS.get(here, set()) | {here}
    wrong = rooms(imports(path)) - may
    assert not wrong, f"{path.name} imports {sorted(wrong)}; {here} may import {sorted(may)}"


@pytest.mark.parametrize("here", sorted(ARROWS))
def test_every_permitted_arrow_is_used(here):
    used: set[str] = set()
    for path in FILES:
        if room(path) == here:
            used |= rooms(imports(path))
    idle = ARROWS[here] - used
    assert not idle, f"{here} → {sorted(idle)}: nobody goes there, strike it out"


def test_rooms_and_files_have_no_circle():
    """Rooms by their table, files by what they import when they are loaded."""
    graph: dict[str, set[str]] = {name: set(targets) for name, targets in ARROWS.items()}
    for path in FILES:
        targets = {file_of(name) for name in imports(path, top_level=True)} - {None, path}
        graph[name_of(path)] = {name_of(target) for target in targets if target}
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, " → ".join([*trail, name])
        if name in done:
            return
        for target in sorted(graph[name]):
            visit(target, (*trail, name))
        done.add(name)

    for name in graph:
        visit(name, ())


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_torch_lives_in_training_and_costs_and_nothing_else_is_heavy(path):
    heavy = {name.split(".")[0] for name in imports(path)} & HEAVY
    if path in LAZY_FILES:
        assert heavy == LAZY_FILES[path]
        at_once = imports(path, top_level=True)
        assert not {name.split(".")[0] for name in at_once} & HEAVY
    elif room(path) not in TORCH_ROOMS:
        assert not heavy
    if room(path) in LIGHT_ROOMS or path in LIGHT_FILES:
        at_once = imports(path, top_level=True)
        assert not {name.split(".")[0] for name in at_once} & SLOW_LIBRARIES


@pytest.mark.parametrize("path", PLUGIN_FILES, ids=name_of)
def test_a_method_stays_in_its_folder(path):
    names = imports(path)
    assert rooms(names) <= PLUGIN_MAY
    own = ".".join(path.relative_to(TOP).parts[:2])
    plugins = {name for name in names if name.startswith(("methods.", "benchbox_methods"))}
    assert not {name for name in plugins if not name.startswith(own)}, "imports another plugin"


def test_nothing_imports_a_plugin_by_name():
    plugins = {"methods", "benchbox_methods", "benchbox_protocols"}
    for path in FILES:
        assert not {name.split(".")[0] for name in imports(path)} & plugins, path
