"""compare: paired differences by hand, honest p-values, several seeds, and unlike things refused
with the reason.
"""

import json
import math

import numpy as np
import pytest
import scipy.stats
from click.testing import CliRunner

from benchbox.analysis import compare
from benchbox.cli import main
from benchbox.errors import ResultError
from benchbox.runs import run_folders
from benchbox.runs.run_record import parse_record

FACES = 60
HARD = np.arange(FACES) >= 40


@pytest.fixture
def make(tmp_path):
    """Write a finished run whose NME per face is given as fractions."""

    def write(
        method,
        errors,
        seed=0,
        card="sha256:a",
        truth="sha256:t",
        clusters=None,
        protocol="toy",
        **facts,
    ):
        folder = run_folders.variant_folder("v", facts.get("budget") or "quick")
        run = run_folders.run_folder(tmp_path, protocol, method, folder, seed)
        errors = np.asarray(errors, float)
        numbers = [(name, "<f8") for name in ("nme_inter_ocular", "nme_inter_pupil")]
        flags = [(name, "?") for name in ("failed", "in_full", "in_hard")]
        table = np.zeros(len(errors), [*numbers, *flags, ("cluster", "<i4")])
        table["nme_inter_ocular"], table["nme_inter_pupil"] = errors, 1.4 * errors
        table["failed"] = np.isinf(errors)
        table["cluster"] = np.arange(len(errors)) if clusters is None else clusters
        table["in_full"], table["in_hard"] = True, HARD[: len(errors)]
        names = [
            f"{name}_{by}"
            for by in ("inter_ocular", "inter_pupil")
            for name in ("nme", "auc_0.08", "fr_0.08")
        ]
        entry = {"value": 1.0, "unit": "%"}
        scores = {"full": dict.fromkeys(names, entry), "hard": dict.fromkeys(names, entry)}
        record = {
            key: {} for key in ("digests", "environment", "code", "seconds", "overrides", "params")
        }
        record |= {
            "protocol": protocol,
            "method": method,
            "variant": "v",
            "kind": "trained",
            "card": card,
            "budget": "quick",
        }
        record |= {"data": {"truth": truth, "variant": "complete"}, "seed": seed} | facts
        with run_folders.claim_folder(run):
            run_folders.begin_job(run, {})
            run_folders.save_scores(
                run,
                {"schema": 1, "card": card, "n": len(errors), "failed": 0, "scores": scores},
                table,
            )
            run_folders.finish_run(run, parse_record(record, "run.json"))
        return str(run.relative_to(tmp_path))

    return write


def faces(seed=0):
    return np.random.default_rng(seed).gamma(4, 0.01, FACES)


def by_name(comparison, group="full", metric="nme_inter_ocular"):
    return next(d for d in comparison.differences if (d.group, d.metric) == (group, metric))


def test_a_difference_by_hand(make, tmp_path):
    base = faces()
    a, b = make("a", base), make("b", base + np.where(HARD, 0.03, 0.0))
    found = compare.compare_runs([a, b], tmp_path)
    full, hard = by_name(found), by_name(found, "hard")
    assert full.difference == pytest.approx(3 * 20 / 60)
    assert hard.difference == pytest.approx(3.0)
    assert full.baseline == pytest.approx(100 * base.mean())
    assert full.other == pytest.approx(full.baseline + 1.0)
    # the same for every face
    assert (hard.low, hard.high) == (pytest.approx(3.0), pytest.approx(3.0))
    assert (full.items, hard.items, full.left_out, full.clusters) == (60, 20, 0, 60)
    assert full.low < 1.0 < full.high
    assert hard.p == pytest.approx(1 / 10_001)
    assert full.verdict(0.95) == hard.verdict(0.95) == "worse"
    auc = by_name(found, metric="auc_0.08_inter_ocular")
    assert (auc.verdict(0.95), auc.difference < 0, auc.unit) == ("worse", True, "1")


def test_the_reverse_is_the_mirror_image(make, tmp_path):
    rng = np.random.default_rng(1)
    a, b = make("a", faces()), make("b", faces() + rng.normal(0.003, 0.01, FACES).clip(-0.005))
    one, other = (by_name(compare.compare_runs(order, tmp_path)) for order in ([a, b], [b, a]))
    assert one.difference == pytest.approx(-other.difference)
    assert (one.low, one.high) == (pytest.approx(-other.high), pytest.approx(-other.low))
    assert one.p == other.p


