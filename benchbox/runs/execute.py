"""The verbs: train, predict and run, which does all of it and leaves a record.

A job never holds a test item: `train` is called before a test picture is opened, and gets nothing
of the test split. A protocol with folds trains one model per fold, in `work/fold-<name>/`; every
test item is predicted by the model that has not seen its cluster. A fold's predictions are kept
when it is done, so an interrupted run goes on with the next one. Methods predict in the pixel
frame; the dataset's origin is added here, before the predictions are stored.
"""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from benchbox import __version__, layouts
from benchbox.data_place import describe_missing_root
from benchbox.datasets import assemble, presence
from benchbox.datasets import split as splits
from benchbox.errors import BenchboxError, DataError, PluginError, ProtocolError, ResultError
from benchbox.plugins import (
    code_digest,
    guest_code,
    method_call,
    method_card,
    shared_state,
)
from benchbox.plugins.code_digest import CodeDigests
from benchbox.process_rank import OtherProcessError, process_count, process_number
from benchbox.protocols import protocol_card as protocols
from benchbox.scoring import score as scoring
from benchbox.scoring import slips
from benchbox.types import (
    Index,
    Job,
    MethodCard,
    Predictions,
    Protocol,
    Run,
    RunKind,
    Scores,
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
    run_folders,
    run_identity,
    training_part,
)
from .other_training import Training
from .run_identity import OtherRunError, RunIdentity
from .run_record import DataFacts, OutputDigests, RunRecord, describe_dead_training

if TYPE_CHECKING:
    from benchbox.types import Floats, Strings

Say = Callable[[str], None]

SCRATCH = "scratch"  # as the parameter `weights` of a method: nothing to begin with


def say_nothing(line: str) -> None:
    """Take the place of `say` where nobody listens."""


@dataclass(frozen=True)
class RunRequest:
    """What a person asks `run_method` for."""

    method: str
    protocol: str
    variant: str = ""  # "" is the card's default
    seed: int = 0
    device: str = "auto"
    budget: str = "quick"
    overrides: Mapping[str, str] = field(default_factory=dict)
    data: Path = Path("data")
    results: Path = Path("results")
    methods: tuple[Path, ...] = ()
    fresh: bool = False  # delete what is there first
    stale: bool = False  # delete it only where it is not the run that is asked for
    accept: tuple[str, ...] = ()  # checks of the data whose faults are accepted
    # a finished run whose training is tested, by folder or as PROTOCOL/METHOD/VARIANT/SEED; its
    # variant, seed, budget and parameters count
    weights_of: Path | None = None
    processes: int = 1  # that a sweep gives it; in such a process torchrun's own count holds


@dataclass(frozen=True, eq=False)
class ScoreResult:
    """Scores under a protocol, and the document that `scores.json` and `--json` hold."""

    protocol: Protocol
    scores: Scores
    document: Mapping[str, Any]
    ids: Strings | None = None  # (N,) of the items of `scores.errors`, where they are at hand


@dataclass(frozen=True, eq=False)
class RunOutcome:
    """A finished run and its scores; `notes` are for the person who asked."""

    run: Run
    scored: ScoreResult
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class RunPlan:
    """A request resolved against the cards: what will be done and where."""

    protocol: Protocol
    method: MethodCard
    variant: str
    budget: str
    seed: int
    params: Mapping[str, Any]
    overrides: Mapping[str, Any]  # those of the params that --set moved
    code: CodeDigests
    place: Path
    training: Training | None = None  # another run's, which is tested; None: trained here

    @property
    def identity(self) -> RunIdentity:
        """Return what a finished run must have been made from, the data aside."""
        return RunIdentity(self.protocol.card, dict(self.params), self.seed, self.budget)

    def job_identity(self, data: DataFacts) -> dict[str, Any]:
        """Return what must be equal for an interrupted job to be continued."""
        return {
            "card": self.protocol.card,
            "params": dict(self.params),
            "seed": self.seed,
            "budget": self.budget,
            "method": self.code.content,
            "benchbox": __version__,
            "data": run_identity.name_data(data),
            **self._weights_identity(),
        }

    def _weights_identity(self) -> dict[str, Any]:
        if self.training is None:
            return {}
        return {"weights": dict(self.training.origin.weights)}


# --- run ------------------------------------------------------------------------------------------


