"""check: a verdict for every kind of claim, computed by hand, and the reason where two numbers may
not be compared.
"""

import json
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner

from benchbox.analysis import cell_account, check_papers, comparable, compare, training_costs
from benchbox.cli import main
from benchbox.errors import ResultError
from benchbox.papers import claims, reference_rows
from benchbox.papers.claims import Claims, OrderingClaim, SizeClaim
from benchbox.papers.reference_rows import ReferenceRow, References
from benchbox.plugins import method_card
from benchbox.protocols import protocol_card
from benchbox.runs import run_folders, run_identity
from benchbox.runs.run_record import parse_record

CARD = protocol_card.load_protocol("300w-full")
FACES = CARD.test_expected
METRIC = "nme_inter_ocular"
ROW = ReferenceRow(
    paper="demo",
    line=2,
    table="Table 1",
    method="Ours",
    cites="",
    setting="",
    dataset="300-W",
    subset="full",
    measure="NME",
    normaliser="inter_ocular",
    threshold="",
    printed="4.00",
    value=4.0,
    unit="%",
    own=True,
    protocols=("300w-full",),
    group="full",
    metric=METRIC,
    apart="",
    note="",
)
KNOWN = Claims({("demo", "Ours"): "m/a"}, (), ())


@pytest.fixture
def make(tmp_path):
    """Write a finished run of 300w-full whose mean NME is given in %."""

    def write(system, nme, seed=0, low=None, high=None, shift=None, **facts):
        method, _, variant = system.partition("/")
        folder = run_folders.variant_folder(
            variant,
            facts.get("budget", "quick"),
            facts.get("overrides"),
            facts.pop("trained_under", ""),
        )
        protocol = facts.get("protocol", "300w-full")
        run = run_folders.run_folder(tmp_path, protocol, method, folder, seed)
        errors = np.random.default_rng(0).gamma(4, 0.25, FACES)
        errors *= nme / 100 / errors.mean()
        if shift is not None:
            errors = errors + shift
        fields = [(METRIC, "<f8"), ("failed", "?"), ("in_full", "?"), ("cluster", "<i4")]
        table = np.zeros(FACES, fields)
        table[METRIC], table["in_full"], table["cluster"] = errors, True, np.arange(FACES)
        bounds = {
            "low": nme - 0.1 if low is None else low,
            "high": nme + 0.1 if high is None else high,
        }
        scores = {"full": {METRIC: {"value": nme, "unit": "%", **bounds}}}
        record = {key: {} for key in ("digests", "environment", "code", "seconds", "params")}
        record |= {
            "protocol": "300w-full",
            "method": method,
            "variant": variant,
            "kind": "trained",
            "card": CARD.card,
            "budget": "quick",
        }
        record |= {
            "data": {"truth": "sha256:t", "variant": "complete", "fingerprint": "sha256:f"},
            "overrides": {},
        }
        with run_folders.claim_folder(run):
            run_folders.begin_job(run, {})
            run_folders.save_scores(
                run,
                {
                    "schema": 1,
                    "card": facts.get("card", CARD.card),
                    "n": FACES,
                    "failed": 0,
                    "scores": scores,
                },
                table,
            )
            run_folders.finish_run(run, parse_record(record | {"seed": seed} | facts, "run.json"))

    return write


def runs_of(tmp_path):
    return comparable.runs_by_system(run_folders.list_runs(tmp_path))


def verdicts(tmp_path, *rows):
    return check_papers.judge_cells(runs_of(tmp_path), References({}, rows or (ROW,)), KNOWN)


@pytest.mark.parametrize(
    ("measured", "verdict"),
    [
        (4.084, "reproduced"),  # half a digit, 0.005, and 2 % of 4.00
        (4.086, "worse"),
        (3.916, "reproduced"),
        (3.914, "better"),
        (4.60, "worse"),  # the trap: +15 % inside the faces' interval was "reproduced"
    ],
)
def test_a_cell_is_held_against_rounding_and_training(tmp_path, make, measured, verdict):
    """The paper measured the same faces: their choice is no reason for a difference."""
    make("m/a", measured, low=measured - 1, high=measured + 1, budget="paper")
    (found,) = verdicts(tmp_path)
    assert found.verdict == verdict
    assert found.reasons == (
        "±0.085 of one seed: half a digit, 2 % for training, "
        "nothing for seeds: what trainings vary by is not known",
    )
    assert (found.low, found.high) == (
        pytest.approx(measured - 0.085),
        pytest.approx(measured + 0.085),
    )


