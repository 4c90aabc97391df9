"""The whole path on a small world: real readers, cards, plugins and files, nothing replaced."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchbox.errors import DataError, PluginError, ProtocolError, ResultError
from benchbox.metrics import per_point
from benchbox.plugins import method_card
from benchbox.runs import array_files, execute, run_data, run_folders, run_plan, score_file
from benchbox.runs.run_record import describe_dead_training

# Answers with the centre of the box at every point: its predictions and errors are known.
CENTRE = """
import numpy as np
def predictor(weights, device):
    def predict(samples):
        boxes = np.stack([s.box for s in samples])
        centre = (boxes[:, :2] + boxes[:, 2:]) / 2
        return np.repeat(centre[:, None], 68, axis=1)
    return predict
"""
# Trains in two stages, writes what it saw, and breaks off after the first stage as long as the file
# `stop` is there.
STAGES = (
    CENTRE
    + """
def train(job):
    import json
    from pathlib import Path
    first = job.out / "stage1.safetensors"
    if not first.exists():
        first.write_bytes(b"1")
        (job.out / "made").write_text("stage1 ")
    if Path("stop").exists():
        raise KeyboardInterrupt
    (job.out / "made").write_text((job.out / "made").read_text() + "stage2 ")
    header = "stage,step,epoch,loss,samples_per_s,seconds"
    (job.out / "log.csv").write_text(header + "\\na,1,1,0.5,10,1\\n")
    (job.out / "training.json").write_text(json.dumps({"samples": 12}))
    seen = [s.id for s in job.labelled.samples] + [s.id for s in job.unlabelled]
    (job.out / "seen.json").write_text(json.dumps(seen))
    (job.out / "w.safetensors").write_bytes(json.dumps(dict(job.params)).encode())
"""
)


@pytest.fixture
def request_for(world):
    def make(method: str, **changes: object) -> run_plan.RunRequest:
        standard = run_plan.RunRequest(
            method=method,
            protocol="tiny",
            budget="smoke",
            device="cpu",
            data=world.data,
            results=world.results,
            methods=(world.methods,) if world.methods.is_dir() else (),
        )
        return replace(standard, **changes)  # type: ignore[arg-type]

    return make


def files(folder: Path) -> list[str]:
    return sorted(
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()
    )


def test_a_run_leaves_its_facts_and_the_score_worked_out_by_hand(world, request_for):
    world.method("stages", STAGES, "[params]\nrate = 0.5\n[budgets.smoke]\nrate = 0.1\n")
    outcome = execute.run_method(request_for("stages"))
    place = world.results / "tiny" / "stages" / "v+budget=smoke" / "0"
    assert outcome.run.folder == place
    kept = [name for name in files(place) if not name.startswith("work/")]
    assert kept == ["errors.npz", "log.csv", "predictions.npz", "run.json", "scores.json"]

    points = world.truth
    centre = (points.min(axis=1) + points.max(axis=1)) / 2
    distance = np.linalg.norm(points - centre[:, None], axis=2).mean(axis=1)
    expected = 100 * np.mean(distance / np.linalg.norm(points[:, 36] - points[:, 45], axis=1))
    scores = json.loads((place / "scores.json").read_text())["scores"]["unseen"]
    assert scores["nme_inter_ocular"]["value"] == pytest.approx(expected, rel=1e-6)

    record = json.loads((place / "run.json").read_text())
    assert record["kind"] == "trained"
    assert record["params"] == {"rate": 0.1}
    assert record["training"] == {"samples": 12}
    assert record["test_looks"] == record["sessions"] == 1
    assert set(record["seconds"]) == {"data", "train", "predict", "score"}
    assert list(record["digests"]["weights"]) == ["stage1.safetensors", "w.safetensors"]
    assert record["digests"]["predictions.npz"] == array_files.hash_content(
        place / "predictions.npz"
    )
    assert (record["data"]["train"], record["data"]["test"]) == (12, 6)
    assert (
        record["command"] == "benchbox run --method stages --protocol tiny --seed 0 --budget smoke"
    )


def test_no_test_item_and_no_path_of_this_machine_gets_out(world, request_for, tmp_path):
    world.method("stages", STAGES)
    place = execute.run_method(request_for("stages")).run.folder
    seen = json.loads((place / "work" / "seen.json").read_text())
    assert len(seen) == 12
    assert not [name for name in seen if name in world.tested]
    for name in ("run.json", "scores.json"):
        assert str(tmp_path) not in (place / name).read_text()


def test_scoring_again_from_the_predictions_alone_is_bit_equal(world, request_for):
    world.method("centre", CENTRE)
    place = execute.run_method(request_for("centre")).run.folder
    before = {
        name: (place / name).read_bytes() for name in ("scores.json", "errors.npz", "run.json")
    }
    (place / "scores.json").unlink()
    (place / "errors.npz").unlink()
    for picture in (world.data / "ytf68" / "training").iterdir():
        picture.unlink()
    outcome = execute.run_method(request_for("centre"))
    assert {name: (place / name).read_bytes() for name in before} == before
    stored = json.loads(before["scores.json"])
    sealed = {"digests", "seal"}  # put on as it is written
    assert outcome.scored.document == {k: v for k, v in stored.items() if k not in sealed}
    file = place / "predictions.npz"
    again = score_file.score_predictions_file(file, "tiny", "centre", world.data)
    assert again.document["scores"] == outcome.scored.document["scores"]
    assert (again.document["kind"], again.document["variant"]) == ("weights", "v+budget=smoke")


def test_statistics_of_points_are_derived_with_the_scores_and_once_more_where_they_are_gone(
    world, request_for, monkeypatch
):
    world.method("centre", CENTRE)
    place = execute.run_method(request_for("centre")).run.folder
    assert not (place / "points.npz").exists(), "six faces are too few"
    monkeypatch.setattr(per_point, "MIN_FACES", 6)
    again = execute.run_method(request_for("centre"))
    table = run_folders.read_points(again.run)
    errors = run_folders.read_errors(again.run)
    assert len(table) == 68 * len(set(table["group"]))
    for group in set(table["group"]):
        mean = errors["nme_inter_ocular"][errors[f"in_{group}"]].mean()
        assert table["error"][table["group"] == group].mean() == pytest.approx(mean, rel=1e-6)
    before = (place / "points.npz").read_bytes()
    (place / "scores.json").unlink()
    execute.run_method(request_for("centre"))
    assert (place / "points.npz").read_bytes() == before
    (place / "points.npz").unlink()
    notes = execute.run_method(request_for("centre", data=world.data / "nowhere")).notes
    assert "they need the annotations, which are not here" in notes[-1]
    assert not (place / "points.npz").exists()


NETWORKS = (
    CENTRE
    + """
