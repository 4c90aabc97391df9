"""The page of costs: its counts of samples are those that trainings recorded."""

import importlib.util
from pathlib import Path

import pytest

from benchbox.plugins import method_card

TOP = Path(__file__).parents[1]
_place = importlib.util.spec_from_file_location("make_costs", TOP / "docs" / "make_costs.py")
make_costs = importlib.util.module_from_spec(_place)
_place.loader.exec_module(make_costs)


@pytest.mark.parametrize(
    ("name", "samples"),
    [("glsr", 90_000), ("heatmap", 100_000), ("sir", 60_000), ("dwo", 11_520), ("sscr", 30_720)],
)
def test_samples_are_those_that_quick_trainings_recorded(name, samples):
    method = method_card.read_card(TOP / "methods" / name)
    params = method_card.merge_params(method, method.default, "quick")
    assert make_costs.SAMPLES[name](params, 10**9) == samples


def test_the_longest_training_begins_first():
    """Traps: the sum over GPUs, or a training cut in two."""
    assert make_costs.hours_on([1.0, 1.0, 4.0], 64) == 4.0
    assert make_costs.hours_on([2.0, 2.0, 3.0], 2) == 4.0
    assert make_costs.hours_on([2.0, 2.0, 3.0], 1) == 7.0
