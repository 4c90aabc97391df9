"""Predictions on disk: npz, CSV and text formats, read with suspicion, written compressed.

`.npz`: `ids` (N texts), `values` (N, K, 2) px | (N, 2) cm | (N, 3) unit vectors, optional `failed`
(N bools). `.csv`: a header, a column `id` (else `image`), then `x0,y0,x1,y1,…`, `x,y` or `x,y,z`,
perhaps `failed` (0 or 1); commas, semicolons or tabs between; other columns are named and not read.
Values are in the dataset's own frame. `.txt`: the result format of the COFW-68 benchmark, four
lines per face: its number from 1 (`test/0001` and so on, in any order), all x, all y, all occlusion
flags, which are not scored. Directions may be given as angles in radians instead, (N, 2) pitch, yaw
or the columns `pitch,yaw`; they become the vectors (cos p sin y, sin p, cos p cos y). A row that is
wholly NaN (in CSV: empty) or flagged is a failed sample; a row that is partly NaN is an error,
unless it is so at landmarks alone that the ground truth has not marked (absent points).

A run's own `predictions.npz` holds the same arrays, packed by `array_files`; their digest in
run.json is that of the content, so packing a file anew leaves the record true.
"""

from __future__ import annotations

import re
from array import array
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchbox.csv_cells import bare_text
from benchbox.errors import ResultError
from benchbox.file_readers import numpy_files
from benchbox.file_readers.bounds import LARGEST_CM, LARGEST_PX, MOST_CELLS
from benchbox.file_readers.csv_files import describe_blanks, open_csv
from benchbox.file_readers.numpy_files import open_npz
from benchbox.file_readers.regular_files import read_text
from benchbox.geometry import angles_to_vectors
from benchbox.number_text import parse_number, parse_numbers
from benchbox.scoring.prediction_checks import Say, count_ids
from benchbox.types import Predictions, Truth

from . import array_files, near_ids

if TYPE_CHECKING:
    from benchbox.types import Bools, Floats, Strings

Suggest = Callable[[frozenset[str]], str]  # the ids of a file that does not fit → advice, or ""
Rows = tuple[list[str], "Floats", np.ndarray | None]  # ids, values, failed flags if any

_ANGLE_TOLERANCE_RAD = 1e-3
_ANGLE_COLUMNS = ["pitch", "yaw"]
_COORDINATE = re.compile(r"[xyz][0-9]*|pitch|yaw")
_FACE_NUMBER = re.compile(r"0*[1-9][0-9]{0,8}")
_DECIMAL_COMMA = re.compile(r"[+-]?[0-9]+,[0-9]+")
_FLAGS = {"0": False, "1": True, "false": False, "true": True, "": False}
ID_ARRAYS = ("ids", "id", "image")  # names of the ids; the first that is there
_ID_COLUMNS = ("id", "image")
_ARRAYS = ("values", "failed")
_SHOWN_NAMES = 5


def say_nothing(line: str) -> None:
    """Take the place of `say` where nobody listens."""


def read_predictions(
    path: Path,
    truth: Truth,
    *,
    protocol: str = "the protocol",
    suggest: Suggest | None = None,
    say: Say = say_nothing,
) -> Predictions:
    """Read an `.npz`, `.csv` or `.txt` file and return its rows in the order of the truth.

    `say` is told which columns or arrays are not read.

    Raises ResultError for an unreadable file, a pickle, ids that are missing, doubled or unknown, a
    wrong shape, an infinite value and a row that is partly NaN.
    """
    ids, values, failed = read_rows(path, say)
    is_csv = path.suffix.lower() == ".csv"
    wants_directions = truth.values.shape[1:] == (3,)
    if is_csv and wants_directions and values.shape[1:] == (2,):
        raise ResultError(
            f"{path.name}: x,y are no directions: {protocol} wants pitch,yaw in radians or x,y,z"
        )
    return match_to_truth(
        ids, values, failed, truth, where=path.name, protocol=protocol, suggest=suggest
    )


