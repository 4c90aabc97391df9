"""Cards that came as files stay beside their results, so that later commands know the protocol.

`run --protocol mine.toml` leaves `results/mine/mine.toml`; `report`, `check` and `compare` find it
there where no installed card has the name.
"""

from __future__ import annotations

from pathlib import Path

from benchbox.atomic_write import write_whole
from benchbox.errors import ResultError
from benchbox.protocols import protocol_card
from benchbox.types import Protocol, Run

_RUN_LEVELS = 4  # folders between results and a record


def keep_card(results: Path, asked: str, protocol: str) -> None:
    """Copy the card that a run was asked for by its path; an installed one is found by its name.

    Raises ResultError where it cannot be written.
    """
    if not protocol_card.is_card_file(asked):
        return
    source = protocol_card.locate_card_file(asked)
    target = results / protocol / source.name
    try:
        text = source.read_text(encoding="utf-8")
        if not target.is_file() or target.read_text(encoding="utf-8") != text:
            write_whole(target, text)
    except OSError as fault:
        raise ResultError(f"{target}: cannot be written: {fault.strerror or fault}") from fault


def locate_card(results: Path, protocol: str) -> str:
    """Return the name or path under which `load_protocol` finds the card of a stored protocol."""
    base, *options = protocol.split("+")
    kept = results / protocol / f"{base}{protocol_card.CARD_SUFFIX}"
    if base in protocol_card.protocol_names() or not kept.is_file():
        return protocol
    return "+".join([str(kept), *options])


def load_card_of_run(run: Run) -> Protocol:
    """Read the card of a run's protocol; raises ProtocolError where there is none here."""
    results = run.folder.absolute().parents[_RUN_LEVELS - 1]
    return protocol_card.load_protocol(locate_card(results, run.protocol))
