"""AUC, FR and CED: hand-computed cases, slow twins of every rule, and where the rules of other code
part from exact.
"""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchbox.metrics import curves

ERRORS = np.array([0.02, 0.04, 0.10, math.inf])
some_errors = st.lists(st.floats(0, 0.5) | st.just(math.inf), min_size=1, max_size=30).map(np.array)
thresholds = st.sampled_from([0.05, 0.07, 0.08, 0.1])


def slow_exact(errors, threshold):
    """Add the rectangles under the staircase, one by one."""
    ends = sorted({e for e in errors if e < threshold} | {0.0, threshold})
    area = 0.0
    for left, right in pairwise(ends):
        area += (right - left) * sum(e <= left for e in errors) / len(errors)
    return area / threshold


def slow_dan(errors, threshold):
    steps = round(threshold / 1e-4)
    curve = [sum(e <= k * 1e-4 for e in errors) / len(errors) for k in range(steps + 1)]
    total = curve[0] + curve[-1] + sum((4 if k % 2 else 2) * curve[k] for k in range(1, steps))
    return total * 1e-4 / 3 / threshold


def slow_dxy(errors, threshold):
    grid = np.linspace(0, threshold, 2000)
    curve = [sum(e < x for e in errors) / len(errors) for x in grid]
    area = sum((curve[k] + curve[k + 1]) / 2 * (grid[k + 1] - grid[k]) for k in range(1999))
    return area / threshold


def slow_pyhowfar(errors, threshold):
    bins = round(threshold * 1000)
    curve = [sum(e < k / 999 for e in errors) / len(errors) for k in range(1000)]
    return sum(curve[:bins]) / bins


def slow_spiga(errors, threshold):
    answered = [e for e in errors if e < math.inf]
    low, width = min(answered), (max(answered) - min(answered)) / 10_000
    ends = [low + k * width for k in range(10_000) if low + k * width < threshold]
    curve = [
        sum(e < low + (k + 1) * width for e in answered) / len(errors) for k in range(len(ends))
    ]
    pairs = [
        (curve[k] + 4 * curve[k + 1] + curve[k + 2]) / 3 * width for k in range(0, len(ends) - 2, 2)
    ]
    # one interval too many for Simpson's rule: a parabola through the last three
    if len(ends) % 2 == 0:
        pairs.append(width * (5 * curve[-1] + 8 * curve[-2] - curve[-3]) / 12)
    return sum(pairs) / threshold


def slow_luvli(errors, threshold):
    ordered, area = sorted(errors), 0.0
    for k, (x, after) in enumerate(zip(ordered, [*ordered[1:], math.inf], strict=True), start=1):
        if x < threshold:
            end = min(after, threshold)
            rise = (end - x) / (after - x) / len(errors)
            area += (end - x) * (k / len(errors) + rise / 2)
    return area / threshold


def slow_scfa(errors, threshold):
    grid = [threshold * k / 20 for k in range(1, 21)]
    curve = [sum(e <= x for e in errors) / len(errors) for x in grid]
    return sum((curve[k] + curve[k + 1]) / 2 for k in range(19)) / 20


def slow_mdm(errors, threshold):
    return sum(e < threshold for e in errors) / len(errors)


def test_auc_and_fr_by_hand():
    # 1 - 0.02/0.08 = 0.75, 0.5, 0, and nothing for the failed face
    assert curves.auc(ERRORS, 0.08) == pytest.approx((0.75 + 0.5) / 4, rel=1e-15)
    assert curves.failure_rate(ERRORS, 0.08) == 0.5
    assert curves.auc(np.zeros(3), 0.08) == 1.0
    assert curves.auc(np.full(3, math.inf), 0.08) == 0.0
    assert curves.failure_rate(np.full(3, math.inf), 0.08) == 1.0


