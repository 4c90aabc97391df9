"""What makes two runs the same: card, data, code, parameters, seed and budget.

A number belongs to all of these. `run`, `sweep`, `report`, `check` and `compare` ask here whether
two records agree, so that a fact that is recorded is also compared.

Data have two fingerprints: of what was trained and tested on, and of the test annotations alone. A
set that we render ourselves is known by the version of its generator instead: its coordinates are
computed, and between processors and libraries their last bits differ.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchbox.errors import ResultError
from benchbox.plugins.code_digest import CodeDigests

from .run_record import CodeVersion, DataFacts, RunRecord

_RENDERED = "synth-"  # how the names of rendered sets begin
_GENERATOR = "generator "  # in the note of such a set, with the generator's version
_OFFICIAL = ("complete", "original annotations")  # pieces of a data variant
_SHOWN_DIGITS = 12
_NAMED_PARAMS = 3  # that one message names


class OtherRunError(ResultError):
    """A finished run lies where another one was asked for; the message says what differs."""


@dataclass(frozen=True)
class RunIdentity:
    """What a run is made from, code and data aside."""

    card: str
    params: Mapping[str, Any]
    seed: int
    budget: str


# --- data -----------------------------------------------------------------------------------------


def name_truth(data: DataFacts) -> str:
    """Return what the test annotations are known by; equal names, equal annotations."""
    generators = _generator_notes(data, training=False)
    if generators:
        return f"{data.dataset}, {data.test} items, {'; '.join(generators)}"
    return data.truth


def name_data(data: DataFacts) -> str:
    """Return what the data of a training and its test are known by."""
    generators = _generator_notes(data, training=True)
    if generators:
        sizes = f"{data.train} and {data.test} items"
        return f"{data.dataset}, {data.variant}, {sizes}, {'; '.join(generators)}"
    return data.fingerprint


def is_known_by_bytes(data: DataFacts) -> bool:
    """Tell whether the test annotations have a recorded fingerprint that decides."""
    return bool(data.truth) and not _generator_notes(data, training=False)


def _generator_notes(data: DataFacts, *, training: bool) -> list[str]:
    """Return the notes that name generators; () of data that are not rendered here.

    Notes about another set, which was trained on, begin with its name.
    """
    if not data.dataset.startswith(_RENDERED):
        return []
    found = []
    for note in data.notes:
        if _GENERATOR in note and (training or not note.startswith(_RENDERED)):
            found.append(note)
    return found


@dataclass(frozen=True)
class OtherData:
    """How the data of a record differ from those of most others; "" where in nothing."""

    words: str = ""
    truth: bool = False  # in the test annotations: each error is measured against others


def find_other_data(records: Sequence[RunRecord]) -> list[OtherData]:
    """Compare the data of each record with those of most records of its protocol and card.

    Among equally many the latest count. Trainings on data that their variant names as others than
    the complete official ones are told by that name, not here.
    """
    of_card: dict[tuple[str, str], list[RunRecord]] = {}
    for record in records:
        of_card.setdefault((record.protocol, record.card), []).append(record)
    usual = {key: (_usual_truth(alike), _usual_data(alike)) for key, alike in of_card.items()}
    return [_other_data(record, *usual[record.protocol, record.card]) for record in records]


def _other_data(record: RunRecord, truth: str, training: str) -> OtherData:
    own_truth, own_data = name_truth(record.data), name_data(record.data)
    if own_truth != truth:
        return OtherData(
            f"measured on other test annotations ({short_digest(own_truth)}) "
            f"than the rows beside it ({short_digest(truth)})",
            truth=True,
        )
    origin = record.trained_by
    if origin is not None and origin.differs == "set":
        return OtherData(f"trained under {origin.protocol}, on another training set")
    if _is_official_training(record) and own_data != training:
        return OtherData(
            f"other training data or boxes ({short_digest(own_data)}) "
            f"than the rows beside it ({short_digest(training)})"
        )
    return OtherData()


def _usual_truth(records: Iterable[RunRecord]) -> str:
    return _most_common([(name_truth(record.data), record.started) for record in records])


def _usual_data(records: Iterable[RunRecord]) -> str:
    trained = [record for record in records if _is_official_training(record)]
    return _most_common([(name_data(record.data), record.started) for record in trained])


def _is_official_training(record: RunRecord) -> bool:
    if record.kind != "trained" or record.trained_by is not None:
        return False
    return not unofficial_data(record.data.variant, record.kind)


def unofficial_data(variant: str, kind: str) -> str:
    """Return what a named data variant has that the official set has not.

    Training data bind only who trained.
    """
    pieces = variant.split(", ") if variant else ["not recorded"]
    unofficial = []
    for piece in pieces:
        counts = kind == "trained" or not piece.startswith("train ")
        if counts and piece not in _OFFICIAL:
            unofficial.append(piece)
    return ", ".join(unofficial)


def _most_common(dated_names: Sequence[tuple[str, str]]) -> str:
    """Return the most frequent of names with a time each, the latest among equals."""
    counts: Counter[str] = Counter()
    latest: dict[str, str] = {}
    for name, started in dated_names:
        counts[name] += 1
        latest[name] = max(latest.get(name, ""), started)

    def precedence(name: str) -> tuple[int, str, str]:
        return counts[name], latest[name], name

    return max(counts, key=precedence, default="")


def short_digest(name: str) -> str:
    """Shorten a digest for a message; other names stay."""
    if name.startswith("sha256:"):
        return name.removeprefix("sha256:")[:_SHOWN_DIGITS]
    return name or "not recorded"


# --- two runs -------------------------------------------------------------------------------------


def describe_differences(
    record: RunRecord, wanted: RunIdentity, before: Mapping[str, Any]
) -> list[str]:
    """Say in what a record differs from a run that is asked for; data and code aside.

    `before` holds the values of parameters that the method had no name for at the record's time.
    """
    differences = []
    if record.card != wanted.card:
        differences.append(
            f"another protocol card ({short_digest(record.card)}, now {short_digest(wanted.card)})"
        )
    params = {**before, **record.params}
    changed = []
    for name in sorted({*params, *wanted.params}):
        if params.get(name) != wanted.params.get(name):
            changed.append(
                f"{name} = {params.get(name, 'none')}, now {wanted.params.get(name, 'none')}"
            )
    if changed:
        shown = "; ".join(changed[:_NAMED_PARAMS])
        if len(changed) > _NAMED_PARAMS:
            shown += f"; {len(changed) - _NAMED_PARAMS} more"
        differences.append(f"other params ({shown})")
    if record.seed != wanted.seed:
        differences.append(f"another seed ({record.seed})")
    if record.budget != wanted.budget:
        differences.append(f"another budget ({record.budget})")
    return differences


def describe_data_difference(record: DataFacts, now: DataFacts) -> str:
    """Say in what the data of a record differ from those that are here, "" where in nothing."""
    then_truth, now_truth = name_truth(record), name_truth(now)
    if then_truth != now_truth:
        return (
            f"other test annotations ({short_digest(then_truth)}, "
            f"the data here {short_digest(now_truth)})"
        )
    then_data, now_data = name_data(record), name_data(now)
    if then_data != now_data:
        return (
            f"other training data or boxes ({short_digest(then_data)}, "
            f"the data here {short_digest(now_data)})"
        )
    return ""


def is_same_code(then: CodeVersion, now: CodeDigests) -> bool:
    """Tell whether a method's code means what it meant; layout and comments do not count."""
    return then.method == now.content or then.method_meaning == now.meaning


def describe_code_difference(record: RunRecord, now: CodeDigests) -> str:
    """Say that a record is of another version of its method's code, "" where it is not."""
    if is_same_code(record.code, now):
        return ""
    then = short_digest(record.code.method or "")
    return f"another version of the method's code ({then}, now {short_digest(now.content)})"


def describe_mixed_code(records: Sequence[RunRecord]) -> str:
    """Say that several runs were made by different versions of the code, "" where by one."""
    meanings = {}  # of bytes; older records of the same bytes do not say
    for record in records:
        if record.code.method_meaning:
            meanings[record.code.method] = record.code.method_meaning
    methods = {meanings.get(record.code.method, record.code.method) for record in records}
    versions = {record.code.benchbox for record in records}
    if len(methods) > 1:
        return f"seeds by {len(methods)} versions of the method's code"
    if len(versions) > 1:
        named = ", ".join(sorted(str(version) for version in versions))
        return f"seeds by different versions of benchbox's code: {named}"
    return ""
