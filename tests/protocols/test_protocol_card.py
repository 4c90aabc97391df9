"""Cards: shipped ones are sound, wrong ones refused by key; the hash follows the numbers only."""

import hashlib
import json
import subprocess
import sys
from dataclasses import MISSING, fields, replace
from pathlib import Path

import pytest

from benchbox.datasets.formats import box_csv
from benchbox.errors import DataError, ProtocolError
from benchbox.plugins.discovery import Collection
from benchbox.protocols import protocol_card
from benchbox.types import Protocol

SHIPPED = {
    "300w-challenging": ("300w", 135, "detector"),
    "300w-common": ("300w", 554, "detector"),
    "300w-full": ("300w", 689, "detector"),
    "synth-300w-challenging": ("synth-300w", 135, "detector"),
    "synth-300w-common": ("synth-300w", 554, "detector"),
    "synth-300w-full": ("synth-300w", 689, "detector"),
    "ytf68": ("ytf68", 471, "ground_truth"),
}
CARD = """\
name = "tiny"
title = "A tiny card"
version = 1
task = "landmarks"
dataset = "300w"
layout = "ibug68"

[train]
parts = ["afw"]
expected = 337
labelled = 1.0
validation = 0.0

[test]
overall = "all"
expected = 359

[test.groups]
all = ["ibug", "lfpw/testset"]
hard = ["ibug"]

[box]
source = "detector"
choices = ["detector", "ground_truth"]
expansion = 1.0

[score]
normalisers = ["inter_ocular"]
auc = [0.08]
fr = [0.08]
points = [51]
average = "macro"
failed = "infinite"
cluster = "photo"
interval = 0.95
resamples = 1000
"""


def write(folder: Path, text: str = CARD, name: str = "tiny") -> Path:
    path = folder / f"{name}.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_shipped_cards_say_what_they_must():
    cards = {card.name: card for card in protocol_card.read_cards()}
    shown = {name: (c.dataset, c.test_expected, c.box) for name, c in cards.items()}
    assert {name: shown[name] for name in SHIPPED} == SHIPPED
    assert protocol_card.protocol_names() == list(cards)
    for name in SHIPPED:
        card = cards[name]
        assert protocol_card.load_protocol(name) == card
        assert card.normalisers == ("inter_ocular", "inter_pupil")
        assert (card.auc, card.fr, card.points) == ((0.08, 0.1), (0.08, 0.1), (51, 49))
        assert card.box_expansion == 1.0
        assert card.twin in ("", *SHIPPED)
    full = cards["300w-full"]
    assert full.train_parts == ("afw", "helen/trainset", "lfpw/trainset")
    assert (full.train_expected, full.overall, full.cluster) == (3148, "full", "photo")
    assert full.groups == {
        "full": ("helen/testset", "lfpw/testset", "ibug"),
        "common": ("helen/testset", "lfpw/testset"),
        "challenging": ("ibug",),
    }
    assert (cards["ytf68"].train_expected, cards["ytf68"].cluster) == (2991, "person")


def test_every_twin_has_the_shape_of_its_card():
    for name in ("common", "challenging", "full"):
        real = protocol_card.load_protocol(f"300w-{name}")
        twin = protocol_card.load_protocol(real.twin)
        assert twin.name == f"synth-300w-{name}"
        assert (set(real.groups), real.overall, real.layout) == (
            set(twin.groups),
            twin.overall,
            twin.layout,
        )
        assert (real.normalisers, real.auc, real.fr, real.points) == (
            twin.normalisers,
            twin.auc,
            twin.fr,
            twin.points,
        )
        assert (real.train_expected, real.test_expected) == (
            twin.train_expected,
            twin.test_expected,
        )


def test_an_option_makes_another_protocol_with_another_hash():
    base = protocol_card.load_protocol("300w-full")
    other = protocol_card.load_protocol("300w-full+box=ground_truth")
    assert (other.name, other.box) == ("300w-full+box=ground_truth", "ground_truth")
    assert other.card != base.card
    assert replace(other, name=base.name, box=base.box, card=base.card) == base