def test_another_tolerance_for_training_is_used_and_said(tmp_path, make):
    make("m/a", 4.6, budget="paper")
    rows = References({}, (ROW,))
    (found,) = check_papers.judge_cells(runs_of(tmp_path), rows, KNOWN, tolerance=0.15)
    assert found.verdict == "reproduced"
    assert "15 % for training" in found.reasons[0]


def test_own_seeds_widen_what_is_reproduced(tmp_path, make):
    """Mean 4.3, standard deviation 0.2: 0.005 + √((2 · 0.2 · √(4/3))² + 0.08²) = 0.4738."""
    for seed, nme in enumerate((4.1, 4.3, 4.5)):
        make("m/a", nme, seed, budget="paper")
    (found,) = verdicts(tmp_path)
    assert (found.measured, found.low, found.high) == (
        pytest.approx(4.3),
        pytest.approx(4.3 - 0.4738, abs=1e-4),
        pytest.approx(4.3 + 0.4738, abs=1e-4),
    )
    assert found.verdict == "reproduced"
    assert found.reasons[0].endswith("seeds ±0.2 (their own)")


def test_one_seed_borrows_what_other_variants_vary_by(tmp_path, make):
    """8.0 and 8.4 vary by 3.449 % of their mean: 0.005 + √((2 · 0.1466 · √2)² + 0.08²) = 0.4273."""
    make("m/a", 4.25, budget="paper")
    for seed, nme in enumerate((8.0, 8.4)):
        make("m/x", nme, seed, budget="paper")
    (found,) = verdicts(tmp_path)
    assert found.verdict == "reproduced"
    assert found.high - found.measured == pytest.approx(0.4273, abs=1e-4)
    assert "seeds ±3.4 % of the mean, pooled over 1 variant of all protocols" in found.reasons[0]


B1 = replace(ROW, method="B1", printed="5.72", value=5.72)
GSR = replace(ROW, method="Ours", printed="5.52", value=5.52)


@pytest.mark.parametrize(
    ("measured", "of_b1", "of_gsr"),
    [
        (5.62, "too close to tell", "too close to tell"),  # the trap: it "reproduced" both
        (5.72, "reproduced", "worse"),
        (5.52, "better", "reproduced"),
        (5.50, "better", "reproduced"),
    ],
)
def test_no_measurement_reproduces_two_rows_of_a_table(tmp_path, make, measured, of_b1, of_gsr):
    make("m/a", measured, budget="paper")
    both = Claims({("demo", "Ours"): "m/a", ("demo", "B1"): "m/a"}, (), ())
    rows = References({}, (B1, GSR))
    found = check_papers.judge_cells(runs_of(tmp_path), rows, both)
    assert [one.verdict for one in found] == [of_b1, of_gsr]


def test_a_verdict_coarser_than_the_table_says_so(tmp_path, make):
    """Ours is the print itself; but it could be the neighbour's as well."""
    for seed, nme in enumerate((5.42, 5.52, 5.62)):
        make("m/a", nme, seed, budget="paper")
    (found,) = verdicts(tmp_path, GSR, B1)
    assert found.verdict == "too close to tell"
    assert found.reasons[0] == "cannot be told from the table's B1 5.72"
    alone, other_table = replace(B1, table="Table 9"), replace(B1, group="common")
    assert verdicts(tmp_path, GSR, alone, other_table)[0].verdict == "reproduced"
    same_print = replace(B1, printed="5.52", value=5.52)
    assert verdicts(tmp_path, GSR, same_print)[0].verdict == "reproduced"


