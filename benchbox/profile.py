"""Profile a method: parameters, multiply-accumulates, size, latency; from its networks alone, no weights, no data.

What is not there to measure (a GPU, a compiler, ONNX Runtime) is said to be "not measured", never copied or guessed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import layouts, plugins, provenance
from .errors import PluginError
from .types import Layout, MethodCard

if TYPE_CHECKING:
    from .kit.profile import Count, Networks

BATCHES = (1, 32)
NOT_MEASURED = "not measured"

Say = Callable[[str], None]


def _silent(line: str) -> None:
    pass


def profile(
    name: str,
    variant: str = "",
    *,
    layout: str = "ibug68",
    budget: str = "paper",
    methods: Sequence[Path] = (),
    say: Say = _silent,
) -> dict[str, Any]:
    """Return the document of `benchbox profile --json`, latencies in milliseconds.

    Raises PluginError for an unknown method, variant or layout, or a method that does not list its networks.
    """
    card = plugins.card(name, methods)
    variant = variant or card.default
    scheme = _layout(card, layout)
    networks = _networks(card, variant, budget, scheme)
    from .kit import profile as counting
    from .kit import runtime

    found = counting.count_all(networks)
    return {
        "schema": 1,
        "method": card.name,
        "variant": variant,
        "budget": budget,
        "points": scheme.count if scheme else None,
        **asdict(found),
        "size_mb": round(4 * found.params / 1e6, 3),
        "networks": [
            {"name": title, "input": [list(tensor.shape) for tensor in example]}
            for title, (_, example) in networks.items()
        ],
        "latency_ms": _latencies(networks, say),
        "environment": provenance.environment(runtime.choose_device("auto")),
    }


def count(name: str, variant: str, *, layout: str = "ibug68", budget: str = "paper") -> Count:
    """Count a variant's networks without timing them; raises PluginError as `profile`."""
    card = plugins.card(name)
    networks = _networks(card, variant, budget, _layout(card, layout))
    from .kit import profile as counting

    return counting.count_all(networks)


def _networks(card: MethodCard, variant: str, budget: str, layout: Layout | None) -> Networks:
    params = plugins.settings(card, variant, budget)
    module = plugins.load(card)
    if not hasattr(module, "networks"):
        raise PluginError(
            f"method {card.name!r} does not list its networks: define `networks(params, layout)` in "
            f"{card.folder.name}/__init__.py (CONTRIBUTING.md)"
        )
    from .kit import runtime

    runtime.prepare("cpu", 0)
    networks: Networks = module.networks(params, layout)
    return networks


def format_table(document: Mapping[str, Any]) -> str:
    """Write a profile as aligned text."""
    points = f", {document['points']} points" if document["points"] else ""
    lines = [
        f"{document['method']} {document['variant']} ({document['budget']} sizes{points})",
        f"  parameters       {document['params']:,} ({document['params_bn_folded']:,} with batch norms folded)",
        f"  MACs             {document['macs']:,} ({document['macs_plus_bias']:,} with biases)",
        f"  size             {document['size_mb']:g} MB (float32, 10⁶ bytes)",
    ]
    for device, engines in document["latency_ms"].items():
        for engine, parts in _rows(engines):
            cells = [f"batch {batch}: {_shown(value)}" for batch, value in parts.items()]
            lines.append(f"  {device:<5}{engine:<22}{'; '.join(cells)}")
    facts = document["environment"]
    lines.append(f"  on {facts['cpu']}, {facts['cores']} cores" + (f", {facts['gpu']}" if facts["gpu"] else ""))
    return "\n".join(lines)


def _rows(engines: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    if isinstance(engines, str):
        yield "", {str(batch): engines for batch in BATCHES}
        return
    for engine, found in engines.items():
        yield engine.replace("_", " "), found


def _shown(value: Any) -> str:
    if isinstance(value, str):
        return value
    return f"{value['median']:.3g} ms ({value['low']:.3g} to {value['high']:.3g})"


def _layout(card: MethodCard, name: str) -> Layout | None:
    if "landmarks" not in card.task:
        return None
    if name not in layouts.LAYOUTS:
        raise PluginError(f"no layout {name!r}; known: {', '.join(layouts.LAYOUTS)}")
    return layouts.LAYOUTS[name]


# --- latency -----------------------------------------------------------------------------------------------------


def _latencies(networks: Networks, say: Say) -> dict[str, Any]:
    from .kit import runtime

    found: dict[str, Any] = {"cpu": _on("cpu", networks, say), "cuda": NOT_MEASURED}
    if runtime.choose_device("auto") == "cuda":
        found["cuda"] = _on("cuda", networks, say)
    return found


def _on(device: str, networks: Networks, say: Say) -> Any:
    """Measure every engine at every batch size; one that cannot be had here says why, once, and is not measured."""
    from .kit import engines
    from .kit.latency import measure

    if not networks:
        return NOT_MEASURED
    ways = {
        "eager": engines.eager,
        "eager_with_crop": engines.eager_with_crop,
        "compiled": engines.compiled,
        "onnx": engines.onnx,
    }
    found: dict[str, Any] = {}
    for title, make in ways.items():
        found[title] = {}
        for batch in BATCHES:
            try:
                found[title][str(batch)] = asdict(measure(make(networks, batch, device), device))
            except Exception as fault:  # noqa: BLE001 - compilers and exporters raise what they like
                say(f"{title} on {device}, batch {batch}: {NOT_MEASURED} ({_first_line(fault)})")
                found[title][str(batch)] = NOT_MEASURED
    return found


def _first_line(fault: Exception) -> str:
    lines = str(fault).strip().splitlines()
    return f"{type(fault).__name__}: {lines[0] if lines else ''}"
