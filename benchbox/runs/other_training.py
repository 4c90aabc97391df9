"""Weights of another run's training: what they must fit, and whose they are.

`run --weights-of RUN --protocol OTHER` tests a finished training on another card: other boxes,
perturbed ones, another data set. The record of such a run names the training: its run, card, data,
code and the digests of its weights. Everything that does not fit is refused: another task or
layout, other boxes beside the face's, a run with a model per fold, weights that are gone or not
those of the record, and above all a training set with test items of the other card.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchbox import layouts
from benchbox.datasets import assemble, select
from benchbox.datasets import split as splits
from benchbox.errors import DataError, ProtocolError, ResultError
from benchbox.types import Index, MethodCard, Protocol, Run

from . import kept_cards, run_folders, run_identity
from .run_identity import RunIdentity
from .run_record import DataFacts, RunRecord, TrainingOrigin

if TYPE_CHECKING:
    from benchbox.plugins.code_digest import CodeDigests

    from .run_plan import RunRequest

# data sets with pictures of the same people or photographs under other names
_RELATED = (
    {"mpiigaze", "mpiifacegaze", "mpiigaze-small"},
    {"synth-mpiigaze", "synth-mpiifacegaze"},
    {"cofw", "cofw68"},
    {"synth-cofw", "synth-cofw68"},
    {"wflw", "glsr-release"},
    {"aflw", "aflw2000-3d", "aflw2000-3d-reannotated"},
    {"synth-aflw", "synth-aflw2000-3d", "synth-aflw2000-3d-reannotated"},
    {"300w", "300w-lp"},
    {"gaze360", "gaze360-gazehub"},
    {"gazecapture", "gazecapture-faze", "gazecapture-sted"},
)
# sets that hold no training part of their own and take another set's, under its name
_PARTS_OF_ANOTHER_SET = {
    ("gazestare", "gazecn/train"): ("gazecn", "train"),
    ("synth-gazestare", "gazecn/train"): ("synth-gazecn", "train"),
}
_NAMED_ITEMS = 3


@dataclass(frozen=True, eq=False)
class Training:
    """A finished run whose training is tested on another card."""

    run: Run
    card: Protocol  # that it was trained under
    origin: TrainingOrigin  # what the record of the test says of it


def open_training(argument: Path, results: Path, tested: Protocol) -> Training:
    """Return the training that an argument names, for a test on another card.

    Raises ResultError or ProtocolError for what is none or does not fit that card.
    """
    run = find_training(argument, results)
    if run.record.kind == "submitted":
        raise ResultError(f"{run.folder}: was predicted elsewhere and has no weights here")
    card = load_training_card(run)
    if run.protocol == tested.name:
        raise ResultError(f"{run.folder}: is this method's run on {tested.name} already")
    require_fit(card, tested)
    return Training(run, card, describe_origin(run, card, tested))


def ask_as_trained(request: RunRequest, run: Run) -> RunRequest:
    """Return a request with variant, seed, budget and overrides of a training."""
    record = run.record
    if run.method != request.method:
        raise ResultError(f"{run.folder}: is a run of {run.method}, not of {request.method}")
    overrides = {key: str(value) for key, value in record.overrides.items()}
    return replace(
        request,
        variant=record.variant,
        seed=record.seed or 0,
        budget=record.budget or "quick",
        overrides=overrides,
    )


def require_same_method(
    run: Run, method: MethodCard, params: Mapping[str, Any], code: CodeDigests
) -> None:
    """Raise ResultError unless a method's parameters and code are those of a training."""
    record = run.record
    wanted = RunIdentity(record.card, params, record.seed or 0, record.budget or "quick")
    differences = run_identity.describe_differences(record, wanted, method.before)
    if difference := run_identity.describe_code_difference(record, code):
        differences.append(difference)
    if differences:
        raise ResultError(
            f"{run.folder}: was trained with {', '.join(differences)}; train it again with --stale"
        )


def find_training(argument: Path, results: Path) -> Run:
    """Return the finished run that an argument names: its folder, or its place below `results`.

    Raises ResultError for none, for several seeds, and for a run whose weights are another's.
    """
    for folder in (argument, results / argument):
        if run_folders.is_finished(folder):
            run = run_folders.read_run(folder)
            if run.record.trained_by is not None:
                raise ResultError(
                    f"{argument}: has the weights of {run.record.trained_by.run} itself; "
                    "name that run"
                )
            return run
        seeds = sorted(path.name for path in folder.glob("*") if run_folders.is_finished(path))
        if seeds:
            raise ResultError(
                f"{argument}: holds the seeds {', '.join(seeds)}; name one: {argument}/{seeds[0]}"
            )
    raise ResultError(
        f"--weights-of {argument}: no finished run here or below {results}; "
        "`benchbox list results` names them: PROTOCOL/METHOD/VARIANT/SEED"
    )


def load_training_card(run: Run) -> Protocol:
    """Return the card that a run was trained under.

    Raises ResultError where the card has changed since: it no longer says what was trained on.
    """
    card = kept_cards.load_card_of_run(run)
    if card.card != run.record.card:
        raise ResultError(
            f"{run.folder}: the card of {run.protocol} has changed since this training; "
            "train it again (`benchbox run --stale`)"
        )
    return card


