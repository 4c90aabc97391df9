"""Predictions that somebody hands in: one folder that a pull request adds, scored by others' code.

`submissions/<protocol>/<method>/` holds `predictions.npz` in benchbox's own form, whatever it was
read from, and `submission.toml`, which says what it is, under which version of the card, and what
the method was trained on. `accept_submission` scores it from that file alone: nothing of a
submission is run, and what a folder holds beside the two files, or leads elsewhere, is refused.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchbox.atomic_write import write_whole
from benchbox.datasets import split as splits
from benchbox.errors import ResultError
from benchbox.file_readers.toml_files import read_toml
from benchbox.plugins import method_card
from benchbox.plugins.card_values import (
    LINE,
    TEXT,
    CardKey,
    CardPlace,
    one_of,
    read_values,
    table_of,
)
from benchbox.protocols import protocol_card
from benchbox.types import Protocol

from . import (
    array_files,
    prediction_files,
    run_data,
    run_folders,
    run_outcome,
    run_plan,
    score_file,
)
from .gaze_predictions import GazeReading
from .prediction_formats.found_face import Hints

CARD_FILE = "submission.toml"
PREDICTIONS_FILE = "predictions.npz"
_MAX_CARD_BYTES = 64 * 1024
_MAX_PREDICTION_BYTES = 256 << 20
_SHOWN = 5
STATEMENTS = (
    "title",
    "paper",
    "url",
    "code",
    "year",
    "box",
    "trained_on",
    "extra_data",
    "checkpoint",
    "seen_test",
)
_KEYS = (
    CardKey("protocol", TEXT),
    CardKey("card", TEXT),
    CardKey("method", TEXT),
    CardKey("read_as", LINE, default=""),
    CardKey("predictions", TEXT),
    CardKey("stated", table_of(one_of(*STATEMENTS), LINE), default={}),
)


@dataclass(frozen=True)
class Submission:
    """What submission.toml holds."""

    protocol: str
    card: str  # hash of the protocol's card that it was made for
    method: str
    read_as: str  # how a file of another program was read
    predictions: str  # digest of the predictions
    stated: Mapping[str, str]  # what its row says, a key of `STATEMENTS`


@dataclass(frozen=True)
class RowCheck:
    """How the rows of a file stand to the test items of a protocol."""

    expected: int
    answered: int
    failed: int
    missing: tuple[str, ...]
    doubled: tuple[str, ...]
    unknown: tuple[str, ...]

    @property
    def whole(self) -> bool:
        """Tell whether every test item has exactly one row."""
        return not (self.missing or self.doubled or self.unknown)

    @property
    def lines(self) -> list[str]:
        """Say it, a line for each kind of row."""
        lines = [f"ok      {self.answered} of {self.expected} test items have an answer"]
        if self.failed:
            lines.append(f"note    {self.failed} say that they have none, and count as failed")
        for word, names in (
            ("missing", self.missing),
            ("doubled", self.doubled),
            ("unknown", self.unknown),
        ):
            if names:
                more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
                lines.append(f"{word} {len(names)}: {', '.join(names[:_SHOWN])}{more}")
        return lines


def check_rows(file: Path, protocol: Protocol, data: Path) -> RowCheck | None:
    """Hold the ids of a file in benchbox's own form against the test items.

    None for a file of another program, whose reader matches faces itself. Raises BenchboxError for
    a file that cannot be read.
    """
    if not file.is_file() or file.suffix.lower() not in (".npz", ".csv"):
        return None
    index = run_data.open_index(protocol, data, pixels=False)
    expected = [str(name) for name in splits.ground_truth(protocol, index).ids]
    try:
        given, values, flags = prediction_files.read_rows(file)
    except ResultError:
        return None  # a CSV of another program
    ids = prediction_files.spell_ids(given, expected)
    empty = np.asarray(np.isnan(values).reshape(len(values), -1).all(axis=1), bool)
    if flags is not None and flags.shape == empty.shape and flags.dtype.kind == "b":
        empty |= flags
    counts, known = Counter(ids), set(expected)
    inside = [name for name in known if counts[name]]
    failed = sum(
        no_answer for no_answer, name in zip(empty.tolist(), ids, strict=True) if name in known
    )
    return RowCheck(
        expected=len(expected),
        answered=len(inside) - failed,
        failed=failed,
        missing=tuple(name for name in expected if not counts[name]),
        doubled=tuple(name for name, count in counts.items() if count > 1),
        unknown=tuple(name for name in counts if name not in known),
    )


def make_submission(
    file: Path,
    wanted: Submission,
    data: Path,
    out: Path,
    say: Callable[[str], None],
    reading: GazeReading,
    hints: Hints,
) -> tuple[Path, run_outcome.ScoreResult]:
    """Score predictions and write the folder to hand in; return it and the scores.

    `wanted` says what is handed in; its digests are filled here. Raises ResultError for a folder
    that is there already, BenchboxError for what `score_predictions_file` refuses.
    """
    protocol = protocol_card.load_protocol(wanted.protocol)
    folder = out / protocol.name / wanted.method
    if folder.exists():
        raise ResultError(f"{folder}: is there already; delete it, or choose another --method")
    with tempfile.TemporaryDirectory() as place:
        results = Path(place)
        scored = score_file.score_predictions_file(
            file,
            protocol,
            wanted.method,
            data,
            results,
            say,
            reading,
            hints,
            stated=wanted.stated,
        )
        run = run_folders.run_folder(
            results, protocol.name, wanted.method, method_card.SUBMITTED, 0
        )
        predictions = run_folders.predictions_file(run)
        facts = {
            **asdict(wanted),
            "protocol": protocol.name,
            "card": protocol.card,
            "predictions": array_files.hash_content(predictions),
        }
        try:
            folder.mkdir(parents=True)
            shutil.copyfile(predictions, folder / PREDICTIONS_FILE)
            write_whole(folder / CARD_FILE, _format_card(facts))
        except OSError as fault:
            raise ResultError(f"{folder}: cannot be written: {fault.strerror}") from fault
    return folder, scored


def read_submission(folder: Path) -> Submission:
    """Read a folder that was handed in by a stranger.

    Raises ResultError for files beside the two, links, files that are too large, and a card that is
    not as it must be.
    """
    if folder.is_symlink() or not folder.is_dir():
        raise ResultError(f"{folder}: no folder of a submission")
    names = {path.name for path in folder.iterdir()}
    if names != {CARD_FILE, PREDICTIONS_FILE}:
        found = ", ".join(sorted(names)) or "nothing"
        raise ResultError(
            f"{folder}: must hold {CARD_FILE} and {PREDICTIONS_FILE} alone; it holds {found}"
        )
    for name, largest in ((CARD_FILE, _MAX_CARD_BYTES), (PREDICTIONS_FILE, _MAX_PREDICTION_BYTES)):
        file = folder / name
        if file.is_symlink() or not file.is_file():
            raise ResultError(f"{file}: no file")
        if file.stat().st_size > largest:
            raise ResultError(f"{file}: more than {largest:,} bytes")
    place = CardPlace(str(folder / CARD_FILE), ResultError)
    content = read_toml(folder / CARD_FILE, largest=_MAX_CARD_BYTES, fault=ResultError)
    read = Submission(**read_values(content, _KEYS, place))
    method_card.check_method_name(read.method)
    return read


def accept_submission(
    folder: Path,
    data: Path,
    results: Path,
    say: Callable[[str], None] = run_plan.say_nothing,
) -> run_outcome.ScoreResult:
    """Score a submission and keep it as a run of kind `submitted`; run nothing of it.

    Raises ResultError for a folder that is not as it must be, for predictions that are not those of
    its card, and for another version of the protocol's card.
    """
    submission = read_submission(folder)
    protocol = protocol_card.load_protocol(submission.protocol)
    if protocol_card.is_card_file(submission.protocol):
        raise ResultError(f"{folder}: {submission.protocol} is no installed protocol")
    if protocol.card != submission.card:
        raise ResultError(
            f"{folder}: made for another version of {protocol.name}'s card; submit it again"
        )
    file = folder / PREDICTIONS_FILE
    rows = prediction_files.read_stored_predictions(file)  # refuses pickles and damage
    digest = array_files.hash_content(file)
    if digest != submission.predictions:
        raise ResultError(f"{file}: not the {len(rows.ids)} predictions that {CARD_FILE} names")
    return score_file.score_predictions_file(
        file, protocol, submission.method, data, results, say, stated=submission.stated
    )


def _format_card(facts: Mapping[str, Any]) -> str:
    """Write texts as TOML; JSON's quotes and escapes are TOML's, but for the DEL letter."""
    lines = [f"{key} = {_quote(text)}\n" for key, text in facts.items() if isinstance(text, str)]
    lines += ["\n[stated]\n"]
    lines += [f"{key} = {_quote(text)}\n" for key, text in facts["stated"].items()]
    return "".join(line for line in lines if not line.endswith('= ""\n'))


def _quote(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