def test_the_authors_own_weights_need_no_tolerance_for_training(tmp_path, make):
    make("m/a", 4.01, kind="weights")
    (found,) = verdicts(tmp_path)
    assert found.verdict == "worse"
    make("m/b", 4.004, kind="weights")
    known = Claims({("demo", "Ours"): "m/b"}, (), ())
    (found,) = check_papers.judge_cells(runs_of(tmp_path), References({}, (ROW,)), known)
    assert (found.verdict, found.reasons) == (
        "reproduced",
        ("±0.005 of one run: half a digit, no training",),
    )


@pytest.mark.parametrize(
    ("variant", "kind", "other"),
    [
        ("complete", "trained", ""),
        ("complete, original annotations", "trained", ""),
        (
            "train 2012 of 3148, moved annotations",
            "trained",
            "train 2012 of 3148, moved annotations",
        ),
        ("train 0 of 100, complete", "weights", ""),
        ("", "trained", "not recorded"),
    ],
)
def test_a_check_and_a_leaderboard_know_the_same_official_set(variant, kind, other):
    """The trap: "original annotations" stood beside the papers on the board and was "other data" to
    check.
    """
    assert run_identity.unofficial_data(variant, kind) == other


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({"budget": "quick"}, "smaller budget: quick"),
        (
            {"data": {"truth": "t", "variant": "train 2012 of 3148"}},
            "other data: train 2012 of 3148",
        ),
        ({"card": "sha256:old"}, "the card has changed since this run"),
    ],
)
def test_what_may_not_be_compared_says_why(tmp_path, make, facts, reason):
    make("m/a", 4.0, **{"budget": "paper", **facts})
    (found,) = verdicts(tmp_path)
    assert (found.verdict, found.reasons, found.measured) == ("not comparable", (reason,), 4.0)


def test_a_row_that_stands_apart_is_never_reproduced(tmp_path, make):
    make("m/a", 4.0, budget="paper")
    (found,) = verdicts(tmp_path, replace(ROW, apart="trained on more"))
    assert (found.verdict, found.reasons) == ("not comparable", ("trained on more",))


def test_overridden_and_submitted_rows_are_no_evidence(tmp_path, make):
    make("m/a", 4.0, overrides={"loss": "l1"})
    make("m/submitted", 4.0, seed=1, kind="submitted")
    assert verdicts(tmp_path) == []


# --- orderings ------------------------------------------------------------------------------------

ORDER = OrderingClaim(
    "o", "demo", "Table 1", "a beats b", ("m/a", "m/b"), METRIC, "full", ("300w-full",)
)


def ordered(tmp_path, ordering=ORDER):
    (found,) = check_papers.judge_orderings(ordering, runs_of(tmp_path), tmp_path)
    return found


@pytest.mark.parametrize(
    ("shift", "verdict"),
    [
        (0.002, "holds (these faces, one training)"),
        (-0.002, "does not hold (these faces, one training)"),
        (0.0, "too close to tell"),
    ],
)
def test_an_ordering_is_tried_pair_by_pair(tmp_path, make, shift, verdict):
    """The trap: with one seed it "held", though two seeds of one variant differ as much."""
    make("m/a", 4.0)
    make("m/b", 4.0, shift=np.random.default_rng(1).normal(shift, 0.004, FACES) if shift else 0.0)
    found = ordered(tmp_path)
    assert found.verdict == verdict
    assert found.reasons[2] == "what trainings vary by is not known"


def test_what_other_trainings_vary_by_counts_for_one_seed(tmp_path, make):
    """The trap: 0.2 % between two single trainings, where trainings vary by 10 %."""
    make("m/a", 4.0)
    make("m/b", 4.0, shift=np.random.default_rng(1).normal(0.002, 0.004, FACES))
    for seed, nme in enumerate((4.0, 4.4, 3.6)):
        make("m/x", nme, seed)
        make("m/y", nme, seed)
    found = ordered(tmp_path)
    assert found.verdict == "too close to tell"
    assert found.reasons[2] == (
        "trainings vary by 10 % of the mean, pooled over 2 variants of 300w-full"
    )