def require_fit(trained: Protocol, tested: Protocol) -> None:
    """Raise ProtocolError unless what was trained under one card can answer another one."""
    what = f"what {trained.name} trains cannot be tested on {tested.name}"
    if trained.task != tested.task:
        raise ProtocolError(f"{what}: it is {trained.task}, the other is {tested.task}")
    layout, wanted = layouts.find_layout(trained), layouts.find_layout(tested)
    if layout != wanted:
        names = [found.name if found else "none" for found in (layout, wanted)]
        raise ProtocolError(f"{what}: its points are {names[0]}, the other's are {names[1]}")
    if set(trained.extra_boxes) != set(tested.extra_boxes):
        given = ", ".join(trained.extra_boxes) or "none"
        others = ", ".join(tested.extra_boxes) or "none"
        raise ProtocolError(
            f"{what}: it is given the further boxes {given}, the other gives {others}"
        )
    if trained.folds:
        raise ProtocolError(
            f"{what}: it has a model for each fold, and every item of its data was trained on"
        )


def compare_training(trained: Protocol, tested: Protocol) -> str:
    """Say in what a training differs from the one that the tested card asks for.

    "" in nothing; "boxes" where the same items come in other boxes; "set" for another set.
    """
    if tested.folds or not tested.train_parts or _training_set(trained) != _training_set(tested):
        return "set"
    boxes = (trained.box, trained.box_expansion)
    if boxes != (tested.box, tested.box_expansion):
        return "boxes"
    return ""


def _training_set(card: Protocol) -> tuple[object, ...]:
    """Return what decides the items and labels that a card trains on."""
    dataset = card.train_dataset or card.dataset
    return (
        sorted(
            _PARTS_OF_ANOTHER_SET.get((dataset, part), (dataset, part)) for part in card.train_parts
        ),
        card.source,
        sorted(card.validation_parts),
        card.labelled,
        card.draw,
        card.validation,
        card.holdout,
        card.extra,
        card.noise,
    )


def require_no_test_items(training: Training, tested: Protocol, test: Index, root: Path) -> None:
    """Raise unless no item of a test set was trained on; test items never reach training.

    `test` is the index of the tested card. The training set is read again from the data under
    `root`, and must be the one that the record names.
    """
    run, trained = training.run, training.card
    try:
        index, data = read_training_data(trained, root, run.record.data)
    except DataError as fault:
        raise DataError(
            f"{run.folder}: nobody can tell whether it was trained on test items of {tested.name} "
            f"without its training data: {fault}"
        ) from fault
    difference = run_identity.describe_data_difference(run.record.data, data)
    if difference:
        raise DataError(
            f"{run.folder}: nobody can tell whether it was trained on test items of {tested.name}: "
            f"it was trained on {difference}"
        )
    trained_rows, tested_rows = _training_rows(trained, index), _test_rows(tested, test)
    shared = _shared_items(trained, index, trained_rows, tested, test, tested_rows, root)
    if shared:
        named = ", ".join(shared[:_NAMED_ITEMS])
        raise DataError(
            f"{run.folder}: was trained on {len(shared)} of the {len(tested_rows)} test items of "
            f"{tested.name} ({named}); test items never reach training"
        )


def read_training_data(card: Protocol, root: Path, recorded: DataFacts) -> tuple[Index, DataFacts]:
    """Read what a card trains and tests on, and describe it as the record of a run does.

    Items without a picture are left out only where the record is of such a copy.
    """
    index, data = _read_and_describe(card, root, pixels=False)
    if run_identity.describe_data_difference(recorded, data):
        index, data = _read_and_describe(card, root, pixels=True)
    return index, data


def _read_and_describe(card: Protocol, root: Path, *, pixels: bool) -> tuple[Index, DataFacts]:
    index = assemble.assemble_index(card, root, pixels=pixels)
    fold = splits.fold_names(card, index)[0]
    facts = splits.split_index(card, index, fold).data
    truth = splits.describe_data(card, index).fingerprint
    return index, DataFacts(**vars(facts), truth=truth)


def _training_rows(card: Protocol, index: Index) -> np.ndarray:
    """Return all rows that a training saw, unlabelled ones and those held out included."""
    members = (*card.train_parts, *card.validation_parts)
    chosen = select.select_rows(index, members) | (index.parts == assemble.EXTRA)
    return np.flatnonzero(chosen)


def _test_rows(card: Protocol, index: Index) -> np.ndarray:
    return np.flatnonzero(select.select_rows(index, card.groups[card.overall]))


def _shared_items(
    trained: Protocol,
    index: Index,
    rows: np.ndarray,
    tested: Protocol,
    test: Index,
    test_rows: np.ndarray,
    root: Path,
) -> list[str]:
    """Name the test items that were trained on: by id, by file, in related sets by cluster."""
    sources = _training_sources(trained)
    source = _source_name(tested, tested.dataset)
    seen_ids = {_plain(name) for name in index.ids[rows]}
    seen_files = set(_files_of(trained, root, index.ids[rows]))
    seen_clusters = set(index.clusters[rows].tolist())
    files = _files_by_id(tested, root)
    related = _are_related(sources, source)
    shared = []
    for row in test_rows:
        name = str(test.ids[row])
        same = source in sources and _plain(name) in seen_ids
        same = same or (name in files and files[name].resolve() in seen_files)
        if same or (related and str(test.clusters[row]) in seen_clusters):
            shared.append(name)
    return shared


