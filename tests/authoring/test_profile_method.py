"""The profile document: what papers count, fixed keys, and words where nothing was measured."""

import json

import pytest
from click.testing import CliRunner

from benchbox.analysis import check_papers
from benchbox.authoring import profile_method as module
from benchbox.cli import main
from benchbox.costs.latency import Latency
from benchbox.errors import PluginError, ResultError
from benchbox.plugins import method_card
from benchbox.runs import run_folders


@pytest.fixture
def quick(monkeypatch):
    """Latency is measured by running once; compilers take too long for a test."""
    monkeypatch.setattr(
        "benchbox.costs.latency.measure_latency",
        lambda run, device: run() or Latency(1.5, 1.25, 1.75, 5),
    )

    def without(networks, batch, device):
        raise RuntimeError("no compiler here\nand a long story")

    monkeypatch.setattr("benchbox.costs.inference_backends.compiled_backend", without)


# F1 to F18 of the reproduction's fact sheet at 68 points: parameters, MACs, MACs with bias
# additions. Printed are F1, F2: 16.70 M, 1720.98 M; F3, F4: 24.97 M, 1600.85 M; F5, F6, F7: 3.72 M,
# 14.88 M, 3.72 M; F8: 48.5 M; F9, F10: 2.91 M, 0.27 G; F11: 24.39 M; F12: 2.74 G, 407.4 MB; F15:
# 52.6 M; F16: 57.7 M; F17: 1.83 M; F18: 335.4 K, 593.2 K.
FACTS = {
    ("ts3", "cpm", "background=off"): (16_703_372, 1_719_664_640, 1_720_980_224),  # F1, F2
    ("ts3", "cpm", ""): (16_716_687, 1_720_516_608, 1_721_832_384),  # with the background map
    ("ts3", "hg", "background=off"): (24_965_648, 1_596_260_352, 1_600_847_872),  # F3, F4
    ("ts3", "hg", ""): (24_967_444, 1_596_719_104, 1_601_307_648),
    # F5: one network, run four times
    ("sir", "sir", ""): (3_719_872, 4 * 340_895_424, 4 * 340_895_424),
    ("sir", "sir", "fc_bias=on"): (3_720_264, 4 * 340_895_424, 4 * 340_895_816),
    ("sir", "cr", ""): (14_879_488, 4 * 340_895_424, 4 * 340_895_424),  # F6
    ("sir", "sir-stack", ""): (3_719_872, 803_904_256, 803_904_256),  # F7
    ("glsr", "b1", ""): (478_168, 48_496_768, 48_497_416),  # F8
    ("glsr", "m", ""): (2_911_468, 272_519_936, 272_579_086),  # F9, F10
    ("glsr", "l", ""): (24_391_148, 5_343_066_880, 5_343_126_030),  # F11
    ("glsr", "tsr", ""): (101_839_082, 2_744_673_460, 2_747_035_320),  # F12: 407.356 MB
    ("glsr", "gsr", ""): (735_996, 52_638_592, 52_697_742),  # F15
    ("glsr", "glsr", ""): (1_972_498, 57_674_496, 57_736_076),  # F16
    ("glsr", "glsr-lite", ""): (1_831_250, 57_533_696, 57_594_828),  # F17
    ("glsr", "b1-lite", ""): (336_920, 48_355_968, 48_356_168),  # F18
    ("glsr", "gsr-lite", ""): (594_748, 52_497_792, 52_556_494),  # F18
    ("glsr", "release", ""): (478_090 + 44_909, 53_789_216, 53_852_494),
}


@pytest.fixture
def untimed(monkeypatch):
    monkeypatch.setattr(module, "_all_latencies", lambda networks, say: {})


