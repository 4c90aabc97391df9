"""Networks on a method's page: counted beside printed, alike builds once, or not measured."""

import pytest

from benchbox.papers.claims import SizeClaim
from benchbox.plugins import code_digest, method_card
from benchbox.report.tables.network_table import NOT_MEASURED, describe_networks

FACTS = (
    SizeClaim("p", "Table 7", "demo/wide", "macs", "1.20 K"),
    SizeClaim("p", "Table 7", "demo/wide", "params", "100", "the head is printed without its bias"),
    SizeClaim("p", "Table 7", "demo/thin", "params", "50"),
    SizeClaim("p", "Table 7", "other/wide", "params", "50"),
)


def layer(name, kind="Conv2d", macs=0, params=0):
    shape = [1, 8, 4, 4]
    return {
        "name": name,
        "type": kind,
        "output": shape,
        "calls": 1,
        "params": params,
        "macs": macs,
        "biases": 0,
    }


def profile(**changes):
    return {
        **{"schema": 1, "method": "demo", "variant": "wide", "budget": "paper", "points": 68},
        **{
            "params": 110,
            "params_bn_folded": 106,
            "macs": 1204,
            "macs_plus_bias": 1300,
            "size_mb": 0.44,
        },
        "networks": [
            {"name": "stem", "input": [[1, 3, 8, 8]]},
            {"name": "stem 2", "input": [[1, 3, 8, 8]]},
        ],
        "layers": [
            layer("stem.conv", macs=1000, params=90),
            layer("stem.norm", "BatchNorm2d", params=8),
            layer("stem 2.fc", "Linear", macs=204, params=12),
        ],
        "latency_ms": {"cpu": {"eager": {"1": {"median": 3.21}}}, "cuda": "not measured"},
        "environment": {"cpu": "a processor", "threads": 1, "cores": 2, "torch": "2.13.0"},
        **changes,
    }


def test_counted_stands_beside_printed_with_the_difference_and_its_reason():
    found = describe_networks("demo", None, {("demo", "wide"): profile()}, FACTS)
    met, missed, unknown = found.facts
    assert (met.printed, met.counted, met.verdict, met.why) == ("1.20 K", "1,204", "met", "")
    assert (missed.counted, missed.difference, missed.verdict) == ("110", "+10.00 %", "not met")
    assert missed.why == "the head is printed without its bias"
    assert (unknown.counted, unknown.verdict) == ("–", NOT_MEASURED)


def test_layers_that_multiply_have_rows_and_the_others_are_summed_up():
    (build,) = describe_networks("demo", None, {("demo", "wide"): profile()}, ()).builds
    stem, second = build.parts
    assert (stem.params, stem.macs, stem.rest.split(" hold ")[1]) == ("98", "1,000", "8 parameters")
    assert [row.name for row in stem.layers] == ["conv"]
    assert stem.layers[0].output == "8 × 4 × 4"
    assert [row.name for row in second.layers] == ["fc"], "'stem 2.fc' is not of 'stem'"


def test_variants_that_are_built_alike_are_described_once():
    found = describe_networks(
        "demo", None, {("demo", "wide"): profile(), ("demo", "l1"): profile(variant="l1")}, ()
    )
    assert [build.variants for build in found.builds] == [("wide", "l1")]
    assert [size.cells for size in found.sizes] == [
        ("110", "106", "1,204", "1,300", "0.44", "3.21")
    ] * 2
    assert found.machine == "a processor, 1 of 2 cores, PyTorch 2.13.0"


@pytest.mark.parametrize(
    "broken",
    [
        {"params": "many", "layers": None, "latency_ms": "not measured"},
        {"params": -3, "layers": [3, None, {"name": 5}], "networks": [7]},
        {"params": True, "size_mb": float("inf"), "environment": []},
    ],
)
def test_what_is_not_as_it_should_be_was_not_measured(broken):
    found = describe_networks("demo", None, {("demo", "wide"): profile(**broken)}, FACTS)
    assert found.sizes[0].cells[0] == NOT_MEASURED
    assert found.facts[1].verdict == NOT_MEASURED


def test_counts_at_other_sizes_are_not_held_against_prints():
    found = describe_networks("demo", None, {("demo", "wide"): profile(budget="quick")}, FACTS)
    assert found.sizes == ()
    assert {fact.verdict for fact in found.facts} == {NOT_MEASURED}


def test_a_profile_of_an_older_network_is_named(tmp_path):
    """Trap: the sizes of last month's network beside this month's number."""
    folder = tmp_path / "demo"
    folder.mkdir()
    (folder / "method.toml").write_text(
        'name = "demo"\ntitle = "T"\ntask = ["landmarks"]\nsummary = "S"\ndefault = "wide"\n'
        '[variants.wide]\ntitle = "W"\n'
    )
    card = method_card.find_card("demo", (folder,))
    now = {"method": code_digest.hash_method_code(card)}
    for code, outdated in ((now, ()), ({"method": "sha256:old"}, ("wide",)), ({}, ())):
        profiles = {("demo", "wide"): {**profile(), "code": code}}
        assert describe_networks("demo", card, profiles, ()).outdated == outdated
    # other bytes of one meaning are another network where their parameters differ
    digests = {"method": "sha256:old", "method_meaning": code_digest.digest_code(card).meaning}
    for settings, outdated in (({}, ()), ({"width": 2}, ("wide",))):
        profiles = {("demo", "wide"): {**profile(), "code": digests, "settings": settings}}
        assert describe_networks("demo", card, profiles, ()).outdated == outdated