def test_an_option_that_changes_nothing_does_not_fork_the_name():
    assert protocol_card.load_protocol("300w-full+box=detector") == protocol_card.load_protocol(
        "300w-full"
    )


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("300w-ful", r"no protocol is called '300w-ful'; did you mean 300w-full"),
        ("qqqqqq", r"no protocol is called 'qqqqqq'; `benchbox list protocols`"),
        ("../300w-full", r"no protocol is called '\.\./300w-full'"),
        (
            "300w-full+box=yolo",
            r"300w-full: no option '\+box=yolo'; allowed: \+box=detector, \+box=ground_truth",
        ),
        ("300w-full+size=2", r"300w-full: no option 'size=2'; allowed: \+box="),
        ("300w-full+box", r"no option 'box'; allowed: \+box="),
        ("300w-full+", r"no option ''"),
        ("300w-full+box=ground_truth+box=detector", r"'box' is given twice"),
        ("ytf68+box=detector", r"allowed: \+box=ground_truth$"),
    ],
)
def test_unknown_names_and_options_are_refused_with_advice(name, message):
    with pytest.raises(ProtocolError, match=message):
        protocol_card.load_protocol(name)


def test_a_sound_card_is_read_as_written(tmp_path):
    card = protocol_card.read_card(write(tmp_path))
    assert (card.name, card.twin, card.notes) == ("tiny", "", ())
    assert card.groups == {"all": ("ibug", "lfpw/testset"), "hard": ("ibug",)}
    assert card.options == {
        "box": ("detector", "ground_truth"),
        "holdout": ("0", "0.1", "0.15", "0.2"),
    }


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            'cluster = "photo"\n',
            'cluster = "photo"\nresample = 3\n',
            r"score\.resample: no such key; did you mean sco",
        ),
        ("[train]", 'colour = "red"\n[train]', r"colour: no such key; allowed: name, title"),
        (
            "resamples = 1000\n",
            "",
            r"score\.resamples: is missing; allowed: a whole number from 100",
        ),
        ("version = 1\n", "", r"version: is missing"),
        (
            "version = 1",
            'version = "1"',
            r"version: '1' is not allowed; allowed: a whole number from 1",
        ),
        ("version = 1", "version = true", r"version: True is not allowed"),
        (
            "expected = 337",
            "expected = 337.0",
            r"train\.expected: 337\.0 is not allowed; allowed: a whole number",
        ),
        ("expected = 337", "expected = -1", r"train\.expected: -1 is not allowed"),
        (
            "labelled = 1.0",
            "labelled = 0",
            r"train\.labelled: 0 is not allowed; allowed: a share above 0",
        ),
        ("validation = 0.0", "validation = 1", r"train\.validation: 1 is not allowed"),
        (
            'task = "landmarks"',
            'task = "gaze"',
            r"task: 'gaze' is not allowed; allowed: landmarks \| gaze2d \| gaze3d",
        ),
        (
            'dataset = "300w"',
            'dataset = "300-W"',
            r"dataset: '300-W' is not allowed; allowed: .*300w .*synth-300w",
        ),
        ('layout = "ibug68"', 'layout = "68"', r"layout: '68' is not allowed; allowed: ibug68"),
        (
            'layout = "ibug68"',
            'layout = ""',
            r"layout: does not fit the rest of the card; allowed: ibug68 .* for landm",
        ),
        (
            '"inter_ocular"',
            '"interocular"',
            r"score\.normalisers: .*allowed: a list of inter_ocular \| inter_pupil",
        ),
        (
            'normalisers = ["inter_ocular"]',
            "normalisers = []",
            r"score\.normalisers: .*one or more for landmarks",
        ),
        (
            "auc = [0.08]",
            "auc = 0.08",
            r"score\.auc: 0\.08 is not allowed; allowed: a list of fractions",
        ),
        ("auc = [0.08]", "auc = [8]", r"score\.auc: \[8\] is not allowed"),
        ("auc = [0.08]", "auc = [nan]", r"score\.auc: \[nan\] is not allowed"),
        ("auc = [0.08]", "auc = [0.08, 0.08]", r"score\.auc: \[0\.08, 0\.08\] is not allowed"),
        ("points = [51]", "points = [50]", r"score\.points: does not fit.*allowed: 66, 51, 49"),
        (
            'average = "macro"',
            'average = "micro"',
            r"score\.average: 'micro' is not allowed; allowed: macro",
        ),
        (
            'failed = "infinite"',
            'failed = "zero"',
            r"score\.failed: 'zero' is not allowed; allowed: infinite",
        ),
        ('source = "detector"', 'source = "mtcnn"', r"box\.choices: does not fit"),
        ("expansion = 1.0", "expansion = 0", r"box\.expansion: 0 is not allowed"),
        (
            'overall = "all"',
            'overall = "full"',
            r"test\.overall: does not fit.*allowed: all \| hard",
        ),
        (
            'overall = "all"',
            'overall = "hard"',
            r"test\.groups: does not fit.*overall group 'hard'",
        ),
        (
            'parts = ["afw"]',
            'parts = ["afw", "ibug"]',
            r"train\.parts: does not fit.*not tested on",
        ),
        ('hard = ["ibug"]', "hard = []", r"test\.groups: .* is not allowed; allowed: a table"),
        (
            'name = "tiny"',
            'name = "small"',
            r"name: does not fit.*allowed: tiny, as the file is called",
        ),
        ('name = "tiny"', 'name = "Tiny"', r"name: 'Tiny' is not allowed; allowed: small letters"),
        ("[box]", "[[box]]", r"box: .* is not a section; allowed: a table \[box\]"),
        ("[box]", "[box", r"is no TOML .*line 22"),
    ],
)
def test_a_wrong_card_names_file_key_and_what_is_allowed(tmp_path, old, new, message):
    assert CARD.count(old) == 1
    path = write(tmp_path, CARD.replace(old, new))
    with pytest.raises(ProtocolError, match=r"tiny\.toml: " + message):
        protocol_card.read_card(path)