def test_an_ordering_is_tried_over_the_seeds_that_both_have(tmp_path, make):
    """The trap: the same training, once with three seeds and once with one, was "better" than
    itself.
    """
    for seed, level in enumerate((4.0, 3.8, 3.7)):
        make("m/a", level, seed=seed)
    make("m/b", 4.0, seed=0)
    found = ordered(tmp_path)
    assert found.verdict == "too close to tell"
    assert found.reasons[1].endswith("(one seed)")
    assert "b - a: +0 " in found.reasons[1]


def test_the_spread_of_seeds_widens_an_ordering(tmp_path, make):
    """Faces alone would tell these apart; two trainings differ by +0.4 and -0.2."""
    for seed, (better, worse) in enumerate(((0.0, 0.004), (0.0, -0.002))):
        make("m/a", 4.0, seed=seed, shift=better)
        make(
            "m/b", 4.0, seed=seed, shift=worse + np.random.default_rng(seed).normal(0, 1e-4, FACES)
        )
    found = ordered(tmp_path)
    assert found.verdict == "too close to tell"
    assert found.reasons[1].endswith("% (seeds 0, 1)")
    for seed in (0, 1):
        make(
            "m/c", 4.0, seed=seed, shift=0.004 + np.random.default_rng(seed).normal(0, 1e-4, FACES)
        )
    assert ordered(tmp_path, replace(ORDER, order=("m/a", "m/c"))).verdict == "holds"


@pytest.mark.parametrize(
    ("processor", "ending"), [("AMD EPYC", ""), ("Xeon", ", on different processors")]
)
def test_draws_and_minutes_of_a_training_stand_beside_the_verdict(
    tmp_path, make, processor, ending
):
    """The trap: a variant that learns three times as long is taken for a better idea."""
    here, there = {"cpu": "AMD EPYC"}, {"cpu": processor}
    for seed in (0, 1):
        long = {"samples": 90_000, "seconds": 240.0 + 60 * seed}
        short = {"samples": 30_000 * seed, "seconds": 60.0 + 60 * seed}  # 0: nobody counted
        make("m/a", 4.0, seed, training=long, environment=here)
        make("m/b", 4.0, seed, training=short, environment=there)
    words = f"a training of a 90,000 draws in 4.5 min, of b 30,000 draws in 2.0 min{ending}"
    assert ordered(tmp_path).reasons[-1] == words


@pytest.mark.parametrize(
    ("draws", "minutes", "processor", "budget", "moved", "verdict"),
    [
        # of the claimed better variant, whose rival draws 30,000 in two minutes on an EPYC
        (90_000, 4, "AMD EPYC", "quick", 0.004, "holds (with more draws)"),
        (90_000, 2, "AMD EPYC", "quick", 0.004, "holds"),
        (90_000, 2, "Xeon", "quick", 0.004, "holds (with more draws)"),
        (36_000, 4, "AMD EPYC", "quick", 0.004, "holds"),
        (30_000, 4, "AMD EPYC", "quick", 0.004, "holds"),
        (90_000, 4, "AMD EPYC", "paper", 0.004, "holds"),
        (10_000, 1, "AMD EPYC", "quick", 0.004, "holds"),
        (10_000, 1, "AMD EPYC", "quick", -0.004, "does not hold (with more draws)"),
        (90_000, 4, "AMD EPYC", "quick", -0.004, "does not hold"),
    ],
)
def test_who_is_ahead_for_its_draws_alone_shows_no_idea(
    tmp_path, make, draws, minutes, processor, budget, moved, verdict
):
    """The trap: 84,000 draws before 30,000 held, and 90,000 before 84,000 would have, too."""
    for seed in (0, 1):
        noise = np.random.default_rng(seed).normal(0, 1e-4, FACES)
        took = {"samples": draws, "seconds": 60.0 * minutes}
        make("m/a", 4.0, seed, training=took, environment={"cpu": processor}, budget=budget)
        rival = {"samples": 30_000, "seconds": 120.0}
        facts = {"training": rival, "environment": {"cpu": "AMD EPYC"}, "budget": budget}
        make("m/b", 4.0, seed, shift=moved + noise, **facts)
    found = ordered(tmp_path)
    assert found.verdict == verdict
    assert found.standing == (2 if verdict == "holds" else 0)


