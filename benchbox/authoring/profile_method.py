"""Profile a method from its networks, without weights or data: parameters, MACs, size, latency.

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
from benchbox.plugins import code_digest, method_call, method_card
from benchbox.runs import external_program, provenance
from benchbox.types import Layout, MethodCard

if TYPE_CHECKING:
    from benchbox.costs.op_count import Networks, OpCount

BATCH_SIZES = (1, 32)
NOT_MEASURED = "not measured"
# what papers print sizes of, and what is kept under results/
KEPT_LAYOUT, KEPT_BUDGET = "ibug68", "paper"

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
    scheme = _find_layout(card, layout)
    networks = _make_networks(card, variant, budget, scheme, overrides)
    from benchbox.costs import op_count
    from benchbox.training import process_setup

    counts = op_count.count_networks(networks)
    total = counts.total
    flop_counter_macs = op_count.flop_counter_macs(networks)
    points = None
    if scheme:
        points = scheme.count
    claimed = []
    if (layout, budget) == (KEPT_LAYOUT, KEPT_BUDGET):
        claimed = _compare_with_claims(card, variant, total, overrides)
    latencies = {"cpu": NOT_MEASURED, "cuda": NOT_MEASURED}
    if timed:
        latencies = _all_latencies(networks, say)
    inputs = []
    for title, (_, example) in networks.items():
        inputs.append({"name": title, "input": [list(tensor.shape) for tensor in example]})
    return {
        "schema": 1,
        "method": card.name,
        "variant": variant,
        "budget": budget,
        "overrides": dict(overrides),
        "settings": method_card.merge_params(card, variant, budget, overrides),
        "points": points,
        **asdict(total),
        "size_mb": round(4 * total.params / 1e6, 3),
        "uncounted_layers": counts.uncounted,
        "flop_counter": {
            "macs": flop_counter_macs,
            "difference": flop_counter_macs - total.macs,
        },
        "claimed": claimed,
        "networks": inputs,
        "layers": [asdict(layer) for layer in counts.layers],
        "latency_ms": latencies,
        "code": asdict(provenance.code_version(code_digest.digest_code(card))),
        "environment": {
            **asdict(provenance.run_environment(process_setup.choose_device("auto"))),
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
            f"only profiles at the {KEPT_BUDGET} sizes, landmarks as {KEPT_LAYOUT}, are kept;"
            " leave --save out"
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
    networks = _make_networks(card, variant, budget, _find_layout(card, layout), overrides)
    from benchbox.costs import op_count

    return op_count.count_networks(networks).total


def _compare_with_claims(
    card: MethodCard, variant: str, total: OpCount, overrides: Mapping[str, str]
) -> list[dict[str, Any]]:
    """Hold a count against what papers print of this variant: by how much it is off, and why.

    Where other settings meet the print, their count stands there, too; other overrides than those
    meet no claim.
    """
    compared = []
    for claim in claims.load_claims().facts:
        about_this = claim.system == f"{card.name}/{variant}"
        if not about_this or (overrides and dict(overrides) != dict(claim.settings)):
            continue
        counted = getattr(total, claim.quantity)
        met, why = claim.compare_count(counted)
        entry = {
            "paper": claim.paper,
            "table": claim.table,
            "quantity": claim.quantity,
            "printed": claim.printed,
            "counted": counted,
            "met": met,
            "why": why,
        }
        if claim.settings and not overrides:
            other_total = _count(card, variant, KEPT_LAYOUT, KEPT_BUDGET, claim.settings)
            other = getattr(other_total, claim.quantity)
            entry["instead"] = {
                "settings": dict(claim.settings),
                "counted": other,
                "met": claim.compare_count(other)[0],
            }
        compared.append(entry)
    return compared


def _make_networks(
    card: MethodCard, variant: str, budget: str, layout: Layout | None, overrides: Mapping[str, str]
) -> Networks:
    params = method_card.merge_params(card, variant, budget, overrides)
    module = external_program.open_method(card)
    if not hasattr(module, "networks"):
        raise PluginError(
            f"method {card.name!r} does not list its networks: define `networks(params, layout)`"
            f" in {card.folder.name}/__init__.py"
            ' (the guide "Add a method" shows how, and so does `benchbox new method NAME'
            " --template torch`)"
        )
    from benchbox.training import process_setup

    process_setup.prepare_process("cpu", 0)
    blame = method_card.blame_method(card)
    networks: Networks = method_call.list_networks(module, params, layout, blame)
    return networks


def format_profile(document: Mapping[str, Any]) -> str:
    """Write a profile as aligned text."""
    title = f"{document['method']} {document['variant']}"
    for key, value in document["overrides"].items():
        title += f", {key}={value}"
    sizes = f"{document['budget']} sizes"
    if document["points"]:
        sizes += f", {document['points']} points"
    folded, with_biases = document["params_bn_folded"], document["macs_plus_bias"]
    lines = [
        f"{title} ({sizes})",
        f"  parameters       {document['params']:,} ({folded:,} with batch norms folded)",
        f"  MACs             {document['macs']:,} ({with_biases:,} with biases)",
        f"  size             {document['size_mb']:g} MB (float32, 10⁶ bytes)",
        *_counting_doubts(document),
    ]
    for claim in document["claimed"]:
        lines.append(f"  claimed          {_format_claim(claim)}")
    for device, engines in document["latency_ms"].items():
        for engine, by_batch in _latency_rows(engines):
            cells = [f"batch {size}: {_format_latency(value)}" for size, value in by_batch.items()]
            lines.append(f"  {device:<5}{engine:<22}{'; '.join(cells)}")
    facts = document["environment"]
    machine = f"  on {facts['cpu']}, {facts['threads']} threads of {facts['cores']} cores"
    if facts["gpu"]:
        machine += f", {facts['gpu']}"
    return "\n".join([*lines, machine])


def _format_claim(claim: Mapping[str, Any]) -> str:
    verdict = "met"
    if not claim["met"]:
        verdict = f"not met: {claim['why']}"
    instead = claim.get("instead")
    if instead:
        settings = " ".join(f"{key}={value}" for key, value in instead["settings"].items())
        other_verdict = "met"
        if not instead["met"]:
            other_verdict = "not met"
        verdict += f"; with --set {settings} {instead['counted']:,}: {other_verdict}"
    printed = f"{claim['printed']} ({claim['paper']}, {claim['table']})"
    return f"{printed}; {claim['quantity']} {claim['counted']:,}: {verdict}"


def _counting_doubts(document: Mapping[str, Any]) -> list[str]:
    """Say which layers were not counted, and where PyTorch's own counter says another number."""
    lines = [f"  not counted      {layer}" for layer in document["uncounted_layers"]]
    other = document["flop_counter"]
    if other["difference"]:
        share = ""
        if document["macs"]:
            share = f", {100 * other['difference'] / document['macs']:+.2f} %"
        lines.append(
            f"  flop counter     {other['macs']:,} MACs by torch.utils.flop_counter "
            f"({other['difference']:+,}{share})"
        )
    return lines


