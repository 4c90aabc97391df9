"""The regression gate: what got worse fails in words, what got better passes, what was not measured
alike is told.
"""

import json

import pytest
from click.testing import CliRunner

from benchbox.analysis import regression_gate
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
    with pytest.raises(ResultError, match="cannot be read"):
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
