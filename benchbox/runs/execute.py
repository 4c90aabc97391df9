"""The verbs: train, predict and run, which does all of it and leaves a record.

A job never holds a test item: `train` is called before a test picture is opened, and gets nothing of the test split.
A protocol with folds trains one model per fold, in `work/fold-<name>/`; every test item is answered by the model that
has not seen its cluster. A fold's answers are kept when it is done, so an interrupted run goes on with the next one.
Methods answer in the pixel frame; the dataset's origin is added here, before the predictions are stored.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from benchbox import layouts
from benchbox.datasets import assemble
from benchbox.datasets import split as splits
from benchbox.errors import DataError, PluginError, ProtocolError, ResultError
from benchbox.plugins import method_card
from benchbox.protocols import protocol_card as protocols
from benchbox.scoring import score as scoring
from benchbox.types import (
    Index,
    Job,
    MethodCard,
    Predictions,
    Protocol,
    Run,
    RunKind,
    Score,
    Scores,
    Truth,
)

from . import inference, prediction_files, provenance, pseudo_labels, run_folders

if TYPE_CHECKING:
    from benchbox.types import Floats

Say = Callable[[str], None]

SCRATCH = "scratch"  # as the parameter `weights` of a method: nothing to begin with


def say_nothing(line: str) -> None:
    """Say nothing."""


@dataclass(frozen=True)
class RunRequest:
    """What a person asks `run` for."""

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
    fresh: bool = False


@dataclass(frozen=True, eq=False)
class ScoreResult:
    """Scores under a protocol, and the document that `scores.json` and `--json` hold."""

    protocol: Protocol
    scores: Scores
    document: Mapping[str, Any]


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
    code: str  # digest of the method's folder
    place: Path

    def identity(self, fingerprint: str | None = None) -> dict[str, Any]:
        """Return what must be equal for a job to be continued.

        Without the data where they are not at hand.
        """
        facts = {
            "card": self.protocol.card,
            "params": dict(self.params),
            "seed": self.seed,
            "budget": self.budget,
        }
        return {**facts, "method": self.code, "data": fingerprint} if fingerprint else facts


# --- run ------------------------------------------------------------------------------------------


def plan_run(request: RunRequest) -> RunPlan:
    """Resolve a request.

    Raises ProtocolError or PluginError for what is unknown or does not fit together.
    """
    protocol = protocols.load_protocol(request.protocol)
    method = method_card.find_card(request.method, request.methods)
    if protocol.task not in method.task:
        raise PluginError(
            f"method {method.name!r} does {', '.join(method.task)}; {protocol.name} is {protocol.task}"
        )
    variant = request.variant or method.default
    standard = method_card.merge_params(method, variant, request.budget)
    params = method_card.merge_params(method, variant, request.budget, request.overrides)
    overrides = {key: params[key] for key in request.overrides if params[key] != standard[key]}
    folder = run_folders.variant_folder(variant, request.budget, overrides)
    place = run_folders.run_folder(
        request.results, protocol.name, method.name, folder, request.seed
    )
    code = method_card.hash_method_code(method)
    return RunPlan(
        protocol, method, variant, request.budget, request.seed, params, overrides, code, place
    )


def run_method(request: RunRequest, say: Say = say_nothing) -> RunOutcome:
    """Train, predict, store and score one method on one protocol.

    A finished run is returned as it stands.

    An interrupted one goes on where its recipe left off. Raises BenchboxError for what the user can
    mend.
    """
    todo = plan_run(request)
    if run_folders.is_finished(todo.place) and not request.fresh:
        return _reuse_finished_run(todo, request.data)
    require_data(todo.protocol, request.data)
    published = pretrained_weights(todo.params, request.data)
    run_folders.check_writable(todo.place)
    # seconds: after the faults that can be told at once
    from benchbox.training import process_setup

    device = process_setup.choose_device(request.device)
    started, clock = datetime.now(UTC), Stopwatch()
    process_setup.prepare_process(device, request.seed)
    module = method_card.import_method(todo.method)
    if not todo.protocol.train_parts and hasattr(module, "train") and published is None:
        raise ProtocolError(
            f"{todo.protocol.name} has nothing to train on: it takes variants with published weights"
        )
    with clock("data"):
        index = open_index(todo.protocol, request.data)
        folds = splits.fold_names(todo.protocol, index)
        split = splits.split_index(todo.protocol, index, folds[0])
        truth = splits.ground_truth(todo.protocol, index)
    data = {**asdict(split.data), "truth": splits.describe_data(todo.protocol, index).fingerprint}
    _say_sizes(todo.protocol, split, len(folds), len(truth.ids), say)
    with run_folders.claim_folder(todo.place):
        notes = run_folders.begin_job(
            todo.place, todo.identity(split.data.fingerprint), fresh=request.fresh
        )
        if notes["sessions"] > 1:
            say("going on with the interrupted run that is here")
        else:
            _take_over_training(todo, split.data.fingerprint, device, say)
        if todo.protocol.folds:
            kind, answers = _train_each_fold(
                todo, module, index, folds, device, published, clock, say
            )
        else:
            job = _make_job(todo, split, run_folders.work_folder(todo.place), device, published)
            kind, answers = _train_and_predict(
                todo, module, job, split, index.origin, clock, say=say
            )
            _keep_pseudo_labels(todo, index)
        prediction_files.write_predictions(
            run_folders.predictions_file(todo.place), _in_truth_order(truth, answers)
        )
        with clock("score"):
            scored = derive_scores(todo.place, todo.protocol, truth, data, todo.method.name, kind)
        record = {
            **_make_record(todo, kind, device, data, repeat_command(request)),
            "started": f"{started:%Y-%m-%dT%H:%M:%SZ}",
            "sessions": notes["sessions"],  # the seconds are those of the last one
            "seconds": clock.seconds,
            "training": run_folders.read_training_notes(todo.place),
            **_count_networks(todo, module),
            "test_looks": run_folders.count_test_looks(todo.place),
            "digests": run_folders.hash_outputs(todo.place),
        }
        return RunOutcome(run_folders.finish_run(todo.place, record), scored)


def _take_over_training(todo: RunPlan, fingerprint: str, device: str, say: Say) -> None:
    """Take over the training that a variant shares with another one, if that one's finished run is like it in the rest.

    Only what was trained by the same code, on the same data and device, with the same seed, budget
    and parameters.
    """
    shares = todo.method.variants[todo.variant].shares
    if shares is None or todo.overrides or todo.protocol.folds:
        return
    place = run_folders.sibling_run(
        todo.place, run_folders.variant_folder(shares.variant, todo.budget)
    )
    if not run_folders.is_finished(place):
        return
    other = run_folders.read_run(place)
    wanted = todo.identity(fingerprint)
    record = {
        **other.record,
        "method": other.record["code"].get("method"),
        "data": other.record["data"]["fingerprint"],
    }
    mine, theirs = dict(wanted.pop("params")), dict(record["params"])
    same = all(record.get(key) == value for key, value in wanted.items())
    same &= {k: v for k, v in mine.items() if k not in shares.apart} == {
        k: v for k, v in theirs.items() if k not in shares.apart
    }
    if not same or other.record["environment"].get("device") != device:
        return
    if files := run_folders.copy_training(todo.place, other, shares.files):
        say(f"taken over from variant {shares.variant}, which trains the same: {', '.join(files)}")


def _keep_pseudo_labels(todo: RunPlan, index: Index) -> None:
    """Keep what the training thought of faces without labels.

    Their points only where every picture is our own.
    """
    # a person's own files are not
    ours = all(name.startswith("synth-") for name in assemble.required_datasets(todo.protocol))
    found = pseudo_labels.gather_pseudo_labels(
        run_folders.pseudo_labels_folder(todo.place), todo.protocol, index, ours=ours
    )
    if found:
        pseudo_labels.write_pseudo_labels(run_folders.pseudo_labels_file(todo.place), found)


def _count_networks(todo: RunPlan, module: ModuleType) -> dict[str, Any]:
    """Count the networks at the sizes of this run, where the method lists those that answer this task."""
    if not hasattr(module, "networks") or todo.protocol.task != todo.method.task[0]:
        return {}
    from benchbox.costs import op_count

    networks = module.networks(todo.params, layouts.LAYOUTS.get(todo.protocol.layout))
    return {"profile": asdict(op_count.count_networks(networks).total)} if networks else {}


def _say_sizes(protocol: Protocol, split: splits.Split, folds: int, tested: int, say: Say) -> None:
    if protocol.folds:
        say(
            f"{protocol.name}: {folds} folds, each of {tested} items tested by the model that has not seen its cluster"
        )
    else:
        say(
            f"{protocol.name}: {len(split.labelled)} labelled faces to train on, {tested} to test on"
        )
    for note in split.data.notes:
        say(f"note: {note}")


def _make_job(
    todo: RunPlan, split: splits.Split, out: Path, device: str, published: Path | None
) -> Job:
    return Job(
        task=todo.protocol.task,
        layout=layouts.LAYOUTS.get(todo.protocol.layout),
        labelled=split.labelled,
        unlabelled=split.unlabelled,
        validation=split.validation,
        out=out.absolute(),
        seed=todo.seed,
        device=device,
        budget=todo.budget,
        params=todo.params,
        weights=published,
    )


def _train_and_predict(
    todo: RunPlan,
    module: ModuleType,
    job: Job,
    split: splits.Split,
    origin: float,
    clock: Stopwatch,
    *,
    look: bool = True,
    say: Say | None = None,
) -> tuple[RunKind, Predictions]:
    """Train, then answer the split's test items in the dataset's own frame.

    `look` counts as one at the test split.

    `say` is told when a gaze method's answers disagree with its own training labels by a
    convention.
    """
    with clock("train"):
        kind = train_method(module, job)
    with clock("predict"):
        predict = module.predictor(job.out, job.device)
        if say and (warning := inference.convention_warning(predict, job, blame=todo.method.name)):
            say(f"warning: {warning}")
        if look:
            run_folders.add_test_look(todo.place)
        values = inference.predict_samples(
            predict, split.test, split.truth.values.shape[1:], blame=todo.method.name
        )
        return kind, _to_dataset_frame(split.truth, values, origin)


def _train_each_fold(
    todo: RunPlan,
    module: ModuleType,
    index: Index,
    folds: Sequence[str],
    device: str,
    published: Path | None,
    clock: Stopwatch,
    say: Say,
) -> tuple[RunKind, Predictions]:
    """Train and answer fold by fold, leaving out those whose answers are here.

    One look at the test split for all.
    """
    from benchbox.training import process_setup

    kind: RunKind = "trained" if hasattr(module, "train") else "weights"
    parts, looked = [], False
    for number, fold in enumerate(folds, start=1):
        out, kept = (
            run_folders.fold_work_folder(todo.place, fold),
            run_folders.fold_predictions_file(todo.place, fold),
        )
        with clock("data"):
            split = splits.split_index(todo.protocol, index, fold)
        if not kept.is_file():
            say(
                f"fold {number} of {len(folds)}: {fold}, {len(split.labelled)} labelled items to train on"
            )
            out.mkdir(exist_ok=True)
            # every fold begins alike, whether or not one came before it
            process_setup.prepare_process(device, todo.seed)
            job = _make_job(todo, split, out, device, published)
            kind, answers = _train_and_predict(
                todo,
                module,
                job,
                split,
                index.origin,
                clock,
                look=not looked,
                say=say if number == 1 else None,
            )
            prediction_files.write_predictions(kept, answers)
            looked = True
        parts.append(
            prediction_files.read_predictions(
                kept, split.truth, protocol=f"{todo.protocol.name}, fold {fold}"
            )
        )
    run_folders.gather_folds(todo.place, folds)
    return kind, Predictions(
        ids=np.concatenate([part.ids for part in parts]),
        values=np.concatenate([part.values for part in parts]),
        failed=np.concatenate([part.failed for part in parts]),
    )


def _in_truth_order(truth: Truth, answers: Predictions) -> Predictions:
    """Put answers into the order of the truth; every test item has exactly one."""
    place = {str(name): row for row, name in enumerate(answers.ids)}
    if len(place) != len(truth.ids) or len(answers.ids) != len(truth.ids):
        raise ResultError(
            f"{len(answers.ids)} answers for {len(truth.ids)} test items; report this as a bug"
        )
    rows = np.array([place[str(name)] for name in truth.ids], np.intp)
    return Predictions(ids=truth.ids, values=answers.values[rows], failed=answers.failed[rows])


def train_method(module: ModuleType, job: Job) -> RunKind:
    """Let a plugin train, if it does; return the kind of row that this makes."""
    if not hasattr(module, "train"):
        return "weights"
    return "weights" if module.train(job) == "weights" else "trained"


def derive_scores(
    place: Path,
    protocol: Protocol,
    truth: Truth,
    data: Mapping[str, Any],
    method: str,
    kind: RunKind,
) -> ScoreResult:
    """Score a run folder from its predictions file alone, and store the result."""
    answers = prediction_files.read_predictions(
        run_folders.predictions_file(place), truth, protocol=protocol.name
    )
    scores = scoring.score_predictions(protocol, truth, answers)
    variant = run_folders.variant_name(place)
    document = scoring.scores_to_json(
        scores, protocol=protocol, data=data, method=method, variant=variant, kind=kind
    )
    run_folders.save_scores(
        place, document, scores.errors, scoring.score_points(protocol, truth, answers)
    )
    return ScoreResult(protocol, scores, document)


def repeat_command(request: RunRequest) -> str:
    """Return the command that repeats a run, without the paths of this machine."""
    words = ["benchbox run", f"--method {request.method}"]
    if request.variant:
        words.append(f"--variant {request.variant}")
    words += [
        f"--protocol {request.protocol}",
        f"--seed {request.seed}",
        f"--budget {request.budget}",
    ]
    words += [f"--set {key}={value}" for key, value in sorted(request.overrides.items())]
    return " ".join(words)


def open_index(protocol: Protocol, root: Path, *, pixels: bool = True) -> Index:
    """Read a protocol's dataset.

    Raises DataError saying what is missing, where it is had and what runs without it.
    """
    require_data(protocol, root, training=pixels)
    return assemble.assemble_index(protocol, root, pixels=pixels, training=pixels)


def require_data(protocol: Protocol, root: Path, *, training: bool = True) -> None:
    """Raise DataError unless the folders that a protocol needs are there, saying where they are had."""
    for name, module in assemble.required_datasets(protocol, training=training).items():
        access = module.ACCESS
        if access.folder and not (root / access.folder).is_dir():
            twin = (
                f"; without it, --protocol {protocol.twin} runs now on synthetic faces"
                if protocol.twin
                else ""
            )
            raise DataError(
                f"{access.title} is missing: no folder {root / access.folder}; get it at {access.where} "
                f"({access.terms}), `benchbox data where {name}` shows how it must lie{twin}"
            )


def pretrained_weights(params: Mapping[str, Any], root: Path) -> Path | None:
    """Return the file or folder that the parameter `weights` names under the data root.

    None for "scratch" or none.

    Raises DataError when it is not there or lies elsewhere: a path of this machine has no place in a record.
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
        raise DataError(
            f"{root / path}: no such weights; put them there, or --set weights={SCRATCH} to begin without"
        )
    return (root / path).absolute()


