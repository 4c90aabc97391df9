"""The regression gate: what got worse fails in words, what got better passes, what was not measured
alike is told.
"""

import json
from dataclasses import replace

import pytest
from click.testing import CliRunner

from benchbox.analysis import regression_gate
from benchbox.analysis.tolerances import Tolerances, read_tolerances
from benchbox.analysis.verdicts import Verdict
from benchbox.cli import main
from benchbox.errors import ResultError
from benchbox.metrics import landmarks

CODE = """
import numpy as np

def predictor(weights, device):
    def predict(samples):
        offsets = np.arange(136).reshape(68, 2)
        return np.stack([s.box[:2] + offsets for s in samples]).astype(np.float32)
    return predict
"""


@pytest.fixture
def results(world):
    """One real run of a small world, made by the command."""
    world.method("mine", CODE)
    words = [
        "run",
        "--method",
        "mine",
        "--protocol",
        "tiny",
        "--data",
        str(world.data),
        "--methods",
        str(world.methods),
    ]
    done = CliRunner().invoke(main, [*words, "--results", str(world.results)])
    assert done.exit_code == 0, done.output
    return world.results


@pytest.fixture
def file(tmp_path, results):
    path = tmp_path / "baseline.json"
    assert regression_gate.write_baseline(results, path) == 1
    return path


def edit(file, change):
    document = json.loads(file.read_text())
    (run,) = document["runs"].values()
    change(run)
    file.write_text(json.dumps(document))


def test_nothing_changed_is_nothing_said(results, file):
    assert regression_gate.find_changes(results, file) == []


def test_a_worse_score_is_a_regression_and_a_better_one_is_not(results, file):
    def better_before(run):
        run["scores"]["unseen"]["nme_inter_ocular"] -= 1
        run["scores"]["unseen"]["auc_0.08_inter_ocular"] -= 0.1

    edit(file, better_before)
    worse, better = regression_gate.find_changes(results, file)
    assert (worse.regression, better.regression) == (True, False)
    assert worse.place == "tiny/mine/v/0"
    assert worse.text.startswith("unseen nme_inter_ocular was ")
    assert worse.text.endswith("% (worse)")
    assert better.text.endswith("(better)")


def test_a_run_that_is_gone_is_a_regression_and_a_new_one_is_not(results, file, tmp_path):
    document = json.loads(file.read_text())
    (run,) = document["runs"].values()
    document["runs"] = {"tiny/mine/v/9": run}
    file.write_text(json.dumps(document))
    assert [(c.place, c.regression) for c in regression_gate.find_changes(results, file)] == [
        ("tiny/mine/v/9", True),
        ("tiny/mine/v/0", False),
    ]


def test_a_run_that_cannot_be_read_is_not_said_to_be_gone(results, file):
    (place,) = results.rglob("run.json")
    place.write_text("{")
    (change,) = regression_gate.find_changes(results, file)
    assert change.regression
    assert change.text.startswith(f"cannot be read: {place}")


def test_a_deliberate_change_of_the_normaliser_fails_with_a_sentence(
    results, file, world, monkeypatch
):
    """A newcomer edits the card: the gate names the protocol's key, what it was and what it is."""
    card = world.site / "tiny_cards" / "tiny.toml"
    card.write_text(card.read_text().replace('["inter_ocular", "inter_pupil"]', '["inter_pupil"]'))
    done = CliRunner().invoke(main, ["check", "--results", str(results), "--baseline", str(file)])
    assert done.exit_code == 1
    said = "normalisers was ['inter_ocular', 'inter_pupil'], is ['inter_pupil']"
    assert (
        f"REGRESSION  tiny/mine/v/0: the protocol now decides numbers otherwise: {said}"
        in done.stdout
    )
    assert "results got worse; if that is meant, say so in CHANGELOG.md" in done.stderr


def test_a_normaliser_that_computes_otherwise_is_caught_by_scoring_again(
    results, world, monkeypatch
):
    """The trap: the card's words stay, the code under them moves.

    Stored scores would go on looking right.
    """
    real = landmarks.NORMALISER_FUNCTIONS
    found, left = regression_gate.rescore_runs(results, world.data)
    assert (found, left) == ([], [])
    wider = {**real, "inter_ocular": lambda *arguments: 2 * real["inter_ocular"](*arguments)}
    monkeypatch.setattr(landmarks, "NORMALISER_FUNCTIONS", wider)
    found, _ = regression_gate.rescore_runs(results, world.data)
    assert found
    assert all(change.regression for change in found)
    assert any(
        "scored again from its predictions, unseen nme_inter_ocular was" in change.text
        for change in found
    )


