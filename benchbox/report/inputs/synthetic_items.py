"""Our own rendered items by the names that data sets give them: what may be shown of them.

Everything here comes out of the face renderer. A name of any other data set has no picture and no
ground truth.
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

_RENDERED_SETS = {
    "synth-300w": "300w",
    "synth-300w-private": "300w-private",
    "synth-300vw": "300vw",
    "synth-wflw": "wflw",
    "synth-cofw": "cofw",
    "synth-cofw68": "cofw",
    "synth-aflw": "aflw",
    "synth-aflw2000-3d": "aflw",
    "synth-aflw2000-3d-reannotated": "aflw",
    "synth-gazecapture": "gazecapture",
    "synth-gazecn": "gazecn",
    "synth-gazestare": "gazestare",
    "synth-eth-xgaze": "eth-xgaze",
    "synth-mpiigaze": "mpiigaze",
    "synth-mpiifacegaze": "mpiifacegaze",
    "synth-gaze360": "gaze360",
    "synth-eyediap": "eyediap",
    "synth-gazecapture-degrees": "gazecapture-degrees",
}
_300W_ID = re.compile(r"(?P<part>train|common|challenging)/(?P<number>\d{5})")  # of 300w
_ID_PATTERNS = (
    # of the other sets of landmarks
    re.compile(r"(?P<part>[a-z]+)/(?P<kind>[a-z0-9-]+)-(?P<number>\d{5})"),
    # of gaze: the person stands before the number
    re.compile(r"(?P<part>[a-z]+)-\d{3}/(?P<number>\d{5})"),
)
_PICTURE_FILE = re.compile(r"face/([a-z0-9-]+)-v(\d+)-([a-z]+)-(\d{5})\.jpg")


@dataclass(frozen=True)
class SyntheticItem:
    """One item of a rendered set."""

    kind: str  # a key of image_sets.SETS
    part: str
    number: int

    @property
    def file(self) -> str:
        """Name its picture inside the site; another version of the renderer gives another name."""
        from benchbox.face_renderer.image_sets import SETS

        version = SETS[self.kind].version
        return f"face/{self.kind}-v{version}-{self.part}-{self.number:05d}.jpg"


def is_synthetic(dataset: str) -> bool:
    """Tell whether a data set is our own rendering."""
    return dataset in _RENDERED_SETS


def find_item(dataset: str, name: str) -> SyntheticItem | None:
    """Find the item of a data set by its id.

    None for every set that is not our own, or an id that names nothing.
    """
    kind = _RENDERED_SETS.get(dataset)
    if kind is None:
        return None
    patterns: tuple[re.Pattern[str], ...] = _ID_PATTERNS
    if kind == "300w":
        patterns = (_300W_ID,)
    for pattern in patterns:
        match = pattern.fullmatch(name)
        if match and match.groupdict().get("kind", kind) == kind:
            return _existing_item(SyntheticItem(kind, match["part"], int(match["number"])))
    return None


def item_of_file(path: str) -> SyntheticItem | None:
    """Find the item whose picture a path inside the site names; None for any other path."""
    match = _PICTURE_FILE.fullmatch(path)
    if match is None:
        return None
    item = _existing_item(SyntheticItem(match[1], match[3], int(match[4])))
    if item is None or item.file != path:  # a picture of another version
        return None
    return item


def _existing_item(item: SyntheticItem) -> SyntheticItem | None:
    from benchbox.face_renderer.image_sets import SETS

    if item.kind not in SETS:
        return None
    sizes = dict(SETS[item.kind].parts)
    if item.number >= sizes.get(item.part, 0):
        return None
    return item


def item_facts(item: SyntheticItem) -> Facts:
    """Return what is true of an item, without drawing it: one value for each column of its set."""
    from benchbox.face_renderer.image_sets import SETS

    rows = SETS[item.kind].render_columns(item.part, [item.number], pixels=False)
    return {name: column[0] for name, column in rows.items()}


def draw_item(item: SyntheticItem) -> Bytes:
    """Draw an item, RGB (H, W, 3)."""
    from benchbox.face_renderer.image_sets import SETS
    from benchbox.face_renderer.scenes import phone_and_tablet

    rows = SETS[item.kind].render_columns(item.part, [item.number])
    pixels: Bytes = rows["pixels"][0]
    if pixels.ndim == 1:  # frames of phones and tablets, upright or not
        high, wide = phone_and_tablet.frame_slices(int(rows["orientation"][0]))
        pixels = pixels.reshape(high.stop - high.start, wide.stop - wide.start, 3)
    return pixels


def head_turn_deg(item: SyntheticItem) -> float | None:
    """Return by how much the head of a gaze item is turned to the picture's right, in degrees.

    None for other sets.
    """
    from benchbox.face_renderer import image_sets
    from benchbox.face_renderer.scenes import phone_and_tablet

    for study in (image_sets.GAZECAPTURE, image_sets.GAZECN, image_sets.GAZESTARE):
        if study.name == item.kind:
            shot = phone_and_tablet.draw_shot(study, item.part, item.number)
            return math.degrees(shot.scene.pose.yaw)
    if "head_pose" in image_sets.SETS[item.kind].columns:
        # yaw to the picture's left is positive there
        return -math.degrees(item_facts(item)["head_pose"][1])
    return None
