"""Keys of a card: what is said of those that are not there."""

import pytest

from benchbox.errors import PluginError
from benchbox.plugins.card_values import CardKey, CardPlace, one_of, read_values

KEYS = (
    CardKey("map", one_of("resize", "affine")),
    CardKey("side", one_of("longer", "shorter"), default="longer"),
    CardKey("ends", one_of("edges", "index")),
)
PLACE = CardPlace("network.toml", PluginError)


def test_keys_that_are_missing_are_named_together():
    """Trap: a card written by hand was refused once for every key that it lacked."""
    with pytest.raises(PluginError) as refusal:
        read_values({}, KEYS, PLACE)
    said = str(refusal.value)
    assert said == (
        "network.toml: map: is missing; allowed: resize | affine; missing besides: ends"
    )


def test_one_key_that_is_missing_is_named_alone():
    with pytest.raises(PluginError, match=r"ends: is missing; allowed: edges \| index$"):
        read_values({"map": "affine"}, KEYS, PLACE)


def test_a_key_with_a_default_may_be_left_out():
    assert read_values({"map": "affine", "ends": "index"}, KEYS, PLACE)["side"] == "longer"
