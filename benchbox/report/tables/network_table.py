"""What a method's networks are made of, beside what papers print of them.

From what `benchbox profile --save` keeps. Counts are those of the paper's sizes. Only layers that
multiply have a row; norms and activations are summed up below. What was not profiled is said to be
not measured.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchbox.metrics import number_format
from benchbox.papers.claims import SizeClaim
from benchbox.plugins import code_digest, method_card
from benchbox.types import MethodCard

from .costs import Profiles, find_nested

NOT_MEASURED = "not measured"
_MOST_LAYERS = 600  # rows of one table: beyond that nobody reads
_LARGEST_COUNT = 10**15
_LARGEST_NUMBER = 1e12
_QUANTITIES = {
    "params": "parameters",
    "macs": "MACs, biases free",
    "macs_plus_bias": "MACs with biases",
}

Profile = Mapping[str, Any]


@dataclass(frozen=True)
class NetworkSize:
    """One variant's counts as printed."""

    variant: str
    # parameters, with norms folded, MACs, MACs with biases, MB, ms of one item
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
    difference: str  # "+7.79 %"
    verdict: str
    why: str


@dataclass(frozen=True)
class NetworkTable:
    """Everything that a method's page says of its networks."""

    sizes: tuple[NetworkSize, ...]
    missing: tuple[str, ...]  # variants that nobody profiled
    outdated: tuple[str, ...]  # variants profiled with other code of the method than is here
    machine: str  # where the latencies were taken
    builds: tuple[NetworkBuild, ...]
    facts: tuple[SizeCheck, ...]


def describe_networks(
    name: str, card: MethodCard | None, profiles: Profiles, claims: Iterable[SizeClaim]
) -> NetworkTable:
    """Put together what is known of a method's variants, in the order of its card."""
    own = _paper_profiles(name, profiles)
    card_variants: list[str] = []
    if card:
        card_variants = list(card.variants)
    variants = [variant for variant in card_variants if variant in own]
    variants += [variant for variant in own if variant not in variants]
    missing: list[str] = []
    if own:
        missing = [variant for variant in card_variants if variant not in own]
    machines = dict.fromkeys(_machine(own[variant]) for variant in variants)
    checks = []
    for claim in claims:
        method, _, variant = claim.system.partition("/")
        if method == name:
            checks.append(_check_size(claim, variant, own.get(variant, {})))
    return NetworkTable(
        sizes=tuple(NetworkSize(variant, _size_cells(own[variant])) for variant in variants),
        missing=tuple(missing),
        outdated=tuple(_outdated_variants(card, variants, own)),
        machine="; ".join(filter(None, machines)),
        builds=tuple(_distinct_builds(variants, own)),
        facts=tuple(checks),
    )


def _outdated_variants(
    card: MethodCard | None, variants: Sequence[str], own: Mapping[str, Profile]
) -> list[str]:
    """Return the variants whose profile is of another version of the method's code.

    One that does not say which code it is of is not judged.
    """
    if card is None:
        return []
    now = code_digest.digest_code(card)
    outdated = []
    for variant in variants:
        content = find_nested(own[variant], "code", "method")
        meaning = find_nested(own[variant], "code", "method_meaning")
        same = content in (None, now.content)
        if not same and meaning == now.meaning and variant in card.variants:
            # parameters are not part of what code means, but they make a network
            params = method_card.merge_params(card, variant, "paper")
            same = own[variant].get("settings") == params
        if not same:
            outdated.append(variant)
    return outdated


def _paper_profiles(name: str, profiles: Profiles) -> dict[str, Profile]:
    """Return a method's profiles at the paper's sizes by variant; no print is of others."""
    own = {}
    for (method, variant), profile in profiles.items():
        if method == name and profile.get("budget") == "paper":
            own[variant] = profile
    return own


# --- sizes ----------------------------------------------------------------------------------------


def _size_cells(profile: Profile) -> tuple[str, ...]:
    cells = []
    for key in ("params", "params_bn_folded", "macs", "macs_plus_bias"):
        cells.append(_printed_count(profile.get(key), NOT_MEASURED))
    megabytes, latency = _number(profile.get("size_mb")), _cpu_latency(profile)
    if megabytes is None:
        cells.append(NOT_MEASURED)
    else:
        cells.append(f"{megabytes:.2f}")
    if latency is None:
        cells.append(NOT_MEASURED)
    else:
        cells.append(number_format.format_milliseconds(latency))
    return tuple(cells)