def test_predictions_without_their_data_are_left_out_and_said(results, tmp_path):
    found, left = regression_gate.rescore_runs(results, tmp_path / "nowhere")
    assert found == []
    (line,) = left
    assert line.startswith("tiny/mine/v/0: not scored again: ")


@pytest.mark.parametrize(
    ("text", "said"),
    [("{", "is no JSON"), ("[]", "holds no table"), ("{}", "no baseline of schema 1")],
)
def test_a_file_that_is_no_baseline_is_refused(results, file, text, said):
    file.write_text(text)
    with pytest.raises(ResultError, match=said):
        regression_gate.find_changes(results, file)


def test_a_baseline_that_is_not_there_is_named_with_what_makes_one(results, file):
    advice = "other: there is no such file; --write-baseline makes one"
    with pytest.raises(ResultError, match=advice):
        regression_gate.find_changes(results, file.with_name("other"))


def check(results, *more):
    return CliRunner().invoke(main, ["check", "--results", str(results), *map(str, more)])


def test_an_old_and_a_new_baseline_together_compare_first(results, file, tmp_path):
    """Trap: --write-baseline returned before anything was compared, with exit code 0."""
    new = tmp_path / "new.json"
    assert check(results, "--baseline", file, "--write-baseline", new).exit_code == 0
    assert new.is_file()
    new.unlink()
    edit(file, lambda run: run["scores"]["unseen"].update(nme_inter_ocular=0.1))
    done = check(results, "--baseline", file, "--write-baseline", new)
    assert done.exit_code == 1
    assert "REGRESSION" in done.stdout
    assert not new.exists(), "a loss does not become the measure"
    # what the message advises
    assert "--write-baseline FILE without --baseline" in done.stderr
    assert check(results, "--write-baseline", new).exit_code == 0


