"""Train once, test on many cards: whose training it is, and what is refused."""

import json
import re
import shutil
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner

from benchbox.analysis import comparable
from benchbox.cli import main
from benchbox.errors import DataError, ProtocolError, ResultError
from benchbox.protocols import protocol_card
from benchbox.report.inputs import results as report_results
from benchbox.report.tables import rows
from benchbox.runs import execute, other_training, result_changes, run_folders, run_plan, sweep

# Learns a shift and says where it looked: the points are the box's corner plus what was learned.
SHIFT = """
import numpy as np
from safetensors.numpy import load_file, save_file
def train(job):
    (job.out.parent / "trained").write_text("yes")
    corner = np.stack([s.box[:2] for s in job.labelled.samples])[:, None]
    shift = (job.labelled.values - corner).mean(axis=0) + job.seed
    save_file({"shift": shift}, job.out / "w.safetensors")
def predictor(weights, device):
    shift = load_file(weights / "w.safetensors")["shift"]
    return lambda samples: np.stack([s.box[:2] + shift for s in samples])
"""
TRAINED = "tiny/shift/v+budget=smoke/3"
TESTED = "v+budget=smoke+weights_of=tiny"


@pytest.fixture
def cards(world):
    """Cards beside `tiny`: wider boxes, a test on what was trained on, other points, folds."""
    folder = world.site / "tiny_cards"
    tiny = (folder / "tiny.toml").read_text()

    def write(name: str, *changes: tuple[str, str]) -> None:
        text = tiny.replace('name = "tiny"', f'name = "{name}"')
        for before, after in changes:
            assert before in text
            text = text.replace(before, after)
        (folder / f"{name}.toml").write_text(text)

    write("wide", ("expansion = 1.0", "expansion = 1.5"))
    write(
        "backwards",
        ("expected = 12", "expected = 6"),
        ('parts = ["train"]', 'parts = ["test"]'),
        ("expected = 6, groups", "expected = 12, groups"),
        ('unseen = ["test"]', 'unseen = ["train"]'),
    )
    write("shaken", ("[score]", "[options]\ntranslation = [0.1]\n\n[score]"))
    write("half", ("labelled = 1.0", "labelled = 0.5"))
    world.method("shift", SHIFT)
    return world


@pytest.fixture
def request_for(cards):
    def make(protocol: str, **changes: object) -> run_plan.RunRequest:
        standard = run_plan.RunRequest(
            method="shift",
            protocol=protocol,
            seed=3,
            budget="smoke",
            device="cpu",
            data=cards.data,
            results=cards.results,
            methods=(cards.methods,),
        )
        return replace(standard, **changes)  # type: ignore[arg-type]

    return make


@pytest.fixture
def trained(request_for):
    return execute.run_method(request_for("tiny")).run


def test_a_training_is_tested_on_other_boxes_and_the_record_says_whose_it_is(
    cards, request_for, trained
):
    (trained.folder / "trained").unlink()
    request = request_for("wide", weights_of=trained.folder, seed=0, budget="quick")
    outcome = execute.run_method(request)
    run, record = outcome.run, outcome.run.record
    assert run.folder == cards.results / "wide" / "shift" / TESTED / "3"
    assert not (run.folder / "trained").exists()  # nothing was trained again
    assert "train" not in record.seconds  # training costs are the other's
    assert (record.seed, record.budget, record.kind) == (3, "smoke", "trained")
    assert record.command == f"benchbox run --method shift --weights-of {TRAINED} --protocol wide"
    origin = record.trained_by
    assert origin is not None
    assert (origin.run, origin.protocol, origin.differs) == (TRAINED, "tiny", "boxes")
    assert origin.card == trained.record.card
    assert origin.data == trained.record.data
    assert origin.seconds == trained.record.seconds["train"]
    assert origin.weights == record.digests.weights == trained.record.digests.weights
    assert (record.data.train, record.data.test) == (12, 6)
    assert record.data.truth == trained.record.data.truth
    # boxes half as large again begin a quarter of their side further out
    first, again = (np.load(one.folder / "predictions.npz")["values"] for one in (trained, run))
    truth = cards.truth
    side = truth.max(axis=1) - truth.min(axis=1)
    np.testing.assert_allclose(first - again, np.repeat(side[:, None] / 4, 68, axis=1), atol=1e-3)


