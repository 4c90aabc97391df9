"""Leaving items out must not pay: simulated boards on which runs drop items in every way."""

import numpy as np
import pytest

from benchbox.metrics import aggregate, ranks, unanswered

NAME = "nme_inter_ocular"


def table(errors, clusters, failed=None, name=NAME, **columns):
    """Return a run's errors; NaN-free, infinite where it failed."""
    flags = np.zeros(len(errors), bool) if failed is None else failed
    return {
        name: np.where(flags, np.inf, errors),
        "failed": flags,
        "cluster": clusters,
        **columns,
    }


def worst(errors, share):
    """Return the rows of the largest errors, at least one."""
    return np.argsort(-errors)[: max(1, int(share * len(errors)))]


def worst_clusters(errors, clusters):
    """Return the rows of the tenth of the clusters with the largest mean error."""
    names = np.unique(clusters)
    means = np.array([errors[clusters == name].mean() for name in names])
    return np.flatnonzero(np.isin(clusters, names[worst(means, 0.1)]))


def ways_to_drop(errors, others, clusters, rng):
    """Yield a title and the rows that a run leaves out."""
    yield "hardest 1 %", worst(errors, 0.01)
    yield "hardest 10 %", worst(errors, 0.10)
    yield "hardest 43 %", worst(errors, 0.43)
    yield "all but the easiest", np.argsort(-errors)[:-1]
    yield "whole clusters", worst_clusters(errors, clusters)
    yield "where others are better", worst(errors - others, 0.1)
    yield "where others are worse", worst(others - errors, 0.1)
    yield "by chance", rng.permutation(len(errors))[: len(errors) // 10]
    yield "one by chance", rng.integers(len(errors), size=1)


def simulated_board(rng, methods=4):
    """Draw errors of methods that meet the same hard faces, some with heavy tails, and clusters."""
    count = int(rng.choice([40, 150, 400]))
    clusters = np.arange(count) // int(rng.choice([1, 4]))
    base = rng.lognormal(-3.3, 0.5, count)
    errors = []
    for method in range(methods):
        own = base * rng.lognormal(0, 0.25, count) * (1 + 0.08 * method * rng.random())
        if rng.random() < 0.5:
            own += (rng.random(count) < 0.03) * rng.exponential(0.3, count)
        errors.append(own)
    return errors, clusters


def is_first_alone(found, method):
    return found[method] == 1 and found.count(1) == 1


@pytest.mark.parametrize("others_drop", [False, True])
def test_no_way_of_dropping_items_improves_a_rank(others_drop):
    """Trap: a published set with its 300 worst faces unanswered ranked first alone.

    Its mean was 3.87 instead of 7.08.
    """
    rng = np.random.default_rng(11)
    trials = 0
    for _ in range(12):
        errors, clusters = simulated_board(rng)
        dropped = [np.zeros(len(clusters), bool) for _ in errors]
        if others_drop:
            for method in (1, 2):
                dropped[method][worst(errors[method], 0.02)] = True
        tables = [table(e, clusters, gone) for e, gone in zip(errors, dropped, strict=True)]
        honest = ranks.rank_runs(NAME, tables).ranks
        mean = np.mean(errors, axis=0)
        for method, own in enumerate(errors):
            for title, rows in ways_to_drop(own, mean, clusters, rng):
                gone = dropped[method].copy()
                gone[rows] = True
                if gone.all():
                    continue
                board = list(tables)
                board[method] = table(own, clusters, gone)
                got = ranks.rank_runs(NAME, board).ranks
                assert got[method] >= honest[method], f"{title}: {honest} became {got}"
                if is_first_alone(got, method):
                    assert is_first_alone(honest, method), f"{title}: {honest} became {got}"
                trials += 1
    assert trials > 400


def test_the_mean_alone_would_have_been_fooled():
    """The same boards, ranked by their means: dropping pays in most of them."""
    rng = np.random.default_rng(11)
    fooled = 0
    for _ in range(12):
        errors, clusters = simulated_board(rng)
        counts = np.ones((len(clusters), len(errors)))
        values = np.stack(errors, axis=1)
        honest = ranks.rank_methods(values, counts, clusters).ranks
        last = int(np.argmax(values.mean(axis=0)))
        rows = worst(errors[last], 0.43)
        values[rows, last] = counts[rows, last] = 0
        fooled += ranks.rank_methods(values, counts, clusters).ranks[last] < honest[last]
    assert fooled >= 6


def test_a_clearly_better_run_may_leave_a_face_out():
    """Trap: a rule that puts every run with a failed face last is no rule, detectors fail."""
    rng = np.random.default_rng(1)
    clusters = np.arange(400)
    good, bad = rng.gamma(4, 0.008, 400), rng.gamma(4, 0.02, 400)
    gone = np.arange(400) == 7
    assert ranks.rank_runs(NAME, [table(bad, clusters), table(good, clusters, gone)]).ranks == (
        2,
        1,
    )
    # 40 of 400 unanswered are an error of 10 points more
    many = np.arange(400) < 40
    assert ranks.rank_runs(NAME, [table(bad, clusters), table(good, clusters, many)]).ranks == (
        1,
        2,
    )


def test_an_equal_run_with_a_failed_face_shares_no_better_rank():
    rng = np.random.default_rng(2)
    clusters = np.arange(400)
    errors = rng.gamma(4, 0.01, 400)
    gone = np.arange(400) == 7
    board = [table(errors, clusters), table(errors * 0.999, clusters, gone)]
    assert ranks.rank_runs(NAME, board).ranks == (1, 2)


def test_a_better_run_that_cannot_be_told_apart_with_failures_shares_the_rank():
    """Better over the faces that both answered, better with one lost, but not certainly so."""
    rng = np.random.default_rng(3)
    clusters = np.arange(400)
    errors = 0.03 + rng.gamma(4, 0.01, 400)
    gone = np.arange(400) == 7
    board = [table(errors, clusters), table(errors - 0.004, clusters, gone)]
    assert ranks.rank_runs(NAME, board).ranks == (1, 1)


def test_complete_boards_keep_their_ranks():
    rng = np.random.default_rng(4)
    errors, clusters = simulated_board(rng)
    tables = [table(e, clusters) for e in errors]
    values = 100 * np.stack(errors, axis=1)
    expected = ranks.rank_methods(values, np.ones_like(values), clusters)
    assert ranks.rank_runs(NAME, tables) == expected


def test_faces_that_nobody_answered_tell_no_two_runs_apart():
    rng = np.random.default_rng(5)
    clusters = np.arange(100)
    errors = rng.gamma(4, 0.01, 100)
    gone = np.arange(100) < 30
    board = [table(errors, clusters, gone), table(errors + 0.01, clusters, gone)]
    assert ranks.rank_runs(NAME, board).ranks == (1, 2)


def test_two_runs_without_a_common_item_and_a_run_alone():
    clusters = np.arange(10)
    first, second = np.arange(10) < 4, np.arange(10) >= 4
    errors = np.full(10, 0.05)
    board = [table(errors, clusters, first), table(errors, clusters, second)]
    assert ranks.rank_runs(NAME, board).ranks == (1, 2)
    assert ranks.rank_runs(NAME, [table(errors, clusters, first)]).ranks == (0,)
    assert ranks.rank_runs(NAME, [table(errors, clusters)]).ranks == (1,)


def test_seeds_that_fail_count_for_their_method():
    rng = np.random.default_rng(6)
    clusters = np.arange(200)
    errors = rng.gamma(4, 0.01, 200)
    gone = np.zeros(200, bool)
    gone[worst(errors, 0.3)] = True
    board = [
        table(errors, clusters),
        table(errors * 1.05, clusters),
        table(errors * 1.05, clusters, gone),
    ]
    assert ranks.rank_runs(NAME, board, owners=[0, 1, 1]).ranks == (1, 2)


@pytest.mark.parametrize("name", ["error_cm", "error_cm_person", "error_cm_dot", "msd_cm"])
def test_gaze_and_sequences(name):
    """One answer for all eyes; frames of a dot; a person's easy frames: none of it pays."""
    rng = np.random.default_rng(7)
    people = np.repeat(np.arange(12), 20)
    dots = np.repeat(np.arange(60), 4)
    column = name.removesuffix("_person")
    errors = rng.gamma(4, 0.5, 240)
    if name in ("error_cm_dot", "msd_cm"):
        errors = errors[::4].repeat(4)
    columns = {"sequence": dots}
    honest = [
        table(errors, people, name=column, **columns),
        table(errors * 1.1, people, name=column, **columns),
    ]
    assert ranks.rank_runs(name, honest).ranks == (1, 2)
    for rows in (worst(errors, 0.01), worst(errors, 0.43), np.argsort(-errors)[:-1]):
        gone = np.zeros(240, bool)
        gone[rows] = True
        run = table(errors * 1.1, people, gone, name=column, **columns)
        if name in ("error_cm_dot", "msd_cm"):
            run[column] = np.where(gone, np.nan, errors * 1.1)
        assert ranks.rank_runs(name, [honest[0], run]).ranks == (1, 2)


def test_auc_and_failure_rate_count_failures_themselves():
    clusters = np.arange(50)
    errors = np.full(50, 0.02)
    gone = np.arange(50) < 10
    board = [table(errors, clusters, gone), table(errors + 0.001, clusters)]
    for name in ("auc_0.08_inter_ocular", "fr_0.08_inter_ocular"):
        assert not any(items.any() for items in unanswered.unanswered_items(name, board))
        assert ranks.rank_runs(name, board).ranks == (2, 1)


def test_lost_by_hand():
    """Two runs: the larger of 100 % and twice the median of 0.4 and 0.9."""
    runs = [table(np.array([0.1, 0.4]), np.arange(2)), table(np.array([0.9, 0.1]), np.arange(2))]
    assert unanswered.lost_error(NAME, runs) == pytest.approx(130)
    assert unanswered.lost_error(NAME, runs[:1]) == 100
    assert unanswered.lost_error("error_deg", [{"error_deg": np.array([5.0])}]) == 180
    gone = np.array([False, True])
    counted = unanswered.counted_terms(
        NAME, table(np.array([0.1, 0.4]), np.arange(2), gone), gone, 130
    )
    assert counted.score == pytest.approx((10 + 130) / 2)
    assert aggregate.metric_terms(NAME, runs[0]).score == pytest.approx(25)


def test_a_run_of_absurd_errors_does_not_decide_what_others_pay():
    clusters = np.arange(3)
    runs = [table(np.full(3, size), clusters) for size in (0.1, 0.2, 50.0)]
    assert unanswered.lost_error(NAME, runs) == 100
