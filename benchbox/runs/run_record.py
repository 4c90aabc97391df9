"""What run.json and scores.json hold, as frozen values: checked once, written in one order.

`run_folders` reads them from disk; everybody else gets a `RunRecord` or a `ScoreFile` and looks up
fields, not keys. What older or foreign files lack is "", None or empty; what is there and of the
wrong type is refused, naming file and key.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, TypeVar

from benchbox.errors import ResultError
from benchbox.types import FACT_KEYS, SEEN_TEST, WORK_KEYS, RunKind, Score

KINDS: tuple[RunKind, ...] = ("weights", "trained", "submitted")
_TABLES = ("data", "digests", "environment", "code", "seconds", "overrides", "params")
DIFFERENCES = ("", "boxes", "set")  # of a training from the one that a protocol asks for
_RUN_LEVELS = 4  # folders that name a run
_RUN_AGAIN = "run it again with --fresh"
_SCORE_AGAIN = "delete it and score again"
DEAD_SHARE = 0.5  # of a stage's layers or units, above which it is said to have ended dead
_LARGEST = {"1": 1.0 + 1e-9}  # unit → largest value: a fraction is at most all

_Facts = TypeVar("_Facts", "CodeVersion", "Environment")


@dataclass(frozen=True)
class DataFacts:
    """The data that a run saw."""

    dataset: str
    variant: str  # "complete", "train 2012 of 3148, moved annotations"
    fingerprint: str  # "sha256:…" over training and test items
    notes: tuple[str, ...]
    train: int  # training items used
    test: int
    truth: str = ""  # fingerprint of the test items alone


@dataclass(frozen=True)
class CodeVersion:
    """The code that a run comes from; None where it is not known."""

    benchbox: str | None
    commit: str | None
    dirty: bool | None  # whether the sources differed from the commit
    method: str | None  # digest of the method's folder
    # digest of what its code means (`plugins.code_digest`); older records have none
    method_meaning: str | None = None
    # distribution and version that the method comes from; None for a folder given by hand
    source: str | None = None


@dataclass(frozen=True)
class Environment:
    """Interpreter, libraries and hardware; None where one is not there."""

    python: str | None = None
    torch: str | None = None
    numpy: str | None = None
    opencv: str | None = None
    onnxruntime: str | None = None
    platform: str | None = None
    cpu: str | None = None
    cores: int | None = None
    gpu: str | None = None
    device: str | None = None


@dataclass(frozen=True)
class OutputDigests:
    """Hashes "sha256:…" of what a run left; arrays by their content (`prediction_files`)."""

    predictions: str
    weights: Mapping[str, str]  # path below work/ → hash
    pseudo_labels: str = ""
    source: str = ""  # the file that was submitted

    def to_json(self) -> dict[str, Any]:
        """Return the table as run.json holds it."""
        table: dict[str, Any] = {"predictions.npz": self.predictions}
        if self.pseudo_labels:
            table["pseudo_labels.npz"] = self.pseudo_labels
        table["weights"] = dict(self.weights)
        if self.source:
            table["source"] = self.source
        return table


@dataclass(frozen=True)
class TrainingOrigin:
    """Whose training a run's weights are, where they were trained under another protocol."""

    run: str  # "300w-full/glsr/glsr/1": protocol, method, variant's folder, seed
    protocol: str
    card: str  # hash of the card that it was trained under
    record: str  # hash of its run.json
    data: DataFacts  # of its training and its own test
    code: str | None  # digest of the method's folder then
    weights: Mapping[str, str]  # path below its work/ → hash
    seconds: float | None  # that the training took
    differs: str  # from what this protocol trains on: "", "boxes", "set" (`other_training`)


@dataclass(frozen=True)
class RunRecord:
    """The record of one run, run.json without its schema."""

    kind: RunKind
    method: str
    variant: str  # without the overrides
    overrides: Mapping[str, Any]  # parameters that --set moved
    params: Mapping[str, Any]
    protocol: str
    card: str  # hash of the protocol card
    box: str
    data: DataFacts
    seed: int | None  # None: submitted
    budget: str | None  # None: submitted
    command: str
    code: CodeVersion
    environment: Environment
    started: str  # "2026-01-31T12:00:00Z"
    seconds: Mapping[str, float]  # stage → seconds of the last session
    training: Mapping[str, Any]  # what the recipe noted
    digests: OutputDigests
    sessions: int | None = None  # how often the job was started; None: submitted
    profile: Mapping[str, Any] = field(default_factory=dict)  # size of the networks
    test_looks: int | None = None  # how often the test split was looked at
    # what was said of the row, of WORK_KEYS and FACT_KEYS
    stated: Mapping[str, str] = field(default_factory=dict)
    trained_by: TrainingOrigin | None = None  # the run whose weights these are; None: its own

    def to_json(self) -> dict[str, Any]:
        """Return the document that run.json holds, keys in its order."""
        document: dict[str, Any] = {
            "kind": self.kind,
            "method": self.method,
            "variant": self.variant,
            "overrides": dict(self.overrides),
            "params": dict(self.params),
            "protocol": self.protocol,
            "card": self.card,
            "box": self.box,
            "data": asdict(self.data),
            "seed": self.seed,
            "budget": self.budget,
            "command": self.command,
            "code": asdict(self.code),
            "environment": asdict(self.environment),
            "started": self.started,
        }
        if self.sessions is not None:
            document["sessions"] = self.sessions
        if self.trained_by is not None:
            document["trained_by"] = asdict(self.trained_by)
        document["seconds"] = dict(self.seconds)
        document["training"] = dict(self.training)
        if self.profile:
            document["profile"] = dict(self.profile)
        document["test_looks"] = self.test_looks
        if self.stated:
            document["stated"] = dict(self.stated)
        document["digests"] = self.digests.to_json()
        return document


