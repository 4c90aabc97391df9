"""The import graph is the architecture (CONTRIBUTING.md): a small AST walk keeps it so."""

import ast
from pathlib import Path

import pytest

TOP = Path(__file__).parents[1]
PACKAGE = TOP / "benchbox"

# room → rooms that it may import at run time, its own files aside; type-checking imports are free
ARROWS = {
    "errors": set(),
    "types": set(),
    "discovery": set(),
    "geometry": {"types"},
    "layouts": {"types"},
    "metrics": {"types", "errors", "geometry", "layouts"},
    "selection": {"types", "errors"},
    "options": {"types", "errors"},
    "described": {"types", "layouts", "options"},
    "schema": {"types", "errors", "layouts", "datasets", "selection"},
    # datasets: only names
    "protocol": {"types", "errors", "discovery", "described", "options", "schema"},
    "plugins": {"types", "errors", "discovery"},
    "references": {"types", "errors", "discovery", "protocol"},
    "predictions": {"types", "errors", "geometry"},
    "provenance": {"types", "errors"},
    "pseudo_labels": {"types", "errors", "predictions", "layouts", "metrics"},
    "store": {"types", "errors", "predictions"},
    "items": {"types", "errors", "metrics", "layouts"},
    "score": {"types", "errors", "metrics", "items"},
    "compare": {"types", "errors", "store", "protocol", "metrics"},
    "explain": {
        "types", "errors", "pipeline", "datasets", "protocol", "predictions", "score", "metrics", "layouts", "geometry",
        "references",
    },
    "faceworld": {"types", "errors", "geometry", "layouts"},
    "datasets": {"types", "errors", "geometry", "layouts", "faceworld", "selection"},
    "kit": {"types", "errors", "geometry", "layouts"},
    "pipeline": {
        "types", "errors", "datasets", "protocol", "score", "store", "plugins", "predictions", "layouts", "provenance",
        "kit", "version", "inference", "pseudo_labels",
    },
    "inference": {"types", "errors", "metrics"},
    "external": {
        "types", "errors", "datasets", "protocol", "score", "store", "plugins", "predictions", "provenance",
        "selection", "pipeline",
    },
    "doctor": {"types", "errors", "datasets", "layouts", "geometry", "selection"},
    "conformance": {
        "types", "errors", "kit", "datasets", "protocol", "plugins", "pipeline", "layouts", "predictions", "selection",
        "inference",
    },
    "scaffold": {"types", "errors", "plugins"},
    "submission": {
        "types", "errors", "geometry", "datasets", "kit", "pipeline", "plugins", "predictions", "protocol", "store",
        "inference",
    },
    "profile": {"types", "errors", "plugins", "layouts", "kit", "provenance", "claims"},
    "lint": {"types", "references"},
    "claims": {"errors", "discovery"},
    "baseline": {"types", "errors", "store", "protocol", "metrics", "external"},
    "check": {
        "types", "errors", "store", "protocol", "metrics", "references", "claims", "compare", "plugins", "profile",
    },
    "report": {
        "faceworld", "types", "errors", "store", "metrics", "plugins", "protocol", "references", "layouts", "lint",
        "check", "claims", "pseudo_labels",
    },
    "sweep": {"types", "errors", "pipeline", "plugins", "protocol"},
    "cli": {
        "sweep",
        "types", "errors", "pipeline", "external", "report", "plugins", "protocol", "store", "datasets", "conformance",
        "scaffold", "doctor",
        "compare", "explain", "profile", "check", "baseline",
        "score", "predictions", "layouts", "submission",
    },
}  # fmt: skip
PLUGIN_MAY = {"types", "errors", "kit", "geometry", "layouts", "metrics"}
HEAVY = {"torch", "pandas", "matplotlib"}
LIGHT_ROOMS = {
    "cli",
    "described",
    "schema",
    "options",
    "selection",
    "plugins",
    "protocol",
    "discovery",
    "types",
    "errors",
    "layouts",
    "__init__",
    "__main__",
}


def imports(path: Path, *, only_top_level: bool = False) -> set[str]:
    """Dotted names that a file imports outside `if TYPE_CHECKING`.

    Relative ones resolved from its place.
    """
    tree = ast.parse(path.read_text())
    package = path.relative_to(TOP).with_suffix("").parts[:-1]
    found: set[str] = set()

    def visit(node: ast.AST, top: bool) -> None:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            return
        if isinstance(node, ast.Import) and (top or not only_top_level):
            found.update(alias.name for alias in node.names)
        if isinstance(node, ast.ImportFrom) and (top or not only_top_level):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*base, *([node.module] if node.module else [])])
            found.update(f"{module}.{alias.name}" for alias in node.names)
        for child in ast.iter_child_nodes(node):
            visit(child, top and not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))

    visit(tree, True)
    return found


def room(path: Path) -> str:
    """First folder or file name inside the package."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def rooms(names: set[str]) -> set[str]:
    known = {p.stem for p in PACKAGE.iterdir()}
    return {
        n.split(".")[1] for n in names if n.startswith("benchbox.") and n.split(".")[1] in known
    }


FILES = sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_every_import_follows_an_arrow(path):
    here = room(path)
    if here in ("__init__", "__main__"):
        return
    assert here in ARROWS, f"{here} is a new room: give it its arrows"
    wrong = rooms(imports(path)) - ARROWS[here] - {here}
    assert not wrong, (
        f"{path.name} imports {sorted(wrong)}; {here} may import {sorted(ARROWS[here])}"
    )


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_torch_lives_in_the_kit_and_nothing_else_is_heavy(path):
    heavy = {name.split(".")[0] for name in imports(path)} & HEAVY
    if path == PACKAGE / "report" / "figures.py":
        assert heavy == {"matplotlib"}
        assert not {
            name for name in imports(path, only_top_level=True) if name.startswith("matplotlib")
        }
    elif room(path) != "kit":
        assert not heavy
    if room(path) in LIGHT_ROOMS:
        light = imports(path, only_top_level=True)
        assert not {name.split(".")[0] for name in light} & {
            "numpy",
            "scipy",
            "cv2",
            "jinja2",
            "tqdm",
        }


@pytest.mark.parametrize(
    "path", sorted((TOP / "methods").rglob("*.py")), ids=lambda p: str(p.relative_to(TOP))
)
def test_a_method_stays_in_its_folder(path):
    names = imports(path)
    assert rooms(names) <= PLUGIN_MAY
    own = ".".join(path.relative_to(TOP).parts[:2])
    others = {
        n for n in names if n.startswith(("methods.", "benchbox_methods")) and not n.startswith(own)
    }
    assert not others, "a plugin imports another plugin"


def test_nothing_imports_a_plugin_by_name():
    for path in FILES:
        assert not {
            n
            for n in imports(path)
            if n.split(".")[0] in ("methods", "benchbox_methods", "benchbox_protocols")
        }


def test_the_graph_has_no_cycle():
    seen: dict[str, int] = {}

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, " → ".join([*trail, name])
        if name in seen:
            return
        for path in FILES:
            if room(path) == name:
                for target in rooms(imports(path)) - {name}:
                    visit(target, (*trail, name))
        seen[name] = 1

    for name in ARROWS:
        visit(name, ())