def networks(params, layout):
    import torch
    line = torch.nn.Linear(params["width"], 2 * layout.count)
    return {"line": (line, (torch.zeros(1, params["width"]),))}
"""
)


def test_a_run_records_the_size_of_its_own_networks_not_of_the_papers(world, request_for):
    world.method("sized", NETWORKS, "[params]\nwidth = 10\n[budgets.smoke]\nwidth = 3\n")
    record = execute.run_method(request_for("sized")).run.record
    assert record.profile == {
        **{"params": 4 * 136, "params_bn_folded": 4 * 136},
        **{"macs": 3 * 136, "macs_plus_bias": 4 * 136},
    }


def test_a_method_without_training_is_a_row_of_weights(world, request_for):
    world.method("centre", CENTRE)
    assert execute.run_method(request_for("centre")).run.record.kind == "weights"


def test_a_finished_run_is_returned_and_fresh_redoes_it(world, request_for):
    folder = world.method("stages", STAGES)
    place = execute.run_method(request_for("stages")).run.folder
    written = (place / "run.json").stat().st_mtime_ns
    again = execute.run_method(request_for("stages"))
    assert (place / "run.json").stat().st_mtime_ns == written
    assert "not run again, --fresh redoes it" in again.notes[0]
    assert again.scored.scores.groups["unseen"]["nme_inter_ocular"].value is not None
    (folder / "__init__.py").write_text(STAGES + "# edited\n")
    redone = execute.run_method(request_for("stages", fresh=True))
    assert redone.notes == ()
    assert redone.run.record.test_looks == 2


def test_a_finished_run_of_another_card_is_not_passed_off_as_this_one(world, request_for):
    folder = world.method("stages", STAGES, "[params]\nrate = 0.5\n")
    execute.run_method(request_for("stages"))
    card = folder / "method.toml"
    card.write_text(card.read_text().replace("0.5", "0.7"))
    with pytest.raises(
        ResultError, match=r"other params \(rate = 0.5, now 0.7\); --fresh redoes it"
    ):
        execute.run_method(request_for("stages"))


def test_an_interrupted_run_goes_on_where_its_recipe_stopped(world, request_for):
    world.method("stages", STAGES)
    Path("stop").touch()
    with pytest.raises(KeyboardInterrupt):
        execute.run_method(request_for("stages"))
    work = world.results / "tiny" / "stages" / "v+budget=smoke" / "0" / "work"
    assert (work / "made").read_text() == "stage1 "
    assert not list(run_folders.list_runs(world.results))
    (world.methods / "stages" / "__init__.py").write_text(STAGES + "# edited\n")
    with pytest.raises(ResultError, match="interrupted job with other method; --fresh"):
        execute.run_method(request_for("stages"))
    (world.methods / "stages" / "__init__.py").write_text(STAGES)
    Path("stop").unlink()
    outcome = execute.run_method(request_for("stages"))
    assert (work / "made").read_text() == "stage1 stage2 "
    assert outcome.run.record.sessions == 2


def test_overrides_get_a_folder_of_their_own_unless_they_change_nothing(world, request_for):
    world.method("stages", STAGES, "[params]\nrate = 0.5\n")
    assert (
        run_plan.plan_run(request_for("stages", overrides={"rate": "0.50"})).place.parent.name
        == "v+budget=smoke"
    )
    changed = execute.run_method(request_for("stages", overrides={"rate": "0.7"})).run
    assert changed.variant == "v+budget=smoke+rate=0.7"
    assert changed.record.overrides == {"rate": 0.7}
    assert changed.record.command.endswith("--set rate=0.7")


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ("[[0.0, 0.0]]", r"must return a NumPy array of floats \(6, 68, 2\), not list"),
        ("np.zeros((1, 68, 2))", r"floats \(6, 68, 2\), not \(1, 68, 2\)"),
        ("np.zeros((len(samples), 68, 2), int)", r"floats \(6, 68, 2\), not int64"),
        (
            "np.full((len(samples), 68, 2), np.inf)",
            r"6 rows are infinite or partly NaN, the first for Abdullah_Gul_00",
        ),
        (
            "np.where(np.arange(68)[:, None] == 3, np.nan, np.zeros((len(samples), 68, 2)))",
            r"6 rows are infinite or partly",
        ),
    ],
)
def test_an_answer_that_breaks_the_contract_blames_the_method(world, request_for, answer, message):
    code = "import numpy as np\n"
    code += f"def predictor(weights, device):\n    return lambda samples: {answer}\n"
    world.method("odd", code)
    with pytest.raises(PluginError, match=r"method 'odd': .*" + message):
        execute.run_method(request_for("odd"))
    assert not list(run_folders.list_runs(world.results))


def test_a_row_of_nan_is_a_failed_face_and_counts_as_one(world, request_for):
    world.method("shy", CENTRE.replace("return np.repeat", "centre[0] = np.nan; return np.repeat"))
    document = execute.run_method(request_for("shy")).scored.document
    assert (document["n"], document["failed"]) == (6, 1)


def test_what_is_unknown_or_missing_is_told_before_anything_is_written(
    world, request_for, tmp_path
):
    world.method("centre", CENTRE)
    with pytest.raises(ProtocolError, match="no protocol is called 'tinny'"):
        execute.run_method(request_for("centre", protocol="tinny"))
    with pytest.raises(PluginError, match="unknown method 'center'"):
        execute.run_method(request_for("center"))
    missing = (
        r"YouTube Faces .* missing: there is no data root .*nowhere: say .*; "
        r"get it at https.* \(.*\), "
        r".*the protocol synth-300w-common runs now"
    )
    with pytest.raises(DataError, match=missing):
        execute.run_method(request_for("centre", data=tmp_path / "nowhere"))
    with pytest.raises(ResultError, match="no folder that can be written to"):
        execute.run_method(
            request_for("centre", results=world.data / "ytf68" / "training_frames_keypoints.csv")
        )
    assert not world.results.exists()


def test_a_picture_that_is_none_stops_the_run_and_leaves_nothing(world, request_for):
    world.method(
        "looks",
        CENTRE + "def train(job):\n    [sample.pixels() for sample in job.labelled.samples]\n",
    )
    broken = world.data / "ytf68" / "training" / "Anna_Train_01.jpg"
    broken.write_bytes(b"words")
    with pytest.raises(DataError, match=r"Anna_Train_01\.jpg"):
        execute.run_method(request_for("looks"))
    assert not world.results.exists()


def test_a_method_of_another_task_is_refused(world, request_for):
    folder = world.method("gaze", CENTRE)
    card = folder / "method.toml"
    card.write_text(card.read_text().replace('task = ["landmarks"]', 'task = ["gaze3d"]'))
    with pytest.raises(PluginError, match="'gaze' does gaze3d; tiny is landmarks"):
        execute.run_method(request_for("gaze"))


def test_the_command_is_quoted_for_a_shell():
    """The trap: `--set weights=a b; rm -rf ~` in a record that somebody pastes."""
    request = run_plan.RunRequest(
        "m", "own.toml+box=$(id)", overrides={"weights": "a b; rm x"}, accept=("turned labels",)
    )
    line = run_plan.repeat_command(request)
    assert line == (
        "benchbox run --method m --protocol 'own.toml+box=$(id)' --seed 0 --budget quick "
        "--set 'weights=a b; rm x' --accept 'turned labels'"
    )


def test_the_command_names_no_folder_of_this_machine():
    request = run_plan.RunRequest(
        "m",
        "p",
        variant="v",
        seed=3,
        overrides={"b": "2", "a": "1"},
        data=Path("/secret"),
        results=Path("/secret"),
    )
    line = (
        "benchbox run --method m --variant v --protocol p --seed 3 --budget quick "
        "--set a=1 --set b=2"
    )
    assert run_plan.repeat_command(request) == line
    assert method_card.BUDGETS[1] == request.budget


ADOPTS = (
    CENTRE
    + """