def test_it_is_the_number_that_a_training_under_that_card_gives(request_for):
    """Perturbed boxes come in the test alone, so Table 4 needs no training of its own."""
    trained = execute.run_method(request_for("shaken")).run
    moved = "shaken+translation=0.1"
    tested = execute.run_method(request_for(moved, weights_of=trained.folder))
    own = execute.run_method(request_for(moved))
    assert tested.run.record.trained_by is not None
    assert tested.run.record.trained_by.differs == ""
    values = [np.load(one.run.folder / "predictions.npz")["values"] for one in (tested, own)]
    np.testing.assert_array_equal(*values)
    assert tested.scored.document["scores"] == own.scored.document["scores"]
    still = np.load(trained.folder / "predictions.npz")["values"]
    assert np.abs(values[0] - still).max() > 1
    # asked for once more, it is there
    again = execute.run_method(request_for(moved, weights_of=trained.folder))
    assert "finished before" in again.notes[0]


@pytest.mark.parametrize("twin", ["", "synth-"])
def test_what_stares_are_answered_by_was_trained_on_gazecn(twin):
    """The trap: GazeStare calls GazeCN's part `gazecn/train`, and its rows there were set apart."""
    stares, frames, others = (
        protocol_card.load_protocol(f"{twin}{name}")
        for name in ("gazestare", "gazecn", "gazecapture")
    )
    assert other_training.compare_training(stares, frames) == ""
    assert other_training.compare_training(frames, stares) == ""
    assert other_training.compare_training(stares, others) == "set"


def test_test_items_never_reach_training(request_for, trained):
    with pytest.raises(DataError, match=r"was trained on 12 of the 12 test items of backwards"):
        execute.run_method(request_for("backwards", weights_of=trained.folder))


def test_a_training_whose_data_are_not_here_is_refused(cards, request_for, trained):
    """Nobody can tell what it saw: labels that were corrected since, a set that is gone."""
    table = cards.data / "ytf68" / "training_frames_keypoints.csv"
    lines = table.read_text().splitlines()
    name, x, *more = lines[1].split(",")
    lines[1] = ",".join([name, str(int(x) + 1), *more])
    table.write_text("\n".join(lines) + "\n")
    with pytest.raises(DataError, match="nobody can tell whether it was trained on test items"):
        execute.run_method(request_for("wide", weights_of=trained.folder))


def test_weights_that_are_gone_or_changed_are_refused(request_for, trained):
    weights = trained.folder / "work" / "w.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    request = request_for("wide", weights_of=trained.folder)
    with pytest.raises(ResultError, match=r"work/w\.safetensors is not what its record"):
        execute.run_method(request)
    weights.unlink()
    with pytest.raises(ResultError, match=r"its weights are not here \(work/w\.safetensors\)"):
        execute.run_method(request)
    assert not (request.results / "wide").exists()


def test_what_is_no_training_for_this_card_is_refused(cards, request_for, trained):
    def refuse(reason: str, kind: type[Exception] = ResultError, **changes: object) -> None:
        words = {"protocol": "wide", "weights_of": trained.folder, **changes}
        with pytest.raises(kind, match=reason):
            execute.run_method(request_for(**words))  # type: ignore[arg-type]

    refuse("is this method's run on tiny already", protocol="tiny")
    refuse("no finished run here", weights_of=cards.results / "tiny" / "nobody")
    refuse("holds the seeds 3; name one", weights_of=trained.folder.parent)
    refuse("its points are ibug68, the other's are wflw98", ProtocolError, protocol="synth-wflw")
    cards.method("other", SHIFT)
    refuse("is a run of shift, not of other", method="other")
    tested = execute.run_method(request_for("wide", weights_of=trained.folder)).run
    refuse(
        re.escape(f"has the weights of {TRAINED} itself"), protocol="half", weights_of=tested.folder
    )
    code = cards.methods / "shift" / "__init__.py"
    code.write_text(code.read_text().replace("s.box[:2] + shift", "s.box[2:] + shift"))
    refuse("another version of the method's code", protocol="half")


