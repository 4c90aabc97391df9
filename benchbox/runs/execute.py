"""The verbs: train, predict and run, which does all of it and leaves a record.

A job never holds a test item: `train` is called before a test picture is opened, and gets nothing
of the test split. A protocol with folds trains one model per fold, in `work/fold-<name>/`; every
test item is predicted by the model that has not seen its cluster. A fold's predictions are kept
when it is done, so an interrupted run goes on with the next one. Methods predict in the pixel
frame; the dataset's origin is added here, before the predictions are stored.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from benchbox import layouts
from benchbox.datasets import assemble
from benchbox.datasets import split as splits
from benchbox.errors import BenchboxError, PluginError, ProtocolError, ResultError
from benchbox.plugins import (
    guest_code,
    method_call,
    method_card,
    shared_state,
)
from benchbox.process_rank import OtherProcessError, process_count, process_number
from benchbox.scoring import slips
from benchbox.types import (
    Index,
    Job,
    MethodCard,
    Predictions,
    Protocol,
    RunKind,
    Truth,
)

from . import (
    checks_before_run,
    external_program,
    inference,
    kept_cards,
    other_training,
    own_detector,
    prediction_files,
    provenance,
    pseudo_labels,
    run_data,
    run_folders,
    run_identity,
    training_part,
)
from .other_training import Training
from .run_identity import OtherRunError
from .run_outcome import RunOutcome, derive_scores
from .run_plan import RunPlan, RunRequest, Say, make_setting, plan_run, repeat_command, say_nothing
from .run_record import DataFacts, OutputDigests, RunRecord, describe_dead_training
from .run_reuse import reuse_finished_run, take_other_run

if TYPE_CHECKING:
    from benchbox.types import Floats


# --- run ------------------------------------------------------------------------------------------


def run_method(request: RunRequest, say: Say = say_nothing) -> RunOutcome:
    """Train, predict, store and score one method on one protocol.

    A finished run is returned as it stands, if it is the one that is asked for: the same card,
    data, parameters, seed and budget. An interrupted one goes on where its recipe left off. Raises
    OtherRunError for a finished run that is another one, BenchboxError for what the user can mend.
    """
    request = own_detector.choose_variant(request)
    plan = plan_run(request)
    found = run_folders.hash_record(plan.place)
    if found and not request.fresh:
        try:
            return reuse_finished_run(plan, request.data)
        except OtherRunError as fault:
            if not request.stale:
                raise
            say(f"made again: {fault}")
            request = replace(request, fresh=True)
    if plan.training is not None:
        if process_count() > 1:
            raise PluginError("`benchbox run --weights-of` trains nothing: run it without torchrun")
        return _test_training(plan, plan.training, request, found, say)
    run_data.require_data(plan.protocol, request.data)
    weights = run_data.pretrained_weights(plan.params, request.data)
    run_folders.check_writable(plan.place)
    # seconds: after the faults that can be told at once
    from benchbox.training import process_group, process_setup

    device = process_setup.choose_device(request.device)
    with process_group.join_processes(device):
        return _run_from_start(plan, request, device, weights, found, say)


def _run_from_start(
    plan: RunPlan, request: RunRequest, device: str, weights: Path | None, found: str, say: Say
) -> RunOutcome:
    """Read the data, train, predict, score; goes on with what an interrupted run left.

    Of several processes the first writes, the others raise OtherProcessError when they have helped.
    """
    from benchbox.training import process_group, process_setup

    started, clock = datetime.now(UTC), Stopwatch()
    process_setup.prepare_process(device, request.seed)
    module = external_program.open_method(plan.method)
    setting = make_setting(plan, request.data)
    if not plan.protocol.train_parts and hasattr(module, "train") and weights is None:
        raise ProtocolError(
            f"{plan.protocol.name} has nothing to train on: it takes variants with published "
            "weights, a run's (`benchbox run --weights-of RUN`), or predictions (`benchbox "
            "score`); a card of your own names faces to train on in [source] parts and [train] "
            "parts"
        )
    with clock("data"):
        index = run_data.open_index(plan.protocol, request.data)
        splits.ground_truth(plan.protocol, index)  # whether the test set is whole, first
        index = checks_before_run.require_sound_data(
            plan.protocol, index, request.data, request.accept, say
        )
        folds = splits.fold_names(plan.protocol, index)
        split = splits.split_index(plan.protocol, index, folds[0])
        truth = splits.ground_truth(plan.protocol, index)
    data = DataFacts(
        **asdict(split.data), truth=splits.describe_data(plan.protocol, index).fingerprint
    )
    _say_sizes(plan.protocol, split, len(folds), len(truth.ids), say)
    if process_number():
        _help_to_train(plan, module, index, split, folds, device, weights, clock, setting)
        raise OtherProcessError
    with run_folders.claim_folder(plan.place):
        # Reading the data took a while: another process may have finished this run meanwhile, and
        # what it made must not be written over.
        if run_folders.hash_record(plan.place) != found:
            process_group.dismiss_helpers()
            return take_other_run(plan, request)
        notes = run_folders.begin_job(plan.place, plan.job_identity(data), fresh=request.fresh)
        if notes["sessions"] > 1:
            words = "going on with the interrupted run that is here"
            if not run_folders.has_work_to_go_on_from(plan.place):
                words = "starting again: the interrupted run here left nothing to go on from"
            say(words)
        else:
            _take_over_training(plan, data, device, say)
        _share_folder(plan)
        if plan.protocol.folds:
            kind, predictions = _train_each_fold(
                plan, module, index, folds, device, weights, clock, say, setting
            )
        else:
            job = _make_job(plan, split, run_folders.work_folder(plan.place), device, weights)
            kind, predictions = _train_and_predict(
                plan, module, job, split, index.origin, clock, setting, say=say
            )
            _keep_pseudo_labels(plan, index)
        _store_predictions(plan, truth, _in_truth_order(truth, predictions), say)
        with clock("score"):
            scored = derive_scores(plan.place, plan.protocol, truth, data, plan.method.name, kind)
        record = RunRecord(
            **_describe_plan(plan, request),
            kind=kind,
            data=_with_method_notes(data, module, setting),
            environment=provenance.run_environment(device),
            started=f"{started:%Y-%m-%dT%H:%M:%SZ}",
            sessions=notes["sessions"],
            seconds=clock.seconds,
            training=_read_training_notes(plan.place, say),
            profile=_count_networks(plan, module),
            test_looks=run_folders.count_test_looks(plan.place),
            digests=_hash_outputs(plan, module, setting),
            stated=plan.method.describe_row(plan.variant, plan.protocol.dataset),
        )
        kept_cards.keep_card(request.results, request.protocol, plan.protocol.name)
        return RunOutcome(run_folders.finish_run(plan.place, record), scored)


def _share_folder(plan: RunPlan) -> RunPlan:
    """Return the plan with a folder that this process may write in, filled as the first one's."""
    from benchbox.training import process_group

    return replace(plan, place=process_group.share_folder(plan.place))


