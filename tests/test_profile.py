"""The profile document: the facts of the spec's sheet, fixed keys, and words where nothing was measured."""

import json

import pytest
from click.testing import CliRunner

from benchbox import check, plugins, store
from benchbox import profile as module
from benchbox.cli import main
from benchbox.errors import PluginError, ResultError
from benchbox.kit.latency import Latency


@pytest.fixture
def quick(monkeypatch):
    """Latency is measured by running once; compilers take too long for a test."""
    monkeypatch.setattr("benchbox.kit.latency.measure", lambda run, device: run() or Latency(1.5, 1.25, 1.75, 5))

    def without(networks, batch, device):
        raise RuntimeError("no compiler here\nand a long story")

    monkeypatch.setattr("benchbox.kit.engines.compiled", without)


FACTS = {  # parameters, MACs: reproduced from the papers, 68 points
    ("glsr", "b1"): (478_168, 48_496_768),
    ("glsr", "gsr"): (735_996, 52_638_592),
    ("glsr", "glsr"): (1_972_498, 57_674_496),
    ("sir", "sir"): (3_719_872, 4 * 340_895_424),  # one network, run four times
}


@pytest.mark.parametrize(("method", "variant"), FACTS)
def test_a_profile_counts_what_the_paper_counts(method, variant, monkeypatch):
    monkeypatch.setattr(module, "_latencies", lambda networks, say: {})
    document = module.profile(method, variant)
    assert (document["params"], document["macs"]) == FACTS[method, variant]
    assert document["size_mb"] == round(4 * document["params"] / 1e6, 3)


@pytest.mark.parametrize("card", plugins.cards(), ids=lambda card: card.name)
def test_every_shipped_method_can_be_profiled(card, monkeypatch):
    monkeypatch.setattr(module, "_latencies", lambda networks, say: {})
    document = module.profile(card.name)
    assert 0 <= document["params_bn_folded"] <= document["params"]
    assert document["macs_plus_bias"] >= document["macs"]
    assert (document["params"] == 0) == (not document["networks"])


def test_the_document_has_the_fixed_keys_and_says_what_was_not_measured(quick):
    result = CliRunner().invoke(main, ["profile", "--method", "glsr", "--variant", "b1", "--json", "--budget", "smoke"])
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    fixed = {"method", "variant", "points", "params", "params_bn_folded", "macs", "macs_plus_bias", "size_mb"}
    assert fixed | {"latency_ms"} <= set(document)
    assert document["points"] == 68
    cpu = document["latency_ms"]["cpu"]
    assert set(cpu) == {"eager", "eager_with_crop", "compiled", "onnx"}
    assert cpu["eager_with_crop"]["32"] == {"median": 1.5, "low": 1.25, "high": 1.75, "rounds": 5}
    assert cpu["compiled"] == {"1": "not measured", "32": "not measured"}
    assert "compiled on cpu, batch 1: not measured (RuntimeError: no compiler here)" in result.stderr
    import torch

    if not torch.cuda.is_available():
        assert document["latency_ms"]["cuda"] == "not measured"


def test_a_saved_profile_is_the_document_counted_parts_first(monkeypatch, tmp_path):
    monkeypatch.setattr(module, "_latencies", lambda networks, say: {"cpu": "not measured", "cuda": "not measured"})
    words = ["profile", "--method", "glsr", "--variant", "b1", "--json", "--save", "--results", str(tmp_path)]
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 0, result.output
    assert [str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if p.is_file()] == ["profiles/glsr/b1.json"]
    document = json.loads((tmp_path / "profiles/glsr/b1.json").read_text())
    assert document == json.loads(result.stdout)
    assert store.profiles(tmp_path) == {("glsr", "b1"): document}
    assert list(document)[-4:] == ["layers", "latency_ms", "code", "environment"]
    assert sum(layer["params"] for layer in document["layers"]) == document["params"] == 478_168
    assert sum(layer["macs"] for layer in document["layers"]) == document["macs"] == 48_496_768
    assert document["layers"][0]["output"] == [1, 8, 128, 128]
    assert document["environment"]["threads"] >= 1


def test_saved_profiles_are_no_runs_and_disturb_no_check(tmp_path):
    store.save_profile(tmp_path, {"schema": 1, "method": "glsr", "variant": "b1"})
    assert list(store.runs(tmp_path)) == []
    assert {verdict.verdict for verdict in check.check(tmp_path)} <= {"not measured"}


@pytest.mark.parametrize(
    ("text", "why"), [("{", "cannot be read"), ('{"schema": 2}', "schema 2"), ("{}", "schema None")]
)
def test_a_damaged_profile_is_named(tmp_path, text, why):
    path = tmp_path / "profiles/glsr/b1.json"
    path.parent.mkdir(parents=True)
    path.write_text(text)
    with pytest.raises(ResultError, match=f"b1.json: .*{why}"):
        store.profiles(tmp_path)


def test_a_profile_in_another_variant_s_place_is_refused(tmp_path):
    store.save_profile(tmp_path, {"schema": 1, "method": "glsr", "variant": "b1"})
    (tmp_path / "profiles/glsr/b1.json").rename(tmp_path / "profiles/glsr/gsr.json")
    with pytest.raises(ResultError, match="profile of another variant"):
        store.profiles(tmp_path)


@pytest.mark.parametrize("words", [["--budget", "smoke"], ["--layout", "wflw98"]])
def test_other_sizes_are_not_kept(tmp_path, words):
    """The trap: a smoke network's 2 ms beside the paper's parameters."""
    arguments = ["profile", "--method", "glsr", "--variant", "b1", *words, "--save", "--results", str(tmp_path)]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 2
    assert "only profiles at the paper sizes, landmarks as ibug68, are kept" in result.output
    assert not any(tmp_path.iterdir())


def test_the_printed_sizes_stand_beside_the_counted_ones(monkeypatch):
    monkeypatch.setattr(module, "_latencies", lambda networks, say: {})
    document = module.profile("glsr", "b1")
    macs, params = document["claimed"]
    assert (macs["quantity"], macs["printed"], macs["counted"], macs["met"]) == ("macs", "48.5 M", 48_496_768, True)
    assert (params["printed"], params["counted"], params["met"]) == ("335.4 K", 478_168, False)
    assert params["why"].startswith("+42.57 %; Table 2 taken literally")
    text = module.format_table(document)
    assert "claimed          335.4 K (glsr, Table 7); params 478,168: not met: +42.57 %; Table 2" in text
    assert module.profile("glsr", "b1", budget="smoke")["claimed"] == []  # printed of other sizes


def test_the_table_names_the_machine_and_both_counts(quick):
    text = CliRunner().invoke(main, ["profile", "--method", "glsr", "--variant", "b1"]).stdout
    assert "48,496,768 (48,497,416 with biases)" in text
    assert "batch 1: 1.5 ms (1.25 to 1.75)" in text
    assert "cores" in text.splitlines()[-1]


def test_a_method_without_networks_has_nothing_to_time():
    document = module.profile("mean-shape")
    assert (document["params"], document["macs"], document["latency_ms"]["cpu"]) == (0, 0, "not measured")


def test_a_method_that_lists_none_says_what_to_define(world):
    world.method("centre", "def predictor(weights, device): ...\n")
    with pytest.raises(PluginError, match=r"define `networks\(params, layout\)` in centre/__init__.py"):
        module.profile("centre", methods=(world.methods,))
    with pytest.raises(PluginError, match=r"no layout 'ibug86'; known: .*ibug68"):
        module.profile("glsr", layout="ibug86")