@pytest.mark.parametrize(
    ("seconds", "verdict"), [(100.0, "holds"), (300.0, "holds (with more draws)")]
)
def test_times_are_compared_on_the_processor_that_both_have(tmp_path, make, seconds, verdict):
    """The trap: a third seed on another machine took a verdict back that two seeds had given.

    Beside other work a training takes any time; the fastest one says what it needs.
    """
    places = ("AMD EPYC", 240.0), ("Xeon", seconds), ("Xeon", 9000.0)
    for seed, (processor, spent) in enumerate(places):
        noise = np.random.default_rng(seed).normal(0, 1e-4, FACES)
        took = {"samples": 90_000, "seconds": spent}
        make("m/a", 4.0, seed, training=took, environment={"cpu": processor})
        rival = {"samples": 30_000, "seconds": 200.0}
        facts = {"training": rival, "environment": {"cpu": "Xeon"}}
        make("m/b", 4.0, seed, shift=0.004 + noise, **facts)
    assert ordered(tmp_path).verdict == verdict


def trained_elsewhere(run: str) -> dict:
    """Return what a record says of weights that another run trained."""
    data = {"dataset": "300w", "variant": "complete", "fingerprint": "sha256:f", "notes": []}
    data |= {"train": 3, "test": 3, "truth": "sha256:t"}
    origin = {"run": run, "protocol": "300w-full", "card": CARD.card, "record": "sha256:r"}
    origin |= {"data": data, "code": None, "weights": {}, "seconds": None, "differs": ""}
    return {"trained_by": origin, "training": {}}


def test_a_test_of_other_weights_cost_what_their_training_cost(tmp_path, make):
    """The trap: on turned boxes 84,000 draws were held against 30,000, and no record said so."""
    turned = {"protocol": "300w-full+rotation=5", "trained_under": "300w-full"}
    make("m/a", 4.0, training={"samples": 84_000, "seconds": 240.0})
    make("m/a", 4.0, **turned, **trained_elsewhere("300w-full/m/a/0"))
    folder = tmp_path / "300w-full+rotation=5" / "m"
    cost = training_costs.find_training_cost(folder / "a+weights_of=300w-full", tmp_path)
    assert (cost.draws, cost.minutes) == (84_000, 4.0)
    make("m/gone", 4.0, **turned, **trained_elsewhere("300w-full/m/gone/0"))
    gone = folder / "gone+weights_of=300w-full"
    assert training_costs.find_training_cost(gone, tmp_path) is None
    for escape in ("../../../a/b/0", "/m/a/0", "m/a/0", "300w-full/m/../0"):
        with pytest.raises(ResultError, match="trained_by: names no run"):
            make("m/odd", 4.0, **turned, **trained_elsewhere(escape))


def test_one_training_asked_in_two_ways_borrows_no_variance(tmp_path, make):
    """SIR after three and four iterations is one network: their trainings vary alike."""
    for seed, nme in enumerate((4.0, 4.4, 3.6)):
        make("m/x", nme, seed)
        weights = {"weights": {"regressor.safetensors": f"sha256:{seed}"}}
        bundle = {"m.safetensors": "sha256:a"}
        make("m/a", nme, seed, digests=weights)
        moved = 0.001 + np.random.default_rng(seed).normal(0, 1e-4, FACES)
        asked_otherwise = {"weights": {**weights["weights"], **bundle}}
        make("m/b", nme, seed, shift=moved, digests=asked_otherwise)
        own = {"weights": {"regressor.safetensors": f"sha256:{seed + 10}"}}
        make("m/c", nme, seed, shift=moved, digests=own)
    assert ordered(tmp_path).verdict == "holds"
    assert ordered(tmp_path, replace(ORDER, order=("m/a", "m/c"))).verdict == "too close to tell"


def test_untrained_methods_need_no_second_seed(tmp_path, make):
    make("m/a", 4.0, kind="weights")
    make("m/b", 4.0, kind="weights", shift=np.random.default_rng(1).normal(0.002, 0.004, FACES))
    assert ordered(tmp_path).verdict == "holds"


