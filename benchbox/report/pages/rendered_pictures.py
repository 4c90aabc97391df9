"""The pictures that pages show: items of our own rendered sets."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from benchbox.report.charts import face_drawings

from .shared_data import SharedData, hash_values

_PICTURE_WORK = 8.0  # times the work of a run's page


@dataclass(frozen=True)
class PlannedPicture:
    """A picture before it is drawn; its name says all that it is made from."""

    path: str
    work: float = _PICTURE_WORK

    @property
    def group(self) -> str:
        """A picture shares nothing with other files."""
        return self.path

    def hash_inputs(self, shared: SharedData) -> str:
        """Hash the name."""
        return hash_values(self.path)

    def build(self, shared: SharedData) -> bytes:
        """Draw the picture."""
        return face_drawings.draw_picture(self.path)


def plan_pictures(paths: Iterable[str]) -> list[PlannedPicture]:
    """Plan each of several pictures once."""
    return [PlannedPicture(path) for path in dict.fromkeys(paths)]
