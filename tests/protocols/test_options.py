"""Options: they enter name and hash, in one order.

What is not offered or makes no sense is refused.
"""

from dataclasses import replace
from pathlib import Path

import pytest

from benchbox.errors import ProtocolError
from benchbox.protocols import options, protocol_card

FULL = protocol_card.load_protocol("300w-full")
PARTS = 'parts = {train = "mine/train.csv", test = "mine/test.json"}'
SOURCE = f'images = "mine/pictures", {PARTS}, origin = 1'
CARD = """\
name = "mine"
title = "My faces"
dataset = "files"
layout = "ibug68"
source = {SOURCE}
train = {parts = ["train"], expected = 30}
test = {overall = "all", expected = 12, groups = {all = ["test"]}}
box = {source = "bbox"}
score = {normalisers = ["inter_ocular"]}
""".replace("SOURCE", SOURCE)


def test_every_setting_of_the_papers_tables_is_a_name():
    sweeps = {
        "labelled": (0.05, 0.1, 0.2),
        "scale": (0.1, 0.2, 0.3, 0.4, 0.5),
        "translation": (0.05, 0.1, 0.15, 0.2, 0.25),
        "rotation": (5, 10, 15, 20, 25),
        "noise": (3, 5, 10),
        "extra": ("aflw", "300vw"),
        "box": ("ground_truth", "mtcnn", "retinaface"),
    }
    hashes = {FULL.card}
    for key, values in sweeps.items():
        for value in values:
            other = protocol_card.load_protocol(f"300w-full+{key}={options.format_value(value)}")
            assert getattr(other, key) == value
            assert other.name == f"300w-full+{key}={options.format_value(value)}"
            hashes.add(other.card)
    # no two of them may be ranked together
    assert len(hashes) == 1 + sum(map(len, sweeps.values()))


def test_options_stand_in_the_order_of_their_keys_and_own_values_vanish():
    name = "300w-full+labelled=0.1+draw=2+box=ground_truth"
    assert (
        protocol_card.load_protocol(name).name == "300w-full+box=ground_truth+draw=2+labelled=0.1"
    )
    assert protocol_card.load_protocol("300w-full+labelled=1") == FULL
    assert (
        protocol_card.load_protocol("300w-full+labelled=0.1+draw=0").name
        == "300w-full+labelled=0.1"
    )


def test_offering_an_option_moves_no_hash():
    bare = replace(FULL, options={"box": ("detector",)}, extras={})
    assert protocol_card._card_hash(bare) == FULL.card


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "300w-full+labelled=0.3",
            r"no option '\+labelled=0\.3'; allowed: \+labelled=1, \+labelled=0\.01",
        ),
        ("300w-full+draw=1", r"\+draw= needs \+labelled="),
        ("300w-full+extra=wflw", r"allowed: \+extra=aflw, \+extra=300vw"),
        ("ytf68+noise=3", r"no option 'noise=3'; allowed: \+box="),
        ("aflw-full+rotation=5", r"no option 'rotation=5'"),
    ],
)
def test_what_is_not_offered_is_refused(name, message):
    with pytest.raises(ProtocolError, match=message):
        protocol_card.load_protocol(name)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[options]\nlabelled = [1.5]\n", r"options\.labelled: a value is not allowed"),
        ("[options]\nscale = [true]\n", r"options\.scale: \[True\] is not allowed"),
        ("[options]\nsize = [1]\n", r"options\.size: no such key"),
        (
            "[train.extra.aflw]\ndataset = 'aflw'\n",
            r"train\.extra: parts: is missing; allowed: a list of",
        ),
    ],
)
def test_a_card_that_offers_nonsense_is_refused(tmp_path, text, message):
    (tmp_path / "mine.toml").write_text(tables(text))
    with pytest.raises(ProtocolError, match=message):
        protocol_card.read_card(tmp_path / "mine.toml")


def tables(text: str) -> str:
    """The card with its training as a table, so that sub-tables can follow."""
    return CARD.replace('train = {parts = ["train"], expected = 30}\n', "") + (
        '[train]\nparts = ["train"]\nexpected = 30\n' + text
    )


# --- one's own files ------------------------------------------------------------------------------


def test_nine_lines_make_a_card_and_a_path_names_it(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(CARD)
    card = protocol_card.load_protocol(str(path))
    assert (card.name, card.task, card.version, card.labelled, card.cluster) == (
        "mine",
        "landmarks",
        1,
        1.0,
        "photo",
    )
    assert card.source is not None
    assert (card.source.origin, dict(card.source.parts)["test"]) == (1.0, "mine/test.json")
    assert CARD.count("\n") == 9


def test_paths_decide_no_number_but_the_origin_does(tmp_path):
    def hash_of(text: str) -> str:
        (tmp_path / "mine.toml").write_text(text)
        return protocol_card.read_card(tmp_path / "mine.toml").card

    before = hash_of(CARD)
    assert (
        hash_of(CARD.replace("mine/pictures", "elsewhere").replace("mine/train.csv", "t.csv"))
        == before
    )
    assert hash_of(CARD.replace("origin = 1", "origin = 0")) != before
    assert hash_of(CARD.replace("origin = 1", 'origin = 1, visible = "coco"')) != before


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("origin = 1", "origin = 2", r"source: .* is not allowed"),
        ("images = ", "folder = ", r"source: folder: no such key; .*allowed: images"),
        ('"files"', '"300w"', r"version: is missing"),  # shipped sets leave nothing out
    ],
)
def test_a_wrong_source_is_refused(tmp_path, old, new, message):
    (tmp_path / "mine.toml").write_text(CARD.replace(old, new))
    with pytest.raises(ProtocolError, match=message):
        protocol_card.read_card(tmp_path / "mine.toml")


def test_a_folder_of_cards_joins_the_installed_ones(tmp_path, monkeypatch):
    (tmp_path / "mine.toml").write_text(CARD)
    assert "mine" not in protocol_card.protocol_names()
    monkeypatch.setenv(protocol_card.FOLDERS_VARIABLE, str(tmp_path))
    assert protocol_card.load_protocol("mine").title == "My faces"
    assert "300w-full" in protocol_card.protocol_names()


def test_a_card_that_is_not_there_is_named():
    with pytest.raises(ProtocolError, match=r"gone\.toml: cannot be read"):
        protocol_card.load_protocol(str(Path("gone.toml")))