def test_an_error_on_the_threshold_is_a_success():
    assert curves.failure_rate(np.array([0.08, 0.1]), 0.08) == 0.5
    assert curves.failure_rate(np.array([0.08, 0.1]), 0.1) == 0.0


def test_failed_faces_keep_the_curve_below_one():
    """Trap: dropping them before the curve turns a method that answers rarely into a good one."""
    assert curves.ced_values(ERRORS, np.array([1e9]))[0] == 0.75
    assert curves.auc(ERRORS, 0.08) < curves.auc(ERRORS[:3], 0.08)


def test_ced_by_hand_includes_its_own_steps():
    grid = np.array([0.0, 0.02, 0.03, 0.04, 0.1, 0.2])
    np.testing.assert_array_equal(curves.ced_values(ERRORS, grid), [0, 0.25, 0.25, 0.5, 0.75, 0.75])


def test_ced_steps_by_hand():
    x, y = curves.ced_steps(np.array([0.04, 0.02, 0.02, 0.5]), 0.1)
    np.testing.assert_array_equal(x, [0, 0.02, 0.04, 0.1])
    np.testing.assert_array_equal(y, [0, 0.5, 0.75, 0.75])


@settings(max_examples=60, deadline=None)
@given(errors=some_errors, threshold=thresholds)
def test_the_staircase_holds_exactly_the_area_that_auc_states(errors, threshold):
    x, y = curves.ced_steps(errors, threshold)
    assert float((np.diff(x) * y[:-1]).sum() / threshold) == pytest.approx(
        curves.auc(errors, threshold), abs=1e-12
    )
    assert slow_exact(errors, threshold) == pytest.approx(curves.auc(errors, threshold), abs=1e-12)


@settings(max_examples=100, deadline=None)
@given(errors=some_errors, threshold=thresholds)
def test_auc_fr_and_mean_bound_each_other(errors, threshold):
    auc, fr = curves.auc(errors, threshold), curves.failure_rate(errors, threshold)
    assert 0 <= auc <= 1 - fr + 1e-12
    assert 1 - errors.mean() / threshold <= auc + 1e-12
    assert fr <= errors.mean() / threshold + 1e-12


@settings(max_examples=40, deadline=None)
@given(errors=some_errors, threshold=thresholds, data=st.data())
def test_order_does_not_matter_and_worse_is_never_better(errors, threshold, data):
    mixed = np.array(data.draw(st.permutations(errors.tolist())))
    assert curves.auc(mixed, threshold) == pytest.approx(curves.auc(errors, threshold), abs=1e-12)
    assert curves.failure_rate(mixed, threshold) == curves.failure_rate(errors, threshold)
    assert curves.auc(errors + 0.01, threshold) <= curves.auc(errors, threshold)
    assert curves.failure_rate(errors + 0.01, threshold) >= curves.failure_rate(errors, threshold)


@pytest.mark.parametrize(
    ("name", "slow"),
    [
        ("exact", slow_exact),
        ("dan", slow_dan),
        ("dxy", slow_dxy),
        ("pyhowfar", slow_pyhowfar),
        ("spiga", slow_spiga),
        ("luvli", slow_luvli),
        ("scfa", slow_scfa),
        ("mdm", slow_mdm),
    ],
)
@pytest.mark.parametrize("threshold", [0.08, 0.1])
def test_every_rule_equals_its_slow_loop(name, slow, threshold):
    errors = np.random.default_rng(5).gamma(3, 0.02, 60)
    errors[3] = math.inf
    assert curves.PARITY_RULES[name].auc(errors, threshold) == pytest.approx(
        slow(errors, threshold), abs=1e-12
    )


