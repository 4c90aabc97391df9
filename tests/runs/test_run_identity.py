"""A number is returned for the data, the code and the card that it was made with, and no others."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from benchbox.errors import ResultError
from benchbox.runs import execute, run_data, run_folders, run_identity, run_outcome, run_plan
from benchbox.runs.run_identity import OtherRunError
from benchbox.runs.run_record import DataFacts

CENTRE = """
import numpy as np
def train(job):
    (job.out / "w.safetensors").write_bytes(b"1")
def predictor(weights, device):
    def predict(samples):
        boxes = np.stack([s.box for s in samples])
        return np.repeat((boxes[:, None, :2] + boxes[:, None, 2:]) / 2, 68, axis=1)
    return predict
"""


@pytest.fixture
def request_centre(world):
    world.method("centre", CENTRE)
    return run_plan.RunRequest(
        "centre",
        "tiny",
        device="cpu",
        budget="smoke",
        data=world.data,
        results=world.results,
        methods=(world.methods,),
    )


def correct_labels(world, *, test: bool) -> None:
    """Move one point of one face, of the test set or of those that are trained on."""
    table = world.data / "ytf68" / "training_frames_keypoints.csv"
    lines = table.read_text().splitlines()
    for number, line in enumerate(lines[1:], start=1):
        if ("Train" in line) != test:
            name, x, *others = line.split(",")
            lines[number] = ",".join([name, str(float(x) + 3), *others])
            break
    table.write_text("\n".join(lines) + "\n")


def nme(outcome: run_outcome.RunOutcome) -> float | None:
    return outcome.scored.scores.groups["unseen"]["nme_inter_ocular"].value


def test_corrected_test_labels_do_not_get_the_number_of_the_first_ones(world, request_centre):
    """Trap: the fingerprint is in the record and nobody compares it."""
    first = nme(execute.run_method(request_centre))
    correct_labels(world, test=True)
    with pytest.raises(OtherRunError, match=r"other test annotations .*; --fresh redoes it"):
        execute.run_method(request_centre)
    again = execute.run_method(replace(request_centre, fresh=True))
    assert nme(again) != first
    assert execute.run_method(request_centre).notes[0].startswith("finished before")


def test_corrected_training_labels_alone_are_other_data(world, request_centre):
    execute.run_method(request_centre)
    correct_labels(world, test=False)
    with pytest.raises(OtherRunError, match="other training data or boxes"):
        execute.run_method(request_centre)


def test_stale_makes_again_only_what_does_not_fit(world, request_centre):
    stale = replace(request_centre, stale=True)
    execute.run_method(stale)
    assert execute.run_method(stale).run.record.test_looks == 1
    correct_labels(world, test=True)
    said: list[str] = []
    assert execute.run_method(stale, said.append).run.record.test_looks == 2
    assert said[0].startswith("made again: ")


def test_without_the_data_it_is_said_that_nobody_compared_them(world, request_centre, tmp_path):
    execute.run_method(request_centre)
    notes = execute.run_method(replace(request_centre, data=tmp_path / "nowhere")).notes
    assert "nobody compared them" in notes[1]


def test_pictures_that_are_gone_are_no_other_data(world, request_centre):
    execute.run_method(request_centre)
    for picture in (world.data / "ytf68" / "training").iterdir():
        picture.unlink()
    assert execute.run_method(request_centre).notes[0].startswith("finished before")


def test_a_run_on_fewer_pictures_is_found_again(world, request_centre):
    """Trap: annotations alone name more faces than the run saw, which is no change of the data."""
    (world.data / "ytf68" / "training" / "Anna_Train_00.jpg").unlink()
    made = execute.run_method(request_centre)
    assert made.run.record.data.variant == "train 11 of 12"
    assert execute.run_method(request_centre).notes[0].startswith("finished before")


def test_the_number_of_edited_code_is_not_that_of_the_code_before(world, request_centre):
    execute.run_method(request_centre)
    (world.methods / "centre" / "__init__.py").write_text(CENTRE.replace("/ 2, 68", "/ 3, 68"))
    with pytest.raises(OtherRunError, match="another version of the method's code"):
        execute.run_method(request_centre)


def test_comments_layout_and_texts_of_a_card_make_no_other_code(world, request_centre):
    """Trap: a refused number for a comment teaches people to pass --fresh without reading."""
    execute.run_method(request_centre)
    code = world.methods / "centre" / "__init__.py"
    code.write_text('"""Docs."""\n# edited\n' + CENTRE.replace("(job):", "( job ):  # here"))
    card = world.methods / "centre" / "method.toml"
    card.write_text("# a card\n" + card.read_text().replace("title = ", "title   = "))
    assert execute.run_method(request_centre).notes[0].startswith("finished before")


def test_code_of_an_installed_method_is_compared_too(world, request_centre, monkeypatch):
    """Trap: what is installed was taken to be finished, and only a note told the other version."""
    execute.run_method(request_centre)
    really_plan = run_plan.plan_run

    def plan_installed(request):
        plan = really_plan(request)
        other = replace(plan.code, content="sha256:0", meaning="sha256:1")
        return replace(plan, method=replace(plan.method, module="somewhere"), code=other)

    monkeypatch.setattr(execute, "plan_run", plan_installed)
    monkeypatch.setattr(execute.method_card, "import_method", lambda method: object())
    with pytest.raises(OtherRunError, match="another version of the method's code"):
        execute.run_method(request_centre)


def test_a_run_that_another_process_finished_meanwhile_is_not_written_over(
    world, request_centre, monkeypatch
):
    """Trap: whether a run is finished was asked before the data were read, and not again."""
    place = world.results / "tiny" / "centre" / "v+budget=smoke" / "0"
    really_open = run_data.open_index

    def open_slowly(*arguments, **options):
        monkeypatch.setattr(run_data, "open_index", really_open)
        execute.run_method(request_centre)
        kept.update(files_of(place))
        return really_open(*arguments, **options)

    kept: dict[str, bytes] = {}
    monkeypatch.setattr(run_data, "open_index", open_slowly)
    outcome = execute.run_method(request_centre)
    assert files_of(place) == kept
    assert outcome.notes[0].startswith("finished before")


def test_fresh_deletes_what_it_saw_and_nothing_newer(world, request_centre, monkeypatch):
    execute.run_method(request_centre)
    fresh = replace(request_centre, fresh=True)
    really_open = run_data.open_index

    def open_slowly(*arguments, **options):
        monkeypatch.setattr(run_data, "open_index", really_open)
        execute.run_method(fresh)
        return really_open(*arguments, **options)

    monkeypatch.setattr(run_data, "open_index", open_slowly)
    with pytest.raises(ResultError, match="another process finished this run meanwhile"):
        execute.run_method(fresh)
    place = world.results / "tiny" / "centre" / "v+budget=smoke" / "0"
    assert run_folders.read_run(place).record.test_looks == 2


def files_of(place: Path) -> dict[str, bytes]:
    names = ("run.json", "predictions.npz", "scores.json", "errors.npz")
    return {name: (place / name).read_bytes() for name in names}


def facts(**changes: object) -> DataFacts:
    standard = DataFacts("300w", "complete", "sha256:a", (), 10, 5, "sha256:t")
    return replace(standard, **changes)  # type: ignore[arg-type]


def test_rendered_sets_are_known_by_their_generator_since_last_bits_differ():
    """Trap: a rendered set computed on another processor would be other data for ever."""
    note = "synthetic faces, generator version 4"
    here = facts(dataset="synth-300w", notes=(note,))
    there = replace(here, fingerprint="sha256:b", truth="sha256:u")
    assert run_identity.describe_data_difference(here, there) == ""
    newer = replace(there, notes=("synthetic faces, generator version 5",))
    assert "other test annotations" in run_identity.describe_data_difference(here, newer)
    # a real set is known by its bytes whatever a note says
    real = facts(notes=(note,))
    assert run_identity.describe_data_difference(real, replace(real, truth="sha256:u")) != ""


def test_a_training_on_another_generator_is_other_training_data():
    tested = "synthetic pictures, generator cofw version 1"
    here = facts(dataset="synth-cofw68", notes=(tested, "synth-300w: faces, generator version 4"))
    newer = replace(here, notes=(tested, "synth-300w: faces, generator version 5"))
    assert "other training data" in run_identity.describe_data_difference(here, newer)


def test_an_interrupted_job_on_other_data_is_not_continued(world, request_centre):
    stopping = CENTRE.replace('b"1")', 'b"1")\n    raise KeyboardInterrupt')
    (world.methods / "centre" / "__init__.py").write_text(stopping)
    with pytest.raises(KeyboardInterrupt):
        execute.run_method(request_centre)
    correct_labels(world, test=False)
    with pytest.raises(ResultError, match="interrupted job with other data; --fresh"):
        execute.run_method(request_centre)
    job = world.results / "tiny" / "centre" / "v+budget=smoke" / "0" / "work" / "job.json"
    assert json.loads(job.read_text())["identity"]["benchbox"]