def _latency_rows(engines: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    if isinstance(engines, str):
        yield "", {str(batch): engines for batch in BATCH_SIZES}
        return
    for engine, by_batch in engines.items():
        yield engine.replace("_", " "), by_batch


def _format_latency(value: Any) -> str:
    if isinstance(value, str):
        return value
    return f"{value['median']:.3g} ms ({value['low']:.3g} to {value['high']:.3g})"


def _find_layout(card: MethodCard, name: str) -> Layout | None:
    if "landmarks" not in card.task:
        return None
    if name not in layouts.LAYOUTS:
        raise PluginError(f"no layout {name!r}; known: {', '.join(layouts.LAYOUTS)}")
    return layouts.LAYOUTS[name]


# --- latency --------------------------------------------------------------------------------------


def _all_latencies(networks: Networks, say: Say) -> dict[str, Any]:
    from benchbox.training import process_setup

    cpu = _device_latencies("cpu", networks, say)
    cuda = NOT_MEASURED
    if process_setup.choose_device("auto") == "cuda":
        cuda = _device_latencies("cuda", networks, say)
    return {"cpu": cpu, "cuda": cuda}


def _device_latencies(device: str, networks: Networks, say: Say) -> Any:
    """Measure every engine at every batch size.

    One that cannot be had here says why, once, and is not measured.
    """
    from benchbox.costs import inference_backends
    from benchbox.costs.latency import measure_latency

    if not networks:
        return NOT_MEASURED
    backends = {
        "eager": inference_backends.eager_backend,
        "eager_with_crop": inference_backends.eager_with_crop_backend,
        "compiled": inference_backends.compiled_backend,
        "onnx": inference_backends.onnx_backend,
    }
    latencies: dict[str, dict[str, Any]] = {engine: {} for engine in backends}
    for engine, backend in backends.items():
        for batch in BATCH_SIZES:
            try:
                latency = measure_latency(backend(networks, batch, device), device)
            except Exception as fault:  # noqa: BLE001 - exporters raise what they like
                reason = _first_line(fault)
                say(f"{engine} on {device}, batch {batch}: {NOT_MEASURED} ({reason})")
                latencies[engine][str(batch)] = NOT_MEASURED
            else:
                latencies[engine][str(batch)] = asdict(latency)
    return latencies


def _first_line(fault: Exception) -> str:
    lines = str(fault).strip().splitlines() or [""]
    return f"{type(fault).__name__}: {lines[0]}"