def test_pairing_sees_what_two_intervals_hide(make, tmp_path):
    """Trap: means 4.0 and 4.2 with intervals ± 0.5 look equal.

    Face by face the second is always worse.
    """
    a, b = (
        make("a", faces()),
        make("b", faces() + 0.002 + np.random.default_rng(2).normal(0, 0.001, FACES)),
    )
    found = by_name(compare.compare_runs([a, b], tmp_path))
    assert found.high - found.low < 0.1
    assert found.verdict(0.95) == "worse"


def test_frames_of_three_videos_prove_nothing(make, tmp_path):
    videos = np.arange(FACES) // 20
    a, b = make("a", faces(), clusters=videos), make("b", faces() + 0.01, clusters=videos)
    found = by_name(compare.compare_runs([a, b], tmp_path))
    assert (found.p, found.verdict(0.95), found.clusters) == (0.25, "cannot tell", 3)


def test_a_mean_rests_on_what_both_answered_and_failures_count_elsewhere(make, tmp_path):
    """Trap: b leaves out the hard faces.

    Its mean over its own answers would look better than a's.
    """
    base = faces() + np.where(HARD, 0.1, 0.0)
    a, b = make("a", base), make("b", np.where(HARD, math.inf, base + 0.001))
    found = compare.compare_runs([a, b], tmp_path)
    nme = by_name(found)
    assert nme.difference == pytest.approx(0.1)
    assert (nme.items, nme.left_out) == (40, 20)
    assert by_name(found, metric="auc_0.08_inter_ocular").items == 60
    assert not [d for d in found.differences if (d.group, d.metric) == ("hard", "nme_inter_ocular")]
    assert by_name(found, "hard", "fr_0.08_inter_ocular").left_out == 0


def test_many_comparisons_are_corrected_together(make, tmp_path):
    a, b, c = make("a", faces()), make("b", faces(1)), make("c", faces(2))
    found = compare.compare_runs([a, b, c], tmp_path, everything=True)
    assert len(found.differences) == 2 * 2 * 6
    assert {d.name for d in found.differences} == {"b/v seed 0", "c/v seed 0"}
    assert all(d.p_holm >= d.p for d in found.differences)
    smallest = min(found.differences, key=lambda d: d.p)
    assert smallest.p_holm == pytest.approx(min(1.0, 24 * smallest.p))


def test_a_variant_stands_for_all_its_seeds(make, tmp_path):
    for seed in range(3):
        make("a", faces() + 0.001 * seed, seed=seed)
        make("b", faces() + 0.004 + 0.002 * seed, seed=seed + 10)  # none in common
    found = compare.compare_runs(["toy/a/v", "toy/b/v"], tmp_path)
    nme = by_name(found)
    assert nme.baseline == pytest.approx(100 * faces().mean() + 0.1)
    assert (nme.baseline_std, nme.other_std) == (pytest.approx(0.1), pytest.approx(0.2))
    assert nme.difference == pytest.approx(0.5)
    assert nme.seeds == ()
    # Faces add nothing; means of three vary by 0.1²/3 and 0.2²/3, with 0.05² / (0.01²/2 + 0.04²/2)
    # = 2.941 degrees.
    assert nme.high - nme.difference == pytest.approx(
        scipy.stats.t.ppf(0.975, 50 / 17) * (0.05 / 3) ** 0.5, rel=1e-6
    )
    assert found.contestants[0]["seeds"] == ["0", "1", "2"]
    assert "± 0.100" in compare.format_comparison(found)


def test_only_the_seeds_that_both_have_are_compared(make, tmp_path):
    """Trap: one training with three seeds is "better" than itself with one of them."""
    for seed, level in enumerate((0.0, -0.004, -0.006)):
        make("a", faces() + level, seed=seed)
    b = make("b", faces())
    nme = by_name(found := compare.compare_runs(["toy/a/v", b], tmp_path))
    assert (nme.seeds, nme.difference, nme.verdict(0.95)) == (("0",), 0, "cannot tell")
    assert "a/v and b/v seed 0 are compared over the seeds that both have: 0" in found.notes
    assert any("one seed only of b/v seed 0" in note for note in found.notes)


def test_seeds_of_one_number_are_a_pair_and_their_spread_counts(make, tmp_path):
    """0.4, 0.5 and 0.6 % apart: 0.5 ± 4.303 · 0.1/√3. What both seeds share, 3 % of it, cancels."""
    for seed in range(3):
        make("a", faces() + 0.03 * seed, seed=seed)
        make("b", faces() + 0.03 * seed + 0.004 + 0.001 * seed, seed=seed)
    nme = by_name(compare.compare_runs(["toy/a/v", "toy/b/v"], tmp_path))
    assert nme.seeds == ("0", "1", "2")
    assert (nme.low, nme.high) == (pytest.approx(0.2516, abs=1e-4), pytest.approx(0.7484, abs=1e-4))
    assert nme.p == pytest.approx(0.0131, abs=1e-4)