def read_stored_predictions(path: Path) -> Predictions:
    """Read the predictions that a run has left, in their own order, as they stand.

    Raises ResultError for an unreadable file and for arrays that do not fit each other.
    """
    ids, values, failed = read_rows(path)
    if failed is None:
        failed = np.zeros(len(ids), bool)
    flags = _check_flags(failed, len(ids), path.name)
    if len(values) != len(ids) or values.dtype.kind != "f":
        raise ResultError(f"{path.name}: {len(ids)} ids, values {values.shape} {values.dtype}")
    return Predictions(ids=np.array(ids, np.str_), values=values.astype(np.float64), failed=flags)


def read_stored_values(path: Path) -> tuple[Floats, Bools]:
    """Read the predictions (N, …) that a run has left and which of them failed (N,), not the ids.

    Raises ResultError as `read_stored_predictions`.
    """
    with open_npz(path, fault=ResultError) as arrays:
        values = _require_array(arrays, "values", path)
        failed = None
        if "failed" in arrays:
            failed = arrays["failed"]
    if not values.ndim or values.dtype.kind != "f":
        raise ResultError(f"{path.name}: values {values.shape} {values.dtype}")
    if failed is None:
        failed = np.zeros(len(values), bool)
    return values.astype(np.float64), _check_flags(failed, len(values), path.name)


def read_stored_ids(path: Path) -> Strings:
    """Read only the ids (N,) of the predictions that a run has left; raises ResultError."""
    with open_npz(path, fault=ResultError) as arrays:
        ids = _require_array(arrays, "ids", path)
    if ids.ndim != 1 or ids.dtype.kind not in "US":
        raise ResultError(f"{path.name}: no ids can be read: {ids.dtype} {ids.shape}")
    if ids.dtype.kind == "U":
        return ids
    return np.array([_decode_id(key, path) for key in ids.tolist()], np.str_)


def read_rows(path: Path, say: Say = say_nothing) -> Rows:
    """Return ids, values and failed flags of a file as they stand; raises ResultError."""
    readers = {".npz": _read_npz, ".csv": _read_csv, ".txt": _read_text}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise ResultError(f"{path.name}: predictions are an .npz, a .csv or (COFW-68) a .txt file")
    if not path.exists():
        raise ResultError(f"{path}: no such predictions file")
    return reader(path, say)


def match_to_truth(
    ids: list[str],
    values: Floats,
    failed: np.ndarray | None,
    truth: Truth,
    *,
    where: str,
    protocol: str = "the protocol",
    suggest: Suggest | None = None,
) -> Predictions:
    """Check rows (N ids, values as `Truth.values`, optional flags) against the truth.

    Return them in its order. Raises ResultError; `where` names the file in its message.
    """
    expected = [str(key) for key in truth.ids]
    ids = spell_ids(ids, expected)
    wants_directions = truth.values.shape[1:] == (3,)
    if wants_directions and values.shape[1:] == (2,):
        values = _angles_to_vectors(values, ids, where)
    order = match_ids(ids, expected, where, protocol=protocol, suggest=suggest)
    _check_shape(values, truth.values, len(ids), where, protocol)
    if failed is None:
        failed = np.zeros(len(ids), bool)
    flags = _check_flags(failed, len(ids), where)
    values, flags = values[order].astype(np.float64), flags[order]
    flags |= _unanswered(_scored_values(values, truth), flags, truth.ids, where)
    values[flags] = np.nan
    return Predictions(ids=truth.ids, values=values, failed=flags)


def _scored_values(values: Floats, truth: Truth) -> Floats:
    """Return the values with every landmark that the truth has not marked as the row's first one.

    Nothing is measured at an absent point, so a prediction may be NaN there.
    """
    if truth.values.ndim != 3:
        return values
    absent: np.ndarray = np.asarray(np.isnan(truth.values).all(axis=-1))
    if truth.absent is not None:
        absent |= truth.absent
    if not absent.any():
        return values
    scored = values.copy()
    for row in np.flatnonzero(absent.any(axis=1)):
        marked = np.flatnonzero(~absent[row])
        if len(marked):
            scored[row, absent[row]] = values[row, marked[0]]
    return scored


