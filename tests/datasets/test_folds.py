"""Leave one person out as one run: no one is tested by a model that saw them.

A run that was killed goes on with the next fold.
"""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchbox import report
from benchbox.datasets import split
from benchbox.datasets.gaze import mpiigaze_small
from benchbox.errors import DataError, ProtocolError
from benchbox.protocols import protocol_card as protocols
from benchbox.runs import execute, run_folders, run_plan, score_file
from tests.datasets.gaze.gaze_folders import small_person

CARD = """
name = "tiny-folds"
title = "Three people"
version = 1
task = "gaze3d"
dataset = "mpiigaze-small"
layout = ""
train = {parts = ["eyes"], expected = 18, labelled = 1.0, validation = 0.0}
test = {overall = "total", expected = 18, folds = "cluster", groups = {total = ["eyes"]}}
box = {source = "patch", choices = ["patch"], expansion = 1.0}

[score]
normalisers = []
auc = []
fr = []
points = []
metrics = ["error_deg_person", "error_deg"]
average = "macro"
failed = "infinite"
cluster = "person"
interval = 0.95
resamples = 100
"""
PEOPLE = ("p00", "p01", "p02")
# Answers with the mean of its training labels and a draw of its seed; keeps whom it saw. The third
# training of a session breaks off half-way as long as the file `stop` is there.
MEAN = """
import json
import numpy as np
from pathlib import Path

def train(job):
    seen = sorted({str(one.id).split("/")[0] for one in job.labelled.samples})
    calls = Path("calls")
    earlier = calls.read_text() if calls.exists() else ""
    calls.write_text(earlier + "".join(seen) + " ")
    if Path("stop").exists() and len(calls.read_text().split()) == 3:
        raise KeyboardInterrupt
    (job.out / "seen.json").write_text(json.dumps([one.id for one in job.labelled.samples]))
    header = "stage,step,epoch,loss,samples_per_s,seconds"
    (job.out / "log.csv").write_text(header + "\\na,1,1,0.5,10,1\\n")
    (job.out / "training.json").write_text(json.dumps({"samples": len(job.labelled)}))
    draw = np.random.random() * 1e-3  # of the process's generator: every fold begins alike
    np.save(job.out / "w.npy", job.labelled.values.mean(axis=0) + draw)

def predictor(weights, device):
    return lambda samples: np.stack([np.load(weights / "w.npy")] * len(samples))
"""


@pytest.fixture
def request_for(world):
    (world.site / "tiny_cards" / "tiny-folds.toml").write_text(CARD)
    for person in range(3):
        small_person(world.data / "mpiigaze-small", person)
    folder = world.method("mean", MEAN)
    card = folder / "method.toml"
    card.write_text(card.read_text().replace('["landmarks"]', '["gaze3d"]'))

    def make(**changes: object) -> run_plan.RunRequest:
        standard = run_plan.RunRequest(
            method="mean", protocol="tiny-folds", budget="smoke",
            device="cpu", data=world.data, results=world.results,
            methods=(world.methods,),
        )  # fmt: skip
        return replace(standard, **changes)  # type: ignore[arg-type]

    return make


def test_every_fold_leaves_one_person_out_and_tests_on_that_one(world, request_for):
    protocol, index = protocols.load_protocol("tiny-folds"), mpiigaze_small.index(world.data)
    assert split.fold_names(protocol, index) == PEOPLE
    tested = []
    for person in PEOPLE:
        one = split.split_index(protocol, index, person)
        assert {sample.id[:3] for sample in one.labelled.samples} == set(PEOPLE) - {person}
        assert (
            {sample.id[:3] for sample in one.test} == set(one.truth.clusters.tolist()) == {person}
        )
        tested += [sample.id for sample in one.test]
    assert sorted(tested) == sorted(index.ids.tolist())  # every item once
    assert (
        len({split.split_index(protocol, index, person).data.fingerprint for person in PEOPLE}) == 1
    )
    assert split.split_index(protocol, index, "p00").data.variant == "complete"
    with pytest.raises(DataError, match="there is no fold 'p03'"):
        split.split_index(protocol, index, "p03")


