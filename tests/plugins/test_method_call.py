"""A predictor is given what it names; a card may be run by another method's code."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from benchbox.authoring import conformance
from benchbox.errors import PluginError
from benchbox.plugins import code_digest, method_call, method_card

SETTING = method_call.MethodSetting(params={"shift": 3.0}, folder=Path("mine"))

UNTRAINED = """
def predictor(weights, device, params):
    import numpy as np
    def predict(samples):
        rows = [sample.box[:2] + np.zeros((68, 2)) + params["shift"] for sample in samples]
        return np.stack(rows)
    return predict
"""
TWO_VARIANTS = """
[params]
shift = 1.0
[variants.far]
title = "Far"
params = {shift = 2.0}
"""


def module_with(predictor):
    predictor.__module__ = "theirs"
    return SimpleNamespace(predictor=predictor)


def test_an_old_predictor_of_two_parameters_is_called_as_ever():
    module = module_with(lambda weights, device: lambda samples: (weights, device))
    predict = method_call.make_predictor(module, Path("w"), "cpu", SETTING, "mine")
    assert predict([]) == (Path("w"), "cpu")


def test_a_predictor_gets_the_parameters_that_it_names_in_any_order():
    def predictor(weights, device, folder, params, batch=4):
        return lambda samples: (params["shift"], folder, batch)

    module = module_with(predictor)
    predict = method_call.make_predictor(module, Path("w"), "cpu", SETTING, "mine")
    assert predict([]) == (3.0, Path("mine"), 4)


def test_a_predictor_that_asks_for_what_nobody_has_is_told_what_there_is():
    def predictor(weights, device, truth):
        return truth

    with pytest.raises(PluginError, match="asks for 'truth'; it may ask for params, task, layout"):
        method_call.make_predictor(module_with(predictor), Path("w"), "cpu", SETTING, "mine")


def test_variants_without_training_differ_by_their_parameters(world):
    world.method("moved", UNTRAINED, TWO_VARIANTS)
    card = method_card.find_card("moved", [world.methods])
    checks = {check.name: check for check in conformance.check_method(card)}
    assert checks["variants differ"].ok


def test_variants_that_are_silently_equal_are_noticed(world):
    world.method("moved", UNTRAINED.replace('params["shift"]', "1.0"), TWO_VARIANTS)
    card = method_card.find_card("moved", [world.methods])
    checks = {check.name: check for check in conformance.check_method(card)}
    assert not checks["variants differ"].ok
    assert "far predict exactly as v" in checks["variants differ"].detail


def test_a_card_with_an_unknown_adapter_is_blamed_for_it(world):
    folder = world.method("mine", "")
    text = (folder / "method.toml").read_text()
    (folder / "method.toml").write_text(text.replace("default =", 'adapter = "onxx"\ndefault ='))
    card = method_card.find_card("mine", [world.methods])
    with pytest.raises(PluginError, match=r"method\.toml: adapter: unknown method 'onxx'"):
        method_card.import_method(card)


def test_the_code_of_an_adapter_is_part_of_the_hash(world):
    folder = world.method("mine", "")
    before = code_digest.hash_method_code(method_card.find_card("mine", [world.methods]))
    text = (folder / "method.toml").read_text()
    (folder / "method.toml").write_text(
        text.replace("default =", 'adapter = "mean-shape"\ndefault =')
    )
    card = method_card.find_card("mine", [world.methods])
    assert method_card.import_method(card).WEIGHTS == "mean_shape.safetensors"
    assert code_digest.hash_method_code(card) != before
