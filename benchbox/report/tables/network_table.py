"""What a method's networks are made of, from what `benchbox profile --save` keeps, beside what papers print of them.

Counts are those of the paper's sizes. Only layers that multiply have a row; norms and activations
are summed up below. What was not profiled is said to be not measured.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchbox.metrics import number_format
from benchbox.papers.claims import SizeClaim
from benchbox.types import MethodCard

NOT_MEASURED = "not measured"
_MOST_LAYERS = 600  # rows of one table: beyond that nobody reads
_QUANTITIES = {
    "params": "parameters",
    "macs": "MACs, biases free",
    "macs_plus_bias": "MACs with biases",
}


@dataclass(frozen=True)
class NetworkSize:
    """One variant's counts as printed."""

    variant: str
    # parameters, with norms folded, MACs, MACs with biases, MB, ms of one face
    cells: tuple[str, ...]


@dataclass(frozen=True)
class LayerRow:
    """One layer."""

    name: str
    type: str
    output: str  # "8 × 64 × 64"
    calls: str
    params: str
    macs: str


@dataclass(frozen=True)
class Network:
    """One network and its layers."""

    name: str
    params: str
    macs: str
    layers: tuple[LayerRow, ...]
    rest: str  # what the layers without a row hold


@dataclass(frozen=True)
class NetworkBuild:
    """Variants that are built alike."""

    variants: tuple[str, ...]
    parts: tuple[Network, ...]


@dataclass(frozen=True)
class SizeCheck:
    """A printed size beside a counted one."""

    system: str
    where: str
    quantity: str
    printed: str
    counted: str
    apart: str  # "+7.79 %"
    verdict: str
    why: str


@dataclass(frozen=True)
class NetworkTable:
    """Everything that a method's page says of its networks."""

    sizes: tuple[NetworkSize, ...]
    missing: tuple[str, ...]  # variants that nobody profiled
    machine: str  # where the latencies were taken
    builds: tuple[NetworkBuild, ...]
    facts: tuple[SizeCheck, ...]


Profiles = Mapping[tuple[str, str], Mapping[str, Any]]


def describe_networks(
    name: str, card: MethodCard | None, profiles: Profiles, facts: Iterable[SizeClaim]
) -> NetworkTable:
    """Put together what is known of a method's variants, in the order of its card."""
    own = {variant: document for (method, variant), document in profiles.items() if method == name}
    # others are no print's
    own = {v: document for v, document in own.items() if document.get("budget") == "paper"}
    order = [variant for variant in (card.variants if card else ()) if variant in own]
    order += [variant for variant in own if variant not in order]
    claimed = [fact for fact in facts if fact.system.partition("/")[0] == name]
    machines = dict.fromkeys(_machine(own[variant]) for variant in order)
    return NetworkTable(
        sizes=tuple(NetworkSize(variant, _size_cells(own[variant])) for variant in order),
        missing=tuple(v for v in (card.variants if card else ()) if v not in own) if own else (),
        machine="; ".join(filter(None, machines)),
        builds=tuple(_distinct_builds(order, own)),
        facts=tuple(
            _size_check(fact, own.get(fact.system.partition("/")[2], {})) for fact in claimed
        ),
    )


def _size_cells(document: Mapping[str, Any]) -> tuple[str, ...]:
    counts = [
        _count(document.get(key))
        for key in ("params", "params_bn_folded", "macs", "macs_plus_bias")
    ]
    megabytes, latency = _number(document.get("size_mb")), _latency(document)
    return (
        *(NOT_MEASURED if count is None else f"{count:,}" for count in counts),
        NOT_MEASURED if megabytes is None else f"{megabytes:.2f}",
        NOT_MEASURED if latency is None else number_format.format_milliseconds(latency),
    )


def _latency(document: Mapping[str, Any]) -> float | None:
    found: object = document.get("latency_ms")
    for key in ("cpu", "eager", "1", "median"):
        found = found.get(key) if isinstance(found, Mapping) else None
    return _number(found)


