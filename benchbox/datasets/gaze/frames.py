"""Frames of own gaze files as columns: what every reader of them returns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchbox.types import Finding, GazeConvention, GazeScreen

from .conventions import GazeRows

if TYPE_CHECKING:
    from benchbox.types import Floats


@dataclass(frozen=True, eq=False)
class GazeFrames:
    """One row per frame; house gaze, boxes in the files' own frame."""

    ids: Sequence[str]
    aliases: Sequence[str]  # "test/00001": the other name that predictions may use
    parts: Sequence[str]
    files: Sequence[Path]  # pictures
    people: Sequence[str]
    sequences: Sequence[str]  # "" in none
    values: Floats  # (N, 2) cm | (N, 3)
    conventions: tuple[GazeConvention, ...]  # how labels and predictions are written
    boxes: Mapping[str, Floats] = field(default_factory=dict)  # source → (N, 4)
    # source → (N, 4) corners as shares of the picture: pixels once its size is known
    box_shares: Mapping[str, Floats] = field(default_factory=dict)
    head_rad: Floats | None = None  # (N, 2) pitch, yaw as `angles` has them
    screens: tuple[GazeScreen, ...] | None = None
    eyes_mm: Floats | None = None  # (N, 3)
    rotations: Floats | None = None  # (N, 3, 3) camera's frame → normalised frame
    attributes: Mapping[str, np.ndarray] = field(default_factory=dict)
    meta: Mapping[str, np.ndarray] = field(default_factory=dict)
    notes: Sequence[str] = ()
    findings: Sequence[Finding] = ()  # what reading them has shown, for `data verify`

    def rows(self, task: str) -> GazeRows:
        """Return what further files of these rows are read by."""
        return GazeRows(
            task,
            tuple(self.ids),
            self.conventions,
            aliases=dict(zip(self.aliases, self.ids, strict=True)),
            screens=self.screens,
            eyes_mm=self.eyes_mm,
            rotations=self.rotations,
        )

    def with_pictures(self) -> GazeFrames:
        """Return the frames whose picture is there; the others are noted."""
        kept = [row for row, path in enumerate(self.files) if path.is_file()]
        lacking = len(self.files) - len(kept)
        if not lacking:
            return self
        folder = self.files[0].parent
        note = f"{lacking} of {len(self.files)} frames have no picture and are left out ({folder})"
        return replace(self._take(kept), notes=(*self.notes, note))

    def _take(self, rows: Sequence[int]) -> GazeFrames:
        chosen = np.array(rows, np.intp)
        screens = self.screens
        if screens is not None:
            screens = tuple(screens[row] for row in rows)
        return replace(
            self,
            ids=[self.ids[row] for row in rows],
            aliases=[self.aliases[row] for row in rows],
            parts=[self.parts[row] for row in rows],
            files=[self.files[row] for row in rows],
            people=[self.people[row] for row in rows],
            sequences=[self.sequences[row] for row in rows],
            values=self.values[chosen],
            boxes={name: column[chosen] for name, column in self.boxes.items()},
            box_shares={name: column[chosen] for name, column in self.box_shares.items()},
            head_rad=_take_rows(self.head_rad, chosen),
            screens=screens,
            eyes_mm=_take_rows(self.eyes_mm, chosen),
            rotations=_take_rows(self.rotations, chosen),
            attributes={name: column[chosen] for name, column in self.attributes.items()},
            meta={name: column[chosen] for name, column in self.meta.items()},
        )


def _take_rows(column: Floats | None, rows: np.ndarray) -> Floats | None:
    if column is None:
        return None
    taken: Floats = column[rows]
    return taken