def test_other_weights_of_the_same_place_are_another_run(request_for, trained):
    """The trap: trained again with other data, tested before: the old number would stay."""
    execute.run_method(request_for("wide", weights_of=trained.folder))
    record = json.loads((trained.folder / "run.json").read_text())
    weights = trained.folder / "work" / "w.safetensors"
    from safetensors.numpy import save_file

    save_file({"shift": np.zeros((68, 2))}, weights)
    record["digests"]["weights"]["w.safetensors"] = run_folders.hash_file(weights)
    (trained.folder / "run.json").write_text(json.dumps(record))
    run_folders.seal_again(trained.folder)
    with pytest.raises(ResultError, match="made with other weights than tiny/shift"):
        execute.run_method(request_for("wide", weights_of=trained.folder))


def test_options_that_contradict_the_training_are_refused_at_the_command_line(cards, trained):
    words = ["run", "--method", "shift", "--methods", str(cards.methods), "--protocol", "wide"]
    words += ["--data", str(cards.data), "--results", str(cards.results), "--device", "cpu"]
    words += ["--weights-of", TRAINED]
    for option, value in (("--seed", "4"), ("--budget", "paper"), ("--set", "a=b")):
        refused = CliRunner().invoke(main, [*words, option, value])
        assert refused.exit_code == 2
        assert f"{option}: " in refused.stderr
        assert "leave it out" in refused.stderr
    done = CliRunner().invoke(main, [*words, "--seed", "3", "--budget", "smoke"])
    assert done.exit_code == 0, done.stderr
    listed = CliRunner().invoke(
        main, ["list", "results", "--results", str(cards.results), "--json"]
    )
    found = {row["protocol"]: row["weights_of"] for row in json.loads(listed.stdout)}
    assert found == {"tiny": "", "wide": TRAINED}


# --- what is made of such runs --------------------------------------------------------------------


def board(results):
    """Why each run is not comparable, by protocol and variant's folder."""
    found, problems = report_results.read_results(results)
    assert not problems
    return {(one.run.protocol, one.run.variant): one.other_data for one in found}


def test_a_row_stands_apart_only_where_the_training_set_is_another_one(cards, request_for, trained):
    execute.run_method(request_for("wide"))
    execute.run_method(request_for("wide", weights_of=trained.folder))
    execute.run_method(request_for("half"))
    execute.run_method(request_for("half", weights_of=trained.folder))
    reasons = board(cards.results)
    assert reasons["wide", TESTED] == ""
    assert reasons["half", "v+budget=smoke"] == ""
    assert reasons["half", TESTED] == "trained under tiny, on another training set"
    details = {}
    for one in report_results.read_results(cards.results)[0]:
        details[one.run.protocol, one.run.variant] = rows.row_details((one,))
    assert "weights of tiny" in details["wide", TESTED]
    assert "weights of tiny" not in details["wide", "v+budget=smoke"]


def test_papers_are_held_against_the_own_training_first(cards, request_for, trained):
    tested = execute.run_method(request_for("wide", weights_of=trained.folder)).run
    assert comparable.runs_by_system([tested]) == {("wide", "shift/v"): [tested]}
    own = execute.run_method(request_for("wide")).run
    assert comparable.runs_by_system([tested, own]) == {("wide", "shift/v"): [own]}
    other = execute.run_method(request_for("half", weights_of=trained.folder)).run
    alike, apart = comparable.part_by_data([tested, own, other])
    assert alike == [tested, own]
    assert apart == [(other, "trained under tiny, on another training set")]


