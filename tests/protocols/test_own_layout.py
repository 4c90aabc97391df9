"""A card's own layout: what it may say, and that its hash moves with it."""

import pytest

from benchbox.errors import ProtocolError
from benchbox.protocols.protocol_card import read_card

CARD = """
name = "mine"
title = "mine"
dataset = "files"
source = {images = "pictures", parts = {test = "mine.csv"}, origin = 0.5}
[layout]
points = 4
flip_pairs = [[0, 1]]
names = ["left", "right", "nose", "chin"]
LAYOUT
[train]
parts = []
expected = 0
[test]
overall = "all"
expected = 2
groups = {all = ["test"]}
[box]
source = "ground_truth"
[score]
normalisers = ["NORMALISER"]
points = POINTS
"""


def write_card(folder, layout="", normaliser="diagonal", points="[]"):
    path = folder / "mine.toml"
    text = CARD.replace("LAYOUT", layout).replace("NORMALISER", normaliser)
    path.write_text(text.replace("POINTS", points))
    return path


def test_a_card_defines_a_layout_of_its_own(tmp_path):
    layout = "subsets = {inner = [0, 1]}\nparts = {eyes = [0, 1], rest = [2, 3]}"
    card = read_card(write_card(tmp_path, layout, points="[2]"))
    assert card.source.origin == 0.5
    own = card.own_layout
    assert (own.count, own.flip, own.names[3]) == (4, (1, 0, 2, 3), "chin")
    assert own.subsets == {2: (0, 1)}
    assert (own.eye_corners, own.eyes) == (None, ((), ()))


def test_eye_corners_make_the_inter_ocular_normaliser_possible(tmp_path):
    """Trap: without them the number would be divided by something else."""
    with pytest.raises(ProtocolError, match=r"score\.normalisers: .* face_size \| diagonal"):
        read_card(write_card(tmp_path, normaliser="inter_ocular"))
    card = read_card(write_card(tmp_path, "eye_corners = [0, 1]", "inter_ocular"))
    assert card.own_layout.eye_corners == (0, 1)


def test_the_hash_of_a_card_moves_with_its_layout(tmp_path):
    plain = read_card(write_card(tmp_path)).card
    assert read_card(write_card(tmp_path, "eye_corners = [0, 1]")).card != plain
    assert read_card(write_card(tmp_path)).card == plain


@pytest.mark.parametrize(
    ("layout", "message"),
    [
        ("eye_corners = [0, 4]", r"layout\.eye_corners: 4 is not allowed; allowed: points 0 … 3"),
        ("eye_corners = [0]", r"layout\.eye_corners: \[0\] .* two points"),
        ("eyes = [[0]]", r"layout\.eyes: .* two lists"),
        ("corners = [0, 1]", r"layout\.corners: no such key"),
    ],
)
def test_what_a_layout_cannot_say_is_refused_by_its_key(tmp_path, layout, message):
    with pytest.raises(ProtocolError, match=message):
        read_card(write_card(tmp_path, layout))
