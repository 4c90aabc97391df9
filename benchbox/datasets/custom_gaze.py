"""Gaze data of one's own: tables beside a folder of pictures, named and explained by the card.

    dataset = "files"
    task = "gaze3d"
    source.images = "mine/pictures"
    source.parts = {train = "mine/labels.csv", test = "mine/labels.csv"}
    source.gaze = {columns = ["yaw", "pitch"], positive = ["right", "up"], unit = "deg",
                   split = "split", person = ["person"]}

`columns`, `positive`, `unit` and `origin` say how gaze is written: `gaze.notation`. Nothing of it
has a default, since no file shows it. What a row may hold beside its gaze:

* `image` (another name: `image = "Origin"`), and `id` where one picture holds several rows. Ids
  are names of pictures; `part/00001`, as landmarks have them, is understood in predictions, too;
* the person: `person = ["recording", "identity"]` where a number counts inside a recording only; by
  default the column `person` or `cluster`; `[]` where nobody knows. Names stay texts;
* `split`: the column whose cells name the part, where parts share a file; or `people`, a json file
  of the people of each part;
* `sequence`, the dot or stare that a frame belongs to, counted inside a person: dot errors and MSD;
* the screen, where points count from its corner: `screen = {…}`, or `screens` (a table, or
  `screens_file`, a CSV) and a column `screen`. Each axis has its own size of a pixel;
* `eye`, where it is in the camera's frame: points on a screen become directions (task gaze3d);
* `head`, where it points: the baseline and the checks of `data verify` that rest on it;
* boxes: `face_x0, face_y0, face_x1, face_y1`, `left_eye_x0, …`, any name; `box_x0` is the source
  `bbox`; a box of empty cells or of -1 four times is none. `picture` is the whole picture;
* `device`, `orientation` and what else `also` names, which methods are given; attributes `is_…`.

`files` names an official tree instead of tables: `gaze360` and `mpiifacegaze-txt`, see
`gaze.gaze360` and `gaze.mpiifacegaze_original`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchbox.errors import DataError
from benchbox.types import CustomFiles, Finding, Index

from . import picture_turns, sample_checks
from .custom_access import describe_custom_access
from .formats import exif, images
from .gaze import direction_checks, gaze360, gaze_tables, mpiifacegaze_original
from .gaze.frames import GazeFrames
from .index import picture_cache_key

if TYPE_CHECKING:
    from benchbox.types import Bytes, Floats

PICTURE = "picture"  # box source: all of it
_TREES = {"gaze360": gaze360.read_frames, "mpiifacegaze-txt": mpiifacegaze_original.read_frames}


class CustomGazeDataset:
    """The reader of one card's gaze files: a dataset like the others, made from its `source`.

    `boxes` are the box sources that the card uses: those that rest on the size of a picture are
    worked out for it alone, since they open every picture.
    """

    def __init__(
        self, name: str, source: CustomFiles, task: str, boxes: Sequence[str] = (PICTURE,)
    ) -> None:
        if source.gaze is None:
            raise DataError(
                f"card {name}: source.gaze says how the files write gaze; it is missing"
            )
        self._name, self._source, self._task = name, source, task
        self._gaze, self._used_boxes = source.gaze, boxes
        self.ACCESS = describe_custom_access(name, source)

    def index(self, root: Path, *, pixels: bool = True) -> Index:
        """Read every part's rows; with `pixels`, those without a picture are left out and noted.

        Raises
        ------
        DataError
            A file is malformed, or lacks what the card says of it; names file and line.
        """
        frames = self._read_frames(root)
        if pixels:
            frames = frames.with_pictures()
        return self._build_index(frames)

    def _build_index(self, frames: GazeFrames) -> Index:
        files = frames.files
        turns = self._choose_turns(frames)
        boxes = dict(frames.boxes)
        by_size = {PICTURE: np.tile(np.array([0.0, 0.0, 1.0, 1.0]), (len(files), 1))}
        by_size.update(frames.box_shares)
        whole = np.full((len(files), 4), np.nan)
        if set(by_size) & set(self._used_boxes):
            whole = _picture_boxes(files, turns.applied)
        for box, shares in by_size.items():
            corner, size = np.tile(whole[:, :2], 2), np.tile(whole[:, 2:] - whole[:, :2], 2)
            boxes[box] = corner + shares * size + self._source.origin
        sequences = None
        if any(frames.sequences):
            sequences = np.array(frames.sequences, np.str_)
        meta = dict(frames.meta)
        if frames.head_rad is not None:
            meta["head_pose"] = frames.head_rad
        return Index(
            dataset="files",
            ids=np.array(frames.ids, np.str_),
            parts=np.array(frames.parts, np.str_),
            values=frames.values,
            boxes=boxes,
            clusters=np.array(frames.people, np.str_),
            read=partial(_read_picture, files, turns.applied),
            cache_key=partial(picture_cache_key, files, turns=turns.applied),
            origin=self._source.origin,
            attributes=frames.attributes,
            sequences=sequences,
            meta=meta,
            notes=(*frames.notes, *turns.notes),
            faults=self._list_faults(frames),
            gaze=frames.rows(self._task),
        )

    def _read_frames(self, root: Path) -> GazeFrames:
        if self._gaze.files in _TREES:
            return _TREES[self._gaze.files](root, self._source, self._name)
        return gaze_tables.read_frames(root, self._source, self._name, self._task)

    def verify(self, root: Path) -> list[Finding]:
        """Examine the files: rows per part, pictures, and whether gaze points where it may."""
        try:
            frames = self._read_frames(root)
            index = self._build_index(frames)
        except DataError as error:
            return [Finding("wrong", str(error))]
        findings = list(frames.findings)
        for part in self._source.parts:
            count = int((index.parts == part).sum())
            findings.append(sample_checks.missing_unless(count, f"{part}: {count} frames"))
        turns = self._choose_turns(frames)
        findings += _check_pictures(frames.ids, frames.files, turns.applied)
        findings += picture_turns.ask_for_turns(turns.undecided)
        return findings + self._check_gaze(frames)

    def _list_faults(self, frames: GazeFrames) -> tuple[str, ...]:
        """Return what is wrong with the labels, in words: `run` refuses it as `verify` names it."""
        findings = [*frames.findings, *self._check_gaze(frames)]
        return tuple(finding.what for finding in findings if finding.level == "wrong")

    def _check_gaze(self, frames: GazeFrames) -> list[Finding]:
        """Say whether gaze points where it may."""
        values = np.asarray(frames.values)
        if not len(values):
            return []
        findings = direction_checks.check_gaze(
            values,
            np.array(frames.people, np.str_),
            frames.head_rad,
            self._gaze.expect,
            trained=np.array(frames.parts) == next(iter(self._source.parts)),
            screen=frames.screens is not None,
        )
        if self._task == "gaze2d" and frames.screens is not None:
            findings += direction_checks.check_screens(values, frames.screens)
        return findings

    def _choose_turns(self, frames: GazeFrames) -> picture_turns.PictureTurns:
        """Decide which pictures are read upright: gaze does not show it, boxes may."""
        corners = [box.reshape(-1, 2, 2) - self._source.origin for box in frames.boxes.values()]
        points = np.concatenate([np.empty((len(frames.files), 0, 2)), *corners], axis=1)
        return picture_turns.choose_turns(frames.files, points, None, wish=self._source.orientation)

    def picture_files(self, root: Path) -> dict[str, Path]:
        """Map ids to picture files, for the examination."""
        frames = self._read_frames(root).with_pictures()
        return dict(zip(frames.ids, frames.files, strict=True))


# --- pictures -------------------------------------------------------------------------------------


def _picture_boxes(files: Sequence[Path], turns: Sequence[int]) -> Floats:
    """Return the boxes (N, 4) of whole pictures, pixel frame; NaN where there is no picture."""
    boxes = np.full((len(files), 4), -0.5)
    for row, path in enumerate(files):
        if path.is_file():
            boxes[row, 2:] += exif.turn_size(images.picture_size(path), turns[row])
        else:
            boxes[row] = np.nan
    return boxes


def _read_picture(files: Sequence[Path], turns: Sequence[int], row: int) -> Bytes:
    return np.ascontiguousarray(exif.turn_pixels(images.decode_picture(files[row]), turns[row]))


def _check_pictures(
    ids: Sequence[str], files: Sequence[Path], turns: Sequence[int]
) -> list[Finding]:
    """Say which rows have no picture or a broken one."""
    no_points = np.empty((len(ids), 0, 2))
    present = [path if path.is_file() else None for path in files]
    return sample_checks.check_pictures(ids, present, no_points, turns=turns)