def match_ids(
    ids: list[str],
    expected: list[str],
    where: str,
    *,
    protocol: str = "the protocol",
    suggest: Suggest | None = None,
) -> np.ndarray:
    """Return the row (N,) of each expected id among the given ones.

    Raises ResultError for ids that are missing, doubled or unknown.
    """
    ids = spell_ids(ids, expected)
    _check_ids(ids, expected, where, protocol, suggest)
    row_of = {key: row for row, key in enumerate(ids)}
    return np.array([row_of[key] for key in expected], dtype=np.intp)


def _unanswered(values: Floats, flags: np.ndarray, ids: Strings, where: str) -> np.ndarray:
    """Return which rows (N,) are wholly NaN; refuse what is neither that nor a prediction."""
    flat = values.reshape(len(values), -1)
    empty = np.isnan(flat)
    partly = empty.any(axis=1) & ~empty.all(axis=1) & ~flags
    if partly.any():
        raise ResultError(
            f"{where}: {count_ids(ids[partly])} partly NaN: "
            "a sample without an answer is NaN throughout"
        )
    infinite = np.isinf(flat).any(axis=1) & ~flags
    if infinite.any():
        raise ResultError(
            f"{where}: {count_ids(ids[infinite])} infinite: "
            "write NaN throughout where there is no answer"
        )
    largest = LARGEST_PX if values.ndim == 3 else LARGEST_CM
    beyond = (np.abs(flat) > largest).any(axis=1) & ~flags
    if beyond.any():
        raise ResultError(
            f"{where}: {count_ids(ids[beyond])} numbers beyond {largest:g}, which no picture or "
            "screen has; write NaN throughout where there is no answer"
        )
    if values.shape[1:] == (3,):
        no_direction = ~flags & ~values.any(axis=1)
        if no_direction.any():
            raise ResultError(
                f"{where}: {count_ids(ids[no_direction])} a vector of length 0, "
                "which has no direction"
            )
    return np.atleast_1d(empty.all(axis=1))


def write_predictions(path: Path, predictions: Predictions) -> None:
    """Write an `.npz` atomically, values as float32.

    Raises ResultError when the folder cannot be written.
    """
    columns = {
        "ids": np.asarray(predictions.ids, dtype=np.str_),
        "values": np.asarray(predictions.values, dtype="<f4"),
        "failed": np.asarray(predictions.failed, dtype=np.bool_),
    }
    array_files.write_npz(path, columns)


# --- checks ---------------------------------------------------------------------------------------


def spell_ids(ids: list[str], expected: list[str]) -> list[str]:
    """Spell ids as the truth does where only blanks or the Unicode form differ.

    Half the world writes `image_092 _01` without its blank, and one file system in three composes
    letters and accents otherwise.
    """
    wanted = frozenset(expected)
    if wanted.issuperset(ids):
        return ids
    spelled_as = {near_ids.plain_spelling(key): key for key in expected}
    spelled = []
    for written in ids:
        # our own tables guard ids against spreadsheets
        key = written if written in wanted else bare_text(written)
        known = key if key in wanted else spelled_as.get(near_ids.plain_spelling(key), key)
        spelled.append(known)
    return spelled


def _check_ids(
    ids: list[str], expected: list[str], where: str, protocol: str, suggest: Suggest | None
) -> None:
    doubled = [key for key, count in Counter(ids).items() if count > 1]
    if doubled:
        raise ResultError(
            f"{where}: {count_ids(doubled)} there more than once: keep one row per id"
        )
    given, wanted = frozenset(ids), frozenset(expected)
    unknown = [key for key in ids if key not in wanted]
    missing = [key for key in expected if key not in given]
    advice = ""
    if unknown:
        advice = near_ids.describe_other_spelling(unknown[0], expected)
    if suggest and not advice and (unknown or missing):
        advice = suggest(given)
    if unknown:
        advice = advice or near_ids.describe_nearest(unknown[0], expected, protocol)
        raise ResultError(f"{where}: {count_ids(unknown)} unknown to {protocol}: {advice}")
    if missing:
        advice = advice or "give each its row; NaN throughout where there is no answer"
        raise ResultError(
            f"{where}: {count_ids(missing)} missing of the {len(expected)} of {protocol}: {advice}"
        )