def _to_dataset_frame(truth: Truth, values: Floats, origin: float) -> Predictions:
    """Move answers (N, …) from the pixel frame to the dataset's own; gaze has no origin."""
    failed = np.atleast_1d(np.isnan(values).reshape(len(values), -1).all(axis=1))
    shifted = values + origin if values.ndim == 3 else values
    return Predictions(ids=truth.ids, values=shifted, failed=failed)


def _reuse_finished_run(todo: RunPlan, data: Path) -> RunOutcome:
    """Return the finished run that is in the place of a planned one, if it is the same experiment."""
    found = run_folders.read_run(todo.place)
    same = todo.identity()
    changed = [key for key in same if found.record.get(key) != same[key]]
    if changed:
        raise ResultError(
            f"{todo.place}: a finished run with other {', '.join(changed)} is here; --fresh redoes it"
        )
    notes = [
        f"finished before, on {found.record['data'].get('variant')}; not run again, --fresh redoes it"
    ]
    if found.record["code"].get("method") != todo.code:
        notes.append("the method's code has changed since that run")
    if not run_folders.has_scores(found):
        index = open_index(todo.protocol, data, pixels=False)
        if splits.describe_data(todo.protocol, index).fingerprint != found.record["data"].get(
            "truth"
        ):
            raise ResultError(
                f"{todo.place}: its scores are gone and {data} holds other annotations than it saw"
            )
        truth = splits.ground_truth(todo.protocol, index)
        derive_scores(
            todo.place,
            todo.protocol,
            truth,
            found.record["data"],
            todo.method.name,
            found.record["kind"],
        )
    elif todo.protocol.task == "landmarks" and not run_folders.has_points(found):
        notes += _derive_points(todo, found, data)
    return RunOutcome(found, _read_score_result(todo.protocol, found), tuple(notes))


