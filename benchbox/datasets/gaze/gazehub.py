"""GazeHub's processed sets: faces of 224 px beside label files, as cross-dataset papers use them.

    Image/<Face of the label file>, Label/*.label

A label file has blanks between fields and commas inside; the first line names them. Read are the
face's path (`Face`), where it comes from (`Origin`, `metapath`), `2DGaze` and, to hold it against,
`3DGaze`; PnP-GA's copy calls them `face`, `origin`, `gaze2d`, `gaze3d` and repeats fields behind.

`2DGaze` is (yaw, pitch) in radians, left and up positive: house angles in another order. It follows
from `3DGaze`: yaw = atan2(-x, -z), pitch = asin(-y) of the direction from eye to target (x right, y
down, z away), in Gaze360 yaw = atan2(x, -z), pitch = asin(y) (x left, y up). A copy in which the
two disagree has exchanged or turned columns and is refused.

The head's direction (`2DHead`) is that of the gaze in MPIIFaceGaze; in EyeDiap it points the other
way (its yaw lies about ±180°) and is turned round here.

* MPIIFaceGaze: 15 people x 3,000; faces marked `right` are mirrored, their labels with them. It is
  normalised by scale and rotation, so it is another test set than the authors' own files.
* EyeDiap: 16,674 faces of 14 people (12 and 13 have no screen session), every 15th frame of a
  screen session recorded under condition A, no floating targets.
* Gaze360: pictures in which a face was found, whatever the direction: 16,031 to test on.

Ids are the face's path without its suffix: `p00/face/1`, `test/Face/12`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchbox.datasets import sample_checks
from benchbox.datasets.formats import delimited, images, paths
from benchbox.datasets.index import note_left_out, picture_cache_key
from benchbox.errors import DataError
from benchbox.geometry import angles_to_vectors, vectors_to_angles
from benchbox.types import Access, Finding, Index

from . import angles, direction_checks, gaze360, notation
from .conventions import GazeRows

if TYPE_CHECKING:
    from benchbox.types import Bytes, Floats

_FACE, _GAZE, _VECTOR = ("face",), ("2dgaze", "gaze2d"), ("3dgaze", "gaze3d")
_ORIGIN, _HEAD = ("origin", "metapath"), ("2dhead", "head2d")
_CLOSE_DEG = 0.5
_RECORDING = re.compile(r"(rec_\d+)/head/")
_SESSION = re.compile(r"\d+_([AB])_(DS|CS|FT)_[SM]_\d+")
_SIDE = 224
_GAZEHUB = (
    "https://phi-ai.buaa.edu.cn/Gazehub/ (the data-processing code; the set from its authors)"
)


@dataclass(frozen=True, eq=False)
class _Rows:
    """Rows of label files, column by column."""

    ids: list[str] = field(default_factory=list)
    faces: list[str] = field(default_factory=list)
    parts: list[str] = field(default_factory=list)
    clusters: list[str] = field(default_factory=list)
    origins: list[str] = field(default_factory=list)
    where: list[str] = field(default_factory=list)
    gaze: list[list[float]] = field(default_factory=list)  # yaw, pitch
    vectors: list[list[float]] = field(default_factory=list)
    heads: list[list[float]] = field(default_factory=list)  # yaw, pitch; [] where there is none


@dataclass(frozen=True, eq=False)
class GazeHubSet:
    """The reader of one of GazeHub's sets."""

    name: str
    ACCESS: Access
    labels: tuple[tuple[str, str], ...]  # label file, part
    counts: dict[str, int]  # part → rows of a whole copy; 0: nobody has printed it
    people: int  # clusters of a whole copy's tested part; 0: not looked at
    cluster: Callable[[str, str], str]  # label file's stem, origin → cluster
    vector_sides: tuple[float, float, float]  # 3DGaze times this is the house vector
    head_turned: bool = False  # 2DHead points away from the camera
    groups: bool = False  # by direction, as Gaze360 has them
    below: bool = False  # people look at a screen below the camera

    def index(self, root: Path, *, pixels: bool = True) -> Index:
        """Read the label files below the set's folder.

        With `pixels`, faces without a picture are left out and noted.

        Raises
        ------
        DataError
            A file is malformed, or its two forms of gaze disagree; names file and line.
        """
        folder = root / self.ACCESS.folder
        rows = _Rows()
        notes: list[str] = []
        for file, part in self.labels:
            path = folder / "Label" / file
            if path.is_file():
                self._read_file(path, part, rows)
            else:
                notes.append(f"there is no file {path}")
        return self._build_index(folder, rows, notes, pixels=pixels)

    def _build_index(self, folder: Path, rows: _Rows, notes: list[str], *, pixels: bool) -> Index:
        chosen = list(range(len(rows.ids)))
        files = [folder / "Image" / face for face in rows.faces]
        if pixels:
            chosen = [row for row in chosen if files[row].is_file()]
            notes += note_left_out(len(chosen), len(rows.ids))
        values = self._vectors(rows)[chosen]
        attributes: dict[str, np.ndarray] = {}
        if self.groups:
            attributes = gaze360.front_groups(values)
        ids = np.array(rows.ids, np.str_)[chosen]
        boxes = np.tile(np.array([-0.5, -0.5, _SIDE - 0.5, _SIDE - 0.5]), (len(chosen), 1))
        meta = {}
        if rows.heads:
            meta["head_pose"] = self._head_rad(rows)[chosen]
        kept = tuple(files[row] for row in chosen)
        found = Index(
            dataset=self.name,
            ids=ids,
            parts=np.array(rows.parts, np.str_)[chosen],
            values=values,
            boxes={"patch": boxes},
            clusters=np.array(rows.clusters, np.str_)[chosen],
            read=partial(_read_picture, kept),
            cache_key=partial(picture_cache_key, kept),
            label_place=partial(_place_of, tuple(rows.where[row] for row in chosen)),
            attributes=attributes,
            meta=meta,
            notes=tuple(notes),
            gaze=GazeRows("gaze3d", tuple(ids.tolist()), notation.HOUSE["gaze3d"]),
        )
        if not len(ids):
            return found
        wrong = [finding.what for finding in self._check_gaze(found) if finding.level == "wrong"]
        return replace(found, faults=tuple(wrong))

    def picture_files(self, root: Path) -> dict[str, Path]:
        """Map ids to picture files, for the examination."""
        found = self.index(root)
        folder = root / self.ACCESS.folder / "Image"
        return {str(name): folder / f"{name}.jpg" for name in found.ids}

    def verify(self, root: Path) -> list[Finding]:
        """Examine a copy: rows of each part, people, and where gaze points."""
        try:
            found = self.index(root, pixels=False)
        except DataError as error:
            return [Finding("wrong", str(error))]
        if not len(found.ids):
            return [Finding("missing", note) for note in found.notes[:1]]
        findings = []
        for part, count in self.counts.items():
            rows = int((found.parts == part).sum())
            if count:
                findings.append(sample_checks.check_count(part, rows, count, "faces"))
            else:
                findings.append(sample_checks.missing_unless(rows, f"{part}: {rows} faces"))
        if self.people:
            people = len(np.unique(found.clusters))
            findings.append(sample_checks.check_count("people", people, self.people, "people"))
        findings += self._check_gaze(found)
        pictures = self.picture_files(root)
        text = f"{len(pictures)} of {len(found.ids)} faces have a picture"
        findings.append(sample_checks.check_count(text, len(pictures), len(found.ids), "pictures"))
        return findings

    def _check_gaze(self, found: Index) -> list[Finding]:
        """Say where gaze points."""
        return direction_checks.check_gaze(
            found.values,
            found.clusters,
            found.meta.get("head_pose"),
            ("below_camera",) if self.below else (),
            trained=np.asarray(found.parts == "train"),
        )

    # --- label files ---

    def _read_file(self, path: Path, part: str, rows: _Rows) -> None:
        names, lines = _read_fields(path)
        column = {name.lower(): place for place, name in reversed(list(enumerate(names)))}
        places = {}
        for key, known in (("face", _FACE), ("gaze", _GAZE), ("origin", _ORIGIN)):
            place = next((column[name] for name in known if name in column), None)
            if place is None:
                raise DataError(
                    f"{path}:1: names no {' or '.join(known)} ({' '.join(names)[:120]}); a label "
                    "file of GazeHub?"
                )
            places[key] = place
        vector = next((column[name] for name in _VECTOR if name in column), None)
        head = next((column[name] for name in _HEAD if name in column), None)
        for number, fields in lines:
            where = f"{path}:{number}"
            face = paths.check_relative_path(fields[places["face"]], where)
            origin = fields[places["origin"]]
            self._check_origin(origin, where)
            rows.ids.append(face.rpartition(".")[0] or face)
            rows.faces.append(face)
            rows.parts.append(part)
            rows.clusters.append(self.cluster(path.stem, origin))
            rows.origins.append(origin)
            rows.where.append(where)
            rows.gaze.append(_numbers(fields[places["gaze"]], 2, where))
            if vector is not None:
                rows.vectors.append(_numbers(fields[vector], 3, where))
            if head is not None:
                rows.heads.append(_numbers(fields[head], 2, where))
        self._check_vectors(rows, path, len(lines), has_vectors=vector is not None)

    def _check_origin(self, origin: str, where: str) -> None:
        """Refuse what GazeHub's EyeDiap does not hold: floating targets, condition B."""
        if self.name != "eyediap":
            return
        match = _SESSION.fullmatch(origin)
        if match is None:
            raise DataError(f"{where}: {origin[:40]!r} is no session and frame, as 1_A_DS_S_16")
        if match[1] != "A" or match[2] == "FT":
            raise DataError(
                f"{where}: session {origin[:40]} is not of GazeHub's set, which has screen "
                "targets of condition A alone: another preparation"
            )

    def _check_vectors(self, rows: _Rows, path: Path, count: int, *, has_vectors: bool) -> None:
        """Hold the angles of a file against its vectors: they are the same directions."""
        if not has_vectors or not count:
            return
        yaw_pitch = np.array(rows.gaze[-count:], np.float64)
        from_angles = angles.gaze_vectors(yaw_pitch[:, ::-1], f"{path}: 2DGaze")
        given = np.array(rows.vectors[-count:], np.float64) * self.vector_sides
        lengths = np.linalg.norm(given, axis=1)
        if (lengths < 1e-6).any():
            row = int(np.argmax(lengths < 1e-6))
            raise DataError(f"{rows.where[-count:][row]}: 3DGaze is no direction")
        apart = direction_checks.angles_between_deg(from_angles, given)
        if np.median(apart) > _CLOSE_DEG:
            raise DataError(
                f"{path}: 2DGaze and 3DGaze are {np.median(apart):.1f}° apart (median of {count}): "
                "2DGaze is yaw, pitch in radians; exchanged or turned columns, a converted copy"
            )

    def _vectors(self, rows: _Rows) -> Floats:
        yaw_pitch = np.array(rows.gaze, np.float64).reshape(-1, 2)
        return angles.gaze_vectors(yaw_pitch[:, ::-1], f"{self.name}: 2DGaze")

    def _head_rad(self, rows: _Rows) -> Floats:
        """Return the head's (pitch, yaw) (N, 2) as the house has gaze."""
        yaw_pitch = np.array(rows.heads, np.float64).reshape(-1, 2)
        heads = angles_to_vectors(yaw_pitch[:, ::-1])
        if self.head_turned:
            heads = -heads
        return vectors_to_angles(heads)


