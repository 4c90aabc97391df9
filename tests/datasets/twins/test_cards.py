"""Each twin's card fits the set that it names, and each real card's twin has its shape."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchbox import datasets, protocol, selection
from benchbox.datasets import split
from benchbox.datasets.twins import gazecapture

CARDS = {
    card.name: card for card in protocol.cards() if card.dataset.startswith("synth-") and card.dataset != "synth-300w"
}
TWINS = [card for card in protocol.cards() if card.twin and not card.dataset.startswith("synth-")]


@pytest.fixture(scope="module")
def tiny():
    kept = {}

    def of(dataset):
        if dataset not in kept:
            kept[dataset] = datasets.open(dataset).tiny()
        return kept[dataset]

    return of


@pytest.mark.parametrize("name", CARDS)
def test_a_tiny_set_goes_through_its_card(name, tiny):
    """Every group has faces, every box is there, nothing is trained and tested on at once."""
    card, index = CARDS[name], tiny(CARDS[name].dataset)
    count = int(selection.rows(index, card.groups[card.overall]).sum())
    assert count
    small = replace(card, test_expected=count)
    left_out = str(index.clusters[0]) if card.folds else ""
    made = split.split(small, index, left_out)
    assert len(made.test) == (count if not left_out else int((index.clusters == left_out).sum()))
    assert all(inside.any() for inside in split.truth(small, index).groups.values())
    assert not set(made.labelled.clusters) & set(made.truth.clusters)
    sample = made.test[0]
    assert set(sample.boxes) == set(card.extra_boxes)
    assert sample.pixels().ndim == 3
    assert (made.truth.visible is not None) == card.masked or not card.masked


@pytest.mark.parametrize("name", [n for n in CARDS if n not in ("synth-aflw-frontal", "synth-gazecapture-iphone-o1")])
def test_the_card_counts_what_the_set_holds(name):
    card, module = CARDS[name], datasets.open(CARDS[name].dataset)
    sizes = {**dict(module.PLAN.parts), "300w/train": 3148}
    if card.dataset == "synth-gazestare":
        sizes |= {f"gazecn/{part}": size for part, size in datasets.open("synth-gazecn").PLAN.parts}
    assert sum(sizes[part] for part in selection.parts(card.train_parts)) == card.train_expected
    assert sum(sizes[part] for part in selection.parts(card.groups[card.overall])) == card.test_expected


def test_phones_held_upright_are_counted_by_the_frame():
    card, index = CARDS["synth-gazecapture-iphone-o1"], gazecapture.index(Path(), pixels=False)
    assert int(selection.rows(index, card.train_parts).sum()) == card.train_expected
    assert int(selection.rows(index, card.groups["total"]).sum()) == card.test_expected
    assert (index.values[index.attributes["orientation_1"], 1] < 0).all()
    assert np.isfinite(index.meta["face_grid"]).all()


@pytest.mark.parametrize("card", TWINS, ids=lambda card: card.name)
def test_a_twin_has_the_shape_of_its_card(card):
    twin = protocol.load(card.twin)
    assert (twin.task, twin.layout, twin.folds, twin.metrics) == (card.task, card.layout, card.folds, card.metrics)
    assert twin.extra_boxes == card.extra_boxes
    if card.task != "landmarks":
        assert (twin.overall, twin.box) == (card.overall, card.box)
        assert set(card.groups) <= set(twin.groups)