def _machine(document: Mapping[str, Any]) -> str:
    facts = document.get("environment")
    if _latency(document) is None or not isinstance(facts, Mapping):
        return ""
    return f"{facts.get('cpu')}, {facts.get('threads')} of {facts.get('cores')} cores, PyTorch {facts.get('torch')}"


def _distinct_builds(
    order: Sequence[str], own: Mapping[str, Mapping[str, Any]]
) -> list[NetworkBuild]:
    """Describe every build once, whatever the number of variants that share it."""
    known: dict[tuple[Network, ...], list[str]] = {}
    for variant in order:
        parts = _networks(own[variant])
        if parts:
            known.setdefault(parts, []).append(variant)
    return [NetworkBuild(tuple(variants), parts) for parts, variants in known.items()]


def _networks(document: Mapping[str, Any]) -> tuple[Network, ...]:
    networks, layers = document.get("networks"), document.get("layers")
    if not isinstance(networks, list) or not isinstance(layers, list):
        return ()
    names = dict.fromkeys(str(n.get("name")) for n in networks if isinstance(n, Mapping))
    rows: dict[str, list[Mapping[str, Any]]] = {name: [] for name in names}
    for layer in layers[: len(names) * _MOST_LAYERS]:
        title = str(layer.get("name", "")) if isinstance(layer, Mapping) else ""
        of = next((name for name in names if title == name or title.startswith(f"{name}.")), None)
        if of is not None:
            rows[of].append(layer)
    return tuple(_network(name, found) for name, found in rows.items())


def _network(name: str, layers: Sequence[Mapping[str, Any]]) -> Network:
    counted = [layer for layer in layers if _count(layer.get("macs"))]
    others = [layer for layer in layers if not _count(layer.get("macs"))]
    params = sum(_count(layer.get("params")) or 0 for layer in layers)
    rest = sum(_count(layer.get("params")) or 0 for layer in others)
    return Network(
        name=name,
        params=f"{params:,}",
        macs=f"{sum(_count(layer.get('macs')) or 0 for layer in layers):,}",
        layers=tuple(_layer_row(name, layer) for layer in counted[:_MOST_LAYERS]),
        rest=f"{len(others)} further layers (norms, activations, pooling) hold {rest:,} parameters"
        if others
        else "",
    )


def _layer_row(network: str, layer: Mapping[str, Any]) -> LayerRow:
    output = layer.get("output")
    sizes = [str(_count(side)) for side in output[1:]] if isinstance(output, list) else []
    return LayerRow(
        name=str(layer.get("name", "")).removeprefix(f"{network}.")[:80],
        type=str(layer.get("type", ""))[:40],
        output=" × ".join(sizes) or "–",
        calls=f"{_count(layer.get('calls')) or 0:,}",
        params=f"{_count(layer.get('params')) or 0:,}",
        macs=f"{_count(layer.get('macs')) or 0:,}",
    )


def _size_check(fact: SizeClaim, document: Mapping[str, Any]) -> SizeCheck:
    counted = _count(document.get(fact.quantity))
    met = counted is not None and fact.beside(counted)[0]
    return SizeCheck(
        system=fact.system.partition("/")[2],
        where=f"{fact.paper}, {fact.table}",
        quantity=_QUANTITIES.get(fact.quantity, fact.quantity),
        printed=fact.printed,
        counted="–" if counted is None else f"{counted:,}",
        apart="" if counted is None else f"{100 * (counted / fact.value - 1):+.2f} %",
        verdict=NOT_MEASURED if counted is None else "met" if met else "not met",
        why="" if met or counted is None else fact.why,
    )


def _count(value: object) -> int | None:
    return (
        value
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**15
        else None
    )


def _number(value: object) -> float | None:
    usable = isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < 1e12
    return float(value) if usable else None  # type: ignore[arg-type]