def _check_shape(values: Floats, like: Floats, count: int, where: str, protocol: str) -> None:
    wanted = (count, *like.shape[1:])
    if values.shape != wanted:
        raise ResultError(
            f"{where}: values have the shape {values.shape}, {protocol} wants {wanted}"
        )


def _angles_to_vectors(angles_rad: Floats, ids: list[str], where: str) -> Floats:
    """Turn (pitch, yaw) (N, 2) into vectors (N, 3), NaN staying NaN.

    Raises ResultError for what is no radians.
    """
    finite = np.isfinite(angles_rad)
    limits = np.array([np.pi / 2, np.pi]) + _ANGLE_TOLERANCE_RAD  # of pitch and yaw
    too_large = (np.abs(angles_rad) > limits).any(axis=1)
    wrong = too_large & finite.all(axis=1)
    if wrong.any():
        first = angles_rad[int(np.argmax(wrong))].tolist()
        raise ResultError(
            f"{where}: {count_ids(np.array(ids)[wrong])} no (pitch, yaw) in radians: "
            f"{first}; pitch lies within ±1.571, yaw within ±3.142: degrees, or yaw, pitch?"
        )
    vectors = angles_to_vectors(np.where(finite, angles_rad, 0.0).astype(np.float64))
    # Gaps stay what they are for the checks to come: wholly NaN, partly NaN, infinite.
    vectors[np.isnan(angles_rad).any(axis=1), 0] = np.nan
    vectors[np.isnan(angles_rad).all(axis=1)] = np.nan
    vectors[np.isinf(angles_rad).any(axis=1)] = np.inf
    return vectors


def _check_flags(failed: np.ndarray, count: int, where: str) -> np.ndarray:
    is_flags = failed.shape == (count,) and failed.dtype.kind in "bui"
    if not is_flags or (failed.dtype.kind != "b" and not np.isin(failed, (0, 1)).all()):
        raise ResultError(f"{where}: failed must hold {count} bools, one per id")
    return failed.astype(bool)


# --- npz ------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class NpzArrays:
    """The arrays of a file of predictions."""

    ids: list[str] | None  # (N,)
    values: np.ndarray
    failed: np.ndarray | None


def read_npz_arrays(path: Path, say: Say = say_nothing) -> NpzArrays:
    """Read the arrays of an `.npz` with suspicion; it may lack ids and flags.

    Raises ResultError for a damaged file, a pickle, and arrays of other types.
    """
    ids, failed = None, None
    with open_npz(path, fault=ResultError) as arrays:
        names = list(arrays)
        called = _ids_called(arrays)
        if called:
            ids = arrays[called]
        values = _require_array(arrays, "values", path)
        if "failed" in arrays:
            failed = arrays["failed"]
    name_unread(path, "arrays", [name for name in names if name not in (called, *_ARRAYS)], say)
    if values.dtype.kind not in "fiu":
        raise ResultError(f"{path.name}: values must be real numbers, not {values.dtype}")
    if ids is None:
        return NpzArrays(None, values, failed)
    if ids.ndim != 1 or ids.dtype.kind not in "US":
        raise ResultError(
            f"{path.name}: ids must be a row of texts, np.array(ids, dtype=str), not {ids.dtype}"
        )
    return NpzArrays([_decode_id(key, path) for key in ids.tolist()], values, failed)


def _ids_called(arrays: numpy_files.NpzArrays) -> str:
    """Return which array holds ids, "" where none does; `image` may be pixels."""
    for name in ID_ARRAYS:
        if name in arrays and (name == ID_ARRAYS[0] or arrays[name].dtype.kind in "US"):
            return name
    return ""


