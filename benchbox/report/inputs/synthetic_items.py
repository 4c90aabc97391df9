"""Our own rendered items by the names that data sets give them: what may be shown, and what is true of them.

Everything here comes out of the face world. A name of any other data set is nobody's: it has no
picture and no truth.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from benchbox.types import Bytes

    Facts = Mapping[str, Any]

_KINDS = {
    "synth-300w": "300w",
    "synth-300w-private": "300w-private",
    "synth-300vw": "300vw",
    "synth-wflw": "wflw",
    "synth-cofw": "cofw",
    "synth-cofw68": "cofw",
    "synth-aflw": "aflw",
    "synth-gazecapture": "gazecapture",
    "synth-gazecn": "gazecn",
    "synth-gazestare": "gazestare",
    "synth-eth-xgaze": "eth-xgaze",
    "synth-mpiigaze": "mpiigaze",
    "synth-mpiifacegaze": "mpiifacegaze",
}
_FIRST = re.compile(r"(?P<part>train|common|challenging)/(?P<number>\d{5})")  # of 300w
_NAMES = (
    # of the other sets of landmarks
    re.compile(r"(?P<part>[a-z]+)/(?P<kind>[a-z0-9-]+)-(?P<number>\d{5})"),
    # of gaze: the person stands before the number
    re.compile(r"(?P<part>[a-z]+)-\d{3}/(?P<number>\d{5})"),
)
_FILE = re.compile(r"face/([a-z0-9-]+)-v(\d+)-([a-z]+)-(\d{5})\.jpg")


@dataclass(frozen=True)
class SyntheticItem:
    """One item of a rendered set."""

    kind: str  # a key of image_sets.SETS
    part: str
    number: int

    @property
    def file(self) -> str:
        """Name its picture inside the site; another version of the generator gives another name."""
        from benchbox.face_renderer.image_sets import SETS

        return f"face/{self.kind}-v{SETS[self.kind].version}-{self.part}-{self.number:05d}.jpg"


def is_synthetic(dataset: str) -> bool:
    """Tell whether a data set is our own rendering."""
    return dataset in _KINDS


def find_item(dataset: str, name: str) -> SyntheticItem | None:
    """Find the item of a data set by its id.

    None for every set that is not our own, or an id that names nothing.
    """
    kind = _KINDS.get(dataset)
    if kind is None:
        return None
    for pattern in (_FIRST,) if kind == "300w" else _NAMES:
        match = pattern.fullmatch(name)
        if match and match.groupdict().get("kind", kind) == kind:
            return _existing_item(SyntheticItem(kind, match["part"], int(match["number"])))
    return None


def item_of_file(path: str) -> SyntheticItem | None:
    """Find the item whose picture a path inside the site names; None for any other path."""
    match = _FILE.fullmatch(path)
    found = _existing_item(SyntheticItem(match[1], match[3], int(match[4]))) if match else None
    return found if found and found.file == path else None


def _existing_item(found: SyntheticItem) -> SyntheticItem | None:
    from benchbox.face_renderer.image_sets import SETS

    sizes = dict(SETS[found.kind].parts) if found.kind in SETS else {}
    return found if found.number < sizes.get(found.part, 0) else None


def item_facts(found: SyntheticItem) -> Facts:
    """Return what is true of an item, without drawing it: one value for each column of its set."""
    from benchbox.face_renderer.image_sets import SETS

    rows = SETS[found.kind].rows(found.part, [found.number], pixels=False)
    return {name: column[0] for name, column in rows.items()}


def draw_item(found: SyntheticItem) -> Bytes:
    """Draw an item, RGB (H, W, 3)."""
    from benchbox.face_renderer.image_sets import SETS
    from benchbox.face_renderer.scenes import phone_and_tablet

    rows = SETS[found.kind].rows(found.part, [found.number])
    drawn: Bytes = rows["pixels"][0]
    if drawn.ndim == 1:  # frames of phones and tablets, upright or not
        high, wide = phone_and_tablet.frame_slices(int(rows["orientation"][0]))
        drawn = drawn.reshape(high.stop - high.start, wide.stop - wide.start, 3)
    return drawn


def head_turn_deg(found: SyntheticItem) -> float | None:
    """Return by how much the head of a gaze item is turned to the picture's right, in degrees.

    None for other sets.
    """
    from benchbox.face_renderer import image_sets
    from benchbox.face_renderer.scenes import phone_and_tablet

    studies = {
        study.name: study
        for study in (image_sets.GAZECAPTURE, image_sets.GAZECN, image_sets.GAZESTARE)
    }
    if found.kind in studies:
        return math.degrees(
            phone_and_tablet.draw_shot(studies[found.kind], found.part, found.number).scene.pose.yaw
        )
    if "head_pose" in image_sets.SETS[found.kind].columns:
        # yaw to the picture's left is positive there
        return -math.degrees(item_facts(found)["head_pose"][1])
    return None