@dataclass(frozen=True)
class ScoreFile:
    """The scores of one run, scores.json without its schema."""

    card: str  # hash of the protocol card
    scorer: int  # version of the scoring code
    count: int  # test items
    failed: int  # of them without an answer
    groups: Mapping[str, Mapping[str, Score]]  # group → metric → score

    def values_by_group(self) -> dict[str, dict[str, float | None]]:
        """Return group → metric → value, without intervals and units."""
        values: dict[str, dict[str, float | None]] = {}
        for group, scores in self.groups.items():
            values[group] = {name: score.value for name, score in scores.items()}
        return values


def describe_dead_training(training: Mapping[str, Any]) -> str:
    """Say which stages of a training ended dead, "" where none did.

    Dead is a stage of which more than `DEAD_SHARE` of the layers, or of the units, got no gradient
    at its end (`training.dead_units`). Folds are looked at each.

    >>> describe_dead_training({"stages": {"net": {"dead_units": 0.02, "dead_layers": 0.0}}})
    ''
    >>> describe_dead_training({"stages": {"net": {"dead_units": 0.9, "dead_layers": 0.75}}})
    'training ended dead: stage net, 75 % of its layers and 90 % of its units got no gradient'
    """
    dead = []
    for name, stage in _training_stages(training):
        layers, units = (_share(stage, key) for key in ("dead_layers", "dead_units"))
        if max(layers, units) > DEAD_SHARE:
            dead.append(
                f"stage {name}, {100 * layers:.0f} % of its layers and {100 * units:.0f} % of its "
                "units got no gradient"
            )
    return f"training ended dead: {'; '.join(dead)}" if dead else ""


