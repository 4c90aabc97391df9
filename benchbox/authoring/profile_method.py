"""Profile a method: parameters, multiply-accumulates, size, latency.

From its networks alone, no weights, no data.

What is not there to measure (a GPU, a compiler, ONNX Runtime) is said to be "not measured", never
copied or guessed. What was counted stands first and is the same wherever it is counted; what was
measured, and where, stands at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from benchbox import layouts
from benchbox.errors import PluginError, ResultError
from benchbox.papers import claims
from benchbox.plugins import method_card
from benchbox.runs import provenance
from benchbox.types import Layout, MethodCard

if TYPE_CHECKING:
    from benchbox.costs.op_count import Networks, OpCount

BATCH_SIZES = (1, 32)
NOT_MEASURED = "not measured"
KEPT_LAYOUT, KEPT_BUDGET = (
    "ibug68",
    "paper",
)  # what papers print sizes of, and what is kept under results/

Say = Callable[[str], None]


def _silent(line: str) -> None:
    pass


def make_profile(
    name: str,
    variant: str = "",
    *,
    layout: str = KEPT_LAYOUT,
    budget: str = KEPT_BUDGET,
    overrides: Mapping[str, str] = MappingProxyType({}),
    methods: Sequence[Path] = (),
    timed: bool = True,
    say: Say = _silent,
) -> dict[str, Any]:
    """Return the document of `benchbox profile --json`, latencies in milliseconds.

    Not `timed`: none is measured.

    Raises PluginError for an unknown method, variant, layout or override, or a method that does not
    list its networks.
    """
    card = method_card.find_card(name, methods)
    variant = variant or card.default
    scheme = _layout(card, layout)
    networks = _networks(card, variant, budget, scheme, overrides)
    from benchbox.costs import op_count as counting
    from benchbox.training import process_setup

    found, layers = counting.count_networks(networks)
    comparable = budget == KEPT_BUDGET and layout == KEPT_LAYOUT
    return {
        "schema": 1,
        "method": card.name,
        "variant": variant,
        "budget": budget,
        "overrides": dict(overrides),
        "points": scheme.count if scheme else None,
        **asdict(found),
        "size_mb": round(4 * found.params / 1e6, 3),
        "claimed": _compare_with_claims(card, variant, found, overrides) if comparable else [],
        "networks": [
            {"name": title, "input": [list(tensor.shape) for tensor in example]}
            for title, (_, example) in networks.items()
        ],
        "layers": [asdict(layer) for layer in layers],
        "latency_ms": _all_latencies(networks, say)
        if timed
        else {"cpu": NOT_MEASURED, "cuda": NOT_MEASURED},
        "code": provenance.code_version(method_card.hash_method_code(card)),
        "environment": {
            **provenance.run_environment(process_setup.choose_device("auto")),
            "onnxruntime": provenance.installed_version("onnxruntime"),
            "threads": process_setup.count_threads(),
        },
    }


def require_storable(
    layout: str, budget: str, overrides: Mapping[str, str] = MappingProxyType({})
) -> None:
    """Raise ResultError for sizes that are not kept under `results/`."""
    if (layout, budget) != (KEPT_LAYOUT, KEPT_BUDGET):
        raise ResultError(
            f"only profiles at the {KEPT_BUDGET} sizes, landmarks as {KEPT_LAYOUT}, are kept; leave --save out"
        )
    if overrides:
        raise ResultError(
            "only profiles of variants as they stand are kept, nothing --set; leave --save out"
        )


def count_operations(
    name: str,
    variant: str,
    *,
    layout: str = KEPT_LAYOUT,
    budget: str = KEPT_BUDGET,
    overrides: Mapping[str, str] = MappingProxyType({}),
) -> OpCount:
    """Count a variant's networks without timing them, once per process.

    Raises PluginError as `profile`.
    """
    return _cached_count(name, variant, layout, budget, tuple(overrides.items()))


@cache  # papers print several sizes of one network
def _cached_count(
    name: str, variant: str, layout: str, budget: str, overrides: tuple[tuple[str, str], ...]
) -> OpCount:
    return _count(method_card.find_card(name), variant, layout, budget, dict(overrides))


def _count(
    card: MethodCard, variant: str, layout: str, budget: str, overrides: Mapping[str, str]
) -> OpCount:
    networks = _networks(card, variant, budget, _layout(card, layout), overrides)
    from benchbox.costs import op_count as counting

    return counting.count_networks(networks)[0]


def _compare_with_claims(
    card: MethodCard, variant: str, found: OpCount, overrides: Mapping[str, str]
) -> list[dict[str, Any]]:
    """Hold a count against what papers print of this variant: every difference, and what is known about it.

    Where other settings meet the print, their count stands there, too; other overrides than those
    meet no claim.
    """
    said = []
    for fact in claims.load_claims().facts:
        if fact.system != f"{card.name}/{variant}" or (
            overrides and dict(overrides) != dict(fact.settings)
        ):
            continue
        counted = getattr(found, fact.quantity)
        met, why = fact.beside(counted)
        entry = {
            "paper": fact.paper,
            "table": fact.table,
            "quantity": fact.quantity,
            "printed": fact.printed,
            "counted": counted,
            "met": met,
            "why": why,
        }
        if fact.settings and not overrides:
            other = getattr(
                _count(card, variant, KEPT_LAYOUT, KEPT_BUDGET, fact.settings), fact.quantity
            )
            entry["instead"] = {
                "settings": dict(fact.settings),
                "counted": other,
                "met": fact.beside(other)[0],
            }
        said.append(entry)
    return said


def _networks(
    card: MethodCard, variant: str, budget: str, layout: Layout | None, overrides: Mapping[str, str]
) -> Networks:
    params = method_card.merge_params(card, variant, budget, overrides)
    module = method_card.import_method(card)
    if not hasattr(module, "networks"):
        raise PluginError(
            f"method {card.name!r} does not list its networks: define `networks(params, layout)` in "
            f"{card.folder.name}/__init__.py (CONTRIBUTING.md)"
        )
    from benchbox.training import process_setup

    process_setup.prepare_process("cpu", 0)
    networks: Networks = module.networks(params, layout)
    return networks


def format_profile(document: Mapping[str, Any]) -> str:
    """Write a profile as aligned text."""
    points = f", {document['points']} points" if document["points"] else ""
    changed = "".join(f", {key}={value}" for key, value in document["overrides"].items())
    lines = [
        f"{document['method']} {document['variant']}{changed} ({document['budget']} sizes{points})",
        f"  parameters       {document['params']:,} ({document['params_bn_folded']:,} with batch norms folded)",
        f"  MACs             {document['macs']:,} ({document['macs_plus_bias']:,} with biases)",
        f"  size             {document['size_mb']:g} MB (float32, 10⁶ bytes)",
    ]
    for claim in document["claimed"]:
        beside = "met" if claim["met"] else f"not met: {claim['why']}"
        if instead := claim.get("instead"):
            settings = " ".join(f"{key}={value}" for key, value in instead["settings"].items())
            beside += f"; with --set {settings} {instead['counted']:,}: {'met' if instead['met'] else 'not met'}"
        counted = f"{claim['quantity']} {claim['counted']:,}"
        lines.append(
            f"  claimed          {claim['printed']} ({claim['paper']}, {claim['table']}); {counted}: {beside}"
        )
    for device, engines in document["latency_ms"].items():
        for engine, parts in _latency_rows(engines):
            cells = [f"batch {batch}: {_format_latency(value)}" for batch, value in parts.items()]
            lines.append(f"  {device:<5}{engine:<22}{'; '.join(cells)}")
    facts = document["environment"]
    lines.append(
        f"  on {facts['cpu']}, {facts['threads']} threads of {facts['cores']} cores"
        + (f", {facts['gpu']}" if facts["gpu"] else "")
    )
    return "\n".join(lines)


def _latency_rows(engines: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    if isinstance(engines, str):
        yield "", {str(batch): engines for batch in BATCH_SIZES}
        return
    for engine, found in engines.items():
        yield engine.replace("_", " "), found


def _format_latency(value: Any) -> str:
    if isinstance(value, str):
        return value
    return f"{value['median']:.3g} ms ({value['low']:.3g} to {value['high']:.3g})"


def _layout(card: MethodCard, name: str) -> Layout | None:
    if "landmarks" not in card.task:
        return None
    if name not in layouts.LAYOUTS:
        raise PluginError(f"no layout {name!r}; known: {', '.join(layouts.LAYOUTS)}")
    return layouts.LAYOUTS[name]


# --- latency --------------------------------------------------------------------------------------


def _all_latencies(networks: Networks, say: Say) -> dict[str, Any]:
    from benchbox.training import process_setup

    found: dict[str, Any] = {"cpu": _device_latencies("cpu", networks, say), "cuda": NOT_MEASURED}
    if process_setup.choose_device("auto") == "cuda":
        found["cuda"] = _device_latencies("cuda", networks, say)
    return found


def _device_latencies(device: str, networks: Networks, say: Say) -> Any:
    """Measure every engine at every batch size.

    One that cannot be had here says why, once, and is not measured.
    """
    from benchbox.costs import inference_backends
    from benchbox.costs.latency import measure_latency

    if not networks:
        return NOT_MEASURED
    ways = {
        "eager": inference_backends.eager_backend,
        "eager_with_crop": inference_backends.eager_with_crop_backend,
        "compiled": inference_backends.compiled_backend,
        "onnx": inference_backends.onnx_backend,
    }
    found: dict[str, Any] = {}
    for title, make in ways.items():
        found[title] = {}
        for batch in BATCH_SIZES:
            try:
                found[title][str(batch)] = asdict(
                    measure_latency(make(networks, batch, device), device)
                )
            except Exception as fault:  # noqa: BLE001 - compilers and exporters raise what they like
                say(f"{title} on {device}, batch {batch}: {NOT_MEASURED} ({_first_line(fault)})")
                found[title][str(batch)] = NOT_MEASURED
    return found


def _first_line(fault: Exception) -> str:
    lines = str(fault).strip().splitlines()
    return f"{type(fault).__name__}: {lines[0] if lines else ''}"
