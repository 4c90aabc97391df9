"""Who wrote a file of predictions, and what its points become under a protocol.

`read_outside` recognises the writer, reads, moves points into the frame of the annotations, maps
them to the card's layout where a map is named, and matches them to the test items.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchbox.datasets import open_protocol_dataset
from benchbox.datasets.formats.marked_face import list_files, table
from benchbox.errors import ResultError
from benchbox.file_readers.json_files import read_json
from benchbox.file_readers.numpy_files import open_npz
from benchbox.file_readers.regular_files import read_text
from benchbox.layouts import (
    LAYOUTS,
    MAPS,
    LayoutMap,
    convert_points,
    find_map,
    map_note,
    maps_between,
    normalisers_of,
    require_layout,
)
from benchbox.runs import prediction_files
from benchbox.types import Index, Predictions, Protocol, Truth

from . import arrays, coco_results, detections, trackers, turned_pictures
from .found_face import FoundFace, FoundFaces, Hints, read_rows, read_sizes
from .match_faces import NamedPictures, answer_by_picture, name_of_picture

if TYPE_CHECKING:
    from benchbox.types import Bools, Floats

NATIVE = "benchbox"
TITLES = {
    NATIVE: "benchbox .npz or CSV, COFW-68 .txt",
    "pts": "folder of .pts",
    "coco-results": "COCO results",
    "openface": "OpenFace CSV",
    "openseeface": "OpenSeeFace log",
    "dlib-xml": "dlib XML",
    "mediapipe": "MediaPipe json",
    "mat": "MATLAB .mat",
    "npy": ".npy stack with names",
    "insightface": "InsightFace .npz",
    "parquet": "Parquet",
}

# writer → origin, which face a row answers, what is no answer, what is asked
FACTS = {
    NATIVE: ("the annotations'", "id", "failed, or NaN throughout", "nothing"),
    "pts": ("1; --origin 0 where a script wrote them", "the file's name", "all zero", "--missing"),
    "coco-results": (
        "the annotations'",
        "overlap",
        "no detection",
        "--names FILE, unless the card's own file is COCO's",
    ),
    "openface": ("0", "overlap", "success 0, or no row", "--frames for sequences"),
    "openseeface": ("0", "overlap", "no row", "--frames; --layout 68to66-openseeface"),
    "dlib-xml": ("0", "overlap", "no box", "nothing"),
    "mediapipe": ("0.5", "overlap", "an empty list", "--layout MAP; --sizes without pictures"),
    "mat": ("asked", "cell of names", "NaN", "--origin; --field VARIABLE"),
    "npy": ("0", "a text of names; `pair#2` is the second annotated face", "NaN", "--names"),
    "insightface": ("0", "overlap", "no key", "--field, --layout MAP"),
    "parquet": ("the annotations'", "id, or picture and overlap", "NaN", "nothing"),
}


@dataclass(frozen=True, eq=False)
class Answered:
    """Predictions of a file in the order of the truth, and what they are scored against."""

    predictions: Predictions
    truth: Truth
    protocol: Protocol
    said: tuple[str, ...]  # for the record: writer, origin, map


def recognise_predictions(path: Path) -> str:
    """Name the writer of a file or folder of predictions; raises ResultError."""
    if not path.exists():
        raise ResultError(f"{path}: no such predictions file")
    if path.is_dir():
        return _recognise_folder(path)
    suffix = path.suffix.lower()
    by_suffix = {
        ".pts": "pts",
        ".xml": "dlib-xml",
        ".mat": "mat",
        ".npy": "npy",
        ".parquet": "parquet",
    }
    if suffix in by_suffix:
        return by_suffix[suffix]
    if suffix == ".json":
        return _recognise_json(path)
    if suffix == ".csv":
        return _recognise_csv(path)
    if suffix == ".npz":
        return _recognise_npz(path)
    return NATIVE


def _recognise_folder(path: Path) -> str:
    if list_files(path, (".pts",)):
        return "pts"
    tables = list_files(path, (".csv",))
    if tables and _recognise_csv(tables[0]) == "openface":
        return "openface"
    raise ResultError(f"{path}: a folder of predictions holds .pts files, or OpenFace's CSV files")


def _recognise_json(path: Path) -> str:
    content = read_json(path)
    if isinstance(content, list):
        if all(isinstance(row, dict) and "keypoints" in row for row in content):
            return "coco-results"
    elif isinstance(content, dict) and content:
        entry = next((value for value in content.values() if value), None)
        if _is_mediapipe(entry):
            return "mediapipe"
    raise ResultError(
        f"{path.name}: is neither COCO results (a list with image_id, keypoints) nor MediaPipe's "
        "faces by picture"
    )


def _is_mediapipe(entry: Any) -> bool:
    if isinstance(entry, dict):
        return "faceLandmarks" in entry or "face_landmarks" in entry
    first = entry[0] if isinstance(entry, list) else None
    if isinstance(first, dict):
        return "landmark" in first or "landmarks" in first
    return isinstance(first, list) and bool(first) and isinstance(first[0], dict)


def _recognise_csv(path: Path) -> str:
    header = read_text(path).partition("\n")[0]
    names = [name.strip() for name in header.split(",")]
    if "Landmark[0].X" in names:
        return "openseeface"
    if "x_0" in names and ("confidence" in names or "success" in names):
        return "openface"
    return NATIVE


def _recognise_npz(path: Path) -> str:
    try:
        with open_npz(path, fault=ResultError) as arrays:
            names = {name.rpartition("/")[2] for name in arrays}
    except ResultError:
        return NATIVE  # which says what is wrong
    if names & {"kps", "landmark_3d_68", "landmark_2d_106"}:
        return "insightface"
    return NATIVE


# --- reading --------------------------------------------------------------------------------------


def read_outside(
    path: Path,
    writer: str,
    protocol: Protocol,
    truth: Truth,
    index: Index,
    data: Path,
    hints: Hints,
    say: Callable[[str], None],
) -> Answered:
    """Read predictions of another program for a landmark protocol.

    Raises
    ------
    ResultError
        The file cannot be read, does not say what is needed (names the option), or does not answer
        the test items.
    """
    if protocol.task != "landmarks":
        raise ResultError(f"{path.name}: {TITLES[writer]} holds landmarks, {protocol.name} is gaze")
    card = protocol
    found = _read(path, writer, protocol, truth, index, data, hints)
    if not found.faces:
        raise ResultError(f"{path.name}: holds no face ({TITLES[writer]})")
    said = [f"predictions: {TITLES[writer]}"]
    origin, reason = _origin(found, index, hints, path)
    said.append(f"origin of the predictions: {origin:g} ({reason})")
    layout_map = _choose_map(found, protocol, hints, path)
    if layout_map is not None:
        said.append(map_note(layout_map))
    faces = []
    for face in found.faces:
        points = face.points + (index.origin - origin)
        if layout_map is not None and layout_map.target == protocol.layout:
            points = convert_points(points, layout_map)
        faces.append(replace(face, points=points))
    if layout_map is not None and layout_map.source == protocol.layout:
        truth, protocol, dropped = _map_truth(truth, protocol, layout_map)
        said += dropped
    predictions, notes = _answer(faces, truth, index, protocol, hints, path)
    turned = turned_pictures.find_turned(card, truth, data)
    if turned:
        other, more = _answer(
            _turn_faces(faces, turned, truth, index, shares=found.shares),
            truth,
            index,
            protocol,
            hints,
            path,
        )
        rows = [row for row, item in enumerate(truth.ids.tolist()) if item in turned]
        if turned_pictures.fits_better(truth, predictions, other, rows):
            predictions, notes = other, more
            said.append(turned_pictures.describe_turn(list(turned.values())))
    for note in (*said, *found.notes, *notes):
        say(f"note: {note}")
    return Answered(predictions, truth, protocol, tuple(said))


def _turn_faces(
    faces: list[FoundFace],
    turned: Mapping[str, turned_pictures.TurnedPicture],
    truth: Truth,
    index: Index,
    *,
    shares: bool,
) -> list[FoundFace]:
    """Return detections with those on turned pictures read in the frame that labels are not in."""
    names = _picture_names(truth, index)
    by_picture = NamedPictures((names[item], picture) for item, picture in turned.items())

    def picture_of(face: FoundFace) -> turned_pictures.TurnedPicture | None:
        if face.item:
            return turned.get(face.item)
        found = by_picture.find(face.image)
        return found[0] if found else None

    return turned_pictures.turn_faces(faces, picture_of, index.origin, shares=shares)


def _read(
    path: Path,
    writer: str,
    protocol: Protocol,
    truth: Truth,
    index: Index,
    data: Path,
    hints: Hints,
) -> FoundFaces:
    layout = require_layout(protocol)
    readers: Mapping[str, Callable[[], FoundFaces]] = {
        NATIVE: lambda: _read_native(path),
        "pts": lambda: arrays.read_pts(path, hints),
        "coco-results": lambda: coco_results.read_coco_results(
            path, _image_ids(protocol, data, hints)
        ),
        "openface": lambda: trackers.read_openface(path, hints),
        "openseeface": lambda: trackers.read_openseeface(path, hints),
        "dlib-xml": lambda: detections.read_dlib_xml(path, layout),
        "mediapipe": lambda: detections.read_mediapipe(
            path, _size_finder(protocol, truth, index, data, hints)
        ),
        "mat": lambda: arrays.read_mat(path, hints, layout),
        "npy": lambda: arrays.read_npy(path, hints),
        "insightface": lambda: detections.read_insightface(path, hints, layout),
        "parquet": lambda: arrays.read_parquet(path, hints),
    }
    return readers[writer]()


def _read_native(path: Path) -> FoundFaces:
    ids, values, failed = prediction_files.read_rows(path)
    if values.ndim != 3 or values.shape[2] != 2:
        raise ResultError(f"{path.name}: values are {values.shape}, landmarks are N x K x 2")
    faces = []
    for row, name in enumerate(ids):
        points = np.array(values[row], np.float64)
        if failed is not None and failed[row]:
            points[:] = np.nan
        faces.append(FoundFace(points, item=name))
    return FoundFaces(faces, in_own_frame=True, origin_reason="the annotations' frame")


def _image_ids(protocol: Protocol, data: Path, hints: Hints) -> dict[str, str]:
    """Map the ids of pictures, as texts, to their names, by the annotations or by --names."""
    files = []
    if hints.names is not None:
        files = [hints.names]
    elif protocol.source is not None:
        files = [data / name for name in protocol.source.parts.values()]
    names = {}
    for file in files:
        if file.suffix.lower() == ".csv" and hints.names is not None:
            for row in read_rows(file):
                names[row.get("image_id", "")] = row.get("image", "")
        if file.suffix.lower() != ".json" or not file.is_file():
            continue
        content = read_json(file)
        if isinstance(content, dict) and isinstance(content.get("images"), list):
            for image in table(content["images"], f"{file}: images"):
                names[str(image.get("id"))] = str(image.get("file_name"))
    if not names:
        raise ResultError(
            "COCO results name pictures by number: say --names FILE, the COCO annotations that "
            "number them (or a CSV image_id,image)"
        )
    return names


def _size_finder(
    protocol: Protocol, truth: Truth, index: Index, data: Path, hints: Hints
) -> Callable[[str], tuple[int, int]]:
    """Return what knows width and height of a picture: --sizes, else the pictures themselves."""
    if hints.sizes is not None:
        sizes = {name_of_picture(key): size for key, size in read_sizes(hints.sizes).items()}

        def listed(image: str) -> tuple[int, int]:
            key = name_of_picture(image)
            if key not in sizes:
                raise ResultError(f"{hints.sizes}: has no row for {image!r}")
            return sizes[key]

        return listed
    find = getattr(open_protocol_dataset(protocol), "picture_files", None)
    named: list[tuple[str, tuple[str, Path]]] = []
    if find is not None:
        names = _picture_names(truth, index)
        for item, file in find(data).items():
            if item in names:
                named.append((names[item], (item, file)))
    files = NamedPictures(named)

    def opened(image: str) -> tuple[int, int]:
        found = files.find(image)
        if not found:
            raise ResultError(
                f"shares of {image!r} need its width and height: say --sizes FILE, a CSV with "
                "image,width,height, or let the card find the pictures"
            )
        return turned_pictures.size_as_read(protocol, data, *found[0])

    return opened


# --- frame and layout -----------------------------------------------------------------------------


def _origin(found: FoundFaces, index: Index, hints: Hints, path: Path) -> tuple[float, str]:
    if hints.origin is not None:
        return hints.origin, "as said"
    if found.in_own_frame:
        return index.origin, found.origin_reason
    if found.origin is None:
        raise ResultError(
            f"{path.name}: what is the first pixel's centre called? say --origin 0, --origin 0.5 "
            f"or --origin 1 ({found.origin_reason})"
        )
    return found.origin, found.origin_reason


def _choose_map(
    found: FoundFaces, protocol: Protocol, hints: Hints, path: Path
) -> LayoutMap | None:
    """Return the map that is named, None where points are the card's; raises ResultError."""
    target = require_layout(protocol)
    counts = {len(face.points) for face in found.faces}
    if len(counts) != 1:
        raise ResultError(f"{path.name}: faces have {sorted(counts)} points, must have one number")
    count = counts.pop()
    if hints.layout and hints.layout not in LAYOUTS and hints.layout != target.name:
        try:
            layout_map = find_map(hints.layout)
        except KeyError as fault:
            raise ResultError(
                f"--layout {hints.layout}: no layout and no map is called so; "
                f"maps: {', '.join(MAPS)}"
            ) from fault
        ends = (layout_map.source, layout_map.target)
        other = ends[0] if ends[1] == target.name else ends[1]
        if target.name not in ends or LAYOUTS[other].count != count:
            raise ResultError(
                f"{path.name}: {layout_map.name} goes from {ends[0]} to {ends[1]}; the file has "
                f"{count} points, {protocol.name} has {target.name}"
            )
        return layout_map
    source = hints.layout or found.layout
    if not source and count == target.count:
        return None
    if source == target.name and count == target.count:
        return None
    sources = [source] if source else [name for name in LAYOUTS if LAYOUTS[name].count == count]
    choices: list[str] = []
    for name in sources:
        choices += maps_between(name, target.name) + maps_between(target.name, name)
    advice = "no map between them is known"
    if choices:
        advice = f"say --layout {' | '.join(choices)}"
    raise ResultError(
        f"{path.name}: points are {' or '.join(sources) or str(count)} ({count}), {protocol.name} "
        f"has {target.name} ({target.count}): {advice}"
    )