def _training_stages(training: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the stages that a recipe noted, of each fold where there are several."""
    for name, stage in _table(training, "stages").items():
        if isinstance(stage, dict):
            yield name, stage
    for fold, notes in _table(training, "folds").items():
        if isinstance(notes, dict):
            for name, stage in _training_stages(notes):
                yield f"{fold}/{name}", stage


def _share(stage: Mapping[str, Any], key: str) -> float:
    """Return a noted share; 0 where there is none."""
    value = stage.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return 0.0
    return float(value)


# --- reading --------------------------------------------------------------------------------------


def parse_record(document: Mapping[str, Any], where: str) -> RunRecord:
    """Check the document of a run.json.

    Raises ResultError for a key that is missing or of the wrong type; `where` names the file.
    """
    if document.get("kind") not in KINDS:
        raise ResultError(f"{where}: kind = {document.get('kind')!r}; known: {', '.join(KINDS)}")
    for key in _TABLES:
        if not isinstance(document.get(key), dict):
            raise ResultError(f"{where}: {key!r} is missing or no table; {_RUN_AGAIN}")
    return RunRecord(
        kind=document["kind"],
        method=_text(document, "method", where),
        variant=_text(document, "variant", where),
        overrides=document["overrides"],
        params=document["params"],
        protocol=_text(document, "protocol", where),
        card=_text(document, "card", where, ""),
        box=_text(document, "box", where, ""),
        data=_data_facts(document["data"], f"{where} data"),
        seed=_optional_count(document, "seed", where),
        budget=_optional_text(document, "budget", where),
        command=_text(document, "command", where, ""),
        code=_known_facts(CodeVersion, document["code"]),
        environment=_known_facts(Environment, document["environment"]),
        started=_text(document, "started", where, ""),
        seconds=document["seconds"],
        training=_table(document, "training"),
        digests=_digests(document["digests"], f"{where} digests"),
        sessions=_optional_count(document, "sessions", where),
        profile=_table(document, "profile"),
        test_looks=_optional_count(document, "test_looks", where),
        stated=_stated(document, f"{where} stated"),
        trained_by=_training_origin(document.get("trained_by"), f"{where} trained_by"),
    )


def parse_scores(document: Mapping[str, Any], where: str) -> ScoreFile:
    """Check the document of a scores.json; raises ResultError as `parse_record`."""
    groups = document.get("scores")
    if not isinstance(groups, dict):
        raise ResultError(f"{where}: 'scores' must hold one table per group; {_SCORE_AGAIN}")
    parsed = {}
    for group, entries in groups.items():
        if not isinstance(entries, dict):
            raise ResultError(f"{where}: 'scores' must hold one table per group; {_SCORE_AGAIN}")
        parsed[group] = {
            name: _parse_score(entry, f"{where}: {group}.{name}") for name, entry in entries.items()
        }
    return ScoreFile(
        card=_text(document, "card", where),
        scorer=_count(document, "scorer", where, 1),
        count=_count(document, "n", where),
        failed=_count(document, "failed", where),
        groups=parsed,
    )


def _parse_score(entry: object, where: str) -> Score:
    if not isinstance(entry, dict) or not isinstance(entry.get("unit"), str):
        raise ResultError(
            f"{where} must be a table with value and unit; delete the file and score again"
        )
    value = _number(entry, "value", where)
    if value is not None and not 0 <= value <= _LARGEST.get(entry["unit"], math.inf):
        raise ResultError(f"{where} holds {value}, which no error or share can be; {_SCORE_AGAIN}")
    return Score(
        value=value,
        unit=entry["unit"],
        low=_number(entry, "low", where),
        high=_number(entry, "high", where),
    )


def _number(entry: Mapping[str, Any], key: str, where: str) -> float | None:
    value = entry.get(key)
    if value is None:
        return None
    if type(value) is float and math.isfinite(value):
        return value  # nearly all of the millions that a large results folder has
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not math.isfinite(value):
        raise ResultError(
            f"{where} holds {value!r}, expected a finite number; delete the file and score again"
        )
    return float(value)


def _data_facts(table: Mapping[str, Any], where: str) -> DataFacts:
    notes = table.get("notes")
    if not isinstance(notes, list):
        notes = []
    return DataFacts(
        dataset=_text(table, "dataset", where, ""),
        variant=_text(table, "variant", where, ""),
        fingerprint=_text(table, "fingerprint", where, ""),
        notes=tuple(str(note) for note in notes),
        train=_count(table, "train", where, 0),
        test=_count(table, "test", where, 0),
        truth=_text(table, "truth", where, ""),
    )


def _training_origin(table: object, where: str) -> TrainingOrigin | None:
    if table is None:
        return None
    if not isinstance(table, dict) or not isinstance(table.get("data"), dict):
        raise ResultError(f"{where}: is no table with the data of a training; {_RUN_AGAIN}")
    run, differs = _text(table, "run", where), _text(table, "differs", where)
    parts = run.split("/")
    is_run = len(parts) == _RUN_LEVELS and not {"", ".", ".."}.intersection(parts)
    if not is_run or differs not in DIFFERENCES:
        raise ResultError(f"{where}: names no run, or an unknown difference; {_RUN_AGAIN}")
    return TrainingOrigin(
        run=run,
        protocol=_text(table, "protocol", where),
        card=_text(table, "card", where),
        record=_text(table, "record", where),
        data=_data_facts(table["data"], f"{where} data"),
        code=_optional_text(table, "code", where),
        weights=_table(table, "weights"),
        seconds=_number(table, "seconds", where),
        differs=differs,
    )


def _digests(table: Mapping[str, Any], where: str) -> OutputDigests:
    return OutputDigests(
        predictions=_text(table, "predictions.npz", where, ""),
        weights=_table(table, "weights"),
        pseudo_labels=_text(table, "pseudo_labels.npz", where, ""),
        source=_text(table, "source", where, ""),
    )


def _stated(document: Mapping[str, Any], where: str) -> dict[str, str]:
    """Read what was said of the row; a statement about the test items is one of three."""
    table = _table(document, "stated")
    known = {key: _text(table, key, where, "") for key in (*WORK_KEYS, *FACT_KEYS)}
    stated = {key: text for key, text in known.items() if text}
    seen = stated.get("seen_test", "unknown")
    if seen not in SEEN_TEST:
        raise ResultError(f"{where}: seen_test = {seen!r}; known: {', '.join(SEEN_TEST)}")
    return stated


def _known_facts(kind: type[_Facts], table: Mapping[str, Any]) -> _Facts:
    """Return the facts that are named; what an older record lacks is None."""
    return kind(**{fact.name: table.get(fact.name) for fact in fields(kind)})


def _table(document: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = document.get(key)
    if not isinstance(value, dict):
        return {}
    return value


def _text(table: Mapping[str, Any], key: str, where: str, default: str | None = None) -> str:
    value = table.get(key)
    if value is None:
        value = default
    if not isinstance(value, str):
        raise ResultError(f"{where}: {key!r} is {value!r}, expected a text; {_RUN_AGAIN}")
    return value


def _count(table: Mapping[str, Any], key: str, where: str, default: int | None = None) -> int:
    value = table.get(key)
    if value is None:
        value = default
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ResultError(f"{where}: {key!r} is {value!r}, expected a count; {_RUN_AGAIN}")
    return value


def _optional_text(table: Mapping[str, Any], key: str, where: str) -> str | None:
    if table.get(key) is None:
        return None
    return _text(table, key, where)


def _optional_count(table: Mapping[str, Any], key: str, where: str) -> int | None:
    if table.get(key) is None:
        return None
    return _count(table, key, where)
