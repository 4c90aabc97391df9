"""The grid: printed numbers, combinations, what lands, and how much of it is luck."""

import pytest

from benchbox.analysis.explain.convention_grid import (
    Choice,
    Claim,
    expected_by_chance,
    measure_variants,
    nearest_variants,
)
from benchbox.errors import ResultError

AXES = {
    "base": [Choice("base", "two", ""), Choice("base", "three", "")],
    "plus": [Choice("plus", "none", ""), Choice("plus", "one", ""), Choice("plus", "ten", "")],
    "sign": [Choice("sign", "up", ""), Choice("sign", "up_too", "the same by another name")],
}


def value(choice):
    if choice["base"] == "three" and choice["plus"] == "ten":
        return None
    return {"two": 2.0, "three": 3.0}[choice["base"]] + {"none": 0, "one": 1, "ten": 10}[
        choice["plus"]
    ]


@pytest.mark.parametrize(
    ("text", "tolerance"), [("3", 0.5), ("3.5", 0.05), ("3.49", 0.005), ("0.4123", 0.00005)]
)
def test_a_claim_is_as_sharp_as_it_is_printed(text, tolerance):
    claim = Claim.read(text)
    assert claim.tolerance == pytest.approx(tolerance)
    assert claim.hits(float(text) + 0.99 * tolerance)
    assert not claim.hits(float(text) - 1.01 * tolerance)


@pytest.mark.parametrize("text", ["", "three", "nan", "-1", "inf", "1e3", "3,49"])
def test_what_is_no_printed_number_is_refused(text):
    with pytest.raises(ResultError, match="write a plain number"):
        Claim.read(text)


def test_every_combination_of_up_to_two_changes_once():
    found = {variant.name: variant.value for variant in measure_variants(AXES, value)}
    assert found == {
        "as the card says": 2.0,
        "base three": 3.0,
        "plus one": 3.0,
        "plus ten": 12.0,
        "base three + plus one": 4.0,
    }


def test_what_lands_comes_simplest_first():
    landing, near = nearest_variants(measure_variants(AXES, value), Claim.read("3"))
    assert [variant.name for variant in landing] == ["base three", "plus one"]
    assert [variant.value for variant in near] == [2.0, 4.0, 12.0]


def test_a_change_that_explains_nothing_more_is_not_told():
    found = measure_variants(
        AXES, lambda choice: value(choice) and 2.0 + 1e-4 * (choice["plus"] != "none")
    )
    landing, _ = nearest_variants(found, Claim.read("2.00"))
    assert [variant.name for variant in landing] == ["as the card says"]


def test_luck_is_estimated_from_the_neighbourhood():
    """Trap: with hundreds of combinations something lands on any number.

    38 values spread over 20 tolerances: 2.
    """
    axis = {"x": [Choice("x", str(k), "") for k in range(200)]}
    found = measure_variants(axis, lambda choice: float(choice["x"]) / 10)
    # 10 on each side within 1.0
    assert expected_by_chance(found, Claim.read("10.0")) == pytest.approx(20 / 19)