def test_rules_part_from_exact_as_their_docstrings_say():
    errors = np.random.default_rng(6).gamma(4, 0.01, 20_000)  # all but a few below 0.08
    for threshold in (0.05, 0.07, 0.08, 0.1):
        exact = curves.auc(errors, threshold)
        by = {
            name: rule.auc(errors, threshold) - exact for name, rule in curves.PARITY_RULES.items()
        }
        assert abs(by["dxy"]) < 1e-5
        succeed = 1 - curves.failure_rate(errors, threshold)
        assert by["pyhowfar"] == pytest.approx(-succeed / (2000 * threshold), rel=0.15)
        overshoot = succeed * 1e-4 / threshold if threshold < 0.08 else 0.0
        assert by["dan"] == pytest.approx(overshoot, abs=4e-5)
        bin_width = (errors.max() - errors.min()) / 10_000
        assert -2e-5 < by["spiga"] < bin_width / threshold * succeed + 2e-5
        assert 0 < by["luvli"] <= 1 / (2 * len(errors))
        assert abs(by["scfa"]) < 0.001
        assert by["mdm"] > 0.2


def test_scfa_takes_from_the_best():
    """Trap: the stretch from 0 to T/20 is left out, so that nobody reaches 1."""
    assert curves.PARITY_RULES["scfa"].auc(np.zeros(5), 0.1) == pytest.approx(0.95)


def test_one_wild_error_moves_spigas_auc_of_all_others():
    errors = np.random.default_rng(7).gamma(4, 0.01, 500)
    rule, wild = curves.PARITY_RULES["spiga"], np.append(errors, 20.0)
    assert abs(curves.auc(wild, 0.08) / curves.auc(errors, 0.08) - 500 / 501) < 1e-12
    assert rule.auc(wild, 0.08) - curves.auc(wild, 0.08) > 0.005


def test_mdm_prints_a_share_as_an_area():
    errors = np.full(10, 0.07)
    assert curves.PARITY_RULES["mdm"].auc(errors, 0.08) == 1.0
    assert curves.auc(errors, 0.08) == pytest.approx(0.125)


def test_dan_reads_failures_where_its_grid_ends():
    """Trap: arange(0, 0.05 + 1e-4, 1e-4) ends at 0.0501; at 0.08 it ends where it should."""
    rule = curves.PARITY_RULES["dan"]
    assert rule.failure_rate(np.array([0.05005]), 0.05) == 0.0
    assert curves.failure_rate(np.array([0.05005]), 0.05) == 1.0
    assert rule.failure_rate(np.array([0.08005]), 0.08) == 1.0


def test_dxy_counts_the_threshold_itself_as_a_failure():
    assert curves.PARITY_RULES["dxy"].failure_rate(np.array([0.08]), 0.08) == 1.0
    assert curves.failure_rate(np.array([0.08]), 0.08) == 0.0


def test_pyhowfar_never_gives_a_perfect_method_its_due():
    assert curves.PARITY_RULES["pyhowfar"].auc(np.zeros(4), 0.08) == pytest.approx(79 / 80)


@pytest.mark.parametrize("rule", curves.PARITY_RULES.values(), ids=curves.PARITY_RULES)
def test_every_rule_takes_failed_faces(rule):
    failed = np.full(4, math.inf)
    assert rule.auc(failed, 0.08) == 0.0
    assert rule.failure_rate(failed, 0.08) == 1.0


@pytest.mark.parametrize("bad", [[], [math.nan, 0.1], [-0.1], [[0.1]]])
def test_what_is_no_error_is_refused(bad):
    """Trap: NaN compares as false, so a face without an answer would count as a success in FR."""
    for metric in (
        curves.auc,
        curves.failure_rate,
        lambda e, t: curves.ced_values(e, np.array([t])),
        curves.ced_steps,
    ):
        with pytest.raises(ValueError, match="errors must be one or more numbers"):
            metric(np.array(bad, float), 0.08)


@pytest.mark.parametrize("threshold", [0.0, -0.1, math.inf, math.nan])
def test_a_threshold_is_positive(threshold):
    with pytest.raises(ValueError, match="threshold must be positive"):
        curves.auc(ERRORS, threshold)