def test_a_copy_under_another_name_is_no_run(cards, request_for, trained):
    tested = execute.run_method(request_for("wide", weights_of=trained.folder)).run
    shutil.copytree(tested.folder.parent, tested.folder.parents[1] / "v+budget=smoke")
    with pytest.raises(ResultError, match="a copy or a change of it is no run"):
        run_folders.read_run(tested.folder.parents[1] / "v+budget=smoke" / "3")


def test_renaming_the_method_renames_whose_training_it_is(cards, request_for, trained):
    execute.run_method(request_for("wide", weights_of=trained.folder))
    result_changes.rename_method(cards.results, "shift", "moved")
    folder = cards.results / "wide" / "moved" / TESTED / "3"
    record = run_folders.read_run(folder).record
    assert record.trained_by is not None
    assert record.trained_by.run == "tiny/moved/v+budget=smoke/3"
    assert run_folders.is_finished(cards.results / record.trained_by.run)
    assert board(cards.results)["wide", TESTED] == ""


def test_a_test_is_out_of_date_where_the_card_of_its_training_has_changed(
    cards, request_for, trained
):
    execute.run_method(request_for("wide", weights_of=trained.folder))
    assert result_changes.find_stale_runs(cards.results) == []
    card = cards.site / "tiny_cards" / "tiny.toml"
    card.write_text(card.read_text().replace("version = 1", "version = 2"))
    stale = {one.run.protocol: one.reason for one in result_changes.find_stale_runs(cards.results)}
    assert "weights trained under another card of tiny" in stale["wide"]
    with pytest.raises(ResultError, match="the card of tiny has changed since this training"):
        execute.run_method(request_for("half", weights_of=trained.folder))


# --- sweep ----------------------------------------------------------------------------------------


def test_a_sweep_trains_first_and_tests_what_is_trained(cards, request_for):
    trainings = [request_for("tiny", variant="v", seed=seed) for seed in (1, 2)]
    tests = sweep.test_requests(trainings, ["wide", "half"], run_plan.say_nothing)
    places = [run_plan.plan_run(one).place for one in trainings]
    assert [(one.protocol, one.weights_of) for one in tests] == [
        ("wide", places[0]),
        ("wide", places[1]),
        ("half", places[0]),
        ("half", places[1]),
    ]
    words = sweep.run_command(tests[0])
    assert words[words.index("--weights-of") + 1] == str(places[0])
    execute.run_method(trainings[0])
    ended = [(trainings[0], sweep.DONE), (trainings[1], "failed, exit code 1")]
    ready, waiting = sweep.part_tests(tests, ended)
    assert [one.weights_of for one in ready] == [places[0]] * 2
    assert [one.weights_of for one in waiting] == [places[1]] * 2
    execute.run_method(ready[0])
    assert sweep.judge_outcome(ready[0], 0) == sweep.DONE
    assert sweep.outcome_row(ready[0], sweep.DONE)["weights_of"] == "tiny/shift/v+budget=smoke/1"


def test_a_sweep_says_what_cannot_be_tested_where(request_for):
    training = request_for("tiny", variant="v")
    with pytest.raises(ProtocolError, match=r"--test-on synth-wflw: fits no training here"):
        sweep.test_requests([training], ["synth-wflw"], run_plan.say_nothing)
    with pytest.raises(ProtocolError, match=r"--test-on tiny: .* is what tiny trains itself"):
        sweep.test_requests([training], ["tiny"], run_plan.say_nothing)


def test_related_sets_are_held_against_each_other_by_person():
    """The same people have other ids in another preparation."""
    assert other_training._are_related({"mpiigaze-small"}, "mpiifacegaze")
    assert not other_training._are_related({"mpiigaze-small"}, "mpiigaze-small")  # by id
    assert not other_training._are_related({"300w"}, "300w-private")
