"""Each twin's card fits the set that it names, and each real card's twin has its shape."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchbox import datasets
from benchbox.datasets import assemble, select, split
from benchbox.datasets.synthetic.twin_table import GAZECAPTURE
from benchbox.face_renderer import image_sets
from benchbox.face_renderer.scenes import phone_and_tablet
from benchbox.protocols import protocol_card

CARDS = {
    card.name: card
    for card in protocol_card.read_cards()
    if card.dataset.startswith("synth-") and card.dataset != "synth-300w"
}
TWINS = [
    c
    for c in protocol_card.read_cards()
    if c.twin and not c.dataset.startswith("synth-") and c.dataset != "ytf68"
]


@pytest.fixture(scope="module")
def small():
    """Let every rendered set be its tiny one, rendered once."""
    with pytest.MonkeyPatch.context() as patch:
        for name in {"synth-300w", *(card.dataset for card in CARDS.values())}:
            module, kept = datasets.open_dataset(name), []

            def index(root, *, pixels=True, module=module, kept=kept):
                if not kept:
                    kept.append(module.tiny())
                return kept[0]

            patch.setattr(module, "index", index)
        yield


@pytest.mark.parametrize("name", [*CARDS, "synth-cofw68+extra=300vw", "synth-300w-full+extra=aflw"])
def test_a_tiny_set_goes_through_its_card(name, small):
    """Every group has faces, every box is there, nothing is trained and tested on at once."""
    card = protocol_card.load_protocol(name)
    index = assemble.assemble_index(card, Path())
    count = int(select.select_rows(index, card.groups[card.overall]).sum())
    assert count
    card = replace(card, test_expected=count)
    folds = split.fold_names(card, index)
    made = split.split_index(card, index, folds[0])
    if card.folds == "cluster":
        assert len(made.test) == int((index.clusters == folds[0]).sum())
    else:
        assert len(made.test) == count if not card.folds else 0 < len(made.test) < count
    assert all(inside.any() for inside in split.ground_truth(card, index).groups.values())
    assert not set(made.labelled.clusters) & set(made.truth.clusters)
    assert len(made.labelled)
    sample = made.test[0]
    assert set(sample.boxes) == set(card.extra_boxes)
    assert sample.pixels().ndim == 3
    assert made.truth.visible is not None or not card.masked
    assert bool(made.unlabelled) == bool(card.extra)


@pytest.mark.parametrize(
    "name", [n for n in CARDS if n not in ("synth-aflw-frontal", "synth-gazecapture-iphone-o1")]
)
def test_the_card_counts_what_the_set_holds(name):
    card, module = CARDS[name], datasets.open_dataset(CARDS[name].dataset)
    sizes = dict(module.PLAN.parts)
    if card.train_dataset:
        sizes |= dict(datasets.open_dataset(card.train_dataset).PLAN.parts)
    if card.dataset == "synth-gazestare":
        sizes |= {
            f"gazecn/{part}": size
            for part, size in datasets.open_dataset("synth-gazecn").PLAN.parts
        }
    trained = sum(sizes[part] for part in select.member_parts(card.train_parts))
    assert trained == card.train_expected or card.train_clusters
    assert (
        sum(sizes[part] for part in select.member_parts(card.groups[card.overall]))
        == card.test_expected
    )


def test_phones_held_upright_are_counted_by_the_frame():
    """By who holds what, not by the frames' geometry, which takes a minute.

    A few frames show that both agree.
    """
    card, study = CARDS["synth-gazecapture-iphone-o1"], image_sets.GAZECAPTURE
    counts = {}
    for part, persons, dots, frames in study.parts:
        holds = [
            phone_and_tablet.held_device(study, part, person, dot)
            for person in range(persons)
            for dot in range(dots)
        ]
        counts[part] = frames * sum(device.kind == "phone" and turn == 1 for device, turn in holds)
    assert (counts["train"], counts["test"]) == (card.train_expected, card.test_expected)
    assert counts["val"] > 100
    index = GAZECAPTURE.tiny()
    upright = index.attributes["phone"] & index.attributes["orientation_1"]
    assert (
        int(select.select_rows(index, [f"{part} & phone & orientation_1" for part in counts]).sum())
        == upright.sum()
        > 9
    )
    assert (index.values[upright, 1] < 0).all()
    assert np.isfinite(index.meta["face_grid"]).all()


@pytest.mark.parametrize("card", TWINS, ids=lambda card: card.name)
def test_a_twin_has_the_shape_of_its_card(card):
    twin = protocol_card.load_protocol(card.twin)
    assert (twin.task, twin.layout, twin.folds, twin.metrics) == (
        card.task,
        card.layout,
        card.folds,
        card.metrics,
    )
    assert twin.extra_boxes == card.extra_boxes
    assert (twin.normalisers, twin.auc, twin.fr, twin.masked) == (
        card.normalisers,
        card.auc,
        card.fr,
        card.masked,
    )
    assert bool(twin.train_dataset) == bool(card.train_dataset)
    assert set(card.options) <= set(twin.options)
    if card.name != "eth-xgaze-official":  # the split of other people that its twin cannot have
        assert (twin.overall, twin.cluster == "video") == (card.overall, card.cluster == "video")
        assert set(card.groups) <= set(twin.groups)