@pytest.mark.parametrize(
    ("level", "verdict"),
    [
        (5.0, "holds"),
        (3.0, "not better than a baseline"),
        # a hair above the first: not surely worse than it
        (4.0001, "not better than a baseline"),
        (None, "not measured"),
    ],
)
def test_an_order_of_what_no_training_beats_says_nothing(tmp_path, make, level, verdict):
    """The trap: variants ranked by head pose, all of them behind the head's own direction."""
    noise = np.random.default_rng(1).normal(0.002, 0.004, FACES)
    make("m/a", 4.0, kind="weights")
    make("m/b", 4.0, kind="weights", shift=noise)
    if level is not None:
        other = np.random.default_rng(2).normal(level / 100 - 0.04, 0.004, FACES)
        make("m/still", 4.0, kind="weights", shift=other, budget="paper")
    found = ordered(tmp_path, replace(ORDER, beats="m/still"))
    assert found.verdict == verdict
    assert "m/still" in found.reasons[-1]
    assert ordered(tmp_path).verdict == "holds"


def noted(train: float, held_out: float) -> dict:
    """Return what a recipe notes of two generations, of which the last one counts."""
    first = {"train_error": 9.0, "validation_error": 1.0}
    return {"generations": [first, {"train_error": train, "validation_error": held_out}]}


@pytest.mark.parametrize(
    ("gaps", "verdict"),
    [
        # held-out less training error of the first and of the second, seed by seed
        (((0.2, 0.5), (0.3, 0.6), (0.1, 0.42)), "holds"),
        (((0.5, 0.2), (0.6, 0.3), (0.42, 0.1)), "does not hold"),
        (((0.2, 0.5), (0.3, 0.2), (0.1, 0.4)), "too close to tell"),
        (((0.2, 0.5),), "too close to tell"),  # one seed has no test
    ],
)
def test_a_gap_between_training_and_held_out_people_is_read_from_records(
    tmp_path, make, gaps, verdict
):
    """Fig. 1a of TAT. The trap: the test error, which says nothing of a gap."""
    for seed, (first, second) in enumerate(gaps):
        make("m/a", 5.0, seed=seed, training=noted(1.0, 1.0 + first))
        make("m/b", 4.0, seed=seed, training=noted(2.0, 2.0 + second))
    claim = replace(ORDER, metric=claims.TRAINING_GAP)
    found = ordered(tmp_path, claim)
    assert found.verdict == verdict
    mean = np.mean([second - first for first, second in gaps])
    assert found.reasons[1].startswith(f"b - a: {mean:+.3g} (seed")
    make("m/c", 4.0, seed=0)
    assert ordered(tmp_path, replace(claim, order=("m/a", "m/c"))).verdict == "not measured"


@pytest.mark.parametrize(
    ("shift", "margin", "verdict"),
    [
        (0.0, 0.01, "holds"),
        (-0.0002, 0.01, "holds"),  # surely worse, by 0.5 %
        (-0.0002, 0.001, "does not hold"),
        (-0.002, 0.01, "does not hold"),
        (0.002, 0.01, "holds"),
    ],
)
def test_no_worse_is_meant_up_to_a_margin(tmp_path, make, shift, margin, verdict):
    """The trap: one significant pair was enough for every other one to be "≤"."""
    noise = np.random.default_rng(1).normal(0, 1e-5, FACES)
    make("m/a", 4.0, kind="weights")
    make("m/b", 4.0, kind="weights", shift=shift + noise)
    found = ordered(tmp_path, replace(ORDER, or_equal=True, margin=margin))
    assert found.verdict == verdict
    assert found.reasons[-1] == f"≤ up to {100 * margin:g} % of the error"


def test_no_worse_cannot_be_told_where_the_interval_is_wider_than_the_margin(tmp_path, make):
    make("m/a", 4.0, kind="weights")
    make("m/b", 4.0, kind="weights", shift=np.random.default_rng(1).normal(0, 0.02, FACES))
    assert ordered(tmp_path, replace(ORDER, or_equal=True)).verdict == "too close to tell"


