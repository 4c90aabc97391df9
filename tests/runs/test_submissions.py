"""Predictions handed in: checked row by row, ranked, scored from two files, nothing run."""

import json
import re

import numpy as np
import pytest
from click.testing import CliRunner

from benchbox.cli import main
from benchbox.errors import ResultError
from benchbox.report.tables import rank_preview
from benchbox.runs import run_folders, score_file, submissions


def call(*words):
    return CliRunner().invoke(main, [str(word) for word in words])


def save(world, name, ids, points):
    file = world.results.parent / f"{name}.npz"
    np.savez(file, ids=ids, values=points)
    return file


def submit(world, file, method="near", *more):
    return call(
        "submit", file, "--protocol", "tiny", "--method", method, "--data", world.data,
        "--trained-on", "nothing", "--seen-test", "no", "--results", world.results,
        "--out", world.results.parent / "submissions", *more,
    )  # fmt: skip


def near(world, shift=1.0):
    return world.truth + np.array([shift, 0.0])


def test_a_folder_of_two_files_is_written_and_accepted_with_the_same_score(world):
    file = save(world, "near", world.tested[::-1], near(world)[::-1])
    done = submit(world, file, "near", "--title", 'Near "one"', "--url", "https://example.org")
    assert done.exit_code == 0, done.output
    assert "ok      6 of 6 test items have an answer" in done.stdout
    folder = world.results.parent / "submissions" / "tiny" / "near"
    assert {path.name for path in folder.iterdir()} == {"submission.toml", "predictions.npz"}
    read = submissions.read_submission(folder)
    said = {"title": 'Near "one"', "url": "https://example.org"}
    assert read.stated == {**said, "trained_on": "nothing", "seen_test": "no"}
    assert read.method == "near"
    accepted = call(
        "results", "accept", folder, "--data", world.data, "--results", world.results,
        "--markdown", world.results.parent / "comment.md",
    )  # fmt: skip
    assert accepted.exit_code == 0, accepted.output
    said = re.search(r"score: (.+)", done.stdout)[1]
    assert said in accepted.stdout
    comment = (world.results.parent / "comment.md").read_text()
    assert "| unseen | nme_inter_ocular | 3.1" in comment
    run = run_folders.read_run(world.results / "tiny" / "near" / "submitted" / "0")
    assert run.record.kind == "submitted"
    again = submit(world, file)
    assert again.exit_code == 2
    assert "is there already" in again.stderr


def test_rows_that_are_missing_doubled_or_unknown_are_named_and_nothing_is_written(world):
    ids = [*world.tested[:4], world.tested[0], "Nobody_00"]
    done = submit(world, save(world, "wrong", ids, near(world)))
    assert done.exit_code == 1
    assert "missing 2: Ahmad_Masood_01, Ahmad_Masood_02" in done.stdout
    assert "doubled 1: Abdullah_Gul_00" in done.stdout
    assert "unknown 1: Nobody_00" in done.stdout
    assert not (world.results.parent / "submissions").exists()


def test_items_without_an_answer_are_counted_and_may_be_handed_in(world):
    points = near(world)
    points[2] = np.nan
    done = submit(world, save(world, "part", world.tested, points), "part")
    assert done.exit_code == 0, done.output
    assert "5 of 6 test items have an answer" in done.stdout
    assert "1 say that they have none" in done.stdout


def test_the_rank_is_that_of_the_leaderboard(world):
    """Two methods that differ on every photo by much more than they scatter."""
    for name, shift in (("one", 1.0), ("three", 3.0)):
        file = save(world, name, world.tested, near(world, shift))
        score_file.score_predictions_file(
            file, "tiny", name, world.data, world.results, stated={"seen_test": "no"}
        )
    two = score_file.score_predictions_file(
        save(world, "two", world.tested, near(world, 2.0)), "tiny", "two", world.data
    )
    preview = rank_preview.preview_rank(world.results, two.protocol, two.scores)
    assert preview.rows == 3
    assert preview.rank in (1, 2)  # two people are few to tell
    own = world.results / "tiny" / "one" / "submitted" / "0"
    left = rank_preview.preview_rank(world.results, two.protocol, two.scores, own=own)
    assert left.rows == 2
    why = rank_preview.why_not_ranked
    assert why(two.protocol, stored=own) == ""
    apart = {"seen_test": "no", "trained_on": "WFLW"}
    assert why(two.protocol, stated=apart) == "trained on WFLW"
    assert why(two.protocol, stated={"seen_test": "unknown"}) == (
        "whether its training saw the test items is not known"
    )
    # the trap: `submit` asks for the training data, and the card's own made the row stand apart
    the_card_s = {"seen_test": "no", "trained_on": two.protocol.dataset.upper()}
    assert why(two.protocol, stated=the_card_s) == ""
    empty = world.results / "none"
    assert rank_preview.preview_rank(empty, two.protocol, two.scores) is None


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda f: (f / "run.sh").write_text("rm -rf /"), "alone; it holds"),
        (lambda f: lead_elsewhere(f / "predictions.npz"), "no file"),
        (lambda f: exchange(f / "predictions.npz"), "not the 1 predictions"),
        (lambda f: (f / "predictions.npz").write_bytes(b"no"), "predictions.npz"),
        (lambda f: edit(f, "card = ", 'card = "sha256:0"'), "another version"),
        (lambda f: edit(f, "method = ", 'method = "../../up"'), "method name"),
        (lambda f: edit(f, "trained_on = ", "titel = 'x'"), "titel"),
        (lambda f: edit(f, "protocol = ", 'protocol = "none"'), "none"),
    ],
)  # fmt: skip
def test_a_strangers_folder_that_is_not_as_it_must_be_is_refused(world, damage, said):
    done = submit(world, save(world, "near", world.tested, near(world)))
    assert done.exit_code == 0, done.output
    folder = world.results.parent / "submissions" / "tiny" / "near"
    damage(folder)
    with pytest.raises(Exception, match=said) as caught:
        submissions.accept_submission(folder, world.data, world.results)
    assert type(caught.value).__module__ == "benchbox.errors"
    assert not list(world.results.rglob("run.json"))