def _cpu_latency(profile: Profile) -> float | None:
    return _number(find_nested(profile, "latency_ms", "cpu", "eager", "1", "median"))


def _machine(profile: Profile) -> str:
    facts = profile.get("environment")
    if _cpu_latency(profile) is None or not isinstance(facts, Mapping):
        return ""
    cores = f"{facts.get('threads')} of {facts.get('cores')} cores"
    return f"{facts.get('cpu')}, {cores}, PyTorch {facts.get('torch')}"


def _check_size(claim: SizeClaim, variant: str, profile: Profile) -> SizeCheck:
    counted = _count(profile.get(claim.quantity))
    counted_text, difference, verdict, why = "–", "", NOT_MEASURED, ""
    if counted is not None:
        counted_text = f"{counted:,}"
        difference = f"{100 * (counted / claim.value - 1):+.2f} %"
        met = claim.compare_count(counted)[0]
        if met:
            verdict = "met"
        else:
            verdict, why = "not met", claim.why
    return SizeCheck(
        system=variant,
        where=f"{claim.paper}, {claim.table}",
        quantity=_QUANTITIES.get(claim.quantity, claim.quantity),
        printed=claim.printed,
        counted=counted_text,
        difference=difference,
        verdict=verdict,
        why=why,
    )


# --- layers ---------------------------------------------------------------------------------------


def _distinct_builds(variants: Sequence[str], own: Mapping[str, Profile]) -> list[NetworkBuild]:
    """Describe every build once, whatever the number of variants that share it."""
    variants_of: dict[tuple[Network, ...], list[str]] = {}
    for variant in variants:
        networks = _networks(own[variant])
        if networks:
            variants_of.setdefault(networks, []).append(variant)
    return [NetworkBuild(tuple(names), networks) for networks, names in variants_of.items()]


def _networks(profile: Profile) -> tuple[Network, ...]:
    networks, layers = profile.get("networks"), profile.get("layers")
    if not isinstance(networks, list) or not isinstance(layers, list):
        return ()
    layers_of: dict[str, list[Profile]] = {}
    for network in networks:
        if isinstance(network, Mapping):
            layers_of.setdefault(str(network.get("name")), [])
    for layer in layers[: len(layers_of) * _MOST_LAYERS]:
        network_name = _network_of(layer, layers_of)
        if network_name is not None:
            layers_of[network_name].append(layer)
    return tuple(_network(name, own_layers) for name, own_layers in layers_of.items())


def _network_of(layer: object, names: Iterable[str]) -> str | None:
    """Return the network that a layer belongs to by its name, "network.block.conv"."""
    if not isinstance(layer, Mapping):
        title = ""
    else:
        title = str(layer.get("name", ""))
    for name in names:
        if title == name or title.startswith(f"{name}."):
            return name
    return None


def _network(name: str, layers: Sequence[Profile]) -> Network:
    multiplying, others = [], []
    for layer in layers:
        if _count(layer.get("macs")):
            multiplying.append(layer)
        else:
            others.append(layer)
    rest = ""
    if others:
        params = _total(others, "params")
        rest = (
            f"{len(others)} further layers (norms, activations, pooling) hold {params:,} parameters"
        )
    return Network(
        name=name,
        params=f"{_total(layers, 'params'):,}",
        macs=f"{_total(layers, 'macs'):,}",
        layers=tuple(_layer_row(name, layer) for layer in multiplying[:_MOST_LAYERS]),
        rest=rest,
    )


def _total(layers: Sequence[Profile], key: str) -> int:
    return sum(_count(layer.get(key)) or 0 for layer in layers)


def _layer_row(network: str, layer: Profile) -> LayerRow:
    output = layer.get("output")
    sides: list[str] = []
    if isinstance(output, list):
        sides = [str(_count(side)) for side in output[1:]]
    return LayerRow(
        name=str(layer.get("name", "")).removeprefix(f"{network}.")[:80],
        type=str(layer.get("type", ""))[:40],
        output=" × ".join(sides) or "–",
        calls=_printed_count(layer.get("calls"), "0"),
        params=_printed_count(layer.get("params"), "0"),
        macs=_printed_count(layer.get("macs"), "0"),
    )


# --- numbers --------------------------------------------------------------------------------------


def _printed_count(value: object, missing: str) -> str:
    count = _count(value)
    if count is None:
        return missing
    return f"{count:,}"


def _count(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    if not 0 <= value < _LARGEST_COUNT:
        return None
    return value


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if not 0 < value < _LARGEST_NUMBER:
        return None
    return float(value)