@pytest.mark.parametrize(("method", "variant", "change"), FACTS)
@pytest.mark.usefixtures("untimed")
def test_a_profile_counts_what_the_paper_counts(method, variant, change):
    overrides = dict([change.split("=")]) if change else {}
    document = module.make_profile(method, variant, overrides=overrides)
    assert (document["params"], document["macs"], document["macs_plus_bias"]) == FACTS[
        method, variant, change
    ]
    assert document["size_mb"] == round(4 * document["params"] / 1e6, 3)
    assert document["overrides"] == overrides


@pytest.mark.usefixtures("untimed")
def test_a_profile_counts_the_parts_of_glsr():
    """F13 and F14: the localisation network and the local stage of four parts, by their layers."""
    layers = module.make_profile("glsr")["layers"]
    counted = {
        part: [
            sum(row[key] for row in layers if row["name"].startswith(part))
            for key in ("params", "macs", "biases")
        ]
        for part in ("global reinitialisation", "local re")
    }
    assert counted == {
        "global reinitialisation": [257_828, 4_141_824, 58_502],  # F13: 257.8 K, 4.1 M
        "local re": [1_236_502, 5_035_904, 2_430],  # F14: about 1.237 M, 5.1 M
    }


@pytest.mark.usefixtures("untimed")
def test_the_release_has_its_own_count_for_98_points():
    assert module.make_profile("glsr", "release", layout="wflw98")["params"] == 493_510 + 44_909


@pytest.mark.usefixtures("untimed")
def test_a_print_that_other_settings_meet_names_them(tmp_path):
    """TS3 prints the counts of 68 maps and writes of a background map: both counts stand there."""
    by_quantity = {
        claim["quantity"]: claim for claim in module.make_profile("ts3", "cpm")["claimed"]
    }
    params = by_quantity["params"]
    assert (params["counted"], params["met"]) == (16_716_687, False)
    assert params["why"].startswith("+0.10 %; the printed counts are those of 68 maps")
    assert params["instead"] == {
        "settings": {"background": "off"},
        "counted": 16_703_372,
        "met": True,
    }
    with_them = module.make_profile("ts3", "cpm", overrides={"background": "off"})["claimed"]
    assert [claim["met"] for claim in with_them] == [True, True]
    # no paper prints that
    assert module.make_profile("ts3", "cpm", overrides={"side": "128"})["claimed"] == []
    text = CliRunner().invoke(main, ["profile", "--method", "ts3", "--variant", "cpm"]).stdout
    assert "with --set background=off 16,703,372: met" in text
    text = (
        CliRunner()
        .invoke(main, ["profile", "--method", "ts3", "--variant", "cpm", "--set", "background=off"])
        .stdout
    )
    assert text.startswith("ts3 cpm, background=off (paper sizes, 68 points)")
    saved = [
        "profile",
        "--method",
        "ts3",
        "--set",
        "background=off",
        "--save",
        "--results",
        str(tmp_path),
    ]
    assert "nothing --set" in CliRunner().invoke(main, saved).output
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("card", method_card.read_cards(), ids=lambda card: card.name)
def test_every_shipped_method_can_be_profiled(card, monkeypatch):
    monkeypatch.setattr(module, "_all_latencies", lambda networks, say: {})
    document = module.make_profile(card.name)
    assert 0 <= document["params_bn_folded"] <= document["params"]
    assert document["macs_plus_bias"] >= document["macs"]
    assert document["uncounted_layers"] == []
    assert document["flop_counter"] == {"macs": document["macs"], "difference": 0}
    assert (document["params"] == 0) == (not document["networks"])


def test_the_document_has_the_fixed_keys_and_says_what_was_not_measured(quick):
    result = CliRunner().invoke(
        main, ["profile", "--method", "glsr", "--variant", "b1", "--json", "--budget", "smoke"]
    )
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    fixed = {
        "method",
        "variant",
        "points",
        "params",
        "params_bn_folded",
        "macs",
        "macs_plus_bias",
        "size_mb",
    }
    assert fixed | {"latency_ms"} <= set(document)
    assert document["points"] == 68
    cpu = document["latency_ms"]["cpu"]
    assert set(cpu) == {"eager", "eager_with_crop", "compiled", "onnx"}
    assert cpu["eager_with_crop"]["32"] == {"median": 1.5, "low": 1.25, "high": 1.75, "rounds": 5}
    assert cpu["compiled"] == {"1": "not measured", "32": "not measured"}
    assert (
        "compiled on cpu, batch 1: not measured (RuntimeError: no compiler here)" in result.stderr
    )
    import torch

    if not torch.cuda.is_available():
        assert document["latency_ms"]["cuda"] == "not measured"


