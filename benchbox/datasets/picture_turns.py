"""Own pictures that ask to be turned (EXIF): read as stored or upright, as their points fit.

A phone stores what its sensor saw and writes how that is meant to be seen. Some tools show and
count on the upright picture (LabelMe, browsers, CVAT, OpenCV), others on the stored pixels (PIL,
NumPy), and files do not say which. What tells, for the faces of one picture together:

* a face whose points stand upright was marked on the upright picture, one that lies on its side on
  the stored one: by a fit of the layout's mean face, else by eyes above a mouth where points have
  names;
* width and height that the annotation file states, unless they are equal;
* points that lie outside the one picture and inside the other.

Where nothing tells, a picture goes with the others of its files, if those agree; else it is read as
stored, and a note says so. `source.orientation` of a card, "stored" or "upright", settles it.

Shares of a picture (Label Studio's percent) belong to the picture that was seen: where the file
states the stored width and height beside shares of the upright picture, they are exchanged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchbox.types import Finding, Layout

from . import shape_fit
from .formats import exif, images
from .formats.point_names import name_words

if TYPE_CHECKING:
    from benchbox.types import Floats

UPRIGHT_DEG = 45.0  # roll of a face that stands upright
STORED, SEEN = "stored", "upright"
_MOUTH = {"mouth", "lip", "lips", "chin"}
_EYES = {"eye", "eyes", "pupil"}


@dataclass(frozen=True, eq=False)
class PictureTurns:
    """How the pictures of N faces are read."""

    applied: tuple[int, ...]  # EXIF orientation that is applied when read; 1: as stored
    values: Floats  # (N, K, 2) px, pixel frame: the points in the picture as it is read
    notes: tuple[str, ...]
    undecided: tuple[Path, ...] = ()  # pictures of which nothing tells how they were seen


def choose_turns(
    files: Sequence[Path | None],
    values: Floats,
    layout: Layout | None,
    *,
    stated: Sequence[tuple[int, int] | None] = (),
    wish: str = "",
    shares: bool = False,
) -> PictureTurns:
    """Decide for every picture file how it is read.

    Parameters
    ----------
    files
        N pictures, None or absent where there is none.
    values
        (N, K, 2) px, pixel frame; NaN where a point is absent.
    layout
        What the points mean; None where they are no face's.
    stated
        N sizes (width, height) of the pictures as the annotation file has them; None: unsaid.
    wish
        "stored" or "upright" where the card says it, else "".
    shares
        The files hold shares of the picture, which the reader multiplied by the stated size.

    Raises
    ------
    DataError
        A picture cannot be opened or has no whole header.
    """
    rows_of: dict[Path, list[int]] = {}
    for row, path in enumerate(files):
        if path is not None:
            rows_of.setdefault(path, []).append(row)
    asking = {}
    for path in rows_of:
        orientation = exif.read_orientation(path) if path.is_file() else exif.UPRIGHT
        if orientation != exif.UPRIGHT:
            asking[path] = orientation
    applied = [exif.UPRIGHT] * len(files)
    if not asking:
        return PictureTurns(tuple(applied), values, ())
    seen = {}
    for path, orientation in asking.items():
        rows = rows_of[path]
        seen[path] = wish or _how_seen(
            path, orientation, values[rows], layout, stated[rows[0]] if stated else None
        )
    told = set(seen.values()) - {""}
    undecided = tuple(path for path, how in seen.items() if not how)
    if len(told) == 1:
        seen = dict.fromkeys(asking, told.pop())
        undecided = ()
    moved = values.copy()
    for path, how in seen.items():
        if how != SEEN:
            continue
        width, height = images.picture_size(path)
        for row in rows_of[path]:
            applied[row] = asking[path]
            if shares and stated and stated[row] == (width, height):
                moved[row] = _exchange_sides(values[row], (width, height), asking[path])
    return PictureTurns(tuple(applied), moved, _notes(asking, seen, wish), undecided)


def ask_for_turns(undecided: Sequence[Path]) -> list[Finding]:
    """Ask how pictures were marked of which nothing tells it."""
    if not undecided:
        return []
    return [
        Finding(
            "wrong",
            f"{len(undecided)} pictures carry an EXIF turn and neither points nor sizes tell "
            f"whether they were marked upright or as stored; first {undecided[0]}: "
            'source.orientation = "upright" or "stored" says it',
        )
    ]


def read_size(path: Path, orientation: int) -> tuple[int, int]:
    """Return (width, height) of a picture as it is read."""
    return exif.turn_size(images.picture_size(path), orientation)


# --- what tells -----------------------------------------------------------------------------------


def _how_seen(
    path: Path,
    orientation: int,
    points: Floats,
    layout: Layout | None,
    stated: tuple[int, int] | None,
) -> str:
    """Return "stored" or "upright" for a picture with faces (M, K, 2), "" where nothing tells."""
    stored = images.picture_size(path)
    upright = exif.turn_size(stored, orientation)
    told = {_by_pose(points, orientation, layout)}
    if stated in (stored, upright) and stored != upright:
        told.add(SEEN if stated == upright else STORED)
    # a file that states the stored size beside points that stand upright was written by a tool
    # that shows pictures upright; one that states the upright size, of somebody who lies, too
    how = next((word for word in (SEEN, STORED) if word in told), "")
    outside = {STORED: _share_outside(points, stored), SEEN: _share_outside(points, upright)}
    if outside[STORED] > 0.5 >= outside[SEEN]:
        return SEEN
    if outside[SEEN] > 0.5 >= outside[STORED] and stated != stored:
        return STORED
    return how


def _by_pose(points: Floats, orientation: int, layout: Layout | None) -> str:
    """Return how a picture was seen, by the roll of most of its faces (M, K, 2); "" unknown."""
    roll_deg, mirrored_deg = _rolls_deg(points, layout)
    upright = np.abs(roll_deg) < UPRIGHT_DEG
    lies = np.abs(roll_deg) >= UPRIGHT_DEG
    if orientation in exif.MIRRORED:
        lies = np.isfinite(mirrored_deg) & np.isnan(roll_deg)
    if upright.sum() == lies.sum():
        return ""
    return SEEN if upright.sum() > lies.sum() else STORED


def _rolls_deg(points: Floats, layout: Layout | None) -> tuple[Floats, Floats]:
    """Return the rolls (M,) of faces and of their mirrors; NaN where they are no faces."""
    unknown = np.full(len(points), np.nan)
    if layout is None or not points.shape[1]:
        return unknown, unknown
    if shape_fit.has_mean_face(layout.name):
        fit = shape_fit.fit_mean_face(points, layout.name)
        mirror = shape_fit.fit_mean_face(points * [-1.0, 1.0], layout.name)
        return (
            np.where(fit.is_face, fit.roll_deg, np.nan),
            np.where(mirror.is_face, mirror.roll_deg, np.nan),
        )
    words = [set(name_words(name)) for name in layout.names]
    eyes = [row for row, name in enumerate(words) if name & _EYES and "brow" not in name]
    mouth = [row for row, name in enumerate(words) if name & _MOUTH]
    if not eyes or not mouth:
        return unknown, unknown
    with np.errstate(invalid="ignore"):
        down = points[:, mouth].mean(axis=1) - points[:, eyes].mean(axis=1)
    return np.degrees(np.arctan2(down[:, 0], down[:, 1])), unknown


def _share_outside(points: Floats, size: tuple[int, int]) -> float:
    marked = points[np.isfinite(points).all(axis=-1)]
    if not len(marked):
        return 0.0
    outside = (marked < -0.5) | (marked > np.array(size) - 0.5)
    return float(outside.any(axis=-1).mean())


def _exchange_sides(points: Floats, stored: tuple[int, int], orientation: int) -> Floats:
    """Return points (K, 2) of shares that were multiplied by the stored size, of the upright one.

    Shares count from the picture's corner, half a pixel before the first pixel's centre.
    """
    upright = np.array(exif.turn_size(stored, orientation), np.float64)
    moved: Floats = (points + 0.5) / np.array(stored) * upright - 0.5
    return moved


def _notes(asking: dict[Path, int], seen: dict[Path, str], wish: str) -> tuple[str, ...]:
    reasons = {
        SEEN: "read upright, as their points were marked",
        STORED: "read as stored, as their points were marked",
        "": "read as stored: neither points nor sizes tell whether they were marked upright; "
        'source.orientation = "stored" or "upright" settles it',
    }
    notes = []
    for how, reason in reasons.items():
        files = [path for path, said in seen.items() if said == how]
        if files:
            words = f"{reason.partition(',')[0]}, as the card says" if wish else reason
            notes.append(
                f"{len(files)} pictures with an EXIF turn are {words}; first {files[0].name} "
                f"(orientation {asking[files[0]]})"
            )
    return tuple(notes)