def train(job):
    (job.out / "w.safetensors").write_bytes(job.weights.read_bytes() if job.weights else b"trained")
    return "weights" if job.weights else None
"""
)


def test_published_weights_are_named_under_the_data_root_and_make_a_row_of_their_own_kind(
    world, request_for
):
    """A record says which weights, never where on this machine.

    Without them the same method trains.
    """
    world.method("adopts", ADOPTS, '[params]\nweights = "theirs/net.pth"\n')
    with pytest.raises(
        DataError, match=r"theirs/net.pth: no such weights; .* --set weights=scratch"
    ):
        execute.run_method(request_for("adopts"))
    (world.data / "theirs").mkdir()
    (world.data / "theirs" / "net.pth").write_bytes(b"published")
    run = execute.run_method(request_for("adopts")).run
    assert (run.record.kind, run.record.params) == ("weights", {"weights": "theirs/net.pth"})
    assert (run_folders.work_folder(run.folder) / "w.safetensors").read_bytes() == b"published"
    trained = execute.run_method(request_for("adopts", overrides={"weights": "scratch"})).run
    assert trained.record.kind == "trained"


@pytest.mark.parametrize("name", ["/etc/passwd", "../elsewhere.pth", "a/../../b.pth"])
def test_weights_lie_under_the_data_root(tmp_path, name):
    with pytest.raises(DataError, match="must be a path under the data root"):
        run_data.pretrained_weights({"weights": name}, tmp_path)


# --- a training that two variants share -----------------------------------------------------------

SHARED = (
    CENTRE
    + """