def plan_run(request: RunRequest) -> RunPlan:
    """Resolve a request.

    Raises ProtocolError or PluginError for what is unknown or does not fit together.
    """
    request = own_detector.choose_variant(request)
    protocol = protocols.load_protocol(request.protocol)
    method = method_card.find_card(request.method, request.methods)
    if protocol.task not in method.task:
        raise PluginError(
            f"method {method.name!r} does {', '.join(method.task)}; "
            f"{protocol.name} is {protocol.task}"
        )
    training = None
    if request.weights_of is not None:
        training = other_training.open_training(request.weights_of, request.results, protocol)
        request = other_training.ask_as_trained(request, training.run)
    variant = request.variant or method.default
    standard = method_card.merge_params(method, variant, request.budget)
    params = method_card.merge_params(method, variant, request.budget, request.overrides)
    overrides = {key: params[key] for key in request.overrides if params[key] != standard[key]}
    trained_under = ""
    if training is not None:
        trained_under = training.run.protocol
    folder = run_folders.variant_folder(variant, request.budget, overrides, trained_under)
    plan = RunPlan(
        protocol=protocol,
        method=method,
        variant=variant,
        budget=request.budget,
        seed=request.seed,
        params=params,
        overrides=overrides,
        code=code_digest.digest_code(method),
        place=run_folders.run_folder(
            request.results, protocol.name, method.name, folder, request.seed
        ),
        training=training,
    )
    if training is not None:
        other_training.require_same_method(training.run, method, plan.params, plan.code)
    return plan


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
            return _reuse_finished_run(plan, request.data)
        except OtherRunError as fault:
            if not request.stale:
                raise
            say(f"made again: {fault}")
            request = replace(request, fresh=True)
    if plan.training is not None:
        if process_count() > 1:
            raise PluginError("`benchbox run --weights-of` trains nothing: run it without torchrun")
        return _test_training(plan, plan.training, request, found, say)
    require_data(plan.protocol, request.data)
    weights = pretrained_weights(plan.params, request.data)
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
    setting = _make_setting(plan, request.data)
    if not plan.protocol.train_parts and hasattr(module, "train") and weights is None:
        raise ProtocolError(
            f"{plan.protocol.name} has nothing to train on: it takes variants with published "
            "weights, a run's (`benchbox run --weights-of RUN`), or predictions (`benchbox "
            "score`); a card of your own names faces to train on in [source] parts and [train] "
            "parts"
        )
    with clock("data"):
        index = open_index(plan.protocol, request.data)
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
            return _take_other_run(plan, request)
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
            kind=kind,
            method=plan.method.name,
            variant=plan.variant,
            overrides=plan.overrides,
            params=plan.params,
            protocol=plan.protocol.name,
            card=plan.protocol.card,
            box=plan.protocol.box,
            data=_with_method_notes(data, module, setting),
            seed=plan.seed,
            budget=plan.budget,
            command=repeat_command(request),
            code=provenance.code_version(plan.code, _distribution(plan.method)),
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
    require_data(plan.protocol, request.data, training=False)
    run_folders.check_writable(plan.place)
    from benchbox.training import process_setup

    device = process_setup.choose_device(request.device)
    started, clock = datetime.now(UTC), Stopwatch()
    process_setup.prepare_process(device, plan.seed)
    module = external_program.open_method(plan.method)
    setting = _make_setting(plan, request.data)
    outside = method_call.weights_files(module, setting)
    work = other_training.require_weights(training.run, outside)
    with clock("data"):
        index = open_test_index(plan.protocol, request.data)
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
            return _take_other_run(plan, request)
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
            kind=kind,
            method=plan.method.name,
            variant=plan.variant,
            overrides=plan.overrides,
            params=plan.params,
            protocol=plan.protocol.name,
            card=plan.protocol.card,
            box=plan.protocol.box,
            data=_with_method_notes(data, module, setting),
            seed=plan.seed,
            budget=plan.budget,
            command=repeat_command(request),
            code=provenance.code_version(plan.code, _distribution(plan.method)),
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


def _distribution(method: MethodCard) -> str | None:
    """Name the distribution and version of an installed method, None for a folder given by hand."""
    return method.source if method.module else None