def test_stares_and_dots_are_compared_by_sequence_and_person(tmp_path):
    """Trap: 24 frames are 12 stares of three people.

    A difference in all stares is a difference of three people.
    """
    people, stares = np.repeat(np.arange(3), 8), np.repeat(np.arange(12), 2)
    names = ("error_cm", "error_cm_dot", "msd_cm", "error_cm_person")
    for method, extra in (("a", 0.0), ("b", 0.5)):
        table = np.zeros(
            24,
            [
                *((name, "<f8") for name in names[:3]),
                ("sequence", "<i4"),
                ("cluster", "<i4"),
                ("in_total", "?"),
            ],
        )
        table["sequence"], table["cluster"], table["in_total"] = stares, people, True
        for name in names[:3]:
            table[name] = 1 + stares / 12 + extra
        table["error_cm"][0] = np.inf if method == "b" else table["error_cm"][0]
        table["msd_cm"][0] = np.nan if method == "b" else table["msd_cm"][0]
        run = run_folders.run_folder(tmp_path, "toy", method, "v", 0)
        record = {
            key: {} for key in ("digests", "environment", "code", "seconds", "overrides", "params")
        }
        record |= {
            "protocol": "toy",
            "method": method,
            "variant": "v",
            "kind": "weights",
            "card": "sha256:a",
            "data": {"truth": "t"},
        }
        with run_folders.claim_folder(run):
            run_folders.begin_job(run, {})
            scores = {"total": {name: {"value": 1.0, "unit": "cm"} for name in names}}
            run_folders.save_scores(
                run,
                {"schema": 1, "card": "sha256:a", "n": 24, "failed": 0, "scores": scores},
                table,
            )
            run_folders.finish_run(run, parse_record(record, "run.json"))
    found = compare.compare_runs(["toy/a/v", "toy/b/v"], tmp_path)
    assert [d.metric for d in found.differences] == list(names)
    for d in found.differences:
        assert d.difference == pytest.approx(0.5)
        assert (d.p, d.clusters, d.unit) == (0.25, 3, "cm")
        assert d.left_out == (0 if d.metric == "error_cm_dot" else 1)
    # a stare counts once, with one frame or two
    assert found.differences[2].baseline == pytest.approx(1 + 5.5 / 12)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"card": "sha256:b"}, "card a, .* has b; the card has changed"),
        ({"truth": "sha256:u"}, "test data t, .* has u; their annotations differ"),
        ({"protocol": "other"}, "protocol toy, .* has other; score both under one protocol"),
    ],
)
def test_unlike_things_are_refused(make, tmp_path, changes, said):
    """Trap: 4.1 by pupils and 2.9 by eye corners are no race."""
    runs = [make("a", faces()), make("b", faces(), **changes)]
    with pytest.raises(ResultError, match=f"unlike things are not compared: .*{said}"):
        compare.compare_runs(runs, tmp_path)


def test_rows_in_another_order_are_refused(make, tmp_path):
    runs = [make("a", faces()), make("b", faces(), clusters=np.arange(FACES)[::-1])]
    with pytest.raises(ResultError, match=r"another order than that of .*column cluster"):
        compare.compare_runs(runs, tmp_path)


def test_wrong_use_says_what_to_do(make, tmp_path):
    a, b = make("a", faces()), make("b", faces())
    with pytest.raises(ResultError, match="needs two runs"):
        compare.compare_runs([a], tmp_path)
    with pytest.raises(ResultError, match="given twice"):
        compare.compare_runs([a, a], tmp_path)
    with pytest.raises(ResultError, match=r"toy/c/v: no finished run.*list results"):
        compare.compare_runs([a, "toy/c/v"], tmp_path)
    with pytest.raises(ResultError, match="toy/a: holds the variants v; name one: toy/a/v"):
        compare.compare_runs([a, "toy/a"], tmp_path)
    with pytest.raises(ResultError, match=r"no metric 'nme'.*they have nme_inter_ocular"):
        compare.compare_runs([a, b], tmp_path, ["nme"])


def test_other_budgets_and_data_are_told(make, tmp_path):
    a = make("a", faces())
    b = make("b", faces(), budget="paper", data={"truth": "sha256:t", "variant": "train 9 of 10"})
    notes = compare.compare_runs([a, b], tmp_path).notes
    assert any("another budget (paper; baseline: quick)" in note for note in notes)
    assert any("another data (train 9 of 10; baseline: complete)" in note for note in notes)