def train(job):
    stage = job.out / "stage1.safetensors"
    if not stage.exists():
        stage.write_bytes(f"{job.params['rate']} {job.seed}".encode())
        header = "stage,step,epoch,loss,samples_per_s,seconds"
        (job.out / "log.csv").write_text(header + "\\nstage1,1,1,0.5,10,1\\n")
        (job.out / "training.json").write_text('{"samples": 12}')
    (job.out / "w.safetensors").write_bytes(stage.read_bytes() + str(job.params["asked"]).encode())
"""
)
SHARED_CARD = """
[params]
rate = 0.5
asked = 4
[variants.twice]
title = "Asked twice"
params = { asked = 2 }
shares = { variant = "v", files = "stage*.safetensors", apart = ["asked"] }
"""


def test_a_variant_takes_over_the_training_it_shares_and_says_so(world, request_for):
    """The same code, data, seed, budget and parameters but one that does not enter the training."""
    world.method("shared", SHARED, SHARED_CARD)
    first = execute.run_method(request_for("shared")).run
    said: list[str] = []
    second = execute.run_method(request_for("shared", variant="twice"), said.append).run
    assert "taken over from variant v, which trains the same: stage1.safetensors" in said
    origin = second.record.training["taken_over"]
    stage = first.record.digests.weights["stage1.safetensors"]
    assert (origin["variant"], origin["files"]) == ("v", {"stage1.safetensors": stage})
    assert second.record.training["samples"] == 12
    assert run_folders.read_log(second) == run_folders.read_log(first) != ""
    weights = [run.record.digests.weights["w.safetensors"] for run in (first, second)]
    assert weights[0] != weights[1]  # the rest of the training is its own


@pytest.mark.parametrize(
    ("changes", "moved"),
    [
        ({"seed": 1}, False),
        ({"overrides": {"asked": "3"}}, False),
        ({"budget": "quick"}, False),
        ({}, True),
    ],
)
def test_a_training_that_differs_is_not_taken_over(world, request_for, changes, moved):
    """The trap: weights of another seed, budget, parameter or code under this variant's name."""
    folder = world.method("shared", SHARED, SHARED_CARD)
    execute.run_method(request_for("shared"))
    if moved:  # the code of the method changed since
        (folder / "__init__.py").write_text(SHARED + "VERSION = 2\n")
    said: list[str] = []
    record = execute.run_method(
        request_for("shared", variant="twice", **changes), said.append
    ).run.record
    assert "taken_over" not in record.training
    assert not any("taken over" in line for line in said)