def _make_setting(plan: RunPlan, data: Path) -> method_call.MethodSetting:
    """Return what the method's predictor may ask for."""
    return method_call.MethodSetting(
        params=plan.params,
        task=plan.protocol.task,
        layout=layouts.find_layout(plan.protocol),
        folder=plan.method.folder.absolute(),
        data=data.absolute(),
    )


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


def derive_scores(
    place: Path, protocol: Protocol, truth: Truth, data: DataFacts, method: str, kind: RunKind
) -> ScoreResult:
    """Score a run folder from its predictions file alone, and store the result."""
    file = run_folders.predictions_file(place)
    predictions = prediction_files.read_predictions(file, truth, protocol=protocol.name)
    scores = scoring.score_predictions(protocol, truth, predictions)
    document = scoring.scores_to_json(
        scores,
        protocol=protocol,
        data=asdict(data),
        method=method,
        variant=run_folders.variant_name(place),
        kind=kind,
    )
    points = scoring.score_points(protocol, truth, predictions)
    run_folders.save_scores(place, document, scores.errors, points)
    return ScoreResult(protocol, scores, document, truth.ids)


def describe_resumption(request: RunRequest) -> str:
    """Say what the command of an interrupted run does when it is given again."""
    if not run_folders.has_work_to_go_on_from(plan_run(request).place):
        return "the same command starts again: nothing was left to go on from"
    if request.fresh:
        return "the same command goes on from here (without --fresh)"
    return "the same command goes on from here"


def repeat_command(request: RunRequest) -> str:
    """Return the command that repeats a run, for a POSIX shell, without paths of this machine."""
    words = ["benchbox", "run", "--method", request.method]
    if process_count() > 1:
        words = ["torchrun", "--nproc-per-node", str(process_count()), "-m", *words]
    protocol = ["--protocol", _name_card(request.protocol)]
    if request.weights_of is not None:
        words += ["--weights-of", "/".join(request.weights_of.parts[-4:]), *protocol]
    else:
        if request.variant:
            words += ["--variant", request.variant]
        words += [*protocol, "--seed", str(request.seed), "--budget", request.budget]
        for key, value in sorted(request.overrides.items()):
            words += ["--set", f"{key}={value}"]
    for name in request.accept:
        words += ["--accept", name]
    return shlex.join(words)


def _name_card(protocol: str) -> str:
    """Name a protocol as in the command that ran it, a card's file without its folders."""
    if not protocols.is_card_file(protocol):
        return protocol
    path, *options = protocol.split("+")
    return "+".join([Path(path).name, *options])


# --- data -----------------------------------------------------------------------------------------


def open_index(
    protocol: Protocol, root: Path, *, pixels: bool = True, training: bool | None = None
) -> Index:
    """Read a protocol's dataset; what is trained on, too, unless `training` or `pixels` is False.

    Raises DataError saying what is missing, where it is had and what runs without it.
    """
    if training is None:
        training = pixels
    require_data(protocol, root, training=training)
    # Pictures are read while a method runs, which may have moved to another directory. Notes are
    # kept in the record, where no folder of this machine belongs.
    whole = root.absolute()
    index = assemble.assemble_index(protocol, whole, pixels=pixels, training=training)
    notes = tuple(note.replace(str(whole), str(root)) for note in index.notes)
    return replace(index, notes=notes)


def open_test_index(protocol: Protocol, root: Path) -> Index:
    """Read what a protocol tests on alone, pictures and boxes as methods are given them.

    Raises DataError as `open_index`.
    """
    require_data(protocol, root, training=False)
    whole = root.absolute()
    index = assemble.assemble_test_index(protocol, whole)
    notes = tuple(note.replace(str(whole), str(root)) for note in index.notes)
    return replace(index, notes=notes)


def require_data(protocol: Protocol, root: Path, *, training: bool = True) -> None:
    """Raise DataError unless the data root and a protocol's folders are there.

    Says where they are had; what is rendered needs neither.
    """
    for name, module in assemble.required_datasets(protocol, training=training).items():
        custom = protocol.source is not None and name == protocol.dataset
        presence.require_dataset(name, module, root, custom=custom, twin=protocol.twin or "")