def test_a_run_trains_one_model_per_person_and_scores_each(world, request_for):
    outcome = execute.run_method(request_for())
    place = outcome.run.folder
    index = mpiigaze_small.index(world.data)
    for person in PEOPLE:
        seen = json.loads((place / "work" / f"fold-{person}" / "seen.json").read_text())
        assert {name[:3] for name in seen} == set(PEOPLE) - {person}
    # By hand: every person is answered by (nearly) the mean of the others.
    expected = {}
    for person in PEOPLE:
        mine = index.clusters == person
        mean = index.values[~mine].mean(axis=0)
        cos = index.values[mine] @ mean / np.linalg.norm(mean)
        expected[person] = np.degrees(np.arccos(cos)).mean()
    scores = outcome.scored.document["scores"]
    for person in PEOPLE:
        assert scores[person]["error_deg"]["value"] == pytest.approx(expected[person], abs=0.2)
    mean_of_means = np.mean([scores[person]["error_deg"]["value"] for person in PEOPLE])
    assert scores["total"]["error_deg_person"]["value"] == pytest.approx(mean_of_means, abs=1e-6)
    assert scores["total"]["error_deg_person"]["value"] == pytest.approx(
        np.mean(list(expected.values())), abs=0.2
    )
    assert outcome.scored.document["n"] == 18


def test_the_page_of_a_run_has_a_row_for_each_person(world, request_for, tmp_path):
    scores = execute.run_method(request_for()).scored.document["scores"]
    report.render_site(world.results, tmp_path / "site")
    (page,) = (tmp_path / "site" / "run" / "tiny-folds").rglob("*.html")
    text = page.read_text()
    for person in PEOPLE:
        assert f">{person}<" in text
        assert f"{scores[person]['error_deg']['value']:.2f}" in text


def test_the_record_of_a_run_on_folds_is_one(request_for):
    run = execute.run_method(request_for()).run
    record = json.loads((run.folder / "run.json").read_text())
    assert record["training"] == {"folds": {person: {"samples": 12} for person in PEOPLE}}
    assert record["test_looks"] == 1
    weights = record["digests"]["weights"]
    assert [name for name in weights if name.endswith("w.npy")] == [
        f"fold-{person}/w.npy" for person in PEOPLE
    ]
    assert not [name for name in weights if name.endswith(".npz")]
    log = (run.folder / "log.csv").read_text().splitlines()
    assert log[0] == "stage,step,epoch,loss,samples_per_s,seconds"
    assert [line.split(",")[0] for line in log[1:]] == [f"{person}/a" for person in PEOPLE]
    assert set(record["seconds"]) == {"data", "train", "predict", "score"}


def test_a_kill_goes_on_at_the_fold_where_it_came_and_the_outcome_is_the_same(world, request_for):
    undisturbed = execute.run_method(request_for(results=world.results / "other")).run
    Path("calls").unlink()
    Path("stop").touch()
    with pytest.raises(KeyboardInterrupt):
        execute.run_method(request_for())
    work = world.results / "tiny-folds" / "mean" / "v+budget=smoke" / "0" / "work"
    assert sorted(path.name for path in work.glob("fold-*.npz")) == ["fold-p00.npz", "fold-p01.npz"]
    assert not list(run_folders.list_runs(world.results / "tiny-folds"))
    Path("stop").unlink()
    outcome = execute.run_method(request_for())
    assert Path("calls").read_text().split() == ["p01p02", "p00p02", "p00p01", "p00p01"]
    assert outcome.run.record.sessions == 2
    same = [(run.folder / "predictions.npz").read_bytes() for run in (undisturbed, outcome.run)]
    assert same[0] == same[1]