def _plain(name: object) -> str:
    """Return an id without blanks: copies spell one 300-W name both ways."""
    return str(name).replace(" ", "")


def _training_sources(card: Protocol) -> set[str]:
    """Name the data sets that a card trains on."""
    names = {_source_name(card, card.train_dataset or card.dataset)}
    if card.validation_parts:
        names.add(_source_name(card, card.dataset))
    if card.extra:
        names.add(card.extras[card.extra].dataset)
    return names


def _source_name(card: Protocol, dataset: str) -> str:
    """Name a data set; two cards of a person's own files read the same only from the same files."""
    if card.source is None or dataset != card.dataset:
        return dataset
    return f"files in {card.source.images}"


def _are_related(sources: Iterable[str], tested: str) -> bool:
    return any({one, tested} <= family and one != tested for one in sources for family in _RELATED)


def _files_by_id(card: Protocol, root: Path) -> dict[str, Path]:
    """Return the picture's file of every id, for data sets that can tell."""
    files: dict[str, Path] = {}
    for dataset in assemble.required_datasets(card).values():
        find_files = getattr(dataset, "picture_files", None)
        if find_files is not None:
            files |= find_files(root)
    return files


def _files_of(card: Protocol, root: Path, ids: np.ndarray) -> list[Path]:
    files = _files_by_id(card, root)
    return [files[str(name)].resolve() for name in ids if str(name) in files]


# --- weights --------------------------------------------------------------------------------------


def require_weights(run: Run, outside: Iterable[str] = ()) -> Path:
    """Return the folder with a run's weights.

    `outside` names files that lie elsewhere. Raises ResultError unless all that the record names
    are there, unchanged.
    """
    work = run_folders.work_folder(run.folder)
    apart = set(outside)
    recorded = {name: one for name, one in run.record.digests.weights.items() if name not in apart}
    if not recorded:
        raise ResultError(
            f"{run.folder}: left no weights; `benchbox run` tests its method on any protocol"
        )
    found = run_folders.hash_weights(work)
    missing = [name for name in recorded if name not in found]
    if missing:
        raise ResultError(
            f"{run.folder}: its weights are not here (work/{missing[0]}); "
            "train it again with --fresh, or put its work folder back"
        )
    changed = [name for name, digest in recorded.items() if found[name] != digest]
    if changed:
        raise ResultError(
            f"{run.folder}: work/{changed[0]} is not what its record was made with; "
            "train it again with --fresh"
        )
    return work


# --- what a record says ---------------------------------------------------------------------------


def describe_origin(run: Run, trained: Protocol, tested: Protocol) -> TrainingOrigin:
    """Say whose training a run on another card rests on."""
    record = run.record
    return TrainingOrigin(
        run="/".join((run.protocol, run.method, run.variant, run.seed)),
        protocol=run.protocol,
        card=record.card,
        record=run_folders.hash_record(run.folder),
        data=record.data,
        code=record.code.method,
        weights=dict(record.digests.weights),
        seconds=record.seconds.get("train"),
        differs=compare_training(trained, tested),
    )


def join_data(origin: TrainingOrigin, card: Protocol, index: Index) -> DataFacts:
    """Describe the data of a run on another card: the training's items, this card's test."""
    tested = splits.describe_data(card, index)
    boxes = splits.fingerprint_test(card, index)
    pieces = [*origin.data.variant.split(", "), *tested.variant.split(", ")]
    unusual = [piece for piece in dict.fromkeys(pieces) if piece != "complete"]
    notes = list(tested.notes)
    for note in origin.data.notes:
        if note.startswith(f"{origin.data.dataset}: "):
            notes.append(note)
        else:
            notes.append(f"{origin.data.dataset}: {note}")
    joined = hashlib.sha256(f"{origin.data.fingerprint} {boxes}".encode()).hexdigest()
    return DataFacts(
        dataset=tested.dataset,
        variant=", ".join(unusual) or "complete",
        fingerprint=f"sha256:{joined}",
        notes=tuple(notes),
        train=origin.data.train,
        test=tested.test,
        truth=tested.fingerprint,
    )


def compare_weights(record: RunRecord, now: TrainingOrigin) -> list[str]:
    """Name in what the weights of a finished run are not those of a training."""
    before = record.trained_by
    if before is not None and dict(before.weights) == dict(now.weights):
        return []
    return [f"other weights than {now.run} has"]


def rename_origin(origin: Mapping[str, Any], facts: Mapping[str, str]) -> dict[str, Any]:
    """Return the table of a record that names a training, under another method's name."""
    protocol, method, variant, seed = str(origin["run"]).split("/")
    method = facts.get("method", method)
    return {**origin, "run": "/".join((protocol, method, variant, seed))}
