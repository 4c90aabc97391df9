"""What is the matter with predictions far outside what faces or eyes allow, for any task."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchbox.layouts import require_layout

from . import wrong_frame, wrong_gaze

if TYPE_CHECKING:
    from benchbox.types import Predictions, Protocol, Truth


def find_slips(protocol: Protocol, truth: Truth, predictions: Predictions) -> tuple[str, ...]:
    """Say in a line each what is the matter with predictions in the order of the truth.

    Nothing is said of predictions that a method may make, however poor.
    """
    if protocol.task != "landmarks":
        return wrong_gaze.find_slips(protocol, truth, predictions)
    return wrong_frame.find_slips(require_layout(protocol), truth, predictions)
