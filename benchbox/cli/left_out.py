"""What a command leaves out because it cannot be read is named, and stops nobody."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchbox.plugins import method_card

from .printing import print_note


def note_left_out(methods: Sequence[Path] = ()) -> None:
    """Name the cards, references and claims of collections that cannot be read."""
    note_left_out_cards(methods)
    from benchbox.papers import claims, reference_rows

    for reason in [*reference_rows.scan_references()[1], *claims.scan_claims()[1]]:
        print_note(f"note: left out: {reason}")


def note_left_out_cards(methods: Sequence[Path] = ()) -> None:
    """Name the cards of methods and protocols that cannot be read."""
    from benchbox.protocols import protocol_card

    for fault in method_card.scan_cards(methods)[1]:
        print_note(f"note: left out: {fault.error}")
    for card_fault in protocol_card.scan_cards()[1]:
        print_note(f"note: left out: {card_fault}")