def _map_truth(
    truth: Truth, protocol: Protocol, layout_map: LayoutMap
) -> tuple[Truth, Protocol, list[str]]:
    """Bring the truth into the layout of the predictions, where the map leads there.

    Of the card's normalisers those remain that this layout gives; also say what was dropped.
    """
    values = convert_points(np.asarray(truth.values, np.float64), layout_map)
    absent: Bools = np.asarray(np.isnan(values).any(axis=2))
    mapped = replace(truth, values=values, absent=absent if absent.any() else None, visible=None)
    given = normalisers_of(LAYOUTS[layout_map.target])
    kept = tuple(name for name in protocol.normalisers if name in given)
    lost = [name for name in protocol.normalisers if name not in given]
    if not kept:
        kept = ("inter_pupil",) if "inter_pupil" in given else ("face_size",)
    said = []
    if lost:
        said.append(
            f"{layout_map.target} does not mark what {', '.join(lost)} divides by: errors are "
            f"divided by {', '.join(kept)}"
        )
    changed = replace(
        protocol,
        layout=layout_map.target,
        normalisers=kept,
        points=(),
        masked=False,
        metrics=(),
    )
    return mapped, changed, said


# --- matching -------------------------------------------------------------------------------------


def _picture_names(truth: Truth, index: Index) -> dict[str, str]:
    """Map ids of test items to the names of their pictures; the id itself where they have none."""
    if index.images is None:
        return {item: item for item in truth.ids.tolist()}
    return dict(zip(index.ids.tolist(), index.images.tolist(), strict=True))


