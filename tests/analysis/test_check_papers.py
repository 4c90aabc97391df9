"""check: a verdict for every kind of claim, computed by hand, and the reason where two numbers may
not be compared.
"""

import json
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner

from benchbox.analysis import check_papers, compare
from benchbox.cli import main
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
            variant, facts.get("budget", "quick"), facts.get("overrides")
        )
        run = run_folders.run_folder(tmp_path, "300w-full", method, folder, seed)
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


def verdicts(tmp_path, row=ROW):
    runs = check_papers._by_system(run_folders.list_runs(tmp_path))
    return check_papers.judge_cells(runs, References({}, (row,)), KNOWN)


@pytest.mark.parametrize(
    ("measured", "low", "high", "verdict"),
    [
        (4.08, 3.95, 4.21, "reproduced"),
        (4.10, 4.005, 4.2, "reproduced"),  # 4.00 is anything from 3.995 to 4.005
        (4.10, 4.006, 4.2, "worse"),
        (3.80, 3.70, 3.90, "better"),
    ],
)
def test_a_cell_is_held_against_the_interval(tmp_path, make, measured, low, high, verdict):
    make("m/a", measured, low=low, high=high, budget="paper")
    (found,) = verdicts(tmp_path)
    assert (found.verdict, found.reasons) == (verdict, ())
    assert found.measured == pytest.approx(measured)


def test_seeds_widen_the_interval_by_their_spread(tmp_path, make):
    for seed, nme in enumerate((4.1, 4.3, 4.5)):  # mean 4.3, standard deviation 0.2
        make("m/a", nme, seed, budget="paper", low=nme - 0.3, high=nme + 0.3)
    (found,) = verdicts(tmp_path)
    assert (found.measured, found.low, found.high) == (
        pytest.approx(4.3),
        pytest.approx(3.8),
        pytest.approx(4.8),
    )
    assert found.verdict == "reproduced"


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
    (found,) = check_papers.judge_orderings(
        ordering, check_papers._by_system(run_folders.list_runs(tmp_path)), tmp_path
    )
    return found


@pytest.mark.parametrize(
    ("shift", "verdict"),
    [(0.002, "holds"), (-0.002, "does not hold"), (0.0, "too close to tell")],
)
def test_an_ordering_is_tried_pair_by_pair(tmp_path, make, shift, verdict):
    make("m/a", 4.0)
    make("m/b", 4.0, shift=np.random.default_rng(1).normal(shift, 0.004, FACES) if shift else 0.0)
    assert ordered(tmp_path).verdict == verdict


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
    """Faces alone would tell these apart.

    Two trainings differ by +0.4 and -0.2: 0.1 ± 12.7 · 0.3.
    """
    for seed, (better, worse) in enumerate(((0.0, 0.004), (0.0, -0.002))):
        make("m/a", 4.0, seed=seed, shift=better)
        make(
            "m/b", 4.0, seed=seed, shift=worse + np.random.default_rng(seed).normal(0, 1e-4, FACES)
        )
    found = ordered(tmp_path)
    assert found.verdict == "too close to tell"
    assert "[-3.71, +3.91]" in found.reasons[1]
    assert found.reasons[1].endswith("% (seeds 0, 1)")
    for seed in (0, 1):
        make(
            "m/c", 4.0, seed=seed, shift=0.004 + np.random.default_rng(seed).normal(0, 1e-4, FACES)
        )
    assert ordered(tmp_path, replace(ORDER, order=("m/a", "m/c"))).verdict == "holds"


def test_one_wrong_pair_is_enough(tmp_path, make):
    make("m/a", 4.0)
    make("m/b", 4.0, shift=0.002)
    make("m/c", 4.0, shift=0.001)
    found = ordered(tmp_path, replace(ORDER, order=("m/a", "m/b", "m/c")))
    assert found.verdict == "does not hold"
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


def test_every_fact_of_the_papers_is_met_or_says_why():
    """The committed claims: 16 of 26 are met, and no other lacks a reason."""
    found = [check_papers.judge_fact(one) for one in claims.load_claims().facts]
    assert {one.verdict for one in found} == {"met", "not met"}
    assert sum(one.verdict == "met" for one in found) == 16
    assert all(
        len(one.reasons) == 2 and one.reasons[1] for one in found if one.verdict == "not met"
    )


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
    text = CliRunner().invoke(main, ["check", "--results", str(tmp_path)]).stdout
    assert (
        "reproduced        demo, Table 1: Ours: full nme_inter_ocular on 300w-full: claimed 4.00, "
        "measured 4.05" in text
    )
    assert "1 claims: 1 reproduced" in text


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