def test_an_entry_may_be_measured_under_an_option_of_the_card(tmp_path, make):
    """Noise in the labels of the training leaves the test faces as they are."""
    noisy = protocol_card.load_protocol("300w-full+noise=3")
    make("m/a", 4.0, kind="weights")
    shift = np.random.default_rng(1).normal(0.002, 0.004, FACES)
    make("m/a", 4.0, kind="weights", shift=shift, protocol=noisy.name, card=noisy.card)
    found = ordered(tmp_path, replace(ORDER, order=("m/a", "m/a+noise=3")))
    assert found.verdict == "holds"
    assert found.reasons[1].startswith("a+noise=3 - a: +0.183 ")


def test_one_wrong_pair_is_enough(tmp_path, make):
    make("m/a", 4.0)
    make("m/b", 4.0, shift=0.002)
    make("m/c", 4.0, shift=0.001)
    found = ordered(tmp_path, replace(ORDER, order=("m/a", "m/b", "m/c")))
    assert found.verdict == "does not hold (these faces, one training)"
    assert found.reasons[0] == "budget quick"
    assert "c - b: -0.1" in found.reasons[2]


def test_runs_of_unlike_budgets_prove_no_ordering(tmp_path, make):
    make("m/a", 4.0, budget="paper")
    make("m/b", 4.2, budget="quick")
    assert ordered(tmp_path).verdict == "not measured"


# --- facts ----------------------------------------------------------------------------------------


def test_facts_of_networks_are_counted():
    met = SizeClaim("sir", "Table 4", "sir/sir", "params", "3.72 M")
    assert (check_papers.judge_fact(met).verdict, check_papers.judge_fact(met).measured) == (
        "met",
        3_719_872,
    )
    off = check_papers.judge_fact(
        SizeClaim("glsr", "Table 7", "glsr/b1", "params", "335.4 K", "the head is another")
    )
    assert (off.verdict, off.reasons) == ("not met", ("+42.57 %", "the head is another"))
    assert (
        check_papers.judge_fact(SizeClaim("x", "T", "nobody/x", "params", "1 M")).verdict
        == "not measured"
    )
    size = check_papers.judge_fact(SizeClaim("glsr", "Table 7", "glsr/tsr", "bytes", "407.4 MB"))
    assert (size.verdict, size.measured) == ("met", 407_356_328)


def test_a_fact_that_other_settings_meet_gives_both_counts():
    claim = SizeClaim(
        "ts3", "T", "ts3/cpm", "params", "16.70 M", "there are 69 maps", {"background": "off"}
    )
    found = check_papers.judge_fact(claim)
    assert (found.verdict, found.measured) == ("met", 16_703_372)
    assert found.reasons == (
        "with background = off",
        "as the variant stands 16,716,687",
        "+0.10 %; there are 69 maps",
    )
    too = check_papers.judge_fact(
        SizeClaim("ts3", "T", "ts3/hg", "params", "24.97 M", "", {"background": "off"})
    )
    assert too.reasons == ("with background = off", "as the variant stands 24,967,444", "met, too")


@pytest.fixture(scope="module")
def committed_facts():
    """Every committed claim about the size of a network, judged."""
    return [check_papers.judge_fact(one) for one in claims.load_claims().facts]


def test_every_fact_of_the_papers_is_met_or_says_why(committed_facts):
    """The committed claims: 17 of 30 are met, and no other lacks a reason."""
    found = committed_facts
    assert {one.verdict for one in found} == {"met", "not met"}
    assert sum(one.verdict == "met" for one in found) == 17
    assert all(
        len(one.reasons) == 2 and one.reasons[1] for one in found if one.verdict == "not met"
    )


# --- every printed cell ---------------------------------------------------------------------------