def test_a_card_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(ProtocolError, match=r"gone\.toml: cannot be read"):
        protocol_card.read_card(tmp_path / "gone.toml")
    with pytest.raises(ProtocolError, match=r"tiny\.toml: 70000 bytes, more than 65536 bytes"):
        protocol_card.read_card(write(tmp_path, "#" * 70_000))
    (tmp_path / "latin.toml").write_bytes(b'name = "\xe9"')
    with pytest.raises(ProtocolError, match=r"latin\.toml: is not a text file in UTF-8"):
        protocol_card.read_card(tmp_path / "latin.toml")


def test_the_hash_is_that_of_the_canonical_content(tmp_path):
    card = protocol_card.read_card(write(tmp_path))
    words = {"name", "title", "notes", "twin", "options", "card"}
    words |= {"extras"}
    # unused here: they move no older card
    later = {f.name for f in fields(Protocol) if f.default is not MISSING}
    content = {
        f.name: getattr(card, f.name) for f in fields(Protocol) if f.name not in words | later
    }
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    assert card.card == "sha256:" + hashlib.sha256(text.encode()).hexdigest()
    assert '"groups":{"all":["ibug","lfpw/testset"],"hard":["ibug"]}' in text


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("version = 1", "version = 2"),
        ("labelled = 1.0", "labelled = 0.1"),
        ("validation = 0.0", "validation = 0.1"),
        ('parts = ["afw"]', 'parts = ["afw", "helen/trainset"]'),
        ("expected = 359", "expected = 360"),
        ('hard = ["ibug"]', 'hard = ["lfpw/testset"]'),
        ('source = "detector"', 'source = "ground_truth"'),
        ("expansion = 1.0", "expansion = 1.2"),
        ('["inter_ocular"]', '["inter_pupil"]'),
        ("auc = [0.08]", "auc = [0.1]"),
        ("fr = [0.08]", "fr = [0.1]"),
        ("points = [51]", "points = [49]"),
        ('cluster = "photo"', 'cluster = "person"'),
        ("interval = 0.95", "interval = 0.9"),
        ("resamples = 1000", "resamples = 2000"),
    ],
)
def test_whatever_decides_a_number_moves_the_hash(tmp_path, old, new):
    before = protocol_card.read_card(write(tmp_path)).card
    assert CARD.count(old) == 1
    assert protocol_card.read_card(write(tmp_path, CARD.replace(old, new))).card != before