def _read_npz(path: Path, say: Say) -> Rows:
    arrays = read_npz_arrays(path, say)
    if arrays.ids is None:
        raise ResultError(f"{path.name}: has no array 'ids': np.savez(file, ids=…, values=…)")
    return arrays.ids, arrays.values, arrays.failed


def name_unread(path: Path, what: str, names: Sequence[str], say: Say) -> None:
    """Name what a file holds beside what is read."""
    if names:
        shown = ", ".join(repr(name[:40]) for name in names[:_SHOWN_NAMES])
        more = f" and {len(names) - _SHOWN_NAMES} more" if len(names) > _SHOWN_NAMES else ""
        say(f"note: {path.name}: {what} that are not read: {shown}{more}")


def _decode_id(key: str | bytes, path: Path) -> str:
    if isinstance(key, str):
        return key
    try:
        return key.decode()
    except UnicodeDecodeError as fault:
        raise ResultError(f"{path.name}: the id {key!r} is not UTF-8") from fault


def _require_array(arrays: numpy_files.NpzArrays, name: str, path: Path) -> np.ndarray:
    if name not in arrays:
        raise ResultError(f"{path.name}: has no array {name!r}: np.savez(file, ids=…, values=…)")
    return arrays[name]


# --- csv ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Columns:
    """Where the columns of a CSV stand."""

    count: int
    id: int
    values: list[int]
    names: list[str]  # of the values
    failed: int | None
    unread: list[str]


