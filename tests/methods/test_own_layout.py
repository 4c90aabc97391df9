"""Landmark methods on a card's own layout: seven points that no table knows.

The trap: training asks the job for the layout, predicting looked its name up in the table.
"""

from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from benchbox.layouts import flip_table
from benchbox.plugins import method_call, method_card
from benchbox.training.checkpoint import save_weights
from benchbox.types import Layout, Sample

SEVEN = Layout(
    "mine-own", 7, flip_table(7, [(0, 3), (1, 2), (5, 6)]), (0, 3), (1, 2), ((0, 1), (2, 3)), {}, {}
)


def saved_sir(folder: Path, module: str, params: dict) -> None:
    detector = import_module(f"{module}.detector").SirDetector(7, params)
    recipe = import_module(f"{module}.recipe")
    facts = {key: str(params[key]) for key in recipe.SAVED_PARAMS} | {"layout": SEVEN.name}
    save_weights(folder / recipe.WEIGHTS, {"system": detector}, facts)


def saved_glsr(folder: Path, module: str, params: dict) -> None:
    import json

    detector = import_module(f"{module}.detector").GlsrDetector(SEVEN, params)
    recipe = import_module(f"{module}.recipe")
    kept = json.dumps({key: params[key] for key in (*recipe.STRUCTURE_PARAMS, "crop_side")})
    facts = {"frames": "ours", "layout": SEVEN.name, "params": kept}
    save_weights(folder / recipe.WEIGHTS, {"system": detector}, facts)


def saved_ts3(folder: Path, module: str, params: dict) -> None:
    students, recipe = import_module(f"{module}.students"), import_module(f"{module}.recipe")
    made = {name: students.make_student(name, 7, params) for name in students.student_names(params)}
    keys = ("students", "background", "width", "stacks", "side", "crop_side", "radius", "expansion")
    facts = {key: str(params[key]) for key in keys} | {"layout": SEVEN.name}
    save_weights(folder / recipe.WEIGHTS, made, facts)


@pytest.mark.parametrize(
    ("name", "variant", "save"),
    [("sir", "", saved_sir), ("glsr", "gsr", saved_glsr), ("ts3", "", saved_ts3)],
)
def test_a_method_predicts_the_points_of_an_own_layout(tmp_path, name, variant, save):
    card = method_card.find_card(name)
    params = {**card.params, **card.budgets["smoke"]}
    params |= card.variants[variant or card.default].params
    save(tmp_path, card.module, params)
    setting = method_call.MethodSetting(params, "landmarks", SEVEN, card.folder, tmp_path)
    predict = method_call.make_predictor(
        method_card.import_method(card), tmp_path, "cpu", setting, name
    )
    picture = np.random.default_rng(0).integers(0, 255, (120, 100, 3), dtype=np.uint8)
    sample = Sample("a", np.array([20.0, 30, 80, 90]), lambda: picture)
    assert predict([sample]).shape == (1, 7, 2)
