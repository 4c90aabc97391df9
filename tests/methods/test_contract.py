"""Every method in this repository keeps the contract.

Tried as `benchbox test method NAME` tries anybody's.
"""

from pathlib import Path

import pytest

from benchbox.authoring import conformance
from benchbox.plugins import method_card

PACKAGE = "benchbox_methods."
SHIPPED = sorted(
    path.parent.name for path in (Path(__file__).parents[2] / "methods").glob("*/method.toml")
)


def test_every_folder_of_methods_is_installed_under_its_own_card():
    folders = {
        card.folder.name for card in method_card.read_cards() if card.module.startswith(PACKAGE)
    }
    assert folders == set(SHIPPED)


# a person brings their network: test_onnx.py tries them with networks made there
WITHOUT_WEIGHTS = {"dlib68", "faceapi68", "mediapipe478", "mtcnn5", "onnx", "openseeface"}


@pytest.mark.parametrize("folder", sorted(set(SHIPPED) - WITHOUT_WEIGHTS))
def test_the_method_keeps_the_contract(folder):
    (card,) = [card for card in method_card.read_cards() if card.folder.name == folder]
    broken = [
        f"{check.name}: {check.detail}" for check in conformance.check_method(card) if not check.ok
    ]
    assert broken == []


VARIANTS = [
    (card.name, variant)
    for card in method_card.read_cards()
    if card.module.startswith(PACKAGE)
    for variant in card.variants
    if variant != card.default and card.folder.name not in WITHOUT_WEIGHTS
]


@pytest.mark.slow
@pytest.mark.parametrize(("method", "variant"), VARIANTS)
def test_every_variant_keeps_the_contract(method, variant):
    """The others than the default, which the quick suite tries.

    Each learns from one batch there, too.
    """
    broken = [
        f"{check.name}: {check.detail}"
        for check in conformance.check_method(method_card.find_card(method), variant=variant)
        if not check.ok
    ]
    assert broken == []