def _read_fields(path: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """Return the names of a label file's fields, and (line, fields) of every row.

    PnP-GA's copy of EyeDiap names six of its fourteen fields: those are read, the rest repeats
    them.
    """
    try:
        text = path.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: is not a text in UTF-8 (byte {error.start})") from error
    lines = text.splitlines()
    names = lines[0].split() if lines else []
    rows = []
    for number, line in enumerate(lines[1:], start=2):
        fields = line.split()
        if not fields:
            continue
        repeats = "gaze2d" in names and len(fields) > len(names)
        if len(fields) != len(names) and not repeats:
            raise DataError(f"{path}:{number}: {len(fields)} fields, the header names {len(names)}")
        rows.append((number, fields))
    return names, rows


def _numbers(text: str, count: int, where: str) -> list[float]:
    pieces = text.split(",")
    if len(pieces) != count:
        raise DataError(f"{where}: {text[:60]!r} is not {count} numbers between commas")
    return [delimited.parse_number(piece, where) for piece in pieces]


def _read_picture(files: Sequence[Path], row: int) -> Bytes:
    pixels = images.decode_picture(files[row])
    if pixels.shape[:2] != (_SIDE, _SIDE):
        height, width = pixels.shape[:2]
        raise DataError(
            f"{files[row]}: is {width} x {height} pixels large, GazeHub's faces are {_SIDE} x "
            f"{_SIDE}: another preparation"
        )
    return pixels


def _place_of(places: Sequence[str], row: int) -> str:
    return places[row]


def _person_of_file(stem: str, origin: str) -> str:
    del origin
    return stem


def _recording(stem: str, origin: str) -> str:
    """Return the recording of a picture: identities count inside one, and people recur there."""
    match = _RECORDING.match(origin)
    if match is None:
        raise DataError(f"{stem}.label: {origin[:60]!r} is no rec_NNN/head/IDENTITY/FRAME.jpg")
    return match[1]


def _access(title: str, folder: str, terms: str, citation: str, files: str) -> Access:
    return Access(
        title=f"{title}, as GazeHub processes it",
        folder=folder,
        where=_GAZEHUB,
        terms=terms,
        citation=citation,
        layout=f"{folder}/Label/{files}, {folder}/Image/<faces of the label files>",
    )


MPIIFACEGAZE = GazeHubSet(
    name="mpiifacegaze-gazehub",
    ACCESS=_access(
        "MPIIFaceGaze",
        "mpiifacegaze-gazehub",
        "CC BY-NC-SA 4.0",
        "X. Zhang, Y. Sugano, M. Fritz, A. Bulling: It's Written All Over Your Face. CVPRW 2017",
        "p00.label … p14.label",
    ),
    labels=tuple((f"p{number:02d}.label", "faces") for number in range(15)),
    counts={"faces": 45_000},
    people=15,
    cluster=_person_of_file,
    vector_sides=(-1.0, -1.0, -1.0),
    below=True,
)
EYEDIAP_PEOPLE = (*range(1, 12), 14, 15, 16)
EYEDIAP = GazeHubSet(
    name="eyediap",
    ACCESS=_access(
        "EyeDiap",
        "eyediap",
        "research only, a signed agreement with Idiap",
        "K. A. Funes Mora, F. Monay, J.-M. Odobez: EYEDIAP. ETRA 2014",
        "p1.label … p16.label",
    ),
    labels=tuple((f"p{number}.label", "faces") for number in EYEDIAP_PEOPLE),
    counts={"faces": 16_674},
    people=14,
    cluster=_person_of_file,
    vector_sides=(-1.0, -1.0, -1.0),
    head_turned=True,
)
GAZE360 = GazeHubSet(
    name="gaze360-gazehub",
    ACCESS=_access(
        "Gaze360",
        "gaze360-gazehub",
        "research only, no redistribution",
        "P. Kellnhofer et al.: Gaze360. ICCV 2019",
        "train.label, val.label, test.label",
    ),
    labels=(("train.label", "train"), ("val.label", "validation"), ("test.label", "test")),
    counts={"train": 0, "validation": 0, "test": 16_031},
    people=0,
    cluster=_recording,
    vector_sides=(1.0, 1.0, -1.0),
    groups=True,
)