def test_every_printed_cell_is_accounted_for():
    """651 cells of five papers, as an independent transcription of them counts: none is lost."""
    check = check_papers.summarise_verdicts([])
    counts = {count.paper: count.cells for count in check.papers}
    assert counts == {"glsr": 383, "sir": 91, "sscr": 3, "tat": 85, "ts3": 89}
    assert len(check.cells) == sum(counts.values()) == 651
    assert all(cell.why for cell in check.cells)
    for count in check.papers:
        assert count.not_measured == count.cells == sum(count.why.values())
    systems = {(cell.row.table, cell.row.method): cell.system for cell in check.cells}
    assert systems["Table 6", "Large backbone + progressive reinitialisation"] == "glsr/l-plain"
    assert systems["Table 8", "TSR"] == "glsr/tsr"
    assert systems["Table 1", "iTracker"] == "tat/itracker"
    dashes = [cell for cell in check.cells if cell.row.value is None]
    assert {cell.why for cell in dashes} == {"printed as a dash"}
    assert len(dashes) == 41


def test_every_size_of_a_network_of_ours_is_a_fact(committed_facts):
    """The trap: a printed size that no fact claims would wait for --facts for ever."""
    check = check_papers.summarise_verdicts(committed_facts)
    sizes = [cell for cell in check.cells if cell.standing == cell_account.COMPARABLE]
    assert len(sizes) == 26
    assert not any(cell.why.startswith("a size of a network") for cell in check.cells)


def test_a_cell_counts_once_however_many_runs_lie_beside_it(tmp_path, make):
    make("m/a", 4.0, budget="paper")
    make("m/a", 4.0)  # of budget quick: not comparable
    found = verdicts(tmp_path)
    assert [one.verdict for one in found] == ["not comparable", "reproduced"]
    (cell,) = cell_account.account_cells(References({}, (ROW,)), KNOWN, found)
    assert (cell.standing, cell.why, len(cell.verdicts)) == ("comparable", "", 2)
    (cell,) = cell_account.account_cells(References({}, (ROW,)), KNOWN, found[:1])
    assert (cell.standing, cell.why) == ("not comparable", "smaller budget: quick")


# --- the command ----------------------------------------------------------------------------------


def test_the_command_prints_one_document(tmp_path, make, monkeypatch):
    monkeypatch.setattr(claims, "load_claims", lambda: KNOWN)
    monkeypatch.setattr(reference_rows, "load_references", lambda: References({}, (ROW,)))
    make("m/a", 4.05, budget="paper")
    done = CliRunner().invoke(main, ["check", "--results", str(tmp_path), "--json"])
    assert done.exit_code == 0, done.output
    document = json.loads(done.stdout)
    assert document["summary"] == {"reproduced": 1}
    assert document["changes"] == []
    assert document["cells"] == {
        "demo": {"cells": 1, "measured": 1, "comparable": 1, "not_measured": 0, "why": {}}
    }
    text = CliRunner().invoke(main, ["check", "--results", str(tmp_path)]).stdout
    assert (
        "reproduced        demo, Table 1: Ours: full nme_inter_ocular on 300w-full: claimed 4.00, "
        "measured 4.05" in text
    )
    assert "1 claims: 1 reproduced" in text
    assert "  demo: 1 cells, 1 measured, of which 1 comparable; 0 not measured" in text


def test_no_results_is_a_fault(tmp_path):
    """Trap: a folder one level too high gave "not measured" for every claim, and exit code 0."""
    done = CliRunner().invoke(main, ["check", "--results", str(tmp_path)])
    assert (done.exit_code, done.stdout) == (2, "")
    assert "no run lies below it" in done.stderr


def test_a_run_that_cannot_be_read_is_named(tmp_path, make):
    make("m/a", 4.05, budget="paper")
    (place,) = tmp_path.rglob("run.json")
    make("m/b", 4.05, budget="paper")
    place.write_text("{")
    done = CliRunner().invoke(main, ["check", "--results", str(tmp_path)])
    assert done.exit_code == 0
    assert f"note: left out, as it cannot be read: {place}" in done.stderr


def test_the_names_that_the_module_needs_exist():
    """check asks compare and plugins for what they hold.

    A renamed field would only show on a full results folder.
    """
    assert {"low", "high", "p", "difference", "lower_is_better"} <= set(
        compare.Difference.__dataclass_fields__
    )
    assert method_card.read_cards()