def test_without_the_other_work_folder_a_variant_trains_by_itself(world, request_for):
    world.method("shared", SHARED, SHARED_CARD)
    run_folders.work_folder(execute.run_method(request_for("shared")).run.folder).rename(
        world.results / "away"
    )
    assert (
        "taken_over"
        not in execute.run_method(request_for("shared", variant="twice")).run.record.training
    )


def test_iterations_of_sir_share_their_weights_and_a_shorter_cascade_is_the_start_of_a_longer_one(
    world,
):
    """As methods/sir/README.md says: it is what the variant would have trained, to the byte."""

    def stages(results, variant):
        request = run_plan.RunRequest(
            "sir", "tiny", variant=variant, budget="smoke", data=world.data, results=results
        )
        record = execute.run_method(replace(request, device="cpu")).run.record
        digests = {**record.digests.weights, "": record.digests.predictions}
        return "taken_over" in record.training, digests

    for first, then in (("sir", "iters-2"), ("cr", "cr-iters-2"), ("cr", "cr-iters-5")):
        together = world.results / "together"
        stages(together, first)
        taken, shared = stages(together, then)
        alone, own = stages(world.results / "alone", then)
        assert (taken, alone) == (True, False)
        assert shared == own


DEAD = """
import json
import numpy as np

def train(job):
    stages = {"global": {"dead_units": 0.01, "dead_layers": 0.0},
              "local": {"dead_units": 0.98, "dead_layers": 0.875}}
    (job.out / "training.json").write_text(json.dumps({"stages": stages}))
    (job.out / "w.safetensors").write_bytes(b"1")

def predictor(weights, device):
    offsets = np.arange(136).reshape(68, 2) / 8
    return lambda samples: np.stack([s.box[:2] + offsets for s in samples]).astype(np.float32)
"""


def test_a_training_that_ended_dead_is_told(world, request_for):
    """The trap: a network whose units all died leaves a number like any other."""
    world.method("dead", DEAD)
    said: list[str] = []
    run = execute.run_method(request_for("dead"), said.append).run
    (warning,) = [line for line in said if "dead" in line and line.startswith("warning")]
    assert warning == (
        "warning: training ended dead: stage local, 88 % of its layers and 98 % of its units got "
        "no gradient"
    )
    assert run.record.training["stages"]["local"]["dead_units"] == 0.98


@pytest.mark.parametrize(
    "training",
    [
        {},
        {"stages": {"net": {"dead_units": 0.5, "dead_layers": 0.0}}},
        {"stages": {"net": {"dead_units": "all", "dead_layers": True}}},
        {"stages": ["net"]},
        {"stages": {"net": 1.0}},
        {"folds": {"p00": 3}},
    ],
)
def test_what_is_not_dead_or_not_told_is_no_warning(training):
    assert describe_dead_training(training) == ""


def test_a_fold_that_ended_dead_is_named():
    notes = {"stages": {"net": {"dead_units": 1.0, "dead_layers": 1.0}}}
    assert describe_dead_training({"folds": {"p00": {"stages": {}}, "p03": notes}}) == (
        "training ended dead: stage p03/net, 100 % of its layers and 100 % of its units got no "
        "gradient"
    )