def _derive_points(todo: RunPlan, found: Run, data: Path) -> list[str]:
    """Add the statistics of each landmark to a run that was scored without.

    Return what to say where that fails.
    """
    try:
        index = open_index(todo.protocol, data, pixels=False)
    except DataError:
        return ["no statistics of single landmarks: they need the annotations, which are not here"]
    if splits.describe_data(todo.protocol, index).fingerprint != found.record["data"].get("truth"):
        return [
            "no statistics of single landmarks: the annotations here are not those that it was scored with"
        ]
    truth = splits.ground_truth(todo.protocol, index)
    answers = prediction_files.read_predictions(
        run_folders.predictions_file(todo.place), truth, protocol=todo.protocol.name
    )
    points = scoring.score_points(todo.protocol, truth, answers)
    if points is not None:
        run_folders.save_points(todo.place, points)
    return []


def _read_score_result(protocol: Protocol, found: Run) -> ScoreResult:
    """Read a run's scores back; raises ResultError when the document is damaged."""
    document, errors = run_folders.read_scores(found), run_folders.read_errors(found)
    try:
        groups = {
            group: {
                name: Score(entry["value"], entry["unit"], entry.get("low"), entry.get("high"))
                for name, entry in metrics.items()
            }
            for group, metrics in document["scores"].items()
        }
        scores = Scores(
            groups, document["n"], document["failed"], errors, document.get("scorer", 1)
        )
    except (KeyError, TypeError, AttributeError) as fault:
        raise ResultError(
            f"{found.folder}: damaged scores; delete scores.json, the same command derives it"
        ) from fault
    return ScoreResult(protocol, scores, document)


def _make_record(
    todo: RunPlan, kind: RunKind, device: str, data: Mapping[str, Any], line: str
) -> dict[str, Any]:
    return {
        "kind": kind,
        "method": todo.method.name,
        "variant": todo.variant,
        "overrides": dict(todo.overrides),
        "params": dict(todo.params),
        **protocol_facts(todo.protocol, data),
        "seed": todo.seed,
        "budget": todo.budget,
        "command": line,
        "code": provenance.code_version(todo.code),
        "environment": provenance.run_environment(device),
    }


def protocol_facts(protocol: Protocol, data: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a record says of protocol and data."""
    return {
        "protocol": protocol.name,
        "card": protocol.card,
        "box": protocol.box,
        "data": dict(data),
    }


class Stopwatch:
    """Seconds by name, as `with clock("train"):` measures them."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        """Add what happens inside to the seconds of `name`."""
        start = time.perf_counter()
        yield
        self.seconds[name] = round(self.seconds.get(name, 0.0) + time.perf_counter() - start, 3)
