"""The landmark cards hold what tables of papers used: counts, groups, normalisers, thresholds."""

import pytest

from benchbox.datasets.landmarks import aflw, cofw, cofw68, ibug300vw, ibug300w_private, wflw
from benchbox.errors import ProtocolError
from benchbox.protocols import protocol_card
from benchbox.protocols.protocol_card import describe_protocol, load_protocol

W = (("afw", "helen/trainset", "lfpw/trainset"), 3148)


def test_300w_private_is_trained_on_300w_and_scored_at_8_percent_on_68_and_51_points():
    """Trap: G&LSR's text says 0.1; its numbers, and SIR's, are at 0.08."""
    card = load_protocol("300w-private")
    assert (card.train_dataset, card.train_parts, card.train_expected) == ("300w", *W)
    assert (card.test_expected, card.auc, card.fr, card.points) == (
        2 * ibug300w_private.FACES,
        (0.08,),
        (0.08,),
        (51,),
    )
    assert dict(card.groups) == {
        "all": ("indoor", "outdoor"),
        "indoor": ("indoor",),
        "outdoor": ("outdoor",),
    }
    assert (card.normalisers[0], card.box) == ("inter_ocular", "ground_truth")


@pytest.mark.parametrize("category", ["a", "b", "c"])
def test_300vw_drops_known_bad_frames_or_keeps_them_by_name(category):
    card, kept = load_protocol(f"300vw-{category}"), load_protocol(f"300vw-{category}-all")
    assert (card.groups["all"], kept.groups["all"]) == ((f"{category} & !broken",), (category,))
    assert card.test_clusters == kept.test_clusters == len(ibug300vw.PARTS[category])
    assert (card.points, card.auc, card.cluster, card.train_dataset) == (
        (49,),
        (0.08,),
        "video",
        "300w",
    )
    assert card.card != kept.card


def test_aflw_has_three_sizes_and_the_face_box_as_scale():
    """Trap: 1,314, 1,211 and 1,165 are all called AFLW-Frontal."""
    full, frontal, inside = (
        load_protocol("aflw-full"),
        load_protocol("aflw-frontal"),
        load_protocol("aflw-frontal-1211"),
    )
    assert [c.test_expected for c in (full, frontal, inside)] == [
        aflw.FACES - aflw.TRAINING_FACES,
        1314,
        1211,
    ]
    for card in (full, frontal, inside):
        assert (card.normalisers, card.masked, card.box, card.layout) == (
            ("face_size",),
            True,
            "rect",
            "aflw19",
        )
        assert card.train_expected == aflw.TRAINING_FACES
    assert "1,165" in describe_protocol(frontal)


def test_cofw_is_scored_by_corners_and_by_pupils():
    card = load_protocol("cofw")
    assert (card.train_expected, card.test_expected) == tuple(cofw.FACES.values())
    assert (card.normalisers, card.fr, card.masked) == (
        ("inter_ocular", "inter_pupil"),
        (0.1,),
        True,
    )


def test_cofw68_crosses_datasets():
    card = load_protocol("cofw68")
    assert (card.train_dataset, card.train_parts, card.train_expected) == ("300w", *W)
    assert (card.test_expected, card.fr, card.masked, card.layout) == (
        cofw68.FACES,
        (0.1,),
        True,
        "ibug68",
    )


def test_wflw_has_its_six_groups_from_the_flags():
    card = load_protocol("wflw")
    assert (card.train_expected, card.test_expected) == tuple(wflw.FACES.values())
    assert dict(card.groups) == {"test": ("test",)} | {
        name: (f"test & {name}",) for name in wflw.ATTRIBUTES
    }
    assert (card.auc, card.fr, card.normalisers[0], card.layout) == (
        (0.1,),
        (0.1,),
        "inter_ocular",
        "wflw98",
    )
    text = describe_protocol(card)
    for words in (
        "2500 items",
        "largepose",
        "boxes around the true points",
        "+box=ground_truth",
        "+labelled=0.05|0.1|0.2",
    ):
        assert words in text


def test_a_named_twin_exists():
    cards = {card.name: card for card in protocol_card.read_cards()}
    for card in cards.values():
        assert not card.twin or card.twin in cards, f"{card.name}: its twin {card.twin} is no card"
        if card.twin:
            twin = cards[card.twin]
            assert (twin.layout, twin.task) == (card.layout, card.task)
            assert set(twin.normalisers) == set(card.normalisers)


@pytest.mark.parametrize(
    "name", ["300w-private", "300vw-c", "aflw-full", "aflw-frontal", "cofw", "cofw68", "wflw"]
)
def test_a_real_card_and_its_twin_have_the_same_groups_and_points(name):
    card = load_protocol(name)
    twin = load_protocol(card.twin)
    assert card.twin == f"synth-{name}"
    assert (set(twin.groups), twin.overall) == (set(card.groups), card.overall)
    assert (twin.normalisers, twin.points, twin.masked) == (
        card.normalisers,
        card.points,
        card.masked,
    )
    assert (twin.auc, twin.fr, twin.box) == (card.auc, card.fr, card.box)


def test_an_extra_never_shares_a_part_with_the_test():
    for card in protocol_card.read_cards():
        for extra in card.extras.values():
            tested = {
                member.partition(" ")[0] for members in card.groups.values() for member in members
            }
            assert extra.dataset != card.dataset or not tested & set(extra.parts), card.name


def test_the_1165_faces_are_no_card():
    with pytest.raises(ProtocolError, match="aflw-frontal"):
        load_protocol("aflw-frontal-1165")


@pytest.mark.parametrize(
    "name", ["gazecapture", "gazecapture-iphone-o1", "gaze360", "gazecn", "gazestare"]
)
def test_few_people_are_an_option_of_real_sets_and_of_their_twins(name):
    """A trial with few people on a twin is one that can be made on the real set."""
    real, twin = (protocol_card.load_protocol(f"{prefix}{name}") for prefix in ("", "synth-"))
    assert real.options["labelled"] == twin.options["labelled"] == ("1", "0.05", "0.15", "0.3")
    assert real.options["draw"] == twin.options["draw"] == ("0", "1", "2")
    few = protocol_card.load_protocol(f"{name}+draw=1+labelled=0.15")
    assert (few.labelled, few.draw) == (0.15, 1)