def _with_ids(named: list[FoundFace], truth: Truth, index: Index) -> list[FoundFace]:
    """Return faces that name a picture in place of an id with the id of its only test item.

    Where any of them names an id all are left as they are.
    """
    known = set(truth.ids.tolist())
    if not named or known.intersection(
        prediction_files.spell_ids([face.item for face in named], truth.ids.tolist())
    ):
        return named
    pictures = _picture_names(truth, index)
    items_on = NamedPictures((picture, item) for item, picture in pictures.items())
    renamed = []
    for face in named:
        items = items_on.find(face.item)
        renamed.append(replace(face, item=items[0]) if len(items) == 1 else face)
    return renamed


def _answer(
    faces: list[FoundFace],
    truth: Truth,
    index: Index,
    protocol: Protocol,
    hints: Hints,
    path: Path,
) -> tuple[Predictions, list[str]]:
    by_picture = [face for face in faces if face.image]
    named = _with_ids([face for face in faces if not face.image], truth, index)
    notes: list[str] = []
    answers: dict[str, Floats] = {}
    if by_picture:
        names = _picture_names(truth, index)
        answers, notes = answer_by_picture(by_picture, truth, names, path.name)
    ids = [face.item for face in named] + list(answers)
    points = [face.points for face in named] + list(answers.values())
    shape = truth.values.shape[1:]
    if by_picture or hints.missing_failed:
        known = set(prediction_files.spell_ids(ids, truth.ids.tolist()))
        lacking = [item for item in truth.ids.tolist() if item not in known]
        if lacking and not by_picture:
            notes.append(f"{len(lacking)} items have no prediction and count as failed, as said")
        ids += lacking
        points += [np.full(shape, np.nan)] * len(lacking)
    try:
        predictions = prediction_files.match_to_truth(
            ids, np.stack(points), None, truth, where=path.name, protocol=protocol.name
        )
    except ResultError as fault:
        if "missing of the" in str(fault):
            raise ResultError(f"{fault}; or say --missing failed") from fault
        raise
    return predictions, notes
