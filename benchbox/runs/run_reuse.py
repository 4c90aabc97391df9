"""A finished run in the place of a plan: returned as it stands, if it is the one asked for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchbox import __version__
from benchbox.datasets import split as splits
from benchbox.errors import DataError, ResultError
from benchbox.plugins import method_call
from benchbox.scoring import score as scoring
from benchbox.types import Run, Truth

from . import (
    external_program,
    other_training,
    prediction_files,
    run_data,
    run_folders,
    run_identity,
)
from .run_identity import OtherRunError
from .run_outcome import RunOutcome, derive_scores, read_score_result
from .run_plan import RunPlan, RunRequest, make_setting
from .run_record import RunRecord


def reuse_finished_run(plan: RunPlan, root: Path) -> RunOutcome:
    """Return the finished run in the place of a plan; raises OtherRunError if it is another."""
    run = run_folders.read_run(plan.place)
    record = run.record
    differences = run_identity.describe_differences(record, plan.identity, plan.method.before)
    code_difference = run_identity.describe_code_difference(record, plan.code)
    if code_difference:
        differences.append(code_difference)
    differences += _changed_weights(plan, root, record)
    if plan.training is not None:
        differences += other_training.compare_weights(record, plan.training.origin)
    if differences:
        raise _other_run(plan, differences)
    notes = [f"finished before, on {record.data.variant}; not run again, --fresh redoes it"]
    notes += _compare_data(plan, root, record)
    if record.code.benchbox != __version__:
        notes.append(f"made by benchbox {record.code.benchbox}; this is {__version__}")
    if not run_folders.has_scores(run):
        truth = _truth_of_record(plan, root, record)
        derive_scores(plan.place, plan.protocol, truth, record.data, plan.method.name, record.kind)
    elif plan.protocol.task == "landmarks" and not run_folders.has_points(run):
        notes += _derive_points(plan, run, root)
    return RunOutcome(run, read_score_result(plan.protocol, run), tuple(notes))


def take_other_run(plan: RunPlan, request: RunRequest) -> RunOutcome:
    """Return the run that another process finished meanwhile, where that is what was asked for."""
    if request.fresh:
        raise ResultError(
            f"{plan.place}: another process finished this run meanwhile; "
            "--fresh once more deletes that one"
        )
    return reuse_finished_run(plan, request.data)


def _changed_weights(plan: RunPlan, root: Path, record: RunRecord) -> list[str]:
    """Name the files outside the run's folder that are no longer what the run read."""
    module = external_program.open_method(plan.method)
    changed = []
    for name, file in method_call.weights_files(module, make_setting(plan, root)).items():
        if record.digests.weights.get(name) != run_folders.hash_file(file):
            changed.append(f"another {name}")
    return changed


def _other_run(plan: RunPlan, differences: Sequence[str]) -> OtherRunError:
    return OtherRunError(
        f"{plan.place}: a finished run is here that was made with {', '.join(differences)}; "
        "--fresh redoes it"
    )


def _compare_data(plan: RunPlan, root: Path, record: RunRecord) -> list[str]:
    """Raise OtherRunError unless the data here are those of a record.

    Return what to say where there are none to compare. The annotations alone mostly decide it;
    faces without a picture are left out only where they do not.
    """
    try:
        run_data.require_data(plan.protocol, root, training=plan.training is None)
    except DataError:
        return ["the data are not here: nobody compared them with those of that run"]
    if plan.training is not None:
        index = run_data.open_test_index(plan.protocol, root)
        now = other_training.join_data(plan.training.origin, plan.protocol, index)
        difference = run_identity.describe_data_difference(record.data, now)
        if difference:
            raise _other_run(plan, [difference])
        return []
    difference = ""
    for pixels in (False, True):
        now = run_data.describe_all_data(plan.protocol, root, pixels=pixels)
        difference = run_identity.describe_data_difference(record.data, now)
        if not difference:
            return []
    raise _other_run(plan, [difference])


def _truth_of_record(plan: RunPlan, root: Path, record: RunRecord) -> Truth:
    """Return the truth that a run was scored with; raises ResultError for another one."""
    index = run_data.open_index(plan.protocol, root, pixels=False)
    if not run_data.has_truth_of(plan.protocol, index, record.data):
        raise ResultError(
            f"{plan.place}: its scores are gone and {root} holds other annotations than it saw"
        )
    return splits.ground_truth(plan.protocol, index)


def _derive_points(plan: RunPlan, run: Run, data: Path) -> list[str]:
    """Add the statistics of each landmark to a run that was scored without.

    Return what to say where that fails.
    """
    try:
        index = run_data.open_index(plan.protocol, data, pixels=False)
    except DataError:
        return ["no statistics of single landmarks: they need the annotations, which are not here"]
    if not run_data.has_truth_of(plan.protocol, index, run.record.data):
        return [
            "no statistics of single landmarks: the annotations here are not those "
            "that it was scored with"
        ]
    truth = splits.ground_truth(plan.protocol, index)
    file = run_folders.predictions_file(plan.place)
    predictions = prediction_files.read_predictions(file, truth, protocol=plan.protocol.name)
    points = scoring.score_points(plan.protocol, truth, predictions)
    if points is not None:
        run_folders.save_points(plan.place, points)
    return []