def pretrained_weights(params: Mapping[str, Any], root: Path) -> Path | None:
    """Return the file or folder that the parameter `weights` names under the data root.

    None for "scratch" or none. Raises DataError when it is not there or lies elsewhere: a path of
    this machine has no place in a record.
    """
    name = params.get("weights", SCRATCH)
    if name == SCRATCH:
        return None
    path = Path(str(name))
    if path.is_absolute() or ".." in path.parts:
        raise DataError(
            f"weights = {name!r}: must be a path under the data root {root}, or {SCRATCH}"
        )
    if not (root / path).exists():
        absence = describe_missing_root(root) or "no such weights"
        raise DataError(
            f"{root / path}: {absence}; "
            f"put them there, or `benchbox run … --set weights={SCRATCH}` begins without"
        )
    return (root / path).absolute()


# --- a run that is there --------------------------------------------------------------------------


def _reuse_finished_run(plan: RunPlan, root: Path) -> RunOutcome:
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


def _changed_weights(plan: RunPlan, root: Path, record: RunRecord) -> list[str]:
    """Name the files outside the run's folder that are no longer what the run read."""
    module = external_program.open_method(plan.method)
    changed = []
    for name, file in method_call.weights_files(module, _make_setting(plan, root)).items():
        if record.digests.weights.get(name) != run_folders.hash_file(file):
            changed.append(f"another {name}")
    return changed


def _take_other_run(plan: RunPlan, request: RunRequest) -> RunOutcome:
    """Return the run that another process finished meanwhile, where that is what was asked for."""
    if request.fresh:
        raise ResultError(
            f"{plan.place}: another process finished this run meanwhile; "
            "--fresh once more deletes that one"
        )
    return _reuse_finished_run(plan, request.data)


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
        require_data(plan.protocol, root, training=plan.training is None)
    except DataError:
        return ["the data are not here: nobody compared them with those of that run"]
    if plan.training is not None:
        index = open_test_index(plan.protocol, root)
        now = other_training.join_data(plan.training.origin, plan.protocol, index)
        difference = run_identity.describe_data_difference(record.data, now)
        if difference:
            raise _other_run(plan, [difference])
        return []
    difference = ""
    for pixels in (False, True):
        now = _describe_all_data(plan.protocol, root, pixels=pixels)
        difference = run_identity.describe_data_difference(record.data, now)
        if not difference:
            return []
    raise _other_run(plan, [difference])


def _describe_all_data(protocol: Protocol, root: Path, *, pixels: bool) -> DataFacts:
    """Describe what a protocol trains and tests on, as the record of a run does."""
    index = assemble.assemble_index(protocol, root, pixels=pixels)
    fold = splits.fold_names(protocol, index)[0]
    data = splits.split_index(protocol, index, fold).data
    truth = splits.describe_data(protocol, index).fingerprint
    return DataFacts(**asdict(data), truth=truth)


def _describe_truth(protocol: Protocol, index: Index) -> DataFacts:
    """Describe the test annotations alone."""
    data = splits.describe_data(protocol, index)
    return DataFacts(**asdict(data), truth=data.fingerprint)


def has_truth_of(protocol: Protocol, index: Index, record: DataFacts) -> bool:
    """Tell whether an index holds the test annotations that a record was scored with."""
    now = _describe_truth(protocol, index)
    return run_identity.name_truth(now) == run_identity.name_truth(record)


def _truth_of_record(plan: RunPlan, root: Path, record: RunRecord) -> Truth:
    """Return the truth that a run was scored with; raises ResultError for another one."""
    index = open_index(plan.protocol, root, pixels=False)
    if not has_truth_of(plan.protocol, index, record.data):
        raise ResultError(
            f"{plan.place}: its scores are gone and {root} holds other annotations than it saw"
        )
    return splits.ground_truth(plan.protocol, index)


def _derive_points(plan: RunPlan, run: Run, data: Path) -> list[str]:
    """Add the statistics of each landmark to a run that was scored without.

    Return what to say where that fails.
    """
    try:
        index = open_index(plan.protocol, data, pixels=False)
    except DataError:
        return ["no statistics of single landmarks: they need the annotations, which are not here"]
    if not has_truth_of(plan.protocol, index, run.record.data):
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


def read_score_result(protocol: Protocol, run: Run) -> ScoreResult:
    """Read a run's scores back; raises ResultError when they are damaged."""
    stored = run_folders.read_scores(run)
    errors = run_folders.read_errors(run)
    scores = Scores(stored.groups, stored.count, stored.failed, errors, stored.scorer)
    return ScoreResult(protocol, scores, run_folders.read_score_document(run))


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