def test_a_finished_run_on_folds_is_scored_again_from_its_file(world, request_for):
    outcome = execute.run_method(request_for())
    place = outcome.run.folder
    (place / "scores.json").unlink()
    assert (
        execute.run_method(request_for()).scored.document["scores"]
        == outcome.scored.document["scores"]
    )
    again = score_file.score_predictions_file(
        place / "predictions.npz", "tiny-folds", "mean", world.data
    )
    assert again.document["scores"] == outcome.scored.document["scores"]


def test_a_fault_in_the_first_fold_leaves_no_folder(world, request_for):
    code = world.methods / "mean" / "__init__.py"
    code.write_text(MEAN.replace("    seen =", "    raise ValueError('no')\n    seen ="))
    with pytest.raises(ValueError, match="no"):
        execute.run_method(request_for())
    assert not world.results.exists()


def test_folds_ask_for_the_whole_set_and_for_two_people(world, request_for):
    protocol, index = protocols.load_protocol("tiny-folds"), mpiigaze_small.index(world.data)
    with pytest.raises(DataError, match="needs 19 test items, this copy has 18"):
        split.fold_names(replace(protocol, test_expected=19), index)
    alone = replace(index, clusters=np.full(18, "p00"))
    with pytest.raises(DataError, match="needs two folds or more, this copy has one person"):
        split.fold_names(protocol, alone)


def test_a_card_with_folds_trains_on_what_it_tests(world, tmp_path):
    path = world.site / "tiny_cards" / "tiny-folds.toml"
    path.write_text(CARD.replace('parts = ["eyes"]', 'parts = ["faces"]'))
    with pytest.raises(ProtocolError, match="with folds the members of the overall group"):
        protocols.read_card(path)


@pytest.mark.data
def test_the_mean_gaze_on_the_real_eyes(data_root, tmp_path):
    """Fifteen people, each answered by the mean direction of the fourteen others.

    Worked out again with plain NumPy.
    """
    request = run_plan.RunRequest(
        "mean-gaze", "mpiigaze-small", device="cpu", data=data_root, results=tmp_path
    )
    scores = execute.run_method(request).scored.document["scores"]
    index = mpiigaze_small.index(data_root)
    means = []
    for person in np.unique(index.clusters):
        mine = index.clusters == person
        mean = index.values[~mine].mean(axis=0)
        errors = np.degrees(
            np.arccos(np.clip(index.values[mine] @ mean / np.linalg.norm(mean), -1, 1))
        )
        assert scores[str(person)]["error_deg"]["value"] == pytest.approx(errors.mean(), abs=1e-3)
        means.append(errors.mean())
    assert scores["total"]["error_deg_person"]["value"] == pytest.approx(np.mean(means), abs=1e-3)
    assert 9.1 < np.mean(means) < 9.3


def test_fewer_folds_keep_people_whole_and_have_a_name_of_their_own(world, request_for):
    path = world.site / "tiny_cards" / "tiny-folds.toml"
    path.write_text(CARD + "\n[options]\nfolds = [2]\n")
    whole, fewer = (
        protocols.load_protocol("tiny-folds"),
        protocols.load_protocol("tiny-folds+folds=2"),
    )
    assert (fewer.name, fewer.folds) == ("tiny-folds+folds=2", "2")
    assert whole.card != fewer.card
    index = mpiigaze_small.index(world.data)
    folds = split.fold_names(fewer, index)
    assert folds == ("1-of-2", "2-of-2")
    tested = []
    for fold in folds:
        one = split.split_index(fewer, index, fold)
        assert not set(one.labelled.clusters.tolist()) & set(one.truth.clusters.tolist())
        tested += one.truth.ids.tolist()
    assert sorted(tested) == sorted(index.ids.tolist())
    outcome = execute.run_method(request_for(protocol="tiny-folds+folds=2"))
    assert outcome.run.folder.parts[-4] == "tiny-folds+folds=2"
    assert set(PEOPLE) < set(outcome.scored.document["scores"])
    with pytest.raises(
        ProtocolError, match=r"no option '\+folds=7'; allowed: \+folds=cluster, \+folds=2"
    ):
        protocols.load_protocol("tiny-folds+folds=7")