def test_a_saved_profile_is_the_document_counted_parts_first(monkeypatch, tmp_path):
    monkeypatch.setattr(
        module,
        "_all_latencies",
        lambda networks, say: {"cpu": "not measured", "cuda": "not measured"},
    )
    words = [
        "profile",
        "--method",
        "glsr",
        "--variant",
        "b1",
        "--json",
        "--save",
        "--results",
        str(tmp_path),
    ]
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 0, result.output
    assert [str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if p.is_file()] == [
        "profiles/glsr/b1.json"
    ]
    (path,) = run_folders.list_profiles(tmp_path)
    document = run_folders.read_profile(path)
    assert document == json.loads(result.stdout)
    assert list(document)[-4:] == ["layers", "latency_ms", "code", "environment"]
    assert sum(layer["params"] for layer in document["layers"]) == document["params"] == 478_168
    assert sum(layer["macs"] for layer in document["layers"]) == document["macs"] == 48_496_768
    assert document["layers"][0]["output"] == [1, 8, 128, 128]
    assert document["environment"]["threads"] >= 1


def test_a_profile_says_what_it_did_not_count_and_where_two_counters_differ(monkeypatch):
    """A layer without a rule is named.

    PyTorch's counter knows no LSTM, and by how much stands there.
    """
    import torch
    from torch import nn

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.memory, self.pair = nn.LSTM(5, 7, batch_first=True), nn.Bilinear(7, 7, 2)
            self.last = nn.Linear(2, 4, bias=False)

        def forward(self, x):
            y = self.memory(x)[0]
            return self.last(self.pair(y, y))

    networks = {"net": (Net(), (torch.zeros(1, 3, 5),))}
    monkeypatch.setattr(module, "_make_networks", lambda *_: networks)
    words = ["profile", "--method", "glsr", "--budget", "smoke", "--count-only"]
    text = CliRunner().invoke(main, words).stdout
    lstm, linear = 3 * 28 * 12, 3 * 8
    assert f"  MACs             {lstm + linear:,} (" in text
    assert "  not counted      net.pair (Bilinear): aten._trilinear\n" in text
    assert (
        f"  flop counter     {linear} MACs by torch.utils.flop_counter (-1,008, -97.67 %)\n" in text
    )
    document = json.loads(CliRunner().invoke(main, [*words, "--json"]).stdout)
    assert document["uncounted_layers"] == ["net.pair (Bilinear): aten._trilinear"]
    assert document["flop_counter"] == {"macs": linear, "difference": -lstm}


def test_counting_alone_says_that_nothing_was_timed():
    words = ["profile", "--method", "glsr", "--variant", "b1", "--count-only", "--json"]
    document = json.loads(CliRunner().invoke(main, words).stdout)
    assert document["latency_ms"] == {"cpu": "not measured", "cuda": "not measured"}
    assert document["macs"] == 48_496_768


def test_saved_profiles_are_no_runs_and_disturb_no_check(tmp_path):
    run_folders.save_profile(tmp_path, {"schema": 1, "method": "glsr", "variant": "b1"})
    assert list(run_folders.list_runs(tmp_path)) == []
    assert {verdict.verdict for verdict in check_papers.check_results(tmp_path)} <= {"not measured"}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "is no JSON .*`benchbox profile --save` makes it again"),
        ('{"schema": 2}', "schema 2"),
        ("{}", "schema None"),
        ('{"schema": 1, "method": "glsr", "variant": "b1", "macs": 5}', "was changed after"),
    ],
)
def test_a_damaged_profile_is_named(tmp_path, text, why):
    path = tmp_path / "profiles/glsr/b1.json"
    path.parent.mkdir(parents=True)
    path.write_text(text)
    with pytest.raises(ResultError, match=f"b1.json:.*{why}"):
        run_folders.read_profile(path)


