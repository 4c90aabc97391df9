"""`+box=own`: a method that brings a detector uses it, on the board of the protocol itself."""

from dataclasses import replace
from pathlib import Path

import pytest

from benchbox.errors import PluginError, ProtocolError
from benchbox.plugins import method_card
from benchbox.protocols import protocol_card
from benchbox.runs import own_detector, run_plan
from benchbox.runs.run_plan import RunRequest

ASKED = RunRequest("dlib68", "300w-common+box=own")


def test_the_option_chooses_the_variant_that_looks_for_the_face():
    """The trap: rows in a detector's own box on a board of their own, beside nobody."""
    plan = run_plan.plan_run(ASKED)
    assert (plan.protocol.name, plan.variant) == ("300w-common", "own-box")
    assert plan.params["box"] == "own"
    assert plan.place == Path("results/300w-common/dlib68/own-box/0")
    assert plan.method.describe_row(plan.variant, "300w")["box"] == "own"
    named = run_plan.plan_run(RunRequest("dlib68", "300w-common", "own-box"))
    assert (named.place, named.params) == (plan.place, plan.params)


def test_other_options_stay():
    request = replace(ASKED, protocol="300w-full+box=own+labelled=0.1")
    chosen = own_detector.choose_variant(request)
    assert chosen.protocol == "300w-full+labelled=0.1"
    assert chosen.variant == "own-box"


def test_the_command_of_the_record_needs_no_option():
    command = run_plan.repeat_command(own_detector.choose_variant(ASKED))
    assert "--variant own-box --protocol 300w-common " in command


def test_other_requests_are_left_alone():
    for protocol in ("300w-common", "300w-full+box=ground_truth"):
        request = replace(ASKED, protocol=protocol)
        assert own_detector.choose_variant(request) is request


@pytest.mark.parametrize("method", ["openseeface", "faceapi68", "sir", "mean-shape"])
def test_a_method_without_a_detector_says_so_in_a_line(method):
    with pytest.raises(PluginError, match=rf"'{method}' has no detector of its own") as caught:
        run_plan.plan_run(replace(ASKED, method=method))
    assert "\n" not in str(caught.value)


def test_a_variant_in_the_protocols_box_is_refused():
    with pytest.raises(PluginError, match=r"is given the protocol's box; .* goes with own-box"):
        run_plan.plan_run(replace(ASKED, variant="dlib68"))


def test_weights_of_another_run_bring_their_variant():
    with pytest.raises(PluginError, match="the variant of the training counts"):
        run_plan.plan_run(replace(ASKED, weights_of=Path("a/b/c/0")))


def test_an_option_given_twice_and_other_commands_are_refused():
    with pytest.raises(ProtocolError, match="goes with `benchbox run`"):
        run_plan.plan_run(replace(ASKED, protocol="300w-common+box=own+box=own"))
    with pytest.raises(ProtocolError, match="goes with `benchbox run`"):
        protocol_card.load_protocol("300w-common+box=own")


def test_boxes_of_a_data_set_called_own_are_meant_where_a_card_offers_them(monkeypatch):
    card = protocol_card.load_protocol("300w-common")
    offering = replace(card, options={**card.options, "box": ("detector", "own")})
    monkeypatch.setattr(protocol_card, "load_protocol", lambda name: offering)
    assert own_detector.choose_variant(ASKED) is ASKED


def test_the_default_stands_first_among_variants_with_a_detector():
    card = method_card.find_card("dlib68", ())
    assert own_detector.variants_with_detector(card) == ["own-box"]
    everywhere = replace(card, facts={**card.facts, "box": "own"})
    assert own_detector.variants_with_detector(everywhere) == ["dlib68", "own-box"]