def _read_csv(path: Path, say: Say) -> Rows:
    ids, flags = [], []
    numbers = array("d")  # a list of floats would take four times the memory
    with open_csv(path, delimiter=_delimiter, most_cells=MOST_CELLS, fault=ResultError) as lines:
        columns = _find_columns(next(lines, []), path)
        for line in lines:
            if not any(cell.strip() for cell in line):
                continue
            where = f"{path.name} line {lines.line_num}"
            cells = _trim_cells(line, columns.count, where)
            ids.append(cells[columns.id].strip())
            numbers.extend(_parse_values(cells, columns, where))
            if columns.failed is not None:
                flags.append(_parse_flag(cells[columns.failed], where))
    name_unread(path, "columns", columns.unread, say)
    values: Floats = np.frombuffer(numbers, np.float64).reshape(len(ids), len(columns.names))
    if columns.names == _ANGLE_COLUMNS:
        values = _angles_to_vectors(values, ids, path.name)
    elif columns.names[0] == "x0":
        values = values.reshape(len(ids), len(columns.names) // 2, 2)
    failed = None
    if columns.failed is not None:
        failed = np.array(flags, bool)
    return ids, values, failed


def _delimiter(header: str) -> str:
    """Return what stands between the names of a header: a comma, or a semicolon or tab alone."""
    for delimiter in (",", ";", "\t"):
        if delimiter in header:
            return delimiter
    return ","


def _find_columns(header: list[str], path: Path) -> _Columns:
    """Find id, coordinates (numbered: x0, y0, x1, y1 …), flags and what is not read in a header."""
    names = [name.strip() for name in header]
    values = [place for place, name in enumerate(names) if _COORDINATE.fullmatch(name)]
    found = [names[place] for place in values]
    points: list[str] = []
    for point in range((len(found) + 1) // 2):
        points += [f"x{point}", f"y{point}"]
    known = (points, ["x", "y"], ["x", "y", "z"], _ANGLE_COLUMNS)
    id_name = next((name for name in _ID_COLUMNS if name in names), _ID_COLUMNS[0])
    if names.count(id_name) != 1 or not found or found not in known or names.count("failed") > 1:
        allowed = "id,x0,y0,x1,y1,… (or id,x,y or id,pitch,yaw or id,x,y,z)"
        fault = describe_blanks(names, path) or _header_fault(names, id_name, found, points)
        raise ResultError(f"{path.name} line 1: the header must be {allowed}: {fault}")
    unread = [name for name in names if name not in (id_name, "failed", *found)]
    return _Columns(
        count=len(names),
        id=names.index(id_name),
        values=values,
        names=found,
        failed=names.index("failed") if "failed" in names else None,
        unread=unread,
    )


def _header_fault(names: list[str], id_name: str, found: list[str], points: list[str]) -> str:
    """Name the column that is wrong in a header."""
    shown = ",".join(names[:5])[:80]
    if names.count(id_name) != 1:
        return f"{names.count(id_name)} columns are called {id_name}, there are {shown!r}"
    if not found:
        return f"no column is a coordinate, there are {shown!r}"
    if names.count("failed") > 1:
        return "two columns are called failed"
    for name, wanted in zip(found, points, strict=False):
        if name != wanted:
            return f"column {names.index(name) + 1} is {name!r} where {wanted!r} belongs"
    return f"the last coordinate is {found[-1]!r}, {points[-1]!r} is missing"


def _trim_cells(cells: list[str], count: int, where: str) -> list[str]:
    """Return as many cells as the header has; empty ones may follow."""
    if len(cells) < count or any(cell.strip() for cell in cells[count:]):
        raise ResultError(f"{where}: {len(cells)} cells, the header names {count}")
    return cells[:count]


def _parse_values(cells: list[str], columns: _Columns, where: str) -> list[float]:
    chosen = [cells[place].strip() or "nan" for place in columns.values]
    try:
        return parse_numbers(chosen)
    except ValueError as fault:
        message = str(fault)
    for name, cell in zip(columns.names, chosen, strict=True):
        try:
            parse_number(cell)
        except ValueError:
            message = f"column {name}: {cell[:40]!r} is no number"
            if _DECIMAL_COMMA.fullmatch(cell):
                message += "; write a point, not a comma, before the decimals"
            break
    raise ResultError(f"{where}: {message}")


def _parse_flag(cell: str, where: str) -> bool:
    flag = _FLAGS.get(cell.strip().lower())
    if flag is None:
        raise ResultError(f"{where}: column failed: {cell[:40]!r} is neither 0 nor 1")
    return flag


# --- text of the COFW-68 benchmark ----------------------------------------------------------------


def _read_text(path: Path, say: Say) -> Rows:  # noqa: ARG001
    """Read four lines per face: number, x …, y …, occluded ….

    Blanks at the end of a line and empty lines are usual.
    """
    text = read_text(path, fault=ResultError)
    lines = []
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip():
            lines.append((number, line.split()))
    if not lines or len(lines) % 4:
        raise ResultError(
            f"{path.name}: {len(lines)} lines with text; the COFW-68 format has four for each face"
        )
    ids, faces = [], []
    for start in range(0, len(lines), 4):
        (number, head), *body = lines[start : start + 4]
        if len(head) != 1 or not _FACE_NUMBER.fullmatch(head[0]):
            raise ResultError(
                f"{path.name} line {number}: {' '.join(head)[:40]!r} "
                "is not the number of a face, from 1"
            )
        ids.append(f"test/{int(head[0]):04d}")
        faces.append(_parse_points(body, path))
    counts = {len(points) for points in faces}
    if len(counts) > 1:
        raise ResultError(
            f"{path.name}: faces have {min(counts)} and {max(counts)} points; all must have as many"
        )
    return ids, np.array(faces, np.float64), None


def _parse_points(body: list[tuple[int, list[str]]], path: Path) -> list[tuple[float, float]]:
    """Return the points of one face from its lines x, y and occluded."""
    (first, xs), (second, ys), (third, flags) = body
    if not len(xs) == len(ys) == len(flags):
        raise ResultError(
            f"{path.name} lines {first}, {second}, {third}: {len(xs)} x, {len(ys)} y "
            f"and {len(flags)} flags; there must be as many of each"
        )
    if not set(flags) <= {"0", "1"}:
        raise ResultError(f"{path.name} line {third}: an occlusion flag is neither 0 nor 1")
    try:
        return list(zip(parse_numbers(xs), parse_numbers(ys), strict=True))
    except ValueError as fault:
        raise ResultError(f"{path.name} lines {first}, {second}: {fault}") from fault