def _help_to_train(
    plan: RunPlan,
    module: ModuleType,
    index: Index,
    split: splits.Split,
    folds: Sequence[str],
    device: str,
    weights: Path | None,
    clock: Stopwatch,
    setting: method_call.MethodSetting,
) -> None:
    """Train and predict beside the first process, which keeps what comes out."""
    from benchbox.training import process_group

    plan = _share_folder(plan)
    try:
        if plan.protocol.folds:
            _train_each_fold(
                plan, module, index, folds, device, weights, clock, say_nothing, setting
            )
        else:
            job = _make_job(plan, split, run_folders.work_folder(plan.place), device, weights)
            _train_and_predict(plan, module, job, split, index.origin, clock, setting)
    finally:
        process_group.drop_folder(plan.place)


def claim_report(fault: BenchboxError) -> bool:
    """Tell whether this one of several processes is to report a fault: the first to ask is."""
    from benchbox.training import process_group

    return process_group.claim_report(fault)


def _test_training(
    plan: RunPlan, training: Training, request: RunRequest, found: str, say: Say
) -> RunOutcome:
    """Predict a card's test items with another run's weights, store and score them.

    Nothing is trained, and nothing of this card's training set is read. Raises BenchboxError for
    weights that are not the record's and for a training that saw a test item.
    """
    run_data.require_data(plan.protocol, request.data, training=False)
    run_folders.check_writable(plan.place)
    from benchbox.training import process_setup

    device = process_setup.choose_device(request.device)
    started, clock = datetime.now(UTC), Stopwatch()
    process_setup.prepare_process(device, plan.seed)
    module = external_program.open_method(plan.method)
    setting = make_setting(plan, request.data)
    outside = method_call.weights_files(module, setting)
    work = other_training.require_weights(training.run, outside)
    with clock("data"):
        index = run_data.open_test_index(plan.protocol, request.data)
        splits.ground_truth(plan.protocol, index)  # whether the test set is whole, first
        index = checks_before_run.require_sound_data(
            plan.protocol, index, request.data, request.accept, say, training=False
        )
        truth = splits.ground_truth(plan.protocol, index)
        samples = splits.test_samples(plan.protocol, index)
        other_training.require_no_test_items(training, plan.protocol, index, request.data)
    data = other_training.join_data(training.origin, plan.protocol, index)
    say(
        f"{plan.protocol.name}: {len(truth.ids)} items to test on, with the weights of "
        f"{training.origin.run}"
    )
    if training.origin.differs == "set":
        say(
            f"note: {plan.protocol.name} asks for another training set; the record says whose it is"
        )
    with run_folders.claim_folder(plan.place):
        if run_folders.hash_record(plan.place) != found:
            return take_other_run(plan, request)
        notes = run_folders.begin_job(plan.place, plan.job_identity(data), fresh=request.fresh)
        with clock("predict"):
            blame = method_card.blame_method(plan.method)
            predict = method_call.make_predictor(module, work.absolute(), device, setting, blame)
            run_folders.add_test_look(plan.place)
            shape = truth.values.shape[1:]
            values = inference.predict_samples(predict, samples, shape, blame=plan.method.name)
        other_training.require_weights(training.run, outside)  # nobody changed them meanwhile
        _store_predictions(plan, truth, _to_dataset_frame(truth, values, index.origin), say)
        kind = training.run.record.kind
        with clock("score"):
            scored = derive_scores(plan.place, plan.protocol, truth, data, plan.method.name, kind)
        digests = run_folders.hash_outputs(plan.place)
        record = RunRecord(
            **_describe_plan(plan, request),
            kind=kind,
            data=_with_method_notes(data, module, setting),
            environment=provenance.run_environment(device),
            started=f"{started:%Y-%m-%dT%H:%M:%SZ}",
            sessions=notes["sessions"],
            seconds=clock.seconds,
            training={},
            profile=_count_networks(plan, module),
            test_looks=run_folders.count_test_looks(plan.place),
            digests=replace(digests, weights=training.origin.weights),
            trained_by=training.origin,
        )
        kept_cards.keep_card(request.results, request.protocol, plan.protocol.name)
        return RunOutcome(run_folders.finish_run(plan.place, record), scored)