def test_the_command(make, tmp_path):
    a, b = make("a", faces()), make("b", faces() + 0.02)
    words = ["compare", a, b, "--results", str(tmp_path), "--metric", "nme_inter_pupil"]
    shown = CliRunner().invoke(main, words)
    assert shown.exit_code == 0, shown.output
    line = next(line for line in shown.stdout.splitlines() if line.startswith("full"))
    assert "+2.800" in line
    assert "worse" in shown.stdout  # in the part of the table below: 80 columns
    assert max(map(len, shown.stdout.splitlines()[:6])) <= 80
    document = json.loads(CliRunner().invoke(main, [*words, "--json"]).stdout)
    assert document["schema"] == 1
    assert [d["verdict"] for d in document["differences"]] == ["worse", "worse"]
    assert document["differences"][0]["difference"] == pytest.approx(2.8)
    fault = CliRunner().invoke(main, ["compare", a, "--results", str(tmp_path)])
    assert (fault.exit_code, fault.stdout) == (2, "")
    assert fault.stderr.startswith("error: compare needs two runs")


def test_leaving_out_hard_faces_is_not_better(make, tmp_path):
    """Trap: over the 36 faces that both answered the picky one wins on every face."""
    base = np.sort(faces())
    picky = np.where(np.arange(FACES) < 36, base - 0.002, np.inf)
    a, b = make("a", base), make("b", picky)
    found = by_name(compare.compare_runs([a, b], tmp_path))
    assert found.difference == pytest.approx(-0.2)
    assert (found.items, found.left_out) == (36, 24)
    lost = (36 * -0.2 + 24 * 100 - 100 * base[36:].sum()) / 60
    assert found.counted == pytest.approx(lost)
    assert (found.p, found.verdict(0.95)) == (1.0, "cannot tell")
    reverse = by_name(compare.compare_runs([b, a], tmp_path))
    assert (reverse.verdict(0.95), reverse.counted) == ("cannot tell", pytest.approx(-lost))


def test_a_clear_winner_may_leave_a_face_out(make, tmp_path):
    base = faces() + 0.1
    better = base - 0.08
    better[3] = np.inf
    found = by_name(compare.compare_runs([make("a", base), make("b", better)], tmp_path))
    assert found.verdict(0.95) == "better"
    # one lost face of 60 costs (100 % − its own) / 60
    assert found.counted == pytest.approx((59 * -8 + 100 - 100 * base[3]) / 60)
    text = compare.format_comparison(compare.compare_runs(["toy/a/v/0", "toy/b/v/0"], tmp_path))
    assert "those counted as lost" in text
    assert "better (1 left out)" in text


def test_what_the_trainings_saw_and_who_wrote_their_code_is_noted(make, tmp_path):
    """Trap: corrected training labels, or a seed of last month's code, taken for the method."""
    seen = {"truth": "sha256:t", "variant": "complete", "fingerprint": "sha256:f"}
    make("a", faces(), data=seen, code={"method": "sha256:1"})
    make("a", faces(), seed=1, data=seen, code={"method": "sha256:2"})
    make("b", faces(), data={**seen, "fingerprint": "sha256:g"})
    folders = ["toy/a/v", "toy/b/v"]
    with pytest.raises(ResultError, match=r"trained on f, .* on other data or boxes \(g\)"):
        compare.compare_runs(folders, tmp_path)
    notes = compare.compare_runs(folders, tmp_path, any_training=True).notes
    assert "a/v: seeds by 2 versions of the method's code" in notes
    assert any("b/v was trained on other data or boxes than a/v" in note for note in notes)


def test_so_few_people_that_nothing_can_be_told_are_named(make, tmp_path):
    """The trap: 14.29 against 3.53 over two people was "cannot tell", p 0.5, without a word."""
    for count, least in ((2, "0.5"), (5, "0.062"), (6, "")):
        people = np.arange(FACES) % count
        a = make(f"a{count}", faces(), clusters=people)
        b = make(f"b{count}", faces() + 0.1, clusters=people)
        found = compare.compare_runs([a, b], tmp_path)
        said = [note for note in found.notes if "no p is below" in note]
        assert bool(said) == bool(least)
        assert all(f"{count} clusters" in note and f"below {least}, " in note for note in said)
        (first, *_) = found.differences
        assert first.p >= 2.0 ** (1 - count) - 1e-9
