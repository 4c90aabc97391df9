"""Statistics of single landmarks: a hand-computed case, a slow twin, the face's own axes, too few
faces.
"""

import math

import numpy as np
import pytest

from benchbox.layouts import AFLW19, IBUG68
from benchbox.metrics import landmarks, per_point

COUNT = 40


def faces(count: int = COUNT, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    found = rng.uniform(0, 200, (count, 68, 2))
    found[:, 36], found[:, 45] = (50.0, 80.0), (150.0, 80.0)  # the eye line is level, 100 px long
    return found


def column(table: np.ndarray, group: str, name: str) -> np.ndarray:
    return table[table["group"] == group][name]


def turned(values: np.ndarray, angle: float) -> np.ndarray:
    cos, sin = math.cos(angle), math.sin(angle)
    return values @ np.array([[cos, sin], [-sin, cos]])


def test_by_hand():
    truth = faces()
    predictions = truth.copy()
    # every other face is 6 px off to the right, the others 2 px down
    predictions[::2, 30] += (6.0, 0.0)
    predictions[1::2, 30] += (0.0, 2.0)
    everyone = np.ones(COUNT, bool)
    table = per_point.point_statistics(
        truth, predictions, np.full(COUNT, 100.0), IBUG68, {"all": everyone}, ~everyone
    )
    (nose,) = table[table["point"] == 30]
    assert nose["count"] == COUNT
    assert nose["error"] == pytest.approx(0.04)
    assert (nose["bias_x"], nose["bias_y"]) == pytest.approx((0.03, 0.01))
    assert (nose["var_x"], nose["var_y"], nose["cov_xy"]) == pytest.approx((9e-4, 1e-4, -3e-4))
    assert (table["error"][table["point"] != 30] == 0).all()


def test_equals_numpy_on_both_sides_of_a_chunk_and_the_mean_over_points_is_the_nme():
    count = landmarks.CHUNK_FACES + 40
    rng = np.random.default_rng(1)
    truth, scale = faces(count), rng.uniform(50, 90, count)
    predictions = truth + rng.normal(2, 5, truth.shape)
    easy, failed = np.arange(count) < 300, np.arange(count) % 50 == 0
    predictions[failed] = np.nan
    groups = {"easy": easy, "hard": ~easy}
    table = per_point.point_statistics(truth, predictions, scale, IBUG68, groups, failed)
    for group, inside in groups.items():
        u = ((predictions - truth) / scale[:, None, None])[inside & ~failed]
        assert (column(table, group, "count") == len(u)).all()
        np.testing.assert_allclose(
            column(table, group, "bias_x"), u[..., 0].mean(axis=0), atol=1e-6
        )
        np.testing.assert_allclose(column(table, group, "var_y"), u[..., 1].var(axis=0), rtol=1e-4)
        expected = [np.cov(u[:, k].T, bias=True)[0, 1] for k in range(68)]
        np.testing.assert_allclose(column(table, group, "cov_xy"), expected, atol=1e-7)
        nme = landmarks.nme(truth, predictions, scale)[inside & ~failed].mean()
        assert column(table, group, "error").mean() == pytest.approx(nme, rel=1e-6)


def test_a_rolled_head_gives_what_the_upright_one_gives():
    rng = np.random.default_rng(2)
    truth = faces()
    predictions = truth + rng.normal(3, 5, truth.shape)
    everyone = np.ones(COUNT, bool)
    angles = np.random.default_rng(3).uniform(-3, 3, COUNT)
    rolled = [
        np.stack([turned(f, a) for f, a in zip(v, angles, strict=True)])
        for v in (truth, predictions)
    ]
    upright = per_point.point_statistics(
        truth, predictions, np.full(COUNT, 100.0), IBUG68, {"all": everyone}, ~everyone
    )
    other = per_point.point_statistics(
        *rolled, np.full(COUNT, 100.0), IBUG68, {"all": everyone}, ~everyone
    )
    for name in ("error", "bias_x", "bias_y", "var_x", "var_y", "cov_xy"):
        np.testing.assert_allclose(other[name], upright[name], atol=1e-6)


def test_a_small_group_has_none_because_a_mean_over_few_faces_gives_annotations_away():
    truth = faces()
    small = np.arange(COUNT) < per_point.MIN_FACES
    failed = np.arange(COUNT) == 0
    groups = {"all": np.ones(COUNT, bool), "few": small}
    table = per_point.point_statistics(
        truth, truth + 1, np.full(COUNT, 100.0), IBUG68, groups, failed
    )
    assert set(table["group"]) == {"all"}
    assert len(table) == 68
    assert (
        len(
            per_point.point_statistics(
                truth, truth, np.full(COUNT, 1.0), IBUG68, {"few": small}, failed
            )
        )
        == 0
    )


def test_other_shapes_are_refused():
    with pytest.raises(ValueError, match=r"must be \(N, 19, 2\)"):
        per_point.point_statistics(
            faces(), faces(), np.ones(COUNT), AFLW19, {}, np.zeros(COUNT, bool)
        )