def _read_training_notes(place: Path, say: Say) -> dict[str, Any]:
    """Return what the recipe noted; say where a stage ended dead."""
    notes = run_folders.read_training_notes(place)
    if dead := describe_dead_training(notes):
        say(f"warning: {dead}")
    return notes


def _describe_plan(plan: RunPlan, request: RunRequest) -> dict[str, Any]:
    """Return what a run's record says of what was asked for."""
    return {
        "method": plan.method.name,
        "variant": plan.variant,
        "overrides": plan.overrides,
        "params": plan.params,
        "protocol": plan.protocol.name,
        "card": plan.protocol.card,
        "box": plan.protocol.box,
        "seed": plan.seed,
        "budget": plan.budget,
        "command": repeat_command(request),
        "code": provenance.code_version(plan.code, _distribution(plan.method)),
    }


def _distribution(method: MethodCard) -> str | None:
    """Name the distribution and version of an installed method, None for a folder given by hand."""
    return method.source if method.module else None


def _with_method_notes(
    data: DataFacts, module: ModuleType, setting: method_call.MethodSetting
) -> DataFacts:
    """Add what the method says of its predictions: a map between layouts."""
    return replace(data, notes=(*data.notes, *method_call.record_notes(module, setting)))


def _hash_outputs(
    plan: RunPlan, module: ModuleType, setting: method_call.MethodSetting
) -> OutputDigests:
    """Hash what the run left, and the files elsewhere that its predictor read."""
    digests = run_folders.hash_outputs(plan.place)
    weights = dict(digests.weights)
    for name, file in method_call.weights_files(module, setting).items():
        weights[name] = run_folders.hash_file(file)
    return replace(digests, weights=weights)