def test_words_and_order_of_keys_do_not_move_the_hash(tmp_path):
    before = protocol_card.read_card(write(tmp_path)).card
    text = CARD.replace("A tiny card", "Another title").replace(
        "version = 1", 'version = 1\ntwin = "x"\nnotes = ["n"]'
    )
    text = text.replace(
        'all = ["ibug", "lfpw/testset"]\nhard = ["ibug"]',
        'hard = ["ibug"]\nall = ["ibug", "lfpw/testset"]',
    )
    text = text.replace("labelled = 1.0", "labelled = 1")
    assert protocol_card.read_card(write(tmp_path, text)).card == before


def test_two_collections_may_not_share_a_name(tmp_path, monkeypatch):
    for folder in ("ours", "theirs"):
        (tmp_path / folder).mkdir()
        write(tmp_path / folder)
    found = [Collection(name, name, tmp_path / name) for name in ("ours", "theirs")]
    write(tmp_path / "theirs", CARD.replace('name = "tiny"', 'name = "theirs"'), "theirs")
    monkeypatch.setattr(protocol_card.discovery, "find_collections", lambda group: found)
    doubled = r"two cards are called 'tiny': .*ours.* and .*theirs.*; rename one"
    with pytest.raises(ProtocolError, match=doubled):
        protocol_card.load_protocol("tiny")
    # neither wins, and the others are there: one package stops nobody
    cards, faults = protocol_card.scan_cards()
    assert [card.name for card in cards] == ["theirs"]
    assert [str(fault) for fault in faults if "two cards" in str(fault)] != []


def test_a_broken_card_does_not_hide_the_others(tmp_path, monkeypatch):
    write(tmp_path)
    write(tmp_path, "name = 1", "broken")
    found = [Collection("acme 1", "acme", tmp_path)]
    monkeypatch.setattr(protocol_card.discovery, "find_collections", lambda group: found)
    assert protocol_card.protocol_names() == ["broken", "tiny"]
    assert protocol_card.load_protocol("tiny").name == "tiny"
    with pytest.raises(ProtocolError, match=r"broken\.toml: name: 1 is not allowed"):
        protocol_card.read_cards()


def test_a_newcomer_is_told_what_the_numbers_mean():
    text = protocol_card.describe_protocol(
        protocol_card.load_protocol("300w-full+box=ground_truth")
    )
    for words in (
        "689 items",
        "outer corners of the eyes",
        "easier than life",
        "synth-300w-full",
        "+box=detector",
    ):
        assert words in text
    text = protocol_card.describe_protocol(
        replace(protocol_card.load_protocol("300w-full"), labelled=0.1)
    )
    assert "10% of them; the others come without labels" in text