def test_a_baseline_of_no_runs_is_neither_written_nor_believed(results, file, tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    done = check(empty, "--write-baseline", tmp_path / "none.json")
    assert (done.exit_code, (tmp_path / "none.json").exists()) == (2, False)
    document = json.loads(file.read_text())
    file.write_text(json.dumps({**document, "runs": {}}))
    done = check(results, "--baseline", file)
    assert done.exit_code == 2
    assert "a baseline of 0 runs" in done.stderr


def test_a_folder_on_the_wrong_level_is_named_with_the_right_one(results):
    above = check(results.parent)
    assert above.exit_code == 2
    assert f"did you mean --results {results}?" in above.stderr
    below = check(results / "tiny" / "mine")
    assert below.exit_code == 2
    assert f"did you mean --results {results}?" in below.stderr
    assert check(results).exit_code == 0


def test_a_score_that_is_no_number_is_a_regression(results, file):
    """Trap: a comparison with NaN is never true, so it was never worse."""
    (scores,) = results.rglob("scores.json")
    document = json.loads(scores.read_text())
    document["scores"]["unseen"]["nme_inter_ocular"]["value"] = float("nan")
    scores.write_text(json.dumps(document))
    (change,) = regression_gate.find_changes(results, file)
    assert change.regression
    assert change.text.startswith("cannot be read: ")


def test_scoring_nothing_again_is_no_success(results, tmp_path):
    done = check(results, "--rescore", "--data", tmp_path / "nowhere")
    assert done.exit_code == 2
    assert "no run could be scored again" in done.stderr


def test_corrected_annotations_are_named_when_scoring_again(results, world):
    table = world.data / "ytf68" / "training_frames_keypoints.csv"
    head, *lines = table.read_text().splitlines()
    moved = []
    for line in lines:
        name, x, *others = line.split(",")
        moved.append(",".join([name, str(float(x) + 3), *others]))
    table.write_text("\n".join([head, *moved]) + "\n")
    changes, _ = regression_gate.rescore_runs(results, world.data)
    assert [change.text for change in changes] == [
        "the annotations here are not those that it was scored with"
    ]


def test_a_card_that_is_not_here_is_no_regression(results, world, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "")
    (world.site / "tiny_cards" / "tiny.toml").unlink()
    changes, left_out = regression_gate.rescore_runs(results, world.data)
    assert changes == []
    assert "BENCHBOX_PROTOCOLS" in left_out[0]


# --- verdicts -------------------------------------------------------------------------------------

HELD = Verdict(
    kind="ordering",
    paper="demo",
    table="Table 1",
    claim="a-beats-b: a beats b",
    system="m/a",
    protocol="tiny",
    group="unseen",
    metric="nme_inter_ocular",
    claimed="m/a < m/b",
    measured=None,
    low=None,
    high=None,
    unit="",
    verdict="holds",
    reasons=("budget quick",),
    budget="quick",
)


def compare(results, tmp_path, before, now):
    """Return how a baseline of some verdicts compares with others."""
    file = tmp_path / "verdicts.json"
    regression_gate.write_baseline(results, file, before)
    return regression_gate.compare_baseline(results, file, now)


@pytest.mark.parametrize(
    ("before", "now", "regression"),
    [
        ("holds", "too close to tell", True),
        ("holds", "holds (these faces, one training)", True),
        ("holds (these faces, one training)", "does not hold", True),
        ("holds (these faces, one training)", "holds", False),
        ("too close to tell", "does not hold", False),
        ("reproduced", "worse", True),
        ("reproduced", "not comparable", True),
        ("reproduced", "not measured", True),
        ("better", "worse", True),
        ("better", "reproduced", False),
        ("met", "not met", True),
        ("not met", "met", False),
    ],
)
def test_a_verdict_that_fell_is_a_regression(results, tmp_path, before, now, regression):
    """The trap: a claim that no longer held passed the gate as long as no score got worse."""
    held, is_now = replace(HELD, verdict=before), replace(HELD, verdict=now)
    found = compare(results, tmp_path, [held], [is_now])
    (change,) = found.changes
    assert (change.regression, change.about) == (regression, "claim")
    assert change.text == f"was: {before}; is: {now} (budget quick)"
    assert (found.runs, found.digests, found.verdicts) == (1, 1, 1)
    assert compare(results, tmp_path, [held], [held]).changes == ()


def test_a_claim_that_is_gone_is_a_regression_if_it_held(results, tmp_path):
    (change,) = compare(results, tmp_path, [HELD], []).changes
    assert change.regression
    assert "is no longer judged" in change.text
    fell = replace(HELD, verdict="too close to tell")
    assert compare(results, tmp_path, [fell], []).changes == ()


def test_other_words_for_a_claim_are_no_other_claim(results, tmp_path):
    mended = replace(HELD, claim="a-beats-b: a is better than b")
    assert compare(results, tmp_path, [HELD], [mended]).changes == ()


def test_facts_are_compared_where_they_were_counted_only(results, tmp_path):
    fact = replace(HELD, kind="fact", verdict="met")
    found = compare(results, tmp_path, [fact], [HELD])
    assert (found.changes, found.verdicts) == ((), 0)
    assert found.notes == ("1 facts of the baseline are not looked at; --facts counts them",)
    (change,) = compare(results, tmp_path, [fact], [replace(fact, verdict="not met")]).changes
    assert change.regression


def test_a_baseline_of_schema_1_is_read_and_said_to_be_one(results, file):
    """As it was written before verdicts and digests were in it."""
    document = json.loads(file.read_text())
    assert document.pop("verdicts") == {}
    for run in document["runs"].values():
        del run["digest"]
    file.write_text(json.dumps({**document, "schema": 1}))
    found = regression_gate.compare_baseline(results, file)
    assert (found.changes, found.runs, found.digests, found.verdicts) == ((), 1, 0, 0)
    assert "is of schema 1, without verdicts and digests" in found.notes[0]
    edit(file, lambda run: run["scores"]["unseen"].update(nme_inter_ocular=0.1))
    assert regression_gate.compare_baseline(results, file).changes[0].regression


def test_how_much_was_compared_is_said(results, file):
    done = check(results, "--baseline", file)
    assert done.exit_code == 0
    said = "compared with the baseline: 1 run, digests of 1 as they were; 0 verdicts"
    assert f"{said}; nothing got worse" in done.stdout
    document = json.loads(check(results, "--baseline", file, "--json").stdout)
    assert document["baseline"] == {"runs": 1, "digests": 1, "verdicts": 0}


def test_predictions_of_another_digest_are_named(results, file):
    edit(file, lambda run: run.update(digest="sha256:0123456789abcdef"))
    found = regression_gate.compare_baseline(results, file)
    (change,) = found.changes
    assert not change.regression
    assert change.text.startswith("its predictions are others (0123456789ab, now ")
    assert found.digests == 0


@pytest.mark.parametrize(
    "damage",
    [
        lambda run: run.pop("scores"),
        lambda run: run.update(scores=[1]),
        lambda run: run["scores"].update(unseen=2.0),
        lambda run: run["scores"]["unseen"].update(nme_inter_ocular="4.1"),
        lambda run: run["scores"]["unseen"].update(nme_inter_ocular=True),
    ],
)
def test_a_run_of_a_baseline_without_its_facts_is_refused(results, file, damage):
    """The trap: a file cut by a merge ended in a traceback."""
    edit(file, damage)
    with pytest.raises(ResultError, match="tiny/mine/v/0 is no run of a baseline"):
        regression_gate.find_changes(results, file)


@pytest.mark.parametrize("verdict", ["holdz", 2, ["holds"], None])
def test_a_verdict_that_is_none_is_refused(results, file, verdict):
    document = json.loads(file.read_text())
    file.write_text(json.dumps({**document, "verdicts": {"cell | x": verdict}}))
    with pytest.raises(ResultError, match="is no verdict"):
        regression_gate.find_changes(results, file)


# --- tolerances -----------------------------------------------------------------------------------


def tolerate(tmp_path, text):
    file = tmp_path / "tolerances.toml"
    file.write_text(text)
    return file


def test_a_score_may_get_worse_by_what_is_tolerated(results, file, tmp_path):
    stored = json.loads(file.read_text())["runs"]["tiny/mine/v/0"]["scores"]["unseen"]
    before = stored["nme_inter_ocular"] - 0.5
    edit(file, lambda run: run["scores"]["unseen"].update(nme_inter_ocular=before))
    rule = '[[scores]]\nprotocol = "tiny"\nmetric = "nme_*"\nabsolute = '
    lenient = tolerate(tmp_path, f"{rule}0.6\n")
    done = check(results, "--baseline", file, "--tolerances", lenient)
    assert done.exit_code == 0
    assert "(worse, within the tolerance of 0.6)" in done.stdout
    strict = tolerate(tmp_path, f"{rule}0.4\n")
    assert check(results, "--baseline", file, "--tolerances", strict).exit_code == 1
    other = tolerate(tmp_path, '[[scores]]\nmetric = "auc_*"\nabsolute = 9\n')
    assert check(results, "--baseline", file, "--tolerances", other).exit_code == 1


def test_the_first_entry_that_fits_decides(tmp_path):
    text = (
        '[training]\ntolerance = 0.05\n[[scores]]\nmethod = "mine"\nrelative = 0.01\n'
        "absolute = 0.02\n[[scores]]\nabsolute = 1.0\n"
    )
    found = read_tolerances(tolerate(tmp_path, text))
    assert found.training == 0.05
    assert found.allowance("p/mine/v/0", "full", "nme_inter_ocular", 10.0) == pytest.approx(0.1)
    assert found.allowance("p/mine/v/0", "full", "nme_inter_ocular", 1.0) == pytest.approx(0.02)
    assert found.allowance("p/other/v/0", "full", "nme_inter_ocular", 1.0) == 1.0
    assert Tolerances().allowance("p/mine/v/0", "full", "nme_inter_ocular", 1.0) == 0.0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[score]]\n", "no such key; did you mean scores"),
        ("[[scores]]\nabsolut = 1\n", "scores 1: absolut: no such key; did you mean absolute"),
        ("[[scores]]\nabsolute = -1\n", "scores 1: absolute: -1 is not allowed"),
        ("[[scores]]\nabsolute = nan\n", "scores 1: absolute: nan is not allowed"),
        ('[[scores]]\nmetric = "nme_*"\n', "scores 1: tolerates nothing"),
        ("[scores]\n", "must be written as"),
        ("training = 1\n", "training must be a table"),
        ("[training]\ntolerance = 2\n", "tolerance: 2 is not allowed"),
        ("[training\n", "is no TOML"),
    ],
)
def test_a_wrong_file_of_tolerances_is_refused_by_key(tmp_path, text, said):
    with pytest.raises(ResultError, match=said):
        read_tolerances(tolerate(tmp_path, text))
    with pytest.raises(ResultError, match="cannot be read"):
        read_tolerances(tmp_path / "none.toml")