def _take_over_training(plan: RunPlan, data: DataFacts, device: str, say: Say) -> None:
    """Take over the training that a variant shares with another one, if that one's run is like it.

    Only what was trained by the same code, on the same data and device, with the same seed, budget
    and parameters.
    """
    shares = plan.method.variants[plan.variant].shares
    if shares is None or plan.overrides or plan.protocol.folds:
        return
    folder = run_folders.variant_folder(shares.variant, plan.budget)
    place = run_folders.sibling_run(plan.place, folder)
    if not run_folders.is_finished(place):
        return
    other = run_folders.read_run(place)
    if not _trained_alike(plan, data, device, other.record, shares.apart):
        return
    files = run_folders.copy_training(plan.place, other, shares.files)
    if files:
        say(f"taken over from variant {shares.variant}, which trains the same: {', '.join(files)}")


def _trained_alike(
    plan: RunPlan, data: DataFacts, device: str, other: RunRecord, may_differ: Sequence[str]
) -> bool:
    """Tell whether a run's training is what the plan's would be; some parameters may differ."""
    mine = {key: value for key, value in plan.params.items() if key not in may_differ}
    theirs = {key: value for key, value in other.params.items() if key not in may_differ}
    return (
        mine == theirs
        and other.card == plan.protocol.card
        and other.seed == plan.seed
        and other.budget == plan.budget
        and run_identity.is_same_code(other.code, plan.code)
        and run_identity.name_data(other.data) == run_identity.name_data(data)
        and other.environment.device == device
    )


def _keep_pseudo_labels(plan: RunPlan, index: Index) -> None:
    """Keep the pseudo-labels of the training; their points only where every picture is our own."""
    # a person's own files are not
    ours = all(name.startswith("synth-") for name in assemble.required_datasets(plan.protocol))
    folder = run_folders.pseudo_labels_folder(plan.place)
    labels = pseudo_labels.gather_pseudo_labels(folder, plan.protocol, index, ours=ours)
    if labels:
        pseudo_labels.write_pseudo_labels(run_folders.pseudo_labels_file(plan.place), labels)


def _count_networks(plan: RunPlan, module: ModuleType) -> dict[str, Any]:
    """Count the networks at the sizes of this run, where the method lists those of this task."""
    if not hasattr(module, "networks") or plan.protocol.task != plan.method.task[0]:
        return {}
    from benchbox.costs import op_count

    layout = layouts.find_layout(plan.protocol)
    blame = method_card.blame_method(plan.method)
    networks = method_call.list_networks(module, plan.params, layout, blame)
    if not networks:
        return {}
    return asdict(op_count.count_networks(networks).total)


def _say_sizes(protocol: Protocol, split: splits.Split, folds: int, tested: int, say: Say) -> None:
    if protocol.folds:
        say(
            f"{protocol.name}: {folds} folds, each of {tested} items tested by the model "
            "that has not seen its cluster"
        )
    else:
        say(
            f"{protocol.name}: {len(split.labelled)} labelled faces to train on, "
            f"{tested} to test on"
        )
    for note in split.data.notes:
        say(f"note: {note}")


def _make_job(
    plan: RunPlan, split: splits.Split, out: Path, device: str, weights: Path | None
) -> Job:
    return Job(
        task=plan.protocol.task,
        layout=layouts.find_layout(plan.protocol),
        labelled=split.labelled,
        unlabelled=split.unlabelled,
        validation=split.validation,
        out=out.absolute(),
        seed=plan.seed,
        device=device,
        budget=plan.budget,
        params=plan.params,
        weights=weights,
    )


def _train_and_predict(
    plan: RunPlan,
    module: ModuleType,
    job: Job,
    split: splits.Split,
    origin: float,
    clock: Stopwatch,
    setting: method_call.MethodSetting,
    *,
    look: bool = True,
    say: Say | None = None,
) -> tuple[RunKind, Predictions]:
    """Train, then predict the split's test items in the dataset's own frame.

    `look` counts as one at the test split. `say` is told when a gaze method's predictions disagree
    with its own training labels by a convention, and what the method leaves running.
    """
    from benchbox.training import process_group, train_log
    from benchbox.training.split_calls import split_calls

    blame, running = method_card.blame_method(plan.method), shared_state.list_running()
    with clock("train"), split_calls():
        kind = method_call.train(module, job, blame)
    if process_count() > 1 and kind == "trained":
        train_log.record_facts(job.out, processes=process_count())
    with clock("predict"):
        predict = method_call.make_predictor(module, job.out, job.device, setting, blame)
        if say:
            warning = inference.convention_warning(predict, job, blame=plan.method.name)
            if warning:
                say(f"warning: {warning}")
        if look:
            run_folders.add_test_look(plan.place)
        shape = split.truth.values.shape[1:]
        own = process_group.own_batches(split.test, inference.batch_size(predict, split.test))
        values = inference.predict_samples(predict, own, shape, blame=plan.method.name)
        values = np.concatenate(process_group.join_parts(values))
        if kind == "weights" and look:
            training_part.note_training_part(predict, job, plan.protocol, blame=plan.method.name)
    if say:
        for words in guest_code.find_leftovers(running):
            say(f"warning: {blame} left {words} running")
    return kind, _to_dataset_frame(split.truth, values, origin)