def test_reading_cards_loads_nothing_heavy():
    code = (
        "import sys, benchbox.protocols.protocol_card as p; p.read_cards();"
        "print({'numpy', 'torch', 'cv2', 'scipy'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


GAZE = {
    "gazecapture": ("gaze2d", 179496, "", ("error_cm", "error_cm_dot")),
    "gazecapture-iphone-o1": ("gaze2d", 55541, "", ("error_cm", "error_cm_dot")),
    "gazecn": ("gaze2d", 43380, "", ("error_cm", "error_cm_dot")),
    "gazestare": ("gaze2d", 26427, "", ("msd_cm", "error_cm")),
    "eth-xgaze": ("gaze3d", 0, "", ("error_deg", "error_deg_person")),
    "eth-xgaze-official": ("gaze3d", 0, "", ("error_deg", "error_deg_person")),
    "mpiigaze": ("gaze3d", 45000, "cluster", ("error_deg_person", "error_deg")),
    "mpiigaze-small": ("gaze3d", 45000, "cluster", ("error_deg_person", "error_deg")),
    "mpiifacegaze": ("gaze3d", 45000, "cluster", ("error_deg_person", "error_deg")),
}


def test_gaze_cards_say_what_they_must():
    cards = {name: protocol_card.load_protocol(name) for name in GAZE}
    assert {
        name: (c.task, c.test_expected, c.folds, c.metrics) for name, c in cards.items()
    } == GAZE
    assert {c.cluster for c in cards.values()} == {"person"}
    capture = cards["gazecapture"]
    assert capture.groups == {
        "total": ("test",),
        "phone": ("test & phone",),
        "tablet": ("test & tablet",),
    }
    assert (capture.train_expected, capture.validation_parts) == (1251983, ("val",))
    assert (capture.box, capture.extra_boxes) == ("face", ("left_eye", "right_eye"))
    assert (cards["eth-xgaze"].train_clusters, cards["eth-xgaze"].test_clusters) == (70, 10)
    assert "all items of 10 persons" in protocol_card.describe_protocol(cards["eth-xgaze"])
    assert "val for validation, as the dataset has it" in protocol_card.describe_protocol(capture)
    assert "folds     one per person" in protocol_card.describe_protocol(cards["mpiigaze"])


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "labelled = 1.0",
            'labelled = 1.0, validation_parts = ["ibug"]',
            r"train\.validation_parts: does not fit",
        ),
        (
            "labelled = 1.0",
            'labelled = 1.0, validation_parts = ["afw"]',
            r"train\.validation_parts: does not fit",
        ),
        (
            "expected = 359",
            "expected = 0",
            r"test\.clusters: does not fit.*either test\.expected or test\.clusters",
        ),
        ("expected = 359", "expected = 359, clusters = 2", r"test\.clusters: does not fit"),
    ],
)
def test_what_is_held_out_and_what_is_complete_is_said_once(tmp_path, old, new, message):
    text = CARD.replace(old, new.replace(", ", "\n") if f"{old}\n" in CARD else new)
    assert text != CARD
    with pytest.raises(ProtocolError, match=message):
        protocol_card.read_card(write(tmp_path, text))


def test_two_preparations_of_one_recording_are_no_test_across_datasets(tmp_path):
    """The trap: MPIIFaceGaze and MPIIGaze show the same fifteen people."""
    text = (Path(__file__).parents[2] / "protocols" / "eth-xgaze-to-mpiifacegaze.toml").read_text()
    path = tmp_path / "eth-xgaze-to-mpiifacegaze.toml"
    path.write_text(text.replace('dataset = "eth-xgaze"', 'dataset = "mpiigaze"'))
    with pytest.raises(ProtocolError, match=r"train\.dataset: .* both show MPIIGaze's"):
        protocol_card.read_card(path)


@pytest.mark.parametrize("name", ["../..", "/etc/x", "a/b", "..", "a\\b"])
def test_a_box_source_is_a_name_and_no_path(tmp_path, name):
    """The trap: `boxes/<source>.csv` was opened wherever the source led."""
    path = tmp_path / "tiny.toml"
    path.write_text(CARD.replace('source = "detector"', f"source = {json.dumps(name)}"))
    with pytest.raises(ProtocolError, match=r"tiny\.toml: box\.source"):
        protocol_card.read_card(path)
    with pytest.raises((ProtocolError, DataError)):
        box_csv.box_file(tmp_path, name if "/" in name or "\\" in name else "a/b")


@pytest.mark.parametrize("folder", ["../secret", "/secret", "a/../../b", "c:\\\\x"])
def test_a_card_names_no_folder_outside_the_data_root(tmp_path, folder):
    files = f'dataset = "files"\nsource = {{images = "{folder}", parts = {{ibug = "a.csv"}}}}'
    path = tmp_path / "tiny.toml"
    path.write_text(CARD.replace('dataset = "300w"', files))
    with pytest.raises(ProtocolError, match="source"):
        protocol_card.read_card(path)
    path.write_text(
        CARD.replace(
            'dataset = "300w"',
            files.replace("a.csv", folder).replace(f'images = "{folder}"', 'images = "p"'),
        )
    )
    with pytest.raises(ProtocolError, match="source"):
        protocol_card.read_card(path)