def lead_elsewhere(file):
    file.unlink()
    file.symlink_to("/etc/passwd")


def exchange(file):
    np.savez(file, ids=["a"], values=np.zeros((1, 68, 2)))


def edit(folder, start, line):
    file = folder / "submission.toml"
    lines = [line if old.startswith(start) else old for old in file.read_text().splitlines()]
    file.write_text("\n".join(lines))


def test_a_strangers_words_mean_nothing_in_the_comment(world, tmp_path):
    """Trap: a title with a mention or a link in it, posted by a bot."""
    from benchbox.report.tables import submission_table

    fault = ResultError("title `@everyone` [x](http://example.org)\n# big")
    submission_table.write_markdown([(tmp_path / "tiny" / "m", fault, "")], tmp_path / "c.md")
    (line,) = [x for x in (tmp_path / "c.md").read_text().splitlines() if "everyone" in x]
    assert line == "Not scored: `title '@everyone' [x](http://example.org) # big`"


# --- open schemas ---------------------------------------------------------------------------------


@pytest.fixture
def run(world):
    done = call(
        "run", "--method", "mean-shape", "--protocol", "tiny", "--data", world.data,
        "--results", world.results,
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    return world.results / "tiny" / "mean-shape" / "mean-shape" / "0"


def test_hugging_face_gets_a_list_with_the_score_that_ranks(run):
    done = call(
        "results", "export", run, "--format", "eval-results", "--dataset-id", "org/faces",
        "--source", "https://example.org/run",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    scores = json.loads((run / "scores.json").read_text())["scores"]["unseen"]
    lines = [line.strip() for line in done.stdout.splitlines()]
    assert lines[:3] == ["- dataset:", 'id: "org/faces"', 'task_id: "tiny"']
    (value,) = [line for line in lines if line.startswith("value: ")]
    assert float(value[7:]) == pytest.approx(scores["nme_inter_ocular"]["value"])
    assert 'url: "https://example.org/run"' in lines
    missing = call("results", "export", run, "--format", "eval-results")
    assert missing.exit_code == 2


def test_every_eval_ever_gets_all_its_schema_requires(run):
    words = ["results", "export", run, "--format", "every-eval-ever"]
    done = call(*words, "--organization", "us")
    document = json.loads(done.stdout)
    assert set(document) >= {
        "schema_version", "evaluation_id", "retrieved_timestamp", "source_metadata",
        "model_info", "eval_library", "evaluation_results",
    }  # fmt: skip
    assert document["source_metadata"]["evaluator_relationship"] == "first_party"
    assert document["model_info"]["id"] == "us/mean-shape"
    stored = json.loads((run / "scores.json").read_text())["scores"]["unseen"]
    for entry in document["evaluation_results"]:
        name = entry["evaluation_name"].rpartition("/")[2]
        config, details = entry["metric_config"], entry["score_details"]
        assert details["score"] == pytest.approx(stored[name]["value"])
        assert config["min_score"] <= details["score"] <= config["max_score"]
        assert config["lower_is_better"] == (not name.startswith("auc"))
        assert all(isinstance(v, str) for v in config["additional_details"].values())
        if "low" in stored[name]:
            interval = details["uncertainty"]["confidence_interval"]
            assert interval["lower"] == pytest.approx(stored[name]["low"])
            assert interval["confidence_level"] == 0.95
    assert len(document["evaluation_results"]) == len(stored)
    assert call(*words).exit_code == 2