def _train_each_fold(
    plan: RunPlan,
    module: ModuleType,
    index: Index,
    folds: Sequence[str],
    device: str,
    weights: Path | None,
    clock: Stopwatch,
    say: Say,
    setting: method_call.MethodSetting,
) -> tuple[RunKind, Predictions]:
    """Train and predict fold by fold, leaving out those whose predictions are here.

    One look at the test split for all.
    """
    from benchbox.training import process_setup

    kind: RunKind = "trained" if hasattr(module, "train") else "weights"
    parts, looked = [], False
    for number, fold in enumerate(folds, start=1):
        file = run_folders.fold_predictions_file(plan.place, fold)
        with clock("data"):
            split = splits.split_index(plan.protocol, index, fold)
        if not file.is_file():
            say(
                f"fold {number} of {len(folds)}: {fold}, "
                f"{len(split.labelled)} labelled items to train on"
            )
            out = run_folders.fold_work_folder(plan.place, fold)
            out.mkdir(exist_ok=True)
            # every fold begins alike, whether or not one came before it
            process_setup.prepare_process(device, plan.seed)
            kind, predictions = _train_and_predict(
                plan,
                module,
                _make_job(plan, split, out, device, weights),
                split,
                index.origin,
                clock,
                setting,
                look=not looked,
                say=say if number == 1 else None,
            )
            prediction_files.write_predictions(file, predictions)
            looked = True
        where = f"{plan.protocol.name}, fold {fold}"
        parts.append(prediction_files.read_predictions(file, split.truth, protocol=where))
    run_folders.gather_folds(plan.place, folds)
    return kind, Predictions(
        ids=np.concatenate([part.ids for part in parts]),
        values=np.concatenate([part.values for part in parts]),
        failed=np.concatenate([part.failed for part in parts]),
    )


def _store_predictions(plan: RunPlan, truth: Truth, predictions: Predictions, say: Say) -> None:
    """Write a run's predictions; say what is the matter with those that no method should make."""
    for slip in slips.find_slips(plan.protocol, truth, predictions):
        say(f"warning: {slip}")
    prediction_files.write_predictions(run_folders.predictions_file(plan.place), predictions)


def _in_truth_order(truth: Truth, predictions: Predictions) -> Predictions:
    """Put predictions into the order of the truth; every test item has exactly one."""
    row_of = {str(name): row for row, name in enumerate(predictions.ids)}
    if len(row_of) != len(truth.ids) or len(predictions.ids) != len(truth.ids):
        raise ResultError(
            f"{len(predictions.ids)} answers for {len(truth.ids)} test items; report this as a bug"
        )
    rows = np.array([row_of[str(name)] for name in truth.ids], np.intp)
    return Predictions(truth.ids, predictions.values[rows], predictions.failed[rows])


def _to_dataset_frame(truth: Truth, values: Floats, origin: float) -> Predictions:
    """Move predictions (N, …) from the pixel frame to the dataset's own; gaze has no origin."""
    failed = np.atleast_1d(np.isnan(values).reshape(len(values), -1).all(axis=1))
    if values.ndim == 3:
        values = values + origin
    return Predictions(ids=truth.ids, values=values, failed=failed)


class Stopwatch:
    """Seconds by name, as `with clock("train"):` measures them."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        """Add what happens inside to the seconds of `name`."""
        start = time.perf_counter()
        yield
        elapsed = time.perf_counter() - start
        self.seconds[name] = round(self.seconds.get(name, 0.0) + elapsed, 3)