def test_a_digit_of_a_profile_that_was_changed_is_named(tmp_path):
    document = {"schema": 1, "method": "glsr", "variant": "b1", "macs": 51, "size": {"mb": 2.5}}
    path = run_folders.save_profile(tmp_path, document)
    assert run_folders.read_profile(path) == document
    text = path.read_text()
    for old, new in (("51", "15"), ("2.5", "2.6")):
        path.write_text(text.replace(old, new))
        with pytest.raises(ResultError, match=r"b1\.json: was changed after it was written"):
            run_folders.read_profile(path)


def test_a_profile_in_another_variant_s_place_is_refused(tmp_path):
    run_folders.save_profile(tmp_path, {"schema": 1, "method": "glsr", "variant": "b1"})
    path = (tmp_path / "profiles/glsr/b1.json").rename(tmp_path / "profiles/glsr/gsr.json")
    with pytest.raises(ResultError, match="profile of another variant"):
        run_folders.read_profile(path)


@pytest.mark.parametrize("words", [["--budget", "smoke"], ["--layout", "wflw98"]])
def test_other_sizes_are_not_kept(tmp_path, words):
    """The trap: a smoke network's 2 ms beside the paper's parameters."""
    arguments = [
        "profile",
        "--method",
        "glsr",
        "--variant",
        "b1",
        *words,
        "--save",
        "--results",
        str(tmp_path),
    ]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 2
    assert "only profiles at the paper sizes, landmarks as ibug68, are kept" in result.output
    assert not any(tmp_path.iterdir())


def test_the_printed_sizes_stand_beside_the_counted_ones(monkeypatch):
    monkeypatch.setattr(module, "_all_latencies", lambda networks, say: {})
    document = module.make_profile("glsr", "b1")
    macs, params = document["claimed"]
    assert (macs["quantity"], macs["printed"], macs["counted"], macs["met"]) == (
        "macs",
        "48.5 M",
        48_496_768,
        True,
    )
    assert (params["printed"], params["counted"], params["met"]) == ("335.4 K", 478_168, False)
    assert params["why"].startswith("+42.57 %; Table 2 taken literally")
    text = module.format_profile(document)
    assert (
        "claimed          335.4 K (glsr, Table 7); params 478,168: not met: +42.57 %; Table 2"
        in text
    )
    assert (
        module.make_profile("glsr", "b1", budget="smoke")["claimed"] == []
    )  # printed of other sizes


def test_the_table_names_the_machine_and_both_counts(quick):
    text = CliRunner().invoke(main, ["profile", "--method", "glsr", "--variant", "b1"]).stdout
    assert "48,496,768 (48,497,416 with biases)" in text
    assert "batch 1: 1.5 ms (1.25 to 1.75)" in text
    assert "cores" in text.splitlines()[-1]


def test_a_method_without_networks_has_nothing_to_time():
    document = module.make_profile("mean-shape")
    assert (document["params"], document["macs"], document["latency_ms"]["cpu"]) == (
        0,
        0,
        "not measured",
    )


def test_a_method_that_lists_none_says_what_to_define(world):
    world.method("centre", "def predictor(weights, device): ...\n")
    with pytest.raises(
        PluginError, match=r"define `networks\(params, layout\)` in centre/__init__.py"
    ):
        module.make_profile("centre", methods=(world.methods,))
    with pytest.raises(PluginError, match=r"no layout 'ibug86'; known: .*ibug68"):
        module.make_profile("glsr", layout="ibug86")
